"""What TCP reaches on a path, and what it does to the queue of a hop that it fills.

    window(p, RTT)   mean congestion window where packets are lost with probability p
    rate cap         min(receive window, window(p, RTT)) / RTT
    full hop         queue of a drop-tail buffer between the troughs and the peaks of the windows

The response functions are those of RFC 9438, section 5 (CUBIC, and Reno, to which CUBIC's
friendly region is equal). The numbers named `FITTED_...` were fitted to the packet level of this
simulator, so they hold for its stack (docs/models/tcp.md) and not for every other one; how far the
two levels are apart is in docs/flow-agreement.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels.units import BITS_PER_BYTE

Array = npt.NDArray[np.float64]

FITTED_SEGMENTS_LESS: Final = {"cubic": 1.7, "newreno": 0.7, "bbr": 0.0}
"""By so many segments the mean window lies below the square-root law: time-outs, odd segments."""
FITTED_WINDOW_MIN: Final = 0.25
"""Mean window under heavy loss, in segments: a flow that lives from time-out to time-out."""
FITTED_CUBIC_FACTOR: Final = 1.15
"""Losses at random instead of one in every 1/p packets let CUBIC's window grow larger."""
FITTED_BLEND: Final = 6.0
"""Exponent of the mean that joins the regions in which Reno and CUBIC decide."""
FITTED_DIP: Final = (0.05, 0.08)
"""Mean dip of all windows of a hop below their peak: first + second / flows, of the peak."""
FITTED_BETA: Final = 0.7
"""Window after a loss / before, for which the dip above was fitted; it grows with 1 - beta."""
FITTED_BURST: Final = (1.0, 4.0)
"""Jitter with deviation s makes bursts: the buffer holds (first + second / flows) s less."""
LEAST_BUFFER_RATIO: Final = 0.1
"""Part of the buffer that no burst takes away."""
FITTED_RTT_EXPONENT: Final = 1.5
"""Flows that fill one hop share it as RTT ** -exponent, the queue counted in."""
TIMER_LATE_RATIO: Final = 1.0 / 16.0
"""A step of the timer wheel is an eighth of the wait (Linux kernel/time/timer.c)."""
LEAST_LOSS_RATIO: Final = 1e-12


@dataclass(frozen=True)
class Stack:
    """What the model needs to know of a TCP stack."""

    congestion_control: str
    cubic_c: float
    cubic_beta: float
    beta: float
    """Window after a loss / before, of the congestion control that is on."""
    rto_min_s: float
    timer_late_ratio: float
    """By this share of its wait a timeout comes late: half of a step of the timer wheel."""
    segments_per_ack: int
    initial_segments: int

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Stack:
        """Take what matters from the switches of `kernels.tcp.TcpOptions`."""
        from kernels.tcp import TcpOptions

        switches = TcpOptions(**options)
        return cls(
            congestion_control=switches.congestion_control,
            cubic_c=switches.cubic_c,
            cubic_beta=switches.cubic_beta,
            beta=(
                switches.newreno_beta
                if switches.congestion_control == "newreno"
                else switches.cubic_beta
            ),
            rto_min_s=switches.rto_min_s,
            timer_late_ratio=TIMER_LATE_RATIO if switches.timer_wheel else 0.0,
            segments_per_ack=switches.segments_per_ack,
            initial_segments=switches.initial_cwnd_segments,
        )


@dataclass(frozen=True)
class Stacks:
    """Stacks side by side, one for each class of flows."""

    is_cubic: npt.NDArray[np.bool_]
    is_loss_based: npt.NDArray[np.bool_]
    cubic_factor: Array
    """(c (3 + beta) / (4 (1 - beta))) ** (1/4)."""
    segments_less: Array
    beta: Array

    @classmethod
    def of(cls, stacks: list[Stack]) -> Stacks:
        """Gather stacks in arrays."""
        c = np.array([s.cubic_c for s in stacks], float)
        beta = np.array([s.cubic_beta for s in stacks], float)
        return cls(
            np.array([s.congestion_control == "cubic" for s in stacks], bool),
            np.array([s.congestion_control != "bbr" for s in stacks], bool),
            (c * (3.0 + beta) / (4.0 * (1.0 - beta))) ** 0.25,
            np.array([FITTED_SEGMENTS_LESS[s.congestion_control] for s in stacks], float),
            np.array([s.beta for s in stacks], float),
        )


def window_segments(loss_ratio: Array, rtt_s: Array, stacks: Stacks) -> Array:
    """Mean congestion window under random loss, segments; infinite without loss.

    Reno (RFC 5681, and the friendly region of CUBIC): sqrt(3 / (2 p)); CUBIC: (c (3 + beta) /
    (4 (1 - beta)))^(1/4) (RTT / p)^(3/4). BBR takes no notice of loss.
    """
    p = np.maximum(loss_ratio, LEAST_LOSS_RATIO)
    reno = np.maximum(np.sqrt(1.5 / p) - stacks.segments_less, 0.0)
    cubic = FITTED_CUBIC_FACTOR * stacks.cubic_factor * (rtt_s / p) ** 0.75
    cubic = np.where(stacks.is_cubic, np.where(reno > 0.0, cubic, 0.0), 0.0)
    blend = (reno**FITTED_BLEND + cubic**FITTED_BLEND) ** (1.0 / FITTED_BLEND)
    window = np.maximum(blend, FITTED_WINDOW_MIN)
    return np.where(stacks.is_loss_based & (loss_ratio > 0.0), window, np.inf)


