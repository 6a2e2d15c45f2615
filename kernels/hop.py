"""One hop, one block of packets: the loops in which the data plane spends its time.

A block is up to BLOCK packets in columns, ordered by (time, id). A hop replaces the column of
arrival times by that of arrivals at the next place, and takes out what it drops.

    server   wait = max(0, free - t);  free = t + wait + service;  out = free + delay
             service = max(min_service, per_packet + per_byte * bytes)
    path     out = t + delay (+ jitter of the interval), order kept; losses leave the block

Finite buffers are exact but speculative: while the longest wait of a block stays below what a
buffer holds for sure, nothing was dropped and the plain recursion is the answer. Only otherwise
is the block done again, with the ring of departures that tells the bytes in the queue.

The largest of two numbers is written `a + max(b - a, 0)` where nobody can guess which it is: that
compiles to a mask, where a plain maximum becomes a branch that is missed at every other packet.

Arguments of all kernels here: `hop`, `state` and `block` are records (HOP, HOP_STATE, COLUMNS);
the first `n` entries of the block count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels._jit import inline_kernel, inner, kernel
from kernels.layout import (
    FLOW_SHIFT,
    PER_BYTE_SHIFT,
    SIZE_MASK,
    TRANSMISSION_MASK,
    UNLIMITED,
    as_index,
    as_int64,
)
from kernels.random import exponential, mix, uniform


@inline_kernel
def service_ps(size_bytes: int, per_byte: int, per_packet_ps: int, min_service_ps: int) -> int:
    """Service time of one packet at a server, integer picoseconds."""
    linear_ps = per_packet_ps + ((size_bytes * per_byte) >> PER_BYTE_SHIFT)
    return min_service_ps + max(linear_ps - min_service_ps, 0)


@inline_kernel
def service_column(hop: Any, block: Any, n: int) -> tuple[int, int]:
    """Write service times into `out_ps`; returns the sums of bytes and of service times."""
    out_ps, size = block["out_ps"], block["size"]
    per_byte, per_packet_ps = hop["per_byte"], hop["per_packet_ps"]
    min_service_ps, shift = hop["min_service_ps"], hop["meter_shift"]
    total_bytes = as_int64(0)
    busy_ps = as_int64(0)
    for i in range(n):
        size_bytes = as_int64((size[i] >> shift) & SIZE_MASK)
        service = service_ps(size_bytes, per_byte, per_packet_ps, min_service_ps)
        out_ps[i] = service
        busy_ps += service
        total_bytes += size_bytes
    return total_bytes, busy_ps


# ---- servers ----------------------------------------------------------------------------------


@inner
@kernel
def serve(hop: Any, state: Any, block: Any, n: int) -> bool:
    """Serve a block as if nothing were dropped; false (and no change) if that is not sure.

    `out_ps` is written. Cost about 4 cycles a packet: a subtraction, a mask and an addition that
    wait for the packet before, and a dozen operations beside them.
    """
    time_ps, out_ps = block["time_ps"], block["out_ps"]
    total_bytes, busy_ps = service_column(hop, block, n)
    delay_ps = hop["delay_ps"]
    free_ps = state["free_at_ps"]
    wait_max_ps = as_int64(0)
    for i in range(n):
        t_ps = time_ps[i]
        wait_ps = max(free_ps - t_ps, 0)
        wait_max_ps = max(wait_max_ps, wait_ps)
        free_ps = wait_ps + (t_ps + out_ps[i])
        out_ps[i] = free_ps + delay_ps
    if wait_max_ps > state["sure_wait_ps"]:
        return False
    state["free_at_ps"] = free_ps
    state["wait_max_ps"] = max(state["wait_max_ps"], wait_max_ps)
    state["busy_ps"] += busy_ps
    state["served_bytes"] += total_bytes
    state["served_packets"] += n
    return True


@inner
@kernel
def remember_departures(hop: Any, state: Any, block: Any, n: int, departure: Any) -> None:
    """Bring the ring of departures up to date after a block that was served without a drop.

    Only what is still in the server at the last arrival of the block matters. departure: pool of
    DEPARTURE.
    """
    out_ps, size = block["out_ps"], block["size"]
    delay_ps = hop["delay_ps"]
    shift = hop["meter_shift"]
    off, mask = state["queue_off"], state["queue_mask"]
    head, tail = state["queue_head"], state["queue_tail"]
    queue_bytes = state["queue_bytes"]
    now_ps = block["time_ps"][as_index(n - 1)]
    k = n
    while k > 0 and out_ps[as_index(k - 1)] - delay_ps > now_ps:
        k -= 1
    if k > 0:  # one of this block has left, so all before it have
        head = tail = queue_bytes = as_int64(0)
    else:
        while head != tail and departure[as_index(off + (head & mask))]["time_ps"] <= now_ps:
            queue_bytes -= departure[as_index(off + (head & mask))]["bytes"]
            head += 1
    for j in range(k, n):
        i = as_index(j)
        size_bytes = as_int64((size[i] >> shift) & SIZE_MASK)
        entry = departure[as_index(off + (tail & mask))]
        entry["time_ps"] = out_ps[i] - delay_ps
        entry["bytes"] = size_bytes
        queue_bytes += size_bytes
        tail += 1
    state["queue_head"] = head
    state["queue_tail"] = tail
    state["queue_bytes"] = queue_bytes


@inline_kernel
def go_on(block: Any, n: int) -> None:
    """What left the hop arrives at the next place."""
    time_ps, out_ps = block["time_ps"], block["out_ps"]
    for i in range(n):
        time_ps[i] = out_ps[i]


@inline_kernel
def keep(block: Any, i: int, kept: int) -> None:
    """Move packet `i` of a block to place `kept`; its time is the caller's affair."""
    block["sent_ps"][kept] = block["sent_ps"][i]
    block["id"][kept] = block["id"][i]
    block["size"][kept] = block["size"][i]
    block["step"][kept] = block["step"][i]


