"""SKU resize: a gateway changes its size, and its instances are replaced."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import vpn_gateways
from simulator.states import REPAIR, RESTARTING, fail, fault_state, restore

if TYPE_CHECKING:
    from simulator.world import World


class SkuResize(fields.BriefFaultSchema):
    """The instances of a VPN gateway are replaced; the interruption is drawn by timer T072.

    What the gateway carries before and after is that of the scenario's SKU.
    """

    kind: Literal["sku-resize"] = Field(description="kind of fault")
    gateway: Name = Field(description="gateway that changes its size")


Schema = SkuResize
TARGET = ("gateway",)


@dataclass(frozen=True)
class Replacement:
    """What is replaced in turn: a gateway as a whole, or each of its instances."""

    kind: str
    gateway: str
    things: tuple[str, ...]
    at_s: float
    each_s: float


def plan_rows(name: str, fault: SkuResize, draft: Draft) -> None:
    """Add the fault: an active-active gateway replaces its instances in equal parts of the time."""
    published = draft.draw(draft.catalog.default("gateway.resize"), "fault", name)
    is_active_active = len(draft.instances[fault.gateway]) > 1
    things = draft.vms[fault.gateway] if is_active_active else (fault.gateway,)
    each_s = (fault.ends_s(published) - fault.at) / len(things)
    replacement = Replacement(fault.kind, fault.gateway, things, fault.at, each_s)
    draft.process(f"fault {name}", partial(replace_all, replacement=replacement))


def replace_all(world: World, replacement: Replacement) -> Generator[Any, Any, None]:
    """Restart one thing after another."""
    yield world.wait(replacement.at_s)
    fault_id = world.event(replacement.kind, replacement.gateway)
    for thing in replacement.things:
        leaves_id = world.event("instance-replacement", thing, fault_id)
        fail(world, fault_state(thing), RESTARTING, (), leaves_id)
        yield world.wait(replacement.each_s)
        back_id = world.event("instance-ready", thing, leaves_id)
        restore(world, fault_state(thing), (), back_id)
    world.event(REPAIR, replacement.gateway, fault_id, f"end of {replacement.kind}")


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN gateway."""
    yield from ({"gateway": name} for name, _ in vpn_gateways(scenario))
