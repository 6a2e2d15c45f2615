"""Epochs and verbs: what a change does to packets, each rule by a case worked by hand.

One packet of 1,000 bytes takes 1 ms at 8 Mbit/s. Packets come at exact instants from 0 on.
"""

import numpy as np
import pytest

from kernels import layout
from simulator import engine
from simulator.base.errors import PlanError
from simulator.plan import FORWARD, RETURN
from simulator.plan_builder import PlanBuilder
from tests.kernels.networks import Case, check_conservation, data_plane, digest, play, under_way
from tests.kernels.test_packets import MS, by_hand, every

RATE_BPS = 8e6
PER_BYTE = 10**6 << layout.PER_BYTE_SHIFT
"""Fixed-point time per byte at 8 Mbit/s."""


def arrivals_ms(plane):
    """When each packet under way reaches its next place, in milliseconds."""
    return [time_ps / MS for _, time_ps, *_ in under_way(plane)]


def server(**arguments):
    return {"name": "h", "rate_bps": RATE_BPS, **arguments}


def four_packets(**arguments):
    """Four packets at once would tie; these come each 0.1 ms, and the hop works on them 4 ms."""
    return every(0.1e-3, 1000, ["h"], stop_s=0.35e-3, **arguments)


# ---- time --------------------------------------------------------------------------------------


def test_advance_to_now_does_nothing():
    plane = by_hand([server()], [four_packets()])
    plane.advance(2 * MS)
    before = digest(plane)
    for until_ps in (2 * MS, MS, 0):
        plane.advance(until_ps)
        assert plane.now_ps == 2 * MS
        assert digest(plane) == before


def test_arrival_exactly_at_the_end_of_an_epoch_has_not_happened():
    plane = by_hand([server(delay_s=1e-3)], [every(5e-3, 1000, ["h"])])
    plane.advance(5 * MS)
    assert plane.counter[0]["sent_packets"] == 1
    plane.advance(5 * MS + 1)
    assert plane.counter[0]["sent_packets"] == 2
    assert plane.counter[0]["delivered_packets"] == 1


def test_last_bin_may_be_short_and_bins_add_up():
    plane = by_hand([server()], [every(1e-3, 500, ["h"])], horizon_s=0.1, time_bin_s=0.03)
    plane.advance(plane.plan.horizon_ps)
    log = plane.finish(0.0)
    assert (log.bin_end_ps / MS).tolist() == [30, 60, 90, 100]
    assert log.counter["sent_packets"][:, 0].tolist() == [30, 30, 30, 10]
    assert log.counter["delivered_packets"].sum() == log.total["delivered_packets"].sum()
    assert log.hop_busy_ps.sum() == log.hop["busy_ps"].sum()


def test_engine_with_many_idle_epochs_leaves_the_same_log():
    def idle(world):
        while True:
            yield world.wait_until_ps(world.now_ps + 77_777_777)
            world.link_up([])  # catches up, changes nothing

    logs = []
    for processes in ([], [idle]):
        builder = PlanBuilder(scenario="idle", seed=2, horizon_s=0.2, time_bin_s=0.05)
        hops = [
            builder.server("up", rate_bps=5e6, buffer_bytes=9e3),
            builder.path("wan", delay_s=4e-3, loss_ratio=0.01),
        ]
        back = builder.path("back", RETURN, delay_s=4e-3)
        stream = builder.stream("bulk", "tcp", "a", "b")
        routes = [builder.route(stream, FORWARD, hops)], [builder.route(stream, RETURN, [back])]
        builder.tcp(
            stream, *routes, segment_bytes=1400, mss_bytes=1348, ack_bytes=52, window_bytes=1e5
        )
        for process in processes:
            builder.process("idle", process)
        logs.append(engine.run(builder.build()))
    alone, cut = logs
    assert alone.total["delivered_packets"][0] > 50
    for name in ("counter", "dropped_packets", "latency_ps", "hop_busy_ps", "histogram", "hop"):
        mine, theirs = getattr(alone, name), getattr(cut, name)
        if name == "hop":  # where a ring lies and how far it has turned are no results
            names = ("served_packets", "served_bytes", "busy_ps", "wait_max_ps", "free_at_ps")
            mine, theirs = mine[list(names)].tolist(), theirs[list(names)].tolist()
            assert mine == theirs
        else:
            assert mine.tobytes() == theirs.tobytes(), name


