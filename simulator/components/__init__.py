"""Components, one file each: what a design is made of."""

from __future__ import annotations

from types import ModuleType

from simulator.base.registry import Registry
from simulator.components import (
    circuit,
    clients,
    connection,
    expressroute_connection,
    expressroute_gateway,
    gateway,
    internet,
    path,
    peering,
    peering_port,
    private_endpoint,
    site,
    vnet,
    vnet_to_vnet,
)

#: Kind of component -> its module, with `Schema` and what planner and engine ask of it.
COMPONENTS: Registry[ModuleType] = Registry("kind of component")
COMPONENTS.add("vnet", vnet)
COMPONENTS.add("site", site)
COMPONENTS.add("vpn", gateway)
COMPONENTS.add("ipsec", connection)
COMPONENTS.add("vnet-to-vnet", vnet_to_vnet)
COMPONENTS.add("peering", peering)
COMPONENTS.add("path", path)
COMPONENTS.add("internet", internet)
COMPONENTS.add("clients", clients)
COMPONENTS.add("peering-port", peering_port)
COMPONENTS.add("circuit", circuit)
COMPONENTS.add("private-endpoint", private_endpoint)
COMPONENTS.add("expressroute-gateway", expressroute_gateway)
COMPONENTS.add("expressroute-connection", expressroute_connection)

#: Type of gateway -> its module.
GATEWAYS: Registry[ModuleType] = Registry("type of gateway")
GATEWAYS.add("vpn", gateway)
GATEWAYS.add("expressroute", expressroute_gateway)

#: Type of connection -> its module, which also says what it `joins`.
CONNECTIONS: Registry[ModuleType] = Registry("type of connection")
for _name in ("ipsec", "vnet-to-vnet", "peering"):
    CONNECTIONS.add(_name, COMPONENTS[_name])
CONNECTIONS.add("expressroute", expressroute_connection)
