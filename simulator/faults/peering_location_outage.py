"""Peering-location outage: every circuit link that ends at one location carries nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import CatalogueName
from simulator.draft import Draft
from simulator.expressroute.breaks import HOW_TEXT, How, broken, links_at
from simulator.states import DOWN, strike_all


class PeeringLocationOutage(fields.FaultSchema):
    """A peering location is dark; of a metro circuit it takes the link that ends there."""

    kind: Literal["peering-location-outage"] = Field(description="kind of fault")
    peering_location: Annotated[str, CatalogueName("peering-locations")] = Field(
        description="location that is dark"
    )
    how: How = Field(default="silent", description=HOW_TEXT)


Schema = PeeringLocationOutage

TARGET = ("peering_location",)


def plan_rows(name: str, fault: PeeringLocationOutage, draft: Draft) -> None:
    """Add the fault: the hops of all links there stop."""
    process = partial(
        strike_all,
        kind=fault.kind,
        subject=fault.peering_location,
        things=broken(links_at(fault.peering_location, draft), fault.how),
        value=DOWN,
        at_s=fault.at,
        end_s=fault.end_s,
        detail=fault.how,
    )
    draft.process(f"fault {name}", process)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every peering location that a circuit or a pair of ports names."""
    named = [
        getattr(part, "peering_location", None)
        for part in (*scenario.circuits.values(), *scenario.peering_ports.values())
    ]
    yield from ({"peering_location": location} for location in sorted(filter(None, {*named})))
