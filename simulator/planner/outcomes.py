"""Consequences of rules that a plan shows: connections that never come up, loads that do not fit.

dead_ways           a stream that a rule leaves without a route loses all of its packets
stop_connections    what breaks a limit is planned and never carries traffic
warnings            what only the whole plan tells: packets too large for a gateway (rule R140),
                    loads that one link of a circuit cannot carry (R133)
refuse_flows        flows above what a gateway keeps never send (rule R181)
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from simulator.base.units import format_rate, format_size
from simulator.draft import DIRECTIONS, Ceiling, Draft, Link
from simulator.plan import Direction, Plan, SourcePlan, TcpFlowPlan
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


def warnings(plan: Plan) -> Iterator[str]:
    """What rules say of the traffic of a whole plan, where there is anything to add up."""
    ceilings = {c for listed in plan.meta["ceilings"].values() for c in listed}
    if not any(c.rate_after_loss_bps is not None for c in ceilings):
        return  # no circuits
    traffic = bundles(plan)
    yield from _after_losing_a_link(plan, traffic)
    yield from _too_large(plan, traffic)


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


def refuse_flows(plan: Plan) -> Plan:
    """Rule R181: the flows above what a gateway keeps, in the order of the file, never send.

    What happens to them is not published: that they are refused is an estimate. A TCP connection
    is a flow in each direction. Transfers are one flow for each user, and are counted first.
    """
    kept = _Kept(plan)
    most_count = len(plan.sources) + len(plan.tcp_flows) + sum(t.users for t in plan.transfers)
    if most_count <= min(kept.left_count.values(), default=most_count):
        return plan
    kept.take_transfers()
    stays = {id(flow) for stream, routes, flow in _flows(plan) if kept.takes(stream, routes)}
    said = [
        f"traffic {plan.streams[stream].name}: {count} of its flows are refused, as "
        f"{ceiling.label} is {ceiling.flows_count:.0f} (rule R181); divide the load among gateways"
        for (ceiling, stream), count in kept.refused_count.items()
    ]
    return replace(
        plan,
        tcp_flows=tuple(flow for flow in plan.tcp_flows if id(flow) in stays),
        sources=tuple(source for source in plan.sources if id(source) in stays),
        processes=(*plan.processes, ("flows refused", partial(_tell_refused, said=tuple(said)))),
        meta={**plan.meta, "warnings": (*plan.meta["warnings"], *said)},
    )


def _flows(plan: Plan) -> list[tuple[int, Sequence[int], TcpFlowPlan | SourcePlan]]:
    """Each flow with its stream and the routes that it starts on, streams in order of the file."""
    tcp = [
        (flow.stream_idx, (flow.data_routes[0], flow.ack_routes[0]), flow)
        for flow in plan.tcp_flows
    ]
    open_loop = [
        (
            plan.directions[plan.routes[source.routes[0]].direction_idx].stream_idx,
            source.routes[:1],
            source,
        )
        for source in plan.sources
    ]
    return sorted([*tcp, *open_loop], key=lambda one: one[0])


class _Kept:
    """How many more flows each limit keeps, and what it refused."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._limits = {
            hop: tuple(c for c in listed if c.flows_count is not None)
            for hop, listed in plan.meta["ceilings"].items()
        }
        self.left_count = {
            ceiling: math.floor(ceiling.flows_count)
            for listed in self._limits.values()
            for ceiling in listed
        }
        self.refused_count: dict[tuple[Ceiling, int], int] = defaultdict(int)
        """By limit and stream."""

    def take_transfers(self) -> None:
        """Count the users of transfers, none of whom is refused."""
        for transfer in self._plan.transfers:
            for ceiling in self._passed((transfer.data_routes[0], transfer.ack_routes[0])):
                self.left_count[ceiling] -= transfer.users

    def takes(self, stream_idx: int, routes: Sequence[int]) -> bool:
        """Whether every limit on these routes keeps one more flow, which is then counted."""
        ceilings = self._passed(routes)
        full = next((c for c in ceilings if self.left_count[c] < 1), None)
        if full is not None:
            self.refused_count[full, stream_idx] += 1
            return False
        for ceiling in ceilings:
            self.left_count[ceiling] -= 1
        return True

    def _passed(self, routes: Sequence[int]) -> tuple[Ceiling, ...]:
        """The limits on these routes, each once."""
        hops = (hop for route in routes for hop in self._plan.routes[route].hop_idx)
        return tuple(dict.fromkeys(c for hop in hops for c in self._limits.get(hop, ())))


def _tell_refused(world: World, said: Sequence[str]) -> Generator[Any, Any, None]:
    yield world.wait(0.0)
    for text in said:
        stream, _, detail = text.removeprefix("traffic ").partition(": ")
        world.event("flows-refused", stream, 0, detail)
