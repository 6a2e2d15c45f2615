"""Figures of the validation page: measured against simulated, and how errors are spread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from simulator.plots import COLOURS, FAINT, INK, Axes, new_axes, save, style

SQUARE_IN = (5.6, 5.2)
WIDE_IN = (7.2, 3.2)
POINT = 14.0
BAND = "#DCDCDC"
MARKERS = ("o", "s", "^", "D", "X")
"""Fewer than colours, so that no pair of both comes back soon."""


def parity(
    path: Path,
    groups: Mapping[str, tuple[pd.Series, pd.Series]],
    title: str,
    unit: str,
    band_ratio: float,
    *,
    is_log: bool = True,
) -> None:
    """Draw measured (across) against simulated (up) with a band around equality.

    `groups`: measured and simulated values by name; a colour and a mark each.
    """
    with style():
        axes = new_axes(*SQUARE_IN)
        values = np.concatenate([np.concatenate(pair) for pair in groups.values()])
        low, high = float(values.min()), float(values.max())
        ends = np.array([low / 1.3, high * 1.3] if is_log else [low - 0.05, high + 0.05])
        if is_log:
            axes.set(xscale="log", yscale="log")
            axes.fill_between(
                ends, ends * (1 - band_ratio), ends * (1 + band_ratio), color=BAND, lw=0
            )
        else:
            axes.fill_between(ends, ends - band_ratio, ends + band_ratio, color=BAND, lw=0)
        axes.plot(ends, ends, color=FAINT, lw=0.8)
        for (name, pair), colour, marker in zip(
            groups.items(), COLOURS * 2, MARKERS * 3, strict=False
        ):
            axes.scatter(*pair, s=POINT, color=colour, marker=marker, label=name, alpha=0.8, lw=0)
        axes.set(xlim=ends, ylim=ends, xlabel=f"measured, {unit}", ylabel=f"simulated, {unit}")
        axes.set_title(title, loc="left", color=INK)
        axes.set_aspect("equal")
        axes.legend(frameon=False, loc="upper left")
        save(axes, path)


def distribution(
    path: Path, errors: Mapping[str, pd.Series], title: str, unit: str, limit: float
) -> None:
    """Draw, for each group, the share of rows whose error is at most some size."""
    with style():
        axes = new_axes(*WIDE_IN)
        for (name, error), colour in zip(errors.items(), COLOURS, strict=False):
            sizes = np.sort(error.abs().to_numpy())
            share = np.arange(1, len(sizes) + 1) / len(sizes)
            axes.step(
                np.append(0.0, sizes), np.append(0.0, share), where="post", color=colour, label=name
            )
        axes.axvline(limit, color=FAINT, lw=0.8, ls="--")
        axes.set(ylim=(0, 1.02), xlabel=f"size of the error, {unit}", ylabel="share of the rows")
        axes.set_xlim(left=-0.002 * max(limit, 0.1))
        axes.set_title(title, loc="left", color=INK)
        axes.legend(frameon=False, loc="lower right")
        save(axes, path)


def curves(path: Path, panels: Mapping[str, Mapping[str, pd.DataFrame]], title: str) -> None:
    """Draw goodput over time, measured and simulated side by side, one panel a run."""
    with style():
        axes = new_axes(9.6, 2.4 * len(panels))
        figure = axes.figure
        axes.remove()
        grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]  # type: ignore[union-attr]
        for row, (name, lines) in zip(grid, panels.items(), strict=True):
            panel(row, name, lines)
        grid[-1].set_xlabel("time since the path is back, s")
        grid[0].legend(frameon=False, loc="lower right")
        figure.suptitle(title, x=0.01, ha="left", color=INK)
        save(grid[0], path)


def panel(axes: Axes, name: str, lines: Mapping[str, pd.DataFrame]) -> None:
    """Draw the lines of one run."""
    for (label, line), colour in zip(lines.items(), COLOURS, strict=False):
        axes.plot(line["t_s"], line["goodput_mbps"], color=colour, label=label, lw=1.2)
    axes.axvline(0, color=FAINT, lw=0.8)
    axes.set_ylabel("Mbit/s")
    axes.set_title(name, loc="left", fontsize=9, color=INK)


def residuals(path: Path, rows: pd.DataFrame, title: str) -> None:
    """Draw the relative residual of each size, a line for each suite that encrypts."""
    with style():
        axes = new_axes(7.2, 3.8)
        sent = rows[rows["dir"] == "encrypt"]
        for (name, group), colour, marker in zip(
            sent.groupby("suite"), COLOURS * 2, MARKERS * 3, strict=False
        ):
            axes.plot(
                group["bytes"],
                group["residual_ratio"] * 100,
                color=colour,
                marker=marker,
                ms=3.5,
                lw=0.9,
                label=name,
            )
        axes.axhline(0, color=FAINT, lw=0.8)
        axes.set(xscale="log", xlabel="payload, bytes", ylabel="line above measured, %")
        axes.set_title(title, loc="left", color=INK)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
        save(axes, path)


def distributions(path: Path, panels: Mapping[str, Mapping[str, pd.DataFrame]], title: str) -> None:
    """Draw, panel by panel, the simulated distribution as a line and the measured one as points."""
    columns = 2
    rows = -(-len(panels) // columns)
    with style():
        axes = new_axes(9.6, 2.0 * rows)
        figure = axes.figure
        axes.remove()
        grid = figure.subplots(rows, columns, squeeze=False)  # type: ignore[union-attr]
        names = sorted({name for lines in panels.values() for name in lines})
        colour = dict(zip(names, COLOURS, strict=False))
        for cell, (panel_name, lines) in zip(grid.ravel(), panels.items(), strict=False):
            for name, line in lines.items():
                model, known = (line[line["of"] == of] for of in ("model", "measured"))
                cell.plot(model["ms"], model["probability"], color=colour[name], lw=1.2)
                cell.scatter(
                    known["ms"], known["probability"], s=9, color=colour[name], lw=0, label=name
                )
            cell.set_title(panel_name, loc="left", fontsize=8, color=INK)
            cell.set_ylim(0, 1)
        for cell in grid[-1]:
            cell.set_xlabel("ms after the fault, or length of the outage")
        grid[0, 0].legend(frameon=False, loc="upper left", fontsize=7)
        figure.suptitle(title, x=0.01, ha="left", color=INK)
        save(grid[0, 0], path)
