"""Command `crossprem report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.commands.options import Verbose, examples, write

EPILOG = examples(
    "crossprem report runs/site-to-site-1a2b3c4d -o report.html",
    "crossprem report runs/today runs/larger -o options.html      # the first, beside others",
    "crossprem report runs/site-to-site-1a2b3c4d -o report.md     # for a pull request",
    "crossprem report runs/site-to-site-1a2b3c4d -o tables.xlsx   # a sheet for each table",
    "crossprem report runs/compared -o compared.html              # compare --out runs/compared",
    "crossprem report runs/today --growth '2..4 %/month'          # when is each ceiling full?",
)


def command(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Folder of a run, sweep or comparison; more runs are options."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="File to write: .html, .md or .xlsx."),
    ] = Path("report.html"),
    growth: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Forecast with a growth of the load: '3 %/month'."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Write a report to hand over: decision, figures, failures, assumptions, test plan."""
    from simulator.report import write_report

    path = write_report(folders[0], out, others=folders[1:], growth=growth)
    write(f"report: {out} ({path.stat().st_size / 1000:,.0f} kB)\n")
