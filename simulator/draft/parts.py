"""What sites and gateways publish about themselves for whatever is joined to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from simulator.draft.graph import Prefix
from simulator.plan import Meter


@dataclass(frozen=True)
class AccessLine:
    """An access line of a site: its two hops and what the way beyond them needs to know."""

    name: str
    """For example `lyon.isp`; also the name of its state and signal."""
    site: str
    provider: str
    up: int
    down: int
    delay_s: float
    jitter_s_p95: float
    loss_ratio: float
    near: str | None
    """Region near the site, else its coordinates hold."""
    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True)
class VpnDevice:
    """An on-premises VPN device."""

    name: str
    """Name of its point, for example `lyon.edge`."""
    site: str
    model: str
    line: AccessLine
    behind_nat: bool
    announces: tuple[Prefix, ...]
    """What it announces by BGP, or what is configured at the gateway as the site's prefixes."""
    prepends_count: int = 0
    """Own AS numbers that it adds in front of the AS path."""
    local_preference: Mapping[str, int] = field(default_factory=dict)
    """What it prefers, by connection; the default of the catalogue for the others."""


@dataclass(frozen=True)
class GatewayInstance:
    """An instance of a VPN gateway that ends tunnels."""

    name: str
    """Name of its point, state and signal, for example `hub-vpn.instance-0`."""
    gateway: str
    vnet: str
    sku: str
    generation: int | None
    direction: Literal["each", "shared"]
    meter: Meter
    buffer_s: float
    latency_s_p50: float
    idle_teardown_s: float | None = None
    """After so long without a packet a policy-based gateway takes a tunnel down; None: never."""


@dataclass(frozen=True)
class CustomerEdge:
    """A device of a site as a router: what it announces and prefers."""

    name: str
    """Name of its point, for example `lyon.ce1`."""
    site: str
    announces: tuple[Prefix, ...]
    prepends_count: int
    local_preference: Mapping[str, int]
    """By connection; the default of the catalogue for the others."""
    connect_retry_s: float | None = None
    """Time between its attempts to open a BGP session; None: it speaks no BGP of its own."""
    keepalive_s: float = 0.0
    hold_s: float = 0.0
    """BGP timers that it offers to VPN gateways."""


@dataclass(frozen=True)
class Spot:
    """Where a site lies."""

    near: str | None
    """Region near the site, else its coordinates hold."""
    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True)
class TunnelNote:
    """A tunnel as `explain` and later stages show it."""

    name: str
    connection: str
    gateway: str
    instance: str
    sku: str
    generation: int | None
    encryption: str
    integrity: str
    behind_nat: bool
    path_mtu_bytes: int
    routing: Literal["static", "bgp"] = "static"


class InternetWay(NamedTuple):
    """The public internet between an access line and a region: its hops and its delay."""

    up: int
    down: int
    one_way_s: float
