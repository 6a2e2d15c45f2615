"""Hops that packets pass, how packets look there, and the limits that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, TypeAlias

from simulator.plan import FORWARD, RETURN, Direction, Encapsulation, Meter

DIRECTIONS: Final[tuple[Direction, ...]] = (FORWARD, RETURN)
OPPOSITE: Final[Mapping[Direction, Direction]] = {FORWARD: RETURN, RETURN: FORWARD}
SCENARIO: Final = "scenario"
"""Source of a ceiling whose value the scenario gives."""


class CeilingKind(IntEnum):
    """What sort of limit a ceiling is; `explain` lists them in this order."""

    FLOW = 0
    TUNNEL = 1
    GATEWAY = 2
    PATH = 3
    ACCESS = 4
    DEVICE = 5
    SITE = 6


@dataclass(frozen=True)
class Ceiling:
    """One limit of a hop, with where its value comes from.

    Exactly one of `rate_bps`, `packets_per_s`, `flows_count`, `loss_ratio` and
    `rate_after_loss_bps` is set.
    """

    kind: CeilingKind
    label: str
    source: str
    rate_bps: float | None = None
    packets_per_s: float | None = None
    flows_count: float | None = None
    loss_ratio: float | None = None
    """Random loss: no rate by itself, but it bounds what TCP reaches."""
    meter: Meter = "wire"
    rate_after_loss_bps: float | None = None
    """What is left for all hops with this ceiling together once one of two is lost: shown, and
    never the limit now."""


@dataclass(frozen=True)
class Wrap:
    """How packets are encapsulated at a hop, and what happens to those that do not fit.

    wire = `fixed_bytes` + align(inner + `trailer_bytes`). The largest inner packet that passes
    whole has `fit_bytes`.
    """

    fixed_bytes: int
    trailer_bytes: int
    align_bytes: int
    fit_bytes: int
    mtu_bytes: int
    """MTU of the outer path, to which fragments are cut."""
    fragments: Literal["never", "unless-df", "always"] = "never"
    """Whether the sender of the outer packet cuts it: never, unless the inner packet says
    "do not fragment", or in spite of it."""

    def outer_bytes(self, inner_bytes: int) -> int:
        """The outer packet before any cut."""
        inside = inner_bytes + self.trailer_bytes
        return self.fixed_bytes + -(-inside // self.align_bytes) * self.align_bytes

    def encapsulation(self, *, do_not_fragment: bool) -> Encapsulation:
        """The same for the plan, for packets that have the DF bit set or not."""
        may_fragment = self.cuts(do_not_fragment=do_not_fragment)
        return Encapsulation(
            fixed_bytes=self.fixed_bytes,
            trailer_bytes=self.trailer_bytes,
            align_bytes=self.align_bytes,
            mtu_bytes=self.mtu_bytes if may_fragment else self.outer_bytes(self.fit_bytes),
            may_fragment=may_fragment,
        )

    def cuts(self, *, do_not_fragment: bool) -> bool:
        """Whether packets that do not fit are cut into fragments."""
        return self.fragments == "always" or (self.fragments == "unless-df" and not do_not_fragment)


@dataclass(frozen=True)
class Pass:
    """A hop that a link or point makes packets pass."""

    hop_idx: int
    wrap: Wrap | None = None
    """Encapsulation there; None is plain."""
    is_in_tunnel: bool = False
    """Encapsulated as at the tunnel beside it, whichever that is on the way."""


@dataclass(frozen=True)
class PacketLimit:
    """What a way allows in packet size, for traffic that adapts to it."""

    fit_bytes: int
    """Largest inner packet that passes whole."""
    mss_clamp_bytes: int | None
    is_told: bool
    """Whether a sender hears of packets that do not fit (path MTU discovery works)."""
    cuts_df: bool
    """Whether packets with DF that do not fit are cut all the same."""


Passes: TypeAlias = Mapping[Direction, tuple[Pass, ...]]
"""The hops that packets pass, in order, by direction."""
