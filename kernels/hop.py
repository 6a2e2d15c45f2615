"""One hop, one block of packets: the loops in which the data plane spends its time.

A block is up to BLOCK packets in columns, ordered by (time, id). A hop reads one column of
arrival times and writes the column of arrivals at the next place.

    server   w = free - t;  free = max(t, free) + service;  out = free + delay
             service = max(min_service, per_packet + per_byte * bytes)
    path     out = t + delay (+ jitter of the interval), order kept; losses leave the block

Finite buffers are exact but speculative: while the longest wait of a block stays below what a
buffer holds for sure, nothing was dropped and the plain recursion is the answer. Only otherwise
is the block done again, with the ring of departures that tells the bytes in the queue.
"""

from __future__ import annotations

import numpy as np

from kernels import layout
from kernels._jit import inline_kernel, kernel
from kernels.layout import (
    BUFFER_FULL,
    FLOW_SHIFT,
    PATH_DOWN,
    PER_BYTE_SHIFT,
    POLICED,
    RANDOM_LOSS,
    SIZE_MASK,
    TRANSMISSION_MASK,
    UNLIMITED,
)
from kernels.random import exponential, mix, uniform


@inline_kernel
def service_ps(hop: np.ndarray, h: int, size_bytes: int) -> int:
    """Service time of one packet at server `h`, integer picoseconds."""
    return max(
        hop[h]["min_service_ps"],
        hop[h]["per_packet_ps"] + ((size_bytes * hop[h]["per_byte"]) >> PER_BYTE_SHIFT),
    )


@kernel
def drop_block(
    n: int,
    h: int,
    reason: int,
    size: np.ndarray,
    step: np.ndarray,
    steps: np.ndarray,
    dropped_packets: np.ndarray,
    dropped_bytes: np.ndarray,
    hop_dropped: np.ndarray,
) -> int:
    """Drop the first `n` packets of a block at hop `h` for one reason; returns 0."""
    for i in range(n):
        d = steps[step[i]]["direction"]
        dropped_packets[d, reason] += 1
        dropped_bytes[d, reason] += size[i] & SIZE_MASK
    hop_dropped[h, reason] += n
    return 0


@kernel
def serve_speculative(
    hop: np.ndarray, state: np.ndarray, h: int, n: int, time_in: np.ndarray, time_out: np.ndarray,
    size: np.ndarray,
) -> bool:
    """Serve a block as if nothing were dropped; false (and no change) if that is not sure.

    time_in, time_out: int64[BLOCK] ps; size: int32[BLOCK]. Cost about 1 ns a packet: two dependent
    operations, the rest runs beside them.
    """
    per_packet_ps = hop[h]["per_packet_ps"]
    per_byte = hop[h]["per_byte"]
    min_service_ps = hop[h]["min_service_ps"]
    delay_ps = hop[h]["delay_ps"]
    shift = hop[h]["meter_shift"]
    free = state[h]["free_at_ps"]
    wait_max = np.int64(0)
    busy = np.int64(0)
    total_bytes = np.int64(0)
    for i in range(n):
        size_bytes = np.int64((size[i] >> shift) & SIZE_MASK)
        service = max(min_service_ps, per_packet_ps + ((size_bytes * per_byte) >> PER_BYTE_SHIFT))
        t = time_in[i]
        wait_max = max(wait_max, free - t)
        free = max(t, free) + service
        time_out[i] = free + delay_ps
        busy += service
        total_bytes += size_bytes
    if wait_max > state[h]["sure_wait_ps"]:
        return False
    state[h]["free_at_ps"] = free
    state[h]["wait_max_ps"] = max(state[h]["wait_max_ps"], wait_max)
    state[h]["busy_ps"] += busy
    state[h]["served_bytes"] += total_bytes
    state[h]["served_packets"] += n
    return True


@kernel
def remember_departures(
    hop: np.ndarray, state: np.ndarray, h: int, n: int, time_in: np.ndarray, time_out: np.ndarray,
    size: np.ndarray, departure: np.ndarray,
) -> int:
    """Bring the ring of departures up to date after a block that was served without a drop.

    Only what is still in the server at the last arrival of the block matters. Returns 0.
    """
    delay_ps = hop[h]["delay_ps"]
    shift = hop[h]["meter_shift"]
    off = state[h]["queue_off"]
    mask = state[h]["queue_mask"]
    head = state[h]["queue_head"]
    tail = state[h]["queue_tail"]
    queue_bytes = state[h]["queue_bytes"]
    now = time_in[n - 1]
    k = n
    while k > 0 and time_out[k - 1] - delay_ps > now:
        k -= 1
    if k > 0:  # one of this block has left, so all before it have
        head = tail = queue_bytes = np.int64(0)
    else:
        while head != tail and departure[off + (head & mask)]["time_ps"] <= now:
            queue_bytes -= departure[off + (head & mask)]["bytes"]
            head += 1
    for i in range(k, n):
        size_bytes = np.int64((size[i] >> shift) & SIZE_MASK)
        entry = departure[off + (tail & mask)]
        entry["time_ps"] = time_out[i] - delay_ps
        entry["bytes"] = size_bytes
        queue_bytes += size_bytes
        tail += 1
    state[h]["queue_head"] = head
    state[h]["queue_tail"] = tail
    state[h]["queue_bytes"] = queue_bytes
    return 0


