"""The bottleneck waterfall: every ceiling of one stream, as what it allows the stream itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.base.units import RATE, format_quantity
from simulator.plots import COLOURS, FAINT, INK, OTHERS, Axes, new_axes, note, prefix, style

if TYPE_CHECKING:
    from simulator.planner.ceilings import CeilingRow
    from simulator.planner.explain import StreamRow

DIGITS: Final = 3
INSIDE_RATIO: Final = 0.6
"""The value of a longer bar stands inside it; as a share of the (logarithmic) axis."""


def waterfall(stream: StreamRow, goodput_bps: float | None = None) -> Axes:
    """Draw the ceilings of a stream from the widest to the one that binds.

    Parameters
    ----------
    stream
        A row of what `simulator.planner.explain` finds.
    goodput_bps
        What a run delivered, drawn as a line.
    """
    rows = [row for row in stream.ceilings if row.stream_bps is not None]
    rows.sort(key=lambda row: (row.binds, -_limit_bps(row)))
    limits_bps = np.array([_limit_bps(row) for row in rows])
    known = limits_bps if goodput_bps is None else np.append(limits_bps, goodput_bps)
    with style():
        ax = new_axes(height_in=1.5 + 0.34 * max(len(rows), 3))
        scale, unit = prefix(float(known.max(initial=1.0)), "bit/s")
        highest = float(known.max(initial=1.0)) * scale
        low = float(known[known > 0].min(initial=highest / scale)) * scale / 3
        high = highest * 1.5
        ax.set_xscale("log")
        ax.set_xlim(low, high)
        for n, row in enumerate(rows):
            value = limits_bps[n] * scale
            ax.barh(n, value - low, left=low, height=0.62, color=COLOURS[1 if row.binds else 0])
            is_inside = np.log(value / low) > INSIDE_RATIO * np.log(high / low)
            ax.annotate(
                format_quantity(float(limits_bps[n]), RATE, DIGITS),
                (value, n),
                xytext=(-5.0 if is_inside else 5.0, 0.0),
                textcoords="offset points",
                ha="right" if is_inside else "left",
                va="center",
                fontsize=8.5,
                color="white" if is_inside else INK,
            )
        ax.set_yticks(range(len(rows)), [row.ceiling for row in rows])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.grid(visible=False, axis="y")
        if goodput_bps:
            ax.axvline(goodput_bps * scale, color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
            text = f"delivered {format_quantity(goodput_bps, RATE, DIGITS)}"
            share = np.log(goodput_bps * scale / low) / np.log(high / low)
            note(ax, float(share), 1.01, text, FAINT, ha="center", va="bottom")
        ax.set_xlabel(f"What the ceiling allows this stream ({unit})")
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.suptitle(  # names of hops are long: the Axes begin far right
            _message(stream, rows), x=0.01, ha="left", color=INK, fontsize=10.5
        )
        if not rows:
            note(ax, 0.5, 0.5, "no ceiling has a rate", OTHERS, ha="center")
    return ax


def _limit_bps(row: CeilingRow) -> float:
    """What is left of the limit for this stream, after what others offer."""
    limit_bps = row.stream_bps if row.available_bps is None else row.available_bps
    assert limit_bps is not None
    return limit_bps


def _message(stream: StreamRow, rows: list[CeilingRow]) -> str:
    name = f"{stream.stream} {stream.direction}"
    binding = next((row for row in rows if row.binds), None)
    if binding is None:
        return f"{name}: no ceiling binds"
    limit = format_quantity(_limit_bps(binding), RATE, DIGITS)
    return f"{name}: {binding.ceiling} binds, at {limit}"
