"""The data plane: the arrays of one run and the few ways to change them between two epochs.

`advance(until_ps)` lets every packet event before that instant happen, closing time bins on the
way. Everything else is a change at the present instant; the caller (`world`) advances first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels import layout, packets, tcp
from kernels.histogram import BUCKETS
from simulator.base.errors import InternalError, PlanError
from simulator.network import build_layout
from simulator.plan import Plan
from simulator.recorder import Recorder, RunLog

CALL_PACKETS_MAX: Final = 3_000_000
"""Packets at nodes of one kernel call: about a tenth of a second, so Ctrl-C and progress work."""
RING_INITIAL: Final = 64
INBOX_INITIAL: Final = 256
MANY_HOPS: Final = 5_000
"""Plans of more hops than this have thousands of clients, each with few packets in a window ..."""
INBOX_OF_MANY: Final = 64
"""... so inboxes begin small; those of hops that are shared grow."""
SLACK: Final = 2
"""Pools have so much more room than they need at first: a page that nobody writes to costs
nothing, while a pool that grows is copied and then held twice."""
SMALL_ROOM: Final = 1024
"""What has less room grows fourfold: at first the kernel runs no longer than a growth takes."""
ALONE: Final = -1


class DataPlane:
    """Arrays of a run in the form of `kernels.layout.Network`, and the log they feed."""

    def __init__(self, plan: Plan, recorder: Recorder | None = None, begin_ps: int = 0) -> None:
        self.plan = plan
        self.layout = build_layout(plan)
        self.recorder = recorder or Recorder(len(plan.directions), len(plan.hops), plan.warm_up_ps)
        self.now_ps = begin_ps
        self._bin_start_ps = begin_ps - begin_ps % plan.time_bin_ps
        directions = len(plan.directions)
        reasons = len(layout.REASONS)
        self.run_histogram = np.zeros((directions, BUCKETS), np.int64)
        self.hop = plan.hop.copy()
        self.state = np.zeros(len(plan.hops), layout.HOP_STATE)
        self.node = self.layout.node.copy()
        self.link = self._rings("link", RING_INITIAL, layout.PACKET)
        self.departure = self._rings("queue", RING_INITIAL, layout.DEPARTURE)
        self.inbox = np.zeros(0, layout.PACKET)
        self._place_inboxes(INBOX_OF_MANY if len(plan.hops) > MANY_HOPS else INBOX_INITIAL)
        self._init_sources()
        self._init_flows()
        self.counter = np.zeros(directions, layout.COUNTER)
        self.header_bytes = np.zeros(directions, np.int64)
        for source in plan.sources:
            d = int(source.record["direction"])
            self.header_bytes[d] = source.record["header_bytes"]
        self.histogram = np.zeros((directions, BUCKETS), np.int32)
        self.dropped_packets = np.zeros((directions, reasons), np.int64)
        self.dropped_bytes = np.zeros((directions, reasons), np.int64)
        self.hop_dropped = np.zeros((len(plan.hops), reasons), np.int64)
        self.progress = np.zeros(1, layout.PROGRESS)
        self._group = self.layout.group.copy()
        self.state["is_bad"] = 1  # a two-state path enters its first good stay at time 0
        for h in range(len(plan.hops)):
            self._set_sure_wait(h)
        self._net: layout.Network | None = None
        self._bin_offered, self._bin_refused = self._queue_counts()
        self._full_ratio = np.zeros(len(plan.hops))
        """Share of the packets that each server refused in the last time bin."""
        self._set_windows()

    # ---- set-up --------------------------------------------------------------------------

    def _rings(self, prefix: str, room: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """A pool with one ring of `room` entries for each hop."""
        count = len(self.state)
        self.state[f"{prefix}_off"] = np.arange(count) * room
        self.state[f"{prefix}_mask"] = room - 1
        return np.zeros(max(count, 1) * room * SLACK, dtype)

    def _place_inboxes(self, room: int) -> None:
        self.node["inbox_off"] = np.arange(len(self.node)) * room
        self.node["inbox_room"] = room
        self.inbox = np.zeros(max(len(self.node), 1) * room * SLACK, layout.PACKET)

    def _init_sources(self) -> None:
        plan = self.plan
        self.source = np.zeros(max(len(plan.sources), 1), layout.SOURCE)
        for at, s in enumerate(self.layout.source_order):
            self.source[at] = plan.sources[s].record
            self.source[at]["step"] = self.layout.route_step[plan.sources[s].routes[0]]
        self.source_at = {s: at for at, s in enumerate(self.layout.source_order)}
        self._silent_gaps: dict[int, float] = {}
        """Of sources at factor 0: mean gaps that were left to their next packet."""

    def _init_flows(self) -> None:
        plan = self.plan
        self.endpoint = np.zeros(max(len(plan.tcp_flows), 1), layout.ENDPOINT)
        self.flow_info = np.zeros(max(len(plan.flow_key), 1), layout.FLOW_INFO)
        self.flow_info["key"][: len(plan.flow_key)] = plan.flow_key
        self.flow_info["tcp_flow"] = -1
        for source in plan.sources:
            self.flow_info[source.record["flow"]]["direction"] = source.record["direction"]
        for f, flow in enumerate(plan.tcp_flows):
            row = self.endpoint[f]
            row["data_flow"], row["ack_flow"] = flow.data_flow, flow.ack_flow
            row["data_step"] = self.layout.route_step[flow.data_routes[0]]
            row["ack_step"] = self.layout.route_step[flow.ack_routes[0]]
            row["data_direction"] = plan.routes[flow.data_routes[0]].direction_idx
            row["ack_direction"] = plan.routes[flow.ack_routes[0]].direction_idx
            for number, d in (
                (flow.data_flow, row["data_direction"]),
                (flow.ack_flow, row["ack_direction"]),
            ):
                self.flow_info[number]["direction"] = d
                self.flow_info[number]["tcp_flow"] = f
        count = max(len(plan.tcp_flows), 1)
        self.tcp_flow = np.zeros(count, tcp.FLOW)
        self.tcp_flow["timer_ps"] = self.tcp_flow["delack_ps"] = layout.NEVER_PS
        segments = [_power_of_two(int(x.settings["rwnd_segments"])) for x in plan.tcp_flows]
        seg_off = np.concatenate([[0], np.cumsum(segments, dtype=np.int64)])
        for f, flow in enumerate(plan.tcp_flows):
            tcp.init_flow(
                self.tcp_flow,
                f,
                tcp.TcpOptions(**flow.options),
                seg_off=int(seg_off[f]),
                seg_size=segments[f],
                ack_off=f * RING_INITIAL,
                ack_size=RING_INITIAL,
                **flow.settings,
            )
        self.tcp_segment = np.zeros(max(int(seg_off[-1]), 2), tcp.SEGMENT)
        self.tcp_ack = np.zeros(count * RING_INITIAL, tcp.ACK)

    def _set_sure_wait(self, h: int) -> None:
        """Up to this wait a packet fits for sure, so that the speculative loop may be used.

        The bytes in a server are at most wait / per_byte and the largest packet (the one in
        service); one picosecond a byte covers the rounding of service times.
        """
        hop, largest = self.hop[h], self._largest_wire_bytes()
        sure_ps = int(hop["max_wait_ps"])
        buffer_bytes = int(hop["buffer_bytes"])
        if buffer_bytes < layout.UNLIMITED:
            per_byte = int(hop["per_byte"])
            if per_byte > 0:
                spare = (buffer_bytes - 2 * largest) * per_byte >> layout.PER_BYTE_SHIFT
                spare -= buffer_bytes
            else:
                service_ps = max(int(hop["per_packet_ps"]), int(hop["min_service_ps"]))
                spare = (buffer_bytes // largest - 2) * service_ps
            sure_ps = min(sure_ps, spare)
        self.state[h]["sure_wait_ps"] = max(sure_ps, ALONE)

    def _largest_wire_bytes(self) -> int:
        """No packet of this plan is larger on any wire."""
        return min(2 * self.plan.max_packet_bytes + 200, layout.SIZE_MASK)

    def _set_windows(self) -> None:
        """Windows from the present delays of the hops that lead back."""
        self._group["window_ps"] = self.layout.group["window_ps"]
        for g, hops in self.layout.back_hops:
            bound_ps = min(int(self.hop[h]["delay_ps"]) for h in hops)
            if bound_ps <= 0:
                names = ", ".join(self.plan.hops[h].name for h in hops)
                raise PlanError(f"one of these paths has lost its delay: {names}")
            self._group[g]["window_ps"] = min(int(self._group[g]["window_ps"]), bound_ps)

    # ---- time ----------------------------------------------------------------------------

    def advance(self, until_ps: int, tick: Callable[[int], None] | None = None) -> None:
        """Let every packet event before `until_ps` happen; `tick(now_ps)` after each piece.

        `advance(now)` does nothing. Time bins that end on the way are closed; the run ends at the
        horizon.
        """
        until_ps = min(until_ps, self.plan.horizon_ps)
        while self.now_ps < until_ps:
            bin_end_ps = min(self._bin_start_ps + self.plan.time_bin_ps, self.plan.horizon_ps)
            end_ps = min(until_ps, bin_end_ps)
            self._run(end_ps, tick)
            self.now_ps = end_ps
            if end_ps == bin_end_ps:
                self.recorder.close_bin(
                    self._bin_start_ps,
                    bin_end_ps,
                    self.counter,
                    self.dropped_packets,
                    self.dropped_bytes,
                    self.state["busy_ps"],
                    self.histogram,
                    self.run_histogram,
                )
                self._bin_start_ps = bin_end_ps
                self._note_refusals()
            if tick is not None:
                tick(self.now_ps)

    def _run(self, until_ps: int, tick: Callable[[int], None] | None) -> None:
        """Call the kernel until it is done, growing what is full."""
        progress = self.progress[0]
        progress["group"], progress["time_ps"] = 0, self.now_ps
        while True:
            net = self._network()
            code = packets.advance(net, self.now_ps, until_ps, CALL_PACKETS_MAX)
            if code == layout.DONE:
                return
            if code == layout.PAUSED:
                if tick is not None:
                    tick(int(progress["time_ps"]))
                continue
            self._grow(code, int(progress["full_idx"]))

    def _network(self) -> layout.Network:
        if self._net is None:
            room = int(self.node["inbox_room"].max(initial=1))
            self._net = layout.Network(
                group=self._group,
                node=self.node,
                segment_hop=self.layout.segment_hop,
                steps=self.layout.steps,
                hop=self.hop,
                state=self.state,
                link=self.link,
                departure=self.departure,
                inbox=self.inbox,
                source=self.source,
                size_table=self.plan.size,
                jitter_table=self.plan.jitter_table,
                flow_info=self.flow_info,
                endpoint=self.endpoint,
                tcp_flow=self.tcp_flow,
                tcp_segment=self.tcp_segment,
                tcp_ack=self.tcp_ack,
                counter=self.counter,
                header_bytes=self.header_bytes,
                histogram=self.histogram,
                dropped_packets=self.dropped_packets,
                dropped_bytes=self.dropped_bytes,
                hop_dropped=self.hop_dropped,
                progress=self.progress,
                columns=np.zeros(1, layout.COLUMNS),
                key=np.zeros(room, layout.KEY),
                bucket=np.zeros(2 * room + 2, np.int32),
            )
        return self._net

    def _grow(self, code: int, index: int) -> None:
        """Give more room to what the kernel found full."""
        if code == layout.GROW_LINK:
            self.link = self._grow_ring("link", index, self.link)
        elif code == layout.GROW_QUEUE:
            self.departure = self._grow_ring("queue", index, self.departure)
        elif code == layout.GROW_INBOX:
            row = self.node[index]
            room, off = int(row["inbox_room"]), int(row["inbox_off"])
            new_room = _more(room)
            self.inbox, new_off = _claim(self.inbox, self._inbox_used(), new_room)
            self.inbox[new_off : new_off + room] = self.inbox[off : off + room]
            row["inbox_off"], row["inbox_room"] = new_off, new_room
        elif code == layout.GROW_ACKS:
            self._grow_acks(index)
        else:
            raise InternalError(f"the packet kernel stopped with code {code} at node {index}")
        self._net = None

    def _grow_acks(self, f: int) -> None:
        """Give flow `f` twice the room for ACKs under way; ACK n stays at n modulo the room."""
        flow = self.tcp_flow[f]
        off, room = int(flow["ack_off"]), int(flow["ack_room_mask"]) + 1
        used = int((self.tcp_flow["ack_off"] + self.tcp_flow["ack_room_mask"]).max()) + 1
        entries = self.tcp_ack[off : off + room].copy()
        self.tcp_ack, new_off = _claim(self.tcp_ack, used, 2 * room)
        fresh = np.zeros(2 * room, tcp.ACK)
        fresh["n"] = -1
        fresh[entries["n"] & (2 * room - 1)] = entries
        self.tcp_ack[new_off : new_off + 2 * room] = fresh
        flow["ack_off"] = new_off
        flow["ack_mask"] = flow["ack_room_mask"] = 2 * room - 1

    def _inbox_used(self) -> int:
        return int((self.node["inbox_off"] + self.node["inbox_room"]).max())

    def _grow_ring(self, prefix: str, h: int, pool: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Give hop `h` a ring with more room, entries in order."""
        off, mask = f"{prefix}_off", f"{prefix}_mask"
        head, tail = f"{prefix}_head", f"{prefix}_tail"
        row = self.state[h]
        used = int((self.state[off] + self.state[mask] + 1).max())
        at = int(row[off]) + (np.arange(int(row[head]), int(row[tail])) & int(row[mask]))
        entries = pool[at]
        room = _more(int(row[mask]) + 1)
        pool, new_off = _claim(pool, used, room)
        pool[new_off : new_off + len(entries)] = entries
        row[off], row[mask], row[head], row[tail] = new_off, room - 1, 0, len(entries)
        return pool

    # ---- changes at the present instant --------------------------------------------------

    def set_up(self, h: int, is_up: bool) -> None:
        """Take a hop down or up. Down: what is queued or in service is lost (path_down)."""
        if bool(self.hop[h]["is_up"]) == is_up:
            return
        self.hop[h]["is_up"] = int(is_up)
        if self.hop[h]["kind"] != layout.SERVER:
            return
        if not is_up:
            self._drop_queue(h)
        self.state[h]["free_at_ps"] = self.now_ps

    def loss_ratio(self, h: int) -> float:
        """Chance that a hop loses a packet now: set on a path, seen in the last bin on a server.

        A path with two states of loss has the mean of both.
        """
        hop = self.hop[h]
        if hop["kind"] == layout.SERVER:
            return float(self._full_ratio[h])
        good, bad = (
            float(hop[name]) / 2.0**64 for name in ("loss_threshold", "bad_loss_threshold")
        )
        good_ps, bad_ps = float(hop["good_mean_ps"]), float(hop["bad_mean_ps"])
        return good if good_ps == 0 else (good * good_ps + bad * bad_ps) / (good_ps + bad_ps)

    def served_bytes(self, h: int) -> int:
        """Bytes that a server has accepted so far, as it meters them."""
        return int(self.state[h]["served_bytes"])

    def _queue_counts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Packets offered to each server so far, and those that its full queue refused."""
        refused = self.hop_dropped[:, [layout.BUFFER_FULL, layout.POLICED]].sum(axis=1)
        return self.state["served_packets"] + refused, refused

    def _note_refusals(self) -> None:
        """Keep the share of refused packets of the bin that has ended."""
        offered, refused = self._queue_counts()
        ratio = (refused - self._bin_refused) / np.maximum(offered - self._bin_offered, 1)
        self._full_ratio = np.clip(ratio, 0.0, 1.0)
        self._bin_offered, self._bin_refused = offered, refused

    def _queued(self, h: int) -> npt.NDArray[np.int64]:
        """Places in the link pool of what has not left server `h` yet, in order of departure."""
        row = self.state[h]
        if self.hop[h]["is_policer"]:
            return np.zeros(0, np.int64)
        ring = int(row["link_off"]) + (
            np.arange(int(row["link_head"]), int(row["link_tail"])) & int(row["link_mask"])
        )
        is_queued = self.link["time_ps"][ring] - int(self.hop[h]["delay_ps"]) > self.now_ps
        places: npt.NDArray[np.int64] = ring[is_queued]
        return places

    def _drop_queue(self, h: int) -> None:
        row = self.state[h]
        places = self._queued(h)
        lost = self.link[places]
        for packet in lost:
            d = self.layout.steps[packet["step"]]["direction"]
            self.dropped_packets[d, layout.PATH_DOWN] += 1
            self.dropped_bytes[d, layout.PATH_DOWN] += int(packet["size"]) & layout.SIZE_MASK
            size_bytes = self._metered(h, int(packet["size"]))
            row["served_packets"] -= 1
            row["served_bytes"] -= size_bytes
        row["busy_ps"] -= max(0, int(row["free_at_ps"]) - self.now_ps)
        self.hop_dropped[h, layout.PATH_DOWN] += len(lost)
        row["link_tail"] -= len(lost)
        row["queue_head"] = row["queue_tail"] = row["queue_bytes"] = 0

    def _metered(self, h: int, size: int) -> int:
        return (size >> int(self.hop[h]["meter_shift"])) & layout.SIZE_MASK

    def set_service(
        self,
        h: int,
        *,
        per_byte: int | None = None,
        per_packet_ps: int | None = None,
        min_service_ps: int | None = None,
    ) -> None:
        """Change the speed of a server; the packet in service keeps its old one."""
        hop, row = self.hop[h], self.state[h]
        for name, value in (
            ("per_byte", per_byte),
            ("per_packet_ps", per_packet_ps),
            ("min_service_ps", min_service_ps),
        ):
            if value is not None:
                hop[name] = value
        self._set_sure_wait(h)
        places = self._queued(h)
        if len(places) == 0:
            return
        free = int(self.link[places[0]]["time_ps"]) - int(hop["delay_ps"])
        before = int(row["free_at_ps"])
        departures = [(free, self._metered(h, int(self.link[places[0]]["size"])))]
        for place in places[1:]:
            size_bytes = self._metered(h, int(self.link[place]["size"]))
            free += max(
                int(hop["min_service_ps"]),
                int(hop["per_packet_ps"])
                + (size_bytes * int(hop["per_byte"]) >> layout.PER_BYTE_SHIFT),
            )
            self.link[place]["time_ps"] = free + int(hop["delay_ps"])
            departures.append((free, size_bytes))
        row["free_at_ps"] = free
        row["busy_ps"] += free - before
        if hop["buffer_bytes"] < layout.UNLIMITED:
            self._rewrite_departures(h, departures)

    def _rewrite_departures(self, h: int, departures: list[tuple[int, int]]) -> None:
        while int(self.state[h]["queue_mask"]) + 1 < len(departures):
            self.departure = self._grow_ring("queue", h, self.departure)
            self._net = None
        row = self.state[h]
        off = int(row["queue_off"])
        for i, entry in enumerate(departures):
            self.departure[off + i] = entry
        row["queue_head"], row["queue_tail"] = 0, len(departures)
        row["queue_bytes"] = sum(size for _, size in departures)

    def set_path(
        self, h: int, *, delay_ps: int | None = None, loss_threshold: int | None = None
    ) -> None:
        """Change delay or random loss of a path; from now on nobody overtakes on it."""
        hop = self.hop[h]
        if hop["kind"] != layout.PATH:
            raise PlanError(f"hop {self.plan.hops[h].name} is not a path")
        if delay_ps is not None and delay_ps != int(hop["delay_ps"]):
            hop["delay_ps"] = delay_ps
            self.state[h]["keeps_order"] = 1
            self._set_windows()
        if loss_threshold is not None:
            hop["loss_threshold"] = loss_threshold

    def set_source_route(self, s: int, position: int | None) -> None:
        """Let the next packets of source `s` of the plan take another of its routes, or none."""
        routes = self.plan.sources[s].routes
        self.source[self.source_at[s]]["step"] = (
            -1 if position is None else self.layout.route_step[routes[position]]
        )

    def set_source_factor(self, s: int, factor: float) -> None:
        """Let source `s` send at its rate times `factor` from now on; 0: nothing.

        The time to its next packet is stretched by as much, which keeps exponential gaps
        exponential and even ones even.
        """
        plan, row = self.plan.sources[s], self.source[self.source_at[s]]
        since_ps = max(self.now_ps, plan.start_ps)
        if s not in self._silent_gaps:
            gaps = max(0, int(row["next_ps"]) - since_ps) / float(row["mean_gap_ps"])
        else:
            gaps = self._silent_gaps.pop(s)
        if factor == 0.0:
            self._silent_gaps[s] = gaps
            row["next_ps"] = layout.NEVER_PS
            return
        row["mean_gap_ps"] = plan.record["mean_gap_ps"] / factor
        row["next_ps"] = since_ps + int(gaps * row["mean_gap_ps"])

    def set_flow_route(
        self,
        f: int,
        data_position: int | None = None,
        ack_position: int | None = None,
        *,
        which: Iterable[str] = ("data", "ack"),
    ) -> None:
        """The same for the data and the ACKs of TCP flow `f`."""
        flow = self.plan.tcp_flows[f]
        if "data" in which:
            self.endpoint[f]["data_step"] = (
                -1
                if data_position is None
                else self.layout.route_step[flow.data_routes[data_position]]
            )
        if "ack" in which:
            self.endpoint[f]["ack_step"] = (
                -1
                if ack_position is None
                else self.layout.route_step[flow.ack_routes[ack_position]]
            )

    def put_on_way(self, packets: npt.NDArray[Any], direction: int) -> None:
        """Count packets of one route (`layout.PACKET`) as sent; they leave when they say.

        None may leave before now.
        """
        g = int(self.layout.steps[packets["step"][0]]["node"])
        while self.node[g]["inbox_count"] + len(packets) > self.node[g]["inbox_room"]:
            self._grow(layout.GROW_INBOX, g)
        row = self.node[g]
        first = int(row["inbox_off"]) + int(row["inbox_count"])
        self.inbox[first : first + len(packets)] = packets
        row["inbox_count"] += len(packets)
        row["may_be_mixed"] = 1
        self.counter[direction]["sent_packets"] += len(packets)
        self.counter[direction]["sent_bytes"] += int((packets["size"] & layout.SIZE_MASK).sum())

    # ---- the end -------------------------------------------------------------------------

    def in_flight(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Packets and inner bytes in queues, on links and in inboxes, counted per direction."""
        count = np.zeros(len(self.plan.directions), np.int64)
        total_bytes = np.zeros(len(self.plan.directions), np.int64)
        pieces = [
            self.link[
                int(row["link_off"])
                + (np.arange(int(row["link_head"]), int(row["link_tail"])) & int(row["link_mask"]))
            ]
            for row in self.state
            if row["link_head"] != row["link_tail"]
        ]
        pieces += [
            self.inbox[int(row["inbox_off"]) : int(row["inbox_off"]) + int(row["inbox_count"])]
            for row in self.node
            if row["inbox_count"] > 0
        ]
        for piece in pieces:
            d = self.layout.steps["direction"][piece["step"]]
            np.add.at(count, d, 1)
            np.add.at(total_bytes, d, piece["size"].astype(np.int64) & layout.SIZE_MASK)
        return count, total_bytes

    def packet_hops(self) -> int:
        """Packets accepted by servers so far."""
        return int(self.state["served_packets"].sum())

    def finish(self, cpu_s: float) -> RunLog:
        """Close the log at the horizon."""
        count, total_bytes = self.in_flight()
        return self.recorder.finish(
            in_flight_packets=count,
            in_flight_bytes=total_bytes,
            histogram=self.run_histogram,
            hop=self.state.copy(),
            hop_dropped=self.hop_dropped.copy(),
            tcp=self.tcp_totals(),
            packet_hops=self.packet_hops(),
            cpu_s=cpu_s,
        )

    def tcp_totals(self) -> dict[str, npt.NDArray[np.int64]]:
        """Counters of TCP so far, by direction of data."""
        names = ("retransmitted_segments", "rto_count", "fast_recovery_count")
        totals = {name: np.zeros(len(self.plan.directions), np.int64) for name in (*names, "flows")}
        for f in range(len(self.plan.tcp_flows)):
            d = int(self.endpoint[f]["data_direction"])
            totals["flows"][d] += 1
            for name in names:
                totals[name][d] += int(self.tcp_flow[f][name])
        return totals


def _power_of_two(count: int) -> int:
    """Smallest power of two that is at least `count` and at least 2."""
    return 1 << max(1, (count - 1).bit_length())


def _more(room: int) -> int:
    """The next size of a ring or an inbox: a power of two stays one."""
    return room * (4 if room < SMALL_ROOM else 2)


def _claim(pool: npt.NDArray[Any], used: int, room: int) -> tuple[npt.NDArray[Any], int]:
    """A pool with `room` free entries from `used` on (a copy twice as large where needed)."""
    if used + room > len(pool):
        larger = np.zeros(max(2 * len(pool), used + room), pool.dtype)
        larger[:used] = pool[:used]
        pool = larger
    return pool, used
