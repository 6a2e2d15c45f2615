"""ExpressRoute gateway: what packets from on-premises pass on their way into a VNet.

Packets from the VNet leave past it: the hosts of the platform send them straight to the edge
routers. So its published figures limit one direction alone.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, Literal

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
    Passes,
    Stage,
    Wrap,
)
from simulator.plan import FORWARD, RETURN, Meter

#: Published figures count IP packets; nothing is wrapped around them on private peering.
METER: Final[Meter] = "inner-ip"


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
        meter=METER,
    )
    latency_s = draft.catalog.default("gateway.expressroute_latency").value
    latency = draft.path(f"{name}.latency", FORWARD, delay_s=latency_s)
    passes = (Pass(server, _largest(fit_bytes)), Pass(latency))
    draft.expressroute_gateways[name] = ExpressRouteGateway(
        name=name,
        vnet=gateway.vnet,
        passes=passes,
        limit=PacketLimit(
            fit_bytes=fit_bytes,
            mss_clamp_bytes=None,
            is_told=draft.catalog.default("expressroute.packet_too_big").word == "delivered",
            cuts_df=False,
        ),
        private=partial(_private, name, gateway, sku, passes, draft),
    )


def _private(
    name: str,
    gateway: ExpressRouteGatewaySchema,
    sku: ExpressRouteGatewaySku,
    inbound: tuple[Pass, ...],
    draft: Draft,
) -> Passes:
    """One instance, with its share of the gateway, carries private endpoints in both directions."""
    share = draft.catalog.default("expressroute.private_endpoint_share")
    hop = f"{name}.instance"
    if hop not in draft.shared_hops:
        label = f"one instance of {name} for private endpoints, {sku.name}"
        rate_bps, packets_per_s = share.value * sku.bandwidth_bps, share.value * sku.packets_per_s
        servers = draft.servers(
            hop,
            is_shared=False,
            ceilings=_rates(label, share.cite(), rate_bps, packets_per_s),
            rate_bps=rate_bps,
            packets_per_s=packets_per_s,
            buffer_s=gateway.buffer,
            meter=METER,
        )
        draft.shared_hops |= {f"{hop} {d}": idx for d, idx in servers.items()}
        draft.shared_hops[hop] = servers[FORWARD]
    back = draft.shared_hops[f"{hop} {RETURN}"]
    return {FORWARD: (*inbound, Pass(draft.shared_hops[hop])), RETURN: (Pass(back),)}


def _ceilings(name: str, sku: ExpressRouteGatewaySku) -> list[Ceiling]:
    units = "" if sku.scale_units is None else f" with {sku.scale_units} scale units"
    label = f"ExpressRoute gateway {name}, {sku.name}{units}, inbound"
    ceilings = _rates(label, sku.cite(), sku.bandwidth_bps, sku.packets_per_s)
    if sku.max_flows is not None:
        text = f"concurrent flows {name}, inbound"
        kind = CeilingKind.GATEWAY
        ceilings.append(Ceiling(kind, text, sku.cite(), flows_count=sku.max_flows))
    return ceilings


def _rates(label: str, source: str, rate_bps: float, packets_per_s: float) -> list[Ceiling]:
    kind, meter = CeilingKind.GATEWAY, METER
    return [
        Ceiling(kind, f"{label}, bits/s", source, rate_bps=rate_bps, meter=meter),
        Ceiling(kind, f"{label}, packets/s", source, packets_per_s=packets_per_s, meter=meter),
    ]


def _largest(fit_bytes: int) -> Wrap:
    """Plain packets that are dropped if they are larger (rule R140)."""
    return Wrap(0, 0, 1, fit_bytes=fit_bytes, mtu_bytes=fit_bytes)
