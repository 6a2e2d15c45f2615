"""Draws from any distribution by a table of its quantiles, fine where it matters: in the tail.

The first 8 bits of the random number u pick one of 256 bins. The top sixteenth, u = 0.F... in
base 16, is a page of its own with 256 bins, its top sixteenth again, and so on, PAGES deep:

    page 0    survival 1 ... 1/16      240 bins of probability 1/256
    page 1    survival 1/16 ... 1/256  240 bins of probability 1/256/16
    ...
    page 11   survival down to 0       256 bins of probability 1/256/16**11

So a bin is at most a sixteenth of the survival probability above it, down to 2**-52: no tail is
cut that a run could meet.

Inside a bin the quantile is interpolated linearly, so mean and variance of what is drawn are
known exactly (`table_moments`), and `quantile_table` can scale the table to a given mean. Table
values are rounded to 24 bits: the last bits of a library's logarithm must not show in a result.

A table is made once, by NumPy and the standard library; the draw uses + - * and bits only.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels._jit import inline_kernel
from kernels.random import uniform

BINS: Final = 256
PAGE_BINS: Final = 240
"""Bins of a page before its top sixteenth, which is the next page."""
PAGES: Final = 12
PAGE_RATIO: Final = 16.0
TABLE_SIZE: Final = (PAGES - 1) * PAGE_BINS + BINS + 1
"""Edges of all bins; the last page has all of its bins, and an end."""

BIN_SHIFT: Final = np.uint64(56)
BIN_BITS: Final = np.uint64(8)
PAGE_BITS: Final = np.uint64(4)

Quantile = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From survival probabilities (1 - u, each > 0) to values."""


@inline_kernel
def draw_quantile(bits: np.uint64, table: np.ndarray, begin: int) -> float:
    """Draw from a table with 64 random bits.

    table: float64, with the TABLE_SIZE edges of this distribution from index `begin` on.
    """
    page = begin
    k = np.int64(bits >> BIN_SHIFT)
    while k >= PAGE_BINS and page < begin + (PAGES - 1) * PAGE_BINS:
        page += PAGE_BINS
        bits = bits << PAGE_BITS
        k = np.int64(bits >> BIN_SHIFT)
    low = table[page + k]
    high = table[page + k + 1]
    return float(low + (high - low) * uniform(bits << BIN_BITS))


def table_survivals() -> NDArray[np.float64]:
    """Survival probability at each edge of a table; at the last one, half that before it."""
    page, k = np.divmod(np.arange(TABLE_SIZE), PAGE_BINS)
    k += PAGE_BINS * np.maximum(page - (PAGES - 1), 0)
    page = np.minimum(page, PAGES - 1)
    survival = PAGE_RATIO**-page * (1.0 - k / BINS)
    survival[-1] = survival[-2] / 2.0
    return np.asarray(survival, np.float64)


def quantile_table(quantile: Quantile, mean: float | None = None) -> NDArray[np.float64]:
    """Tabulate a distribution of non-negative values.

    Parameters
    ----------
    quantile : callable
        Takes float64[TABLE_SIZE] survival probabilities in (0, 1], returns values, rising as
        survival falls.
    mean : float, optional
        If given, the table is scaled so that the mean of what is drawn is this one.

    Returns
    -------
    float64[TABLE_SIZE]
        Edges for `draw_quantile`.

    Raises
    ------
    ValueError
        If a value is negative or not finite, or if values do not rise.
    """
    edges = np.asarray(quantile(table_survivals()), np.float64)
    if not np.all(np.isfinite(edges)) or edges[0] < 0.0 or np.any(np.diff(edges) < 0.0):
        raise ValueError(
            f"quantiles run from {edges.min():g} to {edges.max():g}: they must be finite, not "
            "negative, and rise as the survival probability falls"
        )
    if mean is not None:
        edges = edges * (mean / table_moments(edges)[0])
    return edges.astype(np.float32).astype(np.float64)


def table_moments(table: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and mean square of what is drawn from a table."""
    survival = table_survivals()
    survival[-1] = 0.0
    probability = survival[:-1] - survival[1:]
    low, high = table[:-1], table[1:]
    mean = float(np.sum(probability * (low + high) / 2.0))
    square = float(np.sum(probability * (low * low + low * high + high * high) / 3.0))
    return mean, square


def constant(value: float) -> Quantile:
    """Quantiles of a value that never varies."""
    return lambda survival: np.full_like(survival, value)


def exponential(mean: float) -> Quantile:
    """Quantiles of the exponential distribution."""
    return lambda survival: -mean * np.log(survival)


def lognormal(mean: float, sigma: float) -> Quantile:
    """Quantiles of the lognormal distribution; sigma: deviation of the natural logarithm."""

    def quantile(survival: NDArray[np.float64]) -> NDArray[np.float64]:
        normal = NormalDist()
        score = [-normal.inv_cdf(p) if p < 1.0 else -np.inf for p in survival.tolist()]
        return mean * np.exp(sigma * np.array(score) - sigma * sigma / 2.0)

    return quantile


def pareto(mean: float, shape: float) -> Quantile:
    """Quantiles of the Pareto distribution; shape > 1, the tail falls like value ** -shape."""
    least = mean * (shape - 1.0) / shape
    return lambda survival: least * survival ** (-1.0 / shape)


def empirical(value: ArrayLike) -> Quantile:
    """Quantiles of measured values, interpolated between the order statistics."""
    ordered = np.sort(np.asarray(value, np.float64))
    rank = np.linspace(0.0, 1.0, ordered.size)
    return lambda survival: np.interp(1.0 - survival, rank, ordered)