def loss_of_window(segments: Array, rtt_s: Array, stacks: Stacks) -> Array:
    """Loss ratio that keeps the mean window at so many segments: the inverse, region by region."""
    w = np.maximum(segments, FITTED_WINDOW_MIN)
    reno = 1.5 / (w + stacks.segments_less) ** 2
    cubic = rtt_s * (FITTED_CUBIC_FACTOR * stacks.cubic_factor / w) ** (4.0 / 3.0)
    loss = np.maximum(reno, np.where(stacks.is_cubic, cubic, 0.0))
    return np.where(stacks.is_loss_based, np.minimum(loss, 1.0), 0.0)


@dataclass(frozen=True)
class FullQueue:
    """The queue of hops that TCP fills: it swings between `low_s` and `high_s`, evenly."""

    low_s: Array
    high_s: Array
    mean_s: Array
    used_ratio: Array
    """Share of its rate that a hop delivers: below 1 if the queue runs empty in between."""
    dip: Array
    """Mean dip of all windows below their peak, of the peak."""


def full_queue(
    buffer_s: Array, rtt_s: Array, flows_count: Array, jitter_s: Array, beta: Array
) -> FullQueue:
    """Queue of a hop with a drop-tail buffer that loss-based flows fill.

    The windows of all flows together swing between a peak, (RTT + buffer) x rate, at which the
    buffer overflows, and a trough; the mean lies `dip` below the peak. What exceeds RTT x rate
    waits; where the trough is below it the hop runs empty (Appenzeller, Keslassy and McKeown,
    "Sizing router buffers", SIGCOMM 2004, section 2, for one flow and for many). Packets that
    jitter has pushed together overflow a buffer that is not full on average.

    buffer_s, rtt_s (without this queue), flows_count, jitter_s (standard deviation over the round
    trip), beta: float64[hops].
    """
    flows = np.maximum(flows_count, 1.0)
    burst_s = (FITTED_BURST[0] + FITTED_BURST[1] / flows) * jitter_s
    peak_s = np.maximum(buffer_s - burst_s, LEAST_BUFFER_RATIO * buffer_s)
    dip = (FITTED_DIP[0] + FITTED_DIP[1] / flows) * (1.0 - beta) / (1.0 - FITTED_BETA)
    low = peak_s - 2.0 * dip * (rtt_s + peak_s)
    span = np.maximum(peak_s - low, 1e-15)
    empty = np.maximum(-low, 0.0)
    mean = (peak_s**2 - np.maximum(low, 0.0) ** 2) / (2.0 * span)
    missing = empty**2 / (2.0 * span) / np.maximum(rtt_s, 1e-15)
    return FullQueue(np.maximum(low, 0.0), peak_s, mean, 1.0 - missing, dip)


def ramp_s(segments: float, begin_segments: float, rtt_s: float) -> float:
    """Time that slow start loses against a flow that has its whole window from the start.

    The window doubles each round trip; all rounds together carry one and a bit of the last window
    (Cardwell, Savage and Anderson, "Modeling TCP latency", INFOCOM 2000, section 2).
    """
    rounds = np.log2(max(segments, begin_segments) / begin_segments)
    return float(rtt_s * max(rounds - 1.0, 0.0))


def transfer_delay_s(size_bytes: Array, rate_bps: float, rtt_s: float, mss_bits: float,
                     initial_segments: int, handshake_s: float) -> Array:  # fmt: skip
    """What handshake, slow start and the last byte's way add to size / rate, for each size.

    In round k the window is initial * 2^k segments, until it reaches rate * RTT. A transfer that
    ends before waits for whole round trips (Cardwell et al., 2000).
    """
    begin_bits = initial_segments * mss_bits
    full_bits = max(rate_bps * rtt_s, begin_bits)
    size_bits = size_bytes * BITS_PER_BYTE
    rounds_to_end = np.log2(size_bits / begin_bits + 1.0)
    rounds_to_full = np.log2(full_bits / begin_bits)
    rounds = np.minimum(np.floor(rounds_to_end), np.ceil(rounds_to_full))
    sent_bits = begin_bits * (2.0**rounds - 1.0)
    left_bits = np.maximum(size_bits - sent_bits, 0.0)
    time_s = rounds * rtt_s + left_bits / rate_bps if rate_bps > 0.0 else np.inf * rounds
    return np.maximum(time_s - size_bits / rate_bps, 0.0) + handshake_s + rtt_s / 2.0
