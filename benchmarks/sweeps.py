"""What a sweep costs beside its points: `python -m benchmarks.sweeps`, on a quiet machine.

Overhead is the CPU time of a worker beyond that of planning, running and the table `streams`, and
all CPU time of the process that hands out the points and makes the table, both divided by the
points. Speed-up is the time of one worker over that of two, start-up left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from simulator import engine, metrics, planner
from simulator.run import make_ready
from simulator.study.design import read_design
from simulator.study.store import Store, version_hash
from simulator.study.sweep import sweep
from simulator.study.worker import Job, build, work

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base" / "lyon-office.yaml"
QUICK = "100 ms"
LONG = "4 s"


def written(folder: Path, horizon: str, points: int) -> Path:
    file = folder / "design.yaml"
    file.write_text(
        f"schema_version: 1\nscenario: {BASE}\n"
        f"set: {{run: {{horizon: {horizon}, warm_up: 20 ms, time_bin: 50 ms, seed: 1}}}}\n"
        f"vary: {{traffic.office.rate: {{from: 5 Mbit/s, to: 60 Mbit/s, steps: {points}}}}}\n"
    )
    return file


def pure_cpu_s(file: Path) -> float:
    """CPU time of the runs alone, one after the other in this process."""
    whole = read_design(file)
    base = whole.bases[0]
    scenarios = [build(base.tree, base.name, whole.overrides(p)) for p in whole.points]
    begin_s = time.process_time()
    for scenario in scenarios:
        plan = planner.build(scenario)
        metrics.compute("streams", plan, engine.run(plan))
    return time.process_time() - begin_s


def worker_cpu_s(file: Path) -> float:
    """CPU time of a worker that computes all points, in this process."""
    whole = read_design(file)
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


def main() -> int:
    make_ready()
    with tempfile.TemporaryDirectory() as folder:
        count = 200
        many = written(Path(folder), QUICK, count)
        alone_s = pure_cpu_s(many)
        overhead_s = (swept_s(many, 1)[1] + worker_cpu_s(many) - alone_s) / count
        sys.stdout.write(f"point alone          {1e3 * alone_s / count:8.2f} ms\n")
        sys.stdout.write(f"overhead per point   {1e3 * overhead_s:8.2f} ms\n")
        long = written(Path(folder), LONG, 60)
        sys.stdout.write(f"longer point alone   {1e3 * pure_cpu_s(long) / 60:8.2f} ms\n")
        one_s, two_s = swept_s(long, 1)[0], swept_s(long, 2)[0]
        sys.stdout.write(f"speed-up of 2        {one_s / two_s:8.2f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
