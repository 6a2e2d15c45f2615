"""Receiving end of a TCP flow: reassembly, SACK blocks, when an ACK is sent.

An ACK goes out at once for every second segment, in the first segments of a connection and after
a duplicate (quick ACKs), when a hole is closed, and for the first three segments above a hole;
the further ones share an ACK (SACK compression). Everything else waits for the delayed ACK.

Sources: RFC 9293 section 3.8.6.3, RFC 5681 section 4.2, RFC 2018, RFC 2883, RFC 7323 section 4.3
(which time stamp is echoed); times and counts as in Linux 6.12 (`net/ipv4/tcp_input.c`).
Not modelled: a receiving application that reads late, ACKs that carry data.
"""

from __future__ import annotations

from typing import Any, Final

from kernels._jit import inline_kernel, inner, kernel, lean
from kernels.layout import as_index
from kernels.tcp_state import (
    DUPLICATE_THRESHOLD,
    MILLISECOND_PS,
    NEVER_PS,
    NO_SEQ,
    NO_SEQ_IN_ACK,
    QUICK_ACKS,
    RING_SPARE,
    SACK_BLOCKS,
    SACK_LIST,
    SMALLEST_RING,
)
from kernels.tcp_timer import timer_expiry_ps

TUNING_EXTRA_SEGMENTS: Final = 16
SHORTEST_TUNING_PS: Final = MILLISECOND_PS
"""Between two looks at what was read, where no RTT is known."""


@lean
@inline_kernel
def on_data(flow: Any, f: int, t_ps: int, seq: int, sent_ps: int, segment: Any, ack: Any) -> int:
    """Take in a data segment; return the number of the ACK to send now, or -1.

    Parameters
    ----------
    flow, segment, ack : ndarray of FLOW, SEGMENT, ACK
        State of all flows and the pooled rings.
    f, seq : int
        Flow and segment number.
    t_ps, sent_ps : int
        Time of arrival; time at which this transmission left the sender.

    Notes
    -----
    The caller makes sure that `ack_ring_full` is false. With -1 the ACK may wait: `delack_ps`.
    """
    r = flow[f]
    if (
        r["out_of_order_count"] == 0
        and seq == r["delivered_segments"]
        and t_ps - r["last_data_ps"] <= r["delack_min_ps"] >> 1
        and r["ato_ps"] == r["delack_min_ps"]
        and r["window_segments"] == r["window_goal_segments"]
    ):
        r["last_data_ps"] = t_ps
        received = seq + 1
        r["delivered_segments"] = received
        waiting = received - r["acked_seq"]
        if waiting == 1:
            r["echo_ps"] = sent_ps
        if waiting >= r["segments_per_ack"] or r["quick_count"] > 0:
            if t_ps >= r["tune_due_ps"]:
                _tune_window(r, t_ps, sent_ps)
                _narrow_acks(r, ack)
            return write_ack(r, ack)
        if waiting == 1:
            # A lower bound, put on the grid of the timers only if it is reached.
            r["delack_ps"] = t_ps + r["delack_min_ps"]
        return -1
    return _take_in(r, t_ps, seq, sent_ps, segment, ack)


@lean
@kernel
def on_delack(flow: Any, f: int, t_ps: int, ack: Any) -> int:
    """Look at the delayed-ACK deadline at `delack_ps`; return an ACK number or -1."""
    r = flow[f]
    if t_ps < r["delack_ps"]:
        return -1
    if t_ps >= r["compress_due_ps"]:
        return send_ack(r, ack)
    if r["delack_due_ps"] == NEVER_PS and r["delivered_segments"] > r["acked_seq"]:
        # The fast path left a lower bound: the segment arrived one minimum earlier.
        arrived_ps = r["delack_ps"] - r["delack_min_ps"]
        r["delack_due_ps"] = timer_expiry_ps(r, arrived_ps, r["delack_min_ps"])
    if t_ps >= r["delack_due_ps"]:
        # Linux: a delayed ACK that had to be sent doubles the next wait.
        r["ato_ps"] = min(2 * r["ato_ps"], r["rto_min_ps"] + r["handshake_rtt_ps"])
        return send_ack(r, ack)
    r["delack_ps"] = min(r["delack_due_ps"], r["compress_due_ps"])
    return -1


@lean
@inline_kernel
def ack_ring_full(flow: Any, f: int) -> bool:
    """Whether the flow's region of ACKs is too small for one more in flight."""
    r = flow[f]
    return bool(r["ack_next"] - r["ack_seen"] > r["ack_room_mask"])


