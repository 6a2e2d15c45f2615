"""VNet-to-VNet connection: IPsec tunnels between the gateways of two VNets, over the backbone.

Each end has its own hop for a tunnel, with what its SKU encrypts, and its own instance; between
them lies the backbone of the platform, not the internet (rule R107).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from simulator.backbone import Backbone, backbone
from simulator.base import fields
from simulator.base.fields import Delay, Name, Quantity, Sequenced, catalogued
from simulator.base.sections import CONNECTIONS
from simulator.base.units import DURATION, format_rate
from simulator.catalog import EspSuite
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
)
from simulator.ipsec.life import Tunnel
from simulator.ipsec.policy import IkePolicy, IpsecPolicy
from simulator.ipsec.rekey import Lifetimes
from simulator.ipsec.rows import packet_limits, tunnel_servers, wraps
from simulator.ipsec.tunnel_spec import EndSpec, Retransmission, TunnelSpec, view
from simulator.plan import FORWARD, PS_PER_S, RETURN, Direction
from simulator.sketch import Edge, Sketch

if TYPE_CHECKING:
    from simulator.world import World


class VnetToVnet(fields.Schema):
    """A connection of IPsec tunnels between two VPN gateways."""

    type: Literal["vnet-to-vnet"] = Field(description="kind of connection")
    gateways: Sequenced[Name] = Field(
        min_length=2, max_length=2, description="the two VPN gateways; forward is to the second"
    )
    tunnels: Literal["full-mesh", "one"] = Field(
        default="full-mesh",
        description="between all instances that end tunnels, or between the first of each",
    )
    routing: Literal["static", "bgp"] = Field(
        default="static",
        description="how the VNets learn each other's prefixes; only bgp passes others on",
    )
    rtt: Delay | None = Field(
        default=None,
        description="round trip between hosts of both VNets without gateways, if it was measured; "
        "by default from the region matrix",
    )
    ike_policy: IkePolicy = Field(
        default_factory=IkePolicy, description="cipher suite of the IKE SA"
    )
    ipsec: IpsecPolicy = Field(
        default_factory=IpsecPolicy, description="cipher suite and lifetimes of the IPsec SAs"
    )
    ipsec_of_second: IpsecPolicy | None = Field(
        default=None, description="suite of the second gateway's connection object, if another"
    )
    shared_key_matches: bool = Field(
        default=True, description="whether both ends have the same pre-shared key"
    )
    dpd: Annotated[float, Quantity(DURATION, "1 s", "3600 s", row="connection.dpd.gateway")] = (
        catalogued("connection.dpd.gateway", "DPD timeout of both gateways, retries included")
    )


Schema = VnetToVnet

SECTION = CONNECTIONS
STAGE = Stage.CONNECTIONS

REFERS = {"gateways": "gateways"}


def joins(name: str, connection: VnetToVnet, parts: Any) -> tuple[str, ...]:
    """The VNets whose gateways are joined, as far as they exist."""
    found = [parts.gateways.get(name) for name in connection.gateways]
    return tuple(gateway.vnet for gateway in found if gateway is not None)


# ---------------------------------------------------------------------------------------------
# In the plan
# ---------------------------------------------------------------------------------------------


def plan_rows(name: str, connection: VnetToVnet, draft: Draft) -> None:
    """Add a link for each tunnel, and offer the prefixes of each VNet to the other."""
    ends = [draft.instances[gateway] for gateway in connection.gateways]
    vnets = [instances[0].vnet for instances in ends]
    between = backbone(
        draft,
        f"{name}.backbone",
        vnets[0],
        vnets[1],
        ends_count=2,
        measured_rtt_s=connection.rtt,
    )
    pairs = list(itertools.product(ends[0], ends[1]))
    wanted = pairs if connection.tunnels == "full-mesh" else pairs[:1]
    for number, (first, second) in enumerate(wanted):
        tunnel = _Tunnel(f"{name}.tunnel-{number}", name, connection, first, second, between)
        tunnel.add_to(draft)
    for at, to in (vnets, vnets[::-1]):
        draft.offers += [
            Offer(
                at,
                to,
                prefix,
                name,
                RouteKind.VPN,
                connection.routing,
                as_path_length=int(connection.routing == "bgp"),
            )
            for prefix in draft.place(to).prefixes
        ]


@dataclass(frozen=True)
class _Tunnel:
    """A tunnel between an instance of the first gateway and one of the second."""

    name: str
    connection_name: str
    connection: VnetToVnet
    first: GatewayInstance
    second: GatewayInstance
    between: Backbone

    def add_to(self, draft: Draft) -> None:
        """The tunnel's hop at each end and the backbone between, mirrored on return.

        What leaves a VNet passes its gateway in the direction of the gateway's return.
        """
        ipsec = self.connection.ipsec
        suite = draft.catalog.esp_suite(ipsec.encryption, ipsec.integrity)
        path_mtu_bytes = round(draft.catalog.default("path.mtu").value)
        ends = (self.first, self.second)
        near, far = (
            tunnel_servers(draft, self._hop(i), i, ipsec.encryption, ipsec.integrity) for i in ends
        )
        hops: Mapping[Direction, list[int]] = {
            FORWARD: [near[RETURN], self.between.hops[FORWARD], far[FORWARD]],
            RETURN: [far[RETURN], self.between.hops[RETURN], near[FORWARD]],
        }
        draft.add_link(self._link(hops, suite, path_mtu_bytes, draft))
        draft.tunnels += [self._note(instance, path_mtu_bytes) for instance in ends]
        rtt_s = 2 * (self.between.one_way_s + sum(i.latency_s_p50 for i in ends))
        spec = self._life(rtt_s, tuple(dict.fromkeys([*near.values(), *far.values()])), draft)
        draft.process(f"tunnel {self.name}", partial(process, spec=spec))

    def _hop(self, instance: GatewayInstance) -> str:
        return f"{self.name}.{instance.gateway}"

    def _link(
        self,
        hops: Mapping[Direction, list[int]],
        suite: EspSuite,
        path_mtu_bytes: int,
        draft: Draft,
    ) -> Link:
        # A gateway cuts nothing, whichever sends: the direction in which `wraps` has one send.
        sent = wraps(
            suite,
            behind_nat=False,
            tunnel_mtu_bytes=round(draft.catalog.default("connection.mtu.tunnel").value),
            path_mtu_bytes=path_mtu_bytes,
            do_not_fragment="copy",
            fragmentation="drop",
        )
        clamp_bytes = round(draft.catalog.default("connection.mtu.mss_clamp").value)
        return Link(
            name=self.name,
            a=self.first.name,
            b=self.second.name,
            passes={d: tuple(Pass(hop, sent[d]) for hop in hops[d]) for d in DIRECTIONS},
            connection=self.connection_name,
            joins_gateways=True,
            limits=packet_limits(sent, mss_clamp_bytes=clamp_bytes, is_told=True),
            usable_if={FORWARD: self._believes(self.first), RETURN: self._believes(self.second)},
        )

    def _believes(self, sender: GatewayInstance) -> tuple[str, ...]:
        """What lets a gateway route over the tunnel: its own instance, and its own DPD."""
        return (f"{sender.name}@platform", view(self.name, sender.gateway))

    def _note(self, instance: GatewayInstance, path_mtu_bytes: int) -> TunnelNote:
        ipsec = self.connection.ipsec
        return TunnelNote(
            name=self._hop(instance),
            connection=self.connection_name,
            gateway=instance.gateway,
            instance=instance.name,
            sku=instance.sku,
            generation=instance.generation,
            encryption=ipsec.encryption,
            integrity=ipsec.integrity,
            behind_nat=False,
            path_mtu_bytes=path_mtu_bytes,
            routing=self.connection.routing,
        )

    def _life(self, rtt_s: float, hops: tuple[int, ...], draft: Draft) -> TunnelSpec:
        default = draft.catalog.default
        round_trips = draft.catalog.timer("T015").value or 0.0
        retries_count = int(default("connection.dpd.gateway_retries").value)
        ends = tuple(
            EndSpec(
                name=instance.gateway,
                dpd_interval_s=self.connection.dpd / retries_count,
                dpd_retries_count=retries_count,
                may_initiate=True,
                host=instance.name,
            )
            for instance in (self.first, self.second)
        )
        return TunnelSpec(
            name=self.name,
            connection=self.connection_name,
            ends=ends,
            depends_on=(self.first.name, self.second.name),
            hops=hops,
            messages_s=round_trips * rtt_s,
            exchanges_count=math.ceil(round_trips),
            processing=default("gateway.ike_processing"),
            retransmission=Retransmission.of(draft.catalog),
            lifetimes=self._lifetimes(draft),
        )

    def _lifetimes(self, draft: Draft) -> Lifetimes:
        ipsec = self.connection.ipsec
        rates_bps = [
            draft.catalog.tunnel_performance(
                i.sku, i.generation, ipsec.encryption, ipsec.integrity
            ).throughput_bps
            for i in (self.first, self.second)
        ]
        return Lifetimes(
            ike_s=self.connection.ike_policy.lifetime,
            ipsec_s=ipsec.lifetime,
            ipsec_bytes=ipsec.lifetime_volume,
            rate_bps=max(rates_bps),
            look_s=draft.builder.time_bin_ps / PS_PER_S,
        )


def draw(name: str, connection: VnetToVnet, sketch: Sketch, draft: Draft) -> None:
    """Draw each tunnel with what the smaller of the two gateways lets it carry."""
    suite = (connection.ipsec.encryption, connection.ipsec.integrity)
    rate_bps = min(
        draft.catalog.tunnel_performance(i.sku, i.generation, *suite).throughput_bps
        for gateway in connection.gateways
        for i in draft.instances[gateway]
    )
    label = f"{name}: {format_rate(rate_bps)} a tunnel"
    for link in draft.links_of(name):
        sketch.add_edge(Edge(link.a, link.b, "ipsec", label, (name,)))


# ---------------------------------------------------------------------------------------------
# In the run
# ---------------------------------------------------------------------------------------------


def process(world: World, spec: TunnelSpec) -> Generator[Any, Any, None]:
    """Let one tunnel of the connection live."""
    return Tunnel(world, spec).live()
