"""Figures, one function each: frames in, Axes out.

One style for all: colours that colour-blind people can tell apart (Okabe and Ito 2008), SI units
on the axes, names beside the lines, a title that says what the figure shows, a shade where
something was down. Figures are made without pyplot, so nothing here is global.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes as Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from kernels import layout
from simulator.base.units import (
    DURATION,
    RATE,
    format_duration,
    format_quantity,
    format_ratio,
)
from simulator.faults import FAULTS
from simulator.metrics.events import merged
from simulator.states import REPAIR

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

COLOURS: Final = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # green
    "#CC79A7",  # purple
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#000000",
)
OTHERS: Final = "#B8B8B8"
"""Lines that are not named."""
INK: Final = "#222222"
FAINT: Final = "#6E6E6E"
FAULT: Final = "#F6E3DA"
"""Shade of the time in which something was down."""
WARM_UP: Final = "#F0F0F0"
PACKETS: Final = "#E4EFF8"
"""Band of what a run at flow level simulates at packet level."""
PACKETS_BAR: Final = "#4A86B8"
PACKETS_NAME: Final = "packet level"
SAME_INSTANT_S: Final = 1e-9
BUSY_RATIO: Final = 0.9
"""A hop above it is drawn in the colour of a warning."""
PNG_EFFORT: Final = 1
"""zlib's level: files are a few percent larger than with the usual 6, and there sooner."""
STREAMS_MAX: Final = len(COLOURS)
HOPS_MAX: Final = 12
EVENTS_MAX: Final = 12
EVENT_HEIGHT_IN: Final = 0.157
EVENT_COLUMNS: Final = ("event_id", "time_s", "kind", "subject", "cause_event_id", "detail")
LINE_CHARACTERS: Final = 100
SAME_PLACE_RATIO: Final = 0.025
"""Events closer than this share of the time axis have one mark."""
STEADY_RATIO: Final = 1.5
"""Latency is called steady if no bin's is above this many times the typical one."""
LOG_RATIO: Final = 30.0
"""Latencies that span more than this factor have a logarithmic axis."""
NOTE_INSIDE_RATIO: Final = 0.55
"""The note of a longer bar stands inside it."""
ROW: Final = 0.052
"""Height of a row of small text as a share of the height of the Axes."""

