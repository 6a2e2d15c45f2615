"""Which ways a stream takes: what the decisions of each place lead to, and how that changes.

    Network    the graph of links; finds every way over the routes that were chosen
    follow     the control process that moves flows when an end loses faith in a tunnel

Forward and return are decided apart, each by the place that sends (`decisions`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from simulator.draft import (
    CLIENT_HOPS,
    OPPOSITE,
    Draft,
    Link,
    NoRouteError,
    Offer,
    PacketLimit,
    Pass,
    Place,
    Prefix,
    Wrap,
)
from simulator.plan import FORWARD, RETURN, Direction
from simulator.planner.asymmetry import refusing
from simulator.planner.decisions import Decision, decide
from simulator.planner.transit import Transit
from simulator.recorder import Reroute
from simulator.states import works
from simulator.ways import StreamDraft, Way

if TYPE_CHECKING:
    from simulator.world import World

# ---------------------------------------------------------------------------------------------
# The ways
# ---------------------------------------------------------------------------------------------


class Network:
    """The graph of a draft, with all links in place."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._ecmp = draft.catalog.default("routing.ecmp").word == "true"
        self._paths_max = int(draft.catalog.default("routing.ecmp_paths").value)
        self._links: dict[str, dict[str, list[tuple[Link, Direction, str]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for link in draft.links:
            self._links[link.a][link.connection].append((link, FORWARD, link.b))
            self._links[link.b][link.connection].append((link, RETURN, link.a))
        self.warnings: list[str] = []
        """What became of announcements, in words."""
        self._offers: dict[str, list[Offer]] = defaultdict(list)
        for offer in draft.offers:
            if self._is_accepted(offer):
                self._offers[offer.at].append(self._with_preference(offer))
        self._by_prefix: dict[tuple[str, Prefix], list[Offer]] = defaultdict(list)
        for offers in self._offers.values():
            for offer in offers:
                self._by_prefix[(offer.at, offer.prefix)].append(offer)
        self._transit = Transit(draft, self._offers)
        self.decisions: dict[tuple[str, str], tuple[Decision, ...]] = {}
        """By places (at, to): one for each prefix of the latter."""

    def _is_accepted(self, offer: Offer) -> bool:
        """A VNet takes no prefix from a peer that lies inside its own (rule R070)."""
        own = self._draft.place(offer.at)
        if offer.how != "bgp" or not own.region:
            return True
        if not any(offer.prefix.subnet_of(prefix) for prefix in own.prefixes):
            return True
        warning = (
            f"{offer.prefix} that {offer.to} announces over {offer.name} lies inside VNet "
            f"{offer.at}: the platform does not accept it; announce a larger prefix (rule R070)"
        )
        self.warnings.append(warning)
        return False

    def _with_preference(self, offer: Offer) -> Offer:
        """At a site its devices decide, by the usual local preference where none is set."""
        if self._draft.place(offer.at).region or offer.local_preference is not None:
            return offer
        usual = int(self._draft.catalog.default("bgp.local_preference").value)
        return replace(offer, local_preference=usual)

    def decide(self, at: str, to: str) -> tuple[Decision, ...]:
        """What a place does with traffic to another place, for each of its prefixes."""
        if (at, to) not in self.decisions:
            in_transit = list(self._transit.offers(at, to))
            self.decisions[(at, to)] = tuple(
                decide(at, prefix, [*self._around(at, prefix), *in_transit], ecmp=self._ecmp)
                for prefix in self._draft.place(to).prefixes
            )
        return self.decisions[(at, to)]

    def connections(self, at: str, to: str) -> set[str]:
        """The connections that traffic between two places may use, in either direction."""
        decisions = [*self.decide(at, to), *self.decide(to, at)]
        offers = [o for decision in decisions for group in decision.ranked for o in group]
        return {name for o in offers for name in (o.connection, *o.then)}

    def _around(self, at: str, prefix: Prefix) -> Iterator[Offer]:
        """The direct offers at a place for a prefix and for all that contain it."""
        for length in range(prefix.prefixlen, -1, -1):
            yield from self._by_prefix.get((at, prefix.supernet(new_prefix=length)), ())

    def groups(self, stream: str, at: str, to: str) -> list[list[Way]]:
        """The ways from one place to another, best group first, judged by its first prefix.

        Raises
        ------
        NoRouteError
            If there is none.
        """
        decision = self.decide(at, to)[0]
        groups = [
            list({way.name: way for offer in group for way in self._ways(at, to, offer)}.values())
            for group in decision.ranked
        ]
        if not groups or not groups[0]:
            reason = f"{decision.reason}, which leads elsewhere" if groups else decision.reason
            hint = self._transit.why_not(at, to)
            raise NoRouteError(
                f"traffic {stream}: no way from {at} to {to}: {reason}"
                f"{hint and f'; {hint}'}; add a connection between "
                "them, or announce the prefix on the one there is"
            )
        return [self._sharing(group) for group in groups if group]

    def _sharing(self, group: list[Way]) -> list[Way]:
        """As many equal ways as share flows; each client has one instance and shares nothing."""
        is_of_clients = any(CLIENT_HOPS in way.hops for way in group)
        return group if is_of_clients else group[: self._paths_max]

    def _ways(self, at: str, to: str, offer: Offer) -> Iterator[Way]:
        """Every way that uses each of the connections of a route at most once."""
        for steps in self._walks(at, to, {offer.connection, *offer.then}, {at}):
            if {*offer.via} <= {end for _, _, end in steps}:
                yield self._way(at, steps)

    def _walks(
        self, at: str, to: str, connections: set[str], seen: set[str]
    ) -> Iterator[list[tuple[Link, Direction, str]]]:
        for connection in ("", *sorted(connections)):
            for step in self._links[at].get(connection, ()):
                link, _, end = step
                if end == to:
                    yield [step]
                elif end not in seen and not isinstance(self._draft.points[end], Place):
                    rest = connections - {link.connection}
                    for walk in self._walks(end, to, rest, seen | {end}):
                        yield [step, *walk]

    def _way(self, at: str, steps: Sequence[tuple[Link, Direction, str]]) -> Way:
        points = self._draft.points
        # Packets leave a site forward and a VNet on the return direction, whatever the link.
        leaving: Direction = RETURN if self._draft.place(at).region else FORWARD
        passes: list[Pass] = list(points[at].passes[leaving])
        for link, direction, end in steps:
            passes += link.passes[direction]
            if not link.reaches_hosts:
                arriving: Direction = FORWARD if link.joins_gateways else direction
                passes += points[end].passes[arriving]
        wraps = _wraps(passes)
        passed = [end for _, _, end in steps]
        return Way(
            name=" + ".join(link.name for link, _, _ in steps if link.connection),
            hops=tuple(p.hop_idx for p in passes),
            wraps=wraps,
            limit=_least([link.limits[d] for link, d, _ in steps if d in link.limits]),
            usable_if=tuple(s for link, d, _ in steps for s in link.usable_if.get(d, ())),
            points=tuple(passed),
            firewalls=tuple(name for name in passed if points[name].keeps_state),
        )


def _wraps(passes: Sequence[Pass]) -> tuple[Wrap | None, ...]:
    """Encapsulation at each hop; one in a tunnel has that of the tunnel before, else after it."""
    wraps = []
    for i, p in enumerate(passes):
        wrap = p.wrap
        if p.is_in_tunnel:
            around = [*reversed(passes[:i]), *passes[i + 1 :]]
            wrap = next((other.wrap for other in around if other.wrap is not None), None)
        wraps.append(wrap)
    return tuple(wraps)


def _least(limits: Sequence[PacketLimit]) -> PacketLimit | None:
    """What all of several limits on one way allow."""
    if not limits:
        return None
    clamps = [x.mss_clamp_bytes for x in limits if x.mss_clamp_bytes is not None]
    return replace(
        limits[0],
        fit_bytes=min(x.fit_bytes for x in limits),
        mss_clamp_bytes=min(clamps, default=None),
        is_told=all(x.is_told for x in limits),
        cuts_df=all(x.cuts_df for x in limits),
    )


def stream_groups(
    network: Network, stream: str, at: str, to: str
) -> Mapping[Direction, list[list[Way]]]:
    """The ways of a stream, by its own direction: forward is from its sender."""
    return {
        FORWARD: network.groups(stream, at, to),
        RETURN: network.groups(stream, to, at),
    }


# ---------------------------------------------------------------------------------------------
# In the run
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FlowTable:
    """The flows of one stream and direction: the ways of each in order of preference."""

    stream: str
    direction: Direction
    flows: tuple[tuple[Way, ...], ...]
    partners: tuple[int | None, ...] = ()
    """On the way back past a stateful device: number of each flow in the other direction."""

    @property
    def states(self) -> frozenset[str]:
        """What the sending end looks at."""
        return frozenset(s for ways in set(self.flows) for way in ways for s in way.usable_if)


def flow_tables(streams: Iterable[StreamDraft]) -> tuple[FlowTable, ...]:
    """The tables of all streams whose routing can change in a run, forward before return."""
    tables = [
        FlowTable(
            stream.name,
            direction,
            tuple(stream.flow_ways[direction]),
            _partners(stream) if direction == RETURN else (),
        )
        for stream in streams
        for direction in OPPOSITE
    ]
    guarded = {table.stream for table in tables if table.partners}
    return tuple(table for table in tables if table.states or table.stream in guarded)


def _partners(stream: StreamDraft) -> tuple[int | None, ...]:
    """Number in the forward direction of each flow on its way back, if a device watches it."""
    if not any(way.firewalls for ways in set(stream.flow_ways[RETURN]) for way in ways):
        return ()
    number = {name: i for i, name in enumerate(stream.flow_names[FORWARD]) if name}
    return tuple(number.get(name) for name in stream.flow_names[RETURN])


def follow(world: World, tables: Sequence[FlowTable]) -> Generator[Any, Any, None]:
    """Move each flow to the first of its ways that its sending end may use, whenever one changes.

    A flow without a way has no route: its packets are dropped as such where they are sent. So are
    the answers of a flow that come back over a stateful device that its way there does not pass.
    """
    state = _Routing(world, tables)
    by_state: dict[str, list[int]] = defaultdict(list)
    for index in range(len(tables)):
        for name in sorted(state.watched(index)):
            by_state[name].append(index)
    for index, table in enumerate(tables):
        if table.partners:
            state.reroute(index, 0)
    while by_state:
        waits = {name: world.signal(name).wait() for name in by_state}
        fired = yield world.env.any_of(list(waits.values()))
        cause = max(fired.values())
        changed = {name for name, wait in waits.items() if wait in fired}
        for index in sorted({i for name in changed for i in by_state[name]}):
            state.reroute(index, cause)


class _Routing:
    """Which way each flow takes now."""

    def __init__(self, world: World, tables: Sequence[FlowTable]) -> None:
        self._world = world
        self._tables = tables
        self._position: list[list[int | None]] = [[0] * len(table.flows) for table in tables]
        forward = {t.stream: i for i, t in enumerate(tables) if t.direction == FORWARD}
        self._there = {i: forward[t.stream] for i, t in enumerate(tables) if t.partners}

    def watched(self, index: int) -> frozenset[str]:
        """The states on which a table depends; a guarded one also on those of the way there."""
        there = self._there.get(index)
        own = self._tables[index].states
        return own if there is None else own | self._tables[there].states

    def reroute(self, index: int, cause: int) -> None:
        """Move the flows of a table that another way is best for now."""
        table, position = self._tables[index], self._position[index]
        all_ways = {way for ways in table.flows for way in ways}
        usable = {way: all(works(self._world, s) for s in way.usable_if) for way in all_ways}
        moved: dict[int | None, list[int]] = defaultdict(list)
        taken: dict[str, list[int | None]] = defaultdict(list)
        refused: set[str] = set()
        for flow, ways in enumerate(table.flows):
            best = next((i for i, way in enumerate(ways) if usable[way]), None)
            name = "no route" if best is None else ways[best].name
            devices = () if best is None else self._refusing(index, flow, ways[best])
            if devices:
                best, name = None, f"dropped by {' and '.join(devices)}, stateful"
                refused.add(name)
            if best != position[flow]:
                position[flow] = best
                moved[best].append(flow)
                taken[name].append(best)
        for best, flows in moved.items():
            self._world.set_route(table.stream, table.direction, best, flows)
        for name, positions in taken.items():
            where = f"{len(positions)} of {len(table.flows)} flows, {table.direction}: {name}"
            fact = Reroute(
                direction=table.direction,
                moved_count=sum(bool(position) for position in positions),
                returned_count=positions.count(0),
                reset_count=len(positions) if name in refused else 0,
            )
            self._world.event("reroute", table.stream, cause, where, fact)

    def _refusing(self, index: int, flow: int, back: Way) -> tuple[str, ...]:
        """The devices that drop a flow on its way back."""
        there = self._there.get(index)
        partner = None if there is None else self._tables[index].partners[flow]
        if there is None or partner is None:
            return ()
        position = self._position[there][partner]
        if position is None:
            return ()
        return refusing(self._tables[there].flows[partner][position], back)
