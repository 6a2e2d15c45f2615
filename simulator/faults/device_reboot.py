"""Device reboot: an on-premises device leaves in good order, and comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.draft.strikes import add_strike
from simulator.states import DRAINED


class DeviceReboot(fields.BriefFaultSchema):
    """A device closes its sessions, hands over to its neighbours, and boots again."""

    kind: Literal["device-reboot"] = Field(description="kind of fault")
    site: Name = Field(description="site of the device")
    device: Name = Field(description="device that reboots")


Schema = DeviceReboot
TARGET = ("site", "device")
IS_LASTING = True
"""Without an end it can take many minutes: a search lets it last as long as other faults."""


def plan_rows(name: str, fault: DeviceReboot, draft: Draft) -> None:
    """Add the fault: the device tells its peers and its LAN, and is away until it has booted."""
    device = draft.edges[fault.site][fault.device].name
    boot_s = draft.draw(draft.catalog.default("device.reboot"), "fault", name)
    add_strike(
        draft, name, fault, subject=device, state=device, value=DRAINED, end_s=fault.ends_s(boot_s)
    )


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every device of every site."""
    for name, site in scenario.sites.items():
        yield from ({"site": name, "device": device} for device in site.devices)
