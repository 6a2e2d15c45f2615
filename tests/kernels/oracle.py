"""The oracle of the packet level: a plain event loop over a plan, in slow and readable Python.

Everything that happens to a packet is an event in one heap, and nothing is done in advance: a
server has a queue and a packet in service, and the next one starts when that one has left.

    (time, 0, -1)         a source sends, a timer is due, a server has finished a packet
    (time, 1, packet id)  a packet arrives at the end of its route
    (time, 2, packet id)  a packet arrives at a hop

So what happens at one instant has an order, and what is sent then is there when hops look at ids.
Shared with the product are only the counter-based draws and the endpoints of TCP. `Oracle` has
the verbs of `simulator.dataplane.DataPlane`, so that one script of changes can drive both.
"""

import heapq
import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from kernels import histogram, layout, random, tcp
from simulator.plan import PLAIN

FIRST, AT_END, AT_HOP = 0, 1, 2
"""Order of the events of one instant."""
NO_PACKET = -1
RING = 1 << 12
"""Room of each TCP ring: more than any flow of the tests has under way."""
COUNTERS = layout.COUNTER.names


@dataclass(slots=True)
class Packet:
    ident: int
    sent_ps: int
    inner_bytes: int
    wire_bytes: int
    route: int
    place: int = 0  # position in its route
    last_hop: int = -1


@dataclass(slots=True)
class Server:
    queue: deque = field(default_factory=deque)
    in_service: Packet | None = None
    start_ps: int = 0
    end_ps: int = 0
    debt_until_ps: int = 0  # policer: when its token bucket is full again
    done_ps: int = 0  # service time of all packets that have left
    turn: int = 0  # distinguishes the departure that is due from those that were called off


@dataclass(slots=True)
class Path:
    last_out_ps: int = 0
    has_changed: bool = False
    is_bad: bool = True
    switch_at_ps: int = 0
    stay_count: int = 0


def draw(key, counter):
    return np.uint64(random.mix(np.uint64(key), np.uint64(counter)))


def exponential_ps(key, counter, mean_ps):
    return int(random.exponential(draw(key, counter)) * mean_ps)


def bucket_of(latency_ps):
    """64 equal steps in each octave from 2**17 ps on; the first and last bucket take the rest."""
    mantissa, exponent = math.frexp(max(latency_ps, 1))  # latency = mantissa * 2**exponent
    octave = exponent - 1
    step = int((2 * mantissa - 1) * 64)
    return min(max((octave - 17) * 64 + step, 0), histogram.BUCKETS - 1)


