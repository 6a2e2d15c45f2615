"""Sweep: hand out the points of a design, keep what is finished, and make one table of it."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pandas as pd

import simulator
from simulator.base.errors import UsageError
from simulator.base.units import parse_quantity
from simulator.run import make_ready
from simulator.study.design import UNIT_OF, Point, Sweepable, dimension_of, read_design
from simulator.study.drawing import SweepPlots
from simulator.study.executors import AHEAD, ClusterWorkers, LocalWorkers, Workers, is_loss
from simulator.study.store import (
    DESIGN,
    FAILED,
    FORMAT,
    TABLE,
    Store,
    absolute,
    from_bytes,
    schema,
    to_bytes,
    version_hash,
)
from simulator.study.worker import Done, Job, work

if TYPE_CHECKING:
    Progress = Callable[[int, int], None]

BATCH_S: Final = 0.25
"""Work that a batch should hold, so that handing out costs little and little is lost."""
BATCH_MAX: Final = 200
KEPT_TOGETHER: Final = 8
"""Points in a batch as long as all were there already, which says nothing of the next."""
DEATHS_MAX: Final = 3
"""Workers that may be lost over a point before it counts as failed."""
LOOK_S: Final = 1.0


@dataclass(frozen=True)
class Sweep:
    """A finished sweep, or what there is of one."""

    url: str
    title: str
    table: pd.DataFrame
    """One row for each point, replication, stream and direction; the point's values in front. A
    point that failed has one row with its error."""
    points_count: int
    kept_count: int = 0
    """Points that were there already."""
    wall_s: float = 0.0

    @property
    def plot(self) -> SweepPlots:
        """Figures: `.frontier()`."""
        return SweepPlots(self)

    @property
    def failed(self) -> pd.DataFrame:
        """The points that failed: their values and errors."""
        return self.table[self.table["status"] == FAILED].dropna(axis="columns", how="all")

    @property
    def failed_count(self) -> int:
        """How many points failed."""
        return int((self.table["status"] == FAILED).sum())

    def sql(self, query: str) -> pd.DataFrame:
        """Ask the table, called `sweep`, in the SQL of DuckDB.

        Raises
        ------
        UsageError
            If DuckDB is not installed, or the query is wrong.
        """
        try:
            import duckdb
        except ImportError:
            raise UsageError("sql: needs DuckDB; install crossprem[sql]") from None
        with duckdb.connect() as connection:
            connection.register("sweep", self.table)
            try:
                found: pd.DataFrame = connection.sql(query).df()
            except duckdb.Error as error:
                raise UsageError(f"sql: {error}") from None
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: what happened, not the table."""
        failed = self.table.loc[self.table["status"] == FAILED, ["point", "error"]]
        return {
            "url": self.url,
            "title": self.title,
            "points": self.points_count,
            "ok": self.points_count - self.failed_count,
            "failed": self.failed_count,
            "kept": self.kept_count,
            "rows": len(self.table),
            "failures": [
                {"point": int(point), "error": str(error)}
                for point, error in failed.itertuples(index=False)
            ],
        }


def sweep(
    design: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    set: Mapping[str, Any] | None = None,  # noqa: A002 - as `--set`
    progress: Progress | None = None,
) -> Sweep:
    """Compute every point of a design.

    In a script, call it below `if __name__ == "__main__":`, as everything that starts processes.

    Parameters
    ----------
    design
        The file of the sweep.
    out
        A new folder, or a URL that fsspec knows; by default below `runs`.
    workers
        Processes on this machine; by default one for each processor.
    scheduler
        Address of a Dask scheduler whose workers compute the points instead.
    resume
        Go on with a folder that holds a part of this very sweep.
    set
        Values for all points, by dotted path.
    progress
        Called with the number of points that are done and of all.

    Raises
    ------
    ScenarioError
        If the design is wrong.
    UsageError
        If the folder is not new, is of another design, or cannot be written, or if the scheduler
        is lost.
    """
    begin_s = time.monotonic()
    whole = read_design(Path(design), set)
    store = _opened(whole, out, resume=resume)
    fidelities = whole.fidelities
    for fidelity in fidelities:
        make_ready(fidelity)
    job = Job(
        url=store.url,
        bases=whole.bases,
        overrides=tuple(whole.design.set_.items()),
        replications=whole.design.replications,
        timeout_s=whole.design.timeout,
        version=version_hash(),
        fidelities=fidelities,
        is_elsewhere=scheduler is not None,
    )
    pool: Workers = (
        LocalWorkers(workers, fidelities) if scheduler is None else ClusterWorkers(scheduler)
    )
    try:
        done = _Hands(pool, job, whole.points, progress).compute()
    except CancelledError as error:  # nobody here cancels: Dask does, when its scheduler is gone
        raise UsageError(
            f"--scheduler {scheduler}: was lost; start it again and go on with --resume"
        ) from error
    finally:
        pool.close()
    table = _table(whole, store, done)
    _save(store, table)
    kept = sum(point.is_kept for point in done)
    wall_s = time.monotonic() - begin_s
    return Sweep(
        store.url, whole.design.title or whole.name, _frame(table), len(done), kept, wall_s
    )


