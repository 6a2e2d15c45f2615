"""The result as a person holds it: tables, summary, figures, and the same again from its folder."""

import json

import jsonschema
import pandas as pd
import pytest

from simulator import metrics
from simulator.base.errors import InternalError, UsageError
from simulator.replications import Replications
from simulator.result import About, Result
from simulator.summary_schema import SCHEMA_FILE, summary_schema
from simulator.targets import judge
from tests.result.handmade import ABOUT


def test_a_missing_packet_is_an_internal_error_with_everything_to_replay_it(plan, spoiled):
    with pytest.raises(InternalError) as caught:
        Result(plan, spoiled, about=ABOUT)
    text = str(caught.value)
    for part in ("stream backup, forward", "packets sent, but", "seed 7", ABOUT.scenario_hash):
        assert part in text
    assert caught.value.exit_code == 5


def test_tables_are_computed_once(result, monkeypatch):
    calls = []
    real = metrics.compute
    monkeypatch.setattr(metrics, "compute", lambda *a: calls.append(a[0]) or real(*a))
    assert result.timeline is result.timeline
    assert calls == ["timeline"]


def test_summary_shows_the_headlines(result):
    assert list(result.summary.columns[:2]) == ["stream", "direction"]
    assert len(result.summary) == len(result.streams)


