"""Rates that change with time at packet level; the flow level has a calendar of its own."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simulator.plan import Profile

if TYPE_CHECKING:
    from simulator.world import World


def follow(world: World) -> Generator[Any, Any, None]:
    """Control process: give each source with a profile the factor of the time."""
    if world.plan.fidelity == "flow":
        return
    from simulator.flowlevel.calendar import factor_at, next_step_ps

    profiles: dict[Profile, list[int]] = {}
    for s, source in enumerate(world.plan.sources):
        if source.profile is not None:
            profiles.setdefault(source.profile, []).append(s)
    while world.now_ps < world.horizon_ps:
        now_ps = world.now_ps
        factors = {profile: factor_at(profile, now_ps) for profile in profiles}
        world.set_factors((s, factors[p]) for p, sources in profiles.items() for s in sources)
        yield world.wait_until_ps(min(next_step_ps(profile, now_ps) for profile in profiles))
