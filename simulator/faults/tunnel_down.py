"""Tunnel down: the SAs of a connection are lost while path and ends live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike, vpn_connections
from simulator.states import DOWN


class TunnelDown(fields.FaultSchema):
    """All tunnels of a connection pass nothing, and cannot be built until the fault ends."""

    kind: Literal["tunnel-down"] = Field(description="kind of fault")
    connection: Name = Field(description="connection whose tunnels go down")


Schema = TunnelDown


def plan_rows(name: str, fault: TunnelDown, draft: Draft) -> None:
    """Add the fault: the tunnels of the connection hear of it and stop passing packets."""
    add_strike(draft, name, fault, subject=fault.connection, state=fault.connection, value=DOWN)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN connection."""
    yield from ({"connection": name} for name in vpn_connections(scenario))
