"""Rules of point-to-site clients, and of the addresses of everything."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.base.blocks import block
from simulator.base.errors import Problem
from simulator.scenario.rules.design import POLICY_BASED, Design
from simulator.scenario.rules.registry import enforced_by, not_enforced, rule

enforced_by("simulator.scenario.checks.addresses._address_spaces", "R018")
enforced_by("simulator.scenario.checks.clients._pools", "R023")
enforced_by("simulator.scenario.checks.clients._protocols", "R092", "R094", "R095")
enforced_by("simulator.point_to_site.admission", "R091", "R096", "R102", "R176")
enforced_by("simulator.components.clients", "R097", "R098", "R103")
not_enforced("R089", "clients have no field for a device, and need no public address")
enforced_by("simulator.scenario.checks.clients.clients", "R100")
not_enforced("R178", "how many clients are too many for point-to-site is nowhere published")


@rule("R090")
def clients_beside_sites_need_route_based(design: Design) -> Iterator[Problem]:
    """Find policy-based gateways with both clients and sites."""
    for name, gateway, path in design.vpn_gateways():
        has_both = block(gateway, "p2s") and design.tunnel_connections[name]
        if gateway.vpn_type == POLICY_BASED and has_both:
            text = "clients and sites share route-based gateways alone"
            yield design.problem((*path, "vpn_type"), text, "write vpn_type: route-based")


@rule("R093")
def ikev2_clients_need_resource_manager(design: Design) -> Iterator[Problem]:
    """Find IKEv2 clients of a classic VNet."""
    for _, gateway, path in design.vpn_gateways():
        vnet = design.vnet(gateway.vnet)
        offered = block(gateway, "p2s")
        protocols = () if offered is None else offered.protocols
        if vnet is not None and vnet.deployment_model == "classic" and "ikev2" in protocols:
            index = protocols.index("ikev2")
            text = "a gateway of a classic VNet takes no clients by IKEv2"
            yield design.problem((*path, "p2s", "protocols", index), text, "write sstp")


@rule("R099", stops=True)
def clients_share_no_address_with_a_device(design: Design) -> Iterator[Problem]:
    """Find clients behind the public address of a device with tunnels to their gateway."""
    for name, group in design.parts.clients.items():
        if group.public_ip is None:
            continue
        owner = owner_of_address(group.gateway, group.public_ip, design)
        if owner:
            text = f"device {owner} has tunnels to {group.gateway} from this address"
            path = ("clients", name, "public_ip")
            yield design.problem(path, text, "give the clients another: they are refused")


def owner_of_address(gateway: str, address: object, design: Design) -> str:
    """The device with tunnels to a gateway that has an address, empty if none has."""
    for connection in design.ipsec.values():
        if connection.gateway == gateway:
            for device_name, device in design.devices_of(connection).items():
                if device.public_ip == address:
                    return f"{connection.site}.{device_name}"
    return ""


@rule("R101")
def clients_learn_few_prefixes(design: Design) -> Iterator[Problem]:
    """Find groups of clients with more prefixes to learn than they can."""
    for name, group in design.parts.clients.items():
        gateway = design.parts.gateways.get(group.gateway)
        vnet = None if gateway is None else design.vnet(gateway.vnet)
        most = design.catalog.p2s_protocol(group.protocol).max_prefixes_learned
        if most is None or vnet is None:
            continue
        sites = {
            design.ipsec[c].site
            for c in design.tunnel_connections[group.gateway]
            if c in design.ipsec and design.ipsec[c].routing == "bgp"
        }
        learned = [site.address_space for name in sites if (site := design.site(name))]
        prefixes_count = len(vnet.address_space) + sum(map(len, learned))
        if prefixes_count > most:
            text = f"clients learn {most} prefixes by {group.protocol} of {prefixes_count}"
            fix = "use fewer, larger prefixes: the last ones are not reached"
            yield design.problem(("clients", name, "protocol"), text, fix)
