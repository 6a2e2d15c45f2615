"""The result of a run, from its plan and log or from a run folder."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from simulator import metrics, run_folder
from simulator.base.errors import InternalError
from simulator.base.units import format_duration, format_rate, format_ratio
from simulator.metrics.accounting import imbalances
from simulator.metrics.metric import Column, TableName
from simulator.plan import PS_PER_S, Plan
from simulator.planner.cost import Ledger
from simulator.recorder import RunLog
from simulator.result.about import About
from simulator.result.figures import Plots
from simulator.result.performance import Performance
from simulator.result.rows import KEYS, hop_row, records, stream_row
from simulator.targets import Judgement, judge

if TYPE_CHECKING:
    from simulator.scenario import Scenario
    from simulator.sketch import Sketch

SCHEMA_VERSION: Final = 1
"""Version of `summary.json`; its schema is `simulator/schema/summary-v1.json`."""

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

_FROM_TABLES: Final = frozenset(
    {"streams", "hops", "events", "failovers", "targets", "cost", "warnings", "performance"}
)
"""What of `summary.json` is made anew from tables, or is kept apart."""


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
        """Return one of the tables that `simulator.metrics.TABLES` lists.

        Units end the names of columns; what is unknown is NaN or NA. A table is computed once and
        is the same object at each call.

        Raises
        ------
        FileNotFoundError
            If it was opened from a folder that lacks the table.
        """
        if name not in self._tables:
            self._tables[name] = self._build(name)
        return self._tables[name]

    @property
    def streams(self) -> pd.DataFrame:
        """One row for each stream and direction that sent a packet.

        Packets and bytes (inner IP) sent, delivered, in flight and dropped by reason over the whole
        run; rates (bits/s), loss and latencies (s, one way) after the warm-up.
        """
        return self.table("streams")

    @property
    def hops(self) -> pd.DataFrame:
        """One row for each hop and direction.

        Rate (bits/s), share of the time it served, what it served and dropped, its longest wait (s)
        and queue (bytes).
        """
        return self.table("hops")

    @property
    def timeline(self) -> pd.DataFrame:
        """One row for each stream, direction and time bin: as `streams`, from `time_s` on."""
        return self.table("timeline")

    @property
    def hop_timeline(self) -> pd.DataFrame:
        """One row for each server, direction and time bin: the share of it in which it served."""
        return self.table("hop_timeline")

    @property
    def latency_cdf(self) -> pd.DataFrame:
        """The histogram of one-way latencies of each stream and direction, after warm-up.

        A row for each bucket that holds packets: its edges in seconds, its packets, and the share
        of all packets that took no longer.
        """
        return self.table("latency_cdf")

    @property
    def events(self) -> pd.DataFrame:
        """What happened in the control plane, in order of time (s), each with its cause."""
        return self.table("events")

    @property
    def failovers(self) -> pd.DataFrame:
        """One row for each fault and each stream and direction that it affected.

        Instants of detection, rerouting and recovery in seconds of simulated time, NaN where there
        was none; lengths of outage and degradation in seconds; what was lost.
        """
        return self.table("failovers")

    @property
    def summary(self) -> pd.DataFrame:
        """The columns `KEYS` and `HEADLINES` of `streams`: rates, loss, latencies, outage."""
        return self.streams[[*KEYS, *HEADLINES]]

    @cached_property
    def targets(self) -> list[Judgement]:
        """The scenario's targets and whether the run met them."""
        return judge(self.limits, self.streams, self.monthly_cost_usd)

    @property
    def monthly_cost_usd(self) -> float | None:
        """What a month costs in US dollars; None if a price is unknown or nobody asked."""
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
    def name(self) -> str:
        """The scenario's name."""
        return str(self._head["scenario"])

    @property
    def title(self) -> str:
        """The scenario's title, or its name."""
        return str(self._head["title"] or self.name)

    @property
    def summary_dict(self) -> dict[str, Any]:
        """The object that `summary.json` holds: plain numbers and text, None where unknown."""
        return {
            **self._head,
            "streams": [stream_row(row) for row in records(self.streams)],
            "hops": [hop_row(row) for row in records(self.hops)],
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
        return f"{self.name}-{(self._head['scenario_hash'] or '0' * 8)[:8]}"

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
            f"<Result of {self.name}: {len(self.streams)} streams and directions, "
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


def _check_accounting(plan: Plan, log: RunLog, about: About) -> None:
    found = imbalances(plan, log)
    if found:
        raise InternalError(
            f"the accounts of {about.scenario} (hash {about.scenario_hash or 'unknown'}, "
            f"seed {plan.seed}, replicate {plan.replicate}) do not balance: " + "; ".join(found)
        )
