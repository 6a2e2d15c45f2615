"""TCP in rounds against closed forms, and the mean delay of a path with jitter by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kernels.random import mix, uniform
from simulator.plan import FORWARD
from simulator.plan_builder import PlanBuilder
from simulator.planner.round_trip import mean_jitter_s, uniforms
from simulator.planner.tcp_range import Bottleneck, Stall, reached

RTT_S, RATE_PPS = 0.02, 10_000.0
ONE = Bottleneck(
    flows_count=1,
    segments_per_s=RATE_PPS,
    buffer_s=RTT_S,
    is_policer=False,
    rtt_s=RTT_S,
    loss_ratio=0.0,
    window_segments=1e6,
    congestion_control="newreno",
    cubic_c=0.4,
    cubic_beta=0.7,
    newreno_beta=0.5,
)
LONG_S = 1e6


def share(shared):
    return reached(shared, LONG_S).mean_pps / RATE_PPS


def test_draws_are_those_of_the_kernels():
    drawn = uniforms(12345, 7, 3)
    keys = [uniform(mix(np.uint64(12345), np.uint64(counter))) for counter in (7, 8, 9)]
    assert drawn.tolist() == keys


def test_a_buffer_of_a_round_trip_keeps_newreno_full():
    """The window falls from twice to once what is in flight."""
    assert share(ONE) == pytest.approx(1.0, abs=0.01)


def test_without_a_buffer_newreno_reaches_three_quarters():
    """The window moves between half of what is in flight and all of it."""
    assert share(replace(ONE, buffer_s=1e-4)) == pytest.approx(0.75, abs=0.02)


def test_without_a_buffer_cubic_reaches_more():
    """Mean of the curve between 0.7 and 1: 1 - 0.3 / 4 = 0.925 where CUBIC outgrows Reno ..."""
    far = replace(ONE, buffer_s=1e-4, rtt_s=0.2, congestion_control="cubic")
    assert share(far) == pytest.approx(0.925, abs=0.02)


def test_near_by_cubic_follows_reno():
    """... and the mean of a line from 0.7 to 1 where it is Reno-friendly."""
    near = replace(ONE, buffer_s=1e-4, congestion_control="cubic")
    assert share(near) == pytest.approx(0.85, abs=0.02)


def test_many_flows_fill_what_one_does_not():
    shallow = replace(ONE, buffer_s=2e-3)
    assert share(shallow) < 0.85 < 0.93 < share(replace(shallow, flows_count=32))


def test_random_loss_follows_the_square_root_law():
    """sqrt(3 / (2 p)) segments in each round trip (Mathis et al. 1997), 8 % more at random."""
    for loss_ratio in (1e-3, 1e-2):
        lone = replace(ONE, segments_per_s=math.inf, loss_ratio=loss_ratio, window_segments=200.0)
        law_pps = math.sqrt(1.5 / loss_ratio) / RTT_S
        assert reached(lone, LONG_S).mean_pps == pytest.approx(law_pps, rel=0.15)


def test_windows_bound_what_nothing_else_does():
    lone = replace(ONE, segments_per_s=math.inf, window_segments=40.0)
    assert reached(lone, LONG_S).mean_pps == pytest.approx(40.0 / RTT_S, rel=1e-3)


def test_a_longer_run_differs_less():
    lossy = replace(ONE, loss_ratio=1e-3)
    short, long = reached(lossy, 1.0), reached(lossy, 100.0)
    assert short.mean_pps == long.mean_pps
    assert short.sigma_pps == pytest.approx(10.0 * long.sigma_pps)


def test_stalls_that_outlast_the_buffer_cost():
    table_s = tuple(np.linspace(0.0, 0.04, 65) ** 4 / 0.04**3)
    assert share(replace(ONE, stalls=(Stall(table_s, 0.01),))) < share(ONE) - 0.03


def plan_with_jitter(quantiles_s, **more):
    builder = PlanBuilder(
        scenario="x", seed=1, replicate=0, horizon_s=100.0, time_bin_s=1.0, warm_up_s=0.0
    )
    hop = builder.path(
        "wan",
        FORWARD,
        delay_s=0.001,
        jitter_quantiles_s=quantiles_s,
        jitter_interval_s=0.01,
        **more,
    )
    stream = builder.stream("s", "constant", "a", "b")
    route = builder.route(stream, FORWARD, [hop])
    builder.constant(
        stream, FORWARD, [route], sizes_bytes=[100], weights=[1.0], rate_bps=1e5, label="0"
    )
    return builder.build(), hop


def test_the_mean_of_jitter_counts_what_a_stall_holds_back():
    """A stall of 30 ms in one of ten intervals of 10 ms, the others without.

    The interval itself waits 30 ms, the next ones 25, 15 and 5 ms on average, if no stall comes
    among them.
    """
    quantiles_s = np.where(np.linspace(0.0, 1.0, 4097) < 0.9, 0.0, 0.03)
    plan, hop = plan_with_jitter(quantiles_s)
    row = plan.hop[hop]
    drawn = uniforms(int(row["jitter_key"]), 0, 10_000)
    values_ms = [30 if u >= 0.9 else 0 for u in drawn]
    held, until_ms = [], 0.0
    for k, value in enumerate(values_ms):
        for step in range(100):
            at_ms = 10 * k + (step + 0.5) / 10
            held.append(max(until_ms, at_ms + value) - at_ms)
        until_ms = max(until_ms, 10 * (k + 1) + value)
    assert mean_jitter_s(plan, hop) == pytest.approx(np.mean(held) / 1e3, rel=0.01)


def test_a_path_that_may_reorder_holds_nothing_back():
    quantiles_s = np.where(np.linspace(0.0, 1.0, 4097) < 0.9, 0.0, 0.03)
    plan, hop = plan_with_jitter(quantiles_s, may_reorder=True)
    assert mean_jitter_s(plan, hop) == pytest.approx(0.1 * 0.03, rel=0.05)