@inner
@kernel
def resize_acks(r: Any, mask: int, ack: Any) -> None:
    """Use another part of the flow's region of ACKs; those in flight move to their new places.

    They fit, and twice into a smaller ring, so that none moves onto another.
    """
    for n in range(r["ack_seen"], r["ack_next"]):
        before = r["ack_off"] + (n & r["ack_mask"])
        after = r["ack_off"] + (n & mask)
        if after != before:
            ack[after] = ack[before]
    r["ack_mask"] = mask


@inner
@kernel
def _narrow_acks(r: Any, ack: Any) -> None:
    """Use less of the region of ACKs where few are in flight: the cache holds them again."""
    mask = r["ack_mask"]
    while mask >= SMALLEST_RING and RING_SPARE * (r["ack_next"] - r["ack_seen"]) <= mask:
        mask >>= 1
    if mask != r["ack_mask"]:
        resize_acks(r, mask, ack)


@inner
@kernel
def send_ack(r: Any, ack: Any) -> int:
    """Write the next ACK with all that it has to report into the ring and return its number."""
    n = write_ack(r, ack)
    if r["sack_count"] > 0 or r["duplicate_seq"] != NO_SEQ or r["compress_due_ps"] != NEVER_PS:
        _add_blocks(r, ack[r["ack_off"] + (n & r["ack_mask"])])
    return n


@inline_kernel
def write_ack(r: Any, ack: Any) -> int:
    """Write the next ACK without SACK blocks into the ring and return its number."""
    n = r["ack_next"]
    if n - r["ack_seen"] > r["ack_mask"]:
        resize_acks(r, 2 * r["ack_mask"] + 1, ack)
    a = ack[as_index(r["ack_off"] + (n & r["ack_mask"]))]
    received = r["delivered_segments"]
    a["n"] = n
    a["cumulative_seq"] = received
    a["echo_ps"] = r["echo_ps"]
    a["window_segments"] = r["window_segments"]
    a["duplicate_seq"] = NO_SEQ_IN_ACK
    a["block_count"] = 0
    r["ack_next"] = n + 1
    r["acked_seq"] = received
    r["delack_ps"] = NEVER_PS
    r["delack_due_ps"] = NEVER_PS
    if r["quick_count"] > 0:
        r["quick_count"] -= 1
    return int(n)


@inner
@kernel
def _add_blocks(r: Any, a: Any) -> None:
    """Add D-SACK and SACK blocks, the most recent first; end the compression of ACKs."""
    count = min(r["sack_count"], SACK_BLOCKS)
    if r["duplicate_seq"] != NO_SEQ:
        count = min(count, SACK_BLOCKS - 1)
        a["duplicate_seq"] = r["duplicate_seq"]
        r["duplicate_seq"] = NO_SEQ
    for i in range(count):
        a["blocks"][i, 0] = r["sack_list"][i, 0]
        a["blocks"][i, 1] = r["sack_list"][i, 1]
    a["block_count"] = count
    r["compressed_count"] = 0
    r["compress_due_ps"] = NEVER_PS


@inner
@kernel
def _take_in(r: Any, t_ps: int, seq: int, sent_ps: int, segment: Any, ack: Any) -> int:
    """Every arrival that is not the plain next segment of a busy flow."""
    if seq <= r["acked_seq"]:
        r["echo_ps"] = sent_ps
    slot = r["seg_off"] + (seq & r["seg_mask"])
    expected = r["delivered_segments"]
    if seq < expected or segment[slot]["received"] != 0:
        r["duplicate_seq"] = seq
        if r["use_quick_ack"] != 0:
            r["quick_count"] = max(r["quick_count"], min(QUICK_ACKS, r["rwnd_segments"] >> 1))
        r["ato_ps"] = r["delack_min_ps"]
        return send_ack(r, ack)
    if seq > expected:
        return _take_out_of_order(r, t_ps, seq, segment, ack)
    _measure_gap(r, t_ps)
    _open_window(r)
    r["delivered_segments"] = seq + 1
    if t_ps >= r["tune_due_ps"]:
        _tune_window(r, t_ps, sent_ps)
    if r["out_of_order_count"] > 0:
        _close_hole(r, segment)
        if r["out_of_order_count"] == 0:
            r["sack_count"] = 0
            return send_ack(r, ack)  # RFC 5681 section 4.2: at once when a gap is filled
    if r["delivered_segments"] - r["acked_seq"] >= r["segments_per_ack"] or r["quick_count"] > 0:
        return send_ack(r, ack)
    if r["out_of_order_count"] > 0:
        return _ack_above_hole(r, t_ps, ack)
    return _delay_ack(r, t_ps, ack)


