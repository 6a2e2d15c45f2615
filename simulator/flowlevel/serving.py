"""Open-loop traffic as rates: what each source sends, what hops serve of it and what they drop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.fairshare import SOLVED, serve_inelastic
from simulator.base.errors import InternalError
from simulator.flowlevel.lanes import LEAST_WORK_S, sums
from simulator.flowlevel.ledger import Ledger
from simulator.flowlevel.shares import check_shares
from simulator.flowlevel.traffic import OpenLoop

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Served:
    """What hops do with open-loop traffic: pass, and what is left for TCP."""

    pass_ratio: Array
    """By hop: share of what arrives that the hop serves; 0 where it is down."""
    left: Array
    """By hop: share of the server's time that is left."""
    arriving: Array
    """By hop: share of the server's time that arriving packets ask for."""


def serve(traffic: OpenLoop, offered_pps: Array, is_up: npt.NDArray[np.bool_]) -> Served:
    """Serve lanes that offer so many packets per second: first come, first served, no one yields.

    Method: `kernels.fairshare.serve_inelastic`.
    """
    lanes = traffic.lanes
    hops = len(is_up)
    is_server = lanes.plan.hop["kind"] == layout.SERVER
    capacity = np.where(is_up, np.where(is_server, 1.0, np.inf), 0.0)
    found = Served(np.where(is_up, 1.0, 0.0), capacity.copy(), np.zeros(hops))
    if not len(lanes):
        return found
    use = np.maximum(lanes.work_s, LEAST_WORK_S) * np.maximum(lanes.reach, LEAST_WORK_S)
    pass_ratio, left, delivered = np.zeros(hops), np.zeros(hops), np.zeros(len(lanes))
    status = serve_inelastic(
        capacity,
        offered_pps,
        lanes.ptr,
        lanes.hop,
        use,
        pass_ratio,
        delivered,
        left,
    )
    if status != SOLVED:
        raise InternalError("the shares of open-loop streams on full hops were not found")
    passed = lanes.passed(pass_ratio)
    arriving = sums(lanes.hop, use * offered_pps[lanes.lane] * passed, hops)
    check_shares(arriving * pass_ratio, capacity, "streams", lanes.plan)
    return Served(np.where(is_up, pass_ratio, 0.0), left, arriving)


@dataclass(frozen=True)
class Streams:
    """Rates of all open-loop traffic: what a second adds to the ledger."""

    sent_pps: Array
    """By source."""
    delivered_pps: Array
    """By lane."""
    lane_direction: Index
    dropped_pps: Array
    """[directions, reasons]."""
    dropped_bytes_per_s: Array
    served_pps: Array
    """By hop, like the next ones."""
    served_bytes_per_s: Array
    busy_ratio: Array
    square: Array
    """Sum of packets/s times mean square service time."""
    fragments_per_s: Array
    hop_dropped_pps: Array
    """[hops, reasons]."""

    def add_to(self, ledger: Ledger, traffic: OpenLoop, time_s: float) -> None:
        """Let the rates hold for some time."""
        lanes = traffic.lanes
        if not len(lanes):
            return
        inner = lanes.mean_bytes
        first = inner[traffic.first_lane]
        np.add.at(ledger.sent_packets, traffic.direction, self.sent_pps * time_s)
        np.add.at(ledger.sent_bytes, traffic.direction, self.sent_pps * first * time_s)
        packets = self.delivered_pps * time_s
        end_bytes = lanes.inner_bytes[lanes.ptr[1:] - 1]
        header = traffic.header_bytes[traffic.lane_source]
        np.add.at(ledger.delivered_packets, self.lane_direction, packets)
        np.add.at(ledger.delivered_bytes, self.lane_direction, packets * end_bytes)
        np.add.at(ledger.goodput_bytes, self.lane_direction, packets * (end_bytes - header))
        ledger.dropped_packets += self.dropped_pps * time_s
        ledger.dropped_bytes += self.dropped_bytes_per_s * time_s
        ledger.served_packets += self.served_pps * time_s
        ledger.served_bytes += self.served_bytes_per_s * time_s
        ledger.busy_s += self.busy_ratio * time_s
        ledger.fragments += self.fragments_per_s * time_s
        ledger.hop_dropped += self.hop_dropped_pps * time_s


