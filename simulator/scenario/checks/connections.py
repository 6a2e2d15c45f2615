"""What connections need to make sense: devices that can build them, ends that fit each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simulator.base.errors import CatalogError, Problem
from simulator.catalog import Catalog
from simulator.scenario.checks.dangling import Dangling
from simulator.scenario.checks.written import as_list, as_map, as_text, entries
from simulator.scenario.source import Source, TreePath

if TYPE_CHECKING:
    from simulator.components.connection import IpsecConnection
    from simulator.components.peering import Peering
    from simulator.components.site import Site
    from simulator.components.vnet_to_vnet import VnetToVnet
    from simulator.scenario.parts import Parts


def references(data: Mapping[str, Any], found: Dangling) -> None:
    """Devices that the site of a connection does not have."""
    sites = as_map(data.get("sites"))
    for name, connection in entries(data.get("connections")):
        devices = as_map(as_map(sites.get(as_text(connection.get("site")))).get("devices"))
        for index, device in enumerate(as_list(connection.get("devices"))):
            if devices:
                found.name(("connections", name, "devices", index), device, devices, "device")


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Everything about connections that is well written and still cannot be."""
    builders: dict[tuple[str, str, str], str] = {}
    for name, connection in parts.connections.items():
        path: TreePath = ("connections", name)
        if connection.type in {"ipsec", "vnet-to-vnet"}:
            yield from _suite(path, connection, tree, catalog)
        if connection.type == "vnet-to-vnet":
            yield from _vnet_to_vnet(path, connection, parts, tree)
        if connection.type == "peering":
            yield from _peering(path, connection, parts, tree)
        if connection.type == "ipsec" and connection.site in parts.sites:
            site = parts.sites[connection.site]
            yield from _devices(path, connection, site, tree)
            yield from _tunnels(name, connection, site, builders, tree)


def _devices(
    path: TreePath, connection: IpsecConnection, site: Site, tree: Source
) -> Iterator[Problem]:
    """Devices that build no tunnels, or are listed twice."""
    devices = _device_names(connection, site)
    if connection.devices is None and not devices:
        rule = f"no device of {connection.site} has a public_ip (rule R030)"
        fix = "add public_ip to the device that builds tunnels"
        yield tree.problem((*path, "site"), rule, fix)
    for device in dict.fromkeys(devices):
        if site.devices[device].public_ip is None:
            rule = f"device {device} has no public_ip, so it builds no tunnels (rule R030)"
            fix = "add public_ip to the device, or list another"
            yield tree.problem((*path, "devices"), rule, fix)
    for repeated in sorted({d for d in devices if devices.count(d) > 1}):
        rule = f"device {repeated} is listed twice"
        yield tree.problem((*path, "devices"), rule, "list each device once")


def _tunnels(
    name: str,
    connection: IpsecConnection,
    site: Site,
    builders: dict[tuple[str, str, str], str],
    tree: Source,
) -> Iterator[Problem]:
    """Tunnels that another connection has (`builders`), and BGP without a speaker."""
    path: TreePath = ("connections", name)
    for device in dict.fromkeys(_device_names(connection, site)):
        other = builders.setdefault((connection.gateway, connection.site, device), name)
        if other != name:
            rule = f"device {device} has tunnels to {connection.gateway} already, by {other}"
            fix = "remove one of the two, or divide the devices"
            yield tree.problem(path, rule, fix, key=True)
        speaker = site.devices[device].bgp
        if connection.routing == "bgp" and speaker is None:
            rule = f"device {device} of {connection.site} has no bgp"
            fix = "add bgp: {asn: ..., peer_ip: ...} to the device, or write routing: static"
            yield tree.problem((*path, "routing"), rule, fix)
        elif connection.routing == "bgp" and speaker is not None and speaker.peer_ip is None:
            rule = f"BGP over {name} needs the address of the speaker in the tunnel"
            place = ("sites", connection.site, "devices", device, "bgp")
            yield tree.problem(place, rule, "add peer_ip: for example 192.168.255.1", key=True)


def _vnet_to_vnet(
    path: TreePath, connection: VnetToVnet, parts: Parts, tree: Source
) -> Iterator[Problem]:
    gateways = [parts.gateways.get(name) for name in connection.gateways]
    if connection.gateways[0] == connection.gateways[1]:
        rule = f"both ends are {connection.gateways[0]}"
        yield tree.problem((*path, "gateways"), rule, "name the gateways of two VNets")
        return
    for index, gateway in enumerate(gateways):
        if gateway is not None and gateway.vpn_type == "policy-based":
            rule = "a VNet-to-VNet connection needs route-based gateways (rule R105)"
            fix = f"write vpn_type: route-based for {connection.gateways[index]}"
            yield tree.problem((*path, "gateways", index), rule, fix)


def _peering(path: TreePath, peering: Peering, parts: Parts, tree: Source) -> Iterator[Problem]:
    spoke = peering.use_remote_gateways
    gateways: dict[str, Any] = {**parts.gateways, **parts.expressroute_gateways}
    own = next((name for name, g in gateways.items() if g.vnet == spoke), None)
    if own is not None:
        rule = f"{spoke} has a gateway of its own, {own}, so it uses none of a peer (rule R112)"
        yield tree.problem((*path, "use_remote_gateways"), rule, "remove one of the two")


def _device_names(connection: IpsecConnection, site: Site) -> Sequence[str]:
    if connection.devices is None:
        return [name for name, device in site.devices.items() if device.public_ip is not None]
    return [device for device in connection.devices if device in site.devices]


def _suite(
    path: TreePath, connection: IpsecConnection | VnetToVnet, tree: Source, catalog: Catalog
) -> Iterator[Problem]:
    ipsec = connection.ipsec
    try:
        catalog.esp_suite(ipsec.encryption, ipsec.integrity)
    except CatalogError as error:
        yield tree.problem((*path, "ipsec", "integrity"), *error.rule_and_fix())
