"""The result of a run: tidy tables with units in the column names, figures, and the run folder.

`Result` is made from the plan and its log, or opened from a run folder; both have the same
tables. A table is computed when it is first asked for.
"""

from __future__ import annotations

import html
import math
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from kernels import layout
from simulator import headlines, metrics, run_folder
from simulator.base.errors import InternalError, UsageError
from simulator.base.units import format_duration, format_rate, format_ratio
from simulator.headlines import COST
from simulator.metrics.accounting import imbalances
from simulator.metrics.metric import Column, TableName
from simulator.plan import FORWARD, PS_PER_S, Direction, Plan
from simulator.planner.cost import Ledger
from simulator.recorder import RunLog
from simulator.targets import COLUMN_OF, MONTHLY_COST, Judgement, judge

if TYPE_CHECKING:
    from simulator.plots import Axes
    from simulator.scenario import Scenario
    from simulator.sketch import Sketch

SCHEMA_VERSION: Final = 1
"""Version of `summary.json`; its schema is `simulator/schema/summary-v1.json`."""

RSS_UNIT_BYTES: Final = 1 if sys.platform == "darwin" else 1024
"""Unit in which the system reports the largest memory of a process."""

KEYS: Final = ["stream", "direction"]
HEADLINES: Final[Mapping[str, Callable[[float], str]]] = {
    "offered_bps": format_rate,
    "goodput_bps": format_rate,
    "loss_ratio": format_ratio,
    "latency_s_p50": format_duration,
    "latency_s_p95": format_duration,
    "latency_s_p99": format_duration,
    "outage_s_max": format_duration,
}
"""Columns of `streams` that `summary` shows, and how people read them."""


@dataclass(frozen=True)
class About:
    """What a result keeps of the scenario that it answers."""

    scenario: str
    title: str = ""
    question: str = ""
    scenario_hash: str = ""
    """Hexadecimal SHA-256 of all its values, defaults included."""
    resolved: str = ""
    """The scenario as text, with every default filled in."""
    targets: Mapping[str, float] = field(default_factory=dict)
    """Limits in SI units by name of target."""
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, scenario: Scenario) -> About:
        """Take from a scenario what its result shows and keeps."""
        return cls(
            scenario=scenario.name,
            title=scenario.title,
            question=scenario.question or "",
            scenario_hash=scenario.content_hash(),
            resolved=scenario.resolved_yaml(),
            targets=scenario.targets.limits,
            warnings=tuple(str(problem) for problem in scenario.warnings),
        )


@dataclass(frozen=True)
class Performance:
    """What the run cost. The only figures of a result that differ from machine to machine."""

    packet_hops: int
    """Packets served by hops with a finite rate, data and ACKs; 0 at flow level."""
    cpu_s: float
    """CPU time of the engine, without compilation."""
    cpu_total_s: float
    """CPU time of planning, compiling and running."""
    wall_s: float
    """Time that passed meanwhile."""
    peak_rss_bytes: int
    """Largest memory of the process so far."""
    flow_events: int = 0
    """Flow level: arrivals and completions of TCP flows."""


class Stopwatch:
    """Measures what a run costs, from its own creation on."""

    def __init__(self) -> None:
        self._wall_s = time.perf_counter()
        self._cpu_s = time.process_time()

    def read(self, log: RunLog) -> Performance:
        """Return the cost so far, with what the log says of the engine's share."""
        return Performance(
            packet_hops=log.packet_hops,
            cpu_s=log.cpu_s,
            cpu_total_s=time.process_time() - self._cpu_s,
            wall_s=time.perf_counter() - self._wall_s,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT_BYTES,
            flow_events=log.flow_events,
        )


