"""Zoom: windows at packet level inside a run at flow level."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kernels import layout
from simulator import cli, engine, plots, zoom
from simulator.base.errors import InternalError, ScenarioError
from simulator.flowlevel import FlowPlane
from simulator.metrics.accounting import imbalances
from simulator.plan import PS_PER_S, ZoomPlan, to_ps
from simulator.plan_builder import plan_from_hops
from simulator.planner import build
from simulator.planner.estimate import flow_level, windows_suggestion
from simulator.recorder import Event, Window
from simulator.result import Result
from simulator.scenario import load
from simulator.zoom import packets
from tests.flowlevel.cases import CALLS, ISP, QUICK_DPD, bulk, fault, one_site, poisson
from tests.planner.designs import merged

FILES = {
    "kind": "transfers", "from": "hub", "to": "lyon", "rate": "40 Mbit/s",
    "size": {"kind": "lognormal", "mean": "1 MB", "sigma": 1.2},
}  # fmt: skip
MIXED = {"calls": CALLS, "office": poisson("20 Mbit/s", "30 Mbit/s"), "backup": bulk(4)}
BOUND = MIXED | {"backup": bulk(4, window="64 KiB")}
AFTER_S = 60


def scenario(traffic, at_s=(), zoomed="faults", **run):
    """One site of 100 Mbit/s whose device fails for 12 s at each of some times."""
    faults = [
        f
        for time_s in at_s
        for f in fault("device-failure", f"{time_s} s", "12 s", site="lyon", device="edge")
    ]
    settings = {"horizon": "3 min", "time_bin": "1 s", "warm_up": "5 s", "seed": 3}
    if zoomed is not None:
        settings |= {"fidelity": "flow", "zoom": {"around": zoomed, "after": f"{AFTER_S} s"}}
    design = merged(one_site(traffic, up="100 Mbit/s"), {"connections": QUICK_DPD})
    return merged(design, {"faults": faults, "run": settings | run})


def run(design):
    plan = build(load(design))
    return plan, engine.run(plan)


def figures(plan, log, begin_s):
    """Goodput, mean latency and silent bins of each stream in a minute."""
    rows = Result(plan, log).timeline
    rows = rows[(rows["time_s"] >= begin_s) & (rows["time_s"] < begin_s + AFTER_S)]
    found = {}
    for key, own in rows.groupby(["stream", "direction"]):
        arrived = own["packets_delivered"]
        latency_s = np.average(own["latency_s_mean"].fillna(0.0), weights=arrived)
        silent_s = float(own.loc[arrived == 0, "bin_s"].sum())
        found[key] = (own["goodput_bps"].mean(), latency_s, silent_s)
    return found


def same_logs(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "latency_ps")
        for name in ("counter", "dropped_packets", "dropped_bytes", "latency_ps", "hop_busy_ps",
                     "total", "in_flight_packets", "histogram", "hop", "hop_dropped")
    )  # fmt: skip


@pytest.fixture(scope="module")
def hour():
    """An hour at flow level, its one fault at packet level; and the same without zoom."""
    plan, log = run(scenario(MIXED | {"files": FILES}, [1800], horizon="1 h", time_bin="4 s"))
    plain = replace(plan, zoom=None)
    return Result(plan, log), log, Result(plain, engine.run(plain))


# ---- beside the packet level ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("traffic", "at_s", "horizon"),
    [(MIXED, 1800, "1 h"), (BOUND, 300, "10 min")],
    ids=["full line", "bound by windows"],
)
def test_a_window_is_what_the_packet_level_says_of_that_minute(traffic, at_s, horizon):
    zoomed = figures(*run(scenario(traffic, [at_s], horizon=horizon, time_bin="2 s")), at_s)
    exact = figures(*run(scenario(traffic, [40], zoomed=None, horizon="102 s", time_bin="2 s")), 40)
    assert zoomed.keys() == exact.keys()
    for key, (goodput_bps, latency_s, silent_s) in exact.items():
        assert zoomed[key][0] == pytest.approx(goodput_bps, rel=0.05), key
        assert zoomed[key][1] == pytest.approx(latency_s, rel=0.10), key
        assert abs(zoomed[key][2] - silent_s) <= 2.0, key


def test_without_a_fault_packets_go_on_at_the_rates_of_the_flow_level():
    for traffic in (MIXED, BOUND, MIXED | {"backup": bulk(4, congestion_control="newreno")}):
        plan, log = run(scenario(traffic, zoomed=["100 s"]))
        flow = engine.run(replace(plan, zoom=None))
        assert len(log.windows) == 1
        packet, rate = figures(plan, log, 100), figures(plan, flow, 100)
        for key, (goodput_bps, _, _) in rate.items():
            assert packet[key][0] == pytest.approx(goodput_bps, rel=0.05), key


def test_a_window_from_the_start_is_the_packet_level_bit_by_bit():
    _, zoomed = run(scenario(MIXED, zoomed=["0 s"], horizon="90 s"))
    _, exact = run(scenario(MIXED, zoomed=None, horizon="60 s"))
    for name in ("counter", "dropped_packets", "latency_ps", "hop_busy_ps"):
        column = getattr(zoomed, name)[:AFTER_S]
        assert np.array_equal(column, getattr(exact, name), equal_nan=name == "latency_ps"), name


def test_short_transfers_make_servers_slower_for_packets():
    plan, log = run(scenario(BOUND | {"files": FILES}, zoomed=["100 s"]))
    rows = Result(plan, log).timeline.set_index(["stream", "direction"])
    inside = rows[(rows["time_s"] >= 100) & (rows["time_s"] < 160)]
    assert (inside.loc[("files", "forward"), "fidelity"] == "flow").all()
    assert (inside.loc[("office", "forward"), "fidelity"] == "packet").all()
    alone_plan, alone = run(scenario(BOUND, zoomed=["100 s"]))
    shared_s = figures(plan, log, 100)["office", "forward"][1]
    assert shared_s > 1.02 * figures(alone_plan, alone, 100)["office", "forward"][1]
    hops = Result(plan, log).hop_timeline
    hop = hops[(hops["hop"] == "lyon.isp.up") & (hops["direction"] == "forward")]
    before = hop.loc[(hop["time_s"] >= 40) & (hop["time_s"] < 100), "utilisation_ratio"]
    within = hop.loc[(hop["time_s"] >= 100) & (hop["time_s"] < 160), "utilisation_ratio"]
    assert within.mean() == pytest.approx(before.mean(), abs=0.06)


# ---- accounts ---------------------------------------------------------------------------------


def test_not_one_packet_or_byte_is_missing(hour):
    _, log, _ = hour  # that the accounts balance is checked when a result is made
    assert log.in_flight_packets.sum() > 0
    assert log.packet_hops > 0


def test_a_packet_that_is_missing_in_a_window_is_an_internal_error(monkeypatch):
    real = packets.DataPlane.in_flight

    def one_too_few(self):
        count, total_bytes = real(self)
        return count - (np.arange(len(count)) == 0), total_bytes

    design = scenario(MIXED, zoomed=["20 s"], horizon="30 s")
    plan = build(load(design))
    engine.run(plan)
    calls = iter([real, one_too_few])
    monkeypatch.setattr(packets.DataPlane, "in_flight", lambda self: next(calls)(self))
    with pytest.raises(InternalError, match="window at 20 s, stream backup"):
        engine.run(plan)


def test_outside_the_windows_is_the_flow_level(hour):
    result, _, flow = hour
    rows, plain = result.timeline, flow.timeline
    outside = rows["fidelity"] == "flow"
    for name in ("packets_sent", "bytes_delivered", "bytes_dropped"):
        apart = (rows[name] - plain[name])[outside]
        assert apart.abs().max() <= 2, name  # running sums are rounded at the ends of bins
    assert result.events.equals(flow.events)


def test_tables_say_which_bins_are_of_packets(hour):
    result, _, _ = hour
    rows, hops = result.timeline, result.hop_timeline
    inside = (rows["time_s"] >= 1800) & (rows["time_s"] < 1860)
    is_packet = rows["fidelity"] == "packet"
    assert (is_packet == (inside & (rows["stream"] != "files"))).all()
    assert set(hops.loc[hops["fidelity"] == "packet", "time_s"]) == set(rows[inside]["time_s"])


def test_without_faults_there_is_no_window_and_the_run_is_that_of_the_flow_level():
    plan, log = run(scenario(MIXED | {"files": FILES}))
    assert log.windows == ()
    assert same_logs(log, engine.run(replace(plan, zoom=None)))
    assert set(Result(plan, log).timeline["fidelity"]) == {"flow"}


def test_the_same_seed_gives_the_same_bits():
    design = scenario(MIXED | {"files": FILES}, [60])
    (_, one), (_, other) = run(design), run(design)
    assert one.windows
    assert same_logs(one, other)
    _, third = run(merged(design, {"run": {"seed": 4}}))
    assert not same_logs(one, third)


def test_the_bytes_that_a_hop_has_served_are_known_in_a_window():
    plan = build(load(scenario(MIXED, zoomed=["20 s"], horizon="2 min")))
    window = Window(to_ps(15), to_ps(20), to_ps(80))
    noting, plain = zoom.NotingPlane(plan, [window]), FlowPlane(plan)
    for plane in (noting, plain):
        plane.advance(to_ps(50))
    hops = range(len(plan.hops))
    assert [noting.served_bytes(h) for h in hops] == [plain.served_bytes(h) for h in hops]


# ---- which windows ----------------------------------------------------------------------------


def windows(times_s, *, horizon_s=1000, bin_s=10, before_s=5, after_s=60, at_most_s=1800):
    plan = plan_from_hops(
        [{"name": "a", "rate_bps": 1e9}],
        [{"name": "s", "route": ["a"], "sizes_bytes": [100], "rate_bps": 1e6}],
        horizon_s=horizon_s,
        time_bin_s=bin_s,
    )
    asked = ZoomPlan(to_ps(before_s), to_ps(after_s), to_ps(at_most_s))
    events = [
        Event(n, to_ps(time_s), "internet-outage", "x", 0, "")
        for n, time_s in enumerate(times_s, 1)
    ]
    events.append(Event(len(events) + 1, to_ps(500), "repair", "x", 1, ""))
    found = zoom.find_windows(replace(plan, zoom=asked), events)
    in_s = [tuple(t // PS_PER_S for t in (w.warm_ps, w.begin_ps, w.end_ps)) for w in found.kept]
    return found, in_s


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        ([], []),
        ([103], [(95, 100, 170)]),  # rounded outwards to bins
        ([100], [(95, 100, 160)]),
        ([103, 140], [(95, 100, 200)]),  # they overlap
        ([100, 164], [(95, 100, 230)]),  # packets of the second would begin before the first ends
        ([100, 170], [(95, 100, 160), (165, 170, 230)]),
        ([3], [(0, 0, 70)]),  # cut by the start ...
        ([985], [(975, 980, 1000)]),  # ... and by the end
        ([1000], []),
    ],
)
def test_windows_last_from_a_fault_on_in_whole_bins(times_s, expected):
    assert windows(times_s)[1] == expected


def test_windows_beyond_the_limit_stay_at_flow_level_and_that_is_said():
    found, in_s = windows([100, 300, 500], at_most_s=100)
    assert in_s == [(95, 100, 160), (295, 300, 330)]
    assert found.packets_ps == to_ps(100)
    (note,) = found.notes
    assert "from 5.5 min on" in note or "330 s" in note
    assert "run.zoom.at_most" in note
    assert windows([100])[0].notes == ()


def test_overlapping_faults_are_one_window_in_a_run():
    plan, log = run(scenario(MIXED, [60, 90], horizon="4 min"))
    assert [(w.begin_ps, w.end_ps) for w in log.windows] == [(to_ps(60), to_ps(150))]
    rows = Result(plan, log).failovers
    assert set(rows["started_s"]) == {60.0, 90.0}


def test_a_window_is_cut_by_the_start_and_by_the_end_of_the_run():
    plan, log = run(scenario(MIXED, [2, 170]))
    assert [(w.warm_ps, w.begin_ps, w.end_ps) for w in log.windows] == [
        (0, to_ps(2), to_ps(62)),
        (to_ps(165), to_ps(170), to_ps(180)),
    ]
    assert imbalances(plan, log) == []


def test_a_fault_that_traffic_brings_about_is_a_window_too(monkeypatch):
    """It is not foreseen by the control plane alone, so the flow level runs again."""
    plan = build(load(scenario(MIXED, [60])))
    monkeypatch.setattr(engine, "foreseen", lambda plan: zoom.Windows())
    found = engine.run(plan)
    monkeypatch.undo()
    assert found.windows
    assert same_logs(found, engine.run(plan))


# ---- how things stand when packets begin ------------------------------------------------------


def test_flows_that_have_ended_or_not_begun_stay_silent():
    traffic = {
        "done": bulk(1, size="20 MB"),
        "late": bulk(1, start="130 s"),
        "within": bulk(1, start="110 s"),
        "stopped": bulk(1, stop="50 s"),
    }
    plan, log = run(scenario(traffic, zoomed=["100 s"], horizon="200 s"))
    rows = Result(plan, log).timeline.set_index(["stream", "direction"])
    assert set(rows.index) == {(n, d) for n in traffic for d in ("forward", "return")}
    for name, begin_s in (("done", 999), ("stopped", 999), ("within", 110), ("late", 130)):
        own = rows.loc[(name, "forward")]
        own = own[(own["time_s"] >= 100) & (own["time_s"] < 160)]
        sending = own.loc[own["packets_sent"] > 0, "time_s"]
        assert sending.empty if begin_s == 999 else sending.min() == begin_s, name


def test_a_bulk_transfer_sends_in_a_window_what_is_left_of_it():
    traffic = {"backup": bulk(1, size="300 MB")}
    _, log = run(scenario(traffic, zoomed=["20 s"], horizon="100 s"))
    goodput = log.counter["goodput_bytes"].sum(axis=0).max()
    assert log.counter["sent_packets"][30:].sum() == 0
    assert goodput == pytest.approx(300e6, rel=0.01)


def test_a_flow_whose_route_is_cut_goes_on_at_a_timeout():
    outage = fault("internet-outage", "60 s", "30 s", **ISP)
    design = merged(scenario({"backup": bulk(2)}, zoomed=["80 s"]), {"faults": outage})
    plan, log = run(design)
    d = next(n for n, info in enumerate(plan.directions) if info.direction == "forward")
    goodput = log.counter["goodput_bytes"][:, d] * 8.0
    assert goodput[61:90].sum() == 0
    assert goodput[125:135].mean() > 60e6
    assert log.tcp["rto_count"][d] > 0


@pytest.mark.parametrize("kind", ["poisson", "constant", "voice"])
def test_sources_in_a_window_send_at_their_rates(kind):
    stream = {
        "poisson": poisson("2 Mbit/s"),
        "constant": {"kind": "constant", "from": "lyon", "to": "hub", "rate": "2 Mbit/s",
                     "packet_size": "500 bytes"},
        "voice": CALLS,
    }[kind]  # fmt: skip
    _, log = run(scenario({"s": stream}, zoomed=["100 s"]))
    sent = log.counter["sent_packets"].sum(axis=1)
    assert sent[100:160].mean() == pytest.approx(sent[20:90].mean(), rel=0.02)


def test_sources_follow_the_day_in_a_window():
    profile = {"hours": [1.0, 0.25] + [0.5] * 22}
    traffic = {"office": poisson("8 Mbit/s", profile=profile)}
    design = scenario(traffic, zoomed=["3590 s"], horizon="1.1 h", time_bin="10 s")
    _, log = run(design)
    rate = log.counter["sent_bytes"].sum(axis=1) * 8.0 / 10.0
    first = 359
    assert rate[first - 5] == pytest.approx(8e6, rel=0.03)
    assert rate[first] == pytest.approx(8e6, rel=0.05)
    assert rate[first + 1 : first + 6].mean() == pytest.approx(2e6, rel=0.05)


# ---- what the user sees -----------------------------------------------------------------------


def test_failovers_in_a_window_are_of_packets(hour):
    result, _, flow = hour
    rows = result.failovers.set_index(["stream", "direction"])
    assert set(rows.index) == set(flow.failovers.set_index(["stream", "direction"]).index)
    assert rows.loc[("calls", "forward"), "outage_s"] == pytest.approx(12.0, abs=4.0)
    assert rows.loc[("calls", "forward"), "packets_lost"] > 0


def test_the_summary_lists_the_windows(hour):
    result, _, flow = hour
    assert result.summary_dict["windows"] == [
        {"packets_from_s": 1795.0, "begin_s": 1800.0, "end_s": 1860.0}
    ]
    assert "windows" not in flow.summary_dict


@pytest.mark.parametrize(
    ("run_settings", "path", "rule"),
    [
        ({"fidelity": "packet", "zoom": {}}, "run.zoom", "only a run at flow level"),
        ({"fidelity": "flow", "zoom": {"around": "always"}}, "run.zoom.around", "faults or a list"),
        ({"fidelity": "flow", "zoom": {"around": []}}, "run.zoom.around", "faults or a list"),
        ({"fidelity": "flow", "zoom": {"around": ["9 h"]}}, "run.zoom.around.0", "after the horiz"),
        ({"fidelity": "flow", "zoom": {"at_most": "3 s"}}, "run.zoom.at_most", "no window fits"),
        ({"fidelity": "flow", "zoom": {"after": "0 s"}}, "run.zoom.after", "must lie between"),
    ],
)
def test_a_zoom_that_cannot_be_is_refused_with_a_fix(run_settings, path, rule):
    with pytest.raises(ScenarioError) as caught:
        load(scenario(MIXED, zoomed=None, **run_settings))
    (problem,) = caught.value.problems
    assert problem.path == path
    assert rule in problem.rule
    assert problem.fix


def test_a_scenario_without_zoom_has_the_hash_that_it_had():
    plain = load(scenario(MIXED, zoomed=None, fidelity="flow"))
    assert plain.content_hash() == plain.with_("run.zoom", None).content_hash()
    assert plain.content_hash() != plain.with_("run.zoom", {}).content_hash()


def test_drops_of_a_window_keep_their_reasons(hour):
    result, log, _ = hour
    inside = (log.bin_start_ps >= to_ps(1800)) & (log.bin_end_ps <= to_ps(1860))
    by_reason = log.dropped_packets[inside].sum(axis=(0, 1))
    assert by_reason[layout.PATH_DOWN] > 1000
    frame = result.streams
    dropped = frame[[c for c in frame if c.startswith("packets_dropped_")]].sum(axis=1)
    assert (dropped == frame["packets_dropped"]).all()


def test_figures_mark_the_windows(hour):
    result, _, flow = hour
    assert plots.packet_windows(result.timeline) == [(1800.0, 1860.0)]
    assert plots.packet_windows(flow.timeline) == []
    for ax in (result.plot.throughput(), result.plot.latency(), result.plot.failover()):
        assert "packet level" in {text.get_text().strip() for text in ax.texts}
    ax = flow.plot.throughput()
    assert "packet level" not in {text.get_text().strip() for text in ax.texts}


def test_the_commands_say_what_is_zoomed(capsys):
    file = Path(__file__).parents[2] / "scenarios" / "working-day-failover.yaml"
    for command in (["run", "--dry-run"], ["explain"]):
        assert cli.execute([command[0], str(file), *command[1:]]) == 0
        assert "zoom: at packet level from" in capsys.readouterr().out
    assert cli.execute(["run", str(file), "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [w["begin_s"] for w in found["windows"]] == [8090.0, 16200.0]
    assert found["estimates"][1]["packet_hops"] > 1e6


def test_windows_that_take_minutes_are_worth_a_word():
    plan = build(load(scenario(MIXED, [60])))
    assert windows_suggestion(plan, to_ps(65)) == ""
    assert "run.zoom.at_most" in windows_suggestion(plan, to_ps(1e6))
    assert flow_level(plan, to_ps(65)).packet_hops == pytest.approx(
        engine.run(plan).packet_hops, rel=0.5
    )


def test_a_run_of_transfers_alone_has_nothing_to_zoom_into_and_says_so():
    _, log = run(scenario({"files": FILES}, [60]))
    assert log.packet_hops == 0
    assert any("transfers stay at flow level" in note for note in log.notes)
