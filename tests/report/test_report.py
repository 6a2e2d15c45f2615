"""Reports: every number is that of summary.json, nothing is fetched, hostile text stays text."""

import json
import math
import re

import openpyxl
import pytest

from simulator import load, run, sweep
from simulator.base.errors import UsageError
from simulator.report import write_report
from simulator.report.charts import Chart, Line, Mark, thinned, ticks
from simulator.report.decision import answer
from simulator.report.evidence import Evidence
from simulator.report.figures import show
from simulator.run import run_replications
from tests.report.conftest import SCENARIO
from tests.report.page import Page


@pytest.fixture(scope="module")
def html(run_folder, tmp_path_factory):
    path = write_report(run_folder, tmp_path_factory.mktemp("page") / "report.html")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def evidence(run_folder):
    return Evidence(run_folder)


def test_every_stream_and_fault_is_in_the_tables(html, evidence):
    paths = {path for path, _, _ in Page(html).numbers}
    for number in range(len(evidence.summary["streams"])):
        assert f"streams[{number}].latency_s_p99" in paths
    assert evidence.summary["failovers"]
    for number in range(len(evidence.summary["failovers"])):
        assert f"failovers[{number}].outage_s" in paths


def test_nothing_is_fetched(html):
    page = Page(html)
    assert all(address.startswith("#") for address in page.addresses)
    assert not {"link", "iframe", "img", "object"} & set(page.elements)
    assert "@import" not in html
    assert "url(" not in html.replace("url(#", "")


def test_links_of_the_contents_lead_somewhere(html):
    page = Page(html)
    assert len(page.identifiers) == len(set(page.identifiers))
    assert {address[1:] for address in page.addresses} <= set(page.identifiers)


def test_text_of_the_scenario_is_no_markup(html):
    assert "<b>with</b>" not in html
    assert "Branch &lt;b&gt;with&lt;/b&gt; an outage &amp; a target" in html


def test_a_missed_target_is_the_answer_and_the_first_finding(html, evidence):
    missed = [t["target"] for t in evidence.summary["targets"] if t["is_met"] is False]
    assert missed == ["outage"]
    assert "No: 1 of 2 targets is missed (outage)." in html
    assert "target outage is missed by" in html


def test_the_same_folder_gives_the_same_bytes(run_folder, tmp_path, html):
    again = write_report(run_folder, tmp_path / "report.html")
    assert again.read_text(encoding="utf-8") == html


def test_other_designs_stand_beside_the_first(run_folder, tmp_path):
    larger = run(load(SCENARIO).with_("gateways.hub-vpn.sku", "VpnGw5AZ"))
    other = larger.save(tmp_path / "larger", figures=False)
    path = write_report(run_folder, tmp_path / "options.html", others=[other])
    both = Evidence(run_folder, [other])
    found = {place: json.loads(value) for place, value, _ in Page(path.read_text("utf-8")).numbers}
    assert found["cost.total_usd"] < found["others[0].cost.total_usd"]
    assert found["others[0].cost.total_usd"] == larger.summary_dict["cost"]["total_usd"]
    assert all(value == both.at(place) for place, value in found.items())
    text = write_report(run_folder, tmp_path / "options.md", others=[other]).read_text("utf-8")
    assert f"{show(both.at('cost.total_usd'), 'money')} (best)" in text


def test_budgets_add_up_to_the_mean(evidence):
    mean_s = {
        (row["stream"], row["direction"]): row["latency_s_mean"]
        for row in evidence.summary["streams"]
    }
    assert evidence.budgets
    for budget in evidence.budgets:
        expected_s = mean_s[budget.stream, budget.direction]
        assert budget.total_s == pytest.approx(expected_s, rel=1e-9)
        assert budget.propagation_s > 0.004


def test_assumptions_carry_their_source(evidence):
    found = {row.path: row for row in evidence.assumptions}
    buffer = found["gateways.hub-vpn.limits.buffer"]
    assert (buffer.value, buffer.trust) == ("20 ms", "estimate")
    assert found["gateways.hub-vpn.limits.scope"].trust == "disputed"
    assert found["gateways.hub-vpn.sku"].trust == "published"
    assert "traffic.office.rate" not in found


