"""Command `crossprem explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.base.errors import UsageError
from simulator.commands.options import AsJson, File, Set, Verbose, examples, loaded, to_json, write

EPILOG = examples(
    "crossprem explain branch.yaml",
    "crossprem explain branch.yaml --target '2 Gbit/s' --set gateways.hub-vpn.sku=VpnGw5AZ",
)


def command(
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
    explanation = explained(loaded(file, set_), target_bps=target_bps)
    write(to_json(explanation.to_dict()) if as_json else explanation.text())
