"""The graph in which the planner finds ways: points, places, links, and offers of routes."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Literal, TypeAlias

from simulator.base.errors import CrosspremError, ExitCode
from simulator.draft.hops import PacketLimit, Passes
from simulator.plan import Direction

Prefix: TypeAlias = ipaddress.IPv4Network

DEFAULT_ROUTE: Final = ipaddress.IPv4Network((0, 0))
INTERNET: Final = "internet"
"""Name of the place that stands for all hosts of the public internet."""


class NoRouteError(CrosspremError):
    """A stream has no way from one of its ends to the other.

    `why` names the rule that keeps its packets from arriving; empty if the design is incomplete.
    """

    exit_code = ExitCode.INVALID_SCENARIO

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True)
class Point:
    """What is passed between places: a device, a gateway instance."""

    name: str
    passes: Passes
    keeps_state: bool = field(default=False, kw_only=True)
    """Drops packets of flows whose first packet passed elsewhere (a stateful firewall alone)."""


@dataclass(frozen=True)
class Place(Point):
    """Where traffic starts and ends: a site, a VNet. Packets that leave or arrive pass its hops."""

    prefixes: tuple[Prefix, ...] = ()
    region: str = ""
    zone: int | None = None
    """Availability zone of its hosts; None: several, or none is known."""


@dataclass(frozen=True)
class Onward:
    """The hops and limits of a link for packets that go on to another place."""

    passes: Passes
    limits: Mapping[Direction, PacketLimit] = field(default_factory=dict)
    shared_by: Mapping[Direction, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """Joins two places or points; `a` is on the customer's side."""

    name: str
    a: str
    b: str
    passes: Passes
    connection: str = ""
    """Connection that the link belongs to; empty for the inside of a site or VNet."""
    limits: Mapping[Direction, PacketLimit] = field(default_factory=dict)
    usable_if: Mapping[Direction, tuple[str, ...]] = field(default_factory=dict)
    """States that must not be down for the sending end to route over the link."""
    prepended_if: Mapping[Direction, tuple[str, ...]] = field(default_factory=dict)
    """States that lengthen the AS path over the link while they are down."""
    shared_by: Mapping[Direction, tuple[str, ...]] = field(default_factory=dict)
    """Instances of a gateway, of which each flow passes one by hash."""
    joins_gateways: bool = False
    """Both ends belong to gateways: what arrives at either goes on forward, into its VNet."""
    hold_down_s: float = 0.0
    """How long it waits after its return before flows go back to it; infinite: for ever."""
    hold_down_group: str = ""
    """Links of one group are no other way: between them flows go back at once. Empty: of none."""
    yields_to_static: bool = False
    """Flows of a VNet that went to a static VPN route stay there as long as it stands."""
    reaches_hosts: bool = False
    """Its delay counts to the hosts: packets that arrive over it pass no hop of the place."""
    onward: Onward | None = None
    """What differs for packets that go on from `b` to a place that shares its gateways."""
    private: Callable[[], Onward] | None = None
    """What differs for private endpoints in `b`; its hops are made when it is called."""


class RouteKind(IntEnum):
    """How a VNet learnt a prefix: at equal prefixes the platform takes the lower kind."""

    USER = 0
    PEERING = 1
    EXPRESSROUTE = 2
    VPN = 3
    SYSTEM = 4

    @property
    def is_of_gateway(self) -> bool:
        """Whether a gateway of the VNet learnt it."""
        return self in {RouteKind.EXPRESSROUTE, RouteKind.VPN}

    @property
    def words(self) -> str:
        """The kind as people call it."""
        return _ROUTE_KINDS[self]


_ROUTE_KINDS: Final[Mapping[RouteKind, str]] = {
    RouteKind.USER: "user route",
    RouteKind.PEERING: "peering",
    RouteKind.EXPRESSROUTE: "ExpressRoute",
    RouteKind.VPN: "VPN",
    RouteKind.SYSTEM: "system route",
}


@dataclass(frozen=True)
class Offer:
    """At place `at`, `prefix` of place `to` is reachable over a connection."""

    at: str
    to: str
    prefix: Prefix
    connection: str
    kind: RouteKind
    how: Literal["static", "bgp", "system", "user"]
    via: tuple[str, ...] = ()
    """Points that the way must pass, such as the device that announced the prefix."""
    then: tuple[str, ...] = ()
    """Further connections of the way, in transit."""
    weight: int = 0
    """Weight of an ExpressRoute connection: the higher wins; below 0: a user route to nowhere."""
    local_preference: int | None = None
    """What a device of the customer is told to prefer: the higher wins. None: nothing is told."""
    as_path_length: int = 0
    """Autonomous systems on the way, prepended ones counted too; 0 for a static route."""
    behind: Offer | None = None
    """The gateway's own route that a user route to the gateway leads to."""
    altered: str = ""
    """What is done to the addresses of the prefix on the way, in words; empty if nothing."""
    answers_only: bool = False
    """Carries answers alone: nobody at this place can open a flow over it."""

    @property
    def name(self) -> str:
        """The way in words: its connections, and the device where that matters."""
        over = " + ".join((self.connection, *self.then))
        return f"{over} via {' and '.join(self.via)}" if self.via else over


@dataclass(frozen=True)
class GatewayTransit:
    """A VNet that uses the gateways of a VNet that it is peered with."""

    peering: str
    """Connection of the links between the gateways and the VNet."""
    hub: str
    spoke: str
