"""The frontier: of many designs those that no other beats in both of two figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from simulator.base.errors import UsageError
from simulator.headlines import BY_NAME, Headline
from simulator.plots import (
    COLOURS,
    FAINT,
    OTHERS,
    ROW,
    Axes,
    new_axes,
    note,
    prefix,
    style,
    title,
)

if TYPE_CHECKING:
    import pandas as pd

NAMED_MAX: Final = 12
"""Points of the frontier that carry their name."""
HEADROOM_RATIO: Final = 1.12
"""How much higher the Axes are than the highest point."""
NUMBER_RATIO: Final = 0.025
"""A point closer than this share of the axes to a numbered one has no number."""


def on_frontier(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which points no other point beats: less is better in both; equal points stay together.

    Parameters
    ----------
    x, y
        float64[n]; a point with NaN is never on the frontier.
    """
    known = ~(np.isnan(x) | np.isnan(y))
    found = np.zeros(len(x), bool)
    lowest = np.inf
    for x_value in np.unique(x[known]):
        column = known & (x == x_value)
        best = y[column].min()
        if best < lowest:
            found |= column & (y == best)
            lowest = best
    return found


def frontier(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    name: str,
    x_label: str,
    y_label: str,
    x_scale: float = 1.0,
    y_scale: float = 1.0,
    x_less: bool = True,
    y_less: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw every row as a point, and join those that no other row beats.

    Parameters
    ----------
    table
        One row for each design.
    x, y
        Columns with the two figures.
    name
        Column with what a design is called.
    x_label, y_label
        Labels of the axes, with units.
    x_scale, y_scale
        Factors from the columns to the units of their labels.
    x_less, y_less
        Whether less of a figure is better.
    """
    x_values = table[x].to_numpy(np.float64) * x_scale
    y_values = table[y].to_numpy(np.float64) * y_scale
    best = on_frontier(x_values if x_less else -x_values, y_values if y_less else -y_values)
    order = np.flatnonzero(best)[np.argsort(x_values[best], kind="stable")]
    with style():
        ax = ax or new_axes()
        ax.plot(x_values[~best], y_values[~best], "o", color=OTHERS, markersize=4)
        ax.plot(x_values[order], y_values[order], "o-", color=COLOURS[0], drawstyle="steps-post")
        ax.margins(x=0.12)
        ax.set_ylim(0.0, HEADROOM_RATIO * float(np.nanmax(y_values, initial=0.0)) or 1.0)
        beaten = np.flatnonzero(~best & ~(np.isnan(x_values) | np.isnan(y_values)))
        if len(order) + len(beaten) <= NAMED_MAX:  # few enough to be named as well
            order = np.concatenate([order, beaten])
        texts = [f"{table[name].iloc[n]}{'' if best[n] else ' (beaten)'}" for n in order]
        _name(ax, x_values[order], y_values[order], texts)
        ax.set_xlabel(x_label)
        ax.set_ylabel(y_label)
        known = int((~(np.isnan(x_values) | np.isnan(y_values))).sum())
        title(ax, _message(int(best.sum()), known))
    return ax


def _message(best: int, known: int) -> str:
    if known == 1:
        return "One design: name others to see which is beaten"
    verb = "is" if best == 1 else "are"
    return f"{best} of {known} designs {verb} beaten by none in both figures"


def designs(
    table: pd.DataFrame,
    *,
    x: str = "monthly_cost_usd",
    y: str = "latency_s_p95",
    limits: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the frontier of designs over two of `simulator.headlines.HEADLINES`.

    Parameters
    ----------
    table
        One row for each design: `design` and the columns `x` and `y`.
    x, y
        Names of headlines, for example `monthly_cost_usd` and `goodput_bps`.
    limits
        What must not be passed, by headline, in SI units; drawn as dashed lines.

    Raises
    ------
    UsageError
        If there is no such headline, or no design has both figures.
    """
    for name in (x, y):
        if name not in BY_NAME:
            raise UsageError(f"{name}: is no headline of a design; choose of {', '.join(BY_NAME)}")
    if table[[x, y]].dropna().empty:
        raise UsageError(f"no design has both {x} and {y}; a price may be unknown: choose others")
    (x_scale, x_label), (y_scale, y_label) = (_axis(BY_NAME[n], table[n]) for n in (x, y))
    ax = frontier(
        table,
        x,
        y,
        name="design",
        x_label=x_label,
        y_label=y_label,
        x_scale=x_scale,
        y_scale=y_scale,
        x_less=BY_NAME[x].less_is_better,
        y_less=BY_NAME[y].less_is_better,
        ax=ax,
    )
    for name, limit in (limits or {}).items():
        draw, scale = (ax.axvline, x_scale) if name == x else (ax.axhline, y_scale)
        if name in (x, y):
            draw(limit * scale, color=FAINT, linewidth=1.0, linestyle=(0, (3, 2)))
    return ax


def _axis(headline: Headline, values: pd.Series[float]) -> tuple[float, str]:
    """Factor and label of an axis, with a unit that makes short numbers."""
    unit = {"rate": "bit/s", "duration": "s"}.get(headline.kind)
    label = headline.label[0].upper() + headline.label[1:]
    if unit is None:
        scale, shown = (100.0, "%") if headline.kind == "ratio" else (1.0, "USD")
        return scale, f"{label} ({shown})"
    scale, shown = prefix(float(values.max()), unit)
    return scale, f"{label} ({shown})"


def _name(
    ax: Axes, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], names: list[str]
) -> None:
    """Number the points, from the cheapest on, and list their names beside the Axes."""
    wide, tall = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    numbered: list[tuple[float, float]] = []
    for n in range(min(len(names), NAMED_MAX)):
        gaps = (max(abs(x[n] - a) / wide, abs(y[n] - b) / tall) for a, b in numbered)
        if min(gaps, default=np.inf) > NUMBER_RATIO:
            numbered.append((x[n], y[n]))
            ax.annotate(
                str(n + 1),
                numbered[-1],
                xytext=(5.0, 5.0),
                textcoords="offset points",
                fontsize=8.5,
                color=FAINT,
            )
        note(ax, 1.012, 1.0 - ROW * n, f"{n + 1}: {names[n]}", FAINT, va="top")
    if len(names) > NAMED_MAX:
        note(
            ax, 1.012, 1.0 - ROW * NAMED_MAX, f"and {len(names) - NAMED_MAX} more", FAINT, va="top"
        )
