"""Addresses and names that must not be those of another thing."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import TYPE_CHECKING

from simulator.base.errors import Problem
from simulator.scenario.source import Source, TreePath

if TYPE_CHECKING:
    from simulator.components.vnet import Vnet
    from simulator.scenario.parts import Parts

Seen = Callable[[str, IPv4Network, "Parts"], Collection[IPv4Network]]
"""The addresses in which the platform sees a prefix of a site."""


def sense(parts: Parts, tree: Source, seen_by_platform: Seen) -> Iterator[Problem]:
    """Prefixes that overlap, subnets outside of their VNet, addresses and names of two things."""
    yield from _address_spaces(parts, tree, seen_by_platform)
    yield from _public_names(parts, tree)


@dataclass(frozen=True)
class _Range:
    """A prefix with its place and what it is called in a message."""

    prefix: IPv4Network
    path: TreePath
    name: str


def _address_spaces(parts: Parts, tree: Source, seen_by_platform: Seen) -> Iterator[Problem]:
    """Prefixes that contain one another would make routes ambiguous, but for those behind NAT."""
    ranges = [
        _Range(prefix, ("vnets", name, "address_space", index), f"{prefix} of {name}")
        for name, vnet in parts.vnets.items()
        for index, prefix in enumerate(vnet.address_space)
    ]
    for name, site in parts.sites.items():
        for index, prefix in enumerate(site.address_space):
            path: TreePath = ("sites", name, "address_space", index)
            for outside in seen_by_platform(name, prefix, parts):
                seen = "" if outside == prefix else f", seen as {outside}"
                ranges.append(_Range(outside, path, f"{prefix} of {name}{seen}"))
    yield from _overlaps(ranges, tree, "address spaces must be disjoint", "R018")
    for name, vnet in parts.vnets.items():
        yield from _subnets(name, vnet, tree)


def _overlaps(ranges: list[_Range], tree: Source, fix: str, rule_id: str = "") -> Iterator[Problem]:
    """For each range that overlaps another, a problem at the one written later.

    In order of first address an overlap is with the range that reaches furthest so far.
    """
    widest: _Range | None = None
    for one in sorted(ranges, key=lambda r: (int(r.prefix.network_address), r.prefix.prefixlen)):
        if widest is not None and one.prefix.overlaps(widest.prefix):
            earlier, later = sorted((widest, one), key=lambda r: _order(tree, r.path))
            named = f" (rule {rule_id})" if rule_id else ""
            yield tree.problem(later.path, f"overlaps {earlier.name}{named}", fix)
        if widest is None or one.prefix.broadcast_address > widest.prefix.broadcast_address:
            widest = one


def _order(tree: Source, path: TreePath) -> tuple[bool, str, int, int]:
    """Sorts by place; an override, which has no line, comes after every file."""
    mark = tree.mark(path)
    return (not mark.line, mark.file, mark.line, mark.col)


def _subnets(name: str, vnet: Vnet, tree: Source) -> Iterator[Problem]:
    ranges = [
        _Range(subnet.prefix, ("vnets", name, "subnets", key, "prefix"), f"subnet {key}")
        for key, subnet in vnet.subnets.items()
    ]
    if vnet.gateway_subnet is not None:
        path: TreePath = ("vnets", name, "gateway_subnet")
        ranges.append(_Range(vnet.gateway_subnet, path, f"GatewaySubnet {vnet.gateway_subnet}"))
    spaces = sorted(collapse_addresses(vnet.address_space))
    for one in ranges:
        below = bisect(spaces, one.prefix.network_address, key=lambda s: s.network_address) - 1
        if below < 0 or not one.prefix.subnet_of(spaces[below]):
            listed = ", ".join(str(space) for space in vnet.address_space[:3])
            rule = f"must lie inside the VNet's address space, {listed}"
            fix = f"write for example {example_subnet(vnet.address_space[0])}"
            yield tree.problem(one.path, rule, fix)
    yield from _overlaps(ranges, tree, "subnets must be disjoint")


def example_subnet(space: IPv4Network) -> IPv4Network:
    """The last /27 of an address space, where a GatewaySubnet usually lies."""
    if space.prefixlen >= 27:
        return space
    return IPv4Network((int(space.broadcast_address) - 31, 27))


def _public_names(parts: Parts, tree: Source) -> Iterator[Problem]:
    """A name that stands for both a site and a VNet, an address of two devices."""
    for name in parts.sites:
        if name in parts.vnets:
            rule = "a site and a VNet have the same name"
            fix = "rename one of them: traffic refers to both by name"
            yield tree.problem(("sites", name), rule, fix, key=True)
    owners: dict[tuple[object, bool], str] = {}
    for name, site in parts.sites.items():
        for device_name, device in site.devices.items():
            path = ("sites", name, "devices", device_name, "public_ip")
            # Devices behind one NAT share its address.
            if device.public_ip is None:
                continue
            owner = owners.setdefault((device.public_ip, False), f"{name}.{device_name}")
            if owner != f"{name}.{device_name}" and not device.behind_nat:
                rule = f"is the public address of {owner} too"
                fix = "give each device its own"
                yield tree.problem(path, rule, fix)
