"""The draft of a plan: what components tell one another and the planner before it is frozen.

Components do not import each other. They meet here, by name: a site publishes its places, access
lines and devices, a gateway its instances, a connection joins them with links. The planner then
finds the ways between two places in this graph and turns each into a route of the plan.

    place     where traffic starts and ends: a site, a VNet
    point     what lies between places and is passed: a device, a gateway instance
    link      joins two of them and has a row of hops in each direction
    offer     "at this place, that prefix is reachable over this connection"

The direction of a link, and of every hop, is `forward` from the customer's side to the platform's.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from simulator.base import quantiles
from simulator.base.errors import CrosspremError, ExitCode
from simulator.catalog import Catalog, Default
from simulator.plan import (
    FORWARD,
    RETURN,
    Direction,
    Encapsulation,
    Meter,
    PlanBuilder,
    Process,
    unit,
)

Prefix: TypeAlias = ipaddress.IPv4Network

DEFAULT_ROUTE: Final = ipaddress.IPv4Network((0, 0))
INTERNET: Final = "internet"
"""Name of the place that stands for all hosts of the public internet."""
DIRECTIONS: Final[tuple[Direction, ...]] = (FORWARD, RETURN)
OPPOSITE: Final[Mapping[Direction, Direction]] = {FORWARD: RETURN, RETURN: FORWARD}
SCENARIO: Final = "scenario"
"""Source of a ceiling whose value the scenario gives."""


class NoRouteError(CrosspremError):
    """A stream has no way from one of its ends to the other.

    `why` names the rule that keeps its packets from arriving; empty if the design is incomplete.
    """

    exit_code = ExitCode.INVALID_SCENARIO

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why


def drawn(default: Default, share: float) -> float:
    """A value of a default of the catalogue for a uniform random share, by its distribution."""
    low = default.value if default.min is None else default.min
    high = default.value if default.max is None else default.max
    match default.distribution:
        case "triangular":
            return quantiles.triangular(share, low, default.value, high)
        case "uniform":
            return quantiles.uniform(share, low, high)
        case "exponential":
            return quantiles.exponential(share, default.value)
        case _:
            return default.value


class Stage(IntEnum):
    """When a component adds its rows: those of a later stage build on those of earlier ones."""

    PLACES = 0
    PATHS = 1
    GATEWAYS = 2
    CONNECTIONS = 3
    INTERNET = 4
    PEERINGS = 5
    CLIENTS = 6
    SUBNETS = 7


# ---------------------------------------------------------------------------------------------
# Ceilings
# ---------------------------------------------------------------------------------------------


class CeilingKind(IntEnum):
    """What sort of limit a ceiling is; `explain` lists them in this order."""

    FLOW = 0
    TUNNEL = 1
    GATEWAY = 2
    PATH = 3
    ACCESS = 4
    DEVICE = 5
    SITE = 6


@dataclass(frozen=True)
class Ceiling:
    """One limit of a hop, with where its value comes from.

    Exactly one of `rate_bps`, `packets_per_s`, `flows_count`, `loss_ratio` and
    `rate_after_loss_bps` is set.
    """

    kind: CeilingKind
    label: str
    source: str
    rate_bps: float | None = None
    packets_per_s: float | None = None
    flows_count: float | None = None
    loss_ratio: float | None = None
    """Random loss: no rate by itself, but it bounds what TCP reaches."""
    meter: Meter = "wire"
    rate_after_loss_bps: float | None = None
    """What is left for all hops with this ceiling together once one of two is lost: shown, and
    never the limit now."""


# ---------------------------------------------------------------------------------------------
# Hops on the way, and how packets look there
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrap:
    """How packets are encapsulated at a hop, and what happens to those that do not fit.

    wire = `fixed_bytes` + align(inner + `trailer_bytes`). The largest inner packet that passes
    whole has `fit_bytes`.
    """

    fixed_bytes: int
    trailer_bytes: int
    align_bytes: int
    fit_bytes: int
    mtu_bytes: int
    """MTU of the outer path, to which fragments are cut."""
    fragments: Literal["never", "unless-df", "always"] = "never"
    """Whether the sender of the outer packet cuts it: never, unless the inner packet says
    "do not fragment", or in spite of it."""

    def outer_bytes(self, inner_bytes: int) -> int:
        """The outer packet before any cut."""
        inside = inner_bytes + self.trailer_bytes
        return self.fixed_bytes + -(-inside // self.align_bytes) * self.align_bytes

    def encapsulation(self, *, do_not_fragment: bool) -> Encapsulation:
        """The same for the plan, for packets that have the DF bit set or not."""
        may_fragment = self.cuts(do_not_fragment=do_not_fragment)
        return Encapsulation(
            fixed_bytes=self.fixed_bytes,
            trailer_bytes=self.trailer_bytes,
            align_bytes=self.align_bytes,
            mtu_bytes=self.mtu_bytes if may_fragment else self.outer_bytes(self.fit_bytes),
            may_fragment=may_fragment,
        )

    def cuts(self, *, do_not_fragment: bool) -> bool:
        """Whether packets that do not fit are cut into fragments."""
        return self.fragments == "always" or (self.fragments == "unless-df" and not do_not_fragment)


@dataclass(frozen=True)
class Pass:
    """A hop that a link or point makes packets pass."""

    hop_idx: int
    wrap: Wrap | None = None
    """Encapsulation there; None is plain."""
    is_in_tunnel: bool = False
    """Encapsulated as at the tunnel beside it, whichever that is on the way."""


@dataclass(frozen=True)
class PacketLimit:
    """What a way allows in packet size, for traffic that adapts to it."""

    fit_bytes: int
    """Largest inner packet that passes whole."""
    mss_clamp_bytes: int | None
    is_told: bool
    """Whether a sender hears of packets that do not fit (path MTU discovery works)."""
    cuts_df: bool
    """Whether packets with DF that do not fit are cut all the same."""


Passes: TypeAlias = Mapping[Direction, tuple[Pass, ...]]
"""The hops that packets pass, in order, by direction."""


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
    nat: str = ""
    """What gateway NAT makes of the prefix, in words; empty without NAT."""
    answers_only: bool = False
    """Carries answers alone: dynamic NAT lets nobody at this place open a flow."""

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


# ---------------------------------------------------------------------------------------------
# What sites and gateways publish for connections
# ---------------------------------------------------------------------------------------------


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


class Translation(NamedTuple):
    """Addresses that gateway NAT gives to a prefix, as the other end of a connection sees them."""

    rule: str
    internal: Prefix
    external: Prefix
    is_dynamic: bool

    def of(self, prefix: Prefix) -> tuple[Prefix, ...]:
        """What the other end sees of a prefix: addresses without a rule stay as they are."""
        if prefix.subnet_of(self.internal):
            if self.is_dynamic:
                return (self.external,)
            offset = int(prefix.network_address) - int(self.internal.network_address)
            return (Prefix((int(self.external.network_address) + offset, prefix.prefixlen)),)
        if self.internal.subnet_of(prefix):
            return (self.external, *prefix.address_exclude(self.internal))
        return (prefix,)


def translated(prefix: Prefix, translations: Sequence[Translation]) -> tuple[Prefix, ...]:
    """What the other end sees of a prefix behind several rules: the first that fits counts."""
    for translation in translations:
        if prefix.overlaps(translation.internal):
            return translation.of(prefix)
    return (prefix,)


@dataclass(frozen=True)
class NatRule:
    """A NAT rule of a VPN gateway."""

    name: str
    mode: Literal["ingress", "egress"]
    translation: Translation
    instance: str
    """Point of the gateway instance on which it acts."""


@dataclass(frozen=True)
class P2sGateway:
    """What a VPN gateway offers to point-to-site clients."""

    address_pools: tuple[Prefix, ...]
    protocols: tuple[str, ...]
    radius_at: str
    """Site or VNet of the RADIUS server; empty if there is none, or where does not matter."""
    auth_s: float


CLIENT_HOPS: Final = -1
"""In the link of a group of clients: stands for the hops of each client."""


@dataclass(frozen=True)
class Client:
    """A point-to-site client that a gateway admits: a row of its group."""

    name: str
    instance: str
    hops: Mapping[Direction, tuple[int, ...]]
    """Its own hops between its host and the instance."""
    dials_s: float = 0.0
    leaves_s: float | None = None
    """When its session ends; None: it stays."""


@dataclass(frozen=True)
class Refusal:
    """Clients of a group that a gateway refuses, and why."""

    clients: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class ClientGroup:
    """A group of point-to-site clients: those that get in, from when on, and those refused."""

    name: str
    gateway: str
    protocol: str
    clients: tuple[Client, ...]
    refused: tuple[Refusal, ...]
    ready_s: float
    """When they are connected and their traffic may start."""


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
class ExpressRouteGateway:
    """An ExpressRoute gateway: what packets from on-premises pass in it."""

    name: str
    vnet: str
    passes: tuple[Pass, ...]
    instances: tuple[str, ...]
    limit: PacketLimit
    private: Callable[[], Passes]
    """What packets of private endpoints pass, in both directions; made when first called."""


@dataclass(frozen=True)
class PortPair:
    """A pair of ExpressRoute Direct ports: the hops of each, by name of the link."""

    peering_location: str
    bandwidth_bps: float
    hops: Mapping[str, Mapping[Direction, int]]


@dataclass(frozen=True)
class CircuitEnd:
    """One of the two links of a circuit, from a device or network of a site to the platform."""

    link: str
    """`primary` or `secondary`."""
    site: str
    edge: CustomerEdge | None
    """The device that ends the link; None where the provider's network does for the whole site."""
    hops: Mapping[Direction, tuple[int, ...]]
    announces: tuple[Prefix, ...]
    as_path_length: int
    """Autonomous systems between the site and the platform, that of the site included."""


