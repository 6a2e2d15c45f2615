"""Scoreboard and loss detection of the sending end: SACK, RACK, D-SACK, undo.

Counts, as in Linux: `sacked_out`, `lost_out` and `retransmitted_out` of the segments between
`una_seq` and `next_seq`; a lost segment whose retransmission is in flight counts in both of the
last two. What is in flight is

    pipe = next_seq - una_seq - sacked_out - lost_out + retransmitted_out.

RACK (RFC 8985) looks at segments in the order in which they were sent. Segments sent once are in
that order anyway: `judged_seq` is the first one not yet looked at for good. Retransmissions form
a list through the scoreboard (`first_rtx_seq`, `later_seq`, `earlier_seq`). So an ACK costs a
few steps, however much is in flight.

Sources: RFC 2018, RFC 2883, RFC 3522, RFC 5682, RFC 6675, RFC 8985 and Linux 6.12
(`tcp_input.c`, `tcp_recovery.c`). Not modelled: a receiver that takes SACKed data back.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from kernels._jit import inner, kernel, lean
from kernels.bbr import note_delivered, note_undo
from kernels.tcp_state import (
    BBR,
    DATA_SACKED,
    DUPLICATE_SEEN,
    DUPLICATE_THRESHOLD,
    EVER_RETRANSMITTED,
    LOST,
    MILLISECOND_PS,
    MIN_RTT_WINDOW_PS,
    NEVER_PS,
    NO_SEQ,
    ORIGINAL_ACKED,
    RECOVERY,
    REORDERING_MAX_SEGMENTS,
    RETRANSMISSION_ACKED,
    RETRANSMISSION_LOST,
    RETRANSMITTED,
    RING_SPARE,
    RTO_MAX_PS,
    SACK_BLOCKS,
    SACKED,
    SMALLEST_RING,
)

KEEP_FLAGS: Final = 255
REO_STEPS_MAX: Final = 255
REO_PERSIST: Final = 16
"""RFC 8985 section 6.2: recoveries for which a wider reordering window stays."""
TIMESTAMP_PS: Final = MILLISECOND_PS
"""Step of the time stamps that Eifel compares (Linux TCP_TS_HZ)."""


@lean
@kernel
def pipe_segments(r: Any) -> int:
    """Return how many segments are in flight."""
    outstanding = r["next_seq"] - r["una_seq"]
    return int(outstanding - r["sacked_out"] - r["lost_out"] + r["retransmitted_out"])


@lean
@kernel
def update_rtt(r: Any, rtt_ps: int) -> None:
    """Take an RTT sample into the smoothed RTT and the RTO.

    RFC 6298 with the changes of Linux (tcp_rtt_estimator): the deviation falls eight times more
    slowly when the RTT falls, the largest one of a round trip counts, and the variance term
    never is below `rto_min_ps`.
    """
    srtt = r["srtt_8th_ps"]
    if srtt == 0:
        _first_rtt(r, rtt_ps)
        return
    error = rtt_ps - (srtt >> 3)
    r["srtt_8th_ps"] = srtt + error
    mdev = r["mdev_4th_ps"]
    excess = abs(error) - (mdev >> 2)
    if error < 0 and excess > 0:
        excess >>= 3
    mdev += excess
    r["mdev_4th_ps"] = mdev
    if mdev > r["mdev_max_ps"]:
        r["mdev_max_ps"] = mdev
        if mdev > r["rttvar_ps"]:
            r["rttvar_ps"] = mdev
    if r["una_seq"] > r["rtt_round_seq"]:
        excess = r["rttvar_ps"] - r["mdev_max_ps"]
        if excess > 0:
            r["rttvar_ps"] -= excess >> 2
        r["rtt_round_seq"] = r["next_seq"]
        r["mdev_max_ps"] = r["rto_min_ps"]
    r["rto_ps"] = min((r["srtt_8th_ps"] >> 3) + r["rttvar_ps"], RTO_MAX_PS)


@inner
@kernel
def _first_rtt(r: Any, rtt_ps: int) -> None:
    r["srtt_8th_ps"] = 8 * rtt_ps
    r["mdev_4th_ps"] = 2 * rtt_ps
    r["rttvar_ps"] = max(2 * rtt_ps, r["rto_min_ps"])
    r["mdev_max_ps"] = r["rttvar_ps"]
    r["rtt_round_seq"] = r["next_seq"]
    r["rto_ps"] = min(rtt_ps + r["rttvar_ps"], RTO_MAX_PS)


@inner
@kernel
def resize_ring(r: Any, mask: int, segment: Any) -> None:
    """Use another part of the flow's region of the scoreboard; entries move to their new places.

    The caller has seen that the flight fits: into the region (`limit_seq` stands for it), and
    twice into a smaller ring, so that no entry moves onto another.
    """
    offset, mask_before = r["seg_off"], r["seg_mask"]
    for seq in range(r["una_seq"], r["next_seq"]):
        before = offset + (seq & mask_before)
        after = offset + (seq & mask)
        if after != before:
            segment[after] = segment[before]
            segment[before]["received"] = 0
    r["seg_mask"] = mask


@inner
@kernel
def narrow_ring(r: Any, segment: Any) -> None:
    """Use less of the scoreboard where the flight has become small: the cache holds it again."""
    mask = r["seg_mask"]
    while mask >= SMALLEST_RING and RING_SPARE * (r["next_seq"] - r["una_seq"]) <= mask:
        mask >>= 1
    if mask != r["seg_mask"]:
        resize_ring(r, mask, segment)


@inner
@kernel
def watch_min_rtt(r: Any, t_ps: int, rtt_ps: int) -> None:
    """Keep the least RTT of the last five minutes."""
    if rtt_ps <= r["min_rtt_ps"] or t_ps - r["min_rtt_at_ps"] > MIN_RTT_WINDOW_PS:
        r["min_rtt_ps"] = rtt_ps
        r["min_rtt_at_ps"] = t_ps


@inner
@kernel
def take_sack_blocks(r: Any, t_ps: int, a: Any, segment: Any) -> None:
    """Mark what the SACK blocks of an ACK report, in ascending order.

    Parts that the last ACK had already are skipped, so an ACK costs what is new in it.
    `sacked_first_ps` and `sacked_last_ps` get the send times of the first and last original
    (never retransmitted) segment that is newly reported, or -1.
    """
    cache = r["sack_cache"]
    count: Any = np.int64(a["block_count"])
    done: Any = np.int64(-1)
    for _ in range(count):
        i = _lowest_block_above(a, count, done)
        done = np.int64(a["blocks"][i, 0])
        low = max(done, r["una_seq"])
        high = np.int64(a["blocks"][i, 1])
        for j in range(SACK_BLOCKS):
            if cache[j, 0] <= low and low < cache[j, 1]:
                low = min(cache[j, 1], high)
            if cache[j, 0] < high and high <= cache[j, 1]:
                high = max(cache[j, 0], low)
        for seq in range(low, high):
            _mark_sacked(r, t_ps, seq, segment)
    for i in range(SACK_BLOCKS):
        is_there = i < count
        cache[i, 0] = a["blocks"][i, 0] if is_there else 0
        cache[i, 1] = a["blocks"][i, 1] if is_there else 0


@inner
@kernel
def _lowest_block_above(a: Any, count: int, done: int) -> int:
    """Return the index of the block with the lowest start above `done`."""
    lowest = 0
    lowest_start = NEVER_PS
    for i in range(count):
        start: Any = np.int64(a["blocks"][i, 0])
        if done < start < lowest_start:
            lowest_start = start
            lowest = i
    return lowest


@inner
@kernel
def _mark_sacked(r: Any, t_ps: int, seq: int, segment: Any) -> None:
    """Mark one segment as arrived above a hole, unless it was known."""
    s = segment[r["seg_off"] + (seq & r["seg_mask"])]
    flags = s["flags"]
    if flags & SACKED:
        return
    sent_ps = s["sent_ps"]
    _advance_rack(r, t_ps, seq, sent_ps, flags & EVER_RETRANSMITTED != 0)
    if flags & EVER_RETRANSMITTED == 0:
        r["sacked_last_ps"] = sent_ps
        if r["sacked_first_ps"] < 0:
            r["sacked_first_ps"] = sent_ps
        if seq < r["highest_sacked_seq"]:
            note_reordering(r, seq)
        if seq < r["high_seq"]:
            r["ack_flags"] |= ORIGINAL_ACKED
    if flags & RETRANSMITTED:
        # The report may be about the original or the retransmission: neither is in flight.
        r["retransmitted_out"] -= 1
        _unlink(r, seq, segment)
    if flags & LOST:
        r["lost_out"] -= 1
    flags = flags & (KEEP_FLAGS ^ LOST ^ RETRANSMITTED)
    s["flags"] = flags | SACKED
    r["sacked_out"] += 1
    r["delivered_count"] += 1
    if r["congestion_control"] == BBR:
        note_delivered(r, seq, s)
    r["ack_flags"] |= DATA_SACKED
    r["highest_sacked_seq"] = max(r["highest_sacked_seq"], seq)


@inner
@kernel
def take_cumulative(r: Any, t_ps: int, cumulative_seq: int, segment: Any) -> None:
    """Drop the segments below the cumulative ACK.

    `acked_first_ps` and `acked_last_ps` get the send times of the first and last original
    segment, or -1 (also if a retransmission is among them: Karn's rule).
    """
    reordered_seq = cumulative_seq
    for seq in range(r["una_seq"], cumulative_seq):
        s = segment[r["seg_off"] + (seq & r["seg_mask"])]
        flags = s["flags"]
        sent_ps = s["sent_ps"]
        if flags & EVER_RETRANSMITTED:
            if flags & RETRANSMITTED:
                r["retransmitted_out"] -= 1
                _unlink(r, seq, segment)
            r["ack_flags"] |= RETRANSMISSION_ACKED
        elif flags & SACKED == 0:
            r["acked_last_ps"] = sent_ps
            if r["acked_first_ps"] < 0:
                r["acked_first_ps"] = sent_ps
            reordered_seq = min(reordered_seq, seq)
            if seq < r["high_seq"]:
                r["ack_flags"] |= ORIGINAL_ACKED
        if flags & SACKED:
            r["sacked_out"] -= 1
        else:
            r["delivered_count"] += 1
            if r["congestion_control"] == BBR:
                note_delivered(r, seq, s)
            _advance_rack(r, t_ps, seq, sent_ps, flags & EVER_RETRANSMITTED != 0)
        if flags & LOST:
            r["lost_out"] -= 1
        s["flags"] = 0
    if reordered_seq < min(cumulative_seq, r["highest_sacked_seq"]):
        note_reordering(r, reordered_seq)
    r["una_seq"] = cumulative_seq
    r["judged_seq"] = max(r["judged_seq"], cumulative_seq)
    r["retransmit_seq"] = max(r["retransmit_seq"], cumulative_seq)
    r["highest_sacked_seq"] = max(r["highest_sacked_seq"], cumulative_seq)
    if r["ack_flags"] & RETRANSMISSION_ACKED:
        r["acked_first_ps"] = -1
        r["acked_last_ps"] = -1


@inner
@kernel
def note_reordering(r: Any, seq: int) -> None:
    """Note that an original arrived after later ones (Linux tcp_check_sack_reordering)."""
    distance = r["highest_sacked_seq"] - seq
    if distance > 0:
        if distance > r["reordering_segments"]:
            r["reordering_segments"] = min(distance, REORDERING_MAX_SEGMENTS)
        r["reordering_seen"] += 1


@inner
@kernel
def take_duplicate(r: Any, duplicate_seq: int) -> None:
    """Take in a D-SACK: one retransmission was not needed (RFC 2883, RFC 3708)."""
    r["ack_flags"] |= DUPLICATE_SEEN
    if r["undo_seq"] != NO_SEQ and duplicate_seq >= r["undo_seq"]:
        r["undo_retransmissions"] = max(r["undo_retransmissions"] - 1, 0)
    # RFC 8985 section 6.2: widen the reordering window, once per round trip.
    if r["reordering_seen"] > 0 and r["una_seq"] >= r["reo_delivered"]:
        r["reo_steps"] = min(r["reo_steps"] + 1, REO_STEPS_MAX)
        r["reo_delivered"] = r["next_seq"]
        r["reo_persist"] = REO_PERSIST


@inner
@kernel
def _advance_rack(r: Any, t_ps: int, seq: int, sent_ps: int, is_retransmission: bool) -> None:
    """Keep the send time of the segment sent last among those that arrived (RFC 8985 step 2)."""
    if sent_ps < r["rack_ps"] or (sent_ps == r["rack_ps"] and seq < r["rack_seq"]):
        return
    rtt_ps = t_ps - sent_ps
    if is_retransmission and rtt_ps < r["min_rtt_ps"]:
        return  # it was the original that arrived
    r["rack_rtt_ps"] = rtt_ps
    r["rack_ps"] = sent_ps
    r["rack_seq"] = seq
    r["rack_advanced"] = 1


@inner
@kernel
def reordering_window_ps(r: Any) -> int:
    """Return how long RACK waits for a reordered segment (Linux tcp_rack_reo_wnd)."""
    if r["reordering_seen"] == 0 and (
        r["state"] >= RECOVERY or r["sacked_out"] >= r["reordering_segments"]
    ):
        return 0
    if r["min_rtt_ps"] == NEVER_PS:
        return 0
    return int(min((r["min_rtt_ps"] >> 2) * r["reo_steps"], r["srtt_8th_ps"] >> 3))


@lean
@kernel
def detect_losses(r: Any, t_ps: int, segment: Any) -> int:
    """Mark what is lost by the flow's rule; return how long RACK must wait for the rest, or 0."""
    if r["use_rack"] == 0:
        _detect_by_sack(r, segment)
        return 0
    if r["rack_advanced"] == 0:
        return 0
    r["rack_advanced"] = 0
    return detect_by_time(r, t_ps, segment)


@lean
@kernel
def detect_by_time(r: Any, t_ps: int, segment: Any) -> int:
    """RACK: lost is what was sent before something that arrived, and waited long enough."""
    allowed_ps = r["rack_rtt_ps"] + reordering_window_ps(r)
    wait_ps = 0
    offset, mask = r["seg_off"], r["seg_mask"]
    seq = max(r["judged_seq"], r["una_seq"])
    is_settled = True
    while seq < r["next_seq"]:
        s = segment[offset + (seq & mask)]
        if s["flags"] & (SACKED | LOST | EVER_RETRANSMITTED) == 0:
            if not _sent_before_rack(r, seq, s["sent_ps"]):
                break
            remaining_ps = allowed_ps - (t_ps - s["sent_ps"])
            if remaining_ps <= 0:
                mark_lost(r, seq, segment)
            else:
                wait_ps = max(wait_ps, remaining_ps)
                is_settled = False
        seq += 1
        if is_settled:
            r["judged_seq"] = seq
    seq = r["first_rtx_seq"]
    while seq != NO_SEQ:
        s = segment[offset + (seq & mask)]
        if not _sent_before_rack(r, seq, s["sent_ps"]):
            break
        following = _later(r, seq, segment)
        remaining_ps = allowed_ps - (t_ps - s["sent_ps"])
        if remaining_ps > 0:
            wait_ps = max(wait_ps, remaining_ps)
        else:
            mark_lost(r, seq, segment)
        seq = following
    return int(wait_ps)


@inner
@kernel
def _sent_before_rack(r: Any, seq: int, sent_ps: int) -> bool:
    return bool(sent_ps < r["rack_ps"] or (sent_ps == r["rack_ps"] and seq < r["rack_seq"]))


@inner
@kernel
def _detect_by_sack(r: Any, segment: Any) -> None:
    """RFC 6675 IsLost: lost is what has three SACKed segments above it."""
    if r["sacked_out"] < DUPLICATE_THRESHOLD:
        return
    offset, mask = r["seg_off"], r["seg_mask"]
    edge = r["highest_sacked_seq"]
    found = 0
    while edge > r["una_seq"]:
        if segment[offset + (edge & mask)]["flags"] & SACKED:
            found += 1
            if found == DUPLICATE_THRESHOLD:
                break
        edge -= 1
    for seq in range(max(r["judged_seq"], r["una_seq"]), edge):
        if segment[offset + (seq & mask)]["flags"] & (SACKED | LOST | EVER_RETRANSMITTED) == 0:
            mark_lost(r, seq, segment)
    r["judged_seq"] = max(r["judged_seq"], edge)


@lean
@kernel
def mark_lost(r: Any, seq: int, segment: Any) -> None:
    """Count a segment as lost and due for retransmission."""
    s = segment[r["seg_off"] + (seq & r["seg_mask"])]
    flags = s["flags"]
    if flags & RETRANSMITTED:
        r["retransmitted_out"] -= 1
        _unlink(r, seq, segment)
        flags = flags & (KEEP_FLAGS ^ RETRANSMITTED)
        r["ack_flags"] |= RETRANSMISSION_LOST
    elif flags & LOST:
        return
    if flags & LOST == 0:
        r["lost_out"] += 1
    r["lost_count"] += 1
    s["flags"] = flags | LOST
    r["retransmit_seq"] = min(r["retransmit_seq"], seq)


@inner
@kernel
def mark_lost_by_timeout(r: Any, t_ps: int, segment: Any) -> None:
    """Count all as lost at a timeout; RACK spares what was sent within the last RTT."""
    for seq in range(r["una_seq"], r["next_seq"]):
        s = segment[r["seg_off"] + (seq & r["seg_mask"])]
        if s["flags"] & SACKED:
            continue
        is_recent = s["sent_ps"] + r["rack_rtt_ps"] > t_ps
        if seq != r["una_seq"] and r["use_rack"] != 0 and is_recent:
            continue
        mark_lost(r, seq, segment)
    r["judged_seq"] = r["una_seq"]
    r["retransmit_seq"] = r["una_seq"]


@inner
@kernel
def forgive_losses(r: Any, segment: Any) -> None:
    """Take back all loss marks: the reduction was a mistake (Linux unmark_loss)."""
    for seq in range(r["una_seq"], r["next_seq"]):
        s = segment[r["seg_off"] + (seq & r["seg_mask"])]
        s["flags"] = s["flags"] & (KEEP_FLAGS ^ LOST)
    r["lost_out"] = 0
    r["judged_seq"] = r["una_seq"]


@lean
@kernel
def next_lost_seq(r: Any, segment: Any) -> int:
    """Return the first lost segment that waits for its retransmission, or -1.

    Nothing below `retransmit_seq` waits, so a flow looks at each segment about once.
    """
    if r["lost_out"] == 0:
        return NO_SEQ
    seq = max(r["retransmit_seq"], r["una_seq"])
    offset, mask = r["seg_off"], r["seg_mask"]
    while seq < r["next_seq"]:
        flags = segment[offset + (seq & mask)]["flags"]
        if flags & (LOST | SACKED | RETRANSMITTED) == LOST:
            r["retransmit_seq"] = seq
            return int(seq)
        seq += 1
    r["retransmit_seq"] = seq
    return NO_SEQ


@inner
@kernel
def last_unsacked_seq(r: Any, segment: Any) -> int:
    """Return the last segment in flight that is not known to have arrived."""
    seq = r["next_seq"] - 1
    while seq > r["una_seq"]:
        if segment[r["seg_off"] + (seq & r["seg_mask"])]["flags"] & SACKED == 0:
            break
        seq -= 1
    return int(seq)


@lean
@kernel
def note_retransmission(r: Any, t_ps: int, seq: int, segment: Any) -> None:
    """Put a segment that is sent again at the end of the list of retransmissions."""
    s = segment[r["seg_off"] + (seq & r["seg_mask"])]
    if s["flags"] & RETRANSMITTED:
        _unlink(r, seq, segment)
    else:
        r["retransmitted_out"] += 1
    s["flags"] = s["flags"] | RETRANSMITTED | EVER_RETRANSMITTED
    s["sent_ps"] = t_ps
    s["retransmissions"] = min(np.int64(s["retransmissions"]) + 1, 255)
    last = r["last_rtx_seq"]
    s["earlier_seq"] = seq if last == NO_SEQ else last
    s["later_seq"] = seq
    if last == NO_SEQ:
        r["first_rtx_seq"] = seq
    else:
        segment[r["seg_off"] + (last & r["seg_mask"])]["later_seq"] = seq
    r["last_rtx_seq"] = seq
    if r["first_retransmission_ps"] == 0:
        r["first_retransmission_ps"] = t_ps
    r["undo_retransmissions"] = max(r["undo_retransmissions"], 0) + 1


@inner
@kernel
def _later(r: Any, seq: int, segment: Any) -> int:
    """Return the retransmission after this one in order of time, or -1 at the end."""
    following: Any = np.int64(segment[r["seg_off"] + (seq & r["seg_mask"])]["later_seq"])
    return NO_SEQ if following == seq else following


@inner
@kernel
def _unlink(r: Any, seq: int, segment: Any) -> None:
    """Take a segment out of the list of retransmissions; an end points to itself."""
    offset, mask = r["seg_off"], r["seg_mask"]
    s = segment[offset + (seq & mask)]
    earlier = np.int64(s["earlier_seq"])
    later = np.int64(s["later_seq"])
    is_first = earlier == seq
    is_last = later == seq
    if is_first:
        r["first_rtx_seq"] = NO_SEQ if is_last else later
    else:
        segment[offset + (earlier & mask)]["later_seq"] = earlier if is_last else later
    if is_last:
        r["last_rtx_seq"] = NO_SEQ if is_first else earlier
    else:
        segment[offset + (later & mask)]["earlier_seq"] = later if is_first else earlier


@inner
@kernel
def start_undo(r: Any) -> None:
    """Remember where a reduction began, to take it back if it proves wrong."""
    r["undo_seq"] = r["una_seq"] if r["use_undo"] != 0 else NO_SEQ
    out = r["retransmitted_out"]
    r["undo_retransmissions"] = out if out > 0 else -1


@inner
@kernel
def was_only_late(r: Any, echo_ps: int) -> bool:
    """Eifel (RFC 3522): the ACK echoes a time stamp older than the first retransmission."""
    first_ps = r["first_retransmission_ps"]
    if first_ps == 0:
        return True
    return bool(echo_ps // TIMESTAMP_PS < first_ps // TIMESTAMP_PS)


@inner
@kernel
def may_undo(r: Any, echo_ps: int) -> bool:
    """Whether nothing of what was retransmitted had been lost."""
    return bool(
        r["undo_seq"] != NO_SEQ and (r["undo_retransmissions"] == 0 or was_only_late(r, echo_ps))
    )


@inner
@kernel
def undo_reduction(r: Any) -> None:
    """Give the window and ssthresh of before the reduction back."""
    if r["congestion_control"] == BBR:
        note_undo(r)
    elif r["prior_ssthresh_segments"] > 0:
        r["cwnd_segments"] = max(r["cwnd_segments"], r["prior_cwnd_segments"])
        r["ssthresh_segments"] = max(r["ssthresh_segments"], r["prior_ssthresh_segments"])
    r["undo_seq"] = NO_SEQ
    r["rack_advanced"] = 1
