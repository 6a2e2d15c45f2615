"""What each TCP stream gets of what all TCP streams share: max-min fair, each flow alike.

Open-loop traffic is served first. A hop is a budget of 1, of which an inner bit/s takes

    use = max(bytes metered per inner byte / rate left, packets per inner bit / packets/s left)

and the shares grow together until a hop is full or a flow reaches what it can by itself
(progressive filling, Bertsekas and Gallager 1992, section 6.5). TCP comes near to this where round
trips are alike. ACKs load no hop.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from simulator.base.units import BITS_PER_BYTE
from simulator.plan import Encapsulation, Plan
from simulator.planner.demand import Bundle, Demand
from simulator.planner.shares import SAME_RATIO


class FairShare(NamedTuple):
    """Of a stream in the direction of its data."""

    inner_bps: float
    hop: int | None
    """Hop that bounds its flows, the one of most of them; None: they bound themselves."""


def fair_shares(
    plan: Plan, asked: Demand, flow_cap_bps: Mapping[int, float]
) -> dict[int, FairShare]:
    """The shares of all TCP streams, by stream and direction (`Plan.directions`).

    Parameters
    ----------
    flow_cap_bps
        What a flow reaches by itself, by stream and direction.
    """
    data = {flow.data_routes[0] for flow in plan.tcp_flows}
    classes = [
        bundle for listed in asked.bundles.values() for bundle in listed if bundle.route_idx in data
    ]
    uses = [_uses(plan, asked, bundle) for bundle in classes]
    levels, bounds = _filled(classes, uses, flow_cap_bps)
    total_bps: dict[int, float] = defaultdict(float)
    most: dict[int, tuple[int, int | None]] = {}
    for bundle, level_bps, hop in zip(classes, levels, bounds, strict=True):
        d = bundle.direction_idx
        total_bps[d] += level_bps * bundle.flows_count
        most[d] = max(most.get(d, (0, None)), (bundle.flows_count, hop), key=lambda one: one[0])
    return {
        d: FairShare(share_bps, most[d][1])
        for d, share_bps in total_bps.items()
        if not math.isinf(share_bps)
    }


def _uses(plan: Plan, asked: Demand, bundle: Bundle) -> dict[int, float]:
    """What an inner bit/s of a flow takes of each hop's budget."""
    route = plan.routes[bundle.route_idx]
    found: dict[int, float] = {}
    for hop, around in zip(route.hop_idx, route.encapsulation, strict=True):
        use = max(_use_of_limits(plan, asked, bundle, hop, around), default=0.0)
        if use > 0.0:
            found[hop] = use
    return found


def _use_of_limits(
    plan: Plan, asked: Demand, bundle: Bundle, hop: int, around: Encapsulation
) -> list[float]:
    load = asked.loads[hop]
    found = []
    for limit in plan.meta["ceilings"].get(hop, ()):
        if limit.rate_bps and not math.isinf(limit.rate_bps):
            left_bps = limit.rate_bps - load.metered_bps(limit.meter)
            wire = bundle.mean_wire_bytes(around) if limit.meter == "wire" else bundle.mean_bytes
            found.append(wire / bundle.mean_bytes / max(left_bps, 1.0))
        elif limit.packets_per_s:
            left_pps = limit.packets_per_s - load.packets_per_s
            found.append(1.0 / (bundle.mean_bytes * BITS_PER_BYTE) / max(left_pps, 1e-3))
    return found


def _filled(
    classes: list[Bundle], uses: list[dict[int, float]], flow_cap_bps: Mapping[int, float]
) -> tuple[list[float], list[int | None]]:
    """The share of one flow of each class, and the hop that bounds it."""
    left: dict[int, float] = {}
    growing: dict[int, float] = defaultdict(float)
    members: dict[int, set[int]] = defaultdict(set)
    for number, (bundle, taken) in enumerate(zip(classes, uses, strict=True)):
        for hop, use in taken.items():
            left[hop] = 1.0
            growing[hop] += use * bundle.flows_count
            members[hop].add(number)
    levels = [flow_cap_bps[bundle.direction_idx] for bundle in classes]
    bounds: list[int | None] = [None] * len(classes)
    rising = set(range(len(classes)))
    while rising:
        reach = {hop: left[hop] / total for hop, total in growing.items() if members[hop]}
        level_bps = min([*reach.values(), *(levels[n] for n in rising)])
        full = [hop for hop, at in reach.items() if at <= level_bps * (1 + SAME_RATIO)]
        stopped = {n: hop for hop in full for n in members[hop]}
        capped = {n: None for n in rising if levels[n] <= level_bps * (1 + SAME_RATIO)}
        ends: dict[int, int | None] = {**stopped, **capped}
        if math.isinf(level_bps):
            break
        for number, bound in ends.items():
            levels[number] = min(levels[number], level_bps)
            bounds[number] = bound
            rising.discard(number)
            for hop, use in uses[number].items():
                share = use * classes[number].flows_count
                left[hop] = max(0.0, left[hop] - level_bps * share)
                growing[hop] -= share
                members[hop].discard(number)
    return levels, bounds
