"""Service time per packet: hand-worked examples, ceilings, fits, parity."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.crypto import (
    ServiceCost,
    fit_linear,
    service_from_linear,
    service_from_published,
    service_ps,
    throughput_bps,
)
from kernels.units import BITS_PER_BYTE, PS_PER_S

RATE_BPS = st.floats(1e4, 4e11)
RATE_PPS = st.floats(1.0, 1e9)
SIZE = st.integers(20, 65_535)


def plain(function):
    return getattr(function, "py_func", function)


def test_published_row_by_hand():
    # 650 Mbit/s and 62,000 packets/s. 1 / 62,000 s = 16,129,032 ps; 8 / 650e6 s = 12,307.69 ps/B.
    # 200 B: 2.46 us by bytes, so the packet rate binds. 1,400 B: 17,230,769 ps by bytes.
    cost = service_from_published(650e6, 62_000)
    assert cost.min_service_ps == 16_129_032
    assert service_ps(200, *cost) == 16_129_032
    assert service_ps(1_400, *cost) == 17_230_769


def test_ceiling_by_hand():
    # 62,000 packets/s of 200 B are 99.2 Mbit/s; of 1,310 B 649.76 Mbit/s; above, bits bind.
    assert throughput_bps(200, 62_000, 650e6) == pytest.approx(99.2e6)
    assert throughput_bps(1_310, 62_000, 650e6) == pytest.approx(649.76e6)
    assert throughput_bps(1_400, 62_000, 650e6) == 650e6


def test_linear_device_by_hand():
    # 12 us a packet and 7 ns a byte: a 1,400-byte packet takes 12 + 9.8 = 21.8 us.
    assert service_ps(1_400, *service_from_linear(12_000, 7)) == 21_800_000


@given(size=SIZE, bps=RATE_BPS, pps=RATE_PPS)
def test_a_busy_worker_reaches_the_published_ceiling(size, bps, pps):
    service = service_ps(size, *service_from_published(bps, pps))
    exact_ps = size * BITS_PER_BYTE * PS_PER_S / throughput_bps(size, pps, bps)
    rounding_ps = 2 + size / 2**16 + exact_ps * 1e-12
    assert abs(service - exact_ps) <= rounding_ps


@given(size=SIZE, bps=RATE_BPS, pps=RATE_PPS)
def test_a_larger_packet_never_takes_less(size, bps, pps):
    cost = service_from_published(bps, pps)
    assert service_ps(size + 1, *cost) >= service_ps(size, *cost) >= cost.min_service_ps


@pytest.mark.parametrize(
    ("bps", "pps", "cost"),
    [
        (math.inf, 1e6, ServiceCost(1_000_000, 0, 0)),
        (8e9, math.inf, ServiceCost(0, 0, 1_000 << 16)),
    ],
)
def test_an_unlimited_rate_costs_nothing(bps, pps, cost):
    assert service_from_published(bps, pps) == cost


@pytest.mark.parametrize(
    ("bps", "pps"), [(0, 1), (1e6, 0), (-1, 1), (math.nan, 1), (1e6, math.nan)]
)
def test_capacity_that_is_none_is_refused(bps, pps):
    with pytest.raises(ValueError, match="must be above 0"):
        service_from_published(bps, pps)


def test_two_unlimited_rates_are_refused():
    with pytest.raises(ValueError, match="give at least one"):
        service_from_published(math.inf, math.inf)


def test_a_rate_that_would_overflow_is_refused():
    with pytest.raises(ValueError, match="4 kbit/s"):
        service_from_published(3_999, 1)
    assert service_ps(65_535, *service_from_published(4_000, 1)) == 65_535 * 2_000_000_000


@pytest.mark.parametrize("pair", [(-1, 1), (1, -1), (0, 0), (math.nan, 1), (1, math.nan)])
def test_linear_cost_that_is_none_is_refused(pair):
    with pytest.raises(ValueError, match="must be 0 or more and not both 0"):
        service_from_linear(*pair)


@given(
    per_packet=st.floats(1, 1e5),
    per_byte=st.floats(0.01, 100),
    sizes=st.lists(st.integers(40, 9_000), min_size=2, max_size=12, unique=True),
)
def test_a_straight_line_is_found_again(per_packet, per_byte, sizes):
    cost = per_packet + per_byte * np.array(sizes)
    fit = fit_linear(sizes, cost)
    assert fit.residual_ratio_max < 1e-6
    assert fit.per_packet_ns + fit.per_byte_ns * 1_000 == pytest.approx(
        per_packet + per_byte * 1_000, rel=1e-3
    )


def test_a_falling_cost_has_no_negative_part():
    fit = fit_linear([100, 1_000], [500, 400])
    assert fit.per_byte_ns == 0
    assert 400 < fit.per_packet_ns < 500


def test_a_cost_that_grows_faster_than_the_size_has_no_negative_part():
    fit = fit_linear([100, 1_000], [10, 1_000])
    assert fit.per_packet_ns == 0
    assert 0.1 < fit.per_byte_ns < 1


@pytest.mark.parametrize(
    ("sizes", "costs", "rule"),
    [
        ([100], [1.0], "two different sizes"),
        ([100, 100], [1.0, 2.0], "two different sizes"),
        ([100, 200], [1.0], "one length"),
        ([100, 200], [1.0, 0.0], "above 0"),
    ],
)
def test_points_that_make_no_line_are_refused(sizes, costs, rule):
    with pytest.raises(ValueError, match=rule):
        fit_linear(sizes, costs)


@given(
    size=SIZE,
    least=st.integers(0, 10**12),
    packet=st.integers(0, 10**9),
    byte=st.integers(0, 10**13),
)
def test_compiled_and_plain_agree(size, least, packet, byte):
    assert service_ps(size, least, packet, byte) == plain(service_ps)(size, least, packet, byte)
