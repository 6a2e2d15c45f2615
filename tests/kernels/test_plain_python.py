"""Parity: the kernels as plain Python give the same bits as compiled, on small networks.

The plain run is a process of its own (Numba reads `NUMBA_DISABLE_JIT` when it is imported). It
prints a digest of every number that each network leaves.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.plan import FORWARD, RETURN, Encapsulation, GilbertElliott, Plan
from simulator.plan_builder import PlanBuilder
from tests.kernels.networks import Case, data_plane, digest, play, random_case

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (5, 9, 13, 29, 36)
PACKET_HOPS_MAX = 20_000
"""Of all networks together: plain Python needs some 50 us for each."""


def everything() -> Case:
    """One network with each mechanism: two senders merge, TCP both ways, a tunnel, losses."""
    builder = PlanBuilder(scenario="all", seed=4, horizon_s=0.25, time_bin_s=0.1)
    hops = [
        builder.server("lan", rate_bps=30e6, delay_s=1e-3),
        builder.server("device", rate_bps=6e6, buffer_bytes=8e3, packets_per_s=2e3),
        builder.server("gate", rate_bps=5e6, policer_burst_s=10e-3),
        builder.path(
            "wan",
            delay_s=3e-3,
            loss=GilbertElliott(0.05, 0.01, 0.001, 0.3),
            jitter_quantiles_s=[0.0, 1e-3, 5e-3],
            jitter_interval_s=5e-3,
        ),
    ]
    back = builder.path(
        "back",
        RETURN,
        delay_s=4e-3,
        loss_ratio=0.02,
        jitter_quantiles_s=[0.0, 2e-3],
        jitter_interval_s=1e-3,
        may_reorder=True,
    )
    tunnel = Encapsulation(52, 2, 4, mtu_bytes=1400, may_fragment=True)
    around = [Encapsulation(), tunnel, tunnel, tunnel]
    for name in ("a", "b"):
        stream = builder.stream(name, "open", "x", "y")
        route = builder.route(stream, FORWARD, hops, around)
        builder.poisson(stream, FORWARD, [route], sizes_bytes=[64, 576, 1400], rate_bps=1.5e6)
        builder.constant(
            stream,
            FORWARD,
            [route],
            sizes_bytes=[200],
            packets_per_s=200,
            on_mean_s=0.05,
            off_mean_s=0.02,
            label="voice",
        )
    for control in ("cubic", "newreno", "bbr"):
        stream = builder.stream(control, "tcp", "x", "y")
        data = builder.route(stream, FORWARD, hops, around)
        ack = builder.route(stream, RETURN, [back])
        sizes = {"segment_bytes": 1300, "mss_bytes": 1248, "ack_bytes": 52}
        options = {"congestion_control": control}
        builder.tcp(stream, [data], [ack], flows=2, window_bytes=6e4, options=options, **sizes)
    plan = builder.build()
    ms = 10**9
    changes = [
        (
            100 * ms,
            "slow",
            lambda plane: plane.set_service(1, per_byte=2 * plane.hop[1]["per_byte"]),
        ),
        (150 * ms, "down", lambda plane: plane.set_up(1, False)),
        (160 * ms, "up", lambda plane: plane.set_up(1, True)),
        (200 * ms, "near", lambda plane: plane.set_path(3, delay_ps=ms)),
    ]
    return Case(plan, changes, [50 * ms])


def results() -> list[tuple[str, int]]:
    """Digest and packet-hops of each network; run by this process and by the plain one."""
    found = []
    for case in (everything(), *(random_case(seed, horizon_s=0.2) for seed in SEEDS)):
        plane = data_plane(case.plan, ring=8, inbox=4)
        with np.errstate(over="ignore"):  # the random numbers wrap on purpose
            play(case, plane)
        found.append((digest(plane), plane.packet_hops()))
    return found


@pytest.mark.plain
def test_plain_python_gives_the_same_bits():
    compiled = results()
    assert 3_000 < sum(packet_hops for _, packet_hops in compiled) <= PACKET_HOPS_MAX
    code = "import json; from tests.kernels.test_plain_python import results; " + (
        "from kernels._jit import is_plain_python; assert is_plain_python(); "
        "print(json.dumps(results()))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert [tuple(row) for row in json.loads(done.stdout)] == compiled


def test_the_network_with_everything_has_it():
    case = everything()
    plane = data_plane(case.plan)
    play(case, plane)
    assert (plane.dropped_packets.sum(0)[:4] > 0).all()
    assert plane.state["fragments"].any()
    assert plane.tcp_flow["retransmitted_segments"].sum() > 0
    assert isinstance(case.plan, Plan)
