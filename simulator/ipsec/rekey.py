"""Lifetimes of the SAs of a tunnel, by time and by volume, and the rekeying at their end.

    IPsec SA     replaced before it ends (make before break), by either version of IKE
    IKEv2 SA     replaced in place
    IKEv1 SA     there is no rekey in place: the tunnel drops for up to 5 s (timer T011)

SAs are new at the start of a run. The volume is what the tunnel's busier direction has carried;
it is looked at when the tunnel's own rate could have used it up, and then once in a time bin.
Nothing is said about the soft lifetime, at which ends begin to rekey: nobody publishes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.base.units import BITS_PER_BYTE, format_duration, format_size
from simulator.catalog import Default

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class Lifetimes:
    """When the SAs of a tunnel end."""

    ike_s: float
    ipsec_s: float
    ipsec_bytes: float
    rate_bps: float
    """Most that the tunnel carries in one direction."""
    look_s: float
    """How often the volume is looked at when it is nearly used up."""
    drop: Default | None = None
    """IKEv1: how long the tunnel drops at the end of the IKE SA; None: replaced in place."""


class Rekeying:
    """Watches the lifetimes; tells the tunnel what to do at their ends."""

    def __init__(
        self,
        world: World,
        spec: Lifetimes,
        hops: tuple[int, ...],
        rekey: Callable[[str], None],
        renew_ike: Callable[[str], None],
    ) -> None:
        self._world = world
        self._spec = spec
        self._hops = hops
        self._rekey = rekey
        self._renew_ike = renew_ike
        self._ike = world.timer(self._ike_ended)
        self._ipsec = world.timer(self._ipsec_ended)
        self._volume = world.timer(self._look_at_volume)
        self._begun_at = dict.fromkeys(hops, 0)

    def begin(self) -> None:
        """All SAs are new."""
        self._ike.restart(self._spec.ike_s)
        self.begin_ipsec()

    def begin_ipsec(self) -> None:
        """The IPsec SAs are new."""
        self._ipsec.restart(self._spec.ipsec_s)
        if self._world.now_s > 0.0:
            self._begun_at = {hop: self._world.served_bytes(hop) for hop in self._hops}
        self._volume.restart(self._least_wait_s(self._spec.ipsec_bytes))

    def stop(self) -> None:
        """There are no SAs."""
        for timer in (self._ike, self._ipsec, self._volume):
            timer.stop()

    def _ike_ended(self) -> None:
        self._ike.restart(self._spec.ike_s)
        self._renew_ike(f"IKE SA, after {format_duration(self._spec.ike_s)}")

    def _ipsec_ended(self) -> None:
        self.begin_ipsec()
        self._rekey(f"IPsec SAs, after {format_duration(self._spec.ipsec_s)}")

    def _look_at_volume(self) -> None:
        used = max(self._world.served_bytes(h) - begun for h, begun in self._begun_at.items())
        left_bytes = self._spec.ipsec_bytes - used
        if left_bytes > 0:
            self._volume.restart(self._least_wait_s(left_bytes))
            return
        self.begin_ipsec()
        self._rekey(f"IPsec SAs, after {format_size(self._spec.ipsec_bytes)}")

    def _least_wait_s(self, left_bytes: float) -> float:
        return max(self._spec.look_s, left_bytes * BITS_PER_BYTE / self._spec.rate_bps)
