"""What TCP makes of the ceiling that binds it, as a range with its reason.

Many flows over a deep buffer fill a link. A few over a short one do not, and single random losses
make one run differ from the next. How far is the model of `tcp_range`: its figure with stalls of
the path is the low end, that without them the high end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from kernels import layout
from simulator.base.units import BITS_PER_BYTE, format_duration
from simulator.plan import PS_PER_S, Plan, TcpFlowPlan
from simulator.planner.round_trip import mean_round_trips_s, quantiles_s
from simulator.planner.tcp_range import Bottleneck, Reached, Stall, reached, sum_of_ranges

FLOWS_MAX: Final = 64
"""More flows at a bottleneck fill it."""
BOTTLENECKS_MAX: Final = 64
CLOSE_RATIO: Final = 0.97
"""A range that begins above this share of the ceiling is not worth a word."""
MODEL_RATIO: Final = 0.95
"""How far below the model the low end is put: rounds know no time-outs and no clocks."""
SHARED_QUEUE_RATIO: Final = 0.6
"""The low end, of what is reached without stalls, where ACKs wait in the queue of their own data,
which bunches them (Zhang, Shenker and Clark, SIGCOMM 1991)."""
DIGITS: Final = 3
"""Of the numbers by which bottlenecks count as alike."""


class Spread(NamedTuple):
    """Between what the goodput of a stream lies, as inner IP bits/s, and why."""

    low_bps: float
    high_bps: float
    why: str


def spread(
    plan: Plan,
    flows: Sequence[TcpFlowPlan],
    tightest: Mapping[int, int],
    share_bps: Mapping[int, float],
    *,
    waits_with_acks: bool,
) -> Spread | None:
    """The range of a stream of TCP flows; None if it is not known.

    Parameters
    ----------
    tightest
        The hop that leaves a flow least, by its route; routes that no hop bounds are missing.
    share_bps
        What hops leave to each flow, by its route, as inner IP bits/s.
    waits_with_acks
        Whether ACKs of the stream pass the hop that binds its data.
    """
    groups: dict[int | None, list[TcpFlowPlan]] = {}
    for flow in flows:
        groups.setdefault(tightest.get(flow.data_routes[0]), []).append(flow)
    if len(groups) > BOTTLENECKS_MAX:
        return None
    lasts_s = (plan.horizon_ps - plan.warm_up_ps) / PS_PER_S
    parts: list[tuple[Reached, Reached]] = []
    models = []
    for hop, members in groups.items():
        is_alone = hop is None
        if not is_alone and len(members) > FLOWS_MAX:
            return None
        left_bps = sum(share_bps[flow.data_routes[0]] for flow in members)
        model = _bottleneck(plan, hop, members, math.inf if is_alone else left_bps)
        times = len(members) if is_alone else 1
        pair = (reached(model, lasts_s), reached(replace(model, stalls=()), lasts_s))
        parts += [pair] * times
        models.append(model)
    low_pps, high_pps = sum_of_ranges(parts)
    per_segment = flows[0].settings["segment_bytes"] * BITS_PER_BYTE
    low_bps, high_bps = MODEL_RATIO * low_pps * per_segment, high_pps * per_segment
    if waits_with_acks:  # which bunches packets more than stalls do
        low_bps = SHARED_QUEUE_RATIO * sum(r.mean_pps for _, r in parts) * per_segment
    return Spread(low_bps, high_bps, _why(models, parts, lasts_s, waits_with_acks))


def _bottleneck(
    plan: Plan, hop: int | None, members: Sequence[TcpFlowPlan], capacity_bps: float
) -> Bottleneck:
    flow = members[0]
    settings, options = flow.settings, flow.options
    pair = (flow.data_routes[0], flow.ack_routes[0])
    around = [h for route in pair for h in plan.routes[route].hop_idx]
    kept = 1.0
    for h in plan.routes[pair[0]].hop_idx:
        kept *= 1.0 - float(plan.hop[h]["loss_threshold"]) / 2.0**64
    return Bottleneck(
        flows_count=1 if hop is None else len(members),
        segments_per_s=_rounded(capacity_bps / BITS_PER_BYTE / settings["segment_bytes"]),
        buffer_s=1.0 if hop is None else _buffer_s(plan, hop),
        is_policer=hop is not None and bool(plan.hop[hop]["is_policer"]),
        rtt_s=_rounded(max(mean_round_trips_s(plan, [pair])[0], 1e-6)),
        loss_ratio=_rounded(1.0 - kept),
        window_segments=float(settings["rwnd_segments"]),
        congestion_control=str(options["congestion_control"]),
        cubic_c=float(options["cubic_c"]),
        cubic_beta=float(options["cubic_beta"]),
        newreno_beta=float(options["newreno_beta"]),
        stalls=tuple(
            Stall(tuple(quantiles_s(plan, h)), int(plan.hop[h]["jitter_interval_ps"]) / PS_PER_S)
            for h in around
            if plan.hop[h]["jitter_interval_ps"] > 0
        ),
    )


def _buffer_s(plan: Plan, hop: int) -> float:
    row = plan.hop[hop]
    limits_s = [1.0]
    if row["max_wait_ps"] < layout.UNLIMITED:
        limits_s.append(int(row["max_wait_ps"]) / PS_PER_S)
    if row["buffer_bytes"] < layout.UNLIMITED:
        limits_s.append(int(row["buffer_bytes"]) * BITS_PER_BYTE / plan.hops[hop].rate_bps)
    return min(limits_s)


def _rounded(value: float) -> float:
    return value if math.isinf(value) else float(f"{value:.{DIGITS}g}")


def _why(
    models: Sequence[Bottleneck],
    parts: Sequence[tuple[Reached, Reached]],
    lasts_s: float,
    waits_with_acks: bool,
) -> str:
    """What keeps TCP from the ceiling, in words."""
    reasons = []
    model = models[0]
    flows_count = max(m.flows_count for m in models)
    lost_count = sum(with_.mean_pps for with_, _ in parts) * model.loss_ratio * lasts_s
    if model.loss_ratio > 0.0:
        about = f"{lost_count:.0f}" if lost_count >= 1.0 else "fewer than one"
        reasons.append(f"about {about} packets are lost at random in {format_duration(lasts_s)}")
    most_s = max(m.buffer_s for m in models)
    if most_s < model.rtt_s * (1.0 / _beta(model) - 1.0):
        flows = "one flow" if flows_count == 1 else f"up to {flows_count} flows"
        reasons.append(
            f"{flows} of {model.congestion_control} over a buffer of {format_duration(most_s)}, "
            f"short for a round trip of {format_duration(model.rtt_s)}"
        )
    if any(max(stall.table_s) > most_s for m in models for stall in m.stalls):
        reasons.append("stalls of the path that outlast the buffer end in bursts")
    if waits_with_acks:
        reasons.append("ACKs wait in the queue of their own data")
    return "; ".join(reasons) or f"windows of {model.congestion_control} that rise and fall"


def _beta(model: Bottleneck) -> float:
    return model.cubic_beta if model.congestion_control == "cubic" else model.newreno_beta
