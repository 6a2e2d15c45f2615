"""Faults against a world without packets: what they change, and what the ends make of it."""

import pytest

from simulator.base.errors import ScenarioError
from simulator.scenario import load
from tests.planner.designs import ONE_SITE, design, merged
from tests.planner.test_life import hops, life, one

LINE = {"site": "lyon", "internet": "isp"}
BROWN_OUT = {"kind": "internet-brownout", **LINE, "at": "100 s", "duration": "50 s"}
FLAPPING = {"kind": "internet-flapping", **LINE, "at": "100 s", "period": "20 s"}
DEVICE = {"kind": "device-failure", "site": "lyon", "device": "edge", "at": "100 s"}
SILENT = {"kind": "tunnel-silent", "connection": "lyon-vpn", "at": "100 s"}


def test_a_brown_out_changes_both_directions_and_ends():
    fault = {**BROWN_OUT, "loss": "30 %", "added_delay": "20 ms", "rate": "10 Mbit/s"}
    plan, world = life(design(faults=[fault]))
    assert {h for _, h, _ in world.paths} == hops(plan, "lyon.isp.wan-hub")
    (_, _, bad), (_, _, good) = world.paths[0], world.paths[2]
    assert bad["loss_ratio"] == pytest.approx(0.3)
    assert bad["delay_s"] - good["delay_s"] == pytest.approx(0.02)
    assert [rate for _, _, rate in world.rates] == [10e6, 10e6, 200e6, 500e6]
    assert world.down == set()


def test_brown_outs_of_one_line_add_up():
    first = {**BROWN_OUT, "loss": "10 %", "added_delay": "10 ms"}
    second = {**BROWN_OUT, "at": "120 s", "loss": "20 %", "rate": "400 Mbit/s"}
    plan, world = life(design(faults=[first, second]))
    one_way = min(hops(plan, "lyon.isp.wan-hub"))
    losses = [(t, v["loss_ratio"]) for t, h, v in world.paths if h == one_way]
    assert [t for t, _ in losses] == [100.0, 120.0, 150.0, 170.0]
    assert [loss for _, loss in losses] == pytest.approx([0.1, 0.28, 0.2, 0.0])
    # The up-link has 200 Mbit/s: what is left does not exceed it.
    assert {rate for _, h, rate in world.rates if h in hops(plan, "lyon.isp.up")} == {200e6}


def test_a_flapping_line_is_down_for_its_share():
    fault = {**FLAPPING, "down_share": "25 %", "count": 3}
    _plan, world = life(design(faults=[fault]))
    downs = [e.time_s for e in world.of_kind("link-down")]
    ups = [e.time_s for e in world.of_kind("link-up")]
    assert (downs, ups) == ([100.0, 120.0, 140.0], [105.0, 125.0, 145.0])
    assert one(world.of_kind("repair")).time_s == 160.0
    assert world.down == set()


def test_a_repair_in_the_middle_of_a_loss_brings_the_line_up():
    fault = {**FLAPPING, "down_share": "50 %", "duration": "25 s"}
    _plan, world = life(design(faults=[fault]))
    assert [e.time_s for e in world.of_kind("link-up")] == [110.0, 125.0]
    assert one(world.of_kind("repair")).time_s == 125.0


def test_a_dead_device_loses_its_sas_and_the_site_leaves_it():
    plan, world = life(design(faults=[{**DEVICE, "duration": "120 s"}]))
    assert one(world.of_kind("sa-lost")).time_s == 100.0
    # 3 advertisements of a second and the skew of priority 100 (RFC 5798).
    switch = one(world.of_kind("first-hop-switch"))
    assert switch.time_s == pytest.approx(103.609)
    assert switch.fact.timer == "T101"
    assert one(world.of_kind("dpd-timeout")).detail.startswith("gateway")
    established = one(world.of_kind("ike-established"))
    assert 220.1 < established.time_s < 221.1
    assert world.down == set()
    assert plan.horizon_ps > 0


def test_a_silent_peer_is_felt_only_when_dpd_gives_it_up():
    plan, world = life(design(run={"horizon": "130 s"}, faults=[SILENT]))
    assert (world.down, world.routes) == (set(), [])
    plan, world = life(design(faults=[SILENT]))
    assert world.down == hops(plan, "lyon-vpn.tunnel-0")
    assert {e.fact.end for e in world.of_kind("dpd-timeout")} == {"gateway", "device"}
    assert not world.of_kind("ike-established")


@pytest.mark.parametrize(
    ("fault", "field", "rule"),
    [
        (BROWN_OUT, "faults.0", "changes nothing"),
        ({**FLAPPING, "down_share": "100 %"}, "faults.0.down_share", "less than 1"),
        ({**FLAPPING, "down_share": "0 %"}, "faults.0.down_share", "greater than 0"),
        ({**FLAPPING, "down_share": "5 %", "count": 0}, "faults.0.count", "at least 1"),
        ({**DEVICE, "device": "edgy"}, "faults.0.device", "edge"),
        ({**SILENT, "connection": "paris"}, "faults.0.connection", "lyon-vpn"),
        ({**SILENT, "until": "50 s"}, "faults.0.until", "must be after"),
    ],
)
def test_faults_that_make_no_sense_are_refused(fault, field, rule):
    with pytest.raises(ScenarioError) as caught:
        load(merged(ONE_SITE, {"faults": [fault]}))
    assert any(p.path == field and rule in str(p) for p in caught.value.problems), caught.value
