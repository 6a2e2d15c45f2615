"""The JSON Schemas of `summary.json` of comparisons and rankings, which `--json` prints as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import simulator
from simulator.base.json_parts import array_of, number_of, object_of, or_null, text_of, whole_of
from simulator.metrics.metric import Column
from simulator.study.axis import STATUSES
from simulator.study.compare import MIXED, SCHEMA_VERSION
from simulator.study.folders import (
    COMPARISON,
    COMPARISON_COLUMNS,
    DESIGN_COLUMNS,
    RANKING,
    RANKING_COLUMNS,
)
from simulator.study.paired import BETTER, IDENTICAL, NO_EVIDENCE, WORSE
from simulator.summary_schema import target_schema

TEXTS: Final = {"design", "title", "stream", "direction", "figure", "verdict", "status", "reason"}
VERDICTS: Final = (BETTER, WORSE, NO_EVIDENCE, IDENTICAL)


def schema_file(name: str) -> Path:
    """Where the checked-in copy of a schema lies."""
    folder = Path(simulator.__file__).parent / "schema"
    return folder / f"{name}-v{SCHEMA_VERSION}.json"


def comparison_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `compare --json`, and of `summary.json` of `compare --out`."""
    difference = object_of(
        {
            "path": text_of("Dotted path of the input."),
            "baseline": text_of("Its value in the baseline; - if it has none."),
            "other": text_of("Its value in the design; - if it has none."),
        }
    )
    verdict = or_null(text_of("What all figures say together, cost apart; null of the baseline."))
    design = object_of(
        {
            "name": text_of("What the design is called."),
            "title": text_of("Title of its scenario."),
            "monthly_cost_usd": or_null(number_of("Mean of the replications; null: not known.")),
            "verdict": verdict | {"enum": [None, *VERDICTS, MIXED]},
            "headlines": object_of(
                {c.name: _column(c) for c in DESIGN_COLUMNS if c.name not in TEXTS}
            ),
            "targets": array_of(target_schema(), "Judged by the worst of the replications."),
            "scenario_hash": text_of("SHA-256 of all values of its scenario."),
            "unlike_traffic": array_of(
                {"type": "string"}, "Streams and directions that do not send the same packets."
            ),
            "inputs": array_of(difference, "Inputs that differ from the baseline's."),
        }
    )
    figure = object_of({column.name: _column(column) for column in COMPARISON_COLUMNS})
    return _schema(
        COMPARISON,
        "Designs compared with the first of them",
        {
            "baseline": text_of("Name of the first design."),
            "question": text_of("What the baseline's scenario asks; empty if nobody said."),
            "designs": array_of(design, "The baseline first."),
            "confidence": number_of("With which the intervals of all figures hold together."),
            "replications": whole_of("How often each design was run."),
            "seed": or_null(whole_of("Of all designs; null if each kept its own.")),
            "figures": array_of(figure, "One entry for each design, stream, direction, figure."),
        },
        {"regressions": array_of(figure, "Figures past a threshold; present if one was given.")},
    )


def ranking_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `compare --axis --json`, and of the folder's `summary.json`."""
    row = object_of({column.name: _column(column) for column in RANKING_COLUMNS})
    row["properties"]["value"] = {"description": "Value of the input, as it was given."}
    return _schema(
        RANKING,
        "Values of one input, ranked",
        {
            "title": text_of("Title of the scenario."),
            "question": text_of("What it asks; empty if nobody said."),
            "seed": whole_of("Of all runs."),
            "axis": text_of("Dotted path of the input."),
            "replications": whole_of("How often each value was run."),
            "confidence": number_of("Of each interval by itself."),
            "ranking": array_of(row, "One entry for each value, the best first."),
        },
        {},
    )


def _schema(
    name: str, title: str, fields: dict[str, Any], optional: dict[str, Any]
) -> dict[str, Any]:
    head = {
        "schema_version": {"const": SCHEMA_VERSION},
        "scenario": text_of("Short name of the scenario, or of the baseline's."),
        "scenario_hash": text_of("SHA-256 of all its values, defaults included."),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"crossprem {name}, version {SCHEMA_VERSION}",
        "description": f"{title}. SI units, named at the end of each key; null where a figure is "
        "not known or a share of 0 is infinite.",
        **object_of(head | fields, optional),
    }


def _column(column: Column) -> dict[str, Any]:
    """A value of a column: a text, a place, or a number that may not be known."""
    if column.name in TEXTS:
        found = text_of(column.text)
        choices = {"verdict": VERDICTS, "status": STATUSES}.get(column.name)
        return found if choices is None else found | {"enum": list(choices)}
    if column.name == "rank":
        return whole_of(column.text)
    if column.name == "tunnels":
        return or_null(whole_of(column.text))
    return or_null(number_of(column.text))


SCHEMAS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    COMPARISON: comparison_schema,
    RANKING: ranking_schema,
}
"""By name, as `crossprem schema` knows them."""
