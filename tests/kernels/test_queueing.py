"""Formulas for waiting against exact results and against a simulated queue."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.queueing import buffered_wait_s, decay, mean_wait_s


@given(st.floats(0.0, 700.0))
def test_decay_is_within_two_units_in_the_last_place(x):
    assert abs(decay(x) - math.exp(-x)) <= 2.0 * math.ulp(math.exp(-x))


def test_decay_beyond_its_range_is_zero():
    assert decay(0.0) == 1.0
    assert decay(701.0) == 0.0


def test_waits_by_hand():
    # M/M/1 at 0.8: 0.8 / 0.2 = 4 services; M/D/1 half of it
    assert mean_wait_s(0.8, 1.0, 2.0) == pytest.approx(4.0, rel=1e-15)
    assert mean_wait_s(0.8, 1.0, 1.0) == pytest.approx(2.0, rel=1e-15)
    # 1,400 B and 100 B in equal numbers at 1 Mbit/s: 11.2 and 0.8 ms, E[S] = 6 ms,
    # E[S^2] = 63.04e-6; at 0.5: W = 0.5 * 63.04e-6 / (2 * 6e-3 * 0.5) = 5.253 ms
    assert mean_wait_s(0.5, 6e-3, 63.04e-6) == pytest.approx(5.2533e-3, rel=1e-4)
    assert mean_wait_s(1.0, 1.0, 1.0) == math.inf


def buffered(rho, service_s2, buffer_s):
    wait, loss = np.empty(1), np.empty(1)
    arguments = [np.array([float(x)]) for x in (rho, 1.0, service_s2, buffer_s)]
    assert buffered_wait_s(*arguments, wait, loss) == 0
    return wait[0], loss[0]


@pytest.mark.parametrize("service_s2", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9, 0.99])
def test_a_large_buffer_is_no_limit(rho, service_s2):
    wait, loss = buffered(rho, service_s2, 1e5)
    assert wait == pytest.approx(mean_wait_s(rho, 1.0, service_s2), rel=1e-12)
    assert loss == pytest.approx(0.0, abs=1e-100)
    assert buffered(rho, service_s2, np.inf)[0] == mean_wait_s(rho, 1.0, service_s2)


def test_exponential_services_match_the_exact_density():
    # M/M/1 with work beyond B cut off: atom proportional to 1 - rho at 0, then density
    # rho (1 - rho) exp(-(1 - rho) x) on (0, B], integrated numerically
    for rho in (0.5, 0.95, 1.0 - 1e-9, 1.1, 2.0):
        x = np.linspace(0.0, 20.0, 200_001)
        density = rho * np.exp(-(1.0 - rho) * x)
        mass = 1.0 + np.trapezoid(density, x)
        wait, loss = buffered(rho, 2.0, 20.0)
        assert wait == pytest.approx(np.trapezoid(x * density, x) / mass, rel=1e-7)
        assert loss == pytest.approx(1.0 - (1.0 - 1.0 / mass) / rho, abs=1e-7)


@given(st.floats(0.01, 3.0), st.floats(1.0, 8.0), st.floats(1.0, 1e4))
def test_wait_and_loss_are_possible_and_continuous(rho, service_s2, buffer_s):
    wait, loss = buffered(rho, service_s2, buffer_s)
    assert 0.0 <= wait <= buffer_s
    assert max(0.0, 1.0 - 1.0 / rho) * (1.0 - 1e-9) <= loss <= 1.0
    near, near_loss = buffered(rho * (1.0 + 1e-9), service_s2, buffer_s)
    assert near == pytest.approx(wait, rel=1e-3)
    assert near_loss == pytest.approx(loss, rel=1e-3, abs=1e-12)


def simulated_wait_and_loss(rho, service, buffer_s, gap):
    work = total = lost = 0.0
    accepted = 0
    for s, g in zip(service.tolist(), gap.tolist(), strict=True):
        work = max(0.0, work - g)
        if work <= buffer_s:
            total += work
            accepted += 1
            work += s
        else:
            lost += s
    return total / accepted, lost / service.sum()


SERVICES = {
    "fixed": lambda rng, n: np.ones(n),
    "exponential": lambda rng, n: rng.exponential(1.0, n),
    "two sizes": lambda rng, n: np.where(rng.random(n) < 0.9, 0.4, 6.4),
}


@pytest.mark.parametrize("rho", [0.5, 0.8, 0.95, 1.2])
@pytest.mark.parametrize("service", SERVICES)
def test_formula_follows_a_simulated_queue(service, rho):
    rng = np.random.default_rng(7)
    n = 150_000
    times = SERVICES[service](rng, n)
    times /= times.mean()
    wait, loss = simulated_wait_and_loss(rho, times, 20.0, rng.exponential(1.0 / rho, n))
    found_wait, found_loss = buffered(rho, (times**2).mean(), 20.0)
    assert found_wait == pytest.approx(wait, rel=0.06)
    assert found_loss == pytest.approx(loss, abs=0.015)
