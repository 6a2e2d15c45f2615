"""Packet level against ns-3: its compiled libraries, driven by a small program in C++ of ours.

The program is compiled when it is needed, by the cppyy that the package brings. It loads five
libraries of ns-3 instead of all that `from ns import ns` loads, which takes minutes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from benchmarks import packets
from benchmarks.peers import workloads
from benchmarks.peers.comparison import Comparison, Side
from kernels.units import BITS_PER_BYTE

PACKAGE = "ns3"
CHAIN_HORIZON_S = 5.0
TCP_HORIZON_S = 6.0
FLOWS = 20
WINDOW_BYTES = 1_000_000
"""Of the buffers on either side: four times what a flow can use here, and ns-3 slows with more."""
STAGGER_S = 0.01
"""Between the first segments of two flows, as in `packets.cubic`."""
LIBRARIES = ("core", "network", "traffic-control", "internet", "point-to-point", "applications")
PROGRAM = Path(__file__).with_name("ns3_packets.cc")
PPP_BYTES, IP_BYTES, UDP_BYTES = 2, 20, 8
PAYLOAD_BYTES = packets.PACKET_BYTES - PPP_BYTES - IP_BYTES - UDP_BYTES


def comparisons() -> Iterator[Comparison]:
    """Run every workload on both sides."""
    yield Comparison(
        "chain of 4 hops, Poisson",
        "packet-hops",
        PACKAGE,
        workloads.chain(CHAIN_HORIZON_S),
        chain(CHAIN_HORIZON_S),
        workloads.CHAIN_TOLERANCE_RATIO,
    )
    yield Comparison(
        f"{FLOWS} CUBIC flows",
        "segments",
        PACKAGE,
        workloads.cubic(FLOWS, TCP_HORIZON_S),
        cubic(FLOWS, TCP_HORIZON_S),
        workloads.TCP_TOLERANCE_RATIO,
    )


def chain(horizon_s: float) -> Side:
    """Five nodes with point-to-point links between them, UDP over IP."""
    plan = packets.chain(horizon_s)
    rates_bps, delays_s = workloads.rates_bps(plan), workloads.delays_s(plan)
    packets_per_s = workloads.packets_per_s(plan)
    program = compiled().Chain(rates_bps, delays_s, packets_per_s, PAYLOAD_BYTES)
    cpu_s = simulate(program, horizon_s)
    count = float(program.received)
    outcome = workloads.chain_outcome(plan, count, program.delay_s / count)
    return Side(count * len(rates_bps), cpu_s, outcome)


def cubic(flow_count: int, horizon_s: float) -> Side:
    """A sender, a router before the bottleneck and a receiver; CUBIC with SACK, timestamps."""
    rate_bps, rtt_s, lan_bps, lan_s = 650e6, 30e-3, 10e9, 1e-6
    buffer_bytes = int(rate_bps * rtt_s / BITS_PER_BYTE)
    program = compiled().Bottleneck(
        [lan_bps, rate_bps, lan_bps],
        [lan_s, rtt_s / 2 - lan_s],
        buffer_bytes,
        flow_count,
        workloads.MSS_BYTES,
        WINDOW_BYTES,
        STAGGER_S,
    )
    cpu_s = simulate(program, horizon_s)
    goodput_bytes = float(program.received_bytes())
    outcome = workloads.tcp_outcome(goodput_bytes, horizon_s)
    return Side(goodput_bytes / workloads.MSS_BYTES, cpu_s, outcome)


def simulate(program: Any, horizon_s: float) -> float:
    """Run a program; the CPU seconds of the simulation alone."""
    start_s = time.process_time()
    program.run(horizon_s)
    return time.process_time() - start_s


def compiled() -> Any:
    """Name space of the program in C++, compiled at the first call."""
    import cppyy

    if not hasattr(cppyy.gbl, "crossprem_peer"):
        root = Path(str(distribution(PACKAGE).locate_file("ns3")))
        cppyy.add_include_path(str(root / "include"))
        for name in LIBRARIES:
            cppyy.load_library(str(next(root.glob(f"lib*/libns3*-{name}.so"))))
        cppyy.cppdef(PROGRAM.read_text("utf-8"))
    return cppyy.gbl.crossprem_peer
