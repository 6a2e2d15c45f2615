"""Worst-case search: every single fault that a design admits, or every pair, each in its own run.

A fault strikes at one instant after the warm-up. One that lasts is repaired after the slowest
detection that the design documents, and the run goes on until the slowest recovery is over; so a
table of what each fault did to each stream is comparable, whatever the scenario's own faults are
(they are left out).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from simulator import run_folder
from simulator.base.errors import CrosspremError, ScenarioError, UsageError
from simulator.base.fields import BriefFaultSchema
from simulator.catalog import Catalog, load_catalog
from simulator.faults import FAULTS, bgp_session_reset
from simulator.metrics.metric import COUNT, TEXT, Column
from simulator.result import Result, records

if TYPE_CHECKING:
    from simulator.scenario import Scenario

BEFORE_BINS: Final = 10
"""Time bins between the warm-up and the fault: what a failover is compared with."""
AFTER_BINS: Final = 10
"""Time bins after the slowest recovery, so that it is seen to last."""
SCHEMA_VERSION: Final = 1
TABLE: Final = "whatif"

COLUMNS: Final = (
    Column("fault", TEXT, "Kind of the fault and what it strikes; two joined by + in a pair."),
    Column("stream", TEXT, "Name of the stream."),
    Column("direction", TEXT, "`forward` or `return`."),
    Column("outage_s", "s", "Time of the bins in which nothing arrived.", "less"),
    Column("degraded_s", "s", "Time of the bins with less than 90 %, but some.", "less"),
    Column("packets_lost", "packets", "Packets dropped from the fault until it is over.", "less"),
    Column("bytes_lost", "bytes", "Inner IP bytes of these packets.", "less"),
    Column("flows_reset", COUNT, "Flows that a stateful device ended.", "less"),
    Column("latency_s_p95", "s", "Worst p95 of a time bin from the fault on.", "less"),
    Column("recovered_after_s", "s", "Time from the fault to the recovery; none if it never came."),
    Column("is_affected", TEXT, "`yes`, or `no` if the fault left the direction alone."),
)
NAMES: Final = [column.name for column in COLUMNS]
NOT_IN_LABEL: Final = frozenset({"kind", "at", "duration"})
WORST_FIRST: Final = ["outage_s", "bytes_lost", "latency_s_p95"]
"""Columns by which rows are ranked, the greatest first."""


@dataclass(frozen=True)
class Timing:
    """When faults strike and end in a search."""

    at_s: float
    lasting_s: float
    """How long a fault lasts that does not end by itself."""
    horizon_s: float


@dataclass(frozen=True)
class Whatif:
    """What a search found."""

    scenario: str
    scenario_hash: str
    title: str
    seed: int
    fidelity: str
    timing: Timing
    table: pd.DataFrame
    """A row for each case, stream and direction, the worst first."""
    refused: tuple[tuple[str, str], ...]
    """Cases that could not be run, and why."""

    @property
    def worst(self) -> pd.DataFrame:
        """For each stream and direction the fault that hurts it most, the worst stream first."""
        return self.table.groupby(["stream", "direction"], sort=False).head(1)

    @property
    def cases_count(self) -> int:
        """How many faults or pairs were tried."""
        return int(self.table["fault"].nunique()) + len(self.refused)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "scenario": self.scenario,
            "scenario_hash": self.scenario_hash,
            "title": self.title,
            "seed": self.seed,
            "fidelity": self.fidelity,
            "fault_at_s": self.timing.at_s,
            "fault_lasting_s": self.timing.lasting_s,
            "horizon_s": self.timing.horizon_s,
            "cases": self.cases_count,
            "worst": records(self.worst),
            "rows": records(self.table),
            "refused": [{"fault": fault, "why": why} for fault, why in self.refused],
        }

    def save(self, folder: Path, resolved: str, command: str | None = None) -> Path:
        """Write the run folder: the table as Parquet and CSV, the summary, the scenario."""
        return run_folder.write(
            folder,
            tables={TABLE: (self.table, COLUMNS)},
            summary=self.to_dict(),
            resolved=resolved,
            figures={},
            command=command,
            texts={f"{TABLE}.csv": self.table.to_csv(index=False, lineterminator="\n")},
        )


# ---- what to try -----------------------------------------------------------------------------


def timing(
    scenario: Scenario,
    *,
    at_s: float | None = None,
    lasting_s: float | None = None,
    horizon_s: float | None = None,
) -> Timing:
    """When faults strike and end: as asked, or so that the slowest documented recovery fits."""
    run = scenario.run
    catalog = load_catalog(scenario.era)
    at_s = run.warm_up + BEFORE_BINS * run.time_bin if at_s is None else at_s
    lasting_s = max(_detections_s(scenario, catalog)) if lasting_s is None else lasting_s
    recovery_s = _recovery_s(catalog) + AFTER_BINS * run.time_bin
    horizon_s = at_s + lasting_s + recovery_s if horizon_s is None else horizon_s
    if not 0.0 <= at_s < horizon_s or lasting_s <= 0.0:
        raise UsageError("faults must begin before the horizon, and last some time")
    return Timing(at_s, lasting_s, horizon_s)


def _detections_s(scenario: Scenario, catalog: Catalog) -> Iterator[float]:
    """The slowest documented times until somebody notices or takes over."""
    default = catalog.default
    for gateway in scenario.gateways.values():
        if gateway.type == "vpn":
            yield default(f"gateway.take_over.{gateway.failover.unplanned}").max or 0.0
            yield default("gateway.reset").max or 0.0
    for connection in scenario.connections.values():
        if connection.type == "ipsec":
            device = connection.dpd.device
            yield max(connection.dpd.gateway, device.interval * device.retries)
            if connection.routing == "bgp":
                yield default("bgp.hold").value
        elif connection.type == "vnet-to-vnet":
            yield connection.dpd
        elif connection.type == "expressroute":
            worst_s = default("expressroute.convergence_worst").value
            yield scenario.circuits[connection.circuit].bgp.hold + worst_s
    yield default("site.lan_failover.ospf.dead").value


def _recovery_s(catalog: Catalog) -> float:
    """The longest waits of IKE and of BGP's connect retry, and one between announcements."""
    default = catalog.default
    base, tries = default("ike.retransmit_base").value, default("ike.retransmit_tries").value
    names = ("bgp.connect_retry", "bgp.advertisement_interval")
    longest_s = float(default("ike.retransmit_timeout").value * base**tries)
    return longest_s + sum(default(name).value for name in names)


