"""Peering ports: a pair of ExpressRoute Direct ports of the customer's own.

Each link of a circuit passes one port of the pair. Circuits on a pair share the ports, and their
bandwidths may add up to more than a port carries.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import CatalogueName, PositiveDuration, Rate, catalogued
from simulator.base.sections import Section
from simulator.draft import Ceiling, CeilingKind, Draft, Stage
from simulator.expressroute.parts import PortPair

LINKS: Final = ("primary", "secondary")


class PeeringPort(fields.Schema):
    """A pair of ExpressRoute Direct ports."""

    peering_location: Annotated[str, CatalogueName("peering-locations")] = Field(
        description="where the ports are"
    )
    metro: bool = Field(
        default=False, description="whether the two ports are at two sites of a metro"
    )
    bandwidth: Rate = Field(description="rate of each of the two ports")
    buffer: PositiveDuration = catalogued(
        "expressroute.port.buffer", "time that a full buffer of a port holds, then tail drop"
    )


Schema = PeeringPort

SECTION = Section("peering_ports", "pair of ports", "pairs of ExpressRoute Direct ports by name")
STAGE = Stage.PATHS


def plan_rows(name: str, port: PeeringPort, draft: Draft) -> None:
    """Add a server for each port and direction."""
    found = draft.catalog.expressroute_port(port.bandwidth)
    draft.published(PortPair)[name] = PortPair(
        peering_location=port.peering_location,
        bandwidth_bps=port.bandwidth,
        hops={
            link: draft.servers(
                f"{name}.{link}",
                is_shared=False,
                ceilings=[
                    Ceiling(
                        CeilingKind.PATH,
                        f"port {name}.{link}, {found.name}",
                        found.cite(),
                        rate_bps=port.bandwidth,
                    )
                ],
                rate_bps=port.bandwidth,
                buffer_s=port.buffer,
            )
            for link in LINKS
        },
    )
