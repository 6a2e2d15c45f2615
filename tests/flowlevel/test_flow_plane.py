"""The data plane of the flow level by hand, and its promises: sums, cuts, changes."""

from dataclasses import replace

import numpy as np
import pytest

from kernels import layout
from simulator import engine
from simulator.base.errors import PlanError
from simulator.flowlevel import FlowPlane
from simulator.flowlevel.calendar import factor_at, next_step_ps
from simulator.flowlevel.tcp import transfer_delay_s
from simulator.metrics.accounting import imbalances
from simulator.plan import (
    FORWARD,
    PS_PER_S,
    RETURN,
    Distribution,
    Encapsulation,
    Profile,
    to_ps,
)
from simulator.plan_builder import PlanBuilder, plan_from_hops
from simulator.result import Result
from tests.flowlevel.cases import at_flow_level, planned

MBIT = 1e6
TCP = {"segment_bytes": 1400, "mss_bytes": 1348, "ack_bytes": 52, "window_bytes": 1e6}
HOPS = [
    {"name": "link", "rate_bps": 100 * MBIT, "buffer_s": 0.02},
    {"name": "there", "kind": "path", "delay_s": 0.01},
    {"name": "back", "kind": "path", "delay_s": 0.01},
]
CLOSED = {"kind": "tcp", "route": ["link", "there"], "ack_route": ["back"], **TCP}


def by_hand(*streams, hops=HOPS, horizon_s=20.0, **more):
    plan = plan_from_hops(hops, list(streams), horizon_s=horizon_s, warm_up_s=5.0, **more)
    return replace(plan, fidelity="flow")


def goodput_bps(plan, log):
    counted = log.bin_start_ps >= plan.warm_up_ps
    time_s = (log.bin_end_ps - log.bin_start_ps)[counted].sum() / PS_PER_S
    return log.counter["goodput_bytes"][counted].sum(axis=0) * 8.0 / time_s


def direction(plan, name, which=FORWARD):
    return next(
        d
        for d, where in enumerate(plan.directions)
        if plan.streams[where.stream_idx].name == name and where.direction == which
    )


# --- by hand ------------------------------------------------------------------------------------


def test_a_window_bounds_a_flow():
    # 100 segments of 1,348 bytes in a round trip of 20 ms and a service of 1,400 bytes at
    # 100 Mbit/s; at 55 % a packet waits 0.07 ms, which makes it 0.35 % longer
    plan = by_hand({"name": "one", **CLOSED, "window_bytes": 134_800})
    log = engine.run(plan)
    expected = 134_800 * 8 / (0.02 + 1400 * 8 / 100e6)
    assert goodput_bps(plan, log)[direction(plan, "one")] == pytest.approx(expected, rel=5e-3)


def test_equal_flows_share_what_open_loop_leaves():
    # 40 of 100 Mbit/s are taken; three flows get a third of 60 x 1348 / 1400 each
    plan = by_hand(
        {"name": "a", **CLOSED, "flows": 2},
        {"name": "b", **CLOSED},
        {"name": "open", "route": ["link", "there"], "sizes_bytes": [1000], "rate_bps": 40 * MBIT},
    )
    log = engine.run(plan)
    rate = goodput_bps(plan, log)
    third = 60 * MBIT * 1348 / 1400 / 3
    assert rate[direction(plan, "a")] == pytest.approx(2 * third, rel=1e-3)
    assert rate[direction(plan, "b")] == pytest.approx(third, rel=1e-3)
    assert rate[direction(plan, "open")] == pytest.approx(40 * MBIT, rel=2e-3)  # a few are refused


def test_open_loop_waits_as_md1():
    # 1,000 bytes at 8 Mbit/s: S = 1 ms; rho = 0.5: W = 0.5 ms; 1 + 0.5 + 10 ms
    hops = [{"name": "link", "rate_bps": 8 * MBIT}, HOPS[1]]
    stream = {"name": "p", "route": ["link", "there"], "sizes_bytes": [1000], "rate_bps": 4 * MBIT}
    plan = by_hand(stream, hops=hops)
    found = Result(plan, engine.run(plan)).streams.iloc[0]
    assert found["latency_s_mean"] == pytest.approx(11.5e-3, rel=1e-6)
    # half of the packets do not wait; of the others the 98th percentile of Exp(1 ms) for p99
    assert found["latency_s_p99"] == pytest.approx(11e-3 + 1e-3 * np.log(50), rel=0.05)


