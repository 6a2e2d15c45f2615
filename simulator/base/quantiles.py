"""Quantile functions: from a share between 0 and 1 to a value of a distribution.

They turn one uniform number into a draw, and fill the tables from which jitter is drawn.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

STEPS: Final = 4096
"""Steps of equal probability in a table of quantiles."""


def triangular(share: float, low: float, mode: float, high: float) -> float:
    """Quantile of the triangular distribution."""
    width = high - low
    if width <= 0:
        return mode
    rise = (mode - low) / width
    if share < rise:
        return low + math.sqrt(share * width * (mode - low))
    return high - math.sqrt((1 - share) * width * (high - mode))


def uniform(share: float, low: float, high: float) -> float:
    """Quantile of the uniform distribution."""
    return low + share * (high - low)


def exponential(share: float, mean: float) -> float:
    """Quantile of the exponential distribution."""
    return -mean * math.log1p(-share)


@cache
def exponential_table(p95: float) -> npt.NDArray[np.float64]:
    """Quantiles, at equal steps of probability, of an exponential with this 95th percentile."""
    mean = p95 / -math.log(1 - 0.95)
    return _frozen([exponential(share, mean) for share in _shares()])


@cache
def lognormal_table(median: float, sigma: float) -> npt.NDArray[np.float64]:
    """Quantiles, at equal steps of probability, of the log-normal distribution."""
    normal = NormalDist()
    values = [median * math.exp(sigma * normal.inv_cdf(share)) for share in _shares()[1:]]
    return _frozen([0.0, *values])


def _frozen(values: list[float]) -> npt.NDArray[np.float64]:
    table = np.array(values)
    table.flags.writeable = False
    return table


def _shares() -> list[float]:
    """0, 1/STEPS, ..., and half a step below 1 at the end: what lies above is cut there."""
    return [step / STEPS for step in range(STEPS)] + [1 - 0.5 / STEPS]
