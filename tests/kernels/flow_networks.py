"""Flow-level runs written down in a few lines, for tests and benchmarks."""

from dataclasses import dataclass, field, replace

import numpy as np

from kernels import flow_sources as fs
from kernels.fairshare import SOLVED
from kernels.flows import Flows, apply_network, new_flows, run, start_source
from kernels.quantiles import TABLE_SIZE, constant, quantile_table
from kernels.rebalance import Sharing, empty_sharing
from tests.kernels.sharing import Network

S = 10**12
"""Picoseconds in a second."""
NO_THOUGHT = None


@dataclass
class Source:
    """One source; `users` makes it a population, `rate_per_s` a Poisson source."""

    classes: tuple[int, ...]
    size: object  # quantile function, bytes
    size_mean: float | None = None
    shares: tuple[float, ...] | None = None
    rate_per_s: float = 0.0
    users: int = 0
    think: object = NO_THOUGHT  # quantile function, seconds
    profile: tuple[tuple[float, float], ...] = ()  # (start in seconds, factor)
    period_s: float = 0.0
    room: int = 0
    key: int = 0


@dataclass
class Run:
    """A network, its sources and the state of both."""

    net: Network
    sources: list[Source]
    seed: int = 1
    flow_room: int = 64
    histograms: bool = False
    sharing: Sharing = field(init=False)
    flows: Flows = field(init=False)

    def __post_init__(self):
        n = len(self.sources)
        source = np.zeros(n, fs.SOURCE)
        choices, tables, profiles = [], [], []
        class_source = np.zeros(self.net.weight.size, np.int64)
        wake = 0
        for i, one in enumerate(self.sources):
            row = source[i]
            row["kind"] = fs.POPULATION if one.users or one.room else fs.POISSON
            drawn = np.random.SeedSequence((self.seed, i)).generate_state(1, np.uint64)[0]
            row["key"] = one.key or drawn
            row["choice_begin"] = sum(map(len, choices))
            choices.append(fs.choice_table(one.classes, one.shares or np.ones(len(one.classes))))
            row["choice_end"] = row["choice_begin"] + len(one.classes)
            row["size_begin"] = len(tables) * TABLE_SIZE
            tables.append(quantile_table(one.size, one.size_mean))
            row["think_begin"] = fs.NONE
            if one.think is not NO_THOUGHT:
                row["think_begin"] = len(tables) * TABLE_SIZE
                tables.append(quantile_table(one.think))
            row["rate_per_s"] = one.rate_per_s
            row["profile_begin"] = len(profiles)
            profiles += [(round(start_s * S), factor) for start_s, factor in one.profile]
            row["profile_end"] = len(profiles)
            row["period_ps"] = round(one.period_s * S)
            row["population"] = one.users
            row["wake_begin"], row["wake_room"] = wake, max(one.users, one.room)
            wake += row["wake_room"]
            class_source[list(one.classes)] = i
        hops, classes, uses = self.net.capacity.size, self.net.weight.size, self.net.hop.size
        self.sharing = empty_sharing(hops, classes, uses)
        self.flows = new_flows(
            self.net.weight,
            class_source,
            hops,
            uses,
            source,
            np.concatenate(choices),
            np.array(profiles, fs.PROFILE),
            np.concatenate(tables),
            flow_room=self.flow_room,
            histogram_rows=int(self.histograms),
            class_histogram=np.zeros(self.net.weight.size, np.int64) if self.histograms else None,
        )
        self.apply(0.0, self.net)
        for i in range(n):
            start_source(0, i, self.sharing, self.flows)

    def apply(self, now_s, net):
        self.net = net
        status = apply_network(round(now_s * S), *net.arrays, self.sharing, self.flows)
        assert status == SOLVED

    def with_capacity(self, now_s, capacity):
        self.apply(now_s, replace(self.net, capacity=np.array(capacity, float)))

    def to(self, until_s):
        self.flows = run(round(until_s * S), self.sharing, self.flows)
        return self

    @property
    def counter(self):
        return self.flows.counter

    @property
    def count(self):
        return self.sharing.flow_class["count"]


def exactly(value):
    """Quantiles of a fixed value, as `Source` wants them."""
    return constant(value)
