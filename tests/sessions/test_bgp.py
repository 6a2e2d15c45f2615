"""BGP sessions: who notices what, when, because of what, and when they are back."""

import math

import numpy as np
import pytest

from simulator.recorder import Detection
from simulator.sessions import bgp_spec
from simulator.states import DOWN, DRAINED, FAILED, UP, tell
from tests.sessions.lab import BACK, LINK, THERE, cut, downs, is_idle, lossy, run, session

FAULT_S = 100.0
BOTH = (THERE, BACK)


def detections(count, hops=BOTH, **kw):
    times = []
    for replicate in range(count):
        found = downs(run(session(**kw), cut(hops, FAULT_S), horizon_s=500, replicate=replicate))
        times.append([found[end].time_s - FAULT_S for end in "AB"])
    return np.array(times)


def is_mean(values, expected):
    """Whether the mean is inside the 99 % interval."""
    return abs(values.mean() - expected) < 2.58 * values.std() / math.sqrt(values.size)


def script(at_s, name, value=None, then=()):
    """A script that tells a state, or fires a signal if there is no value."""

    def process(world):
        for when_s, what in ((at_s, value), *then):
            yield world.wait(when_s - world.now_s)
            event_id = world.event("told", name)
            if what is None:
                world.signal(name).fire(event_id)
            else:
                tell(world, name, what, event_id)

    return process


# ---- silent death ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jitter", "mean_s", "later_s"), [(1.0, 150.0, 160.0), (0.75, 153.6, 162.5)]
)
def test_silent_death_is_noticed_by_each_end_at_its_own_hold_time(jitter, mean_s, later_s):
    """Timers T108 and T109: each end 120 to 180 s, the later of the two as two uniforms."""
    times = detections(200, jitter=jitter, delay_s=0.0)
    assert times.min() >= 120
    assert times.max() <= 180
    assert is_mean(times[:, 0], mean_s)
    assert is_mean(times[:, 1], mean_s)
    assert is_mean(times.max(axis=1), later_s)
    assert abs(np.corrcoef(times.T)[0, 1]) < 0.2  # each has its own phase


def test_both_ends_notice_together_if_their_keepalives_are_in_phase():
    times = detections(20, in_phase=True)
    assert times[:, 0] == pytest.approx(times[:, 1])


def test_the_hold_time_counts_from_the_arrival_of_the_last_keepalive():
    early, late = detections(40, delay_s=0.0), detections(40, delay_s=2.0)
    assert late - early == pytest.approx(2.0)


def test_lower_hold_time_wins_if_negotiated():
    times = detections(40, timers=((10, 30), (60, 180)), delay_s=0.0)
    assert times.min() >= 20
    assert times.max() <= 30


def test_an_end_that_insists_on_rare_keepalives_resets_an_impatient_peer_again_and_again():
    """Conflict T026: 10/30 against a fixed 60/180."""
    world = run(session(timers=((10, 30), (60, 180)), negotiates=False), horizon_s=2000)
    expired = [e for e in world.of_kind("bgp-down") if "hold time" in e.detail]
    assert len(expired) > 10
    assert {e.detail[0] for e in expired} == {"A"}
    assert len(world.of_kind("bgp-established")) >= len(expired) - 1


# ---- one-way death ---------------------------------------------------------------------------


def test_one_way_death_the_deaf_end_first_the_other_a_keepalive_later():
    """As measured with FRR at 10/30 s: A at its hold time, B 10 s after it."""
    times = detections(40, hops=(BACK,), timers=((10, 30),) * 2, in_phase=True, delay_s=0.005)
    assert times[:, 0].min() >= 20
    assert times[:, 0].max() <= 30.01
    assert times[:, 1] - times[:, 0] == pytest.approx(10.0)


def test_the_deaf_end_cannot_tell_because_its_tcp_repeats_a_keepalive():
    world = run(session(), cut((BACK,), FAULT_S), horizon_s=600)
    assert [e.detail for e in world.of_kind("bgp-down")] == [
        "A: hold time of 3 min expired",
        "B: hold time of 3 min expired",
    ]


# ---- loss without death ----------------------------------------------------------------------


def test_thirty_per_cent_loss_kills_bfd_and_not_bgp():
    """A gray failure: TCP repeats some ten times in the hold time, 0.51^10 is a thousandth."""
    survived = 0
    for replicate in range(40):
        world = run(
            session(), lossy(BOTH, 0.3, FAULT_S, FAULT_S + 600), replicate=replicate, horizon_s=1300
        )
        survived += not world.of_kind("bgp-down")
        assert is_idle(world) or world.of_kind("bgp-down")
    assert survived >= 39
    world = run(session(bfd=((0.3, 3),) * 2), lossy(BOTH, 0.3, FAULT_S), horizon_s=900)
    assert world.of_kind("bfd-down")