def streams(
    traffic: OpenLoop,
    offered_pps: Array,
    unrouted_pps: Array,
    pass_ratio: Array,
    hop: npt.NDArray[Any],
    directions_count: int,
) -> Streams:
    """Follow what lanes offer along their hops.

    `offered_pps` by lane, `unrouted_pps` by source: what it sends without a route.
    """
    lanes, hops, reasons = traffic.lanes, len(hop), len(layout.REASONS)
    direction = traffic.direction[traffic.lane_source]
    arriving = offered_pps[lanes.lane] * lanes.reach * lanes.passed(pass_ratio)
    inner = lanes.inner_bytes
    # Packets that are too large are dropped before they are served, so they are beside `reach`.
    share = lanes.reach / np.maximum(lanes.fits, LEAST_WORK_S)
    too_large = offered_pps[lanes.lane] * share * lanes.passed(pass_ratio) * lanes.too_large
    refused = arriving * (1.0 - pass_ratio[lanes.hop])
    served = arriving - refused
    lost = served * lanes.loss
    is_up = hop["is_up"][lanes.hop] == 1
    policed = hop["is_policer"][lanes.hop] == 1
    why_refused = np.where(
        is_up, np.where(policed, layout.POLICED, layout.BUFFER_FULL), layout.PATH_DOWN
    )
    dropped = np.zeros((directions_count, reasons))
    dropped_bytes = np.zeros_like(dropped)
    hop_dropped = np.zeros((hops, reasons))
    of_use = direction[lanes.lane]
    before = np.concatenate([[0.0], inner[:-1]]) if len(inner) else inner
    is_first = np.zeros(len(inner), bool)
    is_first[lanes.ptr[:-1]] = True
    mean = lanes.mean_bytes[lanes.lane]
    fits_before = np.where(is_first, 1.0, np.concatenate([[1.0], lanes.fits[:-1]])[: len(inner)])
    bytes_before = np.where(is_first, mean, before)
    large_bytes = np.where(
        lanes.too_large > 0.0,
        (fits_before * bytes_before - lanes.fits * inner)
        / np.maximum(lanes.too_large, LEAST_WORK_S),
        0.0,
    )
    for pps, reason, size in (
        (too_large, np.full(len(inner), layout.MTU_EXCEEDED), large_bytes),
        (refused, why_refused, inner),
        (lost, np.full(len(inner), layout.RANDOM_LOSS), inner),
    ):
        dropped += table_of(of_use, reason, pps, dropped.shape)
        dropped_bytes += table_of(of_use, reason, pps * size, dropped.shape)
        hop_dropped += table_of(lanes.hop, reason, pps, hop_dropped.shape)
    first = lanes.mean_bytes[traffic.first_lane] if len(lanes) else np.zeros(0)
    dropped[:, layout.NO_ROUTE] += sums(traffic.direction, unrouted_pps, directions_count)
    dropped_bytes[:, layout.NO_ROUTE] += sums(
        traffic.direction, unrouted_pps * first, directions_count
    )
    last = lanes.ptr[1:] - 1
    delivered = (served - lost)[last] if len(lanes) else np.zeros(0)
    sent = sums(traffic.lane_source, offered_pps, len(traffic.direction))
    return Streams(
        sent_pps=sent + unrouted_pps,
        delivered_pps=delivered,
        lane_direction=direction,
        dropped_pps=dropped,
        dropped_bytes_per_s=dropped_bytes,
        served_pps=sums(lanes.hop, served, hops),
        served_bytes_per_s=sums(lanes.hop, served * lanes.metered_bytes, hops),
        busy_ratio=sums(lanes.hop, served * lanes.work_s, hops),
        square=sums(lanes.hop, served * lanes.work_s2, hops),
        fragments_per_s=sums(lanes.hop, served * lanes.fragments, hops),
        hop_dropped_pps=hop_dropped,
    )


def table_of(row: Index, column: Index, value: Array, shape: tuple[int, ...]) -> Array:
    """Sum values into a table by row and column."""
    flat = sums(row * shape[1] + column, value, shape[0] * shape[1])
    return flat.reshape(shape)
