"""The mean delay of hops with jitter, which flows feel: the median that is shown hides its tail.

A path keeps order. A value that is large for one interval holds back what arrives after it, too:

    departure(t) = max(largest departure so far, t + delay + value of the interval of t)

so the mean delay is above the mean value. It is computed from the values that the run will draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.plan import PS_PER_S, Plan

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
MIX: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))
UNUSED_BITS: Final = np.uint64(12)
STEPS: Final = 2.0**52
INTERVALS_MIN: Final = 4096
INTERVALS_MAX: Final = 65_536
"""Values of jitter that are looked at."""


def uniforms(key: int, begin: int, count: int) -> npt.NDArray[np.float64]:
    """Draws number `begin` and on of a key, as `kernels.random` makes them: float64[count]."""
    with np.errstate(over="ignore"):
        z = np.uint64(key) + (np.arange(count, dtype=np.uint64) + np.uint64(begin)) * GOLDEN
        z = (z ^ (z >> SHIFTS[0])) * MIX[0]
        z = (z ^ (z >> SHIFTS[1])) * MIX[1]
        z = z ^ (z >> SHIFTS[2])
    drawn: npt.NDArray[np.float64] = ((z >> UNUSED_BITS).astype(np.float64) + 0.5) / STEPS
    return drawn


def quantiles_s(plan: Plan, hop: int) -> npt.NDArray[np.float64]:
    """The quantiles of a hop's jitter at equal steps of probability, in seconds."""
    table: npt.NDArray[np.float64] = plan.jitter_table[int(plan.hop[hop]["jitter_row"])] / PS_PER_S
    return table


def mean_jitter_s(plan: Plan, hop: int) -> float:
    """The mean delay that jitter adds at a hop over the run, 0 without jitter."""
    row = plan.hop[hop]
    interval_s = int(row["jitter_interval_ps"]) / PS_PER_S
    if interval_s <= 0.0:
        return 0.0
    table_s = quantiles_s(plan, hop)
    intervals = plan.horizon_ps / PS_PER_S / interval_s
    count = int(min(max(intervals, INTERVALS_MIN), INTERVALS_MAX))
    at = uniforms(int(row["jitter_key"]), 0, count) * (len(table_s) - 1)
    values_s = np.interp(at, np.arange(len(table_s)), table_s)
    if row["may_reorder"]:
        return float(values_s.mean())
    starts_s = np.arange(count) * interval_s
    last_s = np.maximum.accumulate(starts_s + interval_s + values_s)
    held_s = np.maximum(np.concatenate([[0.0], last_s[:-1]]) - values_s - starts_s, 0.0)
    within_s = np.minimum(held_s, interval_s)
    return float((values_s + (held_s - within_s / 2) * within_s / interval_s).mean())


def mean_round_trips_s(plan: Plan, pairs: Sequence[tuple[int, int]]) -> list[float]:
    """The mean round trip without load of each pair of routes there and back."""
    extra_s: dict[int, float] = {}
    known: dict[tuple[int, int], float] = {}
    for pair in dict.fromkeys(pairs):
        hops = [hop for route in pair for hop in plan.routes[route].hop_idx]
        for hop in hops:
            if hop not in extra_s:
                table_s = quantiles_s(plan, hop)
                middle_s = float(table_s[len(table_s) // 2])
                mean_s = mean_jitter_s(plan, hop)
                extra_s[hop] = mean_s - middle_s if mean_s > 0.0 else 0.0
        known[pair] = sum(plan.meta["delay_s"][hop] + extra_s[hop] for hop in hops)
    return [known[pair] for pair in pairs]