class Result:
    """What a run says.

    Parameters
    ----------
    plan, log
        The plan and what the engine logged of it.
    about
        What to keep of the scenario; by default only the plan's name for it.
    performance
        What the run cost; by default only what the log knows.
    cost
        What the design costs in a month, if that is known.

    Raises
    ------
    InternalError
        If a packet or byte is missing: sent is not delivered + dropped + in flight.
    """

    def __init__(
        self,
        plan: Plan,
        log: RunLog,
        *,
        about: About | None = None,
        performance: Performance | None = None,
        cost: Ledger | None = None,
    ) -> None:
        about = about or About(plan.scenario)
        _check_accounting(plan, log, about)
        machine = performance or Performance(log.packet_hops, log.cpu_s, log.cpu_s, 0.0, 0)
        head = {
            "schema_version": SCHEMA_VERSION,
            "scenario": about.scenario,
            "title": about.title,
            "question": about.question,
            "scenario_hash": about.scenario_hash,
            "seed": plan.seed,
            "replicate": plan.replicate,
            "fidelity": log.fidelity,
            "horizon_s": plan.horizon_ps / PS_PER_S,
            "warm_up_s": plan.warm_up_ps / PS_PER_S,
            "time_bin_s": plan.time_bin_ps / PS_PER_S,
        }
        if plan.zoom is not None:
            head["windows"] = [window.to_dict() for window in log.windows]
        self._load(
            head=head,
            resolved=about.resolved,
            limits=about.targets,
            warnings=tuple(
                dict.fromkeys((*about.warnings, *plan.meta.get("warnings", ()), *log.notes))
            ),
            performance=asdict(machine),
            cost=cost,
            build=lambda name: metrics.compute(name, plan, log),
            sketch=plan.meta.get("topology"),
        )

    @classmethod
    def open(cls, folder: str | Path) -> Result:
        """Open a run folder that `save` or the command wrote.

        Raises
        ------
        UsageError
            If `folder` is no run folder.
        """
        saved = run_folder.read(Path(folder))
        summary = saved.summary
        result = cls.__new__(cls)
        result._load(
            head={k: v for k, v in summary.items() if k not in _FROM_TABLES},
            resolved=saved.resolved,
            limits={t["target"]: t["limit"] for t in summary["targets"]},
            warnings=tuple(summary["warnings"]),
            performance=summary["performance"],
            cost=Ledger.from_dict(summary["cost"]) if summary.get("cost") else None,
            build=saved.table,
        )
        return result

    def _load(
        self,
        *,
        head: dict[str, Any],
        resolved: str,
        limits: Mapping[str, float],
        warnings: tuple[str, ...],
        performance: dict[str, Any],
        cost: Ledger | None,
        build: Callable[[TableName], pd.DataFrame],
        sketch: Sketch | None = None,
    ) -> None:
        self._sketch = sketch
        self._head = head
        self._resolved = resolved
        self.limits = dict(limits)
        """Limits of the scenario's targets in SI units, by name."""
        self._performance = performance
        self.cost = cost
        """What the design costs in a month with the traffic of this run; None if nobody asked."""
        self._build = build
        self._tables: dict[TableName, pd.DataFrame] = {}
        self.warnings = warnings
        """What the planner wants the reader to know."""
        self.plot = Plots(self)
        """Figures: `.latency()`, `.throughput()`, `.cdf()`, `.utilisation()`, `.failover()`,
        `.topology()`, `.waterfall()`, `.frontier()`."""

    # ---- tables ----------------------------------------------------------------------------

    def table(self, name: TableName) -> pd.DataFrame:
        """Return one of the tables that `simulator.metrics.TABLES` lists."""
        if name not in self._tables:
            self._tables[name] = self._build(name)
        return self._tables[name]

    @property
    def streams(self) -> pd.DataFrame:
        """One row for each stream and direction that sent a packet."""
        return self.table("streams")

    @property
    def hops(self) -> pd.DataFrame:
        """One row for each hop and direction."""
        return self.table("hops")

    @property
    def timeline(self) -> pd.DataFrame:
        """One row for each stream, direction and time bin."""
        return self.table("timeline")

    @property
    def hop_timeline(self) -> pd.DataFrame:
        """One row for each server, direction and time bin: how busy it was."""
        return self.table("hop_timeline")

    @property
    def latency_cdf(self) -> pd.DataFrame:
        """The histogram of latencies of each stream and direction, after warm-up."""
        return self.table("latency_cdf")

    @property
    def events(self) -> pd.DataFrame:
        """What happened in the control plane, in order of time, each with its cause."""
        return self.table("events")

    @property
    def failovers(self) -> pd.DataFrame:
        """One row for each fault and each stream and direction that it affected."""
        return self.table("failovers")

    @property
    def summary(self) -> pd.DataFrame:
        """The headline columns of `streams`."""
        return self.streams[[*KEYS, *HEADLINES]]

    @cached_property
    def targets(self) -> list[Judgement]:
        """The scenario's targets and whether the run met them."""
        return judge(self.limits, self.streams, self.monthly_cost_usd)

    @property
    def monthly_cost_usd(self) -> float | None:
        """What a month costs; None if a price is unknown."""
        return None if self.cost is None else self.cost.total_usd

    # ---- what a run leaves -----------------------------------------------------------------

    @property
    def scenario(self) -> Scenario | None:
        """The scenario with every default; None for a plan that was made by hand."""
        from simulator.scenario import load

        return load(self._resolved) if self._resolved else None

    @property
    def sketch(self) -> Sketch | None:
        """What `plot.topology` draws; None for a plan made by hand, or a scenario of nothing."""
        if self._sketch is None and (scenario := self.scenario) is not None:
            from simulator import planner

            self._sketch = planner.build(scenario).meta["topology"]
        return self._sketch if self._sketch is not None and self._sketch.boxes else None

    @property
    def title(self) -> str:
        """The scenario's title, or its name."""
        return str(self._head["title"] or self._head["scenario"])

    @property
    def summary_dict(self) -> dict[str, Any]:
        """The object that `summary.json` holds: plain numbers and text, None where unknown."""
        return {
            **self._head,
            "streams": [_stream_row(row) for row in records(self.streams)],
            "hops": [_hop_row(row) for row in records(self.hops)],
            "events": records(self.events),
            "failovers": records(self.failovers),
            "targets": [asdict(judgement) for judgement in self.targets],
            "cost": None if self.cost is None else self.cost.to_dict(),
            "warnings": list(self.warnings),
            "performance": self._performance,
        }

    @property
    def folder_name(self) -> str:
        """The name of the run folder when nobody chooses one: scenario and hash."""
        return f"{self._head['scenario']}-{(self._head['scenario_hash'] or '0' * 8)[:8]}"

    def save(
        self,
        folder: str | Path,
        *,
        figures: bool = True,
        command: str | None = None,
        summary: Mapping[str, Any] | None = None,
        more_tables: Mapping[str, tuple[pd.DataFrame, Sequence[Column]]] | None = None,
    ) -> Path:
        """Write the run folder: all of it, or nothing.

        Parameters
        ----------
        folder
            Where; a run folder that is there already is replaced.
        figures
            Whether to draw the figures, which takes the most time.
        command
            The command that made the run, for the manifest.
        summary
            What to write as `summary.json` in place of `summary_dict`.
        more_tables
            Tables beside those of `simulator.metrics.TABLES`, with their columns.

        Returns
        -------
        Path
            The folder, absolute.

        Raises
        ------
        UsageError
            If the folder holds other things, or cannot be written.
        """
        run_folder.check_place(Path(folder))
        tables: dict[str, tuple[pd.DataFrame, Sequence[Column]]] = {
            name: (self.table(name), metrics.columns(name)) for name in metrics.TABLES
        }
        return run_folder.write(
            Path(folder),
            tables=tables | dict(more_tables or {}),
            summary=self.summary_dict if summary is None else summary,
            resolved=self._resolved,
            figures=self.plot.all() if figures else {},
            command=command,
        )

    # ---- for people ------------------------------------------------------------------------

    def __repr__(self) -> str:
        head = self._head
        return (
            f"<Result of {head['scenario']}: {len(self.streams)} streams and directions, "
            f"{head['horizon_s']:g} s, seed {head['seed']}>"
        )

    def _repr_html_(self) -> str:
        rows = self.summary.copy()
        for name, show in HEADLINES.items():
            rows[name] = [show(value) for value in rows[name]]
        question = f"<p><em>{html.escape(str(self._head['question'] or ''))}</em></p>"
        verdicts = "".join(f"<li>{html.escape(str(j))}</li>" for j in self.targets)
        return (
            f"<h4>{html.escape(self.title)}</h4>{question}"
            f"{rows.to_html(index=False, border=0, justify='left')}"
            f"{f'<ul>{verdicts}</ul>' if verdicts else ''}"
        )


