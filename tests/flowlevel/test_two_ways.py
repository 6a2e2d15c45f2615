"""TCP in both directions of a line: which hops oppose each other, and what that costs them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.flowlevel.two_ways import POINTS, Opposite, opposite, shared_out

NOTHING = Opposite(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def pairs_of(classes, is_full):
    """Pairs of hops; a class is the hop that limits it, what it carries, and hops of its ACKs."""
    uses = [(max(limit, 0), c, False) for c, (limit, _, _) in enumerate(classes)]
    uses += [(hop, c, True) for c, (_, _, acks) in enumerate(classes) for hop in sorted(acks)]
    hop, of_class, is_ack = (np.array(column) for column in zip(*uses, strict=True))
    limits = np.array([limit for limit, _, _ in classes])
    carried = np.array([weight for _, weight, _ in classes])
    found = opposite(hop, of_class, is_ack, limits, carried, np.array(is_full))
    return {
        (int(one), int(other)): share
        for one, other, share in zip(found.hop, found.other, found.share, strict=True)
    }


def one_pair(share=1.0):
    """Hop 0 with a share of its ACKs in the queue of hop 1."""
    return Opposite(np.array([0]), np.array([1]), np.array([share]))


def outcome(pairs, base_s, peak_s, dip):
    """Used share and queue of each hop."""
    hops = len(peak_s)
    return shared_out(pairs, np.full(hops, base_s), np.array(peak_s), np.array(dip))


# ---- which hops oppose each other --------------------------------------------------------------


def test_data_in_both_directions_of_a_line_oppose_each_other():
    assert pairs_of([(0, 3e6, {1}), (1, 5e6, {0})], [True, True]) == {(0, 1): 1.0, (1, 0): 1.0}


def test_the_share_is_that_of_the_bytes_whose_acks_wait():
    # Of 4 Mbit/s through hop 0, 1 Mbit/s has its ACKs in the queue of hop 1, the rest elsewhere.
    classes = [(0, 1e6, {1}), (0, 3e6, {2}), (1, 5e6, {2})]
    assert pairs_of(classes, [True, True, False]) == {(0, 1): 0.25}


def test_a_hop_that_is_not_full_opposes_nothing():
    classes = [(0, 3e6, {1}), (1, 5e6, {0})]
    assert pairs_of(classes, [True, False]) == {}
    assert pairs_of(classes, [False, True]) == {}


def test_a_flow_that_no_hop_limits_opposes_nothing():
    assert pairs_of([(-1, 3e6, {1}), (1, 5e6, set())], [True, True]) == {}


CLASSES = st.lists(
    st.tuples(st.integers(-1, 3), st.floats(1.0, 1e9), st.sets(st.integers(0, 3))),
    min_size=1,
    max_size=8,
)


@given(CLASSES, st.lists(st.booleans(), min_size=4, max_size=4))
def test_shares_are_those_counted_class_by_class(classes, is_full):
    found = pairs_of(classes, is_full)
    for one in range(4):
        own = [c for c in classes if c[0] == one]
        for other in range(4):
            seen = sum(weight for _, weight, acks in own if other in acks)
            counts = is_full[one] and is_full[other] and seen > 0.0
            assert ((one, other) in found) == counts
            if counts:
                assert found[one, other] == pytest.approx(seen / sum(w for _, w, _ in own))


# ---- what that costs them ----------------------------------------------------------------------

SECONDS = st.floats(1e-4, 1.0)
DIPS = st.floats(0.0, 0.5)
RATIOS = st.floats(0.0, 1.0)


def test_without_opposites_hops_are_used_and_their_queue_is_left_open():
    used, queue_s = outcome(NOTHING, 0.02, [0.01, 0.03], [0.2, 0.2])
    assert used.tolist() == [1.0, 1.0]
    assert np.isnan(queue_s).all()


def test_windows_that_do_not_vary_by_hand():
    # Windows of 30 and 40 ms over a base of 20 ms: the smaller is sent in 30 of 40 ms, and has no
    # queue; the larger has its hop busy and a queue of all that is not the base, 20 ms.
    pairs = Opposite(np.array([0, 1]), np.array([1, 0]), np.ones(2))
    used, queue_s = outcome(pairs, 0.02, [0.01, 0.02], [0.0, 0.0])
    assert used == pytest.approx([0.75, 1.0])
    assert queue_s == pytest.approx([0.0, 0.02])


@given(SECONDS, SECONDS, SECONDS, RATIOS)
def test_only_the_share_whose_acks_wait_is_held_up(base_s, own_s, other_s, share):
    used, queue_s = outcome(one_pair(share), base_s, [own_s, other_s], [0.0, 0.0])
    held_up = 1.0 - min(1.0, (base_s + own_s) / (base_s + other_s))
    assert used[0] == pytest.approx(1.0 - share * held_up)
    # Of equal windows rounding says which is larger.
    if not math.isclose(own_s, other_s, rel_tol=1e-9):
        alone = 1.0 if own_s > other_s else 1.0 - share
        assert queue_s[0] == pytest.approx(alone * own_s)
    assert used[1] == 1.0
    assert math.isnan(queue_s[1])


@given(SECONDS, SECONDS, SECONDS, DIPS, DIPS)
def test_means_are_those_over_windows_between_trough_and_peak(base_s, own_s, other_s, dip, against):
    used, queue_s = outcome(one_pair(), base_s, [own_s, other_s], [dip, against])
    even = (np.arange(400) + 0.5) / 400
    own = (base_s + own_s) * (1.0 - 2.0 * dip * (1.0 - even))[:, None]
    opposing = (base_s + other_s) * (1.0 - 2.0 * against * (1.0 - even))[None, :]
    assert used[0] == pytest.approx(np.minimum(1.0, own / opposing).mean(), abs=2e-3)
    # The queue jumps where the windows are equal, so a mean over points is off by half of one.
    mean_s = np.where(own > opposing, np.maximum(own - base_s, 0.0), 0.0).mean()
    assert queue_s[0] == pytest.approx(mean_s, abs=own_s / POINTS)


@given(SECONDS, SECONDS, SECONDS, DIPS)
def test_of_two_hops_the_one_with_the_larger_windows_is_used_more(base_s, one_s, two_s, dip):
    pairs = Opposite(np.array([0, 1]), np.array([1, 0]), np.ones(2))
    used, queue_s = outcome(pairs, base_s, [one_s, two_s], [dip, dip])
    assert ((used >= 0.0) & (used <= 1.0)).all()
    assert (queue_s <= np.array([one_s, two_s]) * (1.0 + 1e-9)).all()
    if one_s > two_s:
        assert used[0] >= used[1] - 1e-12
        assert queue_s[0] >= queue_s[1] - 1e-12


@given(SECONDS, SECONDS, st.lists(SECONDS, min_size=2, max_size=3), DIPS)
def test_opposites_add_up_and_the_shortest_queue_counts(base_s, own_s, others_s, dip):
    count = len(others_s)
    peak_s = [own_s, *others_s]
    each = Opposite(np.zeros(count, np.int64), np.arange(1, count + 1), np.full(count, 1.0 / count))
    used, queue_s = outcome(each, base_s, peak_s, [dip] * (count + 1))
    alone = [
        outcome(
            Opposite(each.hop[n : n + 1], each.other[n : n + 1], each.share[n : n + 1]),
            base_s,
            peak_s,
            [dip] * (count + 1),
        )
        for n in range(count)
    ]
    assert used[0] == pytest.approx(1.0 - sum(1.0 - one[0][0] for one in alone))
    assert queue_s[0] == min(one[1][0] for one in alone)
