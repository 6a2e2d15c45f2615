"""ExpressRoute failovers in the control plane: who notices, where flows go, and back."""

import copy
import math
from functools import cache

import numpy as np
import pytest

from simulator.base.errors import ScenarioError
from simulator.plan import FORWARD, RETURN
from simulator.planner import build
from simulator.scenario import load
from tests.planner.fake_world import FakeWorld

FAULT_S = 100.0
PRIMARY, SECONDARY, TUNNEL = "paris.primary", "paris.secondary", "lyon-vpn.tunnel-0"
CONVERGENCE = (1.0, 60.0)
PROGRAMMING_S = 0.0704
LINE_S = 0.001
"""Delay of the first link; jitter adds some microseconds."""


def speaker(number, local_preference):
    peer_ip = f"192.168.10.{number}"
    return {"asn": 65020, "peer_ip": peer_ip, "local_preference": local_preference}


DESIGN = {
    "schema_version": 1,
    "title": "one circuit and a tunnel",
    "run": {"horizon": "1000 s"},
    "vnets": {
        "hub": {
            "region": "West Europe",
            "address_space": ["10.0.0.0/16"],
            "gateway_subnet": "10.0.255.0/27",
        }
    },
    "sites": {
        "lyon": {
            "location": {"near": "France Central"},
            "address_space": ["192.168.10.0/24"],
            "internet": {"isp": {"down": "100 Mbit/s", "up": "100 Mbit/s"}},
            "devices": {
                "ce1": {"bgp": speaker(1, {"lyon-er": 200})},
                "ce2": {"bgp": speaker(2, {"lyon-er": 200})},
                "fw": {"public_ip": "203.0.113.7", "bgp": speaker(3, {})},
            },
        }
    },
    "gateways": {
        "hub-er": {"type": "expressroute", "vnet": "hub", "sku": "ErGw1AZ"},
        "hub-vpn": {"type": "vpn", "vnet": "hub", "sku": "VpnGw1AZ"},
    },
    "circuits": {
        "paris": {
            "provider_model": "point-to-point-ethernet",
            "peering_location": "Paris",
            "bandwidth": "50 Mbit/s",
            "links": {
                "primary": {"site": "lyon", "device": "ce1", "delay": "1 ms"},
                "secondary": {"site": "lyon", "device": "ce2", "delay": "2 ms"},
            },
        }
    },
    "connections": {
        "lyon-er": {"type": "expressroute", "circuit": "paris", "gateway": "hub-er"},
        "lyon-vpn": {
            "type": "ipsec",
            "gateway": "hub-vpn",
            "site": "lyon",
            "devices": ["fw"],
            "routing": "bgp",
        },
    },
    "traffic": {
        "calls": {"kind": "voice", "from": "lyon", "to": "hub", "codec": "G.711", "calls": 40}
    },
}
INSTANCE = {
    "kind": "expressroute-gateway-instance-failure",
    "gateway": "hub-er",
    "at": "100 s",
}
RESET = {"kind": "bgp-session-reset", "at": "100 s"}
BFD = {"interval": "300 ms", "multiplier": 3}
LINK_DOWN = {"kind": "expressroute-link-down", "circuit": "paris", "link": "primary", "at": "100 s"}
CIRCUIT_DOWN = {"kind": "expressroute-circuit-down", "circuit": "paris", "at": "100 s"}
MAINTENANCE = {
    "kind": "msee-maintenance",
    "circuit": "paris",
    "link": "primary",
    "at": "100 s",
    "drain": "200 s",
    "duration": "400 s",
}


def merge(into, changes):
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        elif value is None:
            into.pop(name)
        else:
            into[name] = value
    return into


def life(faults, replicate=0, **changes):
    """The plan of the design with changes, and the world after its run."""
    made = merge(copy.deepcopy(DESIGN), {"faults": list(faults), **changes})
    plan = build(load(made), replicate)
    return plan, live(plan, replicate)


def live(plan, replicate):
    return FakeWorld(plan.horizon_ps / 1e12, plan.seed, replicate).run(plan.processes)


