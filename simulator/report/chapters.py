"""The chapters of a report of one run, as plain rows and charts for the template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from simulator.base.units import format_duration
from simulator.plan import FORWARD
from simulator.readout import event_text
from simulator.report.charts import Chart, Line, Mark, thinned
from simulator.report.evidence import Evidence
from simulator.report.figures import show

MARKS_MAX: Final = 24
CDF_POINTS: Final = 200
CDF_REACH: Final = 1.05
"""How far beyond the highest p99 the distribution is drawn: the rest is a long flat tail."""
TOLERANCE_RATIO: Final = 0.15
"""Tolerance of the test plan: the 90th percentile of the error against a real TCP stack."""
UDP_HEADERS_BYTES: Final = 28
"""IPv4 and UDP (RFC 791, RFC 768): what iperf3 adds to its payload."""
RTT_RATIO: Final = 0.10
HOW_TO_CAUSE: Final = {
    "internet-outage": "unplug the line of",
    "tunnel-down": "disconnect the tunnel",
    "tunnel-silent": "drop ESP and IKE with a filter at",
    "device-failure": "power off",
    "device-reboot": "reboot",
    "gateway-reset": "reset the gateway",
    "gateway-maintenance": "reset the gateway (az network vnet-gateway reset), as maintenance of",
    "gateway-instance-failure": "reset the active instance (az network vnet-gateway reset) of",
    "sku-resize": "resize the gateway",
    "connection-reset": "reset the connection",
    "expressroute-circuit-down": "disable the private peering (both links) of",
    "expressroute-link-down": "shut the interface of",
    "peering-location-outage": "disable the private peerings of all circuits at",
    "bgp-session-reset": "clear the BGP session of",
}
"""How a person causes a fault on the real thing, without breaking it."""
KIND_OF_TARGET: Final = {
    "latency_p95": "duration",
    "outage": "duration",
    "loss": "ratio",
    "goodput": "rate",
    "monthly_cost": "money",
}


class Headline(NamedTuple):
    """One of the numbers of the decision box."""

    label: str
    path: str
    kind: str
    about: str
    interval: str


class Step(NamedTuple):
    """One test on the real link."""

    command: str
    expect: str
    """What to see, in words."""
    value: float
    kind: str
    about: str
    tolerance: str


class OptionColumn(NamedTuple):
    """A figure by which designs are told apart: that of the worst stream."""

    label: str
    name: str
    kind: str
    less_is_better: bool


class Option(NamedTuple):
    """A design among others."""

    title: str
    verdict: str
    cells: tuple[tuple[str, str, bool], ...]
    """Of each of COLUMNS the path, what it is, and whether it is the best; no path: unknown."""


MONTHLY: Final = "monthly_cost"
HEADLINES: Final = (
    OptionColumn("highest p95 latency, one way", "latency_s_p95", "duration", True),
    OptionColumn("longest outage", "outage_s_max", "duration", True),
    OptionColumn("lowest goodput of a stream", "goodput_bps", "rate", False),
)
HEADLINES_MAX: Final = 3
COLUMNS: Final = (
    OptionColumn("cost a month", MONTHLY, "money", True),
    *HEADLINES,
    OptionColumn("highest loss", "loss_ratio", "ratio", True),
)


@dataclass(frozen=True)
class Answer:
    """The decision box."""

    question: str
    verdict: str
    is_met: bool | None
    headlines: tuple[Headline, ...]
    would_change: tuple[str, ...]


def answer(evidence: Evidence) -> Answer:
    """Question, verdict, three numbers, and what would change them."""
    summary = evidence.summary
    verdict, is_met = verdict_of(summary["targets"])
    if not summary["targets"] and summary["failovers"]:
        verdict = _worst_fault(summary["failovers"])
    return Answer(
        summary["question"] or summary["title"] or summary["scenario"],
        verdict,
        is_met,
        tuple(islice(_headlines(evidence), HEADLINES_MAX)),
        tuple(_would_change(evidence)),
    )


def _worst_fault(failovers: Sequence[dict[str, Any]]) -> str:
    """What a scenario without targets answers: what its faults did."""
    worst = max(failovers, key=lambda row: (row["outage_s"] or 0.0, row["degraded_s"] or 0.0))
    where = f"{worst['stream']} {worst['direction']}"
    return (
        f"No targets are stated. {worst['fault']} hurts {where} most: "
        f"{show(worst['outage_s'], 'duration')} without a packet, "
        f"{show(worst['degraded_s'], 'duration')} degraded."
    )


def verdict_of(targets: Sequence[dict[str, Any]]) -> tuple[str, bool | None]:
    """What targets say all together, and whether they are met; None where that is not known."""
    missed = [t["target"].replace("_", " ") for t in targets if t["is_met"] is False]
    known = [t for t in targets if t["is_met"] is not None]
    if not targets:
        return "The scenario names no targets: figures without a verdict.", None
    if missed:
        names, verb = ", ".join(missed), "is" if len(missed) == 1 else "are"
        return f"No: {len(missed)} of {len(targets)} targets {verb} missed ({names}).", False
    if not known:
        return "None of the targets can be judged from this run.", None
    if len(known) == len(targets):
        all_of_them = f"all {len(targets)} targets are" if len(targets) > 1 else "the target is"
        return f"Yes: {all_of_them} met.", True
    return f"{len(known)} of {len(targets)} targets are met, the rest cannot be judged.", None


def options(evidence: Evidence) -> list[Option]:
    """List the design and the others, in the order given, best values marked."""
    designs = [("", evidence)]
    designs += [(f"others[{n}].", other) for n, other in enumerate(evidence.others)]
    cells = [[_cell(other, prefix, column) for column in COLUMNS] for prefix, other in designs]
    best = [_best(evidence, [row[n] for row in cells], c) for n, c in enumerate(COLUMNS)]
    return [
        Option(
            other.summary["title"] or other.summary["scenario"],
            verdict_of(other.summary["targets"])[0],
            tuple(
                (path, c.kind, path == best[n])
                for n, (c, path) in enumerate(zip(COLUMNS, row, strict=True))
            ),
        )
        for (_, other), row in zip(designs, cells, strict=True)
    ]


def _cell(evidence: Evidence, prefix: str, column: OptionColumn) -> str:
    """Path to the value of the worst stream, or of the whole; empty if there is none."""
    if column.name == MONTHLY:
        return f"{prefix}cost.total_usd" if evidence.summary.get("cost") else ""
    found = _worst(evidence, column.name, column.less_is_better)
    return "" if found is None else f"{prefix}streams[{found}].{column.name}"


def _best(evidence: Evidence, paths: Sequence[str], column: OptionColumn) -> str:
    known = [path for path in paths if path and evidence.at(path) is not None]
    if len(known) < 2:
        return ""
    pick = min if column.less_is_better else max
    return pick(known, key=evidence.at)


def _worst(evidence: Evidence, column: str, less_is_better: bool) -> int | None:
    """Number of the stream that has the worst value; only payload has a goodput."""
    rows = evidence.payload if column == "goodput_bps" else enumerate(evidence.summary["streams"])
    known = [(n, row[column]) for n, row in rows if row[column] is not None]
    if not known:
        return None
    pick = max if less_is_better else min
    return pick(known, key=lambda item: item[1])[0]


def _headlines(evidence: Evidence) -> Iterator[Headline]:
    """Latency, outage if a fault struck, cost if it is known, and goodput in their place."""
    cost = (evidence.summary.get("cost") or {}).get("total_usd")
    if cost is not None:
        yield Headline("cost a month", "cost.total_usd", "money", "of this traffic", "list prices")
    for column in HEADLINES:
        if column.name == "outage_s_max" and not evidence.summary["failovers"]:
            continue
        number = _worst(evidence, column.name, column.less_is_better)
        if number is None:
            continue
        row = evidence.summary["streams"][number]
        yield Headline(
            column.label,
            f"streams[{number}].{column.name}",
            column.kind,
            f"{row['stream']} {row['direction']}",
            _interval(evidence, row, column.name, column.kind),
        )


def _interval(evidence: Evidence, row: dict[str, Any], column: str, kind: str) -> str:
    """Spread over the replications, if there were several."""
    spread = evidence.summary.get("replications", {}).get("spread", [])
    for found in spread:
        same = (found["stream"], found["direction"], found["metric"])
        if same == (row["stream"], row["direction"], column):
            low, high = show(found["p5"], kind), show(found["p95"], kind)
            return f"{low} to {high} in 90 % of {found['replications']} replications"
    return "one run: no interval (use --replications)"


def _would_change(evidence: Evidence) -> Iterator[str]:
    for target in evidence.summary["targets"]:
        value, limit = target["value"], target["limit"]
        if value is None or not target["is_met"] or not value:
            continue
        kind = KIND_OF_TARGET.get(target["target"], "count")
        name = target["target"].replace("_", " ")
        word = "fall to" if value > limit else "rise to"
        now = ", ".join(filter(None, (f"now {show(value, kind)}", target["subject"])))
        yield f"{name} would have to {word} {show(limit, kind)} ({now})"
    tightest = min(
        (
            (row.headroom_ratio, f"{stream.stream} {stream.direction}", row.ceiling)
            for stream in evidence.explanation.streams
            for row in stream.ceilings
            if row.headroom_ratio is not None
        ),
        default=None,
    )
    if tightest is not None:
        headroom_ratio, stream, ceiling = tightest
        yield f"the tightest ceiling has {show(headroom_ratio, 'ratio')} left: {ceiling} ({stream})"


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
LOSS: Final = Curve("loss-over-time", "loss_ratio", "loss", "%", 1e2, skips_zero=True)


def over_time(evidence: Evidence, curve: Curve) -> Chart | None:
    """One line for each stream and direction, None if there is nothing to draw."""
    timeline = evidence.timeline
    if timeline.empty:
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
    if not lines:
        return None
    lines.sort(key=lambda line: -float(np.nanmax(line.y)))
    top = lines[0]
    number = int(np.nanargmax(top.y))
    message = f"The highest {curve.what} is {top.y[number]:.3g} {curve.unit}: "
    message += f"{top.name}, at {x[number]:.4g} s."
    summary = evidence.summary
    note = (
        f"Time bins of {format_duration(summary['time_bin_s'])}; {_runs(evidence)}; "
        f"the first {format_duration(summary['warm_up_s'])} are warm-up. Dashed: return."
    )
    return Chart(
        curve.name, message, note, x, lines, "simulated time (s)", f"{curve.what} ({curve.unit})",
        _marks(evidence), lists_marks=curve is LATENCY,
    )  # fmt: skip


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
    events = evidence.summary["events"]
    by_id = {event["event_id"]: event for event in events}
    marks = []
    for event in events[:MARKS_MAX]:
        text = event_text(event, by_id.get(event["cause_event_id"]))
        marks.append(Mark(event["time_s"], f"{event['time_s']:.3f} s  {text}"))
    return marks


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


def steps(evidence: Evidence) -> list[Step]:
    """What to run on the real link, with what to expect."""
    return [*_load_steps(evidence), *_ping_steps(evidence), *_fault_steps(evidence)]


def _load_steps(evidence: Evidence) -> Iterator[Step]:
    timeline = evidence.timeline
    typical = (
        timeline.loc[~timeline["is_warm_up"]]
        .groupby(["stream", "direction"])["goodput_bps"]
        .median()
        .to_dict()
    )
    for stream in evidence.explanation.streams:
        goodput_bps = typical.get((stream.stream, stream.direction))
        if not goodput_bps:
            continue
        reverse = " -R" if stream.direction == "return" else ""
        if stream.offered_bps is None:
            command = f"iperf3 -c HOST -P {stream.flows_count} -t 120 -O 10{reverse}"
        else:
            payload_bytes = stream.packet_bytes_mean - UDP_HEADERS_BYTES
            command = f"iperf3 -c HOST -u -b {stream.offered_bps / 1e6:.4g}M"
            command += f" -l {payload_bytes:.0f}{reverse}"
        about = f"{stream.stream} {stream.direction}, median of the time bins"
        tolerance = f"{100 * TOLERANCE_RATIO:.0f} %"
        yield Step(command, "goodput of", float(goodput_bps), "rate", about, tolerance)


def _ping_steps(evidence: Evidence) -> Iterator[Step]:
    streams = evidence.explanation.streams
    pairs = {(s.at, s.to): s.rtt_s for s in streams if s.direction == FORWARD}
    for (start, end), rtt_s in pairs.items():
        command = f"ping -c 1000 HOST   # {start} to {end}"
        tolerance = f"{100 * RTT_RATIO:.0f} %"
        yield Step(command, "median of", rtt_s, "duration", "without load", tolerance)


def _fault_steps(evidence: Evidence) -> Iterator[Step]:
    longest_s: dict[str, float] = {}
    for row in evidence.summary["failovers"]:
        if row["outage_s"] is not None:
            longest_s[row["fault"]] = max(longest_s.get(row["fault"], 0.0), row["outage_s"])
    for fault, outage_s in longest_s.items():
        kind, _, subject = fault.partition(" ")
        command = f"{HOW_TO_CAUSE.get(kind, f'cause {kind} at')} {subject}"
        tolerance = "one time bin and one RTO of TCP"
        yield Step(command, "an outage of at most", outage_s, "duration", fault, tolerance)
