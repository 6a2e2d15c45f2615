"""Lanes: the hops of a route as packets of known sizes use them.

A *lane* is a route together with a mix of packet sizes; a *use* is one of its hops. For each use
this file knows how long a packet keeps the server busy (mean and mean square), what a meter counts,
and which share of the packets a link with too small an MTU, or random loss, takes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.esp import NO_LIMIT_BYTES, wire_bytes
from kernels.units import PS_PER_S
from simulator.plan import Encapsulation, Plan

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

LEAST_WORK_S = 1e-15
"""In place of no time at all, where a solver wants every use to be above 0."""
DEAD_RATIO = 1e-6
"""A route that fewer packets pass is as good as cut."""


def sums(index: Index, value: npt.ArrayLike, count: int) -> Array:
    """Sum values by index into an array of that length."""
    return np.asarray(np.bincount(index, np.asarray(value, float), minlength=count), np.float64)


@dataclass(frozen=True)
class Mix:
    """Packet sizes with their weights, which sum to 1."""

    sizes_bytes: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def mean_bytes(self) -> float:
        """Mean inner packet."""
        return float(np.dot(self.sizes_bytes, self.weights))


@dataclass(frozen=True)
class Form:
    """A mix inside an encapsulation: what is on the wire, and what does not fit."""

    inner_bytes: tuple[float, ...]
    wire_bytes: tuple[float, ...]
    weights: tuple[float, ...]
    """Of the packets of the mix that fit, relative to all."""
    extra_fragments: float
    """Mean fragments beyond one of each packet of the mix."""


@cache
def form(mix: Mix, around: Encapsulation) -> Form:
    """Put a mix into an encapsulation."""
    cut_bytes = around.mtu_bytes if around.may_fragment and around.mtu_bytes else NO_LIMIT_BYTES
    profile = (around.fixed_bytes, around.trailer_bytes, around.align_bytes)
    on_wire, weights, extra = [], [], 0.0
    for size_bytes, weight in zip(mix.sizes_bytes, mix.weights, strict=True):
        total_bytes, count = wire_bytes(size_bytes, *profile, cut_bytes)
        fits = around.may_fragment or not 0 < around.mtu_bytes < total_bytes
        on_wire.append(float(total_bytes))
        weights.append(weight if fits else 0.0)
        extra += weight * (count - 1)
    return Form(tuple(map(float, mix.sizes_bytes)), tuple(on_wire), tuple(weights), extra)


class Lanes:
    """Some routes of a plan, each with a mix, in arrays of uses one after another.

    Attributes
    ----------
    ptr, hop : int64[lanes + 1], int64[uses]
        Uses of lane i: hop[ptr[i]:ptr[i + 1]], in the order of the route.
    fits : float64[uses]
        Share of the packets of the lane that are small enough for every MTU up to here.
    too_large : float64[uses]
        Share of them that this hop is the first to find too large.
    work_s, work_s2 : float64[uses]
        Mean and mean square service time of the packets that fit; 0 on a path.
    metered_bytes, inner_bytes, fragments : float64[uses]
        Mean of the packets that fit.
    reach : float64[uses]
        Share of the packets of the lane that come to this hop, if no queue refuses any.
    """

    def __init__(self, plan: Plan, lanes: Sequence[tuple[int, Mix]]) -> None:
        self.plan = plan
        self.route = np.array([route for route, _ in lanes], np.int64)
        routes = [plan.routes[route] for route, _ in lanes]
        self.ptr = np.concatenate([[0], np.cumsum([len(r.hop_idx) for r in routes])]).astype(int)
        self.hop = np.array([h for r in routes for h in r.hop_idx], np.int64)
        self.lane = np.repeat(np.arange(len(lanes)), np.diff(self.ptr))
        self.mean_bytes = np.array([mix.mean_bytes for _, mix in lanes], float)
        self._forms: list[Form] = []
        self._form = np.zeros(len(self.hop), np.int64)
        self._gather(lanes)
        self.is_path = plan.hop["kind"][self.hop] == layout.PATH
        self.longest = int(np.diff(self.ptr).max(initial=0))
        self.reach = np.ones(len(self.hop))

    def __len__(self) -> int:
        return len(self.route)

    def _gather(self, lanes: Sequence[tuple[int, Mix]]) -> None:
        """Number the different forms, and find where packets are too large or cut."""
        number: dict[Form, int] = {}
        uses = len(self.hop)
        self.fits, self.too_large, self.fragments = np.ones(uses), np.zeros(uses), np.zeros(uses)
        first_like: dict[tuple[Mix, tuple[Encapsulation, ...]], int] = {}
        for lane, (route_idx, mix) in enumerate(lanes):
            arounds = self.plan.routes[route_idx].encapsulation
            begin, end = self.ptr[lane], self.ptr[lane + 1]
            first = first_like.setdefault((mix, arounds), lane)
            if first != lane:  # calls and flows of a stream are alike
                same = slice(self.ptr[first], self.ptr[first + 1])
                for column in (self._form, self.too_large, self.fits, self.fragments):
                    column[begin:end] = column[same]
                continue
            fitting, before = np.array(mix.weights), None
            for at, around in enumerate(arounds, begin):
                found = form(mix, around)
                self._form[at] = number.setdefault(found, len(number))
                left = np.where(np.array(found.weights) > 0.0, fitting, 0.0)
                self.too_large[at] = fitting.sum() - left.sum()
                self.fits[at] = left.sum()
                if around != before:
                    self.fragments[at] = found.extra_fragments
                fitting, before = left, around
        self._forms = list(number)
        width = max((len(f.weights) for f in self._forms), default=1)
        shape = (max(len(self._forms), 1), width)
        self._inner, self._wire, self._weight = (np.zeros(shape) for _ in range(3))
        for i, found in enumerate(self._forms):
            n = len(found.weights)
            self._inner[i, :n], self._wire[i, :n] = found.inner_bytes, found.wire_bytes
            self._weight[i, :n] = found.weights
        total = np.maximum(self._weight.sum(axis=1, keepdims=True), 1e-300)
        self._weight /= total

    def measure(self, hop: npt.NDArray[Any], loss_ratio: Array) -> None:
        """Work out service times and shares for hops as they are now (`layout.HOP` records)."""
        rows = hop[self.hop]
        is_wire = (rows["meter_shift"] == layout.METER_WIRE)[:, None]
        metered = np.where(is_wire, self._wire[self._form], self._inner[self._form])
        weight = self._weight[self._form]
        per_byte_ps = rows["per_byte"] / (1 << layout.PER_BYTE_SHIFT)
        service_ps = rows["per_packet_ps"][:, None] + per_byte_ps[:, None] * metered
        service_s = np.maximum(service_ps, rows["min_service_ps"][:, None]) / PS_PER_S
        service_s[self.is_path] = 0.0
        self.work_s = (weight * service_s).sum(axis=1)
        self.work_s2 = (weight * service_s**2).sum(axis=1)
        self.metered_bytes = (weight * metered).sum(axis=1)
        self.inner_bytes = (weight * self._inner[self._form]).sum(axis=1)
        self.loss = loss_ratio[self.hop]
        passing = self.fits * self._product(1.0 - self.loss, inclusive=False)
        self.reach = passing
        last = self.ptr[1:] - 1
        self.end_reach = passing[last] * (1.0 - self.loss[last]) if len(self) else np.zeros(0)

    def _product(self, factor: Array, *, inclusive: bool) -> Array:
        """Product of the factors of a lane up to each use, its own included or not."""
        product = np.ones(len(factor))
        lengths = np.diff(self.ptr)
        running = np.ones(len(self))
        for k in range(self.longest):
            lanes = np.flatnonzero(lengths > k)
            uses = self.ptr[lanes] + k
            if not inclusive:
                product[uses] = running[lanes]
            running[lanes] *= factor[uses]
            if inclusive:
                product[uses] = running[lanes]
        return product

    def passed(self, pass_ratio: Array) -> Array:
        """Share of a lane's packets that no queue before each use refuses; pass_ratio: [hops]."""
        return self._product(pass_ratio[self.hop], inclusive=False)

    def remaining_pass(self) -> Array:
        """Share of the packets at each use that arrive at the end, random loss from here on."""
        after = np.ones(len(self.hop))
        lengths = np.diff(self.ptr)
        running = np.ones(len(self))
        for k in range(1, self.longest + 1):
            lanes = np.flatnonzero(lengths >= k)
            uses = self.ptr[lanes + 1] - k
            running[lanes] *= 1.0 - self.loss[uses]
            after[uses] = running[lanes]
        return after

    def sum_over(self, value: Array) -> Array:
        """Sum of a value of uses over each lane."""
        return sums(self.lane, value, len(self))

    def any_of(self, flag: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Whether a flag of hops holds for some hop of each lane."""
        return np.asarray(sums(self.lane, flag[self.hop], len(self)) > 0)
