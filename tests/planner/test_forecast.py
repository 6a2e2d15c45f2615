"""When ceilings saturate, and what runs cost, before anything runs."""

from datetime import date

import pytest

from simulator import engine
from simulator.base.errors import UsageError
from simulator.planner import build
from simulator.planner.estimate import SLOW_S, estimates, suggestion
from simulator.planner.explain import explain
from simulator.planner.forecast import Growth, saturations
from tests.planner.designs import design

TODAY = date(2026, 1, 1)
PAGES = {
    "kind": "transfers",
    "from": "lyon",
    "to": "hub",
    "users": 100,
    "think": {"kind": "fixed", "mean": "10 s"},
    "size": {"kind": "fixed", "mean": "1 MB"},
}


def at_hundred(growth: str):
    """The office sends 100 of the 200 Mbit/s of the up-link, on the wire."""
    office = {"rate": "100 Mbit/s", "reply_rate": "0 bit/s", "packet_size": "1000 bytes"}
    found = saturations(explain(design(traffic={"office": office})), Growth.parse(growth), TODAY)
    return next(row for row in found if "up-link" in row.ceiling)


def test_compound_and_linear_growth_bound_the_date():
    # 1,000 bytes are 1,056 on the wire: the load is 0.528; 1.05^n = 1 / 0.528 and 1 + 0.05 n
    row = at_hundred("5 %/month")
    assert row.load_ratio == pytest.approx(0.528, abs=0.002)
    assert row.months_earliest == pytest.approx(13.09, abs=0.05)
    assert row.months_latest == pytest.approx((1 / row.load_ratio - 1) / 0.05, rel=1e-9)
    assert row.earliest == "2027-02-03"
    assert row.binds == ("office forward",)


def test_a_range_of_growth_widens_the_interval():
    narrow, wide = at_hundred("3 %/month"), at_hundred("2..4 %/month")
    assert wide.months_earliest < narrow.months_earliest
    assert wide.months_latest > narrow.months_latest


@pytest.mark.parametrize("text", ["3 %", "3/month", "0 %/month", "4..2 %/month", "x %/month"])
def test_growth_is_written_in_one_way(text):
    with pytest.raises(UsageError, match="write for example '3 %/month'"):
        Growth.parse(text)


def test_a_packet_run_costs_what_was_estimated():
    office = {"rate": "100 Mbit/s", "reply_rate": "50 Mbit/s"}
    plan = build(design(run={"horizon": "4 s"}, traffic={"office": office}))
    packet, flow = estimates(plan)
    assert packet.packet_hops == pytest.approx(engine.run(plan).packet_hops, rel=0.02)
    assert flow.is_possible


def test_flow_events_are_those_of_users_and_their_thoughts():
    run = {"horizon": "1 h", "time_bin": "1 min", "fidelity": "flow"}
    plan = build(design(run=run, traffic={"pages": PAGES}))
    packet, flow = estimates(plan)
    assert not packet.is_possible
    assert flow.flow_events == pytest.approx(engine.run(plan).flow_events, rel=0.25)


def test_a_long_packet_run_is_worth_a_word():
    office = {"rate": "150 Mbit/s"}
    assert suggestion(build(design(run={"horizon": "10 s"}, traffic={"office": office}))) == ""
    slow = build(design(run={"horizon": "2 d", "time_bin": "1 min"}, traffic={"office": office}))
    assert estimates(slow)[0].cpu_s > SLOW_S
    assert "--fidelity flow" in suggestion(slow)
