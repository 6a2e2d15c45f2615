"""ExpressRoute connection: a circuit joined to the ExpressRoute gateway of a VNet.

    on-premises -> VNet    circuit link, edge router, ExpressRoute gateway, VNet
    with FastPath          circuit link, edge router, VNet
    VNet -> on-premises    edge router, circuit link: past the gateway in any case

FastPath goes past the gateway to peered VNets on ExpressRoute Direct alone (rule R165). Traffic of
private endpoints passes one gateway instance in both directions, but for FastPath on ExpressRoute
Direct (rule R167).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name, catalogued
from simulator.base.quantiles import exponential_table
from simulator.base.sections import CONNECTIONS
from simulator.draft import (
    DIRECTIONS,
    Ceiling,
    CeilingKind,
    Draft,
    Link,
    Offer,
    Onward,
    PacketLimit,
    Pass,
    Passes,
    Point,
    RouteKind,
    Stage,
)
from simulator.expressroute.links import MSEE, drain, prepended
from simulator.expressroute.parts import Circuit, CircuitEnd, CircuitLink, ExpressRouteGateway
from simulator.plan import FORWARD, RETURN, Direction
from simulator.sessions import bgp_spec, routes
from simulator.sessions.failback import Failback
from simulator.sessions.routes import RouteSpec
from simulator.sketch import Edge, Sketch


class ExpressRouteConnection(fields.Schema):
    """A connection between a circuit and an ExpressRoute gateway."""

    type: Literal["expressroute"] = Field(description="kind of connection")
    circuit: Name = Field(description="circuit at the customer's end")
    gateway: Name = Field(description="ExpressRoute gateway at the platform's end")
    weight: Annotated[int, Field(ge=0, le=32_000)] = Field(
        default=0,
        description="which of several circuits the VNet prefers for a prefix; the higher wins",
    )
    fastpath: bool = Field(
        default=False, description="whether packets from on-premises pass the gateway by"
    )
    convergence: Literal["estimate", "documented-worst"] = catalogued(
        "expressroute.convergence_reading",
        "time until the VNet's packets follow a session: drawn by an estimate, or the documented "
        "worst case",
    )
    failback: Failback | None = Field(
        default=None,
        description="when packets that left the circuit for something else go back to it",
        json_schema_extra={
            "x-derived": "immediate; from a VNet never where static VPN routes stand by (T062)"
        },
    )


Schema = ExpressRouteConnection

SECTION = CONNECTIONS
STAGE = Stage.CONNECTIONS

REFERS = {"circuit": "circuits", "gateway": "gateways"}


def joins(name: str, connection: ExpressRouteConnection, parts: Any) -> tuple[str, ...]:
    """The sites of the circuit and the VNet of the gateway, as far as they exist."""
    circuit = parts.circuits.get(connection.circuit)
    gateway = parts.expressroute_gateways.get(connection.gateway)
    if circuit is None or gateway is None:
        return ()
    return (*circuit.sites, gateway.vnet)


def plan_rows(name: str, connection: ExpressRouteConnection, draft: Draft) -> None:
    """Add both links of the circuit for each site, and offer the prefixes of each side."""
    circuit = draft.published(Circuit)[connection.circuit]
    edge_router = f"{name}.msee"
    draft.add_point(Point(edge_router, {FORWARD: (), RETURN: ()}))
    draft.add_link(_into_vnet(edge_router, connection, circuit, draft))
    vnet = draft.published(ExpressRouteGateway)[connection.gateway].vnet
    failback = connection.failback
    _follow_sessions(name, connection, circuit, draft)
    for end in circuit.ends:
        place = f"{name}.{end.link}" if end.edge else f"{name}.{end.site}.{end.link}"
        link = circuit.links[end.link]
        at_edge = (f"{end.edge.name}@site",) if end.edge else ()
        draft.add_link(
            Link(
                name=place,
                a=end.edge.name if end.edge else end.site,
                b=edge_router,
                passes={d: tuple(map(Pass, end.hops[d])) for d in DIRECTIONS},
                connection=name,
                hold_down_s=0.0 if failback is None else failback.hold_down_s,
                hold_down_group=name,
                yields_to_static=failback is None,
                usable_if={
                    FORWARD: (_route(name, link, link.customer_end), *at_edge),
                    RETURN: (_route(name, link, MSEE),),
                },
                prepended_if={
                    FORWARD: (prepended(_route(name, link, link.customer_end)),),
                    RETURN: (prepended(_route(name, link, MSEE)),),
                },
            )
        )
        draft.offers += _offers(name, connection, end, circuit, vnet, draft)


def _route(connection: str, link: CircuitLink, end: str) -> str:
    """Name of the state of the route that an end has over a link."""
    return f"{connection} over {link.name}@{end}"


def _follow_sessions(
    name: str, connection: ExpressRouteConnection, circuit: Circuit, draft: Draft
) -> None:
    """The routes of both ends of each link follow its session, and the AS path."""
    default = draft.catalog.default
    reading = "" if connection.convergence == "estimate" else "_worst"
    platform = default(f"expressroute.convergence{reading}")
    for link in circuit.links.values():
        customer = link.convergence or default("bgp.route_programming")
        for end, change in ((link.customer_end, customer), (MSEE, platform)):
            route = RouteSpec(
                name=_route(name, link, end),
                sessions=(bgp_spec.view(link.name, end),),
                withdraw=change,
                install=change,
                draws=f"{name}@{end}",
                advertise_s=default("bgp.advertisement_interval").value,
            )
            draft.process(f"route {route.name}", partial(routes.process, spec=route))
            if end == MSEE or circuit.honours_prepend:
                path = RouteSpec(
                    name=prepended(route.name),
                    sessions=(drain(link),),
                    withdraw=change,
                    install=change,
                    draws=f"{name}@{end}",
                    kinds=("path-prepended", "path-restored"),
                )
                draft.process(f"path {route.name}", partial(routes.process, spec=path))


def _into_vnet(
    edge_router: str, connection: ExpressRouteConnection, circuit: Circuit, draft: Draft
) -> Link:
    """From the edge router through the gateway or past it, and always past it on return."""
    gateway = draft.published(ExpressRouteGateway)[connection.gateway]
    notes = [circuit.fastpath_ips] if connection.fastpath else []
    backbone = _backbone(edge_router, circuit.peering_location, gateway.vnet, notes, draft)
    past: Passes = {d: (Pass(backbone[d]),) for d in DIRECTIONS}
    through: Passes = {**past, FORWARD: (*past[FORWARD], *gateway.passes)}
    limits: Mapping[Direction, PacketLimit] = {FORWARD: gateway.limit}
    link = Link(
        edge_router,
        edge_router,
        gateway.vnet,
        through,
        limits=limits,
        private=partial(_private, gateway, past, limits),
        shared_by={FORWARD: gateway.instances},
    )
    if not connection.fastpath:
        return link
    if circuit.is_direct:
        return replace(link, passes=past, limits={}, shared_by={}, private=None)
    onward = Onward(through, limits, link.shared_by)
    return replace(link, passes=past, limits={}, shared_by={}, onward=onward)


def _private(
    gateway: ExpressRouteGateway, past: Passes, limits: Mapping[Direction, PacketLimit]
) -> Onward:
    """Private endpoints: one instance of the gateway in both directions."""
    inside = gateway.private()
    passes: Passes = {
        FORWARD: (*past[FORWARD], *inside[FORWARD]),
        RETURN: (*inside[RETURN], *past[RETURN]),
    }
    return Onward(passes, limits)


def _backbone(
    edge_router: str, location: str, vnet: str, notes: list[Ceiling], draft: Draft
) -> Mapping[Direction, int]:
    """The platform's network between peering location and region, less what the VNet counts."""
    place = draft.place(vnet)
    rtt = draft.catalog.rtt_from_location_s(location, place.region)
    inside_s = sum(draft.delay_s[p.hop_idx] for p in place.passes[FORWARD])
    jitter_s_p95 = draft.catalog.default("expressroute.jitter").value
    label = f"backbone {location} to {place.region}"
    ceiling = Ceiling(CeilingKind.PATH, label, rtt.cite(), rate_bps=math.inf)
    return {
        direction: draft.path(
            edge_router,
            direction,
            [ceiling, *(notes if direction == FORWARD else [])],
            delay_s=max(0.0, rtt.value_s / 2 - inside_s),
            jitter_quantiles_s=exponential_table(jitter_s_p95) if jitter_s_p95 > 0 else None,
            jitter_interval_s=draft.catalog.default("path.jitter_interval").value,
        )
        for direction in DIRECTIONS
    }


