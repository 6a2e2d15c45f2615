"""Sums about tunnels before any run: how many are needed, and the bytes of one packet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from simulator.catalog import EspSuite, TunnelPerformance, VpnGatewaySku
from simulator.ipsec.rows import esp_wrap


@dataclass(frozen=True)
class TunnelsNeeded:
    """How many connections and tunnels carry a rate, or why no number of them does."""

    target_bps: float
    packet_bytes: float
    tunnel_bps: float
    """What one tunnel carries at this packet size, one direction."""
    gateway_bps: float
    """What all instances that end tunnels carry together."""
    connections_count: int | None
    """None if no number of connections is enough."""
    tunnels_count: int | None
    binding: str
    """What stands in the way of more with one connection less, or of the target."""


def tunnels_needed(
    sku: VpnGatewaySku,
    performance: TunnelPerformance,
    *,
    target_bps: float,
    packet_bytes: float,
    instances_count: int = 1,
    scope: Literal["instance", "gateway"] = "instance",
) -> TunnelsNeeded:
    """How many connections and tunnels a gateway needs for a rate in one direction.

    Every connection has a tunnel to each instance that ends tunnels, and flows spread evenly:

        tunnel  = min(throughput, packets_per_s x packet size)
        n connections carry min(n x instances x tunnel, instances x aggregate)

    Parameters
    ----------
    sku, performance
        The gateway and what one of its tunnels carries with the suite in use.
    target_bps
        Wanted rate in one direction, inner IP bits/s.
    packet_bytes
        Mean inner IP packet.
    instances_count
        Instances that end tunnels: 1 in active-standby mode.
    scope
        Whether the SKU's throughput is that of an instance or of the gateway.
    """
    from kernels.crypto import throughput_bps

    tunnel_bps = throughput_bps(
        packet_bytes, performance.packets_per_s or math.inf, performance.throughput_bps
    )
    gateways = instances_count if scope == "instance" else 1
    gateway_bps = gateways * sku.aggregate_throughput_bps
    connections = max(1, math.ceil(round(target_bps / (tunnel_bps * instances_count), 9)))
    is_packet_bound = tunnel_bps < performance.throughput_bps
    binding = "tunnel, packets/s" if is_packet_bound else "tunnel, bits/s"
    if target_bps > gateway_bps:
        binding = f"{sku.name} carries {gateway_bps / 1e6:g} Mbit/s in all"
        return TunnelsNeeded(target_bps, packet_bytes, tunnel_bps, gateway_bps, None, None, binding)
    if connections > sku.max_tunnels:
        binding = f"{sku.name} takes {sku.max_tunnels} connections"
        return TunnelsNeeded(target_bps, packet_bytes, tunnel_bps, gateway_bps, None, None, binding)
    return TunnelsNeeded(
        target_bps,
        packet_bytes,
        tunnel_bps,
        gateway_bps,
        connections,
        connections * instances_count,
        binding,
    )


@dataclass(frozen=True)
class EncapsulatedPacket:
    """One inner packet on the wire, byte by byte."""

    inner_bytes: int
    parts_bytes: tuple[tuple[str, int], ...]
    """In the order of the wire, the inner packet among them."""
    outer_bytes: int
    """The ESP packet before any cut: the sum of the parts."""
    mtu_bytes: int
    wire_bytes: int
    """All fragments with their headers; as `outer_bytes` if it fits."""
    fragments_count: int


def encapsulated(
    suite: EspSuite, inner_bytes: int, *, behind_nat: bool, mtu_bytes: int
) -> EncapsulatedPacket:
    """The exact bytes of ESP in tunnel mode around one inner packet (RFC 4303, RFC 3948)."""
    from kernels.esp import wire_bytes

    fixed, trailer, align = esp_wrap(suite, behind_nat=behind_nat)
    wire, count = wire_bytes(inner_bytes, fixed, trailer, align, mtu_bytes)
    padding_bytes = -(inner_bytes + trailer) % align
    parts = (
        ("outer IPv4", suite.outer_header_bytes),
        ("UDP of NAT-T", suite.nat_t_bytes if behind_nat else 0),
        ("ESP header", suite.esp_header_bytes),
        ("IV", suite.iv_bytes),
        ("inner packet", inner_bytes),
        ("padding", padding_bytes),
        ("ESP trailer", trailer),
        ("ICV", suite.icv_bytes),
    )
    return EncapsulatedPacket(
        inner_bytes=inner_bytes,
        parts_bytes=parts,
        outer_bytes=sum(size for _, size in parts),
        mtu_bytes=mtu_bytes,
        wire_bytes=wire,
        fragments_count=count,
    )
