"""The failover scenarios: clearly different timelines, each figure inside its timer's row."""

from pathlib import Path

import jsonschema
import pytest

from simulator.run import run, run_replications
from simulator.scenario import load
from simulator.summary_schema import summary_schema

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


@pytest.fixture(scope="module")
def results():
    names = ("active-active", "active-standby", "single-tunnel", "gray")
    return {name: run(SCENARIOS / f"failover-{name}.yaml") for name in names}


def row(result, stream, direction):
    found = result.failovers
    (hit,) = found[(found["stream"] == stream) & (found["direction"] == direction)].to_dict(
        "records"
    )
    return hit


def test_active_active_loses_half_of_the_flows_for_each_ends_detection(results):
    there = row(results["active-active"], "calls", "forward")
    back = row(results["active-active"], "calls", "return")
    assert 1 <= back["rerouted_s"] - 30 <= 15  # T043
    assert (back["detected_by"], back["detected_by_end"]) == ("gateway.switch_over", "gateway")
    assert 40 <= there["rerouted_s"] - 30 <= 60  # T028: 3 x 20 s, less the age of the last answer
    assert (there["detected_by"], there["detected_by_end"]) == ("connection.dpd.device", "device")
    assert there["outage_s"] == back["outage_s"] == 0.0  # the other half goes on
    # The instance is back at 180 s; then IKE, and BGP by a connect retry of up to 60 s.
    assert 180 < there["failback_s"] < 180 + 76 + 61


def test_active_standby_loses_everything_for_the_published_time(results):
    for direction in ("forward", "return"):
        found = row(results["active-standby"], "calls", direction)
        assert 60 - 1 <= found["outage_s"] <= 180  # T042
        assert found["packets_lost"] > 50 * 8 * 59
    events = results["active-standby"].events
    assert (events["kind"] == "take-over").sum() == 1


def test_a_single_tunnel_is_out_for_the_whole_maintenance(results):
    for direction in ("forward", "return"):
        found = row(results["single-tunnel"], "calls", direction)
        # T046, and then IKE and a connect retry.
        assert 1800 - 5 <= found["outage_s"] <= 1800 + 76 + 60


def test_the_three_timelines_are_clearly_different(results):
    outages = [
        row(results[name], "calls", "forward")["outage_s"]
        for name in ("active-active", "active-standby", "single-tunnel")
    ]
    assert outages[0] + 30 < outages[1]
    assert 5 * outages[1] < outages[2]


def test_in_a_gray_failure_bgp_stays_and_traffic_suffers(results):
    events = results["gray"].events
    assert (events["kind"] == "bgp-down").sum() == 0
    assert (events["kind"] == "reroute").sum() == 0
    calls = row(results["gray"], "calls", "forward")
    assert calls["degraded_s"] + calls["outage_s"] > 200
    # 30 % of 240 s of 8 calls, and the seconds in which DPD had given the tunnel up.
    assert calls["packets_lost"] > 0.28 * 240 * 8 * 50
    # TCP comes to almost nothing: the least of all.
    timeline = results["gray"].timeline
    copy = timeline[(timeline["stream"] == "copy") & (timeline["direction"] == "forward")]
    during = copy[copy["time_s"].between(80, 290)]["throughput_bps"].mean()
    assert during < 0.05 * copy[copy["time_s"] < 59]["throughput_bps"].mean()


def test_tcp_backs_off_during_an_outage_and_comes_back_later(results):
    result = results["active-standby"]
    copy, calls = row(result, "copy", "forward"), row(result, "calls", "forward")
    # Hundreds of packets, not the tens of thousands of a stream that does not back off.
    assert copy["packets_lost"] < 0.02 * calls["packets_lost"]
    assert copy["recovered_s"] > calls["recovered_s"]


def test_replications_give_the_spread_of_a_failover():
    scenario = load(SCENARIOS / "failover-active-standby.yaml").with_(
        {"traffic.copy.flows": "1", "traffic.copy.window": "8 KiB", "run.time_bin": "1 s"}
    )
    done = run_replications(scenario, 6)
    summary = done.failover_summary
    outage = summary[
        (summary["stream"] == "calls")
        & (summary["direction"] == "forward")
        & (summary["metric"] == "outage_s")
    ]
    (figures,) = outage.to_dict("records")
    assert figures["replications"] == 6
    assert 58 <= figures["p5"] < figures["median"] < figures["p95"] <= 180
    detected = summary[summary["metric"] == "detected_after_s"]
    assert detected["median"].between(40, 60).all()  # the phase of DPD is random
    assert set(done.failovers["replicate"]) == set(range(6))
    jsonschema.validate(done.summary_dict, summary_schema())


def test_ikev1_drops_for_up_to_five_seconds_at_the_end_of_each_lifetime():
    file = SCENARIOS / "site-to-site-ikev1.yaml"
    old, new = run(file), run(load(file, {"connections.lyon-vpn.ike": "v2"}))
    begun, done = (
        old.events.loc[old.events["kind"] == kind, "time_s"].to_numpy()
        for kind in ("ike-rekey", "ike-established")
    )
    drops_s = done - begun
    assert len(drops_s) == 3
    assert all(0 < drop_s <= 5 for drop_s in drops_s)  # T011
    # Each lifetime begins when the SA is there.
    assert begun - [0, *done[:-1]] == pytest.approx([60] * 3)
    streams = old.streams.set_index(["stream", "direction"])
    for direction in ("forward", "return"):
        calls = streams.loc[("voice", direction)]
        assert calls["packets_dropped"] == pytest.approx(10 * 50 * drops_s.sum(), rel=0.05)
        longest_s = drops_s.max()
        assert longest_s - 2 * 0.5 <= calls["outage_s_max"] <= longest_s  # whole bins of 500 ms
    assert new.streams["outage_s_max"].max() == 0.0
    assert (new.events["kind"] == "ike-rekey").sum() == 0
