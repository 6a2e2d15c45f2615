"""TCP endpoints of one flow: what a sender and a receiver do, without any network between them.

The packet kernel calls these functions; nothing here knows about hops.

    on_timer ---+                                            +--- on_data, on_delack
    on_ack -----+--> next_segment, next_segment, ... -1      +--> number of an ACK to send, or -1
                     next_burst, next_burst, ... 0           (plain flows: many segments at a time)

    sender   una_seq ... next_seq   in flight, one SEGMENT entry each
             < limit_seq            receive window, amount of data and ring allow
             < una_seq + cwnd       congestion window allows
    receiver delivered_segments     next expected; what arrived above it is marked `received`

A flow of which nothing is SACKed, lost or retransmitted is *plain*: then an ACK, a segment and a
data arrival each take a few loads and stores. All else is in functions of its own.

Behaviour: that of Linux 6.12 with the RFCs it follows; each switch is in `TcpOptions`.
Not modelled: ECN, urgent data, zero windows, restart after idle time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels._jit import inline_kernel, inner, kernel, lean
from kernels.bbr import (
    begin_sample,
    burst_goal,
    note_sent,
    note_timeout,
    pace,
    run_bbr,
    start_bbr,
)
from kernels.congestion import (
    begin_reduction,
    end_reduction,
    forget_curve,
    grow_window,
    reduce_window,
    reduced_window,
    start_round,
    watch_delay,
)
from kernels.layout import as_index
from kernels.tcp_receiver import ack_ring_full, on_data, on_delack
from kernels.tcp_recovery import (
    detect_by_time,
    detect_losses,
    forgive_losses,
    last_unsacked_seq,
    mark_lost_by_timeout,
    may_undo,
    narrow_ring,
    next_lost_seq,
    note_reordering,
    note_retransmission,
    pipe_segments,
    resize_ring,
    start_undo,
    take_cumulative,
    take_duplicate,
    take_sack_blocks,
    undo_reduction,
    update_rtt,
    was_only_late,
    watch_min_rtt,
)
from kernels.tcp_state import (
    ACK,
    BBR,
    CUBIC,
    CWR,
    DATA_ACKED,
    DATA_SACKED,
    DISORDER,
    DUPLICATE_SEEN,
    DUPLICATE_THRESHOLD,
    FLOW,
    INITIAL_RTO_PS,
    LOSS,
    MILLISECOND_PS,
    NEVER_PS,
    NO_SEQ,
    NO_SEQ_IN_ACK,
    OPEN,
    ORIGINAL_ACKED,
    RECOVERY,
    REORDER_ARMED,
    RETRANSMISSION_LOST,
    RTO_MAX_PS,
    SECOND_PS,
    SEGMENT,
    TIMER_AUTO,
    TIMER_NONE,
    TIMER_PROBE,
    TIMER_REORDER,
    TIMER_RTO,
    TIMER_UPDATE,
    TcpOptions,
    init_flow,
)
from kernels.tcp_timer import timer_expiry_ps

__all__ = [
    "ACK",
    "FLOW",
    "NEVER_PS",
    "SEGMENT",
    "TcpOptions",
    "ack_ring_full",
    "burst_bound",
    "init_flow",
    "next_burst",
    "next_segment",
    "on_ack",
    "on_data",
    "on_delack",
    "on_timer",
    "segment_ring_full",
]

SHORTEST_TIMER_TICKS = 2
"""Linux TCP_TIMEOUT_MIN: added to the waits of tail loss probes and of RACK."""


# Linux tcp_tso_autosize, tcp_tso_should_defer; sysctl tcp_pacing_ss_ratio, tcp_pacing_ca_ratio.
PACING_SLOW_START = 2.0
PACING_AVOIDANCE = 1.2
BURST_PS = SECOND_PS / 1024
BURST_SLOW_START_8TH_PS = int(PACING_SLOW_START * BURST_PS * 8)
BURST_AVOIDANCE_8TH_PS = int(PACING_AVOIDANCE * BURST_PS * 8)
BURST_LEAST_SEGMENTS = 2
BURST_MOST_BYTES = 65_536
BURST_WAIT_PS = MILLISECOND_PS
BURST_WINDOW_DIVISOR = 3


@lean
@inline_kernel
def on_ack(flow: Any, f: int, t_ps: int, n: int, segment: Any, ack: Any) -> None:
    """Process the arrival of ACK number `n` at the sender of flow `f`.

    Parameters
    ----------
    flow, segment, ack : ndarray of FLOW, SEGMENT, ACK
        State of all flows and the pooled rings.
    f, n : int
        Flow and number of the ACK; one that a later ACK overtook tells nothing new.
    t_ps : int
        Time of arrival. Call `next_segment` until it returns -1 afterwards.
    """
    r = flow[f]
    a = ack[as_index(r["ack_off"] + (n & r["ack_mask"]))]
    if n < r["ack_seen"]:  # overtaken by a later ACK, which said more; its entry may be reused
        return
    r["ack_seen"] = n + 1
    una = r["una_seq"]
    cumulative: Any = np.int64(a["cumulative_seq"])
    if r["is_plain"] == 0 or a["block_count"] != 0 or cumulative <= una:
        _take_ack(r, t_ps, a, segment)
        return
    offset, mask = r["seg_off"], r["seg_mask"]
    first_ps = segment[as_index(offset + (una & mask))]["sent_ps"]
    rtt_ps = t_ps - segment[as_index(offset + ((cumulative - 1) & mask))]["sent_ps"]
    r["una_seq"] = cumulative
    _set_limit(r, cumulative + np.int64(a["window_segments"]))
    update_rtt(r, t_ps - first_ps)
    watch_min_rtt(r, t_ps, rtt_ps)
    if r["congestion_control"] == CUBIC:
        watch_delay(r, t_ps, rtt_ps)
    grow_window(r, t_ps, cumulative - una)
    r["armed_ps"] = t_ps
    r["timer_kind"] = TIMER_AUTO
    # A lower bound of when the timer is due; `on_timer` works out the rest.
    bound_ps = min(t_ps + (r["srtt_8th_ps"] >> 2), first_ps + r["rto_ps"])
    r["timer_ps"] = min(r["timer_ps"], bound_ps)


@lean
@inline_kernel
def next_segment(flow: Any, f: int, t_ps: int, segment: Any) -> int:
    """Return the next segment that flow `f` sends now, or -1; the state counts it as sent.

    The code is `(number of the retransmission << 32) | seq`; the number stops at 255.
    """
    r = flow[f]
    if r["is_plain"] == 0:
        return _next_segment_in_recovery(r, t_ps, segment)
    if next_burst(flow, f, t_ps, 1, segment) == 0:
        return -1
    return int(r["next_seq"] - 1)


@lean
@inline_kernel
def next_burst(flow: Any, f: int, t_ps: int, most: int, segment: Any) -> int:
    """Return how many segments of plain flow `f`, at most `most`, go out now; 0: no more.

    They are the last ones before `next_seq`; the state counts them as sent.
    """
    r = flow[f]
    seq = r["next_seq"]
    una = r["una_seq"]
    room = r["cwnd_segments"] - (seq - una)
    allowed = min(min(room, r["limit_seq"] - seq), most)
    if allowed > 0 and t_ps < r["stop_ps"]:
        left = r["burst_left"]
        if left <= 0:
            left = room
            if r["use_tso"] != 0:
                left = _burst_segments(r, t_ps, room, segment)
        count = min(left, allowed)
        if count > 0:
            while seq + count - una > r["seg_mask"] + 1:
                resize_ring(r, 2 * r["seg_mask"] + 1, segment)
            offset, mask = r["seg_off"], r["seg_mask"]
            for i in range(seq, seq + count):
                s = segment[as_index(offset + (i & mask))]
                s["sent_ps"] = t_ps
                s["flags"] = 0
                s["retransmissions"] = 0
            r["burst_left"] = left - count
            r["next_seq"] = seq + count
            return int(count)
        room = 0
    r["burst_left"] = 0
    _note_use(r, room)
    return 0


@inner
@kernel
def _burst_segments(r: Any, t_ps: int, room: int, segment: Any) -> int:
    """Return how many segments go out together, or 0 to wait until more may (Linux TSO).

    A burst is what the pacing rate sends in 1/1024 s, two segments at least (tcp_tso_autosize).
    Less goes out only if nothing did in the last millisecond, if it is a third of the window, or
    if the next ACK is more than a millisecond or half an RTT away (tcp_tso_should_defer).
    """
    srtt_8th_ps = r["srtt_8th_ps"]
    cwnd = r["cwnd_segments"]
    out = r["next_seq"] - r["una_seq"]
    burst_8th_ps = BURST_AVOIDANCE_8TH_PS  # time that a burst takes, times pacing rate and RTT
    if 2 * cwnd < r["ssthresh_segments"]:
        burst_8th_ps = BURST_SLOW_START_8TH_PS
    scaled = burst_8th_ps * max(cwnd, out)
    if r["congestion_control"] == BBR:
        scaled = int(r["pacing_pps"] * (BURST_PS / SECOND_PS) * srtt_8th_ps)
    is_burst = (room >= BURST_LEAST_SEGMENTS) & ((room + 1) * srtt_8th_ps > scaled)
    head_ps = segment[as_index(r["seg_off"] + (r["una_seq"] & r["seg_mask"]))]["sent_ps"]
    # Nobody can guess these conditions, so they are put together before one branch.
    may_go = (
        is_burst
        | (t_ps - r["last_write_ps"] > BURST_WAIT_PS)
        | (room * r["mss_bytes"] >= BURST_MOST_BYTES)
        | (room * BURST_WINDOW_DIVISOR >= cwnd)
        | (head_ps + (srtt_8th_ps >> 3) - t_ps > min(srtt_8th_ps >> 4, BURST_WAIT_PS))
        | (out == 0)
    )
    if not may_go:
        return 0
    r["last_write_ps"] = t_ps
    if is_burst and room > BURST_LEAST_SEGMENTS and room * srtt_8th_ps > scaled:
        return max(int(scaled / srtt_8th_ps), BURST_LEAST_SEGMENTS)
    return int(room)


@lean
@kernel
def burst_bound(flow: Any, f: int) -> int:
    """Return an upper bound of the segments that one loop of `next_segment` can send."""
    r = flow[f]
    return int(max(r["cwnd_segments"] - pipe_segments(r), 0) + 2)


@lean
@kernel
def segment_ring_full(flow: Any, f: int) -> bool:
    """Whether the scoreboard, not a window, would stop a loop of `next_segment`.

    Double the flow's region then: entry of seq at `seq & mask` before and after.
    """
    r = flow[f]
    end = r["next_seq"] + burst_bound(flow, f)
    size = r["seg_room_mask"] + 1
    return bool(min(end, r["una_seq"] + r["rwnd_segments"]) - r["una_seq"] > size)


@lean
@kernel
def on_timer(flow: Any, f: int, t_ps: int, segment: Any) -> None:
    """Do what is due at `timer_ps`: start, timeout, tail loss probe, end of a reordering window.

    Call `next_segment` until it returns -1 afterwards.
    """
    r = flow[f]
    if t_ps < r["timer_ps"]:
        return
    if r["limit_seq"] == 0:
        _start(r, t_ps)
        return
    if r["pace_due_ps"] <= t_ps:
        r["pace_due_ps"] = NEVER_PS
    if r["timer_kind"] == TIMER_AUTO:
        _work_out_timer(r, segment)
    if r["timer_kind"] == TIMER_NONE:
        r["timer_ps"] = r["pace_due_ps"]
    elif t_ps < r["deadline_ps"]:
        r["timer_ps"] = min(r["deadline_ps"], r["pace_due_ps"])
    elif r["timer_kind"] == TIMER_PROBE:
        _send_probe(r, t_ps)
    elif r["timer_kind"] == TIMER_REORDER:
        _end_reordering_window(r, t_ps, segment)
    else:
        _time_out(r, t_ps, segment)
    _set_plain(r)


@inner
@kernel
def _start(r: Any, t_ps: int) -> None:
    """Open the connection: the first window may go out."""
    r["timer_ps"] = NEVER_PS
    r["epoch_ps"] = NEVER_PS
    r["is_cwnd_limited"] = 0
    r["armed_ps"] = t_ps
    r["timer_kind"] = TIMER_AUTO
    _set_limit(r, r["window_segments"])
    start_round(r, t_ps)
    if r["congestion_control"] == BBR:
        start_bbr(r, t_ps)
    _set_plain(r)
    srtt_8th_ps = r["srtt_8th_ps"]
    r["timer_ps"] = t_ps + (srtt_8th_ps >> 2 if srtt_8th_ps > 0 else INITIAL_RTO_PS)


@inner
@kernel
def _set_limit(r: Any, window_end: int) -> None:
    """Set the first segment number that must not be sent yet."""
    ring_end = r["una_seq"] + r["seg_room_mask"] + 1
    r["limit_seq"] = min(window_end, r["size_segments"], ring_end)


@inner
@kernel
def _set_plain(r: Any) -> None:
    """Note whether the fast paths apply."""
    r["is_plain"] = (
        r["state"] == OPEN
        and r["sacked_out"] == 0
        and r["lost_out"] == 0
        and r["retransmitted_out"] == 0
        and r["probe_seq"] == NO_SEQ
        and r["probe_is_due"] == 0
        and r["congestion_control"] != BBR
    )


@inner
@kernel
def _note_use(r: Any, room: int) -> None:
    """Keep whether the window held the sender back in the last round trip (RFC 7661's concern).

    As in Linux (tcp_cwnd_validate): a window that was not used up does not grow.
    """
    out = r["next_seq"] - r["una_seq"]
    is_limited = room <= 0
    if (
        is_limited
        or r["una_seq"] >= r["usage_seq"]
        or (r["is_cwnd_limited"] == 0 and out > r["out_max_segments"])
    ):
        r["is_cwnd_limited"] = is_limited
        r["out_max_segments"] = out
        r["usage_seq"] = r["next_seq"]


@inner
@kernel
def _next_segment_in_recovery(r: Any, t_ps: int, segment: Any) -> int:
    """Choose a tail loss probe, a lost segment or a new one."""
    if r["limit_seq"] == 0:
        return -1
    seq = r["next_seq"]
    may_send_new = seq < r["limit_seq"] and t_ps < r["stop_ps"]
    if r["probe_is_due"] != 0:
        return _send_probe_segment(r, t_ps, may_send_new, segment)
    if r["pace_next_ps"] > t_ps and r["burst_left"] <= 0:
        r["pace_due_ps"] = r["pace_next_ps"]
        r["timer_ps"] = min(r["timer_ps"], r["pace_due_ps"])
        return -1
    room = r["cwnd_segments"] - pipe_segments(r)
    if r["frto_sends_new"] != 0:
        if room > 0 and may_send_new:
            return _send_new(r, t_ps, segment)
        r["frto_sends_new"] = 0
        if seq > r["high_seq"]:
            return -1
        r["frto_is_on"] = 0  # nothing new to send: recover in the usual way
    if room <= 0:
        r["burst_left"] = 0
        _note_use(r, room)
        return -1
    if r["state"] >= RECOVERY:
        lost_seq = next_lost_seq(r, segment)
        if lost_seq != NO_SEQ:
            return _send_again(r, t_ps, lost_seq, segment)
    if may_send_new:
        if _may_burst(r, t_ps, room, segment):
            return _send_new(r, t_ps, segment)
        room = 0  # it waits for a whole burst: limited by the window
    r["burst_left"] = 0
    _note_use(r, room)
    return -1


@inner
@kernel
def _may_burst(r: Any, t_ps: int, room: int, segment: Any) -> bool:
    """Whether a new segment goes out now or waits for others, outside the fast path."""
    left = r["burst_left"]
    if left <= 0:
        left = room
        if r["use_tso"] != 0 and r["state"] < RECOVERY:
            left = _burst_segments(r, t_ps, room, segment)
        if r["congestion_control"] == BBR and left > 0:
            left = min(left, room, burst_goal(r))
            pace(r, t_ps, left)
    r["burst_left"] = left - 1
    return bool(left > 0)


@inner
@kernel
def _send_new(r: Any, t_ps: int, segment: Any) -> int:
    seq = r["next_seq"]
    if seq - r["una_seq"] > r["seg_mask"]:
        resize_ring(r, 2 * r["seg_mask"] + 1, segment)
    s = segment[r["seg_off"] + (seq & r["seg_mask"])]
    s["sent_ps"] = t_ps
    s["flags"] = 0
    s["retransmissions"] = 0
    r["last_write_ps"] = t_ps
    if r["congestion_control"] == BBR:
        note_sent(r, t_ps, s)
    if seq == r["una_seq"]:
        _arm_timeout(r, t_ps)
    r["next_seq"] = seq + 1
    if r["state"] == CWR or r["state"] == RECOVERY:
        r["prr_out"] += 1
    if r["state"] == OPEN or r["state"] == CWR:
        r["armed_ps"] = t_ps
        r["timer_kind"] = TIMER_AUTO
        r["timer_ps"] = min(r["timer_ps"], t_ps + (r["srtt_8th_ps"] >> 2))
    elif r["timer_kind"] == TIMER_PROBE or r["timer_kind"] == TIMER_AUTO:
        _rearm_from_head(r, t_ps, segment)
    return int(seq)


@inner
@kernel
def _send_again(r: Any, t_ps: int, seq: int, segment: Any) -> int:
    note_retransmission(r, t_ps, seq, segment)
    r["last_write_ps"] = t_ps
    if r["congestion_control"] == BBR:
        note_sent(r, t_ps, segment[r["seg_off"] + (seq & r["seg_mask"])])
        r["burst_left"] = 0
        pace(r, t_ps, r["burst_left"] + 1)
    r["retransmitted_segments"] += 1
    if r["state"] == CWR or r["state"] == RECOVERY:
        r["prr_out"] += 1
    if seq == r["una_seq"] and r["timer_kind"] != TIMER_REORDER:
        _arm_timeout(r, t_ps)
    s = segment[r["seg_off"] + (seq & r["seg_mask"])]
    return int((np.int64(s["retransmissions"]) << 32) | seq)


@inner
@kernel
def _send_probe_segment(r: Any, t_ps: int, may_send_new: bool, segment: Any) -> int:
    """Send a tail loss probe: a new segment whatever the window, else the last one again."""
    r["probe_is_due"] = 0
    r["probe_is_retransmission"] = int(not may_send_new)
    if may_send_new:
        code = _send_new(r, t_ps, segment)
    else:
        code = _send_again(r, t_ps, last_unsacked_seq(r, segment), segment)
    r["probe_seq"] = r["next_seq"]
    _arm_timeout(r, t_ps)
    return code


@inner
@kernel
def _arm(r: Any, t_ps: int, wait_ps: int) -> None:
    r["deadline_ps"] = timer_expiry_ps(r, t_ps, wait_ps)
    r["timer_ps"] = min(r["deadline_ps"], r["pace_due_ps"])


@inner
@kernel
def _stop_timer(r: Any) -> None:
    r["timer_kind"] = TIMER_NONE
    r["timer_ps"] = r["pace_due_ps"]


@inner
@kernel
def _arm_timeout(r: Any, t_ps: int) -> None:
    r["timer_kind"] = TIMER_RTO
    _arm(r, t_ps, r["rto_ps"])


@inner
@kernel
def _work_out_timer(r: Any, segment: Any) -> None:
    """Choose between tail loss probe and timeout, as of `armed_ps` (tcp_schedule_loss_probe)."""
    una = r["una_seq"]
    out = r["next_seq"] - una
    armed_ps = r["armed_ps"]
    if out == 0:
        _stop_timer(r)
        return
    offset, mask = r["seg_off"], r["seg_mask"]
    if not _may_probe(r):
        _arm_timeout(r, armed_ps)
        return
    wait_ps = INITIAL_RTO_PS
    if r["srtt_8th_ps"] > 0:
        wait_ps = r["srtt_8th_ps"] >> 2
        # A lone segment may wait for a delayed ACK.
        wait_ps += r["rto_min_ps"] if out == 1 else SHORTEST_TIMER_TICKS * r["tick_ps"]
    timeout_ps = r["rto_ps"]
    if segment[offset + ((r["next_seq"] - 1) & mask)]["sent_ps"] >= armed_ps:
        timeout_ps -= armed_ps - segment[offset + (una & mask)]["sent_ps"]
    if timeout_ps > 0:
        wait_ps = min(wait_ps, timeout_ps)
    r["timer_kind"] = TIMER_PROBE
    _arm(r, armed_ps, wait_ps)


@inner
@kernel
def _may_probe(r: Any) -> bool:
    return bool(r["use_probe"] != 0 and (r["state"] == OPEN or r["state"] == CWR))


@inner
@kernel
def _update_timer(r: Any, t_ps: int, segment: Any) -> None:
    """Start the timer anew after an ACK that moved things on (tcp_set_xmit_timer)."""
    had_other = r["timer_kind"] == TIMER_PROBE or r["timer_kind"] == TIMER_REORDER
    r["armed_ps"] = t_ps
    if r["next_seq"] == r["una_seq"]:
        # What goes out now will be watched; if nothing does, `on_timer` finds nothing to do.
        r["timer_kind"] = TIMER_AUTO
        r["timer_ps"] = min(r["pace_due_ps"], t_ps + (r["srtt_8th_ps"] >> 2))
    elif had_other and not _may_probe(r):
        _rearm_from_head(r, t_ps, segment)
    else:
        _work_out_timer(r, segment)


@inner
@kernel
def _send_probe(r: Any, t_ps: int) -> None:
    """Tail loss probe (RFC 8985 section 7): at most one outstanding."""
    if r["probe_seq"] == NO_SEQ and r["next_seq"] > r["una_seq"]:
        r["probe_is_due"] = 1
        _stop_timer(r)
    else:
        _arm_timeout(r, t_ps)


@inner
@kernel
def _end_reordering_window(r: Any, t_ps: int, segment: Any) -> None:
    """RACK has waited long enough for reordered segments (tcp_rack_reo_timeout)."""
    pipe_before = pipe_segments(r)
    detect_by_time(r, t_ps, segment)
    pipe = pipe_segments(r)
    r["timer_kind"] = TIMER_NONE
    if pipe != pipe_before and r["state"] != RECOVERY:
        _enter_recovery(r)
        r["ack_flags"] = 0
        if r["congestion_control"] != BBR:
            delivered: Any = np.int64(1)  # as if one had arrived: the retransmission may go
            reduce_window(r, pipe, delivered, pipe_before - pipe)
    _rearm_from_head(r, t_ps, segment)


@inner
@kernel
def _rearm_from_head(r: Any, t_ps: int, segment: Any) -> None:
    """Arm the timeout so that it counts from when the oldest segment was sent."""
    if r["next_seq"] == r["una_seq"]:
        _stop_timer(r)
        return
    sent_ps = segment[r["seg_off"] + (r["una_seq"] & r["seg_mask"])]["sent_ps"]
    r["timer_kind"] = TIMER_RTO
    _arm(r, t_ps, max(r["rto_ps"] - (t_ps - sent_ps), 1))


@inner
@kernel
def _time_out(r: Any, t_ps: int, segment: Any) -> None:
    """Retransmission timeout (RFC 6298 section 5, tcp_enter_loss); first step of F-RTO."""
    if r["next_seq"] == r["una_seq"]:
        _stop_timer(r)
        return
    is_new = r["state"] < RECOVERY
    mark_lost_by_timeout(r, t_ps, segment)
    if (
        r["state"] <= DISORDER
        or r["high_seq"] <= r["una_seq"]
        or (r["state"] == LOSS and r["retransmit_count"] == 0)
    ):
        r["prior_ssthresh_segments"] = _current_ssthresh(r)
        r["prior_cwnd_segments"] = r["cwnd_segments"]
        r["ssthresh_segments"] = reduced_window(r)
        start_undo(r)
    r["cwnd_segments"] = pipe_segments(r) + 1
    r["cwnd_credit"] = 0
    r["state"] = LOSS
    if r["congestion_control"] == CUBIC:
        forget_curve(r, t_ps)
    elif r["congestion_control"] == BBR:
        note_timeout(r)
    r["high_seq"] = r["next_seq"]
    r["probe_seq"] = NO_SEQ
    r["frto_sends_new"] = 0
    r["frto_is_on"] = int(r["use_frto"] != 0 and (is_new or r["retransmit_count"] > 0))
    r["retransmit_count"] += 1
    r["rto_count"] += 1
    r["rto_ps"] = min(2 * r["rto_ps"], RTO_MAX_PS)
    _arm_timeout(r, t_ps)


@inner
@kernel
def _current_ssthresh(r: Any) -> int:
    """Return what ssthresh an undo would go back to (tcp_current_ssthresh)."""
    if r["state"] == CWR or r["state"] == RECOVERY:
        return int(r["ssthresh_segments"])
    return int(max(r["ssthresh_segments"], (r["cwnd_segments"] >> 1) + (r["cwnd_segments"] >> 2)))


@inner
@kernel
def _take_ack(r: Any, t_ps: int, a: Any, segment: Any) -> None:
    """Process an ACK in any state, in the order of Linux tcp_ack."""
    una = r["una_seq"]
    cumulative = max(np.int64(a["cumulative_seq"]), una)
    delivered_before, lost_before = r["delivered_count"], r["lost_count"]
    r["ack_flags"] = DATA_ACKED | TIMER_UPDATE if cumulative > una else 0
    r["acked_first_ps"] = r["acked_last_ps"] = -1
    r["sacked_first_ps"] = r["sacked_last_ps"] = -1
    r["highest_sacked_seq"] = max(r["highest_sacked_seq"], una)
    had_none_out = r["next_seq"] == una
    is_bbr = r["congestion_control"] == BBR
    if is_bbr:
        begin_sample(r, pipe_segments(r))
    if cumulative > una:
        r["retransmit_count"] = 0
    duplicate_seq: Any = np.int64(a["duplicate_seq"])
    if duplicate_seq != NO_SEQ_IN_ACK:
        take_duplicate(r, duplicate_seq)
    take_sack_blocks(r, t_ps, a, segment)
    take_cumulative(r, t_ps, cumulative, segment)
    _set_limit(r, cumulative + np.int64(a["window_segments"]))
    if had_none_out:
        _set_plain(r)
        return
    ca_rtt_ps = _take_rtt(r, t_ps, a, cumulative > una, segment)
    if r["congestion_control"] == CUBIC and ca_rtt_ps >= 0:
        watch_delay(r, t_ps, ca_rtt_ps)
    if r["probe_seq"] != NO_SEQ:
        _end_probe(r, a, cumulative)
    if r["ack_flags"] & DATA_SACKED or cumulative == una or r["state"] != OPEN:
        _update_state(r, t_ps, una, a, segment)
    if r["ack_flags"] & TIMER_UPDATE and r["ack_flags"] & REORDER_ARMED == 0:
        _update_timer(r, t_ps, segment)
    delivered = r["delivered_count"] - delivered_before
    lost = r["lost_count"] - lost_before
    if is_bbr:
        run_bbr(r, t_ps, pipe_segments(r), delivered, lost, ca_rtt_ps)
    elif r["state"] == CWR or r["state"] == RECOVERY:
        reduce_window(r, pipe_segments(r), delivered, lost)
    elif cumulative > una or (
        # Linux tcp_may_raise_cwnd: with known reordering SACKs open the window, too.
        r["reordering_segments"] > DUPLICATE_THRESHOLD and r["ack_flags"] & DATA_SACKED
    ):
        grow_window(r, t_ps, delivered)
    _set_plain(r)
    if r["is_plain"] != 0:
        narrow_ring(r, segment)


@inner
@kernel
def _take_rtt(r: Any, t_ps: int, a: Any, is_advanced: bool, segment: Any) -> int:
    """Sample the RTT (tcp_ack_update_rtt); return the sample for congestion control, or -1."""
    rtt_ps = -1
    ca_rtt_ps = -1
    if r["acked_first_ps"] >= 0:
        rtt_ps = t_ps - r["acked_first_ps"]
        ca_rtt_ps = t_ps - r["acked_last_ps"]
    if r["sacked_first_ps"] >= 0:
        ca_rtt_ps = t_ps - r["sacked_last_ps"]
        if rtt_ps < 0:
            rtt_ps = t_ps - r["sacked_first_ps"]
        # Linux: a SACK moves the timeout only if it is for older data than the last transmission
        # of the oldest segment; for newer data it would put the timeout off for ever.
        if not is_advanced:
            head_ps = segment[r["seg_off"] + (r["una_seq"] & r["seg_mask"])]["sent_ps"]
            if r["sacked_first_ps"] < head_ps:
                r["ack_flags"] |= TIMER_UPDATE
    if rtt_ps < 0 and is_advanced and a["echo_ps"] > 0:
        rtt_ps = t_ps - a["echo_ps"]
        ca_rtt_ps = rtt_ps
    if rtt_ps < 0:
        return -1
    watch_min_rtt(r, t_ps, ca_rtt_ps)
    update_rtt(r, rtt_ps)
    return int(ca_rtt_ps)


@inner
@kernel
def _end_probe(r: Any, a: Any, cumulative: int) -> None:
    """See what became of the tail loss probe (tcp_process_tlp_ack)."""
    if cumulative < r["probe_seq"]:
        return
    if r["probe_is_retransmission"] == 0 or np.int64(a["duplicate_seq"]) == r["probe_seq"] - 1:
        r["probe_seq"] = NO_SEQ
    elif cumulative > r["probe_seq"]:
        # The probe repaired a loss: that counts as a congestion event.
        begin_reduction(r)
        r["undo_seq"] = NO_SEQ
        end_reduction(r)
        r["state"] = OPEN
        r["probe_seq"] = NO_SEQ
    elif r["ack_flags"] & (DATA_ACKED | DATA_SACKED) == 0:
        r["probe_seq"] = NO_SEQ


@inner
@kernel
def _update_state(r: Any, t_ps: int, una_before: int, a: Any, segment: Any) -> None:
    """Move between open, disorder, recovery and loss (tcp_fastretrans_alert)."""
    if r["state"] == OPEN:
        r["first_retransmission_ps"] = 0
    elif r["una_seq"] >= r["high_seq"]:
        _leave_reduction(r, a)
    state = r["state"]
    if state == RECOVERY:
        if not _stay_in_recovery(r, t_ps, una_before, a, segment):
            return
        if r["state"] != RECOVERY and r["lost_out"] > 0:
            _enter_recovery(r)
        return
    if state == LOSS:
        _process_loss(r, t_ps, a, segment)
        _detect(r, t_ps, segment)
        if r["state"] != OPEN and r["ack_flags"] & RETRANSMISSION_LOST == 0:
            return
    else:
        if state <= DISORDER:
            _try_undo_by_duplicates(r)
        _detect(r, t_ps, segment)
    if r["lost_out"] > 0:
        _enter_recovery(r)
    elif r["state"] != CWR:
        _keep_open(r)


@inner
@kernel
def _leave_reduction(r: Any, a: Any) -> None:
    """All that was in flight at the reduction is acknowledged."""
    if r["state"] == CWR and r["una_seq"] != r["high_seq"]:
        end_reduction(r)
        r["state"] = OPEN
    elif r["state"] == RECOVERY:
        is_undone = may_undo(r, a["echo_ps"])
        _leave_recovery(r, a)
        if not is_undone:
            end_reduction(r)
        r["undo_seq"] = NO_SEQ


@inner
@kernel
def _leave_recovery(r: Any, a: Any) -> None:
    """Go back to open, with the old window if the losses were none (tcp_try_undo_recovery)."""
    if may_undo(r, a["echo_ps"]):
        undo_reduction(r)
    elif r["reo_persist"] > 0:
        r["reo_persist"] -= 1
        if r["reo_persist"] == 0:
            r["reo_steps"] = 1
    r["state"] = OPEN


@inner
@kernel
def _stay_in_recovery(r: Any, t_ps: int, una_before: int, a: Any, segment: Any) -> bool:
    """Go on recovering; false if the ACK shows reordering and retransmissions are still out."""
    if r["una_seq"] > una_before and r["undo_seq"] != NO_SEQ and was_only_late(r, a["echo_ps"]):
        note_reordering(r, una_before)
        if r["retransmitted_out"] > 0:
            return False
        forgive_losses(r, segment)
        undo_reduction(r)
        _keep_open(r)
    _try_undo_by_duplicates(r)
    _detect(r, t_ps, segment)
    return True


@inner
@kernel
def _try_undo_by_duplicates(r: Any) -> None:
    """Undo if D-SACKs show that every retransmission was needless (tcp_try_undo_dsack)."""
    if r["undo_seq"] != NO_SEQ and r["undo_retransmissions"] == 0:
        undo_reduction(r)
        if r["state"] == RECOVERY:
            _keep_open(r)


@inner
@kernel
def _keep_open(r: Any) -> None:
    """Open, or disorder while something is SACKed, lost or sent again (tcp_try_keep_open)."""
    is_clean = r["sacked_out"] == 0 and r["lost_out"] == 0 and r["retransmitted_out"] == 0
    state = OPEN if is_clean else DISORDER
    if r["state"] != state:
        r["state"] = state
        r["high_seq"] = r["next_seq"]


@inner
@kernel
def _detect(r: Any, t_ps: int, segment: Any) -> None:
    """Mark losses; arm the reordering timer if RACK has to wait."""
    wait_ps = detect_losses(r, t_ps, segment)
    if wait_ps > 0:
        r["timer_kind"] = TIMER_REORDER
        _arm(r, t_ps, wait_ps + SHORTEST_TIMER_TICKS * r["tick_ps"])
        r["ack_flags"] |= REORDER_ARMED


@inner
@kernel
def _enter_recovery(r: Any) -> None:
    """Begin fast recovery (tcp_enter_recovery)."""
    start_undo(r)
    r["prior_ssthresh_segments"] = 0
    if r["state"] != CWR and r["state"] != RECOVERY:
        r["prior_ssthresh_segments"] = _current_ssthresh(r)
        begin_reduction(r)
        r["fast_recovery_count"] += 1
    r["state"] = RECOVERY


@inner
@kernel
def _process_loss(r: Any, t_ps: int, a: Any, segment: Any) -> None:
    """Recover from a timeout; F-RTO (RFC 5682) finds out whether it was spurious."""
    is_advanced = r["ack_flags"] & DATA_ACKED != 0
    is_recovered = r["una_seq"] >= r["high_seq"]
    if is_advanced and may_undo(r, a["echo_ps"]):
        _undo_timeout(r, segment)
        return
    if r["frto_is_on"] != 0:
        if r["ack_flags"] & ORIGINAL_ACKED:
            _undo_timeout(r, segment)
            return
        if r["next_seq"] > r["high_seq"]:
            if r["ack_flags"] & (DATA_SACKED | DUPLICATE_SEEN) or not is_advanced:
                r["frto_is_on"] = 0
        elif is_advanced and not is_recovered:
            r["high_seq"] = r["next_seq"]
            if r["next_seq"] < r["limit_seq"] and t_ps < r["stop_ps"]:
                r["frto_sends_new"] = 1
                return
            r["frto_is_on"] = 0
    r["frto_sends_new"] = 0
    if is_recovered:
        _leave_recovery(r, a)


@inner
@kernel
def _undo_timeout(r: Any, segment: Any) -> None:
    """The timeout was spurious: all as before (tcp_try_undo_loss)."""
    forgive_losses(r, segment)
    undo_reduction(r)
    r["retransmit_count"] = 0
    r["frto_is_on"] = 0
    r["frto_sends_new"] = 0
    r["state"] = OPEN
