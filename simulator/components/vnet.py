"""VNet: a virtual network in a region, with its GatewaySubnet and other subnets.

A subnet in which traffic starts or ends is a place of its own, `VNET.SUBNET`: it has the VNet's
routes, less those of the gateways if they are not propagated, and its user routes before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import (
    WHOLE,
    CatalogueName,
    FrozenDict,
    Name,
    Named,
    Prefix,
    Prefixed,
    Sequenced,
)
from simulator.base.sections import Section
from simulator.draft import DIRECTIONS, INTERNET, Draft, Offer, Pass, Place, RouteKind, Stage
from simulator.sketch import Box, Column, Row, Sketch


class Subnet(fields.Schema):
    """A subnet of a VNet."""

    prefix: Prefix = Field(description="address range, inside the VNet's address space")
    routes: Prefixed[Literal["gateway", "internet", "none"]] = Field(
        default_factory=lambda: FrozenDict[Any](),
        description="user routes: next hop by prefix; none drops what it takes",
    )
    propagate_gateway_routes: bool = Field(
        default=True, description="whether the subnet learns the routes of the VNet's gateways"
    )


class UserRoute(fields.Schema):
    """A user-defined route."""

    prefix: Prefix = Field(description="destinations")
    next_hop: Literal["gateway", "vnet", "internet", "appliance", "none"] = Field(
        description="where packets go; none drops them"
    )


class GatewaySubnetOptions(fields.Schema):
    """What is attached to the GatewaySubnet."""

    network_security_group: bool = Field(
        default=False, description="whether a network security group is attached"
    )
    routes: Sequenced[UserRoute] = Field(
        default=(), description="user-defined routes of a route table attached to it"
    )
    propagate_gateway_routes: bool = Field(
        default=True, description="whether the route table takes over routes learnt by BGP"
    )


class Vnet(fields.Schema):
    """A virtual network."""

    region: Annotated[str, CatalogueName("regions")] = Field(description="region of the platform")
    zones: Sequenced[Annotated[Literal[1, 2, 3], WHOLE]] = Field(
        default=(), max_length=3, description="availability zones that the VNet's hosts use"
    )
    subscription: Name | None = Field(
        default=None, description="subscription that owns it; VNets without one share theirs"
    )
    tenant: Name | None = Field(
        default=None, description="directory tenant of the subscription; by default one for all"
    )
    deployment_model: Literal["resource-manager", "classic"] = Field(
        default="resource-manager", description="deployment model in which it was made"
    )
    address_space: Sequenced[Prefix] = Field(min_length=1, description="prefixes of the VNet")
    ipv6: bool = Field(
        default=False, description="whether it has IPv6 prefixes too; they are not simulated"
    )
    dns: Literal["platform", "custom-forwarding", "custom"] = Field(
        default="platform",
        description="its DNS servers: the platform's, own ones that forward to them, own ones",
    )
    vms: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="virtual machines in it, for the limits of gateway SKUs"
    )
    gateway_subnet: Prefix | None = Field(
        default=None, description="range of the GatewaySubnet; needed where a gateway stands"
    )
    gateway_subnet_options: GatewaySubnetOptions = Field(
        default_factory=GatewaySubnetOptions, description="what is attached to the GatewaySubnet"
    )
    subnets: Named[Subnet] = Field(
        default_factory=lambda: FrozenDict[Subnet](), description="other subnets by name"
    )


Schema = Vnet

SECTION = Section("vnets", "VNet", "virtual networks by name", has_places=True)
STAGE = Stage.PLACES


def joins(name: str, vnet: Vnet, parts: Any) -> tuple[str, ...]:
    """The VNet and its subnets."""
    return (name, *(f"{name}.{subnet}" for subnet in vnet.subnets))


def plan_rows(name: str, vnet: Vnet, draft: Draft) -> None:
    """Add the VNet: a short delay between its hosts and whatever stands at its edge."""
    zone = vnet.zones[0] if len(vnet.zones) == 1 else None
    if zone is None:
        delay_s = draft.catalog.default("region.same_region_rtt").value / 2
    else:
        delay_s = draft.catalog.zone_rtt_s(vnet.region, zone, zone).value_s / 2
    passes = {
        direction: (Pass(draft.path(f"{name}.vnet", direction, delay_s=delay_s)),)
        for direction in DIRECTIONS
    }
    draft.add_point(Place(name, passes, prefixes=vnet.address_space, region=vnet.region, zone=zone))
    for subnet_name, subnet in vnet.subnets.items():
        place = f"{name}.{subnet_name}"
        if place in draft.ends:
            draft.at_stage(Stage.DIVISIONS, partial(_add_subnet, place, subnet, name, draft))


def _add_subnet(place: str, subnet: Subnet, vnet: str, draft: Draft) -> None:
    """Add the place with the links and routes of its VNet, and its user routes."""
    draft.divide(vnet, replace(draft.place(vnet), name=place, prefixes=(subnet.prefix,)))
    draft.offers += [
        replace(offer, to=place)
        for offer in draft.offers
        if offer.to == vnet and offer.kind.is_of_gateway
    ]
    draft.offers += [
        replace(offer, at=place)
        for offer in draft.offers
        if offer.at == vnet and (subnet.propagate_gateway_routes or not offer.kind.is_of_gateway)
    ]
    draft.offers += _user_routes(place, subnet, vnet, draft)


def _user_routes(place: str, subnet: Subnet, vnet: str, draft: Draft) -> Iterator[Offer]:
    """Each user route; one to the gateway follows the gateway's own routes, or leads nowhere."""
    learnt = [o for o in draft.offers if o.at == vnet and o.kind.is_of_gateway]
    for text, hop in subnet.routes.items():
        prefix = IPv4Network(text)
        over = Offer(place, INTERNET, prefix, f"{vnet}.{hop}", RouteKind.USER, "user")
        if hop != "gateway":
            yield over
            continue
        yield replace(over, weight=-1)
        for own in (*learnt, *draft.gateway_routes[vnet]):
            yield replace(
                own,
                at=place,
                prefix=prefix,
                kind=RouteKind.USER,
                how="user",
                weight=0,
                as_path_length=0,
                behind=own,
            )


def draw(name: str, vnet: Vnet, sketch: Sketch, draft: Draft) -> None:
    """Draw the VNet with the subnets in which traffic starts or ends."""
    subnets = (f"{name}.{subnet}" for subnet in vnet.subnets)
    rows = tuple(
        Row(subnet, subnet.partition(".")[2]) for subnet in subnets if subnet in draft.ends
    )
    sketch.add_box(Box(name, name, "vnet", Column.VNET, rows, vnet.region))
