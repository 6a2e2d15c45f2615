"""VNets among themselves: tunnels over the backbone, peerings, and what is in transit."""

import pytest

from simulator.base.errors import ScenarioError
from simulator.catalog import load_catalog
from simulator.draft import NoRouteError
from simulator.plan import FORWARD, RETURN, Plan
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load
from tests.planner.designs import ONE_SITE, design, merged
from tests.planner.fake_world import FakeWorld

DR = {"region": "North Europe", "address_space": ["10.2.0.0/16"], "gateway_subnet": "10.2.255.0/27"}
DR_BGP = {"asn": 65516}
SPOKE = {"region": "West Europe", "address_space": ["10.1.0.0/16"]}
BGP = {"asn": 65020, "peer_ip": "192.168.255.1"}
MS = 1_000_000_000


def stream(source, to, **more):
    base = {"kind": "constant", "rate": "10 Mbit/s", "packet_size": "1000 bytes"}
    return {**base, "from": source, "to": to, **more}


def two_regions(**sections):
    below = {
        "vnets": {"dr": DR},
        "gateways": {"dr-vpn": {"type": "vpn", "vnet": "dr", "sku": "VpnGw2AZ", "bgp": DR_BGP}},
        "connections": {"hub-dr": {"type": "vnet-to-vnet", "gateways": ["hub-vpn", "dr-vpn"]}},
        "traffic": {"copy": stream("hub", "dr", reply_rate="1 Mbit/s")},
    }  # fmt: skip
    return merged(merged(ONE_SITE, below), sections)


def spoke(transit=True, **sections):
    peering = {"type": "peering", "vnets": ["hub", "spoke"]}
    if transit:
        peering |= {"allow_gateway_transit": "hub", "use_remote_gateways": "spoke"}
    below = {
        "vnets": {"spoke": SPOKE},
        "connections": {"hub-spoke": peering},
        "traffic": {"app": stream("lyon", "spoke", reply_rate="1 Mbit/s")},
    }
    return merged(merged(ONE_SITE, below), sections)


def hops(plan: Plan, name: str, direction: str) -> list[str]:
    (route,) = [
        route
        for route in plan.routes
        for where in [plan.directions[route.direction_idx]]
        if plan.streams[where.stream_idx].name == name and where.direction == direction
    ]
    return [f"{plan.hops[h].name} {plan.hops[h].direction}" for h in route.hop_idx]


def delay_ps(plan: Plan, name: str) -> int:
    return next(int(plan.hop[i]["delay_ps"]) for i, h in enumerate(plan.hops) if h.name == name)


def problem(tree) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(tree)
    return str(caught.value)


# ---- VNet to VNet ------------------------------------------------------------------------------


def test_a_tunnel_passes_both_gateways_and_the_backbone():
    plan = build(load(two_regions()))
    there = [
        "hub.vnet return",
        "hub-vpn.instance-0.latency return",
        "hub-vpn.instance-0 return",
        "hub-dr.tunnel-0.hub-vpn return",
        "hub-dr.backbone forward",
        "hub-dr.tunnel-0.dr-vpn forward",
        "dr-vpn.instance-0 forward",
        "dr-vpn.instance-0.latency forward",
        "dr.vnet forward",
    ]
    assert hops(plan, "copy", FORWARD) == there
    swapped = {"forward": "return", "return": "forward"}
    back = [f"{h.split()[0]} {swapped[h.split()[1]]}" for h in reversed(there)]
    assert hops(plan, "copy", RETURN) == back


def test_the_delays_add_up_to_the_matrix():
    plan = build(load(two_regions()))
    rtt_s = load_catalog().rtt_s("West Europe", "North Europe").value_s
    fixed = sum(delay_ps(plan, name) for name in ("hub.vnet", "hub-dr.backbone", "dr.vnet"))
    assert fixed == pytest.approx(rtt_s / 2 * 1e12, abs=2)


def test_in_one_region_the_backbone_adds_nothing():
    plan = build(load(two_regions(vnets={"dr": {"region": "West Europe"}})))
    assert delay_ps(plan, "hub-dr.backbone") == 0
    assert hops(plan, "copy", FORWARD)[4] == "hub-dr.backbone forward"


