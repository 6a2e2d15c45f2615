"""IKE rekey failure: the SAs of a connection end, and the ends find no new ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.states import DOWN, agreement_state, strike


class IkeRekeyFailure(fields.FaultSchema):
    """A rekey of a connection fails at `at`, and so does every attempt until the fault ends."""

    kind: Literal["ike-rekey-failure"] = Field(description="kind of fault")
    connection: Name = Field(description="connection whose rekey fails")


Schema = IkeRekeyFailure
TARGET = ("connection",)


def plan_rows(name: str, fault: IkeRekeyFailure, draft: Draft) -> None:
    """Add the fault: both ends delete their SAs, and try again with growing waits."""
    process = partial(
        strike,
        kind=fault.kind,
        subject=fault.connection,
        state=agreement_state(fault.connection),
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
