"""A design as rules look at it: the valid entries of a scenario, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simulator.base.errors import CatalogError, Problem
from simulator.catalog import Catalog, ExpressRouteGatewaySku, VpnGatewaySku
from simulator.scenario.source import ABSENT, Source, TreePath, item_at

if TYPE_CHECKING:
    from simulator.components.circuit import CircuitSchema
    from simulator.components.connection import IpsecConnection
    from simulator.components.expressroute_connection import ExpressRouteConnection
    from simulator.components.expressroute_gateway import ExpressRouteGatewaySchema
    from simulator.components.gateway import VpnGateway
    from simulator.components.peering import Peering
    from simulator.components.site import Device, Site
    from simulator.components.vnet import Vnet
    from simulator.components.vnet_to_vnet import VnetToVnet
    from simulator.scenario.parts import Parts

POLICY_BASED = "policy-based"
ACTIVE_ACTIVE = "active-active"


class Design:
    """The entries of a scenario that are valid in themselves; names may still lead nowhere."""

    def __init__(self, parts: Parts, tree: Source, catalog: Catalog) -> None:
        self.parts = parts
        self.catalog = catalog
        self._tree = tree

    def problem(self, path: TreePath, text: str, fix: str = "", *, key: bool = False) -> Problem:
        """A finding at a place; the rule's id is added to its text."""
        return self._tree.problem(path, text, fix or None, key=key)

    def is_written(self, path: TreePath) -> bool:
        """Whether the scenario gives a value there."""
        return item_at(self._tree.data, path) is not ABSENT

    def written(self, path: TreePath) -> Any:
        """What the scenario gives there, `ABSENT` if nothing."""
        return item_at(self._tree.data, path)

    # --- the catalogue ------------------------------------------------------------------------

    def figures(self, rule_id: str, name: str = "") -> tuple[float, ...]:
        """The figures of a rule whose name begins so."""
        rows = self.catalog.table("rule-figures").where(rule=rule_id)
        return next(row.numbers("values") for row in rows if row.text("name").startswith(name))

    def figure(self, rule_id: str, name: str = "") -> float:
        """The one figure of a rule."""
        return self.figures(rule_id, name)[0]

    def is_in_ranges(self, number: int, rule_id: str) -> bool:
        """Whether a number lies in one of the ranges of a rule."""
        ends = self.figures(rule_id)
        return any(a <= number <= b for a, b in zip(ends[::2], ends[1::2], strict=True))

    def limit(self, limit_id: str) -> float:
        """A limit of the catalogue, infinite where this era has none or nobody knows it."""
        if limit_id not in self.catalog.names("limits"):
            return math.inf
        value = self.catalog.limit(limit_id).value
        return math.inf if value is None else value

    def vpn_sku(self, gateway: VpnGateway | None) -> VpnGatewaySku | None:
        """The SKU of a gateway, None if there is no such gateway or generation."""
        if gateway is None:
            return None
        try:
            return self.catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
        except CatalogError:
            return None

    def expressroute_sku(
        self, gateway: ExpressRouteGatewaySchema | None
    ) -> ExpressRouteGatewaySku | None:
        """The SKU of an ExpressRoute gateway, None if it is wrong."""
        if gateway is None:
            return None
        try:
            return self.catalog.expressroute_gateway_sku(gateway.sku, gateway.scale_units)
        except CatalogError:
            return None

    def region(self, vnet: str) -> str:
        """Name of the region of a VNet, empty if there is no such VNet."""
        found = self.parts.vnets.get(vnet)
        return "" if found is None else self.catalog.region(found.region).name

    # --- gateways and connections -------------------------------------------------------------

    def vpn_gateways(self) -> Iterator[tuple[str, Any, TreePath]]:
        """Each VPN gateway with its place."""
        for name, gateway in self.parts.gateways.items():
            yield name, gateway, ("gateways", name)

    def expressroute_gateways(self) -> Iterator[tuple[str, ExpressRouteGatewaySchema, TreePath]]:
        """Each ExpressRoute gateway with its place."""
        for name, gateway in self.parts.expressroute_gateways.items():
            yield name, gateway, ("gateways", name)

    def _of_type(self, kind: str) -> dict[str, Any]:
        return {n: c for n, c in self.parts.connections.items() if c.type == kind}

    @cached_property
    def ipsec(self) -> Mapping[str, Any]:
        """Site-to-site connections, with the fields of their blocks."""
        return self._of_type("ipsec")

    @cached_property
    def vnet_to_vnet(self) -> Mapping[str, VnetToVnet]:
        """VNet-to-VNet connections."""
        return self._of_type("vnet-to-vnet")

    @cached_property
    def expressroute(self) -> Mapping[str, ExpressRouteConnection]:
        """Connections of circuits."""
        return self._of_type("expressroute")

    @cached_property
    def peerings(self) -> Mapping[str, Peering]:
        """Peerings of VNets."""
        return self._of_type("peering")

    @cached_property
    def tunnel_connections(self) -> Mapping[str, list[str]]:
        """Names of the connections with tunnels, in the order of the file, by VPN gateway."""
        by_gateway: dict[str, list[str]] = {name: [] for name in self.parts.gateways}
        for name, connection in self.parts.connections.items():
            if connection.type == "ipsec":
                by_gateway.setdefault(connection.gateway, []).append(name)
            elif connection.type == "vnet-to-vnet":
                for gateway in dict.fromkeys(connection.gateways):
                    by_gateway.setdefault(gateway, []).append(name)
        return by_gateway

    @cached_property
    def sites_of(self) -> Mapping[str, list[str]]:
        """Names of the site-to-site connections of each pair `gateway site`."""
        by_pair: dict[str, list[str]] = {}
        for name, connection in self.ipsec.items():
            by_pair.setdefault(f"{connection.gateway} {connection.site}", []).append(name)
        return by_pair

    def gateway_of(self, connection: IpsecConnection) -> Any:
        """The VPN gateway of a site-to-site connection."""
        return self.parts.gateways.get(connection.gateway)

    def gateways_of(self, connection: str) -> tuple[str, ...]:
        """Names of the VPN gateways that end the tunnels of a connection."""
        if connection in self.ipsec:
            return (self.ipsec[connection].gateway,)
        return tuple(self.vnet_to_vnet[connection].gateways)

    def devices_of(self, connection: IpsecConnection) -> dict[str, Device]:
        """The devices that build the tunnels of a connection."""
        site = self.parts.sites.get(connection.site)
        if site is None:
            return {}
        if connection.devices is None:
            return {n: d for n, d in site.devices.items() if d.public_ip is not None}
        return {n: site.devices[n] for n in connection.devices if n in site.devices}

    def devices(self) -> Iterator[tuple[str, str, Device, TreePath]]:
        """Every device: its site, its name, itself and its place."""
        for site_name, site in self.parts.sites.items():
            for name, device in site.devices.items():
                yield site_name, name, device, ("sites", site_name, "devices", name)

    def instances_count(self, gateway: VpnGateway) -> int:
        """How many instances of a gateway end tunnels."""
        return gateway.instances if gateway.mode == ACTIVE_ACTIVE else 1

    def tunnels_count(self, connection: IpsecConnection, gateway: VpnGateway) -> int:
        """How many tunnels a connection has."""
        devices_count = len(self.devices_of(connection))
        if connection.tunnels == "full-mesh":
            return devices_count * self.instances_count(gateway)
        return devices_count

    def coexisting(
        self,
    ) -> Iterator[tuple[str, tuple[str, Any], tuple[str, ExpressRouteGatewaySchema]]]:
        """VNets with both gateways: the VNet, its VPN gateway, its ExpressRoute gateway."""
        vpn = {g.vnet: (name, g) for name, g in self.parts.gateways.items()}
        for name, gateway in self.parts.expressroute_gateways.items():
            if gateway.vnet in vpn:
                yield gateway.vnet, vpn[gateway.vnet], (name, gateway)

    def circuit_of(self, connection: ExpressRouteConnection) -> CircuitSchema | None:
        """The circuit of a connection."""
        return self.parts.circuits.get(connection.circuit)

    def site(self, name: str) -> Site | None:
        """The site of this name."""
        return self.parts.sites.get(name)

    def vnet(self, name: str) -> Vnet | None:
        """The VNet of this name."""
        return self.parts.vnets.get(name)

    def location(self, circuit: CircuitSchema) -> str:
        """The peering location of a circuit, empty if its port is wrong."""
        if circuit.port is None:
            return circuit.peering_location or ""
        port = self.parts.peering_ports.get(circuit.port)
        return "" if port is None else port.peering_location