def test_markdown_shows_the_same_figures(run_folder, tmp_path, evidence):
    text = write_report(run_folder, tmp_path / "report.md").read_text(encoding="utf-8")
    for row in evidence.summary["streams"]:
        assert show(row["latency_s_p95"], "duration") in text
    assert "**missed**" in text


def test_the_workbook_holds_every_table_and_a_dictionary(run_folder, tmp_path, evidence):
    path = write_report(run_folder, tmp_path / "tables.xlsx")
    book = openpyxl.load_workbook(path, read_only=True)
    rows = list(book["streams"].values)
    header = list(rows[0])
    for values, row in zip(rows[1:], evidence.summary["streams"], strict=True):
        assert values[header.index("latency_s_p95")] == pytest.approx(
            row["latency_s_p95"], rel=1e-15
        )
    described = {(sheet, column) for sheet, column, *_ in book["dictionary"].values}
    for sheet in book.sheetnames:
        if sheet != "dictionary":
            names = next(iter(book[sheet].values))
            assert {(sheet, name) for name in names} <= described


def test_headlines_of_replications_are_medians_inside_their_spread(tmp_path):
    calm = load(SCENARIO).with_({"run.horizon": "4 s", "faults": []})
    found = run_replications(calm, 4)
    folder = found.save(tmp_path / "run", figures=False)
    evidence = Evidence(folder)
    latency, goodput = answer(evidence).headlines[1:]
    runs = found.streams
    for headline, column, pick in ((latency, "latency_s_p95", max), (goodput, "goodput_bps", min)):
        medians = runs[runs["goodput_bps"] > 0].groupby(["stream", "direction"])[column].median()
        assert evidence.at(headline.path) == pytest.approx(pick(medians), rel=1e-12)
        assert "in 90 % of 4 replications" in headline.interval
    page = Page(write_report(folder, tmp_path / "report.html").read_text(encoding="utf-8"))
    spread = [(path, value) for path, value, _ in page.numbers if path.startswith("replications.s")]
    assert len(spread) > 6 * 3 * 3
    assert all(json.loads(value) == evidence.at(path) for path, value in spread)


def test_fifty_streams_stay_below_five_megabytes(tmp_path):
    streams = "\n".join(
        f"  s{n:02d}: {{kind: poisson, from: lyon, to: hub, rate: 1 Mbit/s, packet_size: 1 kB}}"
        for n in range(50)
    )
    text = f"""
schema_version: 1
title: Fifty streams
run: {{horizon: 20 s, time_bin: 25 ms, seed: 3}}
vnets: {{hub: {{region: West Europe, address_space: [10.0.0.0/16], gateway_subnet: 10.0.255.0/27}}}}
sites:
  lyon:
    location: {{near: France Central}}
    address_space: [192.168.10.0/24]
    internet: {{isp: {{down: 100 Mbit/s, up: 100 Mbit/s, delay: 4 ms}}}}
    devices: {{edge: {{public_ip: 203.0.113.7}}}}
gateways: {{hub-vpn: {{type: vpn, vnet: hub, sku: VpnGw1AZ}}}}
connections: {{lyon-vpn: {{type: ipsec, gateway: hub-vpn, site: lyon}}}}
traffic:
{streams}
"""
    folder = run(load(text)).save(tmp_path / "run", figures=False)
    assert write_report(folder, tmp_path / "report.html").stat().st_size < 5_000_000


