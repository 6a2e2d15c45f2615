"""Transfers: how many TCP transfers of finite size came and went, and how long they took."""

from __future__ import annotations

import numpy as np
from pandas.arrays import IntegerArray

from simulator.metrics import rows
from simulator.metrics.metric import COUNT, Column, Columns, Metric, Values
from simulator.plan import Plan
from simulator.recorder import RunLog

COUNTS = (
    Column("transfers_started", COUNT, "Transfers that began; none for other traffic."),
    Column("transfers_completed", COUNT, "Transfers that ended in the run.", "more"),
)
TIMES = (
    Column(
        "transfer_time_s_mean",
        "s",
        "Mean time from the request to the last byte: handshake and slow start counted in.",
        "less",
    ),
    Column(
        "transfer_time_s_p95",
        "s",
        "Time that 95 % of the transfers do not exceed; what slow start adds is taken as its mean.",
        "less",
    ),
)


def streams(plan: Plan, log: RunLog) -> Columns:
    """Count transfers and take their times, by direction of their data."""
    kept = rows.directions_with_packets(log)
    none = np.full(len(plan.directions), np.nan)
    columns: dict[str, Values] = {}
    for column in COUNTS:
        value = log.transfers.get(column.name.removeprefix("transfers_"), none)[kept]
        counts = np.nan_to_num(value).astype(np.int64)
        columns[column.name] = IntegerArray(counts, np.isnan(value))
    for column in TIMES:
        columns[column.name] = log.transfers.get(column.name.removeprefix("transfer_"), none)[kept]
    return columns


METRICS = (Metric("streams", (*COUNTS, *TIMES), streams),)
