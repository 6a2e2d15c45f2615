"""VPN gateway: two instances in the GatewaySubnet of a VNet that end IPsec tunnels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import (
    WHOLE,
    AsNumber,
    CatalogueName,
    Name,
    PositiveDuration,
    Sequenced,
    catalogued,
)
from simulator.base.maintenance import MaintenanceWindow
from simulator.base.quantiles import lognormal_table
from simulator.base.sections import GATEWAYS
from simulator.base.units import format_rate
from simulator.blocks import BLOCKS
from simulator.draft import (
    DIRECTIONS,
    Ceiling,
    CeilingKind,
    Draft,
    GatewayInstance,
    Link,
    Pass,
    Point,
    Stage,
)
from simulator.ipsec.instances import GatewaySpec, process
from simulator.plan import FORWARD, RETURN, Direction
from simulator.sketch import Box, Column, Edge, Row, Sketch
from simulator.states import (
    fault_state,
)

if TYPE_CHECKING:
    pass


class GatewayBgp(fields.Schema):
    """BGP speaker of a gateway."""

    asn: AsNumber = catalogued("gateway.bgp.asn", "autonomous system of the gateway")


class Limits(fields.Schema):
    """How published figures of the SKU are read, where sources disagree."""

    scope: Literal["instance", "gateway"] = catalogued(
        "gateway.limits.scope", "what the published throughput is the limit of"
    )
    direction: Literal["each", "shared"] = catalogued(
        "gateway.limits.direction", "whether each direction has the limit or both share it"
    )
    meter: Literal["inner-ip", "wire"] = catalogued(
        "gateway.limits.meter", "which bytes count: inside the tunnel or on the wire"
    )
    buffer: PositiveDuration = catalogued(
        "gateway.limits.buffer", "time that a full buffer holds, then tail drop"
    )


class Failover(fields.Schema):
    """How a failover of the gateway goes, where sources disagree."""

    unplanned: Literal["newer", "older", "estimate"] = catalogued(
        "gateway.failover.unplanned",
        "active-standby, unplanned failure: 60-180 s (newer text), 60-90 s (older text), or an "
        "estimate that takes these as worst cases",
    )
    lone_static_tunnel: Literal["down", "take-over"] = catalogued(
        "gateway.failover.lone_static_tunnel",
        "active-active, static routing, a connection's only tunnel: down with its instance, or "
        "taken over by another one",
    )


@BLOCKS.extend("vpn")
class VpnGateway(fields.Schema):
    """A VPN gateway."""

    type: Literal["vpn"] = Field(description="kind of gateway")
    vnet: Name = Field(description="VNet in whose GatewaySubnet the gateway stands")
    sku: Annotated[str, CatalogueName("vpn-gateway-skus")] = Field(description="gateway SKU")
    generation: Annotated[Literal[1, 2], WHOLE] | None = Field(
        default=None,
        description="generation of the SKU, where the SKU exists in two",
        json_schema_extra={"x-derived": "generation of the SKU, 1 if it exists in both"},
    )
    vpn_type: Literal["route-based", "policy-based"] = Field(
        default="route-based", description="how the gateway chooses the tunnel of a packet"
    )
    mode: Literal["active-standby", "active-active"] = Field(
        default="active-standby", description="whether one or all instances end tunnels"
    )
    instances: Annotated[int, Field(ge=1, le=16)] = catalogued(
        "gateway.instances", "number of instances (VMs) of the gateway"
    )
    zones: Sequenced[Annotated[Literal[1, 2, 3], WHOLE]] = Field(
        default=(), max_length=3, description="availability zones of its instances; none: regional"
    )
    public_ips: Sequenced[Literal["standard", "basic"]] | None = Field(
        default=None, description="kinds of its public addresses; as many as it needs by default"
    )
    resized_from: Annotated[str, CatalogueName("vpn-gateway-skus")] | None = Field(
        default=None, description="SKU from which the running gateway is resized to this one"
    )
    maintenance_window: MaintenanceWindow | None = Field(
        default=None, description="daily window of customer-controlled maintenance"
    )
    bgp: GatewayBgp = Field(
        default_factory=GatewayBgp, description="BGP speaker, used by connections with routing: bgp"
    )
    default_site: Name | None = Field(
        default=None,
        description="site to which the gateway sends what it has no other route for; subnets use "
        "it with a user route to the gateway (forced tunnelling)",
    )
    limits: Limits = Field(default_factory=Limits, description="how published limits are read")
    failover: Failover = Field(
        default_factory=Failover, description="how a failover goes, where sources disagree"
    )


Schema = VpnGateway

SECTION = GATEWAYS
STAGE = Stage.GATEWAYS

REFERS = {"vnet": "vnets", "default_site": "sites"}


# ---------------------------------------------------------------------------------------------
# In the plan
# ---------------------------------------------------------------------------------------------


def plan_rows(name: str, gateway: VpnGateway, draft: Draft) -> None:
    """Add the instances that end tunnels: throughput, latency, and the way into the VNet.

    In active-standby mode one instance ends all tunnels; its hops stand for whichever of the VMs
    is active.
    """
    ending_count = gateway.instances if gateway.mode == "active-active" else 1
    of_all = _throughput(f"{name}.instances", gateway, draft)
    own_hops: dict[str, tuple[int, ...]] = {}
    instances = []
    for number in range(ending_count):
        instance = f"{name}.instance-{number}"
        servers = of_all or _throughput(instance, gateway, draft, is_own=True)
        inside = _latency(instance, gateway.sku, draft)
        at_instance = {d: (Pass(servers[d], is_in_tunnel=True),) for d in DIRECTIONS}
        draft.add_point(Point(instance, at_instance))
        passes = {d: (Pass(inside[d]),) for d in DIRECTIONS}
        draft.add_link(Link(instance, instance, gateway.vnet, passes))
        own = [] if of_all else list(servers.values())
        own_hops[instance] = tuple(dict.fromkeys([*own, *inside.values()]))
        instances.append(_published(instance, name, gateway, draft))
    draft.instances[name] = tuple(instances)
    draft.vms[name] = tuple(f"{name}.instance-{number}" for number in range(gateway.instances))
    if gateway.default_site is not None:
        draft.default_sites[name] = gateway.default_site
    default = draft.catalog.default
    spec = GatewaySpec(
        name=name,
        is_active_active=gateway.mode == "active-active",
        vms=draft.vms[name],
        own_hops=own_hops,
        take_over=default(f"gateway.take_over.{gateway.failover.unplanned}"),
        take_over_planned=default("gateway.take_over_planned"),
        switch_over=default("gateway.switch_over"),
        zone_switch=default("gateway.zone_switch"),
        tunnels=draft.tunnels,
        is_lone_taken_over=gateway.failover.lone_static_tunnel == "take-over",
    )
    _place_in_zones(spec, gateway, draft)
    draft.process(f"gateway {name}", partial(process, spec=spec))
    BLOCKS.plan_rows("vpn", name, gateway, draft)


def _throughput(
    hop: str, gateway: VpnGateway, draft: Draft, *, is_own: bool = False
) -> dict[Direction, int]:
    """The servers of the SKU's throughput; none where the limit is not of the scope asked for."""
    if (gateway.limits.scope == "instance") is not is_own:
        return {}
    sku = draft.catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
    meter = gateway.limits.meter
    ceilings = [
        Ceiling(
            CeilingKind.GATEWAY,
            f"{'instance' if is_own else 'all instances'} {hop}, {sku.name}",
            sku.cite(),
            rate_bps=sku.aggregate_throughput_bps,
            meter=meter,
        )
    ]
    arguments: dict[str, Any] = {
        "rate_bps": sku.aggregate_throughput_bps,
        "buffer_s": gateway.limits.buffer,
        "meter": meter,
    }
    limits = _flow_limits(hop.partition(".")[0], draft)
    if gateway.limits.direction == "shared":
        shared = draft.server(hop, FORWARD, [*ceilings, *limits.values()], **arguments)
        return {FORWARD: shared, RETURN: shared}
    return {
        direction: draft.server(hop, direction, [*ceilings, limits[direction]], **arguments)
        for direction in DIRECTIONS
    }


