"""The JSON Schema: current, complete, and of one mind with the loader."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from simulator.catalog import load_catalog
from simulator.scenario import json_schema, json_schema_text
from simulator.scenario.schema import SCHEMA_FILE
from simulator.scenario.text import read_file
from simulator.scenario.yaml_reader import read_yaml
from tests.scenario.conftest import HERE
from tests.scenario.test_load import COUNTED, SCENARIOS


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """One for all files: `jsonschema.validate` would check the schema itself before each."""
    return jsonschema.Draft202012Validator(schema)


def test_the_checked_in_schema_is_current() -> None:
    current = SCHEMA_FILE.read_text(encoding="utf-8") == json_schema_text()
    assert current, f"run: crossprem schema > {SCHEMA_FILE}"


def test_it_is_a_valid_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "x-default-row" not in json.dumps(schema)


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    names = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert len(names) > 20
    assert names <= set(schema["$defs"])


def test_every_field_of_every_model_has_a_hover_text(schema: dict[str, Any]) -> None:
    for name, model in schema["$defs"].items():
        assert model.get("description"), name
        for field, description in model["properties"].items():
            assert description.get("description"), f"{name}.{field}"
        assert model["additionalProperties"] is False, name


def test_an_editor_completes_the_names_of_the_catalogue(schema: dict[str, Any]) -> None:
    models = schema["$defs"]
    assert "VpnGw1AZ" in models["VpnGateway"]["properties"]["sku"]["enum"]
    assert "West Europe" in models["Vnet"]["properties"]["region"]["enum"]
    assert "firewall-medium" in models["Device"]["properties"]["model"]["enum"]
    assert "G.711" in models["Voice"]["properties"]["codec"]["enum"]
    suite = models["IpsecPolicy"]["properties"]["encryption"]["enum"]
    assert set(suite) == set(load_catalog().names("ipsec-encryption"))


def test_a_default_of_the_catalogue_is_told_in_the_hover_text(schema: dict[str, Any]) -> None:
    text = schema["$defs"]["Dpd"]["properties"]["gateway"]["description"]
    assert "(default 45 s: catalogue model-defaults connection.dpd.gateway" in text


@pytest.mark.parametrize("file", [*SCENARIOS, HERE / "smallest.yaml", HERE / "full.yaml"], ids=str)
def test_what_the_loader_takes_the_schema_takes(
    file: Path, validator: jsonschema.Draft202012Validator
) -> None:
    validator.validate(read_yaml(read_file(file), str(file)).data)


def test_counted_sites_and_variants_are_taken_too(
    validator: jsonschema.Draft202012Validator,
) -> None:
    validator.validate(read_yaml(COUNTED, "").data)
    validator.validate({"extends": "a.yaml", "gateways": {"g": {"sku": "VpnGw2AZ"}}})


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"schema_version": 2, "title": "x"},
        {"schema_version": 1, "title": "x", "zzz": 1},
        {"schema_version": 1, "title": "x", "run": {"horizon": 60}},
        {"schema_version": 1, "title": "x", "run": {"horizon": "60 parsec"}},
        {"schema_version": 1, "title": "x", "run": {"horizon": "-60 s"}},
        {"schema_version": 1, "title": "x", "gateways": {"g": {"type": "vpn", "vnet": "h"}}},
        {"schema_version": 1, "title": "x", "gateways": {"a b": {}}},
        {"schema_version": 1, "title": "x", "traffic": {"t": {"kind": "zzz"}}},
        {"extends": "a.yaml", "gateways": {"g": {"sku": "VpnGw99"}}},
        {"extends": "a.yaml", "gateways": {"g": {"skuu": "VpnGw1AZ"}}},
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(
    wrong: Any, validator: jsonschema.Draft202012Validator
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(wrong)
