"""VPN gateway: two instances in the GatewaySubnet of a VNet that end IPsec tunnels."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import (
    WHOLE,
    AsNumber,
    CatalogueName,
    Name,
    PositiveDuration,
    Prefix,
    Quantity,
    Sequenced,
    catalogued,
)
from simulator.base.quantiles import lognormal_table
from simulator.base.units import DURATION
from simulator.catalog import Default
from simulator.draft import (
    DIRECTIONS,
    Ceiling,
    CeilingKind,
    Draft,
    GatewayInstance,
    Link,
    P2sGateway,
    Pass,
    Point,
    Stage,
    drawn,
)
from simulator.plan import FORWARD, RETURN, Direction
from simulator.recorder import Detection
from simulator.states import DOWN, FAILED, MOVING, TAKEN_OVER, UP, state_of, tell

if TYPE_CHECKING:
    from simulator.world import World


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


class P2sAuth(fields.Schema):
    """How point-to-site clients prove who they are."""

    kind: Literal["certificate", "radius"] = catalogued(
        "gateway.p2s.auth.kind", "by certificate, or by a RADIUS server"
    )
    server: Name | None = Field(
        default=None, description="site or VNet where the RADIUS server stands"
    )
    time: Annotated[float, Quantity(DURATION, "0 s", "30 s", row="gateway.p2s.auth.time")] = (
        catalogued(
            "gateway.p2s.auth.time",
            "time to authenticate a client, beside the round trips of its protocol",
        )
    )

    @model_validator(mode="after")
    def _server_of_radius(self) -> P2sAuth:
        if self.server is not None and self.kind != "radius":
            fields.refuse("certificates need no server", "remove server, or write kind: radius")
        return self


class P2s(fields.Schema):
    """What a gateway offers to point-to-site clients."""

    address_pools: Sequenced[Prefix] = Field(
        min_length=1, description="ranges from which clients get their addresses"
    )
    protocols: Sequenced[Annotated[str, CatalogueName("p2s-protocols")]] = Field(
        min_length=1, description="protocols that clients may use"
    )
    auth: P2sAuth = Field(default_factory=P2sAuth, description="how clients prove who they are")


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
    bgp: GatewayBgp = Field(
        default_factory=GatewayBgp, description="BGP speaker, used by connections with routing: bgp"
    )
    limits: Limits = Field(default_factory=Limits, description="how published limits are read")
    p2s: P2s | None = Field(default=None, description="point-to-site clients; none by default")


Schema = VpnGateway

STAGE = Stage.GATEWAYS


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
    if gateway.p2s is not None:
        draft.p2s[name] = P2sGateway(
            address_pools=gateway.p2s.address_pools,
            protocols=gateway.p2s.protocols,
            radius_at=gateway.p2s.auth.server or "",
            auth_s=gateway.p2s.auth.time,
        )
    default = draft.catalog.default
    spec = GatewaySpec(
        name=name,
        is_active_active=gateway.mode == "active-active",
        vms=tuple(f"{name}.instance-{number}" for number in range(gateway.instances)),
        own_hops=own_hops,
        take_over=default("gateway.take_over"),
        take_over_planned=default("gateway.take_over_planned"),
        switch_over=default("gateway.switch_over"),
    )
    draft.process(f"gateway {name}", partial(process, spec=spec))


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


# ---------------------------------------------------------------------------------------------
# In the run
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GatewaySpec:
    """A gateway for its control process."""

    name: str
    is_active_active: bool
    vms: tuple[str, ...]
    own_hops: Mapping[str, tuple[int, ...]]
    """The hops that stop with an instance, by instance; only instances that end tunnels."""
    take_over: Default
    take_over_planned: Default
    switch_over: Default


def process(world: World, spec: GatewaySpec) -> Generator[Any, Any, None]:
    """Answer the faults of the gateway's VMs; faults tell the state `<vm> fault`."""
    machine = (_ActiveActive if spec.is_active_active else _ActiveStandby)(world, spec)
    faults = [f"{vm} fault" for vm in spec.vms]
    known = dict.fromkeys(faults, UP)
    while True:
        fired = yield world.env.any_of([world.signal(fault).wait() for fault in faults])
        event_id = max(fired.values())
        for vm, fault in zip(spec.vms, faults, strict=True):
            state = state_of(world, fault)
            if state != known[fault]:
                known[fault] = state
                machine.vm_changed(vm, state, event_id)


