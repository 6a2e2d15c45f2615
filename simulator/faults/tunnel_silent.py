"""Tunnel silent: the ends no longer answer IKE and DPD, while the path and ESP work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike, vpn_connections
from simulator.states import DOWN


class TunnelSilent(fields.FaultSchema):
    """The peers of a connection fall silent: data pass until DPD declares the tunnel dead."""

    kind: Literal["tunnel-silent"] = Field(description="kind of fault")
    connection: Name = Field(description="connection whose ends no longer hear each other")


Schema = TunnelSilent


def plan_rows(name: str, fault: TunnelSilent, draft: Draft) -> None:
    """Add the fault: messages between the ends of the tunnels are lost, packets are not."""
    add_strike(
        draft, name, fault, subject=fault.connection, state=f"{fault.connection} ike", value=DOWN
    )


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN connection."""
    yield from ({"connection": name} for name in vpn_connections(scenario))
