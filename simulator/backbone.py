"""The backbone of the platform between two VNets: a delay each way, from the region matrix.

Inside one region it is that of the zones in which both VNets' hosts stand, if each has one zone.

The matrix holds round trips between hosts. What the ends of a way already count of it, the short
delay inside a VNet, is taken off. Jitter between regions is that of the defaults; inside a region
none is published. No rate limits the backbone, and no loss of it is published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from simulator.base.quantiles import exponential_table
from simulator.draft import DIRECTIONS, SCENARIO, Ceiling, CeilingKind, Draft
from simulator.plan import FORWARD, RETURN, Direction


class Backbone(NamedTuple):
    """A hop for each direction, forward from the first VNet to the second."""

    hops: Mapping[Direction, int]
    one_way_s: float


def backbone(
    draft: Draft,
    name: str,
    first: str,
    second: str,
    *,
    ends_count: int,
    measured_rtt_s: float | None = None,
) -> Backbone:
    """Add the backbone between two VNets under a name.

    Parameters
    ----------
    ends_count
        How many of the two VNets' own hops a packet passes beside it; if one, its sender's.
    measured_rtt_s
        Round trip between hosts of the two as the scenario gives it, in place of the matrix.
    """
    a, b = draft.place(first), draft.place(second)
    rtt_s, source = measured_rtt_s, SCENARIO
    if rtt_s is None:
        if a.region == b.region and a.zone is not None and b.zone is not None:
            rtt = draft.catalog.zone_rtt_s(a.region, a.zone, b.zone)
        else:
            rtt = draft.catalog.rtt_s(a.region, b.region)
        rtt_s, source = rtt.value_s, rtt.cite()
    inside_s = [sum(draft.delay_s[p.hop_idx] for p in vnet.passes[FORWARD]) for vnet in (a, b)]
    one_way_s = {
        FORWARD: max(0.0, rtt_s / 2 - sum(inside_s[:ends_count])),
        RETURN: max(0.0, rtt_s / 2 - sum(inside_s[::-1][:ends_count])),
    }
    jitter_s_p95 = draft.catalog.default("path.jitter").value if a.region != b.region else 0.0
    hops = {
        direction: draft.path(
            name,
            direction,
            [Ceiling(CeilingKind.PATH, f"backbone {name}", source, rate_bps=math.inf)],
            delay_s=one_way_s[direction],
            jitter_quantiles_s=exponential_table(jitter_s_p95) if jitter_s_p95 > 0 else None,
            jitter_interval_s=draft.catalog.default("path.jitter_interval").value,
        )
        for direction in DIRECTIONS
    }
    return Backbone(hops, one_way_s[FORWARD])
