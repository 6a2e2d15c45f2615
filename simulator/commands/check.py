"""Command `crossprem check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.base.errors import ExitCode
from simulator.commands.options import (
    AsJson,
    PricesFile,
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
    "crossprem check designs/*.yaml --junit results.xml",
    "crossprem check branch.yaml --replications 10 --junit results.xml",
    "crossprem check branch.yaml --set 'targets.latency_p95=30 ms' --json",
)


def command(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Scenario files; - reads standard input."),
    ],
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML for a CI system as well.")
    ] = None,
    prices: PricesFile = None,
    seed: Seed = None,
    set_: Set = None,
    replications: Replicated = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Run scenarios and exit with 1 if one of their targets is missed or cannot be told.

    With several replications the worst of them counts. The JSON of several files is a list.
    """
    from simulator import study_readout
    from simulator.console import Progress, note
    from simulator.study.check import Check, check, need_targets, save_junit

    designs = [loaded(file, set_, seed) for file in files]
    for design in designs:  # before any of them runs
        need_targets(design)
    found: list[Check] = []
    for design in designs:
        count = design.run.replications if replications is None else replications
        with Progress(count) as bar:
            progress = None if quiet else bar
            found.append(check(design, replications=count, progress=progress, prices=prices))
        if not found[-1].done.is_complete:
            note(f"interrupted: judged by {found[-1].done.finished} of {count} replications")
            break
    if as_json:
        write(to_json([one.to_dict() for one in found] if len(files) > 1 else found[0].to_dict()))
    else:
        write("\n".join(map(study_readout.check_text, found)))
    if junit is not None:  # last: a place that cannot be written costs no answer
        save_junit(found, junit)
    if len(found) < len(designs) or not found[-1].done.is_complete:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if all(one.is_passed for one in found) else ExitCode.TARGET_FAILED
