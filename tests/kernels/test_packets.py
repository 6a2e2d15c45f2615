"""The packet kernel against the oracle, and against itself cut into other pieces.

Nothing here is statistical: every comparison is of whole numbers, bit by bit.
"""

import numpy as np
import pytest

from kernels import layout
from simulator.dataplane import DataPlane
from simulator.plan import FORWARD, RETURN, Encapsulation, GilbertElliott, Plan
from simulator.plan_builder import PlanBuilder, plan_from_hops
from tests.kernels.networks import (
    Case,
    check_conservation,
    data_plane,
    differences,
    digest,
    overtaking_case,
    play,
    random_case,
    under_way,
)
from tests.kernels.oracle import Oracle

QUICK = range(60)
FAST = range(1000, 1006)
"""Seeds of networks with ten times the traffic: blocks of packets, rings that wrap, crowds."""
LONG = range(2000, 2400)
MS = 10**9
"""A millisecond in picoseconds."""


def check_equals_oracle(case: Case) -> None:
    plane, oracle = data_plane(case.plan), Oracle(case.plan)
    seen, expected = play(case, plane), play(case, oracle)
    assert differences(case, plane, oracle) == []
    for look, (mine, theirs) in enumerate(zip(seen, expected, strict=True)):
        assert mine == theirs, f"under way at look {look}"
    check_conservation(plane)


@pytest.mark.parametrize("seed", QUICK)
def test_random_network_equals_oracle(seed):
    check_equals_oracle(random_case(seed))


@pytest.mark.parametrize("seed", FAST)
def test_fast_random_network_equals_oracle(seed):
    check_equals_oracle(random_case(seed, speed=10, horizon_s=0.1))


@pytest.mark.parametrize("seed", range(4))
def test_network_whose_packets_overtake_each_other_equals_oracle(seed):
    check_equals_oracle(overtaking_case(seed))


def test_full_blocks_equal_oracle():
    """Thousands of packets in one window: blocks in a row, buffers that are full in part of one.

    A source of its own feeds a chain of fused hops; another stream merges at the third.
    """
    builder = PlanBuilder(scenario="blocks", seed=6, horizon_s=0.2, time_bin_s=0.2)
    hops = [
        builder.server("first", rate_bps=340e6, buffer_bytes=30e3),
        builder.path("wan", delay_s=2e-3, jitter_quantiles_s=[0.0, 1e-4], jitter_interval_s=1e-3),
        builder.server("second", rate_bps=300e6, buffer_s=1e-3),
        builder.path("end", delay_s=1e-3, loss_ratio=0.01),
    ]
    for name, first, rate_bps in (("long", 0, 330e6), ("short", 2, 50e6)):
        stream = builder.stream(name, "open", "a", "b")
        route = builder.route(stream, FORWARD, hops[first:])
        sizes = {"sizes_bytes": [300, 1400], "weights": [0.3, 0.7]}
        builder.poisson(stream, FORWARD, [route], rate_bps=rate_bps, **sizes)
    case = Case(builder.build(), looks_ps=[70 * MS, 150 * MS])
    check_equals_oracle(case)
    plane = data_plane(case.plan)
    play(case, plane)
    assert plane.counter["sent_packets"].min() > 1024
    assert (plane.hop_dropped[:, layout.BUFFER_FULL][[0, 2]] > 20).all()


def test_crowds_at_one_instant_equal_oracle():
    """200 sources that all send at the same instants, over paths of equal delay that merge."""
    builder = PlanBuilder(scenario="crowd", seed=6, horizon_s=0.1, time_bin_s=0.1)
    door = builder.server("door", rate_bps=100e6, buffer_bytes=200e3)
    ways = [builder.path(f"way{n}", delay_s=5e-3) for n in range(4)]
    for n in range(200):
        stream = builder.stream(f"s{n * 7 % 200}", "open", "a", "b")
        route = builder.route(stream, FORWARD, [ways[n % 4], door])
        builder.constant(
            stream,
            FORWARD,
            [route],
            sizes_bytes=[64 + n],
            packets_per_s=[100, 200][n % 2],
            phase="exact",
        )
    check_equals_oracle(Case(builder.build(), looks_ps=[5 * MS, 7 * MS, 46 * MS]))


@pytest.mark.validate
@pytest.mark.parametrize("seed", LONG)
def test_many_random_networks_equal_oracle(seed):
    is_fast = seed % 4 == 0
    check_equals_oracle(
        random_case(seed, speed=10, horizon_s=0.1) if is_fast else random_case(seed)
    )


@pytest.mark.validate
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_networks_whose_packets_overtake_each_other_equal_oracle(seed):
    check_equals_oracle(overtaking_case(seed))


