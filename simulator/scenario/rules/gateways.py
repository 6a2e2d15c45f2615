"""Rules of gateways: which of them a VNet has, their subnet, addresses and maintenance."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.base.blocks import block
from simulator.base.errors import Problem
from simulator.base.maintenance import MaintenanceWindow
from simulator.base.units import format_duration
from simulator.scenario.rules.design import Design
from simulator.scenario.rules.registry import enforced_by, not_enforced, rule
from simulator.scenario.rules.skus import BASIC

enforced_by("simulator.scenario.checks.gateways.sense", "R001", "R008")
enforced_by("simulator.scenario.checks.expressroute._gateway", "R002")
enforced_by("simulator.scenario.checks.expressroute._connections", "R003", "R004")
enforced_by("simulator.scenario.checks.expressroute._coexistence", "R012")
not_enforced("R005", "a scenario describes gateways, never one of their machines")
not_enforced("R026", "how an address is allotted changes nothing that is simulated")


# ---------------------------------------------------------------------------------------------
# What holds of every gateway
# ---------------------------------------------------------------------------------------------


@rule("R006")
def creation_takes_long(design: Design) -> Iterator[Problem]:
    """Say how long a gateway takes to create."""
    longest = format_duration(design.catalog.timer("T070").value_s)
    for _, _, path in design.vpn_gateways():
        text = f"creating this gateway takes up to {longest}"
        yield design.problem(path, text, "see crossprem deploy-plan", key=True)


@rule("R007")
def connections_share_the_gateway(design: Design) -> Iterator[Problem]:
    """Say that the connections of a gateway share its throughput."""
    for name, gateway, path in design.vpn_gateways():
        users_count = len(design.tunnel_connections[name]) + (block(gateway, "p2s") is not None)
        if users_count > 1:
            text = f"its {users_count} connections, clients counted as one, share its throughput"
            yield design.problem(path, text, "see crossprem explain", key=True)


# ---------------------------------------------------------------------------------------------
# GatewaySubnet
# ---------------------------------------------------------------------------------------------


@rule("R009")
def only_gateways_in_the_gateway_subnet(design: Design) -> Iterator[Problem]:
    """Find private endpoints with an address of the GatewaySubnet."""
    for name, endpoint in design.parts.private_endpoints.items():
        vnet = design.vnet(endpoint.vnet)
        if vnet is not None and vnet.gateway_subnet and endpoint.address in vnet.gateway_subnet:
            text = f"lies in the GatewaySubnet {vnet.gateway_subnet}, which is for gateways alone"
            path = ("private_endpoints", name, "address")
            yield design.problem(path, text, "take an address of another subnet")


@rule("R010")
def gateway_subnet_is_large_enough(design: Design) -> Iterator[Problem]:
    """Find GatewaySubnets that are too small for any gateway."""
    longest = round(design.figure("R010"))
    for name, vnet in design.parts.vnets.items():
        if vnet.gateway_subnet is not None and vnet.gateway_subnet.prefixlen > longest:
            text = f"a GatewaySubnet has a prefix of /{longest} or shorter"
            advised = round(design.figure("R011"))
            fix = f"write for example {vnet.gateway_subnet.supernet(new_prefix=advised)}"
            yield design.problem(("vnets", name, "gateway_subnet"), text, fix)


@rule("R011")
def gateway_subnet_is_as_large_as_advised(design: Design) -> Iterator[Problem]:
    """Find GatewaySubnets that are smaller than advised."""
    advised, longest = round(design.figure("R011")), round(design.figure("R010"))
    for name, vnet in design.parts.vnets.items():
        subnet = vnet.gateway_subnet
        if subnet is not None and advised < subnet.prefixlen <= longest:
            text = f"a GatewaySubnet of /{advised} or larger leaves room for later"
            fix = f"write for example {subnet.supernet(new_prefix=advised)}"
            yield design.problem(("vnets", name, "gateway_subnet"), text, fix)


@rule("R013")
def gateway_subnet_holds_many_circuits(design: Design) -> Iterator[Problem]:
    """Find GatewaySubnets that are too small for very many circuits."""
    circuits_count = design.figure("R013", "circuits")
    longest = round(design.figure("R013", "longest"))
    for name, gateway, _ in design.expressroute_gateways():
        vnet = design.vnet(gateway.vnet)
        joined = [c for c in design.expressroute.values() if c.gateway == name]
        if vnet is None or vnet.gateway_subnet is None or len(joined) < circuits_count:
            continue
        if vnet.gateway_subnet.prefixlen > longest:
            text = f"{len(joined)} circuits at {name} need a GatewaySubnet of /{longest} or larger"
            path = ("vnets", gateway.vnet, "gateway_subnet")
            yield design.problem(path, text, f"write a prefix of /{longest} or shorter")


@rule("R014")
def no_security_group_is_advised(design: Design) -> Iterator[Problem]:
    """Find network security groups at a GatewaySubnet, which may stop the gateway."""
    yield from _security_groups(design, "with a network security group the gateway may stop")


@rule("R179")
def no_security_group_at_the_gateway_subnet(design: Design) -> Iterator[Problem]:
    """Find network security groups at a GatewaySubnet, with which no gateway is created."""
    yield from _security_groups(design, "with a network security group no gateway is created")


def _security_groups(design: Design, text: str) -> Iterator[Problem]:
    for name, vnet in design.parts.vnets.items():
        if vnet.gateway_subnet is not None and vnet.gateway_subnet_options.network_security_group:
            path = ("vnets", name, "gateway_subnet_options", "network_security_group")
            yield design.problem(path, text, "write false")


@rule("R015")
def no_default_route_at_the_gateway_subnet(design: Design) -> Iterator[Problem]:
    """Find user routes of everything at a GatewaySubnet."""
    for name, vnet in design.parts.vnets.items():
        for index, route in enumerate(vnet.gateway_subnet_options.routes):
            if route.prefix.prefixlen == 0:
                path = ("vnets", name, "gateway_subnet_options", "routes", index, "prefix")
                text = "the GatewaySubnet takes no user route of 0.0.0.0/0"
                yield design.problem(path, text, "write the prefixes that are meant")


@rule("R016")
def gateway_subnet_takes_over_routes(design: Design) -> Iterator[Problem]:
    """Find GatewaySubnets that do not take over routes learnt by BGP."""
    for name, vnet in design.parts.vnets.items():
        if not vnet.gateway_subnet_options.propagate_gateway_routes:
            path = ("vnets", name, "gateway_subnet_options", "propagate_gateway_routes")
            text = "without the routes that it learns the gateway does not work"
            yield design.problem(path, text, "write true")


@rule("R017")
def no_user_route_of_the_gateway_subnet(design: Design) -> Iterator[Problem]:
    """Find user routes of the GatewaySubnet's own range in coexistence."""
    together = {vnet for vnet, _, _ in design.coexisting()}
    for name, vnet in design.parts.vnets.items():
        for index, route in enumerate(vnet.gateway_subnet_options.routes):
            if name in together and route.prefix == vnet.gateway_subnet and _forwards(route):
                path = ("vnets", name, "gateway_subnet_options", "routes", index, "prefix")
                text = "a user route of the GatewaySubnet's own range breaks BGP between gateways"
                yield design.problem(path, text, "remove it")


