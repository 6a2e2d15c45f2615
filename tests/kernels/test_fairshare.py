"""Max-min fair shares against linear programmes, by their certificate, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.fairshare import (
    NOT_CONVERGED,
    OWN_CAP,
    SOLVED,
    UNBOUNDED,
    certificate,
    max_min,
    serve_inelastic,
)
from kernels.rebalance import IDLE, forget_changes, rates, set_count
from tests.kernels.sharing import (
    fair_rates,
    lexicographic_rates,
    network,
    random_counts,
    random_network,
    solved_sharing,
)

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
PROOF = 1e-9


def ones(net):
    return np.ones(net.weight.size, np.int64)


def violations(net, rate, count):
    return certificate(*net.arrays, rate, count, PROOF)


def assert_fair(net, rate, count):
    assert violations(net, rate, count) == 0


# Hop 0 carries 10, hop 1 carries 4. Hop 1 fills first, at 4 / 2 = 2 for classes 0 and 2; class 1
# gets what is left of hop 0: 10 - 2 = 8.
PARKING_LOT = network([10.0, 4.0], [[0, 1], [0], [1]])


@pytest.mark.parametrize(
    ("net", "count", "rate"),
    [
        (PARKING_LOT, [1, 1, 1], [2.0, 8.0, 2.0]),
        # three flows in class 1: they share 8
        (PARKING_LOT, [1, 3, 1], [2.0, 8.0 / 3.0, 2.0]),
        # nobody in class 2: hop 1 gives class 0 up to 4, but hop 0 is full at 10 / 4 = 2.5
        (PARKING_LOT, [1, 3, 0], [2.5, 2.5, 0.0]),
        # weights 1 : 3 on one hop of 8
        (network([8.0], [[0], [0]], weight=[1, 3]), [1, 1], [2.0, 6.0]),
        # a cap of 1 leaves 7 for the other
        (network([8.0], [[0], [0]], cap=[1, 99]), [1, 1], [1.0, 7.0]),
        # 25 % header on class 0: level x with 1.25 x + x = 9
        (network([9.0], [[0], [0]], use=[1.25, 1.0]), [1, 1], [4.0, 4.0]),
        # a hop that is down
        (network([0.0, 5.0], [[0, 1], [1]]), [1, 1], [0.0, 5.0]),
        # twice through the same hop, and no hop at all
        (network([6.0], [[0, 0], []], cap=[99, 5]), [1, 1], [3.0, 5.0]),
    ],
)
def test_examples_by_hand(net, count, rate):
    count = np.array(count, np.int64)
    found = fair_rates(net, count)
    np.testing.assert_allclose(found, rate, rtol=1e-15)
    assert_fair(net, found, count)


def test_without_counts_every_class_is_one_flow():
    rate = np.empty(3)
    assert max_min(*PARKING_LOT.arrays, rate) == SOLVED
    assert rate.tolist() == [2.0, 8.0, 2.0]


def test_a_class_that_nothing_limits_is_reported():
    net = network([np.inf, 5.0], [[0], [1]])
    rate = np.empty(2)
    assert max_min(*net.arrays, rate) == UNBOUNDED
    assert rate.tolist() == [np.inf, 5.0]


@pytest.mark.parametrize(
    "rate",
    [
        [2.1, 7.9, 2.0],  # hop 1 is over its capacity
        [2.0, 8.0, 1.9],  # class 2 is not limited by anything
        [1.5, 8.5, 2.5],  # hop 1 is full, but class 0 is slower there than class 2
        [2.0, 8.0, -0.1],
    ],
)
def test_certificate_refuses_what_is_not_fair(rate):
    assert violations(PARKING_LOT, np.array([2.0, 8.0, 2.0]), ones(PARKING_LOT)) == 0
    assert violations(PARKING_LOT, np.array(rate), ones(PARKING_LOT)) > 0


def check_against_programmes(seed, networks):
    rng = np.random.default_rng(seed)
    for _ in range(networks):
        net = random_network(rng, hops_max=8, classes_max=9)
        count = random_counts(rng, net.weight.size)
        rate = fair_rates(net, count)
        np.testing.assert_allclose(rate, lexicographic_rates(net, count), rtol=1e-9, atol=1e-12)
        assert_fair(net, rate, count)


def test_rates_equal_those_of_linear_programmes():
    check_against_programmes(seed=1, networks=200)


@pytest.mark.validate
def test_rates_equal_those_of_linear_programmes_on_2000_networks():
    check_against_programmes(seed=2, networks=2_000)


@given(SEEDS)
def test_rates_are_fair_and_do_not_depend_on_how_things_are_written_down(seed):
    rng = np.random.default_rng(seed)
    net = random_network(rng)
    count = random_counts(rng, net.weight.size)
    rate = fair_rates(net, count)
    assert_fair(net, rate, count)
    # other units of rate
    scaled = fair_rates(net.in_units(1e9), count)
    np.testing.assert_allclose(scaled, rate * 1e9, rtol=1e-9)
    # a class of flows or many classes of one flow
    some = np.minimum(count, 4)
    owner = np.repeat(np.arange(some.size), some)
    if owner.size:
        rows = [slice(net.ptr[c], net.ptr[c + 1]) for c in owner]
        split = network(
            net.capacity,
            [net.hop[row] for row in rows],
            weight=net.weight[owner],
            cap=net.cap[owner],
            use=np.concatenate([net.use[row] for row in rows]),
        )
        np.testing.assert_allclose(fair_rates(split), fair_rates(net, some)[owner], rtol=1e-9)


# --- incremental --------------------------------------------------------------------------------


def walk(seed, steps, work_max=None):
    """Change counts at random; yield the network, its counts and its `Sharing` at each step."""
    rng = np.random.default_rng(seed)
    net = random_network(rng, hops_max=12)
    sharing = solved_sharing(net)
    if work_max is not None:
        sharing.tally["work_max"] = work_max
    count = np.zeros(net.weight.size, np.int64)
    is_wild = rng.random() < 0.3
    for _ in range(steps):
        c = int(rng.integers(count.size))
        step = rng.choice([-9, -1, -1, 1, 1, 3])
        count[c] = rng.integers(0, 1000) if is_wild else max(count[c] + step, 0)
        assert set_count(sharing, c, count[c]) == SOLVED
        yield net, count, sharing


@given(SEEDS)
def test_changing_one_count_gives_the_full_solution(seed):
    for net, count, sharing in walk(seed, steps=60):
        rate = np.empty(count.size)
        bottleneck = np.empty(count.size, np.int64)
        rates(net.weight, sharing, rate, bottleneck)
        np.testing.assert_allclose(rate, fair_rates(net, count), rtol=1e-11)
        assert_fair(net, rate, count)
        assert sharing.tally["full_solutions"] == 1  # nothing was solved from scratch
        load = net.load(rate, count)
        for c in np.flatnonzero((count > 0) & (bottleneck != OWN_CAP)):
            assert load[bottleneck[c]] >= net.capacity[bottleneck[c]] * (1.0 - PROOF) or (
                count[c] * rate[c] < net.cap[c] * count[c]
            )
        forget_changes(sharing)


def test_changes_are_named():
    # hop 1 carries 7: classes 0 and 2 get 3.5 there, class 1 gets 6.5 of hop 0
    sharing = solved_sharing(network([10.0, 7.0], [[0, 1], [0], [1]]))
    for c in range(3):
        set_count(sharing, c, 1)
    assert sharing.flow_class["limit"].tolist() == [1, 0, 1]
    forget_changes(sharing)
    set_count(sharing, 2, 0)  # now hop 0 gives 5 to either class, and hop 1 is not full
    tally = sharing.tally[0]
    assert set(sharing.changed[: tally["changed_count"]].tolist()) == {0, 1}
    assert sharing.moved[: tally["moved_count"]].tolist() == [0]
    assert sharing.flow_class["limit_before"][0] == 1
    assert sharing.flow_class["limit"].tolist() == [0, 0, IDLE]
    assert sharing.limit["level"][:2].tolist() == [5.0, np.inf]


def test_a_change_within_the_brackets_touches_the_route_only():
    sites = 50
    net = network([1.0] * sites + [10.0], [[s, sites] for s in range(sites)])
    sharing = solved_sharing(net)
    for s in range(sites):
        set_count(sharing, s, 10)  # 500 flows of 0.02: the shared hop is full, sites are not
    refills = []
    for _ in range(3):
        for s in range(sites):
            set_count(sharing, s, 11)
            set_count(sharing, s, 10)
        refills.append(int(sharing.tally["refills"][0]))
    assert refills[0] <= 2 * sites  # brackets from the time of the ascent, put right once
    assert refills[1:] == [refills[0]] * 2


def test_more_work_than_expected_leads_to_a_full_solution():
    solutions = 0
    for net, count, sharing in walk(seed=4, steps=40, work_max=0):
        rate, bottleneck = np.empty(count.size), np.empty(count.size, np.int64)
        rates(net.weight, sharing, rate, bottleneck)
        np.testing.assert_allclose(rate, fair_rates(net, count), rtol=1e-12)
        forget_changes(sharing)
        solutions = sharing.tally["full_solutions"][0]
    assert solutions > 1


def test_hops_that_never_fill_first_are_left_out():
    # hop 1 is as wide as hop 0 and carries the same; hop 2 is wide; hop 3 has two classes
    net = network([2.0, 2.0, 9.0, 5.0], [[0, 1, 2, 3], [3]])
    sharing = solved_sharing(net)
    assert sharing.hop["is_left_out"].tolist().count(1) == 2
    assert sharing.hop["is_left_out"][[2, 3]].tolist() == [1, 0]


# --- inelastic ----------------------------------------------------------------------------------


def serve(capacity, offered, routes, use=None):
    net = network(capacity, routes, use=use)
    passed, residual = np.empty(net.capacity.size), np.empty(net.capacity.size)
    delivered = np.empty(len(routes))
    status = serve_inelastic(
        net.capacity,
        np.array(offered, float),
        net.ptr,
        net.hop,
        net.use,
        passed,
        delivered,
        residual,
    )
    return status, passed, delivered, residual


def test_a_full_hop_loses_the_same_share_of_all():
    # 12 arrive at a hop of 9: a quarter is lost of either stream; hop 1 sees what is left
    status, passed, delivered, residual = serve([9.0, 10.0], [4.0, 8.0], [[0, 1], [0]])
    assert status == SOLVED
    assert passed.tolist() == [0.75, 1.0]
    assert delivered.tolist() == [3.0, 6.0]
    assert residual.tolist() == [0.0, 7.0]


def test_loss_upstream_relieves_the_hop_downstream():
    # hop 0: 8 arrive, 4 pass; hop 1: 4 + 4 arrive, 6 pass
    status, passed, delivered, _ = serve([4.0, 6.0], [8.0, 4.0], [[0, 1], [1]])
    assert status == SOLVED
    np.testing.assert_allclose(passed, [0.5, 0.75], rtol=1e-14)
    np.testing.assert_allclose(delivered, [3.0, 3.0], rtol=1e-12)


def test_streams_that_feed_each_other_in_a_ring():
    # symmetric: pass p = 1 / (1 + p), the golden ratio's inverse
    status, passed, delivered, _ = serve([1.0, 1.0], [1.0, 1.0], [[0, 1], [1, 0]])
    golden = (5.0**0.5 - 1.0) / 2.0
    assert status == SOLVED
    np.testing.assert_allclose(passed, golden, rtol=1e-12)
    np.testing.assert_allclose(delivered, golden**2, rtol=1e-12)


@given(SEEDS)
def test_inelastic_streams_load_no_hop_above_capacity_and_nothing_appears(seed):
    rng = np.random.default_rng(seed)
    net = random_network(rng)
    offered = rng.uniform(0.0, 6.0, net.weight.size)
    routes = np.split(net.hop, net.ptr[1:-1])
    status, passed, delivered, residual = serve(net.capacity, offered, routes, net.use)
    assert status in (SOLVED, NOT_CONVERGED)
    assert status == SOLVED
    arriving = np.zeros(net.capacity.size)
    for s, route in enumerate(routes):
        flowing = offered[s]
        for p, h in zip(range(net.ptr[s], net.ptr[s + 1]), route, strict=True):
            arriving[h] += flowing * net.use[p]
            flowing *= passed[h]
        np.testing.assert_allclose(delivered[s], flowing, rtol=1e-9)
    np.testing.assert_allclose(passed, np.minimum(1.0, net.capacity / np.maximum(arriving, 1e-300)))
    np.testing.assert_allclose(residual + arriving * passed, net.capacity, rtol=1e-9)
    assert np.all(residual[passed < 1.0] == 0.0)


def test_elastic_flows_share_what_is_left():
    _, _, delivered, residual = serve([10.0, 3.0], [4.0, 1.0], [[0], [0, 1]])
    net = network(residual, [[0], [0, 1]])
    rate = fair_rates(net)
    assert delivered.tolist() == [4.0, 1.0]
    assert rate.tolist() == [3.0, 2.0]
