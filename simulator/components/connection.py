"""IPsec connection: the tunnels between the devices of a site and the instances of a gateway."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import (
    Name,
    PacketBytes,
    PositiveDuration,
    Quantity,
    Sequenced,
    catalogued,
)
from simulator.base.units import DURATION, format_rate
from simulator.catalog import Catalog, Device, EspSuite
from simulator.draft import (
    DIRECTIONS,
    Ceiling,
    CeilingKind,
    Draft,
    GatewayInstance,
    Link,
    Offer,
    Pass,
    RouteKind,
    Stage,
    TunnelNote,
    VpnDevice,
)
from simulator.ipsec.idle import IdleSpec, live
from simulator.ipsec.life import EndSpec, Retransmission, Tunnel, TunnelSpec, view
from simulator.ipsec.nat import note, seen, translations
from simulator.ipsec.policy import IkePolicy, IpsecPolicy
from simulator.ipsec.rekey import Lifetimes
from simulator.ipsec.routing import TunnelSession
from simulator.ipsec.rows import packet_limits, tunnel_servers, wraps
from simulator.plan import FORWARD, PS_PER_S, RETURN, Direction
from simulator.sessions.failback import Failback
from simulator.sketch import Edge, Sketch
from simulator.states import first_hop_state, platform_state

if TYPE_CHECKING:
    from simulator.world import World


class DeviceDpd(fields.Schema):
    """Dead peer detection by the device: a probe each interval, dead after so many misses."""

    interval: PositiveDuration = catalogued(
        "connection.dpd.device.interval", "time between probes of the device"
    )
    retries: Annotated[int, Field(ge=1, le=100)] = catalogued(
        "connection.dpd.device.retries", "misses in a row after which the peer is dead"
    )


class Dpd(fields.Schema):
    """Dead peer detection at both ends of a tunnel."""

    gateway: Annotated[float, Quantity(DURATION, "1 s", "3600 s", row="connection.dpd.gateway")] = (
        catalogued("connection.dpd.gateway", "DPD timeout of the gateway, retries included")
    )
    device: DeviceDpd = Field(
        default_factory=DeviceDpd, description="dead peer detection by the device"
    )
    withdraws_route: bool = Field(
        default=True,
        description="whether an end stops routing into a tunnel that its DPD declared dead",
    )


class Mtu(fields.Schema):
    """What happens to large packets."""

    tunnel: PacketBytes = catalogued("connection.mtu.tunnel", "MTU inside the tunnel")
    mss_clamp: PacketBytes | None = catalogued(
        "connection.mtu.mss_clamp",
        "TCP segment size that the device enforces in handshakes; null for no clamping",
    )
    do_not_fragment: Literal["copy", "set", "clear"] = Field(
        default="copy", description="DF bit of the outer packet: that of the inner one, or fixed"
    )
    icmp_too_big: Literal["delivered", "filtered"] = Field(
        default="delivered",
        description="whether the sender hears of a packet that does not fit; filtered: black hole",
    )


class IpsecConnection(fields.Schema):
    """A site-to-site connection of IPsec tunnels."""

    type: Literal["ipsec"] = Field(description="kind of connection")
    gateway: Name = Field(description="VPN gateway at the platform's end")
    site: Name = Field(description="site at the customer's end")
    devices: Sequenced[Name] | None = Field(
        default=None, description="devices of the site that build tunnels; all by default"
    )
    tunnels: Literal["full-mesh", "one-per-device"] = Field(
        default="full-mesh", description="from each device to every active instance, or to one"
    )
    routing: Literal["static", "bgp"] = Field(
        default="static", description="how the ends learn each other's prefixes"
    )
    nat: Sequenced[Name] = Field(
        default=(), description="NAT rules of the gateway that translate its addresses"
    )
    initiator: Literal["both", "gateway", "device"] = Field(
        default="both", description="which end starts IKE when a tunnel is down"
    )
    ike: Literal["v1", "v2"] = Field(default="v2", description="IKE version")
    shared_key_matches: bool = Field(
        default=True, description="whether both ends have the same pre-shared key"
    )
    policy_based_selectors: bool = Field(
        default=False,
        description="whether the gateway offers the prefixes of both sides as traffic selectors, "
        "for a policy-based device",
    )
    ike_policy: IkePolicy = Field(
        default_factory=IkePolicy, description="cipher suite of the IKE SA"
    )
    ipsec: IpsecPolicy = Field(
        default_factory=IpsecPolicy, description="cipher suite and lifetimes of the IPsec SAs"
    )
    dpd: Dpd = Field(default_factory=Dpd, description="dead peer detection at both ends")
    failback: Failback = Field(
        default_factory=Failback,
        description="when flows that left go back to a tunnel that is back",
    )
    mtu: Mtu = Field(default_factory=Mtu, description="what happens to large packets")
    fragmentation: Literal["device", "drop"] = Field(
        default="device",
        description="a packet that does not fit is fragmented by the device, or dropped; "
        "the gateway always drops",
    )


Schema = IpsecConnection

STAGE = Stage.CONNECTIONS


def joins(connection: IpsecConnection, parts: Any) -> tuple[str, ...]:
    """The site and the VNet of the gateway, if it exists."""
    gateway = parts.gateways.get(connection.gateway)
    return () if gateway is None else (connection.site, gateway.vnet)


# ---------------------------------------------------------------------------------------------
# In the plan
# ---------------------------------------------------------------------------------------------


def plan_rows(name: str, connection: IpsecConnection, draft: Draft) -> None:
    """Add a link for each tunnel, and offer the prefixes of each side to the other."""
    at_site = draft.devices[connection.site]
    devices = [at_site[device] for device in connection.devices or at_site]
    instances = draft.instances[connection.gateway]
    pairs = (
        list(itertools.product(devices, instances))
        if connection.tunnels == "full-mesh"
        else list(zip(devices, itertools.cycle(instances), strict=False))
    )
    for number, (device, instance) in enumerate(pairs):
        tunnel = _Tunnel(f"{name}.tunnel-{number}", name, connection, device, instance)
        tunnel.add_to(draft)
    draft.offers += _offers(name, connection, devices, instances, draft)


def _offers(
    name: str,
    connection: IpsecConnection,
    devices: list[VpnDevice],
    instances: Sequence[GatewayInstance],
    draft: Draft,
) -> Iterator[Offer]:
    """Static routing offers what is configured, BGP what each side announces.

    Behind NAT each end is offered the addresses that it sees. A rule acts on one instance, so each
    instance has offers of its own (rule R171).
    """
    rules = [draft.nat_rules[connection.gateway][rule] for rule in connection.nat]
    vnet = instances[0].vnet
    for instance in instances if rules else instances[:1]:
        ingress = translations(rules, "ingress", instance.name)
        egress = translations(rules, "egress", instance.name)
        note(draft, vnet, connection.site, ingress)
        note(draft, connection.site, vnet, egress)
        via = (instance.name,) if rules and len(instances) > 1 else ()
        for offer in _plain_offers(name, connection, devices, vnet, draft):
            behind = egress if offer.at == connection.site else ingress
            for prefix, words, is_dynamic in seen(offer.prefix, behind):
                yield replace(
                    offer,
                    prefix=prefix,
                    via=(*offer.via, *via),
                    nat=words,
                    answers_only=is_dynamic,
                )


def _plain_offers(
    name: str, connection: IpsecConnection, devices: list[VpnDevice], vnet: str, draft: Draft
) -> Iterator[Offer]:
    """The offers of a connection without NAT."""
    site = draft.place(connection.site)
    of_vnet = draft.place(vnet).prefixes
    if connection.routing == "static":
        for at, to, prefixes in ((site.name, vnet, of_vnet), (vnet, site.name, site.prefixes)):
            yield from (Offer(at, to, p, name, RouteKind.VPN, "static") for p in prefixes)
        return
    for device in devices:
        heard = Offer(
            site.name,
            vnet,
            of_vnet[0],
            name,
            RouteKind.VPN,
            "bgp",
            via=(device.name,) if len(devices) > 1 else (),
            local_preference=device.local_preference.get(name),
            as_path_length=1,
        )
        yield from (replace(heard, prefix=prefix) for prefix in of_vnet)
        told = replace(
            heard,
            at=vnet,
            to=site.name,
            local_preference=None,
            as_path_length=1 + device.prepends_count,
        )
        yield from (replace(told, prefix=prefix) for prefix in device.announces)


@dataclass(frozen=True)
class _Tunnel:
    """A tunnel of a connection between a device and a gateway instance."""

    name: str
    connection_name: str
    connection: IpsecConnection
    device: VpnDevice
    instance: GatewayInstance

    def add_to(self, draft: Draft) -> None:
        """Device, access line, internet and tunnel hop in a row, mirrored on return."""
        ipsec = self.connection.ipsec
        device, line, instance = self.device, self.device.line, self.instance
        path_mtu_bytes = round(draft.catalog.default("path.mtu").value)
        suite = draft.catalog.esp_suite(ipsec.encryption, ipsec.integrity)
        crypto = _device_servers(device, ipsec, suite.cipher_class, draft)
        internet = draft.internet(line, draft.place(instance.vnet))
        servers = tunnel_servers(draft, self.name, instance, ipsec.encryption, ipsec.integrity)
        rtt_s = 2 * (internet.one_way_s + instance.latency_s_p50)
        idle = self._idle(rtt_s, draft)
        hops: Mapping[Direction, list[int]] = {
            FORWARD: [*idle[:1], *crypto, line.up, internet.up, servers[FORWARD]],
            RETURN: [*idle[1:], servers[RETURN], internet.down, line.down, *crypto],
        }
        lossy: Mapping[Direction, tuple[int, ...]] = {
            FORWARD: (line.up, internet.up),
            RETURN: (internet.down, line.down),
        }
        session = self._session(rtt_s, lossy, draft)
        draft.add_link(self._link(hops, suite, path_mtu_bytes, session))
        draft.tunnels.append(
            TunnelNote(
                name=self.name,
                connection=self.connection_name,
                gateway=instance.gateway,
                instance=instance.name,
                sku=instance.sku,
                generation=instance.generation,
                encryption=ipsec.encryption,
                integrity=ipsec.integrity,
                behind_nat=device.behind_nat,
                path_mtu_bytes=path_mtu_bytes,
                routing=self.connection.routing,
            )
        )
        lossy_hops = (*lossy[FORWARD], *lossy[RETURN])
        spec = self._life(rtt_s, tuple(dict.fromkeys(servers.values())), lossy_hops, draft)
        draft.process(f"tunnel {self.name}", partial(process, spec=spec))

    def _idle(self, rtt_s: float, draft: Draft) -> tuple[int, ...]:
        """Where packets are lost at either end while an idle tunnel is down; none if it stays."""
        if self.instance.idle_teardown_s is None:
            return ()
        hops = tuple(draft.path(f"{self.name}.idle", d, delay_s=0.0) for d in DIRECTIONS)
        spec = IdleSpec(
            name=self.name,
            idle_s=self.instance.idle_teardown_s,
            busy=draft.busy_s[self.connection_name],
            depends_on=(
                self.device.line.name,
                self.instance.name,
                self.connection_name,
                self.device.name,
            ),
            hops=hops,
            messages_s=self._round_trips(draft.catalog) * rtt_s,
            processing=draft.catalog.default("gateway.ike_processing"),
        )
        draft.process(f"idle {self.name}", partial(live, spec=spec))
        return hops

    def _round_trips(self, catalog: Catalog) -> float:
        """Round trips of an IKE set-up in full."""
        return catalog.timer("T015" if self.connection.ike == "v2" else "T018").value or 0.0

    def _session(
        self, rtt_s: float, hops: Mapping[Direction, tuple[int, ...]], draft: Draft
    ) -> TunnelSession | None:
        """The BGP session in the tunnel; none with static routes."""
        if self.connection.routing == "static":
            return None
        device = self.device.name.removeprefix(f"{self.device.site}.")
        session = TunnelSession(
            tunnel=self.name,
            connection=self.connection_name,
            device=draft.edges[self.device.site][device],
            instance=self.instance,
            hops=hops,
            rtt_s=rtt_s,
            ends_with_tunnel=self.connection.dpd.withdraws_route,
        )
        session.add_to(draft)
        return session

    def _link(
        self,
        hops: Mapping[Direction, list[int]],
        suite: EspSuite,
        path_mtu_bytes: int,
        session: TunnelSession | None,
    ) -> Link:
        mtu = self.connection.mtu
        wrap = wraps(
            suite,
            behind_nat=self.device.behind_nat,
            tunnel_mtu_bytes=round(mtu.tunnel),
            path_mtu_bytes=path_mtu_bytes,
            do_not_fragment=mtu.do_not_fragment,
            fragmentation=self.connection.fragmentation,
        )
        limits = packet_limits(
            wrap,
            mss_clamp_bytes=None if mtu.mss_clamp is None else round(mtu.mss_clamp),
            is_told=mtu.icmp_too_big == "delivered",
        )
        # An end withdraws its routes when its own DPD times out or its BGP session ends; the
        # platform's side also when the instance fails.
        believes: Mapping[Direction, tuple[str, ...]] = {FORWARD: (), RETURN: ()}
        if self.connection.dpd.withdraws_route:
            device, gateway = (view(self.name, end) for end in ("device", "gateway"))
            believes = {FORWARD: (device,), RETURN: (gateway,)}
        hears = {FORWARD: (), RETURN: ()} if session is None else session.views()
        return Link(
            name=self.name,
            a=self.device.name,
            b=self.instance.name,
            passes={d: tuple(Pass(hop, wrap[d]) for hop in hops[d]) for d in DIRECTIONS},
            connection=self.connection_name,
            limits=limits,
            usable_if={
                FORWARD: (first_hop_state(self.device.name), *believes[FORWARD], *hears[FORWARD]),
                RETURN: (platform_state(self.instance.name), *believes[RETURN], *hears[RETURN]),
            },
            hold_down_s=self.connection.failback.hold_down_s,
        )

    def _life(
        self, rtt_s: float, hops: tuple[int, ...], lossy_hops: tuple[int, ...], draft: Draft
    ) -> TunnelSpec:
        connection, dpd, default = self.connection, self.connection.dpd, draft.catalog.default
        retries_count = int(default("connection.dpd.gateway_retries").value)
        gateway = EndSpec(
            name="gateway",
            dpd_interval_s=dpd.gateway / retries_count,
            dpd_retries_count=retries_count,
            may_initiate=connection.initiator != "device" and not self.device.behind_nat,
            host=self.instance.name,
        )
        device = EndSpec(
            name="device",
            dpd_interval_s=dpd.device.interval,
            dpd_retries_count=dpd.device.retries,
            may_initiate=connection.initiator != "gateway",
            timer="connection.dpd.device",
            host=self.device.name,
        )
        round_trips = self._round_trips(draft.catalog)
        return TunnelSpec(
            name=self.name,
            connection=self.connection_name,
            ends=(gateway, device),
            depends_on=(self.device.line.name, self.instance.name, self.device.name),
            hops=hops,
            messages_s=round_trips * rtt_s,
            exchanges_count=math.ceil(round_trips),
            processing=default("gateway.ike_processing"),
            retransmission=Retransmission(
                first_s=default("ike.retransmit_timeout").value,
                factor=default("ike.retransmit_base").value,
                tries=int(default("ike.retransmit_tries").value),
            ),
            lifetimes=self._lifetimes(draft),
            lossy_hops=lossy_hops,
        )

    def _lifetimes(self, draft: Draft) -> Lifetimes:
        ipsec, instance = self.connection.ipsec, self.instance
        performance = draft.catalog.tunnel_performance(
            instance.sku, instance.generation, ipsec.encryption, ipsec.integrity
        )
        is_v1 = self.connection.ike == "v1"
        return Lifetimes(
            ike_s=self.connection.ike_policy.lifetime,
            ipsec_s=ipsec.lifetime,
            ipsec_bytes=ipsec.lifetime_volume,
            rate_bps=performance.throughput_bps,
            look_s=draft.builder.time_bin_ps / PS_PER_S,
            drop=draft.catalog.default("ike.rekey_drop") if is_v1 else None,
        )


def _device_servers(
    device: VpnDevice, ipsec: IpsecPolicy, cipher_class: str, draft: Draft
) -> list[int]:
    """What the device encrypts and decrypts with: one server for both directions, or none.

    A model with several cores has a server per core, and each tunnel one core. Connections with
    different ciphers have servers of their own.
    """
    model = draft.catalog.device(device.model)
    arguments = _device_cost(model, cipher_class)
    if not arguments:
        return []
    core = ""
    if (model.cores or 1) > 1:
        core = f".core-{draft.number(f'tunnels of {device.name}') % (model.cores or 1)}"
    hop = f"{device.name}{core}.{ipsec.encryption}"
    if hop not in draft.shared_hops:
        label = f"device {hop}, {model.name}"
        limits = (("rate_bps", "bits/s"), ("packets_per_s", "packets/s"))
        ceilings = [
            Ceiling(
                CeilingKind.DEVICE,
                f"{label}, {unit}",
                model.cite(),
                meter="inner-ip",
                **{limit: arguments[limit]},
            )
            for limit, unit in limits
            if arguments.get(limit)
        ]
        draft.shared_hops[hop] = draft.server(
            hop,
            FORWARD,
            ceilings,
            meter="inner-ip",
            buffer_s=draft.catalog.default("site.lan.buffer").value,
            **arguments,
        )
    return [draft.shared_hops[hop]]


def _device_cost(model: Device, cipher_class: str) -> dict[str, float]:
    """Arguments of a server: the linear cost of a measured model, else its published figures."""
    per_byte_s = model.per_byte_s(cipher_class)
    if model.per_packet_s is not None and per_byte_s is not None:
        return {"per_packet_s": model.per_packet_s, "per_byte_s": per_byte_s}
    published = {
        "rate_bps": model.throughput_bps(cipher_class),
        "packets_per_s": model.packets_per_s,
    }
    return {limit: value for limit, value in published.items() if value}


def draw(name: str, connection: IpsecConnection, sketch: Sketch, draft: Draft) -> None:
    """Draw each tunnel with what it carries."""
    instance = draft.instances[connection.gateway][0]
    found = draft.catalog.tunnel_performance(
        instance.sku, instance.generation, connection.ipsec.encryption, connection.ipsec.integrity
    )
    label = f"{name}: {format_rate(found.throughput_bps)} a tunnel"
    for link in draft.links_of(name):
        sketch.add_edge(Edge(link.a, link.b, "ipsec", label, (name,)))


# ---------------------------------------------------------------------------------------------
# In the run
# ---------------------------------------------------------------------------------------------


def process(world: World, spec: TunnelSpec) -> Generator[Any, Any, None]:
    """Let one tunnel of the connection live."""
    return Tunnel(world, spec).live()
