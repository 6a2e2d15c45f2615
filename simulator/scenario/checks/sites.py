"""What sites and their devices need to make sense: access to the internet, timers of BGP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simulator.base.errors import Problem
from simulator.base.units import format_duration
from simulator.catalog import Catalog
from simulator.scenario.checks.dangling import Dangling
from simulator.scenario.checks.written import as_map, entries
from simulator.scenario.source import Source, TreePath

if TYPE_CHECKING:
    from simulator.scenario.parts import Parts


def references(data: Mapping[str, Any], found: Dangling) -> None:
    """Internet accesses and connections that devices name and that do not exist."""
    connections = as_map(data.get("connections"))
    for name, site in entries(data.get("sites")):
        providers = as_map(site.get("internet"))
        for device, fields in entries(site.get("devices")):
            path: TreePath = ("sites", name, "devices", device)
            found.look((*path, "internet"), fields, providers, f"internet access of {name}")
            for preferred in as_map(as_map(fields.get("bgp")).get("local_preference")):
                place = (*path, "bgp", "local_preference", preferred)
                found.name(place, preferred, connections, "connection")


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Devices without the access or with the timers that cannot be."""
    for name, site in parts.sites.items():
        for device_name, device in site.devices.items():
            path: TreePath = ("sites", name, "devices", device_name)
            if device.public_ip is not None and not site.internet:
                rule = "the site has no access to the internet for this address"
                fix = "add internet: {isp: {down: ..., up: ...}} to the site"
                yield tree.problem((*path, "public_ip"), rule, fix)
            elif device.public_ip is not None and device.internet is None:
                providers = ", ".join(site.internet)
                rule = "the site has several providers, so the device must say which it uses"
                yield tree.problem((*path, "internet"), rule, f"write internet: one of {providers}")
            bgp = device.bgp
            if bgp is not None and bgp.keepalive >= bgp.hold:
                rule = f"must be shorter than the hold time of {format_duration(bgp.hold)}"
                fix = f"a third of it is usual: {format_duration(bgp.hold / 3)}"
                yield tree.problem((*path, "bgp", "keepalive"), rule, fix)
