"""Private endpoint: an address in a VNet behind which a service of the platform stands.

It is reached over the gateways of its VNet as hosts there are, but for ExpressRoute: one instance
of the gateway carries its traffic in both directions (rule R167).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Address, Name
from simulator.base.sections import Section
from simulator.draft import Draft, Place, Prefix, Stage
from simulator.sketch import Box, Column, Edge, Sketch


class PrivateEndpoint(fields.Schema):
    """A private endpoint."""

    vnet: Name = Field(description="VNet in which it has its address")
    address: Address = Field(description="its address, inside the VNet's address space")


Schema = PrivateEndpoint

SECTION = Section(
    "private_endpoints", "private endpoint", "private endpoints in VNets by name", has_places=True
)
STAGE = Stage.EXTENSIONS

REFERS = {"vnet": "vnets"}


def joins(name: str, endpoint: PrivateEndpoint, parts: Any) -> tuple[str, ...]:
    """The endpoint and its VNet."""
    return (name, endpoint.vnet)


def plan_rows(name: str, endpoint: PrivateEndpoint, draft: Draft) -> None:
    """Add the place, the ways from the VNet's gateways, and the routes of the VNet over them."""
    vnet = draft.place(endpoint.vnet)
    prefixes = (Prefix(endpoint.address),)
    draft.add_point(Place(name, vnet.passes, prefixes=prefixes, region=vnet.region))
    for link in draft.links_into(vnet.name):
        there = link if link.private is None else link.private()
        around = f"{name}.{link.name}"
        draft.add_link(replace(link, name=around, b=name, passes=there.passes, limits=there.limits))
    draft.offers += [
        replace(offer, at=name)
        for offer in draft.offers
        if offer.at == vnet.name and offer.kind.is_of_gateway
    ]


def deploy_steps(name: str, endpoint: PrivateEndpoint) -> Iterator[tuple[str, str, Sequence[str]]]:
    """It is made in its VNet."""
    yield "private-endpoint", name, [f"vnet {endpoint.vnet}"]


def draw(name: str, endpoint: PrivateEndpoint, sketch: Sketch, draft: Draft) -> None:
    """Draw the endpoint beside its VNet."""
    note = f"private endpoint, {endpoint.address}"
    sketch.add_box(Box(name, name, "endpoint", Column.SPOKE, note=note))
    sketch.add_edge(Edge(endpoint.vnet, name, "inside"))
