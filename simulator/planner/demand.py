"""What a plan is asked to carry: the load of every hop, from the sources and flows of the plan.

Everything is read from the plan's own records, so that `explain` and the run cannot disagree.
Open-loop traffic has a rate; TCP is elastic: it takes what is left, up to its window.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np

from kernels import layout
from simulator.base.units import BITS_PER_BYTE
from simulator.draft import Ceiling
from simulator.packet_sizes import SIZES_KEPT
from simulator.plan import PS_PER_S, Direction, Encapsulation, Meter, Plan, Profile, TransferPlan


@dataclass(frozen=True)
class Bundle:
    """Flows of one direction that are alike: the same route and packet sizes."""

    direction_idx: int
    route_idx: int
    sizes_bytes: tuple[int, ...]
    weights: tuple[float, ...]
    flows_count: int
    packets_per_s: float
    """Of all of them together; 0 for TCP."""
    is_elastic: bool

    @property
    def mean_bytes(self) -> float:
        """Mean inner packet."""
        return float(np.dot(self.weights, self.sizes_bytes))

    @property
    def inner_bps(self) -> float:
        """Offered rate of inner IP bytes."""
        return self.packets_per_s * self.mean_bytes * BITS_PER_BYTE

    @property
    def weight(self) -> float:
        """What it counts among the bundles of its direction: packets/s, flows for TCP."""
        return float(self.flows_count) if self.is_elastic else self.packets_per_s

    def mean_wire_bytes(self, around: Encapsulation) -> float:
        """Mean packet on the wire with an encapsulation."""
        return _mean_wire_bytes(self.sizes_bytes, self.weights, around)


@cache
def _mean_wire_bytes(
    sizes_bytes: tuple[int, ...], weights: tuple[float, ...], around: Encapsulation
) -> float:
    return float(np.dot(weights, [wire_bytes(size, around) for size in sizes_bytes]))


def wire_bytes(inner_bytes: int, around: Encapsulation) -> int:
    """Bytes on the wire of one inner packet, fragments included where it may be cut."""
    from kernels.esp import NO_LIMIT_BYTES
    from kernels.esp import wire_bytes as on_the_wire

    mtu_bytes = around.mtu_bytes if around.may_fragment and around.mtu_bytes else NO_LIMIT_BYTES
    total, _ = on_the_wire(
        inner_bytes, around.fixed_bytes, around.trailer_bytes, around.align_bytes, mtu_bytes
    )
    return int(total)


@dataclass
class HopLoad:
    """What all streams offer to one hop."""

    inner_bps: float = 0.0
    wire_bps: float = 0.0
    packets_per_s: float = 0.0
    flows_count: int = 0
    elastic_flows_count: int = 0
    by_direction: dict[int, HopLoad] = field(default_factory=dict)
    """The same for each stream and direction alone."""

    def add(self, bundle: Bundle, around: Encapsulation) -> None:
        """Count the flows of a bundle."""
        self.inner_bps += bundle.inner_bps
        self.wire_bps += bundle.packets_per_s * bundle.mean_wire_bytes(around) * BITS_PER_BYTE
        self.packets_per_s += bundle.packets_per_s
        self.flows_count += bundle.flows_count
        self.elastic_flows_count += bundle.flows_count if bundle.is_elastic else 0

    def join(self, other: HopLoad) -> None:
        """Count the load of another hop, as if all of it passed this one."""
        self.inner_bps += other.inner_bps
        self.wire_bps += other.wire_bps
        self.packets_per_s += other.packets_per_s
        self.flows_count += other.flows_count
        self.elastic_flows_count += other.elastic_flows_count

    def metered_bps(self, meter: Meter) -> float:
        """The rate of the bytes that a limit counts."""
        return self.wire_bps if meter == "wire" else self.inner_bps


@dataclass(frozen=True)
class Demand:
    """The traffic of a plan and the load of each hop."""

    bundles: Mapping[int, Sequence[Bundle]]
    """By stream and direction (`Plan.directions`)."""
    loads: Sequence[HopLoad]
    """By hop."""
    flows_count: Mapping[Ceiling, int]
    """By a limit of flows: those at all hops that carry it."""
    together: Mapping[tuple[Ceiling, Direction], HopLoad]
    """By a limit that holds after a loss: the load of all hops of a direction that carry it."""


def demand(plan: Plan) -> Demand:
    """What a plan is asked to carry."""
    traffic = bundles(plan)
    by_direction: dict[int, list[Bundle]] = defaultdict(list)
    for bundle in traffic:
        by_direction[bundle.direction_idx].append(bundle)
    loads = hop_loads(plan, traffic)
    flows_count: dict[Ceiling, int] = defaultdict(int)
    together: dict[tuple[Ceiling, Direction], HopLoad] = defaultdict(HopLoad)
    for hop, ceilings in plan.meta["ceilings"].items():
        for ceiling in ceilings:
            if ceiling.flows_count is not None:
                flows_count[ceiling] += loads[hop].flows_count
            if ceiling.rate_after_loss_bps is not None:
                together[ceiling, plan.hops[hop].direction].join(loads[hop])
    return Demand(by_direction, loads, flows_count, together)


def bundles(plan: Plan) -> list[Bundle]:
    """The traffic of a plan: each flow on its first route, at the busiest time of its profile."""
    found: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0, 0.0])
    for source in plan.sources:
        route = source.routes[0]
        begin = int(source.record["size_begin"])
        entries = plan.size[begin : begin + int(source.record["size_count"])]
        sizes, weights = _sizes(entries.tobytes())
        key = (plan.routes[route].direction_idx, route, sizes, weights, False)
        found[key][0] += 1
        found[key][1] += _packets_per_s(source.record) * _peak(source.profile)
    for flow in plan.tcp_flows:
        for route, size in (
            (flow.data_routes[0], flow.settings["segment_bytes"]),
            (flow.ack_routes[0], flow.settings["ack_bytes"]),
        ):
            key = (plan.routes[route].direction_idx, route, (size,), (1.0,), True)
            found[key][0] += 1
    for transfer in plan.transfers:
        segments_per_s = _segments_per_s(transfer)
        is_elastic = math.isinf(segments_per_s)
        for routes, name, per_segment in (
            (transfer.data_routes, "segment_bytes", 1.0),
            (transfer.ack_routes, "ack_bytes", 1.0 / int(transfer.options["segments_per_ack"])),
        ):
            size = transfer.settings[name]
            route = routes[0]
            key = (plan.routes[route].direction_idx, route, (size,), (1.0,), is_elastic)
            found[key][0] += max(transfer.users, 1)
            found[key][1] += 0.0 if is_elastic else segments_per_s * per_segment
    return [
        Bundle(direction, route, sizes, weights, int(count), rate, is_elastic)
        for (direction, route, sizes, weights, is_elastic), (count, rate) in found.items()
    ]


@lru_cache(SIZES_KEPT)
def _sizes(entries: bytes) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Sizes and weights of a source, from the bytes of its alias table."""
    table = np.frombuffer(entries, layout.SIZE)
    weight: dict[int, float] = defaultdict(float)
    for entry in table:
        weight[int(entry["size_bytes"])] += float(entry["accept"]) / len(table)
        weight[int(entry["alias_bytes"])] += (1.0 - float(entry["accept"])) / len(table)
    used = {size: share for size, share in sorted(weight.items()) if share > 0}
    return tuple(used), tuple(used.values())


