"""A log made by hand, with accounts that balance: no engine is needed to test what follows it."""

import numpy as np

from kernels import histogram, layout
from simulator.plan import FORWARD, PS_PER_S, RETURN, Plan
from simulator.plan_builder import PlanBuilder
from simulator.recorder import BIN_PROBABILITIES, Detection, Event, RunLog
from simulator.result import About

HORIZON_S = 60
DOWN = range(30, 40)
"""Bins in which the path is down: everything sent is dropped."""
SILENT = range(34, 42)
"""Bins in which TCP backs off and sends nothing."""

MS = 1e-3
DPD = Detection("connection.dpd.gateway", "gateway")


def build_plan(warm_up_s: float = 5.0) -> Plan:
    builder = PlanBuilder(
        scenario="branch", seed=7, horizon_s=HORIZON_S, time_bin_s=1.0, warm_up_s=warm_up_s
    )
    hops = {}
    for direction in (FORWARD, RETURN):
        hops[direction] = [
            builder.server("lyon/isp", direction, rate_bps=500e6, buffer_s=0.02),
            builder.path("lyon-hub", direction, delay_s=0.012),
            builder.server("hub-vpn/0/lyon-vpn", direction, rate_bps=650e6, packets_per_s=62_000),
        ]
    office = builder.stream("office", "poisson", "lyon", "hub")
    voice = builder.stream("voice", "voice", "lyon", "hub")
    backup = builder.stream("backup", "bulk-tcp", "lyon", "hub")
    idle = builder.stream("idle", "poisson", "lyon", "hub")
    for stream in (office, voice, backup, idle):
        for direction in (FORWARD, RETURN):
            builder.route(stream, direction, hops[direction])
    return builder.build()


TRAFFIC = {
    # (stream, direction): packets per bin, inner bytes per packet, header bytes, base delay
    ("backup", "forward"): (33_000, 1400, 52, 22 * MS),
    ("backup", "return"): (16_500, 52, 52, 13 * MS),
    ("office", "forward"): (6_000, 800, 28, 21 * MS),
    ("office", "return"): (18_000, 800, 28, 14 * MS),
    ("voice", "forward"): (1_000, 200, 40, 20 * MS),
    ("voice", "return"): (1_000, 200, 40, 13 * MS),
}


