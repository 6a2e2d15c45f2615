"""ExpressRoute gateway instance failure: one VM of an ExpressRoute gateway dies or is replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.catalog import load_catalog
from simulator.draft import Draft
from simulator.draft.strikes import add_strike
from simulator.states import FAILED, fault_state


class ExpressRouteInstanceFailure(fields.FaultSchema):
    """One instance stops: its flows are lost until the others carry them, with less capacity."""

    kind: Literal["expressroute-gateway-instance-failure"] = Field(description="kind of fault")
    gateway: Name = Field(description="ExpressRoute gateway that loses an instance")
    instance: int = Field(default=0, ge=0, le=15, description="number of the instance, from 0")


Schema = ExpressRouteInstanceFailure

TARGET = ("gateway", "instance")


def plan_rows(name: str, fault: ExpressRouteInstanceFailure, draft: Draft) -> None:
    """Add the fault: the gateway hears of it and answers."""
    instance = draft.vms[fault.gateway][fault.instance]
    add_strike(draft, name, fault, subject=instance, state=fault_state(instance), value=FAILED)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every instance of every ExpressRoute gateway."""
    count = int(load_catalog(scenario.era).default("gateway.instances").value)
    for name, gateway in scenario.gateways.items():
        if gateway.type == "expressroute":
            yield from ({"gateway": name, "instance": number} for number in range(count))
