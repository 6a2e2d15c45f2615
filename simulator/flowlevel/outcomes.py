"""What TCP flows leave behind: bytes and packets in the ledger, counters, times of transfers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.histogram import quantiles
from kernels.quantiles import table_survivals
from kernels.units import BITS_PER_BYTE, PS_PER_NS, PS_PER_S
from simulator.flowlevel.lanes import DEAD_RATIO, sums
from simulator.flowlevel.ledger import Books, Ledger
from simulator.flowlevel.queues import Standing
from simulator.flowlevel.shares import Shares, Uses
from simulator.flowlevel.tcp import transfer_delay_s
from simulator.flowlevel.traffic import Elastic, Item, quantiles_of
from simulator.plan import Plan, TransferPlan

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


class Outcomes:
    """Counts what flows carry, in the ledger of a run.

    Attributes
    ----------
    lane_direction : two of int64[lanes]
        Direction of the lanes of data and of ACKs.
    delivered : two of float64[lanes]
        Packets that the lanes delivered in the time that was accounted for last.
    """

    def __init__(
        self, plan: Plan, elastic: Elastic, uses: Uses, shares: Shares, books: Books
    ) -> None:
        self._plan = plan
        self._elastic = elastic
        self._items = elastic.items
        self._uses = uses
        self._shares = shares
        self._books = books
        self._is_short = np.array(
            [isinstance(elastic.items[i].first, TransferPlan) for i in elastic.class_item], bool
        )
        self._last = (np.zeros(len(elastic.class_item)), 1.0)
        settings = [elastic.items[i].first.settings for i in elastic.class_item]
        self._segment_bytes = np.array([float(s["segment_bytes"]) for s in settings])
        self._ack_bytes = np.array([float(s["ack_bytes"]) for s in settings])
        self.lane_direction = tuple(
            np.array([plan.routes[r].direction_idx for r in lanes.route], np.int64)
            for lanes in (elastic.data, elastic.ack)
        )
        self._carried = np.zeros(len(elastic.class_item))
        self._use_order = np.argsort(uses.hop, kind="stable")
        self._use_begin = np.searchsorted(uses.hop[self._use_order], np.arange(len(plan.hops) + 1))
        pairs = [
            (first, other)
            for item in elastic.items
            for first, alike in item.private.items()
            for other in alike.tolist()
            if other != first
        ]
        first, other = np.array(pairs, np.int64).reshape(-1, 2).T
        self._stands_for = (first.copy(), other.copy())
        """Hops of the first members of items, and the hops of the others that they stand for."""
        self._first_of = dict(zip(other.tolist(), first.tolist(), strict=True))
        self.delivered = (np.zeros(len(elastic.data)), np.zeros(len(elastic.ack)))

    def forget(self, now_ps: int) -> None:
        """Take what was carried until now as known."""
        self._carried = self._shares.carried_bytes(now_ps)

    def served_bytes(self, now_ps: int, h: int) -> float:
        """Bytes that a hop has served of flows since they were accounted for last."""
        first = self._first_of.get(h, h)
        which = self._use_order[self._use_begin[first] : self._use_begin[first + 1]]
        if not len(which):
            return 0.0
        uses, c = self._uses, self._uses.of_class[which]
        payload = np.maximum(self._shares.carried_bytes(now_ps) - self._carried, 0.0)[c]
        packets = payload * BITS_PER_BYTE * uses.packets_per_bit[which]
        return float(np.dot(packets, uses.metered_bytes[which]))

    def account(
        self, now_ps: int, time_s: float, standing: Standing, limit_hop: Index
    ) -> tuple[Array, Array, Array]:
        """Add what flows carried since the last time to the ledger; returns the mean load."""
        carried = self._shares.carried_bytes(now_ps)
        payload = np.maximum(carried - self._carried, 0.0)
        self._carried = carried
        self._last = (payload, time_s)
        if not self._books.is_divided:
            return self._add(self._books.ledger, payload, time_s, standing, limit_hop)
        for is_short in (False, True):  # what is delivered last is what latencies are taken of
            part = np.where(self._is_short == is_short, payload, 0.0)
            self._add(self._books.of(is_short=is_short), part, time_s, standing, limit_hop)
        return self._uses.load(payload * BITS_PER_BYTE / time_s, len(self._plan.hops))

    def _add(
        self, ledger: Ledger, payload: Array, time_s: float, standing: Standing, limit_hop: Index
    ) -> tuple[Array, Array, Array]:
        bits = payload * BITS_PER_BYTE
        load = self._uses.load(bits / time_s, len(self._plan.hops))
        self._add_to_hops(ledger, bits, load, time_s)
        self._add_data(ledger, payload, bits, standing, limit_hop)
        self._add_acks(ledger, bits)
        return load

    def busy_by_transfers(self) -> Array:
        """Share of each server's time that transfers took in the time accounted for last."""
        payload, time_s = self._last
        bits = np.where(self._is_short, payload, 0.0) * BITS_PER_BYTE
        busy = self._uses.load(bits / time_s, len(self._plan.hops))[1]
        first, other = self._stands_for
        busy[other] = busy[first]
        return busy

    def _add_to_hops(
        self, ledger: Ledger, bits: Array, load: tuple[Array, Array, Array], time_s: float
    ) -> None:
        uses, hops = self._uses, len(self._plan.hops)
        packets = bits[uses.of_class] * uses.packets_per_bit
        served = uses.at_hops(packets, hops)
        served_bytes = uses.at_hops(packets * uses.metered_bytes, hops)
        busy_s = load[1] * time_s
        first, other = self._stands_for
        for amount in (served, served_bytes, busy_s):
            amount[other] = amount[first]
        ledger.served_packets += served
        ledger.served_bytes += served_bytes
        ledger.busy_s += busy_s

    def _add_data(
        self, ledger: Ledger, payload: Array, bits: Array, standing: Standing, limit_hop: Index
    ) -> None:
        lanes, lane = self._elastic.data, self._elastic.data_lane
        if not len(lanes):
            return
        delivered = bits / self._uses.mss_bits
        limit = np.maximum(limit_hop, 0)
        refused = np.where(limit_hop >= 0, standing.loss_ratio[limit], 0.0)
        reach = np.maximum(lanes.end_reach[lane], DEAD_RATIO)
        sent = delivered / ((1.0 - refused) * reach)
        direction = self.lane_direction[0][lane]
        lost = sent * (1.0 - reach)
        full = sent * reach - delivered
        size = self._segment_bytes
        for target, value in (
            (ledger.sent_packets, sent),
            (ledger.sent_bytes, sent * size),
            (ledger.delivered_packets, delivered),
            (ledger.delivered_bytes, delivered * size),
            (ledger.goodput_bytes, payload),
            (ledger.retransmitted, sent - delivered),
        ):
            np.add.at(target, direction, value)
        for reason, value in ((layout.RANDOM_LOSS, lost), (layout.BUFFER_FULL, full)):
            np.add.at(ledger.dropped_packets[:, reason], direction, value)
            np.add.at(ledger.dropped_bytes[:, reason], direction, value * size)
        np.add.at(ledger.hop_dropped[:, layout.BUFFER_FULL], limit, full)
        of_lane = sums(lane, sent * (1.0 - refused), len(lanes))
        arriving = of_lane[lanes.lane] * lanes.reach
        np.add.at(ledger.hop_dropped[:, layout.RANDOM_LOSS], lanes.hop, arriving * lanes.loss)
        np.add.at(ledger.fragments, lanes.hop, arriving * lanes.fragments)
        self.delivered = (
            sums(lane, delivered, len(lanes)),
            self.delivered[1],
        )

    def _add_acks(self, ledger: Ledger, bits: Array) -> None:
        lanes, lane = self._elastic.ack, self._elastic.ack_lane
        if not len(lanes):
            return
        sent = bits / self._uses.mss_bits / self._uses.segments_per_ack
        delivered = sent * lanes.end_reach[lane]
        direction, size = self.lane_direction[1][lane], self._ack_bytes
        np.add.at(ledger.sent_packets, direction, sent)
        np.add.at(ledger.sent_bytes, direction, sent * size)
        np.add.at(ledger.delivered_packets, direction, delivered)
        np.add.at(ledger.delivered_bytes, direction, delivered * size)
        lost = sent - delivered
        np.add.at(ledger.dropped_packets[:, layout.RANDOM_LOSS], direction, lost)
        np.add.at(ledger.dropped_bytes[:, layout.RANDOM_LOSS], direction, lost * size)
        of_lane = sums(lane, sent, len(lanes))
        arriving = of_lane[lanes.lane] * lanes.reach
        np.add.at(ledger.hop_dropped[:, layout.RANDOM_LOSS], lanes.hop, arriving * lanes.loss)
        self.delivered = (self.delivered[0], sums(lane, delivered, len(lanes)))

    def totals(self) -> dict[str, npt.NDArray[np.int64]]:
        """Counters of TCP by direction of data, as the packet level names them."""
        directions = len(self._plan.directions)
        count = np.zeros(directions, np.int64)
        for flow in self._plan.tcp_flows:
            count[self._plan.routes[flow.data_routes[0]].direction_idx] += 1
        for item, started in zip(self._items, self._started(), strict=True):
            if isinstance(item.first, TransferPlan):
                count[self._plan.routes[item.first.data_routes[0]].direction_idx] += started
        return {
            "flows": count,
            "retransmitted_segments": np.rint(self._books.ledger.retransmitted).astype(np.int64),
            "rto_count": np.rint(self._books.ledger.rto_count).astype(np.int64),
        }

    def _started(self) -> Index:
        counter = self._shares.flows.counter["arrivals"]
        return sums(self._elastic.class_item, counter, len(self._items)).astype(np.int64)

    def transfers(self, rtt_s: Array, window_bits: Array) -> dict[str, Array]:
        """Transfers started and completed, and how long they took, by direction of data."""
        directions = len(self._plan.directions)
        found: dict[str, Any] = {
            name: np.full(directions, np.nan)
            for name in ("started", "completed", "time_s_mean", "time_s_p95")
        }
        by_direction: dict[int, list[int]] = defaultdict(list)
        for i, item in enumerate(self._items):
            if isinstance(item.first, TransferPlan):
                d = self._plan.routes[item.first.data_routes[0]].direction_idx
                by_direction[d].append(i)
        for d, which in by_direction.items():
            for name, value in self._times(which, rtt_s, window_bits).items():
                found[name][d] = value
        return found

    def _times(self, which: list[int], rtt_s: Array, window_bits: Array) -> dict[str, float]:
        """Figures of some items together; what slow start adds is the mean over sizes."""
        counter = self._shares.flows.counter
        completed, time_s = 0.0, 0.0
        histogram = np.zeros(self._shares.flows.histogram.shape[1], np.int64)
        added_s = 0.0
        for i in which:
            item = self._items[i]
            classes = np.flatnonzero(self._elastic.class_item == i)
            done = float(counter["completions"][classes].sum())
            took_s = float(counter["transfer_s"][classes].sum())
            carried = float(counter["completed_bytes"][classes].sum())
            histogram += self._shares.flows.histogram[self._shares.histogram_row[i]]
            completed, time_s = completed + done, time_s + took_s
            if done > 0.0 and took_s > 0.0:
                rate_bps = min(
                    carried * BITS_PER_BYTE / took_s,
                    float(np.max(window_bits[classes] / rtt_s[classes])),
                )
                added_s += done * self._slow_start_s(
                    item, int(classes[0]), rate_bps, float(rtt_s[classes[0]])
                )
        started = float(sum(self._started()[i] for i in which))
        if completed == 0.0:
            return {"started": started, "completed": 0.0}
        p95_ns = np.zeros(1)
        quantiles(histogram, np.array([0.95]), p95_ns)
        mean_added_s = added_s / completed
        return {
            "started": started,
            "completed": completed,
            "time_s_mean": time_s / completed + mean_added_s,
            "time_s_p95": float(p95_ns[0]) * PS_PER_NS / PS_PER_S + mean_added_s,
        }

    def _slow_start_s(self, item: Item, c: int, rate_bps: float, rtt_s: float) -> float:
        assert isinstance(item.first, TransferPlan)
        table = quantiles_of(item.first.size)
        middle = (table[1:] + table[:-1]) / 2.0
        share = -np.diff(table_survivals())
        share[-1] += 1.0 - share.sum()
        delay_s = transfer_delay_s(
            middle,
            rate_bps,
            rtt_s,
            float(self._uses.mss_bits[c]),
            item.stack.initial_segments,
            item.first.settings["handshake_rtt_ps"] / PS_PER_S,
        )
        return float(np.dot(share, delay_s))
