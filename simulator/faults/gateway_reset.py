"""Gateway reset: the active instance reboots; its published time holds everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike, vpn_gateways
from simulator.states import RESTARTING, fault_state


class GatewayReset(fields.BriefFaultSchema):
    """The active (or first active) instance of a VPN gateway reboots; drawn by timer T052."""

    kind: Literal["gateway-reset"] = Field(description="kind of fault")
    gateway: Name = Field(description="gateway that is reset")


Schema = GatewayReset
TARGET = ("gateway",)


def plan_rows(name: str, fault: GatewayReset, draft: Draft) -> None:
    """Add the fault: the gateway restarts."""
    published = draft.draw(draft.catalog.default("gateway.reset"), "fault", name)
    add_strike(
        draft,
        name,
        fault,
        subject=fault.gateway,
        state=fault_state(fault.gateway),
        value=RESTARTING,
        end_s=fault.ends_s(published),
    )


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN gateway."""
    yield from ({"gateway": name} for name, _ in vpn_gateways(scenario))