def open_sweep(place: str | os.PathLike[str]) -> Sweep:
    """Open the folder of a sweep that has ended.

    Raises
    ------
    UsageError
        If it is none, or the sweep has not ended.
    """
    store = Store(absolute(place))
    about = store.design()
    if about is None:
        raise UsageError(f"{place}: is no folder of a sweep; it would hold a {DESIGN} of ours")
    content = store.get(TABLE)
    if content is None:
        raise UsageError(f"{place}: the sweep has not ended; go on with --resume")
    table = from_bytes(content)
    if table is None:
        raise UsageError(f"{place}: {TABLE} is damaged; write it anew with --resume")
    frame = _frame(table)
    return Sweep(store.url, about.get("title", ""), frame, frame["point"].nunique())


def default_folder(whole: Sweepable) -> str:
    """The folder of a sweep when nobody chooses one: name and hash of the design."""
    return f"runs/sweep-{whole.name}-{whole.fingerprint[:8]}"


def _opened(whole: Sweepable, out: str | os.PathLike[str] | None, *, resume: bool) -> Store:
    """The store of this sweep, new or with what there is of it."""
    store = Store(absolute(default_folder(whole) if out is None else out))
    if store.is_of_one_process:
        raise UsageError(
            f"{store.url}: workers are other processes and do not see it; name a folder"
        )
    about = store.design()
    if about is None and not store.is_empty():
        raise UsageError(
            f"{store.url}: holds files that are not of a sweep; choose a new or empty folder"
        )
    if about is not None and not resume:
        raise UsageError(
            f"{store.url}: holds a sweep already; go on with --resume, or choose a new folder"
        )
    if about and about.get("fingerprint") != whole.fingerprint:
        raise UsageError(
            f"{store.url}: is of another design; the design or a scenario has changed since, so "
            "choose a new folder"
        )
    store.prepare(_about(whole))
    return store


def _about(whole: Sweepable) -> bytes:
    about = {
        "format": FORMAT,
        "format_version": 1,
        "crossprem": simulator.__version__,
        "title": whole.design.title or whole.name,
        "fingerprint": whole.fingerprint,
        "points": len(whole.points),
        "design": whole.design.model_dump(mode="json", by_alias=True),
    }
    return (json.dumps(about, indent=2, ensure_ascii=False, default=str) + "\n").encode()


# ---------------------------------------------------------------------------------------------
# Handing out
# ---------------------------------------------------------------------------------------------


_Running: TypeAlias = dict[Future[list[Done]], tuple[tuple[Point, ...], float]]
"""What is under way: the points of each batch, and when it was handed out."""


@dataclass
class _Hands:
    """Hands out points until each is done or has failed."""

    pool: Workers
    job: Job
    points: Sequence[Point]
    progress: Progress | None
    _done: dict[int, Done] = field(default_factory=dict)
    _deaths: Counter[int] = field(default_factory=Counter)
    _busy_s: float = 0.0
    _computed_count: int = 0

    def compute(self) -> list[Done]:
        """What became of each point, in order."""
        waiting = deque(self.points)
        suspects: deque[Point] = deque()
        running: _Running = {}
        self._show()
        while waiting or suspects or running:
            if suspects and not running:
                # A worker was lost over one of these: alone in the pool, the guilty one shows.
                self._hand_out((suspects.popleft(),), running, suspects)
            while waiting and not suspects and self._has_room(running):
                self._hand_out(self._batch(waiting), running, suspects)
            finished, _ = wait(running, LOOK_S, FIRST_COMPLETED)
            lost: list[Point] = []
            for future in finished:
                points, begin_s = running.pop(future)
                error = future.exception()
                if error is None:
                    self._take(future.result(), time.monotonic() - begin_s)
                elif is_loss(error):
                    lost += points
                else:
                    raise error
            if lost:
                if self.pool.breaks_whole:
                    lost += _under_way(running)
                self._lose(lost, suspects)
        return [self._done[point.number] for point in self.points]

    def _hand_out(
        self,
        points: tuple[Point, ...],
        running: _Running,
        suspects: deque[Point],
    ) -> None:
        try:
            future = self.pool.executor.submit(work, self.job, points)
        except BrokenExecutor:  # a worker was lost while nobody looked
            self._lose([*points, *_under_way(running)], suspects)
            return
        running[future] = (points, time.monotonic())

    def _has_room(self, running: _Running) -> bool:
        """Whether another batch may go out: a suspect stays alone, and no queue grows long."""
        under_way = (point for points, _ in running.values() for point in points)
        is_with_suspect = any(self._deaths[point.number] for point in under_way)
        return len(running) < self.pool.count + AHEAD and not is_with_suspect

    def _batch(self, waiting: deque[Point]) -> tuple[Point, ...]:
        """As many points as take `BATCH_S`, as far as one knows, and no more than a fair share."""
        wanted = 1
        if self._computed_count:
            wanted = int(BATCH_S * len(self._done) / max(self._busy_s, 1e-6))
        elif self._done:
            wanted = KEPT_TOGETHER
        fair = len(waiting) // (2 * self.pool.count)
        size = max(1, min(wanted, fair, BATCH_MAX))
        return tuple(waiting.popleft() for _ in range(size))

    def _take(self, found: Iterable[Done], wall_s: float) -> None:
        for done in found:
            self._done[done.number] = done
            self._computed_count += not done.is_kept
        # A batch waits behind those in front of it: this is an upper bound.
        self._busy_s += wall_s
        self._show()

    def _lose(self, points: Iterable[Point], suspects: deque[Point]) -> None:
        """Begin anew with workers, and with the points that were under way."""
        self.pool.rebuild()
        for point in points:
            self._deaths[point.number] += 1
            if self._deaths[point.number] < DEATHS_MAX:
                suspects.append(point)
            else:
                error = f"its worker ended {DEATHS_MAX} times without an answer"
                self._done[point.number] = Done(point.number, FAILED, error=error)
        self._show()

    def _show(self) -> None:
        if self.progress is not None:
            self.progress(len(self._done), len(self.points))


