"""Flow level from a scenario's text to its tables: a working day of 500 sites and 5,000 users.

Five gateways; each has a hundred sites whose files come at random instants after a daily profile,
and a thousand point-to-site users who dial in the morning, stay for some hours and think between
files. About ten million transfers. The day has a process of its own, so that its memory is counted
alone; reading and planning are in the time.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from benchmarks.flows import HOURLY_FACTOR
from benchmarks.rows import Row

GATEWAYS = 5
SITES = 500
USERS = 5_000
KIB = 1024
RSS_BYTES = 1 if sys.platform == "darwin" else KIB
"""Unit of the peak memory that the system tells."""


class Day(NamedTuple):
    """What a day cost."""

    flows: float
    plan_cpu_s: float
    cpu_s: float
    peak_bytes: float


def text(hours: float = 24.0, sites: int = SITES, users: int = USERS) -> str:
    """The scenario."""
    gateways = range(GATEWAYS)
    profile = f"{{hours: {list(HOURLY_FACTOR)}}}"
    size = "{kind: lognormal, mean: 1 MB, sigma: 1.6}"
    sessions = (
        "{start: {kind: normal, mean: 9 h, sd: 45 min}, "
        "length: {kind: lognormal, median: 7 h, sigma: 0.4}}"
    )
    lines = [
        "schema_version: 1",
        "title: a working day",
        f"run: {{horizon: {hours:g} h, time_bin: 5 min, fidelity: flow, seed: 1}}",
        "vnets:",
    ]
    for g in gateways:
        prefix = f"address_space: [10.{g}.0.0/16], gateway_subnet: 10.{g}.255.0/27"
        lines.append(f"  hub-{g}: {{region: West Europe, {prefix}}}")
    lines.append("gateways:")
    for g in gateways:
        p2s = f"p2s: {{address_pools: [172.{16 + g}.0.0/20], protocols: [openvpn]}}"
        lines.append(f"  vpn-{g}: {{type: vpn, vnet: hub-{g}, sku: VpnGw5AZ, {p2s}}}")
    lines.append("sites:")
    for g in gateways:
        lines += [
            f"  s{g}:",
            f"    count: {sites // GATEWAYS}",
            "    location: {near: Germany West Central}",
            f'    address_space: ["10.{{100+i}}.{g}.0/24"]',
            "    internet: {isp: {down: 200 Mbit/s, up: 100 Mbit/s, delay: 4 ms}}",
            f'    devices: {{edge: {{public_ip: "203.0.{10 + g}.{{i}}"}}}}',
        ]
    lines.append("connections:")
    lines += [f"  c{g}: {{type: ipsec, gateway: vpn-{g}, site: s{g}}}" for g in gateways]
    lines.append("clients:")
    for g in gateways:
        lines += [
            f"  u{g}:",
            f"    gateway: vpn-{g}",
            "    protocol: openvpn",
            f"    count: {users // GATEWAYS}",
            "    location: {near: France Central}",
            "    access: {down: 50 Mbit/s, up: 10 Mbit/s, delay: 12 ms}",
            f"    sessions: {sessions}",
        ]
    lines.append("traffic:")
    for g in gateways:
        files = f"kind: transfers, from: s{g}, to: hub-{g}, rate: 1.72 Mbit/s, size: {size}"
        desk = f"kind: transfers, from: u{g}, to: hub-{g}, users: 1, size: {size}"
        lines.append(f"  files-{g}: {{{files}, profile: {profile}}}")
        lines.append(f"  desk-{g}: {{{desk}, think: {{kind: exponential, mean: 60 s}}}}")
    return "\n".join(lines) + "\n"


def simulated(hours: float = 24.0, sites: int = SITES, users: int = USERS) -> Day:
    """Simulate a day in this process, kernels compiled before."""
    from simulator import engine, load
    from simulator.planner import build
    from simulator.result import Result

    engine.compile_flow_kernels()
    start_s = time.process_time()
    plan = build(load(text(hours, sites, users)))
    plan_cpu_s = time.process_time() - start_s
    log = engine.run(plan)
    flows = float(np.nansum(Result(plan, log).streams["transfers_completed"]))
    cpu_s = time.process_time() - start_s
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_BYTES
    return Day(flows, plan_cpu_s, cpu_s, peak_bytes)


def rows() -> Iterator[Row]:
    """Measure the day."""
    with get_context("spawn").Pool(1) as pool:
        day = pool.apply(simulated)
    yield Row("day-500-sites", day.cpu_s, "CPU-s")
    yield Row("day-500-sites-plan", day.plan_cpu_s, "CPU-s")
    yield Row("day-500-sites-memory", day.peak_bytes / KIB**2, "MiB")
    yield Row("day-500-sites-flows", day.flows, "flows")
