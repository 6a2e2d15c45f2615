"""Rules of ExpressRoute, and of ExpressRoute beside VPN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from simulator.base.errors import Problem
from simulator.base.units import format_duration, format_rate
from simulator.scenario.rules.design import Design
from simulator.scenario.rules.registry import enforced_by, not_enforced, rule
from simulator.scenario.rules.skus import vms_behind

if TYPE_CHECKING:
    from simulator.components.circuit import CircuitSchema
    from simulator.components.expressroute_connection import ExpressRouteConnection

enforced_by("simulator.scenario.checks.expressroute._coexistence", "R118", "R129")
enforced_by("simulator.scenario.checks.expressroute._gateway", "R119")
enforced_by("simulator.planner.transit", "R121", "R141")
enforced_by("simulator.planner.decisions", "R123")
enforced_by("simulator.scenario.checks.expressroute.warnings", "R131")
enforced_by("simulator.scenario.checks.expressroute._reach", "R137")
enforced_by("simulator.scenario.checks.expressroute._narrow_gateway", "R138")
enforced_by("simulator.scenario.checks.expressroute._fastpath", "R139")
enforced_by("simulator.scenario.checks.expressroute._ports", "R186")
enforced_by("simulator.planner.outcomes", "R133", "R140")
not_enforced("R117", "each connection names a gateway of its own type (R003), so both exist")
not_enforced("R120", "a VNet has no field for a Route Server")
not_enforced("R122", "circuits have private peering alone")
not_enforced("R130", "a circuit always has both of its links, and each has its BGP session")
not_enforced("R145", "a VNet has no field for a Route Server")
not_enforced("R163", "the way from VNet to VNet over the edge routers of a circuit is not modelled")


# ---------------------------------------------------------------------------------------------
# Coexistence
# ---------------------------------------------------------------------------------------------


def _backups(design: Design) -> Iterator[tuple[str, str, ExpressRouteConnection, CircuitSchema]]:
    """Pairs of a VPN and an ExpressRoute connection between one site and one VNet."""
    for _, (vpn, _), (er, _) in design.coexisting():
        for name, connection in design.ipsec.items():
            if connection.gateway != vpn:
                continue
            for other_name, other in design.expressroute.items():
                circuit = design.circuit_of(other)
                if other.gateway == er and circuit and connection.site in circuit.sites:
                    yield name, other_name, other, circuit


@rule("R124")
def devices_prefer_expressroute(design: Design) -> Iterator[Problem]:
    """Find devices that do not prefer ExpressRoute to the VPN beside it, as the platform does."""
    usual = design.catalog.default("bgp.local_preference").value
    for name, other_name, _, _ in _backups(design):
        connection = design.ipsec[name]
        site = design.site(connection.site)
        if site is None:
            continue
        preferences = [d.bgp.local_preference for d in site.devices.values() if d.bgp is not None]
        of_vpn = max((p.get(name, usual) for p in preferences), default=usual)
        of_circuit = max((p.get(other_name, usual) for p in preferences), default=usual)
        # At equal preference the AS path decides: that of the VPN is never longer.
        if of_circuit <= of_vpn:
            text = (
                f"devices of {connection.site} prefer {name} to {other_name} or know no "
                "difference, and the VNet prefers ExpressRoute: asymmetric ways"
            )
            path = ("sites", connection.site)
            fix = f"write a higher local_preference for {other_name}"
            yield design.problem(path, text, fix, key=True)


@rule("R125")
def static_backup_may_not_fail_back(design: Design) -> Iterator[Problem]:
    """Find VPN connections with static routes beside a circuit of the same site."""
    for name, other_name, _, _ in _backups(design):
        if design.ipsec[name].routing == "static":
            text = f"with static routes VMs may stay on it when {other_name} is back"
            yield design.problem(("connections", name, "routing"), text, "write routing: bgp")


@rule("R126")
def backup_is_as_wide_as_the_circuit(design: Design) -> Iterator[Problem]:
    """Find VPN gateways with less throughput than the circuit that they stand by for."""
    said: set[tuple[str, str]] = set()
    for name, _, other, circuit in _backups(design):
        gateway = design.ipsec[name].gateway
        sku = design.vpn_sku(design.parts.gateways.get(gateway))
        pair = (gateway, other.circuit)
        if sku is None or pair in said or sku.aggregate_throughput_bps >= circuit.bandwidth:
            continue
        said.add(pair)
        text = (
            f"carries {format_rate(sku.aggregate_throughput_bps)} if {other.circuit} with "
            f"{format_rate(circuit.bandwidth)} fails"
        )
        path = ("gateways", gateway, "sku")
        yield design.problem(path, text, "choose a larger SKU if all traffic must go on")


@rule("R128")
def dual_stack_beside_coexistence(design: Design) -> Iterator[Problem]:
    """Find VNets with IPv6 and both gateways."""
    for name, _, _ in design.coexisting():
        vnet = design.vnet(name)
        if vnet is not None and vnet.ipv6:
            text = "an older text does not support IPv6 in a VNet with both gateways"
            yield design.problem(("vnets", name, "ipv6"), text, "write false, or ask the platform")


# ---------------------------------------------------------------------------------------------
# Circuits
# ---------------------------------------------------------------------------------------------


@rule("R132")
def providers_honour_prepended_paths(design: Design) -> Iterator[Problem]:
    """Find circuits whose maintenance cannot be drained."""
    for name, circuit in design.parts.circuits.items():
        if not circuit.bgp.honours_prepend:
            path = ("circuits", name, "bgp", "honours_prepend")
            text = "traffic stays on a link whose maintenance begins, and is lost"
            yield design.problem(path, text, "ask the provider to pass AS paths on")


@rule("R144")
def links_without_bfd(design: Design) -> Iterator[Problem]:
    """Find circuits that notice a silent loss of a link by BGP alone."""
    without = {n: c for n, c in design.parts.circuits.items() if c.bfd is None}
    if without:
        lasts = format_duration(max(circuit.bgp.hold for circuit in without.values()))
        text = f"without BFD the silent loss of a link takes up to {lasts} to notice"
        if len(without) > 1:
            text += f", as at {len(without) - 1} more circuits"
        path = ("circuits", next(iter(without)))
        yield design.problem(path, text, "add bfd: {}", key=True)


@rule("R185")
def metros_have_two_sites(design: Design) -> Iterator[Problem]:
    """Find Metro circuits and ports where the location has no second site."""
    for section, entries in (
        ("circuits", design.parts.circuits),
        ("peering_ports", design.parts.peering_ports),
    ):
        for name, entry in entries.items():
            location = entry.peering_location
            if (
                entry.metro
                and location
                and not design.catalog.peering_location(location).metro_pair
            ):
                text = f"{location} is no metro of two sites"
                metros = [
                    row.text("name")
                    for row in design.catalog.table("peering-locations").rows
                    if row.text("metro_pair")
                ]
                fix = f"write false, or choose one such as {metros[0]}"
                yield design.problem((section, name, "metro"), text, fix)


@rule("R187")
def clouds_do_not_mix(design: Design) -> Iterator[Problem]:
    """Find circuits of a national cloud: every region of the catalogue is in the public one."""
    for name, connection in design.expressroute.items():
        circuit = design.circuit_of(connection)
        gateway = design.parts.expressroute_gateways.get(connection.gateway)
        location = "" if circuit is None else design.location(circuit)
        if gateway is None or not location or not design.region(gateway.vnet):
            continue
        cloud = design.catalog.peering_location(location).cloud
        if cloud != "public":
            text = f"{location} belongs to the cloud {cloud}, {design.region(gateway.vnet)} not"
            path = ("connections", name, "circuit")
            yield design.problem(path, text, "choose a peering location of the public cloud")


@rule("R136", stops=True)
def routes_of_a_circuit(design: Design) -> Iterator[Problem]:
    """Find circuits with more routes than a BGP session takes: the session is closed."""
    for name, connection in design.expressroute.items():
        circuit = design.circuit_of(connection)
        gateway = design.parts.expressroute_gateways.get(connection.gateway)
        if circuit is None:
            continue
        most = design.limit("L054" if circuit.tier == "premium" else "L053")
        heard_count = _announced_count(circuit, design)
        vnet = None if gateway is None else design.vnet(gateway.vnet)
        told_count, told_most = len(vnet.address_space) if vnet else 0, design.limit("L056")
        path = ("connections", name)
        if heard_count > most:
            text = f"{heard_count} prefixes are announced on-premises; above {most:.0f} BGP drops"
            yield design.problem(path, text, "announce larger prefixes", key=True)
        elif told_count > told_most:
            text = f"the VNet has {told_count} prefixes; above {told_most:.0f} BGP drops"
            yield design.problem(path, text, "give the VNet larger prefixes", key=True)


def _announced_count(circuit: CircuitSchema, design: Design) -> int:
    given = circuit.peerings.private.advertise
    if given:
        return len(set(given))
    links = circuit.links
    counts = []
    for site_name in circuit.sites:
        site = design.site(site_name)
        if site is None:
            continue
        ends = [] if links is None else [links.primary, links.secondary]
        speakers = [site.devices[e.device].bgp for e in ends if e.device in site.devices]
        announced = [b.advertise for b in speakers if b is not None and b.advertise]
        counts.append(max(map(len, [*announced, site.address_space])))
    return sum(counts)


# ---------------------------------------------------------------------------------------------
# ExpressRoute gateways
# ---------------------------------------------------------------------------------------------


@rule("R134", stops=True)
def circuits_of_a_gateway(design: Design) -> Iterator[Problem]:
    """Find circuits above the limits of a gateway: they are not connected."""
    counts: dict[str, int] = {}
    for name, connection in design.expressroute.items():
        gateway, circuit = connection.gateway, design.circuit_of(connection)
        sku = design.expressroute_sku(design.parts.expressroute_gateways.get(gateway))
        if sku is None or circuit is None:
            continue
        here = design.location(circuit)
        limits = {
            gateway: (sku.max_circuits, f"{gateway} ({sku.name})"),
            f"{gateway} {here}": (sku.max_circuits_same_location, f"{gateway} at {here}"),
        }
        for counted, (most, what) in limits.items():
            counts[counted] = counts.get(counted, 0) + 1
            if most is not None and counts[counted] > most:
                text = f"{what} takes {most} circuits, and this is {counts[counted]}"
                fix = "choose a larger SKU, or another peering location"
                yield design.problem(("connections", name), text, fix, key=True)
                break


@rule("R135")
def few_circuits_share_flows(design: Design) -> Iterator[Problem]:
    """Find gateways with more circuits of one weight than flows are spread over."""
    most = design.figure("R135")
    for name, _, path in design.expressroute_gateways():
        weights = [c.weight for c in design.expressroute.values() if c.gateway == name]
        active_count = weights.count(max(weights, default=0))
        if active_count > most:
            text = f"flows are spread over {most:.0f} circuits, and {active_count} have one weight"
            yield design.problem(path, text, "give some of them another weight", key=True)


@rule("R142")
def scaling_gateways_have_two_units(design: Design) -> Iterator[Problem]:
    """Find scalable gateways with a basic address."""
    for _, gateway, path in design.expressroute_gateways():
        if gateway.scale_units is not None and gateway.public_ip == "basic":
            text = f"{gateway.sku} has standard addresses"
            yield design.problem((*path, "public_ip"), text, "write standard")


@rule("R143", stops=True)
def vms_behind_an_expressroute_gateway(design: Design) -> Iterator[Problem]:
    """Find more virtual machines behind a gateway than its SKU supports: packets may be lost."""
    for _, gateway, path in design.expressroute_gateways():
        sku, vms_count = design.expressroute_sku(gateway), vms_behind(gateway.vnet, design)
        if sku is not None and sku.max_vms is not None and vms_count > sku.max_vms:
            text = (
                f"{vms_count} VMs are behind it, {sku.name} has {sku.max_vms}: it may drop packets"
            )
            yield design.problem((*path, "sku"), text, "choose a larger SKU")


def _with_fastpath(design: Design) -> Iterator[tuple[str, ExpressRouteConnection, Any]]:
    for name, connection in design.expressroute.items():
        circuit = design.circuit_of(connection)
        if connection.fastpath and circuit is not None:
            yield name, connection, circuit


@rule("R165")
def fastpath_to_spokes(design: Design) -> Iterator[Problem]:
    """Find peered VNets that FastPath does not reach: their traffic takes the gateway."""
    for name, connection, circuit in _with_fastpath(design):
        gateway = design.parts.expressroute_gateways.get(connection.gateway)
        spokes = [
            peering.use_remote_gateways
            for peering in design.peerings.values()
            if gateway is not None and gateway.vnet in peering.vnets and peering.use_remote_gateways
        ]
        if spokes and circuit.provider_model != "direct":
            text = f"{' and '.join(map(str, spokes))} is reached through the gateway all the same"
            path = ("connections", name, "fastpath")
            yield design.problem(path, text, "take ExpressRoute Direct")


@rule("R166")
def fastpath_reaches_so_many_addresses(design: Design) -> Iterator[Problem]:
    """Find more virtual machines than FastPath reaches: the rest takes the gateway."""
    for name, connection, circuit in _with_fastpath(design):
        gateway = design.parts.expressroute_gateways.get(connection.gateway)
        if gateway is None:
            continue
        limit_id = "L004"
        if circuit.provider_model == "direct":
            port = design.parts.peering_ports.get(circuit.port or "")
            smallest = "L005" if port is None or _is_small(port.bandwidth, design) else "L006"
            limit_id = smallest
        most, vms_count = design.limit(limit_id), vms_behind(gateway.vnet, design)
        if vms_count > most:
            text = f"FastPath reaches {most:.0f} addresses of {vms_count}"
            path = ("connections", name, "fastpath")
            yield design.problem(path, text, "the rest takes the gateway: let it be large enough")


def _is_small(port_bps: float, design: Design) -> bool:
    sold = [row.number("bandwidth_bps") for row in design.catalog.table("expressroute-ports").rows]
    return port_bps <= min(sold)


@rule("R167")
def private_endpoints_pass_one_instance(design: Design) -> Iterator[Problem]:
    """Find private endpoints behind ExpressRoute: one instance of the gateway carries them."""
    for name, endpoint in design.parts.private_endpoints.items():
        for connection in design.expressroute.values():
            gateway = design.parts.expressroute_gateways.get(connection.gateway)
            circuit = design.circuit_of(connection)
            if gateway is None or circuit is None or gateway.vnet != endpoint.vnet:
                continue
            if not (connection.fastpath and circuit.provider_model == "direct"):
                text = f"one instance of {connection.gateway} carries its traffic, both ways"
                fix = "take ExpressRoute Direct with FastPath if that is too little"
                yield design.problem(("private_endpoints", name), text, fix, key=True)
                break
