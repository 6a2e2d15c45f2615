"""Routes that hang on a session: withdrawn after it ends, installed after it is back.

Between a session and the packets lies convergence: the end tells its network, tables are written.
The times to withdraw and to install are drawn each time.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.catalog import Default
from simulator.draft import drawn
from simulator.sessions.messages import Draws
from simulator.states import DOWN, UP, tell, works

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class RouteSpec:
    """The route that one end has over a session; names are those of states and signals."""

    name: str
    """Its own state: what `usable_if` of a link names."""
    sessions: tuple[str, ...]
    """States that must all work for the route to stand."""
    withdraw: Default
    """Time from the loss of the session until packets go elsewhere."""
    install: Default
    """Time from the first announcement until packets come back."""
    advertise_s: float = 0.0
    """Interval at whose ticks the peer announces routes: it does at the first after the return."""
    draws: str = ""
    """Name of the random draws; routes that share it take the same times. Its own by default."""
    kinds: tuple[str, str] = ("route-withdrawn", "route-installed")
    """Kinds of the events."""


def process(world: World, spec: RouteSpec) -> Generator[Any, Any, None]:
    """Follow the session of a route."""
    return _Route(world, spec).live()


class _Route:
    def __init__(self, world: World, spec: RouteSpec) -> None:
        self._world = world
        self._spec = spec
        self._draws = Draws(world, spec.draws or spec.name, "convergence")
        self._timer = world.timer(self._change)
        self._stands = True
        """Whether packets use it."""
        self._target = True
        """Whether they will, once the tables are written."""
        self._cause = 0

    def live(self) -> Generator[Any, Any, None]:
        """Wake up whenever a session changes."""
        while True:
            waits = [self._world.signal(name).wait() for name in self._spec.sessions]
            fired = yield self._world.env.any_of(waits)
            self._look(max(fired.values()))

    def _look(self, cause: int) -> None:
        target = all(works(self._world, name) for name in self._spec.sessions)
        if target == self._target:
            return
        self._target, self._cause = target, cause
        self._timer.stop()
        if target == self._stands:
            return  # it is back before anybody acted
        self._timer.restart(self._wait_s())

    def _wait_s(self) -> float:
        spec = self._spec
        if not self._target:
            return drawn(spec.withdraw, self._draws())
        announced_s = spec.advertise_s * self._draws()
        return announced_s + drawn(spec.install, self._draws())

    def _change(self) -> None:
        self._stands = self._target
        down, up = self._spec.kinds
        kind, value = (up, UP) if self._stands else (down, DOWN)
        row = self._spec.install if self._stands else self._spec.withdraw
        why = f"convergence by {row.id}"
        event_id = self._world.event(kind, self._spec.name, self._cause, why)
        tell(self._world, self._spec.name, value, event_id)
