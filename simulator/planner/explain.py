"""`explain`: what a scenario means before it runs, with the ceiling that binds each stream."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from simulator.base.units import BITS_PER_BYTE
from simulator.catalog import Catalog, load_catalog
from simulator.draft import TunnelNote
from simulator.ipsec.capacity import (
    EncapsulatedPacket,
    TunnelsNeeded,
    encapsulated,
    tunnels_needed,
)
from simulator.plan import FORWARD, Direction, Plan
from simulator.planner.build import build
from simulator.planner.ceilings import CeilingRow, StreamCeilings
from simulator.planner.decisions import Decision
from simulator.planner.demand import Bundle, Demand, demand
from simulator.planner.fair_shares import FairShare, fair_shares
from simulator.planner.stream_at_hops import StreamAtHops
from simulator.planner.way_rows import WayRow, ways
from simulator.scenario import Scenario


@dataclass(frozen=True)
class StreamRow:
    """What was understood of one stream in one direction."""

    stream: str
    kind: str
    direction: Direction
    at: str
    """Place that sends."""
    to: str
    offered_bps: float | None
    """Inner IP bits/s; None for TCP."""
    packet_bytes_mean: float
    flows_count: int
    rtt_s: float
    """Median round trip without load."""
    rtt_s_mean: float | None
    """Its mean, for TCP that sends data here: stalls of the path count; None for others."""
    routing: str
    ways: tuple[WayRow, ...]
    ceilings: tuple[CeilingRow, ...]
    fair_share_bps: float | None
    """What max-min fair shares of all TCP streams leave this one, as inner IP bits/s; None for
    open-loop traffic and for ACKs. Flows count alike, whatever their round trip."""
    fair_share_at: str
    """Hop that bounds it; empty if its own windows or losses do."""
    encapsulation: EncapsulatedPacket | None
    """The stream's largest packet, byte by byte."""


@dataclass(frozen=True)
class NeededRow:
    """Connections and tunnels that a rate needs with one gateway and suite."""

    gateway: str
    suite: str
    why: str
    needed: TunnelsNeeded


