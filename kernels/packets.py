"""The packet level: every packet at every hop, by windows of time swept hop by hop.

Instead of one event per packet and hop, take a window [T0, T1) and let every node of the network,
in topological order, handle exactly its arrivals before T1 in tight loops:

      source ---> | inbox | ==> hop ==> hop ==> | outlet | ---> inbox of the next node, or delivered
                   sorted by     |       |
                  (time, id)   link    link     what arrives after T1 waits in the link ring of the
                   ring        ring    ring     hop it left, so a cut at any time is a true state

    node     a segment (hops fused in a row), or the sending or receiving end of TCP flows
    inbox    what arrives at the head of a node within the present window, in any order
    link     FIFO ring per hop: left this hop, not yet at the next place
    block    up to BLOCK packets in columns on their way through a segment

Laws (they make windows, epochs and layouts invisible in the results):
1. Nothing is processed at or past T1.
2. Where packets tie, (arrival time, id) decides.
3. A window is at most the least delay on the edges that lead back to an earlier node; their
   outlets are drained before the sweep.
4. Within a node, rings are drained deepest hop first, then the inbox: that keeps FIFO.

The kernel stops with a code when an array is full, having changed nothing that it cannot take up
again: the caller grows the array and calls once more. Memory follows the packets in flight.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kernels import layout, tcp
from kernels._jit import inline_kernel, kernel
from kernels.histogram import bucket_of
from kernels.hop import pass_hop
from kernels.layout import (
    BLOCK,
    CONSTANT,
    FLOW_SHIFT,
    LATENCY_SHIFT,
    LATENCY_UNIT_PS,
    MTU_EXCEEDED,
    NEVER_PS,
    NO_ROUTE,
    RECEIVER_NODE,
    SEGMENT_NODE,
    SENDER_NODE,
    SEQUENCE_MASK,
    SIZE_MASK,
    TRANSMISSION_MASK,
    UNLIMITED,
    WIRE_SHIFT,
)
from kernels.random import exponential, mix, uniform

# What `advance` returns; with the index in progress[2].
DONE: Final = 0
GROW_LINK: Final = 1
GROW_QUEUE: Final = 2
GROW_INBOX: Final = 3
GROW_ACKS: Final = 4
PAUSED: Final = 5
BROKEN_ORDER: Final = 6

IP_HEADER_BYTES: Final = 20
FRAGMENT_UNIT_BYTES: Final = 8
ALIAS_BITS: Final = np.uint64(32)
LOW_32: Final = np.uint64(0xFFFFFFFF)
TWO_TO_MINUS_32: Final = 2.0**-32


class Network(NamedTuple):
    """Every array the sweep touches; records as in `kernels.layout`.

    Read only: group, node fields that describe, segment_hop, steps, size_table, jitter_table,
    flow_key, endpoint_of_flow. Everything else is state that a call leaves for the next one.
    """

    group: np.ndarray
    node: np.ndarray
    segment_hop: np.ndarray  # int32: hops of the segments, one after another
    steps: np.ndarray
    hop: np.ndarray
    state: np.ndarray
    link: np.ndarray  # PACKET pool of the link rings
    departure: np.ndarray  # DEPARTURE pool of the queue rings
    inbox: np.ndarray  # PACKET pool
    source: np.ndarray
    size_table: np.ndarray
    jitter_table: np.ndarray  # int64[rows, quantiles] ps
    flow_key: np.ndarray  # uint64[flows]
    endpoint_of_flow: np.ndarray  # int32[flows]: TCP flow that an id belongs to
    endpoint: np.ndarray
    tcp_flow: np.ndarray  # tcp.FLOW
    tcp_segment: np.ndarray  # tcp.SEGMENT pool
    tcp_ack: np.ndarray  # tcp.ACK pool
    counter: np.ndarray  # COUNTER[directions]
    header_bytes: np.ndarray  # int64[directions]: inner bytes of an open-loop packet, no payload
    histogram: np.ndarray  # int32[directions, BUCKETS] of the open bin
    dropped_packets: np.ndarray  # int64[directions, REASONS]
    dropped_bytes: np.ndarray
    hop_dropped: np.ndarray  # int64[hops, REASONS]
    progress: np.ndarray  # int64[4]: group, T0, index to grow, packets seen by this call
    # scratch
    time_a: np.ndarray  # int64[BLOCK]
    time_b: np.ndarray
    sent: np.ndarray
    ident: np.ndarray
    size: np.ndarray  # int32[BLOCK]
    step: np.ndarray
    gap: np.ndarray  # float64[BLOCK]
    bits: np.ndarray  # uint64[BLOCK]
    key_time: np.ndarray  # int64[largest inbox]
    key_row: np.ndarray  # int32[largest inbox]
    spare_time: np.ndarray
    spare_row: np.ndarray
    bucket: np.ndarray  # int32[4 x largest inbox + 4]


# ---- order ------------------------------------------------------------------------------------


@inline_kernel
def is_before(time_a: int, id_a: int, time_b: int, id_b: int) -> bool:
    """The one tie rule: (arrival time, id)."""
    return time_a < time_b or (time_a == time_b and id_a < id_b)


@kernel
def merge_sort(
    time: np.ndarray, row: np.ndarray, spare_time: np.ndarray, spare_row: np.ndarray, n: int,
    inbox: np.ndarray, off: int,
) -> int:
    """Sort rows by (time, id) in any case, O(n log n); returns 1 if the result is in the spares."""
    width = 1
    side = 0
    while width < n:
        low = 0
        while low < n:
            mid = min(low + width, n)
            high = min(low + 2 * width, n)
            a, b = low, mid
            for k in range(low, high):
                if side == 0:
                    take_a = b >= high or (
                        a < mid
                        and not is_before(
                            time[b], inbox[off + row[b]]["id"], time[a], inbox[off + row[a]]["id"]
                        )
                    )
                    x = a if take_a else b
                    spare_time[k] = time[x]
                    spare_row[k] = row[x]
                else:
                    take_a = b >= high or (
                        a < mid
                        and not is_before(
                            spare_time[b], inbox[off + spare_row[b]]["id"],
                            spare_time[a], inbox[off + spare_row[a]]["id"],
                        )
                    )
                    x = a if take_a else b
                    time[k] = spare_time[x]
                    row[k] = spare_row[x]
                if take_a:
                    a += 1
                else:
                    b += 1
            low = high
        side = 1 - side
        width *= 2
    return side


@kernel
def sort_inbox(
    inbox: np.ndarray, off: int, n: int, time: np.ndarray, row: np.ndarray,
    spare_time: np.ndarray, spare_row: np.ndarray, bucket: np.ndarray,
) -> int:
    """Order an inbox by (time, id): returns 0 in `row`, 1 in `spare_row`, 2 if it was in order.

    inbox[off:off+n] stays as it is. One counting pass over about n buckets of equal width, then an
    insertion pass; crowded buckets (many arrivals at nearly one instant) go to a merge sort.
    """
    low = high = inbox[off]["time_ps"]
    disorder = 0
    previous = low - 1
    for i in range(n):
        t = inbox[off + i]["time_ps"]
        time[i] = t
        row[i] = i
        low = min(low, t)
        high = max(high, t)
        disorder += np.int64(t <= previous)
        previous = t
    if disorder == 0:
        return 2
    buckets = 1
    while buckets < n:
        buckets *= 2
    shift = 0
    while ((high - low) >> shift) >= buckets:
        shift += 1
    for b in range(buckets + 1):
        bucket[b] = 0
    for i in range(n):
        bucket[((time[i] - low) >> shift) + 1] += 1
    total = 0
    crowded = 0
    for b in range(buckets + 1):
        crowded = max(crowded, bucket[b])
        total += bucket[b]
        bucket[b] = total
    if crowded > 64:
        return merge_sort(time, row, spare_time, spare_row, n, inbox, off)
    for i in range(n):
        b = (time[i] - low) >> shift
        k = bucket[b]
        bucket[b] = k + 1
        spare_time[k] = time[i]
        spare_row[k] = row[i]
    for i in range(1, n):
        t = spare_time[i]
        if t <= spare_time[i - 1]:
            r = spare_row[i]
            ident = inbox[off + r]["id"]
            k = i
            while k > 0 and is_before(
                t, ident, spare_time[k - 1], inbox[off + spare_row[k - 1]]["id"]
            ):
                spare_time[k] = spare_time[k - 1]
                spare_row[k] = spare_row[k - 1]
                k -= 1
            spare_time[k] = t
            spare_row[k] = r
    return 1


# ---- moving packets ---------------------------------------------------------------------------


@inline_kernel
def write_packet(
    pool: np.ndarray, at: int, time_ps: int, sent_ps: int, ident: int, size: int, step: int
) -> None:
    """Write one packet record."""
    packet = pool[at]
    packet["time_ps"] = time_ps
    packet["sent_ps"] = sent_ps
    packet["id"] = ident
    packet["size"] = size
    packet["step"] = step


@kernel
def recode(size: int, rule: np.ndarray, k: int) -> int:
    """Size of a packet with the encapsulation of step `k`; 0 if it does not fit there.

    wire = fixed + align(inner + trailer); a larger packet than the MTU is fragmented after
    encapsulation (RFC 791: all payloads but the last a multiple of 8 bytes) or refused.
    """
    inner = size & SIZE_MASK
    align = rule[k]["align_bytes"]
    wire = rule[k]["fixed_bytes"] + ((inner + rule[k]["trailer_bytes"] + align - 1) & -align)
    mtu = rule[k]["mtu_bytes"]
    if mtu > 0 and wire > mtu:
        if rule[k]["may_fragment"] == 0:
            return 0
        wire += (fragment_count(wire, mtu) - 1) * IP_HEADER_BYTES
    return inner | (wire << WIRE_SHIFT)


@inline_kernel
def fragment_count(outer_bytes: int, mtu_bytes: int) -> int:
    """How many IP packets carry an outer packet over a link with this MTU."""
    room = (mtu_bytes - IP_HEADER_BYTES) // FRAGMENT_UNIT_BYTES * FRAGMENT_UNIT_BYTES
    return (outer_bytes - IP_HEADER_BYTES + room - 1) // room


@kernel
def store_link(
    state: np.ndarray, h: int, link: np.ndarray, first: int, n: int, time: np.ndarray,
    sent: np.ndarray, ident: np.ndarray, size: np.ndarray, step: np.ndarray, is_sorted: bool,
) -> int:
    """Append packets first..n-1 of a block to the link ring of hop `h`; returns 0.

    Where packets may overtake each other (`is_sorted` false) each is inserted at its time.
    """
    off = state[h]["link_off"]
    mask = state[h]["link_mask"]
    tail = state[h]["link_tail"]
    for i in range(first, n):
        at = tail
        if not is_sorted:
            while at > state[h]["link_head"] and is_before(
                time[i], ident[i],
                link[off + ((at - 1) & mask)]["time_ps"], link[off + ((at - 1) & mask)]["id"],
            ):
                link[off + (at & mask)] = link[off + ((at - 1) & mask)]
                at -= 1
        write_packet(link, off + (at & mask), time[i], sent[i], ident[i], size[i], step[i])
        tail += 1
    state[h]["link_tail"] = tail
    return 0


@kernel
def deliver_block(
    n: int, hops: int, time: np.ndarray, sent: np.ndarray, size: np.ndarray, step: np.ndarray,
    steps: np.ndarray, only_direction: int, counter: np.ndarray, header_bytes: np.ndarray,
    histogram: np.ndarray,
) -> int:
    """Count a block of open-loop packets that have arrived; returns 0."""
    if only_direction >= 0:
        d = only_direction
        total_bytes = np.int64(0)
        latency_sum = np.int64(0)
        for i in range(n):
            latency = time[i] - sent[i]
            total_bytes += size[i] & SIZE_MASK
            latency_sum += (latency + LATENCY_UNIT_PS // 2) >> LATENCY_SHIFT
            histogram[d, bucket_of(latency)] += 1
        counter[d]["delivered_packets"] += n
        counter[d]["delivered_bytes"] += total_bytes
        counter[d]["goodput_bytes"] += total_bytes - n * header_bytes[d]
        counter[d]["latency_sum"] += latency_sum
        return 0
    for i in range(n):
        d = steps[step[i] + hops]["direction"]
        inner = np.int64(size[i] & SIZE_MASK)
        latency = time[i] - sent[i]
        counter[d]["delivered_packets"] += 1
        counter[d]["delivered_bytes"] += inner
        counter[d]["goodput_bytes"] += inner - header_bytes[d]
        counter[d]["latency_sum"] += (latency + LATENCY_UNIT_PS // 2) >> LATENCY_SHIFT
        histogram[d, bucket_of(latency)] += 1
    return 0


@kernel
def forward_to_one(
    n: int, hops: int, target: int, node: np.ndarray, inbox: np.ndarray, time: np.ndarray,
    sent: np.ndarray, ident: np.ndarray, size: np.ndarray, step: np.ndarray,
) -> int:
    """Hand a whole block to the one node that follows (it has room); returns DONE."""
    at = node[target]["inbox_off"] + node[target]["inbox_count"]
    for i in range(n):
        write_packet(inbox, at + i, time[i], sent[i], ident[i], size[i], step[i] + hops)
    node[target]["inbox_count"] += n
    return DONE


@kernel
def forward_block(
    n: int, hops: int, h: int, here: int, may_go_back: bool, is_drain: bool, node: np.ndarray,
    segment_hop: np.ndarray, inbox: np.ndarray, link: np.ndarray, state: np.ndarray,
    time: np.ndarray, sent: np.ndarray, ident: np.ndarray, size: np.ndarray, step: np.ndarray,
    steps: np.ndarray, counter: np.ndarray, header_bytes: np.ndarray, histogram: np.ndarray,
    dropped_packets: np.ndarray, dropped_bytes: np.ndarray, hop_dropped: np.ndarray,
    progress: np.ndarray,
) -> int:
    """Hand a block that has left the last hop `h` of node `here` to where each packet goes.

    All arrive within the window. If an inbox is full, the rest waits in the link ring of `h`:
    at its tail, or where it was taken from if the block was drained from that ring.
    """
    for i in range(n):
        k = step[i] + hops
        target = steps[k]["node"]
        if target < 0:
            d = steps[k]["direction"]
            inner = np.int64(size[i] & SIZE_MASK)
            latency = time[i] - sent[i]
            counter[d]["delivered_packets"] += 1
            counter[d]["delivered_bytes"] += inner
            counter[d]["goodput_bytes"] += inner - header_bytes[d]
            counter[d]["latency_sum"] += (latency + LATENCY_UNIT_PS // 2) >> LATENCY_SHIFT
            histogram[d, bucket_of(latency)] += 1
            continue
        if target <= here and not may_go_back:
            progress[2] = here
            return BROKEN_ORDER
        count = node[target]["inbox_count"]
        if count == node[target]["inbox_room"]:
            if is_drain and state[h]["link_head"] != state[h]["link_tail"]:
                state[h]["link_head"] -= n - i  # they still stand there, before the rest
            else:
                # by insertion: later packets of this block are in that ring already
                store_link(state, h, link, i, n, time, sent, ident, size, step, False)
            progress[2] = target
            return GROW_INBOX
        carried = size[i]
        if steps[k]["recode"] != 0:
            carried = np.int32(recode(carried, steps, k))
            if carried == 0:
                d = steps[k]["direction"]
                dropped_packets[d, MTU_EXCEEDED] += 1
                dropped_bytes[d, MTU_EXCEEDED] += size[i] & SIZE_MASK
                hop_dropped[h, MTU_EXCEEDED] += 1
                continue
            mtu = steps[k]["mtu_bytes"]
            wire = carried >> WIRE_SHIFT
            if mtu > 0 and wire > mtu:
                first = segment_hop[node[target]["hop_begin"]]
                state[first]["fragments"] += fragment_count(wire, mtu) - 1
        write_packet(
            inbox, node[target]["inbox_off"] + count, time[i], sent[i], ident[i], carried, k
        )
        node[target]["inbox_count"] = count + 1
    return DONE


# ---- sources ----------------------------------------------------------------------------------


@inline_kernel
def draw_size(source: np.ndarray, s: int, number: int, size_table: np.ndarray) -> int:
    """Inner IP bytes of packet `number` of a source, by its alias table."""
    if source[s]["is_fixed_size"] != 0:
        return size_table[source[s]["size_begin"]]["size_bytes"]
    bits = mix(source[s]["size_key"], np.uint64(number))
    k = source[s]["size_begin"] + np.int64(
        ((bits >> ALIAS_BITS) * np.uint64(source[s]["size_count"])) >> ALIAS_BITS
    )
    fraction = np.float64(np.int64(bits & LOW_32)) * TWO_TO_MINUS_32
    if fraction < size_table[k]["accept"]:
        return size_table[k]["size_bytes"]
    return size_table[k]["alias_bytes"]


@kernel
def fill_gaps(
    source: np.ndarray, s: int, n: int, gap_ps: np.ndarray, bits: np.ndarray
) -> int:
    """Gaps after the next `n` packets of a source, into `gap_ps` (float64); returns 0.

    Two loops, since only so does each of them vectorise.
    """
    mean_ps = source[s]["mean_gap_ps"]
    if source[s]["kind"] == CONSTANT:
        for j in range(n):
            gap_ps[j] = mean_ps
        return 0
    key = source[s]["gap_key"]
    first = np.uint64(source[s]["count"] + 1)
    for j in range(n):
        bits[j] = mix(key, first + np.uint64(j))
    for j in range(n):
        gap_ps[j] = exponential(bits[j]) * mean_ps
    return 0


@inline_kernel
def skip_silence(source: np.ndarray, s: int, t: int) -> int:
    """Time of the next packet of an on-off source: `t`, or the start of the next talk spurt."""
    while t >= source[s]["stay_until_ps"]:
        key = source[s]["stay_key"]
        n = source[s]["stay_count"]
        silence = exponential(mix(key, np.uint64(2 * n))) * source[s]["off_mean_ps"]
        spurt = exponential(mix(key, np.uint64(2 * n + 1))) * source[s]["on_mean_ps"]
        start = source[s]["stay_until_ps"] + np.int64(silence)
        source[s]["stay_until_ps"] = start + np.int64(spurt)
        source[s]["stay_count"] = n + 1
        t = max(t, start)
    return t


@kernel
def fill_direct(
    source: np.ndarray, s: int, until_ps: int, size_table: np.ndarray, gap: np.ndarray,
    bits: np.ndarray, time: np.ndarray, sent: np.ndarray, ident: np.ndarray, size: np.ndarray, step: np.ndarray,
) -> int:
    """Fill a block with the next packets of one source before `until_ps`; returns how many."""
    limit = min(until_ps, source[s]["stop_ps"])
    t = source[s]["next_ps"]
    if t >= limit:
        return 0
    is_on_off = source[s]["on_mean_ps"] > 0
    fill_gaps(source, s, BLOCK, gap, bits)
    n = 0
    if is_on_off:
        while n < BLOCK and t < limit:
            time[n] = t
            t = skip_silence(source, s, t + np.int64(gap[n]))
            n += 1
    else:
        for j in range(BLOCK):
            time[j] = t
            t += np.int64(gap[j])
        n = BLOCK
        if t >= limit:
            while time[n - 1] >= limit:
                n -= 1
            if n < BLOCK:
                t = time[n]
    count = source[s]["count"]
    first = (source[s]["flow"] << FLOW_SHIFT) + count
    route = source[s]["step"]
    if source[s]["is_fixed_size"] != 0:
        inner = size_table[source[s]["size_begin"]]["size_bytes"]
        both = np.int32(inner | (inner << WIRE_SHIFT))
        for j in range(n):
            size[j] = both
    else:
        for j in range(n):
            inner = np.int32(draw_size(source, s, count + j, size_table))
            size[j] = inner | (inner << WIRE_SHIFT)
    for j in range(n):
        sent[j] = time[j]
        ident[j] = first + j
        step[j] = route
    source[s]["next_ps"] = t
    source[s]["count"] = count + n
    return n


@kernel
def sources_to_inbox(
    node: np.ndarray, g: int, until_ps: int, source: np.ndarray, size_table: np.ndarray,
    gap: np.ndarray, bits: np.ndarray, inbox: np.ndarray, counter: np.ndarray,
    dropped_packets: np.ndarray, dropped_bytes: np.ndarray,
) -> int:
    """Put the packets of the sources of node `g` before `until_ps` into its inbox.

    Returns DONE, or GROW_INBOX when the inbox is full; the sources go on from there.
    """
    off = node[g]["inbox_off"]
    room = node[g]["inbox_room"]
    for s in range(node[g]["source_begin"], node[g]["source_end"]):
        limit = min(until_ps, source[s]["stop_ps"])
        d = source[s]["direction"]
        is_on_off = source[s]["on_mean_ps"] > 0
        t = source[s]["next_ps"]
        while t < limit:
            expected = np.int64((limit - t) / source[s]["mean_gap_ps"])
            n = min(BLOCK, expected + 8 + (expected >> 3))
            fill_gaps(source, s, n, gap, bits)
            j = 0
            while j < n and t < limit:
                count = source[s]["count"]
                at = node[g]["inbox_count"]
                if at == room:
                    source[s]["next_ps"] = t
                    return GROW_INBOX
                inner = np.int64(draw_size(source, s, count, size_table))
                counter[d]["sent_packets"] += 1
                counter[d]["sent_bytes"] += inner
                if source[s]["step"] < 0:
                    dropped_packets[d, NO_ROUTE] += 1
                    dropped_bytes[d, NO_ROUTE] += inner
                else:
                    write_packet(
                        inbox, off + at, t, t, (source[s]["flow"] << FLOW_SHIFT) + count,
                        inner | (inner << WIRE_SHIFT), source[s]["step"],
                    )
                    node[g]["inbox_count"] = at + 1
                source[s]["count"] = count + 1
                t += np.int64(gap[j])
                if is_on_off:
                    t = skip_silence(source, s, t)
                j += 1
        source[s]["next_ps"] = t
    return DONE


# ---- segments ---------------------------------------------------------------------------------


@inline_kernel
def rings_have_room(
    state: np.ndarray, hop: np.ndarray, segment_hop: np.ndarray, first: int, last: int, n: int,
    progress: np.ndarray,
) -> int:
    """DONE if the rings of the hops first..last-1 of a segment can take `n` packets more."""
    for j in range(first, last):
        h = segment_hop[j]
        if state[h]["link_tail"] - state[h]["link_head"] + n > state[h]["link_mask"] + 1:
            progress[2] = h
            return GROW_LINK
        if (
            hop[h]["buffer_bytes"] < UNLIMITED
            and state[h]["queue_tail"] - state[h]["queue_head"] + n > state[h]["queue_mask"] + 1
        ):
            progress[2] = h
            return GROW_QUEUE
    return DONE


@kernel
def take_link(
    state: np.ndarray, h: int, until_ps: int, link: np.ndarray, time: np.ndarray, sent: np.ndarray,
    ident: np.ndarray, size: np.ndarray, step: np.ndarray,
) -> int:
    """Move up to a block of packets that arrive before `until_ps` out of a link ring."""
    off = state[h]["link_off"]
    mask = state[h]["link_mask"]
    head = state[h]["link_head"]
    tail = state[h]["link_tail"]
    n = 0
    while n < BLOCK and head != tail:
        packet = link[off + (head & mask)]
        if packet["time_ps"] >= until_ps:
            break
        time[n] = packet["time_ps"]
        sent[n] = packet["sent_ps"]
        ident[n] = packet["id"]
        size[n] = packet["size"]
        step[n] = packet["step"]
        n += 1
        head += 1
    if head == tail:
        head = tail = np.int64(0)
        state[h]["link_tail"] = tail
    state[h]["link_head"] = head
    return n


@kernel
def keep_early(
    state: np.ndarray, h: int, n: int, until_ps: int, may_reorder: int, link: np.ndarray,
    time: np.ndarray, sent: np.ndarray, ident: np.ndarray, size: np.ndarray, step: np.ndarray,
) -> int:
    """Move what arrives at or after `until_ps` to the link ring of `h`; returns what remains."""
    if may_reorder == 0:
        k = n
        while k > 0 and time[k - 1] >= until_ps:
            k -= 1
        store_link(state, h, link, k, n, time, sent, ident, size, step, True)
        return k
    k = 0
    for i in range(n):
        if time[i] >= until_ps:
            store_link(state, h, link, i, i + 1, time, sent, ident, size, step, False)
            continue
        time[k] = time[i]
        sent[k] = sent[i]
        ident[k] = ident[i]
        size[k] = size[i]
        step[k] = step[i]
        k += 1
    return k


@inline_kernel
def pass_block(
    g: int, first: int, n: int, until_ps: int, may_go_back: bool, node: np.ndarray,
    segment_hop: np.ndarray, steps: np.ndarray, hop: np.ndarray, state: np.ndarray,
    link: np.ndarray, departure: np.ndarray, inbox: np.ndarray, jitter_table: np.ndarray,
    flow_key: np.ndarray, counter: np.ndarray, header_bytes: np.ndarray, histogram: np.ndarray,
    dropped_packets: np.ndarray, dropped_bytes: np.ndarray, hop_dropped: np.ndarray,
    progress: np.ndarray, time_a: np.ndarray, time_b: np.ndarray, sent: np.ndarray,
    ident: np.ndarray, size: np.ndarray, step: np.ndarray,
) -> int:
    """Carry the block in `time_a` through the hops first.. of segment `g` and hand it on.

    Packets that reach a place at or after `until_ps` stay in the link ring before it. Returns DONE
    or the code of `forward_block`.
    """
    begin = node[g]["hop_begin"]
    end = node[g]["hop_end"]
    arrival, other = time_a, time_b
    h = np.int64(segment_hop[max(first - 1, begin)])
    for j in range(first, end):
        h = np.int64(segment_hop[j])
        n = pass_hop(
            hop, state, h, n, arrival, other, sent, ident, size, step, steps, departure,
            jitter_table, flow_key, dropped_packets, dropped_bytes, hop_dropped,
        )
        arrival, other = other, arrival
        if n > 0 and (arrival[n - 1] >= until_ps or hop[h]["may_reorder"] != 0):
            n = keep_early(
                state, h, n, until_ps, hop[h]["may_reorder"], link, arrival, sent, ident, size,
                step,
            )
        if n == 0:
            break
    code = DONE
    if n > 0:
        target = node[g]["only_next"]
        if node[g]["only_direction"] >= 0:
            code = deliver_block(
                n, end - begin, arrival, sent, size, step, steps, node[g]["only_direction"],
                counter, header_bytes, histogram,
            )
        elif (
            target >= 0
            and (target > g or may_go_back)
            and n <= node[target]["inbox_room"] - node[target]["inbox_count"]
        ):
            code = forward_to_one(
                n, end - begin, target, node, inbox, arrival, sent, ident, size, step
            )
        else:
            code = forward_block(
                n, end - begin, h, g, may_go_back, first == end, node, segment_hop,
                inbox, link, state, arrival, sent, ident, size, step, steps, counter,
                header_bytes, histogram, dropped_packets, dropped_bytes, hop_dropped, progress,
            )
    return code


@kernel
def fill_from_source(
    s: int, until_ps: int, source: np.ndarray, size_table: np.ndarray, gap: np.ndarray,
    bits: np.ndarray, time: np.ndarray, sent: np.ndarray, ident: np.ndarray, size: np.ndarray,
    step: np.ndarray, counter: np.ndarray, dropped_packets: np.ndarray, dropped_bytes: np.ndarray,
) -> int:
    """Fill a block straight from a source and count it as sent; returns how many go on."""
    n = fill_direct(
        source, s, until_ps, size_table, gap, bits, time, sent, ident, size, step
    )
    total = np.int64(0)
    for j in range(n):
        total += size[j] & SIZE_MASK
    d = source[s]["direction"]
    counter[d]["sent_packets"] += n
    counter[d]["sent_bytes"] += total
    if source[s]["step"] < 0:
        dropped_packets[d, NO_ROUTE] += n
        dropped_bytes[d, NO_ROUTE] += total
        return 0
    return n


@kernel
def fill_from_inbox(
    node: np.ndarray, g: int, inbox: np.ndarray, row: np.ndarray, time: np.ndarray,
    sent: np.ndarray, ident: np.ndarray, size: np.ndarray, step: np.ndarray,
) -> int:
    """Fill a block with the next packets of a sorted inbox; returns how many."""
    off = node[g]["inbox_off"]
    at = node[g]["inbox_taken"]
    n = min(BLOCK, node[g]["inbox_count"] - at)
    for i in range(n):
        packet = inbox[off + row[at + i]]
        time[i] = packet["time_ps"]
        sent[i] = packet["sent_ps"]
        ident[i] = packet["id"]
        size[i] = packet["size"]
        step[i] = packet["step"]
    node[g]["inbox_taken"] = at + n
    if at + n == node[g]["inbox_count"]:
        node[g]["inbox_count"] = 0
        node[g]["inbox_taken"] = 0
    return n


@kernel
def run_segment(net: Network, g: int, until_ps: int, only_outlet: bool) -> int:
    """Sweep one segment up to `until_ps`: rings deepest first, then source or inbox.

    With `only_outlet` just the last ring is drained (also to nodes before this one). Returns DONE
    or the code of what is full; the next call takes it up there.
    """
    node, segment_hop, steps = net.node, net.segment_hop, net.steps
    hop, state, link, departure = net.hop, net.state, net.link, net.departure
    inbox, source, size_table, jitter_table = net.inbox, net.source, net.size_table, net.jitter_table
    flow_key, counter, header_bytes = net.flow_key, net.counter, net.header_bytes
    histogram, dropped_packets, dropped_bytes = (
        net.histogram, net.dropped_packets, net.dropped_bytes,
    )
    hop_dropped, progress = net.hop_dropped, net.progress
    time_a, time_b, sent, ident = net.time_a, net.time_b, net.sent, net.ident
    size, step, gap, bits = net.size, net.step, net.gap, net.bits
    key_row, spare_row = net.key_row, net.spare_row
    begin = node[g]["hop_begin"]
    end = node[g]["hop_end"]
    first_source = node[g]["source_begin"]
    is_direct = node[g]["is_direct"] != 0
    j = np.int64(end)
    side = -1
    code = DONE
    h = np.int64(0)
    while True:
        if j > begin:  # the ring behind hop j - 1
            h = np.int64(segment_hop[j - 1])
            head, tail = state[h]["link_head"], state[h]["link_tail"]
            at = state[h]["link_off"] + (head & state[h]["link_mask"])
            if head == tail or link[at]["time_ps"] >= until_ps:
                if only_outlet:
                    break
                j -= 1
                continue
            n = min(BLOCK, tail - head)
        elif is_direct:
            if source[first_source]["next_ps"] >= min(until_ps, source[first_source]["stop_ps"]):
                break
            n = BLOCK
        else:
            if side < 0:
                if first_source < node[g]["source_end"]:
                    code = sources_to_inbox(
                        node, g, until_ps, source, size_table, gap, bits, inbox, counter,
                        dropped_packets, dropped_bytes,
                    )
                    if code != DONE:
                        progress[2] = g
                        break
                n = node[g]["inbox_count"]
                if n == 0:
                    break
                side = sort_inbox(
                    inbox, node[g]["inbox_off"], n, net.key_time, key_row, net.spare_time,
                    spare_row, net.bucket,
                )
            n = min(BLOCK, node[g]["inbox_count"] - node[g]["inbox_taken"])
            if n == 0:
                break
        code = rings_have_room(state, hop, segment_hop, j, end, n, progress)
        if code != DONE:
            break
        if j > begin:
            n = take_link(state, h, until_ps, link, time_a, sent, ident, size, step)
        elif is_direct:
            n = fill_from_source(
                first_source, until_ps, source, size_table, gap, bits, time_a, sent, ident, size,
                step, counter, dropped_packets, dropped_bytes,
            )
            progress[3] += n
        else:
            n = fill_from_inbox(
                node, g, inbox, spare_row if side == 1 else key_row, time_a, sent, ident, size,
                step,
            )
            progress[3] += n
        if n > 0:
            code = pass_block(
                g, j, n, until_ps, only_outlet, node, segment_hop, steps, hop, state, link,
                departure, inbox, jitter_table, flow_key, counter, header_bytes, histogram,
                dropped_packets, dropped_bytes, hop_dropped, progress, time_a, time_b, sent,
                ident, size, step,
            )
            if code != DONE:
                break
    return code


# ---- ends of TCP flows ------------------------------------------------------------------------


@inline_kernel
def count_arrival(
    counter: np.ndarray, histogram: np.ndarray, d: int, time_ps: int, sent_ps: int, size: int
) -> None:
    """Count a packet that has reached its endpoint."""
    latency = time_ps - sent_ps
    counter[d]["delivered_packets"] += 1
    counter[d]["delivered_bytes"] += size & SIZE_MASK
    counter[d]["latency_sum"] += (latency + LATENCY_UNIT_PS // 2) >> LATENCY_SHIFT
    histogram[d, bucket_of(latency)] += 1


@inline_kernel
def emit(
    node: np.ndarray, inbox: np.ndarray, target: int, first_step: int, d: int, time_ps: int,
    ident: int, inner_bytes: int, counter: np.ndarray, dropped_packets: np.ndarray,
    dropped_bytes: np.ndarray,
) -> None:
    """Put a packet of a TCP endpoint into the inbox at the head of its route (it has room)."""
    counter[d]["sent_packets"] += 1
    counter[d]["sent_bytes"] += inner_bytes
    if first_step < 0:
        dropped_packets[d, NO_ROUTE] += 1
        dropped_bytes[d, NO_ROUTE] += inner_bytes
    else:
        count = node[target]["inbox_count"]
        write_packet(
            inbox, node[target]["inbox_off"] + count, time_ps, time_ps, ident,
            inner_bytes | (inner_bytes << WIRE_SHIFT), first_step,
        )
        node[target]["inbox_count"] = count + 1


@kernel
def earliest_timer(flow: np.ndarray, first: int, last: int) -> int:
    """Earliest sender's timer of the flows first..last-1, ps."""
    earliest = np.int64(NEVER_PS)
    for f in range(first, last):
        earliest = min(earliest, flow[f]["timer_ps"])
    return earliest


