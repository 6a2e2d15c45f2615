"""Every number of a page is that of summary.json, or is worked out again here from the tables."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import simulator
from simulator import load, run, run_folder
from simulator.planner.explain import explain
from simulator.readout import event_text
from simulator.report import write_report
from simulator.report.compare_page import Folder
from simulator.report.evidence import Evidence
from simulator.report.figures import SHOW, show
from simulator.study.axis import rank
from simulator.study.statistics import student_t
from tests.report.conftest import SCENARIO
from tests.report.page import Page

ROOT = Path(__file__).resolve().parents[2]
QUANTITY = re.compile(
    r"(?<![\w.])(-?\d[\d,]*(?:\.\d+)?) ?((?:Gbit/s|Mbit/s|kbit/s|ms|us|s|min|h|USD)\b|%)"
)
SAID = {("95", "%"), ("90", "%"), ("99", "%"), ("100", "%"), ("3", "%"), ("15", "%"), ("10", "%")}
"""Quantities of the page's own sentences: percentiles, tolerances, the example of a growth."""
RUNS = {
    "outage of a branch": lambda: load(SCENARIO),
    "circuit fails": lambda: load(ROOT / "scenarios/failover-at-peak.yaml").with_(
        {"run.horizon": "70 s"}
    ),
    "point-to-site": lambda: load(ROOT / "scenarios/point-to-site.yaml").with_(
        {"run.horizon": "4 s", "run.warm_up": "1 s"}
    ),
    "flow level": lambda: load(ROOT / "scenarios/login-morning.yaml").with_(
        {"run.horizon": "10 h", "run.time_bin": "10 min"}
    ),
}


