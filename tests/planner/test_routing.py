"""Decisions with their reasons, ways in the graph, and how flows spread over equal ways."""

from collections import Counter
from ipaddress import IPv4Network

import pytest

from simulator.draft import NoRouteError, Offer, RouteKind
from simulator.plan import FORWARD, RETURN, Plan
from simulator.planner import build
from simulator.planner.routing import decide
from tests.planner.designs import active_active, design, two_sites


def offer(prefix: str, connection: str, at: str = "lyon") -> Offer:
    return Offer(at, "hub", IPv4Network(prefix), connection, RouteKind.VPN, "bgp")


@pytest.mark.parametrize(
    ("prefix", "offers", "groups", "reason"),
    [
        ("10.0.0.0/16", [], (), "no route: nothing at lyon offers 10.0.0.0/16"),
        ("10.0.0.0/16", [offer("10.0.0.0/16", "a", at="hub")], (), "no route"),
        ("10.0.0.0/16", [offer("10.0.1.0/24", "a")], (), "no route"),
        ("10.0.1.0/24", [offer("10.0.0.0/16", "a")], (("a",),), "10.0.0.0/16 over a (VPN"),
        (
            "10.0.1.0/24",
            [offer("10.0.0.0/16", "a"), offer("10.0.1.0/24", "b")],
            (("b",), ("a",)),
            "longer prefix than 10.0.0.0/16 over a",
        ),
        (
            "10.0.0.0/16",
            [offer("10.0.0.0/16", "b"), offer("10.0.0.0/16", "a")],
            (("a", "b"),),
            "over a and b (VPN, bgp): equal routes share the flows by hash",
        ),
    ],
)
def test_decision(prefix, offers, groups, reason):
    decision = decide("lyon", IPv4Network(prefix), offers)
    assert decision.groups == groups
    assert reason in decision.reason


def test_decisions_are_kept_for_both_ends():
    decisions = build(two_sites()).meta["decisions"]
    assert set(decisions) == {("lyon", "hub"), ("hub", "lyon"), ("paris", "hub"), ("hub", "paris")}
    assert decisions[("hub", "paris")][0].reason.startswith("192.168.20.0/24 over a-paris-vpn")


def test_bgp_offers_what_devices_announce():
    bgp = {"asn": 65020, "peer_ip": "192.168.255.1", "advertise": ["192.168.10.0/25"]}
    sites = {"lyon": {"devices": {"edge": {"bgp": bgp}}}}
    scenario = design(sites=sites, connections={"lyon-vpn": {"routing": "bgp"}})
    with pytest.raises(NoRouteError, match=r"office: no way from hub to lyon.*192\.168\.10\.0/24"):
        build(scenario)


# ---- ways --------------------------------------------------------------------------------------

TWO_DEVICES = {
    "sites": {
        "lyon": {
            "internet": {"isp-b": {"down": "100 Mbit/s", "up": "20 Mbit/s"}},
            "devices": {
                "edge": {"internet": "isp"},
                "edge-2": {"public_ip": "198.51.100.7", "internet": "isp-b"},
            },
        }
    }
}


def way_names(plan: Plan, stream: str, direction: str) -> list[str]:
    return [
        route.name
        for route in plan.routes
        for where in [plan.directions[route.direction_idx]]
        if plan.streams[where.stream_idx].name == stream and where.direction == direction
    ]


def test_full_mesh_of_two_devices_and_two_instances():
    plan = build(active_active(**TWO_DEVICES))
    expected = {f"lyon-vpn.tunnel-{i}" for i in range(4)}
    assert set(way_names(plan, "office", FORWARD)) == expected
    assert set(way_names(plan, "office", RETURN)) == expected
    hops = {route.name: [plan.hops[h].name for h in route.hop_idx] for route in plan.routes}
    assert "lyon.isp-b.wan-hub" in hops["lyon-vpn.tunnel-2"]
    assert "hub-vpn.instance-0" in hops["lyon-vpn.tunnel-2"]
    assert "hub-vpn.instance-1" in hops["lyon-vpn.tunnel-3"]


def test_one_tunnel_per_device():
    connections = {"lyon-vpn": {"tunnels": "one-per-device"}}
    plan = build(active_active(**TWO_DEVICES, connections=connections))
    hops = {route.name: [plan.hops[h].name for h in route.hop_idx] for route in plan.routes}
    assert set(hops) == {"lyon-vpn.tunnel-0", "lyon-vpn.tunnel-1"}
    assert "hub-vpn.instance-1" in hops["lyon-vpn.tunnel-1"]


def test_active_standby_has_one_tunnel():
    assert set(way_names(build(design()), "office", FORWARD)) == {"lyon-vpn.tunnel-0"}


# ---- flows -------------------------------------------------------------------------------------


def first_ways(plan: Plan, direction: str) -> list[str]:
    return [
        plan.routes[(flow.data_routes if direction == FORWARD else flow.ack_routes)[0]].name
        for flow in plan.tcp_flows
    ]


def bulk(flows: int) -> dict:
    return {"bulk": {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": flows}}


def test_flows_spread_by_hash_and_each_direction_apart():
    plan = build(active_active(traffic=bulk(400)))
    forward, back = first_ways(plan, FORWARD), first_ways(plan, RETURN)
    # Binomial(400, 1/2): 5 standard deviations are 50.
    assert all(150 < count < 250 for count in Counter(forward).values())
    both = sum(a == b for a, b in zip(forward, back, strict=True))
    assert 150 < both < 250
    for flow in plan.tcp_flows:
        assert len(set(flow.data_routes)) == 2


def test_a_flow_keeps_its_way_when_flows_or_replicates_are_added():
    few, many = build(active_active(traffic=bulk(20))), build(active_active(traffic=bulk(40)))
    assert first_ways(many, FORWARD)[:20] == first_ways(few, FORWARD)
    other = build(active_active(traffic=bulk(40)), replicate=1)
    assert first_ways(other, FORWARD) != first_ways(many, FORWARD)


def test_a_further_tunnel_takes_flows_from_all_and_moves_no_other():
    three = active_active(traffic=bulk(300), gateways={"hub-vpn": {"instances": 3}})
    before = first_ways(build(active_active(traffic=bulk(300))), FORWARD)
    after = first_ways(build(three), FORWARD)
    pairs = list(zip(before, after, strict=True))
    moved = [new for old, new in pairs if old != new]
    assert set(moved) == {"lyon-vpn.tunnel-2"}
    assert 60 < len(moved) < 140  # a third of 300, 5 standard deviations


def test_poisson_stands_for_many_flows_and_spreads_evenly():
    poisson = {"kind": "poisson", "rate": "8 Mbit/s", "reply_rate": "0 bit/s"}
    plan = build(active_active(traffic={"office": poisson}))
    assert [plan.routes[s.routes[0]].name for s in plan.sources] == [
        "lyon-vpn.tunnel-0",
        "lyon-vpn.tunnel-1",
    ]
    assert {float(s.record["mean_gap_ps"]) for s in plan.sources} == {2e9}  # 500 packets/s each
