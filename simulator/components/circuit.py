"""ExpressRoute circuit: two links between the customer's edge and the platform's edge routers.

Each link is policed at the bought bandwidth in each direction: what exceeds it is dropped, not
delayed. Both links carry traffic, each flow on one of them, so both together carry up to twice the
bandwidth while both are up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import (
    CatalogueName,
    Delay,
    FrozenDict,
    Name,
    Named,
    PositiveDuration,
    Prefix,
    Quantity,
    Rate,
    Sequenced,
    catalogued,
)
from simulator.base.sections import Section
from simulator.base.units import DURATION, format_rate
from simulator.draft import SCENARIO, Ceiling, CeilingKind, Draft, Stage
from simulator.expressroute.lines import fastpath_ips, line
from simulator.expressroute.links import add_session, bfd_spec
from simulator.expressroute.parts import Circuit, CircuitEnd, CircuitLink, PortPair
from simulator.plan import FORWARD, RETURN, Direction
from simulator.sketch import Box, Column, Edge, Row, Sketch

LINKS: Final = ("primary", "secondary")


class CircuitLinkEnd(fields.Schema):
    """The customer's end of one link."""

    site: Name = Field(description="site where the link ends")
    device: Name = Field(description="device of the site that ends it and speaks BGP")
    delay: Delay | None = Field(
        default=None,
        description="one way from the device to the peering location; by distance if none is given",
    )


class CircuitLinks(fields.Schema):
    """The two links of a circuit."""

    primary: CircuitLinkEnd = Field(description="first link")
    secondary: CircuitLinkEnd = Field(description="second link")


class CircuitAccess(fields.Schema):
    """A site's access line to the provider's network."""

    rate: Rate = Field(description="rate in each direction, of bytes on the wire")
    delay: Delay = catalogued(
        "circuit.access.delay", "one way, beyond the distance to the peering location"
    )
    buffer: PositiveDuration = catalogued(
        "circuit.access.buffer", "time that a full buffer of the line holds, then tail drop"
    )


class CircuitBfd(fields.Schema):
    """Bidirectional forwarding detection on the links; the slower of the two ends decides."""

    interval: Annotated[float, Quantity(DURATION, "50 ms", "10 s", row="circuit.bfd.interval")] = (
        catalogued("circuit.bfd.interval", "time between packets of the customer's end")
    )
    platform_interval: Annotated[
        float, Quantity(DURATION, "50 ms", "10 s", row="circuit.bfd.platform_interval")
    ] = catalogued(
        "circuit.bfd.platform_interval", "time between packets of the platform's edge router"
    )
    multiplier: Annotated[int, Field(ge=1, le=50)] = catalogued(
        "circuit.bfd.multiplier", "packets missed until the link is down"
    )


class CircuitBgp(fields.Schema):
    """BGP sessions on the links."""

    by: Literal["customer", "provider"] | None = Field(
        default=None,
        description="who speaks BGP with the platform; the provider with ip-vpn, else the customer",
    )
    keepalive: PositiveDuration = catalogued("circuit.bgp.keepalive", "time between keepalives")
    hold: PositiveDuration = catalogued("circuit.bgp.hold", "hold time")
    keepalive_jitter: Literal["none", "random"] = catalogued(
        "bgp.keepalive_jitter", "whether the time between keepalives varies at random"
    )
    honours_prepend: bool = Field(
        default=True, description="whether prepended AS paths move traffic before maintenance"
    )
    convergence: PositiveDuration = catalogued(
        "circuit.bgp.convergence", "time until the provider's network uses another way"
    )


class PrivatePeering(fields.Schema):
    """Private peering: the way to VNets."""

    advertise: Sequenced[Prefix] = Field(
        default=(),
        description="prefixes announced to the platform; by default those of the sites",
    )


class Peerings(fields.Schema):
    """What a circuit carries."""

    private: PrivatePeering = Field(
        default_factory=PrivatePeering, description="private peering: the way to VNets"
    )