STYLE: Final[dict[RcKeyType, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.6,
    "svg.hashsalt": "crossprem",
    "svg.fonttype": "path",
    "figure.dpi": 100.0,
    "savefig.dpi": 150.0,
}

DrawStyle = Literal["default", "steps-mid"]


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style while the block runs."""
    with mpl.rc_context(STYLE):
        yield


class ShownFigure(Figure):
    """A figure that a notebook shows, whatever backend of matplotlib is in use there."""

    def _repr_png_(self) -> bytes:
        drawn = io.BytesIO()
        with style():
            self.savefig(drawn, format="png")
        return drawn.getvalue()


class ShownAxes(Axes):
    """Axes that a notebook shows as their whole figure."""

    def _repr_png_(self) -> bytes:
        figure = self.get_figure(root=True)
        assert isinstance(figure, ShownFigure)
        return figure._repr_png_()


def new_axes(width_in: float = 9.6, height_in: float = 4.6) -> Axes:
    """Make a figure of its own with one Axes; a notebook shows it."""
    figure = ShownFigure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot(axes_class=ShownAxes)


def save(axes: Axes, *paths: Path) -> None:
    """Write the figure of an Axes to one file or several; a name's ending says which format.

    The same figure gives the same bytes. The layout, much of the work, is computed once for all.
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("these Axes belong to no figure")
    engine = figure.get_layout_engine()
    with style():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for path in paths:
            if path.suffix == ".svg":
                figure.savefig(path, metadata={"Date": None})
            else:
                figure.savefig(path, pil_kwargs={"compress_level": PNG_EFFORT})
    figure.set_layout_engine(engine)


# ---- over time -------------------------------------------------------------------------------


def latency(
    timeline: pd.DataFrame,
    events: pd.DataFrame | None = None,
    *,
    percentile: str = "p95",
    ax: Axes | None = None,
) -> Axes:
    """Draw the one-way latency of each stream and direction over time.

    Parameters
    ----------
    timeline, events
        Tables of a result.
    percentile
        Which percentile of each time bin: `p50`, `p95` or `p99`.
    ax
        Where to draw; by default a figure of its own.
    """
    lines = lines_of(timeline, f"latency_s_{percentile}", by=lambda line: line.highest)
    with style():
        ax = _over_time(ax, timeline, events)
        scale, unit = prefix(max((line.highest for line in lines), default=0.0), "s")
        _draw(ax, lines, scale)
        ax.set_ylabel(f"One-way latency, {percentile} of each time bin ({unit})")
        title(ax, _latency_message(lines, percentile, timeline), over_numbers=True)
    return ax


def throughput(
    timeline: pd.DataFrame, events: pd.DataFrame | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw for each stream and direction the rate that was delivered (line) and offered (dots)."""
    lines = lines_of(timeline, "throughput_bps", by=lambda line: line.mean)
    offered = {line.name: line for line in lines_of(timeline, "offered_bps", by=lambda line: 0.0)}
    with style():
        ax = _over_time(ax, timeline, events)
        scale, unit = prefix(max((o.highest for o in offered.values()), default=0.0), "bit/s")
        for line in lines:
            wanted = offered[line.name]
            ax.step(
                wanted.time_s,
                wanted.value * scale,
                ":",
                where="mid",
                color=line.colour,
                linewidth=1.0,
            )
        _draw(ax, lines, scale, drawstyle="steps-mid")
        ax.set_ylabel(f"Delivered (line) and offered (dots), {unit}")
        title(ax, _throughput_message(timeline), over_numbers=True)
    return ax


@dataclass
class Line:
    """One stream and direction over time."""

    name: str
    time_s: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    is_warm_up: npt.NDArray[np.bool_]
    colour: str = OTHERS
    dashes: str = "-"

    @property
    def counted(self) -> npt.NDArray[np.float64]:
        """The known values after warm-up."""
        kept = self.value[~self.is_warm_up]
        return kept[np.isfinite(kept)]

    @property
    def highest(self) -> float:
        """The largest known value, 0 where there is none."""
        return float(np.nanmax(self.value, initial=0.0))

    @property
    def mean(self) -> float:
        """The mean after warm-up, 0 where nothing is known."""
        return float(self.counted.mean()) if self.counted.size else 0.0


def lines_of(timeline: pd.DataFrame, column: str, by: Callable[[Line], float]) -> list[Line]:
    """Take a line for each stream and direction that carries payload, the largest first."""
    lines = []
    for (stream, direction), frame in timeline.groupby(["stream", "direction"], sort=False):
        if (frame["goodput_bps"] > 0).any():
            middle_s = frame["time_s"] + frame["bin_s"] / 2
            lines.append(
                Line(
                    f"{stream} {direction}",
                    middle_s.to_numpy(np.float64),
                    frame[column].to_numpy(np.float64),
                    frame["is_warm_up"].to_numpy(bool),
                )
            )
    lines.sort(key=by, reverse=True)
    looks = _looks([line.name for line in lines])
    for line in lines:
        line.colour, line.dashes = looks.get(line.name, (OTHERS, "-"))
    return lines


def _looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Give the first streams a colour each, and their return direction dashes."""
    first = list(dict.fromkeys(name.rpartition(" ")[0] for name in names))[:STREAMS_MAX]
    colour = dict(zip(sorted(first), COLOURS, strict=False))
    return {
        name: (colour[stream], "--" if name.endswith(" return") else "-")
        for name in names
        if (stream := name.rpartition(" ")[0]) in colour
    }


def _draw(ax: Axes, lines: Sequence[Line], scale: float, drawstyle: DrawStyle = "default") -> None:
    """Draw lines, the largest on top, each with its name at its right end."""
    ends = []
    for line in reversed(lines):
        is_named = line.colour != OTHERS
        width = None if is_named else 0.8
        value = line.value * scale
        ax.plot(
            line.time_s,
            value,
            line.dashes,
            color=line.colour,
            linewidth=width,
            drawstyle=drawstyle,
        )
        if is_named and np.isfinite(value).any():
            ends.append((float(value[np.isfinite(value)][-1]), line))
    ax.set_ylim(bottom=0.0, top=ax.get_ylim()[1] * 1.04)
    high = ax.get_ylim()[1]
    places = _spread([end / high for end, _ in ends], ROW)
    for place, (_, line) in zip(places, ends, strict=True):
        note(ax, 1.012, place, line.name, line.colour, va="center")
    rest = sum(line.colour == OTHERS for line in lines)
    if rest:
        note(ax, 1.012, min([0.0, *(p - ROW for p in places)]), f"{rest} others", FAINT)


def _spread(places: Sequence[float], gap: float) -> list[float]:
    """Move places (shares of a height) apart until no two are closer than `gap`; order is kept."""
    order = sorted(range(len(places)), key=lambda n: places[n])
    moved = list(places)
    for below, above in pairwise(order):
        moved[above] = max(moved[above], moved[below] + gap)
    top = 1.0
    for n in reversed(order):  # back down where the upward push went beyond the top
        moved[n] = min(moved[n], top)
        top = moved[n] - gap
    return moved


def note(ax: Axes, x: float, y: float, text: str, colour: str, **options: Any) -> None:
    """Write small text at a place given as shares of the Axes, outside of them too."""
    ax.text(
        x, y, text, color=colour, fontsize=8.5, transform=ax.transAxes, clip_on=False, **options
    )


def _over_time(ax: Axes | None, timeline: pd.DataFrame, events: pd.DataFrame | None) -> Axes:
    """Prepare a time axis: warm-up and faults shaded, events numbered and listed."""
    events = pd.DataFrame(columns=EVENT_COLUMNS) if events is None else merged(events)
    rows = min(len(events), EVENTS_MAX + 1)
    ax = ax or new_axes(height_in=4.2 + EVENT_HEIGHT_IN * rows)
    end_s = float((timeline["time_s"] + timeline["bin_s"]).max()) if len(timeline) else 1.0
    ax.set_xlim(0.0, end_s)
    ax.set_xlabel("Simulated time (s)")
    warm_up = timeline[timeline["is_warm_up"]]
    if len(warm_up):
        warm_s = float((warm_up["time_s"] + warm_up["bin_s"]).max())
        ax.axvspan(0.0, warm_s, color=WARM_UP, linewidth=0)
        note(ax, 0.0, 1.01, "warm-up", FAINT, va="bottom")
    mark_windows(ax, timeline)
    for begin_s, stop_s in fault_periods(events, end_s):
        ax.axvspan(begin_s, stop_s, color=FAULT, linewidth=0)
    if len(events):
        _list_events(ax, events, end_s)
    return ax


def mark_windows(ax: Axes, timeline: pd.DataFrame, *, is_named: bool = True) -> None:
    """Mark the stretches of a run at flow level that were simulated at packet level.

    A band with a bar above it, so that a minute of a day can be seen; the first one has a name.
    """
    windows = packet_windows(timeline)
    for begin_s, end_s in windows:
        ax.axvspan(begin_s, end_s, facecolor=PACKETS, edgecolor=PACKETS, linewidth=1.0, zorder=0)
        bar = ax.plot([begin_s, end_s], [1.0, 1.0], transform=ax.get_xaxis_transform())[0]
        bar.set(color=PACKETS_BAR, linewidth=3.0, clip_on=False, solid_capstyle="projecting")
    if windows and is_named:
        middle_s = sum(windows[0]) / 2.0
        is_left = middle_s < sum(ax.get_xlim()) / 2.0
        name = ax.text(middle_s, 0.985, f" {PACKETS_NAME} ", transform=ax.get_xaxis_transform())
        name.set(color=PACKETS_BAR, fontsize=8.0, va="top", ha="left" if is_left else "right")
        name.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5})


