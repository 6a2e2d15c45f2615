"""Site: a place on the customer's side, with its internet access and VPN devices."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import (
    Address,
    AsNumber,
    CatalogueName,
    Delay,
    FrozenDict,
    Name,
    Named,
    PositiveDuration,
    Prefix,
    Rate,
    Ratio,
    Sequenced,
    catalogued,
)
from simulator.base.location import Location
from simulator.base.sections import Section
from simulator.catalog import Default
from simulator.draft import (
    DIRECTIONS,
    SCENARIO,
    AccessLine,
    Ceiling,
    CeilingKind,
    CustomerEdge,
    Draft,
    Link,
    Pass,
    Passes,
    Place,
    Point,
    Spot,
    Stage,
    VpnDevice,
    drawn,
)
from simulator.plan import FORWARD, RETURN
from simulator.recorder import Detection
from simulator.sketch import Box, Column, Row, Sketch, rates
from simulator.states import DOWN, DRAINED, UP, first_hop_state, state_of, tell, works

if TYPE_CHECKING:
    from simulator.world import World

#: Protocol of first-hop redundancy -> timer of the catalogue after which it leaves a device.
FIRST_HOP_TIMERS: Final = {"vrrp": "T101", "hsrp": "T102", "ospf": "T103"}


class Lan(fields.Schema):
    """The local network between the hosts of a site and its devices."""

    rate: Rate = catalogued("site.lan.rate", "rate in each direction")
    delay: Delay = catalogued("site.lan.delay", "propagation delay, one way")


class Internet(fields.Schema):
    """One provider's access line of a site."""

    down: Rate = Field(description="rate towards the site, of bytes on the wire")
    up: Rate = Field(description="rate from the site, of bytes on the wire")
    delay: Delay = catalogued(
        "site.internet.delay",
        "delay of the access line, one way, beyond the distance to the region",
    )
    jitter: Delay = catalogued(
        "site.internet.jitter", "typical extra delay (p95 of one direction), kept in order"
    )
    loss: Ratio = catalogued("site.internet.loss", "random loss of packets in each direction")
    buffer: PositiveDuration = catalogued(
        "site.internet.buffer", "time that a full buffer of the line holds, then tail drop"
    )


class DeviceBgp(fields.Schema):
    """BGP speaker of an on-premises device."""

    asn: AsNumber = Field(description="autonomous system of the site")
    peer_ip: Address | None = Field(
        default=None,
        description="address of the BGP speaker inside the tunnel; BGP over IPsec needs it",
    )
    keepalive: PositiveDuration = catalogued("bgp.keepalive", "time between keepalives")
    hold: PositiveDuration = catalogued("bgp.hold", "BGP hold time that the device offers")
    connect_retry: PositiveDuration = catalogued(
        "bgp.connect_retry", "time between attempts to open the session"
    )
    advertise: Sequenced[Prefix] | None = Field(
        default=None, description="prefixes to announce; the site's address space by default"
    )
    prepend: int = Field(
        default=0, ge=0, le=16, description="own AS numbers added in front of the AS path"
    )
    local_preference: Named[Annotated[int, Field(ge=0, le=4_294_967_295)]] = Field(
        default_factory=lambda: FrozenDict[int](),
        description="preference of the routes heard over a connection, by its name; higher wins",
    )


class Device(fields.Schema):
    """On-premises VPN device."""

    model: Annotated[str, CatalogueName("devices")] = catalogued(
        "site.device.model", "class of device; says what it encrypts per second"
    )
    public_ip: Address | None = Field(
        default=None,
        description="public address of the device, or of the NAT before it; a device without one "
        "builds no tunnels",
    )
    internet: Name | None = Field(
        default=None,
        description="provider that the device uses; may be left out if there is one",
        json_schema_extra={"x-derived": "the site's only provider"},
    )
    behind_nat: bool = Field(
        default=False, description="behind NAT: ESP in UDP, and the gateway cannot initiate"
    )
    stateful: bool = Field(
        default=False,
        description="firewall that drops packets of flows whose first packet it did not see",
    )
    state_sync: bool = Field(
        default=False, description="shares the state of flows with the other devices of the site"
    )
    bgp: DeviceBgp | None = Field(default=None, description="BGP speaker of the device")