@dataclass(frozen=True)
class Explanation:
    """What a scenario means before it runs."""

    scenario: str
    streams: tuple[StreamRow, ...]
    routing: tuple[Decision, ...]
    needed: tuple[NeededRow, ...]
    warnings: tuple[str, ...] = ()

    def stream(self, name: str, direction: Direction = FORWARD) -> StreamRow:
        """One stream in one direction."""
        rows = [r for r in self.streams if (r.stream, r.direction) == (name, direction)]
        if not rows:
            raise KeyError(f"stream {name} sends nothing {direction}")
        return rows[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; infinite numbers are null."""
        return {
            "scenario": self.scenario,
            "streams": _plain([asdict(stream) for stream in self.streams]),
            "routing": _plain([asdict(decision) for decision in self.routing]),
            "tunnels_needed": _plain([asdict(row) for row in self.needed]),
            "warnings": list(self.warnings),
        }

    def text(self) -> str:
        """Tables for people."""
        from simulator.planner.explain_text import text

        return text(self)


def _plain(value: Any) -> Any:
    """Numbers, text, lists and maps only."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | str) or value is None else str(value)


def explain(scenario: Scenario, *, target_bps: float | None = None) -> Explanation:
    """What was understood of a scenario, with every ceiling of every stream.

    Parameters
    ----------
    target_bps
        A rate in one direction for which connections and tunnels are counted, too.
    """
    return explain_plan(build(scenario), load_catalog(scenario.era), target_bps=target_bps)


def explain_plan(plan: Plan, catalog: Catalog, *, target_bps: float | None = None) -> Explanation:
    """As `explain`, for a plan that was built from a scenario."""
    asked = demand(plan)
    found = {d: StreamCeilings(plan, d, asked) for d in sorted(asked.bundles)}
    shares = fair_shares(plan, asked, {d: one.flow_cap_bps for d, one in found.items()})
    tunnels = {tunnel.name: tunnel for tunnel in plan.meta["tunnels"]}
    return Explanation(
        scenario=plan.scenario,
        streams=tuple(
            _stream_row(plan, d, one, shares.get(d), tunnels, catalog) for d, one in found.items()
        ),
        routing=tuple(chain.from_iterable(plan.meta["decisions"].values())),
        needed=tuple(_needed(plan, catalog, asked, target_bps)),
        # Here a reader asks for everything: also asymmetry that does no harm.
        warnings=tuple(
            dict.fromkeys(
                [*plan.meta["warnings"], *(pair.warning for pair in plan.meta["asymmetric"])]
            )
        ),
    )


def _stream_row(
    plan: Plan,
    direction_idx: int,
    found: StreamCeilings,
    share: FairShare | None,
    tunnels: Mapping[str, TunnelNote],
    catalog: Catalog,
) -> StreamRow:
    stream, where = found.stream, plan.directions[direction_idx]
    info = plan.streams[where.stream_idx]
    ends = (info.from_name, info.to_name)
    at, to = ends if where.direction == FORWARD else ends[::-1]
    decision: Decision = plan.meta["decisions"][(at, to)][0]
    return StreamRow(
        stream=info.name,
        kind=info.kind,
        direction=where.direction,
        at=at,
        to=to,
        offered_bps=None if stream.is_elastic else sum(b.inner_bps for b in stream.bundles),
        packet_bytes_mean=stream.mean_bytes,
        flows_count=sum(bundle.flows_count for bundle in stream.bundles),
        rtt_s=plan.meta["streams"][info.name].rtt_s,
        rtt_s_mean=found.rtt_s_mean,
        routing=decision.reason,
        ways=tuple(ways(stream)),
        ceilings=found.rows(),
        fair_share_bps=None if share is None else share.inner_bps,
        fair_share_at="" if share is None or share.hop is None else plan.hops[share.hop].name,
        encapsulation=_encapsulation(plan, stream, tunnels, catalog),
    )


def _encapsulation(
    plan: Plan, stream: StreamAtHops, tunnels: Mapping[str, TunnelNote], catalog: Catalog
) -> EncapsulatedPacket | None:
    """The stream's largest packet in the first tunnel that it passes."""
    route = plan.routes[stream.bundles[0].route_idx]
    for hop in route.hop_idx:
        tunnel = tunnels.get(plan.hops[hop].name)
        if tunnel is not None:
            return encapsulated(
                catalog.esp_suite(tunnel.encryption, tunnel.integrity),
                stream.largest_bytes,
                behind_nat=tunnel.behind_nat,
                mtu_bytes=tunnel.path_mtu_bytes,
            )
    return None


# ---------------------------------------------------------------------------------------------
# Connections and tunnels needed
# ---------------------------------------------------------------------------------------------


def _needed(
    plan: Plan, catalog: Catalog, asked: Demand, target_bps: float | None
) -> Iterator[NeededRow]:
    """For each gateway and suite: what the offered load, the full gateway and a target need."""
    tunnels: Sequence[TunnelNote] = plan.meta["tunnels"]
    for gateway, encryption, integrity in dict.fromkeys(
        (t.gateway, t.encryption, t.integrity) for t in tunnels
    ):
        of_gateway = [t for t in tunnels if t.gateway == gateway]
        sku = catalog.vpn_gateway_sku(of_gateway[0].sku, of_gateway[0].generation)
        performance = catalog.tunnel_performance(sku.name, sku.generation, encryption, integrity)
        ending_count = len({t.instance for t in of_gateway})
        is_of_all = any(info.name == f"{gateway}.instances" for info in plan.hops)
        offered_bps, packet_bytes = _busier(plan, asked, {t.name for t in of_gateway})
        full_bps = sku.aggregate_throughput_bps * (1 if is_of_all else ending_count)
        wanted = {"offered load": offered_bps, "all that the gateway carries": full_bps}
        for why, rate_bps in {**wanted, "target": target_bps or 0.0}.items():
            if rate_bps > 0 and packet_bytes > 0:  # nothing may pass a tunnel that stands by
                needed = tunnels_needed(
                    sku,
                    performance,
                    target_bps=rate_bps,
                    packet_bytes=packet_bytes,
                    instances_count=ending_count,
                    scope="gateway" if is_of_all else "instance",
                )
                yield NeededRow(gateway, f"{encryption}/{integrity}", why, needed)


def _busier(plan: Plan, asked: Demand, tunnels: set[str]) -> tuple[float, float]:
    """Offered rate over some tunnels in their busier direction, and its mean packet.

    Where nothing but TCP passes, the rate is 0 and the packet that of its data.
    """
    by_direction: dict[Direction, list[Bundle]] = {}
    for bundle in chain.from_iterable(asked.bundles.values()):
        hops = [plan.hops[hop] for hop in plan.routes[bundle.route_idx].hop_idx]
        for direction in {info.direction for info in hops if info.name in tunnels}:
            by_direction.setdefault(direction, []).append(bundle)
    busiest = (0.0, 0.0, 0.0)
    for group in by_direction.values():
        rate_bps = sum(bundle.inner_bps for bundle in group)
        packets_per_s = sum(bundle.packets_per_s for bundle in group)
        busiest = max(busiest, (rate_bps, max(b.mean_bytes for b in group), packets_per_s))
    rate_bps, largest_bytes, packets_per_s = busiest
    mean_bytes = rate_bps / BITS_PER_BYTE / packets_per_s if packets_per_s else largest_bytes
    return rate_bps, mean_bytes
