"""Worst-case search: which faults a design admits, when they strike, and how they are ranked."""

import csv
import dataclasses
import json
import math
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pandas as pd
import pytest

from simulator import study_readout
from simulator.base.errors import UsageError
from simulator.cli import execute
from simulator.faults import FAULTS
from simulator.scenario import load
from simulator.study import whatif
from tests.planner.designs import ONE_SITE, merged

QUICK = {
    "run": {"horizon": "60 s", "warm_up": "5 s", "seed": 7},
    "traffic": {"office": {"rate": "100 kbit/s", "reply_rate": "100 kbit/s"}},
    "faults": [{"kind": "tunnel-down", "connection": "lyon-vpn", "at": "30 s"}],
}

CIRCUITS = Path(__file__).parents[2] / "scenarios" / "two-circuits.yaml"
#: Few packets.
QUIET = {f"traffic.{name}.rate": "1 Mbit/s" for name in ("brussels-office", "cologne-office")}


@pytest.fixture(scope="module")
def design():
    return load(merged(ONE_SITE, QUICK))


@pytest.fixture(scope="module")
def found(design):
    when = whatif.timing(design, lasting_s=20.0, horizon_s=80.0)
    return whatif.whatif(design, when=when)


def test_every_fault_can_be_derived_from_a_design():
    assert all(hasattr(module, "admitted") for _, module in FAULTS.items())


def test_the_single_faults_of_one_site(design):
    when = whatif.timing(design)
    labels = [whatif.label(entry) for entry in whatif.single_faults(design, when)]
    assert len(labels) == len(set(labels))
    assert "gateway-instance-failure hub-vpn instance 1" in labels
    assert "policy-change lyon-vpn mismatch" in labels
    kinds = {label.split()[0] for label in labels}
    # No zones, no clients, no circuits, no BGP.
    assert kinds.isdisjoint({"zone-outage", "p2s-login-storm", "bgp-session-reset"})
    assert not any(kind.startswith(("expressroute", "msee", "peering")) for kind in kinds)
    assert len(kinds) == 14


def test_the_slowest_documented_recovery_fits(design):
    when = whatif.timing(design)
    assert when.at_s == 5.0 + 10 * 1.0
    # A take-over of up to 180 s (T042), then the longest wait of IKE, 4 x 1.8^5 = 75.6 s, a connect
    # retry of 60 s, 30 s between announcements and ten bins.
    assert when.lasting_s == 180.0
    assert when.horizon_s == pytest.approx(15 + 180 + 4 * 1.8**5 + 60 + 30 + 10)


def test_rows_are_ranked_by_outage_then_bytes_lost(found):
    table = found.table
    assert set(table["stream"]) == {"office"}
    assert table["outage_s"].is_monotonic_decreasing
    same = table[table["outage_s"] == table["outage_s"].iloc[0]]
    assert same["bytes_lost"].is_monotonic_decreasing
    assert found.refused == ()
    by_fault = table.groupby("fault")["outage_s"].max()
    # The instance is back after 20 s, before its standby could take over (T042).
    assert 18 <= by_fault["gateway-instance-failure hub-vpn instance 0"] <= 21
    assert 18 <= by_fault["internet-outage lyon isp"] <= 20
    assert by_fault["gateway-instance-failure hub-vpn instance 1"] == 0  # the standby


def test_the_scenarios_own_faults_are_left_out(found):
    lost = found.table[found.table["fault"] == "gateway-instance-failure hub-vpn instance 1"]
    assert (lost["is_affected"] == "no").all()
    assert lost["packets_lost"].sum() == 0


def test_each_stream_names_its_worst_fault(found):
    worst = found.worst
    assert len(worst) == 2
    for row in worst.to_dict("records"):
        of_stream = found.table[found.table["direction"] == row["direction"]]
        assert row["outage_s"] == of_stream["outage_s"].max()


def test_pairs_are_all_pairs(design, monkeypatch):
    when = whatif.timing(design, at_s=15.0, lasting_s=5.0, horizon_s=30.0)
    some = list(whatif.single_faults(design, when))[:4]
    monkeypatch.setattr(whatif, "single_faults", lambda scenario, when: iter(some))
    pairs = whatif.whatif(design, pairs=True, when=when)
    assert pairs.cases_count == 4 * 3 // 2
    assert pairs.table["fault"].str.contains(r" \+ ", regex=True).all()
    names = set(pairs.table["fault"])
    assert f"{whatif.label(some[0])} + {whatif.label(some[1])}" in names


