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
from simulator.metrics.metric import Column, Metric, TableName
from simulator.plan import Plan
from simulator.recorder import RunLog

#: In the order of the columns of a table; the keys of a row come first.
MODULES = (keys, accounting, rates, latency, tcp, transfers, hops, events, failovers)
METRICS: tuple[Metric, ...] = tuple(metric for module in MODULES for metric in module.METRICS)
TABLES: tuple[TableName, ...] = get_args(TableName)


def compute(table: TableName, plan: Plan, log: RunLog) -> pd.DataFrame:
    """Build one table: the columns of all its metrics side by side."""
    frames = []
    for metric in METRICS:
        if metric.table == table:
            frame = metric.compute(plan, log)
            promised = [column.name for column in metric.columns]
            if list(frame.columns) != promised:
                message = f"a metric of {table} returned {list(frame.columns)}, not {promised}"
                raise ValueError(message)
            frames.append(frame)
    if len({len(frame) for frame in frames}) > 1:
        raise ValueError(f"metrics of {table} disagree on its rows: {[len(f) for f in frames]}")
    return pd.concat(frames, axis=1)


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