# ---- link down and up --------------------------------------------------------------------------


def test_link_down_drops_the_queue_and_the_packet_in_service_but_not_those_on_their_way():
    """Departures at 1, 2, 3, 4 ms, then 5 ms of delay; down at exactly 2 ms: two have left."""
    plane = by_hand([server(delay_s=5e-3)], [four_packets()])
    plane.advance(2 * MS)
    plane.set_up(0, False)
    assert arrivals_ms(plane) == [6, 7]
    assert plane.hop_dropped[0, layout.PATH_DOWN] == 2
    assert plane.state[0]["served_packets"] == 2
    assert plane.state[0]["busy_ps"] == 2 * MS
    plane.advance(10 * MS)
    assert plane.counter[0]["delivered_packets"] == 2
    check_conservation(plane)


def test_packet_in_service_is_lost_in_part():
    plane = by_hand([server(delay_s=5e-3)], [four_packets()])
    plane.advance(5 * MS // 2)  # half of the third is out
    plane.set_up(0, False)
    assert plane.hop_dropped[0, layout.PATH_DOWN] == 2
    assert plane.state[0]["busy_ps"] == 5 * MS // 2


@pytest.mark.parametrize("kind", ["server", "path"])
def test_arrivals_at_the_very_instants_of_down_and_up_see_the_new_state(kind):
    """Packets at 0, 1, ... 9 ms; down at 3 and up at 7 ms: 3, 4, 5 and 6 are lost."""
    hop = server() if kind == "server" else {"name": "h", "kind": "path", "delay_s": 0.5e-3}
    plane = by_hand([hop], [every(1e-3, 100, ["h"], stop_s=9.5e-3)])
    plane.advance(3 * MS)
    plane.set_up(0, False)
    plane.advance(7 * MS)
    plane.set_up(0, True)
    plane.advance(20 * MS)
    assert plane.hop_dropped[0, layout.PATH_DOWN] == 4
    assert plane.counter[0]["delivered_packets"] == 6


@pytest.mark.parametrize("inner", ["fused", "merged"])
def test_what_arrives_from_another_hop_at_the_instant_of_a_change_sees_the_new_state(inner):
    """Departures at 1, 2, 3, 4 ms; the next hop goes down at exactly 3 ms: two have passed it."""
    hops = [server(), {"name": "end", "kind": "path", "delay_s": 5e-3}]
    streams = [every(0.1e-3, 1000, ["h", "end"], stop_s=0.35e-3)]
    if inner == "merged":  # a second way into the path keeps it in a segment of its own
        streams.append(every(90e-3, 100, ["end"], "t", start_s=80e-3))
    plane = by_hand(hops, streams)
    plane.advance(3 * MS)
    plane.set_up(1, False)
    plane.advance(10 * MS)
    assert plane.hop_dropped[1, layout.PATH_DOWN] == 2
    assert plane.counter[0]["delivered_packets"] == 2


def test_link_comes_up_with_an_empty_queue():
    """Four queued packets are lost; the one that comes at 2 ms after up at 1.5 ms does not wait."""
    plane = by_hand([server()], [four_packets(), every(2e-3, 1000, ["h"], "t", start_s=2e-3)])
    plane.advance(MS)
    plane.set_up(0, False)
    plane.advance(3 * MS // 2)
    plane.set_up(0, True)
    plane.advance(2 * MS + 1)
    assert arrivals_ms(plane) == [3]


def test_down_and_up_at_one_instant_only_empty_the_queue():
    plane = by_hand([server()], [four_packets(), every(50e-3, 1000, ["h"], "t", start_s=1e-3)])
    plane.advance(MS)
    for is_up in (False, False, True, True):
        plane.set_up(0, is_up)
    plane.advance(MS + 1)
    assert plane.hop_dropped[0, layout.PATH_DOWN] == 3
    assert arrivals_ms(plane) == [2]


# ---- capacity ----------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [{}, {"buffer_bytes": 4000}, {"buffer_s": 1.0}])
def test_capacity_change_keeps_the_speed_of_the_packet_in_service(limits):
    """At 1.5 ms the second packet is half out: done at 2 as before. Then 2 ms each: 4 and 6 ms."""
    plane = by_hand([server(delay_s=5e-3, **limits)], [four_packets()])
    plane.advance(3 * MS // 2)
    plane.set_service(0, per_byte=2 * PER_BYTE)
    assert arrivals_ms(plane) == [6, 7, 9, 11]
    assert plane.state[0]["busy_ps"] == 6 * MS
    plane.advance(2 * MS)  # the third is in service now and keeps its 2 ms
    plane.set_service(0, per_byte=PER_BYTE // 2)
    assert arrivals_ms(plane) == [6, 7, 9, 9.5]
    plane.advance(plane.plan.horizon_ps)
    assert plane.counter[0]["delivered_packets"] == 4
    assert plane.state[0]["busy_ps"] == 4.5 * MS


def test_capacity_change_moves_when_there_is_room_again():
    """Room for two packets; done at 1 and 2 ms, or, slower from 0.5 ms on, at 1 and 3 ms."""
    streams = [
        every(0.1e-3, 1000, ["h"], "a", stop_s=0.15e-3),
        every(50e-3, 1000, ["h"], "b", start_s=2.5e-3),
        every(50e-3, 1000, ["h"], "c", start_s=2.6e-3),
    ]
    for per_byte, dropped in ((PER_BYTE, 0), (2 * PER_BYTE, 1)):
        plane = by_hand([server(buffer_bytes=2000)], streams)
        plane.advance(MS // 2)
        plane.set_service(0, per_byte=per_byte)
        plane.advance(10 * MS)
        assert plane.hop_dropped[0, layout.BUFFER_FULL] == dropped


def test_capacity_change_with_more_in_the_queue_than_its_ring_holds():
    """300 packets came in 30 ms and 30 have left; the one in service is done at 31 ms."""
    plane = data_plane(
        by_hand(
            [server(buffer_bytes=1e6, delay_s=1e-3)],
            [every(0.1e-3, 1000, ["h"], stop_s=30.05e-3)],
        ).plan,
        ring=2,
    )
    plane.advance(30 * MS)
    plane.set_service(0, per_byte=PER_BYTE // 2)
    assert arrivals_ms(plane)[-1] == 31 + 269 / 2 + 1
    assert plane.state[0]["queue_bytes"] == 270_000


# ---- paths -------------------------------------------------------------------------------------


def test_nobody_overtakes_when_a_path_becomes_shorter():
    """Sent at 0, 1, 2 ms over 10 ms; from 1.5 ms on over 2 ms: the third would arrive at 4 ms."""
    path = {"name": "h", "kind": "path", "delay_s": 10e-3}
    plane = by_hand([path], [every(1e-3, 100, ["h"], stop_s=2.5e-3)])
    plane.advance(3 * MS // 2)
    plane.set_path(0, delay_ps=2 * MS)
    plane.advance(3 * MS)
    assert [row[1] for row in under_way(plane)] == [10 * MS, 11 * MS, 11 * MS + 1]


def test_overtaking_where_it_is_allowed():
    path = {
        "name": "h",
        "kind": "path",
        "delay_s": 10e-3,
        "jitter_quantiles_s": [0, 0],
        "jitter_interval_s": 1,
    }
    plane = by_hand([path | {"may_reorder": True}], [every(1e-3, 100, ["h"], stop_s=2.5e-3)])
    plane.advance(3 * MS // 2)
    plane.set_path(0, delay_ps=2 * MS)
    plane.advance(3 * MS)
    assert arrivals_ms(plane) == [4, 10, 11]
    plane.advance(5 * MS)
    assert plane.counter[0]["delivered_packets"] == 1


def test_loss_from_an_instant_on():
    path = {"name": "h", "kind": "path", "delay_s": 1e-3}
    plane = by_hand([path], [every(1e-3, 100, ["h"], stop_s=9.5e-3)])
    plane.advance(4 * MS)
    plane.set_path(0, loss_threshold=2**64 - 1)
    plane.advance(8 * MS)
    plane.set_path(0, loss_threshold=0)
    plane.advance(20 * MS)
    assert plane.hop_dropped[0, layout.RANDOM_LOSS] == 4
    assert plane.counter[0]["delivered_packets"] == 6


def test_delay_and_loss_of_a_server_are_no_business_of_set_path():
    plane = by_hand([server()], [four_packets()])
    with pytest.raises(PlanError, match="h is not a path"):
        plane.set_path(0, delay_ps=MS)


def test_cycle_must_keep_its_delay():
    hops = [{"name": "there", "kind": "path", "delay_s": 1e-3}]
    stream = {
        "name": "t",
        "kind": "tcp",
        "route": ["there"],
        "ack_route": ["there"],
        "segment_bytes": 1400,
        "mss_bytes": 1348,
        "ack_bytes": 52,
        "window_bytes": 1e5,
    }
    plane = by_hand(hops, [stream])
    plane.advance(10 * MS)
    plane.set_path(0, delay_ps=MS // 10)
    plane.advance(20 * MS)
    assert plane.counter[0]["delivered_packets"] > 0
    check_conservation(plane)
    with pytest.raises(PlanError, match="lost its delay: there"):
        plane.set_path(0, delay_ps=0)
    with pytest.raises(PlanError, match="cycle without any delay: there"):
        by_hand([hops[0] | {"delay_s": 0.0}], [stream])


# ---- policer -----------------------------------------------------------------------------------


def test_policer_by_hand():
    """A bucket of 2 ms at 1 ms a packet, one each 0.5 ms: it drains by half a packet each time.

    At     0   0.5  1.0  1.5  2.0  2.5  3.0  3.5 ms
    debt   0   0.5  1.0  1.5  2.0  2.5  2.0  2.5 ms
    fate   ok  ok   ok   ok   ok   -    ok   -        a debt of exactly the bucket is accepted
    """
    plane = by_hand(
        [server(policer_burst_s=2e-3, delay_s=1e-3)],
        [every(0.5e-3, 1000, ["h"], stop_s=3.75e-3)],
    )
    plane.advance(4 * MS)
    assert plane.hop_dropped[0, layout.POLICED] == 2
    assert plane.counter[0]["delivered_packets"] == 5  # those up to 2 ms, each 1 ms later
    assert arrivals_ms(plane) == [4]


# ---- routes and sources ------------------------------------------------------------------------


def two_ways(routes=2):
    builder = PlanBuilder(scenario="ways", seed=1, horizon_s=0.1, time_bin_s=0.1)
    lan = builder.server("lan", rate_bps=80e6)
    ways = [builder.path(f"way{n}", delay_s=(n + 1) * 5e-3) for n in range(routes)]
    stream = builder.stream("s", "open", "a", "b")
    chosen = [builder.route(stream, FORWARD, [lan, way]) for way in ways]
    builder.constant(stream, FORWARD, chosen, sizes_bytes=[1000], packets_per_s=1000, phase="exact")
    return data_plane(builder.build())


def test_packet_keeps_the_route_it_started_with():
    """Over way 0 until 2 ms, then way 1; the packet of 2 ms itself takes the new one."""
    plane = two_ways()
    plane.advance(2 * MS)
    plane.set_source_route(0, 1)
    plane.advance(4 * MS)
    rows = [(h, time_ps / MS) for h, time_ps, *_ in under_way(plane)]
    assert rows == [(1, 5.1), (1, 6.1), (2, 12.1), (2, 13.1)]


def test_without_route_packets_are_sent_and_dropped():
    plane = two_ways()
    plane.advance(2 * MS)
    plane.set_source_route(0, None)
    plane.advance(5 * MS)
    plane.set_source_route(0, 0)
    plane.advance(20 * MS)
    assert plane.dropped_packets[0, layout.NO_ROUTE] == 3
    assert plane.counter[0]["sent_packets"] == 20
    check_conservation(plane)


def test_changes_at_one_instant_are_one_epoch_in_any_order_of_different_things():
    results = set()
    changes = [
        lambda plane: plane.set_up(1, False),
        lambda plane: plane.set_source_route(0, 1),
        lambda plane: plane.set_service(0, per_byte=PER_BYTE),
    ]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        plane = two_ways()
        script = [(10 * MS, str(n), changes[n]) for n in order]
        play(Case(plane.plan, script), plane)
        results.add(digest(plane))
    assert len(results) == 1


def test_long_stretch_is_done_in_pieces():
    """A kernel call pauses after some millions of packets; the next one goes on from there."""
    plane = by_hand(
        [server(rate_bps=8e9)], [every(1e-6, 500, ["h"])], horizon_s=4.0, time_bin_s=4.0
    )
    ticks = []
    plane.advance(plane.plan.horizon_ps, ticks.append)
    assert len(ticks) > 1
    assert ticks == sorted(ticks)
    assert plane.counter[0]["sent_packets"] == 4_000_000
    assert plane.counter[0]["delivered_packets"] == 4_000_000
    assert np.count_nonzero(plane.run_histogram[0]) == 1
