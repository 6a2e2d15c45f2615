"""The catalogue: the one place of numbers about the real world, each with source and date.

`load_catalog(era)` gives typed look-ups; the tables are the CSV files beside this module. Adding a
SKU, cipher, region, timer, device or default is adding rows to one of them.
"""

from __future__ import annotations

from simulator.catalog.lookups import Catalog, load_catalog
from simulator.catalog.tables import (
    STATUSES,
    Column,
    Row,
    Table,
    TableInfo,
    catalog_hash,
    list_tables,
)
from simulator.catalog.values import (
    Application,
    Codec,
    Default,
    Device,
    EspSuite,
    ExpressRouteCircuit,
    ExpressRouteGatewaySku,
    ExpressRouteParameter,
    ExpressRoutePort,
    GatewayLatency,
    Limit,
    Origin,
    P2sProtocol,
    PacketMix,
    PeeringLocation,
    Region,
    Rtt,
    Sourced,
    Timer,
    TunnelPerformance,
    VpnGatewaySku,
)

__all__ = [
    "STATUSES",
    "Application",
    "Catalog",
    "Codec",
    "Column",
    "Default",
    "Device",
    "EspSuite",
    "ExpressRouteCircuit",
    "ExpressRouteGatewaySku",
    "ExpressRouteParameter",
    "ExpressRoutePort",
    "GatewayLatency",
    "Limit",
    "Origin",
    "P2sProtocol",
    "PacketMix",
    "PeeringLocation",
    "Region",
    "Row",
    "Rtt",
    "Sourced",
    "Table",
    "TableInfo",
    "Timer",
    "TunnelPerformance",
    "VpnGatewaySku",
    "catalog_hash",
    "list_tables",
    "load_catalog",
]
