"""The ways of a stream in one direction, hop by hop, in numbers and words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kernels import layout
from simulator.base.units import format_duration, format_packet_rate, format_rate, format_ratio
from simulator.plan import PS_PER_S, Direction
from simulator.planner.demand import wire_bytes
from simulator.planner.stream_at_hops import StreamAtHops


@dataclass(frozen=True)
class HopRow:
    """One hop as it was understood."""

    hop: str
    direction: Direction
    does: str
    """Its numbers."""
    wire_bytes: int
    """The stream's largest packet as it looks there."""


@dataclass(frozen=True)
class WayRow:
    """One way of the stream, hop by hop."""

    way: str
    share_ratio: float
    """Share of the stream's packets that take it, of its flows for TCP."""
    hops: tuple[HopRow, ...]


def ways(stream: StreamAtHops) -> Iterator[WayRow]:
    """The ways that the stream's flows start on."""
    total = sum(stream.weights)
    weight = dict.fromkeys(stream.shown, 0.0)
    for bundle, own_weight in zip(stream.bundles, stream.weights, strict=True):
        weight[stream.plan.routes[bundle.route_idx].name] += own_weight
    for name, route_idx in stream.shown.items():
        yield WayRow(name, weight[name] / total, tuple(_hops(stream, route_idx)))


def _hops(stream: StreamAtHops, route_idx: int) -> Iterator[HopRow]:
    route = stream.plan.routes[route_idx]
    for hop, around in zip(route.hop_idx, route.encapsulation, strict=True):
        info = stream.plan.hops[hop]
        yield HopRow(
            hop=info.name,
            direction=info.direction,
            does=_numbers(stream.plan.hop[hop], info.rate_bps),
            wire_bytes=wire_bytes(stream.largest_bytes, around),
        )


def _numbers(row: np.void, rate_bps: float) -> str:
    """The numbers of a hop in words."""
    parts = []
    if row["kind"] == layout.SERVER:
        parts.append(format_rate(rate_bps))
        if row["min_service_ps"] > 0:
            parts.append(f"at most {format_packet_rate(PS_PER_S / int(row['min_service_ps']))}")
        if row["max_wait_ps"] < layout.UNLIMITED:
            holds = "drops above a burst of" if row["is_policer"] else "buffer"
            parts.append(f"{holds} {format_duration(int(row['max_wait_ps']) / PS_PER_S)}")
        parts.append(f"meters {'wire' if row['meter_shift'] else 'inner IP'} bytes")
    if row["delay_ps"] > 0 or row["kind"] == layout.PATH:
        parts.append(f"delay {format_duration(int(row['delay_ps']) / PS_PER_S)}")
    if row["jitter_interval_ps"] > 0:
        parts.append("jitter")
    if row["loss_threshold"] > 0 or row["bad_loss_threshold"] > 0:
        parts.append(f"loss {format_ratio(float(row['loss_threshold']) / 2.0**64)}")
    return ", ".join(parts)
