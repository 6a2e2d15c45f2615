"""ExpressRoute one way: a link of a circuit loses everything in one direction, nobody is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal, get_args

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.expressroute.breaks import LinkName
from simulator.expressroute.parts import Circuit
from simulator.plan import FORWARD, RETURN
from simulator.states import DOWN, strike_all


class ExpressRouteOneWay(fields.FaultSchema):
    """One direction of a link carries nothing; the other one works."""

    kind: Literal["expressroute-one-way"] = Field(description="kind of fault")
    circuit: Name = Field(description="circuit whose link suffers")
    link: LinkName = Field(description="link that suffers")
    direction: Literal["forward", "return"] = Field(
        description="what is lost: forward from on-premises to the platform, return the other way"
    )


Schema = ExpressRouteOneWay

TARGET = ("circuit", "link", "direction")


def plan_rows(name: str, fault: ExpressRouteOneWay, draft: Draft) -> None:
    """Add the fault: the hop of one direction stops."""
    link = draft.published(Circuit)[fault.circuit].links[fault.link]
    process = partial(
        strike_all,
        kind=fault.kind,
        subject=link.name,
        things=((f"{link.name} {fault.direction}", (link.hops[fault.direction],)),),
        value=DOWN,
        at_s=fault.at,
        end_s=fault.end_s,
        detail=fault.direction,
    )
    draft.process(f"fault {name}", process)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Both directions of both links of every circuit."""
    for name in scenario.circuits:
        for link in get_args(LinkName):
            for direction in (FORWARD, RETURN):
                yield {"circuit": name, "link": link, "direction": direction}
