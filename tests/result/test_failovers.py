"""Failovers: which streams a fault affected, who noticed, and when it was over."""

from dataclasses import replace

import numpy as np
import pytest

from kernels import layout
from simulator import faults, metrics
from simulator.metrics.failovers import faults_of
from simulator.plan import PS_PER_S, UNLIMITED_SEGMENTS, TcpFlowPlan
from simulator.readout import run_text
from simulator.recorder import Detection, Event, Reroute
from simulator.result import Result
from tests.result.handmade import ABOUT

DEVICE = Detection("connection.dpd.device", "device")


def at(event_id, time_s, kind, subject, cause=0, fact=None):
    return Event(event_id, round(time_s * PS_PER_S), kind, subject, cause, "", fact)


def rows(plan, log):
    frame = metrics.compute("failovers", plan, log)
    return {(row["stream"], row["direction"]): row for row in frame.to_dict("records")}


def moved(direction, *, away=0, back=0, reset=0):
    return Reroute(direction, away, back, reset)


def test_a_row_for_each_direction_that_the_outage_cuts(plan, log):
    found = rows(plan, log)
    names = [(s, d) for s in ("backup", "office", "voice") for d in ("forward", "return")]
    assert sorted(found) == names
    row = found["office", "forward"]
    assert row["fault"] == "internet-outage lyon.isp"
    # Bins 30 to 39 are down, bin 40 is the first of three good ones.
    assert (row["started_s"], row["first_packet_s"], row["recovered_s"]) == (30.0, 40.0, 40.0)
    assert (row["outage_s"], row["degraded_s"]) == (10.0, 0.0)
    sent = log.counter["sent_packets"][30:40, office(plan)].sum()
    assert row["packets_lost"] == sent
    assert row["bytes_lost"] == 800 * row["packets_lost"]
    # TCP waits for two more seconds.
    assert found["backup", "forward"]["recovered_s"] == 42.0
    assert found["backup", "forward"]["outage_s"] == 12.0


def test_without_a_reroute_nobody_acted(plan, log):
    row = rows(plan, log)["office", "forward"]
    for name in ("detected_s", "rerouted_s", "failback_s"):
        assert np.isnan(row[name])
    assert row["detected_by"] == row["detected_by_end"] == ""
    assert row["flows_reset"] == 0


def test_each_direction_names_the_detection_that_moved_it(plan, log):
    events = (
        *log.events[:3],  # the gateway's DPD at 34.5 s is event 3
        at(4, 34.5, "reroute", "office", 3, moved("return", away=2)),
        at(5, 36.0, "dpd-timeout", "lyon-vpn", 2, DEVICE),
        at(6, 36.1, "reroute", "office", 5, moved("forward", reset=1)),
        at(7, 36.2, "reroute", "office", 5, moved("forward", away=3)),
        at(8, 40.0, "repair", "lyon.isp", 1),
        at(9, 41.2, "ike-established", "lyon-vpn", 8),
        at(10, 41.3, "reroute", "office", 9, moved("forward", back=4)),
    )
    found = rows(plan, replace(log, events=events))
    there, back = found["office", "forward"], found["office", "return"]
    assert (there["detected_s"], there["detected_by_end"]) == (36.0, "device")
    assert there["detected_by"] == "connection.dpd.device"
    assert (there["rerouted_s"], there["failback_s"], there["flows_reset"]) == (36.2, 41.3, 1)
    assert (back["detected_s"], back["detected_by"]) == (34.5, "connection.dpd.gateway")
    assert back["rerouted_s"] == 34.5
    assert np.isnan(back["failback_s"])
    assert np.isnan(found["voice", "forward"]["detected_s"])


def test_of_several_detections_in_a_chain_the_first_counts(plan, log):
    interface = Detection("bgp.interface_down", "device")
    events = (
        *log.events[:3],
        at(4, 36.0, "dpd-timeout", "lyon-vpn", 2, DEVICE),
        at(5, 37.0, "bgp-down", "lyon-vpn", 4, interface),
        at(6, 37.0, "reroute", "office", 5, moved("forward", away=4)),
    )
    row = rows(plan, replace(log, events=events))["office", "forward"]
    assert (row["detected_s"], row["detected_by"]) == (36.0, "connection.dpd.device")


def test_a_transfer_that_waits_to_send_again_at_the_end_is_out_and_not_degraded(plan, log):
    streams = [(plan.streams[i.stream_idx].name, i.direction) for i in plan.directions]
    d = streams.index(("backup", "forward"))
    settings = {"stop_ps": layout.NEVER_PS, "size_segments": UNLIMITED_SEGMENTS}
    endless = TcpFlowPlan(plan.directions[d].stream_idx, 0, 0, (), (), {}, settings)
    counter = log.counter.copy()
    for name in counter.dtype.names:
        counter[name][35:, d] = 0  # after a last try its timer is longer than the run
    found = rows(replace(plan, tcp_flows=(endless,)), replace(log, counter=counter))
    row = found["backup", "forward"]
    assert np.isnan(row["recovered_s"])
    assert (row["outage_s"], row["degraded_s"]) == (30.0, 0.0)


def test_a_fault_elsewhere_has_no_row(plan, log):
    assert rows(plan, replace(log, touched={2: frozenset({0})})).keys() == {
        (stream, "forward") for stream in ("office", "voice", "backup")
    }
    assert rows(plan, replace(log, touched={})) == {}


