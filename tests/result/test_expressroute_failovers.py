"""ExpressRoute faults with packets: the rows of the failovers table, from fault to recovery."""

import copy
import math
from pathlib import Path

import pytest

from simulator import run
from simulator.scenario import load
from tests.planner.test_expressroute_failover import BFD, DESIGN, merge

SCENARIOS = Path(__file__).parents[2] / "scenarios"
AT_S = 20.0
LINK = {"kind": "expressroute-link-down", "circuit": "paris", "link": "primary", "at": f"{AT_S} s"}
STREAM = {
    "kind": "constant",
    "from": "lyon",
    "to": "hub",
    "rate": "400 kbit/s",
    "reply_rate": "400 kbit/s",
    "packet_size": "500 bytes",
}


def failovers(fault, horizon="60 s", **changes):
    """The rows of the stream by direction."""
    changes = {
        "run": {"horizon": horizon, "time_bin": "100 ms"},
        "traffic": {"calls": None, "probe": STREAM},
        "faults": [fault],
        **changes,
    }
    # All flows begin on the first link, so that both directions feel the fault.
    first = {
        "ce1": {"bgp": {"local_preference": {"lyon-er": 300}}},
        "ce2": {"bgp": {"prepend": 1}},
    }
    made = merge(merge(copy.deepcopy(DESIGN), {"sites": {"lyon": {"devices": first}}}), changes)
    result = run(load(made))
    return result, {row["direction"]: row for row in result.failovers.to_dict("records")}


def test_a_silent_link_with_bfd():
    result, rows = failovers(LINK, circuits={"paris": {"bfd": BFD}})
    row = rows["forward"]
    assert row["fault"] == "expressroute-link-down paris.primary"
    assert (row["detected_by"], row["detected_by_end"]) == ("circuit.bfd.interval", "CE")
    assert 0.6 <= row["detected_s"] - AT_S <= 0.901
    assert row["rerouted_s"] == pytest.approx(row["detected_s"] + 0.0704)
    # Bins of 100 ms; the other link is a millisecond longer.
    assert row["first_packet_s"] - row["rerouted_s"] == pytest.approx(0, abs=0.11)
    # The first and the last bin may hold packets of before and after.
    assert row["outage_s"] == pytest.approx(row["rerouted_s"] - AT_S, abs=0.2)
    assert row["recovered_s"] >= row["first_packet_s"]
    # 100 packets/s are lost until the reroute.
    assert row["packets_lost"] == pytest.approx(100 * (row["rerouted_s"] - AT_S), abs=2)
    assert math.isnan(row["failback_s"])
    chain = result.events.set_index("event_id")
    moved = chain[chain["kind"] == "reroute"].iloc[0]
    kinds = []
    while moved["kind"] != LINK["kind"]:
        moved = chain.loc[moved["cause_event_id"]]
        kinds.append(moved["kind"])
    assert kinds == ["route-withdrawn", "bgp-down", "bfd-down", LINK["kind"]]


def test_a_withdrawn_circuit_is_out_for_the_convergence_alone():
    fault = {
        "kind": "expressroute-circuit-down",
        "circuit": "paris",
        "how": "withdrawn",
        "at": "20 s",
    }
    _, rows = failovers(
        fault, horizon="90 s", connections={"lyon-er": {"convergence": "documented-worst"}}
    )
    back = rows["return"]
    assert back["detected_s"] == AT_S
    assert back["detected_by"] == ""
    assert back["detected_by_end"] == "MSEE"
    assert back["rerouted_s"] == AT_S + 60
    assert back["outage_s"] == pytest.approx(60, abs=0.15)
    assert rows["forward"]["rerouted_s"] - AT_S == pytest.approx(0.0704, abs=0.01)


def test_a_drained_link_loses_nothing():
    fault = {
        "kind": "msee-maintenance",
        "circuit": "paris",
        "link": "primary",
        "at": "5 s",
        "drain": "65 s",
        "duration": "75 s",
    }
    # The device must not prefer its own link to the shorter path.
    sites = {"lyon": {"devices": {"ce1": {"bgp": {"local_preference": {"lyon-er": 200}}}}}}
    result, rows = failovers(fault, horizon="100 s", sites=sites)
    assert result.streams["packets_dropped"].sum() == 0
    for row in rows.values():
        assert row["outage_s"] == 0.0
        assert row["rerouted_s"] < 70


