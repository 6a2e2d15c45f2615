"""Command `crossprem whatif`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.base.errors import ExitCode
from simulator.commands.options import (
    RUNS,
    AsJson,
    AtFidelity,
    File,
    Quiet,
    Seed,
    Set,
    Verbose,
    duration,
    examples,
    loaded,
    to_json,
    write,
)

EPILOG = examples(
    "crossprem whatif scenarios/active-active.yaml",
    "crossprem whatif branch.yaml --horizon '200 s' --lasting '60 s' --workers 2",
    "crossprem whatif branch.yaml --pairs --json | jq '.worst'",
)


def command(
    file: File,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Try every pair of faults at one instant.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When faults strike; soon after the warm-up by default."),
    ] = None,
    lasting: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long faults last that do not end by themselves; the slowest documented "
            "detection by default.",
        ),
    ] = None,
    horizon: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="End of each run; so that the slowest recovery fits, by default."
        ),
    ] = None,
    fidelity: AtFidelity = None,
    workers: Annotated[
        int, typer.Option(min=1, max=1024, help="Processes that run cases at the same time.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Run folder; by default runs/whatif-<scenario>-<hash>."),
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Try every single fault that a design admits, and rank what they do to its streams.

    The faults of the scenario itself are left out. Each case is a run of its own.
    """
    from simulator import run_folder, study_readout
    from simulator.console import Counting, note
    from simulator.study import whatif

    design = loaded(file, set_, seed, fidelity)
    if out is not None:
        run_folder.check_place(out)
    when = whatif.timing(
        design,
        at_s=duration("--at", at),
        lasting_s=duration("--lasting", lasting),
        horizon_s=duration("--horizon", horizon),
    )
    with Counting("cases") as bar:
        try:
            found = whatif.whatif(
                design, pairs=pairs, when=when, workers=workers, progress=None if quiet else bar
            )
        except KeyboardInterrupt:
            note(f"interrupted at {bar.text}: half a search ranks nothing, so nothing is written")
            return ExitCode.INTERRUPTED
    folder = RUNS / whatif.folder_name(found) if out is None else out
    found.save(folder, design.resolved_yaml(), shlex.join(["crossprem", *sys.argv[1:]]))
    write(to_json(found.to_dict()) if as_json else study_readout.whatif_text(found, folder))
    return ExitCode.OK
