"""Rules of gateway SKUs: what they are for, which are still made, and who may become whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.base.blocks import block
from simulator.base.errors import CatalogError, Problem
from simulator.scenario.rules.design import Design
from simulator.scenario.rules.registry import enforced_by, rule

BASIC: Final = "Basic"
LEGACY: Final = ("Basic", "Standard", "HighPerformance")
"""SKUs before generation 1, and those of the classic deployment model."""
HIGH_BANDWIDTH: Final = "VpnGw5AZ + Advanced Connectivity"
DOWNGRADES: Final = {("HighPerformance", "Standard"), ("ErGw2AZ", "ErGw1AZ")}
"""ExpressRoute gateway SKUs from which and to which a gateway may shrink."""


enforced_by("simulator.scenario.checks.gateways.sense", "R146")


@rule("R147")
def resize_within_the_series(design: Design) -> Iterator[Problem]:
    """Find resizes between legacy SKUs and the series of generation 1."""
    for _, gateway, path in design.vpn_gateways():
        before = gateway.resized_from
        if before in {None, BASIC} or gateway.sku == BASIC:
            continue
        if (before in LEGACY) != (gateway.sku in LEGACY):
            text = f"a gateway of {before} cannot become one of {gateway.sku}"
            yield design.problem((*path, "resized_from"), text, "delete and create it anew")


@rule("R149")
def no_resize_from_or_to_basic(design: Design) -> Iterator[Problem]:
    """Find resizes from or to Basic."""
    for _, gateway, path in design.vpn_gateways():
        before = gateway.resized_from
        if before is not None and before != gateway.sku and BASIC in {before, gateway.sku}:
            text = f"a gateway of {before} cannot become one of {gateway.sku}"
            yield design.problem((*path, "resized_from"), text, "delete and create it anew")


@rule("R150")
def no_downgrade(design: Design) -> Iterator[Problem]:
    """Find resizes to less throughput."""
    for _, gateway, path in design.vpn_gateways():
        sku = design.vpn_sku(gateway)
        if sku is None or gateway.resized_from in {None, BASIC} or gateway.sku == BASIC:
            continue
        try:
            before = design.catalog.vpn_gateway_sku(str(gateway.resized_from), sku.generation)
        except CatalogError:
            before = design.catalog.vpn_gateway_sku(str(gateway.resized_from))
        if before.aggregate_throughput_bps > sku.aggregate_throughput_bps:
            text = f"a gateway does not shrink from {before.name} to {sku.name}"
            yield design.problem((*path, "resized_from"), text, "delete and create it anew")


@rule("R155")
def expressroute_gateways_hardly_shrink(design: Design) -> Iterator[Problem]:
    """Find resizes of ExpressRoute gateways to less throughput that the platform refuses."""
    for _, gateway, path in design.expressroute_gateways():
        sku, before = design.expressroute_sku(gateway), gateway.resized_from
        if sku is None or before is None or (before, sku.name) in DOWNGRADES:
            continue
        try:
            larger = design.catalog.expressroute_gateway_sku(before)
        except CatalogError:
            continue  # a scalable gateway, whose units of before nobody told
        if larger.bandwidth_bps > sku.bandwidth_bps:
            text = f"a gateway does not shrink from {before} to {sku.name}"
            yield design.problem((*path, "resized_from"), text, "delete and create it anew")


@rule("R151")
def zone_less_skus_are_no_longer_made(design: Design) -> Iterator[Problem]:
    """Find SKUs of generation 1 and 2 that are retired."""
    yield from _retired(design, is_legacy=False)


@rule("R156")
def legacy_skus_are_no_longer_made(design: Design) -> Iterator[Problem]:
    """Find retired SKUs from before generation 1."""
    yield from _retired(design, is_legacy=True)


def _retired(design: Design, *, is_legacy: bool) -> Iterator[Problem]:
    for _, gateway, path in design.vpn_gateways():
        sku = design.vpn_sku(gateway)
        if sku is not None and sku.successor and (sku.name in LEGACY) is is_legacy:
            text = f"this SKU is retired ({sku.as_of})"
            yield design.problem((*path, "sku"), text, f"its successor is {sku.successor}")


@rule("R152")
def classic_vnets_have_legacy_gateways(design: Design) -> Iterator[Problem]:
    """Find gateways of a classic VNet with a SKU or feature of Resource Manager."""
    for _, gateway, path in design.vpn_gateways():
        vnet = design.vnet(gateway.vnet)
        if vnet is None or vnet.deployment_model != "classic":
            continue
        if gateway.sku not in LEGACY:
            text = f"a gateway of a classic VNet is one of {', '.join(LEGACY)}"
            yield design.problem((*path, "sku"), text, f"write {LEGACY[-1]}")
        offered = block(gateway, "p2s")
        if offered is not None and offered.auth.kind == "radius":
            text = "a gateway of a classic VNet knows no RADIUS"
            yield design.problem((*path, "p2s", "auth", "kind"), text, "write certificate")
    for name, connection in design.ipsec.items():
        gateway_of = design.gateway_of(connection)
        vnet = None if gateway_of is None else design.vnet(gateway_of.vnet)
        if connection.routing == "bgp" and vnet and vnet.deployment_model == "classic":
            text = "a gateway of a classic VNet speaks no BGP"
            yield design.problem(("connections", name, "routing"), text, "write routing: static")


@rule("R153")
def basic_is_for_tests(design: Design) -> Iterator[Problem]:
    """Find Basic gateways."""
    for _, gateway, path in design.vpn_gateways():
        if gateway.sku == BASIC:
            text = "Basic is meant for development and tests, and promises the least availability"
            yield design.problem((*path, "sku"), text, "choose VpnGw1AZ or larger for production")


@rule("R154")
def vms_behind_a_vpn_gateway(design: Design) -> Iterator[Problem]:
    """Find more virtual machines behind a VPN gateway than its SKU is meant for."""
    for _, gateway, path in design.vpn_gateways():
        sku = design.vpn_sku(gateway)
        vms_count = vms_behind(gateway.vnet, design)
        if sku is not None and sku.max_vms is not None and vms_count > sku.max_vms:
            text = f"{vms_count} VMs are behind it, and {sku.name} is meant for {sku.max_vms}"
            yield design.problem((*path, "sku"), text, "choose a larger SKU")


def vms_behind(hub: str, design: Design) -> int:
    """Virtual machines of a VNet and of those that use its gateways."""
    spokes = [
        peering.use_remote_gateways
        for peering in design.peerings.values()
        if hub in peering.vnets and peering.use_remote_gateways not in {None, hub}
    ]
    vnets = [design.vnet(str(name)) for name in dict.fromkeys([hub, *spokes])]
    return sum(vnet.vms or 0 for vnet in vnets if vnet is not None)


@rule("R157")
def high_bandwidth_tunnels(design: Design) -> Iterator[Problem]:
    """Find gateways of the high-bandwidth SKU without what its tunnels need."""
    connections_max = design.figure("R157") if HIGH_BANDWIDTH in _skus(design) else 0
    for name, gateway, path in design.vpn_gateways():
        if gateway.sku != HIGH_BANDWIDTH:
            continue
        has_fastpath = any(
            connection.fastpath
            and connection.gateway in design.parts.expressroute_gateways
            and design.parts.expressroute_gateways[connection.gateway].vnet == gateway.vnet
            and getattr(design.circuit_of(connection), "provider_model", "") == "direct"
            for connection in design.expressroute.values()
        )
        if not has_fastpath:
            text = f"{gateway.sku} needs ExpressRoute Direct with FastPath to its VNet"
            yield design.problem((*path, "sku"), text, "add it, or choose VpnGw5AZ")
        connections = design.tunnel_connections[name]
        if len(connections) > connections_max:
            text = f"{gateway.sku} has {connections_max:.0f} connections at most"
            path = ("connections", connections[round(connections_max)])
            yield design.problem(path, text, "remove it, or choose VpnGw5AZ", key=True)


def _skus(design: Design) -> set[str]:
    return {gateway.sku for gateway in design.parts.gateways.values()}
