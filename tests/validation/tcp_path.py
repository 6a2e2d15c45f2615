"""The path of the TCP measurements: one drop-tail bottleneck, a delay, random loss, a delay back.

    sender --> bottleneck (FIFO of whole frames) --> delay, loss --> receiver --> delay --> sender

The element behind the bottleneck can lose everything for a while, in one or both directions.
An event loop over one or a few flows, compiled; times in picoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kernels._jit import kernel, lean
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
)

MSS_BYTES = 1448
FRAME_BYTES = 1514
SEGMENT_BYTES = 1500
ACK_BYTES = 52
SECOND_PS = 10**12
WINDOW_BYTES = 64 * 2**20

PATH_FIELDS = (
    "frame_ps queue_frames data_delay_ps loss_key loss_bound data_outage_from_ps "
    "data_outage_to_ps ack_outage_from_ps ack_outage_to_ps"
)
STATE_FIELDS = (
    "free_ps first_departure next_departure data_head data_tail now_ps sent_frames queue_drops "
    "random_drops outage_drops sample_ps sample_step_ps sample_row"
)
SAMPLE_FIELDS = "delivered sent retransmitted timeouts srtt_ps cwnd ssthresh pipe rto_ps"
NET = np.dtype([(name, "i8") for name in (PATH_FIELDS + " " + STATE_FIELDS).split()])
DATA = np.dtype([("at_ps", "i8"), ("flow", "i8"), ("seq", "i8"), ("sent_ps", "i8")])
ACK_ON_WAY = np.dtype([("at_ps", "i8"), ("n", "i8")])
SAMPLE = np.dtype([(name, "i8") for name in SAMPLE_FIELDS.split()])

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


@lean
@kernel
def mix(value: Any) -> Any:
    """SplitMix64's finaliser."""
    value = (value ^ (value >> np.uint64(30))) * MIX_1
    value = (value ^ (value >> np.uint64(27))) * MIX_2
    return value ^ (value >> np.uint64(31))


@lean
@kernel
def is_lost(net: Any, f: int, code: int) -> bool:
    """Draw the fate of a transmission from its number alone."""
    if net["loss_bound"] == 0:
        return False
    key = mix(np.uint64(net["loss_key"]) ^ mix(np.uint64(f + 1) * GOLDEN))
    draw = mix(np.uint64(code) * GOLDEN + key) >> np.uint64(2)
    return bool(np.int64(draw) < net["loss_bound"])


@lean
@kernel
def send(net: Any, f: int, t_ps: int, code: int, departures: Any, data: Any) -> None:
    """Put one frame into the bottleneck, or drop it."""
    mask = departures.shape[0] - 1
    head, tail = net["first_departure"], net["next_departure"]
    while head < tail and departures[head & mask] <= t_ps:
        head += 1
    net["first_departure"] = head
    if tail - head >= net["queue_frames"]:
        net["queue_drops"] += 1
        return
    left_ps = max(net["free_ps"], t_ps) + net["frame_ps"]
    net["free_ps"] = left_ps
    departures[tail & mask] = left_ps
    net["next_departure"] = tail + 1
    net["sent_frames"] += 1
    if is_lost(net, f, code):
        net["random_drops"] += 1
        return
    if net["data_outage_from_ps"] <= left_ps < net["data_outage_to_ps"]:
        net["outage_drops"] += 1
        return
    d = data[net["data_tail"] & (data.shape[0] - 1)]
    d["at_ps"] = left_ps + net["data_delay_ps"]
    d["flow"] = f
    d["seq"] = code & 0xFFFFFFFF
    d["sent_ps"] = t_ps
    net["data_tail"] += 1


@lean
@kernel
def send_all(
    net: Any, flow: Any, f: int, t_ps: int, segment: Any, departures: Any, data: Any
) -> int:
    """Send what the flow may send; 1 if it went beyond the bound that was announced."""
    bound = burst_bound(flow, f)
    count = 0
    while True:
        code = next_segment(flow, f, t_ps, segment)
        if code < 0:
            return 1 if count > bound else 0
        count += 1
        send(net, f, t_ps, code, departures, data)


