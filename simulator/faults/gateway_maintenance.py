"""Gateway maintenance: the instances of a gateway are replaced one after another."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name, PositiveDuration, catalogued
from simulator.draft import Draft
from simulator.draft.strikes import vpn_gateways
from simulator.states import DRAINED, MOVING, REPAIR, fail, fault_state, restore

if TYPE_CHECKING:
    from simulator.world import World


class GatewayMaintenance(fields.BriefFaultSchema):
    """Planned maintenance of a whole gateway, one VM at a time (timer T050)."""

    kind: Literal["gateway-maintenance"] = Field(description="kind of fault")
    gateway: Name = Field(description="gateway that is maintained")
    each: PositiveDuration | None = Field(
        default=None,
        description="time for which each instance is away; the published one by default",
    )
    gap: PositiveDuration = catalogued(
        "gateway.maintenance_gap",
        "time between the return of an instance and the departure of the next",
    )
    notice: bool = Field(
        default=True,
        description="whether an instance of an active-active gateway closes its tunnels and BGP "
        "sessions before it leaves, so that peers know at once",
    )


Schema = GatewayMaintenance
TARGET = ("gateway",)
IS_LASTING = True
"""A search lets it last as long as other faults."""


@dataclass(frozen=True)
class Turn:
    """The VMs of a gateway in the order of their maintenance."""

    kind: str
    gateway: str
    vms: tuple[str, ...]
    value: str
    at_s: float
    each_s: float
    gap_s: float


def plan_rows(name: str, fault: GatewayMaintenance, draft: Draft) -> None:
    """Add the fault: instances leave in turn, the standby of an active-standby gateway first."""
    vms = draft.vms[fault.gateway]
    if len(draft.instances[fault.gateway]) == 1:
        vms = vms[::-1]
    each_s = fault.each or draft.catalog.default("gateway.maintenance").value
    if fault.is_given:
        each_s = max(0.0, (fault.end_s - fault.at - fault.gap * (len(vms) - 1)) / len(vms))
    value = DRAINED if fault.notice else MOVING
    turn = Turn(fault.kind, fault.gateway, vms, value, fault.at, each_s, fault.gap)
    draft.process(f"fault {name}", partial(maintain, turn=turn))


def maintain(world: World, turn: Turn) -> Generator[Any, Any, None]:
    """Take each instance down, and bring it back before the next one leaves."""
    yield world.wait(turn.at_s)
    fault_id = world.event(turn.kind, turn.gateway)
    for number, vm in enumerate(turn.vms):
        yield world.wait(turn.gap_s if number else 0.0)
        leaves_id = world.event("instance-maintenance", vm, fault_id)
        fail(world, fault_state(vm), turn.value, (), leaves_id)
        yield world.wait(turn.each_s)
        back_id = world.event("instance-ready", vm, leaves_id)
        restore(world, fault_state(vm), (), back_id)
    world.event(REPAIR, turn.gateway, fault_id, f"end of {turn.kind}")


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN gateway."""
    yield from ({"gateway": name} for name, _ in vpn_gateways(scenario))
