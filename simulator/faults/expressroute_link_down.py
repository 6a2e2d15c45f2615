"""ExpressRoute link down: one of the two links of a circuit carries nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal, get_args

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.expressroute.breaks import HOW_TEXT, How, LinkName, broken
from simulator.expressroute.parts import Circuit
from simulator.states import DOWN, strike_all


class ExpressRouteLinkDown(fields.FaultSchema):
    """One link of a circuit is dead in both directions."""

    kind: Literal["expressroute-link-down"] = Field(description="kind of fault")
    circuit: Name = Field(description="circuit that loses a link")
    link: LinkName = Field(description="link that is lost")
    how: How = Field(default="silent", description=HOW_TEXT)


Schema = ExpressRouteLinkDown

TARGET = ("circuit", "link")


def plan_rows(name: str, fault: ExpressRouteLinkDown, draft: Draft) -> None:
    """Add the fault: the hops of the link stop, and its ends hear what they can."""
    link = draft.published(Circuit)[fault.circuit].links[fault.link]
    process = partial(
        strike_all,
        kind=fault.kind,
        subject=link.name,
        things=broken([link], fault.how),
        value=DOWN,
        at_s=fault.at,
        end_s=fault.end_s,
        detail=fault.how,
    )
    draft.process(f"fault {name}", process)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Both links of every circuit."""
    for name in scenario.circuits:
        yield from ({"circuit": name, "link": link} for link in get_args(LinkName))
