"""Rules of BGP: AS numbers, addresses of peers, timers, and how many prefixes a peer announces."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from simulator.base.blocks import block
from simulator.base.errors import Problem
from simulator.base.units import format_duration
from simulator.draft import INTERNET
from simulator.scenario.rules.design import POLICY_BASED, Design
from simulator.scenario.rules.registry import enforced_by, not_enforced, rule
from simulator.scenario.source import TreePath

if TYPE_CHECKING:
    from simulator.components.site import DeviceBgp
    from simulator.components.vnet import Vnet

enforced_by("simulator.planner.routing.Network", "R070")
enforced_by("simulator.planner.transit", "R072", "R073")
enforced_by("simulator.planner.decisions", "R078")
not_enforced("R077", "a connection of a VPN gateway has no field for BFD")
not_enforced("R161", "prefixes of a classic VNet that are routed on by hand cannot be listed")


def _speakers(design: Design) -> Iterator[tuple[TreePath, DeviceBgp]]:
    """Every BGP speaker of a customer, with its place."""
    for _, _, device, path in design.devices():
        if device.bgp is not None:
            yield (*path, "bgp"), device.bgp


def _sessions(design: Design) -> Iterator[tuple[str, str, TreePath, DeviceBgp]]:
    """Each session of a VPN gateway: connection, device, place of the speaker, the speaker."""
    for name, connection in design.ipsec.items():
        if connection.routing != "bgp":
            continue
        for device_name, device in design.devices_of(connection).items():
            if device.bgp is not None:
                path = ("sites", connection.site, "devices", device_name, "bgp")
                yield name, device_name, path, device.bgp


def _peers(design: Design) -> Iterator[tuple[str, str, TreePath, DeviceBgp, IPv4Address]]:
    """Each session whose speaker has an address, with the address."""
    for name, device_name, path, bgp in _sessions(design):
        if bgp.peer_ip is not None:
            yield name, device_name, path, bgp, bgp.peer_ip


@rule("R061")
def bgp_needs_a_sku(design: Design) -> Iterator[Problem]:
    """Find BGP over gateways that speak none."""
    routing = {name: c.routing for name, c in design.ipsec.items()}
    routing |= {name: c.routing for name, c in design.vnet_to_vnet.items()}
    for name, how in routing.items():
        if how != "bgp":
            continue
        for gateway_name in design.gateways_of(name):
            gateway = design.parts.gateways.get(gateway_name)
            sku = design.vpn_sku(gateway)
            if gateway is None or sku is None:
                continue
            if not sku.bgp or gateway.vpn_type == POLICY_BASED:
                text = f"{gateway_name} ({gateway.sku}, {gateway.vpn_type}) speaks no BGP"
                path = ("connections", name, "routing")
                yield design.problem(path, text, "write routing: static, or take a larger SKU")


@rule("R062")
def default_as_number(design: Design) -> Iterator[Problem]:
    """Say which AS number a gateway has that was given none."""
    for name, gateway, path in design.vpn_gateways():
        connections = design.tunnel_connections[name]
        speaks = any(session[0] in connections for session in _sessions(design))
        if speaks and not design.is_written((*path, "bgp", "asn")):
            text = f"its AS number is {gateway.bgp.asn}"
            yield design.problem(path, text, "write bgp: {asn: ...} for another", key=True)


@rule("R063")
def as_numbers_of_the_platform(design: Design) -> Iterator[Problem]:
    """Find AS numbers of customers that the platform uses itself."""
    for path, bgp in _speakers(design):
        if design.is_in_ranges(bgp.asn, "R063"):
            text = "this AS number is the platform's own"
            yield design.problem((*path, "asn"), text, "write for example 65010")


@rule("R064")
def reserved_as_numbers(design: Design) -> Iterator[Problem]:
    """Find AS numbers that are reserved."""
    numbers = [((*path, "asn"), bgp.asn) for path, bgp in _speakers(design)]
    numbers += [
        ((*path, "bgp", "asn"), gateway.bgp.asn) for _, gateway, path in design.vpn_gateways()
    ]
    for path, number in numbers:
        if design.is_in_ranges(number, "R064"):
            text = "this AS number is reserved and belongs to nobody"
            yield design.problem(path, text, "write for example 65010")


@rule("R065")
def as_numbers_differ(design: Design) -> Iterator[Problem]:
    """Find a site and its gateway, or the gateways of two VNets, with one AS number."""
    for name, _, path, bgp in _sessions(design):
        gateway = design.gateway_of(design.ipsec[name])
        if gateway is not None and gateway.bgp.asn == bgp.asn:
            text = f"gateway {design.ipsec[name].gateway} has this AS number too"
            yield design.problem((*path, "asn"), text, "write another for one of them")
    for name, connection in design.vnet_to_vnet.items():
        ends = [design.parts.gateways.get(gateway) for gateway in connection.gateways]
        numbers = [gateway.bgp.asn for gateway in ends if gateway is not None]
        is_twice = connection.gateways[0] != connection.gateways[1]
        if connection.routing == "bgp" and is_twice and len(numbers) > len(set(numbers)):
            text = f"both gateways have AS number {numbers[0]}"
            fix = "write another bgp: {asn: ...} for one of them"
            yield design.problem(("connections", name, "routing"), text, fix)


@rule("R066")
def short_as_numbers(design: Design) -> Iterator[Problem]:
    """Find AS numbers of more than 16 bits."""
    greatest = round(design.figure("R066"))
    for path, bgp in _speakers(design):
        if bgp.asn > greatest:
            text = f"AS numbers of this era are at most {greatest}"
            yield design.problem((*path, "asn"), text, "write for example 65010")


def _is_inside(address: IPv4Address, vnet: Vnet) -> bool:
    return any(address in prefix for prefix in vnet.address_space)


def _peer_addresses(design: Design, *, is_link_local_wrong: bool) -> Iterator[Problem]:
    for name, device_name, path, _, peer_ip in _peers(design):
        connection = design.ipsec[name]
        gateway = design.gateway_of(connection)
        vnet = None if gateway is None else design.vnet(gateway.vnet)
        text = ""
        if peer_ip == design.devices_of(connection)[device_name].public_ip:
            text = "is the public address of the device"
        elif vnet is not None and not block(connection, "nat") and _is_inside(peer_ip, vnet):
            text = f"lies in the address space of VNet {gateway.vnet if gateway else ''}"
        elif is_link_local_wrong and peer_ip.is_link_local:
            text = "is link-local (APIPA)"
        if text:
            fix = "write an address of the site that nothing else uses"
            yield design.problem((*path, "peer_ip"), f"a BGP peer's address {text}", fix)


@rule("R067")
def addresses_of_peers(design: Design) -> Iterator[Problem]:
    """Find addresses of BGP peers that are public, or of the VNet."""
    yield from _peer_addresses(design, is_link_local_wrong=False)


@rule("R164")
def addresses_of_peers_in_2017(design: Design) -> Iterator[Problem]:
    """Find addresses of BGP peers that are public, of the VNet, or link-local."""
    yield from _peer_addresses(design, is_link_local_wrong=True)


@rule("R068")
def address_of_the_peer_in_the_address_space(design: Design) -> Iterator[Problem]:
    """Find sites that list the address of their BGP peer, or in 2017 do not contain it."""
    is_wanted = design.catalog.era == "2017-12"
    for name, _, path, _, peer_ip in _peers(design):
        site_name = design.ipsec[name].site
        site = design.parts.sites[site_name]
        is_alone = any(
            prefix.num_addresses == 1 and peer_ip in prefix for prefix in site.address_space
        )
        if is_wanted and not any(peer_ip in prefix for prefix in site.address_space):
            text = "the static prefixes of the site must contain the address of its BGP peer"
            yield design.problem((*path, "peer_ip"), text, f"add {peer_ip}/32 to {site_name}")
        elif is_alone and not is_wanted:
            text = f"the address of the BGP peer {peer_ip} need not be listed any more"
            yield design.problem(("sites", site_name, "address_space"), text, "remove it")


def _announced(design: Design) -> dict[str, tuple[int, TreePath]]:
    """The most prefixes that a device announces, and where, by connection."""
    found: dict[str, tuple[int, TreePath]] = {}
    for name, _, path, bgp in _sessions(design):
        site = design.parts.sites[design.ipsec[name].site]
        announced_count = len(set(bgp.advertise or site.address_space))
        if announced_count > found.get(name, (0, ()))[0]:
            found[name] = (announced_count, path)
    return found


@rule("R069", stops=True)
def too_many_prefixes(design: Design) -> Iterator[Problem]:
    """Find connections over which a peer announces so much that its session drops."""
    most = design.limit("L044")
    for name, (announced_count, _) in _announced(design).items():
        if announced_count > most:
            text = f"a peer announces {announced_count} prefixes; above {most:.0f} BGP drops"
            path = ("connections", name)
            yield design.problem(path, text, "announce larger prefixes", key=True)


@rule("R076")
def many_prefixes_load_the_gateway(design: Design) -> Iterator[Problem]:
    """Find gateways that learn so many routes that their processor is busy with them."""
    reported, most = design.figure("R076"), design.limit("L044")
    for announced_count, path in _announced(design).values():
        if reported <= announced_count <= most:
            text = f"{announced_count} learned routes may keep the gateway's processor busy"
            yield design.problem(path, text, "announce larger prefixes", key=True)


@rule("R071")
def announced_default_route(design: Design) -> Iterator[Problem]:
    """Find default routes that are announced; where traffic goes to the internet the plan warns."""
    if any(INTERNET in (stream.from_, stream.to) for stream in design.parts.traffic.values()):
        return
    places = {(*path, "advertise"): bgp.advertise or () for path, bgp in _speakers(design)}
    for name, circuit in design.parts.circuits.items():
        path = ("circuits", name, "peerings", "private", "advertise")
        places[path] = circuit.peerings.private.advertise
    for at, prefixes in places.items():
        if any(prefix.prefixlen == 0 for prefix in prefixes):
            text = "a default route takes all traffic of the VNet to the internet on-premises"
            yield design.problem(at, text, "remove 0.0.0.0/0 if not meant")


@rule("R074")
def timers_match(design: Design) -> Iterator[Problem]:
    """Find peers whose timers differ from those of the gateway."""
    keepalive_s = design.catalog.default("bgp.keepalive").value
    hold_s = design.catalog.default("bgp.hold").value
    for _, _, path, bgp in _sessions(design):
        is_hasty = bgp.hold < _hasty_s(design)
        if (bgp.keepalive, bgp.hold) != (keepalive_s, hold_s) and not is_hasty:
            both = f"{format_duration(keepalive_s)} and {format_duration(hold_s)}"
            text = f"the gateway's timers are {both}, whatever the peer offers"
            yield design.problem((*path, "hold"), text, "write the same")


def _hasty_s(design: Design) -> float:
    rows = design.catalog.table("rule-figures").where(rule="R075")
    return max((row.numbers("values")[0] for row in rows), default=0.0)


@rule("R075")
def hold_time_outlasts_keepalives(design: Design) -> Iterator[Problem]:
    """Find hold times that may end between two keepalives of the gateway."""
    for _, _, path, bgp in _sessions(design):
        if bgp.hold < _hasty_s(design):
            text = "may end between two keepalives of the gateway: the session is reset at random"
            yield design.problem((*path, "hold"), text, "write the gateway's hold time")


@rule("R079")
def link_local_peers(design: Design) -> Iterator[Problem]:
    """Find link-local addresses of BGP that no gateway takes."""
    for _, _, path, _, peer_ip in _peers(design):
        if peer_ip.is_link_local and not design.is_in_ranges(int(peer_ip), "R079"):
            text = "a link-local address for BGP lies in the range of the gateways"
            fix = "write an address from 169.254.21.0 to 169.254.22.255"
            yield design.problem((*path, "peer_ip"), text, fix)


@rule("R080")
def peers_have_addresses_of_their_own(design: Design) -> Iterator[Problem]:
    """Find two devices with tunnels to one gateway and one BGP address."""
    owners: dict[tuple[str, object], str] = {}
    for name, device_name, path, _, peer_ip in _peers(design):
        connection = design.ipsec[name]
        owner = f"{connection.site}.{device_name}"
        first = owners.setdefault((connection.gateway, peer_ip), owner)
        if first != owner:
            text = f"{first} has this BGP address too"
            yield design.problem((*path, "peer_ip"), text, "give each device its own")