@pytest.mark.parametrize(
    ("hub", "dr", "binding"),
    [
        ("VpnGw1AZ", "VpnGw2AZ", "hub-dr.tunnel-0.hub-vpn"),
        ("VpnGw2AZ", "VpnGw1AZ", "hub-dr.tunnel-0.dr-vpn"),
    ],
)
def test_the_smaller_gateway_binds(hub, dr, binding):
    gateways = {"hub-vpn": {"sku": hub}, "dr-vpn": {"sku": dr}}
    traffic = {"copy": {"packet_size": "1400 bytes"}}
    tree = two_regions(gateways=gateways, traffic=traffic)
    del tree["traffic"]["office"]
    found = explain(load(tree))
    (row,) = [r for r in found.stream("copy").ceilings if r.binds]
    assert binding in row.ceiling
    assert row.available_bps == pytest.approx(650e6)


def test_full_mesh_between_active_active_gateways_and_one_tunnel():
    both = {"hub-vpn": {"mode": "active-active"}, "dr-vpn": {"mode": "active-active"}}
    traffic = {"copy": {"kind": "bulk-tcp", "from": "hub", "to": "dr", "flows": 40}}
    tree = two_regions(gateways=both)
    tree["traffic"] = traffic
    names = {r.name for r in build(load(tree)).routes}
    assert names == {f"hub-dr.tunnel-{i}" for i in range(4)}
    tree["connections"]["hub-dr"]["tunnels"] = "one"
    assert {r.name for r in build(load(tree)).routes} == {"hub-dr.tunnel-0"}


def test_both_ends_detect_and_the_tunnel_comes_back():
    faults = [{"kind": "tunnel-down", "connection": "hub-dr", "at": "100 s", "duration": "60 s"}]
    plan = build(load(two_regions(faults=faults)))
    world = FakeWorld(plan.horizon_ps / 1e12, plan.seed).run(plan.processes)
    ends = {e.detail.split()[0]: e.time_s - 100 for e in world.of_kind("dpd-timeout")}
    assert set(ends) == {"hub-vpn", "dr-vpn"}
    assert all(25 <= after_s <= 45 for after_s in ends.values())
    (up,) = world.of_kind("ike-established", "hub-dr.tunnel-0")
    assert up.time_s > 160
    assert world.down == set()
    last = {(r[1], r[2]): r[3] for r in world.routes}
    assert last == {("copy", FORWARD): 0, ("copy", RETURN): 0}


def test_bgp_passes_a_site_on_to_the_second_region():
    sites = {"lyon": {"devices": {"edge": {"bgp": BGP}}}}
    connections = {"lyon-vpn": {"routing": "bgp"}, "hub-dr": {"routing": "bgp"}}
    traffic = {"far": stream("lyon", "dr", reply_rate="1 Mbit/s")}
    tree = two_regions(sites=sites, connections=connections, traffic=traffic)
    plan = build(load(tree))
    there = hops(plan, "far", FORWARD)
    # One pass of the first gateway: decrypted on one tunnel, encrypted on the other.
    assert there.count("hub-vpn.instance-0 forward") == 1
    assert there.index("lyon-vpn.tunnel-0 forward") < there.index("hub-dr.tunnel-0.hub-vpn return")
    assert "hub.vnet forward" not in there
    (decision,) = plan.meta["decisions"][("lyon", "dr")]
    assert decision.groups == (("lyon-vpn + hub-dr",),)
    assert decision.ranked[0][0].as_path_length == 2
    for name in connections:
        broken = merged(tree, {"connections": {name: {"routing": "static"}}})
        without = build(load(broken))
        reason = "needs BGP on every connection (rule R073)"
        assert any(reason in warning for warning in without.meta["warnings"])
        assert hops(without, "far", FORWARD) == ["far.no-route forward"]


# ---- peering -----------------------------------------------------------------------------------


def test_no_gateway_lies_between_peered_vnets():
    traffic = {"db": stream("hub", "spoke", reply_rate="1 Mbit/s")}
    plan = build(load(spoke(traffic=traffic)))
    assert hops(plan, "db", FORWARD) == ["hub.vnet return", "hub-spoke.backbone forward"]
    assert hops(plan, "db", RETURN) == ["spoke.vnet return", "hub-spoke.backbone return"]
    # Hosts of one region: half of the round trip of the catalogue each way.
    rtt_s = load_catalog().default("region.same_region_rtt").value
    assert plan.meta["streams"]["db"].rtt_s == pytest.approx(rtt_s)


def test_a_site_reaches_a_spoke_through_the_gateway_of_the_hub():
    plan = build(load(spoke()))
    there = hops(plan, "app", FORWARD)
    assert there[-4:] == [
        "hub-vpn.instance-0 forward",
        "hub-vpn.instance-0.latency forward",
        "hub-spoke.transit forward",
        "spoke.vnet forward",
    ]
    back = hops(plan, "app", RETURN)
    assert back[0] == "spoke.vnet return"
    assert [h.split()[0].replace(".down", ".up") for h in back] == [
        h.split()[0] for h in reversed(there)
    ]


