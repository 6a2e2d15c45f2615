"""Round trips of TCP by class: how long, how much they vary, and what is lost on the way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from simulator.flowlevel.lanes import DEAD_RATIO, Lanes
from simulator.flowlevel.latency import LatencyModel, buffers_s
from simulator.flowlevel.shares import Uses
from simulator.flowlevel.tcp import FITTED_RTT_EXPONENT
from simulator.flowlevel.traffic import Elastic

Array = npt.NDArray[np.float64]


class RoundTrips:
    """Figures of the ways of data and ACKs of each class, `float64[classes]`."""

    def __init__(self, elastic: Elastic, latency: LatencyModel) -> None:
        self._elastic = elastic
        self._latency = latency

    def rtt_s(self, wait_s: Array) -> Array:
        """Round trip of each class with waits at hops."""
        rtt_s = self._both(
            lambda lanes: self._latency.idle_s(lanes) + lanes.sum_over(wait_s[lanes.hop])
        )
        return np.maximum(rtt_s, 1e-9)

    def jitter_s(self) -> Array:
        """Standard deviation of the round trip of each class by jitter."""
        variance = self._latency.jitter_variance_s2
        return np.sqrt(self._both(lambda lanes: lanes.sum_over(variance[lanes.hop])))

    def _both(self, of_lanes: Callable[[Lanes], Array]) -> Array:
        """The sum over the lane of the data and that of the ACKs of each class."""
        total = np.zeros(len(self._elastic.class_item))
        for lanes, lane in (
            (self._elastic.data, self._elastic.data_lane),
            (self._elastic.ack, self._elastic.ack_lane),
        ):
            if len(lanes):
                total = total + of_lanes(lanes)[lane]
        return total

    def loss_ratio(self) -> Array:
        """Random loss of the data of each class, of packets that fit."""
        data = self._elastic.data
        if not len(data):
            return np.zeros(0)
        fits = np.maximum(data.fits[data.ptr[1:] - 1], DEAD_RATIO)
        loss: Array = 1.0 - data.end_reach / fits
        return loss[self._elastic.data_lane]

    def weights(self, uses: Uses, hop: npt.NDArray[np.void]) -> Array:
        """How classes that share a full hop divide it: by round trip, a full buffer counted in.

        Drop-tail buffers make flows lose at about the same time. Windows that grow alike in time
        are then alike, and rates are as 1 / RTT; bursts make it a little more unequal.
        """
        rtt_s = self.rtt_s(np.zeros(len(hop)))
        buffer_s = np.zeros(len(rtt_s))
        limits_s = buffers_s(hop)
        finite = np.where(np.isfinite(limits_s), limits_s, 0.0)[uses.hop]
        np.maximum.at(buffer_s, uses.of_class[~uses.is_ack], finite[~uses.is_ack])
        loaded_s = rtt_s + buffer_s
        weight = uses.mss_bits * loaded_s**-FITTED_RTT_EXPONENT
        return np.asarray(weight / weight.mean()) if len(weight) else weight
