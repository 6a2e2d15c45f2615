"""Congestion windows: NewReno, CUBIC with HyStart, and the reduction of a window (PRR).

All functions work on one FLOW record `r`. Windows are whole segments, as in Linux: growth below
one segment collects in `cwnd_credit`.

CUBIC, RFC 9438: with the time t since the last reduction, one RTT ahead,

    W(t) = C (t - K)^3 + W_max,    K = cbrt((W_max - cwnd) / C),

and the window grows by (W(t) - cwnd) / cwnd per segment acknowledged, at least as fast as the
Reno estimate, at most by one segment for two. As in Linux 6.12 (`tcp_cubic.c`): W is looked at
when the window changed or every 1/32 s, on the clock's ticks; W_max is forgotten at a timeout and
the window then grows by at least one segment for 20; the Reno estimate grows by
3 (1 - beta) / (1 + beta) segments per RTT for ever (RFC 9438 lets it grow by 1 above W_max).
"""

from __future__ import annotations

from typing import Any, Final

from kernels._jit import inner, kernel, lean
from kernels.bbr import save_window
from kernels.tcp_state import (
    BBR,
    DATA_ACKED,
    INFINITE_SSTHRESH,
    MILLISECOND_PS,
    NEVER_PS,
    NEWRENO,
    SECOND_PS,
)

CUBIC_STEPS_PER_S: Final = 1024
"""Linux BICTCP_HZ: K and t count in 1/1024 s."""
CUBIC_UPDATE_PS: Final = SECOND_PS // 32
CUBIC_BLIND_GROWTH_SEGMENTS: Final = 20
"""Linux: while no W_max is known, the window grows by 5 % per RTT or more."""
CUBIC_FASTEST_GROWTH_SEGMENTS: Final = 2
"""Linux: at most one segment for two acknowledged."""
CUBIC_SLOWEST_GROWTH_FACTOR: Final = 100
CUBIC_LONGEST_STEPS: Final = 1 << 20
"""Clamp of t - K, some 17 minutes."""

# HyStart, Linux 6.12 tcp_cubic.c (after Ha and Rhee 2011; RFC 9406 changes the details).
HYSTART_LOW_SEGMENTS: Final = 16
HYSTART_SAMPLES: Final = 8
HYSTART_ACK_GAP_PS: Final = 2 * MILLISECOND_PS
HYSTART_DELAY_MIN_PS: Final = 4 * MILLISECOND_PS
HYSTART_DELAY_MAX_PS: Final = 16 * MILLISECOND_PS
HYSTART_CUSHION_MAX_PS: Final = MILLISECOND_PS
HYSTART_CUSHION_BYTES: Final = 4 * 65536
"""Linux: time of four largest offload packets at the pacing rate, at most 1 ms."""
DELAY_BLIND_PS: Final = SECOND_PS
"""Linux: RTT samples of the first second after a reduction are not looked at."""


@lean
@kernel
def grow_window(r: Any, t_ps: int, acked: int) -> None:
    """Open the window for `acked` segments (slow start, then congestion avoidance)."""
    cwnd = r["cwnd_segments"]
    ssthresh = r["ssthresh_segments"]
    if cwnd < ssthresh:
        # RFC 9293 and Linux: no growth that the sender has not made use of.
        if r["is_cwnd_limited"] == 0 and cwnd >= 2 * r["out_max_segments"]:
            return
        opened = min(cwnd + acked, ssthresh)
        r["cwnd_segments"] = opened
        acked -= opened - cwnd
        if acked == 0:
            return
        cwnd = opened
    elif r["is_cwnd_limited"] == 0:
        return
    if r["congestion_control"] == NEWRENO:
        _add_credit(r, cwnd, acked)
        return
    r["reno_credit"] += acked
    if cwnd != r["last_cwnd_segments"] or t_ps - r["last_update_ps"] > CUBIC_UPDATE_PS:
        _update_cubic(r, t_ps, cwnd, acked)
    _add_credit(r, r["growth_count"], acked)


@inner
@kernel
def _add_credit(r: Any, count: int, acked: int) -> None:
    """Grow by one segment for `count` acknowledged ones."""
    credit = r["cwnd_credit"]
    if credit >= count:
        # Linux: credit collected at a slower growth is worth one segment.
        credit = 0
        r["cwnd_segments"] += 1
    credit += acked
    if credit >= count:
        r["cwnd_segments"] += credit // count
        credit %= count
    r["cwnd_credit"] = credit


