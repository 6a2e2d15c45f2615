"""One stream in one direction at the hops that it passes: how it looks there, and what is left.

Bytes and packets of a hop are those of the stream's flows that pass it, with the ACKs that pass
the hop of their own data. What a hop leaves is its limit less what other streams offer to it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from simulator.base.units import BITS_PER_BYTE
from simulator.draft import Ceiling
from simulator.plan import Encapsulation, Plan
from simulator.planner.demand import Bundle, Demand, HopLoad, wire_bytes
from simulator.planner.shares import max_min_shares
from simulator.planner.spread import CLOSE_RATIO


class _Passing(NamedTuple):
    """Flows that pass a hop, their weight in the stream, and how packets look there."""

    bundle: Bundle
    weight: float
    around: Encapsulation


class _Acks(NamedTuple):
    """The ACKs of a flow at a hop that its data passes too."""

    per_segment: float
    """ACKs for each segment of data."""
    inner_bytes: int
    wire_bytes: int


class StreamAtHops:
    """What a plan asks of hops for one stream in one direction.

    Parameters
    ----------
    asked
        What all streams ask of the plan, at least a bundle of this one among them.
    """

    def __init__(self, plan: Plan, direction_idx: int, asked: Demand) -> None:
        self.plan = plan
        self.bundles = own = asked.bundles[direction_idx]
        self.is_elastic = any(bundle.is_elastic for bundle in own)
        self.weights = [
            float(bundle.flows_count if self.is_elastic else bundle.packets_per_s) for bundle in own
        ]
        means = [bundle.mean_bytes for bundle in own]
        self.mean_bytes = float(np.average(means, weights=self.weights))
        self.largest_bytes = max(size for bundle in own for size in bundle.sizes_bytes)
        self.shown: dict[str, int] = {}
        """The first route of each name: those of the clients of a group are alike."""
        for bundle in own:
            self.shown.setdefault(plan.routes[bundle.route_idx].name, bundle.route_idx)
        self.loads = asked.loads
        """Of all streams, by hop."""
        self.ceilings: Mapping[int, Sequence[Ceiling]] = plan.meta["ceilings"]
        """By hop."""
        self.flows = [
            flow
            for flow in plan.tcp_flows
            if plan.routes[flow.data_routes[0]].direction_idx == direction_idx
        ]
        """TCP flows that send data."""
        self._direction_idx = direction_idx

    @property
    def _routes(self) -> list[tuple[int, ...]]:
        """Hops that each bundle passes."""
        return [self.plan.routes[bundle.route_idx].hop_idx for bundle in self.bundles]

    @cached_property
    def hops(self) -> tuple[int, ...]:
        """Hops that any bundle passes, in order."""
        return tuple(dict.fromkeys(chain.from_iterable(self._routes)))

    # ---- how it looks at a hop -----------------------------------------------------------------

    def share(self, hop: int) -> float:
        """The share of the stream's bytes that passes a hop."""
        passing = sum(p.weight * p.bundle.mean_bytes for p in self._passing[hop])
        return passing / (self.mean_bytes * sum(self.weights))

    def metered_ratio(self, ceiling: Ceiling, hop: int) -> float:
        """Bytes that the ceiling counts for each inner byte of the stream, own ACKs among them."""
        passing, acks = self._passing[hop], self.acks.get(hop, ())
        inner = sum(p.weight * p.bundle.mean_bytes for p in passing)
        if ceiling.meter == "inner-ip":
            counted = inner + sum(a.per_segment * a.inner_bytes for a in acks)
        else:
            wire = sum(p.weight * p.bundle.mean_wire_bytes(p.around) for p in passing)
            counted = wire + sum(a.per_segment * a.wire_bytes for a in acks)
        return counted / inner

    def bits_per_packet(self, hop: int) -> float:
        """Inner bits of the stream for each packet at a hop, own ACKs counted as packets."""
        packets = sum(p.weight for p in self._passing[hop])
        acks = sum(a.per_segment for a in self.acks.get(hop, ()))
        return self.mean_bytes * BITS_PER_BYTE * packets / (packets + acks)

    @cached_property
    def _passing(self) -> Mapping[int, Sequence[_Passing]]:
        """By hop: the flows that pass it."""
        found: dict[int, list[_Passing]] = defaultdict(list)
        for bundle, weight in zip(self.bundles, self.weights, strict=True):
            route = self.plan.routes[bundle.route_idx]
            for hop, around in zip(route.hop_idx, route.encapsulation, strict=True):
                found[hop].append(_Passing(bundle, weight, around))
        return found

    @cached_property
    def acks(self) -> Mapping[int, Sequence[_Acks]]:
        """By hop: the ACKs of the stream's own data that pass it."""
        found: dict[int, list[_Acks]] = defaultdict(list)
        for flow in self.flows:
            size_bytes = flow.settings["ack_bytes"]
            per_segment = 1 / int(flow.options["segments_per_ack"])
            route = self.plan.routes[flow.ack_routes[0]]
            for hop, around in zip(route.hop_idx, route.encapsulation, strict=True):
                wire = wire_bytes(size_bytes, around)
                found[hop].append(_Acks(per_segment, size_bytes, wire))
        return found

    # ---- what hops leave -----------------------------------------------------------------------

    def left_bps(self, ceiling: Ceiling, hop: int) -> float:
        """What a limit leaves to the stream's flows at a hop, as their inner IP bits/s."""
        loads, own = self.loads[hop], self._own_load(hop)
        if ceiling.rate_bps is not None:
            others_bps = loads.metered_bps(ceiling.meter) - own.metered_bps(ceiling.meter)
            return max(0.0, ceiling.rate_bps - others_bps) / self.metered_ratio(ceiling, hop)
        others_pps = loads.packets_per_s - own.packets_per_s
        left_pps = max(0.0, (ceiling.packets_per_s or math.inf) - others_pps)
        return left_pps * self.bits_per_packet(hop)

    def _own_load(self, hop: int) -> HopLoad:
        return self.loads[hop].by_direction[self._direction_idx]

    @cached_property
    def capacity_bps(self) -> Mapping[int, float]:
        """What each hop leaves to the stream, as its inner bits/s, where it limits anything."""
        capacity_bps = {}
        for hop in self.hops:
            limits = [c for c in self.ceilings.get(hop, ()) if c.rate_bps or c.packets_per_s]
            left_bps = min((self.left_bps(c, hop) for c in limits), default=math.inf)
            if not math.isinf(left_bps):
                capacity_bps[hop] = left_bps
        return capacity_bps

    def shares_bps(self, cap_bps: float) -> list[float]:
        """The max-min share of a flow of each bundle, none of which exceeds `cap_bps`."""
        counts = [bundle.flows_count for bundle in self.bundles]
        return max_min_shares(self._routes, counts, self.capacity_bps, cap_bps)

    @cached_property
    def levels_bps(self) -> Mapping[int, float]:
        """By route: the max-min share of each of its flows where nothing but hops bounds them."""
        routes = [bundle.route_idx for bundle in self.bundles]
        return dict(zip(routes, self.shares_bps(math.inf), strict=True))

    @cached_property
    def tightest(self) -> Mapping[int, int]:
        """By route: the hop of least capacity that its flows fill together with others."""
        taken_bps: dict[int, float] = defaultdict(float)
        for bundle in self.bundles:
            for hop in self.plan.routes[bundle.route_idx].hop_idx:
                taken_bps[hop] += self.levels_bps[bundle.route_idx] * bundle.flows_count
        found = {}
        for bundle in self.bundles:
            full = [
                (self.capacity_bps[hop], hop)
                for hop in self.plan.routes[bundle.route_idx].hop_idx
                if hop in self.capacity_bps
                and taken_bps[hop] >= self.capacity_bps[hop] * CLOSE_RATIO
            ]
            if full:
                found[bundle.route_idx] = min(full)[1]
        return found
