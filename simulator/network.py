"""From a plan to the arrays that the packet kernel sweeps: nodes, their order, windows, steps.

The order is found on the graph of hops and TCP endpoints. An edge carries the delay between
leaving one place and reaching the next. Where the graph has cycles (ACKs, hops shared by both
directions) some edges must lead back to an earlier place, and a window can be no longer than the
least delay on those. So the edges that may lead back are chosen to make that delay as large as
possible: the largest D for which the edges with a delay below D form no cycle.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from simulator.base.errors import PlanError
from simulator.plan import PLAIN, Plan, TcpFlowPlan

SEGMENT_HOPS_MAX: Final = 16
WINDOW_PACKETS: Final = 40_000
"""Packets of a window where no cycle limits it: enough to fill blocks, small enough to sort."""
WINDOW_PACKETS_PER_NODE: Final = 80
"""At least so many in a network of many nodes, since a visit to a node costs a microsecond."""
WINDOW_MIN_PS: Final = 1_000_000

Place = tuple[str, int]
"""("hop", hop), ("sender", stream) or ("receiver", stream)."""


@dataclass
class Graph:
    """Places and the edges that any route may use, with the hop whose delay an edge carries."""

    places: list[Place] = field(default_factory=list)
    after: dict[Place, set[Place]] = field(default_factory=lambda: defaultdict(set))
    before: dict[Place, set[Place]] = field(default_factory=lambda: defaultdict(set))
    ends: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """hop -> directions that are delivered after it (open loop)."""
    crossing: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """hop -> directions whose routes use it."""
    recoded: set[int] = field(default_factory=set)
    """Hops before which some route changes its encapsulation."""
    started: set[int] = field(default_factory=set)
    """Hops at which an open-loop source starts."""

    def edge(self, a: Place, b: Place) -> None:
        """Add an edge."""
        self.after[a].add(b)
        self.before[b].add(a)


@dataclass(frozen=True)
class Layout:
    """The description part of `kernels.packets.Network`, with what the data plane looks up."""

    group: npt.NDArray[Any]
    node: npt.NDArray[Any]
    segment_hop: npt.NDArray[np.int32]
    steps: npt.NDArray[Any]
    route_step: npt.NDArray[np.int32]
    """First step of each route of the plan."""
    source_order: tuple[int, ...]
    """Positions in `plan.sources`, grouped by the node at which they start."""
    back_hops: tuple[tuple[int, tuple[int, ...]], ...]
    """(group, hops whose delay bounds its window)."""


def build_layout(plan: Plan) -> Layout:
    """Order and fuse the hops of a plan; raises PlanError on a cycle without delay."""
    graph = _graph(plan)
    delay_ps = {("hop", h): int(row["delay_ps"]) for h, row in enumerate(plan.hop)}
    groups = _groups(graph)
    segments: list[list[Place]] = []
    group_rows: list[tuple[int, int]] = []
    for members in groups:
        order, back = _order(graph, members, delay_ps, plan)
        begin = len(segments)
        segments += _fuse(graph, order, back, plan)
        group_rows.append((begin, len(segments)))
    node_of = {place: g for g, segment in enumerate(segments) for place in segment}
    return _arrays(plan, graph, segments, group_rows, node_of)


def _graph(plan: Plan) -> Graph:
    graph = Graph()
    tcp_end = {}
    for flow in plan.tcp_flows:
        for r in flow.data_routes:
            tcp_end[r] = (("sender", flow.stream_idx), ("receiver", flow.stream_idx))
        for r in flow.ack_routes:
            tcp_end[r] = (("receiver", flow.stream_idx), ("sender", flow.stream_idx))
    for source in plan.sources:
        first_hops = {plan.routes[r].hop_idx[0] for r in source.routes}
        if len(first_hops) > 1:
            raise PlanError("all routes of an open-loop source must start at the same hop")
        graph.started |= first_hops
    places: dict[Place, None] = {("hop", h): None for h in range(len(plan.hops))}
    for r, route in enumerate(plan.routes):
        if route.encapsulation[0] != PLAIN:
            raise PlanError(f"route {route.name or r} is encapsulated before its first hop")
        hops = [("hop", h) for h in route.hop_idx]
        for h in route.hop_idx:
            graph.crossing[h].add(route.direction_idx)
        for i in range(1, len(hops)):
            graph.edge(hops[i - 1], hops[i])
            if route.encapsulation[i] != route.encapsulation[i - 1]:
                graph.recoded.add(route.hop_idx[i])
        if r in tcp_end:
            start, end = tcp_end[r]
            places[start] = places[end] = None
            graph.edge(start, hops[0])
            graph.edge(hops[-1], end)
        else:
            graph.ends[route.hop_idx[-1]].add(route.direction_idx)
    graph.places = list(places)
    return graph


def _groups(graph: Graph) -> list[list[Place]]:
    """Connected sets of places, in order of their first place."""
    seen: set[Place] = set()
    groups = []
    for start in graph.places:
        if start in seen:
            continue
        members, todo = [], [start]
        seen.add(start)
        while todo:
            place = todo.pop()
            members.append(place)
            for other in graph.after[place] | graph.before[place]:
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        groups.append(members)
    return groups


def _order(
    graph: Graph, members: list[Place], delay_ps: dict[Place, int], plan: Plan
) -> tuple[list[Place], set[tuple[Place, Place]]]:
    """Sweep order of a group and the edges that lead back in it."""
    rank = {place: i for i, place in enumerate(graph.places)}
    members = sorted(members, key=rank.__getitem__)
    order = _kahn(graph, members, rank, delay_ps, None)
    if order is None:
        delays = sorted({delay_ps.get(m, 0) for m in members} - {0})
        low, high = 0, len(delays)
        while low < high:  # the largest delay below which no cycle remains
            mid = (low + high + 1) // 2
            if _kahn(graph, members, rank, delay_ps, delays[mid - 1]) is None:
                high = mid - 1
            else:
                low = mid
        if low == 0:
            raise PlanError(
                "these hops form a cycle without any delay: "
                + ", ".join(plan.hops[i].name for kind, i in members if kind == "hop")
            )
        order = _kahn(graph, members, rank, delay_ps, delays[low - 1])
    assert order is not None
    at = {place: i for i, place in enumerate(order)}
    back = {(a, b) for a in order for b in graph.after[a] if at[b] <= at[a]}
    return order, back


def _kahn(
    graph: Graph,
    members: list[Place],
    rank: dict[Place, int],
    delay_ps: dict[Place, int],
    may_lead_back_ps: int | None,
) -> list[Place] | None:
    """Topological order; edges with at least that delay may lead back. None if there is a cycle."""
    hard = dict.fromkeys(members, 0)
    soft = dict.fromkeys(members, 0)

    def is_soft(a: Place) -> bool:
        return may_lead_back_ps is not None and delay_ps.get(a, 0) >= may_lead_back_ps

    for place in members:
        for a in graph.before[place]:
            if is_soft(a):
                soft[place] += 1
            else:
                hard[place] += 1
    ready = [rank[m] for m in members if hard[m] == 0 and soft[m] == 0]
    waiting = [rank[m] for m in members if hard[m] == 0 and soft[m] > 0]
    heapq.heapify(ready)
    heapq.heapify(waiting)
    order: list[Place] = []
    done: set[Place] = set()
    while ready or waiting:
        place = graph.places[heapq.heappop(ready if ready else waiting)]
        if place in done:
            continue
        done.add(place)
        order.append(place)
        for b in graph.after[place]:
            if b in done:
                continue
            if is_soft(place):
                soft[b] -= 1
            else:
                hard[b] -= 1
            if hard[b] == 0:
                heapq.heappush(ready if soft[b] == 0 else waiting, rank[b])
    return order if len(order) == len(members) else None


def _fuse(
    graph: Graph, order: list[Place], back: set[tuple[Place, Place]], plan: Plan
) -> list[list[Place]]:
    """Join hops in a row that have only each other; endpoints stay alone."""
    segment_of: dict[Place, list[Place]] = {}
    segments: list[list[Place]] = []
    heads = graph.started | graph.recoded
    for place in order:
        kind, h = place
        before = graph.before[place]
        if kind == "hop" and len(before) == 1 and h not in heads:
            (a,) = before
            segment = segment_of.get(a)
            if (
                segment is not None
                and a[0] == "hop"
                and (a, place) not in back
                and len(graph.after[a]) == 1
                and not graph.ends[a[1]]
                and len(segment) < SEGMENT_HOPS_MAX
                and plan.hop[a[1]]["may_reorder"] == 0
            ):
                segment.append(place)
                segment_of[place] = segment
                continue
        segment = [place]
        segment_of[place] = segment
        segments.append(segment)
    return segments


def _arrays(
    plan: Plan,
    graph: Graph,
    segments: list[list[Place]],
    group_rows: list[tuple[int, int]],
    node_of: dict[Place, int],
) -> Layout:
    node = np.zeros(len(segments), layout.NODE)
    segment_hop: list[int] = []
    flows_of: dict[int, list[int]] = defaultdict(list)
    for f, flow in enumerate(plan.tcp_flows):
        flows_of[flow.stream_idx].append(f)
    for g, segment in enumerate(segments):
        row = node[g]
        kind, index = segment[0]
        row["hop_begin"] = len(segment_hop)
        row["only_direction"] = row["only_next"] = -1
        row["pending_flow"] = -1
        if kind == "hop":
            row["kind"] = layout.SEGMENT_NODE
            hops = [h for _, h in segment]
            segment_hop += hops
            last = hops[-1]
            ends = graph.ends[last]
            if ends and not graph.after[segment[-1]]:
                row["all_end"] = 1
                if graph.crossing[last] == ends and len(ends) == 1:
                    row["only_direction"] = next(iter(ends))
            follow = graph.after[segment[-1]]
            if len(follow) == 1 and not ends:
                (place,) = follow
                if place[0] != "hop" or place[1] not in graph.recoded:
                    row["only_next"] = node_of[place]
            row["early_outlet"] = int(any(node_of[b] <= g for b in graph.after[segment[-1]]))
        else:
            row["kind"] = layout.SENDER_NODE if kind == "sender" else layout.RECEIVER_NODE
            row["flow_begin"], row["flow_end"] = flows_of[index][0], flows_of[index][-1] + 1
            arriving = {
                plan.routes[r].direction_idx
                for f in flows_of[index]
                for r in _arriving_routes(plan.tcp_flows[f], kind)
            }
            if len(arriving) == 1:
                row["only_direction"] = next(iter(arriving))
        row["hop_end"] = len(segment_hop)
    source_order = _place_sources(plan, graph, node, segments, node_of)
    steps, route_step = _steps(plan, node_of)
    group, back_hops = _windows(plan, graph, segments, group_rows, node_of)
    return Layout(
        group,
        node,
        np.array(segment_hop, np.int32),
        steps,
        route_step,
        source_order,
        back_hops,
    )


def _arriving_routes(flow: TcpFlowPlan, kind: str) -> tuple[int, ...]:
    """Routes that lead to one end of a TCP flow."""
    return flow.ack_routes if kind == "sender" else flow.data_routes


def _place_sources(
    plan: Plan,
    graph: Graph,
    node: npt.NDArray[Any],
    segments: list[list[Place]],
    node_of: dict[Place, int],
) -> tuple[int, ...]:
    """Group the sources by node (in order of flow within each) and mark the direct segments."""
    at_node: dict[int, list[int]] = defaultdict(list)
    for s, source in enumerate(plan.sources):
        first = plan.routes[source.routes[0]].hop_idx[0]
        at_node[node_of[("hop", first)]].append(s)
    order: list[int] = []
    for g in range(len(node)):
        node[g]["source_begin"] = len(order)
        order += at_node[g]
        node[g]["source_end"] = len(order)
    for g, sources in at_node.items():
        node[g]["is_direct"] = int(len(sources) == 1 and not graph.before[segments[g][0]])
    return tuple(order)


def _steps(plan: Plan, node_of: dict[Place, int]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Steps of all routes, one after another; the last step of a route is its end."""
    end_of: dict[int, int] = {}
    for flow in plan.tcp_flows:
        for r in flow.data_routes:
            end_of[r] = node_of[("receiver", flow.stream_idx)]
        for r in flow.ack_routes:
            end_of[r] = node_of[("sender", flow.stream_idx)]
    steps = np.zeros(sum(len(r.hop_idx) + 1 for r in plan.routes), layout.STEP)
    route_step = np.zeros(len(plan.routes), np.int32)
    k = 0
    for r, route in enumerate(plan.routes):
        route_step[r] = k
        for i, h in enumerate(route.hop_idx):
            around = route.encapsulation[i]
            row = steps[k]
            row["node"] = node_of[("hop", h)]
            row["direction"] = route.direction_idx
            row["recode"] = int(i > 0 and around != route.encapsulation[i - 1])
            row["fixed_bytes"] = around.fixed_bytes
            row["trailer_bytes"] = around.trailer_bytes
            row["align_bytes"] = around.align_bytes
            row["mtu_bytes"] = around.mtu_bytes
            row["may_fragment"] = int(around.may_fragment)
            k += 1
        steps[k]["node"] = end_of.get(r, -1)
        steps[k]["direction"] = route.direction_idx
        k += 1
    return steps, route_step


