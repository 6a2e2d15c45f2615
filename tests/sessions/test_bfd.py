"""BFD against its closed forms."""

import math

import numpy as np
import pytest

from tests.sessions.lab import BACK, THERE, cut, downs, is_idle, lossy, run, session

FAULT_S = 100.0


def detections(count, hops=(THERE, BACK), **kw):
    """Time from the fault until A and B know, for each replicate."""
    times = []
    for replicate in range(count):
        found = downs(run(session(**kw), cut(hops, FAULT_S), horizon_s=120, replicate=replicate))
        times.append([found[end].time_s - FAULT_S for end in "AB"])
    return np.array(times)


def test_detection_lies_between_two_and_three_intervals_after_the_fault():
    delay_s = 0.005
    times = detections(200, bfd=((0.3, 3), (0.3, 3)), delay_s=delay_s) - delay_s
    assert times.min() >= 0.6
    assert times.max() <= 0.9
    # 0.9 s less the age of the last packet: E[x^2] / (2 E[x]) for x uniform in 0.225 to 0.3 s.
    mean_age_s = ((0.3**3 - 0.225**3) / (3 * 0.075)) / (0.3 + 0.225)
    assert 0.9 - mean_age_s == pytest.approx(0.768, abs=5e-4)  # timer T107
    error_s = 2.58 * times.std() / math.sqrt(times.size)
    assert abs(times.mean() - (0.9 - mean_age_s)) < error_s


def test_detection_is_exactly_three_intervals_after_the_last_packet():
    for replicate in range(20):
        world = run(
            session(bfd=((0.3, 3), (0.3, 3))),
            cut((THERE, BACK), FAULT_S),
            horizon_s=120,
            replicate=replicate,
        )
        for event in world.of_kind("bfd-down"):
            heard_s = float(event.detail.rpartition("at ")[2].removesuffix(" s"))
            assert event.time_s - heard_s == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize(
    ("ends", "a_s", "b_s"),
    [
        (((0.3, 3), (0.75, 3)), 2.25, 2.25),  # the slower end decides for both
        (((0.75, 3), (0.3, 3)), 2.25, 2.25),
        (((0.3, 5), (0.3, 3)), 0.9, 1.5),  # the multiplier is that of the sender
    ],
)
def test_the_slower_end_decides_and_the_multiplier_is_the_senders(ends, a_s, b_s):
    times = detections(60, bfd=ends, delay_s=0.0)
    interval_s = max(interval for interval, _ in ends)
    for column, longest_s in ((0, a_s), (1, b_s)):
        assert longest_s - interval_s <= times[:, column].min()
        assert longest_s - 0.3 * interval_s < times[:, column].max() <= longest_s


def test_one_way_death_is_told_by_the_end_that_detects():
    delay_s = 0.005
    times = detections(50, hops=(BACK,), bfd=((0.3, 3), (0.3, 3)), delay_s=delay_s)
    assert times[:, 1] - times[:, 0] == pytest.approx(delay_s)


@pytest.mark.parametrize("jitter", [0.75, 1.0])
@pytest.mark.parametrize(("loss_ratio", "multiplier"), [(0.3, 3), (0.5, 3), (0.3, 2)])
def test_misses_in_a_row_follow_the_binomial(loss_ratio, multiplier, jitter):
    """Mean number of packets until m of them in a row are lost: (1 - p^m) / (p^m (1 - p))."""
    interval_s, count = 0.3, 250
    mean_interval_s = interval_s * (1 + jitter) / 2
    packets = (1 - loss_ratio**multiplier) / (loss_ratio**multiplier * (1 - loss_ratio))
    waits = []
    for replicate in range(count):
        world = run(
            # Only what A sends is lost, so that one receiver counts; then nobody tries again.
            session(bfd=((interval_s, multiplier),) * 2, bfd_jitter=jitter, retry_s=(1e6, None)),
            lossy((THERE,), loss_ratio, FAULT_S),
            horizon_s=FAULT_S + 600,
            replicate=replicate,
        )
        waits.append(downs(world)["B"].time_s - FAULT_S)
    waits = np.array(waits) / mean_interval_s
    # From the loss to the first packet and from the last one to the detection: at most an
    # interval of 1 / 0.875 mean intervals each.
    error = 2.58 * waits.std() / math.sqrt(count)
    assert packets - error - 1.2 < waits.mean() < packets + error + 1.2


def test_nothing_happens_while_all_is_well_or_loss_is_negligible():
    assert run(session(bfd=((0.3, 3), (0.3, 3)))).events == []
    world = run(session(bfd=((0.3, 3), (0.3, 3))), lossy((THERE, BACK), 5e-5, FAULT_S))
    assert [event.kind for event in world.events] == ["loss"]
    assert is_idle(world)


def test_an_outage_that_takes_two_packets_at_most_is_survived_and_forgotten():
    for replicate in range(30):
        world = run(
            session(bfd=((0.3, 3), (0.3, 3))),
            cut((THERE, BACK), FAULT_S, FAULT_S + 0.44),
            replicate=replicate,
        )
        assert [event.kind for event in world.events] == ["cut", "repair"]
        assert is_idle(world)
