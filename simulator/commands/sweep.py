"""Command `crossprem sweep`."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.base.errors import ExitCode
from simulator.commands.options import (
    AsJson,
    Quiet,
    Seed,
    Set,
    Verbose,
    examples,
    overridden,
    to_json,
    write,
)

EPILOG = examples(
    "crossprem sweep scenarios/sweeps/small.yaml",
    "crossprem sweep small.yaml --out runs/small --workers 4",
    "crossprem sweep small.yaml --out runs/small --resume",
    "crossprem sweep small.yaml --out s3://bucket/small --scheduler tcp://10.0.0.4:8786",
)


def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Design of the sweep.")],
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="New folder or fsspec URL; by default below runs."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on; nothing that is whole is computed again.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes; by default one a processor.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers compute, tcp://..."),
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Compute every point of a design; each is kept as soon as it is finished.

    A point that fails stays in the table with its error, and the sweep exits with 0.
    """
    from simulator import study_readout
    from simulator.console import Counting, note
    from simulator.study.sweep import sweep

    with Counting("points") as bar:
        try:
            found = sweep(
                file,
                out,
                workers=workers,
                scheduler=scheduler,
                resume=resume,
                set=overridden(set_, seed),
                progress=None if quiet else bar,
            )
        except KeyboardInterrupt:
            note(f"interrupted at {bar.text}; go on with --resume")
            return ExitCode.INTERRUPTED
    write(to_json(found.to_dict()) if as_json else study_readout.sweep_text(found))
    return ExitCode.OK
