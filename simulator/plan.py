"""The plan of a run: integer ids and arrays, no unit text and no references by name.

`plan_builder` makes one from SI floats with names.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from simulator.base.keys import random_key
from simulator.recorder import Fidelity

PS_PER_S: Final = 1_000_000_000_000
FORWARD: Final = "forward"
RETURN: Final = "return"
Direction = Literal["forward", "return"]
Meter = Literal["inner-ip", "wire"]

UNLIMITED_SEGMENTS: Final = 1 << 32
"""A TCP flow with this many segments to send has no end."""
JITTER_QUANTILES: Final = 4097
"""Entries of one row of the table of jitter quantiles: probabilities 0, 1/4096, ... 1."""

Process = Callable[[Any], Generator[Any, Any, None]]
"""A control process: called with the world, it returns the generator that SimPy runs."""


def to_ps(time_s: float) -> int:
    """Seconds to integer picoseconds, rounded to the nearest."""
    return round(time_s * PS_PER_S)


@dataclass(frozen=True)
class HopInfo:
    """What a hop is called; its numbers are the row of `Plan.hop` with the same index."""

    name: str
    direction: Direction
    kind: Literal["server", "path"]
    rate_bps: float
    """Nominal rate of a server for large packets, bits/s; infinity for a path."""


@dataclass(frozen=True)
class StreamInfo:
    """One row of `traffic:` (or one group of clients)."""

    name: str
    kind: str
    from_name: str
    to_name: str


@dataclass(frozen=True)
class DirectionInfo:
    """One stream in one direction: the unit of all counters."""

    stream_idx: int
    direction: Direction


@dataclass(frozen=True)
class Encapsulation:
    """How inner IP packets look on the wire: `fixed + align(inner + trailer)` bytes."""

    fixed_bytes: int = 0
    trailer_bytes: int = 0
    align_bytes: int = 1
    mtu_bytes: int = 0
    """Largest outer packet, 0 = no limit."""
    may_fragment: bool = False
    """A packet that does not fit is fragmented; otherwise it is dropped (mtu_exceeded)."""


PLAIN: Final = Encapsulation()


@dataclass(frozen=True)
class Route:
    """A row of hops for one stream and direction, with the encapsulation at each."""

    direction_idx: int
    hop_idx: tuple[int, ...]
    encapsulation: tuple[Encapsulation, ...]
    name: str = ""


@dataclass(frozen=True)
class Profile:
    """A factor on a rate over time: steps that repeat, and growth from month to month."""

    period_s: float
    starts_s: tuple[float, ...]
    """Beginning of each step within the period; the first one is 0."""
    factors: tuple[float, ...]
    growth_ratio: float = 0.0
    """Growth in a month of `base.units.MONTH_S`; the factor changes at the beginning of a day."""
    is_for_packets: bool = False
    """Whether a run at packet level follows it, too: factors up to 1, no growth."""


@dataclass(frozen=True)
class Distribution:
    """A distribution of sizes (bytes) or times (s): a function of `kernels.quantiles`."""

    kind: Literal["constant", "exponential", "lognormal", "pareto", "empirical"]
    values: tuple[float, ...]
    """Arguments of the function of that name; of `empirical` the measured values."""

    @property
    def mean(self) -> float:
        """Mean of what is drawn: the first argument, or that of the values."""
        if self.kind == "empirical":
            return sum(self.values) / len(self.values)
        return self.values[0]


@dataclass(frozen=True)
class SourcePlan:
    """An open-loop source: its record and the routes it may take (the first one to begin with)."""

    record: np.void
    routes: tuple[int, ...]
    profile: Profile | None = None
    """Factor on its rate; None: always 1."""
    start_ps: int = 0
    """When it begins; its first packet follows after a gap."""


@dataclass(frozen=True)
class TcpFlowPlan:
    """One closed-loop flow; data on `data_routes`, ACKs on `ack_routes` (pairs by position)."""

    stream_idx: int
    data_flow: int
    ack_flow: int
    data_routes: tuple[int, ...]
    ack_routes: tuple[int, ...]
    options: Mapping[str, Any]
    """Switches of the stack: arguments of `kernels.tcp.TcpOptions`."""
    settings: Mapping[str, int]
    """Sizes and times: arguments of `kernels.tcp.init_flow`."""


@dataclass(frozen=True)
class TransferPlan:
    """TCP transfers of finite size that come one after another. Flow level only.

    Either `arrivals_per_s` at random instants, or `users` of whom each thinks, starts a transfer,
    waits for its end, and thinks again.
    """

    stream_idx: int
    data_routes: tuple[int, ...]
    ack_routes: tuple[int, ...]
    options: Mapping[str, Any]
    settings: Mapping[str, int]
    """As of a `TcpFlowPlan`, of each transfer; `start_ps` and `stop_ps` are those of the source."""
    size: Distribution
    arrivals_per_s: float
    users: int
    think: Distribution | None
    profile: Profile | None
    key: int
    """Random key of its draws."""


@dataclass(frozen=True)
class ZoomPlan:
    """Which stretches of a run at flow level are simulated at packet level."""

    before_ps: int
    """So much earlier packets begin; what they do until the stretch begins is in no table."""
    after_ps: int
    at_most_ps: int
    """Of all stretches together, what is before them counted in."""
    times_ps: tuple[int, ...] | None = None
    """Instants from which on they last; None: every fault."""


@dataclass(frozen=True)
class Plan:
    """Everything a run needs. Frozen: the data plane works on copies of the arrays."""

    scenario: str
    seed: int
    replicate: int
    horizon_ps: int
    warm_up_ps: int
    time_bin_ps: int
    hops: tuple[HopInfo, ...]
    hop: npt.NDArray[Any]
    """`kernels.layout.HOP` records, one for each of `hops`."""
    jitter_table: npt.NDArray[np.int64]
    """int64[rows, JITTER_QUANTILES], picoseconds."""
    streams: tuple[StreamInfo, ...]
    directions: tuple[DirectionInfo, ...]
    routes: tuple[Route, ...]
    sources: tuple[SourcePlan, ...]
    tcp_flows: tuple[TcpFlowPlan, ...]
    size: npt.NDArray[Any]
    """`kernels.layout.SIZE` records: alias tables of packet sizes."""
    flow_key: npt.NDArray[np.uint64]
    """uint64[flows]: random key of each flow, hashed from names."""
    max_packet_bytes: int
    transfers: tuple[TransferPlan, ...] = ()
    fidelity: Fidelity = "packet"
    zoom: ZoomPlan | None = None
    processes: tuple[tuple[str, Process], ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What later stages show: warnings, tunnels and their state names, notes."""

    def key(self, *names: str) -> int:
        """Random key of this run for a thing with these names (uint64 as int)."""
        return random_key(self.seed, self.replicate, *names)

    def describe(self) -> str:
        """What was understood, as text: hops with their numbers, routes, streams."""
        lines = [
            f"{self.scenario}: {self.horizon_ps / PS_PER_S:g} s, seed {self.seed}, "
            f"{len(self.hops)} hops, {len(self.streams)} streams, {len(self.routes)} routes"
        ]
        for info, row in zip(self.hops, self.hop, strict=True):
            if info.kind == "path":
                numbers = f"delay {row['delay_ps'] / PS_PER_S:.6g} s"
            else:
                numbers = f"{info.rate_bps:.6g} bit/s"
                if row["min_service_ps"] > 0:
                    numbers += f", at most {PS_PER_S / row['min_service_ps']:.6g} packets/s"
            lines.append(f"  hop {info.name} ({info.direction}): {numbers}")
        for route in self.routes:
            where = self.directions[route.direction_idx]
            names = " > ".join(self.hops[h].name for h in route.hop_idx)
            lines.append(f"  {self.streams[where.stream_idx].name} {where.direction}: {names}")
        return "\n".join(lines)


@dataclass(frozen=True)
class GilbertElliott:
    """Two-state loss: mean stays in seconds, loss ratios in each state."""

    good_mean_s: float
    bad_mean_s: float
    good_loss_ratio: float
    bad_loss_ratio: float
