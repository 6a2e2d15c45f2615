"""Paired differences: two designs run by run, the interval of their difference, and a verdict."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kernels import histogram
from simulator import metrics
from simulator.study.statistics import interval

Values = npt.NDArray[np.float64]

IDENTICAL: Final = "identical"
BETTER: Final = "better"
WORSE: Final = "worse"
NO_EVIDENCE: Final = "no evidence"
BETTER_IS: Final = {c.name: c.better for c in metrics.columns("streams") if c.better}
LATENCY_RESOLUTION_RATIO: Final = 0.5 / histogram.STEPS_PER_OCTAVE
"""Half of the widest bucket of the histogram from which latencies are read."""


def compared(
    baseline: Values, other: Values, confidence: float, figure: str, resolution: float
) -> dict[str, Any]:
    """Means, paired difference with its interval, and the verdict.

    Parameters
    ----------
    baseline, other
        float64[replications], in the unit of the figure; NaN where a run does not know it.
    confidence
        Of this one interval.
    resolution
        The least difference that the figure can show.
    """
    paired = other - baseline
    found = interval(paired, confidence, resolution)
    width = max(found.half_width, resolution)
    means = mean(baseline), mean(other)
    known = paired[np.isfinite(paired)]
    same_gaps = bool((np.isfinite(baseline) == np.isfinite(other)).all())
    if known.size and same_gaps and not known.any():
        verdict, width = IDENTICAL, resolution
    elif not found.count or not abs(found.mean) > width:
        verdict = NO_EVIDENCE
    else:
        is_more_better = BETTER_IS.get(figure, "less") == "more"
        verdict = BETTER if (found.mean > 0) == is_more_better else WORSE
    return {
        "baseline": math.nan if means[0] is None else means[0],
        "other": math.nan if means[1] is None else means[1],
        "difference": found.mean,
        "low": found.mean - width,
        "high": found.mean + width,
        "ratio": _ratio(found.mean, means[0]),
        "verdict": verdict,
    }


def resolution_of(
    figure: str,
    baseline: Values,
    other: Values,
    runs: pd.DataFrame,
    *,
    time_bin_s: float,
    measured_ratio: float,
) -> float:
    """The least difference that a figure of a stream can show: a packet, a time bin, a bucket.

    Parameters
    ----------
    runs
        `packets_sent` and `packets_delivered` of the stream in the whole run, with `_a` and `_b`
        behind for the baseline and the other design.
    time_bin_s
        Width of the time bins in which outages are seen.
    measured_ratio
        Share of the run after warm-up, of which rates are.
    """
    highest = float(np.nanmax([baseline, other]))
    if figure == "outage_s_max":
        return time_bin_s
    if figure.startswith("latency"):
        return highest * LATENCY_RESOLUTION_RATIO
    column = "packets_sent" if figure == "loss_ratio" else "packets_delivered"
    fewest = min(float(runs[f"{column}_{end}"].min()) for end in "ab")
    if not fewest > 0:
        return 0.0
    return 1.0 / fewest if figure == "loss_ratio" else highest / (fewest * measured_ratio)


def mean(values: Values) -> float | None:
    """The mean of what is known; None if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _ratio(difference: float, baseline: float | None) -> float:
    """A difference as a share of the baseline, infinite where that is 0."""
    if difference == 0 or baseline is None or math.isnan(difference):
        return 0.0 if difference == 0 else math.nan
    return difference / abs(baseline) if baseline else math.copysign(math.inf, difference)
