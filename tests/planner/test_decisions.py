"""The routing decision as a table: each case names the rule or the text that it comes from.

`R...` are rows of the catalogue's rules; `longest prefix` and `hash` are those of every router
(RFC 1812 section 5.2.4.3, RFC 2992), `BGP` is the order of comparison of RFC 4271 section 9.1.
"""

import re
from ipaddress import IPv4Network
from typing import Any, NamedTuple

import pytest

from simulator.catalog import load_catalog
from simulator.draft import Offer, RouteKind
from simulator.planner.routing import decide

SITE = "192.168.10.0/24"
WIDER = "192.168.0.0/16"
DEFAULT = "0.0.0.0/0"


def offer(connection: str, kind: RouteKind, prefix: str = SITE, **more: Any) -> Offer:
    how = "system" if kind is RouteKind.PEERING else "user" if kind is RouteKind.USER else "bgp"
    return Offer(
        **{
            "at": "hub",
            "to": "lyon",
            "prefix": IPv4Network(prefix),
            "connection": connection,
            "kind": kind,
            "how": how,
            **more,
        }
    )


def vpn(connection: str, prefix: str = SITE, as_path: int = 1, **more: Any) -> Offer:
    return offer(connection, RouteKind.VPN, prefix, as_path_length=as_path, **more)


def er(connection: str, prefix: str = SITE, as_path: int = 1, **more: Any) -> Offer:
    return offer(connection, RouteKind.EXPRESSROUTE, prefix, as_path_length=as_path, **more)


def peer(connection: str, prefix: str = SITE) -> Offer:
    return offer(connection, RouteKind.PEERING, prefix)


def user(connection: str, prefix: str = SITE) -> Offer:
    return offer(connection, RouteKind.USER, prefix)


def heard(one: Offer, preference: int = 100) -> Offer:
    """The same at a site, whose devices decide."""
    return Offer(**{**vars(one), "local_preference": preference})


def static(connection: str, prefix: str = SITE) -> Offer:
    return vpn(connection, prefix, as_path=0, how="static")


class Case(NamedTuple):
    name: str
    source: str
    offers: list[Offer]
    groups: tuple[tuple[str, ...], ...]
    """Best first."""
    reason: str
    prefix: str = SITE
    ecmp: bool = True


def own_exit(connection: str) -> Offer:
    return offer(connection, RouteKind.SYSTEM, DEFAULT, how="system")


def to_gateway(one: Offer, prefix: str = DEFAULT) -> Offer:
    """A user route to the gateway, which has this route itself."""
    more = {"prefix": IPv4Network(prefix), "kind": RouteKind.USER, "how": "user", "behind": one}
    return Offer(**{**vars(one), **more, "as_path_length": 0})


