"""Random networks of classes and hops, and two slow oracles for fair sharing.

`lexicographic_rates` solves a row of linear programmes; it knows nothing of hops that fill one
after the other. `TextbookFlows` moves every flow by its own rate from event to event, with a full
solution each time.
"""

import heapq
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog

from kernels.fairshare import SOLVED, max_min
from kernels.rebalance import Sharing, new_sharing, solve_all


@dataclass(frozen=True)
class Network:
    """Arguments of `max_min`, in any consistent unit of rate."""

    capacity: np.ndarray
    weight: np.ndarray
    cap: np.ndarray
    ptr: np.ndarray
    hop: np.ndarray
    use: np.ndarray

    @property
    def arrays(self):
        return self.capacity, self.weight, self.cap, self.ptr, self.hop, self.use

    def in_units(self, factor):
        """Return the same network with rates in other units."""
        return replace(self, capacity=self.capacity * factor, cap=self.cap * factor)

    def load(self, rate, count):
        per_use = np.repeat(np.asarray(rate) * count, np.diff(self.ptr)) * self.use
        return np.bincount(self.hop, per_use, minlength=self.capacity.size)


def network(capacity, routes, *, weight=None, cap=None, use=None):
    """Write a network down by hand: `routes` is a row of hop numbers for each class."""
    ptr = np.concatenate([[0], np.cumsum([len(route) for route in routes])])
    hop = np.array([h for route in routes for h in route], np.int64)
    n = len(routes)
    return Network(
        np.array(capacity, float),
        np.ones(n) if weight is None else np.array(weight, float),
        np.full(n, np.inf) if cap is None else np.array(cap, float),
        ptr.astype(np.int64),
        hop,
        np.ones(hop.size) if use is None else np.array(use, float),
    )


def random_network(rng, hops_max=10, classes_max=14):
    """Draw a network; half of them are full of ties (small whole capacities, equal weights)."""
    hops = int(rng.integers(1, hops_max + 1))
    classes = int(rng.integers(1, classes_max + 1))
    has_ties = rng.random() < 0.5
    routes = [
        rng.permutation(hops)[: rng.integers(1, min(hops, 5) + 1)].tolist() for _ in range(classes)
    ]
    uses = sum(len(route) for route in routes)
    plain = np.ones(classes)
    return network(
        rng.integers(1, 4, hops) if has_ties else rng.uniform(1.0, 10.0, hops),
        routes,
        weight=plain if has_ties else rng.uniform(0.5, 2.0, classes),
        cap=np.where(rng.random(classes) < 0.4, rng.uniform(0.01, 3.0, classes), np.inf),
        use=np.ones(uses) if rng.random() < 0.5 else rng.uniform(1.0, 1.3, uses),
    )


def random_counts(rng, classes):
    """Draw how many flows each class has: none, some, or very many."""
    return rng.integers(0, rng.choice([2, 5, 10_000]), classes).astype(np.int64)


def fair_rates(net: Network, count=None):
    """Rates by the kernel under test."""
    rate = np.full(net.weight.size, np.nan)
    assert max_min(*net.arrays, rate, count) == SOLVED
    return rate


def solved_sharing(net: Network) -> Sharing:
    """Make a `Sharing` without flows."""
    sharing, status = new_sharing(*net.arrays)
    assert status == SOLVED
    solve_all(sharing)
    return sharing


def lexicographic_rates(net: Network, count):
    """Max-min fair rates by successive linear programmes (HiGHS).

    Each programme maximises the least level of the classes that are still free to rise. Those
    whose lower bound has a price at the optimum cannot do better, and are fixed.
    """
    classes = net.weight.size
    load = np.zeros((net.capacity.size, classes + 1))
    for c in range(classes):
        for p in range(net.ptr[c], net.ptr[c + 1]):
            load[net.hop[p], c] += count[c] * net.use[p]
    rate = np.zeros(classes)
    free = [c for c in range(classes) if count[c] > 0]
    while free:
        floor = np.zeros((len(free), classes + 1))
        for row, c in enumerate(free):
            floor[row, c], floor[row, -1] = -1.0, net.weight[c]
        bounds = [
            (0.0, min(net.cap[c], 1e6)) if c in free else (rate[c], rate[c]) for c in range(classes)
        ]
        result = linprog(
            np.append(np.zeros(classes), -1.0),
            A_ub=np.vstack([load, floor]),
            b_ub=np.append(net.capacity, np.zeros(len(free))),
            bounds=[*bounds, (0.0, None)],
            method="highs",
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        assert result.success, result.message
        price = -result.ineqlin.marginals[net.capacity.size :]
        fixed = [c for row, c in enumerate(free) if price[row] > 1e-9]
        assert fixed
        for c in fixed:
            rate[c] = net.weight[c] * result.x[-1]
        free = [c for c in free if c not in fixed]
    return rate


class TextbookFlows:
    """Closed sources, one class each, whose users think and transfer in turn.

    `size_bits(c, n)` and `think_s(c, n)` give size and think time of flow n of class c.
    """

    def __init__(self, net, users, size_bits, think_s):
        self.net = net
        self.size_bits, self.think_s = size_bits, think_s
        self.started = [0] * len(users)
        self.thoughts = [0] * len(users)
        self.flows = []  # [class, bits left, arrival]
        self.completions = np.zeros(len(users), np.int64)
        self.transfer_s = np.zeros(len(users))
        self.wakes = []
        for c, n in enumerate(users):
            for _ in range(n):
                self._think(c, 0.0)

    def _think(self, c, now_s):
        heapq.heappush(self.wakes, (now_s + self.think_s(c, self.thoughts[c]), c))
        self.thoughts[c] += 1

    def run(self, until_s):
        now_s = 0.0
        while True:
            count = np.bincount([f[0] for f in self.flows], minlength=self.net.weight.size)
            rate = fair_rates(self.net, count)
            ends = [f[1] / rate[f[0]] for f in self.flows]
            next_end = now_s + min(ends, default=np.inf)
            next_wake = self.wakes[0][0] if self.wakes else np.inf
            step_s = min(next_end, next_wake) - now_s
            if now_s + step_s >= until_s:
                return count
            for flow in self.flows:
                flow[1] -= rate[flow[0]] * step_s
            now_s += step_s
            if next_end <= next_wake:
                c, _, arrival_s = self.flows.pop(int(np.argmin(ends)))
                self.completions[c] += 1
                self.transfer_s[c] += now_s - arrival_s
                self._think(c, now_s)
            else:
                _, c = heapq.heappop(self.wakes)
                self.flows.append([c, self.size_bits(c, self.started[c]), now_s])
                self.started[c] += 1
