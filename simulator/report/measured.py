"""Measured elsewhere: a published measurement of a comparable design beside the prediction.

What is comparable is decided by topology, kind of fault and encryption, never by how near the
values are. Each comparison names what agrees and what does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from simulator.catalog import load_catalog
from simulator.report.figures import show

if TYPE_CHECKING:
    from simulator.catalog import Row
    from simulator.planner.explain import StreamRow
    from simulator.report.evidence import Evidence
    from simulator.scenario import Scenario

TARGETS: Final = "validation-targets"
KIND_OF_UNIT: Final = {"s": "duration", "bps": "rate", "ratio": "ratio"}
SESSIONS: Final = {1: "throughput 1 TCP session", 16: "throughput, best with 16 sessions"}
"""Sessions of the measured transfers over ExpressRoute -> their metric."""
TAIL_P99: Final = "V056"
TAIL_P50: Final = "V054"


class OutageMatch(NamedTuple):
    """A row with an outage, and the faults and designs that it is comparable with."""

    row: str
    faults: frozenset[str]
    connections: frozenset[str]
    """Kinds that the design must have, all of them."""
    same: str
    differs: str
    bgp: bool | None = None
    """Whether the VPN must have BGP; None: either."""
    bfd: bool | None = None


CIRCUIT_FAULTS: Final = frozenset(
    {"expressroute-circuit-down", "peering-location-outage", "expressroute-link-down"}
)
OUTAGES: Final = (
    OutageMatch(
        "V100",
        frozenset({"expressroute-circuit-down", "peering-location-outage"}),
        frozenset({"expressroute", "ipsec"}),
        "an ExpressRoute circuit with BFD fails, a VPN with BGP takes over",
        "there both peerings were disabled by hand, and BGP said goodbye; SKU, distance and load",
        bfd=True,
    ),
    OutageMatch(
        "V118",
        CIRCUIT_FAULTS,
        frozenset({"expressroute"}),
        "an ExpressRoute link with BFD fails",
        "a documented bound of convergence, not a measured outage; circuit, distance and load",
        bfd=True,
    ),
    OutageMatch(
        "V116",
        CIRCUIT_FAULTS,
        frozenset({"expressroute"}),
        "an ExpressRoute link without BFD fails",
        "a documented bound, not a measured outage; circuit, distance and load",
        bfd=False,
    ),
    OutageMatch(
        "V110",
        frozenset({"gateway-maintenance"}),
        frozenset(),
        "planned maintenance of an active-standby VPN gateway",
        "a documented range, not a measurement; SKU and timers of the device",
    ),
    OutageMatch(
        "V112",
        frozenset({"gateway-instance-failure"}),
        frozenset(),
        "an unplanned failure of a VPN gateway instance",
        "a documented range, not a measurement; SKU and timers of the device",
    ),
    OutageMatch(
        "V115",
        frozenset({"zone-outage"}),
        frozenset(),
        "the outage of a zone under a zone-redundant gateway",
        "a documented bound, not a measurement; SKU and timers of the device",
    ),
    OutageMatch(
        "V113",
        frozenset({"tunnel-silent", "device-failure", "internet-outage", "tunnel-down"}),
        frozenset({"ipsec"}),
        "the device behind a tunnel with BGP goes silent",
        "another provider at the far end; timers, and how long the fault lasts",
        bgp=True,
    ),
    OutageMatch(
        "V119",
        frozenset({"internet-outage", "device-failure", "tunnel-silent"}),
        frozenset({"ipsec"}),
        "a VPN notices a dead path by dead peer detection alone",
        "two devices of one vendor and no Azure gateway; timers, and how long the fault lasts",
        bgp=False,
    ),
)


@dataclass(frozen=True)
class Comparable:
    """A published value beside that of this run."""

    quantity: str
    configuration: str
    measured: str
    status: str
    """`measured` or `documented`."""
    trust: str
    source: str
    date: str
    path: str
    """Of the prediction, for `Evidence.at`."""
    kind: str
    about: str
    same: str
    differs: str


def comparable(evidence: Evidence) -> Iterator[Comparable]:
    """What is comparable with a run: of its faults one, and of its steady state one."""
    rows = {str(r["id"]): r for r in load_catalog(evidence.scenario.era).table(TARGETS).rows}
    for find in (_outages, _round_trips, _transfers, _tunnels, _tails):
        yield from islice(find(evidence, rows), 1)


def _outages(evidence: Evidence, rows: dict[str, Row]) -> Iterator[Comparable]:
    scenario = evidence.scenario
    has = _kinds(scenario)
    worst: dict[str, tuple[float, int]] = {}
    for n, row in enumerate(evidence.summary["failovers"]):
        fault = row["fault"].partition(" ")[0]
        if row["outage_s"] is not None and row["outage_s"] >= worst.get(fault, (-1.0, 0))[0]:
            worst[fault] = (row["outage_s"], n)
    for match in OUTAGES:
        struck = [fault for fault in worst if fault in match.faults]
        if not struck or not match.connections <= has:
            continue
        if match.bgp not in {None, _has_bgp(scenario)} or match.bfd not in {
            None,
            any(circuit.bfd is not None for circuit in scenario.section("circuits").values()),
        }:
            continue
        _, number = max(worst[fault] for fault in struck)
        failover = evidence.summary["failovers"][number]
        about = f"{failover['fault']}, {failover['stream']} {failover['direction']}"
        path = f"failovers[{number}].outage_s"
        yield _found(rows[match.row], "outage", path, about, match.same, match.differs)


def _has_bgp(scenario: Scenario) -> bool:
    devices = (d for site in scenario.sites.values() for d in site.devices.values())
    return any(device.bgp is not None and device.public_ip for device in devices)


def _round_trips(evidence: Evidence, rows: dict[str, Row]) -> Iterator[Comparable]:
    """A measured round trip between the same two places by the same kind of connection."""
    places = _places(evidence.scenario)
    topologies = {
        "expressroute": {"expressroute"},
        "peering": {"peering"},
        "s2s/v2v": {"vnet-to-vnet"},
    }
    for row in rows.values():
        metric, subject = str(row["metric"]), str(row["subject"])
        if row["unit"] != "s" or metric not in {"RTT", "RTT p50"} or subject not in topologies:
            continue
        for number, stream in enumerate(evidence.explanation.streams):
            ends = (places.get(stream.at, ""), places.get(stream.to, ""))
            if not all(ends) or not all(end in str(row["configuration"]) for end in ends):
                continue
            if not topologies[subject] <= _kinds(evidence.scenario):
                continue
            yield _found(
                row,
                "round trip without load",
                f"explain.streams[{number}].rtt_s",
                f"{stream.at} to {stream.to}",
                f"the same places, {ends[0]} and {ends[1]}, over the same kind of connection",
                "SKU, hosts and what else the path carried",
            )
            break


def _kinds(scenario: Scenario) -> set[str]:
    return {connection.type for connection in scenario.connections.values()}


def _places(scenario: Scenario) -> dict[str, str]:
    """Region or metro of each VNet and site."""
    found = {name: vnet.region for name, vnet in scenario.vnets.items()}
    locations = {circuit.peering_location for circuit in scenario.section("circuits").values()}
    if len(locations) == 1:
        found |= dict.fromkeys(scenario.sites, next(iter(locations)))
    return found


def _tunnels(evidence: Evidence, rows: dict[str, Row]) -> Iterator[Comparable]:
    """What one tunnel carried, by cipher, beside the ceiling of a tunnel of this design."""
    for number, stream in enumerate(evidence.explanation.streams):
        for n, ceiling in enumerate(stream.ceilings):
            if not ceiling.ceiling.startswith("tunnel ") or ceiling.stream_bps is None:
                continue
            if ceiling.ceiling.startswith("tunnel of each"):  # those of clients, added up
                continue
            if not ceiling.ceiling.endswith("bits/s"):
                continue
            is_gcm = "GCM" in ceiling.ceiling
            generation_2 = any(
                word in ceiling.source for word in ("VpnGw2", "VpnGw3", "VpnGw4", "VpnGw5")
            )
            if is_gcm and not generation_2:
                row, same = rows["V108"], "one tunnel of a VPN gateway"
                differs = "SKU and cipher are not told there; packet sizes, hosts and distance"
            elif is_gcm:
                row, same = rows["V107"], "one tunnel with GCMAES256 of a larger gateway"
                differs = "the SKU is not told there; packet sizes, hosts and distance"
            else:
                row, same = rows["V106"], "one tunnel with a CBC cipher"
                differs = "any SKU there; packet sizes, hosts and distance"
            yield _found(
                row,
                "throughput of one tunnel",
                f"explain.streams[{number}].ceilings[{n}].stream_bps",
                f"{ceiling.ceiling}: the ceiling; the run may ask for less",
                same,
                differs,
            )


def _transfers(evidence: Evidence, rows: dict[str, Row]) -> Iterator[Comparable]:
    """What TCP carried over a circuit, at the measured round trip that is nearest to this one."""
    ladder: dict[str, dict[str, Row]] = {}
    for row in rows.values():
        if row["subject"] == "expressroute" and row["metric"] in {"RTT", *SESSIONS.values()}:
            ladder.setdefault(str(row["configuration"]), {})[str(row["metric"])] = row
    steps = [step for step in ladder.values() if len(step) == 1 + len(SESSIONS)]
    numbers = {(row["stream"], row["direction"]): n for n, row in evidence.payload}
    for stream in evidence.explanation.streams:
        number = numbers.get((stream.stream, stream.direction))
        over_circuit = any(c.ceiling.startswith("circuit link") for c in stream.ceilings)
        if number is None or stream.offered_bps is not None or not over_circuit or not steps:
            continue
        nearest = min(steps, key=lambda s: abs(math.log(s["RTT"].number("value") / stream.rtt_s)))
        sessions = min(SESSIONS, key=lambda count: abs(math.log(count / stream.flows_count)))
        found = _found(
            nearest[SESSIONS[sessions]],
            "goodput of TCP over ExpressRoute",
            f"streams[{number}].goodput_bps",
            f"{stream.stream} {stream.direction}, flows: {stream.flows_count}, round trip "
            f"{show(stream.rtt_s, 'duration')}",
            "bulk TCP through a circuit and its gateway, at the nearest round trip that was "
            f"measured; sessions there: {sessions}",
            f"{_what_binds(stream)} here, the window of the sessions there; distance, circuit, "
            "gateway and hosts",
        )
        rtt = show(nearest["RTT"].number("value"), "duration")
        yield replace(found, measured=f"{found.measured}, round trip {rtt}")


def _what_binds(stream: StreamRow) -> str:
    binding = next((c.ceiling for c in stream.ceilings if c.binds), "")
    return f"{binding} binds" if binding else "nothing binds"


def _tails(evidence: Evidence, rows: dict[str, Row]) -> Iterator[Comparable]:
    """What the slowest packets wait beyond the usual ones, of a design with a VPN gateway."""
    if evidence.tail is None:
        return
    p99, p50 = rows[TAIL_P99], rows[TAIL_P50]
    low_s = p99.number("min") - p50.number("max")
    high_s = p99.number("max") - p50.number("min")
    found = _found(
        p99,
        "latency of the slowest packets: p99 less p50",
        "derived.tail.latency_s",
        f"{evidence.tail['stream']} {evidence.tail['direction']}, one way",
        "the tail that a VPN gateway adds to a path",
        "round trip through two gateways without load there, one way with all load here; the "
        "jitter of the model's gateways was fitted to this measurement: no independent check",
    )
    source = found.source.replace(TAIL_P99, f"{TAIL_P99} less {TAIL_P50}")
    yield replace(
        found, measured=f"{show(low_s, 'duration')} to {show(high_s, 'duration')}", source=source
    )


def _found(row: Row, quantity: str, path: str, about: str, same: str, differs: str) -> Comparable:
    kind = KIND_OF_UNIT[str(row["unit"])]
    note = f" ({row['note']})" if row["note"] else ""
    return Comparable(
        quantity,
        f"{row['configuration']}{note}",
        _measured(row, kind),
        str(row["status"]),
        str(row["trust"]),
        f"{row['source']} ({TARGETS} {row['id']})",
        str(row["as_of"]),
        path,
        kind,
        about,
        same,
        differs,
    )


def _measured(row: Row, kind: str) -> str:
    """The value of a row, or its range, as people read it."""
    if row["value"] is not None:
        return show(row["value"], kind)
    low, high = row["min"], row["max"]
    if low is None:
        return f"at most {show(high, kind)}"
    if high is None:
        return f"at least {show(low, kind)}"
    return f"{show(low, kind)} to {show(high, kind)}"
