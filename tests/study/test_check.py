"""Check: a design is tested against its targets; and the commands `check` and `cost`."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import simulator
from simulator import cli
from simulator.base.errors import ScenarioError, UsageError
from simulator.targets import Judgement, judge
from tests.study.conftest import BASE

SHORT = {"run.horizon": "200 ms", "run.warm_up": "50 ms", "run.time_bin": "50 ms"}
SETTINGS = [part for path, value in SHORT.items() for part in ("--set", f"{path}={value}")]
TARGETS = {
    "latency_p95": "1 ms",
    "loss": "5 %",
    "goodput": {"office": {"forward": "30 Mbit/s", "return": "1 Gbit/s"}},
    "monthly_cost": "1000000 USD",
}


@pytest.fixture(scope="module")
def checked():
    return simulator.check(simulator.load(BASE).with_({**SHORT, "targets": TARGETS}))


def test_every_target_has_a_verdict_of_its_own(checked):
    verdicts = {j.target: j.is_met for j in checked.judgements}
    assert verdicts == {
        "latency_p95": False,
        "loss": True,
        "monthly_cost": True,
        "goodput.office.forward": True,
        "goodput.office.return": False,
    }
    assert not checked.is_passed
    assert [j.target for j in checked.failed] == ["latency_p95", "goodput.office.return"]


def test_junit_has_a_case_for_each_target_and_a_failure_for_each_missed(checked, tmp_path):
    unknown = Judgement("outage", 1.0, None, "", None)
    more = replace(checked, judgements=(*checked.judgements, unknown))
    more.save_junit(tmp_path / "junit.xml")
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suites.tag, suites.attrib) == (
        "testsuites",
        {"tests": "6", "failures": "2", "errors": "1"},
    )
    (suite,) = suites
    assert suite.attrib["name"] == "lyon-office"
    found = {case.attrib["name"]: [child.tag for child in case] for case in suite}
    assert found["latency_p95 <= 1 ms"] == ["failure"]
    assert found["goodput.office.forward >= 30 Mbit/s"] == []
    assert found["outage <= 1 s"] == ["error"]
    message = suite.find("testcase/failure").attrib["message"]
    assert message.startswith("latency_p95 <= 1 ms: MISSED, ")
    with pytest.raises(UsageError, match="cannot be written"):
        more.save_junit(tmp_path / "none" / "junit.xml")


def test_the_command_exits_with_1_and_names_what_failed(tmp_path, capsys):
    junit = tmp_path / "results.xml"
    arguments = ["check", str(BASE), *SETTINGS, "--set"]
    assert cli.execute([*arguments, "targets.latency_p95=1 ms", "--junit", str(junit)]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "FAILED: latency_p95"
    assert "MISSED" in out
    assert ElementTree.parse(junit).getroot().attrib["failures"] == "1"
    assert cli.execute([*arguments, "targets.latency_p95=1 s", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["is_passed"] is True
    assert found["targets"][0]["target"] == "latency_p95"
    assert cli.execute(["check", str(BASE), *SETTINGS]) == 2
    assert "has no targets to check" in capsys.readouterr().err


def test_a_cost_that_is_not_known_does_not_pass(checked):
    streams = checked.done.streams
    (judgement,) = judge({"monthly_cost": 100.0}, streams)
    assert judgement.is_met is None
    assert str(judgement) == "monthly_cost <= 100.00 USD: not known from this run"
    (met,) = judge({"monthly_cost": 100.0}, streams, 100.0)
    assert met.is_met
    assert not replace(checked, judgements=(judgement,)).is_passed


def test_a_stream_that_sends_nothing_misses_its_goodput(checked):
    (judgement,) = judge({"goodput.none.forward": 1.0}, checked.done.streams)
    assert (judgement.value, judgement.is_met) == (0.0, False)


def test_a_goodput_of_a_stream_that_does_not_exist_is_refused():
    with pytest.raises(ScenarioError, match="did you mean 'office'"):
        simulator.load(BASE).with_("targets", {"goodput": {"ofice": {"forward": "1 Mbit/s"}}})


# ---- cost ------------------------------------------------------------------------------------


def test_the_command_prints_a_ledger_that_adds_up(capsys):
    assert cli.execute(["cost", str(BASE), *SETTINGS, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    amounts = [line["amount_usd"] for line in found["lines"]]
    assert found["total_usd"] == pytest.approx(sum(amounts), abs=1e-6)
    assert found["month_s"] == 730 * 3600
    for line in found["lines"]:
        assert line["amount_usd"] == pytest.approx(line["quantity"] * line["rate_usd"], abs=0.00501)
        assert line["source"]
    assert cli.execute(["cost", str(BASE), *SETTINGS, "--break-even", "1 Gbit/s"]) == 0
    out = capsys.readouterr().out
    assert f"total: {found['total_usd']:.2f} USD a month" in out
    assert "A month has 730 hours" in out
    assert "is cheaper than" in out
    assert max(map(len, out.splitlines())) <= 100
    assert cli.execute(["cost", str(BASE), "--break-even", "1.5 Gbit/s"]) == 2
    assert cli.execute(["cost", str(BASE), "--break-even", "fast"]) == 2
    assert cli.execute(["cost", str(BASE), "--prices", "none.json"]) == 2


def test_the_cost_of_a_run_is_in_its_summary(checked):
    first = checked.done.first
    found = first.summary_dict["cost"]
    assert found["total_usd"] == first.monthly_cost_usd == first.cost.total_usd
    assert {line["item"] for line in found["lines"]} >= {"VpnGw1AZ", "Standard static IPv4"}
