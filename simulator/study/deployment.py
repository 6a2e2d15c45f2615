"""The folder that a deployment plan leaves: its table, its figure, and the scenario.

steps.parquet, steps.csv        a row for each step, in the order in which they begin
deployment.txt                  the table as the command prints it
figures/deployment.svg, .png    the Gantt figure
summary.json, scenario.resolved.yaml, manifest.json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from simulator import deploy_plot, run_folder
from simulator.metrics.metric import TEXT, Column
from simulator.planner.deploy import DeployPlan
from simulator.scenario import Scenario

TABLE: Final = "steps"
COLUMNS: Final = (
    Column("number", "count", "place in the order in which steps begin, from 1"),
    Column("step", TEXT, "what is made"),
    Column("kind", TEXT, "row of the table `deployment-durations`"),
    Column("by", TEXT, "who takes it: platform, customer or provider"),
    Column("after", TEXT, "numbers of the steps that it waits for"),
    Column("start_s", "s", "start since that of the deployment"),
    Column("duration_s", "s", "how long it lasts", "less"),
    Column("duration_s_min", "s", "at least, where a range is known"),
    Column("duration_s_max", "s", "at most, where a range is known"),
    Column("end_s", "s", "end since the start of the deployment", "less"),
    Column("slack_s", "s", "how much later it may end without making everything late", "more"),
    Column("is_critical", TEXT, "whether it is of the chain that decides the total"),
    Column("status", TEXT, "documented, measured or estimate"),
    Column("source", TEXT, "where its duration comes from"),
)


def table(plan: DeployPlan) -> pd.DataFrame:
    """The steps as a table with `COLUMNS`."""
    number = {step.name: n for n, step in enumerate(plan.steps, start=1)}
    rows = [
        (
            number[step.name],
            step.name,
            step.kind,
            step.by,
            " ".join(str(number[name]) for name in step.after),
            step.start_s,
            step.duration_s,
            step.duration_s_min,
            step.duration_s_max,
            step.end_s,
            step.slack_s,
            step.name in plan.critical,
            step.status,
            step.source,
        )
        for step in plan.steps
    ]
    frame = pd.DataFrame(rows, columns=[column.name for column in COLUMNS])
    seconds = [column.name for column in COLUMNS if column.unit == "s"]
    return frame.astype(dict.fromkeys(seconds, "float64"))


def save(
    plan: DeployPlan,
    scenario: Scenario,
    folder: Path,
    *,
    summary: Mapping[str, Any],
    text: str,
    command: str | None = None,
) -> Path:
    """Write the folder; one of ours is replaced.

    Parameters
    ----------
    summary
        The plan as plain data.
    text
        The plan as a person reads it.

    Raises
    ------
    UsageError
        If the place holds other things or cannot be written.
    """
    steps = table(plan)
    head = {"scenario_hash": scenario.content_hash(), "seed": scenario.run.seed}
    return run_folder.write(
        folder,
        tables={TABLE: (steps, COLUMNS)},
        summary={**summary, **head},
        resolved=scenario.resolved_yaml(),
        figures={"deployment": deploy_plot.gantt(plan)},
        command=command,
        texts={
            f"{TABLE}.csv": steps.to_csv(index=False, lineterminator="\n"),
            "deployment.txt": text,
        },
    )