def test_summary_json_is_as_its_schema_says(result):
    summary = json.loads(json.dumps(result.summary_dict, allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(summary_schema())
    jsonschema.validate(summary, summary_schema())
    stream = summary["streams"][0]
    assert stream["packets_sent"] == (
        stream["packets_delivered"]
        + sum(stream["packets_dropped"].values())
        + stream["packets_in_flight"]
    )
    assert summary["hops"][0]["drops"]["buffer_full"] == result.hops["packets_dropped"][0]
    assert summary["hops"][1]["utilisation_ratio"] is None
    assert summary["events"][0]["cause_event_id"] is None
    assert summary["events"][1]["cause_event_id"] == 1
    assert summary["performance"]["packet_hops"] == 9_000_000


PROMISED = {
    "schema_version scenario seed fidelity horizon_s streams hops events failovers performance "
    "targets warnings": (),
    "stream kind direction packets_sent packets_delivered packets_in_flight packets_dropped "
    "bytes_sent bytes_delivered bytes_in_flight bytes_dropped offered_bps throughput_bps "
    "goodput_bps loss_ratio latency_s_mean latency_s_p50 latency_s_p95 latency_s_p99 "
    "latency_s_p999": ("streams", 0),
    "hop direction utilisation_ratio queue_bytes_max drops": ("hops", 0),
    "event_id time_s kind subject cause_event_id detail": ("events", 0),
    "packet_hops cpu_s cpu_total_s wall_s peak_rss_bytes": ("performance",),
}


@pytest.mark.parametrize(("keys", "place"), PROMISED.items())
def test_summary_json_has_the_keys_that_others_rely_on(result, keys, place):
    value = result.summary_dict
    for part in place:
        value = value[part]
    assert set(keys.split()) <= set(value)


def test_the_schema_refuses_what_it_should(result):
    summary = result.summary_dict
    for spoil in (
        lambda s: s.pop("seed"),
        lambda s: s["streams"][0].pop("goodput_bps"),
        lambda s: s["streams"][0].update(surprise=1),
        lambda s: s["streams"][0].update(packets_sent=1.5),
        lambda s: s["hops"][0]["drops"].update(buffer_full=-1),
        lambda s: s.update(schema_version=2),
    ):
        spoilt = json.loads(json.dumps(summary))
        spoil(spoilt)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoilt, summary_schema())


def test_the_checked_in_schema_is_the_one_of_the_code():
    text = json.dumps(summary_schema(), indent=2, ensure_ascii=False) + "\n"
    hint = "run: crossprem schema summary > simulator/schema/summary-v1.json"
    assert SCHEMA_FILE.read_text(encoding="utf-8") == text, hint


def test_targets_are_judged_by_the_worst_stream(result):
    by_name = {j.target: j for j in result.targets}
    assert by_name["latency_p95"].subject == "backup forward"
    assert by_name["latency_p95"].value == result.streams["latency_s_p95"].max()
    assert by_name["latency_p95"].is_met is False
    assert by_name["outage"].value == 12.0
    assert by_name["monthly_cost"].is_met is None
    assert "not known" in str(by_name["monthly_cost"])


def test_a_target_just_met(result):
    worst = result.streams["latency_s_p95"].max()
    (judgement,) = judge({"latency_p95": worst}, result.streams)
    assert judgement.is_met is True
    assert "met, " in str(judgement)
    (judgement,) = judge({"latency_p95": worst * 0.999}, result.streams)
    assert judgement.is_met is False


def test_a_target_without_any_stream_is_not_known(result):
    (judgement,) = judge({"latency_p95": 1.0}, result.streams.iloc[:0])
    assert judgement.is_met is None


def test_html_escapes_what_people_wrote(plan, log):
    about = About("x", title="<script>alert(1)</script>", question="a & b?")
    html = Result(plan, log, about=about)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "a &amp; b?" in html
    assert "36.9" in html


def test_repr_names_scenario_and_seed(result):
    assert repr(result) == "<Result of branch: 6 streams and directions, 60 s, seed 7>"


def test_a_result_opened_from_its_folder_is_the_same(result, tmp_path):
    folder = result.save(tmp_path / "run", figures=False)
    again = Result.open(folder)
    for name in metrics.TABLES:
        pd.testing.assert_frame_equal(again.table(name), result.table(name))
    assert again.summary_dict == result.summary_dict
    assert again.save(tmp_path / "copy", figures=False) != folder
    for name in metrics.TABLES:
        file = f"{name}.parquet"
        assert (folder / file).read_bytes() == (tmp_path / "copy" / file).read_bytes()


def test_opening_something_else_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="is no run folder"):
        Result.open(tmp_path)
    (tmp_path / "manifest.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UsageError):
        Result.open(tmp_path)


def test_figures_of_a_result_leave_out_acks(result):
    labels = {t.get_text() for t in result.plot.cdf().get_legend().get_texts()}
    assert any(label.startswith("backup forward") for label in labels)
    assert not any(label.startswith("backup return") for label in labels)


def test_replications_give_median_and_spread(result, plan, log, tmp_path):
    one = Replications.of([(0, result)], wanted=1)
    assert one.is_complete
    assert one.summary_dict == result.summary_dict
    others = [(k, Result(plan, log, about=ABOUT)) for k in range(3)]
    for k, other in others:
        other.streams["goodput_bps"] += 1e6 * k
    several = Replications.of(others, wanted=5)
    assert (several.finished, several.is_complete) == (3, False)
    summary = several.summary
    row = summary[
        (summary["stream"] == "office")
        & (summary["direction"] == "forward")
        & (summary["metric"] == "goodput_bps")
    ].iloc[0]
    base_bps = others[0][1].streams["goodput_bps"][2]
    assert row["median"] == pytest.approx(base_bps + 1e6)
    assert row["p5"] == pytest.approx(base_bps + 0.1e6)
    assert row["p95"] == pytest.approx(base_bps + 1.9e6)
    jsonschema.validate(several.summary_dict, summary_schema())
    others[1][1].streams["outage_s_max"] += 10.0
    worst = Replications.of(others, wanted=3).targets
    assert [j.value for j in worst if j.target == "outage"] == [22.0]
    folder = several.save(tmp_path / "run", figures=False)
    assert len(pd.read_parquet(folder / "replications.parquet")) == 3 * len(result.streams)
    assert json.loads((folder / "summary.json").read_text())["replications"]["finished"] == 3


def test_no_replication_is_nothing_to_gather():
    with pytest.raises(ValueError, match="no replication"):
        Replications.of([], wanted=3)
