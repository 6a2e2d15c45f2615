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

if TYPE_CHECKING:
    import pandas as pd

    from simulator.plan import Plan
    from simulator.planner.explain import Explanation
    from simulator.scenario import Scenario

ORIGIN: Final = re.compile(
    r"^(?P<indent> *)(?P<item>- )?(?P<key>[^:#]+): ?(?P<value>.*?)(?:  # (?P<origin>.*))?$"
)
OTHER: Final = re.compile(r"others\[(\d+)\]\.(.*)")
STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True)
class Assumption:
    """A value that nobody wrote into the scenario, with where it comes from."""

    path: str
    value: str
    origin: str

    @property
    def trust(self) -> str:
        """`estimate`, `disputed`, `derived` or `published`, as the catalogue marks the row."""
        for word, mark in (
            ("estimate", "estimate"),
            ("conflict", "disputed"),
            ("derived", "derived"),
        ):
            if self.origin.endswith(mark if word != "conflict" else word):
                return mark
        return "published"


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

    def __init__(self, folder: Path, others: Sequence[Path] = ()) -> None:
        """Read the folder, and those of other designs; raises UsageError if one is none of ours."""
        self.saved = run_folder.read(folder)
        self.summary = self.saved.summary
        self.manifest: dict[str, Any] = json.loads(
            (folder / run_folder.MANIFEST).read_text(encoding="utf-8")
        )

        self.others = tuple(Evidence(other) for other in others)

    def at(self, path: str) -> Any:
        """Value at a path of `summary.json`, such as `streams[2].goodput_bps`.

        A path that begins with `others[0].` leads into the summary of the first other design.
        """
        if other := OTHER.match(path):
            return self.others[int(other[1])].at(other[2])
        found: Any = self.summary
        for name, number in STEP.findall(path):
            found = found[int(number)] if number else found[name]
        return found

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
        """The drawing of the topology as SVG, empty if the folder holds none."""
        path = self.saved.folder / run_folder.FIGURES / "topology.svg"
        if not path.exists():
            return ""
        text = path.read_text(encoding="utf-8")
        return text[text.index("<svg") :]

    @cached_property
    def assumptions(self) -> list[Assumption]:
        """Values with an origin other than the scenario itself, from the resolved scenario."""
        found = []
        above: list[tuple[int, str]] = []
        for line in self.saved.resolved.splitlines():
            match = ORIGIN.match(line)
            if match is None or line.startswith("#"):
                continue
            depth = len(match["indent"]) + (2 if match["item"] else 0)
            above = [(indent, key) for indent, key in above if indent < depth]
            key = match["key"].strip()
            above.append((depth, key))
            origin = match["origin"]
            if origin and origin != "default":
                path = ".".join(name for _, name in above)
                found.append(Assumption(path, match["value"].strip(), origin))
        return found

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
