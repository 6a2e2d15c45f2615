"""Command `crossprem compare`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.base.errors import ExitCode, UsageError
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
    quantity,
    to_json,
    write,
)

EPILOG = examples(
    "crossprem compare today.yaml tomorrow.yaml",
    "crossprem compare main.yaml branch.yaml --threshold '5 %' > comment.md",
    "crossprem compare a.yaml b.yaml --threshold 'latency_s_p95=2 ms' --threshold 'loss_ratio=0 %'",
    "crossprem compare branch.yaml --axis gateways.hub-vpn.sku=all",
    "crossprem compare coexistence.yaml --backup",
    "crossprem compare today.yaml tomorrow.yaml --out runs/compared   # then: report runs/compared",
)


def command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Scenarios; the first is the baseline.")
    ],
    axis: Annotated[
        str | None,
        typer.Option(metavar="PATH=VALUES", help="Rank values of one input; all: the catalogue's."),
    ] = None,
    backup: Annotated[
        bool, typer.Option("--backup", help="Say how much the VPN carries without ExpressRoute.")
    ] = False,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[FIGURE=]AMOUNT",
            help="Exit with 1 if a figure is worse by more than this share of the baseline, or "
            "amount with its unit; repeatable.",
        ),
    ] = None,
    confidence: Annotated[
        str, typer.Option(metavar="RATIO", help="With which all intervals hold together.")
    ] = "99 %",
    independent: Annotated[
        bool, typer.Option("--independent", help="Keep each design's own seed.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a folder as well, for `crossprem report`."),
    ] = None,
    prices: PricesFile = None,
    seed: Seed = None,
    set_: Set = None,
    replications: Replicated = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Run designs under the same traffic and say what is better, worse or not told apart.

    The output is Markdown, for a pull request.
    """
    from simulator import run_folder
    from simulator.base.units import RATIO
    from simulator.console import Counting
    from simulator.headlines import COST
    from simulator.result import records
    from simulator.study.axis import parse_axis, rank
    from simulator.study.backup import backup as carried
    from simulator.study.compare import FIGURES, compare
    from simulator.study.threshold import parse_threshold

    if (axis is not None or backup) and len(files) > 1:
        raise UsageError("--axis and --backup take one scenario; name one file")
    if axis is not None and backup:
        raise UsageError("--axis and --backup are two questions; ask one at a time")
    if backup and out is not None:
        raise UsageError("--backup answers in one sentence and has no folder; leave --out away")
    if out is not None:
        run_folder.check_place(out)
    command_line = shlex.join(["crossprem", *sys.argv[1:]])
    limits = [parse_threshold(text, (*FIGURES, COST)) for text in threshold or ()]
    if limits and (axis is not None or backup):
        raise UsageError("--threshold is of two designs; leave --axis and --backup away")
    level = quantity("--confidence", confidence, RATIO)
    if not 0.5 <= level < 1.0:
        raise UsageError(f"--confidence {confidence}: must lie between 50 % and 99.99 %")
    designs = [loaded(file, set_, seed) for file in files]
    with Counting("values" if axis is not None else "runs") as bar:
        progress = None if quiet else bar
        if axis is not None:
            ranking = rank(
                designs[0],
                *parse_axis(axis),
                replications=replications,
                progress=progress,
                prices=prices,
            )
            if out is not None:
                ranking.save(out, command=command_line)
            write(to_json(ranking.to_dict()) if as_json else ranking.markdown())
            return ExitCode.OK
        if backup:
            found = carried(designs[0], progress=progress)
            write(to_json(found.to_dict()) if as_json else f"{found}\n")
            return ExitCode.OK if found.is_enough else ExitCode.TARGET_FAILED
        comparison = compare(
            *designs,
            replications=replications,
            confidence=level,
            common_numbers=not independent,
            progress=progress,
            prices=prices,
        )
    if out is not None:
        comparison.save(out, command=command_line)
    worse = comparison.regressions(*limits)
    past = {"regressions": records(worse)} if limits else {}
    write(to_json(comparison.to_dict() | past) if as_json else comparison.markdown(*limits))
    return ExitCode.OK if worse.empty else ExitCode.TARGET_FAILED