def build_log(plan: Plan) -> RunLog:
    bins, directions = HORIZON_S, len(plan.directions)
    shape = (bins, directions)
    rng = np.random.default_rng(1)
    counter = np.zeros(shape, layout.COUNTER)
    dropped = np.zeros((*shape, len(layout.REASONS)), np.int64)
    dropped_bytes = np.zeros_like(dropped)
    latency_ps = np.full((*shape, len(BIN_PROBABILITIES)), np.nan)
    run_histogram = np.zeros((directions, histogram.BUCKETS), np.int64)
    in_flight = np.zeros(directions, np.int64)
    in_flight_bytes = np.zeros(directions, np.int64)
    for d, info in enumerate(plan.directions):
        name = plan.streams[info.stream_idx].name
        if (name, info.direction) not in TRAFFIC:
            continue
        packets, size_bytes, header_bytes, base_s = TRAFFIC[name, info.direction]
        is_tcp = name == "backup"
        for b in range(bins):
            sent = 0 if is_tcp and b in SILENT else int(packets * rng.uniform(0.95, 1.05))
            lost = int(rng.binomial(sent, 1e-4))
            full = int(rng.binomial(sent, 0.002)) if is_tcp and b % 7 == 0 else 0
            if b in DOWN:
                counter[b, d]["sent_packets"] = sent
                dropped[b, d, layout.PATH_DOWN] = sent
            else:
                counter[b, d]["sent_packets"] = sent
                dropped[b, d, layout.RANDOM_LOSS] = lost
                dropped[b, d, layout.BUFFER_FULL] = full
                under_way = 40 if b == bins - 1 else 0
                delivered = sent - lost - full - under_way
                in_flight[d] += under_way
                counter[b, d]["delivered_packets"] = delivered
                counter[b, d]["goodput_bytes"] = delivered * (size_bytes - header_bytes)
                if delivered:
                    swing = 1.0 + (0.8 if is_tcp else 0.3) * abs(np.sin(b / 5.0))
                    delay_s = base_s * swing + rng.gamma(2.0, 0.6 * MS, delivered)
                    delay_ps = np.round(delay_s * PS_PER_S).astype(np.int64)
                    units = int((delay_ps >> layout.LATENCY_SHIFT).sum())
                    counter[b, d]["latency_sum"] = units
                    latency_ps[b, d] = np.quantile(delay_ps, BIN_PROBABILITIES)
                    if b >= plan.warm_up_ps // PS_PER_S:
                        bits = delay_ps.astype(np.float64).view(np.int64) >> histogram.SHIFT
                        index = bits - histogram.FIRST_BUCKET
                        run_histogram[d] += np.bincount(index, minlength=histogram.BUCKETS)
        counter["sent_bytes"][:, d] = counter["sent_packets"][:, d] * size_bytes
        counter["delivered_bytes"][:, d] = counter["delivered_packets"][:, d] * size_bytes
        dropped_bytes[:, d] = dropped[:, d] * size_bytes
        in_flight_bytes[d] = in_flight[d] * size_bytes
    total = np.zeros(directions, layout.COUNTER)
    for field in layout.COUNTER.names:
        total[field] = counter[field].sum(axis=0)
    hop = np.zeros(len(plan.hops), layout.HOP_STATE)
    hop["served_packets"] = 1_000_000
    hop["served_bytes"] = 900_000_000
    hop["wait_max_ps"] = [20e9, 0, 3e9, 4e9, 0, 1e9]
    hop_dropped = np.zeros((len(plan.hops), len(layout.REASONS)), np.int64)
    hop_dropped[0, layout.BUFFER_FULL] = dropped[:, :, layout.BUFFER_FULL].sum()
    load = np.array([0.97, 0.0, 0.74, 0.31, 0.0, 0.22])
    busy = np.round(load * rng.uniform(0.98, 1.02, (bins, 1)) * PS_PER_S).astype(np.int64)
    busy[list(DOWN)] = 0
    tcp_flows = np.array(
        [4 if i.stream_idx == 0 and i.direction == FORWARD else 0 for i in plan.directions],
        np.int64,
    )
    events = (
        Event(1, 30 * PS_PER_S, "internet-outage", "lyon.isp", 0, ""),
        Event(2, 30 * PS_PER_S, "link-down", "lyon.isp", 1, "both directions"),
        Event(3, 34_500_000_000_000, "dpd-timeout", "lyon-vpn", 2, "45 s without an answer", DPD),
        Event(4, 40 * PS_PER_S, "repair", "lyon.isp", 1, "end of internet-outage"),
        Event(5, 40 * PS_PER_S, "link-up", "lyon.isp", 4, ""),
        Event(6, 41_200_000_000_000, "ike-established", "lyon-vpn", 5, "after 2 round trips"),
    )
    edges = np.arange(bins + 1, dtype=np.int64) * PS_PER_S
    return RunLog(
        bin_start_ps=edges[:-1],
        bin_end_ps=edges[1:],
        counter=counter,
        dropped_packets=dropped,
        dropped_bytes=dropped_bytes,
        latency_ps=latency_ps,
        hop_busy_ps=busy,
        total=total,
        dropped_packets_total=dropped.sum(axis=0),
        dropped_bytes_total=dropped_bytes.sum(axis=0),
        in_flight_packets=in_flight,
        in_flight_bytes=in_flight_bytes,
        histogram=run_histogram,
        hop=hop,
        hop_dropped=hop_dropped,
        tcp={
            "flows": tcp_flows,
            "retransmitted_segments": tcp_flows * 30,
            "fast_recovery_count": tcp_flows * 5,
            "rto_count": tcp_flows * 3,
        },
        events=events,
        packet_hops=9_000_000,
        cpu_s=0.05,
        touched={2: frozenset({0, 3})},
    )


ABOUT = About(
    scenario="branch",
    title="Branch office in Lyon over one site-to-site tunnel",
    question="Does VpnGw1AZ carry the office and the nightly backup together?",
    scenario_hash="0123456789abcdef" * 4,
    resolved="schema_version: 1\ntitle: Branch office\n",
    targets={"latency_p95": 0.04, "outage": 5.0, "monthly_cost": 2500.0},
    warnings=("VpnGw1 is retired; its successor is VpnGw1AZ",),
)