@inline_kernel
def take_out(block: Any, i: int, lost: int) -> None:
    """Note packet `i` as number `lost` of those that the hop has dropped."""
    block["lost_id"][lost] = block["id"][i]
    block["lost_size"][lost] = block["size"][i]


@inner
@kernel
def serve_exact(hop: Any, state: Any, block: Any, n: int, departure: Any) -> int:
    """Serve a block packet by packet with every limit; returns how many were accepted.

    A packet is dropped if its wait would exceed `max_wait_ps`, or if it and the bytes in the
    server (the one in service included, a departure at this very instant not) exceed
    `buffer_bytes`. A policer delays nobody: its `free` is the virtual time of the token bucket.
    """
    time_ps, size = block["time_ps"], block["size"]
    buffer_bytes = hop["buffer_bytes"]
    is_counted = buffer_bytes < UNLIMITED
    is_policer = hop["is_policer"] != 0
    max_wait_ps, delay_ps, shift = hop["max_wait_ps"], hop["delay_ps"], hop["meter_shift"]
    per_byte, per_packet_ps = hop["per_byte"], hop["per_packet_ps"]
    min_service_ps = hop["min_service_ps"]
    off, mask = state["queue_off"], state["queue_mask"]
    head, tail = state["queue_head"], state["queue_tail"]
    queue_bytes = state["queue_bytes"]
    free_ps = state["free_at_ps"]
    wait_max_ps = state["wait_max_ps"]
    busy_ps = as_int64(0)
    total_bytes = as_int64(0)
    kept = 0
    for i in range(n):
        t_ps = time_ps[i]
        size_bytes = as_int64((size[i] >> shift) & SIZE_MASK)
        while head != tail and departure[as_index(off + (head & mask))]["time_ps"] <= t_ps:
            queue_bytes -= departure[as_index(off + (head & mask))]["bytes"]
            head += 1
        wait_ps = max(free_ps - t_ps, 0)
        if wait_ps > max_wait_ps or (is_counted and queue_bytes + size_bytes > buffer_bytes):
            take_out(block, i, i - kept)
            continue
        service = service_ps(size_bytes, per_byte, per_packet_ps, min_service_ps)
        free_ps = wait_ps + (t_ps + service)
        if is_counted:
            entry = departure[as_index(off + (tail & mask))]
            entry["time_ps"] = free_ps
            entry["bytes"] = size_bytes
            tail += 1
            queue_bytes += size_bytes
        time_ps[kept] = delay_ps + (t_ps if is_policer else free_ps)
        if kept < i:
            keep(block, i, kept)
        kept += 1
        wait_max_ps = max(wait_max_ps, wait_ps)
        busy_ps += service
        total_bytes += size_bytes
    state["free_at_ps"] = free_ps
    state["wait_max_ps"] = wait_max_ps
    state["busy_ps"] += busy_ps
    state["served_bytes"] += total_bytes
    state["served_packets"] += kept
    state["queue_head"] = head
    state["queue_tail"] = tail
    state["queue_bytes"] = queue_bytes
    return kept


# ---- paths ------------------------------------------------------------------------------------


@inline_kernel
def loss_draw(key: np.uint64, ident: int, flow_info: Any) -> np.uint64:
    """Draw that decides whether a path loses a packet; a retransmission is drawn anew."""
    return mix(key ^ flow_info[ident >> FLOW_SHIFT]["key"], np.uint64(ident & TRANSMISSION_MASK))


