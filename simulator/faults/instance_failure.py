"""Gateway instance failure: one VM of a gateway dies or is taken down for maintenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike, vpn_gateways
from simulator.states import DRAINED, FAILED, MOVING, fault_state


class InstanceFailure(fields.FaultSchema):
    """One instance of a gateway stops; what takes over, and when, is the gateway's business.

    Planned maintenance without a duration takes the published time.
    """

    kind: Literal["gateway-instance-failure"] = Field(description="kind of fault")
    gateway: Name = Field(description="gateway that loses an instance")
    instance: int = Field(default=0, ge=0, le=15, description="number of the instance, from 0")
    planned: bool = Field(
        default=False, description="planned maintenance: the standby is ready before the switch"
    )
    notice: bool = Field(
        default=True,
        description="whether an instance of an active-active gateway that leaves for planned "
        "maintenance closes its tunnels and BGP sessions, so that peers know at once",
    )


Schema = InstanceFailure
TARGET = ("gateway", "instance")


def plan_rows(name: str, failure: InstanceFailure, draft: Draft) -> None:
    """Add the fault: the gateway hears of it and answers."""
    vm = f"{failure.gateway}.instance-{failure.instance}"
    end_s = failure.end_s
    if failure.planned and not failure.is_given:
        end_s = failure.at + draft.catalog.default("gateway.maintenance").value
    add_strike(
        draft, name, failure, subject=vm, state=fault_state(vm), value=_value(failure), end_s=end_s
    )


def _value(failure: InstanceFailure) -> str:
    if not failure.planned:
        return FAILED
    return DRAINED if failure.notice else MOVING


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every instance of every VPN gateway, unplanned."""
    for name, gateway in vpn_gateways(scenario):
        yield from ({"gateway": name, "instance": n} for n in range(gateway.instances))
