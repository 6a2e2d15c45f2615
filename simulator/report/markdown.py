"""A run folder as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulator.report import chapters, decision
from simulator.report.evidence import Evidence
from simulator.report.figures import show
from simulator.report.findings import findings
from simulator.report.measured import comparable


def text(evidence: Evidence) -> str:
    """Write decision, results, targets, failures, findings and how to reproduce it."""
    summary = evidence.summary
    answer = decision.answer(evidence)
    lines = [f"# {summary['title'] or summary['scenario']}", "", f"**Question.** {answer.question}"]
    lines += ["", f"**{answer.verdict}**", "", *(f"{fact}\n" for fact in answer.facts)]
    for line in answer.headlines:
        value = show(evidence.at(line.path), line.kind)
        lines.append(f"* {line.label}: **{value}** ({line.about}; {line.interval})")
    lines += ["", "What would change it:", "", *(f"* {reason}" for reason in answer.would_change)]
    if evidence.others:
        lines += ["", "## Options", "", *_options(evidence)]
    lines += ["", "## Results by stream", ""]
    shown = (
        ("offered_bps", "rate"), ("goodput_bps", "rate"), ("loss_ratio", "ratio"),
        ("latency_s_p50", "duration"), ("latency_s_p95", "duration"),
        ("latency_s_p99", "duration"), ("outage_s_max", "duration"),
    )  # fmt: skip
    lines += _table(
        ("stream", "offered", "goodput", "lost", "p50", "p95", "p99", "longest outage"),
        (
            (f"{row['stream']} {row['direction']}", *(show(row[key], kind) for key, kind in shown))
            for row in summary["streams"]
        ),
    )
    if summary["targets"]:
        lines += ["", "## Targets", ""]
        verdict = {True: "met", False: "**missed**", None: "not known"}
        lines += _table(
            ("target", "limit", "found", "worst at", "verdict"),
            (
                (
                    target["target"].replace("_", " "),
                    *(
                        show(target[key], decision.KIND_OF_TARGET.get(target["target"], "count"))
                        for key in ("limit", "value")
                    ),
                    target["subject"],
                    verdict[target["is_met"]],
                )
                for target in summary["targets"]
            ),
        )
    if summary["failovers"]:
        lines += ["", "## Failures", ""]
        times = ("started_s", "detected_s", "rerouted_s", "recovered_s", "outage_s", "degraded_s")
        lines += _table(
            ("fault", "stream", "struck", "noticed", "rerouted", "recovered", "outage", "degraded"),
            (
                (
                    row["fault"],
                    f"{row['stream']} {row['direction']}",
                    *(show(row[key], "seconds") for key in times),
                )
                for row in summary["failovers"]
            ),
        )
    lines += ["", "## Findings", ""]
    lines += [
        f"* {row.severity}{f' ({row.rule})' if row.rule else ''}: {row.text}"
        for row in findings(evidence)
    ] or ["None."]
    lines += ["", "## Measured elsewhere", "", *_measured(evidence)]
    command = evidence.manifest["command"] or f"crossprem run {summary['scenario']}.yaml"
    lines += ["", "## How to reproduce", "", "```", command, "```", ""]
    lines.append(
        f"crossprem {evidence.manifest['crossprem']}, seed {summary['seed']}, "
        f"scenario {summary['scenario_hash'][:12]}"
    )
    return "\n".join(lines) + "\n"


def _measured(evidence: Evidence) -> list[str]:
    rows = [
        (row.quantity, row.measured, show(evidence.at(row.path), row.kind), row.same, row.differs,
         f"{row.source}, {row.date}")
        for row in comparable(evidence)
    ]  # fmt: skip
    if not rows:
        return ["The catalogue has no published measurement of a comparable design."]
    return _table(("what", "published", "this run", "the same", "other", "source"), rows)


def _options(evidence: Evidence) -> list[str]:
    header = ("design", *(column.label for column in chapters.COLUMNS), "targets")
    rows = [
        (option.title, *(_option_cell(evidence, *cell) for cell in option.cells), option.verdict)
        for option in chapters.options(evidence)
    ]
    return _table(header, rows)


def _option_cell(evidence: Evidence, path: str, kind: str, is_best: bool) -> str:
    text = show(evidence.at(path), kind) if path else "unknown"
    return f"{text} (best)" if is_best else text


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")
