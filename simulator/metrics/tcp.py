"""TCP: how hard the closed-loop senders of a stream had to work."""

from __future__ import annotations

import numpy as np
from pandas.arrays import IntegerArray

from simulator.metrics import rows
from simulator.metrics.metric import COUNT, Column, Columns, Metric
from simulator.plan import Plan
from simulator.recorder import RunLog

COLUMNS = (
    Column("flows", COUNT, "TCP flows whose data go this way; none for other traffic."),
    Column("retransmitted_segments", COUNT, "Segments sent again, whole run.", "less"),
    Column("fast_recovery_count", COUNT, "Recoveries after duplicate ACKs, whole run.", "less"),
    Column("rto_count", COUNT, "Retransmission time-outs, whole run.", "less"),
)


def streams(plan: Plan, log: RunLog) -> Columns:
    """Count flows, retransmissions, recoveries and time-outs; no value where there is no TCP."""
    kept = rows.directions_with_packets(log)
    none = np.zeros(len(plan.directions), np.int64)
    has_tcp = log.tcp.get("flows", none)[kept] > 0
    columns = {}
    for name in (column.name for column in COLUMNS):
        is_known = has_tcp if not log.tcp or name in log.tcp else np.zeros_like(has_tcp)
        columns[name] = IntegerArray(log.tcp.get(name, none)[kept], ~is_known)
    return columns


METRICS = (Metric("streams", COLUMNS, streams),)
