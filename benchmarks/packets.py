"""Packet level: packet-hops per CPU-second of `engine.run(plan)`, full statistics on.

The same networks also from a scenario's text to all tables (`*-end-to-end`, packets per
CPU-second). A packet-hop is one packet, data or ACK, served by one finite-rate hop.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.rows import Row
from simulator import engine
from simulator.plan import Plan
from simulator.plan_builder import plan_from_hops

PACKET_BYTES = 1400
PLANNED_SITES = (1, 10, 100, 1_000)
SITES_OF_A_GATEWAY = 100
REPETITIONS = 3
"""Runs of each case; the fastest counts, since other programs only ever slow a run down."""


def chain(horizon_s: float) -> Plan:
    """Four hops in a row, Poisson packets of 1,400 bytes, half load at the slowest."""
    rates_bps = (1e9, 650e6, 1e9, 2e9)
    delays_s = (50e-6, 12e-3, 100e-6, 10e-6)
    hops = [
        {"name": f"hop-{i}", "rate_bps": rate_bps, "delay_s": delay_s}
        for i, (rate_bps, delay_s) in enumerate(zip(rates_bps, delays_s, strict=True))
    ]
    stream = {
        "name": "office",
        "route": [hop["name"] for hop in hops],
        "sizes_bytes": [PACKET_BYTES],
        "rate_bps": 0.5 * min(rates_bps),
    }
    return plan_from_hops(hops, [stream], horizon_s=horizon_s)


def sites(count: int, horizon_s: float) -> Plan:
    """`count` sites with three streams each, over their own access to one gateway."""
    hops: list[dict[str, Any]] = [
        {"name": "nic", "rate_bps": count * 100e6, "buffer_s": 0.02},
        {"name": "instance", "rate_bps": count * 110e6, "buffer_s": 0.02},
    ]
    streams = []
    for i in range(count):
        hops += [
            {"name": f"lan-{i}", "rate_bps": 1e9, "delay_s": 50e-6},
            {"name": f"up-{i}", "rate_bps": 100e6, "buffer_bytes": 250e3},
            {"name": f"wan-{i}", "kind": "path", "delay_s": 4e-3 + i * 1e-5},
        ]
        streams += [
            {
                "name": f"stream-{i}-{k}",
                "route": [f"lan-{i}", f"up-{i}", f"wan-{i}", "nic", "instance"],
                "sizes_bytes": [PACKET_BYTES],
                "rate_bps": 20e6,
            }
            for k in range(3)
        ]
    return plan_from_hops(hops, streams, horizon_s=horizon_s)


def cubic(flows: int, horizon_s: float) -> Plan:
    """CUBIC flows over 650 Mbit/s and 30 ms, a buffer of one bandwidth-delay product."""
    rate_bps, rtt_s = 650e6, 30e-3
    hops = [
        {"name": "lan", "rate_bps": 10e9, "delay_s": 1e-6},
        {"name": "tunnel", "rate_bps": rate_bps, "buffer_bytes": rate_bps * rtt_s / 8},
        {"name": "wan", "kind": "path", "delay_s": rtt_s / 2},
        {"name": "lan-back", "rate_bps": 10e9, "delay_s": 1e-6},
        {"name": "wan-back", "kind": "path", "delay_s": rtt_s / 2 - 2e-6},
    ]
    stream = {
        "name": "backup",
        "kind": "tcp",
        "route": ["lan", "tunnel", "wan"],
        "ack_route": ["lan-back", "wan-back"],
        "flows": flows,
        "segment_bytes": 1390,
        "mss_bytes": 1338,
        "ack_bytes": 52,
        "window_bytes": 8e6,
        "stagger_s": 0.01,
    }
    return plan_from_hops(hops, [stream], horizon_s=horizon_s)


SCENARIO = """
schema_version: 1
title: benchmark
run: {{horizon: {horizon_s} s, warm_up: 1 s, time_bin: 1 s, seed: 1}}
vnets: {{hub: {{region: West Europe, address_space: [10.0.0.0/16], gateway_subnet: 10.0.255.0/27}}}}
sites:
  branch:
    count: {count}
    location: {{near: Germany West Central}}
    address_space: ["10.{{100+i}}.0.0/16"]
    internet: {{isp: {{down: 500 Mbit/s, up: 500 Mbit/s, delay: 4 ms}}}}
    devices: {{edge: {{public_ip: "203.0.113.{{i}}"}}}}