def test_packets_per_second_bound_small_packets():
    # 10,000 packets/s of 100 bytes pass 8 of the 16 Mbit/s that are offered
    hops = [{"name": "link", "rate_bps": 100 * MBIT, "packets_per_s": 10_000, "buffer_s": 0.02}]
    stream = {"name": "p", "route": ["link"], "sizes_bytes": [100], "rate_bps": 16 * MBIT}
    plan = by_hand(stream, hops=hops)
    log = engine.run(plan)
    assert goodput_bps(plan, log)[0] == pytest.approx(8 * MBIT, rel=1e-6)
    dropped = log.dropped_packets_total[0, layout.BUFFER_FULL]
    assert dropped == pytest.approx(log.total["sent_packets"][0] / 2, abs=2)


def builder(**more):
    return PlanBuilder(
        scenario="by-hand", seed=1, horizon_s=20.0, time_bin_s=1.0, fidelity="flow", **more
    )


def test_what_does_not_fit_is_dropped_before_it_is_served():
    made = builder()
    link = made.server("link", rate_bps=100 * MBIT)
    stream = made.stream("p", "poisson", "a", "b")
    narrow = Encapsulation(fixed_bytes=60, mtu_bytes=1000)
    route = made.route(stream, FORWARD, [link, made.path("wan", delay_s=0.0)], [narrow, narrow])
    made.poisson(stream, FORWARD, [route], sizes_bytes=[900, 1400], weights=[3, 1], rate_bps=MBIT)
    log = engine.run(made.build())
    sent = log.total["sent_packets"][0]
    assert log.dropped_packets_total[0, layout.MTU_EXCEEDED] == pytest.approx(sent / 4, abs=2)
    assert log.dropped_bytes_total[0].sum() == pytest.approx(1400 * sent / 4, rel=1e-3)
    assert log.hop["served_packets"][0] == pytest.approx(sent * 3 / 4, abs=2)


# --- transfers ----------------------------------------------------------------------------------


def transfers(**more):
    made = PlanBuilder(
        scenario="by-hand", seed=3, horizon_s=20_000.0, time_bin_s=500.0, fidelity="flow"
    )
    link = made.server("link", rate_bps=10 * MBIT, buffer_s=0.02)
    stream = made.stream("t", "transfers", "a", "b")
    data = made.route(stream, FORWARD, [link, made.path("there", delay_s=1e-4)])
    ack = made.route(stream, RETURN, [made.path("back", RETURN, delay_s=1e-4)])
    made.transfers(stream, [data], [ack], **TCP, **more)
    plan = made.build()
    return plan, engine.run(plan)


def test_transfers_share_a_hop_as_processor_sharing():
    # load 0.5: E[T] = E[S] / (1 - 0.5), with S = 1 MB x 1400 / 1348 at 10 Mbit/s
    size = Distribution("exponential", (1e6,))
    plan, log = transfers(size=size, arrivals_per_s=0.5 * 10 * MBIT / 8e6 * 1348 / 1400)
    assert log.transfers["completed"][0] > 11_000
    expected = 2.0 * 8e6 / (10 * MBIT) * 1400 / 1348
    assert log.transfers["time_s_mean"][0] == pytest.approx(expected, rel=0.08)
    assert imbalances(plan, log) == []


def test_users_think_between_transfers():
    # alone: 1 MB takes 0.831 s, then 10 s of thought
    think = Distribution("constant", (10.0,))
    _, log = transfers(size=Distribution("constant", (1e6,)), users=1, think=think)
    cycle_s = 10.0 + 8e6 / (10 * MBIT) * 1400 / 1348
    assert log.transfers["completed"][0] == pytest.approx(20_000 / cycle_s, abs=2)


def test_slow_start_costs_round_trips():
    # 10 segments are one round, 30 are two; the last byte takes half a round trip more
    sizes = np.array([10.0, 30.0]) * 1348
    delay_s = transfer_delay_s(sizes, 1e9, 0.1, 1348 * 8.0, 10, 0.1)
    np.testing.assert_allclose(delay_s, [0.1 + 0.05 + 0.1, 0.1 + 0.05 + 0.2], atol=1e-3)


