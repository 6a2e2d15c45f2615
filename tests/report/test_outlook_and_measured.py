"""Forecast, published measurements, assumptions and findings of a report."""

import json
import math

import pytest

from simulator import load, run
from simulator.base.errors import UsageError
from simulator.catalog import load_catalog
from simulator.report import write_report
from simulator.report.evidence import Evidence
from simulator.report.findings import findings
from simulator.report.measured import OUTAGES, comparable
from tests.report.conftest import SCENARIO


@pytest.fixture(scope="module")
def evidence(run_folder):
    return Evidence(run_folder, growth="2..4 %/month")


def test_ceilings_are_full_when_the_growth_has_filled_them(evidence):
    first = evidence.outlook.rows[0]
    # Compound growth of 4 % a month from this load, and linear growth of 2 %.
    assert first.months_earliest == pytest.approx(math.log(1 / first.load_ratio) / math.log(1.04))
    assert first.months_latest == pytest.approx((1 / first.load_ratio - 1) / 0.02)
    assert first.earliest < first.latest
    assert evidence.outlook.since == evidence.manifest["written_at"][:10]


def test_the_growth_of_the_scenario_is_taken_unless_another_is_asked_for(run_folder, tmp_path):
    assert Evidence(run_folder).outlook is None
    text = write_report(run_folder, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The scenario states no growth." in text
    text = write_report(run_folder, tmp_path / "grown.html", growth="3 %/month").read_text("utf-8")
    assert "If the load grows by 3 %/month (asked for)" in text
    with pytest.raises(UsageError, match="--growth"):
        write_report(run_folder, tmp_path / "grown.html", growth="3 parrots")
    stated = SCENARIO.replace(
        "packet_size: 800 bytes", "packet_size: 800 bytes, profile: {growth: 5 %}"
    )
    day = load(stated, {"run.fidelity": "flow", "run.horizon": "20 s"})
    found = Evidence(run(day).save(tmp_path / "flow", figures=False)).outlook
    assert (found.growth.low, found.rate) == (0.05, "5 %/month")
    assert "stated" in found.origin


def test_a_published_outage_is_chosen_by_fault_and_topology(evidence):
    # No BGP in this scenario: the row without it, not that of BGP over a tunnel.
    outage = next(c for c in comparable(evidence) if c.quantity == "outage")
    assert "validation-targets V119" in outage.source
    assert outage.measured == "1.5 min"
    longest_s = max(row["outage_s"] for row in evidence.summary["failovers"])
    assert evidence.at(outage.path) == longest_s


def test_every_row_that_is_named_is_in_the_catalogue():
    known = {str(row["id"]): row for row in load_catalog().table("validation-targets").rows}
    for match in OUTAGES:
        assert known[match.row]["metric"] in {"outage", "outage up to", "convergence"}


def test_nothing_comparable_is_said_so(tmp_path):
    text = """
schema_version: 1
run: {horizon: 3 s, time_bin: 1 s}
vnets:
  one: {region: West Europe, address_space: [10.0.0.0/16]}
  two: {region: North Europe, address_space: [10.1.0.0/16]}
connections: {both: {type: peering, vnets: [one, two]}}
traffic: {copy: {kind: poisson, from: one, to: two, rate: 1 Mbit/s, packet_size: 800 bytes}}
"""
    folder = run(load(text)).save(tmp_path / "run", figures=False)
    assert list(comparable(Evidence(folder))) == []
    html = write_report(folder, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no published measurement of a design that is comparable" in html


def test_assumptions_have_range_date_and_reading(evidence):
    found = {row.path: row for row in evidence.assumptions}
    buffer = found["gateways.hub-vpn.limits.buffer"]
    assert (buffer.trust, buffer.range, buffer.date) == ("estimate", "5 ms to 100 ms", "2026-11")
    scope = found["gateways.hub-vpn.limits.scope"]
    assert (scope.value, scope.trust) == ("instance", "disputed")
    assert "per gateway" in scope.note
    assert scope.date == "2022-05-19..2024-01-04"


def test_findings_come_by_severity_with_the_rule(run_folder, tmp_path):
    path = run_folder / "summary.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    kinds = [finding.severity for finding in findings(Evidence(run_folder))]
    assert kinds == sorted(kinds, key=("high", "medium", "low").index)
    evidence = Evidence(run_folder)
    evidence.summary["warnings"] = ["a.yaml:1:2 x = 1: is low (rule R044); write more"]
    (rule,) = [finding for finding in findings(evidence) if finding.rule]
    assert rule.rule == "R044"
    assert "rule" not in rule.text
    assert summary["warnings"] != evidence.summary["warnings"]