def _forwards(route: object) -> bool:
    return getattr(route, "next_hop", "") not in {"none", "appliance"}


@rule("R180")
def no_route_into_nowhere_at_the_gateway_subnet(design: Design) -> Iterator[Problem]:
    """Find user routes that take the GatewaySubnet's own range away from it."""
    for name, vnet in design.parts.vnets.items():
        for index, route in enumerate(vnet.gateway_subnet_options.routes):
            if route.prefix == vnet.gateway_subnet and not _forwards(route):
                path = ("vnets", name, "gateway_subnet_options", "routes", index, "next_hop")
                text = "drops what is meant for the gateway itself: it cannot be created"
                yield design.problem(path, text, "remove the route, or write vnet")


# ---------------------------------------------------------------------------------------------
# Public addresses and zones
# ---------------------------------------------------------------------------------------------


@rule("R025")
def new_gateways_need_standard_addresses(design: Design) -> Iterator[Problem]:
    """Find basic public addresses at other SKUs than Basic."""
    for _, gateway, path in design.vpn_gateways():
        if "basic" in (gateway.public_ips or ()) and gateway.sku != BASIC and not gateway.zones:
            text = f"new gateways of {gateway.sku} have standard addresses"
            yield design.problem((*path, "public_ips"), text, "write standard")


