"""Ends of TCP flows: a window's ACKs, data and timers, between the inboxes and `kernels.tcp`.

    sender     ACKs in order, merged with the timers of their flow -> segments, into the inbox at
               the head of the data route
    receiver   data in order, merged with delayed ACKs of its flow -> ACKs, into the inbox at the
               head of the ACK route

A window takes four passes over the inbox: sort it if need be, look up the flow of each packet, act
packet by packet, count the arrivals. Acting is full of branches that no processor can guess, so
whatever needs no branch is done before or after it.

Flows know nothing of one another, so timers of flows that got no packet wait for the end of the
window; the next inbox puts what they send in order.
"""

from __future__ import annotations

from typing import Any, Final

from kernels import tcp
from kernels._jit import inline_kernel, inner, kernel
from kernels.histogram import bucket_of
from kernels.inbox import empty_inbox, is_before, put_packet, settle, sort_inbox
from kernels.layout import (
    DONE,
    FLOW_SHIFT,
    GROW_ACKS,
    GROW_INBOX,
    LATENCY_SHIFT,
    LATENCY_UNIT_PS,
    NEVER_PS,
    NO_ROUTE,
    SEQUENCE_MASK,
    SIZE_MASK,
    TRANSMISSION_MASK,
    WIRE_SHIFT,
    Network,
    as_index,
    as_int64,
)


@inner
@kernel
def look_up_flows(
    node: Any, inbox: Any, key: Any, is_keyed: bool, flow_info: Any, tcp_flow: Any
) -> None:
    """Write the TCP flow of each packet of an inbox, in order, into `tcp_flow` (int32).

    In a pass of its own, since what follows is full of branches that no processor can guess: after
    each miss it would have to wait for this look-up.
    """
    off = node["inbox_off"]
    for i in range(node["inbox_taken"], node["inbox_count"]):
        row = as_index(key[as_index(i)]["row"] if is_keyed else off + i)
        tcp_flow[as_index(i)] = flow_info[as_index(inbox[row]["id"] >> FLOW_SHIFT)]["tcp_flow"]


