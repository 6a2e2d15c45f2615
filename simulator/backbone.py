"""The backbone of the platform between two VNets: a delay each way, from the region matrix.

The matrix holds round trips between hosts. What the ends of a way already count of it, the short
delay inside a VNet, is taken off. Jitter between regions is that of the defaults; inside a region
none is published. No rate limits the backbone, and no loss of it is published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from simulator.base.quantiles import exponential_table
from simulator.draft import DIRECTIONS, Ceiling, CeilingKind, Draft
from simulator.plan import FORWARD, Direction


class Backbone(NamedTuple):
    """A hop for each direction, forward from the first VNet to the second."""

    hops: Mapping[Direction, int]
    one_way_s: float


def backbone(draft: Draft, name: str, first: str, second: str, *, ends_count: int) -> Backbone:
    """Add the backbone between two VNets under a name.

    Parameters
    ----------
    ends_count
        How many of the two VNets' own hops a packet passes beside it.
    """
    a, b = draft.place(first), draft.place(second)
    rtt = draft.catalog.rtt_s(a.region, b.region)
    inside_s = [draft.delay_s[p.hop_idx] for vnet in (a, b) for p in vnet.passes[FORWARD]]
    one_way_s = max(0.0, rtt.value_s / 2 - sum(inside_s[:ends_count]))
    jitter_s_p95 = draft.catalog.default("path.jitter").value if a.region != b.region else 0.0
    hops = {
        direction: draft.path(
            name,
            direction,
            [Ceiling(CeilingKind.PATH, f"backbone {name}", rtt.cite(), rate_bps=math.inf)],
            delay_s=one_way_s,
            jitter_quantiles_s=exponential_table(jitter_s_p95) if jitter_s_p95 > 0 else None,
            jitter_interval_s=draft.catalog.default("path.jitter_interval").value,
        )
        for direction in DIRECTIONS
    }
    return Backbone(hops, one_way_s)
