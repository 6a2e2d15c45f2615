"""The JSON Schema of a scenario file, so that an editor completes names and explains fields."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from simulator.base.fields import use_lookup
from simulator.catalog import load_catalog
from simulator.scenario.matrix import KINDS
from simulator.scenario.model import Scenario
from simulator.traffic import TRAFFIC

#: Where the checked-in copy lies, for editors.
SCHEMA_FILE = Path(__file__).parent.parent / "schema" / "scenario-v1.json"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/"
_PARTIAL = "Partial"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a scenario, with a description on every field.

    A file that extends another holds only what differs, so it is checked against a second copy of
    the models in which nothing is required.
    """
    with use_lookup(load_catalog()):
        generated = Scenario.model_json_schema(by_alias=True)
        _tidy(generated)
    models: dict[str, Any] = generated.pop("$defs")
    models["Site"]["properties"]["count"] = {
        "type": "integer",
        "minimum": 1,
        "description": "number of copies, named NAME-1 to NAME-N; {i} in a text is the number",
    }
    models["Site"]["properties"]["sites_from"] = {
        "type": "string",
        "description": "CSV file with a site in each row; columns are fields, such as name or "
        "internet.isp.down",
    }
    for name, site in generated["properties"]["sites"]["patternProperties"].items():
        # What an entry of a table leaves out may stand in each of its rows.
        filled = {"$ref": f"{_REFERENCE}{_PARTIAL}Site"}
        generated["properties"]["sites"]["patternProperties"][name] = {
            "if": {"required": ["sites_from"]},
            "then": filled,
            "else": site,
        }
    _add_rates_from(generated, models)
    generated["properties"]["extends"] = {
        "type": "string",
        "description": "file whose fields hold where this one has none; lists are replaced",
    }
    title = generated.pop("title")
    models[title] = generated
    partial = {f"{_PARTIAL}{name}": _partial(model) for name, model in models.items()}
    return {
        "$schema": _DIALECT,
        "title": "crossprem scenario, version 1",
        "if": {"required": ["extends"]},
        "then": {"$ref": f"{_REFERENCE}{_PARTIAL}{title}"},
        "else": {"$ref": f"{_REFERENCE}{title}"},
        "$defs": dict(sorted((models | partial).items())),
    }


def _add_rates_from(generated: dict[str, Any], models: dict[str, Any]) -> None:
    """Let entries of traffic name a table of rates, which then says who sends how much to whom."""
    kinds = [TRAFFIC[kind].Schema.__name__ for kind in KINDS]
    for name in kinds:
        models[name]["properties"]["rates_from"] = {
            "type": "string",
            "description": "CSV or Parquet file of rates over time: time_s,src,dst,class,rate_bps; "
            "the entry takes the rows of the class that has its name",
        }
    streams = generated["properties"]["traffic"]["patternProperties"]
    for name, stream in streams.items():
        streams[name] = {
            "if": {"required": ["rates_from"]},
            "then": {"anyOf": [{"$ref": f"{_REFERENCE}{_PARTIAL}{kind}"} for kind in kinds]},
            "else": stream,
        }


def json_schema_text() -> str:
    """The JSON Schema as the text of the checked-in file."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=True) + "\n"


def _tidy(node: Any) -> None:
    """Drop generated titles and say defaults of the catalogue in words."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("title"), str) and "properties" not in node:
        del node["title"]
    if "patternProperties" in node:
        node["additionalProperties"] = False
    node.pop("x-derived", None)
    row = node.pop("x-default-row", None)
    if row is not None:
        default = load_catalog().default(row)
        node["description"] = f"{node['description']} (default {default.text}: {default.cite()})"
    for item in list(node.values()):
        _tidy(item)


def _partial(model: dict[str, Any]) -> dict[str, Any]:
    """A copy of a model in which no field is required and every reference is to such a copy."""
    result = copy.deepcopy(model)
    result.pop("required", None)

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if "oneOf" in node:
                node["anyOf"] = node.pop("oneOf")
            if isinstance(node.get("$ref"), str):
                name = node["$ref"].removeprefix(_REFERENCE).removeprefix(_PARTIAL)
                node["$ref"] = f"{_REFERENCE}{_PARTIAL}{name}"
            for item in node.values():
                visit(item)
        elif isinstance(node, list):
            for item in node:
                visit(item)

    visit(result)
    return result
