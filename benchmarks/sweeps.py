"""What a sweep costs beside its points: `python -m benchmarks.sweeps`, on a quiet machine.

Overhead is all CPU time of a worker beyond planning a point and running its plan (so loading the
scenario, its rules, its hash, the table, the cost, the file), and all CPU time of the process that
hands out the points and makes the table, both divided by the points.

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

from simulator import engine, planner
from simulator.run import make_ready
from simulator.scenario.load import build
from simulator.study.design import Point, Sweepable, read_design
from simulator.study.store import Store, version_hash
from simulator.study.sweep import sweep
from simulator.study.worker import Job, work

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base" / "lyon-office.yaml"
QUICK = "100 ms"
QUICK_COUNT = 200
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


def alone_cpu_s(whole: Sweepable, points: Sequence[Point]) -> float:
    """CPU time of planning and running some points, one after the other in this process."""
    base = whole.bases[0]
    used_s = 0.0
    for point in points:
        scenario = build(base.tree, base.name, whole.overrides(point))
        begin_s = time.process_time()
        engine.run(planner.build(scenario))
        used_s += time.process_time() - begin_s
    return used_s


def worker_cpu_s(whole: Sweepable) -> float:
    """CPU time of a worker that computes all points, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        store.prepare()
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
        work(job, whole.points)
        return time.process_time() - begin_s


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
    alone_cpu_s(whole, whole.points[:1])
    gate.wait()
    alone_cpu_s(whole, whole.points[part::parts])
    gate.wait()


def main() -> int:
    """Measure, and write a line for each figure."""
    make_ready()
    with tempfile.TemporaryDirectory() as folder:
        file = written(Path(folder), QUICK, QUICK_COUNT)
        whole = read_design(file)
        worker_cpu_s(whole)  # what is remembered from point to point is remembered now
        alone_ms = 1e3 * alone_cpu_s(whole, whole.points) / QUICK_COUNT
        worker_ms = 1e3 * worker_cpu_s(whole) / QUICK_COUNT - alone_ms
        parent_ms = 1e3 * swept_s(file, 1)[1] / QUICK_COUNT
        _show("planning and run of a point", alone_ms, "ms")
        _show("overhead in the worker", worker_ms, "ms")
        _show("overhead in the parent", parent_ms, "ms")
        _show("overhead per point", worker_ms + parent_ms, "ms")
        file = written(Path(folder), LONG, LONG_COUNT)
        whole = read_design(file)
        _show("longer point", 1e3 * alone_cpu_s(whole, whole.points) / LONG_COUNT, "ms")
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
