"""The command `crossprem`: the result goes to standard output, progress to standard error.

Everything heavy is imported inside a command, so that `crossprem --help` answers at once.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
import typer.main

import simulator
from simulator.base.errors import (
    CrosspremError,
    ExitCode,
    InternalError,
    ScenarioError,
    UsageError,
)

if TYPE_CHECKING:
    from simulator.scenario import Scenario

app: Final = typer.Typer(
    name="crossprem",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

RUNS: Final = Path("runs")
"""Where run folders go that nobody named."""
EXIT_CODES: Final = (
    "Exit codes: 0 ok, 2 usage, 3 invalid scenario, 4 foreign package, "
    "5 internal error, 130 interrupted."
)


def examples(*lines: str) -> str:
    """Write command lines below the help text, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


File = Annotated[str, typer.Argument(metavar="FILE", help="Scenario file; - reads standard input.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value; may be given again."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, errors included.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more, and show where an internal error arose.")
]


class SchemaName(StrEnum):
    """What `crossprem schema` can print."""

    SCENARIO = "scenario"
    SUMMARY = "summary"
    TABLES = "tables"


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"crossprem {simulator.__version__}")
        raise typer.Exit


@app.callback(
    epilog=examples(
        "crossprem run scenarios/site-to-site.yaml",
        "crossprem run branch.yaml --set gateways.hub-vpn.sku=VpnGw2AZ --seed 7",
        "crossprem explain branch.yaml",
        "crossprem catalog vpn-gateway-skus --era 2017-12",
    )
)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Performance and failover simulator for hybrid-cloud connectivity."""


@app.command(
    epilog=examples(
        "crossprem run scenarios/site-to-site.yaml",
        "crossprem run branch.yaml --replications 20 --out runs/branch",
        "crossprem run branch.yaml --json | jq '.streams[].latency_s_p95'",
        "cat branch.yaml | crossprem run -",
    )
)
def run(
    file: File,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Run folder; by default runs/<scenario>-<hash>."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed in place of the file's.")] = None,
    set_: Set = None,
    replications: Annotated[
        int | None, typer.Option(min=1, help="Runs with different random numbers.")
    ] = None,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")] = True,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Verbose = False,
) -> int:
    """Simulate a scenario: print a summary and write a run folder.

    A missed target is said in the summary; the run itself has done its work and exits 0.
    """
    from simulator import readout, run_folder
    from simulator.console import Progress, note
    from simulator.planner.explain import explain as explained
    from simulator.run import run_replications

    design = _loaded(file, set_, seed)
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
        _write(to_json(done.summary_dict))
    else:
        _write(readout.text(done, folder, explained(design)))
    if not done.is_complete:
        note(f"interrupted: {done.finished} of {done.wanted} replications are in {folder}")
        return ExitCode.INTERRUPTED
    return ExitCode.OK


@app.command(
    epilog=examples(
        "crossprem validate branch.yaml",
        "crossprem validate branch.yaml -v      # and every hop and route of the plan",
    )
)
def validate(
    file: File, set_: Set = None, as_json: AsJson = False, verbose: Verbose = False
) -> None:
    """Check a scenario and say what was understood."""
    from simulator import planner, readout

    design = _loaded(file, set_)
    plan = planner.build(design)
    understood = readout.understood(design, plan)
    if as_json:
        _write(to_json(understood))
        return
    _write(readout.understood_text(understood) + (f"{plan.describe()}\n" if verbose else ""))


@app.command(
    epilog=examples(
        "crossprem explain branch.yaml",
        "crossprem explain branch.yaml --target '2 Gbit/s' --set gateways.hub-vpn.sku=VpnGw5AZ",
    )
)
def explain(
    file: File,
    target: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Count connections and tunnels for this rate, too."),
    ] = None,
    set_: Set = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Show every ceiling of each stream, and which one binds."""
    from simulator.base.units import RATE, UnitError, parse_quantity
    from simulator.planner.explain import explain as explained

    try:
        target_bps = None if target is None else parse_quantity(target, RATE)
    except UnitError as error:
        raise UsageError(f"--target {target}: {error}") from None
    explanation = explained(_loaded(file, set_), target_bps=target_bps)
    _write(to_json(explanation.to_dict()) if as_json else explanation.text())


