"""What commands share: options, how a scenario is loaded, how a result is written."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from simulator.base.errors import UsageError

if TYPE_CHECKING:
    from simulator.base.units import Dimension
    from simulator.scenario import Scenario

RUNS: Final = Path("runs")
"""Where run folders go that nobody named."""

File = Annotated[str, typer.Argument(metavar="FILE", help="Scenario file; - reads standard input.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value; may be given again."),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed in place of the file's.")]
Replicated = Annotated[
    int | None, typer.Option("--replications", min=1, help="Runs with different random numbers.")
]
AtFidelity = Annotated[
    str | None,
    typer.Option("--fidelity", metavar="packet|flow", help="Level in place of the file's."),
]
PricesFile = Annotated[
    Path | None,
    typer.Option(
        "--prices", metavar="FILE", help="Saved answer of the Azure Retail Prices API (JSON)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, errors included.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more, and show where an internal error arose.")
]


def examples(*lines: str) -> str:
    """Write command lines below the help text, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def loaded(
    file: str,
    assignments: list[str] | None,
    seed: int | None = None,
    fidelity: str | None = None,
) -> Scenario:
    """Load a scenario file with what `--set`, `--seed` and `--fidelity` change."""
    from simulator.base.owner import check_kernels_owner
    from simulator.scenario import load

    check_kernels_owner()
    return load(file if file == "-" else Path(file), overridden(assignments, seed, fidelity))


def overridden(
    assignments: list[str] | None, seed: int | None, fidelity: str | None = None
) -> dict[str, str]:
    """What `--set`, `--seed` and `--fidelity` change, by dotted path."""
    from simulator.scenario import parse_set

    overrides = parse_set(assignments or [])
    if seed is not None:
        overrides["run.seed"] = str(seed)
    if fidelity is not None:
        overrides["run.fidelity"] = fidelity
    return overrides


def duration(option: str, text: str | None) -> float | None:
    """Seconds of an option with a duration, None if it was not given.

    Raises
    ------
    UsageError
        If it is no duration.
    """
    from simulator.base.errors import UsageError
    from simulator.base.units import DURATION, UnitError, parse_quantity

    try:
        return None if text is None else parse_quantity(text, DURATION)
    except UnitError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def quantity(option: str, text: str, dimension: Dimension) -> float:
    """Read what an option says with a unit, in SI units."""
    from simulator.base.units import UnitError, parse_quantity

    try:
        return parse_quantity(text, dimension)
    except UnitError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def to_json(value: object) -> str:
    """Write JSON as the command prints it: readable, and without NaN."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write(text: str) -> None:
    """Write to standard output; whoever reads it may stop in the middle (`| head`)."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
