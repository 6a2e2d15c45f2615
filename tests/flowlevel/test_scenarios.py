"""Scenarios of hours: transfers, profiles, groups of clients, what the packet level refuses."""

from pathlib import Path

import numpy as np
import pytest

import simulator
from simulator import engine
from simulator.base.errors import ScenarioError
from simulator.metrics.accounting import imbalances
from simulator.planner import build
from simulator.scenario import load
from tests.planner.designs import design, merged

SCENARIOS = Path(__file__).parents[2] / "scenarios"
HOURS = {"horizon": "2 h", "time_bin": "1 min", "fidelity": "flow"}
PAGES = {
    "kind": "transfers",
    "from": "lyon",
    "to": "hub",
    "users": 40,
    "think": {"kind": "exponential", "mean": "20 s"},
    "size": {"kind": "lognormal", "mean": "1 MB", "sigma": 1.2},
}
CLIENTS = {
    "run": HOURS,
    "gateways": {
        "hub-vpn": {"p2s": {"address_pools": ["172.16.0.0/23"], "protocols": ["openvpn"]}}
    },
    "clients": {
        "team": {
            "gateway": "hub-vpn",
            "protocol": "openvpn",
            "count": 60,
            "location": {"near": "France Central"},
            "access": {"down": "20 Mbit/s", "up": "5 Mbit/s", "delay": "12 ms"},
        }
    },
}
SESSIONS = {
    "start": {"kind": "normal", "mean": "1 h", "sd": "5 min"},
    "length": {"kind": "lognormal", "median": "20 min", "sigma": 0.2},
}


def table(result, stream, direction="return"):
    rows = result.timeline
    return rows[(rows["stream"] == stream) & (rows["direction"] == direction)]


def row(result, stream, direction="return"):
    rows = result.streams.set_index(["stream", "direction"])
    return rows.loc[(stream, direction)]


@pytest.mark.parametrize(
    ("traffic", "path"),
    [
        ({"pages": PAGES}, "traffic.pages.kind"),
        ({"office": {"kind": "poisson", "profile": {"growth": "3 %"}, "packet_size": "200 bytes"}},
         "traffic.office.profile"),
    ],
)  # fmt: skip
def test_the_packet_level_refuses_what_it_cannot_do(traffic, path):
    with pytest.raises(ScenarioError) as caught:
        design(traffic=traffic)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert "flow level only" in problem.rule
    assert "--fidelity flow" in problem.fix


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"rate": "1 Mbit/s"}, "by rate or of users"),
        ({"users": None}, "by rate or of users"),
        ({"users": None, "rate": "1 Mbit/s"}, "think belongs to users"),
        ({"size": {"kind": "pareto", "mean": "1 MB"}}, "pareto takes mean and shape"),
        ({"size": {"kind": "fixed", "mean": "1 MB", "sigma": 1.0}}, "fixed takes mean and no more"),
    ],
)
def test_transfers_that_say_too_much_or_too_little(change, rule):
    with pytest.raises(ScenarioError, match=rule):
        design(run=HOURS, traffic={"pages": {**PAGES, **change}})


def test_users_load_the_down_link_and_wait_for_their_files():
    result = simulator.run(design(run=HOURS, traffic={"pages": PAGES}))
    found = row(result, "pages")
    # a cycle is 20 s of thought and the time of a transfer; 40 users
    cycle_s = 20.0 + found["transfer_time_s_mean"]
    assert found["transfers_completed"] == pytest.approx(40 * 7200 / cycle_s, rel=0.05)
    assert found["goodput_bps"] == pytest.approx(8e6 * 40 / cycle_s, rel=0.1)
    assert found["transfer_time_s_mean"] < found["transfer_time_s_p95"] < 2.0
    assert row(result, "pages", "forward")["goodput_bps"] == 0.0
    assert np.isnan(row(result, "office")["transfer_time_s_mean"])


