"""A deployment for a person at a terminal, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from simulator.console import cut, table, wrapped
from simulator.planner.deploy import DeployPlan, Step, span

STEP_WIDTH: Final = 40
"""Columns of the name of a step."""


def to_dict(plan: DeployPlan) -> dict[str, Any]:
    """The same as plain data: times in seconds since the start."""
    on_critical_path = set(plan.critical)
    return {
        "scenario": plan.scenario,
        "total_s": plan.total_s,
        "in_sequence_s": plan.in_sequence_s,
        "parallel_max": plan.parallel_max,
        "critical_path": list(plan.critical),
        "steps": [
            {
                **asdict(step),
                "after": list(step.after),
                "end_s": step.end_s,
                "is_critical": step.name in on_critical_path,
            }
            for step in plan.steps
        ],
    }


def to_text(plan: DeployPlan) -> str:
    """The steps as a table, then what decides the time."""
    head = ("no.", "step", "by", "starts", "lasts", "slack", "after")
    number = {step.name: str(n) for n, step in enumerate(plan.steps, start=1)}
    cells = [
        (
            number[step.name],
            cut(step.name, STEP_WIDTH) + (" *" if step.name in plan.critical else ""),
            step.by,
            span(step.start_s),
            _lasts(step),
            span(step.slack_s),
            _listed([number[name] for name in step.after]),
        )
        for step in plan.steps
    ]
    lines = [*table(head, cells, right=(0, 3)), ""]
    chain = " -> ".join(plan.critical) or "nothing is to be deployed"
    lines += wrapped(f"* critical path: {chain}", "  ")
    lines += wrapped(
        f"total {span(plan.total_s)}, with up to {plan.parallel_max} steps in parallel; "
        f"one after the other {span(plan.in_sequence_s)}; ~ estimate"
    )
    lines += _sources(plan)
    return "\n".join(lines) + "\n"


def _lasts(step: Step) -> str:
    return f"{'~' if step.status == 'estimate' else ''}{span(step.duration_s)}"


def _listed(numbers: list[str]) -> str:
    """Numbers of steps; more than a few are counted."""
    shown = ", ".join(numbers[:4])
    return shown + (f" and {len(numbers) - 4} more" if len(numbers) > 4 else "")


def _sources(plan: DeployPlan) -> list[str]:
    """Where the times that somebody published or measured come from."""
    known = {s.kind: f"{s.source} ({s.status})" for s in plan.steps if s.status != "estimate"}
    return [line for kind, text in known.items() for line in wrapped(f"{kind}: {text}", "  ")]
