"""TCP endpoints: each mechanism by hand, invariants under loss and reordering, theory, parity."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import congestion, tcp_recovery, tcp_state
from kernels.bbr import DRAIN, PROBE_BW, STARTUP
from kernels.tcp import (
    ACK,
    FLOW,
    NEVER_PS,
    SEGMENT,
    TcpOptions,
    ack_ring_full,
    burst_bound,
    init_flow,
    next_segment,
    on_ack,
    on_data,
    on_delack,
    on_timer,
    segment_ring_full,
)
from kernels.tcp_timer import timer_expiry_ps
from tests.validation.tcp_path import MSS_BYTES, PathCase, run_case

ROOT = Path(__file__).resolve().parents[2]
MS = 10**9
S = 10**12
RTT = 100 * MS
RING = 1024
# Switches that make hand-worked numbers short: no grid of timers, no bursts, no probes.
BARE = TcpOptions(
    congestion_control="newreno",
    tick_s=0.0,
    timer_wheel=False,
    tso=False,
    tail_loss_probe=False,
    quick_ack=False,
    ack_compression=False,
    window_autotuning=False,
)


class Connection:
    """Both ends of one flow; the test is the network between them."""

    def __init__(self, options=BARE, handshake_rtt_ps=RTT, rwnd=RING, size=10**9, ring=RING):
        self.flow = np.zeros(1, FLOW)
        self.segment = np.zeros(ring, SEGMENT)
        self.ack = np.zeros(ring, ACK)
        init_flow(
            self.flow,
            0,
            options,
            start_ps=0,
            stop_ps=NEVER_PS,
            size_segments=size,
            mss_bytes=MSS_BYTES,
            segment_bytes=1500,
            ack_bytes=52,
            rwnd_segments=rwnd,
            seg_off=0,
            seg_size=ring,
            ack_off=0,
            ack_size=ring,
            handshake_rtt_ps=handshake_rtt_ps,
        )

    def __getitem__(self, name):
        return self.flow[0][name]

    def __setitem__(self, name, value):
        self.flow[0][name] = value

    def send(self, t_ps):
        """Return the codes of all segments that go out now."""
        bound = burst_bound(self.flow, 0)
        codes = []
        while (code := next_segment(self.flow, 0, t_ps, self.segment)) >= 0:
            codes.append(code)
        assert len(codes) <= bound
        return codes

    def timer(self, t_ps):
        on_timer(self.flow, 0, t_ps, self.segment)
        return self.send(t_ps)

    def fire(self):
        """Let time pass until the timer does something; return (when, segments)."""
        while True:
            t_ps = int(self["timer_ps"])
            codes = self.timer(t_ps)
            if codes:
                return t_ps, codes

    def data(self, t_ps, seq, sent_ps):
        return on_data(self.flow, 0, t_ps, seq, sent_ps, self.segment, self.ack)

    def acked(self, t_ps, n):
        on_ack(self.flow, 0, t_ps, n, self.segment, self.ack)
        return self.send(t_ps)

    def delack(self, t_ps):
        return on_delack(self.flow, 0, t_ps, self.ack)

    def round(self, codes, sent_ps, lost=()):
        """Carry segments over with half an RTT each way; return what the ACKs release."""
        numbers = [self.data(sent_ps + RTT // 2, c & 0xFFFFFFFF, sent_ps) for c in codes
                   if c not in lost]  # fmt: skip
        released = []
        for n in numbers:
            if n >= 0:
                released += self.acked(sent_ps + RTT, n)
        return released


def again(seq, number=1):
    return number << 32 | seq


# ---- sending ----------------------------------------------------------------------------------


def test_initial_window_of_ten_then_twice_as_many_each_round():
    # RFC 6928: 10 segments; slow start adds one for each acknowledged: 20, 40.
    c = Connection()
    first = c.timer(0)
    assert first == list(range(10))
    second = c.round(first, 0)
    assert second == list(range(10, 30))
    assert c.round(second, RTT) == list(range(30, 70))
    assert c["cwnd_segments"] == 40
    assert c["delivered_segments"] == 30
    assert c["next_seq"] + c["retransmitted_segments"] == 70


def test_receive_window_holds_the_sender():
    c = Connection(rwnd=16)
    assert len(c.timer(0)) == 10
    assert c.round(list(range(10)), 0) == list(range(10, 26))
    assert c["next_seq"] - c["una_seq"] == 16


def test_a_window_that_is_not_used_does_not_grow():
    # 16 segments outstanding: slow start may reach twice that, not more.
    c = Connection(rwnd=16)
    codes, t_ps = c.timer(0), 0
    for _ in range(12):
        codes = c.round(codes, t_ps)
        t_ps += RTT
    assert c["cwnd_segments"] <= 32


def test_size_and_stop_end_the_sending():
    c = Connection(size=7)
    assert c.timer(0) == list(range(7))
    assert c.round(list(range(7)), 0) == []
    c = Connection()
    codes = c.timer(0)
    c["stop_ps"] = RTT
    assert c.round(codes, 0) == []


def test_bursts_wait_for_two_segments():
    # 10 segments in flight on 100 ms: the pacing rate sends less than one in 1/1024 s, so bursts
    # are two segments. Just after a write and with the next ACK due at once, one must wait.
    c = Connection(replace(BARE, tso=True))
    c.timer(0)
    c["ssthresh_segments"] = c["cwnd_segments"] = 10
    n = [c.data(RTT // 2, seq, 0) for seq in (0, 1)]
    c["cwnd_segments"] = 11
    c["cwnd_credit"] = -100
    assert c.acked(RTT, n[1]) == [10, 11]  # room for 3: two go, one waits
    n = [c.data(RTT // 2, seq, 0) for seq in (2, 3)]
    assert c.acked(RTT, n[1]) == [12, 13]


def test_scoreboard_widens_with_the_flight():
    # 64 entries at first; what is marked in them moves along.
    c = Connection()
    c.timer(0)
    n = c.data(RTT // 2, 3, 0)
    c.acked(RTT, n)
    assert (c["seg_mask"], c["sacked_out"]) == (63, 1)
    c["cwnd_segments"] = 150
    assert len(c.send(RTT)) > 100
    assert c["seg_mask"] == 255
    flags = c.segment["flags"][: int(c["next_seq"])]
    assert np.flatnonzero(flags & tcp_state.SACKED).tolist() == [3]
    assert np.flatnonzero(c.segment["received"]).tolist() == [3]
    # A shifted window: 40 to 139 in flight, so places do change on the way from 64 to 128.
    c = Connection(replace(BARE, initial_cwnd_segments=50))
    codes = c.timer(0)
    for code in codes[:40]:
        n = max(n, c.data(RTT // 2, code, 0))
    on_ack(c.flow, 0, RTT, n, c.segment, c.ack)
    c["cwnd_segments"] = 100
    before = {seq: int(c.segment[seq & 63]["sent_ps"]) for seq in range(40, 50)}
    c.send(RTT)
    mask = int(c["seg_mask"])
    assert (mask, c["una_seq"]) == (127, 40)
    assert {seq: int(c.segment[seq & mask]["sent_ps"]) for seq in range(40, 50)} == before


def test_segment_ring_is_never_overwritten():
    c = Connection(ring=16, rwnd=64)
    codes = c.timer(0)
    n = [c.data(RTT // 2, code, 0) for code in codes[:2]][1]
    on_ack(c.flow, 0, RTT, n, c.segment, c.ack)
    assert not segment_ring_full(c.flow, 0)  # 12 outstanding, 2 + 2 more at most
    c["cwnd_segments"] = 40
    assert segment_ring_full(c.flow, 0)
    c.send(RTT)
    assert c["next_seq"] - c["una_seq"] == 16


def test_window_is_tuned_to_what_is_read_in_a_round_trip():
    # Linux: 45 segments at first. 21 read by the end of the first round, 10 known: 2 x 21 + 16 =
    # 58, and twice the growth 58 x (21 - 10) / 10 = 63: the goal is 184, 2 more with each arrival.
    c = Connection(replace(BARE, window_autotuning=True), rwnd=1000)
    assert c["window_segments"] == 65_535 // 1448 == 45
    c.timer(0)
    for seq in range(20):
        c.data(RTT // 2, seq, 0)
    c.data(RTT, 20, 0)
    assert (c["window_goal_segments"], c["window_segments"]) == (184, 45)
    n = c.data(RTT, 21, 0)
    assert c.ack[n]["window_segments"] == 47
    # The largest window is the flow's own.
    c["rwnd_segments"], c["tuned_seq"] = 200, -1000
    c.data(2 * RTT, 22, 0)
    assert c["window_goal_segments"] == 200


# ---- receiving --------------------------------------------------------------------------------


def test_every_second_segment_is_acknowledged_and_a_lone_one_after_40_ms():
    c = Connection()
    c.timer(0)
    c.data(0, 0, 0)
    assert [c.data(10, seq, 0) for seq in (1, 2, 3)] == [0, -1, 1]
    assert c.data(20, 4, 5) == -1
    due_ps = int(c["delack_ps"])
    assert due_ps == 20 + 40 * MS
    assert c.delack(due_ps) == 2
    assert (c.ack[2]["cumulative_seq"], c.ack[2]["echo_ps"]) == (5, 5)
    assert c["delack_ps"] == NEVER_PS
    # Having had to wait doubles the next wait to 80 ms; a gap of 45 ms makes it 80 / 2 + 45.
    c.data(20 + 45 * MS, 5, 0)
    assert c["delack_ps"] == 20 + 45 * MS + 85 * MS


def test_delayed_ack_on_a_clock_of_4_ms():
    # Armed at 6.0 ms: tick 1 + 10 ticks = 11, fires at the tick after it, 12: 48 ms.
    c = Connection(replace(BARE, tick_s=0.004))
    c.timer(0)
    c.data(0, 0, 0)
    c.data(0, 1, 0)
    assert c.data(6 * MS, 2, 0) == -1
    assert c.delack(int(c["delack_ps"])) == -1
    assert c["delack_ps"] == 48 * MS
    assert c.delack(48 * MS) == 1


def test_quick_acks_at_the_start_and_after_a_duplicate():
    c = Connection(replace(BARE, quick_ack=True))
    c.timer(0)
    numbers = [c.data(seq, seq, 0) for seq in range(20)]
    assert numbers == [*range(16), -1, 16, -1, 17]
    assert c.data(30, 3, 0) == 18  # a duplicate: at once, with D-SACK
    assert c.ack[18]["duplicate_seq"] == 3
    assert [c.data(40 + seq, seq, 0) for seq in (20, 21)] == [19, 20]


def test_sack_blocks_most_recent_first_and_three_at_most():
    c = Connection()
    c.timer(0)
    for seq in (1, 3, 5, 7):
        n = c.data(seq, seq, 0)
    a = c.ack[n]
    assert (a["cumulative_seq"], a["block_count"]) == (0, 3)
    assert a["blocks"].tolist() == [[7, 8], [5, 6], [3, 4]]
    n = c.data(10, 4, 0)  # joins 3 and 5
    assert c.ack[n]["blocks"].tolist()[:2] == [[3, 6], [7, 8]]
    n = c.data(11, 0, 0)  # closes the first hole: 2 is next, 1 was there
    assert (c.ack[n]["cumulative_seq"], c.ack[n]["block_count"]) == (2, 2)
    n = c.data(12, 2, 0)
    assert (c.ack[n]["cumulative_seq"], c["out_of_order_count"]) == (6, 1)


def test_sacks_are_compressed_from_the_fourth_on():
    # The first three out of order go out at once, the others 1 ms after the fourth (5 % of the
    # RTT would be 5 ms).
    c = Connection(replace(BARE, ack_compression=True))
    c.timer(0)
    numbers = [c.data(seq * MS // 10, seq, 0) for seq in range(1, 8)]
    assert numbers == [0, 1, 2, -1, -1, -1, -1]
    assert c["delack_ps"] == 4 * MS // 10 + MS
    n = c.delack(int(c["delack_ps"]))
    assert (n, c.ack[n]["blocks"].tolist()[0]) == (3, [1, 8])


def test_ack_ring_is_full_when_an_entry_may_still_be_in_flight():
    c = Connection(ring=4, rwnd=4)
    c.timer(0)
    for n in range(4):
        assert not ack_ring_full(c.flow, 0)
        c.data(n, 1 + n % 2, 0)
    assert ack_ring_full(c.flow, 0)
    on_ack(c.flow, 0, 10, 3, c.segment, c.ack)
    assert not ack_ring_full(c.flow, 0)


def test_an_ack_that_was_overtaken_tells_nothing():
    c = Connection()
    codes = c.timer(0)
    numbers = [n for code in codes[:4] if (n := c.data(RTT // 2, code, 0)) >= 0]
    assert c.acked(RTT, numbers[1]) == list(range(10, 18))
    before = c.flow.copy()
    assert c.acked(RTT + 1, numbers[0]) == []
    assert c["una_seq"] == 4
    assert (before["ack_next"], before["cwnd_segments"]) == (2, 14)


# ---- round-trip time and timeouts -------------------------------------------------------------


def test_rto_from_the_handshake_and_one_sample():
    # RFC 6298 (2.2): SRTT = 100, RTTVAR = 50, RTO = 100 + 4 x 50 = 300 ms.
    c = Connection()
    assert (c["srtt_8th_ps"], c["rto_ps"]) == (8 * RTT, 300 * MS)
    # A sample of 200 ms: SRTT = 7/8 x 100 + 1/8 x 200 = 112.5 ms;
    # RTTVAR = 3/4 x 50 + 1/4 x 100 = 62.5 ms; RTO = 112.5 + 250 = 362.5 ms.
    c["una_seq"] = 1
    tcp_recovery.update_rtt(c.flow[0], 200 * MS)
    assert c["srtt_8th_ps"] == 900 * MS
    assert c["rto_ps"] == 362_500_000_000
    # A sample of 12.5 ms: the error of 100 ms exceeds RTTVAR by 37.5; falling, only 1/8 of it
    # counts (Linux): RTTVAR = 62.5 + 37.5 / 32 = 63.67 ms.
    tcp_recovery.update_rtt(c.flow[0], 12_500_000_000)
    assert c["mdev_4th_ps"] == 250 * MS + 37_500_000_000 // 8


def test_variance_term_is_never_below_200_ms():
    c = Connection(handshake_rtt_ps=10 * MS)
    assert c["rto_ps"] == 210 * MS
    for k in range(1, 60):
        c["una_seq"] = k
        tcp_recovery.update_rtt(c.flow[0], 10 * MS)
    assert c["rto_ps"] == 210 * MS


def test_timeouts_double():
    # Without a handshake sample the RTO is 1 s: it fires at 1, 3, 7, 15, 31, 63 s.
    c = Connection(handshake_rtt_ps=0)
    c.timer(0)
    fired = [c.fire() for _ in range(6)]
    assert [t_ps for t_ps, _ in fired] == [1 * S, 3 * S, 7 * S, 15 * S, 31 * S, 63 * S]
    assert [codes for _, codes in fired] == [[again(0, k)] for k in range(1, 7)]
    assert (c["rto_count"], c["cwnd_segments"], c["ssthresh_segments"]) == (6, 1, 5)
    for _ in range(3):
        t_ps, _ = c.fire()
    assert t_ps == (63 + 64 + 120 + 120) * S  # bounded by 120 s


@pytest.mark.parametrize(
    ("now_ms", "wait_ms", "fires_ms"),
    [
        (0, 40, 44),  # 10 ticks, level 0: the tick after tick 10
        (6, 40, 48),  # tick 1 + 10
        (0, 300, 320),  # 75 ticks, level 1 in steps of 8: (75 >> 3) + 1 = 10 steps
        (100, 300, 416),  # tick 25 + 75 = 100: 13 steps
        (0, 2_400, 2_560),  # 600 ticks, level 2 in steps of 64: 10 steps
    ],
)
def test_timer_wheel_by_hand(now_ms, wait_ms, fires_ms):
    c = Connection(replace(BARE, tick_s=0.004, timer_wheel=True))
    assert timer_expiry_ps(c.flow[0], now_ms * MS, wait_ms * MS) == fires_ms * MS


def test_after_a_timeout_all_is_sent_again_in_slow_start():
    c = Connection(replace(BARE, loss_detection="sack", frto=False))
    c.timer(0)
    t_ps, codes = c.fire()
    assert (t_ps, codes) == (300 * MS, [again(0)])
    assert c["lost_out"] == 10
    n = c.data(t_ps + RTT // 2, 0, t_ps)
    n = c.delack(int(c["delack_ps"])) if n < 0 else n
    assert c.acked(t_ps + RTT, n) == [again(1), again(2)]
    assert c["cwnd_segments"] == 2


def test_frto_takes_back_a_spurious_timeout():
    # The first window was only late: it arrives after the timeout. The first ACK makes the
    # sender try new data; the next one is for segments never sent again: all as before.
    c = Connection()
    c.timer(0)
    t_ps, codes = c.fire()
    assert codes == [again(0)]
    numbers = [c.data(t_ps + MS, seq, 0) for seq in range(10)]
    released = [c.acked(t_ps + 2 * MS, n) for n in numbers if n >= 0]
    assert c["state"] == tcp_state.OPEN
    assert c["lost_out"] == 0
    assert c["cwnd_segments"] >= 10
    assert all(code < 2**32 for codes in released for code in codes)
    assert c["retransmitted_segments"] == 1


def test_tail_loss_probe_two_rtts_after_the_last_ack():
    c = Connection(replace(BARE, tail_loss_probe=True), size=10)
    codes = c.timer(0)
    c.round(codes, 0, lost=(9,))
    # 0 to 8 are acknowledged up to 8 (the ninth waits for its delayed ACK): two outstanding.
    assert c["una_seq"] == 8
    t_ps, codes = c.fire()
    assert (t_ps, codes) == (RTT + 2 * RTT, [again(9)])
    assert c["rto_count"] == 0


# ---- loss recovery ----------------------------------------------------------------------------


def lose(c, lost, codes=None, t_ps=0):
    """Carry a window over without some segments; return what goes out and when."""
    codes = c.timer(t_ps) if codes is None else codes
    return c.round(codes, t_ps, lost=lost)


@pytest.mark.parametrize("rule", ["rack", "sack"])
def test_three_sacked_segments_prove_a_loss(rule):
    # 0 is lost, 1 to 9 arrive. The third SACK marks 0 lost: ssthresh 5, 10 in flight before.
    # Before that two SACKs release 10 and 11 (limited transmit).
    c = Connection(replace(BARE, loss_detection=rule))
    released = lose(c, lost=(0,))
    assert released[:3] == [10, 11, again(0)]
    assert (c["state"], c["fast_recovery_count"]) == (tcp_state.RECOVERY, 1)
    assert (c["ssthresh_segments"], c["sacked_out"], c["lost_out"]) == (5, 9, 1)
    pipe = tcp_recovery.pipe_segments(c.flow[0])
    assert pipe == c["next_seq"] - 9 - 1 + 1 == c["cwnd_segments"]
    # The retransmission arrives: all acknowledged, window 5, congestion avoidance.
    n = c.data(RTT + RTT // 2, 0, RTT)
    assert c.ack[n]["cumulative_seq"] == 10
    c.acked(2 * RTT, n)
    assert (c["state"], c["una_seq"], c["cwnd_segments"]) == (tcp_state.RECOVERY, 10, 5)


def test_prr_by_hand():
    # RFC 6937: window 20, ssthresh 10. Each delivered segment lets half a one out: ceil(k / 2).
    c = Connection()
    c["prior_cwnd_segments"], c["ssthresh_segments"] = 20, 10
    pipe, sent = 19, []
    for k in range(1, 9):
        congestion.reduce_window(c.flow[0], pipe, 1, 0)
        count = int(c["cwnd_segments"]) - pipe
        sent.append(count)
        c["prr_out"] += count
        pipe += count - 1
        assert c["prr_out"] == (k + 1) // 2
    assert sent == [1, 0, 1, 0, 1, 0, 1, 0]
    # Below ssthresh: what is delivered, and one more for an ACK that advances without a loss.
    c["prr_delivered"], c["prr_out"] = 10, 10
    congestion.reduce_window(c.flow[0], 4, 2, 1)
    assert c["cwnd_segments"] == 4 + 2
    c["ack_flags"] = tcp_state.DATA_ACKED
    congestion.reduce_window(c.flow[0], 4, 2, 0)
    assert c["cwnd_segments"] == 4 + 5  # max(14 - 10, 2) + 1
    congestion.reduce_window(c.flow[0], 9, 2, 0)
    assert c["cwnd_segments"] == 10  # never above ssthresh


def test_rack_finds_a_lost_retransmission_by_time():
    # 0 is lost twice. What was sent after its retransmission arrives an RTT later: lost again.
    c = Connection()
    released = lose(c, lost=(0,))
    assert again(0) in released
    later = [code for code in released if code != again(0)]
    t_ps = RTT + MS
    numbers = [c.data(t_ps + RTT // 2, code, RTT) for code in later]
    found = []
    for n in numbers:
        found += c.acked(t_ps + RTT, n)
    assert again(0, 2) in found
    assert c["rto_count"] == 0


def test_rack_waits_for_a_reordered_segment():
    # One segment above the hole: too few to prove a loss, RACK waits a quarter of the RTT.
    c = Connection(size=3)
    codes = c.timer(0)
    assert lose(c, lost=(0, 2), codes=codes) == []
    assert (c["state"], c["timer_kind"]) == (tcp_state.DISORDER, tcp_state.TIMER_REORDER)
    t_ps, codes = c.fire()
    assert (t_ps, codes) == (RTT + RTT // 4, [again(0)])


def test_eifel_undoes_what_reordering_caused():
    # 0 comes late, after three others: the echoed time stamp is older than its retransmission.
    c = Connection(replace(BARE, loss_detection="sack"))
    codes = c.timer(0)
    numbers = [c.data(RTT // 2, seq, 0) for seq in (1, 2, 3)]
    for n in numbers:
        c.acked(RTT, n)
    assert (c["state"], c["ssthresh_segments"]) == (tcp_state.RECOVERY, 5)
    n = c.data(RTT // 2 + 5 * MS, 0, 0)
    c.acked(RTT + 5 * MS, n)
    n = [c.data(RTT + 6 * MS, seq, 0) for seq in codes[4:]][-1]
    c.acked(RTT + 10 * MS, n)
    assert c["ssthresh_segments"] > 5
    assert c["cwnd_segments"] >= 10
    assert c["reordering_seen"] > 0


# ---- congestion windows -----------------------------------------------------------------------


@given(st.integers(0, 2**60))
def test_cube_root_is_exact(value):
    root = congestion.cube_root(value)
    assert root**3 <= value < (root + 1) ** 3


def cubic_flow(cwnd=1000):
    c = Connection(replace(BARE, congestion_control="cubic", reno_region=False))
    c.timer(0)
    c["cwnd_segments"] = cwnd
    c["ssthresh_segments"] = c["cwnd_segments"] = int(congestion.reduced_window(c.flow[0]))
    c["is_cwnd_limited"] = 1
    return c


def test_cubic_curve_by_hand():
    # W_max = 1000, window 700: K = cbrt(300 / 0.4) = 9.0856 s (9303 / 1024).
    c = cubic_flow()
    assert (c["last_max_segments"], c["cwnd_segments"]) == (1000, 700)
    # W(t) = 0.4 (t - K)^3 + 1000: at 0 s it is 1000 - int(299.96) = 701: 700 / 1 segments.
    congestion.grow_window(c.flow[0], 0, 1)
    assert c["k_1024th_s"] == 9303
    assert c["growth_count"] == 700
    # At 4 s: 1000 - int(0.4 x 5.0849^3 = 52.59) = 948: 700 / 248 = 2.
    c["last_cwnd_segments"] = 0
    congestion.grow_window(c.flow[0], 4 * S, 1)
    assert c["growth_count"] == 2
    # At K the window asked for is W_max: from 990 on 990 / 10 = 99 segments for one.
    c["cwnd_segments"], c["cwnd_credit"] = 990, 0
    congestion.grow_window(c.flow[0], 9_084 * MS, 1)
    assert c["growth_count"] == 99
    # At K + 5 s: 1000 + int(0.4 x 125 = 50.0-): 1000 / 49 = 20.
    c["cwnd_segments"], c["cwnd_credit"] = 1000, 0
    congestion.grow_window(c.flow[0], 14_084 * MS, 1)
    assert c["growth_count"] == 20


def test_cubic_fast_convergence_and_floor():
    c = cubic_flow()
    c["cwnd_segments"] = 800
    # Below the last maximum: 800 x (1 + 0.7) / 2 = 680 is remembered, 560 is the new window.
    assert congestion.reduced_window(c.flow[0]) == 560
    assert c["last_max_segments"] == 680
    c["cwnd_segments"] = 2
    assert congestion.reduced_window(c.flow[0]) == 2


def test_cubic_follows_reno_where_that_is_faster():
    # alpha = 3 (1 - 0.7) / (1 + 0.7) = 0.529: from 10 segments one for every 18 acknowledged.
    c = cubic_flow(cwnd=15)
    c["use_reno_region"] = 1
    t_ps = 0
    for _ in range(200):
        congestion.grow_window(c.flow[0], t_ps, 1)
        t_ps += MS
    # 18 + 20 + 22 + 24 + 26 + 28 + 30 = 168 of 200 make seven and the eighth is under way.
    assert c["reno_segments"] in (17, 18)
    assert c["cwnd_segments"] in (c["reno_segments"] - 1, c["reno_segments"])


def test_newreno_grows_by_one_per_window():
    c = Connection()
    c.timer(0)
    c["ssthresh_segments"] = c["cwnd_segments"] = 10
    c["is_cwnd_limited"] = 1
    for _ in range(10 + 11 + 12):
        congestion.grow_window(c.flow[0], 0, 1)
    assert c["cwnd_segments"] == 13
    assert congestion.reduced_window(c.flow[0]) == 6


# ---- on the measured path ---------------------------------------------------------------------

DUMBBELL = PathCase(rate_bps=100e6, rtt_s=(0.04,), queue_bytes=500_000.0)


def goodput_bps(samples, first_s, last_s):
    delivered = samples["delivered"].sum(axis=1)
    count = delivered[round(last_s * 20) - 1] - delivered[round(first_s * 20) - 1]
    return float(count) * MSS_BYTES * 8 / (last_s - first_s)


@pytest.mark.parametrize("control", ["newreno", "cubic", "bbr"])
def test_a_lone_flow_fills_the_bottleneck(control):
    case = DUMBBELL.with_(options=TcpOptions(congestion_control=control))
    samples, _, _ = run_case(case, 20.0)
    best_bps = 100e6 * MSS_BYTES / 1514
    assert goodput_bps(samples, 5.0, 9.5) == pytest.approx(best_bps, rel=0.02)


@pytest.mark.parametrize("control", ["newreno", "cubic"])
def test_a_lone_flow_reaches_window_over_rtt(control):
    window_bytes = 100 * MSS_BYTES
    options = TcpOptions(congestion_control=control)
    samples, net, _ = run_case(DUMBBELL.with_(options=options, window_bytes=window_bytes), 10.0)
    rtt_s = 0.04 + 1514 * 8 / 100e6
    assert goodput_bps(samples, 2.0, 9.0) == pytest.approx(window_bytes * 8 / rtt_s, rel=0.02)
    assert net["queue_drops"] == 0


def test_hystart_leaves_slow_start_before_the_queue_overflows():
    quiet, net, _ = run_case(DUMBBELL, 2.0)
    assert net["queue_drops"] <= 51  # what the measured stack lost in a whole run
    loud, net, _ = run_case(DUMBBELL.with_(options=TcpOptions(hystart=False)), 2.0)
    assert net["queue_drops"] > 300
    assert quiet["delivered"][-1].sum() > 0.9 * loud["delivered"][-1].sum()


def test_bbr_starts_drains_and_probes():
    options = TcpOptions(congestion_control="bbr")
    modes = []
    for horizon_s in (0.1, 1.0, 3.0):
        samples, net, flow = run_case(DUMBBELL.with_(options=options), horizon_s)
        modes.append(int(flow[0]["bbr_mode"]))
    assert modes[0] == STARTUP
    assert modes[1] in (DRAIN, PROBE_BW)
    assert modes[2] == PROBE_BW
    best_pps = 100e6 / 8 / 1514
    assert flow[0]["rate_max_pps"][0] == pytest.approx(best_pps, rel=0.01)
    assert flow[0]["bbr_min_rtt_ps"] == pytest.approx(40 * MS, rel=0.01)
    assert samples["srtt_ps"][-20:].mean() < 46 * MS  # it does not fill the queue
    assert net["queue_drops"] > 0  # STARTUP did


@pytest.mark.parametrize("loss", [1e-2, 1e-3, 1e-4])
def test_newreno_follows_the_square_root_law(loss):
    # Mathis et al. 1997: rate = MSS / RTT x sqrt(3 / (2 p)). Growth counts segments, so delayed
    # ACKs do not enter; a wide path without a queue, so nothing else is lost.
    rtt_s = 0.02
    options = TcpOptions(congestion_control="newreno")
    case = PathCase(
        rate_bps=1e9, rtt_s=(rtt_s,), queue_bytes=5e6, loss=loss, options=options, seed=3
    )
    law_bps = MSS_BYTES * 8 / rtt_s * np.sqrt(1.5 / loss)
    horizon_s = min(1_000.0, 600.0 / loss / (law_bps / 8 / MSS_BYTES))
    samples, _, _ = run_case(case, horizon_s + 5.1)
    assert goodput_bps(samples, 5.0, 5.0 + horizon_s // 1) == pytest.approx(law_bps, rel=0.15)


# ---- invariants -------------------------------------------------------------------------------


class Chaos:
    """A network that loses, delays and repeats packets as it likes; checks after every event."""

    def __init__(self, options, seed, loss, size):
        self.c = Connection(options, handshake_rtt_ps=20 * MS, rwnd=256, size=size)
        self.draw = np.random.default_rng(seed)
        self.loss = loss
        self.events = []  # (time, order, kind, content)
        self.count = 0
        self.t_ps = 0
        self.delivered_before = self.cumulative_before = 0

    def put(self, kind, content):
        if self.draw.random() < self.loss:
            return
        for _ in range(2 if self.draw.random() < 0.02 else 1):
            late = 30 * MS if self.draw.random() < 0.05 else 0
            at_ps = self.t_ps + 10 * MS + int(self.draw.integers(0, 2 * MS)) + late
            self.count += 1
            self.events.append((at_ps, self.count, kind, content))

    def step(self):
        c = self.c
        due = [(int(c["timer_ps"]), 0, "timer", None), (int(c["delack_ps"]), 0, "delack", None)]
        event = min([*due, *self.events], key=lambda e: e[:2])
        if event in self.events:
            self.events.remove(event)
        self.t_ps = max(self.t_ps, event[0])
        kind, content = event[2], event[3]
        codes, n = [], -1
        if kind == "timer":
            codes = c.timer(self.t_ps)
        elif kind == "delack":
            n = c.delack(self.t_ps)
        elif kind == "data":
            n = c.data(self.t_ps, content[0], content[1])
        else:
            codes = c.acked(self.t_ps, content)
        for code in codes:
            self.put("data", (code & 0xFFFFFFFF, self.t_ps))
        if n >= 0:
            self.put("ack", n)
        self.check()

    def check(self):
        c = self.c
        una, end = int(c["una_seq"]), int(c["next_seq"])
        mask = int(c["seg_mask"])
        out = c.segment[[seq & mask for seq in range(una, end)]]
        flags = out["flags"]
        assert self.cumulative_before <= una <= c["delivered_segments"] <= end
        assert self.delivered_before <= c["delivered_segments"]
        self.cumulative_before, self.delivered_before = una, int(c["delivered_segments"])
        assert c["sacked_out"] == np.count_nonzero(flags & tcp_state.SACKED)
        assert c["lost_out"] == np.count_nonzero(flags & tcp_state.LOST)
        assert c["retransmitted_out"] == np.count_nonzero(flags & tcp_state.RETRANSMITTED)
        gone = tcp_state.LOST | tcp_state.RETRANSMITTED
        assert not np.any((flags & tcp_state.SACKED != 0) & (flags & gone != 0))
        assert tcp_recovery.pipe_segments(c.flow[0]) >= 0
        assert end - una <= 256
        assert c["cwnd_segments"] >= 1
        received = np.count_nonzero(c.segment["received"])
        assert received == c["out_of_order_count"]
        assert len(self.listed()) == c["retransmitted_out"]

    def listed(self):
        """Return the retransmissions in flight in the order of their list: that of time."""
        c = self.c
        seq, order, mask = int(c["first_rtx_seq"]), [], int(c["seg_mask"])
        while seq != tcp_state.NO_SEQ:
            order.append(seq)
            following = int(c.segment[seq & mask]["later_seq"])
            seq = tcp_state.NO_SEQ if following == seq else following
        sent = [int(c.segment[seq & mask]["sent_ps"]) for seq in order]
        assert sent == sorted(sent)
        assert (order[-1] if order else tcp_state.NO_SEQ) == c["last_rtx_seq"]
        return order


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.02, 0.1, 0.3]),
    control=st.sampled_from(["newreno", "cubic", "bbr"]),
    rule=st.sampled_from(["rack", "sack"]),
    is_bare=st.booleans(),
)
def test_nothing_is_lost_or_delivered_twice_whatever_the_network_does(
    seed, loss, control, rule, is_bare
):
    base = BARE if is_bare else TcpOptions()
    options = replace(base, congestion_control=control, loss_detection=rule)
    chaos = Chaos(options, seed, loss, size=300)
    for _ in range(40_000):
        if chaos.c["una_seq"] == 300:
            break
        chaos.step()
    # In the end the application has every segment once, in order, and the sender knows.
    assert chaos.c["delivered_segments"] == chaos.c["una_seq"] == 300
    assert chaos.c["out_of_order_count"] == 0


def test_a_refused_option_names_what_is_known():
    with pytest.raises(ValueError, match="newreno, cubic, bbr"):
        TcpOptions(congestion_control="vegas")
    with pytest.raises(ValueError, match="rack or sack"):
        TcpOptions(loss_detection="time")
    with pytest.raises(ValueError, match="power of two"):
        Connection(ring=1000)
    with pytest.raises(ValueError, match="at least 1"):
        Connection(size=0)


# ---- the same bits ----------------------------------------------------------------------------

DIGEST = """
import hashlib
from kernels.tcp import TcpOptions
from tests.validation.tcp_path import PathCase, run_case
digest = hashlib.sha256()
for control in ("newreno", "cubic", "bbr"):
    options = TcpOptions(congestion_control=control)
    case = PathCase(
        rate_bps=3e6, rtt_s=(0.02, 0.05), queue_bytes=12_000.0, loss=0.02, options=options,
        data_outage_s=(0.7, 0.9),
    )
    samples, net, flow = run_case(case, 1.5)
    assert net["random_drops"] > 3
    for part in (samples, net, flow):
        digest.update(part.tobytes())
print(digest.hexdigest())
"""


def digest_in_process(**environment):
    done = subprocess.run(
        [sys.executable, "-c", DIGEST],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.plain
def test_compiled_and_plain_python_give_the_same_bits():
    assert digest_in_process() == digest_in_process(NUMBA_DISABLE_JIT="1")
