"""What one end of a BGP session says, over TCP: keepalives, repeated until acknowledged.

    first       sent when its interval is over, if nothing is outstanding; else it waits
    repeated    after RTO, 2 RTO, 4 RTO, ...; arrives with the chance of the instant it is sent
    acknowledged when the answer gets through; then what waits goes at once, as one message

RTO begins at the round trip plus the least RTO (a smoothed round trip whose variation has the
floor of Linux). Not modelled: tail loss probes, the segments of UPDATE messages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.sessions.messages import Draws, Period
from simulator.sessions.path import SessionPath

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class Rto:
    """Retransmission timeouts of a connection."""

    first_s: float
    longest_s: float

    def nth_s(self, repeated_count: int) -> float:
        """The timeout after so many repetitions."""
        doublings = min(repeated_count, self._doublings)
        return min(self.first_s * 2.0**doublings, self.longest_s)

    def wait_s(self, repeated_count: int) -> float:
        """All timeouts until a message has been repeated so many times."""
        doubling = min(repeated_count, self._doublings)
        rest = repeated_count - doubling
        return self.first_s * (2.0**doubling - 1.0) + rest * self.longest_s

    def tries_within(self, duration_s: float) -> int:
        """How many times a message is sent within a time."""
        count = 0
        while self.wait_s(count) <= duration_s:
            count += 1
        return count

    @property
    def _doublings(self) -> int:
        return max(0, math.ceil(math.log2(self.longest_s / self.first_s)))


class Talk:
    """Keepalives of one end, looked at one by one while they may get lost.

    Parameters
    ----------
    phase, chance
        Draws for intervals and for losses.
    end
        Who talks: end 0 or 1 of `path`.
    arrives
        Called when a message has been sent that will arrive, and whether the receiver has not had
        it before.
    may_rest
        Asked when all is acknowledged: whether nothing can get lost any more.
    """

    def __init__(
        self,
        world: World,
        phase: Draws,
        chance: Draws,
        period: Period,
        rto: Rto,
        path: SessionPath,
        end: int,
        arrives: Callable[[bool], None],
        may_rest: Callable[[], bool],
    ) -> None:
        self._phase = phase
        self._chance = chance
        self._period = period
        self._rto = rto
        self._path = path
        self._end = end
        self._arrives = arrives
        self._may_rest = may_rest
        self._keepalive = world.timer(self._due)
        self._repeat = world.timer(self._repeats)
        self._acknowledge = world.timer(self._acknowledged)
        self._clear()

    @property
    def is_repeating(self) -> bool:
        """Whether TCP repeats something: whatever comes later waits behind it."""
        return self._repeated_count > 0

    def begin(self) -> float:
        """Look at keepalives from now on; returns the age of the last one."""
        self.is_running = True
        age_s, next_s = self._period.age_s(self._phase(), self._phase())
        self._keepalive.restart(next_s)
        return age_s

    def stop(self) -> None:
        """No more talk, or nobody needs to look at it."""
        for timer in (self._keepalive, self._repeat, self._acknowledge):
            timer.stop()
        self._clear()

    def _clear(self) -> None:
        self.is_running = False
        self._is_outstanding = False
        self._is_waiting = False
        self._is_received = False
        self._repeated_count = 0

    def _due(self) -> None:
        self._keepalive.restart(self._period.interval_s(self._phase()))
        if self._is_outstanding:
            self._is_waiting = True
        else:
            self._say()

    def _say(self) -> None:
        self._is_outstanding, self._is_waiting, self._is_received = True, False, False
        self._repeated_count = 0
        self._send()

    def _repeats(self) -> None:
        self._repeated_count += 1
        self._send()

    def _send(self) -> None:
        self._repeat.restart(self._rto.nth_s(self._repeated_count))
        if self._chance() < self._path.loss_ratio(self._end):
            return
        is_new, self._is_received = not self._is_received, True
        self._arrives(is_new)
        if self._chance() >= self._path.loss_ratio(1 - self._end):
            self._acknowledge.restart(self._path.spec.rtt_s)

    def _acknowledged(self) -> None:
        self._is_outstanding = False
        self._repeated_count = 0
        self._repeat.stop()
        if self._is_waiting:
            self._say()
        elif self._may_rest():
            self.stop()