def test_two_workers_find_what_one_finds(design, monkeypatch):
    when = whatif.timing(design, at_s=10.0, lasting_s=5.0, horizon_s=20.0)
    some = list(whatif.single_faults(design, when))[:4]
    monkeypatch.setattr(whatif, "single_faults", lambda scenario, when: iter(some))
    done = []
    two = whatif.whatif(design, when=when, workers=2, progress=lambda *at: done.append(at))
    pd.testing.assert_frame_equal(two.table, whatif.whatif(design, when=when).table)
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_worker_that_dies_is_named(design, monkeypatch):
    class Dead:
        def __init__(self, count, fidelities):
            self.executor = self

        def submit(self, *call):
            future = Future()
            future.set_exception(BrokenProcessPool("terminated abruptly"))
            return future

        def close(self):
            pass

    monkeypatch.setattr("simulator.study.executors.LocalWorkers", Dead)
    with pytest.raises(UsageError, match="fewer workers"):
        whatif.whatif(design, workers=2)


@pytest.mark.parametrize("fidelity", ["packet", "flow"])
def test_every_kind_of_fault_of_two_circuits(fidelity, monkeypatch):
    design = load(CIRCUITS, {"run.fidelity": fidelity, "run.warm_up": "1 s"} | QUIET)
    when = whatif.timing(design, at_s=3.0, lasting_s=2.0, horizon_s=7.0)
    first_of = {entry["kind"]: entry for entry in list(whatif.single_faults(design, when))[::-1]}
    assert {kind for kind in FAULTS.names() if kind.startswith("expressroute")} <= set(first_of)
    monkeypatch.setattr(whatif, "single_faults", lambda scenario, when: first_of.values())
    found = whatif.whatif(design, when=when)
    assert found.refused == ()
    assert found.fidelity == fidelity
    worst = found.worst.set_index(["stream", "direction"]).loc[("brussels-office", "forward")]
    assert worst["fault"].startswith(("expressroute-circuit-down", "peering-location-outage"))
    assert 1.0 <= worst["outage_s"] <= 2.0  # the other circuit takes over, or this one is back


def test_a_stream_that_nothing_harms_has_no_worst_fault(found):
    spared = found.table.assign(is_affected="no", outage_s=0.0, recovered_after_s=math.nan)
    text = study_readout.whatif_text(dataclasses.replace(found, table=spared), Path("search"))
    assert text.count("none does it harm") == 2
    assert "tunnel-down" not in text


def test_a_long_name_keeps_its_direction(found):
    renamed = found.table.assign(stream="a-very-long-name-of-a-stream")
    text = study_readout.whatif_text(dataclasses.replace(found, table=renamed), Path("search"))
    assert " forward " in text
    assert " return " in text


def test_a_design_without_traffic_is_refused(design):
    with pytest.raises(UsageError, match="needs traffic"):
        whatif.whatif(load(merged(ONE_SITE, QUICK) | {"traffic": {}}))


def test_the_command_writes_a_table_and_says_the_worst(tmp_path, capsys):
    scenario = tmp_path / "one.json"
    scenario.write_text(json.dumps(merged(ONE_SITE, QUICK)))
    out = tmp_path / "search"
    arguments = ["whatif", str(scenario), "--lasting", "10 s", "--horizon", "60 s", "-q"]
    assert execute([*arguments, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "worst for each stream" in text
    assert "gateway-instance-failure hub-vpn instance 0" in text
    table = pd.read_parquet(out / "whatif.parquet")
    with (out / "whatif.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(table)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["worst"][0]["fault"] == table["fault"][0]
    assert summary["horizon_s"] == 60.0


def test_durations_that_are_none_are_refused(tmp_path, capsys):
    scenario = tmp_path / "one.json"
    scenario.write_text(json.dumps(merged(ONE_SITE, QUICK)))
    assert execute(["whatif", str(scenario), "--lasting", "soon", "-q"]) == 2
    assert "--lasting soon" in capsys.readouterr().err