@lean
@kernel
def send_ack_back(
    net: Any, f: int, t_ps: int, n: int, ack_delay_ps: Any, on_way: Any, on_way_ends: Any
) -> None:
    """Put an ACK on its way back."""
    if net["ack_outage_from_ps"] <= t_ps < net["ack_outage_to_ps"]:
        return
    a = on_way[f, on_way_ends[f, 1] & (on_way.shape[1] - 1)]
    a["at_ps"] = t_ps + ack_delay_ps[f]
    a["n"] = n
    on_way_ends[f, 1] += 1


@lean
@kernel
def sample(net: Any, flow: Any, samples: Any) -> None:
    """Note the state of all flows."""
    row = net["sample_row"]
    for f in range(flow.shape[0]):
        r = flow[f]
        s = samples[row, f]
        s["delivered"] = r["delivered_segments"]
        s["sent"] = r["next_seq"] + r["retransmitted_segments"]
        s["retransmitted"] = r["retransmitted_segments"]
        s["timeouts"] = r["rto_count"]
        s["srtt_ps"] = r["srtt_8th_ps"] >> 3
        s["cwnd"] = r["cwnd_segments"]
        s["ssthresh"] = r["ssthresh_segments"]
        s["pipe"] = (
            r["next_seq"] - r["una_seq"] - r["sacked_out"] - r["lost_out"] + r["retransmitted_out"]
        )
        s["rto_ps"] = r["rto_ps"]
    net["sample_row"] = row + 1
    net["sample_ps"] += net["sample_step_ps"]


@lean
@kernel
def run_until(
    net: Any,
    flow: Any,
    segment: Any,
    ack: Any,
    departures: Any,
    data: Any,
    ack_delay_ps: Any,
    on_way: Any,
    on_way_ends: Any,
    samples: Any,
    end_ps: int,
) -> int:
    """Handle every event before `end_ps` in order of time; return 0, or what went wrong."""
    while True:
        due_ps = net["sample_ps"]
        kind = 0
        f = 0
        if net["data_head"] < net["data_tail"]:
            d = data[net["data_head"] & (data.shape[0] - 1)]
            if d["at_ps"] < due_ps:
                due_ps, kind, f = d["at_ps"], 1, d["flow"]
        for g in range(flow.shape[0]):
            if on_way_ends[g, 0] < on_way_ends[g, 1]:
                at_ps = on_way[g, on_way_ends[g, 0] & (on_way.shape[1] - 1)]["at_ps"]
                if at_ps < due_ps:
                    due_ps, kind, f = at_ps, 2, g
            if flow[g]["timer_ps"] < due_ps:
                due_ps, kind, f = flow[g]["timer_ps"], 3, g
            if flow[g]["delack_ps"] < due_ps:
                due_ps, kind, f = flow[g]["delack_ps"], 4, g
        if due_ps >= end_ps:
            net["now_ps"] = end_ps
            return 0
        if kind == 0:
            sample(net, flow, samples)
            continue
        if kind == 1 or kind == 4:
            if ack_ring_full(flow, f):
                return 1
            if kind == 1:
                d = data[net["data_head"] & (data.shape[0] - 1)]
                net["data_head"] += 1
                n = on_data(flow, f, due_ps, d["seq"], d["sent_ps"], segment, ack)
            else:
                n = on_delack(flow, f, due_ps, ack)
            if n >= 0:
                send_ack_back(net, f, due_ps, n, ack_delay_ps, on_way, on_way_ends)
            continue
        if kind == 2:
            n = on_way[f, on_way_ends[f, 0] & (on_way.shape[1] - 1)]["n"]
            on_way_ends[f, 0] += 1
            on_ack(flow, f, due_ps, n, segment, ack)
        else:
            on_timer(flow, f, due_ps, segment)
        if send_all(net, flow, f, due_ps, segment, departures, data) != 0:
            return 2
        if net["data_tail"] - net["data_head"] > data.shape[0]:
            return 3


