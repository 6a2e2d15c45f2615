"""Thresholds: how much worse than the baseline a figure may be before a comparison fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from simulator.base.errors import UsageError, did_you_mean, quote
from simulator.base.units import (
    DURATION,
    MONEY,
    RATE,
    RATIO,
    Dimension,
    UnitError,
    format_quantity,
    parse_quantity,
)
from simulator.study.paired import WORSE

DIMENSION_OF: Final = {"bps": RATE, "s": DURATION, "ratio": RATIO, "usd": MONEY}
"""A part of a figure's name -> its dimension."""


@dataclass(frozen=True)
class Threshold:
    """How much worse a figure may be."""

    limit: float
    """A share of the baseline, or an amount in the unit of the figure."""
    figure: str = ""
    """Empty: every figure that has no threshold of its own."""
    is_share: bool = True

    def is_passed_by(self, row: dict[str, Any]) -> bool:
        """Whether a row of `Comparison.table` is worse than that."""
        return bool(abs(row["ratio" if self.is_share else "difference"]) > self.limit)

    def __str__(self) -> str:
        dimension = RATIO if self.is_share else dimension_of(self.figure)
        amount = format_quantity(self.limit, dimension)
        return f"{self.figure}={amount}" if self.figure else amount


def parse_threshold(text: str, figures: Iterable[str]) -> Threshold:
    """Read `5 %`, `latency_s_p95=10 %` or `latency_s_p95=2 ms`.

    A ratio is a share of the baseline's value; what has the unit of the figure is an amount.

    Raises
    ------
    UsageError
        If there is no such figure, or the amount is neither.
    """
    figure, equals, amount = text.rpartition("=")
    figure = figure.strip()
    known = list(figures)
    if equals and figure not in known:
        raise UsageError(
            f"--threshold {text}: {quote(figure)} is no figure; {did_you_mean(figure, known)}"
        )
    dimensions = [RATIO, *([dimension_of(figure)] if figure else [])]
    for dimension in dimensions:
        try:
            return Threshold(parse_quantity(amount.strip(), dimension), figure, dimension is RATIO)
        except UnitError as error:
            problem = error
    raise UsageError(f"--threshold {text}: {problem}; write for example 5 % or latency_s_p95=2 ms")


def regressions(table: pd.DataFrame, thresholds: Iterable[Threshold]) -> pd.DataFrame:
    """The rows of `Comparison.table` that are worse, on evidence, by more than is allowed.

    A figure's own threshold takes the place of the one for all; without either it never counts.
    """
    of_figure = {threshold.figure: threshold for threshold in thresholds}
    passed = []
    for row in table.to_dict("records"):
        threshold = of_figure.get(str(row["figure"]), of_figure.get(""))
        passed.append(
            row["verdict"] == WORSE
            and threshold is not None
            and threshold.is_passed_by({str(k): v for k, v in row.items()})
        )
    return table[pd.Series(passed, index=table.index, dtype=bool)]


def dimension_of(figure: str) -> Dimension:
    """The dimension that the name of a figure carries."""
    return next(DIMENSION_OF[part] for part in reversed(figure.split("_")) if part in DIMENSION_OF)
