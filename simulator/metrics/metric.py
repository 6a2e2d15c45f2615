"""What a metric is: columns of one table, computed from the log of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray

from simulator.plan import Plan
from simulator.recorder import RunLog

TableName: TypeAlias = Literal[
    "streams", "hops", "timeline", "hop_timeline", "latency_cdf", "events", "failovers"
]
Values: TypeAlias = "npt.NDArray[Any] | ExtensionArray | pd.Series[Any] | Sequence[str]"
"""The values of one column. What may be missing and is no float is an extension array."""
Columns: TypeAlias = Mapping[str, Values]
"""Columns of the same length by name, in order."""
Compute: TypeAlias = Callable[[Plan, RunLog], Columns]

TEXT = ""
"""Unit of a column that holds text or a truth value."""
RATIO = "1"
COUNT = "count"


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, its unit, what it says, and which way is better."""

    name: str
    unit: str
    text: str
    better: Literal["more", "less"] | None = None


@dataclass(frozen=True)
class Metric:
    """Some columns of one table and the pure function that computes them.

    `compute` returns exactly `columns`, in this order, with one value for each row of the table
    (`simulator.metrics.rows` says which rows a table has, and in which order).
    """

    table: TableName
    columns: tuple[Column, ...]
    compute: Compute
