"""What a report says, gathered from a run folder: tables, the scenario, and what `explain` finds.

A report computes nothing that a run has not: every figure is read from `summary.json` by its path
in it, and carries that path into the page, where a test compares both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator import run_folder
from simulator.base.units import BITS_PER_BYTE
from simulator.plan import PS_PER_S
from simulator.report.assumptions import Assumption, assumptions
from simulator.report.outlook import Outlook, outlook
from simulator.report.template import drawing, inline

if TYPE_CHECKING:
    import pandas as pd

    from simulator.plan import Plan
    from simulator.planner.explain import Explanation
    from simulator.scenario import Scenario

OTHER: Final = re.compile(r"others\[(\d+)\]\.(.*)")
STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def value_at(summary: dict[str, Any], path: str) -> Any:
    """Value at a path such as `streams[2].goodput_bps`."""
    found: Any = summary
    for name, number in STEP.findall(path):
        found = found[int(number)] if number else found[name]
    return found


@dataclass(frozen=True)
class Budget:
    """Where the mean latency of a stream in one direction goes, seconds one way."""

    stream: str
    direction: str
    propagation_s: float
    service_s: float
    jitter_s: float
    queueing_s: float
    """The rest of the mean: waiting behind other packets."""

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        """Name and seconds of each part, in the order in which they are drawn."""
        return (
            ("propagation", self.propagation_s),
            ("transmission and encryption", self.service_s),
            ("jitter of paths and gateways", self.jitter_s),
            ("queueing", self.queueing_s),
        )

    @property
    def total_s(self) -> float:
        """Sum of the parts."""
        return sum(value for _, value in self.parts)


class Evidence:
    """A run folder, read for a report."""

    def __init__(
        self, folder: Path, others: Sequence[Path] = (), growth: str | None = None
    ) -> None:
        """Read the folder, and those of other designs; raises UsageError if one is none of ours."""
        self.asked_growth = growth
        self.saved = run_folder.read(folder)
        self.summary = self.saved.summary
        self.manifest: dict[str, Any] = json.loads(
            (folder / run_folder.MANIFEST).read_text(encoding="utf-8")
        )

        self.others = tuple(Evidence(other) for other in others)

    def at(self, path: str) -> Any:
        """Value at a path of `summary.json`, such as `streams[2].goodput_bps`.

        A path that begins with `others[0].` leads into the summary of the first other design, one
        with `explain.` into what `crossprem explain --json` prints, one with `derived.` into what
        the report works out from the tables.
        """
        if other := OTHER.match(path):
            return self.others[int(other[1])].at(other[2])
        first, _, rest = path.partition(".")
        if first == "explain":
            return value_at(self.explained, rest)
        if first == "derived":
            return value_at(self.derived, rest)
        return value_at(self.summary, path)

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario with its defaults, as the run used it."""
        from simulator.scenario import load

        return load(self.saved.resolved)

    @cached_property
    def plan(self) -> Plan:
        """The plan of the run."""
        from simulator import planner

        return planner.build(self.scenario)

    @cached_property
    def explanation(self) -> Explanation:
        """Every ceiling of every stream."""
        from simulator.planner.explain import explain

        return explain(self.scenario)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """Table `timeline`."""
        return self.saved.table("timeline")

    @cached_property
    def latency_cdf(self) -> pd.DataFrame:
        """Table `latency_cdf`."""
        return self.saved.table("latency_cdf")

    @cached_property
    def payload(self) -> list[tuple[int, dict[str, Any]]]:
        """Rows of `streams` that carry payload, with their number in `summary.json`."""
        rows = enumerate(self.summary["streams"])
        return [(number, row) for number, row in rows if row["goodput_bps"]]

    @cached_property
    def topology_svg(self) -> str:
        """The drawing of the topology as SVG, empty for a plan that was made by hand."""
        if not self.saved.resolved:
            return ""
        alt = "Sites, devices, gateways and VNets, and what connects them"
        return self._drawing("topology", alt)

    @cached_property
    def failover_svg(self) -> str:
        """The timeline of the faults as SVG, empty if none struck."""
        if not self.summary["failovers"]:
            return ""
        faults = " and ".join(dict.fromkeys(row["fault"] for row in self.summary["failovers"]))
        alt = f"Rates, losses, latency, sessions and routes over time around {faults}"
        return self._drawing("failover", alt)

    def _drawing(self, name: str, alt: str) -> str:
        """A figure of the run folder, drawn now if it was not then."""
        path = self.saved.folder / run_folder.FIGURES / f"{name}.svg"
        if path.exists():
            return inline(path.read_text(encoding="utf-8"), name, alt)
        from simulator.result import Result

        return drawing(getattr(Result.open(self.saved.folder).plot, name)(), name, alt)

    @cached_property
    def assumptions(self) -> list[Assumption]:
        """Values with an origin other than the scenario itself, from the resolved scenario."""
        return list(assumptions(self.saved.resolved, self.scenario.era))

    @cached_property
    def outlook(self) -> Outlook | None:
        """When ceilings are full if the load grows; None if nobody states a growth."""
        return outlook(self)

    @cached_property
    def explained(self) -> dict[str, Any]:
        """What `crossprem explain --json` prints of the scenario."""
        return self.explanation.to_dict()

    @cached_property
    def derived(self) -> dict[str, Any]:
        """Figures that the report works out from the tables: budgets, test plan, forecast."""
        from simulator.report.chapters import steps

        return {
            "budgets": [dict(budget.parts) for budget in self.budgets],
            "steps": [step._asdict() for step in steps(self)],
            "outlook": None if self.outlook is None else self.outlook.to_dict(),
            "tail": self.tail,
        }

    @cached_property
    def tail(self) -> dict[str, Any] | None:
        """How far p99 lies above p50, of those streams in a tunnel that with the most packets.

        `latency_s` one way, with `stream` and `direction`; None if no stream is in a tunnel.
        """
        in_tunnel = {
            (stream.stream, stream.direction)
            for stream in self.explanation.streams
            if any(ceiling.ceiling.startswith("tunnel ") for ceiling in stream.ceilings)
        }
        rows = [
            row
            for _, row in self.payload
            if row["latency_s_p99"] is not None and (row["stream"], row["direction"]) in in_tunnel
        ]
        if not rows:
            return None
        row = max(rows, key=lambda row: row["packets_delivered"])
        latency_s = row["latency_s_p99"] - row["latency_s_p50"]
        return {
            "stream": row["stream"],
            "direction": row["direction"],
            "latency_s": latency_s,
        }

    @cached_property
    def budgets(self) -> list[Budget]:
        """The latency budget of each stream in one direction that carries payload."""
        return [
            budget
            for _, row in self.payload
            if row["latency_s_mean"] is not None
            for budget in [self._budget(row)]
            if budget is not None
        ]

    def _budget(self, row: dict[str, Any]) -> Budget | None:
        plan = self.plan
        names = {stream.name: number for number, stream in enumerate(plan.streams)}
        for route in plan.routes:
            where = plan.directions[route.direction_idx]
            if (where.stream_idx, where.direction) != (names[row["stream"]], row["direction"]):
                continue
            mean_bytes = row["bytes_delivered"] / max(1, row["packets_delivered"])
            propagation_s = service_s = jitter_s = 0.0
            for h in route.hop_idx:
                hop, rate_bps = plan.hop[h], plan.hops[h].rate_bps
                propagation_s += float(hop["delay_ps"]) / PS_PER_S
                if plan.hops[h].kind == "server":
                    slowest_s = float(hop["min_service_ps"]) / PS_PER_S
                    service_s += max(slowest_s, mean_bytes * BITS_PER_BYTE / rate_bps)
                if hop["jitter_interval_ps"] > 0:
                    quantiles = plan.jitter_table[int(hop["jitter_row"])]
                    jitter_s += float(quantiles.mean()) / PS_PER_S
            rest_s = row["latency_s_mean"] - propagation_s - service_s - jitter_s
            return Budget(
                row["stream"],
                row["direction"],
                propagation_s,
                service_s,
                jitter_s,
                max(0.0, rest_s),
            )
        return None