@inner
@kernel
def _update_cubic(r: Any, t_ps: int, cwnd: int, acked: int) -> None:
    """Work out after how many acknowledged segments the window grows by one."""
    now_ps = on_tick_ps(r, t_ps)
    if r["epoch_ps"] == NEVER_PS or now_ps != r["last_update_ps"]:
        r["last_cwnd_segments"] = cwnd
        r["last_update_ps"] = now_ps
        if r["epoch_ps"] == NEVER_PS:
            _start_epoch(r, now_ps, cwnd, acked)
        delay_ps = on_tick_ps(r, r["delay_min_ps"] + max(r["tick_ps"] - 1, 0))
        steps = (now_ps - r["epoch_ps"] + delay_ps) // (SECOND_PS // CUBIC_STEPS_PER_S)
        steps = min(steps - r["k_1024th_s"], CUBIC_LONGEST_STEPS)
        ahead_s = steps / CUBIC_STEPS_PER_S
        target = r["origin_segments"] + int(r["cubic_c"] * ahead_s * ahead_s * ahead_s)
        count = CUBIC_SLOWEST_GROWTH_FACTOR * cwnd
        if target > cwnd:
            count = cwnd // (target - cwnd)
        if r["last_max_segments"] == 0:
            count = min(count, CUBIC_BLIND_GROWTH_SEGMENTS)
        r["growth_count"] = count
    count = r["growth_count"]
    if r["use_reno_region"] != 0:
        count = _follow_reno(r, cwnd, count)
    r["growth_count"] = max(count, CUBIC_FASTEST_GROWTH_SEGMENTS)


@inner
@kernel
def _start_epoch(r: Any, now_ps: int, cwnd: int, acked: int) -> None:
    """Begin a new stretch of the cubic curve at the current window."""
    r["epoch_ps"] = now_ps
    r["reno_credit"] = acked
    r["reno_segments"] = cwnd
    r["k_1024th_s"] = 0
    r["origin_segments"] = cwnd
    if r["last_max_segments"] > cwnd:
        r["origin_segments"] = r["last_max_segments"]
        steps = CUBIC_STEPS_PER_S
        cube = (r["last_max_segments"] - cwnd) / r["cubic_c"] * steps * steps * steps
        r["k_1024th_s"] = cube_root(int(cube))


