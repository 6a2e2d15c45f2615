"""Command `crossprem deploy-plan`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.base.errors import UsageError, quote
from simulator.commands.options import AsJson, File, Set, examples, loaded, to_json, write

EPILOG = examples(
    "crossprem deploy-plan branch.yaml",
    "crossprem deploy-plan branch.yaml --out runs/deployment",
    "crossprem deploy-plan branch.yaml --figure deployment.svg",
    "crossprem deploy-plan branch.yaml --json | jq '.critical_path'",
)
FORMATS = (".svg", ".png")


def command(
    file: File,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the table and the figure; else none."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, too: an .svg or .png file.")
    ] = None,
    set_: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show the order in which a design is deployed, how long it takes, and what decides that."""
    from simulator import deploy_readout, run_folder
    from simulator.planner.deploy import deploy_plan

    if figure is not None and (figure.suffix not in FORMATS or not figure.parent.is_dir()):
        rule = f"must be an {' or '.join(FORMATS)} file in a folder that exists"
        raise UsageError(f"--figure {quote(str(figure))}: {rule}; write for example plan.svg")
    design = loaded(file, set_)
    if out is not None:
        run_folder.check_place(out)
    plan = deploy_plan(design)
    if figure is not None:
        from simulator import deploy_plot, plots

        plots.save(deploy_plot.gantt(plan), figure)
    said, text = deploy_readout.to_dict(plan), deploy_readout.to_text(plan)
    if out is not None:
        from simulator.study import deployment

        called = shlex.join(["crossprem", *sys.argv[1:]])
        deployment.save(plan, design, out, summary=said, text=text, command=called)
        text += f"\ntable and figure: {out}\n"
    write(to_json(said) if as_json else text)
