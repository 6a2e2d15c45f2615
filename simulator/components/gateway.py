"""VPN gateway: two instances in the GatewaySubnet of a VNet that end IPsec tunnels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import (
    WHOLE,
    AsNumber,
    CatalogueName,
    FrozenDict,
    Name,
    Named,
    PositiveDuration,
    Prefix,
    Quantity,
    Sequenced,
    catalogued,
)
from simulator.base.maintenance import MaintenanceWindow
from simulator.base.quantiles import lognormal_table
from simulator.base.units import DURATION, format_rate
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
    TunnelNote,
    drawn,
)
from simulator.ipsec.nat import NatRuleSchema, nat_rule
from simulator.plan import FORWARD, RETURN, Direction
from simulator.recorder import Detection
from simulator.sketch import Box, Column, Edge, Row, Sketch
from simulator.states import (
    DOWN,
    DRAINED,
    FAILED,
    MOVING,
    PLANNED,
    RESTARTING,
    TAKEN_OVER,
    UP,
    WORKING,
    ZONE_LOST,
    fault_state,
    platform_state,
    state_of,
    tell,
)

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
    nat: Named[NatRuleSchema] = Field(
        default_factory=lambda: FrozenDict[NatRuleSchema](),
        description="NAT rules by name; connections list those that they use",
    )
    limits: Limits = Field(default_factory=Limits, description="how published limits are read")
    failover: Failover = Field(
        default_factory=Failover, description="how a failover goes, where sources disagree"
    )
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
    draft.vms[name] = tuple(f"{name}.instance-{number}" for number in range(gateway.instances))
    draft.nat_rules[name] = {
        rule_name: nat_rule(rule_name, rule, f"{name}.instance-{rule.instance}")
        for rule_name, rule in gateway.nat.items()
    }
    if gateway.default_site is not None:
        draft.default_sites[name] = gateway.default_site
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
    zone_switch: Default
    tunnels: Sequence[TunnelNote]
    """Of all gateways; filled in before the run."""
    is_lone_taken_over: bool
    """Whether another instance takes over the only tunnel of a connection with static routing."""

    def ends_lone_static_tunnels_only(self, vm: str) -> bool:
        """Whether all tunnels of an instance are the only ones of connections without BGP."""
        here = [tunnel for tunnel in self.tunnels if tunnel.instance == vm]
        counts = Counter(tunnel.connection for tunnel in self.tunnels)
        return bool(here) and all(
            tunnel.routing == "static" and counts[tunnel.connection] == 1 for tunnel in here
        )


def process(world: World, spec: GatewaySpec) -> Generator[Any, Any, None]:
    """Answer the faults of the gateway's VMs; faults tell the state `<vm> fault`.

    The state `<gateway> fault` is that of a reset or resize: it strikes whichever VM works.
    """
    machine = (_ActiveActive if spec.is_active_active else _ActiveStandby)(world, spec)
    faults = {fault_state(vm): vm for vm in (*spec.vms, spec.name)}
    known = dict.fromkeys(faults, UP)
    while True:
        fired = yield world.env.any_of([world.signal(fault).wait() for fault in faults])
        event_id = max(fired.values())
        for fault, vm in faults.items():
            state = state_of(world, fault)
            if state != known[fault]:
                known[fault] = state
                if vm == spec.name:
                    machine.restarted(state != UP, event_id)
                else:
                    machine.vm_changed(vm, state, event_id)


class _ActiveActive:
    """Every instance ends its own tunnels; the platform's side moves flows to those left."""

    def __init__(self, world: World, spec: GatewaySpec) -> None:
        self._world = world
        self._spec = spec
        self._switches = {vm: world.timer(partial(self._switch_over, vm)) for vm in spec.vms}
        self._take_overs = {vm: world.timer(partial(self._take_over, vm)) for vm in spec.vms}
        self._causes = dict.fromkeys(spec.vms, 0)
        self._reasons: dict[str, dict[str, str]] = {vm: {} for vm in spec.vms}
        """Why each VM does not work: state by what struck."""
        self._failures_count = 0

    def restarted(self, is_restarting: bool, event_id: int) -> None:
        """A reset reboots the first instance that works; its published time holds all."""
        self._change(self._spec.vms[0], "restart", RESTARTING if is_restarting else UP, event_id)

    def vm_changed(self, vm: str, state: str, event_id: int) -> None:
        """An instance failed, is maintained, or works again."""
        self._change(vm, "fault", state, event_id)

    def _change(self, vm: str, what: str, state: str, event_id: int) -> None:
        reasons = self._reasons[vm]
        had_reasons = bool(reasons)
        self._causes[vm] = event_id
        if state == UP:
            was_restarting = reasons.pop(what) == RESTARTING
            if not reasons:
                self._return(vm, TAKEN_OVER if was_restarting else UP, event_id)
            return
        reasons[what] = state
        if self._is_taken_over(vm, state):
            if not had_reasons:
                self._lone_tunnels_move(vm, state)
        elif had_reasons:
            tell(self._world, vm, _host_state(state), event_id)
        else:
            self._leave(vm, state, event_id)

    def _leave(self, vm: str, state: str, event_id: int) -> None:
        self._world.link_down(self._spec.own_hops[vm], event_id)
        tell(self._world, vm, _host_state(state), event_id)
        self._switches[vm].restart(self._drawn(vm, self._spec.switch_over, "switch-over"))

    def _return(self, vm: str, state: str, event_id: int) -> None:
        self._switches[vm].stop()
        self._take_overs[vm].stop()
        if state_of(self._world, vm) in WORKING:
            return  # another instance has its tunnels
        self._world.link_up(self._spec.own_hops[vm], event_id)
        tell(self._world, vm, state, event_id)
        tell(self._world, platform_state(vm), UP, event_id)

    def _switch_over(self, vm: str) -> None:
        detail = "the platform's side uses the other instances"
        fact = Detection(self._spec.switch_over.id, "gateway")
        event_id = self._world.event("switch-over", vm, self._causes[vm], detail, fact)
        tell(self._world, platform_state(vm), DOWN, event_id)

    # ---- the only tunnel of a connection: the reading `take-over` --------------------------------

    def _is_taken_over(self, vm: str, state: str) -> bool:
        spec = self._spec
        return (
            spec.is_lone_taken_over
            and state != RESTARTING
            and spec.ends_lone_static_tunnels_only(vm)
        )

    def _lone_tunnels_move(self, vm: str, state: str) -> None:
        """Smooth when it is planned; else the published time of a take-over."""
        if state in PLANNED:
            self._take_over(vm)
            return
        self._world.link_down(self._spec.own_hops[vm], self._causes[vm])
        tell(self._world, vm, FAILED, self._causes[vm])
        self._take_overs[vm].restart(self._drawn(vm, self._spec.take_over, "take-over"))

    def _take_over(self, vm: str) -> None:
        detail = "another instance works in its place"
        event_id = self._world.event("take-over", vm, self._causes[vm], detail)
        if state_of(self._world, vm) not in WORKING:
            self._world.link_up(self._spec.own_hops[vm], event_id)
            tell(self._world, vm, TAKEN_OVER, event_id)

    def _drawn(self, vm: str, duration: Default, name: str) -> float:
        share = self._world.uniform(vm, name, counter=self._failures_count)
        self._failures_count += 1
        return drawn(duration, share)


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
        self._is_out = False
        self._is_planned = False
        self._is_restarting = False
        self._failures_count = 0

    def restarted(self, is_restarting: bool, event_id: int) -> None:
        """A reset or resize: its published time holds the new SAs."""
        self._is_restarting = is_restarting
        if is_restarting:
            self._go_out(FAILED, event_id)
        elif self._active not in self._broken:
            self._serve(self._active, TAKEN_OVER, event_id)

    def vm_changed(self, vm: str, state: str, event_id: int) -> None:
        """A VM failed, is maintained, or works again."""
        if state == UP:
            self._broken.discard(vm)
            if vm == self._active:
                self._timer.stop()
                self._serve(vm, UP, event_id)
            elif self._active in self._broken and not self._timer.is_running:
                self._begin_take_over(self._spec.take_over, event_id)
            return
        self._broken.add(vm)
        if vm == self._active:
            self._is_planned = state in PLANNED
            self._go_out(MOVING if self._is_planned else FAILED, event_id)
            self._begin_take_over(self._duration(state), event_id)

    def _duration(self, state: str) -> Default:
        if state in PLANNED:
            return self._spec.take_over_planned
        return self._spec.zone_switch if state == ZONE_LOST else self._spec.take_over

    def _go_out(self, state: str, event_id: int) -> None:
        if not self._is_out:
            self._is_out = True
            self._world.link_down(self._spec.own_hops[self._role], event_id)
        if state_of(self._world, self._role) != FAILED:
            tell(self._world, self._role, state, event_id)

    def _begin_take_over(self, duration: Default, event_id: int) -> None:
        self._cause = event_id
        share = self._world.uniform(self._spec.name, "take-over", counter=self._failures_count)
        self._failures_count += 1
        self._timer.restart(drawn(duration, share))

    def _take_over(self) -> None:
        """The standby is ready, if there is one; else the next VM that works again will be."""
        standby = next((vm for vm in self._spec.vms if vm not in self._broken), None)
        if standby is not None:
            is_smooth = state_of(self._world, self._role) == MOVING
            detail = f"{standby} works in its place"
            event_id = self._world.event("take-over", self._role, self._cause, detail)
            self._serve(standby, UP if is_smooth else TAKEN_OVER, event_id)

    def _serve(self, vm: str, state: str, event_id: int) -> None:
        self._active = vm
        if self._is_restarting or not self._is_out:
            return
        self._is_out = False
        self._world.link_up(self._spec.own_hops[self._role], event_id)
        tell(self._world, self._role, state, event_id)


def _host_state(state: str) -> str:
    """What a VM that stops is for the tunnels that it ends."""
    return DRAINED if state == DRAINED else FAILED


def _place_in_zones(spec: GatewaySpec, gateway: VpnGateway, draft: Draft) -> None:
    """Note which VMs go dark with a zone: they stand in the gateway's zones in turn."""
    for number, vm in enumerate(spec.vms if gateway.zones else ()):
        zone = gateway.zones[number % len(gateway.zones)]
        draft.in_zones[(gateway.vnet, zone)].append(fault_state(vm))
