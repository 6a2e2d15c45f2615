"""What two neighbours of a session have between them: hops, things that must work, delay, loss.

End 0 sends on the `forward` hops, end 1 on those of `return`. While nothing is down and nothing is
lost a session has nothing to do; `watch` wakes it when that changes.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simulator.plan import FORWARD, RETURN, Direction
from simulator.recorder import NO_CAUSE
from simulator.states import works

if TYPE_CHECKING:
    from simulator.world import World

SENDS: Final[tuple[Direction, Direction]] = (FORWARD, RETURN)
"""Direction in which end 0 and end 1 send."""
NEGLIGIBLE: Final = 1e-12
"""A chance of losing a session so small that its messages are not looked at."""


@dataclass(frozen=True)
class PathSpec:
    """The way between the two ends of a session."""

    hops: Mapping[Direction, tuple[int, ...]] = field(default_factory=dict)
    """Hops that messages pass, by direction; may be empty where states say it all."""
    states: tuple[str, ...] = ()
    """What must work for a message to pass in either direction."""
    delay_s: tuple[float, float] = (0.0, 0.0)
    """One way, of what end 0 and what end 1 sends."""
    protected: tuple[int, ...] = ()
    """Hops whose full queues and rate limits do not touch the messages."""

    @property
    def rtt_s(self) -> float:
        """Round trip."""
        return sum(self.delay_s)


class SessionPath:
    """The way between two ends in one run."""

    def __init__(self, world: World, spec: PathSpec) -> None:
        self.spec = spec
        self._world = world
        self._hops = [tuple(spec.hops.get(direction, ())) for direction in SENDS]
        self._lossy = [tuple(h for h in row if h not in spec.protected) for row in self._hops]

    def loss_ratio(self, end: int) -> float:
        """Chance that a message which an end sends now is lost; 1 if the way is closed."""
        if not all(works(self._world, state) for state in self.spec.states):
            return 1.0
        if not self._world.is_up(self._hops[end]):
            return 1.0
        return self._world.loss_ratio(self._lossy[end])

    @property
    def is_open(self) -> bool:
        """Whether messages may pass in both directions."""
        return all(self.loss_ratio(end) < 1.0 for end in (0, 1))

    def watch(self, *signals: str) -> Generator[Any, Any, tuple[int, frozenset[str]]]:
        """Wait until the way, or something with one of these names, changes.

        Returns the event that changed it and which of `signals` fired.
        """
        waits = {name: self._world.signal(name).wait() for name in (*signals, *self.spec.states)}
        hops = dict.fromkeys(hop for row in self._hops for hop in row)
        changes = [self._world.watch(hop).wait() for hop in hops]
        fired = yield self._world.env.any_of([*waits.values(), *changes])
        causes = [cause for cause in fired.values() if isinstance(cause, int)]
        names = frozenset(name for name in signals if waits[name] in fired)
        return max(causes, default=NO_CAUSE), names