SWEEP = """
schema_version: 1
title: Two SKUs & one that <fails>
scenario: base.yaml
set: {run.horizon: 3 s, run.warm_up: 1 s, faults: []}
vary: {gateways.hub-vpn.sku: [VpnGw1AZ, VpnGw2AZ, Nothing]}
replications: 2
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "base.yaml").write_text(SCENARIO, encoding="utf-8")
    (folder / "design.yaml").write_text(SWEEP, encoding="utf-8")
    return sweep(folder / "design.yaml", folder / "out", workers=1)


def test_a_sweep_is_a_table_of_points(swept, tmp_path):
    path = write_report(swept.url, tmp_path / "sweep.html")
    text = path.read_text(encoding="utf-8")
    table = swept.table[swept.table["goodput_bps"] > 0]
    worst = table.groupby(["point", "replicate"])["latency_s_p95"].max().groupby("point").mean()
    found = {place: json.loads(value) for place, value, _ in Page(text).numbers}
    shown = [found[f"points[{n}].latency_s_p95"] for n in range(2)]
    assert shown == pytest.approx(list(worst), rel=1e-12)
    assert "points[2].latency_s_p95" not in found
    assert "of 2 points" in text
    assert text.count("<td>VpnGw2AZ</td>") == 2, "in the table of its input and in that of points"
    assert "&lt;fails&gt;" in text
    assert "unknown SKU" in text or "Nothing" in text
    assert "http" not in "".join(Page(text).addresses)


def test_a_sweep_is_markdown_and_a_workbook_as_well(swept, tmp_path):
    text = write_report(swept.url, tmp_path / "sweep.md").read_text(encoding="utf-8")
    assert "| VpnGw2AZ |" in text
    path = write_report(swept.url, tmp_path / "sweep.xlsx")
    book = openpyxl.load_workbook(path, read_only=True)
    assert len(list(book["sweep"].values)) == len(swept.table) + 1
    with pytest.raises(UsageError, match="only the report of a run takes other folders"):
        write_report(swept.url, tmp_path / "sweep.html", others=[swept.url])


@pytest.mark.parametrize(
    ("out", "message"),
    [("report.pdf", "ends in .html, .md, .xlsx"), ("nowhere/report.html", "cannot be written")],
)
def test_a_place_that_cannot_be_is_an_error(run_folder, tmp_path, out, message):
    with pytest.raises(UsageError, match=message):
        write_report(run_folder, tmp_path / out)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_somebody_else_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no run folder"):
        write_report(tmp_path, tmp_path / "report.html")


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 437.3), (3.2, 3.9), (0.0, 1e-9)])
def test_ticks_are_round_and_inside(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 12
    assert all(low - 1e-12 <= value <= high + 1e-12 for value in found)


def test_a_thinned_line_keeps_its_highest_point():
    import numpy as np

    x = np.arange(5_000.0)
    y = np.zeros(5_000)
    y[1_234] = 7.0
    y[10:50] = np.nan
    few_x, few_y = thinned(x, y, by_max=True)
    assert len(few_x) == len(few_y) <= 600
    assert np.nanmax(few_y) == 7.0
    assert abs(few_x[int(np.nanargmax(few_y))] - 1_234) < 10


def test_bins_are_steps_as_wide_as_a_bin():
    line = Line("a", [1.0, 2.0])
    drawing = Chart("c", "m", "n", [0.0, 5.0], [line], "x", "y", bin_width=5.0).html()
    path = drawing.split(' d="')[1].split('"')[0]
    # 860 wide with margins of 64 and 16: a bin takes half of 780.
    assert re.findall(r"[MLH]([\d.]+)", path) == ["64.0", "454.0", "454.0", "844.0"]


def test_marks_that_stand_close_share_a_label():
    marks = [Mark(x, f"event {x}") for x in (0.0, 1.0, 2.0, 50.0)]
    chart = Chart("c", "m", "n", [0.0, 100.0], [Line("a", [1.0, 1.0])], "x", "y", marks)
    labels = re.findall(r'text-anchor="middle">([^<]*)</text><title>', chart.html())
    assert labels == ["1-3", "", "", "4"]


def test_a_gap_interrupts_the_line():
    line = Line("a", [1.0, math.nan, 2.0, 3.0])
    drawing = Chart("c", "m", "n", [0.0, 1.0, 2.0, 3.0], [line], "x", "y").html()
    path = drawing.split(' d="')[1].split('"')[0]
    assert (path.count("M"), path.count("L")) == (2, 1)
