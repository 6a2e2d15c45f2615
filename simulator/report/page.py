"""A run folder as one HTML file that needs nothing else: style, script and drawings are inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from simulator.report import chapters, curves, decision
from simulator.report.assumptions import shared
from simulator.report.evidence import Evidence
from simulator.report.findings import findings
from simulator.report.measured import comparable
from simulator.report.template import render

BUSIEST_MAX: Final = 12
SATURATIONS_MAX: Final = 12
NAMED_MAX: Final = 2
NOT_MODELLED: Final = (
    "Virtual WAN, Route Server, network virtual appliances, Global Reach and Microsoft peering.",
    "Other tenants of the provider: their load on shared hardware, and what the provider does "
    "about it.",
    "TCP: ECN, urgent data, zero windows; applications that pause within a transfer.",
    "Jitter of paths changes once an interval and keeps packets in order, unless the scenario "
    "says otherwise.",
)


def html(evidence: Evidence) -> str:
    """Write the page; the same folder gives the same bytes."""
    from markupsafe import Markup

    return render(
        "report.html.j2",
        evidence.at,
        version=evidence.manifest["crossprem"],
        summary=evidence.summary,
        manifest=evidence.manifest,
        resolved=evidence.saved.resolved,
        topology=Markup(evidence.topology_svg),
        failover=Markup(evidence.failover_svg),
        **content(evidence),
    )


def content(evidence: Evidence) -> dict[str, Any]:
    """Gather the chapters under the names that the templates use."""
    found = shared(evidence.assumptions)
    struck = evidence.summary["failovers"]
    growth = evidence.outlook
    hops = [row for row in enumerate(evidence.summary["hops"]) if row[1]["utilisation_ratio"]]
    hops.sort(key=lambda row: -row[1]["utilisation_ratio"])
    return {
        "answer": decision.answer(evidence),
        "chapters": _contents(evidence),
        "columns": chapters.COLUMNS,
        "options": chapters.options(evidence),
        "kind_of_target": decision.KIND_OF_TARGET,
        "spreads": chapters.spreads(evidence.summary),
        "spread_columns": [label for label, _, _ in chapters.SPREADS],
        "ceilings": _ceilings(evidence),
        "tightest": decision.tightest(evidence),
        "failovers": chapters.failovers(evidence.summary),
        "worst_fault": decision.worst_fault(struck) if struck else "",
        "cdf": curves.cdf_chart(evidence),
        "budgets": evidence.budgets,
        "latency": curves.over_time(evidence, curves.LATENCY),
        "throughput": curves.over_time(evidence, curves.THROUGHPUT),
        "loss": curves.over_time(evidence, curves.LOSS),
        "busiest": hops[:BUSIEST_MAX],
        "findings": findings(evidence),
        "questionable": [row for row in found if row.first.is_questionable],
        "published": [row for row in found if not row.first.is_questionable],
        "steps": chapters.steps(evidence),
        "comparable": list(comparable(evidence)),
        "outlook": growth,
        "who": who,
        "saturations": [] if growth is None else growth.rows[:SATURATIONS_MAX],
        "not_modelled": NOT_MODELLED,
    }


def who(streams: Sequence[str]) -> str:
    """Streams and directions in few words: `backup forward`, or `4 streams return`."""
    if len(streams) <= NAMED_MAX:
        return ", ".join(streams)
    directions = sorted({name.rpartition(" ")[2] for name in streams})
    return f"{len(streams)} streams, {' and '.join(directions)}"


def _contents(evidence: Evidence) -> list[tuple[str, str]]:
    wanted = [
        ("options", "Options", bool(evidence.others)),
        ("results", "Results by stream", True),
        ("topology", "Topology", bool(evidence.topology_svg)),
        ("demand", "Demand", True),
        ("ceilings", "Bottlenecks", True),
        ("growth", "Growth", evidence.outlook is not None),
        ("latency", "Latency", True),
        ("throughput", "Throughput", True),
        ("failover", "Failures", bool(evidence.summary["failovers"])),
        ("cost", "Cost", bool(evidence.summary.get("cost"))),
        ("findings", "Findings", True),
        ("assumptions", "Assumptions and where they come from", True),
        ("test-plan", "Test plan", True),
        ("measured", "Measured elsewhere", True),
        ("limits", "What was not modelled", True),
        ("reproduce", "How to reproduce", True),
    ]
    return [(name, title) for name, title, is_there in wanted if is_there]


def _ceilings(evidence: Evidence) -> list[dict[str, Any]]:
    """Each stream with its ceilings, the one with the least headroom first."""
    found = []
    for number, stream in enumerate(evidence.explanation.streams):
        binding = next((row for row in stream.ceilings if row.binds), None)
        known = [c.headroom_ratio for c in stream.ceilings if c.headroom_ratio is not None]
        found.append(
            {
                "stream": stream.stream,
                "direction": stream.direction,
                "binding": f"{binding.ceiling} binds" if binding else "nothing binds",
                "least": min(known, default=1.0),
                "rows": [
                    {
                        "ceiling": row.ceiling,
                        "value": row.value,
                        "load": row.load,
                        "source": row.source,
                        "binds": row.binds,
                        "headroom": f"explain.streams[{number}].ceilings[{n}].headroom_ratio",
                        "used_percent": None
                        if row.headroom_ratio is None
                        else round(100 * min(1.0, max(0.0, 1.0 - row.headroom_ratio)), 1),
                    }
                    for n, row in enumerate(stream.ceilings)
                ],
            }
        )
    return sorted(found, key=lambda stream: stream["least"])
