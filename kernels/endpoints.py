"""Ends of TCP flows: a window's ACKs, data and timers, between the inboxes and `kernels.tcp`.

    sender     ACKs in order, merged with the timers of their flow -> segments, into the inbox at
               the head of the data route
    receiver   data in order, merged with delayed ACKs of its flow -> ACKs, into the inbox at the
               head of the ACK route

Flows know nothing of one another, so timers of flows that got no packet wait for the end of the
window; the next inbox puts what they send in order.
"""

from __future__ import annotations

from typing import Any

from kernels import tcp
from kernels._jit import inline_kernel, kernel
from kernels._lean import inner
from kernels.histogram import bucket_of
from kernels.inbox import put_packet, sort_inbox
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
    as_int64,
)


@inline_kernel
def count_arrival(packet: Any, d: int, counter: Any, histogram: Any) -> None:
    """Count a packet that has reached its endpoint."""
    latency_ps = packet["time_ps"] - packet["sent_ps"]
    count = counter[d]
    count["delivered_packets"] += 1
    count["delivered_bytes"] += packet["size"] & SIZE_MASK
    count["latency_sum"] += (latency_ps + LATENCY_UNIT_PS // 2) >> LATENCY_SHIFT
    histogram[d, bucket_of(latency_ps)] += 1


@inline_kernel
def emit(
    net: Network, node: Any, first_step: int, d: int, t_ps: int, ident: int, inner_bytes: int
) -> None:
    """Put a packet of a TCP endpoint into the inbox of `node`, the head of its route (has room)."""
    count = net.counter[d]
    count["sent_packets"] += 1
    count["sent_bytes"] += inner_bytes
    if first_step < 0:
        net.dropped_packets[d, NO_ROUTE] += 1
        net.dropped_bytes[d, NO_ROUTE] += inner_bytes
    else:
        put_packet(
            net.inbox[node["inbox_off"] + node["inbox_count"]],
            t_ps,
            t_ps,
            ident,
            inner_bytes | (inner_bytes << WIRE_SHIFT),
            first_step,
        )
        node["inbox_count"] += 1


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
    is_keyed = n_all > 1 and sort_inbox(node, inbox, key, net.bucket)
    watched = as_int64(-1)  # the flow whose timers are being looked at after the last ACK
    while True:
        if node["pending_flow"] >= 0:
            f = as_int64(node["pending_flow"])
            t_ps = as_int64(node["pending_ps"])
            node["pending_flow"] = -1
        elif at < n_all:
            packet = inbox[key[at]["row"] if is_keyed else off + at]
            t_ps = as_int64(packet["time_ps"])
            f = as_int64(net.flow_info[packet["id"] >> FLOW_SHIFT]["tcp_flow"])
            if flow[f]["timer_ps"] <= t_ps:
                t_ps = as_int64(flow[f]["timer_ps"])
                tcp.on_timer(flow, f, t_ps, segment)
            else:
                at += 1
                count_arrival(
                    packet, as_int64(net.endpoint[f]["ack_direction"]), net.counter, net.histogram
                )
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
            f = watched
            t_ps = as_int64(flow[f]["timer_ps"])
            tcp.on_timer(flow, f, t_ps, segment)
        endpoint = net.endpoint[f]
        first_step = as_int64(endpoint["data_step"])
        d = as_int64(endpoint["data_direction"])
        g_next = as_int64(net.steps[max(first_step, 0)]["node"])
        head = net.node[g_next]
        base = endpoint["data_flow"] << FLOW_SHIFT
        inner_bytes = as_int64(flow[f]["segment_bytes"])
        while True:
            if head["inbox_count"] == head["inbox_room"]:
                node["inbox_taken"] = at
                node["pending_flow"] = f
                node["pending_ps"] = t_ps
                node["timer_ps"] = 0
                net.progress[0]["full_idx"] = g_next
                return GROW_INBOX
            code = tcp.next_segment(flow, f, t_ps, segment)
            if code < 0:
                break
            emit(net, head, first_step, d, t_ps, base | code, inner_bytes)
        node["timer_ps"] = min(node["timer_ps"], flow[f]["timer_ps"])
    net.progress[0]["packets"] += n_all
    node["inbox_count"] = 0
    node["inbox_taken"] = 0
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
    is_keyed = n_all > 1 and sort_inbox(node, inbox, key, net.bucket)
    watched = as_int64(-1)
    while True:
        row = as_int64(0)
        if at < n_all:
            row = as_int64(key[at]["row"] if is_keyed else off + at)
            f = as_int64(net.flow_info[inbox[row]["id"] >> FLOW_SHIFT]["tcp_flow"])
        else:
            if watched < 0:
                if node["timer_ps"] >= until_ps:
                    break
                watched = first
            while watched < last and flow[watched]["delack_ps"] >= until_ps:
                watched += 1
            if watched == last:
                break
            f = watched
        endpoint = net.endpoint[f]
        first_step = as_int64(endpoint["ack_step"])
        g_next = as_int64(net.steps[max(first_step, 0)]["node"])
        head = net.node[g_next]
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
            count_arrival(packet, d, net.counter, net.histogram)
            before = as_int64(flow[f]["delivered_segments"])
            number = tcp.on_data(
                flow, f, t_ps, packet["id"] & SEQUENCE_MASK, packet["sent_ps"], segment, ack
            )
            fresh = flow[f]["delivered_segments"] - before
            net.counter[d]["goodput_bytes"] += fresh * flow[f]["mss_bytes"]
            node["timer_ps"] = min(node["timer_ps"], flow[f]["delack_ps"])
        if number >= 0:
            emit(
                net,
                head,
                first_step,
                as_int64(endpoint["ack_direction"]),
                t_ps,
                (endpoint["ack_flow"] << FLOW_SHIFT) | number,
                as_int64(flow[f]["ack_bytes"]),
            )
    net.progress[0]["packets"] += n_all
    node["inbox_count"] = 0
    node["inbox_taken"] = 0
    if watched >= 0:
        node["timer_ps"] = earliest_delack_ps(flow, first, last)
    return DONE
