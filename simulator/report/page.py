"""A run folder as one HTML file that needs nothing else: style, script and drawings are inside."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

from simulator.report import chapters
from simulator.report.evidence import Evidence
from simulator.report.figures import markup, show

BUSIEST_MAX: Final = 12
QUESTIONABLE: Final = ("estimate", "disputed")
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
    import jinja2
    from markupsafe import Markup

    assets = files("simulator.report") / "assets"

    def number(path: str, kind: str) -> Markup:
        return Markup(markup(evidence.at(path), kind, path))

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    template = environment.from_string((assets / "report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        n=number,
        show=show,
        summary=evidence.summary,
        manifest=evidence.manifest,
        resolved=evidence.saved.resolved,
        style=Markup((assets / "style.css").read_text(encoding="utf-8")),
        script=Markup((assets / "chart.js").read_text(encoding="utf-8")),
        topology=Markup(evidence.topology_svg),
        **content(evidence),
    )


def content(evidence: Evidence) -> dict[str, Any]:
    """Gather the chapters under the names that the templates use."""
    found = evidence.assumptions
    hops = [row for row in enumerate(evidence.summary["hops"]) if row[1]["utilisation_ratio"]]
    hops.sort(key=lambda row: -row[1]["utilisation_ratio"])
    return {
        "answer": chapters.answer(evidence),
        "chapters": _contents(evidence),
        "columns": chapters.COLUMNS,
        "options": chapters.options(evidence),
        "kind_of_target": chapters.KIND_OF_TARGET,
        "ceilings": _ceilings(evidence),
        "cdf": chapters.cdf_chart(evidence),
        "budgets": evidence.budgets,
        "latency": chapters.over_time(evidence, chapters.LATENCY),
        "throughput": chapters.over_time(evidence, chapters.THROUGHPUT),
        "loss": chapters.over_time(evidence, chapters.LOSS),
        "busiest": hops[:BUSIEST_MAX],
        "findings": chapters.findings(evidence),
        "questionable": [row for row in found if row.trust in QUESTIONABLE],
        "published": [row for row in found if row.trust not in QUESTIONABLE],
        "steps": chapters.steps(evidence),
        "measured": "",
        "not_modelled": NOT_MODELLED,
    }


def _contents(evidence: Evidence) -> list[tuple[str, str]]:
    wanted = [
        ("options", "Options", bool(evidence.others)),
        ("results", "Results by stream", True),
        ("topology", "Topology", bool(evidence.topology_svg)),
        ("demand", "Demand", True),
        ("ceilings", "Bottlenecks", True),
        ("latency", "Latency", True),
        ("throughput", "Throughput", True),
        ("failover", "Failures", bool(evidence.summary["failovers"])),
        ("cost", "Cost", bool(evidence.summary.get("cost"))),
        ("findings", "Findings", True),
        ("assumptions", "Assumptions and where they come from", True),
        ("test-plan", "Test plan", True),
        ("limits", "What was not modelled", True),
        ("reproduce", "How to reproduce", True),
    ]
    return [(name, title) for name, title, is_there in wanted if is_there]


def _ceilings(evidence: Evidence) -> list[dict[str, Any]]:
    found = []
    for stream in evidence.explanation.streams:
        binding = next((row for row in stream.ceilings if row.binds), None)
        found.append(
            {
                "stream": stream.stream,
                "direction": stream.direction,
                "binding": binding.ceiling if binding else "nothing binds",
                "rows": [
                    {
                        "ceiling": row.ceiling,
                        "value": row.value,
                        "load": row.load,
                        "source": row.source,
                        "binds": row.binds,
                        "headroom": show(row.headroom_ratio, "ratio"),
                        "used_percent": None
                        if row.headroom_ratio is None
                        else round(100 * min(1.0, max(0.0, 1.0 - row.headroom_ratio)), 1),
                    }
                    for row in stream.ceilings
                ],
            }
        )
    return found
