"""Targets: what a design must reach, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from simulator.base.units import format_duration, format_money


@dataclass(frozen=True)
class Judgement:
    """One target and what the run says about it."""

    target: str
    """Name of the field in the scenario's `targets`."""
    limit: float
    """What must not be exceeded, in SI units (s, USD)."""
    value: float | None
    """The worst value of the run; None where the run cannot tell."""
    subject: str
    """Stream and direction of the worst value."""
    is_met: bool | None
    """None where the run cannot tell."""

    def __str__(self) -> str:
        show = format_money if self.target == "monthly_cost" else format_duration
        if self.value is None:
            return f"{self.target} <= {show(self.limit)}: not known from this run"
        verdict = "met" if self.is_met else "MISSED"
        where = f" ({self.subject})" if self.subject else ""
        return f"{self.target} <= {show(self.limit)}: {verdict}, {show(self.value)}{where}"


#: Target -> column of `streams` whose greatest value must not exceed it.
COLUMN_OF = {"latency_p95": "latency_s_p95", "outage": "outage_s_max"}


def judge(limits: Mapping[str, float], streams: pd.DataFrame) -> list[Judgement]:
    """Compare each limit with the worst stream and direction of the table `streams`."""
    judgements = []
    for target, limit in limits.items():
        column = COLUMN_OF.get(target)
        known = streams.dropna(subset=[column]) if column else streams.iloc[:0]
        if known.empty:
            judgements.append(Judgement(target, limit, None, "", None))
            continue
        worst = known.nlargest(1, str(column)).iloc[0]
        value = float(worst[str(column)])
        subject = f"{worst['stream']} {worst['direction']}"
        judgements.append(Judgement(target, limit, value, subject, bool(value <= limit)))
    return judgements
