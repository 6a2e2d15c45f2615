"""Targets: what a design must reach, and whether a run reached it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from simulator.base.units import format_duration, format_money, format_rate, format_ratio

GOODPUT: Final = "goodput"
MONTHLY_COST: Final = "monthly_cost"


@dataclass(frozen=True)
class Judgement:
    """One target and what the run says about it."""

    target: str
    """Its dotted path below the scenario's `targets`, for example `goodput.office.forward`."""
    limit: float
    """What must not be exceeded, or reached at least for goodput; in SI units (s, bit/s, USD)."""
    value: float | None
    """The worst value of the run; None where the run cannot tell."""
    subject: str
    """Stream and direction of the worst value, or those of which it is not known."""
    is_met: bool | None
    """None where the run cannot tell."""

    @property
    def needs(self) -> str:
        """The target as a person writes it, for example `latency_p95 <= 40 ms`."""
        sign = ">=" if self._kind == GOODPUT else "<="
        return f"{self.target} {sign} {self._shown(self.limit)}"

    def __str__(self) -> str:
        if self.value is None:
            about = f", nothing of {self.subject} arrived" if self.subject else ""
            return f"{self.needs}: not known from this run{about}"
        verdict = "met" if self.is_met else "MISSED"
        where = f" ({self.subject})" if self.subject else ""
        return f"{self.needs}: {verdict}, {self._shown(self.value)}{where}"

    @property
    def _kind(self) -> str:
        return self.target.partition(".")[0]

    def _shown(self, value: float) -> str:
        show = {MONTHLY_COST: format_money, GOODPUT: format_rate, "loss": format_ratio}
        return show.get(self._kind, format_duration)(value)


#: Target -> column of `streams` whose greatest value must not exceed it.
COLUMN_OF: Final = {
    "latency_p95": "latency_s_p95",
    "loss": "loss_ratio",
    "outage": "outage_s_max",
}


def judge(
    limits: Mapping[str, float], streams: pd.DataFrame, monthly_cost_usd: float | None = None
) -> list[Judgement]:
    """Compare each limit with the worst stream and direction of the table `streams`.

    Parameters
    ----------
    limits
        In SI units, by target.
    streams
        Table of a run, or of several: the worst row counts.
    monthly_cost_usd
        What a month costs; None if a price of it is unknown.
    """
    return [_judged(target, limit, streams, monthly_cost_usd) for target, limit in limits.items()]


def worst_cost_usd(costs_usd: Iterable[float | None]) -> float | None:
    """The highest cost of a month of several runs; None if one of them is unknown."""
    known = [math.nan if cost is None else float(cost) for cost in costs_usd]
    return max(known) if known and not any(map(math.isnan, known)) else None


def _judged(
    target: str, limit: float, streams: pd.DataFrame, monthly_cost_usd: float | None
) -> Judgement:
    if target == MONTHLY_COST:
        is_met = None if monthly_cost_usd is None else bool(monthly_cost_usd <= limit)
        return Judgement(target, limit, monthly_cost_usd, "", is_met)
    kind, _, stream_and_direction = target.partition(".")
    if kind == GOODPUT:
        stream, _, direction = stream_and_direction.partition(".")
        rows = streams[(streams["stream"] == stream) & (streams["direction"] == direction)]
        if rows.empty:  # a direction without packets has no row
            return Judgement(target, limit, 0.0, f"{stream} {direction}", bool(limit <= 0.0))
        value = float(rows["goodput_bps"].min())
        return Judgement(target, limit, value, f"{stream} {direction}", bool(value >= limit))
    column = COLUMN_OF[target]
    known = streams.dropna(subset=[column])
    # Of what was sent and never arrived there is no latency, which is not a short one.
    lost = streams[streams[column].isna() & (streams["offered_bps"] > 0)]
    if known.empty or not (lost.empty or known[column].max() > limit):
        subject = "" if lost.empty else "{stream} {direction}".format(**lost.iloc[0])
        return Judgement(target, limit, None, subject, None)
    worst = known.nlargest(1, column).iloc[0]
    value = float(worst[column])
    return Judgement(
        target, limit, value, f"{worst['stream']} {worst['direction']}", bool(value <= limit)
    )