@pytest.fixture(scope="module", params=RUNS)
def folder(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("numbers") / "run"
    return run(RUNS[request.param]()).save(place, figures=False)


@pytest.fixture(scope="module")
def page(folder):
    path = write_report(folder, folder.with_suffix(".html"))
    return Page(path.read_text(encoding="utf-8"))


def leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def quantities(text):
    return {(number, unit) for number, unit in QUANTITY.findall(text)}


def known_quantities(*sources):
    """Whatever a number of the sources may be written as, and what their texts hold."""
    found = set(SAID)
    for value in leaves(sources):
        if isinstance(value, str):
            found |= quantities(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            for kind in SHOW:
                found |= quantities(show(value, kind))
    return found


def check(numbers, at):
    for path, value, text in numbers:
        expected = at(path)
        assert json.loads(value) == expected, path
        texts = {show(expected, kind) for kind in SHOW} if expected is not None else {"-"}
        assert text in texts, (path, text)


def test_every_marked_number_is_that_of_the_summary_or_of_explain(page, folder):
    evidence = Evidence(folder)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert len(page.numbers) > 40
    check(page.numbers, evidence.at)
    explained = json.loads(json.dumps(explain(load(evidence.saved.resolved)).to_dict()))
    of_summary = 0
    for path, value, _ in page.numbers:
        first, _, rest = path.partition(".")
        if first == "derived":
            continue
        place, root = (rest, explained) if first == "explain" else (path, summary)
        of_summary += root is summary
        found = root
        for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place):
            found = found[int(number)] if number else found[name]
        assert json.loads(value) == found, path
    assert of_summary > 30


def test_what_the_report_works_out_is_worked_out_again(page, folder):
    saved = run_folder.read(folder)
    found = {path: json.loads(value) for path, value, _ in page.numbers}
    timeline = saved.table("timeline")
    after = timeline[~timeline["is_warm_up"]]
    medians = after.groupby(["stream", "direction"])["goodput_bps"].median()
    explained = explain(load(saved.resolved))
    expected = [
        medians.get((s.stream, s.direction))
        for s in explained.streams
        if medians.get((s.stream, s.direction))
    ]
    steps = [found[f"derived.steps[{n}].value"] for n in range(len(expected))]
    assert steps == pytest.approx(expected, rel=1e-12)
    budgets = [path for path in found if path.startswith("derived.budgets[")]
    rows = [
        row
        for row in saved.summary["streams"]
        if row["goodput_bps"] and row["latency_s_mean"] is not None
    ]
    assert len(budgets) == 4 * len(rows)
    for n, row in enumerate(rows):
        parts = [found[p] for p in budgets if p.startswith(f"derived.budgets[{n}].")]
        assert sum(parts) == pytest.approx(row["latency_s_mean"], rel=0.05)


def test_no_other_quantity_is_on_the_page(page, folder):
    evidence = Evidence(folder)
    catalogue = "\n".join(p.read_text("utf-8") for p in (ROOT / "simulator/catalog").glob("*.csv"))
    ranges = [a.range for a in evidence.assumptions]
    measured = [c.measured for c in simulator.report.measured.comparable(evidence)]
    shares = [f.text for f in simulator.report.findings.findings(evidence) if "; " in f.text]
    known = known_quantities(
        evidence.summary, evidence.manifest, evidence.saved.resolved, evidence.explained, catalogue,
        ranges, measured, shares,
    )  # fmt: skip
    by_id = {event["event_id"]: event for event in evidence.summary["events"]}
    for event in by_id.values():
        known.add((f"{event['time_s']:.3f}", "s"))
        known |= quantities(event_text(event, by_id.get(event["cause_event_id"])))
    charts = re.compile(r"The highest .*")
    said = charts.sub("", "".join(page.said))
    assert quantities(said) - known == set()
    assert len(quantities(said)) > 5


def test_a_changed_number_is_noticed(page, folder):
    evidence = Evidence(folder)
    path, value, text = next(n for n in page.numbers if n[0].endswith("latency_s_p95"))
    with pytest.raises(AssertionError):
        check([(path, repr(json.loads(value) * 1.01), text)], evidence.at)
    with pytest.raises(AssertionError):
        check([(path, value, "12.3456 ms")], evidence.at)
    assert ("98.7654", "ms") not in known_quantities(evidence.summary)


def test_the_messages_of_charts_are_those_of_the_timeline(page, folder):
    timeline = run_folder.read(folder).table("timeline")
    counted = timeline[~timeline["is_warm_up"]]
    said = "".join(page.said)
    highest = float(counted["throughput_bps"].max()) / 1e6
    assert f"The highest delivered rate is {highest:.3g} Mbit/s" in said
    latency = float(np.nanmax(counted["latency_s_p95"])) * 1e3
    assert f"The highest p95 latency is {latency:.3g} ms" in said


# ---- comparisons and rankings ----------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    base = load(SCENARIO).with_({"run.horizon": "4 s", "run.warm_up": "1 s", "faults": []})
    larger = base.with_("gateways.hub-vpn.sku", "VpnGw2AZ")
    far = base.with_("sites.lyon.internet.isp.delay", "14 ms")
    found = simulator.compare(base, larger, far, replications=4, names=["today", "larger", "far"])
    return found, found.save(tmp_path_factory.mktemp("compared") / "out")


def test_every_number_of_a_comparison_is_that_of_its_summary(compared, tmp_path):
    found, folder = compared
    read = Folder(folder)
    path = write_report(folder, tmp_path / "compared.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.numbers) > 60
    check(page.numbers, read.at)
    assert read.summary["figures"] == json.loads(json.dumps(found.to_dict()))["figures"]
    known = known_quantities(read.summary, read.manifest)
    costs = [design["monthly_cost_usd"] for design in read.summary["designs"]]
    known |= {(f"{abs(cost - costs[0]):,.2f}", "USD") for cost in costs}
    assert quantities("".join(page.said)) - known == set()


def test_options_of_a_comparison_are_means_with_their_interval(compared):
    found, folder = compared
    for n, name in enumerate(found.names):
        runs = found.runs[found.runs["design"] == name].groupby("replicate")
        worst_s = runs["latency_s_p95"].max().to_numpy()
        half_s = student_t(3, 0.99) * worst_s.std(ddof=1) / 2.0
        row = Folder(folder).at(f"designs[{n}].headlines")
        assert row["latency_s_p95"] == pytest.approx(worst_s.mean(), rel=1e-12)
        assert row["latency_s_p95_high"] == pytest.approx(worst_s.mean() + half_s, rel=1e-9)
        total_bps = runs["goodput_bps"].sum().mean()
        assert row["goodput_bps"] == pytest.approx(total_bps, rel=1e-12)


def test_a_comparison_says_which_design_and_which_inputs(compared, tmp_path):
    _, folder = compared
    text = write_report(folder, tmp_path / "compared.html").read_text(encoding="utf-8")
    assert "sites.lyon.internet.isp.delay" in text
    assert "14 ms" in text
    assert "far is better in 0 and worse in" in text
    page = Page(text)
    assert len(page.identifiers) == len(set(page.identifiers))
    assert all(address.startswith("#") for address in page.addresses)
    markdown = write_report(folder, tmp_path / "compared.md").read_text(encoding="utf-8")
    assert markdown.startswith("## today against larger, far")
    assert write_report(folder, tmp_path / "compared.xlsx").stat().st_size > 5_000


def test_every_number_of_a_ranking_is_that_of_its_summary(tmp_path):
    base = load(SCENARIO).with_({"run.horizon": "3 s", "run.warm_up": "1 s", "faults": []})
    ranking = rank(base, "gateways.hub-vpn.sku", ["VpnGw1AZ", "VpnGw2AZ", "Basic", "Nothing"])
    folder = ranking.save(tmp_path / "ranking")
    page = Page(write_report(folder, tmp_path / "ranking.html").read_text(encoding="utf-8"))
    read = Folder(folder)
    check(page.numbers, read.at)
    assert len(page.numbers) > 20
    assert [row["value"] for row in read.summary["ranking"]] == list(ranking.table["value"])
    assert quantities("".join(page.said)) - known_quantities(read.summary, read.manifest) == set()
