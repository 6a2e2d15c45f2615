"""The data plane of the flow level: the same interface as `simulator.dataplane.DataPlane`.

Between two changes all rates of open-loop traffic are constant, and TCP flows share what is left
(`shares`). A change, of the network, a route, or the number of users, is noted at once and takes
effect when time goes on: changes at one instant are solved once (`_refresh`). Sums are taken when
something changes and when a time bin ends, so that where `advance` is cut shows in no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.units import PS_PER_S
from simulator.base.errors import PlanError
from simulator.flowlevel import queues, serving
from simulator.flowlevel.calendar import Calendar
from simulator.flowlevel.connections import Connections
from simulator.flowlevel.lanes import sums
from simulator.flowlevel.latency import (
    LatencyModel,
    Look,
    Waits,
    buffers_s,
    rare_wait_s,
    some_of_each,
    waits,
)
from simulator.flowlevel.ledger import Books
from simulator.flowlevel.traffic import Elastic, OpenLoop
from simulator.plan import Plan
from simulator.recorder import Recorder, RunLog

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

ROUNDS_MAX: Final = 6
"""Rates set waits, waits set round trips, round trips set rates: so many times at most."""
CALM_RATIO: Final = 1e-3
"""Waits that change by less of the round trip are settled."""
DRIFT_RATIO: Final = 0.02
"""Waits that drift by more of the round trip since they were settled are settled anew."""
FULL_FROM: Final = 0.98
"""A hop that TCP keeps busy for so much of what it can in a time is full in that time."""
TWO_TO_64: Final = 2.0**64


class FlowPlane:
    """Rates, flows and sums of a run at flow level."""

    def __init__(self, plan: Plan, recorder: Recorder | None = None) -> None:
        self.plan = plan
        self.recorder = recorder or Recorder(len(plan.directions), len(plan.hops), plan.warm_up_ps)
        self.now_ps = 0
        self.hop = plan.hop.copy()
        self._books = Books(plan, self.recorder)
        self._ledger = self._books.ledger
        self._open = OpenLoop.of(plan)
        elastic = Elastic.of(plan)
        lanes = (self._open.lanes, elastic.data, elastic.ack)
        self._lanes = lanes
        self._latency = LatencyModel(plan, self.hop, max(x.longest for x in lanes))
        self._calendar = Calendar(plan, self._open, elastic)
        self._position: list[int | None] = [0] * len(plan.sources)
        self._measure()
        self._waits = self._no_waits()
        self._settled_s = self._waits.mean_s
        self._standing = queues.none(len(plan.hops))
        self._tcp = Connections(plan, elastic, self._books, self._latency)
        self._streams: serving.Streams | None = None
        self._served: serving.Served | None = None
        self._since_ps = 0
        self._bin_start_ps = 0
        self._is_stale = True
        self._refused = np.zeros(len(plan.hops))

    # ---- time ----------------------------------------------------------------------------------

    def advance(self, until_ps: int, tick: Callable[[int], None] | None = None) -> None:
        """Let time pass until `until_ps`; `tick(now_ps)` now and then. See `DataPlane.advance`."""
        until_ps = min(until_ps, self.plan.horizon_ps)
        while self.now_ps < until_ps:
            self._calendar.take(self.now_ps)
            if self._is_stale or self._calendar.has_changed or self._tcp.is_due(self.now_ps):
                self._refresh(tick)
            elif self._calendar.changed_users:
                self._tcp.come_and_go(self.now_ps, self._calendar)
            self._calendar.changed_users.clear()
            bin_end_ps = min(self._bin_start_ps + self.plan.time_bin_ps, self.plan.horizon_ps)
            end_ps = min(until_ps, bin_end_ps, self._calendar.next_ps, self._tcp.next_ps)
            self._tcp.shares.run(end_ps, tick)
            self.now_ps = end_ps
            if end_ps == bin_end_ps:
                self._account()
                self._tcp.shares.check_capacity()
                self._ledger.close_bin(self._bin_start_ps, bin_end_ps)
                self._bin_start_ps = bin_end_ps
                self._is_stale |= self._has_drifted()
            if tick is not None:
                tick(self.now_ps)

    def _has_drifted(self) -> bool:
        """Whether flows that came and went have changed waits so much that round trips matter."""
        drift_s = np.abs(self._waits.mean_s - self._settled_s)
        return self._tcp.has_transfers and bool(
            np.any(drift_s > DRIFT_RATIO * self._tcp.least_rtt_s)
        )

    def _touch(self) -> None:
        """Sum up what has been until now, since something is about to change."""
        self._account()
        self._is_stale = True

    # ---- changes at the present instant --------------------------------------------------------

    def set_up(self, h: int, is_up: bool) -> None:
        """Take a hop down or up. What waits at a hop is not known, so nothing of it is lost."""
        if bool(self.hop[h]["is_up"]) != is_up:
            self._touch()
            self.hop[h]["is_up"] = int(is_up)

    def set_service(
        self,
        h: int,
        *,
        per_byte: int | None = None,
        per_packet_ps: int | None = None,
        min_service_ps: int | None = None,
    ) -> None:
        """Change the speed of a server."""
        self._touch()
        for name, value in (
            ("per_byte", per_byte),
            ("per_packet_ps", per_packet_ps),
            ("min_service_ps", min_service_ps),
        ):
            if value is not None:
                self.hop[h][name] = value
        self._measure()

    def set_path(
        self, h: int, *, delay_ps: int | None = None, loss_threshold: int | None = None
    ) -> None:
        """Change delay or random loss of a path."""
        if self.hop[h]["kind"] != layout.PATH:
            raise PlanError(f"hop {self.plan.hops[h].name} is not a path")
        self._touch()
        if delay_ps is not None:
            self.hop[h]["delay_ps"] = delay_ps
        if loss_threshold is not None:
            self.hop[h]["loss_threshold"] = loss_threshold
        self._measure()

    def set_source_route(self, s: int, position: int | None) -> None:
        """Let source `s` of the plan take another of its routes, or none."""
        self._touch()
        self._position[s] = position

    def set_flow_route(
        self,
        f: int,
        data_position: int | None = None,
        ack_position: int | None = None,
        *,
        which: Iterable[str] = ("data", "ack"),
    ) -> None:
        """The same for data and ACKs of a TCP flow or, numbered after those, of transfers."""
        self._touch()
        if "data" in which:
            self._tcp.data_position[f] = data_position
        if "ack" in which:
            self._tcp.ack_position[f] = ack_position

    # ---- what control processes ask ------------------------------------------------------------

    def loss_ratio(self, h: int) -> float:
        """Chance that a hop loses a packet now: at random on a path, refused by a full server."""
        if self.hop[h]["kind"] == layout.SERVER:
            return float(self._refused[h])
        return float(self._loss[h])

    def served_bytes(self, h: int) -> int:
        """Bytes that a server has accepted so far, as it meters them."""
        since = 0.0
        if self._streams is not None and self.now_ps > self._since_ps:
            time_s = (self.now_ps - self._since_ps) / PS_PER_S
            since = self._streams.served_bytes_per_s[h] * time_s
            since += self._tcp.outcomes.served_bytes(self.now_ps, h)
        return round(self._books.served_bytes(h) + since)

    # ---- rates ---------------------------------------------------------------------------------

    def _measure(self) -> None:
        """Let lanes follow the hops."""
        self._loss = _random_loss(self.hop)
        for lanes in self._lanes:
            lanes.measure(self.hop, self._loss)
        self._buffer_s = buffers_s(self.hop)
        is_policer = self.hop["is_policer"] == 1
        self._depth_s = np.where(is_policer, self.hop["max_wait_ps"] / PS_PER_S, self._buffer_s)
        self._looks: dict[int, Look] = {}
        self._idle_s = [self._latency.idle_s(lanes) for lanes in self._lanes]
        if hasattr(self, "_tcp"):
            self._tcp.uses.measure()

    def _no_waits(self) -> Waits:
        zero = np.zeros(len(self.plan.hops))
        return Waits(zero, zero, zero > 0.0, zero, zero)

    def _offered(self) -> tuple[Array, Array]:
        """Packets per second that sources send now: by lane, and by source without a route."""
        traffic = self._open
        rate = traffic.packets_per_s * self._calendar.open_factor
        has_route = np.array([p is not None for p in self._position], bool)
        lane = traffic.first_lane + np.array([p or 0 for p in self._position], np.int64)
        offered = np.zeros(len(traffic.lanes))
        offered[lane[has_route]] = rate[has_route]
        return offered, np.where(has_route, 0.0, rate)

    def _refresh(self, tick: Callable[[int], None] | None) -> None:
        """Work out rates, waits and losses from now on."""
        self._account()
        is_up = self.hop["is_up"] == 1
        offered, unrouted = self._offered()
        self._served = served = serving.serve(self._open, offered, is_up)
        self._streams = self._flowing(offered, unrouted, served.pass_ratio)
        self._tcp.change(self.now_ps, is_up, self._calendar)
        self._settle(served, tick)
        pass_ratio = served.pass_ratio * (1.0 - self._standing.loss_ratio)
        self._refused = np.where(is_up, 1.0 - pass_ratio, 0.0)
        self._streams = self._flowing(offered, unrouted, pass_ratio)
        self._calendar.has_changed = False
        self._is_stale = False

    def _flowing(self, offered: Array, unrouted: Array, pass_ratio: Array) -> serving.Streams:
        return serving.streams(
            self._open, offered, unrouted, pass_ratio, self.hop, len(self.plan.directions)
        )

    def _settle(self, served: serving.Served, tick: Callable[[int], None] | None) -> None:
        """Find rates, queues and round trips that agree with one another."""
        tcp, time_ps = self._tcp, self.now_ps
        at = self._waits
        for k in range(ROUNDS_MAX):
            tcp.apply(time_ps, served.left, self._standing.used_ratio, at.mean_s)
            if k == 0:
                time_ps += 1
                tcp.shares.run(time_ps, tick)
                tcp.have_joined()
            tcp.take_rates()
            self._standing = queues.standing(
                tcp.flows,
                tcp.uses,
                tcp.stacks,
                served.left,
                self._buffer_s,
                self._depth_s,
                at.mean_s,
            )
            before_s, at = at.mean_s, self._waits_at(tcp.load(), served.arriving)
            change = np.abs(at.mean_s - before_s)
            if tcp.ramp_up(self.now_ps):
                continue
            if k > 0 and np.all(change <= CALM_RATIO * tcp.least_rtt_s):
                break
        tcp.shares.check_capacity()
        self._waits = at
        self._settled_s = at.mean_s

    def _waits_at(self, tcp: tuple[Array, Array, Array], arriving: Array) -> Waits:
        """Waits for a load of TCP (packets/s, busy share, squares) beside the open-loop traffic."""
        pps, busy, square = tcp
        assert self._streams is not None
        utilisation = arriving + busy
        total_pps = np.maximum(self._streams.served_pps + pps, 1e-300)
        served = self._streams.busy_ratio + busy
        standing = self._standing
        is_full = standing.is_full & (utilisation > FULL_FROM * standing.used_ratio)
        return waits(
            np.where(is_full, 1.0, utilisation),
            served / total_pps,
            (self._streams.square + square) / total_pps,
            self._buffer_s,
            is_full,
            standing.low_s,
            standing.high_s,
        )

    # ---- sums ----------------------------------------------------------------------------------

    def _account(self) -> None:
        """Add what rates and flows did since the last time to the ledger."""
        if self.now_ps == self._since_ps or self._streams is None or self._served is None:
            return
        time_s = (self.now_ps - self._since_ps) / PS_PER_S
        self._since_ps = self.now_ps
        self._streams.add_to(self._books.of(is_short=False), self._open, time_s)
        load = self._tcp.account(self.now_ps, time_s, self._standing)
        if self._tcp.has_transfers:
            self._waits = self._waits_at(load, self._served.arriving)
        self._note_latency(time_s)

    def _note_latency(self, time_s: float) -> None:
        """Add the latencies of what was delivered."""
        at, ledger = self._waits, self._ledger
        longest = np.where(at.is_full, at.high_s, np.minimum(rare_wait_s(at), at.high_s))
        self._books.note_waits(np.where(at.utilisation > 0.0, longest, 0.0))
        assert self._streams is not None
        open_s = 0.0 if self._books.is_divided else time_s
        packets = (self._streams.delivered_pps * open_s, *self._tcp.outcomes.delivered)
        direction = (self._streams.lane_direction, *self._tcp.outcomes.lane_direction)
        for n, lanes in enumerate(self._lanes):
            used = np.flatnonzero(packets[n] > 0.0)
            if not used.size:
                continue
            mean_s = self._idle_s[n] + lanes.sum_over(at.mean_s[lanes.hop])
            look = self._looks.get(n)
            if look is None or not look.holds(at, used, float(mean_s[used].min())):
                chosen, parts = some_of_each(used, direction[n])
                sample_s = self._latency.sample_s(lanes, chosen, at)
                look = self._looks[n] = Look(at, used, chosen, parts, sample_s)
            latency_s = packets[n][used] * mean_s[used]
            ledger.latency_s += sums(direction[n][used], latency_s, len(ledger.latency_s))
            weight = np.add.reduceat(packets[n][look.parts.order], look.parts.begin)
            ledger.sample(direction[n][look.chosen], look.sample_s, weight)

    # ---- the end -------------------------------------------------------------------------------

    def finish(self, cpu_s: float) -> RunLog:
        """Close the log at the horizon.

        Raises
        ------
        InternalError
            If bytes of flows are missing.
        """
        self._tcp.shares.check(self.now_ps)
        nothing = np.zeros(len(self.plan.directions), np.int64)
        return self.recorder.finish(
            in_flight_packets=nothing,
            in_flight_bytes=nothing.copy(),
            histogram=self._ledger.run_histogram,
            hop=self._ledger.hop_state(),
            hop_dropped=np.rint(self._ledger.hop_dropped).astype(np.int64),
            tcp=self._tcp.outcomes.totals(),
            packet_hops=0,
            cpu_s=cpu_s,
            fidelity="flow",
            flow_events=self._tcp.shares.events,
            transfers=self._tcp.transfers(),
        )


def _random_loss(hop: npt.NDArray[Any]) -> Array:
    """Random loss of each hop; of two states the mean."""
    good, bad = (hop[name] / TWO_TO_64 for name in ("loss_threshold", "bad_loss_threshold"))
    good_ps, bad_ps = hop["good_mean_ps"].astype(float), hop["bad_mean_ps"].astype(float)
    both = (good * good_ps + bad * bad_ps) / np.maximum(good_ps + bad_ps, 1.0)
    return np.where(good_ps > 0.0, both, good)
