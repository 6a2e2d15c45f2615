"""Policy change: the cipher suite of a connection is changed, at both ends or at one alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike, vpn_connections
from simulator.states import DOWN, RESTARTING, agreement_state, restart_state


class PolicyChange(fields.BriefFaultSchema):
    """A connection gets another policy: its SAs are made anew, if both ends agree on it.

    The traffic afterwards is that of the scenario's suite.
    """

    kind: Literal["policy-change"] = Field(description="kind of fault")
    connection: Name = Field(description="connection whose policy changes")
    mismatch: bool = Field(
        default=False,
        description="only one end changes: nothing can be negotiated until the fault ends",
    )

    @property
    def end_s(self) -> float:
        """Time of repair in seconds: a mismatch lasts until somebody repairs it."""
        return self.lasting_s if self.mismatch else super().end_s


Schema = PolicyChange
TARGET = ("connection",)


def plan_rows(name: str, fault: PolicyChange, draft: Draft) -> None:
    """Add the fault: the tunnels restart by timer T013, or the ends no longer agree."""
    published = draft.draw(draft.catalog.default("connection.policy_change"), "fault", name)
    restart, agreement = restart_state(fault.connection), agreement_state(fault.connection)
    add_strike(
        draft,
        name,
        fault,
        subject=fault.connection,
        state=agreement if fault.mismatch else restart,
        value=DOWN if fault.mismatch else RESTARTING,
        end_s=fault.end_s if fault.mismatch else fault.ends_s(published),
    )


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every VPN connection, changed at both ends or at one."""
    for name in vpn_connections(scenario):
        yield {"connection": name}
        yield {"connection": name, "mismatch": True}