@kernel
def serve_exact(
    hop: np.ndarray, state: np.ndarray, h: int, n: int, time_in: np.ndarray, time_out: np.ndarray,
    sent: np.ndarray, ident: np.ndarray, size: np.ndarray, step: np.ndarray, steps: np.ndarray,
    departure: np.ndarray, dropped_packets: np.ndarray, dropped_bytes: np.ndarray,
    hop_dropped: np.ndarray,
) -> int:
    """Serve a block packet by packet with every limit; returns how many were accepted.

    A packet is dropped if its wait would exceed `max_wait_ps`, or if it and the bytes in the
    server (the one in service included, a departure at this very instant not) exceed
    `buffer_bytes`. A policer delays nobody: its `free` is the virtual time of the token bucket.
    """
    buffer_bytes = hop[h]["buffer_bytes"]
    is_counted = buffer_bytes < UNLIMITED
    max_wait_ps = hop[h]["max_wait_ps"]
    is_policer = hop[h]["is_policer"] != 0
    reason = POLICED if is_policer else BUFFER_FULL
    delay_ps = hop[h]["delay_ps"]
    shift = hop[h]["meter_shift"]
    off = state[h]["queue_off"]
    mask = state[h]["queue_mask"]
    head = state[h]["queue_head"]
    tail = state[h]["queue_tail"]
    queue_bytes = state[h]["queue_bytes"]
    free = state[h]["free_at_ps"]
    kept = 0
    for i in range(n):
        t = time_in[i]
        size_bytes = np.int64((size[i] >> shift) & SIZE_MASK)
        while head != tail and departure[off + (head & mask)]["time_ps"] <= t:
            queue_bytes -= departure[off + (head & mask)]["bytes"]
            head += 1
        wait = max(free - t, 0)
        if wait > max_wait_ps or (is_counted and queue_bytes + size_bytes > buffer_bytes):
            d = steps[step[i]]["direction"]
            dropped_packets[d, reason] += 1
            dropped_bytes[d, reason] += size[i] & SIZE_MASK
            hop_dropped[h, reason] += 1
            continue
        service = service_ps(hop, h, size_bytes)
        free = max(t, free) + service
        if is_counted:
            entry = departure[off + (tail & mask)]
            entry["time_ps"] = free
            entry["bytes"] = size_bytes
            tail += 1
            queue_bytes += size_bytes
        time_out[kept] = t + delay_ps if is_policer else free + delay_ps
        sent[kept] = sent[i]
        ident[kept] = ident[i]
        size[kept] = size[i]
        step[kept] = step[i]
        kept += 1
        state[h]["wait_max_ps"] = max(state[h]["wait_max_ps"], wait)
        state[h]["busy_ps"] += service
        state[h]["served_bytes"] += size_bytes
    state[h]["served_packets"] += kept
    state[h]["free_at_ps"] = free
    state[h]["queue_head"] = head
    state[h]["queue_tail"] = tail
    state[h]["queue_bytes"] = queue_bytes
    return kept


@kernel
def lose(
    hop: np.ndarray, state: np.ndarray, h: int, n: int, time: np.ndarray, sent: np.ndarray,
    ident: np.ndarray, size: np.ndarray, step: np.ndarray, steps: np.ndarray,
    flow_key: np.ndarray, dropped_packets: np.ndarray, dropped_bytes: np.ndarray,
    hop_dropped: np.ndarray,
) -> int:
    """Take the packets out of a block that the path loses; returns how many remain.

    A packet is lost if mix(hop key ^ flow key, transmission) is below the threshold: of the
    present state, where the path is a Gilbert-Elliott channel (Gilbert 1960, Elliott 1963) whose
    stays are exponential in time.
    """
    good = hop[h]["loss_threshold"]
    bad = hop[h]["bad_loss_threshold"]
    loss_key = hop[h]["loss_key"]
    good_mean_ps = hop[h]["good_mean_ps"]
    is_two_state = good_mean_ps > 0
    limit = bad if is_two_state and state[h]["is_bad"] != 0 else good
    kept = 0
    for i in range(n):
        if is_two_state:
            while time[i] >= state[h]["switch_at_ps"]:
                state[h]["is_bad"] = 1 - state[h]["is_bad"]
                mean_ps = hop[h]["bad_mean_ps"] if state[h]["is_bad"] != 0 else good_mean_ps
                state[h]["stay_count"] += 1
                bits = mix(~loss_key, np.uint64(state[h]["stay_count"]))
                state[h]["switch_at_ps"] += np.int64(exponential(bits) * mean_ps) + 1
                limit = bad if state[h]["is_bad"] != 0 else good
        key = loss_key ^ flow_key[ident[i] >> FLOW_SHIFT]
        if mix(key, np.uint64(ident[i] & TRANSMISSION_MASK)) < limit:
            d = steps[step[i]]["direction"]
            dropped_packets[d, RANDOM_LOSS] += 1
            dropped_bytes[d, RANDOM_LOSS] += size[i] & SIZE_MASK
            hop_dropped[h, RANDOM_LOSS] += 1
            continue
        time[kept] = time[i]
        sent[kept] = sent[i]
        ident[kept] = ident[i]
        size[kept] = size[i]
        step[kept] = step[i]
        kept += 1
    return kept


