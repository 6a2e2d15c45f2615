"""Rules of site-to-site tunnels: devices, limits of a gateway, cipher suites and packet sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.base.errors import CatalogError, Problem
from simulator.base.fields import use_lookup
from simulator.base.units import format_duration, format_rate, format_size
from simulator.scenario.rules.design import POLICY_BASED, Design
from simulator.scenario.rules.registry import enforced_by, not_enforced, rule
from simulator.scenario.rules.skus import LEGACY
from simulator.scenario.source import TreePath

FASTEST: Final = "GCMAES256"

enforced_by("simulator.scenario.checks.connections._devices", "R030")
enforced_by("simulator.planner.ceilings", "R036")
enforced_by("simulator.ipsec.policy.IpsecPolicy", "R055")
enforced_by("simulator.components.vnet_to_vnet", "R107")
enforced_by("simulator.planner.outcomes", "R181")
not_enforced(
    "R024",
    "the address space of a site is that list: a prefix outside it belongs to no place of the "
    "scenario, so no traffic can go there",
)
not_enforced("R041", "a scenario is one state of a design, not a change of its IKE version")
not_enforced("R043", "a connection has one policy for both ends")
not_enforced("R057", "a scenario is one state of a design, not a change of its policy")


# ---------------------------------------------------------------------------------------------
# Devices and sites
# ---------------------------------------------------------------------------------------------


@rule("R031")
def devices_stand_before_nat(design: Design) -> Iterator[Problem]:
    """Find devices behind NAT."""
    for _, _, device, path in design.devices():
        if device.behind_nat and device.public_ip is not None:
            text = "a device of this era has a public address of its own"
            yield design.problem((*path, "behind_nat"), text, "write false")


@rule("R032")
def devices_behind_nat_initiate(design: Design) -> Iterator[Problem]:
    """Find devices behind NAT that wait for the gateway to begin."""
    more = round(design.catalog.esp_suite(FASTEST, FASTEST).nat_t_bytes)
    for name, connection in design.ipsec.items():
        behind = [n for n, device in design.devices_of(connection).items() if device.behind_nat]
        if behind and connection.initiator != "device":
            text = (
                f"{behind[0]} is behind NAT: it alone can begin, and {more} bytes are added to "
                "each packet"
            )
            yield design.problem(("connections", name, "initiator"), text, "write device")


def _over(design: Design, rule_id: str) -> Iterator[Problem]:
    """Connections above the limit of a gateway, in the order of the file."""
    for name, gateway, _ in design.vpn_gateways():
        sku = design.vpn_sku(gateway)
        if sku is None:
            continue
        for number, connection in enumerate(design.tunnel_connections[name], start=1):
            if number > sku.max_tunnels:
                text = f"{name} establishes {sku.max_tunnels} connections, and this is {number}"
                fix = "choose a larger SKU, or divide the sites among gateways"
                yield design.problem(("connections", connection), text, fix, key=True)


@rule("R034", stops=True)
def connections_of_a_gateway(design: Design) -> Iterator[Problem]:
    """Find connections above the limit of the SKU: they are not established."""
    yield from _over(design, "R034")


@rule("R183", stops=True)
def connections_of_a_gateway_in_2017(design: Design) -> Iterator[Problem]:
    """Find connections above the limit of the SKU: they are not established."""
    yield from _over(design, "R183")


@rule("R182")
def connections_count_once(design: Design) -> Iterator[Problem]:
    """Say how the connections of a gateway count against its limit."""
    for name, gateway, path in design.vpn_gateways():
        sku, connections = design.vpn_sku(gateway), design.tunnel_connections[name]
        if sku is not None and connections and design.instances_count(gateway) > 1:
            text = (
                f"{len(connections)} of {sku.max_tunnels} connections are used; the tunnels to "
                "several instances count once"
            )
            yield design.problem(path, text, key=True)


@rule("R035")
def very_many_tunnels(design: Design) -> Iterator[Problem]:
    """Find gateways with more tunnels than a gateway is meant for."""
    most = design.figure("R035")
    for name, gateway, path in design.vpn_gateways():
        of_sites = [design.ipsec[c] for c in design.tunnel_connections[name] if c in design.ipsec]
        if sum(design.tunnels_count(c, gateway) for c in of_sites) > most:
            text = f"more than {most:.0f} tunnels of sites are a case for Virtual WAN"
            yield design.problem(path, text, "divide the sites among gateways", key=True)


@rule("R037")
def second_connection_needs_bgp_too(design: Design) -> Iterator[Problem]:
    """Find two connections to one site of which one alone has BGP."""
    for names in design.sites_of.values():
        routing = {name: design.ipsec[name].routing for name in names}
        if len(set(routing.values())) > 1:
            static = next(name for name, how in routing.items() if how == "static")
            text = f"the site has several connections, {', '.join(names)}: each needs BGP"
            path = ("connections", static, "routing")
            yield design.problem(path, text, "write routing: bgp")


@rule("R038")
def two_devices_need_bgp(design: Design) -> Iterator[Problem]:
    """Find two devices at one end of a connection without BGP."""
    for name, connection in design.ipsec.items():
        devices = design.devices_of(connection)
        if len(devices) > 1 and connection.routing == "static":
            text = f"{' and '.join(devices)} share the flows by BGP alone"
            yield design.problem(("connections", name, "routing"), text, "write routing: bgp")


@rule("R039")
def static_connections_stand_by(design: Design) -> Iterator[Problem]:
    """Find several connections to one site without BGP."""
    for names in design.sites_of.values():
        if len(names) > 1 and all(design.ipsec[name].routing == "static" for name in names):
            text = f"of {' and '.join(names)} one carries everything, for want of BGP"
            yield design.problem(("connections", names[1], "routing"), text, "write routing: bgp")


@rule("R040", stops=True)
def keys_are_equal(design: Design) -> Iterator[Problem]:
    """Find connections whose ends have different keys: they are not established."""
    matches = {name: c.shared_key_matches for name, c in design.ipsec.items()}
    matches |= {name: c.shared_key_matches for name, c in design.vnet_to_vnet.items()}
    for name, is_equal in matches.items():
        if not is_equal:
            path = ("connections", name, "shared_key_matches")
            text = "the ends have different pre-shared keys, so no tunnel comes up"
            yield design.problem(path, text, "give both the same key")


@rule("R042")
def packets_fit_the_tunnel(design: Design) -> Iterator[Problem]:
    """Find tunnels whose settings let packets through that are too large."""
    tunnel_bytes = design.catalog.default("connection.mtu.tunnel").value
    clamp_bytes = design.catalog.default("connection.mtu.mss_clamp").value
    for name, connection in design.ipsec.items():
        mtu, path = connection.mtu, ("connections", name, "mtu")
        is_clamped = mtu.mss_clamp is not None and mtu.mss_clamp <= clamp_bytes
        if mtu.tunnel > tunnel_bytes and not is_clamped:
            text = "larger packets than the platform passes are cut or lost"
            fix = f"write tunnel: {format_size(tunnel_bytes)}, or clamp the MSS"
            yield design.problem((*path, "tunnel"), text, fix)
        elif mtu.mss_clamp is not None and mtu.mss_clamp > clamp_bytes:
            text = "segments of this size do not fit the platform's tunnels"
            fix = f"write mss_clamp: {format_size(clamp_bytes)}"
            yield design.problem((*path, "mss_clamp"), text, fix)


@rule("R044")
def dpd_is_not_hasty(design: Design) -> Iterator[Problem]:
    """Find DPD timeouts that take a short disturbance for a dead peer."""
    least_s = design.figure("R044")
    timeouts: dict[TreePath, float] = {}
    for name, connection in design.ipsec.items():
        timeouts[("connections", name, "dpd", "gateway")] = connection.dpd.gateway
    for name, between in design.vnet_to_vnet.items():
        timeouts[("connections", name, "dpd")] = between.dpd
    for path, timeout_s in timeouts.items():
        if timeout_s < least_s:
            text = f"below {format_duration(least_s)} a short disturbance drops the tunnel"
            fix = f"write {format_duration(least_s)} or more"
            yield design.problem(path, text, fix)


@rule("R045")
def a_tunnel_fails_alone(design: Design) -> Iterator[Problem]:
    """Say that a fault of a tunnel moves no gateway."""
    for index, fault in design.parts.faults.items():
        if str(getattr(fault, "kind", "")).startswith("tunnel-"):
            text = "the loss of a tunnel is no reason for another instance to take over"
            path = ("faults", index, "kind")
            yield design.problem(path, text, "use gateway-instance-failure for that")


# ---------------------------------------------------------------------------------------------
# Suites
# ---------------------------------------------------------------------------------------------


def _policies(design: Design) -> Iterator[tuple[str, str]]:
    """Connections and those of their fields that are a policy as written."""
    for name in (*design.ipsec, *design.vnet_to_vnet):
        for field in ("ike_policy", "ipsec"):
            if design.is_written(("connections", name, field)):
                yield name, field


@rule("R053")
def no_policy_at_basic(design: Design) -> Iterator[Problem]:
    """Find policies of connections whose gateway takes none."""
    for name, field in _policies(design):
        for gateway_name in design.gateways_of(name):
            gateway = design.parts.gateways.get(gateway_name)
            sku = design.vpn_sku(gateway)
            if gateway is None or sku is None:
                continue
            is_own = not _is_default(name, field, design)
            if is_own and (not sku.custom_ipsec_policy or gateway.vpn_type == POLICY_BASED):
                text = f"{gateway_name} takes no policy of its own for a connection"
                path = ("connections", name, field)
                yield design.problem(path, text, "remove it, or take a larger SKU", key=True)


def _is_default(name: str, field: str, design: Design) -> bool:
    """Whether a policy is the one that a connection without a policy has."""
    policy = getattr(design.parts.connections[name], field)
    with use_lookup(design.catalog):
        return bool(policy == type(policy)())


@rule("R054")
def policies_are_completed(design: Design) -> Iterator[Problem]:
    """Say where a policy names some of its parameters alone."""
    for name, field in _policies(design):
        written = design.written(("connections", name, field))
        connection = design.ipsec.get(name) or design.vnet_to_vnet[name]
        known = type(getattr(connection, field)).model_fields
        missing = [n for n in known if isinstance(written, dict) and n not in written]
        if missing:
            text = f"the defaults complete the policy: {', '.join(missing)}"
            path = ("connections", name, field)
            yield design.problem(path, text, "write them to be sure", key=True)


@rule("R056", stops=True)
def both_gateways_have_one_policy(design: Design) -> Iterator[Problem]:
    """Find VNet-to-VNet connections whose ends have different suites: no tunnel comes up."""
    for name, connection in design.vnet_to_vnet.items():
        other = connection.ipsec_of_second
        if other is not None and other != connection.ipsec:
            text = "the two gateways have different policies, so no tunnel comes up"
            path = ("connections", name, "ipsec_of_second")
            yield design.problem(path, text, "remove it: both then have that of ipsec", key=True)


@rule("R058")
def ikev1_needs_a_newer_sku(design: Design) -> Iterator[Problem]:
    """Find IKEv1 at route-based gateways of the oldest SKUs."""
    for name, connection in design.ipsec.items():
        gateway = design.gateway_of(connection)
        if gateway is None or gateway.vpn_type == POLICY_BASED or gateway.sku not in LEGACY:
            continue
        if connection.ike == "v1":
            text = f"a route-based gateway of {gateway.sku} speaks IKEv2 alone"
            path = ("connections", name, "ike")
            yield design.problem(path, text, "write ike: v2, or take a larger SKU")


@rule("R059")
def ikev1_drops_at_rekey(design: Design) -> Iterator[Problem]:
    """Find IKEv1 connections, which drop packets at each rekey of the IKE SA."""
    for name, connection in design.ipsec.items():
        gateway = design.gateway_of(connection)
        if connection.ike == "v1" and gateway is not None and gateway.vpn_type != POLICY_BASED:
            each = format_duration(connection.ike_policy.lifetime)
            text = f"IKEv1 drops packets for seconds at each rekey of the IKE SA, every {each}"
            yield design.problem(("connections", name, "ike"), text, "write ike: v2")


@rule("R060")
def slow_ciphers(design: Design) -> Iterator[Problem]:
    """Find ciphers with which one tunnel carries less than the access line of its site."""
    for name, connection in design.ipsec.items():
        gateway, site = design.gateway_of(connection), design.site(connection.site)
        if gateway is None or site is None or design.vpn_sku(gateway) is None:
            continue
        suite = connection.ipsec
        try:
            of_sku = (gateway.sku, gateway.generation)
            slow = design.catalog.tunnel_performance(*of_sku, suite.encryption, suite.integrity)
            fast = design.catalog.tunnel_performance(*of_sku, FASTEST, FASTEST)
        except CatalogError:
            continue
        lines = [
            site.internet[d.internet]
            for d in design.devices_of(connection).values()
            if d.internet is not None and d.internet in site.internet
        ]
        fastest_bps = max((max(line.up, line.down) for line in lines), default=0.0)
        if slow.throughput_bps < min(fastest_bps, fast.throughput_bps):
            text = (
                f"with {suite.encryption} and {suite.integrity} a tunnel of {gateway.sku} carries "
                f"{format_rate(slow.throughput_bps)}, less than the access line of the site"
            )
            fix = f"{FASTEST} carries {format_rate(fast.throughput_bps)}"
            yield design.problem(("connections", name), text, fix, key=True)


@rule("R052")
def policy_based_devices_at_route_based_gateways(design: Design) -> Iterator[Problem]:
    """Say what traffic selectors of policy-based devices need."""
    for name, connection in design.ipsec.items():
        sku = design.vpn_sku(design.gateway_of(connection))
        if connection.policy_based_selectors and sku is not None:
            text = "a policy-based device joins a route-based gateway: every pair of prefixes has "
            text += "an SA of its own"
            if not sku.traffic_selectors:
                text = f"{sku.name} offers no traffic selectors of policy-based devices"
            path = ("connections", name, "policy_based_selectors")
            yield design.problem(path, text, "it needs IKEv2 and another SKU than Basic")
