"""Gateway instance failure: one VM of a gateway dies or is taken down for maintenance."""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.states import FAILED, MOVING, strike


class InstanceFailure(fields.FaultSchema):
    """One instance of a gateway stops; what takes over, and when, is the gateway's business."""

    kind: Literal["gateway-instance-failure"] = Field(description="kind of fault")
    gateway: Name = Field(description="gateway that loses an instance")
    instance: int = Field(default=0, ge=0, le=15, description="number of the instance, from 0")
    planned: bool = Field(
        default=False, description="planned maintenance: the standby is ready before the switch"
    )


Schema = InstanceFailure


def plan_rows(name: str, failure: InstanceFailure, draft: Draft) -> None:
    """Add the fault: the gateway hears of it and answers."""
    vm = f"{failure.gateway}.instance-{failure.instance}"
    process = partial(
        strike,
        kind=failure.kind,
        subject=vm,
        state=f"{vm} fault",
        value=MOVING if failure.planned else FAILED,
        at_s=failure.at,
        end_s=failure.end_s,
    )
    draft.process(f"fault {name}", process)
