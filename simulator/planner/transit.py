"""Transit: places that reach each other through the gateways of VNets in between.

    gateway transit   a peered VNet without gateway uses those of the hub (rules R112, R113)
    BGP transit       from one connection of a VPN gateway to the next, where every one of them
                      runs BGP (rule R073)

A peering by itself leads no further than to the peered VNet (rule R111), a default route is not
passed on (rule R072), and nothing passes between an ExpressRoute and a VPN gateway (rule R121).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from simulator.draft import DEFAULT_ROUTE, Draft, Offer, RouteKind

_THROUGH_GATEWAY: Final = frozenset(kind for kind in RouteKind if kind.is_of_gateway)


class _End(NamedTuple):
    """Where a chain of gateways begins or ends: a place itself, or the hub of its peering."""

    place: str
    peering: str


class Transit:
    """The routes in transit of a draft, found for one pair of places at a time."""

    def __init__(self, draft: Draft, offers: Mapping[str, Sequence[Offer]]) -> None:
        self._draft = draft
        self._offers: dict[str, dict[str, list[Offer]]] = {}
        self._middles: dict[str, dict[str, list[Offer]]] = {}
        """As offers, to VNets alone and over connections that pass routes on."""
        self._peered: dict[str, set[str]] = defaultdict(set)
        for at, listed in offers.items():
            by_end: dict[str, list[Offer]] = defaultdict(list)
            for offer in listed:
                if offer.kind.is_of_gateway:
                    by_end[offer.to].append(offer)
                elif offer.kind is RouteKind.PEERING:
                    self._peered[at].add(offer.to)
            self._offers[at] = by_end
            self._middles[at] = {
                to: list(filter(_passes_on, listed))
                for to, listed in by_end.items()
                if draft.place(to).region
            }
        self._hubs: dict[str, list[_End]] = defaultdict(list)
        for link in draft.gateway_transits:
            self._hubs[link.spoke].append(_End(link.hub, link.peering))

    def offers(self, at: str, to: str) -> Iterator[Offer]:
        """Every route from one place to another that is in transit somewhere."""
        for start in (_End(at, ""), *self._hubs[at]):
            for end in (_End(to, ""), *self._hubs[to]):
                if start.place != end.place:
                    for chain in self._chains(start.place, end.place, (start.place,)):
                        yield from self._offered(at, to, start, end, chain)

    def _offered(
        self, at: str, to: str, start: _End, end: _End, chain: Sequence[Offer]
    ) -> Iterator[Offer]:
        first, last = chain[0], chain[-1]
        over = [o.connection for o in chain]
        over = [*filter(None, [start.peering]), *over, *filter(None, [end.peering])]
        if len(over) == 1 or (len(chain) > 1 and last.prefix == DEFAULT_ROUTE):
            return
        prefixes = self._draft.place(to).prefixes if end.peering else (last.prefix,)
        for prefix in prefixes:
            yield replace(
                first,
                at=at,
                to=to,
                prefix=prefix,
                connection=over[0],
                then=tuple(over[1:]),
                via=tuple(dict.fromkeys(point for o in chain for point in o.via)),
                as_path_length=sum(o.as_path_length for o in chain),
            )

    def _chains(self, at: str, to: str, seen: tuple[str, ...]) -> Iterator[list[Offer]]:
        """Rows of connections from one gateway to the next, all of them with BGP if several."""
        for offer in self._offers.get(at, {}).get(to, ()):
            yield [offer]
        for middle, offers in self._middles.get(at, {}).items():
            if middle == to or middle in seen:
                continue
            for rest in self._chains(middle, to, (*seen, middle)) if offers else ():
                if all(map(_passes_on, rest)):
                    yield from ([offer, *rest] for offer in offers)

    def why_not(self, at: str, to: str) -> str:
        """What stands in the way of transit between two places, if something nearly leads there."""
        if self._peered[at] & self._peered[to]:
            return "peering is not transitive (rule R111)"
        for middle, there in self._offers.get(at, {}).items():
            onward = self._offers.get(middle, {}).get(to, ())
            kinds = {offer.kind for offer in (*there, *onward)} if onward else set()
            is_site = not self._draft.place(middle).region
            if is_site and kinds == {RouteKind.EXPRESSROUTE}:
                return "a circuit does not lead from VNet to VNet; peer them (rule R141)"
            if not is_site and kinds == _THROUGH_GATEWAY:
                return "nothing passes between ExpressRoute and VPN in a VNet (rule R121)"
            if not is_site and kinds == {RouteKind.VPN}:
                return "transit through a gateway needs BGP on every connection (rule R073)"
        return ""


def _passes_on(offer: Offer) -> bool:
    return offer.kind is RouteKind.VPN and offer.how == "bgp"
