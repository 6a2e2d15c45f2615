"""Clients: a group of teleworkers on a point-to-site VPN, one row for each of them.

A group is one place and one end of a stream. Its clients dial at time 0, group by group in the
order of the file and client by client in each; a gateway admits them while there is room under
the limit of its SKU and an address in its pools. Those who are refused offer no traffic.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from simulator.arrivals import Sessions
from simulator.base import fields
from simulator.base.fields import (
    Address,
    CatalogueName,
    Delay,
    Name,
    PositiveDuration,
    Rate,
    Ratio,
    catalogued,
)
from simulator.base.location import Location
from simulator.base.units import BITS_PER_BYTE, format_duration
from simulator.catalog import P2sProtocol, VpnGatewaySku
from simulator.draft import (
    CLIENT_HOPS,
    DIRECTIONS,
    SCENARIO,
    AccessLine,
    Ceiling,
    CeilingKind,
    Client,
    ClientGroup,
    Draft,
    GatewayInstance,
    InternetWay,
    Link,
    Offer,
    P2sGateway,
    PacketLimit,
    Pass,
    Passes,
    Place,
    Refusal,
    RouteKind,
    Stage,
    Wrap,
)
from simulator.plan import FORWARD, PS_PER_S, RETURN, Direction, unit
from simulator.reconnect import GroupSpec, Redial
from simulator.reconnect import process as reconnect
from simulator.sketch import Box, Column, Edge, Sketch, rates

if TYPE_CHECKING:
    from simulator.world import World

#: Suite whose published row of a tunnel stands for what one client reaches at most.
CEILING_SUITE = ("AES256", "SHA256")
SSTP = "sstp"
#: Ranges of names that a message lists before it says how many more there are.
RANGES_SHOWN = 5


class ClientAccess(fields.Schema):
    """The access line of each client of a group."""

    down: Rate = Field(description="rate towards the client, of bytes on the wire")
    up: Rate = Field(description="rate from the client, of bytes on the wire")
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


class Reconnect(fields.Schema):
    """How clients come back after they lost their sessions."""

    detect: PositiveDuration | None = Field(
        default=None,
        description="time until a client notices and dials; drawn by its protocol by default",
    )
    delay: PositiveDuration = catalogued(
        "clients.reconnect.delay", "wait after a first attempt that nobody answered"
    )
    backoff: Annotated[float, Field(ge=1, le=10)] = catalogued(
        "clients.reconnect.backoff", "factor by which each further wait grows"
    )
    retries: Annotated[int, Field(ge=0, le=100)] = catalogued(
        "clients.reconnect.retries", "attempts after the first, then the client gives up"
    )


class Clients(fields.Schema):
    """A group of point-to-site clients that are alike."""

    gateway: Name = Field(description="VPN gateway that they dial; it needs a p2s section")
    protocol: Annotated[str, CatalogueName("p2s-protocols")] = Field(
        description="protocol of their tunnels; sets overhead, handshake and limit"
    )
    count: int = Field(ge=1, le=20_000, description="clients, named NAME-1 to NAME-N")
    location: Location = Field(description="where they are")
    public_ip: Address | None = Field(
        default=None, description="public address that they share behind one NAT, if they do"
    )
    access: ClientAccess = Field(description="access line of each of them")
    sessions: Sessions | None = Field(
        default=None, description="when they come and go; all dial at time 0 and stay by default"
    )
    reconnect: Reconnect = Field(
        default_factory=Reconnect, description="how they come back after a failover"
    )


Schema = Clients

STAGE = Stage.CLIENTS


# ---------------------------------------------------------------------------------------------
# In the plan
# ---------------------------------------------------------------------------------------------


def plan_rows(name: str, clients: Clients, draft: Draft) -> None:
    """Admit the clients and add a link to each instance, with hops of their own for each."""
    gateway, instances = draft.p2s[clients.gateway], draft.instances[clients.gateway]
    protocol = draft.catalog.p2s_protocol(clients.protocol)
    host = draft.path(f"{name}.hosts", FORWARD, delay_s=0.0)
    here: Passes = {FORWARD: (Pass(host),), RETURN: ()}
    draft.add_point(Place(name, here, prefixes=gateway.address_pools))
    _add_links(name, clients, protocol, instances, draft)
    admission = _Admission(clients.gateway, clients.protocol, draft)
    access = _Access(name, clients, protocol, instances[0], draft)
    admitted, refused = [], []
    for number in range(1, clients.count + 1):
        client = f"{name}-{number}"
        pick = draft.builder.key(name, client, "instance") % len(instances)
        why = draft.refused.get(name) or admission.refuses(instances[pick].name)
        if why:
            refused.append((client, why))
        else:
            dials_s, leaves_s = _session(clients.sessions, name, client, draft)
            one = access.client(client, instances[pick])
            admitted.append(replace(one, dials_s=dials_s, leaves_s=leaves_s))
    first = admitted[0].name if admitted else f"{name}-1"
    group = ClientGroup(
        name=name,
        gateway=clients.gateway,
        protocol=clients.protocol,
        clients=tuple(admitted),
        refused=_by_reason(refused),
        ready_s=protocol.handshake_rtt * access.rtt_s(first) + gateway.auth_s,
    )
    draft.clients[name] = group
    _warn(group, draft)
    draft.process(f"clients {name}", partial(process, group=group))
    spec = GroupSpec(
        name=name,
        gateway=clients.gateway,
        instances=tuple(instance.name for instance in instances),
        homes=tuple((client.name, client.instance) for client in admitted),
        redial=_redial(clients, group.ready_s, draft),
        admission_s=1.0 / draft.catalog.default("p2s.admission_rate").value,
        step_s=draft.builder.time_bin_ps / PS_PER_S,
    )
    draft.process(f"sessions of {name}", partial(reconnect, spec=spec))


def _session(
    sessions: Sessions | None, name: str, client: str, draft: Draft
) -> tuple[float, float | None]:
    """When a client dials and leaves, both in seconds; None: it stays."""
    if sessions is None:
        return 0.0, None
    key = draft.builder.key
    dials_s = sessions.start.drawn_s(unit(key(name, client, "dials")))
    if sessions.length is None:
        return dials_s, None
    length_s = sessions.length.drawn_s(unit(key(name, client, "stays")))
    return dials_s, dials_s + length_s


def _redial(clients: Clients, handshake_s: float, draft: Draft) -> Redial:
    notice = draft.catalog.default(f"p2s.reconnect.{clients.protocol}")
    detect_s = clients.reconnect.detect
    if detect_s is not None:
        notice = replace(notice, number=detect_s, min=detect_s, max=detect_s, distribution="fixed")
    return Redial(
        notice=notice,
        delay_s=clients.reconnect.delay,
        backoff=clients.reconnect.backoff,
        retries_count=clients.reconnect.retries,
        handshake_s=handshake_s,
    )


def _add_links(
    name: str,
    clients: Clients,
    protocol: P2sProtocol,
    instances: Iterable[GatewayInstance],
    draft: Draft,
) -> None:
    """The tunnels of the group to each instance, and the routes to the VNet and back."""
    mtu_bytes = round(draft.catalog.default("path.mtu").value)
    inside_bytes = round(draft.catalog.default("p2s.mtu").value)
    wrap = Wrap(
        fixed_bytes=protocol.overhead_bytes,
        trailer_bytes=0,
        align_bytes=1,
        fit_bytes=min(inside_bytes, mtu_bytes - protocol.overhead_bytes),
        mtu_bytes=mtu_bytes,
    )
    limit = PacketLimit(wrap.fit_bytes, mss_clamp_bytes=None, is_told=True, cuts_df=False)
    connection = f"{clients.gateway}.p2s"
    for instance in instances:
        draft.add_link(
            Link(
                name=f"{name} at {instance.name}",
                a=name,
                b=instance.name,
                passes={d: (Pass(CLIENT_HOPS, wrap),) for d in DIRECTIONS},
                connection=connection,
                limits=dict.fromkeys(DIRECTIONS, limit),
                usable_if={RETURN: (f"{instance.name}@platform",)},
            )
        )
        vnet = instance.vnet
    learned = draft.place(vnet).prefixes[: _learned_max(clients.protocol, draft)]
    for at, to, prefixes in ((name, vnet, learned), (vnet, name, draft.place(name).prefixes)):
        draft.offers += [
            Offer(at, to, prefix, connection, RouteKind.VPN, "system") for prefix in prefixes
        ]


def _learned_max(protocol: str, draft: Draft) -> int | None:
    """How many prefixes a client learns (rule R101), None if nobody published it."""
    return draft.catalog.p2s_protocol(protocol).max_prefixes_learned


def _by_reason(refused: Iterable[tuple[str, str]]) -> tuple[Refusal, ...]:
    by_reason: dict[str, list[str]] = {}
    for client, why in refused:
        by_reason.setdefault(why, []).append(client)
    return tuple(Refusal(tuple(clients), why) for why, clients in by_reason.items())


def _warn(group: ClientGroup, draft: Draft) -> None:
    """Say who is refused, and what clients mean for the rest of the gateway (once for each)."""
    asked_count = len(group.clients) + sum(len(r.clients) for r in group.refused)
    draft.warnings += [
        f"clients {group.name}: {len(refusal.clients)} of {asked_count} are refused, "
        f"{_names(refusal.clients)}: {refusal.why}"
        for refusal in group.refused
    ]
    if draft.number(f"groups of {group.gateway}"):
        return
    gateway = group.gateway
    if len(draft.instances[gateway]) > 1:
        draft.warnings.append(
            f"gateway {gateway}: its instances divide the addresses of the client pools, and a "
            "failover disconnects clients (rule R098)"
        )
    protocols = draft.p2s[gateway].protocols
    if SSTP in protocols and len(protocols) > 1:
        draft.warnings.append(
            f"gateway {gateway}: SSTP and the other protocols divide the addresses of the client "
            "pools (rule R097)"
        )
    if any(tunnel.gateway == gateway for tunnel in draft.tunnels):
        draft.warnings.append(
            f"gateway {gateway}: clients and site-to-site tunnels share its throughput; check the "
            "sum (rule R103)"
        )


def _names(clients: Iterable[str]) -> str:
    """Names of clients as ranges of their numbers."""
    numbered = [(client, int(client.rpartition("-")[2])) for client in clients]
    runs = []
    for _, run in groupby(enumerate(numbered), key=lambda item: item[1][1] - item[0]):
        names = [name for _, (name, _) in run]
        runs.append(names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}")
    more_count = len(runs) - RANGES_SHOWN
    return ", ".join(runs[:RANGES_SHOWN]) + (f" and {more_count} more ranges" * (more_count > 0))


# ---------------------------------------------------------------------------------------------
# Admission
# ---------------------------------------------------------------------------------------------


class _Admission:
    """Whether a gateway takes one more client of a protocol; counts those that it took."""

    def __init__(self, gateway: str, protocol: str, draft: Draft) -> None:
        catalog = draft.catalog
        self._offered = draft.p2s[gateway]
        self._instances = draft.instances[gateway]
        self._sku = catalog.vpn_gateway_sku(self._instances[0].sku, self._instances[0].generation)
        self._draft = draft
        self._protocol = catalog.p2s_protocol(protocol)
        column = self._protocol.max_clients_column
        self._limit: int = getattr(self._sku, column) or 0
        is_of_all = catalog.default("p2s.limit_scope").word == "gateway"
        self._counted = f"clients of {gateway}" if is_of_all else f"clients of {gateway}, {column}"
        self._rule = "R091" if protocol == SSTP and not is_of_all else "R096"
        what = "clients in all" if is_of_all else f"clients by {_SHARING[column]}"
        self._over_limit = (
            f"{self._sku.name} takes {self._limit} {what} (rule {self._rule}; {self._sku.cite()})"
        )
        part, self._addresses = _addresses(self._offered, self._sku, protocol, draft)
        self._pool = f"addresses of {gateway}, {part}"
        self._unreachable = _no_radius(gateway, self._offered, draft)

    def refuses(self, instance: str) -> str:
        """Why the next client is refused at an instance; empty if it gets in."""
        if self._unreachable:
            return self._unreachable
        counts = self._draft.counts
        if counts.get(self._counted, 0) >= self._limit:
            return self._over_limit
        pool, of_each = f"{self._pool} at {instance}", self._addresses // len(self._instances)
        if counts.get(pool, 0) >= of_each:
            return f"the address pool is used up, {self._pool_text(of_each)}"
        self._draft.number(self._counted)
        self._draft.number(pool)
        return ""

    def _pool_text(self, of_each: int) -> str:
        pools = " and ".join(map(str, self._offered.address_pools))
        text = f"{pools} has {of_each} addresses"
        protocols = self._offered.protocols
        if SSTP in protocols and len(protocols) > 1:
            text += f" for {self._protocol.protocol}, divided by protocol (rule R097)"
        if len(self._instances) > 1:
            text += " on each instance (rule R098)"
        return text


#: Field of a SKU with a limit -> the protocols that share it.
_SHARING: Mapping[str, str] = {
    "max_p2s_sstp": "SSTP",
    "max_p2s_ikev2_openvpn": "IKEv2 and OpenVPN",
}


def _addresses(
    offered: P2sGateway, sku: VpnGatewaySku, protocol: str, draft: Draft
) -> tuple[str, int]:
    """The part of the pools that a protocol draws from, and its addresses.

    SSTP beside another protocol has half of them, and no more than the SKU takes clients of it.
    """
    reserved = int(draft.catalog.default("p2s.pool_reserved").value)
    total = sum(max(0, pool.num_addresses - reserved) for pool in offered.address_pools)
    if SSTP not in offered.protocols or len(offered.protocols) == 1:
        return "all", total
    of_sstp = min(total // 2, sku.max_p2s_sstp or 0)
    return (SSTP, of_sstp) if protocol == SSTP else ("others", total - of_sstp)


def _no_radius(gateway: str, offered: P2sGateway, draft: Draft) -> str:
    """Why the RADIUS server cannot be asked: it stands at a site without tunnel to the gateway."""
    devices = {device.name for device in draft.devices.get(offered.radius_at, {}).values()}
    instances = {instance.name for instance in draft.instances[gateway]}
    if not devices or any(link.a in devices and link.b in instances for link in draft.links):
        return ""
    vnet = draft.instances[gateway][0].vnet
    has_circuit = any(
        offer.kind is RouteKind.EXPRESSROUTE and (offer.at, offer.to) == (vnet, offered.radius_at)
        for offer in draft.offers
    )
    rule = ", not over ExpressRoute (rule R176)" if has_circuit else " (rule R102)"
    return (
        f"the RADIUS server at {offered.radius_at} is reached over a site-to-site tunnel alone, "
        f"and {gateway} has none there{rule}"
    )


# ---------------------------------------------------------------------------------------------
# The hops of a client
# ---------------------------------------------------------------------------------------------


class _Access:
    """Makes the hops of each client of a group.

    A client has two access links, a path in each direction, and the most that one client reaches
    at the gateway. Where its access link can never fill the latter, that is a ceiling of the link
    and no hop: it would always be idle.
    """

    def __init__(
        self,
        group: str,
        clients: Clients,
        protocol: P2sProtocol,
        instance: GatewayInstance,
        draft: Draft,
    ) -> None:
        self._group = group
        self._clients = clients
        self._draft = draft
        self._instance = instance
        """Any of the gateway's: they are alike."""
        self._at_most = draft.catalog.tunnel_performance(
            instance.sku, instance.generation, *CEILING_SUITE
        )
        default = draft.catalog.default
        header_bytes = default("header.ipv4").value + default("header.udp").value
        wire_bits = (header_bytes + protocol.overhead_bytes) * BITS_PER_BYTE
        self._rates: Mapping[Direction, float] = {
            FORWARD: clients.access.up,
            RETURN: clients.access.down,
        }
        self._filling = [d for d in DIRECTIONS if self._can_fill(self._rates[d], wire_bits)]
        if self._filling and instance.direction == "shared":
            self._filling = list(DIRECTIONS)
        self._tunnel = self._tunnel_ceilings()
        self._link = {direction: self._link_ceilings(direction) for direction in DIRECTIONS}

    def _can_fill(self, rate_bps: float, least_wire_bits: float) -> bool:
        """Whether a link can bring more than the most of one client, in bits or in packets.

        Where both directions share it, half of it counts.
        """
        parts = 2 if self._instance.direction == "shared" else 1
        at_most = self._at_most
        return (
            parts * rate_bps > at_most.throughput_bps
            or parts * rate_bps / least_wire_bits > at_most.packets_per_s
        )

    def _tunnel_ceilings(self) -> list[Ceiling]:
        at_most, meter, kind = self._at_most, self._instance.meter, CeilingKind.TUNNEL
        label = f"tunnel of each of {self._group}, as {' + '.join(CEILING_SUITE)}"
        source = f"estimate after {at_most.cite()}"
        bps, pps = at_most.throughput_bps, at_most.packets_per_s
        return [
            Ceiling(kind, f"{label}, bits/s", source, rate_bps=bps, meter=meter),
            Ceiling(kind, f"{label}, packets/s", source, packets_per_s=pps, meter=meter),
        ]

    def _link_ceilings(self, direction: Direction) -> list[Ceiling]:
        word = "up" if direction == FORWARD else "down"
        label, rate_bps = f"{word}-link of each of {self._group}", self._rates[direction]
        link = Ceiling(CeilingKind.ACCESS, label, SCENARIO, rate_bps=rate_bps)
        return [link] if direction in self._filling else [link, *self._tunnel]

    def client(self, name: str, instance: GatewayInstance) -> Client:
        """One client with its hops."""
        up, down = self._server(f"{name}.up", FORWARD), self._server(f"{name}.down", RETURN)
        wan = self._internet(name, up, down)
        tunnel = self._tunnel_servers(f"{name}.tunnel")
        return Client(
            name=name,
            instance=instance.name,
            hops={
                FORWARD: (up, wan.up, *tunnel[FORWARD]),
                RETURN: (*tunnel[RETURN], wan.down, down),
            },
        )

    def rtt_s(self, client: str) -> float:
        """Median round trip between a client and the gateway without load."""
        name = f"{client}.wan-{self._instance.vnet}"
        way = self._draft.ways.get(name) or self._internet(client, 0, 0)
        return 2 * (way.one_way_s + self._instance.latency_s_p50)

    def _server(self, name: str, direction: Direction) -> int:
        return self._draft.server(
            name,
            direction,
            self._link[direction],
            rate_bps=self._rates[direction],
            buffer_s=self._clients.access.buffer,
        )

    def _tunnel_servers(self, name: str) -> dict[Direction, tuple[int, ...]]:
        """The server of what a client reaches at most, where its links can fill it."""
        hops: dict[Direction, tuple[int, ...]] = {FORWARD: (), RETURN: ()}
        for direction in self._filling:
            if self._instance.direction == "shared" and hops[FORWARD]:
                hops[direction] = hops[FORWARD]
                continue
            hop_idx = self._draft.server(
                name,
                direction,
                self._tunnel,
                rate_bps=self._at_most.throughput_bps,
                packets_per_s=self._at_most.packets_per_s,
                buffer_s=self._instance.buffer_s,
                meter=self._instance.meter,
            )
            hops[direction] = (hop_idx,)
        return hops

    def _internet(self, name: str, up: int, down: int) -> InternetWay:
        access, location = self._clients.access, self._clients.location
        line = AccessLine(
            name=name,
            site=self._group,
            provider="",
            up=up,
            down=down,
            delay_s=access.delay,
            jitter_s_p95=access.jitter,
            loss_ratio=access.loss,
            near=location.near,
            latitude_deg=location.latitude or 0.0,
            longitude_deg=location.longitude or 0.0,
        )
        return self._draft.internet(line, self._draft.place(self._instance.vnet))


def draw(name: str, clients: Clients, sketch: Sketch, draft: Draft) -> None:
    """Draw the group as one box, with an edge to each instance that takes some of it."""
    access = clients.access
    group = draft.clients[name]
    note = f"{len(group.clients)} of {clients.count} clients, {rates(access.down, access.up)} each"
    sketch.add_box(Box(name, name, "clients", Column.CUSTOMER, note=note))
    connection = f"{clients.gateway}.p2s"
    for instance in sorted({client.instance for client in group.clients}):
        sketch.add_edge(Edge(name, instance, "p2s", clients.protocol, (connection,)))


# ---------------------------------------------------------------------------------------------
# In the run
# ---------------------------------------------------------------------------------------------


def process(world: World, group: ClientGroup) -> Generator[Any, Any, None]:
    """Tell when the group has dialled: who is connected, and who is refused."""
    yield world.wait(group.ready_s)
    took = format_duration(group.ready_s)
    if group.clients:
        detail = f"{len(group.clients)} clients, {took} after they dialled"
        world.event("p2s-connected", group.name, 0, detail)
    for refusal in group.refused:
        detail = f"{len(refusal.clients)} clients, {_names(refusal.clients)}: {refusal.why}"
        world.event("p2s-refused", group.name, 0, detail)
