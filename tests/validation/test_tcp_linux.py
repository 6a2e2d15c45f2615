"""The TCP kernels against the measured Linux stack: a seeded part of what `make validate` computes.

What must hold, figure by figure, stands in `tests/validation/sets.py`, and is the same here.
"""

import pytest

from tests.validation.sets import held_of_outages, held_of_shares, held_of_steady
from tests.validation.validate_tcp import (
    distance_ratio,
    jain_index,
    outage_rows,
    steady_rows,
    unfairness_rows,
)

FAST_MBIT = 100


def assert_steady(rows):
    """Hold all rows, and those of each congestion control, to what must hold."""
    assert_held(held_of_steady(rows))


def assert_held(lines):
    """Say which figures do not hold."""
    assert not [line for line in lines if not line.is_held]


def test_distance_by_hand():
    # Repetitions 90 and 110: mean 100, range wider than 2 %. 121 lies 11 above: 0.11.
    assert distance_ratio(121.0, [90.0, 110.0]) == pytest.approx(0.11)
    assert distance_ratio(81.0, [90.0, 110.0]) == pytest.approx(-0.09)
    assert distance_ratio(95.0, [90.0, 110.0]) == 0.0
    # One repetition of 100: the range is 99 to 101, so 103 is 0.02 away.
    assert distance_ratio(103.0, [100.0]) == pytest.approx(0.02)


def test_jain_by_hand():
    assert jain_index([5.0, 5.0, 5.0, 5.0]) == 1.0
    assert jain_index([8.0, 0.0]) == 0.5
    assert jain_index([3.0, 1.0]) == 16 / 20


@pytest.mark.parametrize("control", ["cubic", "reno", "bbr"])
def test_buffers_from_a_tenth_to_four_times_the_bdp(control):
    assert_steady(steady_rows("tcp_buffer.csv", controls=[control]))


@pytest.mark.parametrize("control", ["cubic", "reno", "bbr"])
def test_random_loss(control):
    def is_fast(cell):
        return cell["rate_mbit"] == FAST_MBIT and cell["flows"] == 4 and cell["loss"] >= 1e-4

    rows = steady_rows("tcp_grid.csv", seeds=1, controls=[control], cells=is_fast)
    assert len(rows) >= 4
    assert_steady(rows)


def test_unequal_round_trip_times():
    rows = unfairness_rows(seeds=2, cells=lambda cell: cell["rtts_ms"] == "10+80")
    assert_held(held_of_shares(rows))
    assert (rows["share_error"].abs() <= 0.15).all()


def test_recovery_after_an_outage():
    rows = outage_rows()  # all of them: they take some seconds
    assert len(rows) == 104
    assert_held(held_of_outages(rows))