def ways(plan, world, direction):
    """Time of each reroute and the route to which flows went, in order."""
    sources = [s for s in plan.sources if direction_of(plan, s) == direction]
    found = []
    for time_s, _, moved, position, flows in world.routes:
        if moved == direction:
            names = (
                {"no route"}
                if position is None
                else {plan.routes[sources[flow].routes[position]].name for flow in flows}
            )
            found.append((time_s, names))
    return found


def direction_of(plan, source):
    return plan.directions[int(source.record["direction"])].direction


def first_downs(world, session=PRIMARY):
    """When each end of a session first lost it, from the fault on."""
    found = {}
    for event in world.of_kind("bgp-down", session):
        found.setdefault(event.detail.partition(":")[0], event.time_s - FAULT_S)
    return found


def is_mean(values, expected):
    return abs(values.mean() - expected) < 2.58 * values.std() / math.sqrt(values.size)


# ---- silent death of a link ------------------------------------------------------------------


@cache
def silent_deaths(jitter, bfd):
    circuit = {"bgp": {"keepalive_jitter": jitter}, **({"bfd": BFD} if bfd else {})}
    plan, _ = life([LINK_DOWN], circuits={"paris": circuit})
    found = [first_downs(live(plan, replicate)) for replicate in range(200)]
    return np.array([[ends["CE"], ends["MSEE"]] for ends in found])


@pytest.mark.parametrize(
    ("jitter", "mean_s", "later_s"), [("none", 150.0, 160.0), ("random", 153.6, 162.5)]
)
def test_without_bfd_each_end_notices_after_two_to_three_minutes(jitter, mean_s, later_s):
    """Timers T108 and T109; 1 ms of delay plays no part."""
    times = silent_deaths(jitter, False)
    assert times.min() >= 120
    assert times.max() <= 180.001
    for end in (0, 1):
        assert is_mean(times[:, end], mean_s)
    assert is_mean(times.max(axis=1), later_s)


def test_with_bfd_each_end_notices_within_a_second():
    times = silent_deaths("none", True)
    assert times.min() >= 0.6
    assert times.max() <= 0.9 + 0.001
    assert is_mean(times - 0.001, 0.768)  # timer T107


def test_flows_of_the_dead_link_move_to_the_other_and_back():
    fault = {**LINK_DOWN, "duration": "100 s"}
    plan, world = life([fault], circuits={"paris": {"bfd": BFD}})
    noticed = first_downs(world)
    (away, there), (back, home) = ways(plan, world, FORWARD)
    assert there == {"lyon-er.secondary"}
    assert away == pytest.approx(FAULT_S + noticed["CE"] + PROGRAMMING_S)
    assert home == {"lyon-er.primary"}
    established = world.of_kind("bgp-established")[0].time_s
    assert 200 < established < 260.1  # a connect retry after the repair
    assert established + PROGRAMMING_S <= back <= established + 30 + PROGRAMMING_S
    away, back = (time_s for time_s, _ in ways(plan, world, RETURN))
    assert CONVERGENCE[0] <= away - FAULT_S - noticed["MSEE"] <= CONVERGENCE[1]
    assert CONVERGENCE[0] <= back - established <= CONVERGENCE[1] + 30
    moved = {e.fact.moved_count for e in world.of_kind("reroute") if e.fact.moved_count}
    assert all(8 <= count <= 32 for count in moved)  # of 40 flows those of one link


def test_the_documented_worst_convergence_takes_a_minute():
    plan, world = life(
        [LINK_DOWN],
        circuits={"paris": {"bfd": BFD}},
        connections={"lyon-er": {"convergence": "documented-worst"}},
    )
    ((away, _),) = ways(plan, world, RETURN)
    assert away == pytest.approx(FAULT_S + first_downs(world)["MSEE"] + 60)


def test_the_slower_bfd_interval_decides():
    bfd = {**BFD, "platform_interval": "750 ms"}
    for replicate in range(5):
        _, world = life([LINK_DOWN], replicate, circuits={"paris": {"bfd": bfd}})
        assert all(1.5 <= time_s <= 2.251 for time_s in first_downs(world).values())