CASES = [
    Case(
        "an announced default route before the platform's own", "R071",
        [own_exit("hub.internet"), vpn("v", DEFAULT)], (("v",), ("hub.internet",)),
        "VPN before system route over hub.internet (rule R071)",
    ),
    Case(
        "a user route before an announced default route", "longest prefix",
        [vpn("v", DEFAULT), user("hub.internet", DEFAULT)], (("hub.internet",), ("v",)),
        "user route before VPN over v",
    ),
    Case(
        "behind a user route the gateway decides as ever", "R123",
        [to_gateway(vpn("v")), to_gateway(er("e"))], (("e",), ("v",)),
        "at the gateway: ExpressRoute before VPN over v (rule R123)",
    ),
    Case(
        "a user route to a gateway that has no route takes nothing", "longest prefix",
        [to_gateway(vpn("v", "10.1.0.0/16")), vpn("w")], (("w",),), "the only route",
    ),
    Case("nothing offered", "longest prefix", [], (), "no route: nothing at hub offers"),
    Case("of another place", "longest prefix", [vpn("v", at="dr")], (), "no route"),
    Case("too long a prefix", "longest prefix", [vpn("v", "192.168.10.0/25")], (), "no route"),
    Case("another prefix", "longest prefix", [vpn("v", "10.1.0.0/16")], (), "no route"),
    Case("the only route", "longest prefix", [vpn("v")], (("v",),), "the only route"),
    Case("a default route", "R071", [vpn("v", DEFAULT)], (("v",),), "0.0.0.0/0 over v"),
    Case(
        "longer prefix before the default route", "R123", [vpn("v", DEFAULT), vpn("w")],
        (("w",), ("v",)), "longer prefix than 0.0.0.0/0 over v",
    ),
    Case(
        "longer prefix of the VPN before ExpressRoute", "R123", [er("e", WIDER), vpn("v")],
        (("v",), ("e",)), "longer prefix than 192.168.0.0/16 over e",
    ),
    Case(
        "longer prefix of a peer before a user route", "longest prefix",
        [user("u", WIDER), peer("p")], (("p",), ("u",)), "longer prefix than 192.168.0.0/16 over u",
    ),
    Case(
        "longer prefix before a shorter AS path", "longest prefix",
        [vpn("v", WIDER, 1), vpn("w", SITE, 9)], (("w",), ("v",)), "longer prefix",
    ),
    Case(
        "ExpressRoute before VPN", "R123", [vpn("v"), er("e")],
        (("e",), ("v",)), "ExpressRoute before VPN over v (rule R123)",
    ),
    Case(
        "ExpressRoute before VPN whatever the AS path", "R123", [vpn("v", as_path=1),
        er("e", as_path=9)], (("e",), ("v",)), "ExpressRoute before VPN",
    ),
    Case(
        "ExpressRoute before a static VPN route", "R125", [static("v"), er("e")],
        (("e",), ("v",)), "ExpressRoute before VPN",
    ),
    Case(
        "peering before a tunnel between the same VNets", "R115", [vpn("hub-dr"), peer("p")],
        (("p",), ("hub-dr",)), "peering before VPN over hub-dr (rule R115)",
    ),
    Case(
        "peering before VNet-to-VNet over a circuit", "R163", [er("e"), peer("p")],
        (("p",), ("e",)), "peering before ExpressRoute over e (rule R163)",
    ),
    Case(
        "all four kinds", "R123", [vpn("v"), er("e"), peer("p"), user("u")],
        (("u",), ("p",), ("e",), ("v",)), "user route before peering over p",
    ),
    Case(
        "weight of ExpressRoute connections", "R078", [er("a", weight=0), er("b", weight=100)],
        (("b",), ("a",)), "weight 100 before 0 over a",
    ),
    Case(
        "weight before the AS path", "R078", [er("a", as_path=1), er("b", as_path=4, weight=1)],
        (("b",), ("a",)), "weight 1 before 0 over a",
    ),
    Case(
        "weight does not apply to VPN", "R078", [vpn("a", weight=0), vpn("b", weight=100)],
        (("a", "b"),), "equal routes share the flows by hash",
    ),
    Case(
        "prepended AS path", "R078", [vpn("v", as_path=2, via=("lyon.fw2",)),
        vpn("v", as_path=1, via=("lyon.fw1",))], (("v via lyon.fw1",), ("v via lyon.fw2",)),
        "shorter AS path, 1 before 2 over v via lyon.fw2",
    ),
    Case(
        "prepending drains an ExpressRoute link", "R132", [er("a", as_path=9), er("b", as_path=1)],
        (("b",), ("a",)), "shorter AS path, 1 before 9 over a",
    ),
    Case(
        "two connections with BGP share", "R038", [vpn("b"), vpn("a")],
        (("a", "b"),), "over a and b (VPN, bgp): equal routes share the flows by hash",
    ),
    Case(
        "two devices of one connection share", "R087", [vpn("v", via=("lyon.fw1",)),
        vpn("v", via=("lyon.fw2",))], (("v via lyon.fw1", "v via lyon.fw2"),), "share the flows",
    ),
    Case(
        "two circuits of one weight share", "R135", [er("a", weight=5), er("b", weight=5)],
        (("a", "b"),), "equal routes share",
    ),
    Case(
        "two connections without BGP do not share", "R039", [static("b"), static("a")],
        (("a",), ("b",)), "without BGP one of equal routes carries all, b stands by (rule R039)",
    ),
    Case(
        "a group and what stands by", "hash", [vpn("a"), vpn("b"), vpn("c", as_path=3)],
        (("a", "b"), ("c",)), "share the flows by hash; shorter AS path, 1 before 3 over c",
    ),
    Case(
        "without ECMP the first of equals", "mddazure (2026), row routing.ecmp",
        [vpn("b"), vpn("a")], (("a",), ("b",)), "the first of equal routes, before b", ecmp=False,
    ),
    Case(
        "a site prefers by local preference", "R124", [heard(vpn("v"), 100), heard(er("e"), 200)],
        (("e",), ("v",)), "local preference 200 before 100 over v",
    ),
    Case(
        "a site told nothing shares: its return differs from the platform's", "R124",
        [heard(vpn("v")), heard(er("e"))], (("e", "v"),), "equal routes share",
    ),
    Case(
        "a site may prefer the VPN", "R124", [heard(vpn("v"), 300), heard(er("e"), 200)],
        (("v",), ("e",)), "local preference 300 before 200 over e",
    ),
    Case(
        "local preference before the AS path", "BGP", [heard(er("a", as_path=9), 200),
        heard(er("b"), 100)], (("a",), ("b",)), "local preference 200 before 100 over b",
    ),
    Case(
        "AS path where preferences are equal", "BGP", [heard(vpn("v", as_path=2)), heard(er("e"))],
        (("e",), ("v",)), "shorter AS path, 1 before 2 over v",
    ),
    Case(
        "longer prefix before local preference", "longest prefix",
        [heard(er("e", WIDER), 900), heard(vpn("v"), 1)], (("v",), ("e",)), "longer prefix",
    ),
    Case(
        "static routes of a site share", "hash", [heard(static("a")), heard(static("b"))],
        (("a", "b"),), "equal routes share",
    ),
    Case(
        "in transit each AS counts", "R073", [vpn("a", as_path=1), vpn("hub-dr", as_path=2,
        then=("dr-lyon",))], (("a",), ("hub-dr + dr-lyon",)), "1 before 2 over hub-dr + dr-lyon",
    ),
    Case(
        "a half of the prefix", "longest prefix", [vpn("v", WIDER), vpn("w", "192.168.0.0/17")],
        (("w",), ("v",)), "192.168.0.0/17 over w", prefix="192.168.10.128/25",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_decision(case):
    decision = decide("hub", IPv4Network(case.prefix), case.offers, ecmp=case.ecmp)
    assert decision.groups == case.groups
    assert case.reason in decision.reason


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_order_of_offers_does_not_matter(case):
    prefix = IPv4Network(case.prefix)
    listed = decide("hub", prefix, case.offers, ecmp=case.ecmp)
    assert decide("hub", prefix, reversed(case.offers), ecmp=case.ecmp) == listed


def test_every_case_has_a_source_that_exists():
    assert len(CASES) >= 25
    rules = load_catalog().table("rules", all_eras=True)
    for case in CASES:
        assert case.source
        for rule in re.findall(r"R\d{3}", case.source + case.reason):
            assert rules.where(id=rule), rule
