"""A comparison as one HTML file: which design is better, by how much, and how sure that is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simulator import run_folder
from simulator.base.errors import UsageError
from simulator.headlines import BY_NAME, COST, HEADLINES, LATENCY, MONTHLY_COST, OUTAGE
from simulator.report.decision import KIND_OF_TARGET, verdict_of
from simulator.report.evidence import value_at
from simulator.report.figures import show
from simulator.report.template import drawing, render
from simulator.study.folders import COMPARISON, DESIGNS
from simulator.study.paired import BETTER, IDENTICAL, NO_EVIDENCE, WORSE

if TYPE_CHECKING:
    import pandas as pd

SHOWN: Final = (MONTHLY_COST, LATENCY, BY_NAME["goodput_bps"], BY_NAME["loss_ratio"], OUTAGE)
"""Columns of the table of options, as they stand."""
KIND_OF_UNIT: Final = {"bps": "rate", "s": "duration", "ratio": "ratio", "usd": "money"}
DESIGN_AS_WHOLE: Final = "the design"


class Folder:
    """The folder of a comparison or a ranking, read for a report."""

    def __init__(self, folder: Path) -> None:
        """Read it; raises UsageError if it is none of ours."""
        saved = run_folder.read(folder)
        self.summary: dict[str, Any] = saved.summary
        self.resolved = saved.resolved
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads(
            (folder / run_folder.MANIFEST).read_text(encoding="utf-8")
        )
        self.table = saved.table

    def at(self, path: str) -> Any:
        """Value at a path of `summary.json`."""
        return value_at(self.summary, path)


class Box(NamedTuple):
    """One of the numbers of the decision box."""

    label: str
    path: str
    kind: str
    low: str
    high: str
    about: str


class Comparing:
    """What the page of a comparison says."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.summary = folder.summary
        self.baseline: str = folder.summary["baseline"]

    @cached_property
    def others(self) -> list[dict[str, Any]]:
        """The designs that are compared with the baseline."""
        found: list[dict[str, Any]] = self.summary["designs"][1:]
        return found

    @property
    def question(self) -> str:
        """What is asked."""
        names = " or ".join(design["name"] for design in self.others)
        return self.summary["question"] or f"Is {names} better than {self.baseline}?"

    @property
    def answer(self) -> str:
        """The design to take, in a sentence."""
        designs = self.summary["designs"]
        name = designs[self.best]["name"]
        cost = "costs least" if designs[self.best]["monthly_cost_usd"] is not None else "is first"
        with_targets = [d for d in designs if d["targets"]]
        meeting = [d for d in with_targets if verdict_of(d["targets"])[1]]
        if not with_targets:
            return f"{name} {cost}; the scenarios name no targets."
        if not meeting:
            return f"None of the {len(designs)} designs meets its targets; {name} misses fewest."
        if len(meeting) == 1:
            return f"{name}: the only one of {len(designs)} designs that meets its targets."
        return f"{name}: of {len(meeting)} designs that meet their targets it {cost}."

    @property
    def sentences(self) -> list[str]:
        """Each other design against the baseline."""
        return [self._sentence(design) for design in self.others]

    def _sentence(self, design: dict[str, Any]) -> str:
        name, verdict = design["name"], design["verdict"]
        rows = [r for r in self.summary["figures"] if r["design"] == name and r["figure"] != COST]
        better, worse = (sum(r["verdict"] == v for r in rows) for v in (BETTER, WORSE))
        cost = self._cost(design)
        match verdict:
            case "identical":
                return f"{name} is identical to {self.baseline}{cost}."
            case "no evidence":
                return f"There is no evidence that {name} differs from {self.baseline}{cost}."
        counts = f"better in {better} and worse in {worse} of {len(rows)} figures"
        return f"{name} is {counts} than {self.baseline}{cost}."

    def _cost(self, design: dict[str, Any]) -> str:
        mine, base = design["monthly_cost_usd"], self.summary["designs"][0]["monthly_cost_usd"]
        if mine is None or base is None:
            return ", at a cost that is not known"
        if abs(mine - base) < 0.01:
            return " at the same cost"
        word = "more" if mine > base else "less"
        return f", for {show(abs(mine - base), 'money')} a month {word}"

    @property
    def boxes(self) -> list[Box]:
        """Three numbers of the best design: the cheapest of those that meet most targets."""
        number = self.best
        design = self.summary["designs"][number]
        paths = f"designs[{number}].headlines."
        return [
            Box(
                headline.label,
                f"{paths}{headline.name}",
                headline.kind,
                f"{paths}{headline.name}_low",
                f"{paths}{headline.name}_high",
                design["name"],
            )
            for headline in (MONTHLY_COST, LATENCY, self._third())
        ]

    def _third(self) -> Any:
        had_outage = any(d["headlines"][OUTAGE.name] for d in self.summary["designs"])
        return OUTAGE if had_outage else BY_NAME["goodput_bps"]

    @cached_property
    def best(self) -> int:
        """Number of the design that misses the fewest targets, of these the cheapest."""
        designs = self.summary["designs"]

        def order(number: int) -> tuple[Any, ...]:
            design = designs[number]
            missed = sum(target["is_met"] is False for target in design["targets"])
            cost_usd = design["monthly_cost_usd"]
            latency_s = design["headlines"][LATENCY.name]
            unknown = float("inf")
            return (
                missed,
                unknown if cost_usd is None else cost_usd,
                unknown if latency_s is None else latency_s,
            )

        return min(range(len(designs)), key=order)

    @property
    def would_change(self) -> list[str]:
        """What the answer hangs on."""
        counts = [r for r in self.summary["figures"] if r["verdict"] == NO_EVIDENCE]
        found = []
        if counts:
            found.append(
                f"{len(counts)} differences are smaller than what "
                f"{self.summary['replications']} replications can show; more may tell them"
            )
        for design in self.summary["designs"]:
            for target in design["targets"]:
                if target["is_met"] is False:
                    kind = KIND_OF_TARGET.get(target["target"].partition(".")[0], "count")
                    found.append(
                        f"{design['name']} misses {target['target'].replace('_', ' ')}: "
                        f"{show(target['value'], kind)} against {show(target['limit'], kind)}"
                    )
        return found

    @property
    def has_titles(self) -> bool:
        """Whether titles tell the designs apart."""
        titles = [design["title"] for design in self.summary["designs"]]
        return all(titles) and len(set(titles)) == len(titles)

    def verdicts(self) -> Iterator[str]:
        """Of each design what its targets say."""
        for design in self.summary["designs"]:
            yield verdict_of(design["targets"])[0]

    @cached_property
    def best_of(self) -> dict[str, int]:
        """Number of the best design by headline, where it is the only one."""
        found = {}
        for headline in SHOWN:
            values = [d["headlines"][headline.name] for d in self.summary["designs"]]
            known = [v for v in values if v is not None]
            if len(known) < 2:
                continue
            best = min(known) if headline.less_is_better else max(known)
            if values.count(best) == 1:
                found[headline.name] = values.index(best)
        return found

    def figures_of(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Rows of a design that are not identical, with their path; those with a verdict first."""
        order = {WORSE: 0, BETTER: 1, NO_EVIDENCE: 2}
        rows = [
            (f"figures[{n}].", row)
            for n, row in enumerate(self.summary["figures"])
            if row["design"] == name and row["verdict"] != IDENTICAL
        ]
        return sorted(rows, key=lambda item: order[item[1]["verdict"]])

    def identical_count(self, name: str) -> int:
        """How many figures of a design are identical to the baseline's."""
        rows = (r for r in self.summary["figures"] if r["design"] == name)
        return sum(row["verdict"] == IDENTICAL for row in rows)


def kind_of(figure: str) -> str:
    """The kind of number that the name of a figure says."""
    return next(KIND_OF_UNIT[p] for p in reversed(figure.split("_")) if p in KIND_OF_UNIT)


def where(row: dict[str, Any]) -> str:
    """Stream and direction, or the design as a whole."""
    return f"{row['stream']} {row['direction']}".strip() or DESIGN_AS_WHOLE


def html(path: Path) -> str:
    """Write the page; the same folder gives the same bytes."""
    from markupsafe import Markup

    folder = Folder(path)
    content = Comparing(folder)
    table, designs = folder.table(COMPARISON), folder.table(DESIGNS)
    return render(
        "compare.html.j2",
        folder.at,
        version=folder.manifest["crossprem"],
        c=content,
        summary=folder.summary,
        manifest=folder.manifest,
        resolved=folder.resolved,
        columns=SHOWN,
        kind_of=kind_of,
        where=where,
        differences=Markup(_differences(table, folder.summary)),
        frontiers=[Markup(found) for found in _frontiers(designs)],
    )


def _differences(table: pd.DataFrame, summary: dict[str, Any]) -> str:
    from simulator import study_plots

    if table.empty or not (table["verdict"] != IDENTICAL).any():
        return ""
    axes = study_plots.differences(table, summary["baseline"], summary["confidence"])
    return drawing(axes, "differences", "Differences as shares of the baseline, with intervals")


def _frontiers(designs: pd.DataFrame) -> Iterator[str]:
    """Cost against latency, and against goodput, as far as costs are known."""
    from simulator import frontier_plot

    for headline in HEADLINES[:2][::-1]:
        try:
            axes = frontier_plot.designs(designs, y=headline.name)
        except UsageError:
            continue
        alt = f"Designs by cost a month and {headline.label}"
        yield drawing(axes, f"frontier-{headline.name.replace('_', '-')}", alt)
