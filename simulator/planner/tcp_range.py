"""What congestion control makes of a rate: few flows and a short buffer do not fill a link.

TCP in rounds of one round trip, as in Padhye et al. (SIGCOMM 1998), with the windows of NewReno
(RFC 5681) and CUBIC (RFC 9438, with its Reno-friendly estimate and fast convergence):

    queue = min(windows - rate x RTT, buffer)     what is more is lost, by each flow in proportion
    loss      a window falls to beta times itself, at most once in a round
    stall     jitter that holds the path for longer than the buffer lasts makes a burst, of which
              what the buffer does not take is lost

A policer has no queue: what is above its rate is counted against its burst. Not modelled: slow
start, retransmission timeouts, the spacing of packets, ACKs that wait in the queue of their data.
Bursts of a real path are smoothed on the way, so the figure with stalls is a lower bound, and that
without them an upper one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.planner.round_trip import uniforms

RUNS: Final = 16
"""Independent runs side by side."""
ROUNDS: Final = 300
WARM_UP_ROUNDS: Final = 60
LOSS_KEY, STALL_KEY, START_KEY = 1, 2, 3
SIGMAS: Final = 2.0
"""How many standard deviations of the mean over a run a range spans to either side."""
GROWTH_MAX: Final = 1.5
"""A window grows by half at most in a round trip (RFC 9438, section 4.4)."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stall:
    """Jitter of a hop on the round trip."""

    table_s: tuple[float, ...]
    """Quantiles at equal steps of probability."""
    interval_s: float


@dataclass(frozen=True)
class Bottleneck:
    """TCP flows that are alike and what they share."""

    flows_count: int
    segments_per_s: float
    """Of all flows together; infinity: each is bound by itself."""
    buffer_s: float
    is_policer: bool
    rtt_s: float
    loss_ratio: float
    window_segments: float
    congestion_control: str
    cubic_c: float
    cubic_beta: float
    newreno_beta: float
    stalls: tuple[Stall, ...] = ()


class Reached(NamedTuple):
    """Segments per second of all flows together, over a run of some length."""

    mean_pps: float
    sigma_pps: float
    """Standard deviation of the mean over the run."""


@lru_cache(maxsize=256)
def reached(shared: Bottleneck, lasts_s: float) -> Reached:
    """What the flows reach on average, and how much that differs from run to run."""
    rounds = _Rounds(shared)
    segments, elapsed_s = np.zeros(RUNS), np.zeros(RUNS)
    for number in range(ROUNDS):
        delivered, took_s = rounds.step(number)
        if number >= WARM_UP_ROUNDS:
            segments += delivered
            elapsed_s += took_s
    rates_pps = segments / elapsed_s
    shrink = math.sqrt(float(elapsed_s.mean()) / lasts_s)
    return Reached(float(rates_pps.mean()), float(rates_pps.std()) * shrink)