@kernel
def earliest_delack(flow: np.ndarray, first: int, last: int) -> int:
    """Earliest delayed ACK of the flows first..last-1, ps."""
    earliest = np.int64(NEVER_PS)
    for f in range(first, last):
        earliest = min(earliest, flow[f]["delack_ps"])
    return earliest


@kernel
def run_sender(net: Network, g: int, until_ps: int) -> int:
    """ACKs and timers of the flows of one sending end, up to `until_ps`.

    A timer that is due at the instant at which an ACK arrives acts first. Returns DONE, or
    GROW_INBOX when the first inbox of a route is full: the node remembers which flow to go on with.
    """
    node, inbox, steps, flow = net.node, net.inbox, net.steps, net.tcp_flow
    segment, ack, endpoint = net.tcp_segment, net.tcp_ack, net.endpoint
    endpoint_of_flow, counter, histogram = net.endpoint_of_flow, net.counter, net.histogram
    dropped_packets, dropped_bytes = net.dropped_packets, net.dropped_bytes
    key_row, spare_row, progress = net.key_row, net.spare_row, net.progress
    off = node[g]["inbox_off"]
    n_all = np.int64(node[g]["inbox_count"])
    at = np.int64(node[g]["inbox_taken"])
    first, last = np.int64(node[g]["flow_begin"]), np.int64(node[g]["flow_end"])
    row = key_row
    if at < n_all and (
        sort_inbox(
            inbox, off, n_all, net.key_time, key_row, net.spare_time, spare_row, net.bucket
        )
        == 1
    ):
        row = spare_row
    watched = np.int64(-1)  # the flow whose timers are being looked at after the last ACK
    while True:
        if node[g]["pending_flow"] >= 0:
            f = np.int64(node[g]["pending_flow"])
            t = node[g]["pending_ps"]
            node[g]["pending_flow"] = -1
        elif at < n_all:
            packet = inbox[off + row[at]]
            t = packet["time_ps"]
            f = np.int64(endpoint_of_flow[packet["id"] >> FLOW_SHIFT])
            if flow[f]["timer_ps"] <= t:
                t = flow[f]["timer_ps"]
                tcp.on_timer(flow, f, t, segment)
            else:
                at += 1
                count_arrival(
                    counter, histogram, endpoint[f]["ack_direction"], t, packet["sent_ps"],
                    packet["size"],
                )
                tcp.on_ack(flow, f, t, packet["id"] & TRANSMISSION_MASK, segment, ack)
        else:
            if watched < 0:
                if node[g]["timer_ps"] >= until_ps:
                    break
                watched = first
            while watched < last and flow[watched]["timer_ps"] >= until_ps:
                watched += 1
            if watched == last:
                break
            f = watched
            t = flow[f]["timer_ps"]
            tcp.on_timer(flow, f, t, segment)
        first_step = endpoint[f]["data_step"]
        target = np.int64(steps[max(first_step, 0)]["node"])
        base = endpoint[f]["data_flow"] << FLOW_SHIFT
        inner = np.int64(flow[f]["segment_bytes"])
        while True:
            if node[target]["inbox_count"] == node[target]["inbox_room"]:
                node[g]["inbox_taken"] = at
                node[g]["pending_flow"] = f
                node[g]["pending_ps"] = t
                node[g]["timer_ps"] = 0
                progress[2] = target
                return GROW_INBOX
            code = tcp.next_segment(flow, f, t, segment)
            if code < 0:
                break
            emit(
                node, inbox, target, first_step, endpoint[f]["data_direction"], t, base | code,
                inner, counter, dropped_packets, dropped_bytes,
            )
        node[g]["timer_ps"] = min(node[g]["timer_ps"], flow[f]["timer_ps"])
    progress[3] += n_all
    node[g]["inbox_count"] = 0
    node[g]["inbox_taken"] = 0
    if watched >= 0:
        node[g]["timer_ps"] = earliest_timer(flow, first, last)
    return DONE


