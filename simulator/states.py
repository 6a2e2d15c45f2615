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
DRAINED: Final = "drained"
"""A gateway instance or device that left with notice: it told its peers, and closed its SAs."""
RESTARTING: Final = "restarting"
"""A gateway instance that is replaced in its place (reset, resize) and comes back by itself."""
ZONE_LOST: Final = "zone-lost"
"""A gateway instance whose zone is dark."""
FAILED: Final = "failed"
"""A gateway instance that died, with the SAs it held."""
TAKEN_OVER: Final = "taken-over"
"""A gateway instance whose standby works in its place, SAs rebuilt where the gateway may."""

REPAIR: Final = "repair"
"""Kind of the event that ends a fault, which it names as its cause."""

OFFLINE: Final = "offline"
"""In place of an instance: a client has no session."""

WORKING: Final = frozenset({UP, TAKEN_OVER})
GRAVITY: Final = (UP, MOVING, DRAINED, RESTARTING, DOWN, ZONE_LOST, FAILED)
"""What holds while several faults are on one thing: the last of these."""
PLANNED: Final = frozenset({MOVING, DRAINED})
"""States of a gateway instance that is taken down for maintenance."""
GONE: Final = frozenset({FAILED, DRAINED})
"""States in which a host has lost the SAs that it held."""


def fault_state(thing: str) -> str:
    """Name of the state in which faults strike a gateway or one of its VMs; it answers itself."""
    return f"{thing} fault"


def platform_state(instance: str) -> str:
    """Name of the state that says whether the platform's side still routes to an instance."""
    return f"{instance}@platform"


def restart_state(connection: str) -> str:
    """Name of the state that says whether a connection is being restarted."""
    return f"{connection} restart"


def agreement_state(connection: str) -> str:
    """Name of the state that says whether the ends of a connection agree on its policy."""
    return f"{connection} agreement"


def first_hop_state(device: str) -> str:
    """Name of the state that says whether the hosts of a site send to a device."""
    return f"{device}@site"


def restored_state(tunnel: str) -> str:
    """Name of the state with the event that last brought a tunnel back with all that is in it.

    A take-over or a restart does, in its published time: the BGP session is back at once.
    """
    return f"{tunnel} restored"


def sessions_state(group: str) -> str:
    """Name of the state with the sessions of a group of clients that are not where they began.

    A dict: client -> its instance, or `OFFLINE`. Its signal fires when some of them change.
    """
    return f"{group} sessions"


def storm_signal(group: str) -> str:
    """Name of the signal at which clients of a group dial all at once: (event, share of them)."""
    return f"{group} storm"


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

    Faults may overlap on one thing: it works again when the last of them has ended, and until then
    the gravest of their values holds. They are kept beside its state, so that the processes of
    several faults share them.
    """
    yield from strike_all(
        world,
        kind=kind,
        subject=subject,
        things=((state, tuple(hops)),),
        value=value,
        at_s=at_s,
        end_s=end_s,
    )


def strike_all(
    world: World,
    *,
    kind: str,
    subject: str,
    things: Sequence[tuple[str, Sequence[int]]],
    value: str,
    at_s: float,
    end_s: float,
    detail: str = "",
) -> Generator[Any, Any, None]:
    """A fault of several things at once: as `strike`, for each of `things` (state, its hops)."""
    yield world.wait(at_s)
    event_id = world.event(kind, subject, 0, detail)
    for state, hops in things:
        fail(world, state, value, hops, event_id)
    if math.isinf(end_s):
        return
    yield world.wait(end_s - at_s)
    repair_id = world.event(REPAIR, subject, event_id, f"end of {kind}")
    for state, hops in things:
        restore(world, state, hops, repair_id)


def fail(world: World, state: str, value: str, hops: Sequence[int], event_id: int) -> None:
    """Let a thing get the state `value` and its hops stop, unless another fault did that."""
    reasons = world.state.setdefault(_reasons(state), [])
    reasons.append(value)
    if len(reasons) == 1:
        world.link_down(hops, event_id)
    gravest = max((state_of(world, state), value), key=GRAVITY.index)
    if gravest != state_of(world, state):
        tell(world, state, gravest, event_id)


def restore(world: World, state: str, hops: Sequence[int], event_id: int) -> None:
    """Take one fault from a thing; it works again when that was the last."""
    reasons = world.state[_reasons(state)]
    reasons.pop()
    if not reasons:
        world.link_up(hops, event_id)
        tell(world, state, UP, event_id)


def _reasons(state: str) -> str:
    """Where the faults of a thing are kept: it stays as grave as it was until all have ended."""
    return f"{state} faults"
