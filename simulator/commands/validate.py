"""Command `crossprem validate`."""

from __future__ import annotations

from simulator.commands.options import AsJson, File, Set, Verbose, examples, loaded, to_json, write

EPILOG = examples(
    "crossprem validate branch.yaml",
    "crossprem validate branch.yaml -v      # and every hop and route of the plan",
)


def command(
    file: File, set_: Set = None, as_json: AsJson = False, verbose: Verbose = False
) -> None:
    """Check a scenario and say what was understood."""
    from simulator import planner, readout

    design = loaded(file, set_)
    plan = planner.build(design)
    understood = readout.understood(design, plan)
    if as_json:
        write(to_json(understood))
        return
    write(readout.understood_text(understood) + (f"{plan.describe()}\n" if verbose else ""))