def test_a_profile_follows_the_hours():
    hours = [0.0, 1.0] + [0.0] * 22
    office = {"kind": "poisson", "packet_size": "1000 bytes", "profile": {"hours": hours}}
    result = simulator.run(design(run=HOURS, traffic={"office": office}))
    rate = table(result, "office")["goodput_bps"].to_numpy()
    assert rate[:60].max() == 0.0
    assert rate[60:].min() > 19e6


def test_an_outage_stops_transfers_and_they_come_back():
    faults = [{"kind": "internet-outage", "site": "lyon", "internet": "isp", "at": "3600 s",
               "duration": "10 min"}]  # fmt: skip
    result = simulator.run(design(run=HOURS, traffic={"pages": PAGES}, faults=faults))
    rate = table(result, "pages")["goodput_bps"].to_numpy()
    assert rate[61:70].max() == 0.0
    assert rate[80:].mean() == pytest.approx(rate[:60].mean(), rel=0.15)
    (failover,) = [f for f in result.failovers.to_dict("records")
                   if (f["stream"], f["direction"]) == ("pages", "return")]  # fmt: skip
    assert failover["outage_s"] >= 9 * 60


def clients(**more):
    """Clients who fetch a page at a time."""
    pages = {**PAGES, "from": "team", "users": 1}
    return design(**merged(merged(CLIENTS, {"traffic": {"pages": pages}}), more))


def test_clients_of_a_group_are_one_class_and_share_alike():
    scenario = clients()
    plan = build(scenario)
    log = engine.run(plan)
    assert imbalances(plan, log) == []
    served = {
        hop.name: log.hop["served_bytes"][h]
        for h, hop in enumerate(plan.hops)
        if hop.name.startswith("team-") and hop.name.endswith(".down")
    }
    assert len(served) == 60
    assert len(set(served.values())) == 1
    d = next(i for i, w in enumerate(plan.directions)
             if plan.streams[w.stream_idx].name == "pages" and w.direction == "return")  # fmt: skip
    # what all down-links carried, less headers, is what all clients got
    payload_ratio = sum(served.values()) / log.total["goodput_bytes"][d]
    assert 1.0 < payload_ratio < 1.15


def test_no_client_is_faster_than_its_line():
    big = {"size": {"kind": "fixed", "mean": "50 MB", "sigma": None}, "think": None}
    result = simulator.run(clients(traffic={"pages": big}))
    found = row(result, "pages")
    assert found["goodput_bps"] < 60 * 20e6
    assert found["goodput_bps"] > 0.4 * 650e6
    assert found["transfer_time_s_mean"] > 50e6 * 8 / 20e6


def test_clients_come_and_go():
    result = simulator.run(clients(clients={"team": {"sessions": SESSIONS}}))
    rate = table(result, "pages")["goodput_bps"].to_numpy()
    assert rate[:40].max() == 0.0
    assert rate[65:75].mean() > 10 * rate[105:].mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "smaller"),
    [
        ("working-day", {"run.horizon": "11 h"}),
        ("login-morning", {"clients.teleworkers.count": 60}),
    ],
)
def test_scenarios_of_a_day_run_in_seconds(name, smaller):
    result = simulator.run(load(SCENARIOS / f"{name}.yaml", smaller))
    assert result.summary_dict["fidelity"] == "flow"
    assert result.summary_dict["performance"]["cpu_s"] < 10.0
    assert result.streams["transfers_completed"].sum() > 10_000


def test_the_same_file_runs_at_both_levels():
    packet = load(SCENARIOS / "site-to-site.yaml", {"run.horizon": "50 s"})
    flow = packet.with_("run.fidelity", "flow")
    tables = [simulator.run(scenario) for scenario in (packet, flow)]
    for name in ("streams", "hops", "timeline", "hop_timeline", "events", "failovers"):
        columns = [list(result.table(name).columns) for result in tables]
        assert columns[0] == columns[1]
        assert len(tables[0].table(name)) == len(tables[1].table(name))
