"""Check: a design is tested against its targets; and the commands `check` and `cost`."""

import json
import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import simulator
from simulator import cli, study_readout
from simulator.base.errors import ExitCode, ScenarioError, UsageError
from simulator.study.check import junit
from simulator.targets import Judgement, judge, worst_cost_usd
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
    found = {case.attrib["name"]: [child.tag for child in case] for case in suite.iter("testcase")}
    assert found["latency_p95 <= 1 ms"] == ["failure"]
    assert found["goodput.office.forward >= 30 Mbit/s"] == []
    assert found["outage <= 1 s"] == ["error"]
    message = suite.find("testcase/failure").attrib["message"]
    assert message.startswith("latency_p95 <= 1 ms: MISSED, ")
    with pytest.raises(UsageError, match="cannot be written"):
        more.save_junit(tmp_path / "none" / "junit.xml")


ATTRIBUTES = {
    "testsuites": {"tests", "failures", "errors"},
    "testsuite": {"name", "time", "tests", "failures", "errors"},
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "properties": set(),
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase"],
    "properties": ["property"],
    "testcase": ["failure", "error"],
}


def test_junit_has_the_elements_and_attributes_that_ci_systems_read(checked):
    unknown = Judgement("outage", 1.0, None, "", None)
    both = [checked, replace(checked, judgements=(unknown,))]
    suites = ElementTree.fromstring(junit(both))
    for element in suites.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        order = [CHILDREN[element.tag].index(child.tag) for child in element]
        assert order == sorted(order)
        if element.tag.startswith("testsuite"):
            cases = list(element.iter("testcase"))
            assert int(element.attrib["tests"]) == len(cases)
            assert int(element.attrib["failures"]) == len(list(element.iter("failure")))
            assert int(element.attrib["errors"]) == len(list(element.iter("error")))
    assert [suite.attrib["name"] for suite in suites] == ["lyon-office", "lyon-office-2"]
    properties = {p.attrib["name"]: p.attrib["value"] for p in suites[0].iter("property")}
    assert properties["replications"] == "1"
    assert len(properties["scenario_hash"]) == 64