@inline_kernel
def next_stay(hop: Any, state: Any) -> None:
    """Let a two-state path change its state, and draw how long it stays (in picoseconds)."""
    state["is_bad"] = 1 - state["is_bad"]
    state["stay_count"] += 1
    mean_ps = hop["bad_mean_ps"] if state["is_bad"] != 0 else hop["good_mean_ps"]
    bits = mix(~hop["loss_key"], np.uint64(state["stay_count"]))
    state["switch_at_ps"] += as_int64(exponential(bits) * mean_ps) + 1


@inner
@kernel
def lose(hop: Any, state: Any, block: Any, n: int, flow_info: Any) -> int:
    """Take the packets out of a block that the path loses; returns how many remain.

    A packet is lost if mix(hop key ^ flow key, transmission) is below the threshold: of the
    present state, where the path is a Gilbert-Elliott channel (Gilbert 1960, Elliott 1963) whose
    stays are exponential in time. flow_info: FLOW_INFO.
    """
    time_ps, ident = block["time_ps"], block["id"]
    key, limit = hop["loss_key"], hop["loss_threshold"]
    is_two_state = hop["good_mean_ps"] > 0
    kept = 0
    for i in range(n):
        if is_two_state:
            while time_ps[i] >= state["switch_at_ps"]:
                next_stay(hop, state)
            limit = hop["bad_loss_threshold"] if state["is_bad"] != 0 else hop["loss_threshold"]
        if loss_draw(key, ident[i], flow_info) < limit:
            take_out(block, i, i - kept)
            continue
        if kept < i:
            time_ps[kept] = time_ps[i]
            keep(block, i, kept)
        kept += 1
    return kept


@inline_kernel
def jitter_value_ps(hop: Any, interval_idx: int, jitter_table: Any) -> int:
    """Additional delay of a path in one interval, from its row of the table of quantiles."""
    row = hop["jitter_row"]
    u = uniform(mix(hop["jitter_key"], np.uint64(interval_idx)))
    at = u * (jitter_table.shape[1] - 1)
    k = as_int64(at)
    low_ps = jitter_table[row, k]
    return as_int64(low_ps + as_int64((at - k) * (jitter_table[row, k + 1] - low_ps)))


@inner
@kernel
def travel(hop: Any, state: Any, block: Any, n: int, jitter_table: Any) -> None:
    """Carry a block along a path.

    With jitter, one value holds for an interval of time and nobody overtakes:
    out = max(previous out + 1 ps, t + delay + value). With `may_reorder` people do.
    jitter_table: int64[rows, quantiles] ps.
    """
    time_ps = block["time_ps"]
    delay_ps, interval_ps = hop["delay_ps"], hop["jitter_interval_ps"]
    if interval_ps == 0 and state["keeps_order"] == 0:
        for i in range(n):
            time_ps[i] += delay_ps
        state["last_out_ps"] = time_ps[n - 1]
        return
    may_reorder = hop["may_reorder"] != 0
    last_ps, until_ps = state["last_out_ps"], state["jitter_until_ps"]
    value_ps = state["jitter_value_ps"]
    for i in range(n):
        t_ps = time_ps[i]
        if t_ps >= until_ps and interval_ps > 0:
            interval_idx = t_ps // interval_ps
            until_ps = (interval_idx + 1) * interval_ps
            value_ps = jitter_value_ps(hop, interval_idx, jitter_table)
        out_ps = t_ps + delay_ps + value_ps
        if not may_reorder:
            out_ps = max(out_ps, last_ps + 1)
            last_ps = out_ps
        time_ps[i] = out_ps
    state["last_out_ps"] = last_ps
    state["jitter_until_ps"] = until_ps
    state["jitter_value_ps"] = value_ps


# ---- drops ------------------------------------------------------------------------------------


@inline_kernel
def take_all_out(block: Any, n: int) -> None:
    """Drop a whole block."""
    for i in range(n):
        take_out(block, i, i)


@inner
@kernel
def count_drops(
    block: Any,
    lost: int,
    h: int,
    reason: int,
    flow_info: Any,
    dropped_packets: Any,
    dropped_bytes: Any,
    hop_dropped: Any,
) -> None:
    """Count the `lost` packets that hop `h` has taken out of a block.

    dropped_packets, dropped_bytes: int64[directions, REASONS]; hop_dropped: int64[hops, REASONS].
    """
    for i in range(lost):
        d = flow_info[block["lost_id"][i] >> FLOW_SHIFT]["direction"]
        dropped_packets[d, reason] += 1
        dropped_bytes[d, reason] += block["lost_size"][i] & SIZE_MASK
    hop_dropped[h, reason] += lost
