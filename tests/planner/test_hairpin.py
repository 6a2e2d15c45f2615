"""Spoke to spoke around the hub's VPN gateway: user routes of the spokes, and no tunnel."""

import pytest

from simulator.plan import FORWARD, RETURN
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load
from tests.planner.designs import ONE_SITE, merged

PROBE = {
    "kind": "constant",
    "rate": "80 kbit/s",
    "reply_rate": "80 kbit/s",
    "packet_size": "64 bytes",
}


def vnet(number, **routes):
    return {
        "region": "West Europe",
        "address_space": [f"10.{number}.0.0/16"],
        "subnets": {"hosts": {"prefix": f"10.{number}.1.0/24", "routes": routes}},
    }


def spokes(a_routes=None, b_routes=None, **sections):
    """Hub with a VPN gateway, two spokes that use it."""
    to_a, to_b = {"10.1.0.0/16": "gateway"}, {"10.2.0.0/16": "gateway"}
    peering = {"type": "peering", "allow_gateway_transit": "hub"}
    below = {
        "vnets": {
            "a": vnet(1, **(to_b if a_routes is None else a_routes)),
            "b": vnet(2, **(to_a if b_routes is None else b_routes)),
        },
        "connections": {
            f"hub-{name}": peering | {"vnets": ["hub", name], "use_remote_gateways": name}
            for name in "ab"
        },
        "traffic": {"probe": PROBE | {"from": "a.hosts", "to": "b.hosts"}},
    }
    return load(merged(merged(ONE_SITE, below), sections))


def warnings_of(scenario):
    return build(scenario).meta["warnings"]


def hops(scenario, direction):
    return [
        [f"{hop.hop} {hop.direction}" for hop in way.hops]
        for way in explain(scenario).stream("probe", direction).ways
    ]


def test_packets_turn_at_the_gateway_and_pass_its_latency_once():
    assert hops(spokes(), FORWARD) == [
        [
            "a.vnet return",
            "hub-a.transit return",
            "hub-vpn.instance-0.latency return",
            "hub-vpn.instance-0 return",
            "hub-b.transit forward",
            "b.vnet forward",
        ]
    ]
    assert hops(spokes(), RETURN)[0][:2] == ["b.vnet return", "hub-b.transit return"]


def test_nothing_is_wrapped_on_the_way():
    (way,) = explain(spokes()).stream("probe", FORWARD).ways
    assert {hop.wire_bytes for hop in way.hops} == {64}


def test_an_active_active_gateway_spreads_the_flows_over_its_instances():
    flows = {"probe": {"flows": 16}}
    scenario = spokes(gateways={"hub-vpn": {"mode": "active-active"}}, traffic=flows)
    turned_at = [way[3] for way in hops(scenario, FORWARD)]
    assert sorted(turned_at) == ["hub-vpn.instance-0 return", "hub-vpn.instance-1 return"]


def test_a_default_route_to_the_gateway_will_do():
    all_of_it = {"0.0.0.0/0": "gateway"}
    assert hops(spokes(all_of_it, all_of_it), FORWARD) == hops(spokes(), FORWARD)


@pytest.mark.parametrize(("a_routes", "b_routes"), [({}, {}), (None, {}), ({}, None)])
def test_both_spokes_need_the_user_route(a_routes, b_routes):
    assert any("no way from" in w for w in warnings_of(spokes(a_routes, b_routes)))


def test_without_a_vpn_gateway_in_the_hub_the_user_route_leads_nowhere():
    scenario = spokes(connections={"hub-b": {"use_remote_gateways": None}})
    assert any("no way from a.hosts to b.hosts" in w for w in warnings_of(scenario))


def test_a_site_and_a_spoke_go_on_as_before():
    site = {"traffic": {"probe": {"from": "lyon", "to": "b.hosts"}}}
    (way,) = hops(spokes(**site), FORWARD)
    assert not any("hub-a" in hop for hop in way)
    assert way[-2:] == ["hub-b.transit forward", "b.vnet forward"]