def test_without_gateway_transit_the_spoke_is_out_of_reach():
    with pytest.raises(NoRouteError, match="no way from lyon to spoke"):
        build(load(spoke(transit=False)))


def test_peering_wins_over_a_tunnel_between_the_same_vnets():
    connections = {"direct": {"type": "peering", "vnets": ["dr", "hub"]}}
    plan = build(load(two_regions(connections=connections)))
    (decision,) = plan.meta["decisions"][("hub", "dr")]
    assert decision.groups == (("direct",), ("hub-dr",))
    assert "peering before VPN over hub-dr (rule R115)" in decision.reason
    first = [plan.routes[source.routes[0]].name for source in plan.sources]
    assert first[:2] == ["direct", "direct"]


def test_peering_is_not_transitive():
    third = {"other": {"region": "West Europe", "address_space": ["10.3.0.0/16"]}}
    connections = {"hub-other": {"type": "peering", "vnets": ["hub", "other"]}}
    tree = spoke(vnets=third, connections=connections, traffic={"app": stream("spoke", "other")})
    plan = build(load(tree))
    assert any("peering is not transitive (rule R111)" in w for w in plan.meta["warnings"])
    world = FakeWorld(plan.horizon_ps / 1e12, plan.seed).run(plan.processes)
    assert ("app", FORWARD, None) in [route[1:4] for route in world.routes]