# ---- one direction ---------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "deaf"), [("return", "CE"), ("forward", "MSEE")])
def test_one_way_death_the_deaf_end_first(direction, deaf):
    fault = {**LINK_DOWN, "kind": "expressroute-one-way", "direction": direction}
    plan, _ = life([fault])
    other = {"CE": "MSEE", "MSEE": "CE"}[deaf]
    later = []
    for replicate in range(100):
        found = first_downs(live(plan, replicate))
        assert 120 <= found[deaf] <= 180.001
        # One more keepalive of the deaf end arrives, then its TCP repeats that one for ever.
        assert 180 <= found[other] <= 240.001
        later.append(found[other] - found[deaf])
    assert is_mean(np.array(later), 60.0)  # a keepalive interval on average


def test_one_way_death_with_bfd_is_told_at_once():
    fault = {**LINK_DOWN, "kind": "expressroute-one-way", "direction": "return"}
    _, world = life([fault], circuits={"paris": {"bfd": BFD}})
    found = first_downs(world)
    assert found["CE"] <= 0.901
    assert found["MSEE"] - found["CE"] == pytest.approx(LINE_S, rel=0.1)


# ---- told, not detected ----------------------------------------------------------------------


def test_a_withdrawn_circuit_needs_no_detection_and_still_converges():
    plan, world = life([{**CIRCUIT_DOWN, "how": "withdrawn"}])
    found = first_downs(world)
    assert found["MSEE"] == 0.0
    assert found["CE"] == pytest.approx(LINE_S, rel=0.1)
    facts = {e.fact.timer for e in world.of_kind("bgp-down") if e.fact}
    assert facts == {""}
    last, names = ways(plan, world, FORWARD)[-1]
    assert names == {TUNNEL}
    assert last == pytest.approx(FAULT_S + 2 * LINE_S + PROGRAMMING_S, abs=1e-3)
    last, names = ways(plan, world, RETURN)[-1]
    assert names == {TUNNEL}
    assert CONVERGENCE[0] <= last - FAULT_S <= CONVERGENCE[1]


def test_an_interface_that_goes_down_is_noticed_within_three_seconds():
    times = []
    for replicate in range(10):
        _, world = life([{**LINK_DOWN, "how": "interface-down"}], replicate)
        times += first_downs(world).values()
    assert min(times) > 0
    assert max(times) <= 3.0


def test_a_reset_leaves_the_packets_alone():
    _, world = life([{**RESET, "circuit": "paris", "link": "primary"}])
    assert first_downs(world)["CE"] == 0.0
    assert first_downs(world, SECONDARY) == {}
    assert world.down == set()
    assert len(world.of_kind("bgp-established", PRIMARY)) == 1


def test_a_customer_edge_that_dies_is_missed_by_the_platform():
    fault = {"kind": "device-failure", "site": "lyon", "device": "ce1", "at": "100 s"}
    plan, world = life([fault], circuits={"paris": {"bfd": BFD}})
    assert first_downs(world)["MSEE"] <= 0.901
    assert {plan.hops[h].name for h in world.down} >= {"paris.primary.line"}
    assert ways(plan, world, FORWARD)[-1][1] == {"lyon-er.secondary"}
    assert ways(plan, world, RETURN)[-1][1] == {"lyon-er.secondary"}


# ---- the whole circuit, a location, a second circuit -----------------------------------------


def test_a_dead_circuit_leaves_the_tunnel_and_comes_back_before_it():
    fault = {**CIRCUIT_DOWN, "duration": "100 s"}
    plan, world = life([fault], circuits={"paris": {"bfd": BFD}})
    for direction in (FORWARD, RETURN):
        moves = ways(plan, world, direction)
        assert {TUNNEL} in [names for _, names in moves]
        assert TUNNEL not in moves[-1][1]
        assert moves[-1][0] > 200


