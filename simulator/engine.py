"""The engine: SimPy's clock for the control plane, the kernels for the packets between changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import simpy

from simulator import zoom
from simulator.base.errors import DeadlineError, InternalError
from simulator.dataplane import DataPlane
from simulator.flowlevel import FlowPlane
from simulator.plan import PS_PER_S, Plan
from simulator.plan_builder import plan_from_hops
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
    watch = _Watch(plan.horizon_ps, progress, deadline_s)
    if plan.zoom is not None:
        log = _run_zoomed(plan, watch)
    else:
        data = FlowPlane(plan) if plan.fidelity == "flow" else DataPlane(plan)
        _play(plan, data, watch.tick)
        log = data.finish(0.0)
    return replace(log, cpu_s=time.process_time() - cpu_start_s)


class _Watch:
    """Shows how far a run is, and ends it when it takes too long."""

    def __init__(self, total_ps: int, progress: Progress | None, deadline_s: float | None) -> None:
        self._progress = progress
        self._deadline_s = deadline_s
        self._start_s = time.monotonic()
        self.total_ps = total_ps
        self.done_ps = 0
        """Before what runs now."""

    def tick(self, now_ps: int) -> None:
        """Note that what runs now has come to `now_ps`."""
        done_ps = self.done_ps + now_ps
        if self._deadline_s is not None and time.monotonic() - self._start_s > self._deadline_s:
            raise DeadlineError(
                f"the run took longer than {self._deadline_s:g} s of wall time; it stood at "
                f"{done_ps / PS_PER_S:g} s of {self.total_ps / PS_PER_S:g} s simulated"
            )
        if self._progress is not None:
            self._progress(done_ps, self.total_ps)


def _play(
    plan: Plan, data: DataPlane | FlowPlane, tick: Callable[[int], None] | None = None
) -> None:
    """Let the control plane live on a data plane until the horizon."""
    env = simpy.Environment(initial_time=0)
    world = World(plan, data, env, tick)
    for _, process in plan.processes:
        env.process(process(world))
    while env.peek() < plan.horizon_ps:
        env.step()
    data.advance(plan.horizon_ps, tick)


def foreseen(plan: Plan) -> zoom.Windows:
    """The windows of a run at packet level, as far as they do not depend on traffic."""
    data = zoom.NoTraffic(plan)
    _play(plan, data)
    return zoom.find_windows(plan, data.recorder.events)


def _run_zoomed(plan: Plan, watch: _Watch) -> RunLog:
    """Run at flow level, then each window at packet level.

    The flow level must know its windows before it comes to them. Where a fault that depends on
    traffic was not foreseen it runs once more: windows change no bit of its course.
    """
    windows = foreseen(plan)
    for _ in range(2):
        data = zoom.NotingPlane(plan, windows.kept)
        watch.total_ps = watch.done_ps + plan.horizon_ps + windows.packets_ps
        _play(plan, data, watch.tick)
        before, windows = windows, zoom.find_windows(plan, data.recorder.events)
        watch.done_ps += plan.horizon_ps
        if windows == before:
            break
    else:
        raise InternalError("the same faults came at other times in a second run at flow level")
    log, found = data.finish(0.0), []
    for course in data.courses:
        begin_ps = course.window.warm_ps
        watch.done_ps -= begin_ps
        found.append(zoom.simulate(plan, course, watch.tick))
        watch.done_ps += course.window.end_ps
    return zoom.spliced(plan, log, windows, found)


def compile_kernels() -> None:
    """Compile (or load from the disk cache) every kernel that a packet run needs."""
    run(_example())


def compile_flow_kernels() -> None:
    """The same for a run at flow level."""
    run(replace(_example(), fidelity="flow"))


def _example() -> Plan:
    """A plan that needs every kernel."""
    return plan_from_hops(
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