class LanFailover(fields.Schema):
    """First-hop redundancy of a site: how its hosts leave a device that is gone."""

    protocol: Literal["vrrp", "hsrp", "ospf"] = catalogued(
        "site.lan_failover.protocol", "protocol between the devices and the site's hosts or routers"
    )
    dead: PositiveDuration | None = Field(
        default=None,
        description="time after which a silent device is left; that of the protocol by default",
        json_schema_extra={"x-derived": "dead or hold time of the protocol"},
    )
    preempt: bool = catalogued(
        "site.lan_failover.preempt", "whether a device that is back takes its flows back at once"
    )


class Site(fields.Schema):
    """A place on the customer's side."""

    location: Location = Field(description="where the site lies")
    address_space: Sequenced[Prefix] = Field(
        min_length=1, description="prefixes of the site's network"
    )
    lan: Lan | None = Field(
        default=None, description="local network; without it the LAN adds neither delay nor limit"
    )
    internet: Named[Internet] = Field(
        default_factory=lambda: FrozenDict[Internet](),
        description="access lines to the internet by provider name; devices may share one",
    )
    devices: Named[Device] = Field(
        default_factory=lambda: FrozenDict[Device](),
        description="VPN devices and customer edges by name",
    )
    lan_failover: LanFailover = Field(
        default_factory=LanFailover, description="how hosts leave a device that is gone"
    )


Schema = Site

SECTION = Section("sites", "site", "customer's sites by name", has_places=True)
STAGE = Stage.PLACES


def plan_rows(name: str, site: Site, draft: Draft) -> None:
    """Add the site: its LAN, an up-link and a down-link for each access line, its devices."""
    draft.add_point(Place(name, _lan(name, site.lan, draft), prefixes=site.address_space))
    lines = {
        provider: _line(name, site.location, provider, line, draft)
        for provider, line in site.internet.items()
    }
    location = site.location
    draft.spots[name] = Spot(location.near, location.latitude or 0.0, location.longitude or 0.0)
    draft.devices[name] = {}
    draft.edges[name] = {}
    for device_name, device in site.devices.items():
        point = f"{name}.{device_name}"
        keeps_state = device.stateful and not device.state_sync
        draft.add_point(Point(point, {FORWARD: (), RETURN: ()}, keeps_state=keeps_state))
        draft.add_link(Link(point, name, point, {FORWARD: (), RETURN: ()}))
        edge = _edge(name, point, device, site)
        draft.edges[name][device_name] = edge
        if device.public_ip is None:
            continue
        draft.devices[name][device_name] = VpnDevice(
            name=point,
            site=name,
            model=device.model,
            line=lines[device.internet or next(iter(lines))],
            behind_nat=device.behind_nat,
            announces=edge.announces,
            prepends_count=edge.prepends_count,
            local_preference=edge.local_preference,
        )
    if site.devices:
        spec = _first_hops(name, site, draft)
        draft.process(f"first hops of {name}", partial(process, spec=spec))


def _first_hops(name: str, site: Site, draft: Draft) -> FirstHops:
    default, protocol = draft.catalog.default, site.lan_failover.protocol
    dead = default(f"site.lan_failover.{protocol}.dead")
    return FirstHops(
        devices=tuple(f"{name}.{device}" for device in site.devices),
        dead_s=site.lan_failover.dead or dead.value,
        timer=FIRST_HOP_TIMERS[protocol],
        notice_s=default(f"site.lan_failover.{protocol}.notice").value,
        settling=default(f"site.lan_failover.{protocol}.settling"),
        preempts=site.lan_failover.preempt,
    )


def _edge(name: str, point: str, device: Device, site: Site) -> CustomerEdge:
    return CustomerEdge(
        name=point,
        site=name,
        announces=(device.bgp and device.bgp.advertise) or site.address_space,
        prepends_count=0 if device.bgp is None else device.bgp.prepend,
        local_preference={} if device.bgp is None else device.bgp.local_preference,
        connect_retry_s=None if device.bgp is None else device.bgp.connect_retry,
        keepalive_s=0.0 if device.bgp is None else device.bgp.keepalive,
        hold_s=0.0 if device.bgp is None else device.bgp.hold,
    )


def _lan(name: str, lan: Lan | None, draft: Draft) -> Passes:
    """The LAN in each direction; one that is not described adds neither delay nor limit."""
    hop = f"{name}.lan"
    if lan is None:
        return {d: (Pass(draft.path(hop, d, delay_s=0.0)),) for d in DIRECTIONS}
    ceiling = Ceiling(CeilingKind.SITE, f"site LAN {hop}", SCENARIO, rate_bps=lan.rate)
    servers = draft.servers(
        hop,
        is_shared=False,
        ceilings=[ceiling],
        rate_bps=lan.rate,
        delay_s=lan.delay,
        buffer_s=draft.catalog.default("site.lan.buffer").value,
    )
    return {direction: (Pass(hop_idx),) for direction, hop_idx in servers.items()}


