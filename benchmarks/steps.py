"""Speed of `cubic-20` beside other programs: `python -m benchmarks.steps`, a second of CPU time.

The same run is made several times in short steps of simulated time. Each step counts with the least
CPU time of its repetitions: some repetition of each was not disturbed, where no whole run is. So
builds can be compared on a busy machine; start it in the tree of each in turn.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.packets import cubic
from kernels import layout
from simulator.dataplane import DataPlane
from simulator.plan import PS_PER_S

FLOWS = 20
WARM_UP_PS = 5 * PS_PER_S
STEP_PS = PS_PER_S // 10
STEPS = 300
REPETITIONS = 12


def undisturbed_ns() -> float:
    """CPU time of a packet-hop in nanoseconds, after the warm-up."""
    plan = cubic(FLOWS, (WARM_UP_PS + STEPS * STEP_PS) / PS_PER_S)
    servers = plan.hop["kind"] == layout.SERVER
    least_ns = np.full(STEPS, np.inf)
    hops_count = 0
    for _ in range(REPETITIONS):
        plane = DataPlane(plan)
        plane.advance(WARM_UP_PS)
        served_before = int(plane.state["served_packets"][servers].sum())
        for i in range(STEPS):
            start_ns = time.thread_time_ns()
            plane.advance(WARM_UP_PS + (i + 1) * STEP_PS)
            least_ns[i] = min(least_ns[i], time.thread_time_ns() - start_ns)
        hops_count = int(plane.state["served_packets"][servers].sum()) - served_before
    return float(least_ns.sum()) / hops_count


if __name__ == "__main__":
    each_ns = undisturbed_ns()
    print(f"cubic-{FLOWS}: {each_ns:.1f} ns a packet-hop, {1e3 / each_ns:.1f} million a CPU-second")
