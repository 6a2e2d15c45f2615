"""Findings of a run: what to know or act on, by severity, with the rule that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simulator.catalog import load_catalog
from simulator.report.figures import show

if TYPE_CHECKING:
    from simulator.report.evidence import Evidence

BUSY_RATIO: Final = 0.8
"""From this utilisation on a hop is a finding: waiting times grow steeply beyond it."""
LOSS_RATIO: Final = 0.01
"""A stream that loses more is a finding: voice suffers from here on."""
RULE: Final = re.compile(r"\s*\(rules? (R\d+(?:, R\d+)*)\)")
ORDER: Final = ("high", "medium", "low")
SEVERITY_OF: Final = {"error": "high", "warning": "medium", "info": "low"}
"""Severity of a rule in the catalogue -> severity of what breaks it."""


class Finding(NamedTuple):
    """Something to know or to act on."""

    severity: str
    rule: str
    """Id of the rule in the catalogue; empty for what the run itself shows."""
    text: str


def findings(evidence: Evidence) -> list[Finding]:
    """What to know or act on, the most severe first."""
    found = [*_of_targets(evidence), *_of_run(evidence), *_of_rules(evidence)]
    return sorted(found, key=lambda finding: ORDER.index(finding.severity))


def _of_targets(evidence: Evidence) -> Iterator[Finding]:
    for target in evidence.summary["targets"]:
        if target["is_met"] is False:
            missed = f"target {target['target'].replace('_', ' ')} is missed"
            yield Finding("high", "", " by ".join(filter(None, (missed, target["subject"]))))


def _of_run(evidence: Evidence) -> Iterator[Finding]:
    summary = evidence.summary
    for row in summary["streams"]:
        if row["loss_ratio"] is not None and row["loss_ratio"] > LOSS_RATIO:
            where = f"{row['stream']} {row['direction']}"
            faults = _lost_in_faults(summary, row)
            loses = f"{where} loses {show(row['loss_ratio'], 'ratio')}"
            yield Finding("medium", "", loses + faults)
    for hop in summary["hops"]:
        ratio = hop["utilisation_ratio"]
        if ratio is not None and ratio > BUSY_RATIO:
            where = f"{hop['hop']} {hop['direction']}"
            yield Finding("medium", "", f"{where} is {show(ratio, 'ratio')} busy on average")


def _lost_in_faults(summary: dict[str, Any], row: dict[str, Any]) -> str:
    """How much of it the faults account for, in words."""
    key = (row["stream"], row["direction"])
    lost = sum(
        f["packets_lost"] for f in summary["failovers"] if (f["stream"], f["direction"]) == key
    )
    dropped = sum(row["packets_dropped"].values())
    if not lost or not dropped:
        return ""
    share = show(min(1.0, lost / dropped), "ratio")
    return f"; {share} of it from a fault until the stream has recovered"


def _of_rules(evidence: Evidence) -> Iterator[Finding]:
    """Warnings of the scenario and the plan; the severity is that of their rule."""
    rules = load_catalog(evidence.scenario.era).table("rules", all_eras=True)
    severities = {str(row["id"]): str(row["severity"]) for row in rules.rows}
    for warning in evidence.summary["warnings"]:
        named = RULE.search(warning)
        if named is None:
            yield Finding("low", "", warning)
            continue
        ids = named[1].split(", ")
        known = [SEVERITY_OF.get(severities.get(i, ""), "low") for i in ids]
        yield Finding(min(known, key=ORDER.index), named[1], RULE.sub("", warning))
