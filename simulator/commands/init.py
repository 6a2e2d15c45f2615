"""Command `crossprem init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.commands.options import AsJson, examples, to_json, write

EPILOG = examples(
    "crossprem init                                    # list the templates",
    "crossprem init --template site-to-site",
    "crossprem init branch.yaml --template coexistence",
)


def command(
    out: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="File to write; by default the template's name."),
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", "-t", metavar="NAME", help="Which template.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a commented scenario to begin from; without a template, list them."""
    from simulator import templates
    from simulator.console import table

    if template is None:
        known = templates.listed()
        rows = list(known.items())
        write(to_json(known) if as_json else "\n".join(table(("template", "shows"), rows)) + "\n")
        return
    files = templates.write(template, out or Path(f"{template}.yaml"))
    if as_json:
        write(to_json({"files": [str(path) for path in files]}))
        return
    lines = [f"wrote {path}" for path in files]
    lines += ["", f"next: crossprem explain {files[0]}", f"      crossprem run {files[0]}"]
    write("\n".join(lines) + "\n")
