"""TCP in a run: rates and caps, what outages do to senders, and what flows leave in the ledger.

A flow whose route is cut sends nothing until a retransmission timeout finds it whole again: the
timeouts double (RFC 6298), each loses one packet. Then slow start: the time that it loses stands
as a pause. A flow that begins pauses likewise.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from simulator.base.errors import PlanError
from simulator.flowlevel import queues
from simulator.flowlevel.calendar import Calendar
from simulator.flowlevel.lanes import DEAD_RATIO
from simulator.flowlevel.latency import LatencyModel
from simulator.flowlevel.ledger import Books, Ledger
from simulator.flowlevel.outcomes import Outcomes
from simulator.flowlevel.queues import Standing
from simulator.flowlevel.round_trips import RoundTrips
from simulator.flowlevel.shares import Shares, Uses
from simulator.flowlevel.stalls import NO_STALL, PROBE_RTTS, RTO_MAX_S, Stall
from simulator.flowlevel.tcp import Stacks, ramp_s, window_segments
from simulator.flowlevel.traffic import Elastic, Item
from simulator.plan import Plan, TcpFlowPlan, TransferPlan, to_ps

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

ACK_MARGIN: Final = 1.001
"""ACKs are set aside as they were when rates were last worked out, and a bit more."""


class Connections:
    """All TCP flows and transfers of a run."""

    def __init__(self, plan: Plan, elastic: Elastic, books: Books, latency: LatencyModel) -> None:
        self._plan = plan
        self._elastic = elastic
        self._books = books
        self._round_trips = RoundTrips(elastic, latency)
        self.items: list[Item] = elastic.items
        self.uses = Uses(plan, elastic)
        self.uses.measure()
        self.stacks = Stacks.of([elastic.items[i].stack for i in elastic.class_item])
        settings = [elastic.items[i].first.settings for i in elastic.class_item]
        segments = np.array([float(s["rwnd_segments"]) for s in settings])
        self._segment_bytes = np.array([float(s["segment_bytes"]) for s in settings])
        self._ack_bytes = np.array([float(s["ack_bytes"]) for s in settings])
        self._window_bits = segments * self.uses.mss_bits
        count = len(plan.tcp_flows) + len(plan.transfers)
        self.data_position: list[int | None] = [0] * count
        self.ack_position: list[int | None] = [0] * count
        self.stalls: dict[int, Stall] = {}
        """By class, while its route is cut or it waits to send again."""
        self._places: list[tuple[int, ...]] = [(item.first_class,) for item in self.items]
        """The classes that members of each item take, or took when they last had a route."""
        self.begun = np.zeros(len(self.items))
        self._users = np.zeros(len(self.items), np.int64)
        self._arrivals = np.zeros(len(self.items))
        self._joining: list[int] = []
        self._fresh: list[int] = []
        self.has_transfers = bool(plan.transfers)
        self.shares = Shares(
            plan, elastic, self.uses, self._round_trips.weights(self.uses, plan.hop)
        )
        self.outcomes = Outcomes(plan, elastic, self.uses, self.shares, books)
        self.round_trip_s = self._round_trips.rtt_s(np.zeros(len(plan.hops)))
        """By class, present waits counted in."""
        self._jitter_of_class_s = self._round_trips.jitter_s()
        self._loss_cap_bps = np.full(len(elastic.class_item), np.inf)
        self.flows = self._flows_now()

    @property
    def least_rtt_s(self) -> float:
        """Shortest round trip of any class, infinite without TCP."""
        return float(self.round_trip_s.min(initial=np.inf))

    # ---- changes -------------------------------------------------------------------------------

    @property
    def next_ps(self) -> int:
        """Next timeout or resumption of any item."""
        if self._next_ps is None:
            self._next_ps = min(map(self._due_ps, self.stalls.values()), default=layout.NEVER_PS)
        return self._next_ps

    def _due_ps(self, stall: Stall) -> int:
        is_paused = stall.since_ps < 0 and stall.resume_ps > self._seen_ps
        return stall.resume_ps if is_paused else stall.next_ps

    _seen_ps = 0
    _next_ps: int | None = None
    """Known until stalls change."""

    def is_due(self, now_ps: int) -> bool:
        """Whether an item resumes or times out now."""
        return self.next_ps <= now_ps

    def change(self, now_ps: int, is_up: npt.NDArray[np.bool_], calendar: Calendar) -> None:
        """Let items begin, end, move, lose their way and find it again."""
        self._seen_ps, self._next_ps = now_ps, None
        dead = self._dead_lanes(is_up)
        self._fresh = []
        for i, item in enumerate(self.items):
            self._follow_calendar(now_ps, i, item, calendar)
            self._follow_route(now_ps, i, item, dead, is_up)
        self.outcomes.forget(now_ps)  # what moved took its past with it

    def come_and_go(self, now_ps: int, calendar: Calendar) -> None:
        """Let users of transfers come and go.

        Rates follow at each arrival and completion by themselves; waits do at the end of the bin.
        """
        for i in sorted(calendar.changed_users):
            self._follow_calendar(now_ps, i, self.items[i], calendar)

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
            joining = round(begun - self.begun[i])
            self.begun[i] = begun
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

    def have_joined(self) -> None:
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
        members = self._members(item)
        self._move(now_ps, i, item, members)
        for c in self._places[i]:
            data_lane, ack_lane = self._elastic.data_lane[c], self._elastic.ack_lane[c]
            is_ack_cut = bool(dead[1][ack_lane])
            is_cut, reason = is_ack_cut or bool(dead[0][data_lane]), layout.PATH_DOWN
            if not members:
                is_cut, reason = True, layout.NO_ROUTE
                is_ack_cut |= all(self.ack_position[m] is None for m in item.members)
            elif self._is_too_large(data_lane, is_up):
                reason = layout.MTU_EXCEEDED
            stall = self.stalls.get(c, NO_STALL)
            if is_cut and stall.since_ps < 0:
                self._cut(now_ps, c, reason, is_ack_cut=is_ack_cut)
            elif is_cut:
                stall.reason = reason
                self._time_out(now_ps, c)
            elif stall.since_ps >= 0:
                self._restore(now_ps, c)
            elif stall.resume_ps <= now_ps:
                self.stalls.pop(c, None)

    def _is_too_large(self, lane: int, is_up: npt.NDArray[np.bool_]) -> bool:
        """Whether a lane is whole and segments do not fit it."""
        lanes = self._elastic.data
        uses = slice(lanes.ptr[lane], lanes.ptr[lane + 1])
        return bool(is_up[lanes.hop[uses]].all() and lanes.too_large[uses].any())

    def _members(self, item: Item) -> Counter[int]:
        """How many members take each class of an item; those without a route take none."""
        places = Counter((self.data_position[m], self.ack_position[m]) for m in item.members)
        return Counter(
            {
                item.class_at(data, ack): count
                for (data, ack), count in places.items()
                if data is not None and ack is not None
            }
        )

    def _move(self, now_ps: int, i: int, item: Item, members: Counter[int]) -> None:
        """Let flows go where the members are that send them.

        Transfers under way stay on a route as long as some members do. What nobody takes any more
        moves to the route that most take, with its outage if it has one.

        Raises
        ------
        PlanError
            If bulk flows that are one item take different routes.
        """
        places = tuple(sorted(members))
        if not places or (places == self._places[i] and len(places) == 1):
            return
        if len(places) > 1 and isinstance(item.first, TcpFlowPlan):
            name = self._plan.streams[item.first.stream_idx].name
            raise PlanError(
                f"flows of {name} are so many that those alike move together at flow level; move "
                "all of them, or run at packet level"
            )
        main = max(places, key=lambda c: (members[c], -c))
        for c in self._places[i]:
            if c not in members:
                self.shares.move(now_ps, c, main)
                stall = self.stalls.pop(c, None)
                if stall is not None and main not in self._places[i]:
                    self.stalls[main] = stall
        self.shares.choose(i, places, [members[c] for c in places], main)
        self._places[i] = places

    def _routed_ratio(self, item: Item) -> float:
        """Share of the members of an item that have a route."""
        return sum(self._members(item).values()) / item.count

    def rto_s(self, c: int) -> float:
        """Retransmission timeout of a class, not doubled."""
        stack = self.items[int(self._elastic.class_item[c])].stack
        timeout_s = float(self.round_trip_s[c]) + stack.rto_min_s
        return timeout_s * (1.0 + stack.timer_late_ratio)

    def _cut(self, now_ps: int, c: int, reason: int, *, is_ack_cut: bool) -> None:
        """The route is cut: what is under way is lost, the timeout begins to run."""
        stall = self.stalls.setdefault(c, Stall())
        was_sending = stall.resume_ps <= now_ps
        stall.since_ps, stall.reason, stall.timeouts = now_ps, reason, 0
        count = self.flows.count[c] if len(self.flows.count) else 0
        if was_sending:
            stall.rate_bps = float(self.flows.rate_bps[c])
        if count > 0 and was_sending:
            in_flight = stall.rate_bps * self.round_trip_s[c] / 2.0 / self.uses.mss_bits[c]
            self._lose(c, reason, count * max(in_flight, 1.0))
            if is_ack_cut:
                self._lose_acks(c, reason, count * max(in_flight, 1.0))
        stall.next_ps = now_ps + to_ps(PROBE_RTTS * self.round_trip_s[c] + self.rto_s(c))

    def _time_out(self, now_ps: int, c: int) -> None:
        """Each timeout sends one segment, which is lost, and doubles the next."""
        stall = self.stalls[c]
        while stall.next_ps <= now_ps:
            stall.timeouts += 1
            count = float(self.flows.count[c])
            self._lose(c, stall.reason, count)
            direction = self.outcomes.lane_direction[0][self._elastic.data_lane[c]]
            self._ledger_of(c).rto_count[direction] += count
            wait_s = min(self.rto_s(c) * 2.0**stall.timeouts, RTO_MAX_S)
            stall.next_ps += to_ps(wait_s)

    def _restore(self, now_ps: int, c: int) -> None:
        """The route is whole: the next timeout gets through, then slow start."""
        self._time_out(now_ps - 1, c)
        stall = self.stalls[c]
        rtt_s = float(self.round_trip_s[c])
        segments = stall.rate_bps * rtt_s / self.uses.mss_bits[c]
        ramp = ramp_s(float(segments), 1.0, rtt_s)
        begins_ps = now_ps if stall.rate_bps == 0.0 else stall.next_ps
        stall.resume_ps = begins_ps + to_ps(rtt_s + ramp)
        stall.since_ps, stall.next_ps = -1, layout.NEVER_PS

    def _lose(self, c: int, reason: int, packets: float) -> None:
        direction = int(self.outcomes.lane_direction[0][self._elastic.data_lane[c]])
        self._ledger_of(c).lose(direction, reason, packets, float(self._segment_bytes[c]))

    def _lose_acks(self, c: int, reason: int, segments: float) -> None:
        """The ACKs under way when their route is cut are those of so many segments."""
        direction = int(self.outcomes.lane_direction[1][self._elastic.ack_lane[c]])
        packets = segments / self.uses.segments_per_ack[c]
        self._ledger_of(c).lose(direction, reason, packets, float(self._ack_bytes[c]))

    def _ledger_of(self, c: int) -> Ledger:
        item = self.items[self._elastic.class_item[c]]
        return self._books.of(is_short=isinstance(item.first, TransferPlan))

    def ramp_up(self, now_ps: int) -> bool:
        """Let flows that have just begun pause for what slow start loses; whether any does."""
        fresh, self._fresh = self._fresh, []
        self._next_ps = None if fresh else self._next_ps
        for i in fresh:
            item, c = self.items[i], int(self.shares.current[i])
            stall = self.stalls.setdefault(c, Stall())
            if stall.since_ps >= 0:
                continue
            segments = self.flows.rate_bps[c] * self.round_trip_s[c] / self.uses.mss_bits[c]
            pause_s = ramp_s(
                float(segments), float(item.stack.initial_segments), float(self.round_trip_s[c])
            )
            stall.resume_ps = max(stall.resume_ps, now_ps + to_ps(pause_s))
        return bool(fresh)

    # ---- rates ---------------------------------------------------------------------------------

    def apply(self, now_ps: int, left: Array, used_ratio: Array, wait_s: Array) -> None:
        """Give flows what hops have left, with the caps that follow from round trips."""
        self.round_trip_s = self._round_trips.rtt_s(wait_s)
        loss_ratio = self._round_trips.loss_ratio()
        segments = window_segments(loss_ratio, self.round_trip_s, self.stacks)
        self._loss_cap_bps = segments * self.uses.mss_bits / self.round_trip_s
        cap = np.minimum(self._window_bits / self.round_trip_s, self._loss_cap_bps)
        for c, stall in self.stalls.items():
            if stall.since_ps >= 0 or stall.resume_ps > self._seen_ps:
                cap[c] = 0.0
        private = self.uses.parallel > 1
        if private.any():
            alone = np.full(len(cap), np.inf)
            own = 1.0 / (self.uses.work_per_bit * self.uses.parallel)
            np.minimum.at(alone, self.uses.of_class[private], own[private])
            cap = np.minimum(cap, alone)
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
        return self.outcomes.transfers(self.round_trip_s, self._window_bits)

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
            self.round_trip_s,
            self._jitter_of_class_s,
        )

    def load(self) -> tuple[Array, Array, Array]:
        """What flows ask of hops now; see `Uses.load`."""
        return self.uses.load(self.flows.count * self.flows.rate_bps, len(self._plan.hops))