def packet_windows(timeline: pd.DataFrame) -> list[tuple[float, float]]:
    """Find the stretches at packet level of a run that has bins of both levels."""
    if "fidelity" not in timeline or timeline["fidelity"].nunique() < 2:
        return []
    rows = timeline[timeline["fidelity"] == "packet"].drop_duplicates("time_s")
    found: list[tuple[float, float]] = []
    for begin_s, bin_s in sorted(zip(rows["time_s"], rows["bin_s"], strict=True)):
        if found and begin_s - found[-1][1] < SAME_INSTANT_S:
            found[-1] = (found[-1][0], begin_s + bin_s)
        else:
            found.append((begin_s, begin_s + bin_s))
    return found


def fault_periods(events: pd.DataFrame, end_s: float) -> list[tuple[float, float]]:
    """Find the stretches of time in which a fault lasted, overlapping ones joined.

    A fault begins with an event of its kind and ends with the repair that names it as its cause.
    """
    repairs = events[events["kind"] == REPAIR]
    end_of = dict(zip(repairs["cause_event_id"], repairs["time_s"], strict=True))
    begun = events[events["kind"].isin(FAULTS.names())]
    periods: list[tuple[float, float]] = []
    for event_id, begin_s in zip(begun["event_id"], begun["time_s"], strict=True):
        stop_s = end_of.get(event_id, end_s)
        if periods and begin_s <= periods[-1][1]:
            periods[-1] = (periods[-1][0], max(periods[-1][1], stop_s))
        else:
            periods.append((begin_s, stop_s))
    return periods


