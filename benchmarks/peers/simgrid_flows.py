"""Flow level against SimGrid's fluid network model, driven by its own Python bindings.

Latencies are zero and SimGrid's corrections for TCP are off, which leaves its max-min fair
sharing: the same model as `kernels.fairshare` and `kernels.flows`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.peers import workloads
from benchmarks.peers.comparison import Comparison, Side
from kernels.units import BITS_PER_BYTE

PACKAGE = "simgrid"
CLASSES = 100
CASES = ((100, 50_000), (1_000, 30_000))
"""Flows at a time, and completions: SimGrid's cost of each grows with the flows."""
OPTIONS = (
    "network/model:CM02",
    "network/crosstraffic:0",
    "network/TCP-gamma:0",
    "network/latency-factor:1",
    "network/bandwidth-factor:1",
    "network/weight-S:0",
)
HOST_SPEED = 1e9
"""Of hosts that compute nothing."""


def comparisons() -> Iterator[Comparison]:
    """Run every workload on both sides.

    SimGrid allows one engine a process, so each of its runs has a process of its own.
    """
    from multiprocessing import get_context

    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for flow_count, completions in CASES:
            yield Comparison(
                f"two-tier, {CLASSES} x {flow_count}",
                "completions",
                PACKAGE,
                workloads.two_tier(CLASSES, flow_count, completions),
                pool.apply(two_tier, (CLASSES, flow_count, completions)),
                workloads.TWO_TIER_TOLERANCE_RATIO,
            )


def two_tier(classes: int, flow_count: int, completions: int) -> Side:
    """As many actors as flows: each sends one flow after another until enough are complete."""
    from simgrid import Actor, Engine

    engine = Engine(["two-tier", "--log=root.thresh:error", *[f"--cfg={x}" for x in OPTIONS]])
    transfers = workloads.transfers(classes, flow_count, completions)
    ends = network(engine, transfers)
    users = Users(engine, transfers, ends, completions)
    for i in range(flow_count):
        host = ends[0][0]
        if hasattr(host, "add_actor"):
            host.add_actor(f"user-{i}", users.send)
        else:
            Actor.create(f"user-{i}", host, users.send)
    start_s = time.process_time()
    engine.run()
    cpu_s = time.process_time() - start_s
    outcome = workloads.transfer_outcome(
        users.completions, users.end_s, users.total_s, users.total_bytes
    )
    return Side(users.completions, cpu_s, outcome)


def network(engine: Any, transfers: workloads.Transfers) -> list[tuple[Any, Any]]:
    """Links, and for each class two hosts with the route between them; returns those pairs.

    Version 4 has renamed what makes a zone, its parts and an actor; both names are served.
    """
    from simgrid import LinkInRoute, NetZone

    is_version_4 = hasattr(NetZone, "add_netzone_full")
    if is_version_4:
        zone = engine.netzone_root.add_netzone_full("world")
        add_host, add_link = zone.add_host, zone.add_link
    else:
        zone = NetZone.create_full_zone("world")
        add_host, add_link = zone.create_host, zone.create_link
    links = [
        add_link(f"link-{i}", float(rate_bps / BITS_PER_BYTE))
        for i, rate_bps in enumerate(transfers.capacity_bps)
    ]
    for link in links:
        link.seal()
    ends = []
    for c, route in enumerate(transfers.routes):
        pair = tuple(add_host(f"{end}-{c}", HOST_SPEED) for end in ("from", "to"))
        for host in pair:
            host.seal()
        hops = [LinkInRoute(links[hop]) for hop in route]
        if is_version_4:
            zone.add_route(*pair, hops, True)
        else:
            zone.add_route(pair[0].netpoint, pair[1].netpoint, None, None, hops, True)
        ends.append(pair)
    zone.seal()
    return ends


class Users:
    """A closed population without think time: whoever is done starts the next flow."""

    def __init__(
        self,
        engine: Any,
        transfers: workloads.Transfers,
        ends: list[tuple[Any, Any]],
        completions_max: int,
    ) -> None:
        self.engine = engine
        self.draws = zip(transfers.class_idx.tolist(), transfers.size_bytes.tolist(), strict=True)
        self.ends = ends
        self.completions_max = completions_max
        self.completions = 0
        self.end_s = self.total_s = self.total_bytes = 0.0

    def send(self) -> None:
        """Send one flow after another; the flow that is the last one ends the run."""
        from simgrid import Actor, Comm

        while self.completions < self.completions_max:
            class_idx, size_bytes = next(self.draws)
            start_s = self.engine.clock
            Comm.sendto(*self.ends[class_idx], int(size_bytes))
            self.completions += 1
            self.end_s = self.engine.clock
            self.total_s += self.end_s - start_s
            self.total_bytes += size_bytes
        Actor.kill_all()