class _Rounds:
    """Windows of all flows in all runs: arrays float64[RUNS, flows]."""

    def __init__(self, shared: Bottleneck) -> None:
        self._shared = shared
        self._is_cubic = shared.congestion_control == "cubic"
        self._beta = shared.cubic_beta if self._is_cubic else shared.newreno_beta
        self._in_flight = shared.segments_per_s * shared.rtt_s
        self._buffer = shared.segments_per_s * shared.buffer_s
        full = (self._in_flight + self._buffer) / shared.flows_count
        shape = (RUNS, shared.flows_count)
        drawn = uniforms(START_KEY, 0, RUNS * shared.flows_count).reshape(shape)
        self._window: Floats = min(full, shared.window_segments) * (
            self._beta + (1.0 - self._beta) * drawn
        )
        self._reno = self._window.copy()
        self._largest: Floats = np.full(shape, min(full, shared.window_segments))
        self._since_loss_s: Floats = self._growth_s() * drawn
        self._debt = np.zeros(RUNS)

    def step(self, number: int) -> tuple[Floats, Floats]:
        """One round trip: segments delivered and its length, by run."""
        shared = self._shared
        sent = self._window.sum(axis=1)
        if shared.is_policer:
            self._debt = np.maximum(self._debt + sent - self._in_flight, 0.0)
            lost = np.maximum(self._debt - self._buffer, 0.0)
            self._debt = np.minimum(self._debt, self._buffer)
            took_s = np.full(RUNS, shared.rtt_s)
        else:
            queue = np.clip(sent - self._in_flight, 0.0, self._buffer)
            lost = np.maximum(sent - self._in_flight - self._buffer, 0.0)
            took_s = shared.rtt_s + queue / shared.segments_per_s
        lost = np.maximum(np.ceil(lost), np.ceil(self._burst(number, sent / took_s, took_s)))
        lost = np.minimum(lost, sent)
        through = shared.segments_per_s * took_s if not shared.is_policer else sent
        self._cut_or_grow(number, lost, took_s)
        return np.minimum(sent - lost, through), took_s

    def _burst(self, number: int, rate_pps: Floats, took_s: Floats) -> Floats:
        """What a stall of the path brings at once beyond the buffer."""
        most = np.zeros(RUNS)
        rate_pps = np.minimum(rate_pps, self._shared.segments_per_s)
        for index, stall in enumerate(self._shared.stalls):
            drawn = uniforms(STALL_KEY + 16 * index, number * RUNS, RUNS)
            at = drawn ** (stall.interval_s / took_s) * (len(stall.table_s) - 1)
            held_s = np.interp(at, np.arange(len(stall.table_s)), stall.table_s)
            most = np.maximum(most, np.minimum(held_s, took_s) * rate_pps - self._buffer)
        return most

    def _cut_or_grow(self, number: int, lost: Floats, took_s: Floats) -> None:
        shared, window = self._shared, self._window
        share = window / window.sum(axis=1, keepdims=True)
        if shared.flows_count == 1:
            spared = (lost[:, np.newaxis] == 0.0).astype(np.float64)
        else:
            spared = np.power(np.maximum(1.0 - share, 0.0), lost[:, np.newaxis])
        spared *= (1.0 - shared.loss_ratio) ** window
        begin = number * window.size
        is_hit = uniforms(LOSS_KEY, begin, window.size).reshape(window.shape) > spared
        self._since_loss_s += took_s[:, np.newaxis]
        cut = np.maximum(window * self._beta, 2.0)
        grown = np.minimum(self._grown(), shared.window_segments)
        is_lower = window < self._largest - 1.0  # windows are whole segments
        converged = np.where(is_lower, window * (1.0 + self._beta) / 2.0, window)
        self._largest = np.where(is_hit, converged, self._largest)
        self._since_loss_s = np.where(is_hit, 0.0, self._since_loss_s)
        self._reno = np.where(is_hit, cut, self._reno)
        self._window = np.where(is_hit, cut, grown)

    def _grown(self) -> Any:
        """The windows after a round without loss."""
        if not self._is_cubic:
            return self._window + 1.0
        beta = self._beta
        self._reno = self._reno + 3.0 * (1.0 - beta) / (1.0 + beta)
        curve = self._shared.cubic_c * (self._since_loss_s - self._growth_s()) ** 3 + self._largest
        return np.maximum(np.clip(curve, self._window, GROWTH_MAX * self._window), self._reno)

    def _growth_s(self) -> Floats:
        """How long CUBIC takes back to the window of the last loss."""
        shared = self._shared
        grown: Floats = np.cbrt(self._largest * (1.0 - shared.cubic_beta) / shared.cubic_c)
        return grown


def sum_of_ranges(parts: Sequence[tuple[Reached, Reached]]) -> tuple[float, float]:
    """The lowest and the highest of several bottlenecks together, in segments/s.

    Parameters
    ----------
    parts
        Of each what is reached with stalls of the path and without.
    """
    low = sum(with_stalls.mean_pps for with_stalls, _ in parts)
    high = sum(without.mean_pps for _, without in parts)
    low_sigma = math.sqrt(sum(with_stalls.sigma_pps**2 for with_stalls, _ in parts))
    high_sigma = math.sqrt(sum(without.sigma_pps**2 for _, without in parts))
    return max(0.0, low - SIGMAS * low_sigma), high + SIGMAS * high_sigma
