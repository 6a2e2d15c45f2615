"""Which ways a stream takes: what the decisions of each place lead to, and how that changes.

    Network    the graph of links; finds every way over the routes that were chosen

Forward and return are decided apart, each by the place that sends (`decisions`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.draft import (
    CLIENT_HOPS,
    INTERNET,
    Draft,
    Link,
    NoRouteError,
    Offer,
    PacketLimit,
    Pass,
    Place,
    Prefix,
    RouteKind,
    Wrap,
)
from simulator.plan import FORWARD, RETURN, Direction
from simulator.planner.decisions import Decision, decide, ranks
from simulator.planner.transit import Transit
from simulator.ways import Way

if TYPE_CHECKING:
    pass

# ---------------------------------------------------------------------------------------------
# The ways
# ---------------------------------------------------------------------------------------------


class Network:
    """The graph of a draft, with all links in place.

    Parameters
    ----------
    without
        Connections whose routes nobody hears.
    """

    def __init__(self, draft: Draft, without: Collection[str] = ()) -> None:
        self._draft = draft
        self._ecmp = draft.catalog.default("routing.ecmp").word == "true"
        self._paths_max = int(draft.catalog.default("routing.ecmp_paths").value)
        self._prepended_count = int(draft.catalog.default("expressroute.prepend").value)
        self._stays_on_static = (
            draft.catalog.default("expressroute.failback_static_vpn").word == "never"
        )
        self._yielding = {link.connection for link in draft.links if link.yields_to_static}
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
            if offer.connection not in without and self._is_accepted(offer):
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
            found = self._answers(to) if at == INTERNET else self._decided(at, to)
            self.decisions[(at, to)] = found
        return self.decisions[(at, to)]

    def _decided(self, at: str, to: str) -> tuple[Decision, ...]:
        in_transit = list(self._transit.offers(at, to))
        prefixes = [
            p for own in self._draft.place(to).prefixes for p in self._draft.seen(at, to, own)
        ]
        return tuple(
            decide(at, prefix, [*self._around(at, prefix), *in_transit], ecmp=self._ecmp)
            for prefix in dict.fromkeys(prefixes)
        )

    def _answers(self, to: str) -> tuple[Decision, ...]:
        """The internet answers to where it was asked from: the address there is the exit's."""
        return tuple(
            replace(
                asked,
                at=INTERNET,
                prefix=self._draft.place(to).prefixes[0],
                reason=f"answers go back to where they were asked from: {asked.reason}",
            )
            for asked in self.decide(to, INTERNET)
        )

    def connections(self, at: str, to: str) -> set[str]:
        """The connections that traffic between two places may use, in either direction."""
        decisions = [*self.decide(at, to), *self.decide(to, at)]
        offers = [o for decision in decisions for group in decision.ranked for o in group]
        return {name for o in offers for name in (o.connection, *o.then)}

    def _around(self, at: str, prefix: Prefix) -> Iterator[Offer]:
        """The direct offers at a place for a prefix and for all that contain it."""
        for length in range(prefix.prefixlen, -1, -1):
            yield from self._by_prefix.get((at, prefix.supernet(new_prefix=length)), ())

    def groups(self, stream: str, at: str, to: str, *, opens: bool) -> list[list[Way]]:
        """The ways from one place to another, best group first, judged by its first prefix.

        Parameters
        ----------
        opens
            Whether `at` opens the flows; else it answers.

        Raises
        ------
        NoRouteError
            If there is none.
        """
        decision = self.decide(at, to)[0]
        groups = [
            list({w.name: w for o in group for w in self._ranked(at, to, o, decision)}.values())
            for group in decision.ranked
            if not (opens and group[0].answers_only)
        ]
        if not groups or not groups[0]:
            reason = f"{decision.reason}, which leads elsewhere" if groups else decision.reason
            hint = self._transit.why_not(at, to)
            if decision.ranked and not groups:
                hint = "dynamic NAT lets only the internal side open flows (rule R174)"
            raise NoRouteError(
                f"traffic {stream}: no way from {at} to {to}: {reason}"
                f"{hint and f'; {hint}'}; add a connection between "
                "them, or announce the prefix on the one there is",
                hint,
            )
        return [self._sharing(group) for group in groups if group]

    def _sharing(self, group: list[Way]) -> list[Way]:
        """As many equal ways as share flows; each client has one instance and shares nothing."""
        is_of_clients = any(CLIENT_HOPS in way.hops for way in group)
        return group if is_of_clients else group[: self._paths_max]

    def _ranked(self, at: str, to: str, offer: Offer, decision: Decision) -> Iterator[Way]:
        """The ways of a route with its rank, now and with a lengthened AS path."""
        rank, prepended_rank = ranks(offer, self._prepended_count, ecmp=self._ecmp)
        is_static = bool(self._draft.place(at).region) and any(
            other.kind is RouteKind.VPN and other.how == "static"
            for group in decision.ranked
            for other in group
        )
        stays = is_static and self._stays_on_static and offer.connection in self._yielding
        for way in self._ways(at, to, offer):
            held_s = math.inf if stays else way.hold_down_s
            yield replace(way, rank=rank, prepended_rank=prepended_rank, hold_down_s=held_s)

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
            shared_by=tuple(link.shared_by[d] for link, d, _ in steps if d in link.shared_by),
            prepended_if=tuple(s for link, d, _ in steps for s in link.prepended_if.get(d, ())),
            points=tuple(passed),
            connections=tuple(sorted({x.connection for x, _, _ in steps if x.connection})),
            firewalls=tuple(name for name in passed if points[name].keeps_state),
            hold_down_s=max((link.hold_down_s for link, _, _ in steps), default=0.0),
            hold_down_group=max((link.hold_down_group for link, _, _ in steps), default=""),
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
        FORWARD: network.groups(stream, at, to, opens=True),
        RETURN: network.groups(stream, to, at, opens=False),
    }
