"""What each TCP stream of a plan gets by weighted max-min, one unit of weight a flow."""

import numpy as np

from kernels import layout
from kernels.fairshare import SOLVED, max_min
from simulator.base.units import BITS_PER_BYTE
from simulator.plan import Plan
from simulator.planner.demand import bundles


def fair_shares_bps(plan: Plan) -> dict[str, float]:
    """Inner IP bits/s of the data of each TCP stream, all of its flows together.

    Every flow is a class of its own way; a server hop is as wide as its rate or, with the stream's
    packets, as its packets/s; a flow is capped by window / RTT. ACKs load no hop.
    """
    flows = [b for b in bundles(plan) if b.is_elastic and _carries_data(plan, b)]
    capacity, rows, caps = [], [[] for _ in flows], []
    for hop, record in enumerate(plan.hop):
        if record["kind"] != layout.SERVER:
            continue
        for c, flow in enumerate(flows):
            route = plan.routes[flow.route_idx]
            if hop in route.hop_idx:
                rows[c].append((len(capacity), _use(record, route, hop, flow)))
        capacity.append(1.0)
    for flow in flows:
        stream = plan.streams[plan.directions[flow.direction_idx].stream_idx].name
        caps.append(_window_bps(plan, stream, flow))
    ptr = np.cumsum([0, *map(len, rows)])
    hops = np.array([hop for row in rows for hop, _ in row], np.int64)
    uses = np.array([use for row in rows for _, use in row])
    rate = np.zeros(len(flows))
    count = np.array([flow.flows_count for flow in flows], np.int64)
    weight = np.ones(len(flows))
    status = max_min(np.array(capacity), weight, np.array(caps), ptr, hops, uses, rate, count)
    assert status == SOLVED
    shares: dict[str, float] = {}
    for flow, flow_bps in zip(flows, rate, strict=True):
        stream = plan.streams[plan.directions[flow.direction_idx].stream_idx].name
        shares[stream] = shares.get(stream, 0.0) + flow_bps * flow.flows_count
    return shares


def _carries_data(plan, flow) -> bool:
    data = {route for tcp in plan.tcp_flows for route in tcp.data_routes}
    return flow.route_idx in data


def _use(record, route, hop, flow) -> float:
    """Share of the hop's time that one inner bit/s of the flow takes."""
    around = route.encapsulation[route.hop_idx.index(hop)]
    inner = flow.mean_bytes
    metered = flow.mean_wire_bytes(around) if record["meter_shift"] else inner
    per_byte_ps = float(record["per_byte"]) / (1 << layout.PER_BYTE_SHIFT)
    service_ps = max(record["min_service_ps"], record["per_packet_ps"] + per_byte_ps * metered)
    return service_ps / 1e12 / (inner * BITS_PER_BYTE)


def _window_bps(plan, stream, flow) -> float:
    tcp = next(t for t in plan.tcp_flows if flow.route_idx in t.data_routes)
    packets = tcp.settings["rwnd_segments"] * tcp.settings["segment_bytes"]
    return packets * BITS_PER_BYTE / plan.meta["streams"][stream].rtt_s
