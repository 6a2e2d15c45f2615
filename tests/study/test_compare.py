"""Comparisons: the same is identical, noise is no evidence, and what differs is found."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import simulator
from simulator import cli
from simulator.base.errors import UsageError
from simulator.study import compare as module
from simulator.study.compare import Comparison, compare
from simulator.study.statistics import interval, student_t
from tests.study.conftest import BASE

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


def made_up(values, names=("a", "b"), confidence=0.99):
    """A comparison of figures that are made up: `values[name][figure]`, one for each run."""
    rows = [
        {
            "design": name,
            "replicate": k,
            "stream": "office",
            "direction": "forward",
            "packets_sent": 1_000_000,
            "packets_delivered": 1_000_000,
            **dict.fromkeys(module.FIGURES, math.nan),
            **{figure: numbers[k] for figure, numbers in values[name].items()},
        }
        for name in names
        for k in range(len(next(iter(values[name].values()))))
    ]
    costs = pd.DataFrame({"design": [], "replicate": [], module.COST: []}).astype(
        {module.COST: float}
    )
    return Comparison(names, names, confidence, pd.DataFrame(rows), costs, 1e-6, {names[1]: ()})


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
    assert cli.execute([*arguments, "--threshold", "5"]) == 2
    assert cli.execute([*arguments, "--confidence", "10 %"]) == 2
    assert cli.execute([*arguments, "--backup"]) == 2


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
