"""Comparisons with other simulators: what needs no other simulator."""

import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers import workloads
from benchmarks.peers.comparison import Comparison, Side


@pytest.fixture
def no_peer(monkeypatch):
    monkeypatch.setattr(peers, "installed", lambda package: None)


def test_a_missing_peer_gives_one_line_how_to_install_it_and_no_error(no_peer, capsys):
    assert peers.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-3:] for line in lines] == [
        ["pip", "install", package] for package in ("simgrid", "ns3", "ns.py")
    ]


def test_two_peers_of_one_import_name_are_not_run_together(monkeypatch, capsys):
    monkeypatch.setattr(peers, "installed", lambda package: "1.0")
    assert peers.main(["ns3", "nspy"]) == 0
    assert capsys.readouterr().out.count("cannot share an environment") == 2


def test_an_unknown_peer_is_refused_with_the_names_to_choose_from(capsys):
    assert peers.main(["opnet"]) == 2
    assert "choose from simgrid, ns3, nspy" in capsys.readouterr().err


def test_the_chain_delivers_its_packets_with_the_waiting_of_theory():
    side = workloads.chain(1.0)
    # Poisson arrivals of 325 Mbit/s in packets of 1,400 bytes; the last ones are under way.
    assert side.outcome["delivered_packets"] == pytest.approx(325e6 / 11_200, rel=0.03)
    assert side.work_count == pytest.approx(4 * side.outcome["delivered_packets"], rel=0.03)
    # Constant service times: all waiting of a chain is that of M/D/1 at its slowest server
    # (Friedman 1965): 0.5 x 17.23 us / (2 x 0.5) = 8.615 us.
    assert side.outcome["mean_wait_s"] == pytest.approx(8.615e-6, rel=0.05)


def test_tcp_flows_fill_the_bottleneck_after_their_start():
    side = workloads.cubic(20, 1.0)
    assert 0.6 * 650e6 < side.outcome["goodput_bps"] < 650e6 * 1338 / 1390
    assert side.work_count == pytest.approx(side.outcome["goodput_bps"] / 8 / 1338)


def test_the_closed_population_keeps_all_its_flows_busy():
    side = workloads.two_tier(classes=100, flow_count=100, completions=2_000)
    assert side.work_count == pytest.approx(2_000, abs=1)
    # Little: flows = completions per second x mean transfer time, but for those still under way.
    present = side.outcome["completions_per_s"] * side.outcome["mean_transfer_s"]
    assert 0.8 * 100 < present <= 100.0


def test_a_peer_is_given_the_same_network_and_sizes_of_the_same_mean():
    transfers = workloads.transfers(classes=100, flow_count=10, completions=20_000)
    assert [len(route) for route in transfers.routes] == [4] * 100
    assert max(max(route) for route in transfers.routes) == transfers.capacity_bps.size - 1
    # Lognormal of sigma 1.5: coefficient of variation 2.9, so 2 % of the mean for 20,000 sizes.
    assert transfers.size_bytes.mean() == pytest.approx(5e6, rel=0.08)
    assert set(transfers.class_idx) == set(range(100))


def test_a_difference_of_outcomes_is_told_and_fails_the_run(monkeypatch, capsys):
    ours = Side(100.0, 0.5, {"delivered_packets": 103.0})
    theirs = Side(100.0, 5.0, {"delivered_packets": 100.0})
    comparison = Comparison("chain", "packet-hops", "peer", ours, theirs, 0.02)
    assert comparison.speed_ratio == pytest.approx(10.0)
    assert comparison.difference_ratio == pytest.approx(0.03)
    module = type("module", (), {"comparisons": staticmethod(lambda: iter([comparison]))})
    monkeypatch.setattr(peers, "version", lambda package: "1.0")
    monkeypatch.setattr(peers, "import_module", lambda name: module)
    assert peers.main(["simgrid"]) == 1
    assert "NOT the same work" in capsys.readouterr().out
