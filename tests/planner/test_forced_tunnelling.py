"""Internet traffic of VNets: which exit it takes, by whose word, and what the detour passes."""

from pathlib import Path

import pytest

from simulator.base.errors import ScenarioError
from simulator.draft import NoRouteError
from simulator.plan import FORWARD, RETURN
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load
from tests.planner.designs import ONE_SITE, design, merged

FILE = Path(__file__).parents[2] / "scenarios" / "forced-tunnelling.yaml"
DEVICE = {"bgp": {"asn": 65020, "peer_ip": "192.168.255.1", "advertise": ["0.0.0.0/0"]}}
BROWSING = {
    "kind": "constant",
    "from": "hub",
    "to": "internet",
    "rate": "5 Mbit/s",
    "reply_rate": "20 Mbit/s",
    "packet_size": "1000 bytes",
}


def forced(**sections):
    """The only site announces the default route over BGP."""
    bgp = {
        "sites": {"lyon": {"devices": {"edge": DEVICE}}},
        "connections": {"lyon-vpn": {"routing": "bgp"}},
        "traffic": {"browsing": BROWSING},
    }
    return load(merged(merged(ONE_SITE, bgp), sections))


def names(scenario, stream, direction):
    (way, *_) = explain(scenario).stream(stream, direction).ways
    return [(hop.hop, hop.direction) for hop in way.hops]


def test_without_another_default_route_the_platform_has_its_own_exit():
    found = explain(design(traffic={"browsing": BROWSING})).stream("browsing")
    assert [hop.hop for hop in found.ways[0].hops] == ["hub.vnet", "hub.internet"]
    assert not any(row.binds for row in found.ceilings)


def test_an_announced_default_route_takes_the_tunnel_and_the_access_line_twice():
    assert names(forced(), "browsing", FORWARD) == [
        ("hub.vnet", RETURN),
        ("hub-vpn.instance-0.latency", RETURN),
        ("hub-vpn.instance-0", RETURN),
        ("lyon-vpn.tunnel-0", RETURN),
        ("lyon.isp.wan-hub", RETURN),
        ("lyon.isp.down", RETURN),
        ("lyon.isp.up", FORWARD),
        ("lyon.isp.internet", FORWARD),
    ]
    assert names(forced(), "browsing", RETURN) == [
        ("internet.hosts", FORWARD),
        ("lyon.isp.internet", RETURN),
        ("lyon.isp.down", RETURN),
        ("lyon.isp.up", FORWARD),
        ("lyon.isp.wan-hub", FORWARD),
        ("lyon-vpn.tunnel-0", FORWARD),
        ("hub-vpn.instance-0", FORWARD),
        ("hub-vpn.instance-0.latency", FORWARD),
        ("hub.vnet", FORWARD),
    ]


def test_the_plan_says_what_the_announcement_does():
    (warning,) = [w for w in build(forced()).meta["warnings"] if "R071" in w]
    assert "all traffic of VNet hub to the internet" in warning


def test_the_up_link_binds_both_the_upload_and_the_answers():
    """200 Mbit/s up: of 1,000-byte packets plain forward, of 1,056 bytes in the tunnel on return.

    Forward loads the up-link with 5 Mbit/s, the answers with 20 x 1056 / 1000 = 21.12 Mbit/s, and
    the office stream of 10 Mbit/s with 10.56 Mbit/s.
    """
    found = explain(forced())
    (there,) = [
        r for r in found.stream("browsing").ceilings if r.ceiling == "site up-link lyon.isp"
    ]
    assert there.available_bps == pytest.approx(200e6 - 21.12e6 - 10.56e6)
    (back,) = [r for r in found.stream("browsing", RETURN).ceilings if r.binds]
    assert back.ceiling == "site up-link lyon.isp"
    assert back.available_bps == pytest.approx((200e6 - 5e6 - 10.56e6) / 1.056)