@inner
@kernel
def _open_window(r: Any) -> None:
    """Open the window by two segments for each that arrives (Linux tcp_grow_window).

    As there, the sender hears of it at once.
    """
    if r["window_segments"] < r["window_goal_segments"]:
        r["window_segments"] = min(r["window_segments"] + 2, r["window_goal_segments"])
        if r["use_quick_ack"] != 0:
            r["quick_count"] = max(r["quick_count"], 1)


@inner
@kernel
def _tune_window(r: Any, t_ps: int, sent_ps: int) -> None:
    """Raise the window's goal to twice what was read in a round trip, and more while that grows.

    Linux tcp_rcv_space_adjust. The receiver's own estimate of the RTT (there by time stamps) is the
    handshake's sample and the delay that data has had above the least one since.
    """
    copied = r["delivered_segments"] - r["tuned_seq"]
    known = r["tuned_copied_segments"]
    if copied > known:
        goal = 2 * copied + TUNING_EXTRA_SEGMENTS
        goal += 2 * (goal * (copied - known) // known)
        goal = min(goal, r["rwnd_segments"])
        r["window_goal_segments"] = max(r["window_goal_segments"], goal)
        r["tuned_copied_segments"] = copied
    r["tuned_seq"] = r["delivered_segments"]
    delay_ps = t_ps - sent_ps
    r["least_delay_ps"] = min(r["least_delay_ps"], delay_ps)
    rtt_ps = r["handshake_rtt_ps"] + delay_ps - r["least_delay_ps"]
    if r["handshake_rtt_ps"] == 0:
        rtt_ps = 2 * delay_ps
    r["tune_due_ps"] = t_ps + max(rtt_ps, SHORTEST_TUNING_PS)


@inner
@kernel
def _measure_gap(r: Any, t_ps: int) -> None:
    """Adapt the delayed-ACK wait to the time between segments (Linux tcp_event_data_recv)."""
    ato_min_ps = r["delack_min_ps"]
    gap_ps = t_ps - r["last_data_ps"]
    rto_ps = r["rto_min_ps"] + r["handshake_rtt_ps"]
    if r["has_data"] == 0:
        r["has_data"] = 1
        r["ato_ps"] = ato_min_ps
        gap_ps = 0
        if r["use_quick_ack"] != 0:
            r["quick_count"] = min(QUICK_ACKS, r["rwnd_segments"] >> 1)
    elif gap_ps <= ato_min_ps >> 1:
        r["ato_ps"] = (r["ato_ps"] >> 1) + (ato_min_ps >> 1)
        if r["ato_ps"] - ato_min_ps < ato_min_ps >> 3:
            r["ato_ps"] = ato_min_ps  # Linux gets there because it counts in whole ticks
    elif gap_ps < r["ato_ps"]:
        r["ato_ps"] = min((r["ato_ps"] >> 1) + gap_ps, rto_ps)
    elif gap_ps > rto_ps and r["use_quick_ack"] != 0:
        r["quick_count"] = max(r["quick_count"], min(QUICK_ACKS, r["rwnd_segments"] >> 1))
    r["last_data_ps"] = t_ps


@inner
@kernel
def _delay_ack(r: Any, t_ps: int, ack: Any) -> int:
    """Arm the delayed ACK (Linux tcp_send_delayed_ack); an almost due one is sent at once."""
    wait_ps = r["ato_ps"]
    if wait_ps > r["delack_min_ps"]:
        # Bounded by the RTT that the handshake measured, never below the shortest wait.
        bound_ps = max(r["handshake_rtt_ps"], r["delack_min_ps"])
        wait_ps = min(wait_ps, bound_ps)
    wait_ps = min(wait_ps, r["delack_max_ps"])
    due_ps = timer_expiry_ps(r, t_ps, wait_ps)
    if r["delack_due_ps"] != NEVER_PS:
        if r["delack_due_ps"] <= t_ps + (wait_ps >> 2):
            return send_ack(r, ack)
        due_ps = min(due_ps, r["delack_due_ps"])
    r["delack_due_ps"] = due_ps
    r["delack_ps"] = min(due_ps, r["compress_due_ps"])
    return -1


@inner
@kernel
def _take_out_of_order(r: Any, t_ps: int, seq: int, segment: Any, ack: Any) -> int:
    """Store a segment above a hole and tell the sender about it, now or with others."""
    n = -1
    extends = _extend_block(r, seq)
    if not extends:
        if r["sack_count"] == SACK_LIST and r["compressed_count"] > DUPLICATE_THRESHOLD:
            # Linux: the block that falls off the list must have been reported.
            n = send_ack(r, ack)
        _new_block(r, seq)
    _open_window(r)
    segment[r["seg_off"] + (seq & r["seg_mask"])]["received"] = 1
    r["out_of_order_count"] += 1
    if n >= 0:
        return n
    if r["quick_count"] > 0:
        return send_ack(r, ack)
    return _ack_above_hole(r, t_ps, ack)


@inner
@kernel
def _ack_above_hole(r: Any, t_ps: int, ack: Any) -> int:
    """Send or hold back an ACK while a hole is open (Linux __tcp_ack_snd_check)."""
    if r["use_ack_compression"] == 0 or r["compressed_count"] >= r["compress_max_count"]:
        return send_ack(r, ack)
    if r["compress_seq"] != r["delivered_segments"]:
        r["compress_seq"] = r["delivered_segments"]
        r["duplicate_ack_count"] = 0
    if r["duplicate_ack_count"] < DUPLICATE_THRESHOLD:
        r["duplicate_ack_count"] += 1
        return send_ack(r, ack)
    r["compressed_count"] += 1
    if r["compress_due_ps"] == NEVER_PS:
        wait_ps = r["compress_max_ps"]
        if r["handshake_rtt_ps"] > 0:
            wait_ps = min(wait_ps, r["handshake_rtt_ps"] // 20)
        r["compress_due_ps"] = t_ps + wait_ps
        r["delack_ps"] = min(r["compress_due_ps"], r["delack_ps"])
    return -1


@inner
@kernel
def _extend_block(r: Any, seq: int) -> bool:
    """Grow the SACK block next to `seq` and put it first; false if there is none."""
    blocks = r["sack_list"]
    for i in range(r["sack_count"]):
        if blocks[i, 1] == seq or blocks[i, 0] == seq + 1:
            start = min(blocks[i, 0], seq)
            end = max(blocks[i, 1], seq + 1)
            _remove_block(r, i)
            # The grown block may now touch another one: they become one.
            for j in range(r["sack_count"]):
                if blocks[j, 0] == end or blocks[j, 1] == start:
                    start = min(start, blocks[j, 0])
                    end = max(end, blocks[j, 1])
                    _remove_block(r, j)
                    break
            _push_block(r, start, end)
            return True
    return False


@inner
@kernel
def _new_block(r: Any, seq: int) -> None:
    """Put a block of one segment first; the oldest falls off a full list."""
    r["sack_count"] = min(r["sack_count"], SACK_LIST - 1)
    _push_block(r, seq, seq + 1)


@inner
@kernel
def _push_block(r: Any, start: int, end: int) -> None:
    blocks = r["sack_list"]
    for j in range(r["sack_count"], 0, -1):
        blocks[j, 0] = blocks[j - 1, 0]
        blocks[j, 1] = blocks[j - 1, 1]
    blocks[0, 0] = start
    blocks[0, 1] = end
    r["sack_count"] += 1


@inner
@kernel
def _remove_block(r: Any, i: int) -> None:
    blocks = r["sack_list"]
    r["sack_count"] -= 1
    for j in range(i, r["sack_count"]):
        blocks[j, 0] = blocks[j + 1, 0]
        blocks[j, 1] = blocks[j + 1, 1]


@inner
@kernel
def _close_hole(r: Any, segment: Any) -> None:
    """Hand the stored segments that follow to the application and forget their blocks."""
    seq = r["delivered_segments"]
    offset, mask = r["seg_off"], r["seg_mask"]
    while r["out_of_order_count"] > 0 and segment[offset + (seq & mask)]["received"] != 0:
        segment[offset + (seq & mask)]["received"] = 0
        r["out_of_order_count"] -= 1
        seq += 1
    r["delivered_segments"] = seq
    i = r["sack_count"] - 1
    while i >= 0:
        if r["sack_list"][i, 0] < seq:
            _remove_block(r, i)
        i -= 1