@kernel
def run_receiver(net: Network, g: int, until_ps: int) -> int:
    """Data and delayed-ACK timers of one receiving end, up to `until_ps`.

    A delayed ACK that is due at the instant at which data arrives goes first. Returns DONE or the
    code of what is full.
    """
    node, inbox, steps, flow = net.node, net.inbox, net.steps, net.tcp_flow
    segment, ack, endpoint = net.tcp_segment, net.tcp_ack, net.endpoint
    endpoint_of_flow, counter, histogram = net.endpoint_of_flow, net.counter, net.histogram
    dropped_packets, dropped_bytes = net.dropped_packets, net.dropped_bytes
    key_row, spare_row, progress = net.key_row, net.spare_row, net.progress
    off = node[g]["inbox_off"]
    n_all = np.int64(node[g]["inbox_count"])
    at = np.int64(node[g]["inbox_taken"])
    first, last = np.int64(node[g]["flow_begin"]), np.int64(node[g]["flow_end"])
    row = key_row
    if at < n_all and (
        sort_inbox(
            inbox, off, n_all, net.key_time, key_row, net.spare_time, spare_row, net.bucket
        )
        == 1
    ):
        row = spare_row
    watched = np.int64(-1)
    while True:
        if at < n_all:
            f = np.int64(endpoint_of_flow[inbox[off + row[at]]["id"] >> FLOW_SHIFT])
        else:
            if watched < 0:
                if node[g]["timer_ps"] >= until_ps:
                    break
                watched = first
            while watched < last and flow[watched]["delack_ps"] >= until_ps:
                watched += 1
            if watched == last:
                break
            f = watched
        first_step = endpoint[f]["ack_step"]
        target = np.int64(steps[max(first_step, 0)]["node"])
        if tcp.ack_ring_full(flow, f):
            node[g]["inbox_taken"] = at
            progress[2] = f
            return GROW_ACKS
        if node[target]["inbox_count"] == node[target]["inbox_room"]:
            node[g]["inbox_taken"] = at
            progress[2] = target
            return GROW_INBOX
        due = flow[f]["delack_ps"]
        if at == n_all or due <= inbox[off + row[at]]["time_ps"]:
            t = due
            number = tcp.on_delack(flow, f, t, ack)
        else:
            packet = inbox[off + row[at]]
            t = packet["time_ps"]
            at += 1
            d = endpoint[f]["data_direction"]
            count_arrival(counter, histogram, d, t, packet["sent_ps"], packet["size"])
            before = flow[f]["delivered_segments"]
            number = tcp.on_data(
                flow, f, t, packet["id"] & SEQUENCE_MASK, packet["sent_ps"], segment, ack
            )
            fresh = flow[f]["delivered_segments"] - before
            counter[d]["goodput_bytes"] += fresh * flow[f]["mss_bytes"]
            node[g]["timer_ps"] = min(node[g]["timer_ps"], flow[f]["delack_ps"])
        if number >= 0:
            emit(
                node, inbox, target, first_step, endpoint[f]["ack_direction"], t,
                (endpoint[f]["ack_flow"] << FLOW_SHIFT) | number,
                np.int64(flow[f]["ack_bytes"]), counter, dropped_packets, dropped_bytes,
            )
    progress[3] += n_all
    node[g]["inbox_count"] = 0
    node[g]["inbox_taken"] = 0
    if watched >= 0:
        node[g]["timer_ps"] = earliest_delack(flow, first, last)
    return DONE


