"""Control processes against a world without packets: who notices, when, and what follows."""

from itertools import pairwise

import pytest

from simulator.plan import FORWARD, RETURN
from simulator.planner import build
from simulator.states import DOWN, UP, strike
from tests.planner.designs import active_active, design
from tests.planner.fake_world import FakeWorld

TUNNEL = "lyon-vpn.tunnel-0"
INSTANCE = "hub-vpn.instance-0"
OUTAGE = {"kind": "internet-outage", "site": "lyon", "internet": "isp", "at": "100 s"}


def life(scenario, replicate=0):
    plan = build(scenario, replicate)
    world = FakeWorld(plan.horizon_ps / 1e12, plan.seed, replicate)
    return plan, world.run(plan.processes)


def hops(plan, *names):
    return {i for i, h in enumerate(plan.hops) if h.name in names}


def one(events):
    (event,) = events
    return event


def chain(world, event):
    """Kinds of an event and of its causes, back to what was scheduled."""
    kinds = [event.kind]
    while event.cause_event_id:
        event = world.events[event.cause_event_id - 1]
        kinds.append(event.kind)
    return kinds


# ---- internet outage -------------------------------------------------------------------------


def test_short_outage_is_noticed_by_nobody():
    _plan, world = life(design(faults=[{**OUTAGE, "duration": "10 s"}]))
    assert [e.kind for e in world.events] == ["internet-outage", "repair"]
    assert world.events[1].cause_event_id == 1
    assert world.down == set()
    assert world.routes == []


def test_hops_of_the_line_are_down_during_the_outage():
    plan, world = life(design(run={"horizon": "105 s"}, faults=[{**OUTAGE, "until": "110 s"}]))
    assert world.down == hops(plan, "lyon.isp.up", "lyon.isp.down")


@pytest.mark.parametrize("replicate", range(5))
def test_both_ends_detect_within_their_timeout(replicate):
    plan, world = life(design(faults=[OUTAGE]), replicate)
    by_end = {e.detail.split()[0]: e.time_s - 100 for e in world.of_kind("dpd-timeout")}
    # 45 s at the gateway, 3 x 20 s at the device, less the age of the last sign of life: 0-20 s.
    assert 25 <= by_end["gateway"] <= 45
    assert 40 <= by_end["device"] <= 60
    assert world.down == hops(plan, "lyon.isp.up", "lyon.isp.down", TUNNEL)
    # Without another tunnel each direction loses its route as its sender detects.
    for direction, end in ((FORWARD, "device"), (RETURN, "gateway")):
        last = [r for r in world.routes if r[2] == direction][-1]
        assert last == (pytest.approx(100 + by_end[end]), "office", direction, None, (0,))


def test_detection_differs_between_replicates():
    times = {
        life(design(faults=[OUTAGE]), replicate)[1].of_kind("dpd-timeout")[0].time_s
        for replicate in range(3)
    }
    assert len(times) == 3


def test_tunnel_is_built_again_at_the_first_try_after_the_repair():
    _plan, world = life(design(faults=[{**OUTAGE, "duration": "90 s"}]))
    established = one(world.of_kind("ike-established"))
    tries_s = []
    for started in world.of_kind("ike-initiated"):
        at_s = started.time_s
        for wait_s in (4 * 1.8**n for n in range(6)):
            tries_s.append(at_s)
            at_s += wait_s
    first_s = min(t for t in tries_s if t >= 190)
    # Two round trips and 0.1 to 1 s of processing after the try that gets through.
    assert 0.1 + 2 * 0.023 < established.time_s - first_s < 1 + 2 * 0.03
    assert chain(world, established)[-1] == "internet-outage"
    assert world.down == set()
    assert [r[3] for r in world.routes] == [None, None, 0, 0]


def test_ike_v1_takes_more_round_trips():
    fault = {**OUTAGE, "duration": "90 s"}
    paths = {"p": {"from": "lyon", "to": "hub", "rtt": "2 s"}}
    times = [
        one(life(design(faults=[fault], paths=paths, connections=c))[1].of_kind("ike-established"))
        for c in ({"lyon-vpn": {"ike": "v2"}}, {"lyon-vpn": {"ike": "v1"}})
    ]
    assert times[1].time_s - times[0].time_s == pytest.approx(2.5 * (2 + 2 * 0.0001), rel=1e-6)