def single_faults(scenario: Scenario, when: Timing) -> Iterator[Mapping[str, Any]]:
    """Every single fault that the design admits, as an entry of `faults`."""
    for kind, module in FAULTS.items():
        is_brief = issubclass(module.Schema, BriefFaultSchema) or module is bgp_session_reset
        for fields in module.admitted(scenario):
            entry = {"kind": kind, **fields, "at": f"{when.at_s} s"}
            is_lasting = getattr(module, "IS_LASTING", False) or fields.get("mismatch", False)
            if is_lasting or not is_brief:
                entry["duration"] = f"{when.lasting_s} s"
            yield entry


def label(entry: Mapping[str, Any]) -> str:
    """A fault in a few words."""
    details = [
        name if value is True else f"{name} {value}" if isinstance(value, int) else str(value)
        for name, value in entry.items()
        if name not in NOT_IN_LABEL
    ]
    return " ".join([str(entry["kind"]), *details])


# ---- the search ------------------------------------------------------------------------------


def whatif(
    scenario: Scenario,
    *,
    pairs: bool = False,
    when: Timing | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Whatif:
    """Run every single fault that a design admits, or every pair of them, and rank what they do.

    Parameters
    ----------
    when
        When faults strike and end; by default as `timing` finds.
    workers
        Processes that run cases at the same time.
    progress
        Called with the cases that are done, and all.

    Raises
    ------
    UsageError
        If the design admits no fault, or has no traffic, or if a worker is lost.
    """
    when = when or timing(scenario)
    entries = list(single_faults(scenario, when))
    cases: list[tuple[Mapping[str, Any], ...]] = (
        list(itertools.combinations(entries, 2)) if pairs else [(entry,) for entry in entries]
    )
    if not cases or not scenario.traffic:
        raise UsageError("a search needs traffic, and parts of the design that can fail")
    horizon = f"{when.horizon_s} s"
    found: dict[int, pd.DataFrame | str] = {}
    for number, outcome in _outcomes(scenario, cases, horizon, workers):
        found[number] = outcome
        if progress is not None:
            progress(len(found), len(cases))
    names = [" + ".join(map(label, case)) for case in cases]
    frames = [f.assign(fault=names[n]) for n, f in sorted(found.items()) if not isinstance(f, str)]
    if not frames:
        raise UsageError(f"no case could be run; the first says: {found[0]}")
    table = pd.concat(frames, ignore_index=True)[NAMES]
    return Whatif(
        scenario=scenario.name,
        scenario_hash=scenario.content_hash(),
        title=scenario.title,
        seed=scenario.run.seed,
        fidelity=scenario.run.fidelity,
        timing=when,
        table=_ranked(table),
        refused=tuple((names[n], f) for n, f in sorted(found.items()) if isinstance(f, str)),
    )


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    ordered = table.sort_values(WORST_FIRST, ascending=False, kind="stable")
    return ordered.reset_index(drop=True)


def _outcomes(
    scenario: Scenario,
    cases: Sequence[Sequence[Mapping[str, Any]]],
    horizon: str,
    workers: int,
) -> Iterator[tuple[int, pd.DataFrame | str]]:
    """What each case does, in whatever order the cases are finished."""
    jobs = [{"faults": [dict(entry) for entry in case], "run.horizon": horizon} for case in cases]
    if workers == 1:
        for number, overrides in enumerate(jobs):
            yield number, outcome(scenario, overrides)
        return
    from simulator.study.executors import LocalWorkers

    pool = LocalWorkers(workers, (scenario.run.fidelity,))
    try:
        futures = {
            pool.executor.submit(outcome, scenario, overrides): number
            for number, overrides in enumerate(jobs)
        }
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenExecutor as error:
        raise UsageError(
            f"a worker was lost, perhaps for want of memory ({error}); use fewer workers"
        ) from None
    finally:
        pool.close()


def outcome(scenario: Scenario, overrides: Mapping[str, Any]) -> pd.DataFrame | str:
    """The rows of one case, without its name; or why it cannot be."""
    from simulator.run import run

    try:
        return case_rows(run(scenario.with_(overrides)))
    except ScenarioError as error:
        return error.problems[0].rule
    except CrosspremError as error:
        return str(error)


def case_rows(result: Result) -> pd.DataFrame:
    """What the faults of a run did to each direction of each stream: the worst of all of them."""
    keys = ["stream", "direction"]
    begun = result.events[result.events["kind"].isin(FAULTS.names())]
    begin_s = float(begun["time_s"].min()) if len(begun) else 0.0
    later = result.timeline[result.timeline["time_s"] >= begin_s]
    worst = later.groupby(keys, sort=False)["latency_s_p95"].max()
    rows = [
        {"stream": stream, "direction": direction, "latency_s_p95": worst.get((stream, direction))}
        | _effect(result.failovers, str(stream), str(direction))
        for stream, direction in result.streams[keys].itertuples(index=False)
    ]
    frame = pd.DataFrame(rows, columns=[name for name in NAMES if name != "fault"])
    return frame.astype({"latency_s_p95": "float64", "recovered_after_s": "float64"})


def _effect(failovers: pd.DataFrame, stream: str, direction: str) -> dict[str, Any]:
    """What happened to a direction; faults of a pair that overlap count the same losses."""
    hit = failovers[(failovers["stream"] == stream) & (failovers["direction"] == direction)]
    if hit.empty:
        amounts = dict.fromkeys(("packets_lost", "bytes_lost", "flows_reset"), 0)
        times = {"outage_s": 0.0, "degraded_s": 0.0, "recovered_after_s": math.nan}
        return {**times, **amounts, "is_affected": "no"}
    took = hit["recovered_s"] - hit["started_s"]
    return {
        "outage_s": float(hit["outage_s"].max()),
        "degraded_s": float(hit["degraded_s"].max()),
        "packets_lost": int(hit["packets_lost"].max()),
        "bytes_lost": int(hit["bytes_lost"].max()),
        "flows_reset": int(hit["flows_reset"].sum()),
        "recovered_after_s": float(took.max(skipna=False)),
        "is_affected": "yes",
    }


def folder_name(found: Whatif) -> str:
    """Name of the run folder that nobody named."""
    return f"whatif-{found.scenario}-{found.scenario_hash[:8]}"