def test_one_direction_moves_alone_at_first():
    fault = {**LINK, "kind": "expressroute-one-way", "direction": "return"}
    timers = {"bgp": {"keepalive": "3 s", "hold": "10 s"}}
    _, rows = failovers(fault, circuits={"paris": timers}, horizon="100 s")
    forward, back = rows["forward"], rows["return"]
    assert (forward["detected_by"], forward["detected_by_end"]) == ("circuit.bgp.hold", "CE")
    assert 7 <= forward["detected_s"] - AT_S <= 10.01
    assert forward["outage_s"] == 0.0  # its direction works all the time
    assert (back["detected_by"], back["detected_by_end"]) == ("circuit.bgp.hold", "MSEE")
    assert 10 <= back["detected_s"] - AT_S <= 13.01
    assert back["outage_s"] == pytest.approx(back["rerouted_s"] - AT_S, abs=0.15)


def test_flows_fail_back_when_the_route_has_returned():
    fault = {**LINK, "duration": "5 s"}
    device = {"ce1": {"bgp": {"local_preference": {"lyon-er": 300}, "connect_retry": "10 s"}}}
    changes = {"circuits": {"paris": {"bfd": BFD}}, "sites": {"lyon": {"devices": device}}}
    _, rows = failovers(fault, horizon="80 s", **changes)
    row = rows["forward"]
    # Ten seconds to connect, up to thirty until the route is announced.
    assert 25 + 0.0704 <= row["failback_s"] <= 25 + 10.1 + 30 + 0.0704


def test_an_instance_of_the_gateway_takes_half_of_the_flows_one_way():
    fault = {"kind": "expressroute-gateway-instance-failure", "gateway": "hub-er", "at": "20 s"}
    office = {**STREAM, "kind": "poisson", "rate": "2 Mbit/s", "reply_rate": "2 Mbit/s"}
    result, rows = failovers(fault, traffic={"calls": None, "office": office})
    assert list(rows) == ["forward"]
    row = rows["forward"]
    assert row["detected_by"] == "gateway.switch_over"
    assert row["detected_s"] == row["rerouted_s"]
    assert 1 <= row["rerouted_s"] - AT_S <= 15
    assert row["outage_s"] == 0.0
    # Half of 500 packets/s.
    assert row["packets_lost"] == pytest.approx(250 * (row["rerouted_s"] - AT_S), rel=0.1)
    assert result.failovers["fault"].unique() == [f"{fault['kind']} hub-er.instance-0"]


def test_the_scenario_of_the_peak_shows_queue_loss_and_recovery_on_the_standby():
    result = run(SCENARIOS / "failover-at-peak.yaml")
    rows = {(r["stream"], r["direction"]): r for r in result.failovers.to_dict("records")}
    assert len(rows) == 8  # every stream in both directions
    timeline = result.timeline.set_index("time_s")

    def bins(stream, direction, begin_s, end_s):
        is_it = (timeline["stream"] == stream) & (timeline["direction"] == direction)
        return timeline[is_it].loc[begin_s : end_s - 1e-9]

    voice = rows["voice", "return"]
    moved_s, back_s = voice["rerouted_s"], voice["failback_s"]
    assert voice["outage_s"] == pytest.approx(moved_s - 40, abs=1.1)
    before, on_vpn = bins("voice", "return", 30, 40), bins("voice", "return", moved_s + 5, back_s)
    assert before["latency_s_p95"].max() < 0.02
    assert on_vpn["latency_s_p95"].median() > 0.1  # the line's buffer of 100 ms is full
    assert on_vpn["packets_dropped"].sum() > 0
    backup = bins("backup", "forward", 30, 40)["throughput_bps"].mean()
    small = bins("backup", "forward", moved_s + 10, back_s)["throughput_bps"].mean()
    again = bins("backup", "forward", 150, 180)["throughput_bps"].mean()
    assert small < 0.25 * backup
    assert again > 0.9 * backup