def test_total_loss_is_a_silent_death():
    world = run(session(), lossy(BOTH, 1.0, FAULT_S), horizon_s=400)
    assert {e.detail for e in world.of_kind("bgp-down")} == {
        "A: hold time of 3 min expired",
        "B: hold time of 3 min expired",
    }


def test_an_outage_shorter_than_the_hold_time_is_survived_by_repetition():
    """After 100 s TCP waits at most 51.2 s for its next repetition (0.21 x 2^n): time enough."""
    for replicate in range(30):
        world = run(session(), cut(BOTH, FAULT_S, FAULT_S + 60), replicate=replicate)
        assert [e.kind for e in world.events] == ["cut", "repair"]
        assert is_idle(world)


# ---- what is told ----------------------------------------------------------------------------


def test_an_administrator_closes_without_detection_time():
    delay_s = 0.005
    closer = script(FAULT_S, bgp_spec.admin(LINK, "B"), DOWN)
    world = run(session(delay_s=delay_s), closer, cut(BOTH, FAULT_S))
    found = downs(world)
    assert found["B"].time_s == FAULT_S
    assert found["A"].time_s == pytest.approx(FAULT_S + delay_s)
    assert found["B"].fact == Detection("", "B")
    assert found["A"].detail == "A: NOTIFICATION received"
    assert world.of_kind("bgp-established") == []


def test_interface_down_is_noticed_at_once_and_told():
    world = run(session(interface_s=0.0), script(FAULT_S, f"{LINK}@A interface", DOWN))
    found = downs(world)
    assert found["A"].time_s == FAULT_S
    assert found["A"].fact == Detection("interface", "A")
    assert found["B"].detail == "B: NOTIFICATION received"


def test_a_reset_comes_back_after_a_connect_retry():
    waits = []
    for replicate in range(60):
        world = run(
            session(),
            script(FAULT_S, bgp_spec.reset(LINK, "A")),
            replicate=replicate,
            horizon_s=300,
        )
        (event,) = world.of_kind("bgp-established")
        waits.append(event.time_s - FAULT_S)
    assert min(waits) > 0
    assert max(waits) < 60.1
    # The first of two attempts with phases of their own, each uniform in 0 to 60 s.
    assert is_mean(np.array(waits), 20.0)


@pytest.mark.parametrize(("value", "how"), [(FAILED, "hold time"), (DRAINED, "NOTIFICATION")])
def test_a_host_that_dies_is_missed_and_one_that_leaves_says_so(value, how):
    spec = session(hosts=("host", ""), states=("host",))
    world = run(spec, script(FAULT_S, "host", value), horizon_s=400)
    found = downs(world)
    assert found["A"].time_s == FAULT_S
    assert how in found["B"].detail


def test_a_host_that_is_back_answers_old_messages_with_a_reset():
    """The peer's hold time has not run out: its next keepalive meets a host without the session."""
    spec = session(hosts=("host", ""), states=("host",))
    world = run(spec, script(FAULT_S, "host", FAILED, then=((FAULT_S + 30, UP),)))
    assert downs(world)["B"].detail == "B: TCP reset by the peer"
    assert FAULT_S + 30 < downs(world)["B"].time_s < FAULT_S + 90
    assert len(world.of_kind("bgp-established")) == 1


# ---- coming back, and the routes ---------------------------------------------------------------


def test_the_chain_leads_from_the_fault_to_the_route_that_is_back():
    world = run(session(), cut(BOTH, FAULT_S, 500), routes_of="AB")
    for end in "AB":
        withdrawn, installed = (e for e in world.events if e.subject == f"route of {end}")
        assert kinds(world, withdrawn) == ["route-withdrawn", "bgp-down", "cut"]
        assert kinds(world, installed) == ["route-installed", "bgp-established", "repair", "cut"]
        assert withdrawn.time_s == pytest.approx(downs(world)[end].time_s + 2.0)
        established_s = world.of_kind("bgp-established")[0].time_s
        # Three seconds after the announcement, at the next tick of an interval of one second.
        assert 3.0 <= installed.time_s - established_s <= 4.0
        assert world.state[f"route of {end}"] == UP


def kinds(world, event):
    found = [event.kind]
    while event.cause_event_id:
        event = world.events[event.cause_event_id - 1]
        found.append(event.kind)
    return found


def test_without_a_way_back_nothing_is_tried():
    world = run(session(), cut(BOTH, FAULT_S), horizon_s=1e6)
    assert is_idle(world)
    assert len(world.events) == 3
