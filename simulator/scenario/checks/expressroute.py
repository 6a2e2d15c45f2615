"""What ExpressRoute needs to make sense: gateways, ports, circuits and what they are joined to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from simulator.base.errors import CatalogError, Problem
from simulator.base.units import format_duration, format_rate
from simulator.catalog import Catalog
from simulator.components.circuit import CircuitSchema
from simulator.components.expressroute_connection import ExpressRouteConnection
from simulator.components.expressroute_gateway import ExpressRouteGatewaySchema
from simulator.faults.expressroute_instance_failure import ExpressRouteInstanceFailure
from simulator.faults.peering_location_outage import PeeringLocationOutage
from simulator.scenario.checks.dangling import Dangling
from simulator.scenario.checks.written import as_list, as_map, as_text, entries
from simulator.scenario.source import ABSENT, Source, TreePath, item_at

if TYPE_CHECKING:
    from simulator.components.gateway import VpnGateway
    from simulator.scenario.model import Scenario
    from simulator.scenario.parts import Parts

#: Shortest GatewaySubnet, as a prefix length, that two gateways share (rule R012).
COEXISTENCE_PREFIX_LENGTH_MAX = 27


def references(data: Mapping[str, Any], found: Dangling) -> None:
    """Sites, devices and circuits that circuits and faults name and that do not exist."""
    circuits, sites = as_map(data.get("circuits")), as_map(data.get("sites"))
    for name, circuit in entries(circuits):
        path: TreePath = ("circuits", name)
        for site in as_map(circuit.get("access")):
            found.name((*path, "access", site), site, sites, "site")
        for link, end in entries(circuit.get("links")):
            found.look((*path, "links", link, "site"), end, sites, "site")
            place = as_text(end.get("site"))
            if place in sites:
                devices = as_map(as_map(sites[place]).get("devices"))
                found.look((*path, "links", link, "device"), end, devices, f"device of {place}")
    for index, fault in enumerate(as_list(data.get("faults"))):
        found.look(("faults", index, "circuit"), as_map(fault), circuits, "circuit")


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Everything about ExpressRoute that is well written and still cannot be."""
    yield from _ports(parts, tree, catalog)
    for name, circuit in parts.circuits.items():
        yield from _circuit(name, circuit, parts, tree, catalog)
    for name, gateway in parts.expressroute_gateways.items():
        yield from _gateway(name, gateway, parts, tree, catalog)
    yield from _connections(parts, tree, catalog)
    yield from _wrong_gateways(parts, tree)
    yield from _private_endpoints(parts, tree)
    yield from _faults(parts, tree, catalog)


# ---------------------------------------------------------------------------------------------
# Ports and circuits
# ---------------------------------------------------------------------------------------------