@pytest.mark.parametrize(
    ("failback", "routing", "returns_s"),
    [
        (None, "bgp", 0.0),
        ({"kind": "hold-down", "delay": "90 s"}, "bgp", 90.0),
        ({"kind": "never"}, "bgp", math.inf),
        (None, "static", math.inf),  # T062: static VPN routes stay
        ({"kind": "immediate"}, "static", 0.0),
    ],
)
def test_failback(failback, routing, returns_s):
    fault = {**CIRCUIT_DOWN, "duration": "100 s"}
    connections = {
        "lyon-er": {"failback": failback} if failback else {},
        "lyon-vpn": {"routing": routing},
    }
    plan, world = life([fault], circuits={"paris": {"bfd": BFD}}, connections=connections)
    moves = ways(plan, world, RETURN)
    on_tunnel = next(i for i, (_, names) in enumerate(moves) if names == {TUNNEL})
    back = moves[on_tunnel + 1 :]
    if math.isinf(returns_s):
        assert back == []
        return
    established = min(e.time_s for e in world.of_kind("bgp-established"))
    waited_s = back[0][0] - established - returns_s
    assert CONVERGENCE[0] <= waited_s <= CONVERGENCE[1] + 30


def test_hold_down_is_for_what_left_the_circuit_and_not_between_its_links():
    fault = {**LINK_DOWN, "duration": "100 s"}
    connections = {"lyon-er": {"failback": {"kind": "never"}}}
    plan, world = life([fault], circuits={"paris": {"bfd": BFD}}, connections=connections)
    assert ways(plan, world, RETURN)[-1][1] == {"lyon-er.primary"}


def second_circuit(**circuit):
    links = {
        "primary": {"site": "lyon", "device": "ce1", "delay": "5 ms"},
        "secondary": {"site": "lyon", "device": "ce2", "delay": "5 ms"},
    }
    made = {
        **DESIGN["circuits"]["paris"],
        "peering_location": "Amsterdam",
        "links": links,
        "bfd": BFD,
    }
    return {
        "circuits": {"paris": {"bfd": BFD, **circuit}, "ams": made},
        "connections": {
            "lyon-er": {"weight": 100},
            "lyon-ams": {"type": "expressroute", "circuit": "ams", "gateway": "hub-er"},
        },
        "sites": {
            "lyon": {
                "devices": {
                    ce: {"bgp": {"local_preference": {"lyon-ams": 150}}} for ce in ("ce1", "ce2")
                }
            }
        },
    }


def test_an_outage_of_a_location_moves_flows_to_the_other_circuit():
    fault = {"kind": "peering-location-outage", "peering_location": "Paris", "at": "100 s"}
    plan, world = life([fault], **second_circuit())
    for direction in (FORWARD, RETURN):
        assert ways(plan, world, direction)[-1][1] == {"lyon-ams.primary", "lyon-ams.secondary"}
    assert {plan.hops[h].name for h in world.down} == {PRIMARY, SECONDARY}


@pytest.mark.parametrize(("place", "link"), [("Amsterdam", PRIMARY), ("Amsterdam2", SECONDARY)])
def test_an_outage_of_one_site_of_a_metro_takes_one_link(place, link):
    fault = {"kind": "peering-location-outage", "peering_location": place, "at": "100 s"}
    circuit = {"peering_location": "Amsterdam", "metro": True, "bfd": BFD}
    plan, world = life([fault], circuits={"paris": circuit})
    assert {plan.hops[h].name for h in world.down} == {link}


def test_the_providers_network_takes_its_own_time():
    branch = {
        "provider_model": "ip-vpn",
        "links": None,
        "access": {"lyon": {"rate": "100 Mbit/s"}},
        "bgp": {"convergence": "15 s"},
        "bfd": BFD,
    }
    plan, world = life([LINK_DOWN], circuits={"paris": branch})
    ((away, _),) = ways(plan, world, FORWARD)
    assert away == pytest.approx(FAULT_S + first_downs(world)["PE"] + 15)


# ---- maintenance of an edge router -----------------------------------------------------------


def test_maintenance_drains_both_directions_before_the_work():
    plan, world = life([MAINTENANCE])
    work = world.of_kind("maintenance-work")[0].time_s
    assert work == 300
    for direction in (FORWARD, RETURN):
        (away, there), (back, home) = ways(plan, world, direction)
        assert away < work
        assert there == {"lyon-er.secondary"}
        assert back > 500
        assert home == {"lyon-er.primary"}