def _windows(
    plan: Plan,
    graph: Graph,
    segments: list[list[Place]],
    group_rows: list[tuple[int, int]],
    node_of: dict[Place, int],
) -> tuple[npt.NDArray[Any], tuple[tuple[int, tuple[int, ...]], ...]]:
    """The range of nodes of each group, its window, and the hops that bound it."""
    group = np.zeros(len(group_rows), layout.GROUP)
    back_hops = []
    packets_per_s = np.zeros(len(segments))
    for source in plan.sources:
        first = plan.routes[source.routes[0]].hop_idx[0]
        packets_per_s[node_of[("hop", first)]] += 1e12 / float(source.record["mean_gap_ps"])
    for i, (begin, end) in enumerate(group_rows):
        rate = packets_per_s[begin:end].sum()
        packets = max(WINDOW_PACKETS, WINDOW_PACKETS_PER_NODE * (end - begin))
        window_ps = layout.NEVER_PS if rate == 0 else int(packets / rate * 1e12)
        back = sorted(
            {
                segment[-1][1]
                for g, segment in enumerate(segments[begin:end], begin)
                if segment[-1][0] == "hop"
                and any(node_of[b] <= g for b in graph.after[segment[-1]])
            }
        )
        group[i]["node_begin"], group[i]["node_end"] = begin, end
        group[i]["window_ps"] = max(WINDOW_MIN_PS, window_ps)
        group[i]["has_early_outlet"] = int(bool(back))
        if back:
            back_hops.append((i, tuple(back)))
    return group, tuple(back_hops)