def _offers(
    name: str,
    connection: ExpressRouteConnection,
    end: CircuitEnd,
    circuit: Circuit,
    vnet: str,
    draft: Draft,
) -> Iterator[Offer]:
    """What the site hears of the VNet over one link, and the VNet of the site."""
    via: tuple[str, ...] = ()
    if end.edge is not None and any(
        e.site == end.site and e.edge != end.edge for e in circuit.ends
    ):
        via = (end.edge.name,)
    heard = Offer(
        at=end.site,
        to=vnet,
        prefix=draft.place(vnet).prefixes[0],
        connection=name,
        kind=RouteKind.EXPRESSROUTE,
        how="bgp",
        via=via,
        local_preference=_preference(name, end, draft),
        as_path_length=end.as_path_length,
    )
    for prefix in draft.place(vnet).prefixes:
        yield replace(heard, prefix=prefix)
    prepends_count = end.edge.prepends_count if end.edge else 0
    for prefix in end.announces:
        yield replace(
            heard,
            at=vnet,
            to=end.site,
            prefix=prefix,
            weight=connection.weight,
            local_preference=None,
            as_path_length=end.as_path_length + prepends_count,
        )


def _preference(name: str, end: CircuitEnd, draft: Draft) -> int | None:
    """What the device at the link prefers; with a provider's network any device of the site."""
    edges = [end.edge] if end.edge else draft.edges[end.site].values()
    given = [edge.local_preference[name] for edge in edges if name in edge.local_preference]
    return max(given, default=None)


def draw(name: str, connection: ExpressRouteConnection, sketch: Sketch, draft: Draft) -> None:
    """Draw the connection between circuit and gateway."""
    details = [f"weight {connection.weight}"] if connection.weight else []
    details += ["FastPath"] if connection.fastpath else []
    label = f"{name}: {', '.join(details)}" if details else name
    sketch.add_edge(Edge(connection.circuit, connection.gateway, "expressroute", label, (name,)))