@pytest.mark.parametrize(
    ("bgp", "device"),
    [
        ({}, {"local_preference": {"lyon-er": 300}}),  # its own rule comes before the AS path
        ({"honours_prepend": False}, {}),
    ],
)
def test_a_customer_who_does_not_look_at_the_as_path_is_not_drained(bgp, device):
    plan, world = life(
        [MAINTENANCE],
        circuits={"paris": {"bgp": bgp}},
        sites={"lyon": {"devices": {"ce1": {"bgp": device}}}},
    )
    (away, there) = ways(plan, world, FORWARD)[0]
    assert there == {"lyon-er.secondary"}
    assert away == pytest.approx(
        300 + LINE_S + PROGRAMMING_S, abs=1e-3
    )  # told by the closing session
    assert ways(plan, world, RETURN)[0][0] < 300  # the platform drains itself


def test_a_longer_path_does_not_move_flows_to_a_lower_preference():
    """Without a second link the circuit is still preferred to the tunnel."""
    faults = [{**LINK_DOWN, "link": "secondary", "at": "20 s"}, {**MAINTENANCE, "at": "400 s"}]
    plan, world = life(faults, circuits={"paris": {"bfd": BFD}})
    moves = [(t, names) for t, names in ways(plan, world, FORWARD) if t > 300]
    assert moves[0][1] == {TUNNEL}
    assert moves[0][0] == pytest.approx(600 + LINE_S + PROGRAMMING_S, abs=1e-3)


# ---- an instance of the gateway --------------------------------------------------------------


def test_flows_of_a_dead_gateway_instance_are_lost_and_then_carried_by_the_other():
    fault = {**INSTANCE, "duration": "200 s"}
    office = {"kind": "poisson", "from": "lyon", "to": "hub", "rate": "1 Mbit/s"}
    traffic = {"office": {**office, "packet_size": "internet-mix", "reply_rate": "1 Mbit/s"}}
    _plan, world = life([fault], traffic=traffic)
    switched = world.of_kind("switch-over")[0]
    assert 1 <= switched.time_s - FAULT_S <= 15  # row gateway.switch_over
    assert switched.fact.timer == "gateway.switch_over"
    for stream, low, high in (("calls", 10, 30), ("office", 2, 2)):
        moves = [r for r in world.routes if r[1] == stream]
        assert {r[2] for r in moves} == {FORWARD}  # packets from the VNet pass no instance
        assert [r[0] for r in moves if r[3] is None] == [FAULT_S]
        lost = {flow for r in moves if r[0] == FAULT_S for flow in r[4]}
        assert low <= len(lost) <= high  # half of them
        back = [flow for r in moves if r[0] == switched.time_s for flow in r[4]]
        assert sorted(back) == sorted(lost)
    facts = [e.fact for e in world.of_kind("reroute", "office")]
    assert sum(fact.moved_count for fact in facts) == 2
    assert sum(fact.returned_count for fact in facts) == 2
    # Half of the published 1 Gbit/s while one instance is left.
    assert [(t, rate) for t, _, rate in world.rates] == [(100, 0.5e9), (300, 1e9)]


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ({**LINK_DOWN, "circuit": "pariss"}, "paris"),
        ({**LINK_DOWN, "link": "third"}, "primary"),
        ({**LINK_DOWN, "how": "loud"}, "silent"),
        ({"kind": "peering-location-outage", "peering_location": "London", "at": "1 s"}, "Paris"),
        (RESET, "circuit: NAME"),
        ({**RESET, "connection": "lyon-vpn", "link": "primary"}, "circuit: NAME"),
        ({**RESET, "circuit": "paris", "duration": "1 s"}, "remove duration"),
        ({**MAINTENANCE, "at": "2000 s"}, "horizon"),
        ({**INSTANCE, "gateway": "hub-vpn"}, "type expressroute"),
        ({**INSTANCE, "instance": 2}, "write 0 to 1"),
    ],
)  # fmt: skip
def test_faults_that_make_no_sense_are_errors(fault, rule):
    with pytest.raises(ScenarioError) as caught:
        life([fault])
    assert rule in str(caught.value)
    assert "faults.0" in str(caught.value)


def test_a_connection_without_bgp_has_nothing_to_reset():
    fault = {**RESET, "connection": "lyon-vpn"}
    with pytest.raises(ScenarioError, match="static routing"):
        life([fault], connections={"lyon-vpn": {"routing": "static"}})
