"""Command `crossprem explain`."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.base.errors import UsageError
from simulator.commands.options import AsJson, File, Set, Verbose, examples, loaded, to_json, write

if TYPE_CHECKING:
    from simulator.scenario import Scenario

EPILOG = examples(
    "crossprem explain branch.yaml",
    "crossprem explain branch.yaml --growth '3 %/month'",
    "crossprem explain branch.yaml --target '2 Gbit/s' --set gateways.hub-vpn.sku=VpnGw5AZ",
)


def command(
    file: File,
    target: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Count connections and tunnels for this rate, too."),
    ] = None,
    growth: Annotated[
        str | None,
        typer.Option(
            metavar="RATE", help="Say when ceilings are full: '3 %/month', '2..4 %/month'."
        ),
    ] = None,
    set_: Set = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Show every ceiling of each stream, and which one binds."""
    from simulator.base.units import RATE, UnitError, parse_quantity
    from simulator.forecast_readout import forecast_text
    from simulator.planner.explain import explain as explained
    from simulator.planner.forecast import Growth, saturations, to_dict

    try:
        target_bps = None if target is None else parse_quantity(target, RATE)
    except UnitError as error:
        raise UsageError(f"--target {target}: {error}") from None
    rate = None if growth is None else Growth.parse(growth)
    scenario = loaded(file, set_)
    explanation = explained(scenario, target_bps=target_bps)
    zoomed = _zoomed(scenario)
    if rate is None:
        write(to_json(explanation.to_dict()) if as_json else explanation.text() + zoomed)
        return
    rows = list(saturations(explanation, rate, date.today()))
    if as_json:
        write(to_json(explanation.to_dict() | {"forecast": to_dict(rows, rate)}))
    else:
        write(explanation.text() + zoomed + "\n" + forecast_text(rows, rate))


def _zoomed(scenario: Scenario) -> str:
    """Which stretches a run simulates at packet level; empty if it does not zoom in."""
    if scenario.run.zoom is None or scenario.run.fidelity != "flow":
        return ""
    from simulator import planner
    from simulator.engine import foreseen
    from simulator.forecast_readout import window_lines, window_rows

    windows = foreseen(planner.build(scenario))
    return "\n" + "\n".join([*window_lines(window_rows(windows.kept)), *windows.notes]) + "\n"
