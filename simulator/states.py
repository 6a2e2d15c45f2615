"""The states of things that live, as control processes tell them to one another.

`world.state` maps the name of a thing to one of these words (a thing that nobody spoke of is up),
and the signal of the same name fires at each change with the event that caused it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simulator.world import World

UP: Final = "up"
DOWN: Final = "down"
MOVING: Final = "moving"
"""A gateway instance during planned maintenance: its SAs move to the standby with it."""
FAILED: Final = "failed"
"""A gateway instance that died, with the SAs it held."""
TAKEN_OVER: Final = "taken-over"
"""A gateway instance whose standby works in its place, SAs rebuilt where the gateway may."""

REPAIR: Final = "repair"
"""Kind of the event that ends a fault, which it names as its cause."""

WORKING: Final = frozenset({UP, TAKEN_OVER})


def tell(world: World, name: str, value: str, event_id: int) -> None:
    """Set the state of a thing and wake up who waits for it."""
    world.state[name] = value
    world.signal(name).fire(event_id)


def state_of(world: World, name: str) -> str:
    """The state of a thing."""
    return str(world.state.get(name, UP))


def works(world: World, name: str) -> bool:
    """Whether a thing works."""
    return state_of(world, name) in WORKING


def strike(
    world: World,
    *,
    kind: str,
    subject: str,
    state: str,
    value: str,
    at_s: float,
    end_s: float,
    hops: Sequence[int] = (),
) -> Generator[Any, Any, None]:
    """A fault: at `at_s` a thing gets the state `value` and its hops stop, until `end_s`.

    Faults may overlap on one thing: it works again when the last of them has ended. How many there
    are is kept beside its state, so that the processes of several faults share it.
    """
    yield world.wait(at_s)
    event_id = world.event(kind, subject)
    fail(world, state, value, hops, event_id)
    if math.isinf(end_s):
        return
    yield world.wait(end_s - at_s)
    repair_id = world.event(REPAIR, subject, event_id, f"end of {kind}")
    restore(world, state, hops, repair_id)


def fail(world: World, state: str, value: str, hops: Sequence[int], event_id: int) -> None:
    """Let a thing get the state `value` and its hops stop, unless another fault did that."""
    count = f"{state} faults"
    world.state[count] = int(world.state.get(count, 0)) + 1
    if world.state[count] == 1:
        world.link_down(hops, event_id)
        tell(world, state, value, event_id)


def restore(world: World, state: str, hops: Sequence[int], event_id: int) -> None:
    """Take one fault from a thing; it works again when that was the last."""
    count = f"{state} faults"
    world.state[count] = int(world.state[count]) - 1
    if world.state[count] == 0:
        world.link_up(hops, event_id)
        tell(world, state, UP, event_id)