def test_quick_networks_show_everything():
    """What the networks above are made of: each mechanism must occur, or it is not tested."""
    found = dict.fromkeys([*layout.REASONS, "fragments", "tcp", "retransmissions", "changes"], 0)
    for seed in QUICK:
        case = random_case(seed)
        plane = data_plane(case.plan)
        play(case, plane)
        for reason, count in zip(layout.REASONS, plane.dropped_packets.sum(0), strict=True):
            found[reason] += int(count > 0)
        found["fragments"] += int(plane.state["fragments"].any())
        found["tcp"] += int(bool(case.plan.tcp_flows))
        found["retransmissions"] += int(plane.tcp_flow["retransmitted_segments"].any())
        found["changes"] += int(bool(case.changes))
    assert min(found.values()) >= 3, found


def variation_cases() -> dict[str, Case]:
    cases = {f"random {seed}": random_case(seed) for seed in range(12)}
    cases |= {f"fast {seed}": random_case(seed, speed=10, horizon_s=0.1) for seed in FAST[:3]}
    return cases | {f"overtaking {seed}": overtaking_case(seed) for seed in range(4)}


@pytest.mark.parametrize("case", variation_cases().values(), ids=variation_cases().keys())
def test_windows_epochs_and_room_do_not_show(case):
    cuts = [case.plan.horizon_ps * k // 1000 for k in range(1, 1000)]
    variants = {
        "once more": ({}, []),
        "1,000 epochs": ({}, cuts),
        "windows / 3": ({"parts": 3}, []),
        "windows / 50": ({"parts": 50}, []),
        "no room": ({"ring": 2, "inbox": 1}, []),
        "no room, short windows, epochs": ({"ring": 2, "inbox": 1, "parts": 5}, cuts[::7]),
    }
    plain = data_plane(case.plan)
    seen = play(case, plain)
    for name, (arguments, epochs) in variants.items():
        plane = data_plane(case.plan, **arguments)
        assert play(case, plane, epochs) == seen, name
        assert digest(plane) == digest(plain), name


def test_each_packet_is_seen_at_each_hop():
    """Looks closer than the shortest stay at a hop: every arrival time at every hop is compared."""
    builder = PlanBuilder(scenario="seen", seed=5, horizon_s=0.5, time_bin_s=0.1)
    mixed = [64, 576, 1400]
    lan = builder.server("lan", rate_bps=50e6, delay_s=1e-3)
    device = builder.server("device", rate_bps=6e6, delay_s=1e-3, buffer_bytes=12e3)
    wan = builder.path(
        "wan", delay_s=3e-3, jitter_quantiles_s=[0.0, 1e-3, 4e-3], jitter_interval_s=5e-3
    )
    back = builder.path("back", RETURN, delay_s=2e-3, loss=GilbertElliott(0.05, 0.01, 0.0, 0.5))
    tunnel = Encapsulation(fixed_bytes=52, trailer_bytes=2, align_bytes=4, mtu_bytes=1400)
    around = [Encapsulation(), tunnel, tunnel]
    for name in ("a", "b"):
        stream = builder.stream(name, "open", "x", "y")
        route = builder.route(stream, FORWARD, [lan, device, wan], around)
        builder.poisson(stream, FORWARD, [route], sizes_bytes=mixed, rate_bps=1e6)
    stream = builder.stream("t", "tcp", "x", "y")
    data = builder.route(stream, FORWARD, [lan, device, wan], around)
    ack = builder.route(stream, RETURN, [back])
    sizes = {"segment_bytes": 1300, "mss_bytes": 1248, "ack_bytes": 52}
    builder.tcp(stream, [data], [ack], flows=2, window_bytes=3e4, **sizes)
    plan = builder.build()
    case = Case(plan, looks_ps=list(range(MS // 2, plan.horizon_ps, MS // 2)))
    plane, oracle = data_plane(plan), Oracle(plan)
    seen, expected = play(case, plane), play(case, oracle)
    assert seen == expected
    assert differences(case, plane, oracle) == []
    arrivals = {(h, ident): time_ps for rows in seen for h, time_ps, ident, *_ in rows}
    for h in (lan, device):
        assert sum(1 for hop, _ in arrivals if hop == h) == plane.state[h]["served_packets"]
    assert len(arrivals) > 1200


# ---- one example worked by hand ---------------------------------------------------------------


def by_hand(hops, streams, horizon_s=0.1, **arguments) -> DataPlane:
    return data_plane(plan_from_hops(hops, streams, horizon_s=horizon_s, **arguments))


def every(gap_s, bytes_, route, name="s", **arguments):
    """Packets of one size, one each `gap_s` from time 0 on."""
    return {
        "name": name,
        "kind": "constant",
        "route": route,
        "sizes_bytes": [bytes_],
        "packets_per_s": 1 / gap_s,
        "phase": "exact",
        **arguments,
    }


def test_queue_by_hand():
    """1,000 bytes at 8 Mbit/s take 1 ms; one comes each 0.4 ms, and 2,500 bytes have room.

    Arrivals     0    0.4   0.8   1.2   1.6   2.0 ms
    in server    0    1     2     1     2     1        packets: what is done at 2.0 has left
    fate         ok   ok    drop  ok    drop  ok
    wait         0    0.6         0.8         1.0
    done         1    2           3           4
    """
    plane = by_hand(
        [{"name": "h", "rate_bps": 8e6, "buffer_bytes": 2500, "delay_s": 5e-3}],
        [every(0.4e-3, 1000, ["h"], stop_s=2.2e-3)],
    )
    plane.advance(4 * MS)
    times = [row[1] for row in under_way(plane)]
    assert times == [6 * MS, 7 * MS, 8 * MS, 9 * MS]
    assert plane.hop_dropped[0, layout.BUFFER_FULL] == 2
    assert plane.state[0]["wait_max_ps"] == MS


def test_tie_goes_to_the_lower_id():
    """Two streams send at the same instants; "a" is numbered first whatever the order of calls."""
    plane = by_hand(
        [{"name": "h", "rate_bps": 8e6}],
        [every(10e-3, 1000, ["h"], "b"), every(10e-3, 500, ["h"], "a")],
    )
    plane.advance(1)
    flows = [row[2] >> layout.FLOW_SHIFT for row in under_way(plane)]
    times = [row[1] for row in under_way(plane)]
    assert flows == [0, 1]
    assert times == [MS // 2, 3 * MS // 2]


def test_large_packets_keep_their_size():
    """Sizes above 32,767 bytes use the sign bit of the field they share."""
    plane = by_hand(
        [{"name": "h", "rate_bps": 8e6}], [every(50e-3, 65_535, ["h"], stop_s=10e-3)], 0.2
    )
    plane.advance(plane.plan.horizon_ps)
    assert plane.state[0]["served_bytes"] == 65_535
    assert plane.counter[0]["delivered_bytes"] == 65_535
    assert plane.state[0]["busy_ps"] == 65_535 * 10**6


# ---- independence -----------------------------------------------------------------------------


def sites_plan(names, **arguments) -> Plan:
    builder = PlanBuilder(
        scenario="sites", horizon_s=0.3, time_bin_s=0.1, **{"seed": 3, **arguments}
    )
    for name in names:
        lan = builder.server(f"{name}-lan", rate_bps=20e6, buffer_bytes=6000)
        wan = builder.path(
            f"{name}-wan",
            delay_s=2e-3,
            loss_ratio=0.02,
            jitter_quantiles_s=[0.0, 2e-3],
            jitter_interval_s=1e-3,
        )
        back = builder.path(f"{name}-back", RETURN, delay_s=2e-3, loss_ratio=0.01)
        voice = builder.stream(f"{name}-voice", "voice", "a", "b")
        route = builder.route(voice, FORWARD, [lan, wan])
        builder.constant(
            voice,
            FORWARD,
            [route],
            sizes_bytes=[200],
            packets_per_s=500,
            on_mean_s=0.05,
            off_mean_s=0.05,
        )
        builder.poisson(voice, FORWARD, [route], sizes_bytes=[64, 1400], rate_bps=3e6, label="1")
        bulk = builder.stream(f"{name}-bulk", "tcp", "a", "b")
        data = builder.route(bulk, FORWARD, [lan, wan])
        ack = builder.route(bulk, RETURN, [back])
        sizes = {"segment_bytes": 1400, "mss_bytes": 1348, "ack_bytes": 52}
        builder.tcp(bulk, [data], [ack], flows=2, window_bytes=1e5, **sizes)
    return builder.build()


def site_numbers(plane: DataPlane, name: str) -> list[np.ndarray]:
    """Everything that the run left of one site."""
    plan = plane.plan
    hops = [h for h, info in enumerate(plan.hops) if info.name.startswith(f"{name}-")]
    streams = [s for s, info in enumerate(plan.streams) if info.name.startswith(f"{name}-")]
    rows = [d for d, info in enumerate(plan.directions) if info.stream_idx in streams]
    flows = [f for f, info in enumerate(plan.tcp_flows) if info.stream_idx in streams]
    numbers = [plane.counter[rows], plane.run_histogram[rows], plane.dropped_packets[rows]]
    numbers += [plane.hop_dropped[hops], plane.state["busy_ps"][hops]]
    numbers += [plane.tcp_flow[name][flows] for name in ("una_seq", "cwnd_segments", "timer_ps")]
    return numbers


def test_another_site_changes_no_packet():
    alone, together = data_plane(sites_plan(["m"])), data_plane(sites_plan(["z", "m", "a"]))
    for plane in (alone, together):
        plane.advance(plane.plan.horizon_ps)
    assert int(alone.dropped_packets.sum()) > 20
    for a, b in zip(site_numbers(alone, "m"), site_numbers(together, "m"), strict=True):
        assert a.tobytes() == b.tobytes()


def test_seed_and_replicate_change_the_draws():
    digests = set()
    for seed, replicate in ((1, 0), (2, 0), (1, 1), (1, 0)):
        plane = data_plane(sites_plan(["m"], seed=seed, replicate=replicate))
        plane.advance(plane.plan.horizon_ps)
        digests.add(digest(plane))
    assert len(digests) == 3
