"""VNet: a virtual network in a region, with its GatewaySubnet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import WHOLE, CatalogueName, FrozenDict, Named, Prefix, Sequenced
from simulator.draft import DIRECTIONS, Draft, Pass, Place, Stage


class Subnet(fields.Schema):
    """A subnet of a VNet."""

    prefix: Prefix = Field(description="address range, inside the VNet's address space")


class Vnet(fields.Schema):
    """A virtual network."""

    region: Annotated[str, CatalogueName("regions")] = Field(description="region of the platform")
    zones: Sequenced[Annotated[Literal[1, 2, 3], WHOLE]] = Field(
        default=(), max_length=3, description="availability zones that the VNet's hosts use"
    )
    address_space: Sequenced[Prefix] = Field(min_length=1, description="prefixes of the VNet")
    gateway_subnet: Prefix | None = Field(
        default=None, description="range of the GatewaySubnet; needed where a gateway stands"
    )
    subnets: Named[Subnet] = Field(
        default_factory=lambda: FrozenDict[Subnet](), description="other subnets by name"
    )


Schema = Vnet

STAGE = Stage.PLACES


def plan_rows(name: str, vnet: Vnet, draft: Draft) -> None:
    """Add the VNet: a short delay between its hosts and whatever stands at its edge."""
    delay_s = draft.catalog.default("region.same_region_rtt").value / 2
    passes = {
        direction: (Pass(draft.path(f"{name}.vnet", direction, delay_s=delay_s)),)
        for direction in DIRECTIONS
    }
    draft.add_point(Place(name, passes, prefixes=vnet.address_space, region=vnet.region))
