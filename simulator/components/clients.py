"""Clients: a group of teleworkers on a point-to-site VPN, one row for each of them.

A group is one place and one end of a stream. Its clients dial at time 0, group by group in the
order of the file and client by client in each; a gateway admits them while there is room under
the limit of its SKU and an address in its pools. Those who are refused offer no traffic.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
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
    Name,
    PositiveDuration,
    catalogued,
)
from simulator.base.location import Location
from simulator.base.sections import Section
from simulator.base.units import format_duration
from simulator.catalog import P2sProtocol
from simulator.draft import (
    CLIENT_HOPS,
    DIRECTIONS,
    ClientGroup,
    Draft,
    GatewayInstance,
    Link,
    Offer,
    PacketLimit,
    Pass,
    Passes,
    Place,
    Refusal,
    RouteKind,
    Stage,
    Wrap,
)
from simulator.draws import unit
from simulator.plan import FORWARD, PS_PER_S, RETURN
from simulator.point_to_site.access import Access, ClientAccess
from simulator.point_to_site.admission import SSTP, Admission
from simulator.point_to_site.exit import leave_through_gateway
from simulator.point_to_site.gateway_block import P2sGateway
from simulator.point_to_site.reconnect import GroupSpec, Redial
from simulator.point_to_site.reconnect import process as reconnect
from simulator.sketch import Box, Column, Edge, Sketch, rates

if TYPE_CHECKING:
    from simulator.world import World

#: Ranges of names that a message lists before it says how many more there are.
RANGES_SHOWN = 5


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

SECTION = Section(
    "clients", "group of clients", "groups of point-to-site clients by name", has_places=True
)
STAGE = Stage.GROUPS

REFERS = {"gateway": "gateways"}


def joins(name: str, clients: Clients, parts: Any) -> tuple[str, ...]:
    """The group and the VNet of its gateway, if it exists."""
    gateway = parts.gateways.get(clients.gateway)
    return () if gateway is None else (name, gateway.vnet)


# ---------------------------------------------------------------------------------------------
# In the plan
# ---------------------------------------------------------------------------------------------


def plan_rows(name: str, clients: Clients, draft: Draft) -> None:
    """Admit the clients and add a link to each instance, with hops of their own for each."""
    gateway, instances = (
        draft.published(P2sGateway)[clients.gateway],
        draft.instances[clients.gateway],
    )
    protocol = draft.catalog.p2s_protocol(clients.protocol)
    host = draft.path(f"{name}.hosts", FORWARD, delay_s=0.0)
    here: Passes = {FORWARD: (Pass(host),), RETURN: ()}
    draft.add_point(Place(name, here, prefixes=gateway.address_pools))
    _add_links(name, clients, protocol, instances, draft)
    leave_through_gateway(name, clients.gateway, draft)
    stopped = draft.stopped("clients").get(name, "")
    admission = Admission(clients.gateway, clients.protocol, draft)
    access = Access(name, clients.access, clients.location, protocol, instances[0], draft)
    admitted, refused = [], []
    for number in range(1, clients.count + 1):
        client = f"{name}-{number}"
        pick = draft.builder.key(name, client, "instance") % len(instances)
        why = stopped or admission.refuses(instances[pick].name)
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
    draft.published(ClientGroup)[name] = group
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
    protocols = draft.published(P2sGateway)[gateway].protocols
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


def draw(name: str, clients: Clients, sketch: Sketch, draft: Draft) -> None:
    """Draw the group as one box, with an edge to each instance that takes some of it."""
    access = clients.access
    group = draft.published(ClientGroup)[name]
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
