"""The engine: SimPy's clock for the control plane, the kernels for the packets between changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import simpy

from simulator.base.errors import DeadlineError
from simulator.dataplane import DataPlane
from simulator.flowlevel import FlowPlane
from simulator.plan import PS_PER_S, Plan
from simulator.recorder import RunLog
from simulator.world import World

Progress = Callable[[int, int], None]
"""Called with (simulated time, horizon), both in picoseconds."""


def run(plan: Plan, progress: Progress | None = None, deadline_s: float | None = None) -> RunLog:
    """Run a plan to its horizon and return the log.

    `progress` is called some ten times a second; what it raises ends the run. `deadline_s` bounds
    the wall time: DeadlineError after it (looked at between kernel calls). The CPU time in the log
    is that of this function; compile first if the figure shall not hold compilation.
    """
    cpu_start_s = time.process_time()
    wall_start_s = time.monotonic()

    def tick(now_ps: int) -> None:
        if deadline_s is not None and time.monotonic() - wall_start_s > deadline_s:
            raise DeadlineError(
                f"the run took longer than {deadline_s:g} s of wall time; it stood at "
                f"{now_ps / PS_PER_S:g} s of {plan.horizon_ps / PS_PER_S:g} s simulated"
            )
        if progress is not None:
            progress(now_ps, plan.horizon_ps)

    env = simpy.Environment(initial_time=0)
    data = FlowPlane(plan) if plan.fidelity == "flow" else DataPlane(plan)
    world = World(plan, data, env, tick)
    for _, process in plan.processes:
        env.process(process(world))
    while env.peek() < plan.horizon_ps:
        env.step()
    data.advance(plan.horizon_ps, tick)
    return data.finish(time.process_time() - cpu_start_s)


def compile_kernels() -> None:
    """Compile (or load from the disk cache) every kernel that a packet run needs."""
    run(_example())


def compile_flow_kernels() -> None:
    """The same for a run at flow level."""
    run(replace(_example(), fidelity="flow"))


def _example() -> Plan:
    """A plan that needs every kernel."""
    return Plan.from_hops(
        [
            {"name": "out", "rate_bps": 1e9, "buffer_bytes": 1e6},
            {"name": "there", "kind": "path", "delay_s": 1e-3, "loss_ratio": 1e-3},
            {"name": "back", "kind": "path", "delay_s": 1e-3},
        ],
        [
            {"name": "open", "route": ["out", "there"], "sizes_bytes": [1400], "rate_bps": 1e6},
            {
                "name": "closed",
                "kind": "tcp",
                "route": ["out", "there"],
                "ack_route": ["back"],
                "segment_bytes": 1400,
                "mss_bytes": 1348,
                "ack_bytes": 52,
                "window_bytes": 1e6,
            },
        ],
        horizon_s=0.01,
        time_bin_s=0.01,
    )
