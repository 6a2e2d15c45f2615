"""What a run would cost: packet-hops, flow events, CPU time and memory, from the plan alone.

    packets/s of a server = min(what is offered, 1 / service)      summed over servers and time
    flow events           = 2 x (arrivals or cycles of users)

TCP offers its windows per round trip, or its even part of the scarcest server of its route. Speeds
are those of `benchmarks/results.json`, whose machine is named there; another one, or a busy one, is
faster or slower. How near they come to real runs: `python -m benchmarks.estimates`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from kernels import layout
from simulator.plan import PS_PER_S, Plan, Profile, TcpFlowPlan, TransferPlan
from simulator.planner.demand import bundles, wire_bytes
from simulator.recorder import Fidelity

OPEN_HOPS_PER_S: Final = 83e6
"""Packet-hops of open-loop traffic: `sites-100` of benchmarks/results.json, like the next two."""
TCP_HOPS_PER_S: Final = 44e6
"""Packet-hops of TCP, ACKs counted: `cubic-20`."""
FLOW_EVENTS_PER_S: Final = 1.1e6
"""Arrivals and completions: twice the completions of `flow-day-500`."""
START_S: Final = 0.1
"""This and the next ones: runs of scenarios/ on the machine of those figures (AMD EPYC, Zen 3)."""
PACKET_HOP_S: Final = 3e-4
"""Of a packet run: rings and visits of one hop."""
PACKET_BIN_S: Final = 4e-4
"""Of a packet run: a time bin, with what control processes do in it."""
BIN_S: Final = 6e-4
"""Of a flow run: a time bin with some ten streams; more of them take longer in proportion ..."""
LANE_S: Final = 2e-6
"""... by this for each route in each bin ..."""
LANE_START_S: Final = 1e-4
"""... and this for each route at the start."""
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


def estimates(plan: Plan, windows_ps: int = 0) -> tuple[Estimate, Estimate]:
    """The cost of a run at packet level and at flow level, the latter with windows of packets."""
    return packet_level(plan), flow_level(plan, windows_ps)


def packet_level(plan: Plan) -> Estimate:
    """The cost of a run at packet level."""
    open_hops, tcp_hops = _packet_hops(plan)
    bins = math.ceil(plan.horizon_ps / plan.time_bin_ps)
    cpu_s = open_hops / OPEN_HOPS_PER_S + tcp_hops / TCP_HOPS_PER_S
    cpu_s += START_S + PACKET_HOP_S * len(plan.hops) + PACKET_BIN_S * bins
    profiles = [s.profile for s in plan.sources if s.profile is not None]
    flow_only = bool(plan.transfers) or not all(p.is_for_packets for p in profiles)
    return Estimate(
        "packet",
        not flow_only,
        open_hops + tcp_hops,
        0.0,
        cpu_s,
        PROCESS_BYTES + HOP_BYTES * len(plan.hops) + CELL_BYTES * _cells(plan),
    )


def flow_level(plan: Plan, windows_ps: int = 0) -> Estimate:
    """The cost of a run at flow level, so much of it simulated at packet level besides."""
    horizon_s = plan.horizon_ps / PS_PER_S
    events = sum(_events(t, horizon_s) for t in plan.transfers) + 2.0 * len(plan.tcp_flows)
    lanes = len(plan.sources) + 2 * (len(plan.tcp_flows) + len(plan.transfers))
    bins = math.ceil(plan.horizon_ps / plan.time_bin_ps)
    cpu_s = START_S + events / FLOW_EVENTS_PER_S + bins * (BIN_S + LANE_S * lanes)
    cpu_s += LANE_START_S * lanes
    memory_bytes = PROCESS_BYTES + CELL_BYTES * _cells(plan)
    hops = 0.0
    if windows_ps:
        hops, packets_s = _windows(plan, windows_ps)
        cpu_s += packets_s
        memory_bytes += HOP_BYTES * len(plan.hops)
    return Estimate("flow", True, hops, events, cpu_s, memory_bytes)


def _windows(plan: Plan, windows_ps: int) -> tuple[float, float]:
    """Packet-hops of windows at packet level, and the CPU time that they take."""
    share = windows_ps / plan.horizon_ps
    open_hops, tcp_hops = (hops * share for hops in _packet_hops(plan))
    return open_hops + tcp_hops, open_hops / OPEN_HOPS_PER_S + tcp_hops / TCP_HOPS_PER_S


def windows_suggestion(plan: Plan, windows_ps: int) -> str:
    """What to say before a flow run whose windows at packet level take minutes; else empty."""
    _, slow_s = _windows(plan, windows_ps)
    if slow_s < SLOW_S:
        return ""
    return (
        f"the windows at packet level, {windows_ps / PS_PER_S:.0f} s of the run, take about "
        f"{slow_s / 60.0:.0f} min; a shorter run.zoom.after or a lower run.zoom.at_most takes less"
    )


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


def _mean_factor(profile: Profile | None, horizon_s: float) -> float:
    """Mean factor of a profile over its period, or over a shorter run; growth apart."""
    if profile is None:
        return 1.0
    end_s = min(profile.period_s, horizon_s)
    ends = (*profile.starts_s[1:], profile.period_s)
    steps = zip(profile.factors, profile.starts_s, ends, strict=True)
    return sum(f * max(min(end, end_s) - start, 0.0) for f, start, end in steps) / end_s


def _events(transfer: TransferPlan, horizon_s: float) -> float:
    """Arrivals and completions of a source of transfers in a run."""
    per_s = transfer.arrivals_per_s
    if transfer.users:
        rtt_s = transfer.settings["handshake_rtt_ps"] / PS_PER_S
        window = transfer.settings["rwnd_segments"] * transfer.settings["mss_bytes"]
        think_s = 0.0 if transfer.think is None else transfer.think.mean
        cycle_s = think_s + max(transfer.size.mean / window, 1.0) * max(rtt_s, 1e-3)
        per_s = transfer.users / cycle_s
    start_s, stop_s = (transfer.settings[name] / PS_PER_S for name in ("start_ps", "stop_ps"))
    lasts_s = max(min(stop_s, horizon_s) - start_s, 0.0)
    return 2.0 * per_s * _mean_factor(transfer.profile, horizon_s) * lasts_s


def _packet_hops(plan: Plan) -> tuple[float, float]:
    """Packets that all servers serve in a run: of open-loop traffic, and of TCP with its ACKs.

    A TCP flow gets an even part of what open-loop traffic leaves of the scarcest hop of its route.
    """
    open_pps: dict[int, float] = defaultdict(float)
    service_s: dict[int, float] = {}
    for bundle in bundles(plan):
        if not bundle.is_elastic:
            for h, needs_s in _uses(plan, bundle.route_idx, bundle.mean_bytes):
                open_pps[h] += bundle.packets_per_s
                service_s[h] = max(service_s.get(h, 0.0), needs_s)
    horizon_s = plan.horizon_ps / PS_PER_S
    served = [min(pps, 1.0 / service_s[h]) if service_s[h] > 0.0 else pps
              for h, pps in open_pps.items()]  # fmt: skip
    tcp_hops = 0.0
    uses = [_uses(plan, flow.data_routes[0], flow.settings["segment_bytes"])
            for flow in plan.tcp_flows]  # fmt: skip
    flows_count = Counter(h for used in uses for h, _ in used)
    for flow, used in zip(plan.tcp_flows, uses, strict=True):
        pps = flow.settings["rwnd_segments"] / max(_round_trip_s(plan, flow), 1e-4)
        for h, needs_s in used:
            if needs_s > 0.0:
                busy = open_pps.get(h, 0.0) * service_s.get(h, 0.0)
                pps = min(pps, max(1.0 - busy, 0.0) / needs_s / flows_count[h])
        acks = len(_uses(plan, flow.ack_routes[0], flow.settings["ack_bytes"]))
        start_s, stop_s = (flow.settings[name] / PS_PER_S for name in ("start_ps", "stop_ps"))
        packets = pps * max(min(stop_s, horizon_s) - start_s, 0.0)
        packets = min(packets, float(flow.settings["size_segments"]))
        tcp_hops += packets * (len(used) + acks / int(flow.options.get("segments_per_ack", 2)))
    return sum(served) * horizon_s, tcp_hops


def _uses(plan: Plan, route_idx: int, size_bytes: float) -> list[tuple[int, float]]:
    """The servers of a route, and how long a packet keeps each busy."""
    route = plan.routes[route_idx]
    return [
        (h, _service_s(plan, h, wire_bytes(round(size_bytes), around)))
        for h, around in zip(route.hop_idx, route.encapsulation, strict=True)
        if plan.hop[h]["kind"] == layout.SERVER
    ]


def _service_s(plan: Plan, h: int, on_wire_bytes: int) -> float:
    row = plan.hop[h]
    bytes_ps = on_wire_bytes * int(row["per_byte"]) >> layout.PER_BYTE_SHIFT
    return max(int(row["min_service_ps"]), int(row["per_packet_ps"]) + bytes_ps) / PS_PER_S


def _round_trip_s(plan: Plan, flow: TcpFlowPlan) -> float:
    """Delays of both routes of a flow."""
    routes = (plan.routes[flow.data_routes[0]], plan.routes[flow.ack_routes[0]])
    return sum(int(plan.hop[h]["delay_ps"]) for r in routes for h in r.hop_idx) / PS_PER_S
