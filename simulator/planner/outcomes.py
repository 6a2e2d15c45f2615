"""Consequences of rules that a plan shows: connections that never come up, loads that do not fit.

dead_ways           a stream that a rule leaves without a route loses all of its packets
stop_connections    what breaks a limit is planned and never carries traffic
warnings            what only the whole plan tells: packets too large for a gateway (rule R140),
                    loads that one link of a circuit cannot carry (R133), too many flows (R181)
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from simulator.base.units import format_rate, format_size
from simulator.catalog import Catalog
from simulator.draft import DIRECTIONS, Ceiling, Draft, Link
from simulator.plan import Direction, Plan
from simulator.planner.demand import Bundle, bundles
from simulator.states import DOWN, tell
from simulator.ways import Way

if TYPE_CHECKING:
    from simulator.world import World


def stop_connections(stopped: Mapping[str, str], draft: Draft) -> None:
    """Let connections that break a limit never be usable, and say so when the run begins."""
    if not stopped:
        return
    draft.links[:] = [
        _needing(link, link.connection.partition(".")[0])
        if link.connection.partition(".")[0] in stopped
        else link
        for link in draft.links
    ]
    draft.process("rules", partial(_tell, stopped=stopped))


def dead_ways(stream: str, why: str, draft: Draft) -> dict[Direction, list[list[Way]]]:
    """A way in each direction that is never usable: packets have no route where they are sent."""
    delay_s = draft.catalog.default("region.same_region_rtt").value / 2
    state = f"{stream} routed"
    draft.process(
        f"no route {stream}", partial(_tell_no_route, stream=stream, state=state, why=why)
    )
    return {
        direction: [
            [
                Way(
                    name="no route",
                    hops=(draft.path(f"{stream}.no-route", direction, delay_s=delay_s),),
                    wraps=(None,),
                    limit=None,
                    usable_if=(state,),
                )
            ]
        ]
        for direction in DIRECTIONS
    }


def _tell_no_route(world: World, stream: str, state: str, why: str) -> Generator[Any, Any, None]:
    yield world.wait(0.0)
    tell(world, state, DOWN, world.event("no-route", stream, 0, why))


def _state(name: str) -> str:
    return f"{name} established"


def _needing(link: Link, name: str) -> Link:
    usable_if = {d: (*link.usable_if.get(d, ()), _state(name)) for d in DIRECTIONS}
    return replace(link, usable_if=usable_if)


def _tell(world: World, stopped: Mapping[str, str]) -> Generator[Any, Any, None]:
    yield world.wait(0.0)  # who routes by the states listens from the start
    for name, why in stopped.items():
        tell(world, _state(name), DOWN, world.event("not-established", name, 0, why))


# ---------------------------------------------------------------------------------------------
# Warnings
# ---------------------------------------------------------------------------------------------


def warnings(plan: Plan, catalog: Catalog) -> Iterator[str]:
    """What rules say of the traffic of a whole plan, where there is anything to add up."""
    ceilings = {c for listed in plan.meta["ceilings"].values() for c in listed}
    has_circuits = any(c.rate_after_loss_bps is not None for c in ceilings)
    kept = [
        catalog.limit(row.text("id")).value or math.inf
        for row in catalog.table("limits").where(applies_to="vpn gateway", unit="flows")
    ]
    if not has_circuits and len(plan.sources) + len(plan.tcp_flows) <= min(kept, default=math.inf):
        return
    traffic = bundles(plan)
    yield from _after_losing_a_link(plan, traffic)
    yield from _too_large(plan, traffic)
    yield from too_many_flows(plan, traffic)


def _after_losing_a_link(plan: Plan, traffic: Sequence[Bundle]) -> Iterator[str]:
    """Rule R133: both links together carry more than one of them can. Packets are plain there."""
    offered_bps: dict[tuple[Ceiling, str], float] = defaultdict(float)
    for bundle in traffic:
        for hop in plan.routes[bundle.route_idx].hop_idx:
            for ceiling in plan.meta["ceilings"][hop]:
                if ceiling.rate_after_loss_bps is not None:
                    offered_bps[ceiling, plan.hops[hop].direction] += bundle.inner_bps
    for (ceiling, direction), load_bps in offered_bps.items():
        most_bps = ceiling.rate_after_loss_bps or 0.0
        if load_bps > most_bps:
            yield (
                f"{ceiling.label}, {direction}: {format_rate(load_bps)} are offered and one "
                f"link carries {format_rate(most_bps)}, the rest is lost (rule R133); buy more "
                "bandwidth, or plan with that of one link"
            )


def _too_large(plan: Plan, traffic: Sequence[Bundle]) -> Iterator[str]:
    """Rule R140: packets that the ExpressRoute gateway drops. Packets are plain there."""
    said: set[tuple[int, int]] = set()
    for bundle in traffic:
        route, largest_bytes = plan.routes[bundle.route_idx], max(bundle.sizes_bytes)
        for hop, around in zip(route.hop_idx, route.encapsulation, strict=True):
            limits = plan.meta["ceilings"][hop]
            is_gateway = any(c.label.startswith("ExpressRoute gateway") for c in limits)
            is_lost = not around.may_fragment and 0 < around.mtu_bytes < largest_bytes
            if is_gateway and is_lost and (bundle.direction_idx, hop) not in said:
                said.add((bundle.direction_idx, hop))
                stream = plan.directions[bundle.direction_idx].stream_idx
                yield (
                    f"traffic {plan.streams[stream].name}: packets of "
                    f"{format_size(largest_bytes)} are dropped by {plan.hops[hop].name}, which "
                    f"passes {format_size(around.mtu_bytes)} (rule R140); send smaller packets"
                )


def too_many_flows(plan: Plan, traffic: Sequence[Bundle]) -> Iterator[str]:
    """Rule R181: more flows than a gateway keeps; the run carries them all the same."""
    flows_count: dict[Ceiling, int] = defaultdict(int)
    for bundle in traffic:
        for hop in plan.routes[bundle.route_idx].hop_idx:
            for ceiling in plan.meta["ceilings"][hop]:
                if ceiling.flows_count is not None:
                    flows_count[ceiling] += bundle.flows_count
    for ceiling, count in flows_count.items():
        if count > (ceiling.flows_count or 0):
            yield (
                f"{ceiling.label}: {count} flows where {ceiling.flows_count:.0f} are kept: the "
                "platform refuses the rest, the run carries it (rule R181); divide the load among "
                "gateways"
            )
