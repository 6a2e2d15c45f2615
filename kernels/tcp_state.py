"""Records, constants and options of the TCP kernels: what one flow is made of.

One `FLOW` record holds the state and the parameters of both ends of a flow. The rings are
pooled: a flow owns a region of a power of two entries in each.

    segment[seg_off + (seq & seg_mask)]   SEGMENT, one per outstanding segment (scoreboard);
                                          its field `received` is the receiver's reassembly map.
                                          Only as much of the region is in use as the flight
                                          needs: a small ring stays in the processor's cache
    ack[ack_off + (n & ack_mask)]         ACK, what ACK number n says; likewise

Sequence numbers count segments from 0. All times are picoseconds (int64).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NEVER_PS: Final = 2**63 - 1
"""A timer that is not set."""
MILLISECOND_PS: Final = 1_000_000_000
SECOND_PS: Final = 1_000_000_000_000
UNLIMITED_SEGMENTS: Final = 2**32 - 1
"""Sequence numbers stay below this; so much or more to send means without end."""

# Congestion control (field `congestion_control`).
NEWRENO: Final = 0
CUBIC: Final = 1
BBR: Final = 2
CONGESTION_CONTROLS: Final = {"newreno": NEWRENO, "cubic": CUBIC, "bbr": BBR}

# Congestion state (field `state`), named as in Linux.
OPEN: Final = 0
DISORDER: Final = 1
CWR: Final = 2
RECOVERY: Final = 3
LOSS: Final = 4

# Flags of a scoreboard entry (field `flags`).
SACKED: Final = 1
LOST: Final = 2
RETRANSMITTED: Final = 4
"""A retransmission is in flight."""
EVER_RETRANSMITTED: Final = 8

# What the one retransmission timer is armed for (field `timer_kind`).
TIMER_NONE: Final = 0
TIMER_AUTO: Final = 1
"""Tail loss probe or timeout, worked out from `armed_ps` only when the timer is looked at."""
TIMER_RTO: Final = 2
TIMER_PROBE: Final = 3
TIMER_REORDER: Final = 4

# What one ACK brought (field `ack_flags`).
DATA_ACKED: Final = 1
DATA_SACKED: Final = 2
RETRANSMISSION_ACKED: Final = 4
ORIGINAL_ACKED: Final = 8
"""A segment that was never retransmitted and was sent before the last timeout got through."""
DUPLICATE_SEEN: Final = 16
RETRANSMISSION_LOST: Final = 32
TIMER_UPDATE: Final = 64
REORDER_ARMED: Final = 128

# Protocol constants.
INITIAL_RTO_PS: Final = SECOND_PS
"""RFC 6298 (2.1)."""
RTO_MAX_PS: Final = 120 * SECOND_PS
"""Linux TCP_RTO_MAX; RFC 6298 (2.5) allows any bound of at least 60 s."""
DUPLICATE_THRESHOLD: Final = 3
"""RFC 5681, RFC 6675: DupThresh."""
REORDERING_MAX_SEGMENTS: Final = 300
"""Linux net.ipv4.tcp_max_reordering."""
MIN_RTT_WINDOW_PS: Final = 300 * SECOND_PS
"""Linux net.ipv4.tcp_min_rtt_wlen."""
SACK_BLOCKS: Final = 3
"""RFC 2018: what fits beside the timestamp option."""
SMALLEST_RING: Final = 64
"""Entries of a ring that a flow starts with; it doubles, and shrinks again, within its region."""
RING_SPARE: Final = 4
"""A ring is halved when what is in it would fit so many times."""
SACK_LIST: Final = 4
"""Blocks that the receiver remembers (Linux TCP_NUM_SACKS)."""
QUICK_ACKS: Final = 16
"""Linux TCP_MAX_QUICKACKS."""
INFINITE_SSTHRESH: Final = 2**31 - 1
NO_SEQ: Final = -1
NO_SEQ_IN_ACK: Final = 2**32 - 1

SEGMENT = np.dtype(
    [
        ("sent_ps", "i8"),
        ("flags", "u1"),
        ("retransmissions", "u1"),
        ("received", "u1"),
        ("is_app_limited", "u1"),
        ("later_seq", "u4"),  # next and previous retransmission in order of time (RACK)
        ("earlier_seq", "u4"),
        ("delivered", "u4"),  # delivery rate: state of the connection when it was sent
        ("delivered_ps", "i8"),
        ("first_sent_ps", "i8"),
    ],
    align=True,
)
"""Scoreboard entry of one outstanding segment: 40 bytes."""

ACK = np.dtype(
    [
        ("n", "i8"),
        ("echo_ps", "i8"),
        ("cumulative_seq", "u4"),
        ("window_segments", "u4"),
        ("duplicate_seq", "u4"),
        ("block_count", "u4"),
        ("blocks", "u4", (SACK_BLOCKS, 2)),
    ],
    align=True,
)
"""Content of one ACK: 56 bytes. `duplicate_seq` is the D-SACK of RFC 2883."""

# The fields of the plain path stand together at the front, eight to a cache line: a sender reads
# six lines for an ACK and what it lets out, a receiver three for a segment and its ACK.
_SENDING = (
    "una_seq next_seq limit_seq cwnd_segments is_plain burst_left stop_ps seg_off "
    "seg_mask use_tso srtt_8th_ps ssthresh_segments last_write_ps congestion_control "
    "is_cwnd_limited out_max_segments "
    "usage_seq timer_ps timer_kind armed_ps size_segments seg_room_mask segment_bytes rto_ps "
    "mdev_4th_ps mdev_max_ps rttvar_ps rtt_round_seq rto_min_ps min_rtt_ps min_rtt_at_ps epoch_ps "
    "delay_min_ps cwnd_credit last_cwnd_segments last_update_ps growth_count reno_credit "
    "use_hystart hystart_found "
)
_RECEIVING = (
    "ack_off ack_mask ack_seen ack_room_mask ack_next ack_bytes mss_bytes last_data_ps "
    "delivered_segments out_of_order_count ato_ps delack_min_ps acked_seq echo_ps "
    "segments_per_ack quick_count "
    "delack_ps delack_due_ps window_segments window_goal_segments tune_due_ps sack_count "
    "duplicate_seq compress_due_ps rwnd_segments"
)
_SENDER = (
    "start_ps retransmitted_segments rto_count fast_recovery_count "
    "deadline_ps retransmit_count state high_seq sacked_out lost_out retransmitted_out "
    "delivered_count lost_count highest_sacked_seq acked_first_ps acked_last_ps sacked_first_ps "
    "sacked_last_ps judged_seq retransmit_seq first_rtx_seq last_rtx_seq ack_flags "
    "prior_cwnd_segments prior_ssthresh_segments prr_delivered prr_out "
    "undo_seq undo_retransmissions first_retransmission_ps frto_is_on frto_sends_new "
    "reordering_segments reordering_seen "
    "rack_ps rack_seq rack_rtt_ps rack_advanced reo_steps reo_persist reo_delivered "
    "probe_is_due probe_seq probe_is_retransmission"
)
_GROWTH = (
    "origin_segments k_1024th_s last_max_segments reno_segments "
    "hystart_round_ps hystart_ack_ps hystart_end_seq hystart_rtt_ps hystart_samples"
)
_RATE = (
    "first_sent_ps delivered_ps app_limited rate_prior_delivered rate_prior_ps rate_prior_pipe "
    "rate_is_app_limited rate_seq rate_interval_ps pace_next_ps pace_due_ps random_key "
    "bbr_mode bbr_cycle_idx bbr_cycle_ps bbr_round_count bbr_round_delivered bbr_round_start "
    "bbr_conserves bbr_previous_state bbr_prior_cwnd bbr_full_count bbr_is_full bbr_min_rtt_ps "
    "bbr_min_rtt_at_ps bbr_probe_done_ps bbr_probe_round_done bbr_epoch_ps bbr_epoch_acked "
    "bbr_extra_idx bbr_extra_rounds bbr_uses_policer_rate bbr_watches_policer bbr_policer_rounds "
    "bbr_policer_lost bbr_policer_delivered bbr_policer_ps bbr_draws"
)
_RECEIVER = (
    "tuned_seq tuned_copied_segments least_delay_ps compressed_count "
    "duplicate_ack_count compress_seq has_data delack_max_ps use_quick_ack "
    "use_ack_compression compress_max_count compress_max_ps"
)
_SWITCHES = (
    "initial_cwnd_segments use_rack use_probe use_prr use_frto use_undo use_fast_convergence "
    "use_reno_region tick_ps has_timer_wheel handshake_rtt_ps"
)
_NUMBERS = (
    "cubic_c cubic_beta newreno_beta pacing_pps pacing_gain bbr_cwnd_gain bbr_full_pps "
    "bbr_policer_pps"
)
_INTEGERS = " ".join([_SENDING, _RECEIVING, _SENDER, _GROWTH, _RATE, _RECEIVER, _SWITCHES])

FLOW = np.dtype(
    [(name, "i8") for name in _INTEGERS.split()]
    + [(name, "f8") for name in _NUMBERS.split()]
    + [("rate_max_pps", "f8", (3,)), ("rate_max_round", "i8", (3,)), ("bbr_extra", "i8", (2,))]
    + [("sack_list", "i8", (SACK_LIST, 2)), ("sack_cache", "i8", (SACK_BLOCKS, 2))],
    align=True,
)
"""State and parameters of both ends of one flow."""


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """Switches of the TCP model; the defaults are those of the measured stack (Linux 6.12).

    Attributes
    ----------
    congestion_control : str
        `newreno` (RFC 5681, RFC 6582), `cubic` (RFC 9438) or `bbr` (version 1).
    initial_cwnd_segments : int
        Initial window in segments (RFC 6928).
    loss_detection : str
        `rack` (RFC 8985) or `sack` (RFC 6675, three SACKed segments above).
    tail_loss_probe, prr, hystart, frto, undo : bool
        RFC 8985 section 7; RFC 6937; HyStart as the exit of CUBIC's slow start; RFC 5682; undo
        of a window reduction that timestamps (RFC 3522) or D-SACK (RFC 3708) prove wrong.
    tso : bool
        Send bursts of what the pacing rate sends in 1/1024 s, two segments at least, and wait until
        a whole one may go (Linux tcp_tso_autosize, tcp_tso_should_defer). The network still
        sees single packets.
    fast_convergence, reno_region : bool
        RFC 9438 sections 4.7 and 4.3.
    cubic_c, cubic_beta, newreno_beta : float
        Segments/s^3 and window after loss / before (RFC 9438 section 5, RFC 5681).
    rto_min_s, tick_s : float
        Floor of the variance term of the RTO (Linux TCP_RTO_MIN; RFC 6298 says 1 s); step of the
        clock that timers count in (Linux CONFIG_HZ=250), 0 for timers without steps.
    timer_wheel : bool
        Round timers up to the steps of the Linux timer wheel (an eighth of the wait and less).
    segments_per_ack : int
        Segments that an ACK waits for (RFC 5681: 2).
    delack_min_s, delack_max_s : float
        Shortest and longest wait of a delayed ACK (Linux TCP_DELACK_MIN, TCP_DELACK_MAX).
    quick_ack : bool
        First 16 segments and 16 after a duplicate are acknowledged at once (Linux).
    ack_compression : bool
        SACKs after the third of a hole are sent together (Linux tcp_comp_sack_*), at most
        `compress_max_count` segments or min(`compress_max_s`, 5 % of the RTT) later.
    window_autotuning : bool
        Let the receive window follow what the application reads in a round trip (Linux
        tcp_rcv_space_adjust), from `initial_window_bytes` (Linux: 65,535) up to the flow's receive
        window; off: the whole window from the start.
    """

    congestion_control: str = "cubic"
    initial_cwnd_segments: int = 10
    loss_detection: str = "rack"
    tail_loss_probe: bool = True
    prr: bool = True
    hystart: bool = True
    frto: bool = True
    undo: bool = True
    tso: bool = True
    fast_convergence: bool = True
    reno_region: bool = True
    cubic_c: float = 0.4
    cubic_beta: float = 0.7
    newreno_beta: float = 0.5
    rto_min_s: float = 0.2
    tick_s: float = 0.004
    timer_wheel: bool = True
    segments_per_ack: int = 2
    delack_min_s: float = 0.04
    delack_max_s: float = 0.2
    quick_ack: bool = True
    ack_compression: bool = True
    compress_max_count: int = 44
    compress_max_s: float = 0.001
    window_autotuning: bool = True
    initial_window_bytes: int = 65_535

    def __post_init__(self) -> None:
        """Refuse names that no switch knows."""
        if self.congestion_control not in CONGESTION_CONTROLS:
            known = ", ".join(CONGESTION_CONTROLS)
            raise ValueError(
                f"congestion_control = {self.congestion_control!r}: must be one of {known}"
            )
        if self.loss_detection not in ("rack", "sack"):
            raise ValueError(f"loss_detection = {self.loss_detection!r}: must be rack or sack")


def init_flow(
    flow: NDArray[np.void],
    f: int,
    options: TcpOptions,
    *,
    start_ps: int,
    stop_ps: int,
    size_segments: int,
    mss_bytes: int,
    segment_bytes: int,
    ack_bytes: int,
    rwnd_segments: int,
    seg_off: int,
    seg_size: int,
    ack_off: int,
    ack_size: int,
    handshake_rtt_ps: int,
    random_key: int = 0,
) -> None:
    """Fill the record of flow `f` with its state before the first segment.

    Parameters
    ----------
    flow : ndarray of FLOW
        Written at index `f`.
    options : TcpOptions
        Switches of the model.
    start_ps, stop_ps : int
        First instant at which data may be sent (the handshake is over); no new data from
        `stop_ps` on (`NEVER_PS`: none).
    size_segments : int
        Segments to send; `UNLIMITED_SEGMENTS` and more: without end.
    mss_bytes, segment_bytes, ack_bytes : int
        Payload of a segment; inner IP packet of a segment and of a pure ACK.
    rwnd_segments : int
        Receive window, or the most that it is tuned to.
    seg_off, seg_size, ack_off, ack_size : int
        Regions of the flow in the pooled rings; the sizes are powers of two.
    handshake_rtt_ps : int
        Round-trip time that the handshake measured; 0: none, the first RTO is 1 s.
    random_key : int
        Key of the flow's own draws (BBR: the phase in which it begins to probe).

    Raises
    ------
    ValueError
        If a size is no power of two or a count is out of range.
    """
    for name, size in (("seg_size", seg_size), ("ack_size", ack_size)):
        if size < 2 or size & (size - 1):
            raise ValueError(f"{name} = {size}: must be a power of two, at least 2")
    if size_segments < 1:
        raise ValueError(f"size_segments = {size_segments}: must be at least 1")
    if rwnd_segments < 1:
        raise ValueError(f"rwnd_segments = {rwnd_segments}: must be at least 1")
    record = flow[f]
    for name in flow.dtype.names or ():
        record[name] = 0
    for name, value in _initial_values(options).items():
        record[name] = value
    record["start_ps"] = record["timer_ps"] = start_ps
    record["stop_ps"] = stop_ps
    record["size_segments"] = min(size_segments, UNLIMITED_SEGMENTS)
    record["mss_bytes"] = mss_bytes
    record["segment_bytes"] = segment_bytes
    record["ack_bytes"] = ack_bytes
    record["rwnd_segments"] = rwnd_segments
    record["seg_off"], record["seg_room_mask"] = seg_off, seg_size - 1
    record["seg_mask"] = min(seg_size, SMALLEST_RING) - 1
    record["ack_off"], record["ack_room_mask"] = ack_off, ack_size - 1
    record["ack_mask"] = min(ack_size, SMALLEST_RING) - 1
    record["handshake_rtt_ps"] = handshake_rtt_ps
    record["random_key"] = random_key & NEVER_PS
    _init_rtt(record, handshake_rtt_ps)
    window = rwnd_segments
    if options.window_autotuning:
        window = min(window, max(options.initial_window_bytes // mss_bytes, 1))
    record["window_segments"] = record["window_goal_segments"] = window
    due_ps = start_ps + handshake_rtt_ps
    record["tune_due_ps"] = due_ps if options.window_autotuning else NEVER_PS
    record["tuned_copied_segments"] = options.initial_cwnd_segments


def _initial_values(options: TcpOptions) -> dict[str, Any]:
    """Return the fields that differ from zero before the first segment."""
    return {
        "pace_due_ps": NEVER_PS,
        "delack_ps": NEVER_PS,
        "delack_due_ps": NEVER_PS,
        "compress_due_ps": NEVER_PS,
        "cwnd_segments": options.initial_cwnd_segments,
        "initial_cwnd_segments": options.initial_cwnd_segments,
        "ssthresh_segments": INFINITE_SSTHRESH,
        "least_delay_ps": NEVER_PS,
        "undo_seq": NO_SEQ,
        "probe_seq": NO_SEQ,
        "duplicate_seq": NO_SEQ,
        "first_rtx_seq": NO_SEQ,
        "last_rtx_seq": NO_SEQ,
        "reordering_segments": DUPLICATE_THRESHOLD,
        "reo_steps": 1,
        "congestion_control": CONGESTION_CONTROLS[options.congestion_control],
        "use_rack": options.loss_detection == "rack",
        "use_probe": options.tail_loss_probe,
        "use_prr": options.prr,
        "use_hystart": options.hystart,
        "use_frto": options.frto,
        "use_undo": options.undo,
        "use_tso": options.tso,
        "use_fast_convergence": options.fast_convergence,
        "use_reno_region": options.reno_region,
        "cubic_c": options.cubic_c,
        "cubic_beta": options.cubic_beta,
        "newreno_beta": options.newreno_beta,
        "rto_min_ps": round(options.rto_min_s * SECOND_PS),
        "tick_ps": round(options.tick_s * SECOND_PS),
        "has_timer_wheel": options.timer_wheel,
        "delack_min_ps": round(options.delack_min_s * SECOND_PS),
        "delack_max_ps": round(options.delack_max_s * SECOND_PS),
        "segments_per_ack": options.segments_per_ack,
        "use_quick_ack": options.quick_ack,
        "use_ack_compression": options.ack_compression,
        "compress_max_count": options.compress_max_count,
        "compress_max_ps": round(options.compress_max_s * SECOND_PS),
    }


def _init_rtt(record: Any, handshake_rtt_ps: int) -> None:
    """Set the RTT estimate to the handshake's sample (RFC 6298 (2.2)) or to none (2.1)."""
    if handshake_rtt_ps > 0:
        rttvar_ps = max(2 * handshake_rtt_ps, int(record["rto_min_ps"]))
        record["srtt_8th_ps"] = 8 * handshake_rtt_ps
        record["mdev_4th_ps"] = 2 * handshake_rtt_ps
        record["rttvar_ps"] = record["mdev_max_ps"] = rttvar_ps
        record["rto_ps"] = handshake_rtt_ps + rttvar_ps
        record["min_rtt_ps"] = handshake_rtt_ps
    else:
        record["rto_ps"] = INITIAL_RTO_PS
        record["min_rtt_ps"] = NEVER_PS
