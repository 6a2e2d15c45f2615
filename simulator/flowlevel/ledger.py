"""The ledger: where packets and bytes went, as running sums of what rates and flows carried.

Sums are floats; at the end of a time bin they become the whole numbers of a `RunLog`. What is
delivered and dropped is rounded; what was sent, which is summed on its own, must agree with them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.histogram import BUCKETS, FIRST_BUCKET, SHIFT, quantiles
from kernels.units import PS_PER_S
from simulator.base.errors import InternalError
from simulator.plan import Plan
from simulator.recorder import BIN_PROBABILITIES, Recorder

Array = npt.NDArray[np.float64]
Sample = tuple[npt.NDArray[np.int64], Array, Array]
"""Directions of some lanes, their latencies [lanes, points], and the packets of each."""

AGREEMENT_RATIO: Final = 1e-9
"""How far sums that must be equal may be apart."""
AGREEMENT_UNITS: Final = 1.0
HISTOGRAM_SCALE: Final = 1 << 20
"""Packets of a bin are spread over its sampled latencies in this many parts."""


class Ledger:
    """Running sums of one run, by direction (`Plan.directions`) and hop."""

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        directions, hops, reasons = len(plan.directions), len(plan.hops), len(layout.REASONS)
        self._plan = plan
        self._recorder = recorder
        self.sent_packets, self.sent_bytes = np.zeros(directions), np.zeros(directions)
        self.delivered_packets, self.delivered_bytes = np.zeros(directions), np.zeros(directions)
        self.goodput_bytes, self.latency_s = np.zeros(directions), np.zeros(directions)
        self.dropped_packets = np.zeros((directions, reasons))
        self.dropped_bytes = np.zeros((directions, reasons))
        self.served_packets, self.served_bytes = np.zeros(hops), np.zeros(hops)
        self.busy_s, self.fragments = np.zeros(hops), np.zeros(hops)
        self.wait_s_max = np.zeros(hops)
        self.hop_dropped = np.zeros((hops, reasons))
        self.rto_count = np.zeros(directions)
        self.retransmitted = np.zeros(directions)
        self.run_histogram = np.zeros((directions, BUCKETS), np.int64)
        self._bin_samples: list[Sample] = []
        self._last: tuple[list[Sample], Array, npt.NDArray[np.int64]] = (
            [],
            np.full((directions, len(BIN_PROBABILITIES)), np.nan),
            np.zeros_like(self.run_histogram),
        )

    def lose(self, direction: int, reason: int, packets: float, packet_bytes: float) -> None:
        """Count packets that were sent and met a dead hop, or had no route."""
        self.sent_packets[direction] += packets
        self.sent_bytes[direction] += packets * packet_bytes
        self.dropped_packets[direction, reason] += packets
        self.dropped_bytes[direction, reason] += packets * packet_bytes

    def sample(self, direction: npt.NDArray[np.int64], latency_s: Array, packets: Array) -> None:
        """Keep sampled latencies, [lanes, points], of lanes that carried so many packets each."""
        self._bin_samples.append((direction, latency_s, packets))

    def close_bin(self, start_ps: int, end_ps: int) -> None:
        """Round the sums at the end of a bin and hand them to the recorder."""
        counter = np.zeros(len(self._plan.directions), layout.COUNTER)
        for unit, sent, delivered, dropped in (
            ("packets", self.sent_packets, self.delivered_packets, self.dropped_packets),
            ("bytes", self.sent_bytes, self.delivered_bytes, self.dropped_bytes),
        ):
            self._check(unit, sent, delivered, dropped)
            counter[f"delivered_{unit}"] = np.rint(delivered)
            counter[f"sent_{unit}"] = np.rint(delivered) + np.rint(dropped).sum(axis=1)
        counter["goodput_bytes"] = np.minimum(
            np.rint(self.goodput_bytes), counter["delivered_bytes"]
        )
        units = [round(s * PS_PER_S / layout.LATENCY_UNIT_PS) for s in self.latency_s]
        counter["latency_sum"] = np.array([u % 2**64 for u in units], np.uint64).view(np.int64)
        self._recorder.append_bin(
            start_ps,
            end_ps,
            counter,
            np.rint(self.dropped_packets).astype(np.int64),
            np.rint(self.dropped_bytes).astype(np.int64),
            np.rint(self.busy_s * PS_PER_S).astype(np.int64),
            self._percentiles_ps(add_to_run=start_ps >= self._plan.warm_up_ps),
        )

    def _check(self, unit: str, sent: Array, delivered: Array, dropped: Array) -> None:
        """Compare what was sent with what became of it, each summed on its own."""
        rest = sent - delivered - dropped.sum(axis=1)
        bad = np.flatnonzero(np.abs(rest) > AGREEMENT_RATIO * sent + AGREEMENT_UNITS)
        if bad.size:
            where = self._plan.directions[bad[0]]
            raise InternalError(
                f"stream {self._plan.streams[where.stream_idx].name}, {where.direction}: "
                f"{sent[bad[0]]:.6g} {unit} sent, {rest[bad[0]]:.6g} of them unaccounted for"
            )

    def _percentiles_ps(self, *, add_to_run: bool) -> Array:
        """Percentiles of the samples of the bin by direction; NaN where there are none."""
        samples, self._bin_samples = self._bin_samples, []
        if not self._is_as_before(samples):
            self._last = (samples, *self._spread(samples))
        _, found, histogram = self._last
        if add_to_run:
            self.run_histogram += histogram
        return found

    def _is_as_before(self, samples: list[Sample]) -> bool:
        """Whether the samples are those of the bin before, as in a stretch without change."""
        before = self._last[0]
        return len(samples) == len(before) and all(
            a[1] is b[1] and np.allclose(a[2], b[2], rtol=AGREEMENT_RATIO, atol=0.0)
            for a, b in zip(samples, before, strict=True)
        )

    def _spread(self, samples: list[Sample]) -> tuple[Array, npt.NDArray[np.int64]]:
        """Percentiles by direction, and the packets of each bucket."""
        found = np.full((len(self._plan.directions), len(BIN_PROBABILITIES)), np.nan)
        histogram = np.zeros_like(self.run_histogram)
        for direction, latency_s, packets in samples:
            bucket = (np.maximum(latency_s * PS_PER_S, 1.0).view(np.int64) >> SHIFT) - FIRST_BUCKET
            bucket = np.clip(bucket, 0, BUCKETS - 1)
            share = np.rint(packets * HISTOGRAM_SCALE / latency_s.shape[1]).astype(np.int64)
            rows = np.broadcast_to(direction[:, None], bucket.shape)
            np.add.at(histogram, (rows, bucket), np.broadcast_to(share[:, None], bucket.shape))
        for d in np.flatnonzero(histogram.any(axis=1)):
            quantiles(histogram[d], np.array(BIN_PROBABILITIES), found[d])
        return found, _whole(histogram)

    def hop_state(self) -> npt.NDArray[Any]:
        """Counters of hops in the form of the packet level."""
        state = np.zeros(len(self._plan.hops), layout.HOP_STATE)
        state["served_packets"] = np.rint(self.served_packets)
        state["served_bytes"] = np.rint(self.served_bytes)
        state["busy_ps"] = np.rint(self.busy_s * PS_PER_S)
        state["wait_max_ps"] = np.rint(self.wait_s_max * PS_PER_S)
        state["fragments"] = np.rint(self.fragments)
        return state


class Books:
    """The ledger of a run and, while packets stand in for part of the traffic, one beside it.

    The one beside takes what streams and bulk flows do meanwhile: no table shows it, but whoever
    asks for the bytes that a hop has served counts it in.
    """

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        self._plan = plan
        self.ledger = Ledger(plan, recorder)
        self._beside: Ledger | None = None
        self._is_waiting = np.ones(len(plan.hops), bool)
        self.is_divided = False
        """Whether packets stand in for streams and bulk flows now."""

    def divide(self, *, is_divided: bool, hops: npt.NDArray[np.bool_]) -> None:
        """Begin or end a stretch in which packets pass these hops; its ends are ends of bins."""
        self.is_divided = is_divided
        self._is_waiting = ~(hops & is_divided)
        if self._beside is None:
            self._beside = Ledger(self._plan, Recorder(0, 0, 0))

    def of(self, *, is_short: bool) -> Ledger:
        """Where to enter what short transfers, or all other traffic, do."""
        if self._beside is None or is_short or not self.is_divided:
            return self.ledger
        return self._beside

    def served_bytes(self, h: int) -> float:
        """Bytes that a hop has served until they were entered last, in either ledger."""
        beside = 0.0 if self._beside is None else float(self._beside.served_bytes[h])
        return float(self.ledger.served_bytes[h]) + beside

    def note_waits(self, wait_s: Array) -> None:
        """Keep the longest waits of hops that packets do not pass now."""
        np.maximum(self.ledger.wait_s_max, np.where(self._is_waiting, wait_s, 0.0),
                   out=self.ledger.wait_s_max)  # fmt: skip


def _whole(scaled: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Whole packets by bucket so that each row keeps its sum: round the running sums."""
    running = np.rint(np.cumsum(scaled, axis=1) / HISTOGRAM_SCALE).astype(np.int64)
    return np.diff(running, axis=1, prepend=0)
