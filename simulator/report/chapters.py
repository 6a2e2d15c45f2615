"""The tables of a report of one run, as plain rows for the template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from simulator.plan import FORWARD
from simulator.report.decision import HEADLINES, OptionColumn, verdict_of, worst_stream
from simulator.report.evidence import Evidence

TOLERANCE_RATIO: Final = 0.15
"""Tolerance of the test plan: the 90th percentile of the error against a real TCP stack."""
UDP_HEADERS_BYTES: Final = 28
"""IPv4 and UDP (RFC 791, RFC 768): what iperf3 adds to its payload."""
RTT_RATIO: Final = 0.10
HOW_TO_CAUSE: Final = {
    "internet-outage": "unplug the line of",
    "tunnel-down": "disconnect the tunnel",
    "tunnel-silent": "drop ESP and IKE with a filter at",
    "device-failure": "power off",
    "device-reboot": "reboot",
    "gateway-reset": "reset the gateway",
    "gateway-maintenance": "reset the gateway (az network vnet-gateway reset), as maintenance of",
    "gateway-instance-failure": "reset the active instance (az network vnet-gateway reset) of",
    "sku-resize": "resize the gateway",
    "connection-reset": "reset the connection",
    "expressroute-circuit-down": "disable the private peering (both links) of",
    "expressroute-link-down": "shut the interface of",
    "peering-location-outage": "disable the private peerings of all circuits at",
    "bgp-session-reset": "clear the BGP session of",
}
"""How a person causes a fault on the real thing, without breaking it."""


class Step(NamedTuple):
    """One test on the real link."""

    command: str
    expect: str
    """What to see, in words."""
    value: float
    kind: str
    about: str
    tolerance: str


class Option(NamedTuple):
    """A design among others."""

    title: str
    verdict: str
    cells: tuple[tuple[str, str, bool], ...]
    """Of each of COLUMNS the path, what it is, and whether it is the best; no path: unknown."""


MONTHLY: Final = "monthly_cost"
COLUMNS: Final = (
    OptionColumn("cost a month", MONTHLY, "money", True),
    *HEADLINES,
    OptionColumn("highest loss", "loss_ratio", "ratio", True),
)


def failovers(summary: dict[str, Any]) -> list[tuple[str, list[tuple[int, dict[str, Any]]]]]:
    """Each fault with its rows of `failovers` and their numbers, in their order."""
    found: dict[tuple[str, float], list[tuple[int, dict[str, Any]]]] = {}
    for number, row in enumerate(summary["failovers"]):
        found.setdefault((row["fault"], row["started_s"]), []).append((number, row))
    return [(fault, rows) for (fault, _), rows in found.items()]


def options(evidence: Evidence) -> list[Option]:
    """List the design and the others, in the order given, best values marked."""
    designs = [("", evidence)]
    designs += [(f"others[{n}].", other) for n, other in enumerate(evidence.others)]
    cells = [[_cell(other, prefix, column) for column in COLUMNS] for prefix, other in designs]
    best = [_best(evidence, [row[n] for row in cells], c) for n, c in enumerate(COLUMNS)]
    return [
        Option(
            other.summary["title"] or other.summary["scenario"],
            verdict_of(other.summary["targets"])[0],
            tuple(
                (path, c.kind, path == best[n])
                for n, (c, path) in enumerate(zip(COLUMNS, row, strict=True))
            ),
        )
        for (_, other), row in zip(designs, cells, strict=True)
    ]


def _cell(evidence: Evidence, prefix: str, column: OptionColumn) -> str:
    """Path to the value of the worst stream, or of the whole; empty if there is none."""
    if column.name == MONTHLY:
        return f"{prefix}cost.total_usd" if evidence.summary.get("cost") else ""
    found = worst_stream(evidence, column.name, column.less_is_better)
    return "" if found is None else f"{prefix}streams[{found}].{column.name}"


def _best(evidence: Evidence, paths: Sequence[str], column: OptionColumn) -> str:
    known = [path for path in paths if path and evidence.at(path) is not None]
    if len(known) < 2:
        return ""
    pick = min if column.less_is_better else max
    return pick(known, key=evidence.at)


SPREADS: Final = (
    ("goodput", "goodput_bps", "rate"),
    ("lost", "loss_ratio", "ratio"),
    ("p50", "latency_s_p50", "duration"),
    ("p95", "latency_s_p95", "duration"),
    ("p99", "latency_s_p99", "duration"),
    ("longest outage", "outage_s_max", "duration"),
)
"""Columns of the table of replications: label, metric and kind."""


def spreads(summary: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Of each stream the path to each of SPREADS in `summary.json`, and its kind."""
    rows = summary.get("replications", {}).get("spread", [])
    numbers = {(r["stream"], r["direction"], r["metric"]): n for n, r in enumerate(rows)}
    ends = dict.fromkeys((r["stream"], r["direction"]) for r in rows)
    return [
        (
            " ".join(end),
            [
                (f"replications.spread[{numbers[(*end, metric)]}].", kind)
                for _, metric, kind in SPREADS
            ],
        )
        for end in ends
    ]


def steps(evidence: Evidence) -> list[Step]:
    """What to run on the real link, with what to expect."""
    return [*_load_steps(evidence), *_ping_steps(evidence), *_fault_steps(evidence)]


def _load_steps(evidence: Evidence) -> Iterator[Step]:
    timeline = evidence.timeline
    typical = (
        timeline.loc[~timeline["is_warm_up"]]
        .groupby(["stream", "direction"])["goodput_bps"]
        .median()
        .to_dict()
    )
    for stream in evidence.explanation.streams:
        goodput_bps = typical.get((stream.stream, stream.direction))
        if not goodput_bps:
            continue
        reverse = " -R" if stream.direction == "return" else ""
        if stream.offered_bps is None:
            command = f"iperf3 -c HOST -P {stream.flows_count} -t 120 -O 10{reverse}"
        else:
            payload_bytes = stream.packet_bytes_mean - UDP_HEADERS_BYTES
            command = f"iperf3 -c HOST -u -b {stream.offered_bps / 1e6:.4g}M"
            command += f" -l {payload_bytes:.0f}{reverse}"
        about = f"{stream.stream} {stream.direction}, median of the time bins"
        tolerance = f"{100 * TOLERANCE_RATIO:.0f} %"
        yield Step(command, "goodput of", float(goodput_bps), "rate", about, tolerance)


def _ping_steps(evidence: Evidence) -> Iterator[Step]:
    streams = evidence.explanation.streams
    pairs = {(s.at, s.to): s.rtt_s for s in streams if s.direction == FORWARD}
    for (start, end), rtt_s in pairs.items():
        command = f"ping -c 1000 HOST   # {start} to {end}"
        tolerance = f"{100 * RTT_RATIO:.0f} %"
        yield Step(command, "median of", rtt_s, "duration", "without load", tolerance)


def _fault_steps(evidence: Evidence) -> Iterator[Step]:
    longest_s: dict[str, float] = {}
    for row in evidence.summary["failovers"]:
        if row["outage_s"] is not None:
            longest_s[row["fault"]] = max(longest_s.get(row["fault"], 0.0), row["outage_s"])
    for fault, outage_s in longest_s.items():
        kind, _, subject = fault.partition(" ")
        command = f"{HOW_TO_CAUSE.get(kind, f'cause {kind} at')} {subject}"
        tolerance = "one time bin and one RTO of TCP"
        yield Step(command, "an outage of at most", outage_s, "duration", fault, tolerance)
