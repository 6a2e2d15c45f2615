"""A ranking of the values of one input as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simulator.base.errors import UsageError
from simulator.report.compare_page import Folder
from simulator.report.template import drawing, render
from simulator.study.axis import CARRIES
from simulator.study.folders import RANKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


class Shown(NamedTuple):
    """A column of the table."""

    name: str
    label: str
    kind: str


COLUMNS: Final = (
    Shown("goodput_bps", "goodput, all streams", "rate"),
    Shown("latency_s_p95", "highest p95 latency, one way", "duration"),
    Shown("loss_ratio", "highest loss", "ratio"),
    Shown("headroom_ratio", "headroom", "ratio"),
    Shown("tunnels", "tunnels", "count"),
    Shown("monthly_cost_usd", "cost a month", "money"),
)
BOXES: Final = (COLUMNS[5], COLUMNS[1], COLUMNS[3])


def html(path: Path) -> str:
    """Write the page; the same folder gives the same bytes."""
    from markupsafe import Markup

    folder = Folder(path)
    return render(
        "axis.html.j2",
        folder.at,
        version=folder.manifest["crossprem"],
        summary=folder.summary,
        manifest=folder.manifest,
        resolved=folder.resolved,
        columns=COLUMNS,
        boxes=BOXES,
        answer=answer(folder.summary),
        is_met=folder.summary["ranking"][0]["status"] == CARRIES,
        would_change=list(_would_change(folder.summary)),
        drawings=[Markup(found) for found in _drawings(folder.table(RANKING), folder.summary)],
    )


def answer(summary: dict[str, Any]) -> str:
    """One sentence: the first that carries the load, and how many do."""
    rows = summary["ranking"]
    fine = [row for row in rows if row["status"] == CARRIES]
    if not fine:
        return f"No: none of {len(rows)} values carries the load and meets the targets."
    return (
        f"{fine[0]['value']}: the cheapest of {len(fine)} values that carry the load and meet the "
        f"targets, of {len(rows)} that were tried."
    )


def _would_change(summary: dict[str, Any]) -> Iterator[str]:
    """The runners-up, and why the cheaper ones are out."""
    rows = summary["ranking"]
    if rows[0]["status"] != CARRIES or rows[0]["monthly_cost_usd"] is None:
        return
    for row in rows[1:]:
        cost_usd = row["monthly_cost_usd"]
        if (
            row["status"] != CARRIES
            and cost_usd is not None
            and cost_usd < rows[0]["monthly_cost_usd"]
        ):
            yield f"{row['value']} is cheaper, but {row['status']}: {row['reason']}"


def _drawings(table: pd.DataFrame, summary: dict[str, Any]) -> Iterator[str]:
    from simulator import frontier_plot, study_plots

    axes = study_plots.ranking(table, summary["axis"])
    yield drawing(axes, "ranking", f"Cost and latency of each value of {summary['axis']}")
    try:
        axes = frontier_plot.designs(table.assign(design=table["value"]), y="goodput_bps")
    except UsageError:
        return
    yield drawing(axes, "frontier", f"Cost and goodput of each value of {summary['axis']}")
