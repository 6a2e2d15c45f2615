"""The draft itself: what all components have added so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any, TypeAlias, TypeVar

from simulator.base import quantiles
from simulator.catalog import Catalog, Default
from simulator.draft.graph import (
    GatewayTransit,
    Link,
    Offer,
    Place,
    Point,
    Prefix,
)
from simulator.draft.hops import Ceiling
from simulator.draft.parts import (
    AccessLine,
    CustomerEdge,
    GatewayInstance,
    InternetWay,
    Spot,
    TunnelNote,
    VpnDevice,
)
from simulator.draws import unit
from simulator.plan import FORWARD, RETURN, Direction, Process
from simulator.plan_builder import PlanBuilder

T = TypeVar("T")

View: TypeAlias = Callable[[Prefix], Sequence[Prefix]]
"""The addresses in which a prefix is seen from somewhere else."""


class Stage(IntEnum):
    """When a component adds its rows: those of a later stage build on those of earlier ones."""

    PLACES = 0
    PATHS = 1
    """What lies between places, whoever uses it."""
    GATEWAYS = 2
    """What ends connections."""
    CONNECTIONS = 3
    EXITS = 4
    """Ways out of the whole network, along what connections offer."""
    EXTENSIONS = 5
    """Further places that are reached over what stands at others."""
    GROUPS = 6
    """Members that share what all others have left."""
    DIVISIONS = 7
    """Places inside others, with what all of the above gave to the whole."""


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
        self.views: dict[tuple[str, str], View] = {}
        """By places (at, to): how `at` sees the prefixes of `to`, where not as they are."""
        self.default_sites: dict[str, str] = {}
        """By gateway: the site to which it sends what it has no other route for."""
        self.gateway_routes: dict[str, list[Offer]] = defaultdict(list)
        """By VNet: routes that its gateway has and the VNet does not learn."""
        self._later: dict[Stage, list[Callable[[], None]]] = defaultdict(list)
        self.stopped: Callable[[str], Mapping[str, str]] = _nothing_stopped
        """Of a section of the scenario: what a rule keeps out, and why, by name."""
        self.warnings: list[str] = []
        """What a component accepts and should still be known."""
        self.edges: dict[str, dict[str, CustomerEdge]] = {}
        """All devices of a site as routers, by site and name."""
        self.spots: dict[str, Spot] = {}
        """Where each site lies."""
        self.bgp_sessions: dict[str, list[tuple[str, str]]] = defaultdict(list)
        """By what the customer knows: its BGP sessions, each with the customer's end."""
        self.internet: Callable[[AccessLine, Place], InternetWay] = _no_internet
        """How to reach a region from an access line; the component `path` provides it."""
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
        self._published: dict[type, dict[Any, Any]] = defaultdict(dict)

    def published(self, kind: type[T]) -> dict[Any, T]:
        """What components have published of a kind, by name, for whoever knows the kind."""
        return self._published[kind]

    def seen(self, at: str, to: str, prefix: Prefix) -> Sequence[Prefix]:
        """The addresses in which one place sees a prefix of another."""
        view = self.views.get((at, to))
        return (prefix,) if view is None else view(prefix)

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

    def take_offers(self, connection: str) -> list[Offer]:
        """Remove the offers of a connection and return them, to be offered in another form."""
        taken = [offer for offer in self.offers if offer.connection == connection]
        self.offers = [offer for offer in self.offers if offer.connection != connection]
        return taken

    def links_into(self, place: str) -> list[Link]:
        """The links that lead from gateways into a place: those of no connection."""
        return [link for link in self.links if link.b == place and not link.connection]

    def divide(self, whole: str, part: Place) -> None:
        """Add a place inside another, with the links, views and transits of the whole."""
        self.add_point(part)
        for link in [link for link in self.links if whole in {link.a, link.b}]:
            a = part.name if link.a == whole else link.a
            b = part.name if link.b == whole else link.b
            self.add_link(replace(link, a=a, b=b))
        self.gateway_transits += [
            replace(transit, spoke=part.name)
            for transit in self.gateway_transits
            if transit.spoke == whole
        ]
        for (at, to), view in list(self.views.items()):
            if whole in {at, to}:
                ends = (part.name if at == whole else at, part.name if to == whole else to)
                self.views[ends] = view

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


def _nothing_stopped(section: str) -> Mapping[str, str]:
    return {}


def _no_internet(line: AccessLine, place: Place) -> InternetWay:
    raise ValueError(f"no component provides the internet between {line.name} and {place.name}")