def test_a_profile_scales_users_and_rates():
    steps = Profile(10_000.0, (0.0, 5_000.0), (0.0, 1.0))
    size = Distribution("constant", (1e5,))
    _, log = transfers(size=size, arrivals_per_s=1.0, profile=steps)
    by_bin = log.counter["goodput_bytes"][:, 0]
    busy = (log.bin_start_ps // PS_PER_S) % 10_000 >= 5_000
    assert by_bin[~busy].max() < 3e5  # what was under way when the factor fell
    assert by_bin[busy].sum() == pytest.approx(1e5 * 10_000, rel=0.05)


def test_profiles_know_their_steps_and_grow_from_month_to_month():
    week = Profile(
        7 * 86_400.0, tuple(86_400.0 * d for d in range(7)), (1, 1, 1, 1, 1, 0.5, 0), 0.1
    )
    assert factor_at(week, 0) == 1.0
    assert factor_at(week, to_ps(5.5 * 86_400.0)) == pytest.approx(0.5 * 1.1 ** (5 * 24 / 730))
    assert factor_at(week, to_ps(6.0 * 86_400.0)) == 0.0
    assert next_step_ps(week, to_ps(1.2 * 86_400.0)) == to_ps(2.0 * 86_400.0)


# --- promises -----------------------------------------------------------------------------------


FAULTY = "outage and a new tunnel"


def test_the_control_plane_is_that_of_the_packet_level():
    plan = planned(FAULTY, 1)
    found = [engine.run(p).events for p in (plan, replace(plan, fidelity="flow"))]
    assert found[0] == found[1]
    assert len(found[0]) > 10


@pytest.mark.parametrize("case", [FAULTY, "instance maintenance", "brown-out"])
def test_every_byte_is_accounted_for_and_no_hop_is_more_than_full(case):
    plan, log = at_flow_level(case)
    assert imbalances(plan, log) == []
    assert log.fidelity == "flow"
    busy = log.hop_busy_ps / (log.bin_end_ps - log.bin_start_ps)[:, None]
    assert busy.max() <= 1.0 + 1e-9
    assert busy.max() > 0.9


def test_where_a_run_is_cut_shows_in_no_bit():
    plan = by_hand(
        {"name": "a", **CLOSED, "flows": 3, "stagger_s": 0.7},
        {"name": "open", "route": ["link", "there"], "sizes_bytes": [1000], "rate_bps": 40 * MBIT},
    )
    whole, pieces = FlowPlane(plan), FlowPlane(plan)
    whole.advance(plan.horizon_ps)
    rng = np.random.default_rng(5)
    for until_ps in np.sort(rng.integers(0, plan.horizon_ps, 300)):
        pieces.advance(int(until_ps))
    pieces.advance(plan.horizon_ps)
    one, other = whole.finish(0.0), pieces.finish(0.0)
    assert one.counter.tobytes() == other.counter.tobytes()
    assert one.latency_ps.tobytes() == other.latency_ps.tobytes()
    assert one.hop_busy_ps.tobytes() == other.hop_busy_ps.tobytes()


def test_the_same_seed_gives_the_same_bits():
    logs = [at_flow_level("many sites, instance full", 7)[1] for _ in range(2)]
    assert logs[0].counter.tobytes() == logs[1].counter.tobytes()
    assert logs[0].histogram.tobytes() == logs[1].histogram.tobytes()


# --- changes ------------------------------------------------------------------------------------


def two_ways(flows):
    made = builder()
    links = [made.server(f"link-{n}", rate_bps=(n + 1) * 10 * MBIT, buffer_s=0.02) for n in (0, 1)]
    there = made.path("there", delay_s=0.01)
    stream = made.stream("bulk", "bulk-tcp", "a", "b")
    data = [made.route(stream, FORWARD, [link, there]) for link in links]
    ack = made.route(stream, RETURN, [made.path("back", RETURN, delay_s=0.01)])
    made.tcp(stream, data, [ack], flows=flows, **TCP)
    return made.build()


def carried_bps(plane, from_s, until_s):
    plane.advance(round(from_s * PS_PER_S))
    before = plane.served_bytes(0) + plane.served_bytes(1)
    plane.advance(round(until_s * PS_PER_S))
    return (plane.served_bytes(0) + plane.served_bytes(1) - before) * 8 / (until_s - from_s)


def test_flows_move_to_another_route_and_back_without_a_pause():
    plane = FlowPlane(two_ways(2))
    assert carried_bps(plane, 2.0, 4.0) == pytest.approx(10 * MBIT, rel=0.02)
    for f in range(2):
        plane.set_flow_route(f, data_position=1, which=("data",))
    assert carried_bps(plane, 4.0, 6.0) == pytest.approx(20 * MBIT, rel=0.02)
    for f in range(2):
        plane.set_flow_route(f, data_position=0, which=("data",))
    assert carried_bps(plane, 6.0, 8.0) == pytest.approx(10 * MBIT, rel=0.02)


def test_a_flow_without_route_waits_for_its_timeout():
    plane = FlowPlane(two_ways(1))
    plane.advance(5 * PS_PER_S)
    plane.set_flow_route(0, data_position=None, which=("data",))
    assert carried_bps(plane, 5.0, 8.0) == 0.0
    plane.set_flow_route(0, data_position=0, which=("data",))
    # timeouts of about 0.25 s double: at 0.3, 0.8, 1.8 and 3.7 s after the cut
    assert carried_bps(plane, 8.0, 8.4) == 0.0
    assert carried_bps(plane, 9.5, 10.5) == pytest.approx(10 * MBIT, rel=0.02)


def test_a_slower_server_and_a_longer_path_change_rates():
    plan = by_hand({"name": "one", **CLOSED, "window_bytes": 134_800})
    plane = FlowPlane(plan)
    plane.advance(5 * PS_PER_S)
    plane.set_path(1, delay_ps=PS_PER_S // 10)
    before = plane.served_bytes(0)
    plane.advance(10 * PS_PER_S)
    expected = 134_800 * 8 / (0.11 + 1400 * 8 / 100e6) * 1400 / 1348
    assert (plane.served_bytes(0) - before) * 8 / 5.0 == pytest.approx(expected, rel=2e-3)
    with pytest.raises(PlanError, match="is not a path"):
        plane.set_path(0, delay_ps=0)
    plane.set_service(0, per_byte=round(8e-6 * PS_PER_S) << layout.PER_BYTE_SHIFT)  # 1 Mbit/s
    before = plane.served_bytes(0)
    plane.advance(15 * PS_PER_S)
    # a buffer of 20 ms is small against 122 ms: it runs empty at times
    assert (plane.served_bytes(0) - before) * 8 / 5.0 == pytest.approx(0.97 * MBIT, rel=0.02)


def test_a_dead_hop_drops_open_loop_packets_and_comes_back():
    stream = {"name": "p", "route": ["link", "there"], "sizes_bytes": [1000], "rate_bps": 8 * MBIT}
    plan = by_hand({**stream, "kind": "constant", "phase": "exact"})
    plane = FlowPlane(plan)
    plane.advance(5 * PS_PER_S)
    plane.set_up(1, False)
    plane.advance(9 * PS_PER_S)
    plane.set_up(1, True)
    plane.advance(plan.horizon_ps)
    log = plane.finish(0.0)
    assert log.dropped_packets_total[0, layout.PATH_DOWN] == 4_000
    assert log.total["delivered_packets"][0] == 16_000
    assert plane.loss_ratio(0) == 0.0


def test_a_finite_flow_ends():
    plan = by_hand({"name": "one", **CLOSED, "size_bytes": 10e6})
    log = engine.run(plan)
    segments = -(-10_000_000 // 1348)
    assert log.total["goodput_bytes"][direction(plan, "one")] == pytest.approx(
        segments * 1348, rel=1e-6
    )


def test_flows_that_stop_give_up_what_is_left():
    plan = by_hand({"name": "one", **CLOSED, "stop_s": 10.0})
    log = engine.run(plan)
    carried = log.counter["goodput_bytes"][:, direction(plan, "one")]
    assert carried[9] > 0
    assert carried[10:].sum() == 0
