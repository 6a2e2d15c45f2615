"""How long packets take: mean and distribution of the latency of a lane, from the load of its hops.

    latency = sum over hops of   propagation + service + jitter + wait

    wait at a hop that TCP fills      between the trough and the peak of the queue, evenly
    wait at any other hop             M/G/1 with a finite buffer: `kernels.queueing`

Percentiles come from POINTS draws of all waits and jitters of a lane, which are taken to be
independent of one another (Latin hypercube: each value of each hop is drawn once in each of POINTS
equal parts of its distribution; McKay, Beckman and Conover, Technometrics 21 (1979), 239-245).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.queueing import buffered_wait_s
from kernels.random import mix
from kernels.units import PS_PER_S
from simulator.flowlevel.lanes import Lanes
from simulator.plan import Plan

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

POINTS: Final = 128
"""Draws for percentiles: p99 lies between the first and the second largest of them."""
LEAST_INTERVAL_S: Final = 1e-9
DRAWS: Final = 2
"""For each hop of a route: its wait and its jitter."""
SAME_RATIO: Final = 0.002
"""Percentiles are drawn anew once a wait has changed by more of the latency."""
SAMPLED_LANES_MAX: Final = 16
"""Of each direction: percentiles of a direction with more routes come from some of them."""


@dataclass(frozen=True)
class Waits:
    """Waits at hops: their mean, and how they are distributed."""

    mean_s: Array
    utilisation: Array
    """Chance that a packet waits, where TCP does not fill the hop."""
    is_full: npt.NDArray[np.bool_]
    """TCP fills the hop: waits lie evenly between the next two."""
    low_s: Array
    high_s: Array
    """Of a hop that is not full: the longest wait that its buffer allows."""


def buffers_s(hop: npt.NDArray[Any]) -> Array:
    """Longest wait that each hop accepts; 0 of a policer, infinite of a path."""
    wait_s = hop["max_wait_ps"] / PS_PER_S
    per_byte_s = hop["per_byte"] / (1 << layout.PER_BYTE_SHIFT) / PS_PER_S
    by_bytes_s = np.where(
        hop["buffer_bytes"] < layout.UNLIMITED, hop["buffer_bytes"] * per_byte_s, np.inf
    )
    limit_s = np.minimum(
        np.where(hop["max_wait_ps"] < layout.UNLIMITED, wait_s, np.inf), by_bytes_s
    )
    is_queue = (hop["kind"] == layout.SERVER) & (hop["is_policer"] == 0)
    return np.where(hop["kind"] == layout.PATH, np.inf, np.where(is_queue, limit_s, 0.0))


def waits(
    utilisation: Array,
    work_s: Array,
    work_s2: Array,
    buffer_s: Array,
    is_full: npt.NDArray[np.bool_],
    low_s: Array,
    high_s: Array,
) -> Waits:
    """Waits at hops, float64[hops] each; `low_s` and `high_s` matter where `is_full`."""
    mean_s = np.zeros(len(utilisation))
    busy = np.flatnonzero((utilisation > 0.0) & (work_s > 0.0) & (buffer_s > 0.0) & ~is_full)
    if busy.size:
        found, _ = np.zeros(busy.size), np.zeros(busy.size)
        buffered_wait_s(
            utilisation[busy], work_s[busy], work_s2[busy], buffer_s[busy], found, _.copy()
        )
        mean_s[busy] = np.where(np.isfinite(found), found, 0.0)
    mean_s[is_full] = (low_s[is_full] + high_s[is_full]) / 2.0
    return Waits(
        mean_s,
        np.minimum(utilisation, 1.0),
        is_full,
        np.where(is_full, low_s, 0.0),
        np.where(is_full, high_s, buffer_s),
    )


class LatencyModel:
    """Latencies of lanes of one plan."""

    def __init__(self, plan: Plan, hop: npt.NDArray[Any], hops_max: int) -> None:
        self._hop = hop
        table_s = plan.jitter_table / PS_PER_S
        steps = table_s.shape[1] - 1
        self._table_s = table_s
        low, high = table_s[:, :-1], table_s[:, 1:]
        self._row_mean_s = ((low + high) / 2.0).sum(axis=1) / steps
        square = (low * low + low * high + high * high).sum(axis=1) / (3.0 * steps)
        self._row_variance_s2 = square - self._row_mean_s**2
        self._quantile = _hypercube(plan.key("latency points"), DRAWS * hops_max)

    @property
    def own_s(self) -> Array:
        """What each hop adds without load, service apart: propagation and mean jitter.

        A value holds for an interval. Where the next one is smaller by d, nobody overtakes: those
        behind wait d at first and less and less, d^2 / 2 in all. So the mean grows by
        variance / (2 interval).
        """
        rows = self._hop
        interval_s = rows["jitter_interval_ps"] / PS_PER_S
        in_order_s = self.jitter_variance_s2 / np.maximum(2.0 * interval_s, LEAST_INTERVAL_S)
        jitter_s = np.where(interval_s > 0.0, self._row_mean_s[rows["jitter_row"]], 0.0)
        keeps_order = rows["may_reorder"] == 0
        return rows["delay_ps"] / PS_PER_S + jitter_s + np.where(keeps_order, in_order_s, 0.0)

    @property
    def jitter_variance_s2(self) -> Array:
        """Variance of the jitter of each hop."""
        rows = self._hop
        return np.where(
            rows["jitter_interval_ps"] > 0, self._row_variance_s2[rows["jitter_row"]], 0.0
        )

    def service_s(self, lanes: Lanes) -> Array:
        """Service time that a packet of each use spends; a policer delays nothing."""
        return np.where(self._hop["is_policer"][lanes.hop] == 0, lanes.work_s, 0.0)

    def idle_s(self, lanes: Lanes) -> Array:
        """Mean latency of each lane without waits."""
        return lanes.sum_over(self.own_s[lanes.hop] + self.service_s(lanes))

    def sample_s(self, lanes: Lanes, which: npt.NDArray[np.int64], at: Waits) -> Array:
        """Latencies of some lanes, float64[len(which), POINTS], in no order."""
        total_s = np.zeros((len(which), POINTS))
        delay_s = self._hop["delay_ps"] / PS_PER_S
        service_s = self.service_s(lanes)
        lengths = np.diff(lanes.ptr)[which]
        for k in range(int(lengths.max(initial=0))):
            rows = np.flatnonzero(lengths > k)
            uses = lanes.ptr[which[rows]] + k
            hops = lanes.hop[uses]
            total_s[rows] += (delay_s[hops] + service_s[uses])[:, None]
            total_s[rows] += _wait_quantiles(at, hops, self._quantile[DRAWS * k])
            jittery = np.flatnonzero(self._hop["jitter_interval_ps"][hops] > 0)
            if jittery.size:
                table_s = self._table_s[self._hop["jitter_row"][hops[jittery]]]
                column = (self._quantile[DRAWS * k + 1] * (table_s.shape[1] - 1)).astype(np.int64)
                total_s[rows[jittery]] += table_s[:, column]
        return total_s


def _wait_quantiles(at: Waits, hops: npt.NDArray[np.int64], share: Array) -> Array:
    """Waits at some hops for shares of probability, [hops, POINTS].

    Not full: nobody waits with probability 1 - utilisation; who waits does so exponentially, the
    buffer cuts it off.
    """
    rho = at.utilisation[hops][:, None]
    mean_s = np.where(rho > 0.0, at.mean_s[hops][:, None] / np.maximum(rho, 1e-300), 0.0)
    tail = np.minimum((1.0 - share)[None, :] / np.maximum(rho, 1e-300), 1.0)
    exponential_s = np.minimum(-mean_s * np.log(tail), at.high_s[hops][:, None])
    low, high = at.low_s[hops][:, None], at.high_s[hops][:, None]
    even_s = low + np.where(np.isfinite(high), high - low, 0.0) * share[None, :]
    return np.where(at.is_full[hops][:, None], even_s, exponential_s)


def _hypercube(key: int, rows: int) -> Array:
    """Numbers between 0 and 1, [rows, POINTS]: each row has one in each of POINTS equal parts."""
    middle = (np.arange(POINTS) + 0.5) / POINTS
    counters = np.arange(max(rows, 1) * POINTS, dtype=np.uint64).reshape(-1, POINTS)
    plain: Any = getattr(mix, "py_func", mix)  # on whole arrays: nothing to compile
    return middle[np.argsort(plain(np.uint64(key), counters), axis=1, kind="stable")]


def rare_wait_s(at: Waits) -> Array:
    """The wait that one packet in a thousand exceeds, where TCP does not fill the hop."""
    rho = np.maximum(at.utilisation, 1e-300)
    return at.mean_s / rho * np.maximum(np.log(1e3 * rho), 0.0)


class Parts(NamedTuple):
    """Lanes in groups: `order[begin[i]:begin[i + 1]]` is a group."""

    order: Index
    begin: Index


@dataclass(frozen=True)
class Look:
    """Latencies of the lanes in use, as long as the lanes and, nearly, the waits are the same."""

    at: Waits
    used: Index
    chosen: Index
    """Lanes whose percentiles were drawn."""
    parts: Parts
    sample_s: Array

    def holds(self, at: Waits, used: Index, latency_s: float) -> bool:
        """Whether nothing has changed by more than SAME_RATIO of the shortest latency."""
        if self.at is at:
            return np.array_equal(self.used, used)
        drift_s = np.abs(self.at.mean_s - at.mean_s).max(initial=0.0)
        return bool(
            drift_s <= SAME_RATIO * latency_s
            and np.array_equal(self.at.is_full, at.is_full)
            and np.array_equal(self.used, used)
        )


def some_of_each(used: Index, direction: Index) -> tuple[Index, Parts]:
    """At most SAMPLED_LANES_MAX lanes of each direction, each with the lanes it stands for."""
    order = used[np.argsort(direction[used], kind="stable")]
    found = direction[order]
    begins = np.concatenate([[0], np.flatnonzero(np.diff(found)) + 1, [len(found)]])
    firsts = [
        np.arange(first, last, -(-(last - first) // SAMPLED_LANES_MAX))
        for first, last in pairwise(begins.tolist())
    ]
    begin = np.concatenate(firsts)
    return order[begin], Parts(order, begin)