def _line(site: str, location: Location, provider: str, line: Internet, draft: Draft) -> AccessLine:
    name = f"{site}.{provider}"
    up = draft.server(
        f"{name}.up",
        FORWARD,
        [Ceiling(CeilingKind.ACCESS, f"site up-link {name}", SCENARIO, rate_bps=line.up)],
        rate_bps=line.up,
        buffer_s=line.buffer,
    )
    down = draft.server(
        f"{name}.down",
        RETURN,
        [Ceiling(CeilingKind.ACCESS, f"site down-link {name}", SCENARIO, rate_bps=line.down)],
        rate_bps=line.down,
        buffer_s=line.buffer,
    )
    access = AccessLine(
        name=name,
        site=site,
        provider=provider,
        up=up,
        down=down,
        delay_s=line.delay,
        jitter_s_p95=line.jitter,
        loss_ratio=line.loss,
        near=location.near,
        latitude_deg=location.latitude or 0.0,
        longitude_deg=location.longitude or 0.0,
    )
    draft.lines[name] = access
    return access


def draw(name: str, site: Site, sketch: Sketch, draft: Draft) -> None:
    """Draw the site with its devices and their access lines."""
    rows = []
    for device_name, device in site.devices.items():
        text = device_name
        provider = device.internet or next(iter(site.internet), None)
        if device.public_ip is not None and provider is not None:
            line = site.internet[provider]
            text = f"{device_name}: {provider} {rates(line.down, line.up)}"
        rows.append(Row(f"{name}.{device_name}", text))
    note = ", ".join(str(prefix) for prefix in site.address_space[:2])
    sketch.add_box(Box(name, name, "site", Column.CUSTOMER, tuple(rows), note))


# ---------------------------------------------------------------------------------------------
# In the run
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FirstHops:
    """The devices of a site as first hops of its hosts."""

    devices: tuple[str, ...]
    dead_s: float
    """Silence after which a device is left."""
    timer: str
    """Row of the catalogue that this time comes from."""
    notice_s: float
    """Time until a device that says it leaves is left."""
    settling: Default
    """What the site's routers compute after either."""
    preempts: bool


def process(world: World, spec: FirstHops) -> Generator[Any, Any, None]:
    """Tell `<device>@site`: whether the site's hosts send to a device."""
    hosts = _Hosts(world, spec)
    while True:
        waits = {device: world.signal(device).wait() for device in spec.devices}
        fired = yield world.env.any_of(list(waits.values()))
        cause = max(fired.values())
        for device, wait in waits.items():
            if wait in fired:
                hosts.device_changed(device, cause)


class _Hosts:
    """Which devices the hosts of a site use."""

    def __init__(self, world: World, spec: FirstHops) -> None:
        self._world = world
        self._spec = spec
        self._timers = {d: world.timer(partial(self._leave, d)) for d in spec.devices}
        self._causes = dict.fromkeys(spec.devices, 0)
        self._standing_by: list[str] = []
        """Devices that are back, and wait until another one is gone."""
        self._switches_count = 0

    def device_changed(self, device: str, cause: int) -> None:
        """A device is gone, with or without notice, or back."""
        world, spec = self._world, self._spec
        state = state_of(world, device)
        self._causes[device] = cause
        if state == UP:
            self._timers[device].stop()
            others = [d for d in spec.devices if d != device and works(world, first_hop_state(d))]
            if works(world, first_hop_state(device)) or spec.preempts or not others:
                tell(world, first_hop_state(device), UP, cause)
            else:
                self._standing_by.append(device)
            return
        if device in self._standing_by:
            self._standing_by.remove(device)
        share = world.uniform(device, "first hop", counter=self._switches_count)
        self._switches_count += 1
        noticed_s = spec.notice_s if state == DRAINED else spec.dead_s
        self._timers[device].restart(noticed_s + drawn(spec.settling, share))

    def _leave(self, device: str) -> None:
        is_told = state_of(self._world, device) == DRAINED
        fact = Detection("" if is_told else self._spec.timer, "device")
        detail = "the site sends over its other devices"
        event_id = self._world.event("first-hop-switch", device, self._causes[device], detail, fact)
        tell(self._world, first_hop_state(device), DOWN, event_id)
        for other in self._standing_by:
            tell(self._world, first_hop_state(other), UP, event_id)
        self._standing_by.clear()