def _list_events(ax: Axes, events: pd.DataFrame, end_s: float) -> None:
    """Number the first events above the Axes and say below them what happened."""
    shown = events.head(EVENTS_MAX)
    times_s = shown["time_s"].tolist()
    groups: list[list[int]] = []
    for n, time_s in enumerate(times_s):
        ax.axvline(time_s, color=FAINT, linewidth=0.6, linestyle=(0, (2, 2)))
        if groups and time_s - times_s[groups[-1][0]] < end_s * SAME_PLACE_RATIO:
            groups[-1].append(n)
        else:
            groups.append([n])
    for group in groups:
        label = f"{group[0] + 1}" + (f"\N{EN DASH}{group[-1] + 1}" if len(group) > 1 else "")
        note(ax, times_s[group[0]] / end_s, 1.01, label, FAINT, ha="center", va="bottom")
    ax.annotate(
        "\n".join(_event_lines(events)),
        (0.0, 0.0),
        xytext=(0.0, -36.0),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        color=FAINT,
        fontsize=8.0,
        linespacing=1.4,
    )


def _event_lines(events: pd.DataFrame) -> list[str]:
    """Say what happened, one numbered line for each of the first events."""
    lines = []
    for n, event in enumerate(events.head(EVENTS_MAX).to_dict("records"), 1):
        detail = f" ({event['detail']})" if event["detail"] else ""
        what = f"{event['subject']}: {event['kind'].replace('-', ' ')}{detail}"
        line = f"{n}: {event['time_s']:.6g} s, {what}"
        lines.append(textwrap.shorten(line, LINE_CHARACTERS, placeholder=" ..."))
    if len(events) > EVENTS_MAX:
        lines.append(f"and {len(events) - EVENTS_MAX} more in the table of events")
    return lines


# ---- over the whole run ----------------------------------------------------------------------


