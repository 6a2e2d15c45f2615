"""Dead peer detection (RFC 3706) at one end of a tunnel.

A probe each interval; the peer is dead after `retries_count` probes in a row without an answer, so
`interval x retries` after the last sign of life. While all is well nothing happens at all: the age
of the last sign of life when trouble begins is a uniform share of the interval, from the tunnel's
random key.

    silence   no probe is answered: the end gives up at once when the timeout has passed
    loss      each probe is an event; it fails with 1 - (1 - p there)(1 - p back), independently
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.base.units import format_duration

if TYPE_CHECKING:
    from simulator.world import World

UNFOLLOWED_RATIO: Final = 1e-6
"""Loss that ends a tunnel less often than once in so many probes is not followed."""


@dataclass(frozen=True)
class DpdSpec:
    """How one end watches its peer."""

    name: str
    """Of the random numbers."""
    interval_s: float
    retries_count: int

    @property
    def timeout_s(self) -> float:
        """Time after the last sign of life at which the peer is dead."""
        return self.interval_s * self.retries_count

    def is_felt(self, miss_ratio: float) -> bool:
        """Whether probes that fail so often must be looked at one by one."""
        return miss_ratio**self.retries_count > UNFOLLOWED_RATIO


class DeadPeerDetection:
    """DPD of one end in one run; `timed_out(detail)` is called when the peer is dead."""

    def __init__(
        self,
        world: World,
        spec: DpdSpec,
        miss_ratio: Callable[[], float],
        timed_out: Callable[[str], None],
    ) -> None:
        self._world = world
        self._spec = spec
        self._miss_ratio = miss_ratio
        self._timed_out = timed_out
        self._silence = world.timer(self._give_up)
        self._probe = world.timer(self._probed)
        self._heard_s: float | None = None
        """Last sign of life; None while all is well."""
        self._misses_count = 0
        self._troubles_count = 0
        self._probes_count = 0

    def watch(self, *, is_silent: bool, is_lossy: bool) -> None:
        """Follow what became of the way to the peer."""
        if not (is_silent or is_lossy):
            self.stop()
            return
        if self._heard_s is None:
            share = self._world.uniform(self._spec.name, "keepalive", counter=self._troubles_count)
            self._troubles_count += 1
            self._heard_s = self._world.now_s - share * self._spec.interval_s
            self._misses_count = 0
        if is_silent and not self._silence.is_running:
            self._probe.stop()
            left_s = self._heard_s + self._spec.timeout_s - self._world.now_s
            self._silence.restart(max(0.0, left_s))
        elif is_lossy and not is_silent and not self._probe.is_running:
            self._silence.stop()
            since_s = self._world.now_s - self._heard_s
            self._misses_count = int(since_s / self._spec.interval_s)
            next_s = (self._misses_count + 1) * self._spec.interval_s
            self._probe.restart(next_s - since_s)

    def stop(self) -> None:
        """All is well, or there is nothing to watch."""
        self._silence.stop()
        self._probe.stop()
        self._heard_s = None

    def _probed(self) -> None:
        """One probe and its answer on a way that loses packets."""
        draw = self._world.uniform(self._spec.name, "probe", counter=self._probes_count)
        self._probes_count += 1
        if draw >= self._miss_ratio():
            self._heard_s = self._world.now_s
            self._misses_count = 0
        else:
            self._misses_count += 1
        if self._misses_count < self._spec.retries_count:
            self._probe.restart(self._spec.interval_s)
            return
        self.stop()
        self._timed_out(f"missed {self._spec.retries_count} answers in a row")

    def _give_up(self) -> None:
        self.stop()
        self._timed_out(f"heard nothing for {format_duration(self._spec.timeout_s)}")
