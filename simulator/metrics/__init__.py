"""Metrics, one file each: pure functions from the log of a run to columns of tidy tables.

A new metric is one file with `METRICS` (which columns of which table, their units, which way is
better, and the function), and its name in the list below. It is then in the table, in the run
folder with its unit, and in the data dictionary.
"""

from __future__ import annotations

from typing import get_args

import pandas as pd

from simulator.metrics import (
    accounting,
    events,
    failovers,
    hops,
    keys,
    latency,
    rates,
    tcp,
    transfers,
)
from simulator.metrics.metric import Column, Columns, Metric, TableName, Values
from simulator.plan import Plan
from simulator.recorder import RunLog

#: In the order of the columns of a table; the keys of a row come first.
MODULES = (keys, accounting, rates, latency, tcp, transfers, hops, events, failovers)
METRICS: tuple[Metric, ...] = tuple(metric for module in MODULES for metric in module.METRICS)
TABLES: tuple[TableName, ...] = get_args(TableName)


def compute(table: TableName, plan: Plan, log: RunLog) -> pd.DataFrame:
    """Build one table: the columns of all its metrics side by side."""
    found = values(table, plan, log)
    return pd.DataFrame({name: _as_column(column) for name, column in found.items()})


def values(table: TableName, plan: Plan, log: RunLog) -> Columns:
    """Compute the columns of one table, for those who need no frame of them.

    Raises
    ------
    ValueError
        If a metric does not keep its promises.
    """
    found: dict[str, Values] = {}
    for metric in METRICS:
        if metric.table == table:
            own = metric.compute(plan, log)
            promised = [column.name for column in metric.columns]
            if list(own) != promised:
                message = f"a metric of {table} returned {list(own)}, not {promised}"
                raise ValueError(message)
            found |= own
    counts = {name: len(column) for name, column in found.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"metrics of {table} disagree on its rows: {counts}")
    return found


def _as_column(found: Values) -> Values:
    """Text as the type that pandas has for it."""
    return pd.Series(found, dtype="str") if isinstance(found, list) else found


def columns(table: TableName) -> tuple[Column, ...]:
    """Describe the columns of a table, in order: the data dictionary."""
    return tuple(column for m in METRICS if m.table == table for column in m.columns)


def dictionary() -> dict[str, list[dict[str, str | None]]]:
    """Describe every column of every table: the data dictionary as plain data."""
    return {
        table: [
            {"column": c.name, "unit": c.unit, "text": c.text, "better": c.better}
            for c in columns(table)
        ]
        for table in TABLES
    }