@app.command(
    epilog=examples(
        "crossprem catalog",
        "crossprem catalog vpn-gateway-skus --era 2017-12",
        "crossprem catalog timers dpd",
    )
)
def catalog(
    name: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="Which table; without it, list them.")
    ] = None,
    row: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="Only rows that contain this text.")
    ] = None,
    era: Annotated[str, typer.Option(help="Rows that hold in this era; or all.")] = "current",
    as_json: AsJson = False,
) -> None:
    """Print numbers about the real world, with source and date."""
    from simulator import catalog_readout

    shown = catalog_readout.listed() if name is None else catalog_readout.rows(name, row, era)
    _write(to_json(shown.to_dict()) if as_json else shown.to_text())


@app.command(
    epilog=examples(
        "crossprem schema > scenario-v1.json",
        "crossprem schema tables",
    )
)
def schema(
    name: Annotated[
        SchemaName, typer.Argument(help="Of a scenario, of summary.json, or of tables.")
    ] = SchemaName.SCENARIO,
) -> None:
    """Print a JSON Schema, or the dictionary of the tables."""
    if name is SchemaName.SCENARIO:
        from simulator.scenario import json_schema_text

        _write(json_schema_text())
    elif name is SchemaName.SUMMARY:
        from simulator.summary_schema import summary_schema

        _write(to_json(summary_schema()))
    else:
        from simulator.metrics import dictionary

        _write(to_json(dictionary()))


# ---- what all commands share -----------------------------------------------------------------


def _loaded(file: str, assignments: list[str] | None, seed: int | None = None) -> Scenario:
    from simulator.base.owner import check_kernels_owner
    from simulator.scenario import load, parse_set

    check_kernels_owner()
    overrides = parse_set(assignments or [])
    if seed is not None:
        overrides["run.seed"] = str(seed)
    return load(file if file == "-" else Path(file), overrides)


def to_json(value: object) -> str:
    """Write JSON as the command prints it: readable, and without NaN."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _write(text: str) -> None:
    """Write to standard output; whoever reads it may stop in the middle (`| head`)."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def execute(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; nothing but an exit code comes out."""
    as_json = "--json" in arguments
    is_verbose = not {"-v", "--verbose"}.isdisjoint(arguments)
    try:
        code = typer.main.get_command(app)(
            list(arguments), prog_name="crossprem", standalone_mode=False
        )
        return int(code or ExitCode.OK)
    except typer.TyperException as error:
        if not as_json:
            error.show()  # type: ignore[attr-defined]
            return ExitCode.USAGE
        return _fail(UsageError(error.format_message()), as_json)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except CrosspremError as error:
        if error.exit_code is not ExitCode.INTERNAL:
            return _fail(error, as_json)
        return _fail(_internal(error, is_verbose), as_json)
    except Exception as error:  # the last line of defence: nobody is to read a traceback
        return _fail(_internal(error, is_verbose), as_json)


def _internal(error: Exception, is_verbose: bool) -> InternalError:
    """Say on one line what went wrong, and what we need to find out why."""
    if is_verbose:
        traceback.print_exception(error)
    what = " ".join(str(error).split()) or "no message"
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return InternalError(
        f"internal error, {type(error).__name__}: {what}{notes}; this is a fault of crossprem "
        f"{simulator.__version__}: please report it with the scenario and what the same command "
        "prints with -v"
    )


def _fail(error: CrosspremError, as_json: bool) -> int:
    if as_json:
        problems = error.problems if isinstance(error, ScenarioError) else ()
        _write(
            to_json(
                {
                    "error": {
                        "kind": type(error).__name__,
                        "exit_code": int(error.exit_code),
                        "message": str(error),
                        "problems": [asdict(problem) for problem in problems],
                    }
                }
            )
        )
    else:
        sys.stderr.write(f"{error}\n")
    return error.exit_code


def main() -> None:
    """Entry point of the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(execute(sys.argv[1:]))
