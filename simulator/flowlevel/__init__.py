"""The flow level: hours and days, with shares of hops in place of packets.

tcp        what congestion control reaches on a path, and what it does to a full queue
lanes      which hops the packets of a route use, and how long they keep each one busy
traffic    from a plan to open-loop lanes and to classes of TCP flows
latency    how long packets wait, on average and in percentiles
ledger     where bytes and packets went, bin by bin
plane      the data plane: time, changes, and what rates follow from them
"""

from __future__ import annotations

from simulator.flowlevel.plane import FlowPlane

__all__ = ["FlowPlane"]
