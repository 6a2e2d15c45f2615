"""Which way a stream takes: one decision per place and prefix, and the ways that it leads to.

    decide     longest prefix, then the kind of route; what is equal shares the flows
    Network    the graph of links; finds every way over the connections that were chosen
    follow     the control process that moves flows when an end loses faith in a tunnel

Forward and return are decided apart, each by the place that sends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from simulator.draft import (
    OPPOSITE,
    Draft,
    Link,
    NoRouteError,
    Offer,
    PacketLimit,
    Pass,
    Prefix,
    RouteKind,
    Wrap,
)
from simulator.plan import FORWARD, RETURN, Direction
from simulator.states import works
from simulator.ways import StreamDraft, Way

if TYPE_CHECKING:
    from simulator.world import World

KIND_TEXT: Final = {RouteKind.VPN: "VPN"}


# ---------------------------------------------------------------------------------------------
# The decision
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decision:
    """What a place does with a prefix: groups of connections, the best first, and why."""

    at: str
    prefix: Prefix
    groups: tuple[tuple[str, ...], ...]
    reason: str


def decide(at: str, prefix: Prefix, offers: Iterable[Offer]) -> Decision:
    """Rank the offers at a place for a prefix.

    The longest prefix wins, then the kind of route. Offers that are equal in both form a group
    over which flows are spread; the other groups stand by in order.
    """
    matching = [o for o in offers if o.at == at and prefix.subnet_of(o.prefix)]
    if not matching:
        return Decision(at, prefix, (), f"no route: nothing at {at} offers {prefix}")

    def rank(offer: Offer) -> tuple[int, RouteKind]:
        return -offer.prefix.prefixlen, offer.kind

    ranked = sorted(matching, key=lambda o: (*rank(o), o.connection))
    groups = [list(group) for _, group in groupby(ranked, key=rank)]
    names = tuple(tuple(dict.fromkeys(o.connection for o in group)) for group in groups)
    return Decision(at, prefix, names, _reason(groups))


def _reason(groups: Sequence[Sequence[Offer]]) -> str:
    best = groups[0][0]
    names = list(dict.fromkeys(o.connection for o in groups[0]))
    chosen = f"{best.prefix} over {' and '.join(names)} ({KIND_TEXT[best.kind]}, {best.how})"
    if len(groups) == 1:
        why = "the only route" if len(names) == 1 else "equal routes share the flows by hash"
    elif groups[1][0].prefix.prefixlen < best.prefix.prefixlen:
        why = f"longer prefix than {groups[1][0].prefix} over {groups[1][0].connection}"
    else:
        other = groups[1][0]
        why = f"{KIND_TEXT[best.kind]} before {KIND_TEXT[other.kind]} over {other.connection}"
    return f"{chosen}: {why}"


# ---------------------------------------------------------------------------------------------
# The ways
# ---------------------------------------------------------------------------------------------


class Network:
    """The graph of a draft, with all links in place."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._paths_max = int(draft.catalog.default("routing.ecmp_paths").value)
        self._links: dict[str, dict[str, list[tuple[Link, Direction, str]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for link in draft.links:
            self._links[link.a][link.connection].append((link, FORWARD, link.b))
            self._links[link.b][link.connection].append((link, RETURN, link.a))
        self._offers: dict[str, list[Offer]] = defaultdict(list)
        for offer in draft.offers:
            self._offers[offer.at].append(offer)
        self.decisions: dict[tuple[str, str], Decision] = {}

    def decision(self, at: str, to: str) -> Decision:
        """What a place does with traffic to another place, judged by its first prefix."""
        if (at, to) not in self.decisions:
            prefix = self._draft.place(to).prefixes[0]
            self.decisions[(at, to)] = decide(at, prefix, self._offers[at])
        return self.decisions[(at, to)]

    def groups(self, stream: str, at: str, to: str) -> list[list[Way]]:
        """The ways from one place to another, best group first.

        Raises
        ------
        NoRouteError
            If there is none.
        """
        decision = self.decision(at, to)
        groups = [list(self._ways(at, to, set(group))) for group in decision.groups]
        if not groups or not groups[0]:
            reason = f"{decision.reason}, which leads elsewhere" if groups else decision.reason
            raise NoRouteError(
                f"traffic {stream}: no way from {at} to {to}: {reason}; add a connection between "
                "them, or announce the prefix on the one there is"
            )
        return [group[: self._paths_max] for group in groups if group]

    def _ways(self, at: str, to: str, connections: set[str]) -> Iterator[Way]:
        """Every way that uses each of the connections at most once."""
        for steps in self._walks(at, to, connections, {at}):
            yield self._way(at, steps)

    def _walks(
        self, at: str, to: str, connections: set[str], seen: set[str]
    ) -> Iterator[list[tuple[Link, Direction, str]]]:
        for connection in ("", *sorted(connections)):
            for step in self._links[at].get(connection, ()):
                link, _, end = step
                if end == to:
                    yield [step]
                elif end not in seen and end not in self._offers:
                    rest = connections - {link.connection}
                    for walk in self._walks(end, to, rest, seen | {end}):
                        yield [step, *walk]

    def _way(self, at: str, steps: Sequence[tuple[Link, Direction, str]]) -> Way:
        points = self._draft.points
        passes: list[Pass] = list(points[at].passes[steps[0][1]])
        for link, direction, end in steps:
            passes += [*link.passes[direction], *points[end].passes[direction]]
        wraps = _wraps(passes)
        return Way(
            name=" + ".join(link.name for link, _, _ in steps if link.connection),
            hops=tuple(p.hop_idx for p in passes),
            wraps=wraps,
            limit=_least([link.limits[d] for link, d, _ in steps if d in link.limits]),
            usable_if=tuple(s for link, d, _ in steps for s in link.usable_if.get(d, ())),
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

    @property
    def states(self) -> frozenset[str]:
        """What the sending end looks at."""
        return frozenset(s for ways in set(self.flows) for way in ways for s in way.usable_if)


def flow_tables(streams: Iterable[StreamDraft]) -> tuple[FlowTable, ...]:
    """The tables of all streams whose routing can change in a run."""
    tables = [
        FlowTable(stream.name, direction, tuple(stream.flow_ways[direction]))
        for stream in streams
        for direction in OPPOSITE
    ]
    return tuple(table for table in tables if table.states)


def follow(world: World, tables: Sequence[FlowTable]) -> Generator[Any, Any, None]:
    """Move each flow to the first of its ways that its sending end may use, whenever one changes.

    A flow without a way has no route: its packets are dropped as such where they are sent.
    """
    by_state: dict[str, list[int]] = defaultdict(list)
    for index, table in enumerate(tables):
        for state in sorted(table.states):
            by_state[state].append(index)
    position: list[list[int | None]] = [[0] * len(table.flows) for table in tables]
    while True:
        waits = {state: world.signal(state).wait() for state in by_state}
        fired = yield world.env.any_of(list(waits.values()))
        cause = max(fired.values())
        changed = {state for state, wait in waits.items() if wait in fired}
        for index in sorted({i for state in changed for i in by_state[state]}):
            _reroute(world, tables[index], position[index], cause)


def _reroute(world: World, table: FlowTable, position: list[int | None], cause: int) -> None:
    moved: dict[int | None, list[int]] = defaultdict(list)
    usable = {way: all(works(world, s) for s in way.usable_if) for way in _all_ways(table)}
    for flow, ways in enumerate(table.flows):
        best = next((i for i, way in enumerate(ways) if usable[way]), None)
        if best != position[flow]:
            position[flow] = best
            moved[best].append(flow)
    for best, flows in moved.items():
        world.set_route(table.stream, table.direction, best, flows)
    ways_taken: dict[str, int] = defaultdict(int)
    for best, flows in moved.items():
        for flow in flows:
            ways_taken["no route" if best is None else table.flows[flow][best].name] += 1
    for name, count in ways_taken.items():
        where = f"{count} of {len(table.flows)} flows, {table.direction}: {name}"
        world.event("reroute", table.stream, cause, where)


def _all_ways(table: FlowTable) -> set[Way]:
    return {way for ways in table.flows for way in ways}
