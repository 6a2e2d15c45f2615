"""Zone outage: an availability zone goes dark, with the gateway instances in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import WHOLE, Name
from simulator.draft import Draft
from simulator.states import ZONE_LOST, strike_all


class ZoneOutage(fields.FaultSchema):
    """All gateway instances of a VNet that stand in one zone stop."""

    kind: Literal["zone-outage"] = Field(description="kind of fault")
    vnet: Name = Field(description="VNet whose gateways are struck")
    zone: Annotated[Literal[1, 2, 3], WHOLE] = Field(description="zone that goes dark")


Schema = ZoneOutage
TARGET = ("vnet", "zone")


def plan_rows(name: str, fault: ZoneOutage, draft: Draft) -> None:
    """Add the fault: gateways hear which of their instances are dark."""
    process = partial(
        strike_all,
        kind=fault.kind,
        subject=f"{fault.vnet}.zone-{fault.zone}",
        things=tuple((state, ()) for state in draft.in_zones[(fault.vnet, fault.zone)]),
        value=ZONE_LOST,
        at_s=fault.at,
        end_s=fault.end_s,
    )
    draft.process(f"fault {name}", process)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every zone in which a gateway has instances."""
    zones = {
        (gateway.vnet, zone)
        for gateway in scenario.gateways.values()
        for zone in getattr(gateway, "zones", ())
    }
    yield from ({"vnet": vnet, "zone": zone} for vnet, zone in sorted(zones))
