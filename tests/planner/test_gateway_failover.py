"""Gateways, first hops, fail-back and overlapping faults, against a world without packets."""

import pytest

from simulator.planner import build
from simulator.states import DOWN, FAILED, MOVING, UP, strike
from tests.planner.designs import ONE_SITE, active_active, design, merged
from tests.planner.fake_world import FakeWorld
from tests.planner.test_life import TUNNEL, hops, life, one

FAILURE = {"kind": "gateway-instance-failure", "gateway": "hub-vpn", "at": "100 s"}
BGP = {
    "sites": {"lyon": {"devices": {"edge": {"bgp": {"asn": 65020, "peer_ip": "192.168.255.1"}}}}},
    "connections": {"lyon-vpn": {"routing": "bgp"}},
}
TWO_DEVICES = {
    "sites": {
        "lyon": {
            "devices": {
                "edge": {"bgp": {"asn": 65020, "peer_ip": "192.168.255.1"}},
                "spare": {
                    "public_ip": "203.0.113.9",
                    "bgp": {"asn": 65020, "peer_ip": "192.168.255.2"},
                },
            }
        }
    },
    "connections": {"lyon-vpn": {"routing": "bgp"}},
}
CALLS = {"traffic": {"calls": {"kind": "voice", "from": "lyon", "to": "hub", "codec": "G.711",
                               "calls": 20}}}  # fmt: skip


# ---- active-active ---------------------------------------------------------------------------


@pytest.mark.parametrize("notice", [True, False])
def test_an_instance_with_notice_is_left_at_once(notice):
    fault = {**FAILURE, "planned": True, "notice": notice, "duration": "150 s"}
    _plan, world = life(active_active(**merged(BGP, CALLS), faults=[fault]))
    forward = [r for r in world.routes if r[1] == "calls" and r[2] == "forward"]
    back = [r for r in world.routes if r[1] == "calls" and r[2] == "return"]
    assert 101 <= back[0][0] <= 115  # T043, told or not
    if notice:
        assert forward[0][0] == 100.0
    else:
        assert 140 <= forward[0][0] <= 160  # the device's DPD, 3 x 20 s
    assert world.down == set()


def test_maintenance_takes_one_instance_at_a_time():
    fault = {"kind": "gateway-maintenance", "gateway": "hub-vpn", "at": "50 s", "each": "60 s",
             "gap": "100 s"}  # fmt: skip
    _plan, world = life(active_active(**BGP, faults=[fault]))
    left = [(e.time_s, e.subject[-1]) for e in world.of_kind("instance-maintenance")]
    assert left == [(50.0, "0"), (210.0, "1")]
    assert one(world.of_kind("repair")).time_s == 270.0


@pytest.mark.parametrize(("planned", "low_s", "high_s"), [(True, 0, 0), (False, 60, 180)])
def test_a_lone_static_tunnel_may_be_taken_over(planned, low_s, high_s):
    lone = {"tunnels": "one-per-device"}
    gateways = {"hub-vpn": {"failover": {"lone_static_tunnel": "take-over"}}}
    fault = {**FAILURE, "planned": planned}
    scenario = active_active(connections={"lyon-vpn": lone}, gateways=gateways, faults=[fault])
    _plan, world = life(scenario)
    taken = one(world.of_kind("take-over"))
    assert 100 + low_s <= taken.time_s <= 100 + high_s
    assert world.down == set()
    down = active_active(connections={"lyon-vpn": lone}, faults=[fault])
    assert life(down)[1].of_kind("take-over") == []
    assert life(down)[1].down != set()


def test_planned_maintenance_without_an_end_takes_half_an_hour():
    scenario = active_active(run={"horizon": "2000 s"}, faults=[{**FAILURE, "planned": True}])
    assert one(life(scenario)[1].of_kind("repair")).time_s == 100 + 1800  # T046


# ---- overlapping faults ----------------------------------------------------------------------


def test_a_death_in_the_middle_of_maintenance_is_a_death_until_both_have_ended():
    def fault(value, at_s, end_s):
        return lambda world: strike(
            world, kind="fault", subject="x", state="x", value=value, at_s=at_s, end_s=end_s
        )

    faults = [("a", fault(MOVING, 10, 50)), ("b", fault(FAILED, 20, 30))]
    for horizon_s, state in ((15, MOVING), (25, FAILED), (35, FAILED), (55, UP)):
        assert FakeWorld(horizon_s).run(faults).state["x"] == state


def test_a_tunnel_fault_in_the_middle_of_an_outage_needs_two_repairs():
    outage = {"kind": "internet-outage", "site": "lyon", "internet": "isp", "at": "100 s",
              "duration": "50 s"}  # fmt: skip
    tunnel = {"kind": "tunnel-down", "connection": "lyon-vpn", "at": "120 s", "duration": "100 s"}
    plan, world = life(design(faults=[outage, tunnel]))
    established = one(world.of_kind("ike-established"))
    assert established.time_s > 220
    assert world.down == set()
    plan, world = life(design(faults=[outage, tunnel], run={"horizon": "200 s"}))
    assert world.down == hops(plan, TUNNEL)


