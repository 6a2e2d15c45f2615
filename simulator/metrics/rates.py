"""Rates and losses: what was offered, what arrived, what of it was of use."""

from __future__ import annotations

import numpy as np

from simulator.base.units import BITS_PER_BYTE
from simulator.metrics import rows
from simulator.metrics.metric import RATIO, Column, Columns, Metric
from simulator.plan import Plan
from simulator.recorder import RunLog

COUNTER_OF = {
    "offered_bps": "sent_bytes",
    "throughput_bps": "delivered_bytes",
    "goodput_bps": "goodput_bytes",
}


def streams(plan: Plan, log: RunLog) -> Columns:
    """Take mean rates over the bins after warm-up, and the loss ratio of the whole run."""
    kept = rows.directions_with_packets(log)
    counted = rows.after_warm_up(plan, log)
    time_s = np.full(len(kept), rows.bin_s(log)[counted].sum())
    columns = {
        name: rows.ratio(BITS_PER_BYTE * log.counter[counter][counted][:, kept].sum(axis=0), time_s)
        for name, counter in COUNTER_OF.items()
    }
    dropped = log.dropped_packets_total[kept].sum(axis=1)
    columns["loss_ratio"] = rows.ratio(dropped, log.total["sent_packets"][kept])
    columns["outage_s_max"] = np.array([outage_s_max(log, int(d)) for d in kept], np.float64)
    return columns


def timeline(plan: Plan, log: RunLog) -> Columns:
    """Take mean rates within each bin, and the losses among the packets whose fate it saw."""
    time_s = np.tile(rows.bin_s(log), len(rows.directions_with_packets(log)))
    columns = {
        name: rows.ratio(BITS_PER_BYTE * rows.along_timeline(log, log.counter[counter]), time_s)
        for name, counter in COUNTER_OF.items()
    }
    dropped = rows.along_timeline(log, log.dropped_packets).sum(axis=1)
    delivered = rows.along_timeline(log, log.counter["delivered_packets"])
    columns["loss_ratio"] = rows.ratio(dropped, dropped + delivered)
    return columns


def outage_s_max(log: RunLog, direction_idx: int) -> float:
    """Return the longest stretch of whole bins in which packets were dropped and none arrived.

    The stretch may hold bins in which nothing was sent (a TCP sender that backs off), but it ends
    with the last packet sent: a stream that stopped is not out of service.
    """
    sent = log.counter["sent_packets"][:, direction_idx]
    dropped = log.dropped_packets[:, direction_idx].sum(axis=1)
    silent = log.counter["delivered_packets"][:, direction_idx] == 0
    sending = np.flatnonzero(sent)
    silent[: sending[0]] = False
    silent[sending[-1] + 1 :] = False
    edges = np.flatnonzero(np.diff(np.concatenate(([False], silent, [False])).astype(np.int8)))
    time_s = rows.bin_s(log)
    stretches = zip(edges[::2], edges[1::2], strict=True)
    return max((float(time_s[b:e].sum()) for b, e in stretches if dropped[b:e].any()), default=0.0)


def _columns(mean: str) -> tuple[Column, ...]:
    return (
        Column("offered_bps", "bit/s", f"Inner IP bytes sent, {mean}."),
        Column("throughput_bps", "bit/s", f"Inner IP bytes delivered, {mean}.", "more"),
        Column("goodput_bps", "bit/s", f"Payload bytes at the receiver, {mean}.", "more"),
    )


METRICS = (
    Metric(
        "streams",
        (
            *_columns("mean over the time bins after warm-up"),
            Column("loss_ratio", RATIO, "Dropped of all packets sent in the whole run.", "less"),
            Column(
                "outage_s_max",
                "s",
                "Longest stretch of whole time bins in which packets were dropped and none "
                "arrived; its resolution is the time bin.",
                "less",
            ),
        ),
        streams,
    ),
    Metric(
        "timeline",
        (
            *_columns("mean of the bin"),
            Column(
                "loss_ratio",
                RATIO,
                "Dropped of the packets that were dropped or delivered in the bin.",
                "less",
            ),
        ),
        timeline,
    ),
)
