"""How bulk flows stand at an instant, for packets that take over from there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from kernels import layout
from kernels.units import BITS_PER_BYTE
from simulator.flowlevel.connections import Connections
from simulator.flowlevel.stalls import NO_STALL, RTO_MAX_S, Stall
from simulator.flowlevel.tcp import ramp_s
from simulator.plan import UNLIMITED_SEGMENTS, Plan, TcpFlowPlan, TransferPlan, to_ps

LEAST_BITS: Final = BITS_PER_BYTE / 2.0
"""A flow that has less to carry has ended: rounding."""


@dataclass(frozen=True)
class Bulk:
    """How one bulk flow stands.

    new       has not begun
    flowing   sends at its rate
    waiting   its route is or was cut: it sends its next segment at `start_ps`
    starting  has just begun: slow start
    over      has ended
    """

    standing: Literal["new", "flowing", "waiting", "starting", "over"]
    start_ps: int
    segments_left: int
    window_segments: float = 0.0
    """Rate x round trip: now, or before the route was cut."""
    rtt_s: float = 0.0
    timeout_s: float = 0.0
    """Present retransmission timeout of one that waits."""


def bulk_flows(plan: Plan, tcp: Connections, now_ps: int) -> tuple[Bulk, ...]:
    """How the bulk flows of a plan stand now, in their order there."""
    found: list[Bulk] = [Bulk("over", layout.NEVER_PS, 1)] * len(plan.tcp_flows)
    rate_bps, _, count = tcp.shares.rates()
    left_bytes = tcp.shares.remaining_bytes(now_ps)
    for i, item in enumerate(tcp.items):
        if isinstance(item.first, TransferPlan):
            continue
        c = int(tcp.shares.current[i])
        active, begun = int(count[c]), round(tcp.begun[i])
        state = _state(tcp, c, float(rate_bps[c]), now_ps)
        order = sorted(item.members, key=lambda f: (plan.tcp_flows[f].settings["start_ps"], f))
        for rank, f in enumerate(order):
            flow = plan.tcp_flows[f]
            if rank >= begun:
                start_ps = max(now_ps, flow.settings["start_ps"])
                found[f] = Bulk("new", start_ps, flow.settings["size_segments"])
            elif rank >= begun - active:  # those who began first have ended first
                segments = _segments_left(flow, left_bytes[c] / active)
                if segments > 0:
                    found[f] = replace(state, segments_left=segments)
    return tuple(found)


def _state(tcp: Connections, c: int, rate_bps: float, now_ps: int) -> Bulk:
    """How the active flows of an item stand, all alike."""
    stall = tcp.stalls.get(c, NO_STALL)
    rtt_s, mss_bits = float(tcp.round_trip_s[c]), float(tcp.uses.mss_bits[c])
    if stall.since_ps >= 0 or stall.resume_ps > now_ps:
        return _state_of_stalled(tcp, c, stall, rtt_s, mss_bits, now_ps)
    return Bulk("flowing", now_ps, 0, rate_bps * rtt_s / mss_bits, rtt_s)


def _state_of_stalled(
    tcp: Connections, c: int, stall: Stall, rtt_s: float, mss_bits: float, now_ps: int
) -> Bulk:
    if stall.since_ps < 0 and stall.rate_bps == 0.0:
        return Bulk("starting", now_ps, 0, 0.0, rtt_s)
    segments = stall.rate_bps * rtt_s / mss_bits
    timeout_s = min(tcp.rto_s(c) * 2.0**stall.timeouts, RTO_MAX_S)
    if stall.since_ps >= 0:
        return Bulk("waiting", max(stall.next_ps, now_ps), 0, segments, rtt_s, timeout_s)
    begins_ps = stall.resume_ps - to_ps(rtt_s + ramp_s(segments, 1.0, rtt_s))
    return Bulk("waiting", max(begins_ps, now_ps), 0, segments, rtt_s, timeout_s)


def _segments_left(flow: TcpFlowPlan, left_bytes: float) -> int:
    if flow.settings["size_segments"] >= UNLIMITED_SEGMENTS:
        return UNLIMITED_SEGMENTS
    if left_bytes * BITS_PER_BYTE < LEAST_BITS:
        return 0
    return int(np.ceil(left_bytes / flow.settings["mss_bytes"]))
