"""What a worker does: compute points, each durable before the next begins.

A worker looks at its deadline between kernel calls. If a point hangs inside a call, nobody can ask
it to stop: then a watchdog of the C library's kind ends the process some time after the deadline,
and whoever hands out the points sees a worker that is gone.
"""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TextIO

from simulator import engine, metrics, planner
from simulator.base.errors import CrosspremError, DeadlineError, InternalError, UsageError
from simulator.metrics.metric import Columns
from simulator.planner import cost
from simulator.recorder import Fidelity
from simulator.run import make_ready
from simulator.scenario import Scenario
from simulator.scenario.load import build
from simulator.study.design import Base, Point, Precision
from simulator.study.statistics import interval
from simulator.study.store import (
    FAILED,
    OK,
    Store,
    address_of,
    point_file,
    schema,
    to_bytes,
    version_hash,
)

HANG_RATIO: Final = 2.0
HANG_S: Final = 5.0
"""A worker ends itself after this many deadlines, and this long on top."""


@dataclass(frozen=True)
class Job:
    """What all points of a sweep have in common; sent with every batch."""

    url: str
    bases: tuple[Base, ...]
    overrides: tuple[tuple[str, Any], ...]
    replications: int | Precision
    timeout_s: float
    version: str
    """`store.version_hash()` of whoever hands out the points."""
    fidelities: tuple[Fidelity, ...]
    """Levels of simulation that the points may need."""
    is_elsewhere: bool
    """Whether workers may have sources of their own, which must be the same."""


@dataclass(frozen=True)
class Done:
    """What a worker says of one point; its rows are in the store, unless it says otherwise."""

    number: int
    status: str
    address: str = ""
    """Empty if nothing of it is in the store."""
    error: str = ""
    is_kept: bool = False
    """Whether it was there already."""


def begin() -> None:
    """Make a process of the pool end with its parent, whatever ends that."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, name="parent", daemon=True).start()


def work(job: Job, points: tuple[Point, ...]) -> list[Done]:
    """Compute points one after the other, and keep each at once.

    Raises
    ------
    UsageError
        If this worker has other sources than the one who hands out the points.
    """
    if job.is_elsewhere and job.version != version_hash():
        raise UsageError(
            "a worker has another version of crossprem or of its catalogue; install the same one "
            "on every machine"
        )
    for fidelity in job.fidelities:
        make_ready(fidelity)
    store = Store(job.url)
    return [_guarded(job, store, point) for point in points]


def _guarded(job: Job, store: Store, point: Point) -> Done:
    """One point; whatever goes wrong with it is said, and the next one is computed."""
    hang_s = HANG_RATIO * job.timeout_s + HANG_S
    faulthandler.dump_traceback_later(hang_s, exit=True, file=_nowhere())
    try:
        return _point(job, store, point)
    except OSError as error:
        return Done(point.number, FAILED, error=f"cannot be written: {error.strerror or error}")
    except DeadlineError:
        return Done(point.number, FAILED, error=f"took longer than {job.timeout_s:g} s")
    except MemoryError:
        return Done(point.number, FAILED, error="MemoryError: the machine has too little memory")
    except SystemExit as error:
        return Done(point.number, FAILED, error=f"SystemExit: {error.code}")
    finally:
        faulthandler.cancel_dump_traceback_later()


@cache
def _nowhere() -> TextIO:
    """A place for the traceback of a point that hangs, which nobody would read."""
    return Path(os.devnull).open("w", encoding="utf-8")


def _point(job: Job, store: Store, point: Point) -> Done:
    base = job.bases[point.base]
    overrides = dict(job.overrides) | dict(point.values)
    how = repr(job.replications)
    try:
        scenario = build(base.tree, base.name, overrides)
    except MemoryError:
        raise
    except Exception as error:  # whatever a point raises must not end the others
        values = json.dumps([base.tree.data, overrides], sort_keys=True, default=str)
        address = address_of(job.version, "unresolved", values, how)
        return _kept(store, point, address) or _failed(store, point, address, error)
    address = address_of(job.version, scenario.content_hash(), how)
    kept = _kept(store, point, address)
    if kept is not None:
        return kept
    try:
        table = _table(scenario, address, job)
    except (DeadlineError, OSError, MemoryError):
        raise
    except Exception as error:
        return _failed(store, point, address, error)
    store.put(point_file(address), to_bytes(table, is_small=True))
    return Done(point.number, OK, address)


def _kept(store: Store, point: Point, address: str) -> Done | None:
    """What became of a point, if that is in the store already."""
    found = store.kept(address)
    if found is None:
        return None
    status, error = found
    return Done(point.number, status, address, error, is_kept=True)


def _failed(store: Store, point: Point, address: str, error: Exception) -> Done:
    """Keep the error of a point: it would be the same again."""
    import pyarrow as pa

    text = _in_words(error)
    row = {"address": [address], "status": [FAILED], "error": [text]}
    columns = [pa.array(row.get(f.name, [None]), f.type) for f in schema()]
    table = pa.table(columns, schema=schema())
    store.put(point_file(address), to_bytes(table, is_small=True))
    return Done(point.number, FAILED, address, text)


def _in_words(error: Exception) -> str:
    if isinstance(error, CrosspremError) and not isinstance(error, InternalError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"


def _table(scenario: Scenario, address: str, job: Job) -> Any:
    """The rows of a point, all its replications one below the other."""
    import pyarrow as pa

    return pa.Table.from_batches(list(_replicated(scenario, address, job)))


def _replicated(scenario: Scenario, address: str, job: Job) -> Iterator[Any]:
    """The table `streams` of each replication, until there are enough."""
    wanted = job.replications
    most = wanted if isinstance(wanted, int) else wanted.at_most
    end_s = time.monotonic() + job.timeout_s
    seen: list[Any] = []
    for replicate in range(most):
        plan = planner.build(scenario, replicate)
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise DeadlineError("no time is left for the next replication")
        log = engine.run(plan, deadline_s=left_s)
        total_usd = cost.of_run(scenario, plan, log.total["delivered_bytes"]).total_usd
        own = {
            "address": address,
            "status": OK,
            "replicate": replicate,
            "monthly_cost_usd": total_usd,
        }
        batch = _batch(own, metrics.values("streams", plan, log))
        yield batch
        if isinstance(wanted, Precision):
            seen.append(batch)
            if len(seen) >= wanted.at_least and _is_precise(seen, wanted):
                return


def _batch(own: Mapping[str, Any], streams: Columns) -> Any:
    """Rows of a point as Arrow has them: `own` is the same in each, the rest is the streams'."""
    import pyarrow as pa

    count = len(streams["stream"])
    columns = [
        pa.array(streams[name], kind, from_pandas=True)
        if name in streams
        else pa.array([own.get(name)] * count, kind)
        for name, kind in zip(schema().names, schema().types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema())


def _is_precise(seen: Sequence[Any], wanted: Precision) -> bool:
    """Whether the figure is known well enough for each stream and direction with payload."""
    import pyarrow as pa

    keys = ["stream", "direction"]
    columns = [*keys, "goodput_bps", wanted.of]
    rows = pa.Table.from_batches(seen).select(list(dict.fromkeys(columns))).to_pandas()
    rows = rows[rows["goodput_bps"] > 0]
    for _, group in rows.groupby(keys, sort=False):
        found = interval(group[wanted.of].to_numpy(float), wanted.confidence)
        if found.count and not found.half_width <= wanted.half_width * abs(found.mean):
            return False
    return True
