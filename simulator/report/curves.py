"""Curves of a run for its page: latency, rate and loss over time, and the latency distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from simulator.base.units import format_duration
from simulator.faults import FAULTS
from simulator.metrics.events import merged
from simulator.readout import event_text
from simulator.report.charts import Chart, Line, Mark, thinned
from simulator.report.evidence import Evidence
from simulator.report.figures import S_PER_HOUR, show

if TYPE_CHECKING:
    import pandas as pd

MARKS_MAX: Final = 24
CDF_POINTS: Final = 200
CDF_REACH: Final = 1.05
"""How far beyond the highest p99 the distribution is drawn: the rest is a long flat tail."""


class Curve(NamedTuple):
    """A column of the timeline, and how a chart shows it."""

    name: str
    column: str
    what: str
    unit: str
    scale: float
    """Factor from the column's unit to `unit`."""
    by_max: bool = False
    """Whether neighbouring bins become their largest value, in place of their mean."""
    skips_zero: bool = False


LATENCY: Final = Curve("latency-over-time", "latency_s_p95", "p95 latency", "ms", 1e3, by_max=True)
THROUGHPUT: Final = Curve(
    "throughput-over-time", "throughput_bps", "delivered rate", "Mbit/s", 1e-6
)
LOSS: Final = Curve("loss-over-time", "loss_ratio", "loss", "%", 1e2, by_max=True, skips_zero=True)


def over_time(evidence: Evidence, curve: Curve) -> Chart | None:
    """One line for each stream and direction, None if there is nothing to draw."""
    timeline = evidence.timeline
    highest = _highest(timeline, curve)
    if highest is None:
        return None
    times = np.sort(timeline["time_s"].unique().astype(float))
    lines, x = [], times
    for (stream, direction), rows in timeline.groupby(["stream", "direction"], sort=True):
        y = np.full(len(times), np.nan)
        y[np.searchsorted(times, rows["time_s"])] = rows[curve.column].astype(float) * curve.scale
        x, y = thinned(times, y, curve.by_max)
        if np.isnan(y).all() or (curve.skips_zero and not np.nanmax(y) > 0):
            continue
        lines.append(_line(evidence, str(stream), str(direction), y))
    lines.sort(key=lambda line: -float(np.nanmax(line.y)))
    bin_s = evidence.summary["time_bin_s"]
    return Chart(
        curve.name, highest, _note(evidence, len(times), len(x)), x, lines, "simulated time (s)",
        f"{curve.what} ({curve.unit})", _marks(evidence), lists_marks=curve is LATENCY,
        bin_width=float(x[1] - x[0]) if len(x) > 1 else bin_s,
        warm_up=evidence.summary["warm_up_s"],
    )  # fmt: skip


def _highest(timeline: pd.DataFrame, curve: Curve) -> str | None:
    """The largest value of a bin after the warm-up, in a sentence; None if there is none."""
    known = timeline[~timeline["is_warm_up"].astype(bool) & timeline[curve.column].notna()]
    if known.empty:
        return None
    row = known.iloc[int(known[curve.column].astype(float).argmax())]
    value = float(row[curve.column]) * curve.scale
    if curve.skips_zero and not value > 0:
        return None
    return (
        f"The highest {curve.what} is {value:.3g} {curve.unit}: {row['stream']} "
        f"{row['direction']}, {_instant(float(row['time_s']))}."
    )


def _instant(time_s: float) -> str:
    """A point in simulated time, in hours too where seconds are hard to read."""
    hours = f" ({time_s / S_PER_HOUR:.3g} h)" if time_s >= S_PER_HOUR else ""
    return f"at {time_s:,.6g} s{hours}"


def _note(evidence: Evidence, bins_count: int, points_count: int) -> str:
    """Units, n and interval of a chart over time."""
    summary = evidence.summary
    together = math.ceil(bins_count / points_count)
    parts = [f"Time bins of {format_duration(summary['time_bin_s'])}"]
    if together > 1:
        parts[0] += f", {together} drawn as one"
    parts.append(_runs(evidence))
    if summary["warm_up_s"]:
        parts.append(f"the first {format_duration(summary['warm_up_s'])} (shaded) are warm-up")
    return "; ".join(parts) + ". Dashed: return direction."


def _line(evidence: Evidence, stream: str, direction: str, y: Any) -> Line:
    names = [row["stream"] for row in evidence.summary["streams"]]
    colour = list(dict.fromkeys(names)).index(stream)
    return Line(f"{stream} {direction}", y, colour, is_dashed=direction == "return")


def _runs(evidence: Evidence) -> str:
    several = evidence.summary.get("replications")
    if several is None:
        return "n = 1 run, no interval"
    return f"the first of {several['finished']} replications"


def _marks(evidence: Evidence) -> list[Mark]:
    by_id = {event["event_id"]: event for event in evidence.summary["events"]}
    marks = []
    for event in _marked(evidence):
        text = event_text(event, by_id.get(event["cause_event_id"]))
        marks.append(Mark(event["time_s"], f"{event['time_s']:.3f} s  {text}"))
    return marks


def _marked(evidence: Evidence) -> list[dict[str, Any]]:
    """Events in order of time, alike ones joined; if there are many, those of faults above all."""
    table = merged(evidence.saved.table("events"))
    events: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()}
        for row in table.astype(object).where(table.notna(), None).to_dict("records")
    ]
    of_faults: set[int] = set()
    for event in events:
        if event["kind"] in FAULTS.names() or event["cause_event_id"] in of_faults:
            of_faults.add(event["event_id"])
    first = sorted(events, key=lambda event: event["event_id"] not in of_faults)[:MARKS_MAX]
    return sorted(first, key=lambda event: event["time_s"])


def cdf_chart(evidence: Evidence) -> Chart | None:
    """Distribution of the one-way latency of each stream."""
    table = evidence.latency_cdf
    wanted = {(row["stream"], row["direction"]) for _, row in evidence.payload}
    groups = [(key, rows) for key, rows in table.groupby(["stream", "direction"]) if key in wanted]
    if not groups:
        return None
    rows = [row for _, row in evidence.payload if row["latency_s_p999"] is not None]
    lowest = min(float(rows["latency_s_low"].iloc[0]) for _, rows in groups)
    x = np.linspace(lowest, max(row["latency_s_p99"] for row in rows) * CDF_REACH, CDF_POINTS)
    lines = []
    for (stream, direction), buckets in groups:
        high_s = buckets["latency_s_high"].to_numpy(float)
        share = np.concatenate([[0.0], buckets["cdf_ratio"].to_numpy(float)])
        y = share[np.searchsorted(high_s, x, side="right")] * 100.0
        lines.append(_line(evidence, str(stream), str(direction), y))
    worst = max(rows, key=lambda row: row["latency_s_p99"])
    message = (
        f"99 % of the packets of {worst['stream']} {worst['direction']} arrive within "
        f"{show(worst['latency_s_p99'], 'duration')}"
    )
    message += "; the other streams are faster." if len(rows) > 1 else "."
    note = f"Every packet after the warm-up, {_runs(evidence)}; up to the highest p99."
    return Chart(
        "latency-distribution", message, note, x * 1e3, lines, "one-way latency (ms)",
        "packets at or below (%)",
    )  # fmt: skip
