"""Every summary of a comparison or a ranking obeys its JSON Schema, and the schema is strict."""

import json

import jsonschema
import pytest

import simulator
from simulator import cli
from simulator.study.axis import rank
from simulator.study.compare import compare
from simulator.study.schemas import SCHEMAS, schema_file
from tests.study.conftest import BASE

SHORT = {"run.horizon": "100 ms", "run.warm_up": "20 ms", "run.time_bin": "20 ms"}
SETTINGS = [part for path, value in SHORT.items() for part in ("--set", f"{path}={value}")]
SKU = "gateways.hub-vpn.sku"


def comparisons():
    base = simulator.load(BASE).with_(SHORT)
    other = base.with_({SKU: "VpnGw2AZ", "targets": {"latency_p95": "1 ms"}, "run.seed": 5})
    yield compare(base, other, base.with_("gateways.hub-vpn.mode", "active-active"), replications=2)
    yield compare(base, other, replications=2, common_numbers=False)
    # Its price is unknown, and nothing is lost in the baseline, so one ratio is infinite.
    yield compare(base, base.with_(SKU, "Standard"), replications=2)


def rankings():
    base = simulator.load(BASE).with_(SHORT)
    yield rank(base, SKU)
    yield rank(base, SKU, ["VpnGw1AZ", "VpnGw9"], replications=2)
    yield rank(base, "traffic.voice.calls", [1, 2])


@pytest.mark.parametrize(("name", "studies"), [("comparison", comparisons), ("ranking", rankings)])
def test_every_summary_obeys_its_schema(name, studies, tmp_path):
    schema = SCHEMAS[name]()
    jsonschema.Draft202012Validator.check_schema(schema)
    for number, study in enumerate(studies()):
        folder = study.save(tmp_path / str(number))
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        assert summary == json.loads(json.dumps(study.to_dict()))
        jsonschema.validate(summary, schema)
    rows = "figures" if name == "comparison" else "ranking"
    for spoil in (
        lambda s: s.pop("seed"),
        lambda s: s[rows][0].update(surprise=1),
        lambda s: s.update(confidence="high"),
        lambda s: s.update(schema_version=2),
    ):
        spoilt = json.loads(json.dumps(summary))
        spoil(spoilt)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoilt, schema)


def test_what_the_command_prints_obeys_the_schema_it_prints(capsys):
    printed = {
        "comparison": [str(BASE), str(BASE), "--replications", "2", "--threshold", "1 %"],
        "ranking": [str(BASE), "--axis", f"{SKU}=VpnGw1AZ,VpnGw2AZ"],
    }
    for name, arguments in printed.items():
        assert cli.execute(["schema", name]) == 0
        schema = json.loads(capsys.readouterr().out)
        assert cli.execute(["compare", *arguments, *SETTINGS, "--json"]) == 0
        jsonschema.validate(json.loads(capsys.readouterr().out), schema)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_checked_in_schemas_are_those_of_the_code(name):
    text = json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"
    hint = f"run: crossprem schema {name} > simulator/schema/{name}-v1.json"
    assert schema_file(name).read_text(encoding="utf-8") == text, hint
