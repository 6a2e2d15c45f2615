"""A finished sweep as one HTML file or as Markdown: its points, and those that no other beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import simulator
from simulator.base.errors import UsageError
from simulator.frontier_plot import on_frontier
from simulator.headlines import BY_NAME, COST, HEADLINES, LATENCY
from simulator.report.evidence import value_at
from simulator.report.figures import show
from simulator.report.template import drawing, render
from simulator.study.options import inputs_of, points

if TYPE_CHECKING:
    from simulator.study.sweep import Sweep

VALUES_MAX: Final = 20
"""An input with more values has no table of its own."""
ROWS_MAX: Final = 1_000
"""Points that the page lists; the table of the sweep has them all."""


class Marginal(NamedTuple):
    """What one value of an input leads to, whatever the others are."""

    value: str
    points: int
    """How many have it."""
    ranges: tuple[tuple[str, str, str], ...]
    """Of each headline the paths of its lowest and highest value, and its kind."""


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

    @property
    def answer(self) -> str:
        """What the sweep found, in a sentence."""
        count = len(self.data["points"])
        known = self.table[[COST, LATENCY.name]].dropna()
        if known.empty:
            return f"{count} points finished; no cost is known, so none is called the best."
        x, y = (known[name].to_numpy(float) for name in (COST, LATENCY.name))
        best = known.index[on_frontier(x, y)]
        first = self.table.loc[best].sort_values(COST)["design"].iloc[0]
        verb = "is" if len(best) == 1 else "are"
        return (
            f"{len(best)} of {count} points {verb} beaten by none in both cost and latency; "
            f"the cheapest is {first}."
        )

    @property
    def runs(self) -> str:
        """How many runs stand behind each point."""
        counts = sorted({int(row["replications"]) for row in self.data["points"]})
        if counts == [1]:
            return "n = 1 run of each point, no interval"
        low, high = counts[0], counts[-1]
        return f"means of n = {low if low == high else f'{low} to {high}'} runs of each point"

    def by_input(self) -> Iterator[tuple[str, list[Marginal]]]:
        """Of each input that takes a few values, what each value leads to."""
        for name in self.inputs:
            groups: dict[str, list[int]] = {}
            for number, row in enumerate(self.data["points"]):
                groups.setdefault(str(row[name]), []).append(number)
            if 1 < len(groups) <= VALUES_MAX:
                rows = [Marginal(v, len(n), self._ranges(n)) for v, n in groups.items()]
                yield name, rows

    def _ranges(self, numbers: Sequence[int]) -> tuple[tuple[str, str, str], ...]:
        """Of each headline the paths of the lowest and of the highest value, and its kind."""
        found = []
        for headline in HEADLINES:
            values = [(self.data["points"][n][headline.name], n) for n in numbers]
            known = [(value, n) for value, n in values if value is not None]
            ends = (
                [f"points[{n}].{headline.name}" for _, n in (min(known), max(known))]
                if known
                else ["", ""]
            )
            found.append((ends[0], ends[1], headline.kind))
        return tuple(found)

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
                label = headline.label.removeprefix("highest ")
                path = f"points[{n}].{headline.name}"
                yield (f"{word} {label}", path, headline.kind, where)


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
        inputs=list(content.by_input()),
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
        yield drawing(
            axes,
            f"frontier-{name.replace('_', '-')}",
            f"Points by cost a month and {BY_NAME[name].label}",
        )


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
