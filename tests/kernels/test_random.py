"""Counter-based draws: published vectors, range, accuracy, and distributions.

The statistical tests use fixed counters, so they cannot fail by chance from one run to the next;
each bound is one that fresh draws would cross less than once in 100,000 runs.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kernels.random import exponential, mix, natural_log, uniform

WORDS = st.integers(min_value=0, max_value=2**64 - 1)
DRAWS = 50_000
RARE = 1e-5


def mix_(key, counter):
    return int(mix(np.uint64(key), np.uint64(counter)))


def uniforms(key, first=1, step=1):
    return np.array([uniform(np.uint64(mix_(key, first + step * i))) for i in range(DRAWS)])


# Outputs of the authors' splitmix64.c for two seeds.
@pytest.mark.parametrize(
    ("seed", "outputs"),
    [
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]),
        (1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423]),
    ],
)
def test_draws_are_splitmix64(seed, outputs):
    assert [mix_(seed, n) for n in range(1, len(outputs) + 1)] == outputs


@given(WORDS, WORDS)
def test_draw_is_the_definition_in_big_integers(key, counter):
    z = (key + counter * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    assert mix_(key, counter) == z ^ (z >> 31)


@given(WORDS)
def test_uniform_is_the_middle_of_its_step_and_never_0_or_1(bits):
    u = uniform(np.uint64(bits))
    assert 0.0 < u < 1.0
    assert u == ((bits >> 12) + 0.5) / 2**52


@given(st.floats(min_value=2.3e-308, max_value=1.7e308))
def test_logarithm_is_within_one_unit_in_the_last_place(x):
    assert abs(natural_log(x) - math.log(x)) <= math.ulp(math.log(x))


@pytest.mark.parametrize("x", [1.0, 0.5, 2.0, math.sqrt(2.0), math.sqrt(0.5), 2.0**-53])
def test_logarithm_at_the_seams_of_its_reduction(x):
    for y in (math.nextafter(x, 0.0), x, math.nextafter(x, 4.0)):
        assert natural_log(y) == pytest.approx(math.log(y), rel=3e-16, abs=1e-300)


def test_uniforms_are_uniform_and_those_of_neighbours_unrelated():
    for key, step in ((7, 1), (7, 2**32), (0, 1)):
        u = uniforms(key, step=step)
        assert stats.kstest(u, "uniform").pvalue > RARE
        assert abs(stats.pearsonr(u[:-1], u[1:]).statistic) < 4.4 / math.sqrt(DRAWS)
    a, b = uniforms(7), uniforms(8)
    assert abs(stats.pearsonr(a, b).statistic) < 4.4 / math.sqrt(DRAWS)


def test_every_bit_is_fair():
    words = np.array([mix_(3, n) for n in range(DRAWS)], np.uint64)
    for bit in range(64):
        ones = int(((words >> np.uint64(bit)) & np.uint64(1)).sum())
        assert abs(ones - DRAWS / 2) < 5 * math.sqrt(DRAWS) / 2, bit


def test_exponentials_have_the_distribution():
    draws = [exponential(np.uint64(mix_(11, n))) for n in range(DRAWS)]
    assert min(draws) > 0.0
    assert stats.kstest(draws, "expon").pvalue > RARE
    assert exponential(np.uint64(0)) == pytest.approx(53 * math.log(2.0), rel=1e-15)
    assert exponential(np.uint64(2**64 - 1)) == pytest.approx(2.0**-53, rel=1e-12)
