"""Command `crossprem schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from simulator.commands.options import examples, to_json, write

EPILOG = examples(
    "crossprem schema > scenario-v1.json",
    "crossprem schema comparison",
    "crossprem schema tables",
)


class SchemaName(StrEnum):
    """What `crossprem schema` can print."""

    SCENARIO = "scenario"
    SUMMARY = "summary"
    COMPARISON = "comparison"
    RANKING = "ranking"
    TABLES = "tables"


def command(
    name: Annotated[
        SchemaName,
        typer.Argument(
            help="Of a scenario, of a run's summary.json, of that of a study, of tables."
        ),
    ] = SchemaName.SCENARIO,
) -> None:
    """Print a JSON Schema, or the dictionary of the tables."""
    if name is SchemaName.SCENARIO:
        from simulator.scenario import json_schema_text

        write(json_schema_text())
    elif name is SchemaName.SUMMARY:
        from simulator.summary_schema import summary_schema

        write(to_json(summary_schema()))
    elif name in {SchemaName.COMPARISON, SchemaName.RANKING}:
        from simulator.study.schemas import SCHEMAS

        write(to_json(SCHEMAS[name]()))
    else:
        from simulator.metrics import dictionary

        write(to_json(dictionary()))