gateways: {{hub-vpn: {{type: vpn, vnet: hub, sku: VpnGw5AZ}}}}
connections: {{branch-vpn: {{type: ipsec, gateway: hub-vpn, site: branch}}}}
traffic: {traffic}
"""
OPEN_LOOP = "kind: poisson, from: branch, to: hub, packet_size: 1350 bytes"
TRAFFIC = {
    "chain-4": (1, 60, f"{{office: {{{OPEN_LOOP}, rate: 325 Mbit/s}}}}"),
    "sites-100": (
        100,
        10,
        "{" + ", ".join(f"s{k}: {{{OPEN_LOOP}, rate: 20 Mbit/s}}" for k in range(3)) + "}",
    ),
    "cubic-20": (
        1,
        60,
        "{backup: {kind: bulk-tcp, from: branch, to: hub, flows: 20, window: 4 MiB}}",
    ),
}


def rows() -> Iterator[Row]:
    """Measure every case; horizons are such that each serves at least 3e8 packets at hops."""
    engine.compile_kernels()
    cases: dict[str, Callable[[], Plan]] = {
        "chain-4": lambda: chain(2_650.0),
        "sites-10": lambda: sites(10, 1_420.0),
        "sites-100": lambda: sites(100, 142.0),
        "sites-1000": lambda: sites(1_000, 14.2),
        "cubic-20": lambda: cubic(20, 2_150.0),
    }
    for name, plan in cases.items():
        yield Row(name, best_packet_hops_per_s(plan()), "packet-hops/CPU-s")
    for name, (count, horizon_s, traffic) in TRAFFIC.items():
        text = SCENARIO.format(count=count, horizon_s=horizon_s, traffic=traffic)
        yield Row(f"{name}-end-to-end", best_packets_per_s(text), "packets/CPU-s")
    for count in PLANNED_SITES:
        yield Row(f"plan-sites-{count}", planning_s(count), "s")


def planning_s(count: int) -> float:
    """CPU seconds from the text of a scenario with so many sites, three streams each, to a plan."""
    from simulator import load
    from simulator.planner import build

    text = many_sites(count)
    best_s = math.inf
    for _ in range(REPETITIONS if count < SITES_OF_A_GATEWAY else 1):
        gc.collect()
        start_s = time.process_time()
        build(load(text))
        best_s = min(best_s, time.process_time() - start_s)
    return best_s


def many_sites(count: int) -> str:
    """A scenario of sites that differ in their addresses, a gateway for each hundred of them."""
    lines = ["schema_version: 1", "title: planning", "vnets:"]
    gateways = range(-(-count // SITES_OF_A_GATEWAY))
    for g in gateways:
        prefix = f"address_space: [10.{g}.0.0/16], gateway_subnet: 10.{g}.255.0/27"
        lines.append(f"  hub-{g}: {{region: West Europe, {prefix}}}")
    lines.append("gateways:")
    lines += [f"  vpn-{g}: {{type: vpn, vnet: hub-{g}, sku: VpnGw5AZ}}" for g in gateways]
    lines.append("sites:")
    for i in range(count):
        line = "internet: {isp: {down: 500 Mbit/s, up: 500 Mbit/s, delay: 4 ms}}"
        device = f"devices: {{edge: {{public_ip: 203.0.{i // 250}.{i % 250 + 1}}}}}"
        space = f"address_space: [172.{16 + i // 256}.{i % 256}.0/24]"
        lines.append(f"  s{i}: {{location: {{near: France Central}}, {space}, {line}, {device}}}")
    lines.append("connections:")
    for i in range(count):
        gateway = f"gateway: vpn-{i // SITES_OF_A_GATEWAY}"
        lines.append(f"  c{i}: {{type: ipsec, {gateway}, site: s{i}}}")
    lines.append("traffic:")
    for i in range(count):
        ends = f"kind: poisson, from: s{i}, to: hub-{i // SITES_OF_A_GATEWAY}"
        more = "rate: 1 Mbit/s, packet_size: internet-mix"
        lines += [f"  t{i}-{k}: {{{ends}, {more}}}" for k in range(3)]
    return "\n".join(lines) + "\n"


def best_packet_hops_per_s(plan: Plan) -> float:
    """Packet-hops per CPU-second of the fastest of some runs."""
    best = 0.0
    for _ in range(REPETITIONS):
        gc.collect()
        log = engine.run(plan)
        best = max(best, log.packet_hops / log.cpu_s)
    return best


def best_packets_per_s(text: str) -> float:
    """Packets sent per CPU-second from a scenario's text to every table."""
    from simulator import load, run

    best = 0.0
    for _ in range(REPETITIONS):
        start_s = time.process_time()
        result = run(load(text))
        tables = (result.streams, result.timeline, result.hops, result.events, result.summary)
        packets_count = int(tables[0]["packets_sent"].sum())
        best = max(best, packets_count / (time.process_time() - start_s))
    return best
