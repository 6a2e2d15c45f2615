"""Idle teardown: a tunnel that a policy-based gateway takes down when nothing passes (rule R051).

    nothing passes for timer T014   the SAs are gone; what is sent is lost
    the next packet                 starts IKE in full (main mode and quick mode, timer T018)

A stream passes packets from its start to its stop, whatever gaps it has; TCP that has sent
everything counts until its stop. That an IKE SA survives the teardown is not modelled.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.base.units import format_duration
from simulator.catalog import Default
from simulator.draft import drawn
from simulator.states import works

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class IdleSpec:
    """A tunnel that idles; names are those of states and signals."""

    name: str
    idle_s: float
    busy: Sequence[tuple[float, float]]
    """Start and stop of each stream that uses it, seconds; filled in before the run."""
    depends_on: tuple[str, ...]
    """What must work for IKE."""
    hops: tuple[int, ...]
    """Hops that pass nothing while the tunnel is down."""
    messages_s: float
    """Round trips of an IKE set-up."""
    processing: Default
    """What the gateway computes in a set-up."""


def idle_stretches(
    busy: Sequence[tuple[float, float]], idle_s: float
) -> Iterator[tuple[float, float]]:
    """When the tunnel is taken down, and when the next packet comes (perhaps never)."""
    last_s = 0.0
    for start_s, stop_s in sorted(busy):
        if start_s > last_s + idle_s:
            yield last_s + idle_s, start_s
        last_s = max(last_s, stop_s)
    if not math.isinf(last_s):
        yield last_s + idle_s, math.inf


def live(world: World, spec: IdleSpec) -> Generator[Any, Any, None]:
    """Take the tunnel down when it idles, and set it up for the next packet."""
    for number, (down_s, next_s) in enumerate(idle_stretches(spec.busy, spec.idle_s)):
        yield world.wait(down_s - world.now_s)
        nothing = f"nothing passed for {format_duration(spec.idle_s)}"
        down = world.event("idle-teardown", spec.name, 0, nothing)
        world.link_down(spec.hops, down)
        if math.isinf(next_s):
            return
        yield world.wait(next_s - world.now_s)
        cause = world.event("ike-initiated", spec.name, down, "by the next packet")
        while not all(works(world, name) for name in spec.depends_on):
            waits = [world.signal(name).wait() for name in spec.depends_on]
            fired = yield world.env.any_of(waits)
            cause = max(fired.values())
        share = world.uniform(spec.name, "idle set-up", counter=number)
        yield world.wait(spec.messages_s + drawn(spec.processing, share))
        up = world.event("ike-established", spec.name, cause, "for the next packet")
        world.link_up(spec.hops, up)
