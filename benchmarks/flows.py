"""Flow level: completions per CPU-second, all counters and histograms of transfer times on.

*Two-tier topology*: sites with access lines of 20 to 1,000 Mbit/s in turn, internet paths of
1 Gbit/s, two gateway instances of 650 Mbit/s, two VNets of 10 Gbit/s; a class crosses four hops.
A closed population without think time: each completion starts the next flow, of a class drawn at
random, lognormal size of mean 5 MB and sigma 1.5. `flow-CxN` has C classes and N flows.

*Day*: 500 sites with Poisson arrivals after a daily profile, 5,000 users in 50 groups who think
between flows, four gateway instances at 70 % in the busiest hour, 10 million flows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.rows import Row
from kernels import flow_sources, flows, quantiles
from kernels.fairshare import certificate, max_min
from kernels.rebalance import Sharing, empty_sharing, rates

ACCESS_BPS = (20e6, 50e6, 100e6, 200e6, 500e6, 1000e6)
PATH_BPS, INSTANCE_BPS, VNET_BPS = 1e9, 650e6, 10e9
MEAN_BYTES, SIGMA = 5e6, 1.5
PROOF = 1e-9
HOUR_PS = 3600 * 10**12
REPETITIONS = 6
"""Stretches of each case; the fastest counts, since other programs only ever slow a run down."""

HOURLY_FACTOR = (
    *(0.2,) * 7, 0.6, 1.2, 1.9, 2.0, 1.8, 1.4, 1.7, 1.9, 1.8, 1.4, 0.9, 0.6, 0.4, *(0.3,) * 4,
)  # fmt: skip


class Network(NamedTuple):
    """Arguments of `max_min`."""

    capacity_bps: np.ndarray
    weight: np.ndarray
    cap_bps: np.ndarray
    class_ptr: np.ndarray
    class_hop: np.ndarray
    class_use: np.ndarray


class Case:
    """A network with its flows."""

    def __init__(
        self,
        network: Network,
        source: np.ndarray,
        choice: np.ndarray,
        profile: np.ndarray,
        table: np.ndarray,
        class_source: np.ndarray,
    ) -> None:
        self.network = network
        hops, classes, uses = network.capacity_bps.size, network.weight.size, network.class_hop.size
        self.sharing: Sharing = empty_sharing(hops, classes, uses)
        self.flows = flows.new_flows(
            network.weight,
            class_source,
            hops,
            uses,
            source,
            choice,
            profile,
            table,
            histogram_rows=source.size,
            class_histogram=class_source,
        )
        flows.apply_network(0, *network, self.sharing, self.flows)
        for i in range(source.size):
            flows.start_source(0, i, self.sharing, self.flows)
        self.flows = flows.run(1, self.sharing, self.flows)

    def events(self, count: int) -> float:
        """Handle so many events; returns the completions per CPU-second."""
        until_ps = 2**62
        completions = self.completions
        start_s = time.process_time()
        done = self.flows.store[0]["events"] + count
        while self.flows.store[0]["events"] < done:
            left = done - self.flows.store[0]["events"]
            if flows.advance(until_ps, left, self.sharing, self.flows) == flows.GROW:
                self.flows = flows.grown(self.flows)
        return float((self.completions - completions) / (time.process_time() - start_s))

    @property
    def completions(self) -> int:
        """Completions so far."""
        return int(self.flows.counter["completions"].sum())

    def error(self) -> float:
        """Largest relative difference between a rate and that of a full solution."""
        count = self.sharing.flow_class["count"].copy()
        found, full = np.empty(count.size), np.empty(count.size)
        rates(self.network.weight, self.sharing, found, np.empty(count.size, np.int64))
        max_min(*self.network, full, count)
        assert certificate(*self.network, found, count, PROOF) == 0
        has_flows = count > 0
        return float(np.max(np.abs(found - full)[has_flows] / full[has_flows]))


def network_of(capacity_bps: Any, routes: list[list[int]], cap_bps: Any = np.inf, use: float = 1.0):
    """Make a network from its routes; all weights are 1."""
    class_hop = np.concatenate(routes).astype(np.int64)
    class_ptr = np.cumsum([0, *map(len, routes)])
    cap = np.broadcast_to(np.asarray(cap_bps, float), len(routes)).copy()
    use_of = np.full(class_hop.size, use)
    return Network(
        np.asarray(capacity_bps, float), np.ones(len(routes)), cap, class_ptr, class_hop, use_of
    )


def two_tier(classes: int, flow_count: int, sites: int = 100) -> Case:
    """The topology above with a closed population of `flow_count` flows."""
    paths = sites * 96 // 100
    access = [ACCESS_BPS[i % len(ACCESS_BPS)] for i in range(sites)]
    shared = [*[PATH_BPS] * paths, *[INSTANCE_BPS] * 2, *[VNET_BPS] * 2]
    routes = []
    for c in range(classes):
        site = c % sites
        instance = (c // sites + site) % 2
        path = (site + 7 * (c // sites)) % paths
        first = sites + paths + instance
        routes.append([site, sites + path, first, first + 2])
    source = np.zeros(1, flow_sources.SOURCE)
    source["kind"] = flow_sources.POPULATION
    source["key"] = 20_261_124
    source["choice_end"] = classes
    source["think_begin"] = flow_sources.NONE
    source["population"] = source["wake_room"] = flow_count
    return Case(
        network_of([*access, *shared], routes),
        source,
        flow_sources.choice_table(np.arange(classes), np.ones(classes)),
        np.zeros(0, flow_sources.PROFILE),
        quantiles.quantile_table(quantiles.lognormal(MEAN_BYTES, SIGMA), MEAN_BYTES),
        np.zeros(classes, np.int64),
    )


def day(flow_count: int = 10_000_000, sites: int = 500, groups: int = 50, users: int = 100) -> Case:
    """A working day; a fifth of the flows are those of users who think in between."""
    instances, use, load, share = 4, 1.05, 0.7, 0.2
    first = 2 * sites
    access = [ACCESS_BPS[i % len(ACCESS_BPS)] for i in range(sites)]
    capacity = [*access, *[PATH_BPS] * sites, *[INSTANCE_BPS] * instances, VNET_BPS]
    routes = [[i, sites + i, first + i % instances, first + instances] for i in range(sites)]
    routes += [[first + i % instances, first + instances] for i in range(groups)]
    cap = [np.inf] * sites + [50e6] * groups
    count = sites + groups
    source = np.zeros(count, flow_sources.SOURCE)
    source["key"] = np.random.SeedSequence(20_261_124).generate_state(count, np.uint64)
    source["choice_begin"], source["choice_end"] = np.arange(count), np.arange(count) + 1
    source["think_begin"] = flow_sources.NONE
    source["profile_end"], source["period_ps"] = len(HOURLY_FACTOR), 24 * HOUR_PS
    site, group = source[:sites], source[sites:]
    site["kind"] = flow_sources.POISSON
    site["rate_per_s"] = (1.0 - share) * flow_count / 86_400.0 / sites
    group["kind"] = flow_sources.POPULATION
    group["think_begin"] = quantiles.TABLE_SIZE
    group["population"] = group["wake_room"] = users
    group["wake_begin"] = np.arange(groups) * users
    factor = np.array(HOURLY_FACTOR) / np.mean(HOURLY_FACTOR)
    profile = np.zeros(factor.size, flow_sources.PROFILE)
    profile["start_ps"], profile["factor"] = np.arange(factor.size) * HOUR_PS, factor
    busiest = (1.0 - share) * factor.max() + share
    mean_bytes = load * instances * INSTANCE_BPS / 8 / use / (busiest * flow_count / 86_400.0)
    think_s = groups * users * 86_400.0 / (share * flow_count)
    tables = [
        quantiles.quantile_table(quantiles.lognormal(mean_bytes, 2.0), mean_bytes),
        quantiles.quantile_table(quantiles.exponential(think_s), think_s),
    ]
    choice = np.concatenate([flow_sources.choice_table([c], [1.0]) for c in range(count)])
    network = network_of(capacity, routes, cap, use)
    return Case(network, source, choice, profile, np.concatenate(tables), np.arange(count))


def rows() -> Iterator[Row]:
    """Measure what the flow level is asked for, and how far rates are from a full solution."""
    two_tier(2, 2).events(8)  # compile
    for classes, flow_count in ((100, 100), (100, 10_000), (100, 100_000), (1000, 100_000)):
        yield from measured(f"flow-{classes}x{flow_count}", two_tier(classes, flow_count))
    case = day()
    start_s = time.process_time()
    for hour in range(1, 25):
        case.flows = flows.run(hour * HOUR_PS, case.sharing, case.flows)
    cpu_s = time.process_time() - start_s
    yield Row("flow-day-500", case.completions / cpu_s, "completions/CPU-s")
    yield Row("flow-day-500-cpu", cpu_s, "CPU-s")
    for classes in (100, 1000):
        yield Row(f"max-min-{classes}", full_solutions_per_s(classes), "solutions/CPU-s")


def measured(name: str, case: Case, events: int = 300_000) -> Iterator[Row]:
    """Measure one case, and its largest error over all stretches."""
    case.events(events)  # out of the initial state, in which all flows are new
    best = error = 0.0
    for _ in range(REPETITIONS):
        best = max(best, case.events(events))
        error = max(error, case.error())
    yield Row(name, best, "completions/CPU-s")
    yield Row(f"{name}-error", error, "relative")


def full_solutions_per_s(classes: int) -> float:
    """How often per CPU-second `max_min` solves the two-tier topology from scratch."""
    network = two_tier(classes, 10 * classes).network
    count = np.random.default_rng(1).poisson(10.0, classes).astype(np.int64)
    rate = np.empty(classes)
    max_min(*network, rate, count)
    start_s = time.process_time()
    repetitions = 2_000
    for _ in range(repetitions):
        max_min(*network, rate, count)
    return repetitions / (time.process_time() - start_s)
