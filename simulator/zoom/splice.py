"""The log of a run at flow level with its windows at packet level, in one.

The flow level has left out of its log what packets stand in for, so that all counters add up. What
was under way when a window begins counts as sent in its first bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from kernels import layout
from simulator.plan import Plan
from simulator.recorder import RunLog
from simulator.zoom.course import hops_of_packets, routes_of_packets
from simulator.zoom.packets import Packets
from simulator.zoom.windows import Windows

NO_PACKETS: Final = (
    "zoom: nothing was simulated at packet level, since transfers stay at flow level and there is "
    "no other traffic"
)


def spliced(plan: Plan, log: RunLog, windows: Windows, found: Sequence[Packets]) -> RunLog:
    """Add what packets did in their windows to the log of the flow level."""
    directions = frozenset(plan.routes[r].direction_idx for r in routes_of_packets(plan))
    counter = log.counter.copy()
    dropped_packets, dropped_bytes = log.dropped_packets.copy(), log.dropped_bytes.copy()
    latency_ps, hop_busy_ps = log.latency_ps.copy(), log.hop_busy_ps.copy()
    hop, hop_dropped = log.hop.copy(), log.hop_dropped.copy()
    tcp = {name: column.copy() for name, column in log.tcp.items()}
    histogram = log.histogram.copy()
    in_flight_packets, in_flight_bytes = log.in_flight_packets.copy(), log.in_flight_bytes.copy()
    columns = sorted(directions)
    for packets in found:
        bins = packets.bins
        first = int(np.searchsorted(log.bin_start_ps, packets.window.begin_ps))
        own = slice(first, first + len(bins))
        for name in layout.COUNTER.names or ():
            counter[name][own] += packets.log.counter[name][bins]
        counter["sent_packets"][first] += packets.entered_packets
        counter["sent_bytes"][first] += packets.entered_bytes
        dropped_packets[own] += packets.log.dropped_packets[bins]
        dropped_bytes[own] += packets.log.dropped_bytes[bins]
        latency_ps[own, columns] = packets.log.latency_ps[bins][:, columns]
        own_ps = packets.log.hop_busy_ps[bins] * packets.own_ratio[bins]
        busy_ps = np.rint(own_ps).astype(np.int64)
        hop_busy_ps[own] += busy_ps
        hop["busy_ps"] += busy_ps.sum(axis=0)
        for name in ("served_packets", "served_bytes", "fragments"):
            hop[name] += packets.log.hop[name] - packets.hop_before[name]
        hop["wait_max_ps"] = np.maximum(hop["wait_max_ps"], packets.log.hop["wait_max_ps"])
        hop_dropped += packets.log.hop_dropped - packets.hop_dropped_before
        for name in ("retransmitted_segments", "rto_count"):
            tcp[name] += packets.log.tcp[name] - packets.tcp_before[name]
        histogram += packets.log.histogram
        in_flight_packets += packets.log.in_flight_packets
        in_flight_bytes += packets.log.in_flight_bytes
    total = np.zeros_like(log.total)
    for name in layout.COUNTER.names or ():
        total[name] = counter[name].sum(axis=0)
    return replace(
        log,
        counter=counter,
        dropped_packets=dropped_packets,
        dropped_bytes=dropped_bytes,
        latency_ps=latency_ps,
        hop_busy_ps=hop_busy_ps,
        total=total,
        dropped_packets_total=dropped_packets.sum(axis=0),
        dropped_bytes_total=dropped_bytes.sum(axis=0),
        in_flight_packets=in_flight_packets,
        in_flight_bytes=in_flight_bytes,
        histogram=histogram,
        hop=hop,
        hop_dropped=hop_dropped,
        tcp=tcp,
        packet_hops=sum(packets.log.packet_hops for packets in found),
        windows=windows.kept,
        packet_directions=directions if found else frozenset(),
        packet_route_hops=hops_of_packets(plan) if found else frozenset(),
        notes=(*log.notes, *windows.notes, *(() if directions or not found else (NO_PACKETS,))),
    )
