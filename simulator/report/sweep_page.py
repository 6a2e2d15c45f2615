"""A finished sweep as one HTML file: its points side by side, and those that no other beats."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simulator.report.figures import markup, show

if TYPE_CHECKING:
    import pandas as pd

    from simulator.study.sweep import Sweep

ROWS_MAX: Final = 1_000
"""Points that the page lists; the table of the sweep has them all."""


class Figure(NamedTuple):
    """A figure of a point: over its streams, then as mean over its replications."""

    name: str
    label: str
    kind: str
    of_streams: str
    """Name of the aggregation in pandas: the worst stream, or the sum."""


FIGURES: Final = (
    Figure("goodput_bps", "goodput, all streams", "rate", "sum"),
    Figure("latency_s_p95", "highest p95 latency", "duration", "max"),
    Figure("loss_ratio", "highest loss", "ratio", "max"),
    Figure("outage_s_max", "longest outage", "duration", "max"),
    Figure("monthly_cost_usd", "cost a month", "money", "max"),
)


def varied(table: pd.DataFrame) -> list[str]:
    """Columns with the values that differ from point to point, as they were written."""
    names = list(table.columns)
    between = names[names.index("scenario") + 1 : names.index("address")]
    return [n for n in between if not any(n.startswith(f"{other}_") for other in between)]


def points(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each point that did not fail.

    Columns: `point`, what is varied, `replications`, and for each of FIGURES its mean and, as
    `<name>_low` and `<name>_high`, the 5th and 95th percentile over the replications.
    """
    whole = table[table["error"].isna() & (table["goodput_bps"] > 0)]
    keys = ["point", "replicate"]
    of_runs = whole.groupby(keys, sort=True).agg({f.name: f.of_streams for f in FIGURES})
    over_runs = of_runs.groupby("point")
    found = over_runs.mean()
    for figure in FIGURES:
        found[f"{figure.name}_low"] = over_runs[figure.name].quantile(0.05)
        found[f"{figure.name}_high"] = over_runs[figure.name].quantile(0.95)
    found.insert(0, "replications", over_runs.size())
    inputs = whole.drop_duplicates("point").set_index("point")[["scenario", *varied(table)]]
    return inputs.join(found, how="inner").reset_index()


def html(sweep: Sweep) -> str:
    """Write the page; the same sweep gives the same bytes."""
    import jinja2
    from markupsafe import Markup

    found = points(sweep.table)
    assets = files("simulator.report") / "assets"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    template = environment.from_string((assets / "sweep.html.j2").read_text(encoding="utf-8"))
    inputs = ["scenario"] * (found["scenario"].nunique() > 1) + varied(sweep.table)
    rows = [_row(n, row, inputs) for n, row in enumerate(found.to_dict("records"))]
    return template.render(
        sweep=sweep,
        style=Markup((assets / "style.css").read_text(encoding="utf-8")),
        frontier=Markup(_frontier(found, inputs)),
        inputs=inputs,
        figures=FIGURES,
        rows=[(row["inputs"], [Markup(cell) for cell in row["cells"]]) for row in rows[:ROWS_MAX]],
        left_out=max(0, len(rows) - ROWS_MAX),
        failed=sweep.failed.to_dict("records"),
    )


def _row(number: int, row: dict[Any, Any], inputs: list[str]) -> dict[str, Any]:
    cells = []
    for figure in FIGURES:
        value = _plain(row[figure.name])
        cell = markup(value, figure.kind, f"points[{number}].{figure.name}")
        low, high = _plain(row[f"{figure.name}_low"]), _plain(row[f"{figure.name}_high"])
        if row["replications"] > 1 and low != high:
            interval = f"{show(low, figure.kind)} to {show(high, figure.kind)}"
            cell += f'<br><span class="soft">{interval}</span>'
        cells.append(cell)
    return {"inputs": [str(row[name]) for name in inputs], "cells": cells}


def _plain(value: Any) -> float | None:
    import pandas as pd

    return None if pd.isna(value) else float(value)


def _frontier(found: pd.DataFrame, inputs: list[str]) -> str:
    """Cost against latency as SVG; empty if costs are not known."""
    from simulator import plots
    from simulator.frontier_plot import frontier

    known = found.dropna(subset=["monthly_cost_usd", "latency_s_p95"])
    if known.empty:
        return ""
    named = known.assign(design=known[inputs].astype(str).agg(", ".join, axis=1))
    axes = frontier(
        named,
        "monthly_cost_usd",
        "latency_s_p95",
        name="design",
        x_label="Cost of a month (USD)",
        y_label="p95 latency of the slowest stream, one way (ms)",
        y_scale=1e3,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frontier.svg"
        plots.save(axes, path)
        text = path.read_text(encoding="utf-8")
    return text[text.index("<svg") :]
