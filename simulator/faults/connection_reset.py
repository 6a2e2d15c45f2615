"""Connection reset: the tunnels of a connection are closed and built anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike, vpn_connections
from simulator.states import RESTARTING, restart_state


class ConnectionReset(fields.BriefFaultSchema):
    """A VPN connection is reset; its gateway does not reboot. Drawn by timer T053."""

    kind: Literal["connection-reset"] = Field(description="kind of fault")
    connection: Name = Field(description="connection that is reset")


Schema = ConnectionReset
TARGET = ("connection",)


def plan_rows(name: str, fault: ConnectionReset, draft: Draft) -> None:
    """Add the fault: the tunnels restart; the published time holds their new SAs."""
    published = draft.draw(draft.catalog.default("connection.reset"), "fault", name)
    add_strike(
        draft,
        name,
        fault,
        subject=fault.connection,
        state=restart_state(fault.connection),
        value=RESTARTING,
        end_s=fault.ends_s(published),
    )


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN connection."""
    yield from ({"connection": name} for name in vpn_connections(scenario))
