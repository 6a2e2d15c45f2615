"""The hops of each client: its access line, the internet, and what one client reaches at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Delay, PositiveDuration, Rate, Ratio, catalogued
from simulator.base.location import Location
from simulator.base.units import BITS_PER_BYTE
from simulator.catalog import P2sProtocol
from simulator.draft import (
    DIRECTIONS,
    SCENARIO,
    AccessLine,
    Ceiling,
    CeilingKind,
    Client,
    Draft,
    GatewayInstance,
    InternetWay,
)
from simulator.plan import FORWARD, RETURN, Direction

#: Suite whose published row of a tunnel stands for what one client reaches at most.
CEILING_SUITE: Final = ("AES256", "SHA256")


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


class Access:
    """Makes the hops of each client of a group.

    A client has two access links, a path in each direction, and the most that one client reaches
    at the gateway. Where its access link can never fill the latter, that is a ceiling of the link
    and no hop: it would always be idle.
    """

    def __init__(
        self,
        group: str,
        access: ClientAccess,
        location: Location,
        protocol: P2sProtocol,
        instance: GatewayInstance,
        draft: Draft,
    ) -> None:
        self._group = group
        self._access = access
        self._location = location
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
            FORWARD: access.up,
            RETURN: access.down,
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
            buffer_s=self._access.buffer,
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
        access, location = self._access, self._location
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