# ---- the sweep --------------------------------------------------------------------------------


@inline_kernel
def sweep(net: Network, begin: int, end: int, until_ps: int) -> int:
    """One window: every node of a group up to `until_ps`; may be called again after a code.

    First round: outlets that lead back. Second round: all nodes in order.
    """
    code = DONE
    for turn in range(2 * (end - begin)):
        only_outlet = turn < end - begin
        g = begin + turn % (end - begin)
        kind = net.node[g]["kind"]
        if kind == SEGMENT_NODE:
            if only_outlet and net.node[g]["early_outlet"] == 0:
                continue
            code = run_segment(net, g, until_ps, only_outlet)
        elif only_outlet:
            continue
        elif kind == SENDER_NODE:
            code = run_sender(net, g, until_ps)
        else:
            code = run_receiver(net, g, until_ps)
        if code != DONE:
            break
    return code


@kernel
def advance(net: Network, from_ps: int, until_ps: int, budget: int) -> int:
    """Let every packet event before `until_ps` happen.

    from_ps: where the network stands; the first call of a stretch has progress[0] = 0 and
    progress[1] = from_ps. budget: packets at nodes (not at hops) after which the call pauses at
    the end of a window. Returns DONE, PAUSED, or a code with its index in progress[2]; after any
    code but DONE call again with the same arguments.

    Not modelled: packets are never split inside a hop (cut-through), no CPU scheduling.
    Cost: about 2 ns per packet and hop in a chain, 8 ns where streams merge.
    """
    net.progress[3] = 0
    for g in range(net.progress[0], net.group.size):
        window_ps = net.group[g]["window_ps"]
        t = net.progress[1]
        while t < until_ps:
            end_ps = min(t + window_ps, until_ps)
            code = sweep(net, net.group[g]["node_begin"], net.group[g]["node_end"], end_ps)
            if code != DONE:
                net.progress[0] = g
                net.progress[1] = t
                return code
            t = end_ps
            if net.progress[3] >= budget and (t < until_ps or g + 1 < net.group.size):
                net.progress[0] = g
                net.progress[1] = t
                return PAUSED
        net.progress[1] = from_ps
    net.progress[0] = 0
    return DONE