def test_a_user_route_to_the_internet_wins_over_the_announcement():
    subnets = {"web": {"prefix": "10.0.1.0/24", "routes": {"0.0.0.0/0": "internet"}}}
    scenario = forced(
        vnets={"hub": {"subnets": subnets}},
        traffic={"web": BROWSING | {"from": "hub.web"}},
    )
    found = explain(scenario)
    assert found.stream("web").ways[0].hops[-1].hop == "hub.internet"
    assert "user route before VPN" in found.stream("web").routing
    assert found.stream("browsing").ways[0].hops[-1].hop == "lyon.isp.internet"


def test_a_subnet_that_learns_nothing_from_the_gateway_keeps_the_platforms_exit():
    subnets = {"web": {"prefix": "10.0.1.0/24", "propagate_gateway_routes": False}}
    scenario = forced(
        vnets={"hub": {"subnets": subnets}},
        traffic={"web": BROWSING | {"from": "hub.web"}},
    )
    assert explain(scenario).stream("web").ways[0].hops[-1].hop == "hub.internet"


def default_site(routes, **sections):
    subnets = {"app": {"prefix": "10.0.1.0/24", "routes": routes}}
    static = {
        "vnets": {"hub": {"subnets": subnets}},
        "gateways": {"hub-vpn": {"default_site": "lyon"}},
        "traffic": {"app": BROWSING | {"from": "hub.app"}, "browsing": BROWSING},
    }
    return load(merged(merged(ONE_SITE, static), sections))


def test_a_default_site_serves_the_subnets_whose_user_route_leads_to_the_gateway():
    found = explain(default_site({"0.0.0.0/0": "gateway"}))
    assert found.stream("app").ways[0].way == "lyon-vpn.tunnel-0"
    assert found.stream("browsing").ways[0].way == "hub.internet"
    assert explain(default_site({})).stream("app").ways[0].way == "hub.internet"


@pytest.mark.parametrize("next_hop", ["none", "gateway"])
def test_a_user_route_that_leads_nowhere_is_refused_with_its_name(next_hop):
    scenario = default_site({"0.0.0.0/0": next_hop}, gateways={"hub-vpn": {"default_site": None}})
    with pytest.raises(NoRouteError, match=f"0.0.0.0/0 over hub.{next_hop} .user route"):
        build(scenario)


def test_the_scenario_file_sends_each_stream_over_the_exit_that_its_text_says():
    found = explain(load(FILE))
    exits = {row.stream: row.ways[0].way for row in found.streams if row.direction == FORWARD}
    assert exits == {
        "hub-browsing": "lyon-vpn.tunnel-0",
        "spoke-browsing": "hub-spoke.transit.hub-vpn.instance-0 + lyon-vpn.tunnel-0",
        "app-browsing": "paris-vpn.tunnel-0",
        "app-upload": "paris-vpn.tunnel-0",
        "web-answers": "shop.internet",
        "office": "lyon-vpn.tunnel-0 + hub-spoke.transit.hub-vpn.instance-0",
    }


@pytest.mark.parametrize(
    ("sections", "path", "rule"),
    [
        ({"traffic": {"x": BROWSING | {"from": "lyon"}}}, "traffic.x.to", "past everything"),
        (
            {"traffic": {"x": BROWSING | {"from": "internet", "to": "hub"}}},
            "traffic.x.from",
            "end that opens",
        ),
        ({"traffic": {"x": BROWSING | {"from": "hub.app"}}}, "traffic.x.from", "no site, VNet"),
        (
            {"gateways": {"hub-vpn": {"default_site": "paris"}}},
            "gateways.hub-vpn.default_site",
            "no site of this name",
        ),
        (
            {"vnets": {"internet": {"region": "West Europe", "address_space": ["10.9.0.0/16"]}}},
            "vnets.internet",
            "all hosts of the public internet",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(sections, path, rule):
    with pytest.raises(ScenarioError) as caught:
        design(**sections)
    assert any(p.path == path and rule in p.rule for p in caught.value.problems)
