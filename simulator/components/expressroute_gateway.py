"""ExpressRoute gateway: what packets from on-premises pass on their way into a VNet.

Packets from the VNet leave past it: the hosts of the platform send them straight to the edge
routers. So its published figures limit one direction alone.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import CatalogueName, Name, PositiveDuration, catalogued
from simulator.base.maintenance import MaintenanceWindow
from simulator.base.sections import GATEWAYS
from simulator.base.units import format_rate
from simulator.catalog import Default, ExpressRouteGatewaySku
from simulator.draft import (
    Ceiling,
    CeilingKind,
    Draft,
    PacketLimit,
    Pass,
    Passes,
    Stage,
    Wrap,
    drawn,
)
from simulator.expressroute.parts import ExpressRouteGateway
from simulator.plan import FORWARD, RETURN, Meter
from simulator.recorder import NO_CAUSE, Detection
from simulator.sessions.messages import Draws
from simulator.states import DOWN, FAILED, UP, fault_state, platform_state, tell, works

if TYPE_CHECKING:
    from simulator.world import World
from simulator.sketch import Box, Column, Edge, Sketch

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
    public_ip: Literal["standard", "basic"] = Field(
        default="standard", description="kind of its public address"
    )
    resized_from: Annotated[str, CatalogueName("expressroute-gateway-skus")] | None = Field(
        default=None, description="SKU from which the running gateway is resized to this one"
    )
    maintenance_window: MaintenanceWindow | None = Field(
        default=None, description="daily window of customer-controlled maintenance"
    )
    buffer: PositiveDuration = catalogued(
        "gateway.limits.buffer", "time that a full buffer holds, then tail drop"
    )


Schema = ExpressRouteGatewaySchema

SECTION = GATEWAYS
STAGE = Stage.GATEWAYS

REFERS = {"vnet": "vnets"}


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
    too_many_vms = draft.stopped("gateways").get(name, "")
    limits, loss_ratio = _loss_above_vms(name, draft) if too_many_vms else ((), 0.0)
    latency = draft.path(
        f"{name}.latency", FORWARD, limits, delay_s=latency_s, loss_ratio=loss_ratio
    )
    if too_many_vms:
        draft.process(f"VMs behind {name}", partial(_tell_vms, name=name, why=too_many_vms))
    passes = (Pass(server, _largest(fit_bytes)), Pass(latency))
    count = int(draft.catalog.default("gateway.instances").value)
    instances = tuple(f"{name}.instance-{number}" for number in range(count))
    draft.vms[name] = instances
    spec = InstancesSpec(
        instances=instances,
        server=server,
        rate_bps=sku.bandwidth_bps,
        packets_per_s=sku.packets_per_s,
        switch_over=draft.catalog.default("gateway.switch_over"),
    )
    draft.process(f"gateway {name}", partial(process, spec=spec))
    draft.published(ExpressRouteGateway)[name] = ExpressRouteGateway(
        name=name,
        vnet=gateway.vnet,
        passes=passes,
        instances=instances,
        limit=PacketLimit(
            fit_bytes=fit_bytes,
            mss_clamp_bytes=None,
            is_told=draft.catalog.default("expressroute.packet_too_big").word == "delivered",
            cuts_df=False,
        ),
        private=partial(_private, name, gateway, sku, passes, draft),
    )


def _loss_above_vms(name: str, draft: Draft) -> tuple[tuple[Ceiling, ...], float]:
    """What a gateway with more VMs behind it than its SKU supports loses (rule R143)."""
    loss = draft.catalog.default("expressroute.loss_above_vms")
    label = f"ExpressRoute gateway {name} with too many VMs, random loss {loss.value:.2%}"
    return (Ceiling(CeilingKind.GATEWAY, label, loss.cite(), loss_ratio=loss.value),), loss.value


def _tell_vms(world: World, name: str, why: str) -> Generator[Any, Any, None]:
    yield world.wait(0.0)
    world.event("too-many-vms", name, 0, why)


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


def draw(name: str, gateway: ExpressRouteGatewaySchema, sketch: Sketch, draft: Draft) -> None:
    """Draw the gateway with what it takes from on-premises."""
    sku = draft.catalog.expressroute_gateway_sku(gateway.sku, gateway.scale_units)
    note = f"ExpressRoute, {sku.name}, {format_rate(sku.bandwidth_bps)} in"
    sketch.add_box(Box(name, name, "gateway", Column.GATEWAY, note=note))
    sketch.add_edge(Edge(name, gateway.vnet, "inside"))


# ---------------------------------------------------------------------------------------------
# In the run
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InstancesSpec:
    """The instances of a gateway for its control process."""

    instances: tuple[str, ...]
    server: int
    """The hop of the gateway's throughput, to which each instance adds its share."""
    rate_bps: float
    packets_per_s: float
    switch_over: Default


def process(world: World, spec: InstancesSpec) -> Generator[Any, Any, None]:
    """Answer the faults of the instances; faults tell the state `<instance> fault`.

    What an instance that is gone carries is lost until the platform has noticed; then the others
    carry it, with what they are able to. Planned maintenance drops the flows of an instance too.
    """
    causes = dict.fromkeys(spec.instances, NO_CAUSE)
    draws = Draws(world, spec.instances[0], "switch-over")

    def switch_over(instance: str) -> None:
        fact = Detection(spec.switch_over.id, "gateway")
        detail = "the platform's side uses the other instances"
        event_id = world.event("switch-over", instance, causes[instance], detail, fact)
        tell(world, platform_state(instance), DOWN, event_id)

    timers = {i: world.timer(partial(switch_over, i)) for i in spec.instances}
    while True:
        waits = {i: world.signal(fault_state(i)).wait() for i in spec.instances}
        fired = yield world.env.any_of(list(waits.values()))
        for instance in (i for i, wait in waits.items() if wait in fired):
            causes[instance] = int(waits[instance].value or NO_CAUSE)
            timers[instance].stop()
            is_back = works(world, fault_state(instance))
            if is_back:
                tell(world, platform_state(instance), UP, causes[instance])
            else:
                timers[instance].restart(drawn(spec.switch_over, draws()))
            tell(world, instance, UP if is_back else FAILED, causes[instance])
            _share_capacity(world, spec, causes[instance])


def _share_capacity(world: World, spec: InstancesSpec, cause: int) -> None:
    """What is left of the throughput; the last instance's share stays, nothing reaches it."""
    left_count = max(1, sum(works(world, instance) for instance in spec.instances))
    share = left_count / len(spec.instances)
    world.set_capacity(
        spec.server,
        rate_bps=share * spec.rate_bps,
        packets_per_s=share * spec.packets_per_s,
        cause_event_id=cause,
    )
