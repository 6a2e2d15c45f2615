"""Volumes: how many bytes pass each hop in a month if the run's traffic goes on like that.

Streams are counted on the ways on which they begin: a fault in the run is no part of the month.
The bytes are those on the wire at the hop, so an IPsec tunnel's overhead is among them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from simulator.plan import PS_PER_S, Direction, Plan
from simulator.planner.demand import bundles

Volumes = Mapping[tuple[str, Direction], float]
"""Bytes in a month by hop and its direction."""


def monthly_volumes(plan: Plan, delivered_bytes: npt.NDArray[Any], traffic_s: float) -> Volumes:
    """Scale the bytes that a run delivered to a month.

    Parameters
    ----------
    plan
        The plan that was run.
    delivered_bytes
        int64[directions], inner IP bytes delivered in the whole run.
    traffic_s
        How long in a month the traffic is that of the run, in seconds.

    Returns
    -------
    Volumes
        Bytes on the wire in a month.
    """
    month_ratio = traffic_s * PS_PER_S / plan.horizon_ps
    traffic = bundles(plan)
    weights: dict[int, float] = defaultdict(float)
    for bundle in traffic:
        weights[bundle.direction_idx] += bundle.weight
    volumes: dict[tuple[str, Direction], float] = defaultdict(float)
    for bundle in traffic:
        total = weights[bundle.direction_idx]
        if total == 0:
            continue
        inner = float(delivered_bytes[bundle.direction_idx]) * bundle.weight / total * month_ratio
        route = plan.routes[bundle.route_idx]
        for hop, around in zip(route.hop_idx, route.encapsulation, strict=True):
            info = plan.hops[hop]
            wire_ratio = bundle.mean_wire_bytes(around) / bundle.mean_bytes
            volumes[info.name, info.direction] += inner * wire_ratio
    return volumes
