"""`crossprem rules`: every rule with what enforces it, or why nothing does."""

import json

import pandas as pd
import pytest

from simulator import rules_readout
from simulator.base.errors import CatalogError
from simulator.cli import execute

COLUMNS = {"id", "text", "severity", "enforce", "enforced", "why_not", "source", "as_of"}


def test_json_has_a_row_for_each_rule(capsys):
    assert execute(["rules", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rules"]
    assert len(rows) == 185
    for row in rows:
        assert row.keys() >= COLUMNS
        assert row["enforced"] is not bool(row["why_not"])
    assert sum(row["enforced"] for row in rows) >= 120


def test_one_rule_by_its_id(capsys):
    assert execute(["rules", "r034"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("R034  ")
    assert "shows the consequence in the run" in text


def test_an_unknown_id_has_the_nearest(capsys):
    assert execute(["rules", "R34"]) == 2
    assert "did you mean 'R034'" in capsys.readouterr().err
    with pytest.raises(CatalogError, match="R034"):
        rules_readout.row("R34")


def test_validate_shows_notes_and_warnings(capsys):
    assert execute(["validate", "scenarios/policy-based.yaml", "--json"]) == 0
    understood = json.loads(capsys.readouterr().out)
    assert any("rule R049" in warning for warning in understood["warnings"])
    assert any("rule R051" in note for note in understood["notes"])


def test_a_broken_rule_exits_with_3_and_names_place_and_rule(capsys):
    code = execute(
        [
            "validate",
            "scenarios/site-to-site.yaml",
            "--set",
            "gateways.hub-vpn.vpn_type=policy-based",
        ]
    )
    assert code == 3
    assert "rule R046" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["plan.svg", "plan.png"])
def test_deploy_plan_draws_a_figure(tmp_path, capsys, name):
    file = tmp_path / name
    assert execute(["deploy-plan", "scenarios/site-to-site.yaml", "--figure", str(file)]) == 0
    assert file.stat().st_size > 1000
    assert "critical path" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["plan.pdf", "nowhere/plan.svg"])
def test_deploy_plan_refuses_other_files(tmp_path, capsys, name):
    figure = str(tmp_path / name)
    assert execute(["deploy-plan", "scenarios/site-to-site.yaml", "--figure", figure]) == 2
    assert "plan.svg" in capsys.readouterr().err


def test_a_deployment_leaves_its_table_and_figure(tmp_path, capsys):
    folder = tmp_path / "deployment"
    call = ["deploy-plan", "scenarios/site-to-site.yaml", "--out", str(folder)]
    assert execute(call) == 0
    printed = capsys.readouterr().out
    assert printed.startswith((folder / "deployment.txt").read_text(encoding="utf-8"))
    assert str(folder) in printed
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    steps = pd.read_csv(folder / "steps.csv")
    assert steps["step"].tolist() == [step["name"] for step in summary["steps"]]
    assert steps["end_s"].max() == summary["total_s"]
    critical = steps.loc[steps["is_critical"], "step"].tolist()
    assert critical == summary["critical_path"]
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "steps.parquet")[["number", "slack_s"]],
        steps[["number", "slack_s"]],
    )
    for name in ("deployment.svg", "deployment.png"):
        assert (folder / "figures" / name).stat().st_size > 1000
    assert execute(call) == 0  # one of ours is replaced


def test_a_deployment_is_not_written_over_other_files(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert execute(["deploy-plan", "scenarios/site-to-site.yaml", "--out", str(tmp_path)]) == 2
    assert "choose a new or empty folder" in capsys.readouterr().err


def test_deployment_support_is_a_grid_with_articles(capsys):
    assert execute(["catalog", "deployment-support", "--era", "2017-12"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    (head,) = [line for line in lines if line.startswith("configuration ")]
    tools = ["Azure portal", "classic portal", "PowerShell", "Azure CLI"]
    starts = [head.index(tool) for tool in tools]
    first = lines[lines.index("site-to-site") + 1]
    assert first.startswith("  Resource Manager")
    cells = [first[a:b].split() for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert [cell[0] for cell in cells] == ["yes", "no", "yes", "yes"]
    (article,) = [line for line in lines if line.split()[:1] == [cells[0][1]]]
    assert article.endswith("vpn-gateway-howto-site-to-site-resource-manager-portal.md")


def test_deployment_support_names_the_article(capsys):
    assert execute(["catalog", "deployment-support", "site-to-site", "--era", "2017-12"]) == 0
    assert "vpn-gateway-howto-site-to-site-resource-manager-portal.md" in capsys.readouterr().out
