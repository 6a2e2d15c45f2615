"""When flows come: Poisson arrivals with a daily profile, and users who think between flows.

    Poisson      next arrival: the time by which  rate * integral of profile  has grown by e,
                 e exponential of mean 1. So a change of rate keeps what was waited for already.
    population   each user thinks, starts a flow, waits for its end, thinks again.

A *profile* is a periodic step function of time (a day, a week), a factor on the rate. Every
flow of a source picks one of its classes (alias method) and a size (`kernels.quantiles`).

Draws: number 4 i + purpose of the source's key belongs to flow i, so nothing depends on the order
of events, and a source shifts no other's numbers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels._jit import inline_kernel, inner, kernel
from kernels.quantiles import draw_quantile
from kernels.random import exponential, mix, uniform
from kernels.units import PS_PER_S

NEVER_PS: Final = np.iinfo(np.int64).max
NONE: Final = -1

# Kinds of sources.
POISSON: Final = 0
POPULATION: Final = 1

# Purposes of draws.
PURPOSES: Final = np.uint64(4)
GAP: Final = np.uint64(0)
CLASS: Final = np.uint64(1)
SIZE: Final = np.uint64(2)
THINK: Final = np.uint64(3)

SOURCE: Final = np.dtype(
    [
        ("kind", np.int64),
        ("key", np.uint64),
        ("flows", np.int64),  # started so far
        ("thoughts", np.int64),  # think times drawn so far
        ("choice_begin", np.int64),  # range of `choice`: the classes it feeds
        ("choice_end", np.int64),
        ("size_begin", np.int64),  # where its table of sizes begins, bytes
        ("rate_per_s", np.float64),  # Poisson: arrivals at profile 1
        ("profile_begin", np.int64),  # range of `profile`; empty = always 1
        ("profile_end", np.int64),
        ("period_ps", np.int64),
        ("gap_left", np.float64),  # e that is still to pass, counted from gap_from_ps
        ("gap_from_ps", np.int64),
        ("next_ps", np.int64),
        ("think_begin", np.int64),  # where its table of think times begins, seconds; NONE = 0 s
        ("population", np.int64),  # users there should be
        ("present", np.int64),  # users there are: they think or have a flow
        ("thinking", np.int64),
        ("wake_begin", np.int64),  # its part of `wake_ps`, a heap
        ("wake_room", np.int64),
    ],
    align=True,
)

CHOICE: Final = np.dtype(
    [
        ("accept", np.float64),  # alias method: this class if the fraction is below
        ("class", np.int64),
        ("alias", np.int64),
    ],
    align=True,
)

PROFILE: Final = np.dtype(
    [
        ("start_ps", np.int64),  # within the period; the first one is 0
        ("factor", np.float64),
    ],
    align=True,
)


def choice_table(class_idx: ArrayLike, weight: ArrayLike) -> NDArray[np.void]:
    """Make the alias table (Walker 1977, in Vose's form of 1991) of a choice among classes.

    Parameters
    ----------
    class_idx : array_like of int
        The classes.
    weight : array_like of float
        How often each is chosen, in any unit.

    Returns
    -------
    CHOICE[classes]

    Raises
    ------
    ValueError
        If a weight is negative or all are 0.
    """
    classes = np.asarray(class_idx, np.int64)
    share = np.asarray(weight, np.float64)
    if np.any(share < 0.0) or not share.sum() > 0.0:
        raise ValueError(f"weights {share.tolist()}: must be >= 0, and one above 0")
    share = share * (share.size / share.sum())
    table = np.zeros(share.size, CHOICE)
    table["class"] = table["alias"] = classes
    table["accept"] = 1.0
    small = [i for i in range(share.size) if share[i] < 1.0]
    large = [i for i in range(share.size) if share[i] >= 1.0]
    while small and large:
        i, j = small.pop(), large[-1]
        table[i]["accept"] = share[i]
        table[i]["alias"] = classes[j]
        share[j] -= 1.0 - share[i]
        if share[j] < 1.0:
            small.append(large.pop())
    return table


@inline_kernel
def draw(source: np.ndarray, i: int, number: int, purpose: np.uint64) -> np.uint64:
    """Draw 64 bits of source `i` for one purpose of its flow `number`."""
    return mix(source[i]["key"], np.uint64(number) * PURPOSES + purpose)


@inner
@kernel
def choose_class(source: np.ndarray, i: int, choice: np.ndarray) -> int:
    """Pick the class of the next flow of source `i`."""
    begin = source[i]["choice_begin"]
    size = source[i]["choice_end"] - begin
    chosen = choice[begin]["class"]
    if size > 1:
        u = uniform(draw(source, i, source[i]["flows"], CLASS)) * size
        at = np.int64(u)
        if u - at < choice[begin + at]["accept"]:
            chosen = choice[begin + at]["class"]
        else:
            chosen = choice[begin + at]["alias"]
    return int(chosen)


@inner
@kernel
def choose_size_bytes(source: np.ndarray, i: int, table: np.ndarray) -> int:
    """Draw the size of the next flow of source `i`: whole bytes, at least 1."""
    bits = draw(source, i, source[i]["flows"], SIZE)
    return max(int(draw_quantile(bits, table, source[i]["size_begin"]) + 0.5), 1)


@inline_kernel
def after(now_ps: int, time_s: float) -> int:
    """Return the instant `time_s` >= 0 later, or NEVER_PS if it is beyond the clock's range."""
    time_ps = time_s * PS_PER_S
    return now_ps + int(time_ps) if time_ps < NEVER_PS / 2 else NEVER_PS


@inner
@kernel
def draw_gap(source: np.ndarray, i: int, number: int, profile: np.ndarray, now_ps: int) -> int:
    """Draw what passes until flow `number` of a Poisson source arrives. Returns 0."""
    source[i]["gap_left"] = exponential(draw(source, i, number, GAP))
    source[i]["gap_from_ps"] = now_ps
    source[i]["next_ps"] = _arrival_ps(source, i, profile)
    return 0


@inner
@kernel
def set_rate(
    source: np.ndarray, i: int, profile: np.ndarray, now_ps: int, rate_per_s: float
) -> int:
    """Change the rate of a Poisson source; what was waited for already counts. Returns 0."""
    source[i]["gap_left"] -= _expected_arrivals(source, i, profile, now_ps)
    source[i]["gap_left"] = max(source[i]["gap_left"], 0.0)
    source[i]["gap_from_ps"] = now_ps
    source[i]["rate_per_s"] = rate_per_s
    source[i]["next_ps"] = _arrival_ps(source, i, profile)
    return 0


@inline_kernel
def _step_at(source: np.ndarray, i: int, profile: np.ndarray, time_ps: int) -> tuple[int, int]:
    """Return the step of the profile that holds at `time_ps`, and when it ends."""
    period_ps = source[i]["period_ps"]
    in_period_ps = time_ps % period_ps
    j = source[i]["profile_end"] - 1
    end_ps = time_ps - in_period_ps + period_ps
    while profile[j]["start_ps"] > in_period_ps:
        end_ps = time_ps - in_period_ps + profile[j]["start_ps"]
        j -= 1
    return j, end_ps


@inner
@kernel
def _arrival_ps(source: np.ndarray, i: int, profile: np.ndarray) -> int:
    """When the gap that is left will have passed."""
    rate_per_s = source[i]["rate_per_s"]
    left = source[i]["gap_left"]
    time_ps = source[i]["gap_from_ps"]
    if rate_per_s <= 0.0:
        return NEVER_PS
    if source[i]["profile_begin"] == source[i]["profile_end"]:
        return after(time_ps, left / rate_per_s)
    empty_ps = np.int64(0)
    while empty_ps <= source[i]["period_ps"] and time_ps < NEVER_PS // 2:
        j, end_ps = _step_at(source, i, profile, time_ps)
        rate_now = rate_per_s * profile[j]["factor"]
        passing = rate_now * ((end_ps - time_ps) / PS_PER_S)
        if left < passing:
            return min(after(time_ps, left / rate_now), end_ps)
        left -= passing
        empty_ps = empty_ps + end_ps - time_ps if rate_now <= 0.0 else np.int64(0)
        time_ps = end_ps
    return NEVER_PS


@inner
@kernel
def _expected_arrivals(source: np.ndarray, i: int, profile: np.ndarray, until_ps: int) -> float:
    """Integrate the present rate from `gap_from_ps` until `until_ps`."""
    rate_per_s = source[i]["rate_per_s"]
    time_ps = source[i]["gap_from_ps"]
    if source[i]["profile_begin"] == source[i]["profile_end"]:
        return float(rate_per_s * ((until_ps - time_ps) / PS_PER_S))
    expected = 0.0
    while time_ps < until_ps and rate_per_s > 0.0:
        j, end_ps = _step_at(source, i, profile, time_ps)
        end_ps = min(end_ps, until_ps)
        expected += rate_per_s * profile[j]["factor"] * ((end_ps - time_ps) / PS_PER_S)
        time_ps = end_ps
    return expected


@inner
@kernel
def think_until_ps(source: np.ndarray, i: int, table: np.ndarray, now_ps: int) -> int:
    """Draw when a user of source `i` who begins to think now starts the next flow."""
    begin = source[i]["think_begin"]
    if begin == NONE:
        return now_ps
    bits = draw(source, i, source[i]["thoughts"], THINK)
    source[i]["thoughts"] += 1
    return after(now_ps, draw_quantile(bits, table, begin))


@inner
@kernel
def push_wake(source: np.ndarray, i: int, wake_ps: np.ndarray, time_ps: int) -> int:
    """Let one more user of source `i` think until `time_ps`. Returns 0."""
    begin = source[i]["wake_begin"]
    j = source[i]["thinking"]
    source[i]["thinking"] = j + 1
    while j > 0 and wake_ps[begin + ((j - 1) >> 1)] > time_ps:
        wake_ps[begin + j] = wake_ps[begin + ((j - 1) >> 1)]
        j = (j - 1) >> 1
    wake_ps[begin + j] = time_ps
    source[i]["next_ps"] = wake_ps[begin]
    return 0


@inner
@kernel
def pop_wake(source: np.ndarray, i: int, wake_ps: np.ndarray) -> int:
    """Take the user out who wakes next. Returns 0."""
    begin = source[i]["wake_begin"]
    last = source[i]["thinking"] - 1
    source[i]["thinking"] = last
    value = wake_ps[begin + last]
    j = 0
    while 2 * j + 1 < last:
        child = 2 * j + 1
        if child + 1 < last and wake_ps[begin + child + 1] < wake_ps[begin + child]:
            child += 1
        if wake_ps[begin + child] >= value:
            break
        wake_ps[begin + j] = wake_ps[begin + child]
        j = child
    wake_ps[begin + j] = value
    source[i]["next_ps"] = wake_ps[begin] if last > 0 else NEVER_PS
    return 0
