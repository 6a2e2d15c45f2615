"""The decision box: question, verdict, three numbers with intervals, what would change them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from simulator.report.evidence import Evidence
from simulator.report.figures import show

UNLOADED_RATIO: Final = 0.99
"""Headroom from which on a ceiling counts as unused."""
REFUSED: Final = re.compile(r"clients (?P<group>\S+): (?P<count>\d+) of (?P<asked>\d+) are refused")
KIND_OF_TARGET: Final = {
    "latency_p95": "duration",
    "outage": "duration",
    "loss": "ratio",
    "goodput": "rate",
    "monthly_cost": "money",
}


class Headline(NamedTuple):
    """One of the numbers of the decision box."""

    label: str
    path: str
    kind: str
    about: str
    interval: str


class OptionColumn(NamedTuple):
    """A figure by which designs are told apart: that of the worst stream."""

    label: str
    name: str
    kind: str
    less_is_better: bool


HEADLINES: Final = (
    OptionColumn("highest p95 latency, one way", "latency_s_p95", "duration", True),
    OptionColumn("longest outage", "outage_s_max", "duration", True),
    OptionColumn("lowest goodput of a stream", "goodput_bps", "rate", False),
)
HEADLINES_MAX: Final = 3


@dataclass(frozen=True)
class Answer:
    """The decision box."""

    question: str
    verdict: str
    is_met: bool | None
    facts: tuple[str, ...]
    """What else the question may ask: what faults did, who was refused."""
    headlines: tuple[Headline, ...]
    would_change: tuple[str, ...]


def answer(evidence: Evidence) -> Answer:
    """Question, verdict, three numbers, and what would change them."""
    summary = evidence.summary
    verdict, is_met = verdict_of(summary["targets"])
    facts = [*_facts(evidence)]
    if not summary["targets"]:
        first = facts.pop(0) if facts else load_in_a_sentence(summary)
        verdict = f"No targets are stated. {first}"
    return Answer(
        summary["question"] or summary["title"] or summary["scenario"],
        verdict,
        is_met,
        tuple(facts),
        tuple(islice(_headlines(evidence), HEADLINES_MAX)),
        tuple(_would_change(evidence)),
    )


def _facts(evidence: Evidence) -> Iterator[str]:
    if evidence.summary["failovers"]:
        yield worst_fault(evidence.summary["failovers"])
    refused = [found for text in evidence.summary["warnings"] if (found := REFUSED.match(text))]
    if refused:
        count, asked = (sum(int(found[part]) for found in refused) for part in ("count", "asked"))
        parts = ", ".join(f"{f['count']} of {f['asked']} {f['group']}" for f in refused)
        yield f"{count} of {asked} clients are refused: {parts}; the findings say why."


def worst_fault(failovers: Sequence[dict[str, Any]]) -> str:
    """What the worst of the faults did to the stream that it hurt most, in a sentence."""
    worst = max(failovers, key=lambda row: (row["outage_s"] or 0.0, row["degraded_s"] or 0.0))
    where = f"{worst['stream']} {worst['direction']}"
    return (
        f"{worst['fault']} hurts {where} most: "
        f"{show(worst['outage_s'], 'duration')} without a packet, "
        f"{show(worst['degraded_s'], 'duration')} degraded."
    )


def load_in_a_sentence(summary: dict[str, Any]) -> str:
    """The busiest hop, and the stream that loses most if any does."""
    busy = [row for row in summary["hops"] if row["utilisation_ratio"]]
    text = "No hop has a finite rate"
    if busy:
        hop = max(busy, key=lambda row: float(row["utilisation_ratio"]))
        share = show(hop["utilisation_ratio"], "ratio")
        text = f"{hop['hop']} {hop['direction']} is the busiest hop, {share} of the time"
    worst = max(summary["streams"], key=lambda row: row["loss_ratio"] or 0.0)
    if not worst["loss_ratio"]:
        return f"{text}; no stream loses a packet."
    loss = show(worst["loss_ratio"], "ratio")
    return f"{text}; {worst['stream']} {worst['direction']} loses most, {loss}."


def verdict_of(targets: Sequence[dict[str, Any]]) -> tuple[str, bool | None]:
    """What targets say all together, and whether they are met; None where that is not known."""
    missed = [t["target"].replace("_", " ") for t in targets if t["is_met"] is False]
    known = [t for t in targets if t["is_met"] is not None]
    if not targets:
        return "The scenario names no targets: figures without a verdict.", None
    if missed:
        names, verb = ", ".join(missed), "is" if len(missed) == 1 else "are"
        return f"No: {len(missed)} of {len(targets)} targets {verb} missed ({names}).", False
    if not known:
        return "None of the targets can be judged from this run.", None
    if len(known) == len(targets):
        all_of_them = f"all {len(targets)} targets are" if len(targets) > 1 else "the target is"
        return f"Yes: {all_of_them} met.", True
    return f"{len(known)} of {len(targets)} targets are met, the rest cannot be judged.", None


def worst_stream(evidence: Evidence, column: str, less_is_better: bool) -> int | None:
    """Number of the stream that has the worst value; only payload has a goodput."""
    rows = evidence.payload if column == "goodput_bps" else enumerate(evidence.summary["streams"])
    known = [(n, row[column]) for n, row in rows if row[column] is not None]
    if not known:
        return None
    pick = max if less_is_better else min
    return pick(known, key=lambda item: item[1])[0]


def _headlines(evidence: Evidence) -> Iterator[Headline]:
    """Latency, outage if a fault struck, cost if it is known, and goodput in their place."""
    cost = evidence.summary.get("cost")
    if cost:
        about = f"this traffic for {show(cost['traffic_s'], 'hours')} a month"
        if cost["total_usd"] is not None:
            yield Headline("cost a month", "cost.total_usd", "money", about, "list prices")
        else:
            unknown = "some prices are not known"
            yield Headline("cost a month, at least", "cost.known_usd", "money", about, unknown)
    for column in HEADLINES:
        if column.name == "outage_s_max" and not evidence.summary["failovers"]:
            continue
        if "replications" in evidence.summary:
            found = _over_replications(evidence, column)
        else:
            found = _of_one_run(evidence, column)
        if found is not None:
            yield found


def _of_one_run(evidence: Evidence, column: OptionColumn) -> Headline | None:
    """The value of the worst stream, without an interval."""
    number = worst_stream(evidence, column.name, column.less_is_better)
    if number is None:
        return None
    row = evidence.summary["streams"][number]
    return Headline(
        column.label,
        f"streams[{number}].{column.name}",
        column.kind,
        f"{row['stream']} {row['direction']}",
        "one run: no interval (use --replications)",
    )


def _over_replications(evidence: Evidence, column: OptionColumn) -> Headline | None:
    """The median over the replications of the worst stream, with its spread."""
    payload = {(row["stream"], row["direction"]) for _, row in evidence.payload}
    known = [
        (row["median"], number)
        for number, row in enumerate(evidence.summary["replications"]["spread"])
        if row["metric"] == column.name
        and row["median"] is not None
        and (column.name != "goodput_bps" or (row["stream"], row["direction"]) in payload)
    ]
    if not known:
        return None
    _, number = max(known) if column.less_is_better else min(known)
    row = evidence.summary["replications"]["spread"][number]
    low, high = show(row["p5"], column.kind), show(row["p95"], column.kind)
    return Headline(
        column.label,
        f"replications.spread[{number}].median",
        column.kind,
        f"{row['stream']} {row['direction']}, median",
        f"{low} to {high} in 90 % of {row['replications']} replications",
    )


def _would_change(evidence: Evidence) -> Iterator[str]:
    for target in evidence.summary["targets"]:
        value, limit = target["value"], target["limit"]
        if value is None or not target["is_met"] or not value:
            continue
        kind = KIND_OF_TARGET.get(target["target"], "count")
        name = target["target"].replace("_", " ")
        word = "below" if value > limit else "above"
        now = ", ".join(filter(None, (f"now {show(value, kind)}", target["subject"])))
        yield f"{name} {word} {show(limit, kind)} ({now})"
    found = tightest(evidence)
    if found is not None:
        yield found[0].lower() + found[1:]


def tightest(evidence: Evidence) -> str | None:
    """The ceiling with the least headroom, in a sentence; None if no load is known."""
    least = min(
        (
            (row.headroom_ratio, f"{stream.stream} {stream.direction}", row.ceiling)
            for stream in evidence.explanation.streams
            for row in stream.ceilings
            if row.headroom_ratio is not None
        ),
        default=None,
    )
    if least is None:
        return None
    headroom_ratio, stream, ceiling = least
    if headroom_ratio < 0.0:
        over = show(-headroom_ratio, "ratio")
        return f"The load is {over} above the tightest ceiling: {ceiling} ({stream})"
    if headroom_ratio > UNLOADED_RATIO:
        return "No ceiling has a load of its own: TCP takes what is left, up to what binds it"
    return f"The tightest ceiling has {show(headroom_ratio, 'ratio')} left: {ceiling} ({stream})"
