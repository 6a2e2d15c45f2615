"""Figures of studies: differences with intervals, rankings and tariffs."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from simulator.base.units import BITS_PER_BYTE
from simulator.planner.break_even import BreakEven
from simulator.planner.prices import PER_BYTES
from simulator.plots import COLOURS, FAINT, INK, OTHERS, new_axes, prefix, style, title

BETTER_COLOUR: Final = COLOURS[0]
WORSE_COLOUR: Final = COLOURS[1]
ROWS_MAX: Final = 24
ROW_HEIGHT_IN: Final = 0.3
NO_EVIDENCE: Final = "no evidence"
CUT_RATIO: Final = 1.5
COST: Final = "monthly_cost_usd"
FINE: Final = "carries the load"
REACH_RATIO: Final = 1.25
"""How far a figure of tariffs goes beyond the last crossing."""
POINTS: Final = 501
NAME_HEIGHT_RATIO: Final = 0.06
"""Height of a name as a share of the costs that a figure shows."""
BITS_PER_GIGABYTE: Final = PER_BYTES["GB"] * BITS_PER_BYTE
SAME_PLACE_RATIO: Final = 0.02
"""Points closer than this share of both axes have one mark."""


def differences(
    table: pd.DataFrame, baseline: str, confidence: float, *, ax: Axes | None = None
) -> Axes:
    """Draw each difference as a share of the baseline, with its interval.

    Figures that are identical, or whose baseline is 0, have no bar. Those with a verdict come
    first, the largest in front; a bar without one that is much longer than those is cut.

    Parameters
    ----------
    table
        `Comparison.table`.
    baseline
        Name of the design that the others are compared with.
    confidence
        With which the intervals hold together.
    """
    known = table[np.isfinite(table["ratio"]) & (table["verdict"] != "identical")]
    order = known.assign(size=known["ratio"].abs(), unsure=known["verdict"] == NO_EVIDENCE)
    order = order.sort_values(["unsure", "size"], ascending=[True, False], kind="stable")
    shown = known.loc[order.index].head(ROWS_MAX).iloc[::-1]
    with style():
        ax = ax or new_axes(height_in=1.6 + ROW_HEIGHT_IN * max(1, len(shown)))
        for place, row in enumerate(shown.to_dict("records")):
            colour = {"better": BETTER_COLOUR, "worse": WORSE_COLOUR}.get(row["verdict"], FAINT)
            scale = row["ratio"] / row["difference"] if row["difference"] else 0.0
            ends = [scale * (row[end] - row["difference"]) for end in ("low", "high")]
            ax.errorbar(
                row["ratio"],
                place,
                xerr=[[abs(ends[0])], [abs(ends[1])]],
                fmt="o",
                color=colour,
                capsize=3,
                markersize=4,
            )
            ax.annotate(
                row["verdict"],
                (1.0, place),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                xytext=(6, 0),
                va="center",
                color=colour,
                fontsize="small",
            )
        ax.axvline(0.0, color=INK, linewidth=0.8)
        ax.set_yticks(range(len(shown)), [_name(row) for row in shown.to_dict("records")])
        ax.set_ylim(-0.8, max(1, len(shown)) - 0.2)
        ax.margins(x=0.15)
        _cut(ax, shown)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))
        ax.set_xlabel(
            f"difference from {baseline}, share of its value; bars are intervals that hold "
            f"together with {100 * confidence:g} % confidence"
        )
        title(ax, _message(table))
    return ax


def _cut(ax: Axes, shown: pd.DataFrame) -> None:
    """Leave bars that say nothing no more room than CUT_RATIO times those that do."""
    sure = shown[shown["verdict"] != NO_EVIDENCE]
    if sure.empty:
        return
    per_unit = (sure["ratio"] / sure["difference"]).to_numpy(float)
    ends = np.concatenate([sure["low"] * per_unit, sure["high"] * per_unit, [0.0]])
    reach = CUT_RATIO * float(np.abs(ends[np.isfinite(ends)]).max())
    low, high = ax.get_xlim()
    ax.set_xlim(max(low, -reach), min(high, reach))


def _name(row: dict[str, object]) -> str:
    where = f"{row['stream']} {row['direction']}".strip()
    return f"{row['design']}: {where} {row['figure']}".replace(":  ", ": ")


def _message(table: pd.DataFrame) -> str:
    counts = table["verdict"].value_counts()
    texts = [f"{count} {verdict}" for verdict, count in counts.items()]
    return "Figures compared: " + ", ".join(texts)


def ranking(table: pd.DataFrame, path: str, *, ax: Axes | None = None) -> Axes:
    """Draw the cost of each value against the latency of its worst stream.

    What misses a target or is over a limit is grey; a value that is refused has no figures and no
    point.
    """
    known = table.dropna(subset=["latency_s_p95", COST])
    with style():
        ax = ax or new_axes()
        scale, unit = prefix(float(known["latency_s_p95"].max()) if len(known) else 0.0, "s")
        middle_s = (known["latency_s_p95"].min() + known["latency_s_p95"].max()) / 2
        groups = _together(known)
        for group in groups:
            first = group[0]
            is_fine = first["status"] == FINE
            place = (first["latency_s_p95"] * scale, first[COST])
            ax.plot(*place, "o", color=BETTER_COLOUR if is_fine else OTHERS, markersize=7)
            is_right = first["latency_s_p95"] > middle_s
            ax.annotate(
                ", ".join(map(_value, group)),
                place,
                textcoords="offset points",
                xytext=(-7 if is_right else 7, -13 if _is_under(group, groups) else 5),
                ha="right" if is_right else "left",
                color=INK if is_fine else FAINT,
                fontsize="small",
            )
        ax.margins(x=0.25, y=0.15)
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel(f"One-way latency, p95 of the worst stream ({unit})")
        ax.set_ylabel("Cost of a month (USD)")
        title(ax, _first(table, path))
    return ax


def _is_under(group: list[dict[str, Any]], groups: list[list[dict[str, Any]]]) -> bool:
    """Whether a name above the point of a group would run into one that costs little more."""
    highest_usd = max(float(g[0][COST]) for g in groups)
    above_usd = [float(g[0][COST]) - float(group[0][COST]) for g in groups]
    return any(0.0 < usd < NAME_HEIGHT_RATIO * highest_usd for usd in above_usd)


def _together(known: pd.DataFrame) -> list[list[dict[str, Any]]]:
    """Rows whose points would cover one another, the best of each group first."""
    spans = {c: float(known[c].max() - known[c].min()) or 1.0 for c in ("latency_s_p95", COST)}
    groups: list[list[dict[str, Any]]] = []
    for row in known.to_dict("records"):
        values = {str(key): value for key, value in row.items()}
        near = (
            group
            for group in groups
            if all(
                abs(group[0][c] - values[c]) < SAME_PLACE_RATIO * span for c, span in spans.items()
            )
        )
        own = next(near, None)
        if own is None:
            groups.append([values])
        else:
            own.append(values)
    return groups


def _value(row: dict[str, Any]) -> str:
    return str(row["value"]) if row["status"] == FINE else f"{row['value']} ({row['status']})"


def _first(table: pd.DataFrame, path: str) -> str:
    fine = table[table["status"] == FINE]
    refused = int((table["status"] == "refused").sum())
    aside = f"; {refused} {'is' if refused == 1 else 'are'} refused" if refused else ""
    if fine.empty:
        return f"No value of {path} carries the load and meets the targets{aside}"
    return f"{fine.iloc[0]['value']} is the cheapest {path} that carries the load{aside}"


def break_even(found: BreakEven, *, ax: Axes | None = None) -> Axes:
    """Draw what each tariff costs in a month by its volume, and where two of them cost the same.

    Below the volume in GB stands its mean rate over the month. A tariff whose price is unknown has
    no line; each line ends where the way carries no more.
    """
    furthest = max((crossing.volume for crossing in found.crossings), default=0.0)
    reach = min(REACH_RATIO * furthest, found.volume_max) if furthest else found.volume_max
    known = [tariff for tariff in found.tariffs if tariff.cost_usd(reach) is not None]
    with style():
        ax = ax or new_axes()
        for tariff, colour in zip(known, COLOURS, strict=False):
            volumes = np.linspace(0.0, min(reach, tariff.volume_max), POINTS)
            costs = [tariff.cost_usd(float(volume)) for volume in volumes]
            ax.plot(volumes, np.asarray(costs, float), color=colour, label=tariff.name)
        for crossing in found.crossings:
            ax.plot(crossing.volume, crossing.cost_usd, "o", color=INK, markersize=5)
            ax.annotate(
                f"{crossing.volume:,.0f} GB, {crossing.mean_bps / 1e6:,.0f} Mbit/s",
                (crossing.volume, crossing.cost_usd),
                textcoords="offset points",
                xytext=(8, -5),
                va="top",
                color=INK,
                fontsize="small",
            )
        volume_of_rate = 1e6 * found.month_s / BITS_PER_GIGABYTE
        rates = ax.secondary_xaxis(
            "top",
            functions=(
                lambda volume: np.asarray(volume) / volume_of_rate,
                lambda rate: np.asarray(rate) * volume_of_rate,
            ),
        )
        rates.set_xlabel("Mean rate over the month (Mbit/s)")
        ax.set_xlim(0.0, reach)
        ax.set_ylim(bottom=0.0)
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.set_xlabel("Volume that leaves the platform in a month (GB)")
        ax.set_ylabel("Cost of a month (USD)")
        ax.legend(loc="lower right", frameon=False)
        title(ax, _cheapest(found))
    return ax


def _cheapest(found: BreakEven) -> str:
    """What the first crossing says, which is where the least that one has to pay changes hands."""
    if not found.crossings:
        return "No two tariffs cost the same up to what the circuit carries"
    first = min(found.crossings, key=lambda crossing: crossing.volume)
    return f"From {first.volume:,.0f} GB a month on, {first.cheaper_above} is the cheaper one"
