"""The way between a site and a peering location, and what FastPath reaches behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from simulator.base.quantiles import exponential_table
from simulator.base.units import format_rate
from simulator.draft import DIRECTIONS, SCENARIO, Ceiling, CeilingKind, Draft
from simulator.plan import Direction


def line(
    hop: str, site: str, delay_s: float | None, beyond_s: float, location: str, draft: Draft
) -> Mapping[Direction, int]:
    """The way between a site and the peering location, by its delay or by distance."""
    source = SCENARIO
    if delay_s is None:
        spot = draft.spots[site]
        at = (spot.latitude_deg, spot.longitude_deg)
        if spot.near is not None:
            region = draft.catalog.region(spot.near)
            at = (region.latitude_deg, region.longitude_deg)
        rtt = draft.catalog.rtt_to_location_s(*at, location)
        delay_s, source = rtt.value_s / 2 + beyond_s, rtt.cite()
    arguments = _jitter(draft)
    ceiling = Ceiling(CeilingKind.PATH, f"line {hop}", source, rate_bps=math.inf)
    return {d: draft.path(hop, d, [ceiling], delay_s=delay_s, **arguments) for d in DIRECTIONS}


def _jitter(draft: Draft) -> dict[str, Any]:
    p95_s = draft.catalog.default("expressroute.jitter").value
    if p95_s == 0:
        return {}
    interval_s = draft.catalog.default("path.jitter_interval").value
    return {"jitter_quantiles_s": exponential_table(p95_s), "jitter_interval_s": interval_s}


def fastpath_ips(name: str, port_bps: float | None, draft: Draft) -> Ceiling:
    """How many addresses of the platform FastPath reaches: a note, no rate (rule R166)."""
    row = "FastPath IPs, provider circuit"
    if port_bps is not None:
        # Ports above the largest one with a figure have at least the addresses of that one.
        own = f"FastPath IPs, Direct {format_rate(port_bps).partition(' ')[0]}G"
        known = own in draft.catalog.names("expressroute-parameters")
        row = own if known else "FastPath IPs, Direct 100G"
    limit = draft.catalog.expressroute_parameter(row)
    label = f"FastPath on {name} past the gateway, up to {limit.value:,.0f} IP addresses"
    return Ceiling(CeilingKind.GATEWAY, label, limit.cite(), rate_bps=math.inf)
