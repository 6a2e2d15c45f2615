"""Who gets which rate: weighted max-min fair shares, and inelastic streams that do not share.

    find rate[c], so that
        sum over c of count[c] * use[c, h] * rate[c]  <=  capacity[h]        for every hop h
        rate[c] <= cap[c]
    and the smallest level[c] = rate[c] / weight[c] is as large as it can be, then the second
    smallest, and so on.

A *class* is a set of `count` flows with the same route, weight and cap. Its route is a row of
hops; `use` is the load that one bit/s of the class puts on the hop (1, or more where a header is
added). The solution is unique. It is recognised by its *certificate*: every flow is at its cap,
or crosses a hop that is full and where nobody has a higher level (Bertsekas and Gallager, "Data
Networks", 2nd ed., 1992, section 6.5.2).

`max_min` solves from scratch; `kernels.rebalance` keeps a solution up to date while counts
change. Loops, transient unfairness and the dynamics of congestion control are not modelled: the
shares are those of flows that have settled.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from kernels._jit import counted, kernel

SOLVED: Final = 0
UNBOUNDED: Final = 1
"""A class has neither a cap nor a hop of finite capacity: its rate is infinite."""
NOT_CONVERGED: Final = 2
"""The thinning of inelastic streams found no fixed point within the rounds allowed."""

OWN_CAP: Final = -1
"""In place of a bottleneck hop: the class is at its cap."""

ROUNDS_MAX: Final = 10_000
PASS_TOLERANCE: Final = 1e-13
CALM_ROUNDS: Final = 64
"""Plain rounds before the fixed point of streams that feed each other in a ring is damped."""


@kernel
def max_min(
    capacity_bps: np.ndarray,
    weight: np.ndarray,
    cap_bps: np.ndarray,
    class_ptr: np.ndarray,
    class_hop: np.ndarray,
    class_use: np.ndarray,
    rate_bps: np.ndarray,
    count: np.ndarray | None = None,
) -> int:
    """Weighted max-min fair rates with caps, by progressive filling.

    In each round every hop offers the level at which it would fill if all its unfrozen classes
    rose together. A class whose cap is below all offers on its route freezes at the cap; all
    classes of a hop freeze together if none of them has a lower offer elsewhere.

    Parameters
    ----------
    capacity_bps : float64[hops]
        Capacity, >= 0, infinite allowed.
    weight : float64[classes]
        > 0.
    cap_bps : float64[classes]
        Largest rate of one flow, >= 0, infinite allowed.
    class_ptr, class_hop : int64[classes + 1], int64[uses]
        Hops of class c: class_hop[class_ptr[c]:class_ptr[c + 1]]. A hop may occur twice, its uses
        add up; a row may be empty.
    class_use : float64[uses]
        > 0.
    rate_bps : float64[classes]
        Written: rate of one flow of the class; 0 where count is 0.
    count : int64[classes], optional
        Flows of each class, >= 0; without it every class is one flow.

    Returns
    -------
    int
        SOLVED, or UNBOUNDED if some rate is infinite.

    Notes
    -----
    Cost O(rounds * uses); rounds are at most the number of different levels, in tree-like
    networks a handful. Accuracy: rounding only (tested to 1e-9 against linear programmes).
    """
    classes = weight.size
    flows = np.empty(classes, np.int64)
    level_cap = np.empty(classes, np.float64)
    demand = np.empty(class_use.size, np.float64)
    for c in range(classes):
        flows[c] = 1
        if count is not None:
            flows[c] = count[c]
        level_cap[c] = cap_bps[c] / weight[c]
        for p in range(class_ptr[c], class_ptr[c + 1]):
            demand[p] = class_use[p] * weight[c]
    level = np.empty(classes, np.float64)
    bottleneck = np.empty(classes, np.int64)
    status = fill_levels(
        capacity_bps,
        level_cap,
        flows,
        class_ptr[:-1],
        class_ptr[1:],
        class_hop,
        demand,
        level,
        bottleneck,
    )
    for c in range(classes):
        at_cap = bottleneck[c] == OWN_CAP and flows[c] > 0
        rate_bps[c] = cap_bps[c] if at_cap else min(level[c] * weight[c], cap_bps[c])
    return status


@counted
@kernel
def fill_levels(
    capacity_bps: np.ndarray,
    level_cap: np.ndarray,
    count: np.ndarray,
    link_begin: np.ndarray,
    link_end: np.ndarray,
    link_hop: np.ndarray,
    demand: np.ndarray,
    level: np.ndarray,
    bottleneck: np.ndarray,
) -> int:
    """Progressive filling in normalised terms: the heart of `max_min`.

    Arguments as there, but: level_cap: float64[classes], cap over weight; link_begin, link_end:
    int64[classes], the range of uses of a class; demand: float64[uses], load of one flow at level
    1, that is use * weight; level: float64[classes], written; bottleneck: int64[classes], written,
    a hop or OWN_CAP. Classes without flows get level 0. Returns SOLVED or UNBOUNDED.
    """
    hops = capacity_bps.size
    classes = level_cap.size
    free_bps = capacity_bps.copy()
    need = np.empty(hops, np.float64)
    offer = np.empty(hops, np.float64)
    least = np.empty(hops, np.float64)
    rising = np.empty(classes, np.int64)
    rising_count = 0
    for c in range(classes):
        level[c] = 0.0
        bottleneck[c] = OWN_CAP
        if count[c] > 0:
            rising[rising_count] = c
            rising_count += 1
    status = SOLVED
    while rising_count > 0:
        # what each hop offers to those that still rise; fresh sums, so nothing cancels
        for h in range(hops):
            need[h] = 0.0
            least[h] = np.inf
        for i in range(rising_count):
            c = rising[i]
            for p in range(link_begin[c], link_end[c]):
                need[link_hop[p]] += count[c] * demand[p]
        for h in range(hops):
            offer[h] = max(free_bps[h], 0.0) / need[h] if need[h] > 0.0 else np.inf
        # the best that each class could reach, and per hop the least of them
        for i in range(rising_count):
            c = rising[i]
            level[c] = level_cap[c]
            bottleneck[c] = OWN_CAP
            for p in range(link_begin[c], link_end[c]):
                if offer[link_hop[p]] < level[c]:
                    level[c] = offer[link_hop[p]]
                    bottleneck[c] = link_hop[p]
            for p in range(link_begin[c], link_end[c]):
                least[link_hop[p]] = min(least[link_hop[p]], level[c])
        # freeze those whose limit cannot move any more
        kept = 0
        for i in range(rising_count):
            c = rising[i]
            h = bottleneck[c]
            if h != OWN_CAP and least[h] < offer[h]:
                rising[kept] = c
                kept += 1
                continue
            if level[c] == np.inf:
                status = UNBOUNDED
                continue
            for p in range(link_begin[c], link_end[c]):
                free_bps[link_hop[p]] -= level[c] * count[c] * demand[p]
        rising_count = kept
    return status


@kernel
def certificate(
    capacity_bps: np.ndarray,
    weight: np.ndarray,
    cap_bps: np.ndarray,
    class_ptr: np.ndarray,
    class_hop: np.ndarray,
    class_use: np.ndarray,
    rate_bps: np.ndarray,
    count: np.ndarray,
    tolerance: float,
) -> int:
    """Count what keeps rates from being the max-min fair ones: 0 proves that they are.

    A violation is a hop loaded above its capacity; a rate below 0 or above the cap; a class with
    flows that is neither at its cap nor crosses a full hop where its level is the highest.
    Arguments as in `max_min`; tolerance is relative. Cost O(uses).
    """
    hops = capacity_bps.size
    classes = weight.size
    load_bps = np.zeros(hops, np.float64)
    highest = np.zeros(hops, np.float64)
    for c in range(classes):
        if count[c] > 0:
            for p in range(class_ptr[c], class_ptr[c + 1]):
                load_bps[class_hop[p]] += count[c] * class_use[p] * rate_bps[c]
                highest[class_hop[p]] = max(highest[class_hop[p]], rate_bps[c] / weight[c])
    violations = 0
    for h in range(hops):
        if load_bps[h] > capacity_bps[h] * (1.0 + tolerance):
            violations += 1
    for c in range(classes):
        if count[c] == 0:
            continue
        if rate_bps[c] < 0.0 or rate_bps[c] > cap_bps[c] * (1.0 + tolerance):
            violations += 1
        is_bound = rate_bps[c] >= cap_bps[c] * (1.0 - tolerance)
        for p in range(class_ptr[c], class_ptr[c + 1]):
            h = class_hop[p]
            is_full = load_bps[h] >= capacity_bps[h] * (1.0 - tolerance)
            if is_full and rate_bps[c] / weight[c] >= highest[h] * (1.0 - tolerance):
                is_bound = True
        if not is_bound:
            violations += 1
    return violations


@kernel
def serve_inelastic(
    capacity_bps: np.ndarray,
    offered_bps: np.ndarray,
    stream_ptr: np.ndarray,
    stream_hop: np.ndarray,
    stream_use: np.ndarray,
    pass_ratio: np.ndarray,
    delivered_bps: np.ndarray,
    residual_bps: np.ndarray,
) -> int:
    """Serve streams that do not back off; elastic flows share what is left.

        arriving[h] = sum over s of use[s, h] * offered[s] * product of pass[g], g before h
        pass[h] = min(1, capacity[h] / arriving[h])

    A full hop loses the same share of everything that arrives (a first-in first-out queue with
    tail drop), and what it lost loads no later hop. Where streams run through hops in one common
    order, as many rounds as the longest route has hops give the exact solution. Where they feed
    each other in a ring it is a fixed point; after CALM_ROUNDS the steps are damped.

    Parameters
    ----------
    capacity_bps : float64[hops]
        >= 0, infinite allowed.
    offered_bps : float64[streams]
        What the source sends, >= 0.
    stream_ptr, stream_hop, stream_use : int64[streams + 1], int64[uses], float64[uses]
        Hops of each stream in the order of its route, each at most once, and the load on the hop
        of one bit/s of the stream (> 0).
    pass_ratio : float64[hops]
        Written: share of the arriving load that the hop serves.
    delivered_bps : float64[streams]
        Written: what arrives at the end of the route.
    residual_bps : float64[hops]
        Written: capacity left for elastic flows, exactly 0 at a full hop.

    Returns
    -------
    int
        SOLVED or NOT_CONVERGED (the last round's values are then in the arrays).

    Notes
    -----
    Not modelled: priorities, bursts that overflow a buffer below full load, a share of a full
    hop that elastic flows would in fact hold. Cost O(rounds * uses).
    """
    hops = capacity_bps.size
    arriving_bps = np.empty(hops, np.float64)
    for h in range(hops):
        pass_ratio[h] = 1.0
    step = 1.0
    change_before = np.inf
    status = NOT_CONVERGED
    for k in range(ROUNDS_MAX):
        for h in range(hops):
            arriving_bps[h] = 0.0
        for s in range(offered_bps.size):
            flowing_bps = offered_bps[s]
            for p in range(stream_ptr[s], stream_ptr[s + 1]):
                arriving_bps[stream_hop[p]] += stream_use[p] * flowing_bps
                flowing_bps *= pass_ratio[stream_hop[p]]
            delivered_bps[s] = flowing_bps
        change = 0.0
        for h in range(hops):
            is_full = arriving_bps[h] > capacity_bps[h]
            target = capacity_bps[h] / arriving_bps[h] if is_full else 1.0
            residual_bps[h] = 0.0 if is_full else capacity_bps[h] - arriving_bps[h]
            change = max(change, abs(target - pass_ratio[h]))
            pass_ratio[h] += step * (target - pass_ratio[h])
        if change <= PASS_TOLERANCE:
            status = SOLVED
            break
        if k >= CALM_ROUNDS:
            if change >= change_before:
                step *= 0.5
            change_before = change
    return status