def test_ike_waits_grow_and_start_again():
    plan, world = life(design(faults=[OUTAGE], run={"horizon": "100000 s"}))
    spec = next(p for name, p in plan.processes if name == f"tunnel {TUNNEL}").keywords["spec"]
    waits = [spec.retransmission.first_s * spec.retransmission.factor**n for n in range(6)]
    assert waits[0] == 4
    assert all(b / a == pytest.approx(1.8) for a, b in pairwise(waits))
    assert sum(waits) == pytest.approx(165, abs=1)
    assert len(world.of_kind("ike-initiated")) == 2  # once for each end, for all of the time


@pytest.mark.parametrize(
    ("connection", "device", "initiators"),
    [
        ({"initiator": "both"}, {}, {"by the gateway", "by the device"}),
        ({"initiator": "gateway"}, {}, {"by the gateway"}),
        ({"initiator": "device"}, {}, {"by the device"}),
        ({"initiator": "both"}, {"behind_nat": True}, {"by the device"}),
        ({"initiator": "gateway"}, {"behind_nat": True}, set()),
    ],
)
def test_who_may_initiate(connection, device, initiators):
    scenario = design(
        faults=[{**OUTAGE, "duration": "90 s"}],
        connections={"lyon-vpn": connection},
        sites={"lyon": {"devices": {"edge": device}}},
    )
    _plan, world = life(scenario)
    assert {e.detail for e in world.of_kind("ike-initiated")} == initiators
    assert len(world.of_kind("ike-established")) == (1 if initiators else 0)


def test_an_end_that_kept_its_sa_follows_the_one_that_did_not():
    # The gateway detects (at most 45 s), the device does not (200 s); the line is back by then.
    dpd = {"gateway": "20 s", "device": {"interval": "20 s", "retries": 10}}
    faults = [{**OUTAGE, "duration": "30 s"}]
    for initiator, rebuilt_s in (("both", 165), ("device", 360)):
        connection = {"lyon-vpn": {"dpd": dpd, "initiator": initiator}}
        _plan, world = life(design(faults=faults, connections=connection))
        assert world.of_kind("dpd-timeout")[0].detail.startswith("gateway")
        assert one(world.of_kind("ike-established")).time_s < rebuilt_s
        assert world.down == set()


def test_overlapping_faults_on_one_thing_end_with_the_last():
    def fault(at_s, end_s):
        return lambda world: strike(
            world, kind="fault", subject="x", state="x", value=DOWN,
            at_s=at_s, end_s=end_s, hops=(3,),
        )  # fmt: skip

    for horizon_s, state, down in ((125, DOWN, {3}), (136, UP, set())):
        world = FakeWorld(horizon_s).run([("a", fault(100, 120)), ("b", fault(110, 135))])
        assert (world.state["x"], world.down) == (state, down)


def test_without_withdrawal_the_route_stays():
    connection = {"lyon-vpn": {"dpd": {"withdraws_route": False}}}
    _plan, world = life(design(faults=[OUTAGE], connections=connection))
    assert len(world.of_kind("dpd-timeout")) == 2
    assert world.routes == []


# ---- tunnel down -----------------------------------------------------------------------------


def test_tunnel_fault_blocks_packets_and_rebuilding():
    fault = {"kind": "tunnel-down", "connection": "lyon-vpn", "at": "50 s", "duration": "100 s"}
    plan, world = life(design(faults=[fault], run={"horizon": "60 s"}))
    assert world.down == hops(plan, TUNNEL)
    plan, world = life(design(faults=[fault]))
    assert len(world.of_kind("dpd-timeout")) == 2
    assert one(world.of_kind("ike-established")).time_s > 150
    assert world.down == set()


# ---- gateway instances -----------------------------------------------------------------------

