"""Tunnel down: the SAs of a connection are lost while path and ends live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.states import DOWN, strike


class TunnelDown(fields.FaultSchema):
    """All tunnels of a connection pass nothing, and cannot be built until the fault ends."""

    kind: Literal["tunnel-down"] = Field(description="kind of fault")
    connection: Name = Field(description="connection whose tunnels go down")


Schema = TunnelDown


def plan_rows(name: str, fault: TunnelDown, draft: Draft) -> None:
    """Add the fault: the tunnels of the connection hear of it and stop passing packets."""
    process = partial(
        strike,
        kind=fault.kind,
        subject=fault.connection,
        state=fault.connection,
        value=DOWN,
        at_s=fault.at,
        end_s=fault.end_s,
    )
    draft.process(f"fault {name}", process)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN connection."""
    for name, connection in scenario.connections.items():
        if connection.type in {"ipsec", "vnet-to-vnet"}:
            yield {"connection": name}
