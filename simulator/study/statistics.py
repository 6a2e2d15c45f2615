"""Means over replications and how sure they are: Student's t."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval; infinite where one value cannot tell."""

    mean: float
    half_width: float
    count: int

    @property
    def low(self) -> float:
        """Lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end."""
        return self.mean + self.half_width


def interval(values: npt.ArrayLike, confidence_ratio: float, resolution: float = 0.0) -> Interval:
    """Mean and two-sided confidence interval of independent values.

    The interval is that of Student's t with n - 1 degrees of freedom, which takes the values as
    normal. Where all values are the same its width is 0; of one value it is infinite.

    Parameters
    ----------
    values
        float64[n]; what is not finite is left out.
    confidence_ratio
        Between 0 and 1.
    resolution
        Steps in which the values come, in their unit. A few such values may be the same by chance,
        so their spread is taken as no less than that of rounding to a step, step / sqrt(12).
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if known.size == 0:
        return Interval(math.nan, math.nan, 0)
    if known.size == 1:
        return Interval(float(known[0]), math.inf, 1)
    spread = max(float(np.std(known, ddof=1)), resolution / math.sqrt(12.0))
    error = spread / math.sqrt(known.size)
    width = student_t(known.size - 1, confidence_ratio) * error if error > 0 else 0.0
    return Interval(float(known.mean()), width, int(known.size))


def student_t(freedom: int, confidence_ratio: float) -> float:
    """The quantile of Student's t that bounds a two-sided interval."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence_ratio / 2.0))
