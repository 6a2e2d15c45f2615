"""Internet: all hosts of the public internet as one place, and the exits that lead there.

    from the platform    a VNet's own exit, unless another default route wins
    from a site          what arrives there over a connection leaves by the access line of the
                         device, so a tunnel passes that line twice

It is a place of the plan only where traffic of the scenario goes to it. Which exit a VNet uses is
a matter of its default route: announced over BGP (rule R071), a user route of a
subnet, the platform's own. Answers come back to the exit that asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from simulator.base.quantiles import exponential_table
from simulator.draft import (
    DEFAULT_ROUTE,
    DIRECTIONS,
    INTERNET,
    AccessLine,
    Ceiling,
    CeilingKind,
    Draft,
    Link,
    Offer,
    Pass,
    Passes,
    Place,
    RouteKind,
    Stage,
)
from simulator.plan import FORWARD, RETURN, Direction
from simulator.sketch import Box, Column, Edge, Sketch

RTT_ROW: Final = "internet.rtt"


def prepare(draft: Draft) -> None:
    """Add the internet when all connections are there."""
    draft.at_stage(Stage.EXITS, lambda: _add(draft))


def _add(draft: Draft) -> None:
    if INTERNET not in draft.ends:
        return
    vnets = [p.name for p in draft.points.values() if isinstance(p, Place) and p.region]
    # What a host there sends starts at one hop, whichever exit it goes to.
    host = draft.path(f"{INTERNET}.hosts", FORWARD, delay_s=0.0)
    here: Mapping[Direction, tuple[Pass, ...]] = {FORWARD: (Pass(host),), RETURN: ()}
    draft.add_point(Place(INTERNET, here, prefixes=(DEFAULT_ROUTE,)))
    for vnet in vnets:
        _exit_of_vnet(vnet, draft)
    for site in draft.edges:
        _exits_of_site(site, draft)
    for gateway, site in draft.default_sites.items():
        _default_site(gateway, site, draft)
    _forced(draft)


def _exit_of_vnet(vnet: str, draft: Draft) -> None:
    """The platform's own exit of a VNet, with no limit of rate."""
    name = f"{vnet}.{INTERNET}"
    hops = _hops(name, 0.0, 0.0, 0.0, draft)
    passes = {d: (Pass(hops[d]),) for d in DIRECTIONS}
    draft.add_link(Link(name, INTERNET, vnet, passes, connection=name))
    draft.offers.append(Offer(vnet, INTERNET, DEFAULT_ROUTE, name, RouteKind.SYSTEM, "system"))


def _exits_of_site(site: str, draft: Draft) -> None:
    """An exit for each device of the site, over its own access line or the first of the site."""
    lines = [line for line in draft.lines.values() if line.site == site]
    for device, edge in draft.edges[site].items():
        known = draft.devices[site].get(device)
        line = known.line if known else next(iter(lines), None)
        if line is not None:
            hops = _line_hops(line, draft)
            passes: Passes = {
                FORWARD: (Pass(line.up), Pass(hops[FORWARD])),
                RETURN: (Pass(hops[RETURN]), Pass(line.down)),
            }
            name = f"{edge.name}.{INTERNET}"
            draft.add_link(Link(name, edge.name, INTERNET, passes, reaches_hosts=True))


def _line_hops(line: AccessLine, draft: Draft) -> Mapping[Direction, int]:
    """The internet behind an access line: made once for all devices on it."""
    name = f"{line.name}.{INTERNET}"
    if f"{name} {FORWARD}" not in draft.shared_hops:
        made = _hops(name, line.delay_s, line.jitter_s_p95, line.loss_ratio, draft)
        draft.shared_hops |= {f"{name} {d}": hop for d, hop in made.items()}
    return {d: draft.shared_hops[f"{name} {d}"] for d in DIRECTIONS}


def _hops(
    name: str, delay_s: float, jitter_s_p95: float, loss_ratio: float, draft: Draft
) -> Mapping[Direction, int]:
    """A path each way: half of the round trip to a server, beside what the line adds."""
    rtt = draft.catalog.default(RTT_ROW)
    jitter_s = math.hypot(jitter_s_p95, draft.catalog.default("path.jitter").value)
    ceiling = Ceiling(CeilingKind.PATH, f"internet {name}", rtt.cite(), rate_bps=math.inf)
    return {
        direction: draft.path(
            name,
            direction,
            [ceiling],
            delay_s=delay_s + rtt.value / 2,
            loss_ratio=loss_ratio,
            jitter_quantiles_s=exponential_table(jitter_s) if jitter_s > 0 else None,
            jitter_interval_s=draft.catalog.default("path.jitter_interval").value,
        )
        for direction in DIRECTIONS
    }


def _default_site(gateway: str, site: str, draft: Draft) -> None:
    """A route of the gateway alone: a subnet uses it with a user route to the gateway."""
    vnet = draft.instances[gateway][0].vnet
    connections = {t.connection for t in draft.tunnels if t.gateway == gateway}
    first = {
        offer.name: replace(offer, to=INTERNET, prefix=DEFAULT_ROUTE, how="static", altered="")
        for offer in draft.offers
        if (offer.at, offer.to) == (vnet, site) and offer.connection in connections
    }
    draft.gateway_routes[vnet] += first.values()


def _forced(draft: Draft) -> None:
    """Announced default routes lead to the internet too, whoever hears them."""
    announced = list(_announced(draft))
    draft.offers += [replace(offer, to=INTERNET) for offer in announced]
    draft.warnings += dict.fromkeys(
        f"{offer.to} announces {DEFAULT_ROUTE} over {offer.name}: all traffic of VNet {offer.at} "
        "to the internet goes there (rule R071)"
        for offer in announced
    )


def _announced(draft: Draft) -> Iterator[Offer]:
    for offer in draft.offers:
        if offer.prefix == DEFAULT_ROUTE and offer.kind.is_of_gateway:
            yield offer


def draw(name: str, part: None, sketch: Sketch, draft: Draft) -> None:
    """Draw the internet with its exits, where traffic goes there."""
    if INTERNET not in draft.points:
        return
    sketch.add_box(Box(INTERNET, "internet", "internet", Column.SPOKE))
    for link in draft.links:
        if link.a == INTERNET and link.b not in {s for s in draft.ends if "." in s}:
            sketch.add_edge(Edge(link.b, INTERNET, "exit", "", (link.connection,)))
    over = {o.connection for o in draft.offers if o.to == INTERNET}
    devices = {link.a for connection in sorted(over) for link in draft.links_of(connection)}
    for box in list(sketch.boxes.values()):
        rows = tuple(
            replace(row, text=f"{row.text}, exit to the internet") if row.name in devices else row
            for row in box.rows
        )
        sketch.add_box(replace(box, rows=rows))