def cdf(latency_cdf: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the distribution of latencies; the vertical axis stretches the slowest packets."""
    series = [
        (f"{stream} {direction}", frame)
        for (stream, direction), frame in latency_cdf.groupby(["stream", "direction"], sort=False)
    ]
    series.sort(key=lambda item: _percentile_s(item[1], 0.99), reverse=True)
    with style():
        ax = ax or new_axes()
        lowest_s = min((float(f["latency_s_low"].min()) for _, f in series), default=0.0)
        highest_s = max((float(f["latency_s_high"].max()) for _, f in series), default=0.0)
        scale, unit = prefix(highest_s, "s")
        looks = _looks([name for name, _ in series])
        for name, frame in reversed(series):
            colour, dashes = looks.get(name, (OTHERS, "-"))
            x = np.append(frame["latency_s_low"].iloc[0], frame["latency_s_high"]) * scale
            y = _nines(np.append(0.0, frame["cdf_ratio"]), int(frame["packets"].sum()))
            p99 = _short(_percentile_s(frame, 0.99))
            label = f"{name}: {p99}" if name in looks else "_"
            ax.plot(x, y, dashes, color=colour, label=label)
        _scale_of_nines(ax, max((int(f["packets"].sum()) for _, f in series), default=1))
        if highest_s > LOG_RATIO * lowest_s > 0:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            ax.set_xlim(left=0.0)
        if series:
            _key(ax, "99 % of the packets within")
        ax.set_xlabel(f"One-way latency after warm-up ({unit})")
        ax.set_ylabel("Share of the packets that take no longer")
        title(ax, _cdf_message(series))
    return ax


def _key(ax: Axes, title: str) -> None:
    """List the lines right of the Axes, the last drawn first."""
    handles, labels = ax.get_legend_handles_labels()
    legend = ax.legend(
        handles[::-1],
        labels[::-1],
        title=title,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=8.5,
        labelcolor="linecolor",
        borderaxespad=0.0,
    )
    legend.get_title().set(color=FAINT, fontsize=8.5)


def _percentile_s(frame: pd.DataFrame, probability: float) -> float:
    """Return the upper edge of the bucket that holds a percentile."""
    bucket = int(np.searchsorted(frame["cdf_ratio"].to_numpy(np.float64), probability))
    return float(frame["latency_s_high"].iloc[bucket])


def _nines(ratio: npt.NDArray[np.float64], packets: int) -> npt.NDArray[np.float64]:
    """Count the nines of a share: 0.9 is 1, 0.99 is 2; no more than the packets can show."""
    return -np.log10(np.maximum(1.0 - ratio, 0.5 / max(packets, 1)))


def _scale_of_nines(ax: Axes, packets: int) -> None:
    shown = [r for r in (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999) if (1.0 - r) * packets >= 1.0]
    places = _nines(np.array(shown), packets)
    ax.set_yticks(places, [f"{100 * ratio:.10g} %" for ratio in shown])
    ax.set_ylim(0.0, float(places[-1]) * 1.05 + 0.3)


def utilisation(hops: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how busy the busiest hops were, with their longest wait and their drops."""
    servers = hops.dropna(subset=["utilisation_ratio"])
    busiest = servers.nlargest(HOPS_MAX, "utilisation_ratio")
    names = [f"{hop} {way}" for hop, way in zip(busiest["hop"], busiest["direction"], strict=True)]
    ratio = busiest["utilisation_ratio"].to_numpy(np.float64)
    with style():
        ax = ax or new_axes(height_in=1.3 + 0.3 * max(len(busiest), 3))
        colours = [COLOURS[1] if r >= BUSY_RATIO else COLOURS[0] for r in ratio]
        ax.barh(np.arange(len(names)), ratio, color=colours, height=0.62)
        ax.set_yticks(np.arange(len(names)), names)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set_xlim(0.0, 1.0)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=None))
        ax.grid(visible=False, axis="y")
        for n, row in enumerate(busiest.to_dict("records")):
            is_inside = ratio[n] > NOTE_INSIDE_RATIO
            ax.annotate(
                _hop_note(row),
                (ratio[n], n),
                xytext=(-5.0 if is_inside else 5.0, 0.0),
                textcoords="offset points",
                ha="right" if is_inside else "left",
                va="center",
                fontsize=8.5,
                color="white" if is_inside else INK,
            )
        ax.set_xlabel("Share of the time after warm-up in which the hop served a packet (%)")
        title(ax, _utilisation_message(names, ratio, len(servers)))
    return ax


def _hop_note(row: dict[Any, Any]) -> str:
    """Say what a bar does not show."""
    parts = [f"{100 * row['utilisation_ratio']:.3g} %"]
    if row["wait_s_max"] > 0:
        parts.append(f"longest wait {_short(row['wait_s_max'])}")
    if row["packets_dropped"]:
        reason = max(layout.REASONS, key=lambda r: int(row[f"packets_dropped_{r}"]))
        parts.append(f"{row['packets_dropped']:,} packets dropped ({reason.replace('_', ' ')})")
    return ", ".join(parts)


# ---- messages --------------------------------------------------------------------------------


def title(ax: Axes, message: str, *, over_numbers: bool = False) -> None:
    """Write the message of a figure above it, and above the numbers of its events."""
    lines = textwrap.wrap(message, LINE_CHARACTERS)
    pad = 18.0 if over_numbers else 8.0
    ax.set_title("\n".join(lines), loc="left", color=INK, fontsize=10.5, pad=pad)


