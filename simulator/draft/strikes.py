"""What many faults have in common: one thing that is struck, and what they may strike."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

from simulator.draft.collected import Draft
from simulator.states import strike


class Fault(Protocol):
    """What a fault in a scenario says of itself, times in seconds."""

    @property
    def kind(self) -> str:
        """The word for it."""

    @property
    def at(self) -> float:
        """When it strikes."""

    @property
    def end_s(self) -> float:
        """When it is repaired, infinite if nobody does."""


def add_strike(
    draft: Draft,
    name: str,
    fault: Fault,
    *,
    subject: str,
    state: str,
    value: str,
    end_s: float | None = None,
    hops: tuple[int, ...] = (),
) -> None:
    """Add the process of a fault that gives one thing a state and stops its hops until it ends.

    Parameters
    ----------
    subject
        What its events name.
    state, value
        Name of the state of the thing, and what it is meanwhile.
    end_s
        When it ends, by default as the fault says.
    """
    process = partial(
        strike,
        kind=fault.kind,
        subject=subject,
        state=state,
        value=value,
        at_s=fault.at,
        end_s=fault.end_s if end_s is None else end_s,
        hops=hops,
    )
    draft.process(f"fault {name}", process)


def vpn_connections(scenario: Any) -> Iterator[str]:
    """Names of the connections that have tunnels."""
    for name, connection in scenario.connections.items():
        if connection.type in {"ipsec", "vnet-to-vnet"}:
            yield name


def vpn_gateways(scenario: Any) -> Iterator[tuple[str, Any]]:
    """Names and fields of the VPN gateways."""
    for name, gateway in scenario.gateways.items():
        if gateway.type == "vpn":
            yield name, gateway