@dataclass(frozen=True, slots=True)
class PathCase:
    """One run: the path, the flows and what is switched on."""

    rate_bps: float
    rtt_s: tuple[float, ...]
    queue_bytes: float
    loss: float = 0.0
    start_s: tuple[float, ...] = (0.0,)
    seed: int = 1
    options: TcpOptions = field(default_factory=TcpOptions)
    window_bytes: int = WINDOW_BYTES
    data_outage_s: tuple[float, float] = (-1.0, -1.0)
    ack_outage_s: tuple[float, float] = (-1.0, -1.0)
    sample_s: float = 0.05

    def with_(self, **changes: Any) -> PathCase:
        """Return the case with some fields changed."""
        return replace(self, **changes)


def power_of_two(count: float) -> int:
    """Return the least power of two that is not below `count`."""
    size = 2
    while size < count:
        size *= 2
    return size


def run_case(case: PathCase, horizon_s: float) -> tuple[np.ndarray, np.void, np.ndarray]:
    """Run a case from 0 to `horizon_s`; return the samples [time, flow], counts and flows."""
    flows = len(case.rtt_s)
    frame_ps = round(FRAME_BYTES * 8 * SECOND_PS / case.rate_bps)
    queue_frames = max(round(case.queue_bytes / FRAME_BYTES), 1)
    in_path = case.rate_bps * max(case.rtt_s) / 8 / MSS_BYTES + queue_frames
    rwnd = case.window_bytes // MSS_BYTES
    ring = power_of_two(min(rwnd + 2, 8 * in_path + 2000))
    flow = np.zeros(flows, FLOW)
    segment = np.zeros(flows * ring, SEGMENT)
    ack = np.zeros(flows * ring, ACK)
    for f in range(flows):
        init_flow(
            flow,
            f,
            case.options,
            start_ps=round(case.start_s[f % len(case.start_s)] * SECOND_PS),
            stop_ps=NEVER_PS,
            size_segments=2**32,
            mss_bytes=MSS_BYTES,
            segment_bytes=SEGMENT_BYTES,
            ack_bytes=ACK_BYTES,
            rwnd_segments=min(rwnd, ring),
            seg_off=f * ring,
            seg_size=ring,
            ack_off=f * ring,
            ack_size=ring,
            handshake_rtt_ps=round(case.rtt_s[f] * SECOND_PS),
        )
    net = np.zeros(1, NET)
    base_ps = round(min(case.rtt_s) * SECOND_PS / 2)
    rtt_ps = np.array([round(rtt * SECOND_PS) for rtt in case.rtt_s], np.int64)
    net["frame_ps"] = frame_ps
    net["queue_frames"] = queue_frames
    net["data_delay_ps"] = base_ps
    net["loss_key"] = case.seed * 1_000_003
    net["loss_bound"] = round(case.loss * 2**62)
    for name, outage in (("data", case.data_outage_s), ("ack", case.ack_outage_s)):
        net[f"{name}_outage_from_ps"] = round(outage[0] * SECOND_PS)
        net[f"{name}_outage_to_ps"] = round(outage[1] * SECOND_PS)
    net["sample_ps"] = net["sample_step_ps"] = round(case.sample_s * SECOND_PS)
    samples = np.zeros((round(horizon_s / case.sample_s) + 2, flows), SAMPLE)
    status = run_until(
        net[0],
        flow,
        segment,
        ack,
        np.zeros(power_of_two(queue_frames + 2), np.int64),
        np.zeros(power_of_two(2 * in_path + 100), DATA),
        rtt_ps - base_ps,
        np.zeros((flows, ring), ACK_ON_WAY),
        np.zeros((flows, 2), np.int64),
        samples,
        round(horizon_s * SECOND_PS),
    )
    if status != 0:
        raise RuntimeError(f"run_until: status {status} for {case}")
    return samples[: int(net["sample_row"][0])], net[0], flow