def _peak(profile: Profile | None) -> float:
    """Largest factor of a profile, growth apart."""
    return 1.0 if profile is None else max(profile.factors)


def _segments_per_s(transfer: TransferPlan) -> float:
    """What transfers ask for at the busiest time; infinite for users who never think.

    Users who wait for transfers ask for less: it is what they would if transfers took no time.
    """
    per_s = transfer.arrivals_per_s
    if transfer.users:
        if transfer.think is None:
            return math.inf
        per_s = transfer.users / max(transfer.think.mean, 1e-9)
    segments = transfer.size.mean / transfer.settings["mss_bytes"]
    return per_s * segments * _peak(transfer.profile)


def _packets_per_s(record: np.void) -> float:
    on_ps, off_ps = float(record["on_mean_ps"]), float(record["off_mean_ps"])
    talking = on_ps / (on_ps + off_ps) if off_ps > 0 else 1.0
    return talking * PS_PER_S / float(record["mean_gap_ps"])


def hop_loads(plan: Plan, traffic: list[Bundle]) -> list[HopLoad]:
    """The load of each hop of the plan."""
    loads = [HopLoad() for _ in plan.hops]
    for bundle in traffic:
        route = plan.routes[bundle.route_idx]
        for hop, around in zip(route.hop_idx, route.encapsulation, strict=True):
            loads[hop].add(bundle, around)
            own = loads[hop].by_direction.setdefault(bundle.direction_idx, HopLoad())
            own.add(bundle, around)
    return loads
