"""Command `crossprem run`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.base.errors import ExitCode
from simulator.commands.options import (
    RUNS,
    AsJson,
    AtFidelity,
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

if TYPE_CHECKING:
    from simulator.plan import Plan
    from simulator.zoom.windows import Windows

EPILOG = examples(
    "crossprem run scenarios/site-to-site.yaml",
    "crossprem run branch.yaml --replications 20 --out runs/branch",
    "crossprem run branch.yaml --dry-run     # events, CPU time and memory at either level",
    "crossprem run branch.yaml --fidelity flow --set run.horizon='8 h'",
    "crossprem run branch.yaml --json | jq '.streams[].latency_s_p95'",
    "cat branch.yaml | crossprem run -",
)


def command(
    file: File,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Run folder; by default runs/<scenario>-<hash>."),
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    replications: Replicated = None,
    fidelity: AtFidelity = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take at either level; run nothing.")
    ] = False,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Simulate a scenario: print a summary and write a run folder.

    A missed target is said in the summary; the run itself has done its work and exits 0.
    """
    from simulator import planner, readout, run_folder
    from simulator.console import Progress, note
    from simulator.engine import foreseen
    from simulator.planner.estimate import suggestion, windows_suggestion
    from simulator.planner.explain import explain as explained
    from simulator.run import run_replications
    from simulator.zoom.windows import Windows

    design = loaded(file, set_, seed, fidelity)
    plan = planner.build(design)
    windows = foreseen(plan) if plan.zoom is not None else Windows()
    if dry_run:
        _say_cost(plan, windows, as_json=as_json)
        return ExitCode.OK
    said = suggestion(plan) if plan.fidelity == "packet" else ""
    said = said or windows_suggestion(plan, windows.packets_ps)
    if said and not quiet:
        note(said)
    if out is not None:
        run_folder.check_place(out)
    count = design.run.replications if replications is None else replications
    with Progress(count) as bar:
        try:
            done = run_replications(design, count, progress=None if quiet else bar)
        except KeyboardInterrupt:
            note(f"interrupted at {bar.text}: half a run is no result, so nothing is written")
            return ExitCode.INTERRUPTED
    folder = RUNS / done.first.folder_name if out is None else out
    done.save(folder, figures=figures, command=shlex.join(["crossprem", *sys.argv[1:]]))
    if as_json:
        write(to_json(done.summary_dict))
    else:
        write(readout.text(done, folder, explained(design)))
    if not done.is_complete:
        note(f"interrupted: {done.finished} of {done.wanted} replications are in {folder}")
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def _say_cost(plan: Plan, windows: Windows, *, as_json: bool) -> None:
    """Print what a run would take."""
    from simulator.forecast_readout import estimate_text, window_lines, window_rows
    from simulator.planner.estimate import estimates

    found = estimates(plan, windows.packets_ps)
    if as_json:
        said: dict[str, object] = {"scenario": plan.scenario, "fidelity": plan.fidelity}
        said["estimates"] = [asdict(e) for e in found]
        if plan.zoom is not None:
            said["windows"] = window_rows(windows.kept)
        write(to_json(said))
        return
    write(estimate_text(plan.scenario, found, plan.fidelity))
    if plan.zoom is not None:
        write("\n".join([*window_lines(window_rows(windows.kept)), *windows.notes]) + "\n")