@inner
@kernel
def _follow_reno(r: Any, cwnd: int, count: int) -> int:
    """Let the Reno estimate catch up and bound `count` by it (RFC 9438 section 4.3)."""
    beta = r["cubic_beta"]
    per_segment = max(int(cwnd * (1.0 + beta) / (3.0 * (1.0 - beta))), 1)
    if r["reno_credit"] > per_segment:
        grown = (r["reno_credit"] - 1) // per_segment
        r["reno_credit"] -= grown * per_segment
        r["reno_segments"] += grown
    if r["reno_segments"] > cwnd:
        count = min(count, cwnd // (r["reno_segments"] - cwnd))
    return int(count)


@lean
@kernel
def cube_root(value: int) -> int:
    """Return the whole part of the cube root of a whole number from 0 to 2**62.

    Newton's method on integers from above; exact, the same bits everywhere.
    """
    if value < 1:
        return 0
    bits = 0
    while value >> bits != 0:
        bits += 1
    root = 1 << (bits + 2) // 3
    while True:
        better = (2 * root + value // (root * root)) // 3
        if better >= root:
            return root
        root = better


@lean
@kernel
def reduced_window(r: Any) -> int:
    """Return the window after a loss and note it for the next growth (Linux `ssthresh`)."""
    cwnd = r["cwnd_segments"]
    if r["congestion_control"] == BBR:
        save_window(r)
        return int(r["ssthresh_segments"])
    if r["congestion_control"] == NEWRENO:
        return max(int(cwnd * r["newreno_beta"]), 2)
    r["epoch_ps"] = NEVER_PS
    beta = r["cubic_beta"]
    if cwnd < r["last_max_segments"] and r["use_fast_convergence"] != 0:
        r["last_max_segments"] = int(cwnd * (1.0 + beta) / 2.0)
    else:
        r["last_max_segments"] = cwnd
    return max(int(cwnd * beta), 2)


@inner
@kernel
def forget_curve(r: Any, t_ps: int) -> None:
    """Begin anew after a timeout (Linux bictcp_reset)."""
    r["growth_count"] = 0
    r["last_max_segments"] = 0
    r["last_cwnd_segments"] = 0
    r["last_update_ps"] = 0
    r["origin_segments"] = 0
    r["k_1024th_s"] = 0
    r["delay_min_ps"] = 0
    r["epoch_ps"] = NEVER_PS
    r["reno_credit"] = 0
    r["reno_segments"] = 0
    r["hystart_found"] = 0
    start_round(r, t_ps)


@lean
@kernel
def watch_delay(r: Any, t_ps: int, rtt_ps: int) -> None:
    """Take an RTT sample into CUBIC's least delay and, in slow start, into HyStart."""
    if r["epoch_ps"] != NEVER_PS and t_ps - r["epoch_ps"] < DELAY_BLIND_PS:
        return
    if rtt_ps < r["delay_min_ps"] or r["delay_min_ps"] == 0:
        r["delay_min_ps"] = rtt_ps
    if r["cwnd_segments"] >= r["ssthresh_segments"]:
        return
    if r["hystart_found"] != 0 or r["use_hystart"] == 0:
        return
    _watch_slow_start(r, t_ps, rtt_ps)


@inner
@kernel
def start_round(r: Any, t_ps: int) -> None:
    """Begin a HyStart round: it ends when what is now in flight is acknowledged."""
    r["hystart_round_ps"] = t_ps
    r["hystart_ack_ps"] = t_ps
    r["hystart_end_seq"] = r["next_seq"]
    r["hystart_rtt_ps"] = NEVER_PS
    r["hystart_samples"] = 0


@inner
@kernel
def _watch_slow_start(r: Any, t_ps: int, rtt_ps: int) -> None:
    """End slow start when ACKs come in a train of half an RTT, or when the delay has grown."""
    if r["una_seq"] > r["hystart_end_seq"]:
        start_round(r, t_ps)
    if r["cwnd_segments"] < HYSTART_LOW_SEGMENTS:
        return
    least_ps = r["delay_min_ps"]
    if t_ps - r["hystart_ack_ps"] <= HYSTART_ACK_GAP_PS:
        r["hystart_ack_ps"] = t_ps
        # Linux: the pacing rate in slow start is two windows per RTT.
        rate_segments = 2 * max(r["cwnd_segments"], r["next_seq"] - r["una_seq"])
        srtt_ps = r["srtt_8th_ps"] >> 3
        cushion_ps = HYSTART_CUSHION_BYTES * (srtt_ps // (rate_segments * r["mss_bytes"]))
        threshold_ps = (least_ps + min(cushion_ps, HYSTART_CUSHION_MAX_PS)) >> 1
        if t_ps - r["hystart_round_ps"] > threshold_ps:
            r["hystart_found"] = 1
    r["hystart_rtt_ps"] = min(r["hystart_rtt_ps"], rtt_ps)
    if r["hystart_samples"] < HYSTART_SAMPLES:
        r["hystart_samples"] += 1
    else:
        allowed_ps = min(max(least_ps >> 3, HYSTART_DELAY_MIN_PS), HYSTART_DELAY_MAX_PS)
        if r["hystart_rtt_ps"] > least_ps + allowed_ps:
            r["hystart_found"] = 1
    if r["hystart_found"] != 0:
        r["ssthresh_segments"] = r["cwnd_segments"]


@inner
@kernel
def on_tick_ps(r: Any, t_ps: int) -> int:
    """Return the last tick of the flow's clock, or the time itself without ticks."""
    tick_ps = r["tick_ps"]
    if tick_ps == 0:
        return t_ps
    return int(t_ps // tick_ps * tick_ps)


@lean
@kernel
def begin_reduction(r: Any) -> None:
    """Start to reduce the window after a loss (Linux tcp_init_cwnd_reduction)."""
    r["high_seq"] = r["next_seq"]
    r["probe_seq"] = -1
    r["cwnd_credit"] = 0
    r["prior_cwnd_segments"] = r["cwnd_segments"]
    r["prr_delivered"] = 0
    r["prr_out"] = 0
    r["ssthresh_segments"] = reduced_window(r)


@lean
@kernel
def reduce_window(r: Any, pipe: int, delivered: int, lost: int) -> None:
    """Proportional Rate Reduction (RFC 6937, slow start reduction bound as in Linux).

    Above ssthresh the window falls in step with what is delivered; below it grows by what is
    delivered, and by one more for an ACK that advances without a new loss.
    """
    if delivered <= 0:
        return
    ssthresh = r["ssthresh_segments"]
    if r["use_prr"] == 0:
        # RFC 6675: half the window (or beta times it) at once.
        r["cwnd_segments"] = max(ssthresh, pipe + (1 if r["prr_out"] == 0 else 0))
        r["prr_delivered"] += delivered
        return
    r["prr_delivered"] += delivered
    room = ssthresh - pipe
    if room < 0:
        prior = r["prior_cwnd_segments"]
        count = (ssthresh * r["prr_delivered"] + prior - 1) // prior - r["prr_out"]
    else:
        count = max(r["prr_delivered"] - r["prr_out"], delivered)
        if r["ack_flags"] & DATA_ACKED and lost == 0:
            count += 1
        count = min(room, count)
    if r["prr_out"] == 0:
        count = max(count, 1)  # the first retransmission of a recovery always goes out
    r["cwnd_segments"] = pipe + max(count, 0)


@inner
@kernel
def end_reduction(r: Any) -> None:
    """Set the window to ssthresh at the end of a reduction."""
    if r["ssthresh_segments"] < INFINITE_SSTHRESH and r["congestion_control"] != BBR:
        r["cwnd_segments"] = r["ssthresh_segments"]