def _latency_message(lines: Sequence[Line], percentile: str, timeline: pd.DataFrame) -> str:
    known = [line for line in lines if line.counted.size]
    if not known:
        return "No packet arrived after warm-up"
    worst = max(known, key=lambda line: float(line.counted.max()))
    typical_s = max(float(np.median(line.counted)) for line in known)
    peak_s = float(worst.counted.max())
    if peak_s < STEADY_RATIO * typical_s:
        message = f"Latency stays below {_short(peak_s)} ({percentile}, slowest is {worst.name})"
    else:
        counted = np.where(worst.is_warm_up, np.nan, worst.value)
        at_s = float(worst.time_s[int(np.nanargmax(counted))])
        message = (
            f"{worst.name} waits longest: {percentile} reaches {_short(peak_s)} near {at_s:.6g} s, "
            f"typical is {_short(float(np.median(worst.counted)))}"
        )
    return message + _silence(timeline)


def _silence(timeline: pd.DataFrame) -> str:
    """Say when everything stood still although packets were sent, and who came back last."""
    counted = timeline[~timeline["is_warm_up"]]
    sums = counted.groupby("time_s")[["packets_sent", "packets_delivered"]].sum()
    silent = sums.index[(sums["packets_delivered"] == 0) & (sums["packets_sent"] > 0)]
    if not len(silent):
        return ""
    stop_s = float(silent[-1] + counted.loc[counted["time_s"] == silent[-1], "bin_s"].iloc[0])
    message = f"; nothing arrives between {silent[0]:.6g} s and {stop_s:.6g} s"
    after = counted[(counted["time_s"] >= stop_s) & (counted["goodput_bps"] > 0)]
    back = after.groupby(["stream", "direction"], sort=False)["time_s"].min().reset_index()
    last = back.nlargest(1, "time_s").to_dict("records")
    if last and last[0]["time_s"] > stop_s:
        who = f"{last[0]['stream']} {last[0]['direction']}"
        message += f", {who} is back at {last[0]['time_s']:.6g} s"
    return message


def _throughput_message(timeline: pd.DataFrame) -> str:
    counted = timeline[~timeline["is_warm_up"]]
    time_s = counted["bin_s"].groupby(counted["time_s"]).first()
    if time_s.empty:
        return "The run ends before its warm-up does"
    sums = counted.groupby("time_s")[["offered_bps", "throughput_bps"]].sum()
    offered, delivered = (sums.mul(time_s, axis=0).sum() / time_s.sum()).tolist()
    arrived, wanted = (format_quantity(rate, RATE, digits=3) for rate in (delivered, offered))
    message = f"{arrived} of {wanted} offered arrive on average"
    silence = _silence(timeline)
    if not silence and delivered < offered:
        message += f"; {format_ratio(float(f'{1.0 - delivered / offered:.2g}'))} are lost or late"
    return message + silence


def _cdf_message(series: Sequence[tuple[str, pd.DataFrame]]) -> str:
    if not series:
        return "No packet arrived after warm-up"
    name, frame = series[0]
    slowest = f", even of the slowest, {name}" if len(series) > 1 else f" of {name}"
    return f"99 of 100 packets{slowest}, arrive within {_short(_percentile_s(frame, 0.99))}"


def _utilisation_message(names: Sequence[str], ratio: npt.NDArray[np.float64], servers: int) -> str:
    if not names:
        return "No hop has a finite rate"
    message = f"{names[0]} is the busiest hop: {100.0 * ratio[0]:.3g} %"
    return message + (f" (the first {len(names)} of {servers})" if servers > len(names) else "")


def prefix(highest: float, unit: str) -> tuple[float, str]:
    """Choose the SI prefix of an axis: the factor to multiply by, and the unit with its prefix."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m")):
        if highest >= factor and (unit != "s" or factor <= 1.0):
            return 1.0 / factor, prefix + unit
    return (1e6, "\N{MICRO SIGN}s") if unit == "s" and highest > 0 else (1.0, unit)


def _short(duration_s: float) -> str:
    """Write a duration with three digits, rounded up: what stays below it does so as written."""
    if not duration_s > 0:
        return format_duration(0.0)
    digit_s = 10.0 ** (math.floor(math.log10(duration_s)) - 2)
    return format_quantity(math.ceil(round(duration_s / digit_s, 6)) * digit_s, DURATION, digits=3)