def test_a_spoke_reaches_the_second_region_through_the_hub():
    tree = merged(two_regions(), spoke(traffic={"far": stream("spoke", "dr")}))
    plan = build(load(tree))
    (decision,) = plan.meta["decisions"][("spoke", "dr")]
    assert decision.groups == (("hub-spoke.transit + hub-dr",),)
    there = hops(plan, "far", FORWARD)
    assert there[:2] == ["spoke.vnet return", "hub-spoke.transit return"]
    assert there[-1] == "dr.vnet forward"


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (two_regions(gateways={"dr-vpn": {"vpn_type": "policy-based"}}), "rule R105"),
        (two_regions(gateways={"dr-vpn": {"bgp": {"asn": 65515}}},
                     connections={"hub-dr": {"routing": "bgp"}}), "rule R065"),
        (two_regions(connections={"hub-dr": {"gateways": ["hub-vpn", "hub-vpn"]}}), "both ends"),
        (two_regions(connections={"hub-dr": {"gateways": ["hub-vpn", "dr-vqn"]}}),
         "there is no gateway of this name; did you mean 'dr-vpn'"),
        (spoke(connections={"hub-spoke": {"allow_gateway_transit": None}}), "rule R113"),
        (spoke(vnets={"spoke": {"gateway_subnet": "10.1.255.0/27"}},
               gateways={"own": {"type": "vpn", "vnet": "spoke", "sku": "VpnGw1AZ"}}), "rule R112"),
        (spoke(connections={"hub-spoke": {"use_remote_gateways": "hub"}}), "rule R113"),
        (spoke(connections={"hub-spoke": {"allow_forwarded_traffic": ["dr"]}}), "not one of"),
        (spoke(connections={"hub-spoke": {"vnets": ["hub", "hub"]}}), "both ends are hub"),
        (spoke(connections={"hub-spoke": {"type": "pearing"}}), "did you mean 'peering'"),
        (merged(spoke(), {"connections": {"hub-spoke": {"type": "ipsec"}}}), "gateway"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(tree, message):
    assert message in problem(tree)


def test_traffic_between_places_that_nothing_joins():
    tree = merged(ONE_SITE, {"vnets": {"spoke": SPOKE}, "traffic": {"app": stream("hub", "spoke")}})
    assert "no connections join hub and spoke" in problem(tree)


# ---- announcements and stateful devices --------------------------------------------------------

TWO_FIREWALLS = {
    "sites": {
        "lyon": {
            "internet": {"isp-b": {"down": "500 Mbit/s", "up": "200 Mbit/s"}},
            "devices": {
                "edge": {"internet": "isp", "bgp": BGP},
                "edge-2": {"internet": "isp-b", "public_ip": "198.51.100.7",
                           "bgp": {"asn": 65020, "peer_ip": "192.168.255.2"}},
            },
        }
    },
    "connections": {"lyon-vpn": {"routing": "bgp"}},
}  # fmt: skip


def firewalls(stateful=True, sync=False, **sections):
    devices = {name: {"stateful": stateful, "state_sync": sync} for name in ("edge", "edge-2")}
    traffic = {"bulk": {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 64}}
    below = merged(merged(ONE_SITE, TWO_FIREWALLS), {"sites": {"lyon": {"devices": devices}}})
    below["traffic"] = traffic
    return load(merged(below, sections))


def bgp(device, **fields):
    return {"lyon": {"devices": {device: {"bgp": fields}}}}


def test_prepending_draws_the_return_path_to_one_device():
    plan = build(firewalls(sites=bgp("edge-2", prepend=2)))
    (back,) = plan.meta["decisions"][("hub", "lyon")]
    assert back.groups == (("lyon-vpn via lyon.edge",), ("lyon-vpn via lyon.edge-2",))
    assert "shorter AS path, 1 before 3" in back.reason
    returning = {plan.routes[flow.ack_routes[0]].name for flow in plan.tcp_flows}
    assert returning == {"lyon-vpn.tunnel-0"}
    going = {plan.routes[flow.data_routes[0]].name for flow in plan.tcp_flows}
    assert going == {"lyon-vpn.tunnel-0", "lyon-vpn.tunnel-1"}


def test_local_preference_and_prepending_make_both_directions_agree():
    sites = merged(bgp("edge-2", prepend=2), bgp("edge", local_preference={"lyon-vpn": 200}))
    plan = build(firewalls(sites=sites))
    assert plan.meta["asymmetric"] == ()
    assert {r.name for f in plan.tcp_flows for r in [plan.routes[f.data_routes[0]]]} == {
        "lyon-vpn.tunnel-0"
    }


@pytest.mark.parametrize(("stateful", "sync"), [(False, False), (True, True)])
def test_asymmetric_flows_are_reported(stateful, sync):
    plan = build(firewalls(stateful, sync))
    (found,) = plan.meta["asymmetric"]
    assert 0.25 < found.share_ratio < 0.75  # half of 64, 4 standard deviations
    assert found.dropped_by == ()
    # Nothing drops them, and both ways have the same ends: no warning, but `explain` tells.
    assert not any("R085" in w for w in plan.meta["warnings"])
    world = FakeWorld(plan.horizon_ps / 1e12, plan.seed).run(plan.processes)
    assert world.routes == []
    assert "are asymmetric" in explain(firewalls(stateful, sync)).text()


def test_stateful_devices_drop_them():
    plan = build(firewalls())
    (found,) = plan.meta["asymmetric"]
    assert set(found.dropped_by) == {"lyon.edge", "lyon.edge-2"}
    assert found.dropped_count == round(found.share_ratio * 64)
    world = FakeWorld(plan.horizon_ps / 1e12, plan.seed).run(plan.processes)
    ((at_s, name, direction, position, flows),) = world.routes
    assert (at_s, name, direction, position) == (0, "bulk", RETURN, None)
    expected = [
        number
        for number, flow in enumerate(plan.tcp_flows)
        if plan.routes[flow.data_routes[0]].name != plan.routes[flow.ack_routes[0]].name
    ]
    assert list(flows) == expected
    assert {e.detail.split(": ")[1] for e in world.of_kind("reroute")} == {
        "dropped by lyon.edge, stateful", "dropped by lyon.edge-2, stateful",
    }  # fmt: skip


def test_flows_pass_again_when_both_directions_meet_in_one_device():
    faults = [{"kind": "internet-outage", "site": "lyon", "internet": "isp-b", "at": "100 s"}]
    plan = build(firewalls(faults=faults))
    world = FakeWorld(plan.horizon_ps / 1e12, plan.seed).run(plan.processes)
    now = {}
    for _at_s, _name, direction, position, flows in world.routes:
        now |= {(direction, flow): position for flow in flows}
    for number, flow in enumerate(plan.tcp_flows):
        for direction, routes in ((FORWARD, flow.data_routes), (RETURN, flow.ack_routes)):
            position = now.get((direction, number), 0)
            assert position is not None
            assert plan.routes[routes[position]].name == "lyon-vpn.tunnel-0"


def test_a_prefix_inside_the_vnet_is_not_accepted():
    advertise = ["192.168.10.0/24", "10.0.7.0/24"]
    plan = build(firewalls(sites=bgp("edge", advertise=advertise)))
    (warning,) = [w for w in plan.meta["warnings"] if "R070" in w]
    assert "10.0.7.0/24" in warning


def test_a_place_with_several_prefixes_has_a_decision_for_each():
    tree = design(vnets={"hub": {"address_space": ["10.0.0.0/16", "10.5.0.0/16"]}})
    decisions = build(tree).meta["decisions"][("lyon", "hub")]
    assert [str(d.prefix) for d in decisions] == ["10.0.0.0/16", "10.5.0.0/16"]
    assert "10.5.0.0/16 over lyon-vpn" in explain(tree).text()