def _ports(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    for name, port in parts.peering_ports.items():
        path: TreePath = ("peering_ports", name)
        if name in parts.circuits:
            rule = "a circuit has the same name"
            yield tree.problem(path, rule, "rename one of them", key=True)
        try:
            catalog.expressroute_port(port.bandwidth)
        except CatalogError as error:
            yield tree.problem((*path, "bandwidth"), *error.rule_and_fix())
        if not catalog.peering_location(port.peering_location).direct_available:
            rule = f"{port.peering_location} does not offer ExpressRoute Direct (rule R186)"
            fix = "choose another peering location, or a circuit of a provider"
            yield tree.problem((*path, "peering_location"), rule, fix)


def _circuit(
    name: str, circuit: CircuitSchema, parts: Parts, tree: Source, catalog: Catalog
) -> Iterator[Problem]:
    path: TreePath = ("circuits", name)
    try:
        sold = catalog.expressroute_circuit(
            circuit.bandwidth, is_direct=circuit.provider_model == "direct"
        )
    except CatalogError as error:
        yield tree.problem((*path, "bandwidth"), *error.rule_and_fix())
    else:
        if circuit.tier not in sold.tiers:
            rule = f"a circuit of {format_rate(circuit.bandwidth)} is not sold in this tier"
            yield tree.problem((*path, "tier"), rule, f"choose {' or '.join(sold.tiers)}")
    port = parts.peering_ports.get(circuit.port or "")
    if port is not None and circuit.bandwidth > port.bandwidth:
        rule = f"is more than a port of {circuit.port} has, {format_rate(port.bandwidth)}"
        yield tree.problem((*path, "bandwidth"), rule, "buy a smaller circuit or a larger port")
    bgp = circuit.bgp
    if bgp.keepalive >= bgp.hold:
        rule = f"must be shorter than the hold time of {format_duration(bgp.hold)}"
        fix = f"a third of it is usual: {format_duration(bgp.hold / 3)}"
        yield tree.problem((*path, "bgp", "keepalive"), rule, fix)
    yield from _unused_timers(name, circuit, parts, tree)
    speaker = "provider" if circuit.provider_model == "ip-vpn" else "customer"
    if bgp.by not in {None, speaker}:
        rule = f"with {circuit.provider_model} the {speaker} speaks BGP with the platform"
        yield tree.problem((*path, "bgp", "by"), rule, f"write {speaker}, or leave it out")


def _unused_timers(
    name: str, circuit: CircuitSchema, parts: Parts, tree: Source
) -> Iterator[Problem]:
    """Timers of a device that ends nothing but links: those of the circuit count there."""
    ends = () if circuit.links is None else (circuit.links.primary, circuit.links.secondary)
    for end in ends:
        site = parts.sites.get(end.site)
        device = None if site is None or end.device is None else site.devices.get(end.device)
        if device is None or device.bgp is None or device.public_ip is not None:
            continue
        for timer in ("keepalive", "hold"):
            path: TreePath = ("sites", end.site, "devices", str(end.device), "bgp", timer)
            own = getattr(device.bgp, timer)
            if item_at(tree.data, path) is not ABSENT and own != getattr(circuit.bgp, timer):
                rule = "has no effect: the session of a link has the timers of its circuit"
                yield tree.problem(path, rule, f"write circuits.{name}.bgp.{timer} instead")


def _location(circuit: CircuitSchema, parts: Parts) -> str | None:
    """The peering location of a circuit, None if its port is wrong."""
    if circuit.port is None:
        return circuit.peering_location
    port = parts.peering_ports.get(circuit.port)
    return None if port is None else port.peering_location


# ---------------------------------------------------------------------------------------------
# Gateways
# ---------------------------------------------------------------------------------------------


def _gateway(
    name: str, gateway: ExpressRouteGatewaySchema, parts: Parts, tree: Source, catalog: Catalog
) -> Iterator[Problem]:
    path: TreePath = ("gateways", name)
    first = next(n for n, g in parts.expressroute_gateways.items() if g.vnet == gateway.vnet)
    if first != name:
        rule = f"the VNet has an ExpressRoute gateway already, {first} (rule R002)"
        yield tree.problem((*path, "vnet"), rule, "a VNet has one ExpressRoute gateway at most")
    vnet = parts.vnets.get(gateway.vnet)
    if vnet is not None and vnet.gateway_subnet is None:
        rule = f"VNet {gateway.vnet} has no GatewaySubnet for the gateway (rule R008)"
        fix = "add gateway_subnet, of /27 or larger, to it"
        yield tree.problem((*path, "vnet"), rule, fix)
    try:
        sku = catalog.expressroute_gateway_sku(gateway.sku, gateway.scale_units)
    except CatalogError as error:
        yield tree.problem((*path, "scale_units"), *error.rule_and_fix())
        return
    vpn = next(((n, g) for n, g in parts.gateways.items() if g.vnet == gateway.vnet), None)
    if vpn is not None:
        if not sku.vpn_coexistence:
            rule = f"{gateway.sku} shares no VNet with a VPN gateway, {vpn[0]} (rule R119)"
            yield tree.problem((*path, "sku"), rule, "choose a larger SKU")
        yield from _coexistence(*vpn, parts, tree, catalog)


def _coexistence(
    name: str, vpn: VpnGateway, parts: Parts, tree: Source, catalog: Catalog
) -> Iterator[Problem]:
    """What a VPN gateway needs beside an ExpressRoute gateway."""
    subnet = parts.vnets[vpn.vnet].gateway_subnet if vpn.vnet in parts.vnets else None
    if subnet is not None and subnet.prefixlen > COEXISTENCE_PREFIX_LENGTH_MAX:
        rule = "two gateways need a GatewaySubnet of /27 or larger (rule R012)"
        if catalog.era == "2017-12":
            rule += "; a running gateway and its subnet are then rebuilt (rule R129)"
        fix = f"write a prefix of /{COEXISTENCE_PREFIX_LENGTH_MAX} or shorter"
        yield tree.problem(("vnets", vpn.vnet, "gateway_subnet"), rule, fix)
    beside = "beside an ExpressRoute gateway the VPN gateway"
    if vpn.vpn_type == "policy-based":
        rule = f"{beside} must be route-based (rule R118)"
        yield tree.problem(("gateways", name, "vpn_type"), rule, "write vpn_type: route-based")
    try:
        sku = catalog.vpn_gateway_sku(vpn.sku, vpn.generation)
    except CatalogError:
        return
    if not sku.expressroute_coexistence:
        rule = f"{beside} must not be {vpn.sku} (rule R118)"
        yield tree.problem(("gateways", name, "sku"), rule, "choose a larger SKU")


# ---------------------------------------------------------------------------------------------
# Connections and faults
# ---------------------------------------------------------------------------------------------


def _connections(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    joined: dict[tuple[str, str], str] = {}
    for name, connection in parts.connections.items():
        if not isinstance(connection, ExpressRouteConnection):
            continue
        path: TreePath = ("connections", name)
        other = joined.setdefault((connection.circuit, connection.gateway), name)
        if other != name:
            rule = f"{other} joins {connection.circuit} and {connection.gateway} too"
            yield tree.problem(path, rule, "remove one of the two", key=True)
        if connection.gateway in parts.gateways:
            rule = f"{connection.gateway} is a VPN gateway (rules R003, R004)"
            yield tree.problem((*path, "gateway"), rule, "name a gateway of type expressroute")
        gateway = parts.expressroute_gateways.get(connection.gateway)
        circuit = parts.circuits.get(connection.circuit)
        if gateway is not None:
            yield from _fastpath(path, connection, gateway, tree, catalog)
        if gateway is not None and circuit is not None and gateway.vnet in parts.vnets:
            region = parts.vnets[gateway.vnet].region
            location = _location(circuit, parts)
            if location is not None:
                yield from _reach(path, circuit, location, region, tree, catalog)


def _fastpath(
    path: TreePath,
    connection: ExpressRouteConnection,
    gateway: ExpressRouteGatewaySchema,
    tree: Source,
    catalog: Catalog,
) -> Iterator[Problem]:
    try:
        sku = catalog.expressroute_gateway_sku(gateway.sku, gateway.scale_units)
    except CatalogError:
        return
    if connection.fastpath and not sku.fastpath:
        rule = f"{gateway.sku} has no FastPath (rule R139)"
        fix = "choose UltraPerformance, ErGw3AZ or ErGwScale with 10 scale units or more"
        yield tree.problem((*path, "fastpath"), rule, fix)


def _reach(
    path: TreePath,
    circuit: CircuitSchema,
    location: str,
    region: str,
    tree: Source,
    catalog: Catalog,
) -> Iterator[Problem]:
    """Whether the tier of a circuit reaches a region.

    The geopolitical area of a region is that of the locations that it is local to; where there is
    none, every tier but `local` is accepted.
    """
    here = catalog.peering_location(location)
    name = catalog.region(region).name
    if circuit.tier == "local" and name not in here.local_regions:
        rule = f"the tier local of {location} does not reach {name} (rule R137)"
        reached = " or ".join(here.local_regions)
        fix = "write tier: standard or premium" + (f", or a VNet in {reached}" if reached else "")
        yield tree.problem((*path, "circuit"), rule, fix)
    areas = {
        row.text("geopolitical_region")
        for row in catalog.table("peering-locations").rows
        if name in row.texts("local_regions")
    }
    if circuit.tier == "standard" and areas and here.geopolitical_region not in areas:
        rule = f"{name} lies outside {here.geopolitical_region}, the area of {location} (rule R137)"
        yield tree.problem((*path, "circuit"), rule, "write tier: premium for the circuit")


def _wrong_gateways(parts: Parts, tree: Source) -> Iterator[Problem]:
    """Tunnels and clients that name an ExpressRoute gateway."""
    named: Iterator[tuple[TreePath, str]] = chain(
        (
            (("connections", name, "gateway"), connection.gateway)
            for name, connection in parts.connections.items()
            if connection.type == "ipsec"
        ),
        (
            (("connections", name, "gateways", index), gateway)
            for name, connection in parts.connections.items()
            if connection.type == "vnet-to-vnet"
            for index, gateway in enumerate(connection.gateways)
        ),
        ((("clients", name, "gateway"), group.gateway) for name, group in parts.clients.items()),
    )
    for path, gateway in named:
        if gateway in parts.expressroute_gateways:
            rule = f"{gateway} is an ExpressRoute gateway, which ends no tunnels (rule R003)"
            yield tree.problem(path, rule, "name a gateway of type vpn")


def _private_endpoints(parts: Parts, tree: Source) -> Iterator[Problem]:
    for name, endpoint in parts.private_endpoints.items():
        path: TreePath = ("private_endpoints", name)
        if name in parts.sites or name in parts.vnets:
            rule = "a site or VNet has the same name"
            fix = "rename one of them: traffic refers to both by name"
            yield tree.problem(path, rule, fix, key=True)
        vnet = parts.vnets.get(endpoint.vnet)
        if vnet is not None and not any(endpoint.address in p for p in vnet.address_space):
            listed = ", ".join(str(prefix) for prefix in vnet.address_space[:3])
            rule = f"must lie inside the VNet's address space, {listed}"
            yield tree.problem((*path, "address"), rule, "write an address of the VNet")


def _faults(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    for index, fault in parts.faults.items():
        if isinstance(fault, ExpressRouteInstanceFailure):
            yield from _instance(index, fault, parts, tree, catalog)
        elif getattr(fault, "gateway", None) in parts.expressroute_gateways:
            rule = "this fault is one of a VPN gateway"
            yield tree.problem(("faults", index, "gateway"), rule, "name a gateway of type vpn")
        connection = parts.connections.get(getattr(fault, "connection", None) or "")
        if isinstance(connection, ExpressRouteConnection):
            rule = "an ExpressRoute connection has no tunnels"
            yield tree.problem(("faults", index, "connection"), rule, "name one of type ipsec")
        if isinstance(fault, PeeringLocationOutage):
            yield from _dark_location(index, fault, parts, tree, catalog)


def _instance(
    index: int, fault: ExpressRouteInstanceFailure, parts: Parts, tree: Source, catalog: Catalog
) -> Iterator[Problem]:
    """A fault of an instance of an ExpressRoute gateway."""
    if fault.gateway in parts.gateways:
        rule = f"{fault.gateway} is a VPN gateway"
        fix = "name a gateway of type expressroute, or write kind: gateway-instance-failure"
        yield tree.problem(("faults", index, "gateway"), rule, fix)
    count = int(catalog.default("gateway.instances").value)
    if fault.instance >= count:
        rule = f"the gateway has {count} instances, numbered from 0"
        yield tree.problem(("faults", index, "instance"), rule, f"write 0 to {count - 1}")


def _dark_location(
    index: int, fault: PeeringLocationOutage, parts: Parts, tree: Source, catalog: Catalog
) -> Iterator[Problem]:
    """An outage of a place where nothing ends."""
    ends = [_location(circuit, parts) for circuit in parts.circuits.values()]
    metros = [_location(circuit, parts) for circuit in parts.circuits.values() if circuit.metro]
    ends += [catalog.peering_location(place).metro_pair for place in metros if place]
    known = sorted({place for place in ends if place})
    if fault.peering_location not in known:
        rule = "no circuit ends there"
        fix = f"write {' or '.join(known)}" if known else "add a circuit that ends there"
        yield tree.problem(("faults", index, "peering_location"), rule, fix)


# ---------------------------------------------------------------------------------------------
# Warnings
# ---------------------------------------------------------------------------------------------


def warnings(scenario: Scenario, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """What is accepted and should still be known."""
    for name, gateway in scenario.gateways.items():
        if isinstance(gateway, ExpressRouteGatewaySchema):
            sku = catalog.expressroute_gateway_sku(gateway.sku, gateway.scale_units)
            if sku.successor:
                rule = f"this SKU is retired ({sku.as_of})"
                fix = f"its successor is {sku.successor}"
                yield tree.problem(("gateways", name, "sku"), rule, fix)
    for name, circuit in scenario.circuits.items():
        links = circuit.links
        if links is not None and _device(links.primary) == _device(links.secondary):
            rule = "both links end at one device, which takes both down with it (rule R131)"
            yield tree.problem(("circuits", name, "links"), rule, "use two devices", key=True)
    for name, connection in scenario.connections.items():
        if isinstance(connection, ExpressRouteConnection) and not connection.fastpath:
            yield from _narrow_gateway(name, connection, scenario, tree, catalog)


def _device(end: Any) -> tuple[str, str]:
    return end.site, end.device


def _narrow_gateway(
    name: str,
    connection: ExpressRouteConnection,
    scenario: Scenario,
    tree: Source,
    catalog: Catalog,
) -> Iterator[Problem]:
    gateway = scenario.gateways[connection.gateway]
    sku = catalog.expressroute_gateway_sku(gateway.sku, gateway.scale_units)
    bandwidth_bps = scenario.circuits[connection.circuit].bandwidth
    if sku.bandwidth_bps < bandwidth_bps:
        rule = (
            f"gateway {connection.gateway} takes {format_rate(sku.bandwidth_bps)} from on-premises,"
            f" less than a link of {connection.circuit} with {format_rate(bandwidth_bps)} "
            "(rule R138)"
        )
        fix = "choose a larger SKU, or FastPath"
        yield tree.problem(("connections", name, "gateway"), rule, fix)
