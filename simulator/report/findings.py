"""Findings of a run: what to know or act on, by severity, with the rule that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simulator.catalog import load_catalog
from simulator.report.figures import show

if TYPE_CHECKING:
    from simulator.report.evidence import Evidence

BUSY_RATIO: Final = 0.8
"""From this utilisation on a hop is a finding: waiting times grow steeply beyond it."""
LOSS_RATIO: Final = 0.01
"""A stream that loses more is a finding: voice suffers from here on."""
RULE: Final = re.compile(r"\s*\(rules? (R\d+(?:, R\d+)*)(?:; ([^()]*))?\)")
"""A rule, and what a message cites beside it."""
FOLDER: Final = re.compile(r"^\S*/(?=[^/\s]+:\d+:\d+ )")
"""Folder of the scenario before a place in it: of no use to who reads a report."""
NAMED_MAX: Final = 4
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
    losing = [row for row in summary["streams"] if (row["loss_ratio"] or 0.0) > LOSS_RATIO]
    losing.sort(key=lambda row: -row["loss_ratio"])
    if losing:
        share = show(losing[0]["loss_ratio"], "ratio")
        faults = _lost_in_faults(summary, losing[0])
        others = [
            f"{row['stream']} {row['direction']} {show(row['loss_ratio'], 'ratio')}"
            for row in losing[1:]
        ]
        text = f"{losing[0]['stream']} {losing[0]['direction']} loses {share}{faults}"
        yield Finding("medium", "", text + _and_others(others))
    busy = [hop for hop in summary["hops"] if (hop["utilisation_ratio"] or 0.0) > BUSY_RATIO]
    busy.sort(key=lambda hop: -hop["utilisation_ratio"])
    if busy:
        share = show(busy[0]["utilisation_ratio"], "ratio")
        others = [
            f"{hop['hop']} {hop['direction']} {show(hop['utilisation_ratio'], 'ratio')}"
            for hop in busy[1:]
        ]
        text = f"{busy[0]['hop']} {busy[0]['direction']} is {share} busy on average"
        yield Finding("medium", "", text + _and_others(others))


def _and_others(names: Sequence[str]) -> str:
    """The same of others, the first few by name."""
    if not names:
        return ""
    rest = len(names) - NAMED_MAX
    return f"; as well: {', '.join(names[:NAMED_MAX])}" + (f" and {rest} more" if rest > 0 else "")


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
            yield Finding("low", "", FOLDER.sub("", warning))
            continue
        ids = named[1].split(", ")
        known = [SEVERITY_OF.get(severities.get(i, ""), "low") for i in ids]
        cited = f" ({named[2]})" if named[2] else ""
        text = FOLDER.sub("", RULE.sub(cited, warning))
        yield Finding(min(known, key=ORDER.index), named[1], text)