class _ActiveActive:
    """Every instance ends its own tunnels; the platform's side moves flows to those left."""

    def __init__(self, world: World, spec: GatewaySpec) -> None:
        self._world = world
        self._spec = spec
        self._timers = {vm: world.timer(partial(self._switch_over, vm)) for vm in spec.vms}
        self._causes = dict.fromkeys(spec.vms, 0)
        self._failures_count = 0

    def vm_changed(self, vm: str, state: str, event_id: int) -> None:
        """An instance failed, is maintained, or works again."""
        hops = self._spec.own_hops[vm]
        self._causes[vm] = event_id
        if state == UP:
            self._timers[vm].stop()
            self._world.link_up(hops, event_id)
            tell(self._world, vm, UP, event_id)
            tell(self._world, _platform(vm), UP, event_id)
            return
        self._world.link_down(hops, event_id)
        tell(self._world, vm, FAILED, event_id)
        share = self._world.uniform(vm, "switch-over", counter=self._failures_count)
        self._failures_count += 1
        self._timers[vm].restart(drawn(self._spec.switch_over, share))

    def _switch_over(self, vm: str) -> None:
        detail = "the platform's side uses the other instances"
        fact = Detection(self._spec.switch_over.id, "gateway")
        event_id = self._world.event("switch-over", vm, self._causes[vm], detail, fact)
        tell(self._world, _platform(vm), DOWN, event_id)


class _ActiveStandby:
    """One VM ends all tunnels under the name of the first; another takes over."""

    def __init__(self, world: World, spec: GatewaySpec) -> None:
        self._world = world
        self._spec = spec
        (self._role,) = spec.own_hops
        self._active = spec.vms[0]
        self._broken: set[str] = set()
        self._timer = world.timer(self._take_over)
        self._cause = 0
        self._failures_count = 0

    def vm_changed(self, vm: str, state: str, event_id: int) -> None:
        """A VM failed, is maintained, or works again."""
        if state == UP:
            self._broken.discard(vm)
            if vm == self._active:
                self._timer.stop()
                self._serve(vm, UP, event_id)
            elif self._active in self._broken:
                self._begin_take_over(is_planned=False, event_id=event_id)
            return
        self._broken.add(vm)
        if vm == self._active:
            is_planned = state == MOVING
            self._world.link_down(self._spec.own_hops[self._role], event_id)
            tell(self._world, self._role, MOVING if is_planned else FAILED, event_id)
            self._begin_take_over(is_planned=is_planned, event_id=event_id)

    def _begin_take_over(self, *, is_planned: bool, event_id: int) -> None:
        self._cause = event_id
        share = self._world.uniform(self._spec.name, "take-over", counter=self._failures_count)
        self._failures_count += 1
        duration = self._spec.take_over_planned if is_planned else self._spec.take_over
        self._timer.restart(drawn(duration, share))

    def _take_over(self) -> None:
        """The standby is ready, if there is one; else the next VM that works again will be."""
        standby = next((vm for vm in self._spec.vms if vm not in self._broken), None)
        if standby is not None:
            is_planned = state_of(self._world, self._role) == MOVING
            detail = f"{standby} works in its place"
            event_id = self._world.event("take-over", self._role, self._cause, detail)
            self._serve(standby, UP if is_planned else TAKEN_OVER, event_id)

    def _serve(self, vm: str, state: str, event_id: int) -> None:
        self._active = vm
        self._world.link_up(self._spec.own_hops[self._role], event_id)
        tell(self._world, self._role, state, event_id)


def _platform(instance: str) -> str:
    """Name of the state that says whether the platform's side still routes to an instance."""
    return f"{instance}@platform"
