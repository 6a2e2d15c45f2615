"""Forecast, published measurements, assumptions and findings of a report."""

import json
import math
from pathlib import Path

import pytest

from simulator import load, run
from simulator.base.errors import UsageError
from simulator.catalog import load_catalog
from simulator.report import write_report
from simulator.report.assumptions import shared
from simulator.report.decision import answer
from simulator.report.evidence import Evidence
from simulator.report.figures import show
from simulator.report.findings import findings
from simulator.report.measured import OUTAGES, comparable
from tests.report.conftest import SCENARIO

ROOT = Path(__file__).resolve().parents[2]


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
    assert "Growth of the load: the scenario states none." in text
    assert 'id="growth"' not in text
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


def test_tcp_over_a_circuit_stands_beside_the_nearest_step_of_the_ladder(tmp_path):
    scenario = load(ROOT / "scenarios/failover-at-peak.yaml").with_(
        {"run.horizon": "21 s", "faults": []}
    )
    found = Evidence(run(scenario).save(tmp_path / "run", figures=False))
    stream = next(s for s in found.explanation.streams if s.stream == "backup")
    # Measured at 5, 40, 55, 74 ms and more, with 1 and with 16 sessions; here 4 flows.
    assert stream.rtt_s == pytest.approx(0.0154, abs=0.001)
    (transfer,) = [c for c in comparable(found) if "TCP" in c.quantity]
    assert "validation-targets V008" in transfer.source
    assert transfer.measured == "38.8 Mbit/s, round trip 40 ms"
    assert "circuit link paris.primary binds here" in transfer.differs
    number = next(n for n, row in found.payload if row["stream"] == "backup")
    assert transfer.path == f"streams[{number}].goodput_bps"


def test_the_tail_is_that_of_a_stream_in_a_tunnel(evidence):
    found = next(c for c in comparable(evidence) if "p99" in c.quantity)
    # V056 less V054: 13.9 to 15.5 ms less 6.16 to 6.19 ms.
    assert found.measured == "7.71 ms to 9.34 ms"
    row = max(
        (r for _, r in evidence.payload if r["latency_s_p99"]), key=lambda r: r["packets_delivered"]
    )
    assert evidence.at(found.path) == row["latency_s_p99"] - row["latency_s_p50"]


def test_tunnels_of_clients_are_not_one_tunnel(tmp_path):
    scenario = load(ROOT / "scenarios/point-to-site.yaml").with_(
        {"run.horizon": "3 s", "run.warm_up": "1 s"}
    )
    found = Evidence(run(scenario).save(tmp_path / "run", figures=False))
    assert [c.quantity for c in comparable(found)] == [
        "latency of the slowest packets: p99 less p50"
    ]
    assert answer(found).facts == (
        "60 of 500 clients are refused: 22 of 150 old-laptops, 20 of 270 laptops, "
        "18 of 80 tablets; the findings say why.",
    )


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


def test_an_assumption_of_many_places_is_one_row(tmp_path):
    scenario = load(ROOT / "scenarios/multi-site.yaml").with_(
        {"run.horizon": "1 s", "run.warm_up": "0 s"}
    )
    found = Evidence(run(scenario).save(tmp_path / "run", figures=False))
    rows = shared(found.assumptions)
    jitter = next(row for row in rows if row.first.path.endswith("isp.jitter"))
    assert (jitter.count, len(jitter.paths), jitter.more) == (12, 2, 10)
    assert sum(row.count for row in rows) == len(found.assumptions)


def test_the_answer_says_what_the_worst_fault_did(evidence):
    worst = max(evidence.summary["failovers"], key=lambda row: row["outage_s"])
    (fact,) = answer(evidence).facts
    assert fact.startswith(f"internet-outage lyon.isp hurts {worst['stream']} {worst['direction']}")
    assert show(worst["outage_s"], "duration") in fact


def test_streams_that_lose_are_one_finding_the_worst_first(run_folder):
    evidence = Evidence(run_folder)
    for row, loss_ratio in zip(evidence.summary["streams"], (0.02, 0.5, 0.001), strict=False):
        row["loss_ratio"] = loss_ratio
    (found,) = [finding for finding in findings(evidence) if "loses" in finding.text]
    first, second = evidence.summary["streams"][:2]
    assert found.text.startswith(f"{second['stream']} {second['direction']} loses 50 %")
    assert found.text.endswith(f"as well: {first['stream']} {first['direction']} 2 %")


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
    evidence.summary["warnings"] = ["designs/a.yaml:1:2 x = 1: is low (rule R044; catalogue t 1)"]
    (rule,) = [finding for finding in findings(evidence) if finding.rule]
    assert (rule.rule, rule.text) == ("R044", "a.yaml:1:2 x = 1: is low (catalogue t 1)")
    assert summary["warnings"] != evidence.summary["warnings"]
