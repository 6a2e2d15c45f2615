"""BBR version 1: delivery-rate samples, the model of the path, pacing rate and window.

The sender keeps the largest delivery rate of the last ten round trips and the least RTT of the
last ten seconds, paces at gain x rate and lets 2 x rate x RTT be in flight. Four modes: STARTUP
doubles the rate per round until it grows by less than a quarter for three rounds; DRAIN empties
the queue; PROBE_BW cycles through eight gains of one RTT each; PROBE_RTT lowers the window to
four segments for 200 ms when the least RTT is ten seconds old.

Rates are float64 segments per second, times int64 picoseconds. All functions work on one FLOW
record `r`. The phase in which PROBE_BW begins is drawn from `random_key` and a counter.

Sources: Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016;
draft-cheng-iccrg-delivery-rate-estimation; numbers and order of steps as in Linux 6.12
(`tcp_bbr.c`, `tcp_rate.c`). Not modelled: restart after idle time.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from kernels._jit import inner, kernel, lean
from kernels.tcp_state import (
    LOSS,
    MILLISECOND_PS,
    NEVER_PS,
    RECOVERY,
    SACKED,
    SECOND_PS,
)

STARTUP: Final = 0
DRAIN: Final = 1
PROBE_BW: Final = 2
PROBE_RTT: Final = 3

HIGH_GAIN: Final = 739 / 256
"""2 / ln 2: the least gain that doubles the rate every round."""
DRAIN_GAIN: Final = 88 / 256
CWND_GAIN: Final = 2.0
PROBE_UP_GAIN: Final = 1.25
PROBE_DOWN_GAIN: Final = 0.75
CYCLE_PHASES: Final = 8
CYCLE_RANDOM_PHASES: Final = 7
RATE_ROUNDS: Final = CYCLE_PHASES + 2
MIN_RTT_PS: Final = 10 * SECOND_PS
PROBE_RTT_PS: Final = 200 * MILLISECOND_PS
LEAST_CWND: Final = 4
INITIAL_CWND: Final = 10
FULL_RATE_GROWTH: Final = 1.25
FULL_RATE_ROUNDS: Final = 3
PACING_MARGIN: Final = 0.99
UNPACED_SEGMENTS: Final = 10
BURST_BYTES_MOST: Final = 65_535 - 320
BURST_STEPS_PER_S: Final = 1024
SLOW_RATE_BPS: Final = 1_200_000 / 8
EXTRA_ROUNDS: Final = 5
EXTRA_RESET: Final = 1 << 20
EXTRA_S: Final = 0.1
# Detection of a policer ("long-term rate").
POLICER_ROUNDS_LEAST: Final = 4
POLICER_LOSS: Final = 50 / 256
POLICER_TOLERANCE: Final = 1 / 8
POLICER_TOLERANCE_BYTES_PER_S: Final = 4000 / 8
POLICER_ROUNDS_MOST: Final = 48
GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@inner
@kernel
def start_bbr(r: Any, t_ps: int) -> None:
    """Set BBR up at the start of the connection."""
    r["bbr_min_rtt_ps"] = r["min_rtt_ps"]
    r["bbr_min_rtt_at_ps"] = t_ps
    r["bbr_epoch_ps"] = t_ps
    r["bbr_cycle_ps"] = 0
    r["pace_due_ps"] = NEVER_PS
    rtt_ps = r["srtt_8th_ps"] >> 3
    if rtt_ps == 0:
        rtt_ps = MILLISECOND_PS
    r["pacing_pps"] = HIGH_GAIN * PACING_MARGIN * r["cwnd_segments"] / rtt_ps * SECOND_PS
    _set_gains(r)


@inner
@kernel
def note_sent(r: Any, t_ps: int, s: Any) -> None:
    """Keep with a segment how far delivery was when it was sent (tcp_rate_skb_sent)."""
    if r["next_seq"] == r["una_seq"]:
        r["first_sent_ps"] = t_ps
        r["delivered_ps"] = t_ps
    s["first_sent_ps"] = r["first_sent_ps"]
    s["delivered_ps"] = r["delivered_ps"]
    s["delivered"] = r["delivered_count"]
    s["is_app_limited"] = r["app_limited"] != 0


@inner
@kernel
def note_delivered(r: Any, seq: int, s: Any) -> None:
    """Let a delivered segment take part in the rate sample (tcp_rate_skb_delivered).

    The newest transmission among those that an ACK delivers decides.
    """
    if s["delivered_ps"] < 0:
        return
    sent_ps = s["sent_ps"]
    if (
        r["rate_prior_ps"] < 0
        or sent_ps > r["first_sent_ps"]
        or (sent_ps == r["first_sent_ps"] and seq > r["rate_seq"])
    ):
        r["rate_prior_delivered"] = np.int64(s["delivered"])
        r["rate_prior_ps"] = s["delivered_ps"]
        r["rate_is_app_limited"] = np.int64(s["is_app_limited"])
        r["rate_seq"] = seq
        r["rate_interval_ps"] = sent_ps - s["first_sent_ps"]
        r["first_sent_ps"] = sent_ps
    if s["flags"] & SACKED:
        s["delivered_ps"] = -1  # it will not count again when it is acknowledged


@inner
@kernel
def begin_sample(r: Any, pipe: int) -> None:
    """Forget the last rate sample before an ACK is taken in."""
    r["rate_prior_ps"] = -1
    r["rate_prior_pipe"] = pipe


@inner
@kernel
def run_bbr(r: Any, t_ps: int, pipe: int, delivered: int, lost: int, rtt_ps: int) -> None:
    """Update model, pacing rate and window after an ACK (bbr_main).

    `delivered` and `lost` are the segments that this ACK delivered and marked lost; `rtt_ps` is
    its RTT sample or -1.
    """
    if r["app_limited"] != 0 and r["delivered_count"] > r["app_limited"]:
        r["app_limited"] = 0
    if delivered > 0:
        r["delivered_ps"] = t_ps
    has_sample = r["rate_prior_ps"] >= 0
    interval_ps = -1
    if has_sample:
        interval_ps = max(r["rate_interval_ps"], t_ps - r["rate_prior_ps"])
        has_sample = interval_ps >= r["min_rtt_ps"] and interval_ps > 0
    r["bbr_round_start"] = 0
    if has_sample:
        _take_rate(r, interval_ps, lost)
        _watch_aggregation(r, delivered)
    if r["bbr_mode"] == PROBE_BW and _is_phase_over(r, t_ps, lost):
        _next_phase(r)
    _check_full_rate(r, has_sample)
    _check_drain(r, t_ps, pipe)
    _update_min_rtt(r, t_ps, pipe, delivered, rtt_ps)
    _set_gains(r)
    _set_pacing(r)
    _set_window(r, pipe, delivered, lost)


@inner
@kernel
def bbr_rate_pps(r: Any) -> float:
    """Return the rate that BBR believes in, in segments per second."""
    if r["bbr_uses_policer_rate"] != 0:
        return float(r["bbr_policer_pps"])
    return float(r["rate_max_pps"][0])


@inner
@kernel
def _take_rate(r: Any, interval_ps: int, lost: int) -> None:
    """Count round trips and put the sample into the filter of the largest rate."""
    if r["rate_prior_delivered"] >= r["bbr_round_delivered"]:
        r["bbr_round_delivered"] = r["delivered_count"]
        r["bbr_round_count"] += 1
        r["bbr_round_start"] = 1
        r["bbr_conserves"] = 0
    watch_policer(r, lost)
    rate_pps = (r["delivered_count"] - r["rate_prior_delivered"]) / interval_ps * SECOND_PS
    if r["rate_is_app_limited"] == 0 or rate_pps >= r["rate_max_pps"][0]:
        _filter_rate(r, rate_pps)


@lean
@kernel
def _filter_rate(r: Any, rate_pps: float) -> None:
    """Running maximum over a window of rounds in three estimates (Linux lib/minmax.c)."""
    best, when = r["rate_max_pps"], r["rate_max_round"]
    now = r["bbr_round_count"]
    if rate_pps >= best[0] or now - when[2] > RATE_ROUNDS:
        for i in range(3):
            best[i] = rate_pps
            when[i] = now
        return
    if rate_pps >= best[1]:
        for i in range(1, 3):
            best[i] = rate_pps
            when[i] = now
    elif rate_pps >= best[2]:
        best[2] = rate_pps
        when[2] = now
    age = now - when[0]
    if age > RATE_ROUNDS:
        _shift_rates(r)
        best[2] = rate_pps
        when[2] = now
        if now - when[0] > RATE_ROUNDS:
            _shift_rates(r)
            best[2] = rate_pps
            when[2] = now
    elif when[1] == when[0] and 4 * age > RATE_ROUNDS:
        for i in range(1, 3):
            best[i] = rate_pps
            when[i] = now
    elif when[2] == when[1] and 2 * age > RATE_ROUNDS:
        best[2] = rate_pps
        when[2] = now


@inner
@kernel
def _shift_rates(r: Any) -> None:
    for i in range(2):
        r["rate_max_pps"][i] = r["rate_max_pps"][i + 1]
        r["rate_max_round"][i] = r["rate_max_round"][i + 1]


@inner
@kernel
def _watch_aggregation(r: Any, delivered: int) -> None:
    """Estimate how many segments ACKs deliver beyond the rate (bbr_update_ack_aggregation)."""
    if delivered <= 0:
        return
    extra = r["bbr_extra"]
    if r["bbr_round_start"] != 0:
        r["bbr_extra_rounds"] += 1
        if r["bbr_extra_rounds"] >= EXTRA_ROUNDS:
            r["bbr_extra_rounds"] = 0
            r["bbr_extra_idx"] = 1 - r["bbr_extra_idx"]
            extra[r["bbr_extra_idx"]] = 0
    epoch_s = (r["delivered_ps"] - r["bbr_epoch_ps"]) / SECOND_PS
    expected = int(bbr_rate_pps(r) * epoch_s)
    if r["bbr_epoch_acked"] <= expected or r["bbr_epoch_acked"] + delivered >= EXTRA_RESET:
        r["bbr_epoch_acked"] = 0
        r["bbr_epoch_ps"] = r["delivered_ps"]
        expected = 0
    r["bbr_epoch_acked"] += delivered
    beyond = min(r["bbr_epoch_acked"] - expected, r["cwnd_segments"])
    extra[r["bbr_extra_idx"]] = max(extra[r["bbr_extra_idx"]], beyond)


@inner
@kernel
def _bdp_segments(r: Any, rate_pps: float, gain: float) -> int:
    """Return gain x rate x least RTT, rounded up."""
    if r["bbr_min_rtt_ps"] == NEVER_PS:
        return INITIAL_CWND
    product = gain * rate_pps * (r["bbr_min_rtt_ps"] / SECOND_PS)
    whole = int(product)
    return whole + 1 if product > whole else whole


@inner
@kernel
def _with_burst_budget(r: Any, cwnd: int) -> int:
    """Add room for three bursts, round up to even (bbr_quantization_budget)."""
    cwnd += 3 * burst_goal(r)
    cwnd = (cwnd + 1) // 2 * 2
    if r["bbr_mode"] == PROBE_BW and r["bbr_cycle_idx"] == 0:
        cwnd += 2
    return cwnd


@lean
@kernel
def burst_goal(r: Any) -> int:
    """Return the segments of one burst: 1/1024 s at the pacing rate, at least 2 (1 if slow)."""
    rate = r["pacing_pps"] * r["mss_bytes"]
    size = min(int(rate / BURST_STEPS_PER_S), BURST_BYTES_MOST) // r["mss_bytes"]
    return int(max(size, 1 if rate < SLOW_RATE_BPS else 2))


@inner
@kernel
def _inflight_goal(r: Any, gain: float) -> int:
    return _with_burst_budget(r, _bdp_segments(r, r["rate_max_pps"][0], gain))


@inner
@kernel
def _pipe_when_sent(r: Any, t_ps: int, pipe: int) -> int:
    """Return what will be in flight when pacing lets the next burst go."""
    wait_ps = max(r["pace_next_ps"] - t_ps, 0)
    if r["pacing_gain"] > 1.0:
        pipe += burst_goal(r)
    return int(max(pipe - int(bbr_rate_pps(r) * (wait_ps / SECOND_PS)), 0))


@inner
@kernel
def _is_phase_over(r: Any, t_ps: int, lost: int) -> bool:
    """Whether PROBE_BW goes on to its next gain (bbr_is_next_cycle_phase)."""
    is_long = r["delivered_ps"] - r["bbr_cycle_ps"] > r["bbr_min_rtt_ps"]
    gain = r["pacing_gain"]
    if gain == 1.0:
        return bool(is_long)
    pipe = _pipe_when_sent(r, t_ps, r["rate_prior_pipe"])
    if gain > 1.0:
        return bool(is_long and (lost > 0 or pipe >= _inflight_goal(r, gain)))
    return bool(is_long or pipe <= _inflight_goal(r, 1.0))


@inner
@kernel
def _next_phase(r: Any) -> None:
    r["bbr_cycle_idx"] = (r["bbr_cycle_idx"] + 1) % CYCLE_PHASES
    r["bbr_cycle_ps"] = r["delivered_ps"]


@inner
@kernel
def _start_probe_bw(r: Any) -> None:
    """Enter PROBE_BW in a random phase, but not the one that drains."""
    r["bbr_mode"] = PROBE_BW
    r["bbr_draws"] += 1
    draw = np.uint64(r["random_key"]) + np.uint64(r["bbr_draws"]) * GOLDEN
    draw = (draw ^ (draw >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    draw = (draw ^ (draw >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    draw = draw ^ (draw >> np.uint64(31))
    step = np.int64(draw >> np.uint64(33)) % CYCLE_RANDOM_PHASES
    r["bbr_cycle_idx"] = CYCLE_PHASES - 1 - step
    _next_phase(r)


@inner
@kernel
def _check_full_rate(r: Any, has_sample: bool) -> None:
    """Find out in STARTUP that the rate no longer grows: the pipe is full."""
    if r["bbr_is_full"] != 0 or r["bbr_round_start"] == 0:
        return
    if not has_sample or r["rate_is_app_limited"] != 0:
        return
    rate_pps = r["rate_max_pps"][0]
    if rate_pps >= FULL_RATE_GROWTH * r["bbr_full_pps"]:
        r["bbr_full_pps"] = rate_pps
        r["bbr_full_count"] = 0
        return
    r["bbr_full_count"] += 1
    r["bbr_is_full"] = r["bbr_full_count"] >= FULL_RATE_ROUNDS


@inner
@kernel
def _check_drain(r: Any, t_ps: int, pipe: int) -> None:
    """Leave STARTUP for DRAIN when the pipe is full, DRAIN for PROBE_BW when the queue is gone."""
    if r["bbr_mode"] == STARTUP and r["bbr_is_full"] != 0:
        r["bbr_mode"] = DRAIN
        r["ssthresh_segments"] = _inflight_goal(r, 1.0)
    if r["bbr_mode"] == DRAIN and _pipe_when_sent(r, t_ps, pipe) <= _inflight_goal(r, 1.0):
        _start_probe_bw(r)


@inner
@kernel
def _update_min_rtt(r: Any, t_ps: int, pipe: int, delivered: int, rtt_ps: int) -> None:
    """Keep the least RTT; go through PROBE_RTT when it is too old."""
    is_old = t_ps - r["bbr_min_rtt_at_ps"] > MIN_RTT_PS
    may_be_delayed = delivered == 1 and r["sacked_out"] == 0
    is_less = rtt_ps < r["bbr_min_rtt_ps"]
    if rtt_ps >= 0 and (is_less or (is_old and not may_be_delayed)):
        r["bbr_min_rtt_ps"] = rtt_ps
        r["bbr_min_rtt_at_ps"] = t_ps
    if is_old and r["bbr_mode"] != PROBE_RTT:
        r["bbr_mode"] = PROBE_RTT
        save_window(r)
        r["bbr_probe_done_ps"] = 0
    if r["bbr_mode"] != PROBE_RTT:
        return
    r["app_limited"] = max(r["delivered_count"] + pipe, 1)
    if r["bbr_probe_done_ps"] == 0:
        if pipe <= LEAST_CWND:
            r["bbr_probe_done_ps"] = t_ps + PROBE_RTT_PS
            r["bbr_probe_round_done"] = 0
            r["bbr_round_delivered"] = r["delivered_count"]
        return
    if r["bbr_round_start"] != 0:
        r["bbr_probe_round_done"] = 1
    if r["bbr_probe_round_done"] != 0 and t_ps > r["bbr_probe_done_ps"]:
        r["bbr_min_rtt_at_ps"] = t_ps
        r["cwnd_segments"] = max(r["cwnd_segments"], r["bbr_prior_cwnd"])
        if r["bbr_is_full"] != 0:
            _start_probe_bw(r)
        else:
            r["bbr_mode"] = STARTUP


@inner
@kernel
def _set_gains(r: Any) -> None:
    """Set the gains of the mode (bbr_update_gains)."""
    mode = r["bbr_mode"]
    r["pacing_gain"] = 1.0
    r["bbr_cwnd_gain"] = 1.0
    if mode == STARTUP:
        r["pacing_gain"] = HIGH_GAIN
        r["bbr_cwnd_gain"] = HIGH_GAIN
    elif mode == DRAIN:
        r["pacing_gain"] = DRAIN_GAIN
        r["bbr_cwnd_gain"] = HIGH_GAIN
    elif mode == PROBE_BW:
        r["bbr_cwnd_gain"] = CWND_GAIN
        if r["bbr_uses_policer_rate"] == 0:
            if r["bbr_cycle_idx"] == 0:
                r["pacing_gain"] = PROBE_UP_GAIN
            elif r["bbr_cycle_idx"] == 1:
                r["pacing_gain"] = PROBE_DOWN_GAIN


@inner
@kernel
def _set_pacing(r: Any) -> None:
    """Set the pacing rate; before the pipe is full it only rises."""
    rate_pps = bbr_rate_pps(r) * r["pacing_gain"] * PACING_MARGIN
    if r["bbr_is_full"] != 0 or rate_pps > r["pacing_pps"]:
        r["pacing_pps"] = rate_pps


@inner
@kernel
def _set_window(r: Any, pipe: int, delivered: int, lost: int) -> None:
    """Move the window towards its target (bbr_set_cwnd)."""
    cwnd = r["cwnd_segments"]
    if delivered > 0:
        cwnd = _recover_or_restore(r, pipe, delivered, lost)
        if r["bbr_conserves"] == 0:
            cwnd = _towards_target(r, cwnd, delivered)
    if r["bbr_mode"] == PROBE_RTT:
        cwnd = min(cwnd, LEAST_CWND)
    r["cwnd_segments"] = cwnd


@inner
@kernel
def _towards_target(r: Any, cwnd: int, delivered: int) -> int:
    target = _bdp_segments(r, bbr_rate_pps(r), r["bbr_cwnd_gain"])
    if r["bbr_is_full"] != 0:
        extra = max(r["bbr_extra"][0], r["bbr_extra"][1])
        target += min(extra, int(bbr_rate_pps(r) * EXTRA_S))
    target = _with_burst_budget(r, target)
    if r["bbr_is_full"] != 0:
        cwnd = min(cwnd + delivered, target)
    elif cwnd < target or r["delivered_count"] < INITIAL_CWND:
        cwnd += delivered
    return int(max(cwnd, LEAST_CWND))


@inner
@kernel
def _recover_or_restore(r: Any, pipe: int, delivered: int, lost: int) -> int:
    """Keep to packet conservation in the first round of a recovery; restore the window after."""
    cwnd = r["cwnd_segments"]
    if lost > 0:
        cwnd = max(cwnd - lost, 1)
    before, state = r["bbr_previous_state"], r["state"]
    if state == RECOVERY and before != RECOVERY:
        r["bbr_conserves"] = 1
        r["bbr_round_delivered"] = r["delivered_count"]
        cwnd = pipe + delivered
    elif before >= RECOVERY and state < RECOVERY:
        cwnd = max(cwnd, r["bbr_prior_cwnd"])
        r["bbr_conserves"] = 0
    r["bbr_previous_state"] = state
    if r["bbr_conserves"] != 0:
        cwnd = max(cwnd, pipe + delivered)
    return int(cwnd)


@inner
@kernel
def save_window(r: Any) -> None:
    """Remember the window before a recovery or PROBE_RTT (bbr_save_cwnd)."""
    if r["bbr_previous_state"] < RECOVERY and r["bbr_mode"] != PROBE_RTT:
        r["bbr_prior_cwnd"] = r["cwnd_segments"]
    else:
        r["bbr_prior_cwnd"] = max(r["bbr_prior_cwnd"], r["cwnd_segments"])


@inner
@kernel
def note_timeout(r: Any) -> None:
    """A timeout counts as the end of a round with a loss (bbr_set_state)."""
    r["bbr_previous_state"] = LOSS
    r["bbr_full_pps"] = 0.0
    r["bbr_round_start"] = 1
    r["rate_is_app_limited"] = 0
    watch_policer(r, 1)


@inner
@kernel
def note_undo(r: Any) -> None:
    """A spurious loss: look for the full rate anew (bbr_undo_cwnd)."""
    r["bbr_full_pps"] = 0.0
    r["bbr_full_count"] = 0
    _forget_policer(r)


@inner
@kernel
def watch_policer(r: Any, lost: int) -> None:
    """Find out whether a policer limits the rate (bbr_lt_bw_sampling)."""
    if r["bbr_uses_policer_rate"] != 0:
        if r["bbr_mode"] == PROBE_BW and r["bbr_round_start"] != 0:
            r["bbr_policer_rounds"] += 1
            if r["bbr_policer_rounds"] >= POLICER_ROUNDS_MOST:
                _forget_policer(r)
                _start_probe_bw(r)
        return
    if r["bbr_watches_policer"] == 0:
        if lost == 0:
            return
        _start_policer_interval(r)
        r["bbr_watches_policer"] = 1
    if r["rate_is_app_limited"] != 0:
        _forget_policer(r)
        return
    r["bbr_policer_rounds"] += r["bbr_round_start"]
    if r["bbr_policer_rounds"] < POLICER_ROUNDS_LEAST:
        return
    if r["bbr_policer_rounds"] > 4 * POLICER_ROUNDS_LEAST:
        _forget_policer(r)
        return
    if lost == 0:
        return
    lost_count = r["lost_count"] - r["bbr_policer_lost"]
    delivered = r["delivered_count"] - r["bbr_policer_delivered"]
    interval_ps = r["delivered_ps"] - r["bbr_policer_ps"]
    if delivered <= 0 or lost_count < POLICER_LOSS * delivered or interval_ps < MILLISECOND_PS:
        return
    _end_policer_interval(r, delivered / interval_ps * SECOND_PS)


@inner
@kernel
def _end_policer_interval(r: Any, rate_pps: float) -> None:
    """Two intervals of high loss at nearly the same rate: that is a policer."""
    known = r["bbr_policer_pps"]
    if known > 0.0:
        difference = abs(rate_pps - known)
        if (
            difference <= POLICER_TOLERANCE * known
            or difference * r["mss_bytes"] <= POLICER_TOLERANCE_BYTES_PER_S
        ):
            r["bbr_policer_pps"] = 0.5 * (rate_pps + known)
            r["bbr_uses_policer_rate"] = 1
            r["bbr_policer_rounds"] = 0
            return
    r["bbr_policer_pps"] = rate_pps
    _start_policer_interval(r)


@inner
@kernel
def _start_policer_interval(r: Any) -> None:
    r["bbr_policer_ps"] = r["delivered_ps"]
    r["bbr_policer_delivered"] = r["delivered_count"]
    r["bbr_policer_lost"] = r["lost_count"]
    r["bbr_policer_rounds"] = 0


@inner
@kernel
def _forget_policer(r: Any) -> None:
    r["bbr_policer_pps"] = 0.0
    r["bbr_uses_policer_rate"] = 0
    r["bbr_watches_policer"] = 0
    _start_policer_interval(r)


@inner
@kernel
def pace(r: Any, t_ps: int, segments: int) -> None:
    """Work out when the next burst may go (tcp_update_skb_after_send).

    A sender that was late may catch up by half a burst.
    """
    prior_ps = r["pace_next_ps"]
    start_ps = max(prior_ps, t_ps)
    wait_ps = 0
    sent_segments = r["next_seq"] + r["retransmitted_segments"]
    if sent_segments >= UNPACED_SEGMENTS and r["pacing_pps"] > 0.0:
        wait_ps = int(segments / r["pacing_pps"] * SECOND_PS)
        wait_ps -= min(wait_ps // 2, start_ps - prior_ps)
    r["pace_next_ps"] = start_ps + wait_ps
