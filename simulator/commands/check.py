"""Command `crossprem check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.base.errors import ExitCode
from simulator.commands.options import (
    AsJson,
    File,
    Quiet,
    Replicated,
    Seed,
    Set,
    Verbose,
    examples,
    loaded,
    to_json,
    write,
)

EPILOG = examples(
    "crossprem check branch.yaml",
    "crossprem check branch.yaml --replications 10 --junit results.xml",
    "crossprem check branch.yaml --set 'targets.latency_p95=30 ms' --json",
)


def command(
    file: File,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML for a CI system as well.")
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    replications: Replicated = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Run a scenario and exit with 1 if one of its targets is missed or cannot be told."""
    from simulator import study_readout
    from simulator.console import Progress, note
    from simulator.study.check import check

    design = loaded(file, set_, seed)
    count = design.run.replications if replications is None else replications
    with Progress(count) as bar:
        found = check(design, replications=count, progress=None if quiet else bar)
    if junit is not None:
        found.save_junit(junit)
    write(to_json(found.to_dict()) if as_json else study_readout.check_text(found))
    if not found.done.is_complete:
        note(f"interrupted: judged by {found.done.finished} of {count} replications")
        return ExitCode.INTERRUPTED
    return ExitCode.OK if found.is_passed else ExitCode.TARGET_FAILED
