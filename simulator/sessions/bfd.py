"""BFD (RFC 5880): control packets each few hundred milliseconds, and a count of what is missing.

    interval    the slower end decides: max(what the sender wants, what the receiver accepts)
    detection   multiplier of the sender x interval after the last packet that arrived

While nothing is lost there are no packets here. When the way closes or loses packets, the last
packet has an age by its sender's phase, and from then on each packet is drawn against the loss of
its instant until one arrives on a good way. An end that detects says so in its own packets.

Not modelled: echo mode, demand mode, authentication; the session begins and ends with its client,
the slow start of three packets is left out. Sources: RFC 5880 sections 6.8.2 to 6.8.7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.base.units import format_duration
from simulator.plan import PS_PER_S
from simulator.sessions.messages import Draws, Period
from simulator.sessions.path import NEGLIGIBLE, SessionPath

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class BfdEnd:
    """What one end offers."""

    interval_s: float
    """Least time between packets that it sends, and that it accepts."""
    multiplier: int
    """Packets of this end that its peer must miss."""


@dataclass(frozen=True)
class BfdSpec:
    """A BFD session."""

    ends: tuple[BfdEnd, BfdEnd]
    jitter_low: float
    timer: str = "circuit.bfd.interval"
    """Row of the catalogue that its detection comes from."""

    @property
    def interval_s(self) -> float:
        """Time between packets of either end: the slower decides."""
        return max(end.interval_s for end in self.ends)

    def detection_s(self, end: int) -> float:
        """Time without a packet after which an end declares its peer dead."""
        return self.ends[1 - end].multiplier * self.interval_s


class BfdReceiver:
    """What one end hears of the other's packets.

    Parameters
    ----------
    end
        The end that listens; its peer sends.
    is_dead
        Called when the detection time has run out, with a sentence.
    """

    def __init__(
        self,
        world: World,
        name: str,
        spec: BfdSpec,
        path: SessionPath,
        end: int,
        is_dead: Callable[[str], None],
    ) -> None:
        self._world = world
        self._path = path
        self._end = end
        self._is_dead = is_dead
        self._detection_s = spec.detection_s(end)
        self._misses = spec.ends[1 - end].multiplier
        self._delay_s = path.spec.delay_s[1 - end]
        self._period = Period(spec.interval_s, spec.jitter_low)
        self._draws = Draws(world, name, "bfd", str(end))
        self._next = world.timer(self._packet)
        self._detect = world.timer(self._expire)
        self._deadline_ps = 0
        self.is_watching = False

    def look(self) -> None:
        """The way has changed: begin to look at packets if some may be lost."""
        if not self.is_watching and not self._is_good():
            self.is_watching = True
            age_s, next_s = self._period.age_s(self._draws(), self._draws())
            self._heard_in(self._delay_s - age_s)
            self._next.restart(next_s)

    def stop(self) -> None:
        """The session ends."""
        self.is_watching = False
        self._next.stop()
        self._detect.stop()

    def _is_good(self) -> bool:
        return self._path.loss_ratio(1 - self._end) ** self._misses < NEGLIGIBLE

    def _packet(self) -> None:
        """The peer sends a packet."""
        self._next.restart(self._period.interval_s(self._draws()))
        if self._draws() < self._path.loss_ratio(1 - self._end):
            return
        arrival_ps = self._world.env.now + round(self._delay_s * PS_PER_S)
        if arrival_ps > self._deadline_ps:
            return  # too late: the detection time runs out before
        if self._is_good():
            self.stop()
        else:
            self._heard_in(self._delay_s)

    def _heard_in(self, after_s: float) -> None:
        """A packet arrives `after_s` from now (negative: it has)."""
        wait_s = after_s + self._detection_s
        self._deadline_ps = int(self._world.env.now) + round(wait_s * PS_PER_S)
        self._detect.restart(wait_s)

    def _expire(self) -> None:
        self.stop()
        heard_s = self._world.now_s - self._detection_s
        self._is_dead(
            f"no packet for {format_duration(self._detection_s)}, the last at {heard_s:.6f} s"
        )
