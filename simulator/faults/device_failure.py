"""Device failure: an on-premises device dies with its SAs, and boots again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike
from simulator.states import FAILED


class DeviceFailure(fields.FaultSchema):
    """A device of a site stops; `duration` is the time until it has booted again."""

    kind: Literal["device-failure"] = Field(description="kind of fault")
    site: Name = Field(description="site of the device")
    device: Name = Field(description="device that dies")


Schema = DeviceFailure
TARGET = ("site", "device")


def plan_rows(name: str, failure: DeviceFailure, draft: Draft) -> None:
    """Add the fault: the device's SAs are lost, and the site's first-hop redundancy notices."""
    device = draft.edges[failure.site][failure.device].name
    add_strike(draft, name, failure, subject=device, state=device, value=FAILED)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every device of every site."""
    for name, site in scenario.sites.items():
        yield from ({"site": name, "device": device} for device in site.devices)
