"""IPsec connection: the tunnels between the devices of a site and the instances of a gateway."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import (
    Name,
    Sequenced,
)
from simulator.base.sections import CONNECTIONS
from simulator.base.units import format_rate
from simulator.blocks import BLOCKS
from simulator.catalog import Catalog, EspSuite
from simulator.draft import (
    DIRECTIONS,
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
from simulator.ipsec.devices import device_servers
from simulator.ipsec.idle import IdleSpec, live
from simulator.ipsec.life import Tunnel
from simulator.ipsec.policy import Dpd, IkePolicy, IpsecPolicy, Mtu
from simulator.ipsec.rekey import Lifetimes
from simulator.ipsec.routing import TunnelSession
from simulator.ipsec.rows import packet_limits, tunnel_servers, wraps
from simulator.ipsec.tunnel_spec import EndSpec, Retransmission, TunnelSpec, view
from simulator.plan import FORWARD, PS_PER_S, RETURN, Direction
from simulator.sessions.failback import Failback
from simulator.sketch import Edge, Sketch
from simulator.states import first_hop_state, platform_state

if TYPE_CHECKING:
    from simulator.world import World


@BLOCKS.extend("ipsec")
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

SECTION = CONNECTIONS
STAGE = Stage.CONNECTIONS

REFERS = {"gateway": "gateways", "site": "sites"}


def joins(name: str, connection: IpsecConnection, parts: Any) -> tuple[str, ...]:
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
    draft.offers += _offers(name, connection, devices, instances[0].vnet, draft)
    BLOCKS.plan_rows("ipsec", name, connection, draft)


def _offers(
    name: str, connection: IpsecConnection, devices: list[VpnDevice], vnet: str, draft: Draft
) -> Iterator[Offer]:
    """Static routing offers what is configured, BGP what each side announces."""
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
        crypto = device_servers(device, ipsec.encryption, suite.cipher_class, draft)
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
            retransmission=Retransmission.of(draft.catalog),
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
