"""IKE rekey failure: the SAs of a connection end, and the ends find no new ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike, vpn_connections
from simulator.states import DOWN, agreement_state


class IkeRekeyFailure(fields.FaultSchema):
    """A rekey of a connection fails at `at`, and so does every attempt until the fault ends."""

    kind: Literal["ike-rekey-failure"] = Field(description="kind of fault")
    connection: Name = Field(description="connection whose rekey fails")


Schema = IkeRekeyFailure
TARGET = ("connection",)


def plan_rows(name: str, fault: IkeRekeyFailure, draft: Draft) -> None:
    """Add the fault: both ends delete their SAs, and try again with growing waits."""
    add_strike(
        draft,
        name,
        fault,
        subject=fault.connection,
        state=agreement_state(fault.connection),
        value=DOWN,
    )


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN connection."""
    yield from ({"connection": name} for name in vpn_connections(scenario))
