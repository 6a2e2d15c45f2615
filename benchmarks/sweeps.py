"""What a sweep costs beside its points: `python -m benchmarks.sweeps`, on a quiet machine.

A point alone is what any loop in Python would do for it: the variant of the scenario with all its
rules, the plan, the run, the table of streams and the cost. Overhead is what the sweep adds: all
CPU time of a worker beyond that (hash, look-up, Parquet, the file, the watch on hangs), and all CPU
time of the process that hands out the points and makes the table, both for each further point. What
a sweep costs that process before the first point stands beside it.

Speed-up is the time of one worker over that of two, start-up left out. Beside it stands what the
machine gives: the time of one plain process that computes the same points over that of two which
share nothing and compute half of them each.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import NamedTuple

from simulator import engine, metrics, planner
from simulator.planner import cost
from simulator.run import make_ready
from simulator.scenario.load import build
from simulator.study.design import Point, Sweepable, read_design
from simulator.study.store import Store, version_hash
from simulator.study.sweep import sweep
from simulator.study.worker import Job, work

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base" / "lyon-office.yaml"
QUICK = "100 ms"
QUICK_COUNT = 240
MANY_COUNT = 720
TURN_COUNT = 10
LONG = "10 s"
LONG_COUNT = 120


def written(folder: Path, horizon: str, points: int) -> Path:
    """The design of a sweep over the rate of a stream."""
    file = folder / f"design-{points}.yaml"
    file.write_text(
        f"schema_version: 1\nscenario: {BASE}\n"
        f"set: {{run: {{horizon: {horizon}, warm_up: 20 ms, time_bin: 50 ms, seed: 1}}}}\n"
        f"vary: {{traffic.office.rate: {{from: 5 Mbit/s, to: 60 Mbit/s, steps: {points}}}}}\n"
    )
    return file


class Alone(NamedTuple):
    """CPU time of points without a sweep."""

    simulation_s: float
    """Planning and run."""
    all_s: float


def alone(whole: Sweepable, points: Sequence[Point]) -> Alone:
    """Compute some points one after the other in this process, and keep nothing."""
    base = whole.bases[0]
    simulation_s = 0.0
    begin_s = time.process_time()
    for point in points:
        scenario = build(base.tree, base.name, whole.overrides(point))
        planning_s = time.process_time()
        plan = planner.build(scenario)
        log = engine.run(plan)
        simulation_s += time.process_time() - planning_s
        metrics.values("streams", plan, log)
        cost.of_run(scenario, plan, log.total["delivered_bytes"])
    return Alone(simulation_s, time.process_time() - begin_s)


def worker_cpu_s(whole: Sweepable, points: tuple[Point, ...]) -> float:
    """CPU time of a worker that computes some points, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        store.prepare(b"{}")
        job = Job(
            url=store.url,
            bases=whole.bases,
            overrides=tuple(whole.design.set_.items()),
            replications=whole.design.replications,
            timeout_s=whole.design.timeout,
            version=version_hash(),
            fidelities=whole.fidelities,
            is_elsewhere=False,
        )
        begin_s = time.process_time()
        work(job, points)
        return time.process_time() - begin_s


def in_turns_ms(whole: Sweepable) -> tuple[float, float, float]:
    """Simulation, all of a point alone, and what a worker adds: medians over turns, per point.

    The pace of a shared machine changes within seconds, so both are measured turn by turn.
    """
    turns = []
    for first in range(0, len(whole.points), TURN_COUNT):
        points = whole.points[first : first + TURN_COUNT]
        plain = alone(whole, points)
        added_s = worker_cpu_s(whole, points) - plain.all_s
        turns.append([1e3 * s / len(points) for s in (*plain, added_s)])
    simulation_ms, alone_ms, added_ms = (median(column) for column in zip(*turns, strict=True))
    return simulation_ms, alone_ms, added_ms


def swept_s(file: Path, workers: int) -> tuple[float, float]:
    """Wall time of a sweep without start-up, and CPU time of the process that hands out."""
    seen: list[tuple[float, int]] = []

    def note(done: int, total: int) -> None:
        seen.append((time.perf_counter(), done))

    with tempfile.TemporaryDirectory() as folder:
        begin_s = time.process_time()
        sweep(file, Path(folder) / "out", workers=workers, progress=note)
        used_s = time.process_time() - begin_s
    first, last = seen[1], seen[-1]
    return (last[0] - first[0]) / (last[1] - first[1]) * last[1], used_s


def plain_s(file: Path, processes: int) -> float:
    """Wall time of processes that share nothing and compute a part of the points each."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(processes + 1)
    parts = [
        context.Process(target=_part, args=(file, part, processes, gate))
        for part in range(processes)
    ]
    for part in parts:
        part.start()
    gate.wait()
    begin_s = time.perf_counter()
    gate.wait()
    taken_s = time.perf_counter() - begin_s
    for part in parts:
        part.join()
    return taken_s


def _part(file: Path, part: int, parts: int, gate: Barrier) -> None:
    make_ready()
    whole = read_design(file)
    alone(whole, whole.points[:1])
    gate.wait()
    alone(whole, whole.points[part::parts])
    gate.wait()


def main() -> int:
    """Measure, and write a line for each figure."""
    make_ready()
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder), QUICK, QUICK_COUNT)
        whole = read_design(file)
        worker_cpu_s(whole, whole.points)  # what is remembered from point to point
        simulation_ms, alone_ms, worker_ms = in_turns_ms(whole)
        few_s = swept_s(file, 1)[1]
        many_s = swept_s(written(Path(folder), QUICK, MANY_COUNT), 1)[1]
        parent_ms = 1e3 * (many_s - few_s) / (MANY_COUNT - QUICK_COUNT)
        _show("a point alone", alone_ms, "ms")
        _show("of that, planning and run", simulation_ms, "ms")
        _show("overhead in the worker", worker_ms, "ms")
        _show("overhead in the parent", parent_ms, "ms")
        _show("overhead per point", worker_ms + parent_ms, "ms")
        _show("start-up in the parent", 1e3 * few_s - QUICK_COUNT * parent_ms, "ms")
        file = written(Path(folder), LONG, LONG_COUNT)
        whole = read_design(file)
        _show("longer point", 1e3 * alone(whole, whole.points).all_s / LONG_COUNT, "ms")
        limit = plain_s(file, 1) / plain_s(file, 2)
        speed_up = swept_s(file, 1)[0] / swept_s(file, 2)[0]
        _show("speed-up of 2 workers", speed_up, "")
        _show("speed-up of 2 plain processes", limit, "")
    return 0


def _show(name: str, value: float, unit: str) -> None:
    sys.stdout.write(f"{name:30}{value:8.2f} {unit}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
