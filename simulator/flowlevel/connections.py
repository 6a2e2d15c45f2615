"""TCP in a run: rates and caps, what outages do to senders, and what flows leave in the ledger.

A flow whose route is cut sends nothing until a retransmission timeout finds it whole again: the
timeouts double (RFC 6298), each loses one packet. Then slow start: the time that it loses stands
as a pause. A flow that begins pauses likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from simulator.base.errors import PlanError
from simulator.flowlevel import queues
from simulator.flowlevel.calendar import Calendar
from simulator.flowlevel.lanes import DEAD_RATIO
from simulator.flowlevel.latency import LatencyModel, buffers_s
from simulator.flowlevel.ledger import Ledger
from simulator.flowlevel.outcomes import Outcomes
from simulator.flowlevel.queues import Standing
from simulator.flowlevel.shares import Shares, Uses
from simulator.flowlevel.tcp import (
    FITTED_RTT_EXPONENT,
    Stacks,
    ramp_s,
    window_segments,
)
from simulator.flowlevel.traffic import Elastic, Item
from simulator.plan import Plan, TransferPlan, to_ps

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

ACK_MARGIN: Final = 1.001
"""ACKs are set aside as they were when rates were last worked out, and a bit more."""
RTO_MAX_S: Final = 120.0
"""Longest retransmission timeout (RFC 6298 allows 60 s or more; that of the packet level)."""
PROBE_RTTS: Final = 2.0
"""Round trips before the timeout begins to count: the last ACKs, and a tail loss probe."""


@dataclass
class Stall:
    """How it stands with an item whose route is, or was, cut."""

    since_ps: int = -1
    """When it was cut; -1: it is not."""
    reason: int = layout.PATH_DOWN
    timeouts: int = 0
    next_ps: int = layout.NEVER_PS
    """Its next timeout while the route is cut."""
    resume_ps: int = 0
    """When it sends again."""
    rate_bps: float = 0.0
    """Of one flow, before."""


class Connections:
    """All TCP flows and transfers of a run."""

    def __init__(self, plan: Plan, elastic: Elastic, ledger: Ledger, latency: LatencyModel) -> None:
        self._plan = plan
        self._elastic = elastic
        self._ledger = ledger
        self._latency = latency
        self._items: list[Item] = elastic.items
        self.uses = Uses(plan, elastic)
        self.uses.measure()
        self.stacks = Stacks.of([elastic.items[i].stack for i in elastic.class_item])
        settings = [elastic.items[i].first.settings for i in elastic.class_item]
        segments = np.array([float(s["rwnd_segments"]) for s in settings])
        self._segment_bytes = np.array([float(s["segment_bytes"]) for s in settings])
        self._window_bits = segments * self.uses.mss_bits
        count = len(plan.tcp_flows) + len(plan.transfers)
        self.data_position: list[int | None] = [0] * count
        self.ack_position: list[int | None] = [0] * count
        self._stall = [Stall() for _ in self._items]
        self._is_cut = np.zeros(len(self._items), bool)
        self._begun = np.zeros(len(self._items))
        self._users = np.zeros(len(self._items), np.int64)
        self._arrivals = np.zeros(len(self._items))
        self._joining: list[int] = []
        self._fresh: list[int] = []
        self.has_transfers = bool(plan.transfers)
        self.shares = Shares(plan, elastic, self.uses, self._weights())
        self.outcomes = Outcomes(plan, elastic, self.uses, self.shares, ledger)
        self._rtt_s = self.rtt_s(np.zeros(len(plan.hops)))
        self._jitter_of_class_s = self._jitter_s()
        self._loss_cap_bps = np.full(len(elastic.class_item), np.inf)
        self.flows = self._flows_now()

    # ---- paths ---------------------------------------------------------------------------------

    def rtt_s(self, wait_s: Array) -> Array:
        """Round trip of each class with waits at hops."""
        total = np.zeros(len(self._elastic.class_item))
        for lanes, lane in (
            (self._elastic.data, self._elastic.data_lane),
            (self._elastic.ack, self._elastic.ack_lane),
        ):
            if len(lanes):
                one_way = self._latency.idle_s(lanes) + lanes.sum_over(wait_s[lanes.hop])
                total = total + one_way[lane]
        return np.maximum(total, 1e-9)

    @property
    def least_rtt_s(self) -> float:
        """Shortest round trip of any class, infinite without TCP."""
        return float(self._rtt_s.min(initial=np.inf))

    def _loss(self) -> Array:
        """Random loss of the data of each class, of packets that fit."""
        data = self._elastic.data
        if not len(data):
            return np.zeros(0)
        fits = np.maximum(data.fits[data.ptr[1:] - 1], DEAD_RATIO)
        loss: Array = 1.0 - data.end_reach / fits
        return loss[self._elastic.data_lane]

    def _weights(self) -> Array:
        """How classes that share a full hop divide it: by round trip, a full buffer counted in.

        Drop-tail buffers make flows lose at about the same time. Windows that grow alike in time
        are then alike, and rates are as 1 / RTT; bursts make it a little more unequal.
        """
        uses, hops = self.uses, len(self._plan.hops)
        rtt_s = self.rtt_s(np.zeros(hops))
        buffer_s = np.zeros(len(rtt_s))
        limits_s = buffers_s(self._plan.hop)
        finite = np.where(np.isfinite(limits_s), limits_s, 0.0)[uses.hop]
        np.maximum.at(buffer_s, uses.of_class[~uses.is_ack], finite[~uses.is_ack])
        loaded_s = rtt_s + buffer_s
        weight = uses.mss_bits * loaded_s**-FITTED_RTT_EXPONENT
        return np.asarray(weight / weight.mean()) if len(weight) else weight

    def _jitter_s(self) -> Array:
        """Standard deviation of the round trip of each class by jitter."""
        variance = self._latency.jitter_variance_s2
        total = np.zeros(len(self._elastic.class_item))
        for lanes, lane in (
            (self._elastic.data, self._elastic.data_lane),
            (self._elastic.ack, self._elastic.ack_lane),
        ):
            if len(lanes):
                total = total + lanes.sum_over(variance[lanes.hop])[lane]
        return np.sqrt(total)

    # ---- changes -------------------------------------------------------------------------------

    @property
    def next_ps(self) -> int:
        """Next timeout or resumption of any item."""
        return min((self._due_ps(s) for s in self._stall), default=layout.NEVER_PS)

    def _due_ps(self, stall: Stall) -> int:
        is_paused = stall.since_ps < 0 and stall.resume_ps > self._seen_ps
        return stall.resume_ps if is_paused else stall.next_ps

    _seen_ps = 0

    def is_due(self, now_ps: int) -> bool:
        """Whether an item resumes or times out now."""
        return self.next_ps <= now_ps

    def change(self, now_ps: int, is_up: npt.NDArray[np.bool_], calendar: Calendar) -> None:
        """Let items begin, end, move, lose their way and find it again."""
        self._seen_ps = now_ps
        dead = self._dead_lanes(is_up)
        self._fresh = []
        for i, item in enumerate(self._items):
            self._follow_calendar(now_ps, i, item, calendar)
            self._follow_route(now_ps, i, item, dead, is_up)
        self.outcomes.forget(now_ps)  # what moved took its past with it

    def _dead_lanes(self, is_up: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], ...]:
        """Lanes of data and of ACKs that nothing passes."""
        found = []
        for lanes in (self._elastic.data, self._elastic.ack):
            dead = np.zeros(len(lanes), bool)
            if len(lanes):
                dead = lanes.any_of(~is_up) | (lanes.end_reach < DEAD_RATIO)
            found.append(dead)
        return tuple(found)

    def _follow_calendar(self, now_ps: int, i: int, item: Item, calendar: Calendar) -> None:
        begun, ended = calendar.begun[i], calendar.ended[i]
        if not isinstance(item.first, TransferPlan):
            joining = round(begun - self._begun[i])
            self._begun[i] = begun
            if joining > 0:
                self.shares.join(now_ps, i, joining)
                self._joining.append(i)
                self._fresh.append(i)
            if ended >= begun > 0.0:
                self.shares.abort(now_ps, i)
            return
        wanted = (begun - ended) * calendar.item_factor[i]
        if item.count > 1:
            wanted *= self._routed_ratio(item) or 1.0  # a whole group without route stalls instead
        if item.first.arrivals_per_s > 0.0:
            if wanted != self._arrivals[i]:
                self._arrivals[i] = wanted
                self.shares.set_rate(now_ps, i, wanted)
            return
        users = round(wanted)
        if users > self._users[i]:
            self.shares.join(now_ps, i, users - int(self._users[i]))
        elif users < self._users[i]:
            self.shares.leave(i, int(self._users[i]) - users)
        self._users[i] = users

    def have_joined(self, now_ps: int) -> None:
        """Those who joined have started their flow: bulk flows have one only."""
        for i in self._joining:
            self.shares.once(i)
        self._joining = []

    def _follow_route(
        self,
        now_ps: int,
        i: int,
        item: Item,
        dead: tuple[npt.NDArray[np.bool_], ...],
        is_up: npt.NDArray[np.bool_],
    ) -> None:
        data, ack = self._positions(item)
        reason = layout.NO_ROUTE
        is_cut = data is None or ack is None
        if data is not None and ack is not None:
            c = item.class_at(data, ack)
            self.shares.move(now_ps, i, c)
            lane = self._elastic.data_lane[c]
            is_cut = bool(dead[0][lane] or dead[1][self._elastic.ack_lane[c]])
            lanes = self._elastic.data
            whole = is_up[lanes.hop[lanes.ptr[lane] : lanes.ptr[lane + 1]]].all()
            too_large = lanes.too_large[lanes.ptr[lane] : lanes.ptr[lane + 1]].any()
            reason = layout.MTU_EXCEEDED if whole and too_large else layout.PATH_DOWN
        stall = self._stall[i]
        if is_cut and stall.since_ps < 0:
            self._cut(now_ps, i, reason)
        elif is_cut:
            stall.reason = reason
            self._time_out(now_ps, i)
        elif stall.since_ps >= 0:
            self._restore(now_ps, i)
        self._is_cut[i] = is_cut

    def _positions(self, item: Item) -> tuple[int | None, int | None]:
        """Where the members are that have a route; the others send nothing.

        Raises
        ------
        PlanError
            If members are on different routes.
        """
        places = [(self.data_position[m], self.ack_position[m]) for m in item.members]
        routed = {place for place in places if None not in place}
        if len(routed) > 1:
            name = self._plan.streams[item.first.stream_idx].name
            raise PlanError(
                f"flows of {name} are so many that those alike move together at flow level; move "
                "all of them, or run at packet level"
            )
        return next(iter(routed), (None, None))

    def _routed_ratio(self, item: Item) -> float:
        """Share of the members of an item that have a route."""
        places = [(self.data_position[m], self.ack_position[m]) for m in item.members]
        return sum(None not in place for place in places) / len(places)

    def _rto_s(self, i: int) -> float:
        c, stack = int(self.shares.current[i]), self._items[i].stack
        return float(self._rtt_s[c] + stack.rto_min_s) * (1.0 + stack.timer_late_ratio)

    def _cut(self, now_ps: int, i: int, reason: int) -> None:
        """The route is cut: what is under way is lost, the timeout begins to run."""
        stall, c = self._stall[i], int(self.shares.current[i])
        was_sending = stall.resume_ps <= now_ps
        stall.since_ps, stall.reason, stall.timeouts = now_ps, reason, 0
        count = self.flows.count[c] if len(self.flows.count) else 0
        if was_sending:
            stall.rate_bps = float(self.flows.rate_bps[c])
        if count > 0 and was_sending:
            in_flight = stall.rate_bps * self._rtt_s[c] / 2.0 / self.uses.mss_bits[c]
            self._lose(c, reason, count * max(in_flight, 1.0))
        stall.next_ps = now_ps + to_ps(PROBE_RTTS * self._rtt_s[c] + self._rto_s(i))

    def _time_out(self, now_ps: int, i: int) -> None:
        """Each timeout sends one segment, which is lost, and doubles the next."""
        stall, c = self._stall[i], int(self.shares.current[i])
        while stall.next_ps <= now_ps:
            stall.timeouts += 1
            count = float(self.flows.count[c])
            self._lose(c, stall.reason, count)
            direction = self.outcomes.lane_direction[0][self._elastic.data_lane[c]]
            self._ledger.rto_count[direction] += count
            wait_s = min(self._rto_s(i) * 2.0**stall.timeouts, RTO_MAX_S)
            stall.next_ps += to_ps(wait_s)

    def _restore(self, now_ps: int, i: int) -> None:
        """The route is whole: the next timeout gets through, then slow start."""
        self._time_out(now_ps - 1, i)
        stall, c = self._stall[i], int(self.shares.current[i])
        rtt_s = float(self._rtt_s[c])
        segments = stall.rate_bps * rtt_s / self.uses.mss_bits[c]
        ramp = ramp_s(float(segments), 1.0, rtt_s)
        begins_ps = now_ps if stall.rate_bps == 0.0 else stall.next_ps
        stall.resume_ps = begins_ps + to_ps(rtt_s + ramp)
        stall.since_ps, stall.next_ps = -1, layout.NEVER_PS

    def _lose(self, c: int, reason: int, packets: float) -> None:
        direction = int(self.outcomes.lane_direction[0][self._elastic.data_lane[c]])
        self._ledger.lose(direction, reason, packets, float(self._segment_bytes[c]))

    def ramp_up(self, now_ps: int) -> bool:
        """Let flows that have just begun pause for what slow start loses; whether any does."""
        fresh, self._fresh = self._fresh, []
        for i in fresh:
            item, c = self._items[i], int(self.shares.current[i])
            stall = self._stall[i]
            if stall.since_ps >= 0:
                continue
            segments = self.flows.rate_bps[c] * self._rtt_s[c] / self.uses.mss_bits[c]
            pause_s = ramp_s(
                float(segments), float(item.stack.initial_segments), float(self._rtt_s[c])
            )
            stall.resume_ps = max(stall.resume_ps, now_ps + to_ps(pause_s))
        return bool(fresh)

    # ---- rates ---------------------------------------------------------------------------------

    def apply(self, now_ps: int, left: Array, used_ratio: Array, wait_s: Array) -> None:
        """Give flows what hops have left, with the caps that follow from round trips."""
        self._rtt_s = self.rtt_s(wait_s)
        segments = window_segments(self._loss(), self._rtt_s, self.stacks)
        self._loss_cap_bps = segments * self.uses.mss_bits / self._rtt_s
        cap = np.minimum(self._window_bits / self._rtt_s, self._loss_cap_bps)
        seen_ps = self._seen_ps
        for i, stall in enumerate(self._stall):
            if self._is_cut[i] or stall.resume_ps > seen_ps:
                item = self._items[i]
                pairs = len(item.first.data_routes) * len(item.first.ack_routes)
                cap[item.first_class : item.first_class + pairs] = 0.0
        private = self.uses.parallel > 1
        if private.any():
            alone = np.full(len(cap), np.inf)
            own = 1.0 / (self.uses.work_per_bit * self.uses.parallel)
            np.minimum.at(alone, self.uses.of_class[private], own[private])
            cap = np.minimum(cap, alone)
        self._cap_bps = cap
        share = np.where(np.isfinite(left), left, 1.0) * used_ratio
        bps = (self.flows.count * self.flows.rate_bps)[self.uses.of_class]
        acks = self.uses.at_hops(
            np.where(self.uses.is_ack, bps * self.uses.work_per_bit, 0.0), len(left)
        )
        self.shares.apply(now_ps, np.maximum(share - ACK_MARGIN * acks, 0.0), cap)

    def account(self, now_ps: int, time_s: float, standing: Standing) -> tuple[Array, Array, Array]:
        """Add what flows did since the last time to the ledger; returns the mean load."""
        return self.outcomes.account(now_ps, time_s, standing, self.flows.limit_hop)

    def transfers(self) -> dict[str, Array]:
        """Figures of transfers by direction of data."""
        return self.outcomes.transfers(self._rtt_s, self._window_bits)

    def take_rates(self) -> None:
        """Look at the rates that the solver found."""
        self.flows = self._flows_now()

    def _flows_now(self) -> queues.Flows:
        rate, limit, count = self.shares.rates()
        return queues.Flows(
            count,
            rate,
            limit,
            self._window_bits,
            self._loss_cap_bps,
            self._rtt_s,
            self._jitter_of_class_s,
        )

    def load(self) -> tuple[Array, Array, Array]:
        """What flows ask of hops now; see `Uses.load`."""
        return self.uses.load(self.flows.count * self.flows.rate_bps, len(self._plan.hops))
