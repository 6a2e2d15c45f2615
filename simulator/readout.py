"""Results as plain text, for a person at a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from simulator.base.numbered import in_ranges, numbered
from simulator.base.units import (
    DURATION,
    RATE,
    RATIO,
    Dimension,
    format_duration,
    format_quantity,
    format_size,
)
from simulator.console import WIDTH, cut, table, wrapped
from simulator.forecast_readout import window_lines
from simulator.metrics.events import merged
from simulator.planner.explain_text import is_less_beside_others
from simulator.replications import Replications
from simulator.result import KEYS, Result
from simulator.targets import Judgement

if TYPE_CHECKING:
    from simulator.plan import Plan
    from simulator.planner.ceilings import CeilingRow
    from simulator.planner.explain import Explanation, StreamRow
    from simulator.scenario import Scenario

DIGITS: Final = 3
STREAMS_MAX: Final = 40
LINKS: Final = ("primary", "secondary")
"""Of a circuit, or of a pair of ports."""
HOPS_MAX: Final = 5
EVENTS_MAX: Final = 20
NAME_WIDTH: Final = 26
HOP_WIDTH: Final = 50
FAILOVER_SHOWN: Final = {
    "detected_after_s": "noticed after",
    "rerouted_after_s": "other way after",
    "recovered_after_s": "back after",
    "outage_s": "outage",
    "degraded_s": "degraded",
    "packets_lost": "packets lost",
}
"""Figures of a failover that are shown for several replications, in words."""


def text(
    done: Replications, folder: Path | None = None, explanation: Explanation | None = None
) -> str:
    """Say what one run or several found."""
    if done.wanted == 1:
        return run_text(done.first, folder, explanation)
    return replications_text(done, folder)


def run_text(
    result: Result, folder: Path | None = None, explanation: Explanation | None = None
) -> str:
    """Say what a run found: streams, what binds, busiest hops, events, targets, and the files."""
    summary = result.summary_dict
    lines = [
        *_heading(summary),
        "",
        *_streams(result.streams),
        "",
        *_binding(explanation),
        *_hops(result.hops),
        *_pairs(result.hops),
        *_events(result.events),
        *_failovers(result.failovers),
        *_verdicts(result.targets, result.warnings),
        "",
        *_closing(summary["performance"], folder),
    ]
    return "\n".join(lines) + "\n"


def replications_text(replications: Replications, folder: Path | None = None) -> str:
    """Say what several replications found: median and spread of each headline figure."""
    summary = replications.first.summary_dict
    count = f"{replications.finished} replications"
    if not replications.is_complete:
        count += f" of {replications.wanted}: interrupted"
    rows = []
    for row in replications.summary.to_dict("records"):
        show = _SHOWN[str(row["metric"])]
        rows.append(
            (
                cut(f"{row['stream']} {row['direction']}", NAME_WIDTH),
                str(row["metric"]),
                *(show(row[name]) for name in ("median", "p5", "p95")),
            )
        )
    lines = [
        *_heading(summary),
        f"{count}; median, 5th and 95th percentile over them",
        "",
        *table(("stream", "figure", "median", "5 %", "95 %"), rows, right=(2, 3, 4)),
        *_failover_spread(replications),
        *_verdicts(replications.targets, replications.first.warnings),
        "",
        *_closing(summary["performance"], folder),
    ]
    return "\n".join(lines) + "\n"


def _failover_spread(replications: Replications) -> list[str]:
    """Say for each fault how its figures vary over the replications."""
    header = ("stream", "figure", "median", "5 %", "95 %", "known in")
    lines = []
    for fault, rows in replications.failover_summary.groupby("fault", sort=False):
        cells = []
        for row in rows.sort_values(KEYS, kind="stable").to_dict("records"):
            name = str(row["metric"])
            show = _seconds if name.endswith("_s") else _count
            if name in FAILOVER_SHOWN:
                cells.append(
                    (
                        cut(f"{row['stream']} {row['direction']}", NAME_WIDTH),
                        FAILOVER_SHOWN[name],
                        *(show(row[column]) for column in ("median", "p5", "p95")),
                        f"{row['replications']} of {replications.finished}",
                    )
                )
        lines += ["", cut(f"after {fault}", WIDTH), *table(header, cells, right=(2, 3, 4, 5))]
    return lines


def _count(value: float) -> str:
    return f"{value:,.0f}"


def short(value: float, dimension: Dimension) -> str:
    """Write a quantity with three digits, a dash where it is not known."""
    return "-" if math.isnan(value) else format_quantity(value, dimension, DIGITS)


def _rate(value: float) -> str:
    return short(value, RATE)


def _duration(value: float) -> str:
    return short(value, DURATION)


def _ratio(value: float) -> str:
    return short(value, RATIO)


_SHOWN: Final = {
    "offered_bps": _rate,
    "goodput_bps": _rate,
    "loss_ratio": _ratio,
    "latency_s_p50": _duration,
    "latency_s_p95": _duration,
    "latency_s_p99": _duration,
    "outage_s_max": _duration,
}


def _heading(summary: Mapping[str, Any]) -> list[str]:
    lines = [cut(summary["title"] or summary["scenario"], WIDTH)]
    if summary["question"]:
        lines += wrapped(summary["question"], "          ", "Question: ")
    warm_up = summary["warm_up_s"]
    aside = f", the first {format_duration(warm_up)} of them not in the statistics"
    lines.append(
        f"{format_duration(summary['horizon_s'])} simulated{aside if warm_up else ''}; "
        f"seed {summary['seed']}" + (", flow level" if summary["fidelity"] == "flow" else "")
    )
    if "windows" in summary:
        lines += window_lines(summary["windows"])
    return lines


def _streams(streams: pd.DataFrame) -> list[str]:
    header = ("stream", "offered", "goodput", "loss", "latency p50", "p95", "p99", "outage")
    copies_said = streams
    if len(streams) > STREAMS_MAX:
        copies_said = _copies_together(streams, [*_SHOWN, "packets_delivered"], ["outage_s_max"])
    shown = copies_said.head(STREAMS_MAX)
    rows = [
        (
            cut(f"{row['stream']} {row['direction']}", NAME_WIDTH),
            *(show(row[column]) for column, show in _SHOWN.items()),
        )
        for row in shown.to_dict("records")
    ]
    only_acks = (shown["goodput_bps"] == 0) & (shown["packets_delivered"] > 0)
    rows = [
        (*row[:2], "only ACKs", *row[3:]) if is_ack else row
        for row, is_ack in zip(rows, only_acks, strict=True)
    ]
    lines = table(header, rows, right=range(1, len(header)))
    if len(copies_said) < len(streams):
        lines.append("copies in one row: the median of each figure, the longest outage")
    if len(copies_said) > len(shown):
        lines.append(f"... and {len(copies_said) - len(shown)} more in the table of streams")
    return lines


def _copies_together(
    rows: pd.DataFrame, figures: Sequence[str], worst: Sequence[str], by: Sequence[str] = ()
) -> pd.DataFrame:
    """Put the streams of copies into one row: medians of `figures`, the most of `worst`.

    Copies have names that differ in one number, the same direction and the same `by`.
    """
    parts = [numbered(name) for name in rows["stream"]]
    families = ["*".join(p.family) if p else n for p, n in zip(parts, rows["stream"], strict=True)]
    how: dict[str, Any] = {
        name: "first" for name in rows.columns if name not in ("direction", "stream", *by)
    }
    how |= dict.fromkeys(figures, "median") | dict.fromkeys(worst, "max")
    how["stream"] = lambda names: ", ".join(in_ranges(names))
    keys = [*by, "family", "direction"]
    together = rows.assign(family=families).groupby(keys, sort=False, dropna=False).agg(how)
    return together.reset_index()


def _hops(hops: pd.DataFrame) -> list[str]:
    busiest = hops.dropna(subset=["utilisation_ratio"]).nlargest(HOPS_MAX, "utilisation_ratio")
    rows = [
        (
            cut(f"{row['hop']} {row['direction']}", HOP_WIDTH),
            short(row["utilisation_ratio"], RATIO),
            _duration(row["wait_s_max"]),
            f"{row['packets_dropped']:,}",
        )
        for row in busiest.to_dict("records")
    ]
    header = ("busiest hops", "utilisation", "longest wait", "packets dropped")
    return table(header, rows, right=(1, 2, 3))


def _pairs(hops: pd.DataFrame) -> list[str]:
    """The two links of each circuit and port pair, and what one of them would have to carry."""
    known = {(row["hop"], row["direction"]): row for row in hops.to_dict("records")}
    rows = []
    for (name, direction), first in known.items():
        base, _, which = name.rpartition(".")
        second = known.get((f"{base}.{LINKS[1]}", direction))
        if which != LINKS[0] or second is None:
            continue
        used = (first["utilisation_ratio"], second["utilisation_ratio"])
        if math.isnan(sum(used)) or sum(used) == 0.0:
            continue
        most = sum(used)
        excess = f"{short(most - 1.0, RATIO)} of a link" if most > 1.0 else "nothing"
        rows.append((f"{base} {direction}", *(short(x, RATIO) for x in (*used, most)), excess))
    if not rows:
        return []
    rows = [(cut(row[0], HOP_WIDTH), *row[1:]) for row in rows]
    header = ("links of", *LINKS, "after losing one", "too much for it")
    return ["", *table(header, rows[:STREAMS_MAX], right=(1, 2, 3, 4))]


def _binding(explanation: Explanation | None) -> list[str]:
    """Name the ceiling that binds each stream, as `crossprem explain` finds it."""
    if explanation is None:
        return []
    rows: list[tuple[str, str, str, str]] = [
        (stream.stream, stream.direction, *_at_most(stream, row))
        for stream in explanation.streams
        for row in stream.ceilings
        if row.binds
    ]
    if len(rows) > STREAMS_MAX:
        rows = _bound_alike(rows)
    lines = table(
        ("stream", "at most", "because of (crossprem explain has all ceilings)"),
        [
            (cut(f"{name} {direction}", NAME_WIDTH), most, ceiling)
            for name, direction, most, ceiling in rows[:STREAMS_MAX]
        ],
    )
    return [*(cut(line, WIDTH) for line in lines), ""]


def _at_most(stream: StreamRow, row: CeilingRow) -> tuple[str, str]:
    """What a stream reaches at most, and because of what: its ceiling, or a share beside others."""
    if stream.fair_share_bps is not None and is_less_beside_others(stream):
        return _rate(stream.fair_share_bps), f"share of {stream.fair_share_at} beside other TCP"
    return row.value if row.stream_bps is None else _rate(row.stream_bps), row.ceiling


def _bound_alike(rows: Sequence[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """Put copies that the same, or each its own copy of a ceiling binds into one row."""
    alike: dict[Any, list[tuple[str, str]]] = {}
    for name, direction, most, ceiling in rows:
        families = (parts.family if (parts := numbered(text)) else text for text in (name, ceiling))
        alike.setdefault((direction, most, *families), []).append((name, ceiling))
    return [
        (", ".join(in_ranges(names)), key[0], key[1], ", ".join(in_ranges(ceilings)))
        for key, members in alike.items()
        for names, ceilings in (zip(*members, strict=True),)
    ]


def _events(events: pd.DataFrame) -> list[str]:
    if events.empty:
        return []
    by_id = {row["event_id"]: row for row in events.to_dict("records")}
    rows = merged(events).to_dict("records")
    lines = ["", "what happened"]
    for row in rows[:EVENTS_MAX]:
        lines += wrapped(
            event_text(row, by_id.get(row["cause_event_id"])),
            " " * 14,
            f"{row['time_s']:10.3f} s  ",
        )
    if len(rows) > EVENTS_MAX:
        lines.append(f"... and {len(rows) - EVENTS_MAX} more in the table of events")
    return lines


def event_text(event: Mapping[Any, Any], cause: Mapping[Any, Any] | None) -> str:
    """Say what happened to what, and because of what.

    For example "lyon-vpn: dpd timeout (no answer in 9 s), because of link down at lyon/isp 9 s
    before".
    """
    text = f"{event['subject']}: {str(event['kind']).replace('-', ' ')}"
    if event["detail"]:
        text += f" ({event['detail']})"
    if cause is not None:
        after_s = event["time_s"] - cause["time_s"]
        when = f" {_duration(after_s)} before" if after_s > 0 else ""
        where = f" at {cause['subject']}" if cause["subject"] != event["subject"] else ""
        text += f", because of {str(cause['kind']).replace('-', ' ')}{where}{when}"
    return text


def _failovers(failovers: pd.DataFrame) -> list[str]:
    """Say for each fault when each stream had noticed it, gone another way and recovered."""
    if failovers.empty:
        return []
    header = ("stream", "noticed", "by", "other way", "back", "outage", "degraded", "lost")
    copies_said = failovers
    if len(failovers) > STREAMS_MAX:
        copies_said = _copies_together(
            failovers,
            ["detected_s", "rerouted_s", "recovered_s"],
            ["outage_s", "degraded_s", "packets_lost"],
            ["fault", "started_s"],
        )
    shown = copies_said.head(STREAMS_MAX)
    lines = []
    for _, rows in shown.groupby(["fault", "started_s"], sort=False):
        fault, started_s = str(rows["fault"].iloc[0]), float(rows["started_s"].iloc[0])
        cells = [
            (
                cut(f"{row['stream']} {row['direction']}", NAME_WIDTH),
                _seconds(row["detected_s"] - started_s),
                row["detected_by_end"] or "-",
                _seconds(row["rerouted_s"] - started_s),
                _seconds(row["recovered_s"] - started_s),
                _seconds(row["outage_s"]),
                _seconds(row["degraded_s"]),
                f"{row['packets_lost']:,}",
            )
            for row in rows.to_dict("records")
        ]
        lines += ["", cut(f"after {fault} at {started_s:.6g} s", WIDTH)]
        lines += table(header, cells, right=(1, 3, 4, 5, 6, 7))
    if len(copies_said) < len(failovers):
        lines.append("copies in one row: medians; the longest outage, the most that one lost")
    if len(copies_said) > len(shown):
        lines.append(f"... and {len(copies_said) - len(shown)} more in the table of failovers")
    return lines


def _seconds(duration_s: float) -> str:
    """Write durations of a column alike, a dash where there is none."""
    return "-" if math.isnan(duration_s) else f"{duration_s:,.2f} s"


def _verdicts(targets: Sequence[Judgement], warnings: Sequence[str]) -> list[str]:
    lines = []
    if targets:
        lines += ["", "targets", *(cut(f"  {judgement}", WIDTH) for judgement in targets)]
    if warnings:
        lines += ["", "to know"]
        for warning in warnings:
            lines += wrapped(warning, "    ", "  ")
    return lines


def _closing(performance: Mapping[str, Any], folder: Path | None) -> list[str]:
    lines = []
    if folder is not None:
        lines.append(f"files: {folder}")
    cpu_s = performance["cpu_s"]
    count, what = performance["packet_hops"], "packet-hops"
    if not count:
        count, what = performance["flow_events"], "flow events"
    speed = f", {count / cpu_s / 1e6:.3g} million a second" if cpu_s else ""
    lines.append(
        f"speed: {count:,} {what} in {cpu_s:.2f} s of CPU time{speed}; "
        f"{performance['wall_s']:.1f} s in all, {format_size(performance['peak_rss_bytes'])}"
    )
    return lines


def understood(scenario: Scenario, plan: Plan) -> dict[str, Any]:
    """Gather what `validate` says of a scenario that is right."""
    counts = {
        singular: len(getattr(scenario, plural))
        for singular, plural in (
            ("site", "sites"),
            ("VNet", "vnets"),
            ("gateway", "gateways"),
            ("connection", "connections"),
            ("path", "paths"),
            ("stream", "traffic"),
            ("fault", "faults"),
        )
    }
    return {
        "is_valid": True,
        "scenario": scenario.name,
        "title": scenario.title,
        "scenario_hash": scenario.content_hash(),
        "counts": counts | {"hop": len(plan.hops), "route": len(plan.routes)},
        "horizon_s": scenario.run.horizon,
        "seed": scenario.run.seed,
        "warnings": list(dict.fromkeys(plan.meta["warnings"])),
        "notes": [str(problem) for problem in scenario.notes],
    }


def understood_text(understood: Mapping[str, Any]) -> str:
    """Say it in words."""
    counts = ", ".join(
        f"{count} {name if count == 1 else name + 's'}"
        for name, count in understood["counts"].items()
        if count
    )
    head = f"ok: {understood['scenario']}: {counts}; "
    head += f"{format_duration(understood['horizon_s'])}, seed {understood['seed']}"
    lines = [head]
    for word, texts in (("warning", understood["warnings"]), ("note", understood["notes"])):
        lines += [line for text in texts for line in wrapped(text, "  ", f"{word}: ")]
    return "\n".join(lines) + "\n"