class CircuitSchema(fields.Schema):
    """An ExpressRoute circuit."""

    provider_model: Literal["ip-vpn", "point-to-point-ethernet", "cross-connection", "direct"] = (
        Field(description="how the customer's network reaches the platform")
    )
    port: Name | None = Field(default=None, description="pair of ports of a direct circuit")
    peering_location: Annotated[str, CatalogueName("peering-locations")] | None = Field(
        default=None, description="where it ends; a direct circuit ends where its port is"
    )
    metro: bool = Field(default=False, description="whether its links end at two sites of a metro")
    bandwidth: Rate = Field(description="bought bandwidth, of each link in each direction")
    tier: Literal["local", "standard", "premium"] = Field(
        default="standard", description="which regions it reaches"
    )
    billing: Literal["metered", "unlimited"] = Field(
        default="metered", description="whether egress is paid by volume"
    )
    links: CircuitLinks | None = Field(
        default=None, description="where the two links end, unless the model is ip-vpn"
    )
    access: Named[CircuitAccess] = Field(
        default_factory=lambda: FrozenDict[CircuitAccess](),
        description="ip-vpn: access lines by site",
    )
    bfd: CircuitBfd | None = Field(default=None, description="fast detection of dead links")
    bgp: CircuitBgp = Field(default_factory=CircuitBgp, description="BGP sessions on the links")
    peerings: Peerings = Field(default_factory=Peerings, description="what the circuit carries")

    @model_validator(mode="after")
    def _place(self) -> CircuitSchema:
        is_direct = self.provider_model == "direct"
        if is_direct and (self.port is None or self.peering_location is not None):
            fields.refuse(
                "a direct circuit ends at a pair of ports of the customer",
                "write port: NAME and no peering_location",
            )
        if not is_direct and (self.port is not None or self.peering_location is None):
            fields.refuse(
                f"a circuit of model {self.provider_model} ends at a port of the provider",
                "write peering_location: NAME and no port",
            )
        return self

    @model_validator(mode="after")
    def _customer(self) -> CircuitSchema:
        if self.provider_model == "ip-vpn" and (self.links is not None or not self.access):
            fields.refuse(
                "with ip-vpn each site has an access line to the provider's network",
                "write access: {SITE: {rate: ...}} and no links",
            )
        if self.provider_model != "ip-vpn" and (self.links is None or self.access):
            fields.refuse(
                f"with {self.provider_model} both links end at devices of the customer",
                "write links: {primary: {site: ..., device: ...}, secondary: ...} and no access",
            )
        return self

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that it joins to the platform."""
        if self.links is None:
            return tuple(self.access)
        return tuple(dict.fromkeys((self.links.primary.site, self.links.secondary.site)))


Schema = CircuitSchema

SECTION = Section("circuits", "circuit", "ExpressRoute circuits by name")
STAGE = Stage.GATEWAYS

REFERS = {"port": "peering_ports"}


# ---------------------------------------------------------------------------------------------
# In the plan
# ---------------------------------------------------------------------------------------------


def plan_rows(name: str, circuit: CircuitSchema, draft: Draft) -> None:
    """Add a policer for each link and direction, and what lies between it and the sites."""
    pair = None if circuit.port is None else draft.published(PortPair)[circuit.port]
    location = circuit.peering_location if pair is None else pair.peering_location
    policers = {link: _policers(name, link, circuit, draft) for link in LINKS}
    locations = _locations(circuit, str(location), draft)
    ports = {link: pair.hops[link] if pair else None for link in LINKS}
    edge_hops: dict[str, Mapping[Direction, tuple[int, ...]]] = {
        link: {
            FORWARD: (*_hop(ports[link], FORWARD), policers[link][FORWARD]),
            RETURN: (policers[link][RETURN], *_hop(ports[link], RETURN)),
        }
        for link in LINKS
    }
    make_ends = _of_sites if circuit.links is None else _of_devices
    ends = tuple(make_ends(name, circuit, str(location), edge_hops, draft))
    convergence = None
    if circuit.links is None:
        row = draft.catalog.default("circuit.bgp.convergence")
        convergence = replace(row, number=circuit.bgp.convergence)
    links = {
        link: CircuitLink(
            name=f"{name}.{link}",
            circuit=name,
            customer_end="PE" if circuit.links is None else "CE",
            location=locations[link],
            hops=policers[link],
            convergence=convergence,
        )
        for link in LINKS
    }
    _add_sessions(circuit, ends, links, draft)
    draft.published(Circuit)[name] = Circuit(
        name=name,
        peering_location=str(location),
        is_direct=pair is not None,
        bandwidth_bps=circuit.bandwidth,
        ends=ends,
        links=links,
        honours_prepend=circuit.bgp.honours_prepend,
        fastpath_ips=fastpath_ips(name, None if pair is None else pair.bandwidth_bps, draft),
    )


def _locations(circuit: CircuitSchema, location: str, draft: Draft) -> dict[str, str]:
    """Where each link ends: those of a metro circuit at two sites."""
    pair = draft.catalog.peering_location(location).metro_pair
    primary, secondary = LINKS
    return {primary: location, secondary: pair if circuit.metro and pair else location}


def _add_sessions(
    circuit: CircuitSchema,
    ends: tuple[CircuitEnd, ...],
    links: Mapping[str, CircuitLink],
    draft: Draft,
) -> None:
    """The BGP session of each link, with BFD if the circuit has it."""
    offered = circuit.bfd
    bfd = None
    if offered is not None:
        bfd = bfd_spec(
            offered.interval, offered.multiplier, offered.platform_interval, draft.catalog
        )
    for link, known in links.items():
        add_session(
            known,
            next(end for end in ends if end.link == link),
            keepalive_s=circuit.bgp.keepalive,
            hold_s=circuit.bgp.hold,
            has_jitter=circuit.bgp.keepalive_jitter == "random",
            bfd=bfd,
            draft=draft,
        )


def _hop(hops: Mapping[Direction, int] | None, direction: Direction) -> tuple[int, ...]:
    return () if hops is None else (hops[direction],)


def _policers(
    name: str, link: str, circuit: CircuitSchema, draft: Draft
) -> Mapping[Direction, int]:
    """The rate limit of one link, with what both links together may carry if one is lost."""
    found = draft.catalog.expressroute_circuit(
        circuit.bandwidth, is_direct=circuit.provider_model == "direct"
    )
    limit = draft.catalog.expressroute_parameter("rate limit")
    hop = f"{name}.{link}"
    return draft.servers(
        hop,
        is_shared=False,
        ceilings=[
            Ceiling(
                CeilingKind.PATH, f"circuit link {hop}", found.cite(), rate_bps=circuit.bandwidth
            ),
            Ceiling(
                CeilingKind.PATH,
                f"circuit {name} after losing one link",
                limit.cite(),
                rate_after_loss_bps=circuit.bandwidth,
            ),
        ],
        rate_bps=circuit.bandwidth,
        policer_burst_s=draft.catalog.default("expressroute.policer_burst").value,
    )


def _of_devices(
    name: str,
    circuit: CircuitSchema,
    location: str,
    edge_hops: Mapping[str, Mapping[Direction, tuple[int, ...]]],
    draft: Draft,
) -> Iterator[CircuitEnd]:
    """Both links end at devices of the customer, perhaps of two sites."""
    for link in LINKS:
        end: CircuitLinkEnd = getattr(circuit.links, link)
        way = line(f"{name}.{link}.line", end.site, end.delay, 0.0, location, draft)
        edge = draft.edges[end.site][end.device]
        yield CircuitEnd(
            link=link,
            site=end.site,
            edge=edge,
            hops={
                FORWARD: (way[FORWARD], *edge_hops[link][FORWARD]),
                RETURN: (*edge_hops[link][RETURN], way[RETURN]),
            },
            announces=_announced(circuit, edge.announces),
            as_path_length=1,
        )


def _of_sites(
    name: str,
    circuit: CircuitSchema,
    location: str,
    edge_hops: Mapping[str, Mapping[Direction, tuple[int, ...]]],
    draft: Draft,
) -> Iterator[CircuitEnd]:
    """Every site reaches both links through its access line and the provider's network."""
    for site, access in circuit.access.items():
        hop = f"{name}.{site}.access"
        servers = draft.servers(
            hop,
            is_shared=False,
            ceilings=[
                Ceiling(CeilingKind.ACCESS, f"access line {hop}", SCENARIO, rate_bps=access.rate)
            ],
            rate_bps=access.rate,
            buffer_s=access.buffer,
        )
        way = line(f"{name}.{site}.line", site, None, access.delay, location, draft)
        for link in LINKS:
            yield CircuitEnd(
                link=link,
                site=site,
                edge=None,
                hops={
                    FORWARD: (servers[FORWARD], way[FORWARD], *edge_hops[link][FORWARD]),
                    RETURN: (*edge_hops[link][RETURN], way[RETURN], servers[RETURN]),
                },
                announces=_announced(circuit, draft.place(site).prefixes),
                as_path_length=2,
            )


def _announced(circuit: CircuitSchema, of_site: tuple[Prefix, ...]) -> tuple[Prefix, ...]:
    """The prefixes of the site that the circuit announces; a larger one may hold several sites."""
    given = circuit.peerings.private.advertise
    if not given:
        return of_site
    return tuple(p for p in given if any(p.overlaps(own) for own in of_site))


def draw(name: str, circuit: CircuitSchema, sketch: Sketch, draft: Draft) -> None:
    """Draw the circuit with both links, each with an edge to where it ends."""
    known = draft.published(Circuit)[name]
    rate = format_rate(circuit.bandwidth)
    rows = tuple(Row(f"{name}.{link}", f"{link}: {rate}") for link in LINKS)
    note = f"{circuit.provider_model}, {known.peering_location}"
    sketch.add_box(Box(name, name, "circuit", Column.CIRCUIT, rows, note))
    for end in known.ends:
        label = ""
        if end.edge is None and end.link == LINKS[0]:
            label = f"access {format_rate(circuit.access[end.site].rate)}"
        start = end.site if end.edge is None else end.edge.name
        sketch.add_edge(Edge(start, f"{name}.{end.link}", "expressroute", label))
