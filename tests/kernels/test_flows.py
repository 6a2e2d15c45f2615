"""The flow level against theory, a textbook simulator, hand sums, and itself cut in pieces."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kernels import flow_sources, heaps
from kernels.flow_sources import choice_table, draw
from kernels.flows import (
    DONE,
    GROW,
    MORE,
    OTHER_SOURCE,
    SOLVE,
    abort_flows,
    advance,
    carried_bytes,
    change_rate,
    grown,
    move_flows,
    remaining_bytes,
    solve_again,
    start_source,
)
from kernels.histogram import bucket_low_ps
from kernels.quantiles import (
    PAGES,
    TABLE_SIZE,
    draw_quantile,
    empirical,
    exponential,
    lognormal,
    pareto,
    quantile_table,
    table_moments,
)
from kernels.rebalance import rates
from tests.kernels.flow_networks import Run, S, Source, exactly
from tests.kernels.sharing import TextbookFlows, fair_rates, network, random_network

MBIT = 1e6
MB = 1e6
SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
ROOT = Path(__file__).parents[2]

ONE_HOP = network([8 * MBIT], [[0]])
TWO_CLASSES = network([8 * MBIT], [[0], [0]])


def carried(run, now_s):
    out = np.empty(run.net.weight.size)
    carried_bytes(round(now_s * S), run.sharing, run.flows, out)
    return out


def remaining(run, now_s):
    out = np.empty(run.net.weight.size)
    flows = remaining_bytes(round(now_s * S), run.sharing, run.flows, out)
    assert flows == run.count.sum()
    return out


def state_bytes(run):
    """Everything that a later instant depends on, and every result."""
    arrays = [*run.sharing, *run.flows]
    live = run.flows.pool["end"][0]
    return b"".join((a[:live] if a is run.flows.entry else a).tobytes() for a in arrays)


def conserved(run, now_s):
    """Check that bytes arrived = completed + aborted + in flows, and = carried + not carried."""
    counter = run.counter
    in_flows = sum(
        run.flows.entry["size_bytes"][begin : begin + n].sum()
        for begin, n in zip(run.flows.segment["begin"], run.count, strict=True)
    )
    arrived = counter["arrived_bytes"].sum()
    assert arrived == counter["completed_bytes"].sum() + counter["aborted_bytes"].sum() + in_flows
    unsent = counter["unsent_bytes"].sum()
    parts = carried(run, now_s).sum() + remaining(run, now_s).sum() + unsent
    assert parts == pytest.approx(arrived, rel=1e-9)
    return arrived


# --- by hand ------------------------------------------------------------------------------------


def test_two_users_of_one_megabyte_share_a_hop():
    # 8 Mbit/s = 1 MB/s; both flows last 2 s, then the next two
    run = Run(ONE_HOP, [Source((0,), exactly(MB), users=2)]).to(5.0)
    assert run.counter["completions"].tolist() == [4]
    assert run.counter["completed_bytes"].tolist() == [4_000_000]
    np.testing.assert_allclose(run.counter["transfer_s"], [8.0], rtol=1e-12)
    np.testing.assert_allclose(carried(run, 5.0), [5 * MB], rtol=1e-12)
    np.testing.assert_allclose(remaining(run, 5.0), [1 * MB], rtol=1e-12)


def test_a_short_flow_delays_a_long_one():
    # A: 1 MB from 0 s on. B: 0.25 MB at 0.5 s. Alone A carries 0.5 MB; then both have 0.5 MB/s: B
    # is done at 1.0 s; A has 0.25 MB to go and is done at 1.25 s.
    long = Source((0,), exactly(MB), users=1)
    short = Source((1,), exactly(MB / 4), users=1, think=exactly(0.5))
    run = Run(TWO_CLASSES, [long, short]).to(1.0 + 1e-9)
    np.testing.assert_allclose(run.counter["transfer_s"], [0.0, 0.5], rtol=1e-12)
    run.to(1.25)
    assert run.counter["completions"].tolist() == [0, 1]
    run.to(1.25 + 1e-9)
    np.testing.assert_allclose(run.counter["transfer_s"], [1.25, 0.5], rtol=1e-11)
    np.testing.assert_allclose(carried(run, 1.25), [MB, MB / 4], rtol=1e-9)


def test_weights_and_caps():
    # weights 3 : 1 on 8 Mbit/s: 6 and 2 Mbit/s; a cap of 4 Mbit/s leaves 4 for the other
    sources = [Source((0,), exactly(MB), users=1), Source((1,), exactly(MB), users=1)]
    weighted = Run(network([8 * MBIT], [[0], [0]], weight=[3, 1]), sources).to(1.0)
    np.testing.assert_allclose(carried(weighted, 1.0), [0.75 * MB, 0.25 * MB], rtol=1e-12)
    capped = Run(
        network([8 * MBIT], [[0], [0]], weight=[3, 1], cap=[4 * MBIT, np.inf]), sources
    ).to(1.0)
    np.testing.assert_allclose(carried(capped, 1.0), [0.5 * MB, 0.5 * MB], rtol=1e-12)


def test_an_event_at_the_end_of_a_stretch_waits():
    run = Run(ONE_HOP, [Source((0,), exactly(MB), users=1)])
    run.to(1.0)
    assert run.counter["completions"][0] == 0
    run.with_capacity(1.0, [0.0])  # the hop goes down at the very instant
    run.to(10.0)
    assert run.counter["completions"][0] == 0
    run.with_capacity(10.0, [8 * MBIT])
    run.to(10.0 + 1e-9)
    assert run.counter["completions"][0] == 1


# --- theory -------------------------------------------------------------------------------------


def mean_transfer_s(load, size, seeds, flows):
    """Mean transfer time for each seed at a hop of 8 Mbit/s, after a warm-up of a fifth."""
    means = []
    rate = load * 8 * MBIT / 8 / MB
    for seed in seeds:
        source = Source((0,), size, size_mean=MB, rate_per_s=rate)
        run = Run(ONE_HOP, [source], seed=seed).to(0.2 * flows / rate)
        before = run.counter[0].copy()
        run.to(1.2 * flows / rate)
        after = run.counter[0]
        means.append(
            (after["transfer_s"] - before["transfer_s"])
            / (after["completions"] - before["completions"])
        )
    return np.array(means)


def assert_mean(values, theory, width):
    """Check a mean against theory by its 99 % interval, which must be a sharp one."""
    half = stats.t.ppf(0.995, values.size - 1) * values.std(ddof=1) / values.size**0.5
    assert half < width * theory
    assert abs(values.mean() - theory) < half, f"{values.mean():g} +- {half:g}, not {theory:g}"


SIZES = {"exponential": exponential(MB), "fixed": exactly(MB), "heavy tail": pareto(MB, 2.2)}


@pytest.mark.parametrize("load", [0.5, 0.8])
@pytest.mark.parametrize("size", SIZES)
def test_mean_transfer_time_of_processor_sharing(size, load):
    # M/G/1-PS: E[T] = E[S] / (1 - load) whatever the distribution (Kleinrock 1976, 4.4)
    times = mean_transfer_s(load, SIZES[size], range(100, 120), 30_000)
    assert_mean(times, 1.0 / (1.0 - load), width=0.05)


@pytest.mark.validate
@pytest.mark.parametrize("load", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("size", SIZES)
def test_mean_transfer_time_of_processor_sharing_at_length(size, load):
    times = mean_transfer_s(load, SIZES[size], range(1000, 1040), 200_000)
    assert_mean(times, 1.0 / (1.0 - load), width=0.02)


def test_closed_population_is_the_machine_repair_model():
    # N users, think Z, service S at a shared hop: P(n) ~ N! / (N - n)! (S / Z)^n for any
    # distribution of sizes (product form); throughput = (1 - P(0)) / S
    users, think_s = 10, 8.0
    weight = np.cumprod([1.0] + [(users - n) / think_s for n in range(users)])
    throughput = 1.0 - weight[0] / weight.sum()
    measured = []
    for seed in range(20):
        source = Source(
            (0,), lognormal(MB, 1.0), size_mean=MB, users=users, think=exponential(think_s)
        )
        run = Run(ONE_HOP, [source], seed=seed).to(500.0)
        before = run.counter["completions"][0]
        measured.append((run.to(10_500.0).counter["completions"][0] - before) / 10_000.0)
    assert_mean(np.array(measured), throughput, width=0.01)


def test_flows_at_their_cap_do_not_feel_each_other():
    net = network([1e12], [[0]], cap=[4 * MBIT])
    run = Run(net, [Source((0,), exactly(MB), rate_per_s=50.0)], histograms=True).to(100.0)
    counter = run.counter[0]
    assert counter["completions"] > 4_000
    np.testing.assert_allclose(counter["transfer_s"] / counter["completions"], 2.0, rtol=1e-12)
    (bucket,) = np.flatnonzero(run.flows.histogram[0])
    assert run.flows.histogram[0, bucket] == counter["completions"]
    assert bucket_low_ps(bucket) / 1e9 == pytest.approx(2.0, rel=0.008)  # here nanoseconds


# --- against a textbook simulator ---------------------------------------------------------------


def uniform_of(key, number, purpose):
    """Draw as `kernels.random` defines it, in big integers."""
    z = (key + (4 * number + purpose) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def from_table(table, bits):
    page = 0
    while page < PAGES - 1 and bits >> 60 == 15:
        page, bits = page + 1, (bits << 4) % 2**64
    k = page * 240 + (bits >> 56)
    fraction = (((bits << 8) % 2**64 >> 12) + 0.5) / 2**52
    return table[k] + (table[k + 1] - table[k]) * fraction


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_against_a_textbook_simulator(seed):
    rng = np.random.default_rng(seed)
    net = random_network(rng, hops_max=6, classes_max=6).in_units(1e3)
    classes = net.weight.size
    users = rng.integers(1, 8, classes)
    mean = rng.uniform(0.5, 3.0, classes) * 1e3
    think = rng.uniform(0.0, 5.0, classes)
    sources = [
        Source(
            (c,),
            lognormal(mean[c], 1.5),
            users=int(users[c]),
            think=exponential(think[c]),
            key=int(rng.integers(1, 2**62)),
        )
        for c in range(classes)
    ]
    size_table = [quantile_table(source.size) for source in sources]
    think_table = [quantile_table(source.think) for source in sources]
    oracle = TextbookFlows(
        net,
        users,
        lambda c, n: (
            8.0 * max(int(from_table(size_table[c], uniform_of(sources[c].key, n, 2)) + 0.5), 1)
        ),
        lambda c, n: from_table(think_table[c], uniform_of(sources[c].key, n, 3)),
    )
    until_s = 300.0
    count = oracle.run(until_s)
    run = Run(net, sources).to(until_s)
    assert oracle.completions.sum() > 30
    assert run.counter["completions"].tolist() == oracle.completions.tolist()
    assert run.count.tolist() == count.tolist()
    np.testing.assert_allclose(run.counter["transfer_s"], oracle.transfer_s, rtol=1e-9)


# --- invariants ---------------------------------------------------------------------------------


def busy_run(seed, **options):
    """Make a run with all kinds of sources on a random network."""
    rng = np.random.default_rng(seed)
    net = random_network(rng, hops_max=8, classes_max=8).in_units(1e3)
    classes = np.arange(net.weight.size)
    half = max(classes.size // 2, 1)
    sources = [
        Source(
            tuple(classes[:half]),
            pareto(100.0, 1.5),
            shares=tuple(rng.uniform(0.1, 1.0, half)),
            rate_per_s=0.3 * half,
            profile=((0.0, 0.5), (70.0, 2.0), (90.0, 0.0)),
            period_s=100.0,
        )
    ]
    if classes.size > half:
        sources.append(Source(tuple(classes[half:]), lognormal(100.0, 1.0), users=12))
    return Run(net, sources, seed=seed, **options)


@given(SEEDS)
@settings(max_examples=20)
def test_rates_stay_fair_and_bytes_are_conserved_at_every_event(seed):
    run = busy_run(seed)
    run.to(200.0)
    weight = run.net.weight
    for _ in range(40):
        assert advance(400 * S, 1, run.sharing, run.flows) in (MORE, DONE)
        rate, bottleneck = np.empty(weight.size), np.empty(weight.size, np.int64)
        rates(weight, run.sharing, rate, bottleneck)
        np.testing.assert_allclose(rate, fair_rates(run.net, run.count), rtol=1e-12)
        load = run.net.load(rate, run.count)
        assert np.all(load <= run.net.capacity * (1.0 + 1e-12))
    assert conserved(run, run.flows.store["now_ps"][0] / S) > 0


@given(SEEDS)
@settings(max_examples=5)
def test_cutting_a_run_changes_no_bit(seed):
    whole = busy_run(seed).to(300.0)
    pieces = busy_run(seed)
    for cut_s in np.sort(np.random.default_rng(seed).uniform(0.0, 300.0, 1_000)):
        pieces.to(cut_s)
        carried(pieces, cut_s)
        remaining(pieces, cut_s)
    assert whole.flows.store["events"] > 20
    assert state_bytes(pieces.to(300.0)) == state_bytes(whole)
    steps = busy_run(seed)
    while True:
        status = advance(300 * S, 3, steps.sharing, steps.flows)
        if status == GROW:
            steps.flows = grown(steps.flows)
        elif status == DONE:
            break
    assert state_bytes(steps) == state_bytes(whole)


def test_room_for_flows_changes_no_bit():
    small, large = busy_run(5, flow_room=1).to(300.0), busy_run(5, flow_room=10_000).to(300.0)
    assert small.counter.tobytes() == large.counter.tobytes()
    assert small.flows.clock.tobytes() == large.flows.clock.tobytes()


def sites_behind_a_gateway():
    net = network([1e6, 2e6, 3e6, 4e6], [[0, 3], [1, 3], [2, 3]])
    return Run(net, [Source((c,), lognormal(MB, 1.5), users=4) for c in range(3)])


def test_solving_from_scratch_when_small_steps_give_up():
    run, patient = sites_behind_a_gateway(), sites_behind_a_gateway().to(2000.0)
    run.sharing.tally["work_max"] = 0
    solutions = 0
    while (status := advance(2000 * S, 10**6, run.sharing, run.flows)) != DONE:
        assert status in (GROW, SOLVE)
        if status == GROW:
            run.flows = grown(run.flows)
        else:
            solve_again(run.sharing, run.flows)
            solutions += 1
    assert solutions > 0
    assert patient.sharing.tally["full_solutions"] == 1
    assert run.counter["completions"].tolist() == patient.counter["completions"].tolist()
    np.testing.assert_allclose(run.counter["transfer_s"], patient.counter["transfer_s"], rtol=1e-9)


def test_adding_a_source_shifts_no_draw_of_another():
    source = Source((0,), pareto(MB, 1.5), rate_per_s=0.3, key=77)
    alone = Run(network([1e12, 1e12], [[0], [1]]), [source]).to(1000.0)
    other = Source((1,), pareto(MB, 1.5), rate_per_s=9.0, key=78)
    both = Run(network([1e12, 1e12], [[0], [1]]), [source, other]).to(1000.0)
    assert both.counter[0].tobytes() == alone.counter[0].tobytes()
    assert both.counter["arrivals"][1] > 8_000


# --- changes ------------------------------------------------------------------------------------


def test_a_change_of_capacity_takes_effect_at_once():
    # 1 MB alone: 0.5 s at 8 Mbit/s, the other half at 2 Mbit/s takes 2 s
    run = Run(ONE_HOP, [Source((0,), exactly(MB), users=1)]).to(0.5)
    run.with_capacity(0.5, [2 * MBIT])
    np.testing.assert_allclose(carried(run, 0.5), [MB / 2], rtol=1e-12)
    run.to(2.5 + 1e-9)
    np.testing.assert_allclose(run.counter["transfer_s"], [2.5], rtol=1e-11)


@given(SEEDS)
@settings(max_examples=10)
def test_bytes_are_conserved_through_changes_of_the_network(seed):
    rng = np.random.default_rng(seed)
    run = busy_run(seed)
    for now_s in np.cumsum(rng.uniform(0.1, 40.0, 15)):
        run.to(now_s)
        before = carried(run, now_s).sum()
        change = rng.integers(4)
        classes = rng.integers(run.net.weight.size, size=2)
        if change == 0:
            run.with_capacity(now_s, 1e3 * rng.integers(0, 4, run.net.capacity.size))
        elif change == 1:
            assert abort_flows(round(now_s * S), classes[0], run.sharing, run.flows) == DONE
            assert run.count[classes[0]] == 0
        elif change == 2:
            while (s := move_flows(round(now_s * S), *classes, run.sharing, run.flows)) == GROW:
                run.flows = grown(run.flows)
            source = run.flows.class_flows["source"][classes]
            assert s == (DONE if source[0] == source[1] else OTHER_SOURCE)
        conserved(run, now_s)
        np.testing.assert_allclose(carried(run, now_s).sum(), before, rtol=1e-9, atol=1e-6)
    run.to(now_s + 1.0)
    rate, bottleneck = np.empty(run.net.weight.size), np.empty(run.net.weight.size, np.int64)
    rates(run.net.weight, run.sharing, rate, bottleneck)
    np.testing.assert_allclose(rate, fair_rates(run.net, run.count), rtol=1e-12)


def test_moved_flows_go_on_where_they_were():
    # half of 1 MB at 8 Mbit/s, then on a route of 4 Mbit/s: 0.5 s + 1 s
    net = network([8 * MBIT, 4 * MBIT], [[0], [1]])
    run = Run(net, [Source((0, 1), exactly(MB), shares=(1.0, 0.0), users=1)]).to(0.5)
    assert move_flows(S // 2, 0, 1, run.sharing, run.flows) == DONE
    assert run.count.tolist() == [0, 1]
    run.to(1.5 + 1e-9)
    np.testing.assert_allclose(run.counter["transfer_s"], [0.0, 1.5], rtol=1e-11)


def test_aborted_flows_are_counted_and_their_users_think():
    source = Source((0,), exactly(MB), users=2, think=exactly(0.25))
    run = Run(ONE_HOP, [source]).to(0.75)
    assert run.count.tolist() == [2]
    abort_flows(S * 3 // 4, 0, run.sharing, run.flows)
    counter = run.counter[0]
    assert (counter["aborts"], counter["aborted_bytes"]) == (2, 2_000_000)
    assert counter["unsent_bytes"] == pytest.approx(1.5 * MB, rel=1e-12)  # 0.5 s at 1 MB/s went
    run.to(1.0)
    assert run.count.tolist() == [0]
    run.to(1.0 + 1e-9)
    assert run.count.tolist() == [2]


def test_users_come_and_go():
    source = Source((0,), exactly(MB), users=2, room=5)
    run = Run(ONE_HOP, [source]).to(1.0)
    run.flows.source[0]["population"] = 5
    start_source(S, 0, run.sharing, run.flows)
    run.to(1.5)
    assert run.count.tolist() == [5]
    run.flows.source[0]["population"] = 1
    run.to(100.0)
    assert run.count.tolist() == [1]
    assert run.flows.source[0]["present"] == 1
    conserved(run, 100.0)


def test_a_daily_profile_scales_the_arrivals():
    profile = ((0.0, 0.0), (100.0, 1.0), (300.0, 3.0))
    source = Source((0,), exactly(1.0), rate_per_s=50.0, profile=profile, period_s=400.0)
    run = Run(network([1e12], [[0]]), [source])
    arrivals = []
    for end_s in (100.0, 300.0, 400.0, 500.0, 700.0, 800.0):
        before = run.counter["arrivals"][0]
        arrivals.append(run.to(end_s).counter["arrivals"][0] - before)
    expected = np.array([0, 10_000, 15_000, 0, 10_000, 15_000])
    assert arrivals[0] == arrivals[3] == 0
    assert np.all(np.abs(arrivals - expected) < 4.4 * np.sqrt(expected) + 1e-9)


def test_a_profile_that_is_never_above_zero_ends():
    profile = ((0.0, 0.0), (100.0, 0.0))
    source = Source((0,), exactly(1.0), rate_per_s=50.0, profile=profile, period_s=400.0)
    run = Run(ONE_HOP, [source]).to(1e5)
    assert run.counter["arrivals"][0] == 0


def test_a_change_of_rate_keeps_what_was_waited_for():
    def first_arrival_s(*changes):
        run = Run(ONE_HOP, [Source((0,), exactly(1.0), rate_per_s=0.01)])
        for now_s, rate_per_s in changes:
            run.to(now_s)
            change_rate(round(now_s * S), 0, rate_per_s, run.sharing, run.flows)
        return run.flows.source["next_ps"][0] / S

    base_s = first_arrival_s()
    t = base_s / 4
    assert first_arrival_s((t, 0.02)) == pytest.approx(t + (base_s - t) / 2, rel=1e-11)
    assert first_arrival_s((t, 0.0)) > 1e6
    assert first_arrival_s((t, 0.0), (3 * t, 0.01)) == pytest.approx(base_s + 2 * t, rel=1e-11)


# --- parts --------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 10.0)), max_size=120))
def test_heap_gives_the_least_first(actions):
    entry, _ = heaps.new_pool(256)
    model = []
    for i, value in enumerate(actions):
        if value is not None:
            at = heaps.push(entry, 16, len(model), value, i, 2 * i)
            model.append((value, i))
            assert (at == 0) == (value < min([v for v, _ in model[:-1]], default=np.inf))
        elif model:
            assert entry[16]["target"] == min(model)[0]
            first = (float(entry[16]["target"]), int(entry[16]["arrival_ps"]))
            assert entry[16]["size_bytes"] == 2 * first[1]
            heaps.pop(entry, 16, len(model))
            model.remove(first)
        held = entry[16 : 16 + len(model)]
        assert sorted(zip(held["target"], held["arrival_ps"], strict=True)) == sorted(model)


@given(st.lists(st.tuples(st.integers(0, 12), st.floats(0.0, 3.0))))
def test_tournament_knows_the_leftmost_least(changes):
    value, winner = np.full(40, np.inf), np.full(40, -1)
    winner[4:36] = heaps.first_leaves(16)
    leaves = np.full(16, np.inf)
    for leaf, new in changes:
        heaps.set_leaf(value, winner, 4, 16, leaf, new)
        leaves[leaf] = new
        assert value[5] == leaves.min()
        assert winner[5] == leaves.argmin()


@pytest.mark.parametrize(
    ("quantile", "mean", "square"),
    [
        (exponential(3.0), 3.0, 18.0),
        (lognormal(3.0, 1.5), 3.0, 9.0 * np.exp(1.5**2)),
        (pareto(3.0, 4.0), 3.0, (9.0 / 4.0) ** 2 * 4.0 / 2.0),
        (exactly(3.0), 3.0, 9.0),
        (empirical([1.0, 2.0, 3.0, 4.0]), 2.5, None),
    ],
)
def test_tables_hold_the_distribution(quantile, mean, square):
    found_mean, found_square = table_moments(quantile_table(quantile))
    assert found_mean == pytest.approx(mean, rel=1e-4)
    if square is not None:
        assert found_square == pytest.approx(square, rel=2e-3)
    assert table_moments(quantile_table(quantile, 7.0))[0] == pytest.approx(7.0, rel=1e-6)


def test_draws_follow_the_table_into_the_tail():
    table = np.concatenate([np.zeros(3), quantile_table(exponential(1.0))])
    rare = stats.norm.isf(1e-5)
    values = np.array(
        [draw_quantile(np.uint64(uniform_of(11, n, 0)), table, 3) for n in range(40_000)]
    )
    assert stats.kstest(values, "expon").pvalue > 1e-5
    assert abs(values.mean() - 1.0) < rare / values.size**0.5
    # the last bin of the last page: survival 2**-52 and below
    assert draw_quantile(np.uint64(2**64 - 1), table, 3) > 52 * np.log(2.0)
    assert draw_quantile(np.uint64(0), table, 3) < 1e-15
    assert table.size == 3 + TABLE_SIZE


@pytest.mark.parametrize(
    "bad", [lambda s: -1.0 - np.log(s), lambda s: 1.0 / (1.0 - s), lambda s: s]
)
def test_tables_refuse_what_is_no_distribution_of_sizes(bad):
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match="must be finite"):
        quantile_table(bad)


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=20).filter(lambda w: sum(w) > 0.1))
def test_alias_table_gives_every_class_its_share(weights):
    table = choice_table(np.arange(len(weights)) + 5, weights)
    share = np.zeros(len(weights) + 5)
    np.add.at(share, table["class"], table["accept"] / len(weights))
    np.add.at(share, table["alias"], (1.0 - table["accept"]) / len(weights))
    np.testing.assert_allclose(share[5:], np.array(weights) / sum(weights), atol=1e-12)


def test_alias_table_refuses_weights_that_say_nothing():
    with pytest.raises(ValueError, match="must be >= 0"):
        choice_table([0, 1], [0.0, 0.0])
    with pytest.raises(ValueError, match="must be >= 0"):
        choice_table([0, 1], [2.0, -1.0])


def test_draws_are_numbered_by_flow_and_purpose():
    source = np.zeros(2, flow_sources.SOURCE)
    source["key"] = [3, 2**64 - 5]
    for i, key in enumerate([3, 2**64 - 5]):
        assert int(draw(source, i, 9, flow_sources.SIZE)) == uniform_of(key, 9, 2)


# --- plain Python -------------------------------------------------------------------------------

PARITY = """
import hashlib, sys, warnings
import numpy as np
warnings.simplefilter("error")
np.seterr(over="ignore")
from tests.kernels.test_flows import busy_run, carried, state_bytes
from tests.kernels.test_fairshare import walk
from kernels.fairshare import certificate
digest = hashlib.sha256()
for seed in (0, 4):
    run = busy_run(seed).to(60.0)
    run.with_capacity(60.0, 1e3 * (np.arange(run.net.capacity.size) % 3 + 0.5))
    run.to(90.0)
    digest.update(state_bytes(run) + carried(run, 90.0).tobytes())
for net, count, sharing in walk(6, 40):
    pass
digest.update(b"".join(a.tobytes() for a in sharing))
print(run.flows.store["events"][0], digest.hexdigest())
"""


@pytest.mark.plain
def test_plain_python_gives_the_same_bits():
    outputs = []
    for flag in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", PARITY],
            env={**os.environ, "NUMBA_DISABLE_JIT": flag, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert int(outputs[0].split()[0]) > 100
    assert outputs[0] == outputs[1]
