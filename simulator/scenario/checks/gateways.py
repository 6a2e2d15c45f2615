"""What VPN gateways need to make sense: a VNet with room for each, and a SKU that exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.base.errors import CatalogError, Problem
from simulator.catalog import Catalog
from simulator.scenario.checks.addresses import example_subnet
from simulator.scenario.source import Source

if TYPE_CHECKING:
    from simulator.scenario.parts import Parts


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Gateways that share a VNet, lack a GatewaySubnet or are not sold."""
    in_vnet: dict[str, str] = {}
    for name, gateway in parts.gateways.items():
        other = in_vnet.setdefault(gateway.vnet, name)
        if other != name:
            rule = f"the VNet has a VPN gateway already, {other} (rule R001)"
            fix = "a VNet has one VPN gateway at most"
            yield tree.problem(("gateways", name, "vnet"), rule, fix)
        vnet = parts.vnets.get(gateway.vnet)
        if vnet is not None and vnet.gateway_subnet is None:
            rule = f"VNet {gateway.vnet} has no GatewaySubnet for the gateway (rule R008)"
            fix = f"add gateway_subnet: {example_subnet(vnet.address_space[0])} to it"
            yield tree.problem(("gateways", name, "vnet"), rule, fix)
        try:
            catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
        except CatalogError as error:
            rule, fix = error.rule_and_fix()
            path = ("gateways", name, "generation")
            yield tree.problem(path, f"{rule} (rule R146)", fix)
