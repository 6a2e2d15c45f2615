"""MSEE maintenance: an edge router lengthens its AS path, is worked on, and comes back."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name, PositiveDuration, catalogued
from simulator.draft import Draft
from simulator.expressroute.breaks import LinkName, broken
from simulator.expressroute.links import drain
from simulator.expressroute.parts import Circuit, CircuitLink
from simulator.states import DOWN, REPAIR, fail, restore

if TYPE_CHECKING:
    from simulator.world import World


class MseeMaintenance(fields.FaultSchema):
    """The edge router of one link is drained and then taken down; the other link stays."""

    kind: Literal["msee-maintenance"] = Field(description="kind of fault")
    circuit: Name = Field(description="circuit whose edge router is worked on")
    link: LinkName = Field(description="link that ends at it")
    drain: PositiveDuration = catalogued(
        "expressroute.maintenance_drain", "time from the longer AS path until the work begins"
    )


Schema = MseeMaintenance

TARGET = ("circuit", "link")


def plan_rows(name: str, fault: MseeMaintenance, draft: Draft) -> None:
    """Add the fault: who looks at AS paths leaves the link before the work takes it down."""
    link = draft.published(Circuit)[fault.circuit].links[fault.link]
    draft.process(f"fault {name}", partial(maintain, link=link, fault=fault))


def maintain(world: World, link: CircuitLink, fault: MseeMaintenance) -> Generator[Any, Any, None]:
    """Lengthen the AS path, close the session and stop the link, and undo both."""
    yield world.wait(fault.at)
    fault_id = world.event(fault.kind, link.name, 0, "AS path lengthened")
    fail(world, drain(link), DOWN, (), fault_id)
    work_s = min(fault.drain, fault.end_s - fault.at)
    yield world.wait(work_s)
    work_id = world.event("maintenance-work", link.name, fault_id)
    things = broken([link], "withdrawn")
    for state, hops in things:
        fail(world, state, DOWN, hops, work_id)
    if math.isinf(fault.end_s):
        return
    yield world.wait(fault.end_s - fault.at - work_s)
    repair_id = world.event(REPAIR, link.name, fault_id, f"end of {fault.kind}")
    for state, hops in (*things, (drain(link), ())):
        restore(world, state, hops, repair_id)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Both links of every circuit."""
    for name in scenario.circuits:
        yield from ({"circuit": name, "link": link} for link in get_args(LinkName))