class Plots:
    """The figures of a result; each method draws one and returns its Axes."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def latency(self, **options: Any) -> Axes:
        """Latency over time; `options` as in `simulator.plots.latency`."""
        from simulator import plots

        return plots.latency(self._result.timeline, self._result.events, **options)

    def throughput(self, **options: Any) -> Axes:
        """Offered and delivered rate over time; `options` as in `simulator.plots.throughput`."""
        from simulator import plots

        return plots.throughput(self._result.timeline, self._result.events, **options)

    def cdf(self, **options: Any) -> Axes:
        """Distribution of latencies of what carries payload; `options` as in `plots.cdf`."""
        from simulator import plots

        streams = self._result.streams
        payload = streams.loc[streams["goodput_bps"] > 0, KEYS]
        return plots.cdf(self._result.latency_cdf.merge(payload, on=KEYS), **options)

    def utilisation(self, **options: Any) -> Axes:
        """The busiest hops; `options` as in `simulator.plots.utilisation`."""
        from simulator import plots

        return plots.utilisation(self._result.hops, **options)

    def failover(self) -> Axes:
        """What the faults did to traffic, sessions and routes; see `simulator.failover_plot`."""
        from simulator import failover_plot

        found = self._result
        return failover_plot.failover(found.timeline, found.events, found.failovers)

    def waterfall(self, stream: str, direction: Direction = FORWARD) -> Axes:
        """Every ceiling of a stream and what it got; see `simulator.waterfall_plot`.

        Raises
        ------
        UsageError
            If the scenario has no such stream, or the plan was made by hand.
        """
        from simulator import waterfall_plot
        from simulator.planner.explain import explain

        scenario = self._result.scenario
        if scenario is None:
            raise UsageError("a plan made by hand has no ceilings; run a scenario")
        try:
            row = explain(scenario).stream(stream, direction)
        except KeyError as error:
            raise UsageError(str(error.args[0])) from None
        streams = self._result.streams
        found = streams[(streams["stream"] == stream) & (streams["direction"] == direction)]
        goodput_bps = float(found["goodput_bps"].iloc[0]) if len(found) else None
        return waterfall_plot.waterfall(row, goodput_bps)

    def topology(self) -> Axes:
        """Sites, devices, tunnels, gateways, circuits and VNets; see `simulator.topology_plot`.

        Raises
        ------
        UsageError
            If the plan was made by hand: it knows hops and no design.
        """
        from simulator import topology_plot

        sketch = self._result.sketch
        if sketch is None:
            raise UsageError("a plan made by hand has no topology; run a scenario")
        return topology_plot.topology(sketch, self._result.title)

    def frontier(
        self,
        *others: Result,
        x: str = COST,
        y: str = "latency_s_p95",
        names: Sequence[str] | None = None,
    ) -> Axes:
        """Draw this design among others, and which of them no other beats in both figures.

        Parameters
        ----------
        others
            Results of other designs; alone, the design is one point. The targets of this one are
            dashed lines.
        x, y
            Figures of whole designs, names of `simulator.headlines.HEADLINES`.
        names
            What to call the designs, this one first; by default the names of their scenarios.

        Raises
        ------
        UsageError
            If there is no such figure, no design has both (a price may be unknown), or the names
            are not as many as the designs.
        """
        from simulator import frontier_plot

        results = (self._result, *others)
        called = _names_of(results) if names is None else list(names)
        if len(called) != len(results):
            raise UsageError(f"frontier: {len(results)} designs have {len(called)} names")
        limits = {COLUMN_OF.get(n, COST): v for n, v in self._result.limits.items() if n in LIMITS}
        return frontier_plot.designs(_designs(results, called), x=x, y=y, limits=limits)

    def all(self) -> dict[str, Axes]:
        """Every figure that a run folder holds, by name: that of failovers if a fault struck."""
        figures = {
            "latency": self.latency(),
            "throughput": self.throughput(),
            "latency-cdf": self.cdf(),
            "utilisation": self.utilisation(),
        }
        if not self._result.failovers.empty:
            figures["failover"] = self.failover()
        if self._result.sketch is not None:
            figures["topology"] = self.topology()
        return figures


LIMITS: Final = {*COLUMN_OF, MONTHLY_COST}
"""Targets that are limits of a whole design."""


def _names_of(results: Sequence[Result]) -> list[str]:
    """Names of scenarios, with the hash where two have the same."""
    names = [str(result._head["scenario"]) for result in results]
    if len(set(names)) == len(names):
        return names
    return [result.folder_name for result in results]


def _designs(results: Sequence[Result], names: Sequence[str]) -> pd.DataFrame:
    """One row for each design: `design` and every headline."""
    frames = []
    for n, (result, name) in enumerate(zip(results, names, strict=True)):
        cost_usd = math.nan if result.monthly_cost_usd is None else result.monthly_cost_usd
        frames.append(result.streams.assign(number=n, design=name, monthly_cost_usd=cost_usd))
    return headlines.of_runs(pd.concat(frames), ["number", "design"]).reset_index()


def _check_accounting(plan: Plan, log: RunLog, about: About) -> None:
    found = imbalances(plan, log)
    if found:
        raise InternalError(
            f"the accounts of {about.scenario} (hash {about.scenario_hash or 'unknown'}, "
            f"seed {plan.seed}, replicate {plan.replicate}) do not balance: " + "; ".join(found)
        )


_FROM_TABLES = {
    "streams",
    "hops",
    "events",
    "failovers",
    "targets",
    "cost",
    "warnings",
    "performance",
}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn the rows of a frame into objects of plain Python values, None for what is unknown."""
    columns = {name: [_plain(v) for v in frame[name].tolist()] for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def _by_reason(row: dict[str, Any], unit: str) -> dict[str, int]:
    return {reason: row[f"{unit}_dropped_{reason}"] for reason in layout.REASONS}


def _stream_row(row: dict[str, Any]) -> dict[str, Any]:
    """Take the row of `streams`, its drops by reason gathered in one object for each unit."""
    kept = {k: v for k, v in row.items() if "_dropped_" not in k}
    return kept | {f"{u}_dropped": _by_reason(row, u) for u in ("packets", "bytes")}


def _hop_row(row: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in row.items() if "_dropped" not in k}
    return kept | {"drops": _by_reason(row, "packets")}