def _flow_limits(gateway: str, draft: Draft) -> dict[Direction, Ceiling]:
    """The published limit of concurrent flows, into and out of a gateway."""
    rows = draft.catalog.table("limits").where(applies_to="vpn gateway", unit="flows")
    published = [draft.catalog.limit(row.text("id")) for row in rows]
    words: Mapping[Direction, str] = {FORWARD: "inbound", RETURN: "outbound"}
    limits = {}
    for direction, word in words.items():
        limit = next(limit for limit in published if word in limit.name)
        label = f"concurrent flows {gateway}, {word}"
        limits[direction] = Ceiling(
            CeilingKind.GATEWAY, label, limit.cite(), flows_count=limit.value
        )
    return limits


def _latency(instance: str, sku: str, draft: Draft) -> dict[Direction, int]:
    """Latency of one traversal beside queueing: one log-normal value for each interval."""
    found = draft.catalog.gateway_latency(sku)
    table = lognormal_table(found.median_s, found.sigma)
    interval_s = draft.catalog.default("path.jitter_interval").value
    return {
        direction: draft.path(
            f"{instance}.latency",
            direction,
            delay_s=0.0,
            jitter_quantiles_s=table,
            jitter_interval_s=interval_s,
        )
        for direction in DIRECTIONS
    }


def _published(instance: str, name: str, gateway: VpnGateway, draft: Draft) -> GatewayInstance:
    return GatewayInstance(
        name=instance,
        gateway=name,
        vnet=gateway.vnet,
        sku=gateway.sku,
        generation=gateway.generation,
        direction=gateway.limits.direction,
        meter=gateway.limits.meter,
        buffer_s=gateway.limits.buffer,
        latency_s_p50=draft.catalog.gateway_latency(gateway.sku).median_s,
        idle_teardown_s=(
            draft.catalog.timer("T014").value if gateway.vpn_type == "policy-based" else None
        ),
    )


def _place_in_zones(spec: GatewaySpec, gateway: VpnGateway, draft: Draft) -> None:
    """Note which VMs go dark with a zone: they stand in the gateway's zones in turn."""
    for number, vm in enumerate(spec.vms if gateway.zones else ()):
        zone = gateway.zones[number % len(gateway.zones)]
        draft.in_zones[(gateway.vnet, zone)].append(fault_state(vm))


def draw(name: str, gateway: VpnGateway, sketch: Sketch, draft: Draft) -> None:
    """Draw the gateway with its instances; those that stand by are dashed."""
    sku = draft.catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
    ending = [instance.name for instance in draft.instances[name]]
    rate = format_rate(sku.aggregate_throughput_bps)
    rows = [Row(instance, f"{instance.rpartition('.')[2]}: {rate}") for instance in ending]
    for number in range(len(ending), gateway.instances):
        rows.append(Row(f"{name}.instance-{number}", f"instance-{number}", is_standby=True))
    sketch.add_box(Box(name, name, "gateway", Column.GATEWAY, tuple(rows), f"VPN, {sku.name}"))
    sketch.add_edge(Edge(name, gateway.vnet, "inside"))
