"""Command `crossprem rules`."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.commands.options import AsJson, examples, to_json, write

EPILOG = examples(
    "crossprem rules",
    "crossprem rules R034",
    "crossprem rules --json | jq '.rules[] | select(.enforced | not)'",
    "crossprem rules --markdown > docs/rules.md",
)


def command(
    rule_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Which rule; without it, all of them.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the page of the documentation.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Explain the rules that designs are held to, and what enforces them."""
    from simulator import rules_readout

    listed = rules_readout.rows() if rule_id is None else [rules_readout.row(rule_id)]
    if as_json:
        write(to_json(rules_readout.to_dict(listed)))
    elif markdown:
        write(rules_readout.to_markdown(listed))
    else:
        write(rules_readout.to_text(listed))
