"""ExpressRoute circuit down: both links of a circuit carry nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.expressroute.breaks import HOW_TEXT, How, broken
from simulator.expressroute.parts import Circuit
from simulator.states import DOWN, strike_all


class ExpressRouteCircuitDown(fields.FaultSchema):
    """A whole circuit is dead in both directions."""

    kind: Literal["expressroute-circuit-down"] = Field(description="kind of fault")
    circuit: Name = Field(description="circuit that dies")
    how: How = Field(default="silent", description=HOW_TEXT)


Schema = ExpressRouteCircuitDown

TARGET = ("circuit",)


def plan_rows(name: str, fault: ExpressRouteCircuitDown, draft: Draft) -> None:
    """Add the fault: the hops of both links stop, and their ends hear what they can."""
    process = partial(
        strike_all,
        kind=fault.kind,
        subject=fault.circuit,
        things=broken(draft.published(Circuit)[fault.circuit].links.values(), fault.how),
        value=DOWN,
        at_s=fault.at,
        end_s=fault.end_s,
        detail=fault.how,
    )
    draft.process(f"fault {name}", process)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every circuit."""
    yield from ({"circuit": name} for name in scenario.circuits)
