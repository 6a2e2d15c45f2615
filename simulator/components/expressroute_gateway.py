"""ExpressRoute gateway: what packets from on-premises pass on their way into a VNet.

Packets from the VNet leave past it: the hosts of the platform send them straight to the edge
routers. So its published figures limit one direction alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import CatalogueName, Name, PositiveDuration, catalogued
from simulator.catalog import ExpressRouteGatewaySku
from simulator.draft import (
    Ceiling,
    CeilingKind,
    Draft,
    ExpressRouteGateway,
    PacketLimit,
    Pass,
    Stage,
    Wrap,
)
from simulator.plan import FORWARD


class ExpressRouteGatewaySchema(fields.Schema):
    """An ExpressRoute gateway."""

    type: Literal["expressroute"] = Field(description="kind of gateway")
    vnet: Name = Field(description="VNet in whose GatewaySubnet the gateway stands")
    sku: Annotated[str, CatalogueName("expressroute-gateway-skus")] = Field(
        description="gateway SKU"
    )
    scale_units: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="scale units of the SKU ErGwScale, which alone has them"
    )
    buffer: PositiveDuration = catalogued(
        "gateway.limits.buffer", "time that a full buffer holds, then tail drop"
    )


Schema = ExpressRouteGatewaySchema

STAGE = Stage.GATEWAYS


def plan_rows(name: str, gateway: ExpressRouteGatewaySchema, draft: Draft) -> None:
    """Add the server of the SKU's throughput and the latency, both inbound alone."""
    sku = draft.catalog.expressroute_gateway_sku(gateway.sku, gateway.scale_units)
    fit_bytes = round(draft.catalog.mtu_bytes("ExpressRoute gateway max packet"))
    server = draft.server(
        name,
        FORWARD,
        _ceilings(name, sku),
        rate_bps=sku.bandwidth_bps,
        packets_per_s=sku.packets_per_s,
        buffer_s=gateway.buffer,
        meter="inner-ip",
    )
    latency_s = draft.catalog.default("gateway.expressroute_latency").value
    latency = draft.path(f"{name}.latency", FORWARD, delay_s=latency_s)
    draft.expressroute_gateways[name] = ExpressRouteGateway(
        name=name,
        vnet=gateway.vnet,
        passes=(Pass(server, _largest(fit_bytes)), Pass(latency)),
        limit=PacketLimit(
            fit_bytes=fit_bytes,
            mss_clamp_bytes=None,
            is_told=draft.catalog.default("expressroute.packet_too_big").word == "delivered",
            cuts_df=False,
        ),
    )


def _ceilings(name: str, sku: ExpressRouteGatewaySku) -> list[Ceiling]:
    units = "" if sku.scale_units is None else f" with {sku.scale_units} scale units"
    label = f"ExpressRoute gateway {name}, {sku.name}{units}, inbound"
    limits: list[tuple[str, dict[str, Any]]] = [
        (f"{label}, bits/s", {"rate_bps": sku.bandwidth_bps}),
        (f"{label}, packets/s", {"packets_per_s": sku.packets_per_s}),
    ]
    if sku.max_flows is not None:
        limits.append((f"concurrent flows {name}, inbound", {"flows_count": sku.max_flows}))
    return [
        Ceiling(CeilingKind.GATEWAY, text, sku.cite(), meter="inner-ip", **limit)
        for text, limit in limits
    ]


def _largest(fit_bytes: int) -> Wrap:
    """Plain packets that are dropped if they are larger (rule R140)."""
    return Wrap(0, 0, 1, fit_bytes=fit_bytes, mtu_bytes=fit_bytes)
