"""Log-linear histograms: buckets, their edges, percentiles, closing a bin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.histogram import (
    BUCKETS,
    FIRST_OCTAVE,
    OCTAVES,
    STEPS_PER_OCTAVE,
    bucket_low_ps,
    bucket_of,
    close_bin,
    quantiles,
)

LOWEST_PS = 2**FIRST_OCTAVE
HIGHEST_PS = 2 ** (FIRST_OCTAVE + OCTAVES)
LATENCIES = st.integers(min_value=LOWEST_PS, max_value=HIGHEST_PS - 1)
INDICES = st.integers(min_value=0, max_value=BUCKETS - 1)
COUNTS = st.dictionaries(INDICES, st.integers(min_value=1, max_value=1000), min_size=1)


def histogram_of(counts, dtype=np.int64):
    column = np.zeros(BUCKETS, dtype)
    for index, count in counts.items():
        column[index] = count
    return column


def quantiles_of(column, probabilities):
    value_ps = np.empty(len(probabilities))
    total = quantiles(column, np.array(probabilities), value_ps)
    return total, value_ps


@given(LATENCIES)
def test_latency_lies_in_its_bucket(latency_ps):
    index = bucket_of(latency_ps)
    assert bucket_low_ps(index) <= latency_ps < bucket_low_ps(index + 1)


@given(LATENCIES)
def test_bucket_counts_64_equal_steps_in_each_octave(latency_ps):
    octave = latency_ps.bit_length() - 1
    step = (latency_ps - 2**octave) * STEPS_PER_OCTAVE // 2**octave
    assert bucket_of(latency_ps) == (octave - FIRST_OCTAVE) * STEPS_PER_OCTAVE + step


@given(INDICES)
def test_middle_of_a_bucket_is_within_one_percent_of_all_in_it(index):
    low_ps, high_ps = bucket_low_ps(index), bucket_low_ps(index + 1)
    middle_ps = (low_ps + high_ps) / 2
    assert (middle_ps - low_ps) / low_ps < 0.008
    assert bucket_of(math.ceil(low_ps)) == index


@pytest.mark.parametrize(
    ("latency_ps", "index"),
    [(0, 0), (1, 0), (LOWEST_PS - 1, 0), (HIGHEST_PS, BUCKETS - 1), (2**63 - 1, BUCKETS - 1)],
)
def test_what_lies_outside_goes_to_the_first_or_last_bucket(latency_ps, index):
    assert bucket_of(latency_ps) == index


def test_example_by_hand():
    # 1 ms = 2**29 ps * 1.8626: octave 29 - 17 = 12, step floor(0.8626 * 64) = 55.
    assert bucket_of(10**9) == 12 * 64 + 55
    # Four values, one in bucket 100 and three in bucket 200: the median is the first of the three.
    column = histogram_of({100: 1, 200: 3})
    total, (p25, p50, p100) = quantiles_of(column, [0.25, 0.5, 1.0])
    width = bucket_low_ps(201) - bucket_low_ps(200)
    assert total == 4
    assert p25 == bucket_low_ps(101)
    assert p50 == bucket_low_ps(200) + width / 3
    assert p100 == bucket_low_ps(201)


@given(COUNTS, st.lists(st.floats(min_value=0.0, max_value=1.0), min_size=1, max_size=6))
def test_quantile_lies_in_the_bucket_of_its_rank(counts, probabilities):
    probabilities = sorted(probabilities)
    column = histogram_of(counts)
    total, value_ps = quantiles_of(column, probabilities)
    assert total == column.sum()
    assert (np.diff(value_ps) >= 0).all()
    upto = np.cumsum(column)
    for p, value in zip(probabilities, value_ps, strict=True):
        rank = max(p * total, 1.0)
        index = int(np.searchsorted(upto, rank))
        assert bucket_low_ps(index) < value <= bucket_low_ps(index + 1)


def test_empty_histogram_has_no_quantiles():
    total, value_ps = quantiles_of(np.zeros(BUCKETS, np.int64), [0.5, 0.99])
    assert total == 0
    assert np.isnan(value_ps).all()


@pytest.mark.parametrize("is_kept", [True, False])
def test_closing_a_bin_moves_its_counts_to_the_run_unless_it_is_warm_up(is_kept):
    open_bin = np.stack([histogram_of({10: 2, 99: 5}, np.int32), np.zeros(BUCKETS, np.int32)])
    run = np.zeros((2, BUCKETS), np.int64)
    run[0, 99] = 1
    value_ps = np.empty((2, 1))
    close_bin(open_bin, run, is_kept, np.array([0.5]), value_ps)
    assert not open_bin.any()
    assert run[0, 99] == (6 if is_kept else 1)
    assert run[0, 10] == (2 if is_kept else 0)
    assert bucket_of(int(value_ps[0, 0])) == 99
    assert np.isnan(value_ps[1, 0])
