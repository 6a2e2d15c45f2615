"""Command `crossprem catalog`."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.commands.options import AsJson, examples, to_json, write

EPILOG = examples(
    "crossprem catalog",
    "crossprem catalog vpn-gateway-skus --era 2017-12",
    "crossprem catalog timers dpd",
)


def command(
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
    write(to_json(shown.to_dict()) if as_json else shown.to_text())
