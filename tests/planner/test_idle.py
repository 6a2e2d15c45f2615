"""A policy-based gateway takes an idle tunnel down, and the next packet builds it again."""

import math
from pathlib import Path

import pytest

from simulator import engine
from simulator.catalog import load_catalog
from simulator.ipsec.idle import idle_stretches
from simulator.plan import FORWARD, RETURN
from simulator.planner import build
from simulator.scenario import load
from tests.planner.fake_world import FakeWorld

FILE = Path(__file__).parents[2] / "scenarios" / "policy-based.yaml"
TUNNEL = "shop-vpn.tunnel-0"


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        ([], [(300, math.inf)]),
        ([(0, math.inf)], []),
        ([(0, 20), (420, math.inf)], [(320, 420)]),
        ([(420, math.inf), (0, 20)], [(320, 420)]),
        ([(0, 20), (320, 330)], [(630, math.inf)]),
        ([(0, 200), (10, 20), (450, 460), (1000, 1010)], [(760, 1000), (1310, math.inf)]),
        ([(301, 302)], [(300, 301), (602, math.inf)]),
    ],
)
def test_when_it_is_down(busy, expected):
    assert list(idle_stretches(busy, 300.0)) == expected


def life(**overrides):
    plan = build(load(FILE, overrides))
    return plan, FakeWorld(plan.horizon_ps / 1e12, plan.seed).run(plan.processes)


def test_the_timeline():
    plan, world = life()
    idle_s = load_catalog().timer("T014").value
    (down,) = world.of_kind("idle-teardown", TUNNEL)
    assert down.time_s == 20 + idle_s
    (start,) = world.of_kind("ike-initiated", TUNNEL)
    assert (start.time_s, start.cause_event_id) == (420, down.event_id)
    (up,) = world.of_kind("ike-established", TUNNEL)
    # 4.5 round trips of main and quick mode, and 0.1 to 1 s of processing.
    rtt_s = plan.meta["streams"]["late"].rtt_s
    assert 4 * rtt_s + 0.1 < up.time_s - 420 < 4.5 * rtt_s + 1
    assert world.down == set()


def test_a_packet_in_time_keeps_the_tunnel():
    _, world = life(**{"traffic.late.start": "319 s"})
    assert world.of_kind("idle-teardown") == []


def test_a_route_based_gateway_keeps_it_too():
    route_based = {"gateways.hub-vpn.vpn_type": "route-based", "connections.shop-vpn.ike": "v2"}
    plan, world = life(**route_based)
    assert world.of_kind("idle-teardown") == []
    assert not any("idle" in hop.name for hop in plan.hops)


def test_a_dead_line_delays_the_set_up():
    fault = "{kind: internet-outage, site: shop, internet: isp, at: 410 s, duration: 20 s}"
    _, world = life(faults=f"[{fault}]")
    (up,) = world.of_kind("ike-established", TUNNEL)
    assert 430.1 < up.time_s < 432


def test_the_first_packets_are_lost():
    plan = build(load(FILE))
    log = engine.run(plan)
    (up,) = [e.time_ps / 1e12 for e in log.events if e.kind == "ike-established"]
    rate_pps = 200e3 / 8 / 200
    for d, where in enumerate(plan.directions):
        name = plan.streams[where.stream_idx].name
        lost = int(log.dropped_packets_total[d].sum())
        expected = (up - 420) * rate_pps if name == "late" else 0
        assert lost == pytest.approx(expected, abs=2), (name, where.direction)
        assert where.direction in (FORWARD, RETURN)