@inner
@kernel
def count_arrivals(node: Any, inbox: Any, flow_info: Any, counter: Any, histogram: Any) -> None:
    """Count the packets of an inbox that have all reached their endpoint, and empty it."""
    first, n = node["inbox_off"], as_int64(node["inbox_count"])
    d = as_index(max(node["only_direction"], 0))
    has_one_direction = node["only_direction"] >= 0
    packets = as_int64(0)
    total_bytes = as_int64(0)
    latency_sum = as_int64(0)
    for i in range(n):
        packet = inbox[as_index(first + i)]
        if not has_one_direction:
            d = as_index(flow_info[as_index(packet["id"] >> FLOW_SHIFT)]["direction"])
        latency_ps = packet["time_ps"] - packet["sent_ps"]
        packets += 1
        total_bytes += packet["size"] & SIZE_MASK
        latency_sum += (latency_ps + LATENCY_UNIT_PS // 2) >> LATENCY_SHIFT
        histogram[d, as_index(bucket_of(latency_ps))] += 1
        if not has_one_direction or i == n - 1:
            count = counter[d]
            count["delivered_packets"] += packets
            count["delivered_bytes"] += total_bytes
            count["latency_sum"] += latency_sum
            packets = total_bytes = latency_sum = as_int64(0)
    empty_inbox(node)


@inline_kernel
def emit(
    net: Network,
    node: Any,
    first_step: int,
    d: int,
    t_ps: int,
    ident: int,
    packets: int,
    inner_bytes: int,
) -> None:
    """Put packets `ident`, `ident + 1`, ... into the inbox of `node`, the head of their route.

    There is room for them.
    """
    count = net.counter[as_index(d)]
    count["sent_packets"] += packets
    count["sent_bytes"] += packets * inner_bytes
    if first_step < 0:
        net.dropped_packets[d, NO_ROUTE] += packets
        net.dropped_bytes[d, NO_ROUTE] += packets * inner_bytes
        return
    count_before = node["inbox_count"]
    first = node["inbox_off"] + count_before
    size = inner_bytes | (inner_bytes << WIRE_SHIFT)
    for i in range(packets):
        put_packet(net.inbox[as_index(first + i)], t_ps, t_ps, ident + i, size, first_step)
    node["inbox_count"] = count_before + packets
    if count_before > 0:
        last = net.inbox[as_index(first - 1)]
        if is_before(t_ps, ident, last["time_ps"], last["id"]):
            settle(node, net.inbox, count_before)


@inner
@kernel
def earliest_timer_ps(flow: Any, first: int, last: int) -> int:
    """Earliest sender's timer of the flows first..last-1."""
    earliest_ps = as_int64(NEVER_PS)
    for f in range(first, last):
        earliest_ps = min(earliest_ps, flow[f]["timer_ps"])
    return earliest_ps


@inner
@kernel
def earliest_delack_ps(flow: Any, first: int, last: int) -> int:
    """Earliest delayed ACK of the flows first..last-1."""
    earliest_ps = as_int64(NEVER_PS)
    for f in range(first, last):
        earliest_ps = min(earliest_ps, flow[f]["delack_ps"])
    return earliest_ps


NO_STEP: Final = -2
"""No route looked at yet (-1 is a flow without a route)."""


@inner
@kernel
def run_sender(net: Network, g: int, until_ps: int) -> int:
    """ACKs and timers of the flows of one sending end, up to `until_ps`.

    A timer that is due at the instant at which an ACK arrives acts first. Returns DONE, or
    GROW_INBOX when the first inbox of a route is full: the node remembers which flow to go on with.
    """
    node, inbox, flow, key = net.node[g], net.inbox, net.tcp_flow, net.key
    segment, ack = net.tcp_segment, net.tcp_ack
    off = node["inbox_off"]
    n_all = as_int64(node["inbox_count"])
    at = as_int64(node["inbox_taken"])
    first, last = as_int64(node["flow_begin"]), as_int64(node["flow_end"])
    is_keyed = node["may_be_mixed"] != 0 and sort_inbox(node, inbox, key, net.bucket)
    flow_of = net.bucket  # no longer needed for sorting
    look_up_flows(node, inbox, key, is_keyed, net.flow_info, flow_of)
    watched = as_int64(-1)  # the flow whose timers are being looked at after the last ACK
    first_step = as_int64(NO_STEP)
    g_next = as_int64(g)
    head = node
    while True:
        if node["pending_flow"] >= 0:
            f = as_index(node["pending_flow"])
            t_ps = as_int64(node["pending_ps"])
            node["pending_flow"] = -1
        elif at < n_all:
            packet = inbox[as_index(key[as_index(at)]["row"] if is_keyed else off + at)]
            t_ps = as_int64(packet["time_ps"])
            f = as_index(flow_of[as_index(at)])
            if flow[f]["timer_ps"] <= t_ps:
                t_ps = as_int64(flow[f]["timer_ps"])
                tcp.on_timer(flow, f, t_ps, segment)
            else:
                at += 1
                tcp.on_ack(flow, f, t_ps, packet["id"] & TRANSMISSION_MASK, segment, ack)
        else:
            if watched < 0:
                if node["timer_ps"] >= until_ps:
                    break
                watched = first
            while watched < last and flow[watched]["timer_ps"] >= until_ps:
                watched += 1
            if watched == last:
                break
            f = as_index(watched)
            t_ps = as_int64(flow[f]["timer_ps"])
            tcp.on_timer(flow, f, t_ps, segment)
        endpoint = net.endpoint[f]
        if endpoint["data_step"] != first_step:
            # Nearly always the step of the flow before: the processor need not wait for the head.
            first_step = as_int64(endpoint["data_step"])
            g_next = as_int64(net.steps[as_index(max(first_step, 0))]["node"])
            head = net.node[as_index(g_next)]
        d = as_int64(endpoint["data_direction"])
        base = endpoint["data_flow"] << FLOW_SHIFT
        inner_bytes = as_int64(flow[f]["segment_bytes"])
        while True:
            room = head["inbox_room"] - head["inbox_count"]
            if room == 0:
                node["inbox_taken"] = at
                node["pending_flow"] = f
                node["pending_ps"] = t_ps
                node["timer_ps"] = 0
                net.progress[0]["full_idx"] = g_next
                return GROW_INBOX
            if flow[f]["is_plain"] != 0:
                count = tcp.next_burst(flow, f, t_ps, room, segment)
                if count == 0:
                    break
                ident = base | (flow[f]["next_seq"] - count)
                emit(net, head, first_step, d, t_ps, ident, count, inner_bytes)
            else:
                code = tcp.next_segment(flow, f, t_ps, segment)
                if code < 0:
                    break
                emit(net, head, first_step, d, t_ps, base | code, 1, inner_bytes)
        node["timer_ps"] = min(node["timer_ps"], flow[f]["timer_ps"])
    net.progress[0]["packets"] += n_all
    count_arrivals(node, inbox, net.flow_info, net.counter, net.histogram)
    if watched >= 0:
        node["timer_ps"] = earliest_timer_ps(flow, first, last)
    return DONE


@inner
@kernel
def run_receiver(net: Network, g: int, until_ps: int) -> int:
    """Data and delayed-ACK timers of one receiving end, up to `until_ps`.

    A delayed ACK that is due at the instant at which data arrives goes first. Returns DONE or the
    code of what is full.
    """
    node, inbox, flow, key = net.node[g], net.inbox, net.tcp_flow, net.key
    segment, ack = net.tcp_segment, net.tcp_ack
    off = node["inbox_off"]
    n_all = as_int64(node["inbox_count"])
    at = as_int64(node["inbox_taken"])
    first, last = as_int64(node["flow_begin"]), as_int64(node["flow_end"])
    is_keyed = node["may_be_mixed"] != 0 and sort_inbox(node, inbox, key, net.bucket)
    flow_of = net.bucket  # no longer needed for sorting
    look_up_flows(node, inbox, key, is_keyed, net.flow_info, flow_of)
    watched = as_int64(-1)
    first_step = as_int64(NO_STEP)
    g_next = as_int64(g)
    head = node
    while True:
        row = as_index(0)
        if at < n_all:
            row = as_index(key[as_index(at)]["row"] if is_keyed else off + at)
            f = as_index(flow_of[as_index(at)])
        else:
            if watched < 0:
                if node["timer_ps"] >= until_ps:
                    break
                watched = first
            while watched < last and flow[watched]["delack_ps"] >= until_ps:
                watched += 1
            if watched == last:
                break
            f = as_index(watched)
        endpoint = net.endpoint[f]
        if endpoint["ack_step"] != first_step:
            first_step = as_int64(endpoint["ack_step"])
            g_next = as_int64(net.steps[as_index(max(first_step, 0))]["node"])
            head = net.node[as_index(g_next)]
        if tcp.ack_ring_full(flow, f):
            node["inbox_taken"] = at
            net.progress[0]["full_idx"] = f
            return GROW_ACKS
        if head["inbox_count"] == head["inbox_room"]:
            node["inbox_taken"] = at
            net.progress[0]["full_idx"] = g_next
            return GROW_INBOX
        t_ps = as_int64(flow[f]["delack_ps"])
        if at == n_all or t_ps <= inbox[row]["time_ps"]:
            number = tcp.on_delack(flow, f, t_ps, ack)
        else:
            packet = inbox[row]
            t_ps = as_int64(packet["time_ps"])
            at += 1
            d = as_int64(endpoint["data_direction"])
            before = as_int64(flow[f]["delivered_segments"])
            number = tcp.on_data(
                flow, f, t_ps, packet["id"] & SEQUENCE_MASK, packet["sent_ps"], segment, ack
            )
            fresh = flow[f]["delivered_segments"] - before
            net.counter[as_index(d)]["goodput_bytes"] += fresh * flow[f]["mss_bytes"]
            node["timer_ps"] = min(node["timer_ps"], flow[f]["delack_ps"])
        if number >= 0:
            emit(
                net,
                head,
                first_step,
                as_int64(endpoint["ack_direction"]),
                t_ps,
                (endpoint["ack_flow"] << FLOW_SHIFT) | number,
                1,
                as_int64(flow[f]["ack_bytes"]),
            )
    net.progress[0]["packets"] += n_all
    count_arrivals(node, inbox, net.flow_info, net.counter, net.histogram)
    if watched >= 0:
        node["timer_ps"] = earliest_delack_ps(flow, first, last)
    return DONE
