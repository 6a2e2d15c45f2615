"""Log-linear histograms of latencies: 64 steps in each octave, relative error below 0.8 %.

The bucket of a value is read off the bits of the float: its exponent and the six highest bits of
its mantissa. That costs 1 ns; a logarithm would cost 3.

    bucket = (bits(float64(latency_ps)) >> 46) - FIRST_BUCKET

Range: 131 ns to 140 s. What lies outside goes to the first or last bucket.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from kernels._jit import inline_kernel, kernel
from kernels.layout import as_int64

SHIFT: Final = 46
STEPS_PER_OCTAVE: Final = 64
FIRST_OCTAVE: Final = 17
OCTAVES: Final = 30
FIRST_BUCKET: Final = (1023 + FIRST_OCTAVE) * STEPS_PER_OCTAVE
BUCKETS: Final = OCTAVES * STEPS_PER_OCTAVE


@inline_kernel
def bucket_of(latency_ps: int) -> int:
    """Bucket index of a latency in integer picoseconds (any non-negative int64)."""
    index = (np.float64(latency_ps).view(np.int64) >> SHIFT) - FIRST_BUCKET
    return as_int64(min(max(index, 0), BUCKETS - 1))


@inline_kernel
def bucket_low_ps(index: int) -> float:
    """Lower edge of a bucket in picoseconds (float64)."""
    return float(np.int64((index + FIRST_BUCKET) << SHIFT).view(np.float64))


@kernel
def quantiles(count: Any, probability: Any, value_ps: Any) -> int:
    """Quantiles of one histogram, linear inside a bucket; returns the number of values.

    count: int64[BUCKETS]; probability: float64[q] ascending, each in [0, 1]; value_ps: float64[q],
    written, NaN when the histogram is empty. The quantile p of n values is the value of rank
    ceil(p n), at least 1. Cost O(BUCKETS + q).
    """
    total = as_int64(0)
    for b in range(count.size):
        total += count[b]
    if total == 0:
        for q in range(probability.size):
            value_ps[q] = np.nan
        return 0
    seen = as_int64(0)
    b = 0
    for q in range(probability.size):
        rank = max(probability[q] * total, 1.0)
        while seen + count[b] < rank:
            seen += count[b]
            b += 1
        low = bucket_low_ps(b)
        value_ps[q] = low + (bucket_low_ps(b + 1) - low) * (rank - seen) / count[b]
    return total


@kernel
def close_bin(
    bin_count: Any,
    run_count: Any,
    add_to_run: bool,
    probability: Any,
    value_ps: Any,
) -> int:
    """Take the percentiles of an open time bin, add it to the run's histogram, and empty it.

    bin_count: int32[streams, BUCKETS], run_count: int64[streams, BUCKETS], both changed in place;
    add_to_run is false during warm-up; probability: float64[q]; value_ps: float64[streams, q],
    written. Returns 0.
    """
    for s in range(bin_count.shape[0]):
        quantiles(bin_count[s], probability, value_ps[s])
        for b in range(bin_count.shape[1]):
            if add_to_run:
                run_count[s, b] += bin_count[s, b]
            bin_count[s, b] = 0
    return 0
