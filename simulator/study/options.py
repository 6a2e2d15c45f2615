"""Options: designs of a comparison, or points of a sweep, as rows with headlines and spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator import headlines
from simulator.headlines import HEADLINES
from simulator.study.statistics import interval

if TYPE_CHECKING:
    from simulator.study.compare import Comparison


def mean_and_ends(name: str, values: npt.ArrayLike, confidence: float) -> dict[str, float]:
    """The mean of a headline and, as `<name>_low` and `<name>_high`, the ends of its interval.

    Student's t; a single value has no ends. What cannot be below 0 is not said to be.
    """
    about = interval(values, confidence)
    ends = (about.low, about.high) if math.isfinite(about.half_width) else (math.nan, math.nan)
    low = max(0.0, ends[0]) if about.mean >= 0.0 and math.isfinite(ends[0]) else ends[0]
    return {name: about.mean, f"{name}_low": low, f"{name}_high": ends[1]}


def options(found: Comparison) -> pd.DataFrame:
    """One row for each design: `design, title` and for each headline three columns.

    `<name>` is the mean over replications, `<name>_low` and `<name>_high` are the ends of its
    interval with the confidence of the comparison: Student's t, each interval by itself. Latency,
    loss and outage are those of the worst stream and direction, goodput is that of all together.
    """
    runs = found.runs.merge(found.costs, "left", ["design", "replicate"])
    each = headlines.of_runs(runs, ["design", "replicate"])
    rows = []
    for name, title in zip(found.names, found.titles, strict=True):
        row: dict[str, Any] = {"design": name, "title": title}
        for headline in HEADLINES:
            values = each.xs(name)[headline.name].to_numpy(np.float64)
            row |= mean_and_ends(headline.name, values, found.confidence)
        rows.append(row)
    return pd.DataFrame(rows)


def varied(table: pd.DataFrame) -> list[str]:
    """Columns of a sweep with values that differ from point to point, as they were written."""
    names = list(table.columns)
    between = names[names.index("scenario") + 1 : names.index("address")]
    return [n for n in between if not any(n.startswith(f"{other}_") for other in between)]


def inputs_of(table: pd.DataFrame) -> list[str]:
    """Columns that tell the points of a sweep apart."""
    return ["scenario"] * (table["scenario"].nunique() > 1) + varied(table)


def points(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each point of a sweep that did not fail.

    Columns: `point`, what is varied, `design` (all of it as one text), `replications`, and for each
    headline its mean and, as `<name>_low` and `<name>_high`, the 5th and 95th percentile over the
    replications.
    """
    whole = table[table["error"].isna()]
    over_runs = headlines.of_runs(whole, ["point", "replicate"]).groupby("point")
    found = over_runs.mean()
    for headline in HEADLINES:
        found[f"{headline.name}_low"] = over_runs[headline.name].quantile(0.05)
        found[f"{headline.name}_high"] = over_runs[headline.name].quantile(0.95)
    found.insert(0, "replications", over_runs.size())
    inputs = whole.drop_duplicates("point").set_index("point")[["scenario", *varied(table)]]
    called = inputs[inputs_of(table)].astype(str)
    inputs["design"] = called.agg(", ".join, axis=1) if len(called.columns) else inputs["scenario"]
    return inputs.join(found, how="inner").reset_index()
