"""A finished sweep as one HTML file or as Markdown: its points, and those that no other beats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import simulator
from simulator.base.errors import UsageError
from simulator.headlines import HEADLINES, LATENCY
from simulator.report.evidence import value_at
from simulator.report.figures import show
from simulator.report.template import drawing, render
from simulator.study.options import inputs_of, points

if TYPE_CHECKING:
    from simulator.study.sweep import Sweep

ROWS_MAX: Final = 1_000
"""Points that the page lists; the table of the sweep has them all."""


class Swept:
    """What the page of a sweep says."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.inputs = inputs_of(sweep.table)
        self.table = points(sweep.table)
        self.data = {"points": [_plain(row) for row in self.table.to_dict("records")]}
        self.best = [n for n, row in enumerate(self.data["points"]) if row["monthly_cost_usd"]]
        self.best.sort(key=lambda n: self.data["points"][n]["monthly_cost_usd"])

    def at(self, path: str) -> Any:
        """Value at a path such as `points[3].latency_s_p95`."""
        return value_at(self.data, path)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The points that are listed."""
        return self.data["points"][:ROWS_MAX]

    @property
    def left_out(self) -> int:
        """How many are not."""
        return max(0, len(self.data["points"]) - ROWS_MAX)

    def extremes(self) -> Iterator[tuple[str, str, str, str]]:
        """For the decision box: label, path, kind and the point with the best value."""
        for headline in HEADLINES:
            known = [
                (row[headline.name], n)
                for n, row in enumerate(self.data["points"])
                if row[headline.name] is not None
            ]
            if known and headline.name not in {"loss_ratio", "outage_s_max"}:
                _, n = min(known) if headline.less_is_better else max(known)
                word = "least" if headline.less_is_better else "most"
                where = self.data["points"][n]["design"]
                yield (f"{word}: {headline.label}", f"points[{n}].{headline.name}",
                       headline.kind, where)  # fmt: skip


def html(sweep: Sweep) -> str:
    """Write the page; the same sweep gives the same bytes."""
    from markupsafe import Markup

    content = Swept(sweep)
    return render(
        "sweep.html.j2",
        content.at,
        version=simulator.__version__,
        c=content,
        sweep=sweep,
        headlines=HEADLINES,
        frontiers=[Markup(found) for found in _frontiers(sweep)],
        failed=sweep.failed.to_dict("records"),
    )


def _frontiers(sweep: Sweep) -> Iterator[str]:
    """Cost against latency, and against goodput, as far as costs are known."""
    for name in (LATENCY.name, "goodput_bps"):
        try:
            axes = sweep.plot.frontier(y=name)
        except UsageError:
            continue
        yield drawing(axes, f"frontier-{name.replace('_', '-')}", f"Points by cost and {name}")


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """A row without NaN."""
    return {str(key): None if value != value else value for key, value in row.items()}


def markdown(sweep: Sweep) -> str:
    """Write the points as a table."""
    content = Swept(sweep)
    header = [*content.inputs, *(headline.label for headline in HEADLINES)]
    lines = [f"# {sweep.title}", ""]
    lines += [f"{sweep.points_count} points, {sweep.failed_count} of them failed.", ""]
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in content.data["points"]:
        cells = [str(row[name]).replace("|", "\\|") for name in content.inputs]
        cells += [show(row[headline.name], headline.kind) for headline in HEADLINES]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
