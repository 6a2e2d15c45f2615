"""Rules of policy-based gateways, and of several active instances."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.base.blocks import block
from simulator.base.errors import Problem
from simulator.base.units import format_duration
from simulator.scenario.rules.design import ACTIVE_ACTIVE, POLICY_BASED, Design
from simulator.scenario.rules.registry import enforced_by, not_enforced, rule


@rule("R046")
def policy_based_is_basic(design: Design) -> Iterator[Problem]:
    """Find policy-based gateways of a SKU that is route-based alone."""
    for _, gateway, path in design.vpn_gateways():
        sku = design.vpn_sku(gateway)
        if gateway.vpn_type == POLICY_BASED and sku is not None and not sku.policy_based:
            text = f"{gateway.sku} has no policy-based gateways"
            fix = "write sku: Basic, or vpn_type: route-based"
            yield design.problem((*path, "vpn_type"), text, fix)


@rule("R047")
def policy_based_has_one_tunnel(design: Design) -> Iterator[Problem]:
    """Find policy-based gateways with a connection of IKEv2 or of several tunnels."""
    for name, connection in design.ipsec.items():
        gateway = design.gateway_of(connection)
        if gateway is None or gateway.vpn_type != POLICY_BASED:
            continue
        path = ("connections", name)
        if connection.ike != "v1":
            text = "a policy-based gateway speaks IKEv1"
            yield design.problem((*path, "ike"), text, "write ike: v1")
        if len(design.devices_of(connection)) > 1:
            text = "a policy-based gateway has one tunnel, so one device"
            yield design.problem((*path, "devices"), text, "list one device")


@rule("R033")
def several_sites_need_route_based(design: Design) -> Iterator[Problem]:
    """Find policy-based gateways with more than one connection."""
    for name, gateway, _ in design.vpn_gateways():
        of_sites = [c for c in design.tunnel_connections[name] if c in design.ipsec]
        if gateway.vpn_type == POLICY_BASED and len(of_sites) > 1:
            text = f"policy-based gateway {name} has a connection already, {of_sites[0]}"
            fix = "remove one, or take a route-based gateway"
            yield design.problem(("connections", of_sites[1]), text, fix, key=True)


@rule("R048")
def policy_based_can_little(design: Design) -> Iterator[Problem]:
    """Find what a policy-based gateway cannot: clients, BGP, several active instances."""
    fix = "write vpn_type: route-based"
    for name, gateway, path in design.vpn_gateways():
        if gateway.vpn_type != POLICY_BASED:
            continue
        if block(gateway, "p2s") is not None:
            text = "a policy-based gateway takes no point-to-site clients"
            yield design.problem((*path, "p2s"), text, fix, key=True)
        for connection in design.tunnel_connections[name]:
            found = design.ipsec.get(connection)
            if found is not None and found.routing == "bgp":
                text = "a policy-based gateway speaks no BGP"
                yield design.problem(("connections", connection, "routing"), text, fix)


@rule("R049")
def policy_based_stays_policy_based(design: Design) -> Iterator[Problem]:
    """Find policy-based gateways, which never become route-based."""
    for _, gateway, path in design.vpn_gateways():
        if gateway.vpn_type == POLICY_BASED:
            lasts = format_duration(design.catalog.timer("T073").value_s)
            text = f"route-based later means delete and create anew: {lasts}, new address and key"
            yield design.problem((*path, "vpn_type"), text, "choose route-based now if you may")


@rule("R050")
def policy_based_not_in_the_portal(design: Design) -> Iterator[Problem]:
    """Say which tools still make policy-based gateways."""
    yield from _of_policy_based(design, "only PowerShell and the CLI make policy-based gateways")


@rule("R051")
def policy_based_idles(design: Design) -> Iterator[Problem]:
    """Say that an idle tunnel goes down."""
    idle = format_duration(design.catalog.timer("T014").value_s)
    yield from _of_policy_based(design, f"its tunnel goes down after {idle} without a packet")


def _of_policy_based(design: Design, text: str) -> Iterator[Problem]:
    for _, gateway, path in design.vpn_gateways():
        if gateway.vpn_type == POLICY_BASED:
            yield design.problem((*path, "vpn_type"), text, "choose route-based to avoid it")


@rule("R081")
def active_active_needs_a_sku(design: Design) -> Iterator[Problem]:
    """Find active-active gateways of a SKU or kind that has one active instance alone."""
    for _, gateway, path in design.vpn_gateways():
        sku = design.vpn_sku(gateway)
        if gateway.mode != ACTIVE_ACTIVE or sku is None:
            continue
        if not sku.active_active or gateway.vpn_type == POLICY_BASED:
            what = gateway.sku if not sku.active_active else "a policy-based gateway"
            text = f"{what} has one active instance"
            fix = "write mode: active-standby, or take another SKU"
            yield design.problem((*path, "mode"), text, fix)


@rule("R082")
def every_device_reaches_every_instance(design: Design) -> Iterator[Problem]:
    """Find devices with a tunnel to one of several active instances."""
    for name, connection in design.ipsec.items():
        gateway = design.gateway_of(connection)
        if gateway is None or gateway.mode != ACTIVE_ACTIVE or connection.tunnels == "full-mesh":
            continue
        if len(design.devices_of(connection)) > 1:
            text = "each device has a tunnel to one instance, so no device survives its failure"
            yield design.problem(("connections", name, "tunnels"), text, "write full-mesh")


@rule("R083")
def one_tunnel_to_active_active(design: Design) -> Iterator[Problem]:
    """Find active-active gateways to which a site has one tunnel."""
    for name, connection in design.ipsec.items():
        gateway = design.gateway_of(connection)
        if gateway is None or gateway.mode != ACTIVE_ACTIVE:
            continue
        if design.tunnels_count(connection, gateway) == 1:
            text = "its only tunnel is down whenever that instance is maintained"
            yield design.problem(("connections", name, "tunnels"), text, "write full-mesh")


enforced_by("simulator.planner.asymmetry.Asymmetry", "R085")
not_enforced("R177", "tunnels are dealt out to the instances in turn, so two never share one")


@rule("R084")
def static_routes_follow_dpd(design: Design) -> Iterator[Problem]:
    """Find static routing over several tunnels by devices that do not withdraw routes."""
    for name, connection in design.ipsec.items():
        gateway = design.gateway_of(connection)
        if gateway is None or connection.routing == "bgp" or connection.dpd.withdraws_route:
            continue
        if gateway.mode == ACTIVE_ACTIVE and design.tunnels_count(connection, gateway) > 1:
            text = "the device goes on sending into a dead tunnel: about half of the flows are lost"
            path = ("connections", name, "dpd", "withdraws_route")
            yield design.problem(path, text, "write true, or routing: bgp")


@rule("R087")
def dual_redundancy(design: Design) -> Iterator[Problem]:
    """Say where two devices and two instances make a full mesh."""
    for name, connection in design.ipsec.items():
        gateway = design.gateway_of(connection)
        if gateway is None or gateway.mode != ACTIVE_ACTIVE or connection.routing != "bgp":
            continue
        devices_count = len(design.devices_of(connection))
        tunnels_count = design.tunnels_count(connection, gateway)
        if devices_count > 1 and tunnels_count > devices_count:
            text = f"dual redundancy: {tunnels_count} tunnels between all devices and instances"
            yield design.problem(("connections", name), text, key=True)


@rule("R088")
def active_active_costs_an_address(design: Design) -> Iterator[Problem]:
    """Say what active-active costs."""
    for _, gateway, path in design.vpn_gateways():
        if gateway.mode == ACTIVE_ACTIVE:
            text = "costs what active-standby does, and another public address"
            yield design.problem((*path, "mode"), text)
