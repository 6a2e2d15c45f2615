"""The frontier: of many designs those that no other beats in both of two figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from simulator.plots import COLOURS, FAINT, OTHERS, ROW, Axes, new_axes, note, style, title

if TYPE_CHECKING:
    import pandas as pd

NAMED_MAX: Final = 12
"""Points of the frontier that carry their name."""
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
    y_scale: float = 1.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw every row as a point, and join those that no other row beats.

    Parameters
    ----------
    table
        One row for each design.
    x, y
        Columns of which less is better.
    name
        Column with what a design is called.
    x_label, y_label
        Labels of the axes, with units.
    y_scale
        Factor from the column `y` to the unit of its label.
    """
    x_values = table[x].to_numpy(np.float64)
    y_values = table[y].to_numpy(np.float64) * y_scale
    best = on_frontier(x_values, y_values)
    order = np.flatnonzero(best)[np.argsort(x_values[best], kind="stable")]
    with style():
        ax = ax or new_axes()
        ax.plot(x_values[~best], y_values[~best], "o", color=OTHERS, markersize=4)
        ax.plot(x_values[order], y_values[order], "o-", color=COLOURS[0], drawstyle="steps-post")
        ax.set_ylim(bottom=0.0)
        _name(ax, x_values[order], y_values[order], [str(table[name].iloc[n]) for n in order])
        ax.set_xlabel(x_label)
        ax.set_ylabel(y_label)
        known = int((~(np.isnan(x_values) | np.isnan(y_values))).sum())
        title(ax, f"{len(order)} of {known} designs are beaten by none in both figures")
    return ax


def _name(
    ax: Axes, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], names: list[str]
) -> None:
    """Number the points, from the cheapest on, and list their names beside the Axes."""
    wide, tall = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    last = (-np.inf, -np.inf)
    for n in range(min(len(names), NAMED_MAX)):
        if max(abs(x[n] - last[0]) / wide, abs(y[n] - last[1]) / tall) > NUMBER_RATIO:
            last = (x[n], y[n])
            place = (5.0, 5.0)
            ax.annotate(
                str(n + 1),
                last,
                xytext=place,
                textcoords="offset points",
                fontsize=8.5,
                color=FAINT,
            )
        note(ax, 1.012, 1.0 - ROW * n, f"{n + 1}: {names[n]}", FAINT, va="top")
    if len(names) > NAMED_MAX:
        note(
            ax, 1.012, 1.0 - ROW * NAMED_MAX, f"and {len(names) - NAMED_MAX} more", FAINT, va="top"
        )