def test_several_scenarios_are_checked_at_once(tmp_path, capsys):
    files = []
    for number, limit in enumerate(("1 s", "1 ms")):
        files.append(tmp_path / f"design-{number}.yaml")
        text = BASE.read_text(encoding="utf-8") + f"\ntargets: {{latency_p95: {limit}}}\n"
        files[-1].write_text(text, encoding="utf-8")
    junit_file = tmp_path / "junit.xml"
    names = list(map(str, files))
    assert cli.execute(["check", *names, *SETTINGS, "--junit", str(junit_file)]) == 1
    out = capsys.readouterr().out
    assert out.count("1 replication; the worst stream counts") == 2
    suites = ElementTree.parse(junit_file).getroot()
    assert [s.attrib["failures"] for s in suites] == ["0", "1"]
    assert cli.execute(["check", *names, *SETTINGS, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["is_passed"] for one in found] == [True, False]
    assert cli.execute(["check", names[0], str(BASE), *SETTINGS]) == 2
    assert "lyon-office: has no targets to check" in capsys.readouterr().err


def test_the_worst_replication_counts_its_cost_as_well():
    design = simulator.load(BASE).with_(
        {**SHORT, "run.seed": 2, "targets": {"monthly_cost": "1 USD"}}
    )
    found = simulator.check(design, replications=3)
    costs = [simulator.run(design, replicate=k).monthly_cost_usd for k in range(3)]
    assert max(costs) > costs[0]
    assert found.judgements[0].value == max(costs)
    assert worst_cost_usd([1.0, None, 2.0]) is None
    assert worst_cost_usd([]) is None
    text = study_readout.check_text(found)
    assert "3 replications; the worst stream of the worst replication counts" in text


def test_a_stream_of_which_nothing_arrives_has_no_short_latency(checked):
    streams = checked.done.streams.copy()
    dead = (streams["stream"] == "voice") & (streams["direction"] == "return")
    streams.loc[dead, "latency_s_p95"] = math.nan
    limit = streams["latency_s_p95"].max() * 2
    (judgement,) = judge({"latency_p95": limit}, streams)
    assert (judgement.value, judgement.is_met) == (None, None)
    assert str(judgement).endswith("not known from this run, nothing of voice return arrived")
    (missed,) = judge({"latency_p95": limit / 1000}, streams)  # another stream is too slow already
    assert missed.is_met is False
    streams.loc[dead, "offered_bps"] = 0.0  # it only sent before the warm-up was over
    (met,) = judge({"latency_p95": limit}, streams)
    assert met.is_met


def test_without_an_outage_the_target_of_outages_is_met(checked):
    (judgement,) = judge({"outage": 0.0}, checked.done.streams)
    assert (judgement.value, judgement.is_met) == (0.0, True)


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


def test_prices_of_the_user_count_wherever_a_cost_is_said(tmp_path, capsys):
    item = {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": 100.0,
        "armRegionName": "westeurope",
        "location": "EU West",
        "effectiveStartDate": "2026-09-01T00:00:00Z",
        "meterName": "VpnGw1AZ",
        "productName": "VPN Gateway",
        "skuName": "VpnGw1AZ",
        "serviceName": "VPN Gateway",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
    }
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"Items": [item]}), encoding="utf-8")
    design = simulator.load(BASE).with_(SHORT)
    ours, own = simulator.run(design), simulator.run(design, prices=file)
    more = 730 * (100.0 - 0.19)  # VpnGw1AZ costs 0.19 in the catalogue
    assert own.monthly_cost_usd == pytest.approx(ours.monthly_cost_usd + more)
    compared = simulator.compare(design, design, replications=2, prices=file)
    assert compared.designs["monthly_cost_usd"].min() > more
    ranked = simulator.rank(design, "gateways.hub-vpn.sku", ["VpnGw1AZ", "VpnGw2AZ"], prices=file)
    assert ranked.table["value"].tolist() == ["VpnGw2AZ", "VpnGw1AZ"]
    arguments = ["check", str(BASE), *SETTINGS, "--set", "targets.monthly_cost=50000 USD"]
    assert cli.execute(arguments) == 0
    assert cli.execute([*arguments, "--prices", str(file)]) == 1
    capsys.readouterr()
    item["tierMinimumUnits"] = "none"
    file.write_text(json.dumps({"Items": [item]}), encoding="utf-8")
    assert cli.execute([*arguments, "--prices", str(file)]) == 2
    assert "item 0 has tierMinimumUnits = none; it must be a number" in capsys.readouterr().err


def test_a_cost_is_a_table_a_page_and_a_figure_with_its_break_even():
    found = simulator.cost(simulator.load(BASE).with_(SHORT), break_even="1 Gbit/s")
    assert repr(found) == f"<Cost of lyon-office: {found.total_usd:.2f} USD a month>"
    assert found.table["amount_usd"].sum() == pytest.approx(found.total_usd)
    assert "<td>VpnGw1AZ</td><td>730 hours</td><td>0.19</td>" in found._repr_html_()
    axes = found.plot.break_even()
    crossings = found.break_even.crossings
    texts = [text.get_text() for text in axes.texts]
    assert texts == [f"{c.volume:,.0f} GB, {c.mean_bps / 1e6:,.0f} Mbit/s" for c in crossings]
    for line, tariff in zip(axes.lines, found.break_even.tariffs, strict=False):
        x, y = line.get_xydata()[-1]
        assert y == pytest.approx(tariff.cost_usd(x))
        assert x <= tariff.volume_max
    least = min(crossings, key=lambda crossing: crossing.volume)
    assert axes.get_title(loc="left").startswith(f"From {least.volume:,.0f} GB a month on, Express")
    unknown = simulator.cost(
        simulator.load(BASE).with_({**SHORT, "gateways.hub-vpn.sku": "Standard"})
    )
    assert unknown.total_usd is None
    assert "total unknown, " in repr(unknown)
    assert unknown.table["amount_usd"].isna().any()
    with pytest.raises(UsageError, match="there is no break-even"):
        unknown.plot.break_even()


@pytest.mark.parametrize("traffic", ["-3 h", "9000 h"])
def test_traffic_of_more_than_a_month_is_refused(traffic, capsys):
    assert cli.execute(["cost", str(BASE), "--traffic", traffic]) == ExitCode.USAGE
    assert "must lie between 0 s and the month's 30.42 d" in capsys.readouterr().err
