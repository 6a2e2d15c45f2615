"""The workloads, and their runs in crossprem; the modules beside this one run them in a peer."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks import flows, packets
from benchmarks.peers.comparison import Side
from kernels import quantiles
from kernels.layout import LATENCY_UNIT_PS
from kernels.units import BITS_PER_BYTE, PS_PER_S
from simulator import engine
from simulator.plan import Plan
from simulator.recorder import RunLog

CHAIN_TOLERANCE_RATIO = 0.04
TCP_TOLERANCE_RATIO = 0.05
TWO_TIER_TOLERANCE_RATIO = 0.05
MSS_BYTES = 1338
REPETITIONS = 3
"""Runs of the fast side; the fastest counts, since other programs only ever slow a run down."""
SIZES_KEY = 20_261_124


class Transfers(NamedTuple):
    """The two-tier topology for a peer: what each class crosses, what each flow draws."""

    capacity_bps: np.ndarray
    routes: list[list[int]]
    class_idx: np.ndarray
    size_bytes: np.ndarray


def chain(horizon_s: float) -> Side:
    """Four hops in a row, Poisson packets, half load at the slowest."""
    plan = packets.chain(horizon_s)
    log, cpu_s = fastest(plan)
    delivered = log.total["delivered_packets"].sum()
    latency_s = log.total["latency_sum"].sum() * LATENCY_UNIT_PS / PS_PER_S / delivered
    return Side(log.packet_hops, cpu_s, chain_outcome(plan, float(delivered), float(latency_s)))


def chain_outcome(plan: Plan, delivered: float, latency_s: float) -> dict[str, float]:
    """Packets delivered, their mean delay, and what of it is waiting.

    Delay is nearly all propagation, which no simulator gets wrong: so waiting is shown apart.
    """
    fixed_s = sum(delays_s(plan)) + sum(service_s(plan))
    return {
        "delivered_packets": delivered,
        "mean_delay_s": latency_s,
        "mean_wait_s": latency_s - fixed_s,
    }


def packets_per_s(plan: Plan) -> float:
    """Mean rate of the chain's source."""
    return 0.5 * min(rates_bps(plan)) / (packets.PACKET_BYTES * BITS_PER_BYTE)


def rates_bps(plan: Plan) -> list[float]:
    """Rate of each hop."""
    return [hop.rate_bps for hop in plan.hops]


def delays_s(plan: Plan) -> list[float]:
    """Propagation behind each hop."""
    return [float(delay_ps) / PS_PER_S for delay_ps in plan.hop["delay_ps"]]


def service_s(plan: Plan) -> list[float]:
    """How long each hop of the chain serves a packet."""
    return [packets.PACKET_BYTES * BITS_PER_BYTE / rate_bps for rate_bps in rates_bps(plan)]


def cubic(flow_count: int, horizon_s: float) -> Side:
    """TCP flows over a bottleneck; the work is segments that arrived and were new."""
    log, cpu_s = fastest(packets.cubic(flow_count, horizon_s))
    goodput_bytes = float(log.total["goodput_bytes"].sum())
    return Side(goodput_bytes / MSS_BYTES, cpu_s, tcp_outcome(goodput_bytes, horizon_s))


def tcp_outcome(goodput_bytes: float, horizon_s: float) -> dict[str, float]:
    """Goodput of all flows together."""
    return {"goodput_bps": goodput_bytes * BITS_PER_BYTE / horizon_s}


def fastest(plan: Plan) -> tuple[RunLog, float]:
    """Run a plan some times; its log, and the CPU seconds of the fastest run."""
    engine.compile_kernels()
    logs = []
    for _ in range(REPETITIONS):
        gc.collect()
        logs.append(engine.run(plan))
    return logs[0], min(log.cpu_s for log in logs)


def two_tier(classes: int, flow_count: int, completions: int) -> Side:
    """A closed population that shares links max-min fairly, until so many flows are complete."""
    flows.two_tier(2, 2).events(8)  # compile
    best_s = np.inf
    for _ in range(REPETITIONS):
        case = flows.two_tier(classes, flow_count)
        start_s = time.process_time()
        case.events(completions)
        best_s = min(best_s, time.process_time() - start_s)
    counter = case.flows.counter
    outcome = transfer_outcome(
        case.completions,
        float(case.flows.store[0]["now_ps"]) / PS_PER_S,
        float(counter["transfer_s"].sum()),
        float(counter["completed_bytes"].sum()),
    )
    return Side(case.completions, best_s, outcome)


def transfer_outcome(
    completions: int, simulated_s: float, total_s: float, total_bytes: float
) -> dict[str, float]:
    """What is complete: how many and how much per simulated second, and the mean transfer time."""
    return {
        "completions_per_s": completions / simulated_s,
        "completed_bps": total_bytes * BITS_PER_BYTE / simulated_s,
        "mean_transfer_s": total_s / completions,
    }


def transfers(classes: int, flow_count: int, completions: int) -> Transfers:
    """Network and draws of the two-tier topology for a peer: same distributions, other draws."""
    case = flows.two_tier(classes, flow_count)
    network, table = case.network, case.flows.table
    count = flow_count + completions
    generator = np.random.default_rng(SIZES_KEY)
    bits = generator.integers(0, 2**64, count, dtype=np.uint64, endpoint=False)
    routes = np.split(network.class_hop, network.class_ptr[1:-1])
    return Transfers(
        network.capacity_bps,
        [route.tolist() for route in routes],
        generator.integers(0, classes, count),
        drawn(quantiles.draw_quantile, bits, table),
    )


def drawn(draw: Callable[..., float], bits: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Whole bytes of each flow, at least one."""
    return np.array([max(1.0, round(float(draw(value, table, 0)))) for value in bits])