def _under_way(running: _Running) -> list[Point]:
    """The points of all batches that are under way; they are no longer waited for."""
    points = list(itertools.chain.from_iterable(batch for batch, _ in running.values()))
    running.clear()
    return points


# ---------------------------------------------------------------------------------------------
# The table
# ---------------------------------------------------------------------------------------------


def _table(whole: Sweepable, store: Store, done: Sequence[Done]) -> Any:
    """All points in order: number, scenario and values in front, then the rows of the point."""
    import pyarrow as pa

    addresses = list(dict.fromkeys(point.address for point in done if point.address))
    rows = store.points(addresses)
    begins = _begins(rows)
    own: list[int] = []
    """Row of `rows` for each row of the table, -1 for a point of which nothing is kept."""
    of_point: list[int] = []
    for number, point in enumerate(done):
        begin, count = begins.get(point.address, (-1, 1))
        own += range(begin, begin + count)
        of_point += [number] * count
    taken = rows.take(pa.array([None if n < 0 else n for n in own], pa.int64()))
    status = [done[n].status for n in of_point]
    errors = [done[n].error or None for n in of_point]
    taken = taken.set_column(1, "status", pa.array(status, pa.string()))
    taken = taken.set_column(2, "error", pa.array(errors, pa.string()))
    front = {
        "point": pa.array([done[n].number for n in of_point], pa.int64()),
        "scenario": pa.array(
            [whole.bases[whole.points[n].base].name for n in of_point], pa.string()
        ),
        **_values(whole, of_point),
    }
    names = [*front, *schema().names]
    return pa.table([*front.values(), *taken.columns], names=names)


def _begins(rows: Any) -> dict[str, tuple[int, int]]:
    """First row and number of rows of each address: the rows of one stand together."""
    found: dict[str, tuple[int, int]] = {}
    position = 0
    for address, group in itertools.groupby(rows.column("address").to_pylist()):
        count = sum(1 for _ in group)
        found[address] = (position, count)
        position += count
    return found


def _values(whole: Sweepable, of_point: Sequence[int]) -> dict[str, Any]:
    """A column for what varies, as written; where it has a unit, one of SI numbers beside it."""
    import pyarrow as pa

    found: dict[str, Any] = {}
    for position, path in enumerate(whole.design.vary):
        written = [whole.points[n].values[position][1] for n in range(len(whole.points))]
        plain = all(isinstance(v, int | float) and not isinstance(v, bool) for v in written)
        values = written if plain else [str(v) for v in written]
        kind = pa.float64() if plain else pa.string()
        found[path] = pa.array([values[n] for n in of_point], kind)
        texts = {value if isinstance(value, str) else "" for value in written}
        dimensions = {dimension_of(text) for text in texts}
        dimension = dimensions.pop() if len(dimensions) == 1 else None
        if dimension is not None:
            unit = next(name for name, known in UNIT_OF.items() if known is dimension)
            numbers = [parse_quantity(str(value), dimension) for value in written]
            found[f"{path}_{unit}"] = pa.array([numbers[n] for n in of_point], pa.float64())
    return found


def _frame(table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(integer_object_nulls=False)
    for name in table.schema.names:
        if str(table.schema.field(name).type) == "int64":
            frame[name] = pd.array(table.column(name).to_pylist(), "Int64")
    return frame


def _save(store: Store, table: Any) -> None:
    try:
        store.put(TABLE, to_bytes(table))
    except OSError as error:
        raise UsageError(
            f"{store.url}: {TABLE} cannot be written ({error.strerror or error}); free some space "
            "and go on with --resume: no finished point is computed again"
        ) from error