FAILURE = {"kind": "gateway-instance-failure", "gateway": "hub-vpn", "at": "100 s"}
OWN = (INSTANCE, f"{INSTANCE}.latency")


@pytest.mark.parametrize("replicate", range(4))
def test_planned_take_over_of_a_standby(replicate):
    _plan, world = life(design(faults=[{**FAILURE, "planned": True}]), replicate)
    taken = one(world.of_kind("take-over"))
    assert 110 <= taken.time_s <= 115
    # The SAs move along: nobody detects, nothing is built again.
    assert [e.kind for e in world.events] == ["gateway-instance-failure", "take-over"]
    assert world.down == set()


@pytest.mark.parametrize("replicate", range(4))
def test_unplanned_take_over_of_a_standby(replicate):
    _plan, world = life(design(faults=[FAILURE]), replicate)
    taken = one(world.of_kind("take-over"))
    assert 130 <= taken.time_s <= 280
    # The published time is the whole: the SAs that the gateway rebuilds are part of it.
    assert world.of_kind("ike-established")[0].time_s == taken.time_s
    assert chain(world, world.of_kind("ike-established")[0]) == [
        "ike-established",
        "take-over",
        "gateway-instance-failure",
    ]
    assert world.down == set()
    assert world.state[INSTANCE] == "taken-over"


def test_take_over_where_only_the_device_may_initiate():
    connection = {"lyon-vpn": {"initiator": "device"}}
    _plan, world = life(design(faults=[FAILURE], connections=connection))
    taken, established = one(world.of_kind("take-over")), one(world.of_kind("ike-established"))
    assert established.time_s > taken.time_s
    assert established.detail == "started by the device"
    assert world.down == set()


def test_failure_of_the_standby_is_felt_by_nobody():
    _plan, world = life(design(faults=[{**FAILURE, "instance": 1}]))
    assert [e.kind for e in world.events] == ["gateway-instance-failure"]
    assert world.down == set()


def test_failure_of_both_lasts_until_one_is_repaired():
    faults = [{**FAILURE, "instance": 1}, {**FAILURE, "at": "101 s", "duration": "200 s"}]
    _plan, world = life(design(faults=faults))
    assert world.of_kind("take-over") == []
    assert one(world.of_kind("ike-established")).time_s > 301
    assert world.down == set()


def test_repair_before_the_take_over_ends_it():
    _plan, world = life(design(faults=[{**FAILURE, "duration": "5 s"}]))
    assert world.of_kind("take-over") == []
    assert 105 < one(world.of_kind("ike-established")).time_s < 107


def test_active_active_moves_the_flows_of_one_instance():
    voice = {"kind": "voice", "from": "lyon", "to": "hub", "codec": "G.711", "calls": 40}
    scenario = active_active(faults=[{**FAILURE, "duration": "120 s"}], traffic={"calls": voice})
    plan, world = life(scenario)
    first = {
        direction: [
            plan.routes[s.routes[0]].name
            for s in plan.sources
            if s.record["header_bytes"] == 40
            and plan.directions[s.record["direction"]].direction == direction
        ]
        for direction in (FORWARD, RETURN)
    }
    moves = [r for r in world.routes if r[1] == "calls"]
    for direction, low_s, high_s in ((RETURN, 101, 115), (FORWARD, 140, 160)):
        away, back = [r for r in moves if r[2] == direction]
        on_failed = tuple(i for i, n in enumerate(first[direction]) if n == TUNNEL)
        assert away[3:] == (1, on_failed)
        assert back[3:] == (0, on_failed)
        # The platform's side switches in seconds, the device when its DPD times out.
        assert low_s <= away[0] <= high_s
        assert 220 < back[0] < 222
    assert world.down == set()
    assert world.state[INSTANCE] == UP


# ---- traffic ---------------------------------------------------------------------------------


def test_start_and_stop_are_on_the_timeline():
    _plan, world = life(design(traffic={"office": {"start": "5 s", "stop": "20 s"}}))
    assert [(e.time_s, e.kind, e.subject, e.cause_event_id) for e in world.events] == [
        (5, "traffic-start", "office", 0),
        (20, "traffic-stop", "office", 1),
    ]
