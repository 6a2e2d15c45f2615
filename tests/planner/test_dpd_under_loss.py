"""DPD on a way that loses packets: misses in a row against the closed form."""

import math

import pytest

from simulator.ipsec.dpd import DeadPeerDetection, DpdSpec
from simulator.planner import build
from tests.planner.designs import design
from tests.planner.fake_world import FakeWorld

RUNS = 2000
PROBES = 12
SPEC = DpdSpec("tunnel@device", interval_s=10.0, retries_count=3)


def dead_within(probes_count, miss_ratio, in_a_row):
    """Chance of a run of misses within so many probes: f(n) = f(n-1) + q p^r (1 - f(n-r-1))."""
    chance = [0.0] * in_a_row + [miss_ratio**in_a_row]
    for n in range(in_a_row + 1, probes_count + 1):
        fresh = 1.0 - chance[n - in_a_row - 1]
        chance.append(chance[n - 1] + (1 - miss_ratio) * miss_ratio**in_a_row * fresh)
    return chance[probes_count]


def test_the_closed_form_by_hand():
    # Three probes, all missed; four probes: the first three, or the last three after a hit.
    assert dead_within(3, 0.5, 3) == pytest.approx(1 / 8)
    assert dead_within(4, 0.5, 3) == pytest.approx(1 / 8 + 1 / 16)


def time_of_death(miss_ratio, replicate, horizon_s):
    world = FakeWorld(horizon_s, seed=5, replicate=replicate)
    deaths = []
    dpd = DeadPeerDetection(
        world, SPEC, lambda: miss_ratio, lambda why: deaths.append((world.now_s, why))
    )
    dpd.watch(is_silent=False, is_lossy=True)
    world.run([])
    return deaths[0][0] if deaths else math.inf


@pytest.mark.parametrize("loss", [0.3, 0.15])
def test_misses_in_a_row_are_binomial(loss):
    # A probe and its answer: each is lost by itself.
    miss_ratio = 1 - (1 - loss) ** 2
    expected = dead_within(PROBES, miss_ratio, 3)
    # The first probe comes at a random phase, so the last one that counts within 10 s of it.
    times = [time_of_death(miss_ratio, n, 10.0 * (PROBES + 1)) for n in range(RUNS)]
    dead = sum(time_s - time_s % 10.0 < 10.0 * PROBES for time_s in times)
    # 99.9 % interval of a binomial share.
    assert abs(dead / RUNS - expected) < 3.29 * math.sqrt(expected * (1 - expected) / RUNS)


def test_silence_after_loss_counts_from_the_last_answer():
    world = FakeWorld(100.0, seed=5)
    deaths = []
    dpd = DeadPeerDetection(world, SPEC, lambda: 0.0, lambda why: deaths.append(world.now_s))
    dpd.watch(is_silent=False, is_lossy=True)  # every probe is answered

    def cut(world):
        yield world.wait(52.0)
        dpd.watch(is_silent=True, is_lossy=True)

    world.run([("cut", cut)])
    (dead_s,) = deaths
    # The last answer came in the ten seconds before the cut; dead 30 s after it.
    assert 72.0 <= dead_s <= 82.0


def gray(loss):
    fault = {"kind": "internet-brownout", "site": "lyon", "internet": "isp", "loss": loss,
             "at": "100 s"}  # fmt: skip
    dpd = {"gateway": "45 s", "device": {"interval": "10 s", "retries": 3}}
    return design(run={"horizon": "240 s"}, faults=[fault], connections={"lyon-vpn": {"dpd": dpd}})


def test_a_loss_that_hardly_ever_matters_is_not_followed():
    plan = build(gray("0.1 %"))
    world = FakeWorld(240, plan.seed).run(plan.processes)
    assert {e.kind for e in world.events} == {"internet-brownout"}


def test_both_ends_of_a_tunnel_follow_the_loss_and_ike_repeats_what_is_swallowed():
    times, ends = [], set()
    for replicate in range(20):
        plan = build(gray("30 %"), replicate)
        world = FakeWorld(240, plan.seed, replicate).run(plan.processes)
        ends |= {e.fact.end for e in world.of_kind("dpd-timeout")}
        begun = {e.event_id: e.time_s for e in world.of_kind("ike-initiated")}
        for event in world.of_kind("ike-established"):
            if event.cause_event_id in begun:
                times.append(event.time_s - begun[event.cause_event_id])
    assert ends == {"gateway", "device"}
    # Without loss at most 1 s of processing and two round trips; a lost message costs 4 s or more.
    assert min(times) < 1.2
    assert max(times) > 4
