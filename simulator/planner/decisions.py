"""One decision for each place and prefix: which routes it uses, which stand by, and why.

    longest prefix
    at a customer's site    what its devices are told to prefer (local preference)
    in a VNet               user route, peering, ExpressRoute, VPN, the platform's own default
                            route to the internet (rules R071, R115, R123)
    behind a user route     to the gateway: the gateway's own routes by the same steps
    weight                  of ExpressRoute connections alone (rule R078)
    AS path                 the shorter, prepended numbers counted (rule R078)
    equal routes            share the flows by hash; static VPN routes do not (rule R039)

A site's devices do not know what the platform calls ExpressRoute or VPN: without a preference
only the AS path speaks (rule R124).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final, NamedTuple

from simulator.draft import Offer, Prefix, RouteKind

#: Kinds of routes, the winner first -> rule of the catalogue that says so.
KIND_RULES: Final = {
    (RouteKind.PEERING, RouteKind.VPN): "R115",
    (RouteKind.PEERING, RouteKind.EXPRESSROUTE): "R163",
    (RouteKind.EXPRESSROUTE, RouteKind.VPN): "R123",
    (RouteKind.VPN, RouteKind.SYSTEM): "R071",
    (RouteKind.EXPRESSROUTE, RouteKind.SYSTEM): "R071",
}


#: Kinds of routes among which a weight decides; of user routes that which leads nowhere is last.
_WEIGHED: Final = frozenset({RouteKind.USER, RouteKind.EXPRESSROUTE})


@dataclass(frozen=True)
class Decision:
    """What a place does with a prefix: groups of equal routes, the best first, and why."""

    at: str
    prefix: Prefix
    groups: tuple[tuple[str, ...], ...]
    """Names of the routes (`Offer.name`)."""
    reason: str
    ranked: tuple[tuple[Offer, ...], ...] = ()
    """The routes themselves."""


class _Rank(NamedTuple):
    """The steps of the comparison in order; the lower wins."""

    prefix: int
    preference: int
    kind: int
    weight: int
    as_path: int
    alone: str
    """Name of a route that shares with no other, empty for the others."""
    behind: tuple[Any, ...]
    """Rank of the gateway's own route behind a user route, empty for the others."""


def decide(at: str, prefix: Prefix, offers: Iterable[Offer], *, ecmp: bool = True) -> Decision:
    """Rank the offers at a place for a prefix.

    Offers that no step tells apart form a group over which flows are spread; the other groups
    stand by in order. Without `ecmp` each group has one route.
    """
    matching = [o for o in offers if o.at == at and _leads(o, prefix)]
    if not matching:
        return Decision(at, prefix, (), f"no route: nothing at {at} offers {prefix}")

    def rank(offer: Offer) -> _Rank:
        return _rank(offer, ecmp=ecmp)

    ranked = sorted(matching, key=lambda o: (rank(o), o.name))
    groups = [tuple(dict.fromkeys(group)) for _, group in groupby(ranked, key=rank)]
    names = tuple(tuple(dict.fromkeys(o.name for o in group)) for group in groups)
    return Decision(at, prefix, names, _reason(groups, ecmp=ecmp), tuple(groups))


def _leads(offer: Offer, prefix: Prefix) -> bool:
    """Whether a route takes a prefix; behind a user route the gateway's own must take it too."""
    return prefix.subnet_of(offer.prefix) and (offer.behind is None or _leads(offer.behind, prefix))


def ranks(offer: Offer, prepended_count: int, *, ecmp: bool) -> tuple[_Rank, _Rank]:
    """Rank of an offer, and its rank while so many numbers stand in front of its AS path."""
    longer = replace(offer, as_path_length=offer.as_path_length + prepended_count)
    return _rank(offer, ecmp=ecmp), _rank(longer, ecmp=ecmp)


def _rank(offer: Offer, *, ecmp: bool) -> _Rank:
    is_device = offer.local_preference is not None
    is_lone = offer.kind is RouteKind.VPN and offer.how == "static" and not is_device
    return _Rank(
        prefix=-offer.prefix.prefixlen,
        preference=-(offer.local_preference or 0),
        kind=0 if is_device else offer.kind,
        weight=-offer.weight if offer.kind in _WEIGHED and not is_device else 0,
        as_path=offer.as_path_length,
        alone=offer.name if is_lone or not ecmp else "",
        behind=() if offer.behind is None else tuple(_rank(offer.behind, ecmp=ecmp)),
    )


def _reason(groups: Sequence[Sequence[Offer]], *, ecmp: bool) -> str:
    best = groups[0][0]
    names = list(dict.fromkeys(o.name for o in groups[0]))
    chosen = f"{best.prefix} over {' and '.join(names)} ({best.kind.words}, {best.how})"
    if best.altered:
        chosen += f", {best.altered}"
    why = ["equal routes share the flows by hash"] if len(names) > 1 else []
    if len(groups) > 1:
        why.append(_difference(best, groups[1][0], ecmp=ecmp))
    return f"{chosen}: {'; '.join(why) or 'the only route'}"


def _difference(best: Offer, other: Offer, *, ecmp: bool) -> str:
    """The first step of the comparison that tells two offers apart, in words."""
    first, second = _rank(best, ecmp=ecmp), _rank(other, ecmp=ecmp)
    if first.prefix != second.prefix:
        return f"longer prefix than {other.prefix} over {other.name}"
    if first.preference != second.preference:
        before = f"{best.local_preference or 0} before {other.local_preference or 0}"
        return f"local preference {before} over {other.name}"
    if first.kind != second.kind:
        rule = KIND_RULES.get((best.kind, other.kind))
        before = f"{best.kind.words} before {other.kind.words} over {other.name}"
        return f"{before} (rule {rule})" if rule else before
    if first.weight != second.weight and other.weight < 0:
        return f"the gateway has a route for it, else {other.name} would lead nowhere"
    if first.weight != second.weight:
        return f"weight {best.weight} before {other.weight} over {other.name}"
    if first.as_path != second.as_path:
        before = f"{best.as_path_length} before {other.as_path_length}"
        return f"shorter AS path, {before} over {other.name}"
    if first.behind != second.behind and best.behind and other.behind:
        return f"at the gateway: {_difference(best.behind, other.behind, ecmp=ecmp)}"
    if not ecmp:
        return f"the first of equal routes, before {other.name}: they do not share"
    return f"without BGP one of equal routes carries all, {other.name} stands by (rule R039)"