@dataclass(frozen=True)
class CircuitLink:
    """One link of a circuit as sessions, routes and faults know it."""

    name: str
    """For example `paris.primary`: its hops, its BGP session."""
    circuit: str
    customer_end: Literal["CE", "PE"]
    """Who speaks BGP with the edge router: a device of the customer or the provider's edge."""
    location: str
    """Peering location where it ends."""
    hops: Mapping[Direction, int]
    """Its policers."""
    convergence: Default | None = None
    """Time until the customer's side uses another way, where the provider's network decides."""


@dataclass(frozen=True)
class Circuit:
    """An ExpressRoute circuit for the connections that use it."""

    name: str
    peering_location: str
    is_direct: bool
    bandwidth_bps: float
    ends: tuple[CircuitEnd, ...]
    fastpath_ips: Ceiling
    links: Mapping[str, CircuitLink]
    """`primary` and `secondary`."""
    honours_prepend: bool
    """Whether the customer's side compares AS paths that the platform has lengthened."""


class InternetWay(NamedTuple):
    """The public internet between an access line and a region: its hops and its delay."""

    up: int
    down: int
    one_way_s: float


# ---------------------------------------------------------------------------------------------
# The draft
# ---------------------------------------------------------------------------------------------


class Draft:
    """Collects what components add; hops go straight into the `PlanBuilder`."""

    def __init__(self, builder: PlanBuilder, catalog: Catalog) -> None:
        self.builder = builder
        self.catalog = catalog
        self.points: dict[str, Point] = {}
        self.links: list[Link] = []
        self.offers: list[Offer] = []
        self.gateway_transits: list[GatewayTransit] = []
        self.busy_s: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """By connection: start and stop of each stream that may use it, noted at the end."""
        self.tunnels: list[TunnelNote] = []
        self.ceilings: dict[int, tuple[Ceiling, ...]] = {}
        self.delay_s: dict[int, float] = {}
        """Median delay of each hop without load."""
        self.path_values: dict[int, tuple[float, float]] = {}
        """Delay (s) and random loss (ratio) of each path hop as planned."""
        self.lines: dict[str, AccessLine] = {}
        self.devices: dict[str, dict[str, VpnDevice]] = {}
        """By site, then by the device's name in the scenario."""
        self.instances: dict[str, tuple[GatewayInstance, ...]] = {}
        """By gateway: the instances that end tunnels."""
        self.ends: frozenset[str] = frozenset()
        """Places where the traffic of the scenario starts or ends."""
        self.nat_rules: dict[str, dict[str, NatRule]] = {}
        """By gateway and name."""
        self.translations: dict[tuple[str, str], tuple[Translation, ...]] = {}
        """By places (at, to): how `at` sees the prefixes of `to` behind gateway NAT."""
        self.default_sites: dict[str, str] = {}
        """By gateway: the site to which it sends what it has no other route for."""
        self.gateway_routes: dict[str, list[Offer]] = defaultdict(list)
        """By VNet: routes that its gateway has and the VNet does not learn."""
        self._later: dict[Stage, list[Callable[[], None]]] = defaultdict(list)
        self.p2s: dict[str, P2sGateway] = {}
        """By gateway: what it offers to point-to-site clients."""
        self.clients: dict[str, ClientGroup] = {}
        """Groups of point-to-site clients by name."""
        self.refused: Mapping[str, str] = {}
        """Groups of clients that a rule keeps out, and why."""
        self.warnings: list[str] = []
        """What a component accepts and should still be known."""
        self.edges: dict[str, dict[str, CustomerEdge]] = {}
        """All devices of a site as routers, by site and name."""
        self.spots: dict[str, Spot] = {}
        """Where each site lies."""
        self.expressroute_gateways: dict[str, ExpressRouteGateway] = {}
        self.port_pairs: dict[str, PortPair] = {}
        self.circuits: dict[str, Circuit] = {}
        self.bgp_sessions: dict[str, list[tuple[str, str]]] = defaultdict(list)
        """By circuit or connection: its BGP sessions, each with its customer's end."""
        self.internet: Callable[[AccessLine, Place], InternetWay] = _no_internet
        """How to reach a region from an access line; the component `path` provides it."""
        self.measured_paths: dict[tuple[str, str, str | None], Any] = {}
        """Paths of the scenario by site, VNet and provider (None: all of them)."""
        self.ways: dict[str, InternetWay] = {}
        """Ways over the internet by name: made when first used."""
        self.shared_hops: dict[str, int] = {}
        """Hops that several connections may use, by name: made when first used."""
        self.vms: dict[str, tuple[str, ...]] = {}
        """By gateway: all of its VMs, standbys too."""
        self.in_zones: dict[tuple[str, int], list[str]] = defaultdict(list)
        """By VNet and availability zone: states of what goes dark with the zone."""
        self.counts: dict[str, int] = {}
        self._by_connection: tuple[int, dict[str, list[Link]]] = (0, defaultdict(list))

    def draw(self, default: Default, *names: str) -> float:
        """A value of a default of the catalogue for this run, by the random key of the names."""
        return drawn(default, unit(self.builder.key(*names, default.id)))

    def number(self, of: str) -> int:
        """The next number, from 0, of things that are counted under one name."""
        number = self.counts.get(of, 0)
        self.counts[of] = number + 1
        return number

    def at_stage(self, stage: Stage, add_rows: Callable[[], None]) -> None:
        """Let rows be added at a later stage, when those of earlier ones are there."""
        self._later[stage].append(add_rows)

    def finish_stage(self, stage: Stage) -> None:
        """Add what was left to this stage."""
        for add_rows in self._later.pop(stage, ()):
            add_rows()

    def add_point(self, point: Point) -> None:
        """Add a point or place."""
        self.points[point.name] = point

    def place(self, name: str) -> Place:
        """The place of this name."""
        place = self.points[name]
        if not isinstance(place, Place):
            raise TypeError(f"'{name}' is passed by traffic, it does not start or end there")
        return place

    def add_link(self, link: Link) -> None:
        """Add a link; both its ends must exist."""
        for end in (link.a, link.b):
            if end not in self.points:
                raise ValueError(f"link {link.name}: its end '{end}' does not exist")
        self.links.append(link)

    def links_of(self, connection: str) -> list[Link]:
        """The links of a connection, in the order in which they were added."""
        known, by_name = self._by_connection
        if known != len(self.links):
            by_name = defaultdict(list)
            for link in self.links:
                by_name[link.connection].append(link)
            self._by_connection = (len(self.links), by_name)
        return by_name[connection]

    def server(
        self, name: str, direction: Direction, ceilings: Sequence[Ceiling] = (), **args: Any
    ) -> int:
        """Add a server hop (see `PlanBuilder.server`) with the ceilings that it stands for."""
        hop_idx = self.builder.server(name, direction, **args)
        self.ceilings[hop_idx] = tuple(ceilings)
        self.delay_s[hop_idx] = args.get("delay_s", 0.0)
        return hop_idx

    def servers(
        self, name: str, *, is_shared: bool, ceilings: Sequence[Ceiling] = (), **args: Any
    ) -> dict[Direction, int]:
        """Add a server for each direction, or one that both share; returns them by direction."""
        forward = self.server(name, FORWARD, ceilings, **args)
        back = forward if is_shared else self.server(name, RETURN, ceilings, **args)
        return {FORWARD: forward, RETURN: back}

    def path(
        self, name: str, direction: Direction, ceilings: Sequence[Ceiling] = (), **args: Any
    ) -> int:
        """Add a path hop (see `PlanBuilder.path`) with the ceilings that it stands for."""
        hop_idx = self.builder.path(name, direction, **args)
        self.ceilings[hop_idx] = tuple(ceilings)
        jitter_s = args.get("jitter_quantiles_s")
        middle_s = 0.0 if jitter_s is None else float(jitter_s[len(jitter_s) // 2])
        self.delay_s[hop_idx] = args["delay_s"] + middle_s
        self.path_values[hop_idx] = (args["delay_s"], args.get("loss_ratio", 0.0))
        return hop_idx

    def process(self, name: str, process: Process) -> None:
        """Add a control process."""
        self.builder.process(name, process)


def _no_internet(line: AccessLine, place: Place) -> InternetWay:
    raise ValueError(f"no component provides the internet between {line.name} and {place.name}")
