"""What a run would cost: packet-hops, flow events, CPU time and memory, from the plan alone.

    packets/s of a server = min(what is offered, 1 / service)      summed over servers and time
    flow events           = 2 x (arrivals or cycles of users)

TCP offers its windows per round trip, or what the slowest server of its route passes. Speeds are
those of `benchmarks/README.md`; another machine, or one that is busy, is faster or slower.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from kernels import layout
from simulator.plan import PS_PER_S, Plan, Profile, TcpFlowPlan, TransferPlan
from simulator.planner.demand import bundles, wire_bytes
from simulator.recorder import Fidelity

PACKET_HOPS_PER_S: Final = 40e6
FLOW_EVENTS_PER_S: Final = 0.7e6
START_S: Final = 0.1
BIN_S: Final = 1.5e-3
"""Of a flow run: a time bin with some ten streams; more of them take longer in proportion ..."""
LANE_S: Final = 5e-6
"""... by this for each route in each bin."""
PROCESS_BYTES: Final = 250e6
"""Python, libraries and compiled kernels."""
HOP_BYTES: Final = 8_000
"""Rings and inboxes of a hop at packet level."""
CELL_BYTES: Final = 400
"""A stream and direction in a time bin, until the tables are written."""
SLOW_S: Final = 120.0
"""A packet run of more CPU time than this is worth a word if the flow level would do."""


@dataclass(frozen=True)
class Estimate:
    """What a run at one level would cost."""

    fidelity: Fidelity
    is_possible: bool
    packet_hops: float
    flow_events: float
    cpu_s: float
    memory_bytes: float


def estimates(plan: Plan) -> tuple[Estimate, Estimate]:
    """The cost of a run at packet level and at flow level."""
    return packet_level(plan), flow_level(plan)


def packet_level(plan: Plan) -> Estimate:
    """The cost of a run at packet level."""
    hops = _packets_per_s(plan) * plan.horizon_ps / PS_PER_S
    flow_only = bool(plan.transfers) or any(s.profile is not None for s in plan.sources)
    return Estimate(
        "packet",
        not flow_only,
        hops,
        0.0,
        START_S + hops / PACKET_HOPS_PER_S,
        PROCESS_BYTES + HOP_BYTES * len(plan.hops) + CELL_BYTES * _cells(plan),
    )


def flow_level(plan: Plan) -> Estimate:
    """The cost of a run at flow level."""
    horizon_s = plan.horizon_ps / PS_PER_S
    events = sum(_events_per_s(t) for t in plan.transfers) * horizon_s + 2.0 * len(plan.tcp_flows)
    lanes = len(plan.sources) + 2 * (len(plan.tcp_flows) + len(plan.transfers))
    bins = math.ceil(plan.horizon_ps / plan.time_bin_ps)
    cpu_s = START_S + events / FLOW_EVENTS_PER_S + bins * (BIN_S + LANE_S * lanes)
    return Estimate("flow", True, 0.0, events, cpu_s, PROCESS_BYTES + CELL_BYTES * _cells(plan))


def suggestion(plan: Plan) -> str:
    """What to say before a packet run that takes minutes; empty if it does not."""
    packet, flow = estimates(plan)
    if packet.cpu_s < SLOW_S or not packet.is_possible:
        return ""
    return (
        f"this packet-level run takes about {packet.cpu_s / 60.0:.0f} min; if rates, shares and "
        f"outages are enough, --fidelity flow takes about {max(flow.cpu_s, 1.0):.0f} s"
    )


def _cells(plan: Plan) -> int:
    bins = math.ceil(plan.horizon_ps / plan.time_bin_ps)
    return bins * (len(plan.directions) + len(plan.hops))


def _mean_factor(profile: Profile | None) -> float:
    """Mean factor of a profile over its period, growth apart."""
    if profile is None:
        return 1.0
    ends = (*profile.starts_s[1:], profile.period_s)
    steps = zip(profile.factors, profile.starts_s, ends, strict=True)
    return sum(factor * (end - start) for factor, start, end in steps) / profile.period_s


def _events_per_s(transfer: TransferPlan) -> float:
    """Arrivals and completions per second of a source of transfers."""
    per_s = transfer.arrivals_per_s
    if transfer.users:
        rtt_s = transfer.settings["handshake_rtt_ps"] / PS_PER_S
        window = transfer.settings["rwnd_segments"] * transfer.settings["mss_bytes"]
        think_s = 0.0 if transfer.think is None else transfer.think.mean
        cycle_s = think_s + max(transfer.size.mean / window, 1.0) * max(rtt_s, 1e-3)
        per_s = transfer.users / cycle_s
    return 2.0 * per_s * _mean_factor(transfer.profile)


def _packets_per_s(plan: Plan) -> float:
    """Packets that all servers serve in a second."""
    offered: dict[int, float] = defaultdict(float)
    service_s: dict[int, float] = {}
    open_loop = [b for b in bundles(plan) if not b.is_elastic]
    loads = [(b.route_idx, b.packets_per_s, b.mean_bytes) for b in open_loop]
    for flow in plan.tcp_flows:
        pps = _tcp_packets_per_s(plan, flow)
        loads.append((flow.data_routes[0], pps, float(flow.settings["segment_bytes"])))
        loads.append((flow.ack_routes[0], pps / 2.0, float(flow.settings["ack_bytes"])))
    for route_idx, pps, size_bytes in loads:
        route = plan.routes[route_idx]
        for h, around in zip(route.hop_idx, route.encapsulation, strict=True):
            if plan.hop[h]["kind"] == layout.SERVER:
                offered[h] += pps
                needs_s = _service_s(plan, h, wire_bytes(round(size_bytes), around))
                service_s[h] = max(service_s.get(h, 0.0), needs_s)
    return sum(
        min(pps, 1.0 / service_s[h]) if service_s[h] > 0.0 else pps for h, pps in offered.items()
    )


def _service_s(plan: Plan, h: int, on_wire_bytes: int) -> float:
    row = plan.hop[h]
    bytes_ps = on_wire_bytes * int(row["per_byte"]) >> layout.PER_BYTE_SHIFT
    return max(int(row["min_service_ps"]), int(row["per_packet_ps"]) + bytes_ps) / PS_PER_S


def _tcp_packets_per_s(plan: Plan, flow: TcpFlowPlan) -> float:
    """Packets per second of a flow that has its route for itself."""
    routes = (plan.routes[flow.data_routes[0]], plan.routes[flow.ack_routes[0]])
    delay_ps = sum(int(plan.hop[h]["delay_ps"]) for r in routes for h in r.hop_idx)
    by_window = flow.settings["rwnd_segments"] / max(delay_ps / PS_PER_S, 1e-4)
    size_bytes = flow.settings["segment_bytes"]
    service_s = max(
        (
            _service_s(plan, h, wire_bytes(size_bytes, around))
            for h, around in zip(routes[0].hop_idx, routes[0].encapsulation, strict=True)
            if plan.hop[h]["kind"] == layout.SERVER
        ),
        default=0.0,
    )
    return min(by_window, 1.0 / service_s) if service_s > 0.0 else by_window