class Oracle:
    def __init__(self, plan):
        self.plan = plan
        self.now_ps = 0
        self.heap = []
        self.turn = 0
        self.hop = [{name: row[name].item() for name in layout.HOP.names} for row in plan.hop]
        self.server = [Server() for _ in self.hop]
        self.path = [Path() for _ in self.hop]
        directions, reasons = len(plan.directions), len(layout.REASONS)
        self.count = {name: [0] * directions for name in COUNTERS}
        self.dropped_packets = np.zeros((directions, reasons), np.int64)
        self.dropped_bytes = np.zeros((directions, reasons), np.int64)
        self.hop_dropped = np.zeros((len(self.hop), reasons), np.int64)
        names = ("served_packets", "served_bytes", "wait_max_ps", "fragments")
        self.served = {name: [0] * len(self.hop) for name in names}
        self.histogram = np.zeros((directions, histogram.BUCKETS), np.int64)
        self.bins = []
        self.bin_end_ps = min(plan.time_bin_ps, plan.horizon_ps)
        self._start_sources()
        self._start_flows()

    # ---- the loop ------------------------------------------------------------------------

    def at(self, time_ps, action, *arguments):
        self._push(time_ps, FIRST, NO_PACKET, action, arguments)

    def _arrival(self, time_ps, packet):
        is_end = packet.place == len(self.plan.routes[packet.route].hop_idx)
        order = AT_END if is_end else AT_HOP
        self._push(time_ps, order, packet.ident, self.arrives, (packet,))

    def _push(self, time_ps, order, ident, action, arguments):
        assert time_ps >= self.now_ps, (action.__name__, time_ps - self.now_ps)
        self.turn += 1
        heapq.heappush(self.heap, (time_ps, order, ident, self.turn, action, arguments))

    def advance(self, until_ps):
        """Let everything before `until_ps` happen; close the time bins that end on the way."""
        while self.now_ps < until_ps:
            end_ps = min(until_ps, self.bin_end_ps)
            while self.heap and self.heap[0][0] < end_ps:
                self.now_ps, *_, action, arguments = heapq.heappop(self.heap)
                action(self.now_ps, *arguments)
            self.now_ps = end_ps
            if end_ps == self.bin_end_ps:
                self.bins.append(self.snapshot())
                self.histogram[:] = 0
                self.bin_end_ps = min(end_ps + self.plan.time_bin_ps, self.plan.horizon_ps)

    def snapshot(self):
        return {
            **{name: np.array(column) for name, column in self.count.items()},
            "dropped_packets": self.dropped_packets.copy(),
            "dropped_bytes": self.dropped_bytes.copy(),
            "busy_ps": np.array([self.busy_ps(h) for h in range(len(self.hop))]),
            "histogram": self.histogram.copy(),
        }

    # ---- sources -------------------------------------------------------------------------

    def _start_sources(self):
        names = layout.SOURCE.names
        self.source = [{n: s.record[n].item() for n in names} for s in self.plan.sources]
        for s, source in enumerate(self.source):
            source["route"] = self.plan.sources[s].routes[0]
            self._schedule_source(s, source["next_ps"])

    def _schedule_source(self, s, time_ps):
        if time_ps < self.source[s]["stop_ps"]:
            self.at(time_ps, self.source_sends, s)

    def source_sends(self, now_ps, s):
        source = self.source[s]
        n = source["count"]
        source["count"] = n + 1
        ident = (source["flow"] << layout.FLOW_SHIFT) + n
        self._send(source["direction"], source["route"], ident, self._size_bytes(source, n))
        gap_ps = int(source["mean_gap_ps"])
        if source["kind"] == layout.POISSON:
            gap_ps = exponential_ps(source["gap_key"], n + 1, source["mean_gap_ps"])
        next_ps = now_ps + gap_ps
        while source["on_mean_ps"] > 0 and next_ps >= source["stay_until_ps"]:  # spurt is over
            key, k = source["stay_key"], source["stay_count"]
            start_ps = source["stay_until_ps"] + exponential_ps(key, 2 * k, source["off_mean_ps"])
            source["stay_until_ps"] = start_ps + exponential_ps(
                key, 2 * k + 1, source["on_mean_ps"]
            )
            source["stay_count"] = k + 1
            next_ps = max(next_ps, start_ps)
        self._schedule_source(s, next_ps)

    def _size_bytes(self, source, n):
        table = self.plan.size[source["size_begin"] :][: source["size_count"]]
        if len(table) == 1:
            return int(table[0]["size_bytes"])
        bits = int(draw(source["size_key"], n))
        row = table[(bits >> 32) * len(table) >> 32]
        keep = (bits & 0xFFFFFFFF) / 2**32 < row["accept"]
        return int(row["size_bytes"] if keep else row["alias_bytes"])

    def _send(self, direction, route, ident, inner_bytes):
        self.count["sent_packets"][direction] += 1
        self.count["sent_bytes"][direction] += inner_bytes
        if route is None:
            self.dropped_packets[direction, layout.NO_ROUTE] += 1
            self.dropped_bytes[direction, layout.NO_ROUTE] += inner_bytes
        else:
            packet = Packet(ident, self.now_ps, inner_bytes, inner_bytes, route)
            self._arrival(self.now_ps, packet)

    # ---- hops ----------------------------------------------------------------------------

    def arrives(self, now_ps, packet):
        route = self.plan.routes[packet.route]
        if packet.place == len(route.hop_idx):
            self.delivered(now_ps, packet, route.direction_idx)
            return
        h = route.hop_idx[packet.place]
        before, around = ([PLAIN, *route.encapsulation])[packet.place :][:2]
        if around != before and not self._encapsulate(packet, around, h):
            self._drop(packet, packet.last_hop, layout.MTU_EXCEEDED)
        elif not self.hop[h]["is_up"]:
            self._drop(packet, h, layout.PATH_DOWN)
        elif self.hop[h]["kind"] == layout.PATH:
            self._arrives_at_path(now_ps, packet, h)
        elif self.hop[h]["is_policer"]:
            self._arrives_at_policer(now_ps, packet, h)
        else:
            self._arrives_at_server(now_ps, packet, h)

    def _encapsulate(self, packet, around, h):
        """Set the bytes on the wire; false if the packet must not be fragmented and is too big."""
        padded = packet.inner_bytes + around.trailer_bytes
        padded += -padded % around.align_bytes
        outer = around.fixed_bytes + padded
        pieces = 1
        if around.mtu_bytes and outer > around.mtu_bytes:
            if not around.may_fragment:
                return False
            room = (around.mtu_bytes - 20) // 8 * 8  # RFC 791: payload in units of 8 bytes
            pieces = math.ceil((outer - 20) / room)
        packet.wire_bytes = outer + 20 * (pieces - 1)
        self.served["fragments"][h] += pieces - 1
        return True

    def _drop(self, packet, h, reason):
        direction = self.plan.routes[packet.route].direction_idx
        self.dropped_packets[direction, reason] += 1
        self.dropped_bytes[direction, reason] += packet.inner_bytes
        self.hop_dropped[h, reason] += 1

    def _leaves(self, packet, h, time_ps):
        """The packet has left hop `h` and arrives at its next place at `time_ps`."""
        packet.place += 1
        packet.last_hop = h
        self._arrival(time_ps, packet)

    def _metered(self, h, packet):
        is_wire = self.hop[h]["meter_shift"] == layout.METER_WIRE
        return packet.wire_bytes if is_wire else packet.inner_bytes

    def _service_ps(self, h, packet):
        hop = self.hop[h]
        bytes_ps = self._metered(h, packet) * hop["per_byte"] // 2**layout.PER_BYTE_SHIFT
        return max(hop["min_service_ps"], hop["per_packet_ps"] + bytes_ps)

    def _accept(self, h, packet, wait_ps):
        self.served["served_packets"][h] += 1
        self.served["served_bytes"][h] += self._metered(h, packet)
        self.served["wait_max_ps"][h] = max(self.served["wait_max_ps"][h], wait_ps)

    def _arrives_at_server(self, now_ps, packet, h):
        hop, server = self.hop[h], self.server[h]
        wait_ps = self._work_left_ps(h)
        held = [packet, *server.queue] + [server.in_service] * (server.in_service is not None)
        is_full = sum(self._metered(h, p) for p in held) > hop["buffer_bytes"]
        if wait_ps > hop["max_wait_ps"] or (is_full and hop["buffer_bytes"] < layout.UNLIMITED):
            self._drop(packet, h, layout.BUFFER_FULL)
            return
        self._accept(h, packet, wait_ps)
        server.queue.append(packet)
        if server.in_service is None:
            self._serve_next(now_ps, h)

    def _serve_next(self, now_ps, h):
        server = self.server[h]
        packet = server.in_service = server.queue.popleft()
        server.start_ps, server.end_ps = now_ps, now_ps + self._service_ps(h, packet)
        server.turn += 1
        self.at(server.end_ps, self.departs, h, server.turn)

    def departs(self, now_ps, h, turn):
        server = self.server[h]
        if turn != server.turn:
            return  # called off: the hop went down meanwhile
        server.done_ps += now_ps - server.start_ps
        packet, server.in_service = server.in_service, None
        self._leaves(packet, h, now_ps + self.hop[h]["delay_ps"])
        if server.queue:
            self._serve_next(now_ps, h)

    def _work_left_ps(self, h):
        server = self.server[h]
        rest_ps = 0 if server.in_service is None else server.end_ps - self.now_ps
        return rest_ps + sum(self._service_ps(h, p) for p in server.queue)

    def busy_ps(self, h):
        """Service time of all packets that were accepted and not lost in the queue."""
        server = self.server[h]
        begun_ps = 0 if server.in_service is None else self.now_ps - server.start_ps
        return server.done_ps + begun_ps + self._work_left_ps(h)

    def _arrives_at_policer(self, now_ps, packet, h):
        hop, server = self.hop[h], self.server[h]
        debt_ps = max(server.debt_until_ps - now_ps, 0)
        if debt_ps > hop["max_wait_ps"]:
            self._drop(packet, h, layout.POLICED)
            return
        service_ps = self._service_ps(h, packet)
        server.debt_until_ps = now_ps + debt_ps + service_ps
        server.done_ps += service_ps
        self._accept(h, packet, debt_ps)
        self._leaves(packet, h, now_ps + hop["delay_ps"])

    def _arrives_at_path(self, now_ps, packet, h):
        hop, path = self.hop[h], self.path[h]
        flow, transmission = divmod(packet.ident, 1 << layout.FLOW_SHIFT)
        key = hop["loss_key"] ^ int(self.plan.flow_key[flow])
        if int(draw(key, transmission)) < self._loss_threshold(now_ps, h):
            self._drop(packet, h, layout.RANDOM_LOSS)
            return
        out_ps = now_ps + hop["delay_ps"] + self._jitter_ps(now_ps, h)
        can_vary = hop["jitter_interval_ps"] > 0 or path.has_changed
        if can_vary and not hop["may_reorder"]:
            out_ps = max(out_ps, path.last_out_ps + 1)
        path.last_out_ps = out_ps
        self._leaves(packet, h, out_ps)

    def _loss_threshold(self, now_ps, h):
        hop, path = self.hop[h], self.path[h]
        if hop["good_mean_ps"] == 0:
            return hop["loss_threshold"]
        while path.switch_at_ps <= now_ps:  # stays alternate; a good one starts at time 0
            path.is_bad = not path.is_bad
            path.stay_count += 1
            mean_ps = hop["bad_mean_ps"] if path.is_bad else hop["good_mean_ps"]
            stay_key = hop["loss_key"] ^ (2**64 - 1)
            path.switch_at_ps += exponential_ps(stay_key, path.stay_count, mean_ps) + 1
        return hop["bad_loss_threshold"] if path.is_bad else hop["loss_threshold"]

    def _jitter_ps(self, now_ps, h):
        hop = self.hop[h]
        if hop["jitter_interval_ps"] == 0:
            return 0
        row = self.plan.jitter_table[hop["jitter_row"]]
        u = float(random.uniform(draw(hop["jitter_key"], now_ps // hop["jitter_interval_ps"])))
        k, rest = divmod(u * (len(row) - 1), 1.0)
        low, high = int(row[int(k)]), int(row[int(k) + 1])
        return low + int(rest * (high - low))

    def delivered(self, now_ps, packet, direction):
        latency_ps = now_ps - packet.sent_ps
        unit_ps = layout.LATENCY_UNIT_PS
        self.count["delivered_packets"][direction] += 1
        self.count["delivered_bytes"][direction] += packet.inner_bytes
        self.count["latency_sum"][direction] += (latency_ps + unit_ps // 2) // unit_ps
        self.histogram[direction, bucket_of(latency_ps)] += 1
        flow = packet.ident >> layout.FLOW_SHIFT
        if flow in self.sender_of:
            self.sender_gets_ack(now_ps, self.sender_of[flow], packet.ident)
        elif flow in self.receiver_of:
            self.receiver_gets_data(now_ps, self.receiver_of[flow], packet)
        else:
            header = self.header_bytes[direction]
            self.count["goodput_bytes"][direction] += packet.inner_bytes - header

    # ---- ends of TCP flows ---------------------------------------------------------------

    def _start_flows(self):
        plan = self.plan
        self.header_bytes = {s["direction"]: s["header_bytes"] for s in self.source}
        count = len(plan.tcp_flows)
        self.flow = np.zeros(count, tcp.FLOW)
        self.segment = np.zeros(count * RING, tcp.SEGMENT)
        self.ack = np.zeros(count * RING, tcp.ACK)
        self.sender_of = {flow.ack_flow: f for f, flow in enumerate(plan.tcp_flows)}
        self.receiver_of = {flow.data_flow: f for f, flow in enumerate(plan.tcp_flows)}
        self.data_route = [flow.data_routes[0] for flow in plan.tcp_flows]
        self.ack_route = [flow.ack_routes[0] for flow in plan.tcp_flows]
        rings = {"seg_size": RING, "ack_size": RING}
        for f, info in enumerate(plan.tcp_flows):
            options = tcp.TcpOptions(**info.options)
            where = {"seg_off": f * RING, "ack_off": f * RING}
            tcp.init_flow(self.flow, f, options, **info.settings, **rings, **where)
            self._watch(f)

    def _watch(self, f):
        """See to it that the timers of flow `f` are looked at when they say so."""
        for name, action in (("timer_ps", self.sender_timer), ("delack_ps", self.receiver_timer)):
            time_ps = int(self.flow[f][name])
            if time_ps < layout.NEVER_PS:
                self.at(time_ps, action, f)

    def sender_timer(self, now_ps, f):
        if self.flow[f]["timer_ps"] == now_ps:
            tcp.on_timer(self.flow, f, now_ps, self.segment)
            self._send_segments(now_ps, f)

    def sender_gets_ack(self, now_ps, f, ident):
        number = ident & layout.TRANSMISSION_MASK
        tcp.on_ack(self.flow, f, now_ps, number, self.segment, self.ack)
        self._send_segments(now_ps, f)

    def _send_segments(self, now_ps, f):
        base = self.plan.tcp_flows[f].data_flow << layout.FLOW_SHIFT
        direction = self.plan.routes[self.plan.tcp_flows[f].data_routes[0]].direction_idx
        while (code := tcp.next_segment(self.flow, f, now_ps, self.segment)) >= 0:
            inner_bytes = int(self.flow[f]["segment_bytes"])
            self._send(direction, self.data_route[f], base + int(code), inner_bytes)
        self._watch(f)

    def receiver_timer(self, now_ps, f):
        if self.flow[f]["delack_ps"] == now_ps:
            self._send_ack(f, tcp.on_delack(self.flow, f, now_ps, self.ack))

    def receiver_gets_data(self, now_ps, f, packet):
        seq = packet.ident & layout.SEQUENCE_MASK
        before = int(self.flow[f]["delivered_segments"])
        number = tcp.on_data(self.flow, f, now_ps, seq, packet.sent_ps, self.segment, self.ack)
        fresh = int(self.flow[f]["delivered_segments"]) - before
        direction = self.plan.routes[packet.route].direction_idx
        self.count["goodput_bytes"][direction] += fresh * int(self.flow[f]["mss_bytes"])
        self._send_ack(f, number)

    def _send_ack(self, f, number):
        info = self.plan.tcp_flows[f]
        if number >= 0:
            ident = (info.ack_flow << layout.FLOW_SHIFT) + int(number)
            direction = self.plan.routes[info.ack_routes[0]].direction_idx
            self._send(direction, self.ack_route[f], ident, int(self.flow[f]["ack_bytes"]))
        self._watch(f)

    # ---- changes at the present instant --------------------------------------------------

    def set_up(self, h, is_up):
        """Take a hop down (what is queued or in service is lost) or up (with an empty queue)."""
        if bool(self.hop[h]["is_up"]) == is_up:
            return
        self.hop[h]["is_up"] = int(is_up)
        server = self.server[h]
        lost = [*server.queue] + [server.in_service] * (server.in_service is not None)
        for packet in lost:
            self._drop(packet, h, layout.PATH_DOWN)
            self.served["served_packets"][h] -= 1
            self.served["served_bytes"][h] -= self._metered(h, packet)
        if server.in_service is not None:
            server.done_ps += self.now_ps - server.start_ps
        if self.hop[h]["is_policer"] and not is_up:  # what was accepted only counts up to now
            server.done_ps -= max(server.debt_until_ps - self.now_ps, 0)
        server.debt_until_ps = self.now_ps
        server.queue.clear()
        server.in_service = None
        server.turn += 1

    def set_service(self, h, **changes):
        """Change the speed of a server; the packet in service keeps its own."""
        self.hop[h].update(changes)

    def set_path(self, h, *, delay_ps=None, loss_threshold=None):
        """Change delay or loss of a path; from the first change of delay on it keeps the order."""
        if delay_ps is not None and delay_ps != self.hop[h]["delay_ps"]:
            self.hop[h]["delay_ps"] = delay_ps
            self.path[h].has_changed = True
        if loss_threshold is not None:
            self.hop[h]["loss_threshold"] = loss_threshold

    def set_source_route(self, s, position):
        routes = self.plan.sources[s].routes
        self.source[s]["route"] = None if position is None else routes[position]

    def set_flow_route(self, f, data_position=None, ack_position=None, *, which=("data", "ack")):
        info = self.plan.tcp_flows[f]
        if "data" in which:
            self.data_route[f] = None if data_position is None else info.data_routes[data_position]
        if "ack" in which:
            self.ack_route[f] = None if ack_position is None else info.ack_routes[ack_position]

    # ---- the state between two events ----------------------------------------------------

    def under_way(self):
        """Packets in queues and on links: (hop, arrival at the next place, id, sent, bytes)."""
        rows = []
        for time_ps, order, *_, arguments in self.heap:
            if order != FIRST:
                rows.append((arguments[0].last_hop, time_ps, arguments[0]))
        for h, server in enumerate(self.server):
            if server.in_service is not None:
                end_ps = server.end_ps + self.hop[h]["delay_ps"]
                rows.append((h, end_ps, server.in_service))
                for packet in server.queue:
                    end_ps += self._service_ps(h, packet)
                    rows.append((h, end_ps, packet))
        return sorted(
            (h, time_ps, p.ident, p.sent_ps, p.inner_bytes, p.wire_bytes) for h, time_ps, p in rows
        )
