"""Packet level against ns.py, a simulator in plain Python on SimPy."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Iterator
from typing import Any

import simpy

from benchmarks import packets
from benchmarks.peers import workloads
from benchmarks.peers.comparison import Comparison, Side

PACKAGE = "ns.py"
CHAIN_HORIZON_S = 5.0
SEED = 1


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


def chain(horizon_s: float) -> Side:
    """Generator, a port and a wire for each hop, and a sink that keeps no record of a packet."""
    from ns.packet.dist_generator import DistPacketGenerator
    from ns.port.port import Port
    from ns.port.wire import Wire

    plan = packets.chain(horizon_s)
    rates_bps = workloads.rates_bps(plan)
    environment = simpy.Environment()
    gap = random.Random(SEED)
    rate_per_s = workloads.packets_per_s(plan)
    source = DistPacketGenerator(
        environment,
        "source",
        functools.partial(gap.expovariate, rate_per_s),
        lambda: packets.PACKET_BYTES,
        rec_flow=False,
    )
    sink = Delays(environment)
    stamp = Stamp(environment)
    source.out = stamp
    last: Any = stamp
    for rate_bps, delay_s in zip(rates_bps, workloads.delays_s(plan), strict=True):
        port = Port(environment, rate_bps)
        wire = Wire(environment, functools.partial(float, delay_s))
        last.out, port.out, last = port, wire, wire
    last.out = sink
    start_s = time.process_time()
    environment.run(until=horizon_s)
    cpu_s = time.process_time() - start_s
    outcome = workloads.chain_outcome(plan, sink.count, sink.delay_s / sink.count)
    return Side(sink.count * len(rates_bps), cpu_s, outcome)


class Stamp:
    """Writes when a packet leaves the source: ns.py writes when the wait for it begins."""

    def __init__(self, environment: simpy.Environment) -> None:
        self.environment = environment
        self.out: Any = None

    def put(self, packet: Any) -> None:
        """Pass a packet on."""
        packet.time = self.environment.now
        self.out.put(packet)


class Delays:
    """A sink: packets and the sum of their delays since they left the source."""

    def __init__(self, environment: simpy.Environment) -> None:
        self.environment = environment
        self.count = 0
        self.delay_s = 0.0

    def put(self, packet: Any) -> None:
        """Take a packet."""
        self.count += 1
        self.delay_s += self.environment.now - packet.time
