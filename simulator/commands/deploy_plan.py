"""Command `crossprem deploy-plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.base.errors import UsageError, quote
from simulator.commands.options import AsJson, File, Set, examples, loaded, to_json, write

EPILOG = examples(
    "crossprem deploy-plan branch.yaml",
    "crossprem deploy-plan branch.yaml --figure deployment.svg",
    "crossprem deploy-plan branch.yaml --json | jq '.critical_path'",
)
FORMATS = (".svg", ".png")


def command(
    file: File,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, too: an .svg or .png file.")
    ] = None,
    set_: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show the order in which a design is deployed, how long it takes, and what decides that."""
    from simulator import deploy_readout
    from simulator.planner.deploy import deploy_plan

    if figure is not None and (figure.suffix not in FORMATS or not figure.parent.is_dir()):
        rule = f"must be an {' or '.join(FORMATS)} file in a folder that exists"
        raise UsageError(f"--figure {quote(str(figure))}: {rule}; write for example plan.svg")
    plan = deploy_plan(loaded(file, set_))
    if figure is not None:
        from simulator import deploy_plot, plots

        plots.save(deploy_plot.gantt(plan), figure)
    write(to_json(deploy_readout.to_dict(plan)) if as_json else deploy_readout.to_text(plan))