def test_two_faults_each_have_their_rows(plan, log):
    events = (*log.events, at(7, 35.0, "tunnel-down", "lyon-vpn"))
    frame = metrics.compute(
        "failovers", plan, replace(log, events=events, touched=log.touched | {7: frozenset({2})})
    )
    assert frame["fault"].nunique() == 2
    second = frame[frame["fault"] == "tunnel-down lyon-vpn"]
    assert set(second["direction"]) == {"forward"}
    # Nothing arrived in the 5 bins before it: there is nothing to come back to.
    assert second["recovered_s"].isna().all()


def office(plan):
    return next(
        d
        for d, i in enumerate(plan.directions)
        if plan.streams[i.stream_idx].name == "office" and i.direction == "forward"
    )


def course(plan, log, delivered, lost=0):
    """A log in which the office sends 1000 packets per bin; from bin 30 on as given."""
    d = office(plan)
    counter, dropped = log.counter.copy(), log.dropped_packets.copy()
    counter["sent_packets"][:, d] = counter["delivered_packets"][:, d] = 1000
    dropped[:, d] = 0
    for b, packets in enumerate(delivered, 30):
        counter["delivered_packets"][b, d] = packets
        dropped[b, d, layout.RANDOM_LOSS] = lost
    counter["delivered_bytes"][:, d] = counter["delivered_packets"][:, d] * 800
    return replace(log, counter=counter, dropped_packets=dropped)


@pytest.mark.parametrize(
    ("delivered", "recovered_s", "outage_s", "degraded_s"),
    [
        ([0, 0, 1000, 1000, 1000], 32.0, 2.0, 0.0),
        # Two good bins are no recovery.
        ([0, 1000, 1000, 500, 900, 900, 900], 34.0, 1.0, 1.0),
        ([899] * 12, 42.0, 0.0, 12.0),
        ([800] * 30, np.nan, 0.0, 30.0),
        # Good bins at the very end are too few.
        ([0] * 28 + [1000] * 2, np.nan, 28.0, 0.0),
    ],
)
def test_recovery_is_three_good_bins_in_a_row(
    plan, log, delivered, recovered_s, outage_s, degraded_s
):
    # 899 in the bins of the fault is below 90 % of 1000.
    row = rows(plan, course(plan, log, delivered))["office", "forward"]
    assert row["recovered_s"] == pytest.approx(recovered_s, nan_ok=True)
    assert (row["outage_s"], row["degraded_s"]) == (outage_s, degraded_s)


def test_a_stream_that_loses_a_little_has_a_row_and_never_fell(plan, log):
    row = rows(plan, course(plan, log, [950] * 10, lost=50))["office", "forward"]
    assert row["recovered_s"] == row["started_s"] == 30.0
    assert (row["outage_s"], row["degraded_s"], row["packets_lost"]) == (0.0, 0.0, 500)
    assert np.isnan(row["first_packet_s"])


def test_a_stream_that_feels_nothing_has_no_row(plan, log):
    assert ("office", "forward") not in rows(plan, course(plan, log, [1000] * 10))


def test_faults_are_scheduled_events_of_the_kinds_of_the_registry():
    events = [
        at(1, 1.0, "traffic-start", "office"),
        at(2, 2.0, "internet-outage", "lyon.isp"),
        at(3, 3.0, "traffic-stop", "office", 1),
        at(4, 4.0, "dpd-timeout", "vpn", 2),
        at(5, 5.0, "repair", "lyon.isp", 2),
        at(6, 6.0, "ike-established", "vpn", 5),
    ]
    (fault,) = faults_of(events)
    assert [e.event_id for e in fault.consequences] == [4, 5, 6]
    assert fault.end_ps == 5 * PS_PER_S
    assert all(faults.begins(kind) for kind in faults.FAULTS)
    assert not faults.begins("dpd-timeout")


def test_summary_and_text_have_the_same_rows(plan, log):
    result = Result(plan, log, about=ABOUT)
    listed = result.summary_dict["failovers"]
    assert [r["stream"] for r in listed] == result.failovers["stream"].tolist()
    assert listed[0]["detected_s"] is None
    lines = run_text(result).splitlines()
    assert "after internet-outage lyon.isp at 30 s" in lines
    assert any(line.split()[:2] == ["office", "forward"] and "10.00 s" in line for line in lines)


def test_figure_has_rows_strips_and_causes(plan, log):
    events = (
        *log.events[:3],
        replace(at(4, 34.5, "reroute", "office", 3), detail="1 of 1 flows, return: no route"),
        at(5, 40.0, "repair", "lyon.isp", 1),
        at(6, 41.2, "ike-established", "lyon-vpn", 5),
    )
    result = Result(plan, replace(log, events=events), about=ABOUT)
    top = result.plot.failover()
    axes = top.figure.axes
    assert [ax.get_ylabel().partition("\n")[0] for ax in axes] == [
        "Arrives",
        "Lost (%)",
        "Latency",
        "",
    ]
    strips = [label.get_text() for label in axes[3].get_yticklabels()]
    assert strips == ["lyon.isp", "IKE of lyon-vpn", "route of office return"]
    words = [text.get_text() for text in axes[3].texts]
    assert {"internet outage", "up", "down", "no route"} <= set(words)
    assert "because of dpd timeout at lyon-vpn" in words[-1]
    assert "is out for 12 s" in top.get_title(loc="left")
    assert "failover" in result.plot.all()


def test_figure_is_saved_only_if_a_stream_is_affected(plan, log):
    assert "failover" not in Result(plan, replace(log, events=()), about=ABOUT).plot.all()
