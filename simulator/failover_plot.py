"""The figure of a failover: what traffic felt and what the control plane did, on one time axis.

Three rows for the streams that a fault affected (what arrives, what is lost, how long it takes),
and below them a strip for each fault, each session and each route that changed. Every change has a
number, and the list below says what it was and because of what.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import NullFormatter, PercentFormatter

from simulator.faults import FAULTS
from simulator.metrics.events import merged
from simulator.plots import (
    FAINT,
    FAULT,
    INK,
    STREAMS_MAX,
    Line,
    ShownAxes,
    ShownFigure,
    fault_periods,
    lines_of,
    mark_windows,
    note,
    prefix,
    style,
    title,
)
from simulator.states import REPAIR

SESSION_STATES: Final = {
    "dpd-timeout": ("IKE", "down"),
    "sa-lost": ("IKE", "down"),
    "ike-initiated": ("IKE", "trying"),
    "ike-rekey": ("IKE", "trying"),
    "ike-established": ("IKE", "up"),
    "idle-teardown": ("IKE", "down"),
    "bgp-down": ("BGP", "down"),
    "bgp-established": ("BGP", "up"),
    "bfd-down": ("BFD", "down"),
    "route-withdrawn": ("routes", "down"),
    "route-installed": ("routes", "up"),
    "p2s-disconnected": ("clients", "down"),
    "p2s-reconnected": ("clients", "trying"),
}
"""Kind of event -> of which session of its subject it speaks, and what that is from then on."""
MARKS: Final = frozenset({"switch-over", "take-over", "first-hop-switch", "sa-rekeyed"})
"""Kinds of events that are numbered without a strip of their own."""
ROUTE: Final = "reroute"
PLANNED: Final = "as planned"
STATE_COLOURS: Final = {"up": "#BFE3D3", "trying": "#F7E3A6", "down": "#EFB39A", "fault": "#D55E00"}
OTHER_WAY: Final = "#C9DDEE"
NO_WAY: Final = STATE_COLOURS["down"]
STRIPS_MAX: Final = 14
EVENTS_MAX: Final = 16
CURVE_HEIGHT_IN: Final = 1.35
STRIP_HEIGHT_IN: Final = 0.27
EVENT_HEIGHT_IN: Final = 0.165
LABEL_HEIGHT_IN: Final = 1.3
WIDTH_IN: Final = 10.5
MARGIN_RATIO: Final = 0.12
"""Time shown before the first fault and after the last change, as a share of that between."""
MARGIN_BINS: Final = 5
FAR_RATIO: Final = 10.0
"""A fault that follows after so many times what those before it took is not shown with them."""
NUMBERS_APART_RATIO: Final = 0.052
"""Numbers above the Axes that would be closer, as a share of their width, are written as one."""
STRIP_CHARACTERS: Final = 105
"""How many characters of a strip's text its whole width holds."""
CUT_CHARACTERS_MIN: Final = 9
"""A text that is cut to less says nothing."""
LINE_CHARACTERS: Final = 165
APART_RATIO: Final = 10.0
"""Rates so far apart are not read on one linear axis."""


@dataclass(frozen=True)
class Stretch:
    """Part of a strip: one state for some time."""

    begin_s: float
    end_s: float
    text: str
    colour: str


@dataclass(frozen=True)
class Strip:
    """One thing over time."""

    name: str
    stretches: tuple[Stretch, ...]
    event_ids: tuple[int, ...]
    """The events at its changes."""


