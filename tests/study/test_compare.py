"""Comparisons: the same is identical, noise is no evidence, and what differs is found."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

import simulator
from simulator import cli
from simulator.base.errors import UsageError
from simulator.study import compare as module
from simulator.study.backup import without_expressroute
from simulator.study.compare import Comparison, compare
from simulator.study.inputs import differences_of
from simulator.study.statistics import interval, student_t
from simulator.study.threshold import parse_threshold
from tests.study.conftest import BASE, ROOT

SHORT = {
    "run.horizon": "200 ms",
    "run.warm_up": "50 ms",
    "run.time_bin": "50 ms",
    "traffic.office.rate": "10 Mbit/s",
    "traffic.office.reply_rate": "20 Mbit/s",
}
DELAY = "sites.lyon.internet.isp.delay"


@pytest.fixture(scope="module")
def base():
    return simulator.load(BASE).with_(SHORT)


def made_up(values, confidence=0.99, packets=1_000_000, **more):
    """A comparison of figures that are made up: `values[name][figure]`, one for each run."""
    names = tuple(values)
    rows = [
        {
            "design": name,
            "replicate": k,
            "stream": "office",
            "direction": "forward",
            "packets_sent": packets,
            "packets_delivered": packets,
            **dict.fromkeys(module.FIGURES, math.nan),
            **{figure: numbers[k] for figure, numbers in values[name].items()},
        }
        for name in names
        for k in range(len(next(iter(values[name].values()))))
    ]
    costs = pd.DataFrame({"design": [], "replicate": [], module.COST: []}).astype(
        {module.COST: float}
    )
    differences = dict.fromkeys(names[1:], ())
    return Comparison(
        names, names, confidence, pd.DataFrame(rows), costs, 1e-6, differences, **more
    )


def test_a_design_against_itself_is_identical(base):
    found = compare(base, base, replications=2)
    assert set(found.table["verdict"]) == {"identical"}
    assert found.verdict("lyon-office-2") == "identical"
    assert found.differences == {"lyon-office-2": ()}
    assert "No input differs." in found.markdown()


def test_ten_milliseconds_more_are_found_and_lie_in_every_interval(base):
    near, far = base, base.with_(DELAY, "14 ms")
    found = compare(near, far, replications=6, names=["near", "far"])
    rows = found.table[found.table["figure"] == "latency_s_p50"]
    assert len(rows) == 4
    assert (rows["verdict"] == "worse").all()
    assert (rows["low"] <= 0.010).all()
    assert (rows["high"] >= 0.010).all()
    assert (rows["difference"] - 0.010).abs().max() < 1e-3
    (difference,) = found.differences["far"]
    assert (difference.path, difference.baseline, difference.other) == (DELAY, "4 ms", "14 ms")
    assert found.verdict("far") == "worse"
    assert not found.regressions(0.05).empty
    assert found.regressions(50.0).empty


def test_independent_noise_is_no_evidence_in_97_of_100():
    # 100 comparisons of two designs whose figures have one distribution: with intervals that hold
    # together at 99 %, about one of them may be called different.
    rng = np.random.default_rng(5)
    verdicts = [
        made_up(
            {n: {figure: rng.normal(10, 1, 10) for figure in module.FIGURES} for n in ("a", "b")}
        ).verdict("b")
        for _ in range(100)
    ]
    assert verdicts.count("no evidence") >= 97
    assert "identical" not in verdicts


def test_intervals_of_all_designs_hold_together():
    # One figure of one other design has an interval of 99 %, of four others each of 99.75 %.
    two = made_up(
        {n: {"loss_ratio": [1.0, 2.0, 4.0]} for n in "ab"} | {"b": {"loss_ratio": [3.0, 3.0, 3.0]}}
    )
    five = made_up(
        {n: {"loss_ratio": [1.0, 2.0, 4.0]} for n in "abcde"}
        | {"b": {"loss_ratio": [3.0, 3.0, 3.0]}}
    )
    widths = [(c.table["high"] - c.table["low"]).iloc[0] for c in (two, five)]
    # Student's t with 2 degrees of freedom: t(0.995) = 9.925, t(1 - 0.01 / 8) = 19.962.
    assert widths[1] / widths[0] == pytest.approx(19.962 / 9.925, rel=1e-3)


def test_two_runs_that_differ_by_the_same_few_packets_are_no_evidence():
    # Of 400 packets 300 are sent after warm-up, so one more is 1 / 300 of the goodput. That both
    # runs have just one or two more is what chance makes of a figure that comes in steps.
    steady = {"goodput_bps": [300.0, 300.0]}
    for more in (1.0, 2.0):
        other = {"goodput_bps": [300.0 + more] * 2}
        found = made_up({"a": steady, "b": other}, packets=400, measured_ratio=0.75)
        assert found.verdict("b") == "no evidence"
        assert found.table["high"].item() >= more + 1.0


def test_every_packet_is_the_same_where_the_ways_are_as_many(base):
    designs = {
        "base": base,
        "sku": base.with_("gateways.hub-vpn.sku", "VpnGw3AZ"),
        "slower": base.with_({"sites.lyon.internet.isp.down": "200 Mbit/s", DELAY: "9 ms"}),
        "two-tunnels": base.with_("gateways.hub-vpn.mode", "active-active"),
        "more-voice": base.with_("traffic.voice.calls", 7),
    }
    found = compare(*designs.values(), replications=2, names=list(designs))
    sent = found.runs.pivot_table(
        index=["stream", "direction", "replicate"], columns="design", values="packets_sent"
    )
    assert (sent["sku"] == sent["base"]).all()
    assert (sent["slower"] == sent["base"]).all()
    unlike = {name: found.unlike_traffic(name) for name in found.names[1:]}
    # A Poisson stream over two tunnels is drawn in two parts; calls keep their own phases.
    assert unlike.pop("two-tunnels") == ("office forward", "office return")
    assert set(unlike.values()) == {()}
    text = found.markdown()
    assert text.count("Not packet for packet the same: office forward, office return.") == 1
    alone = compare(
        base, designs["two-tunnels"].with_("run.seed", 9), common_numbers=False, replications=2
    )
    assert alone.unlike_traffic(alone.names[1]) == ()
    assert "random numbers of its own" in alone.markdown()
    assert "the same random numbers in every design (seed 1)" in text


def test_traffic_is_not_called_unlike_where_one_design_has_none_or_is_of_another_level(base):
    office = {"kind": "poisson", "from": "lyon", "to": "hub", "rate": "10 Mbit/s"}
    office["packet_size"] = "internet-mix"
    no_calls = base.with_("traffic", {"office": office})
    found = compare(base, no_calls, base.with_("run.fidelity", "flow"), replications=2)
    assert [found.unlike_traffic(name) for name in found.names[1:]] == [(), ()]


@pytest.mark.validate
def test_independent_seeds_are_no_evidence_in_97_of_100(base):
    verdicts = []
    for n in range(100):
        one, other = (base.with_("run.seed", seed) for seed in (2 * n + 1, 2 * n + 2))
        found = compare(one, other, replications=10, common_numbers=False)
        verdicts.append(found.verdict(found.names[1]))
    assert verdicts.count("no evidence") >= 97


def test_seeds_are_the_same_unless_each_keeps_its_own(base):
    other = base.with_("run.seed", 7)
    assert compare(base, other, replications=2).verdict("lyon-office-2") == "identical"
    independent = compare(base, other, replications=3, common_numbers=False).table
    latencies = independent[independent["figure"].str.startswith("latency")]
    assert set(latencies["verdict"]) == {"no evidence"}


def test_intervals_are_those_of_students_t():
    # t(0.975, 4) = 2.776; the mean of 1..5 is 3, its standard error sqrt(2.5 / 5) = 0.7071.
    assert student_t(4, 0.95) == pytest.approx(2.776, abs=5e-4)
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0, math.nan], 0.95)
    assert (found.mean, found.count) == (3.0, 5)
    assert found.half_width == pytest.approx(2.776 * 0.7071, abs=1e-3)
    assert interval([2.0], 0.95).half_width == math.inf
    assert interval([2.0, 2.0], 0.95).half_width == 0.0
    # Two values in steps of 1: 12.706 x 1 / sqrt(12) / sqrt(2).
    assert interval([2.0, 2.0], 0.95, 1.0).half_width == pytest.approx(2.594, abs=1e-3)


def test_more_goodput_is_better_and_more_loss_worse():
    steady = np.array([1.0, 1.1, 0.9, 1.0, 1.05])
    figures = {"goodput_bps": 100 * steady, "loss_ratio": 0.01 * steady}
    more = {"goodput_bps": 110 * steady, "loss_ratio": 0.02 * steady}
    found = made_up({"a": figures, "b": more})
    verdicts = found.table.set_index("figure")["verdict"]
    assert verdicts["goodput_bps"] == "better"
    assert verdicts["loss_ratio"] == "worse"
    assert found.verdict("b") == "mixed"
    assert found.table.set_index("figure")["ratio"]["loss_ratio"] == pytest.approx(1.0)


def test_a_loss_where_there_was_none_passes_every_threshold():
    found = made_up({"a": {"loss_ratio": [0.0] * 3}, "b": {"loss_ratio": [0.1, 0.1, 0.1]}})
    assert found.table["ratio"].item() == math.inf
    assert len(found.regressions(1e9)) == 1


def test_runs_of_unlike_length_are_not_compared(base):
    with pytest.raises(UsageError, match=r"run\.horizon is 0\.2 s in .* and 0\.3 s"):
        compare(base, base.with_("run.horizon", "300 ms"))
    with pytest.raises(UsageError, match="needs two designs"):
        compare(base)
    with pytest.raises(UsageError, match="one replication has no interval"):
        compare(base, base, replications=1)
    with pytest.raises(UsageError, match="2 designs have 1 names"):
        compare(base, base, names=["one"])
    with pytest.raises(UsageError, match="confidence 99 must lie between"):
        compare(base, base, confidence=99)


def test_the_command_writes_markdown_and_fails_past_the_threshold(tmp_path, capsys):
    far = tmp_path / "far.yaml"
    far.write_text(BASE.read_text().replace("delay: 4 ms", "delay: 14 ms"), encoding="utf-8")
    settings = [part for path, value in SHORT.items() for part in ("--set", f"{path}={value}")]
    arguments = ["compare", str(BASE), str(far), "--replications", "3", *settings]
    assert cli.execute(arguments) == 0
    out = capsys.readouterr().out
    assert "## lyon-office against far\n" in out
    assert f"| `{DELAY}` | 4 ms | 14 ms |" in out
    assert "| office forward | `latency_s_p50` |" in out
    assert cli.execute([*arguments, "--threshold", "5 %", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [design["verdict"] for design in found["designs"]] == [None, "worse"]
    assert [row["verdict"] for row in found["regressions"]] == ["worse"] * len(found["regressions"])
    one = ["--threshold", "latency_s_p50=5 ms", "--threshold", "goodput_bps=90 %"]
    assert cli.execute([*arguments, *one]) == 1
    assert "by more than latency_s_p50=5 ms, goodput_bps=90 %:" in capsys.readouterr().out
    assert cli.execute([*arguments, "--threshold", "latency_s_p50=11 ms"]) == 0
    assert cli.execute([*arguments, "--threshold", "5"]) == 2
    assert cli.execute([*arguments, "--confidence", "10 %"]) == 2
    assert cli.execute([*arguments, "--backup"]) == 2


def test_inputs_that_differ_are_all_there_and_one_line_each():
    both = simulator.load(ROOT / "scenarios" / "coexistence.yaml")
    alone = without_expressroute(both)
    found = {d.path: (d.baseline, d.other) for d in differences_of(both, alone)}
    device = "sites.lyon.devices.{}.bgp.local_preference"
    assert set(found) == {"connections.lyon-er", device.format("ce1"), device.format("ce2")}
    assert found["connections.lyon-er"][0].startswith("{type: expressroute, circuit: paris, ")
    assert found["connections.lyon-er"][1] == "-"
    assert found[device.format("ce1")] == ("{lyon-er: 200}", "-")
    assert list(differences_of(both, both.with_("title", "another"))) == []
    changed = both.with_(
        {
            "run.seed": 5,
            "gateways.hub-er.sku": "UltraPerformance",
            "connections.lyon-er.fastpath": True,
        }
    )
    found = {d.path: (d.baseline, d.other) for d in differences_of(both, changed)}
    assert found["connections.lyon-er.fastpath"] == ("false", "true")


def test_a_threshold_may_be_a_share_or_an_amount_and_of_one_figure():
    table = {
        "a": {"latency_s_p95": [0.010, 0.010, 0.010], "loss_ratio": [0.001] * 3},
        "b": {"latency_s_p95": [0.013, 0.013, 0.013], "loss_ratio": [0.002] * 3},
    }
    found = made_up(table)
    figures = (*module.FIGURES, module.COST)

    def past(*texts):
        limits = [parse_threshold(text, figures) for text in texts]
        return set(found.regressions(*limits)["figure"])

    assert past("5 %") == {"latency_s_p95", "loss_ratio"}
    assert past("29 %", "loss_ratio=150 %") == {"latency_s_p95"}  # 3 ms of 10 ms are 30 %
    assert past("31 %", "loss_ratio=150 %") == set()
    assert past("latency_s_p95=2 ms") == {"latency_s_p95"}
    assert past("latency_s_p95=4 ms") == set()
    assert past() == set()
    text = found.markdown(parse_threshold("latency_s_p95=2 ms", figures))
    assert "Worse, on evidence, by more than latency_s_p95=2 ms:\n\n- b: office forward" in text
    assert "No figure is worse, on evidence, by more than 200 %." in found.markdown(2.0)
    for wrong, says in {
        "latency_p95=2 ms": "did you mean 'latency_s_p95'",
        "5": "--threshold 5: ",
        "5 ms": "ratio",
        "loss_ratio=2 ms": "ratio",
        "latency_s_p95=2 Mbit/s": "duration",
    }.items():
        with pytest.raises(UsageError, match=says):
            parse_threshold(wrong, figures)


def test_the_markdown_is_read_as_tables_whatever_the_names_are():
    found = made_up(
        {"to*day|": {"loss_ratio": [0.1, 0.2, 0.3]}, "<b>": {"loss_ratio": [20.1, 20.2, 20.3]}}
    )
    html = MarkdownIt("commonmark").enable("table").render(found.markdown(0.05))
    assert html.count("<h2>") == html.count("<table>") == 1
    rows = re.findall("<tr>(.*?)</tr>", html, re.S)
    assert {len(re.findall("<t[hd]", row)) for row in rows} == {7}
    assert "<b>" not in html
    assert "to*day|" in html
    assert "(+10,000 %)" in html
    notebook = found._repr_html_()
    assert "&lt;b&gt;: office forward" in notebook
    assert "worse" in notebook
    assert repr(found) == "<Comparison with to*day|, 3 replications: <b> worse>"


def test_the_figure_shows_each_difference_with_its_verdict(base):
    found = compare(base, base.with_(DELAY, "14 ms"), replications=3, names=["near", "far"])
    axes = found.plot.differences()
    texts = [text.get_text().strip() for text in axes.texts]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert "worse" in texts
    assert any(label.startswith("far: office forward latency_s_p50") for label in labels)
    assert "near" in axes.get_xlabel()


def test_a_comparison_is_kept_in_a_folder_that_makes_a_page(tmp_path, capsys):
    settings = [part for path, value in SHORT.items() for part in ("--set", f"{path}={value}")]
    out, page = tmp_path / "out", tmp_path / "page.html"
    files = ["compare", str(BASE), str(BASE), "--replications", "2", *settings]
    assert cli.execute([*files, "--out", str(out)]) == 0
    markdown = capsys.readouterr().out
    assert (out / "comparison.md").read_text(encoding="utf-8") == markdown
    found = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert [design["verdict"] for design in found["designs"]] == [None, "identical"]
    assert pd.read_parquet(out / "comparison.parquet")["verdict"].eq("identical").all()
    assert cli.execute(["report", str(out), "-o", str(page)]) == 0
    assert "is identical to lyon-office" in page.read_text(encoding="utf-8")
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.doc").touch()
    assert cli.execute([*files, "--out", str(taken)]) == 2
    assert cli.execute([*files[:2], "--backup", "--out", str(out)]) == 2