@rule("R027")
def active_active_needs_an_address_each(design: Design) -> Iterator[Problem]:
    """Find active-active gateways with fewer addresses than instances."""
    for _, gateway, path in design.vpn_gateways():
        needed_count = design.instances_count(gateway)
        if gateway.public_ips is not None and len(gateway.public_ips) < needed_count:
            text = f"{gateway.mode} with {needed_count} instances needs as many public addresses"
            yield design.problem((*path, "public_ips"), text, "add one for each instance")


@rule("R028")
def zones_need_a_zone_redundant_sku(design: Design) -> Iterator[Problem]:
    """Find gateways in zones with a SKU or an address that knows none."""
    for _, gateway, path in design.vpn_gateways():
        sku = design.vpn_sku(gateway)
        if gateway.zones and sku is not None and not sku.zone_redundant:
            text = f"{gateway.sku} knows no availability zones"
            fix = f"choose {gateway.sku}AZ" if sku.successor else "choose a SKU that ends in AZ"
            yield design.problem((*path, "zones"), text, fix)
        elif gateway.zones and "basic" in (gateway.public_ips or ()):
            text = "a gateway in availability zones has standard addresses"
            yield design.problem((*path, "public_ips"), text, "write standard")


@rule("R029")
def zones_exist_in_the_region(design: Design) -> Iterator[Problem]:
    """Say that a zone-redundant SKU stays regional where there are no zones."""
    for _, gateway, path in design.vpn_gateways():
        sku, region = design.vpn_sku(gateway), design.region(gateway.vnet)
        if sku is None or not sku.zone_redundant or not region:
            continue
        if design.catalog.region(region).availability_zones is False:
            text = f"{region} has no availability zones, so the gateway is regional"
            yield design.problem((*path, "sku"), text, "choose a region with zones if they matter")


# ---------------------------------------------------------------------------------------------
# The rest
# ---------------------------------------------------------------------------------------------


@rule("R158")
def dns_resolves_names_of_the_platform(design: Design) -> Iterator[Problem]:
    """Find VNets with a gateway whose DNS servers do not ask those of the platform."""
    with_gateway = {gateway.vnet for gateway in design.parts.gateways.values()}
    with_gateway |= {gateway.vnet for gateway in design.parts.expressroute_gateways.values()}
    for name, vnet in design.parts.vnets.items():
        if name in with_gateway and vnet.dns == "custom":
            text = "the gateway fails if the VNet's DNS servers do not resolve platform names"
            yield design.problem(("vnets", name, "dns"), text, "write custom-forwarding")


@rule("R159")
def maintenance_windows_are_long_enough(design: Design) -> Iterator[Problem]:
    """Say where a window of maintenance is too short, or the SKU has none."""
    shortest_s = design.catalog.timer("T051").value_s
    for path, window, sku in _windows(design):
        if sku == BASIC:
            yield design.problem(path, "Basic has no maintenance window", "remove it", key=True)
        elif window.length < shortest_s:
            text = f"a maintenance window lasts at least {format_duration(shortest_s)}"
            yield design.problem((*path, "length"), text, f"write {format_duration(shortest_s)}")


def _windows(
    design: Design,
) -> Iterator[tuple[tuple[str | int, ...], MaintenanceWindow, str]]:
    found = {path: (g.maintenance_window, g.sku) for _, g, path in design.vpn_gateways()}
    found |= {path: (g.maintenance_window, g.sku) for _, g, path in design.expressroute_gateways()}
    for path, (window, sku) in found.items():
        if window is not None:
            yield (*path, "maintenance_window"), window, sku


@rule("R127")
def maintenance_windows_differ(design: Design) -> Iterator[Problem]:
    """Find VNets whose two gateways may be maintained at the same time."""
    for _, (vpn_name, vpn), (name, gateway) in design.coexisting():
        ours, theirs = gateway.maintenance_window, vpn.maintenance_window
        if ours is not None and theirs is not None and ours.overlaps(theirs):
            text = f"overlaps the window of {vpn_name}: both gateways may be maintained together"
            path = ("gateways", name, "maintenance_window", "start")
            yield design.problem(path, text, "let it begin after the other has ended")