def failover(timeline: pd.DataFrame, events: pd.DataFrame, failovers: pd.DataFrame) -> Axes:
    """Draw what the faults did: traffic above, sessions and routes below, causes in words.

    Parameters
    ----------
    timeline, events, failovers
        Tables of a result.

    Returns
    -------
    Axes
        The uppermost of the figure.
    """
    shown = merged(events)
    span = _span(timeline, events, failovers)
    begin_s, end_s = span.begin_s, span.end_s
    shown = shown[shown["time_s"].between(begin_s, end_s)]
    strips = list(_strips(events, failovers, begin_s, end_s))
    numbers = _numbers(shown, strips)
    with style():
        curves, strip_axes = _axes(strips, min(len(numbers), EVENTS_MAX + 1))
        seen = (timeline["time_s"] < end_s) & (timeline["time_s"] + timeline["bin_s"] > begin_s)
        _draw_curves(curves, _affected(timeline[seen], failovers))
        for ax in (*curves, strip_axes):
            ax.set_xlim(begin_s, end_s)
            mark_windows(ax, timeline[seen], is_named=ax is curves[0])
            for fault_s, repair_s in fault_periods(events, end_s):
                ax.axvspan(fault_s, repair_s, color=FAULT, linewidth=0, zorder=0)
            for event_id in numbers:
                time_s = float(events.loc[events["event_id"] == event_id, "time_s"].iloc[0])
                ax.axvline(time_s, color=FAINT, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
        _draw_strips(strip_axes, strips, end_s - begin_s)
        _draw_numbers(curves[0], shown, numbers, begin_s, end_s)
        _list_changes(strip_axes, shown, events, numbers)
        left_out = f"; faults before or after: {span.left_out}" if span.left_out else ""
        title(curves[0], _message(failovers) + left_out, over_numbers=True)
    return curves[0]


# ---- what to show ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """What of a run the figure shows."""

    begin_s: float
    end_s: float
    left_out: int
    """Faults before or after it."""


def _span(timeline: pd.DataFrame, events: pd.DataFrame, failovers: pd.DataFrame) -> Span:
    """From a little before a fault to a little after the last that it changed.

    Faults that follow one another closely are shown together. Where some are so far apart that
    nothing could be read, the figure is of the one that did the most.
    """
    run_s = float((timeline["time_s"] + timeline["bin_s"]).max()) if len(timeline) else 1.0
    matters = list(_matters(events, failovers, run_s))
    if not matters:
        return Span(0.0, run_s, 0)
    groups: list[list[tuple[float, float]]] = []
    for first_s, last_s in sorted(matters):
        if groups:
            begun_s, until_s = groups[-1][0][0], max(end for _, end in groups[-1])
            if first_s - until_s <= FAR_RATIO * (until_s - begun_s):
                groups[-1].append((first_s, last_s))
                continue
        groups.append([(first_s, last_s)])
    worst_s = _worst_first(failovers)["started_s"].iloc[0] if len(failovers) else 0.0
    group = next((g for g in groups if any(first == worst_s for first, _ in g)), groups[0])
    first_s, last_s = group[0][0], max(end for _, end in group)
    bin_s = float(timeline["bin_s"].max()) if len(timeline) else 0.0
    margin_s = max(MARGIN_RATIO * (last_s - first_s), MARGIN_BINS * bin_s)
    left_out = len(matters) - len(group)
    return Span(max(0.0, first_s - margin_s), min(run_s, last_s + margin_s), left_out)


def _matters(
    events: pd.DataFrame, failovers: pd.DataFrame, run_s: float
) -> Iterator[tuple[float, float]]:
    """Each fault: when it began, and when the last that it led to was over."""
    faults: dict[int, float] = {}
    root: dict[int, int] = {}
    for row in _records(events):
        event_id, cause = int(row["event_id"]), row["cause_event_id"]
        if row["kind"] in FAULTS.names():
            root[event_id] = event_id
        elif not pd.isna(cause) and int(cause) in root:
            root[event_id] = root[int(cause)]
        if event_id in root:
            faults[root[event_id]] = float(row["time_s"])
    begun_s = dict(zip(events["event_id"], events["time_s"], strict=True))
    hurt = failovers[(failovers["outage_s"] > 0.0) | (failovers["degraded_s"] > 0.0)]
    for event_id, last_s in faults.items():
        first_s = float(begun_s[event_id])
        back = hurt.loc[hurt["started_s"] == first_s, "recovered_s"]
        yield first_s, max(last_s, *back.fillna(run_s), last_s)


def _affected(timeline: pd.DataFrame, failovers: pd.DataFrame) -> pd.DataFrame:
    """The rows of the streams that a fault affected; all if it affected none."""
    keys = ["stream", "direction"]
    if failovers.empty:
        return timeline
    return timeline.merge(failovers[keys].drop_duplicates(), on=keys)


def _strips(
    events: pd.DataFrame, failovers: pd.DataFrame, begin_s: float, end_s: float
) -> Iterator[Strip]:
    """Faults first, then sessions, in order of their first change, then routes by name."""
    found = [*_fault_strips(events, end_s), *_session_strips(events, end_s)]
    found += sorted(_route_strips(events, failovers, end_s), key=lambda strip: strip.name)
    seen = set(events.loc[events["time_s"].between(begin_s, end_s), "event_id"])
    changing = [strip for strip in found if not seen.isdisjoint(strip.event_ids)]
    for strip in changing[:STRIPS_MAX]:
        inside = tuple(
            Stretch(max(s.begin_s, begin_s), min(s.end_s, end_s), s.text, s.colour)
            for s in strip.stretches
            if s.end_s > begin_s and s.begin_s < end_s
        )
        yield Strip(strip.name, inside, strip.event_ids)


def _fault_strips(events: pd.DataFrame, end_s: float) -> Iterator[Strip]:
    ends = events[events["kind"] == REPAIR]
    for row in events[events["kind"].isin(FAULTS.names())].to_dict("records"):
        end = ends[ends["cause_event_id"] == row["event_id"]].head(1)
        stop_s = float(end["time_s"].iloc[0]) if len(end) else end_s
        text = str(row["kind"]).replace("-", " ")
        yield Strip(
            str(row["subject"]),
            (Stretch(float(row["time_s"]), stop_s, text, STATE_COLOURS["fault"]),),
            (int(row["event_id"]), *(int(i) for i in end["event_id"])),
        )


def _session_strips(events: pd.DataFrame, end_s: float) -> Iterator[Strip]:
    """A strip for each session that changed: IKE with DPD, BGP and BFD of one thing apart."""
    changes: dict[tuple[str, str], list[dict[Any, Any]]] = {}
    for row in _records(events[events["kind"].isin(list(SESSION_STATES))]):
        session, _ = SESSION_STATES[str(row["kind"])]
        changes.setdefault((str(row["subject"]), session), []).append(row)
    for (subject, session), rows in sorted(changes.items(), key=lambda change: change[0]):
        states = [(float(r["time_s"]), SESSION_STATES[str(r["kind"])][1]) for r in rows]
        stretches = _stretches([(0.0, "up"), *states], end_s)
        yield Strip(
            f"{session} of {subject}",
            tuple(Stretch(b, e, state, STATE_COLOURS[state]) for b, e, state in stretches),
            tuple(int(r["event_id"]) for r in rows),
        )


def _route_strips(events: pd.DataFrame, failovers: pd.DataFrame, end_s: float) -> Iterator[Strip]:
    """A strip for each direction of a stream; its text is what the events say of the new way."""
    back = {
        (f"route of {row['stream']} {row['direction']}", row["failback_s"])
        for row in _records(failovers)
    }
    by_name: dict[str, list[dict[Any, Any]]] = {}
    for row in _records(events[events["kind"] == ROUTE]):
        direction = str(row["detail"]).partition(": ")[0].rpartition(", ")[2]
        by_name.setdefault(f"route of {row['subject']} {direction}", []).append(row)
    for name, rows in by_name.items():
        at_s = [float(row["time_s"]) for row in rows]
        ways = [str(row["detail"]).partition(": ")[2] for row in rows]
        ways = [PLANNED if (name, t) in back else way for t, way in zip(at_s, ways, strict=True)]
        stretches = _stretches([(0.0, PLANNED), *zip(at_s, ways, strict=True)], end_s)
        yield Strip(
            name,
            tuple(Stretch(b, e, way, _way_colour(way)) for b, e, way in stretches),
            tuple(int(r["event_id"]) for r in rows),
        )


def _way_colour(way: str) -> str:
    if way == PLANNED:
        return STATE_COLOURS["up"]
    return NO_WAY if way == "no route" or way.startswith("dropped") else OTHER_WAY


def _records(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    return rows.to_dict("records")


def _stretches(
    changes: Sequence[tuple[float, str]], end_s: float
) -> Iterator[tuple[float, float, str]]:
    """Turn changes into stretches; what lasts no time, and what changes nothing, is left out."""
    lasting = [
        change
        for change, (next_s, _) in itertools.pairwise((*changes, (end_s, "")))
        if next_s > change[0]
    ]
    runs = [next(run) for _, run in itertools.groupby(lasting, key=lambda change: change[1])]
    for (begin_s, text), (stop_s, _) in itertools.pairwise((*runs, (end_s, ""))):
        yield begin_s, stop_s, text


def _numbers(shown: pd.DataFrame, strips: Sequence[Strip]) -> dict[int, int]:
    """Number the changes of the strips, as joined for people, from 1."""
    wanted = {event_id for strip in strips for event_id in strip.event_ids}
    kinds = shown["kind"].isin([*SESSION_STATES, *MARKS, ROUTE])
    kept = shown[shown["event_id"].isin(list(wanted)) | kinds]
    return {int(event_id): n for n, event_id in enumerate(kept["event_id"], 1)}


# ---- drawing ---------------------------------------------------------------------------------


def _axes(strips: Sequence[Strip], events: int) -> tuple[list[Axes], Axes]:
    """Three Axes for curves and one for the strips, one above the other."""
    strips_in = STRIP_HEIGHT_IN * max(1, len(strips))
    height_in = 3 * CURVE_HEIGHT_IN + strips_in + EVENT_HEIGHT_IN * events + LABEL_HEIGHT_IN
    figure = ShownFigure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, 1, height_ratios=[*[CURVE_HEIGHT_IN] * 3, strips_in])
    first = figure.add_subplot(grid[0], axes_class=ShownAxes)
    axes = [
        first,
        *(figure.add_subplot(grid[n], sharex=first, axes_class=ShownAxes) for n in (1, 2, 3)),
    ]
    for ax in axes[:3]:
        ax.tick_params(labelbottom=False)
    axes[3].set_xlabel("Simulated time (s)")
    return axes[:3], axes[3]


def _draw_curves(axes: Sequence[Axes], timeline: pd.DataFrame) -> None:
    delivered = lines_of(timeline, "throughput_bps", by=lambda line: line.mean)
    looks = {line.name: (line.colour, line.dashes) for line in delivered}
    scale, unit = prefix(max((line.highest for line in delivered), default=0.0), "bit/s")
    axes[0].set_ylabel(f"Arrives\n({unit})")
    _draw_lines(axes[0], delivered, looks, scale)
    _spread_apart(axes[0], delivered, scale)
    _name_lines(axes[0], delivered)
    loss = lines_of(timeline, "loss_ratio", by=lambda line: line.mean)
    axes[1].set_ylabel("Lost (%)")
    _draw_lines(axes[1], loss, looks, 1.0)
    axes[1].set_ylim(0.0, 1.05 * max([line.highest for line in loss] + [0.01]))
    axes[1].yaxis.set_major_formatter(PercentFormatter(1.0, symbol=None))
    late = lines_of(timeline, "latency_s_p95", by=lambda line: line.highest)
    scale, unit = prefix(max((line.highest for line in late), default=0.0), "s")
    axes[2].set_ylabel(f"Latency\np95 ({unit})")
    _draw_lines(axes[2], late, looks, scale)


def _draw_lines(
    ax: Axes, lines: Sequence[Line], looks: Mapping[str, tuple[str, str]], scale: float
) -> None:
    for line in reversed(lines):
        colour, dashes = looks[line.name]
        ax.step(line.time_s, line.value * scale, dashes, where="mid", color=colour, linewidth=1.3)
    ax.set_ylim(bottom=0.0)


def _spread_apart(ax: Axes, lines: Sequence[Line], scale: float) -> None:
    """Draw rates of very different size on a logarithmic axis; what does not arrive lies below."""
    means = [line.mean * scale for line in lines if line.mean > 0.0]
    if not means or max(means) < APART_RATIO * min(means):
        return
    lowest = min(means) / APART_RATIO
    for drawn in ax.get_lines():
        drawn.set_ydata(np.maximum(np.nan_to_num(np.asarray(drawn.get_ydata(), float)), lowest))
    ax.set_yscale("log")
    ax.set_ylim(lowest, 2.0 * max(line.highest * scale for line in lines))
    ax.yaxis.set_major_formatter("{x:g}")  # plain numbers; the usual formulas are slow to typeset
    ax.yaxis.set_minor_formatter(NullFormatter())


def _name_lines(ax: Axes, lines: Sequence[Line]) -> None:
    """List the streams right of the uppermost Axes."""
    for n, line in enumerate(lines[: 2 * STREAMS_MAX]):
        place = 1.0 - n * 0.12
        dashes = "\N{EM DASH}" if line.dashes == "-" else "- -"
        note(ax, 1.012, place, f"{dashes} {line.name}", line.colour, va="top")


def _draw_strips(ax: Axes, strips: Sequence[Strip], span_s: float) -> None:
    for n, strip in enumerate(strips):
        for stretch in strip.stretches:
            width_s = stretch.end_s - stretch.begin_s
            ax.barh(n, width_s, left=stretch.begin_s, height=0.78, color=stretch.colour, zorder=2)
            text = _fitting(stretch.text, int(width_s / span_s * STRIP_CHARACTERS))
            if text:
                ax.text(
                    stretch.begin_s + width_s / 2,
                    n,
                    text,
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color="white" if stretch.colour == STATE_COLOURS["fault"] else INK,
                    zorder=3,
                )
    ax.set_yticks(np.arange(len(strips)), [strip.name for strip in strips], fontsize=8.0)
    ax.set_ylim(len(strips) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)


def _fitting(text: str, room: int) -> str:
    """The text, cut where it does not fit; nothing where too little of it would be left."""
    if len(text) <= room:
        return text
    return f"{text[: room - 1]}\N{HORIZONTAL ELLIPSIS}" if room >= CUT_CHARACTERS_MIN else ""


def _draw_numbers(
    ax: Axes, shown: pd.DataFrame, numbers: Mapping[int, int], begin_s: float, end_s: float
) -> None:
    """Write the numbers of the changes above the Axes, close ones together."""
    times_s = dict(zip(shown["event_id"], shown["time_s"], strict=True))
    groups: list[tuple[float, list[int]]] = []
    for event_id, number in numbers.items():
        place = (float(times_s[event_id]) - begin_s) / (end_s - begin_s)
        if groups and place - groups[-1][0] < NUMBERS_APART_RATIO:
            groups[-1][1].append(number)
        else:
            groups.append((place, [number]))
    for place, group in groups:
        label = f"{group[0]}" + (f"\N{EN DASH}{group[-1]}" if len(group) > 1 else "")
        note(ax, place, 1.02, label, FAINT, ha="center", va="bottom")


def _list_changes(
    ax: Axes, shown: pd.DataFrame, events: pd.DataFrame, numbers: Mapping[int, int]
) -> None:
    """Say below the strips what each number stands for, and its cause."""
    by_id = {row["event_id"]: row for row in _records(events)}
    rows = [row for row in _records(shown) if row["event_id"] in numbers]
    lines = []
    for row in rows[:EVENTS_MAX]:
        line = f"{numbers[row['event_id']]}: {row['time_s']:.6g} s, {_words(row)}"
        cause = None if pd.isna(row["cause_event_id"]) else by_id.get(row["cause_event_id"])
        if cause is not None:
            line += f", because of {str(cause['kind']).replace('-', ' ')} at {cause['subject']}"
        lines.append(textwrap.shorten(line, LINE_CHARACTERS, placeholder=" ..."))
    if len(rows) > EVENTS_MAX:
        lines.append(f"and {len(rows) - EVENTS_MAX} more in the table of events")
    ax.annotate(
        "\n".join(lines),
        (0.0, 0.0),
        xytext=(-90.0, -36.0),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        color=INK,
        fontsize=8.0,
        linespacing=1.4,
    )


def _words(row: Mapping[Any, Any]) -> str:
    detail = f" ({row['detail']})" if row["detail"] else ""
    return f"{row['subject']}: {str(row['kind']).replace('-', ' ')}{detail}"


def _worst_first(failovers: pd.DataFrame) -> pd.DataFrame:
    return failovers.sort_values(["outage_s", "degraded_s"], ascending=False, kind="stable")


def _message(failovers: pd.DataFrame) -> str:
    """Say which stream suffered most, and for how long."""
    if failovers.empty:
        return "No stream was affected by a fault"
    row = _worst_first(failovers).to_dict("records")[0]
    who = f"{row['stream']} {row['direction']}"
    message = f"{row['fault']}: {who} is out for {row['outage_s']:.4g} s"
    if row["outage_s"] == 0.0:
        message = f"{row['fault']}: {who} is degraded for {row['degraded_s']:.4g} s"
    if math.isnan(row["recovered_s"]):
        return message + " and does not recover"
    return message + f", recovered after {row['recovered_s'] - row['started_s']:.4g} s"