# ---- first hops ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "low_s", "high_s"),
    [("vrrp", 3.609, 3.609), ("hsrp", 10, 10), ("ospf", 40.1, 45)],  # T101, T102, T103 and SPF
)
def test_the_site_leaves_a_dead_device_by_its_protocol(protocol, low_s, high_s):
    fault = {"kind": "device-failure", "site": "lyon", "device": "edge", "at": "100 s"}
    sites = {"lyon": {"lan_failover": {"protocol": protocol}}}
    scenario = design(**merged(TWO_DEVICES, {"sites": sites}), faults=[fault])
    _plan, world = life(scenario)
    switch = one(world.of_kind("first-hop-switch"))
    assert low_s - 1e-6 <= switch.time_s - 100 <= high_s
    assert switch.fact.end == "device"


@pytest.mark.parametrize(
    ("protocol", "duration_s", "left_s"),
    [("vrrp", 100, 3.609), ("ospf", 20, 20)],  # T101; back before T103, with no route
)
def test_the_site_sends_to_a_dead_device_until_it_leaves_it(protocol, duration_s, left_s):
    fault = {"kind": "device-failure", "site": "lyon", "device": "edge", "at": "100 s",
             "duration": f"{duration_s} s"}  # fmt: skip
    sites = {"lyon": {"lan_failover": {"protocol": protocol}}}
    parts = merged(merged(TWO_DEVICES, CALLS), {"sites": sites})
    _plan, world = life(design(**parts, faults=[fault]))
    forward = [r for r in world.routes if r[1] == "calls" and r[2] == "forward"]
    assert forward[0][0] == pytest.approx(100 + left_s)  # not when its own BGP session is gone


def test_a_reboot_hands_over_with_notice():
    fault = {"kind": "device-reboot", "site": "lyon", "device": "edge", "at": "100 s",
             "duration": "100 s"}  # fmt: skip
    _plan, world = life(design(**merged(TWO_DEVICES, CALLS), faults=[fault]))
    assert one(world.of_kind("first-hop-switch")).time_s == pytest.approx(100.609)
    moves = [r for r in world.routes if r[1] == "calls"]
    assert {r[0] for r in moves if r[0] < 200} == {100.0}
    assert world.down == set()


@pytest.mark.parametrize("preempt", [True, False])
def test_preemption_decides_whether_flows_go_back(preempt):
    fault = {"kind": "device-failure", "site": "lyon", "device": "edge", "at": "50 s",
             "duration": "60 s"}  # fmt: skip
    sites = {"lyon": {"lan_failover": {"preempt": preempt}}}
    _plan, world = life(
        design(**merged(merged(TWO_DEVICES, CALLS), {"sites": sites}), faults=[fault])
    )
    assert (world.state["lyon.edge@site"] == UP) is preempt
    forward = [r for r in world.routes if r[1] == "calls" and r[2] == "forward"]
    assert (forward[-1][3] == 0) is preempt


# ---- fail-back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failback", "low_s", "high_s"),
    [
        ({"kind": "immediate"}, 0, 0),
        ({"kind": "hold-down", "delay": "60 s"}, 60, 60),
        ({"kind": "never"}, None, None),
    ],
)
def test_fail_back_is_at_once_later_or_never(failback, low_s, high_s):
    fault = {**FAILURE, "duration": "60 s"}
    changed = merged(merged(BGP, CALLS), {"connections": {"lyon-vpn": {"failback": failback}}})
    _plan, world = life(active_active(**changed, faults=[fault]))
    back = [r for r in world.routes if r[1] == "calls" and r[3] == 0 and r[2] == "return"]
    if low_s is None:
        assert back == []
        return
    ready = one(world.of_kind("bgp-established")).time_s
    assert low_s <= back[-1][0] - ready <= high_s + 1e-6


def test_a_flow_without_another_way_takes_what_is_back():
    changed = {"connections": {"lyon-vpn": {"failback": {"kind": "never"}}}}
    outage = {"kind": "internet-outage", "site": "lyon", "internet": "isp", "at": "100 s",
              "duration": "90 s"}  # fmt: skip
    _plan, world = life(design(**changed, faults=[outage]))
    assert [r[3] for r in world.routes] == [None, None, 0, 0]


# ---- state of firewalls ----------------------------------------------------------------------


@pytest.mark.parametrize(("sync", "resets"), [(False, True), (True, False)])
def test_flows_that_come_to_a_device_without_their_state_are_reset(sync, resets):
    stateful = {"stateful": True, "state_sync": sync}
    devices = {
        "edge": {**stateful, "bgp": {"local_preference": {}}},
        "spare": {**stateful, "bgp": {"prepend": 2}},
    }
    changed = merged(TWO_DEVICES, {"sites": {"lyon": {"devices": devices}}})
    traffic = {"copy": {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 4}}
    fault = {"kind": "device-failure", "site": "lyon", "device": "edge", "at": "100 s"}
    plan = build(design(**changed, traffic=traffic, faults=[fault]))
    world = FakeWorld(400, plan.seed).run(plan.processes)
    counts = [e.fact.reset_count for e in world.of_kind("reroute", "copy")]
    assert (sum(counts) > 0) is resets
    assert world.state["lyon.edge@site"] == DOWN
    assert ONE_SITE["run"]["seed"] == plan.seed
