"""Accounting: where every packet and byte went, over the whole run with its warm-up."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kernels import layout
from simulator.metrics import rows
from simulator.metrics.metric import Column, Columns, Metric
from simulator.plan import Plan
from simulator.recorder import RunLog

Unit = Literal["packets", "bytes"]
UNITS: tuple[Unit, Unit] = ("packets", "bytes")

REASON_TEXT = {
    "buffer_full": "the buffer of a hop was full",
    "random_loss": "lost at random on a path",
    "policed": "a policer had no tokens left",
    "path_down": "a hop was down",
    "mtu_exceeded": "larger than the MTU and not to be fragmented",
    "no_route": "no route at the sender",
}


def streams(plan: Plan, log: RunLog) -> Columns:
    """Count what was sent, delivered, dropped by reason, and still under way at the end."""
    kept = rows.directions_with_packets(log)
    columns: dict[str, np.ndarray] = {}
    for unit in UNITS:
        columns[f"{unit}_sent"] = log.total[f"sent_{unit}"][kept]
        columns[f"{unit}_delivered"] = log.total[f"delivered_{unit}"][kept]
        columns[f"{unit}_in_flight"] = _in_flight(log, unit)[kept]
        columns |= _by_reason(unit, _dropped_total(log, unit)[kept])
    return columns


def timeline(plan: Plan, log: RunLog) -> Columns:
    """Count what was sent, delivered and dropped by reason within each time bin."""
    columns: dict[str, np.ndarray] = {}
    for unit in UNITS:
        columns[f"{unit}_sent"] = rows.along_timeline(log, log.counter[f"sent_{unit}"])
        columns[f"{unit}_delivered"] = rows.along_timeline(log, log.counter[f"delivered_{unit}"])
        dropped = log.dropped_packets if unit == "packets" else log.dropped_bytes
        columns |= _by_reason(unit, rows.along_timeline(log, dropped))
    return columns


def imbalances(plan: Plan, log: RunLog) -> list[str]:
    """Compare sent with delivered + dropped + in flight, each counted on its own.

    Returns one sentence for each direction and unit where the two differ, both sides named; an
    empty list means that not one packet or byte is missing. Also compared: the bins' sums.
    """
    found = []
    for d, info in enumerate(plan.directions):
        where = f"stream {plan.streams[info.stream_idx].name}, {info.direction}"
        for unit in UNITS:
            sent = int(log.total[f"sent_{unit}"][d])
            delivered = int(log.total[f"delivered_{unit}"][d])
            dropped = int(_dropped_total(log, unit)[d].sum())
            in_flight = int(_in_flight(log, unit)[d])
            if sent != delivered + dropped + in_flight:
                found.append(
                    f"{where}: {sent} {unit} sent, but {delivered} delivered + {dropped} dropped "
                    f"+ {in_flight} in flight = {delivered + dropped + in_flight}"
                )
            in_bins = int(log.counter[f"sent_{unit}"][:, d].sum())
            if in_bins != sent:
                found.append(f"{where}: {sent} {unit} sent, but the time bins hold {in_bins}")
    return found


def _in_flight(log: RunLog, unit: Unit) -> rows.Array:
    return log.in_flight_packets if unit == "packets" else log.in_flight_bytes


def _dropped_total(log: RunLog, unit: Unit) -> rows.Array:
    return log.dropped_packets_total if unit == "packets" else log.dropped_bytes_total


def _by_reason(unit: Unit, dropped: rows.Array) -> dict[str, np.ndarray]:
    """Split [rows, reasons] into the total and one column for each reason."""
    each = {f"{unit}_dropped_{r}": dropped[:, n] for n, r in enumerate(layout.REASONS)}
    return {f"{unit}_dropped": dropped.sum(axis=1)} | each


def dropped_columns(unit: Unit, what: str) -> tuple[Column, ...]:
    """Describe the total of drops and the column of each reason."""
    total = Column(f"{unit}_dropped", unit, f"{what} dropped, whatever the reason.", "less")
    each = (
        Column(f"{unit}_dropped_{r}", unit, f"{what} dropped: {REASON_TEXT[r]}.", "less")
        for r in layout.REASONS
    )
    return (total, *each)


def _columns(unit: Unit, what: str, when: str, *, in_flight: bool) -> tuple[Column, ...]:
    under_way = Column(f"{unit}_in_flight", unit, f"{what} still under way at the end, counted.")
    return (
        Column(f"{unit}_sent", unit, f"{what} sent {when}, TCP retransmissions included."),
        Column(f"{unit}_delivered", unit, f"{what} that arrived {when}.", "more"),
        *((under_way,) if in_flight else ()),
        *dropped_columns(unit, what),
    )


WHAT: dict[Unit, str] = {"packets": "Inner packets", "bytes": "Inner IP bytes"}
RUN = "in the whole run, warm-up included"

METRICS = (
    Metric(
        "streams",
        tuple(c for unit in UNITS for c in _columns(unit, WHAT[unit], RUN, in_flight=True)),
        streams,
    ),
    Metric(
        "timeline",
        tuple(
            c for unit in UNITS for c in _columns(unit, WHAT[unit], "in the bin", in_flight=False)
        ),
        timeline,
    ),
)
