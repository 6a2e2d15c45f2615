"""Command `crossprem cost`."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.commands.options import (
    AsJson,
    File,
    PricesFile,
    Quiet,
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
    "crossprem cost branch.yaml",
    "crossprem cost branch.yaml --traffic '160 h'",
    "crossprem cost branch.yaml --prices retail-prices.json --json",
    "crossprem cost branch.yaml --break-even '1 Gbit/s'",
)


def command(
    file: File,
    prices: PricesFile = None,
    traffic: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="How long in a month the traffic is this; by default all of it."
        ),
    ] = None,
    break_even: Annotated[
        str | None,
        typer.Option(
            metavar="RATE", help="Compare a VPN with a circuit of this bandwidth, by volume."
        ),
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what a design costs in a month, line by line, each price with its source.

    The volume of data is that of a run, scaled to the month.
    """
    from simulator import study_readout
    from simulator.base.units import DURATION
    from simulator.console import Progress
    from simulator.study import cost

    design = loaded(file, set_, seed)
    with Progress() as bar:
        found = cost.cost(
            design,
            prices=prices,
            traffic_s=None if traffic is None else quantity("--traffic", traffic, DURATION),
            break_even=break_even,
            progress=None if quiet else bar,
        )
    write(to_json(found.to_dict()) if as_json else study_readout.cost_text(found))