@kernel
def jitter_value_ps(
    hop: np.ndarray, h: int, interval: int, jitter_table: np.ndarray
) -> int:
    """Additional delay of path `h` in interval number `interval`, from its table of quantiles."""
    row = hop[h]["jitter_row"]
    u = uniform(mix(hop[h]["jitter_key"], np.uint64(interval)))
    at = u * (jitter_table.shape[1] - 1)
    k = np.int64(at)
    low = jitter_table[row, k]
    return low + np.int64((at - k) * (jitter_table[row, k + 1] - low))


@kernel
def travel(
    hop: np.ndarray, state: np.ndarray, h: int, n: int, time_in: np.ndarray, time_out: np.ndarray,
    jitter_table: np.ndarray,
) -> int:
    """Carry a block along a path; returns 0.

    With jitter, one value holds for an interval of time and nobody overtakes:
    out = max(previous out + 1 ps, t + delay + value). With `may_reorder` people do.
    """
    delay_ps = hop[h]["delay_ps"]
    interval_ps = hop[h]["jitter_interval_ps"]
    if interval_ps == 0 and state[h]["keeps_order"] == 0:
        for i in range(n):
            time_out[i] = time_in[i] + delay_ps
        state[h]["last_out_ps"] = time_out[n - 1]
        return 0
    may_reorder = hop[h]["may_reorder"] != 0
    last = state[h]["last_out_ps"]
    until = state[h]["jitter_until_ps"]
    value = state[h]["jitter_value_ps"]
    for i in range(n):
        t = time_in[i]
        if t >= until and interval_ps > 0:
            interval = t // interval_ps
            until = (interval + 1) * interval_ps
            value = jitter_value_ps(hop, h, interval, jitter_table)
        out = t + delay_ps + value
        if not may_reorder:
            out = max(out, last + 1)
            last = out
        time_out[i] = out
    state[h]["last_out_ps"] = last
    state[h]["jitter_until_ps"] = until
    state[h]["jitter_value_ps"] = value
    return 0


@inline_kernel
def pass_hop(
    hop: np.ndarray, state: np.ndarray, h: int, n: int, time_in: np.ndarray, time_out: np.ndarray,
    sent: np.ndarray, ident: np.ndarray, size: np.ndarray, step: np.ndarray, steps: np.ndarray,
    departure: np.ndarray, jitter_table: np.ndarray, flow_key: np.ndarray,
    dropped_packets: np.ndarray, dropped_bytes: np.ndarray, hop_dropped: np.ndarray,
) -> int:
    """Pass a block of `n` packets through hop `h`; returns how many come out.

    time_in: arrivals, ps, ascending (changed where packets are lost); time_out: arrivals at the
    next place, written; the other columns move together with the packets that remain.
    """
    if hop[h]["is_up"] == 0:
        n = drop_block(
            n, h, PATH_DOWN, size, step, steps, dropped_packets, dropped_bytes, hop_dropped
        )
    elif hop[h]["kind"] == layout.PATH:
        if hop[h]["loss_threshold"] != 0 or hop[h]["good_mean_ps"] != 0:
            n = lose(
                hop, state, h, n, time_in, sent, ident, size, step, steps, flow_key,
                dropped_packets, dropped_bytes, hop_dropped,
            )
        if n > 0:
            travel(hop, state, h, n, time_in, time_out, jitter_table)
    elif hop[h]["is_policer"] == 0 and serve_speculative(
        hop, state, h, n, time_in, time_out, size
    ):
        if hop[h]["buffer_bytes"] < UNLIMITED:
            remember_departures(hop, state, h, n, time_in, time_out, size, departure)
    else:
        n = serve_exact(
            hop, state, h, n, time_in, time_out, sent, ident, size, step, steps, departure,
            dropped_packets, dropped_bytes, hop_dropped,
        )
    return n
