"""Open-loop sources: when packets are sent and how large they are, a block at a time.

    Poisson    gap = -ln(u) * mean
    constant   gap = mean; on-off: only within exponential talk spurts

Draw i of a source is a function of its key and i: the number of packets sent so far is all the
state there is, so a source can be asked for any stretch of time in any pieces.

Arguments of all kernels here: `source` is a SOURCE record, `block` the COLUMNS record.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from kernels._jit import inline_kernel, inner, kernel
from kernels.layout import BLOCK, CONSTANT, FLOW_SHIFT, SIZE_MASK, WIRE_SHIFT, as_int64
from kernels.random import exponential, mix

ALIAS_BITS: Final = np.uint64(32)
LOW_32: Final = np.uint64(0xFFFFFFFF)
TWO_TO_MINUS_32: Final = 2.0**-32
FEW: Final = 4
"""Draws beyond those expected, so that most windows take one round."""


@inline_kernel
def draw_size(source: Any, number: int, size_table: Any) -> int:
    """Inner IP bytes of packet `number` of a source, by its alias table."""
    bits = mix(source["size_key"], np.uint64(number))
    k = source["size_begin"] + as_int64(
        ((bits >> ALIAS_BITS) * np.uint64(source["size_count"])) >> ALIAS_BITS
    )
    fraction = np.float64(as_int64(bits & LOW_32)) * TWO_TO_MINUS_32
    if fraction < size_table[k]["accept"]:
        return as_int64(size_table[k]["size_bytes"])
    return as_int64(size_table[k]["alias_bytes"])


@inline_kernel
def draw_gaps(source: Any, block: Any, n: int) -> None:
    """Draw the gaps after the next `n` packets (two loops, since only so do both vectorise)."""
    gap_ps, bits = block["gap_ps"], block["bits"]
    mean_ps = source["mean_gap_ps"]
    if source["kind"] == CONSTANT:
        for j in range(n):
            gap_ps[j] = mean_ps
    else:
        key = source["gap_key"]
        first = np.uint64(source["count"] + 1)
        for j in range(n):
            bits[j] = mix(key, first + np.uint64(j))
        for j in range(n):
            gap_ps[j] = exponential(bits[j]) * mean_ps


@inline_kernel
def skip_silence(source: Any, t_ps: int) -> int:
    """Time of the next packet of an on-off source: `t_ps`, or the start of the next talk spurt."""
    while t_ps >= source["stay_until_ps"]:
        key = source["stay_key"]
        n = source["stay_count"]
        silence_ps = exponential(mix(key, np.uint64(2 * n))) * source["off_mean_ps"]
        spurt_ps = exponential(mix(key, np.uint64(2 * n + 1))) * source["on_mean_ps"]
        start_ps = source["stay_until_ps"] + as_int64(silence_ps)
        source["stay_until_ps"] = start_ps + as_int64(spurt_ps)
        source["stay_count"] = n + 1
        t_ps = max(t_ps, start_ps)
    return t_ps


@inline_kernel
def packets_due(source: Any, until_ps: int) -> int:
    """How many packets to ask a source for: about those before `until_ps`; 0 = none is due."""
    limit_ps = min(until_ps, source["stop_ps"])
    if source["next_ps"] >= limit_ps:
        return 0
    expected = as_int64((limit_ps - source["next_ps"]) / source["mean_gap_ps"])
    return as_int64(min(BLOCK, expected + (expected >> 3) + FEW))


@inner
@kernel
def send_block(source: Any, until_ps: int, asked: int, size_table: Any, block: Any) -> int:
    """Fill a block with up to `asked` packets that a source sends before `until_ps`.

    Returns how many. size_table: SIZE. Cost about 5 ns a packet.
    """
    limit_ps = min(until_ps, source["stop_ps"])
    time_ps, gap_ps = block["time_ps"], block["gap_ps"]
    draw_gaps(source, block, asked)
    t_ps = source["next_ps"]
    n = 0
    if source["on_mean_ps"] > 0:
        while n < asked and t_ps < limit_ps:
            time_ps[n] = t_ps
            t_ps = skip_silence(source, t_ps + as_int64(gap_ps[n]))
            n += 1
    else:
        for j in range(asked):
            time_ps[j] = t_ps
            t_ps += as_int64(gap_ps[j])
        n = asked
        if t_ps >= limit_ps:
            while time_ps[n - 1] >= limit_ps:
                n -= 1
            if n < asked:
                t_ps = time_ps[n]
    fill_columns(source, block, n, size_table)
    source["next_ps"] = t_ps
    source["count"] += n
    return n


@inline_kernel
def fill_columns(source: Any, block: Any, n: int, size_table: Any) -> None:
    """Ids, sizes and routes of the next `n` packets; on the wire they are plain."""
    sent_ps, ident, size, step = block["sent_ps"], block["id"], block["size"], block["step"]
    count = source["count"]
    first = (source["flow"] << FLOW_SHIFT) + count
    route = source["step"]
    if source["size_count"] == 1:
        inner_bytes = as_int64(size_table[source["size_begin"]]["size_bytes"])
        both = np.uint32(inner_bytes | (inner_bytes << WIRE_SHIFT))
        for j in range(n):
            size[j] = both
    else:
        for j in range(n):
            inner_bytes = as_int64(draw_size(source, count + j, size_table))
            size[j] = inner_bytes | (inner_bytes << WIRE_SHIFT)
    for j in range(n):
        sent_ps[j] = block["time_ps"][j]
        ident[j] = first + j
        step[j] = route


@inner
@kernel
def count_sent(
    source: Any,
    block: Any,
    n: int,
    counter: Any,
    reason: int,
    dropped_packets: Any,
    dropped_bytes: Any,
) -> int:
    """Count a block as sent; returns how many go on: none if the source has no route.

    counter: COUNTER[directions]; reason, dropped_packets, dropped_bytes: where that is counted.
    """
    total_bytes = as_int64(0)
    for j in range(n):
        total_bytes += block["size"][j] & SIZE_MASK
    d = source["direction"]
    counter[d]["sent_packets"] += n
    counter[d]["sent_bytes"] += total_bytes
    if source["step"] >= 0:
        return n
    dropped_packets[d, reason] += n
    dropped_bytes[d, reason] += total_bytes
    return 0
