"""Many sites on one gateway: copies, the table of sites, and who gets what under overload."""

from pathlib import Path

import pytest

from simulator import engine
from simulator.plan import FORWARD, PS_PER_S
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load
from tests.planner.fair_shares import fair_shares_bps

FILE = Path(__file__).parents[2] / "scenarios" / "multi-site.yaml"
GATEWAY_BPS = 650e6
# 1390-byte packets of TCP behind a clamp of 1350 have 1444 bytes on the wire with GCM.
INNER_RATIO = 1390 / 1444


def test_two_entries_make_twelve_sites():
    scenario = load(FILE)
    assert len(scenario.sites) == len(scenario.connections) == len(scenario.traffic) == 12
    assert scenario.connections["depots-ulm"].site == "ulm"
    assert scenario.sites["ulm"].internet["isp"].up == 10e6
    assert scenario.sites["bremen"].internet["isp"].up == 20e6
    assert [str(p) for p in scenario.sites["leipzig"].address_space] == [
        "10.203.0.0/16", "10.213.0.0/16",
    ]  # fmt: skip
    assert load(scenario.resolved_yaml()) == scenario
    assert len(load(FILE, {"sites.branch.count": 36}).sites) == 40


def test_shares_as_worked_out_by_hand():
    shares = fair_shares_bps(build(load(FILE)))
    depot, small = 20e6 * INNER_RATIO, 10e6 * INNER_RATIO
    branch = (GATEWAY_BPS - 3 * depot - small) / 8
    assert branch < 100e6 * INNER_RATIO
    for stream, share in shares.items():
        expected = branch if "backup" in stream else small if "ulm" in stream else depot
        assert share == pytest.approx(expected, rel=1e-3), stream


def test_explain_names_the_line_where_the_line_is_less_than_a_share():
    found = explain(load(FILE))
    (row,) = [r for r in found.stream("stock-ulm").ceilings if r.binds]
    assert row.ceiling == "site up-link ulm.isp"
    assert row.available_bps == pytest.approx(10e6 * INNER_RATIO, rel=1e-3)
    rows = found.stream("backup-1").ceilings
    (instance,) = [r for r in rows if r.ceiling.startswith("instance hub-vpn.instance-0")]
    assert instance.stream_bps == pytest.approx(GATEWAY_BPS)
    assert "96 TCP flows" in instance.load


def test_explain_says_what_is_left_beside_the_others():
    """As the kernel of fair shares finds it, and bounded by the instance where that is less."""
    scenario = load(FILE)
    kernel = fair_shares_bps(build(scenario))
    found = explain(scenario)
    for name, share_bps in kernel.items():
        row = found.stream(name)
        assert row.fair_share_bps == pytest.approx(share_bps, rel=1e-3), name
        at = "hub-vpn.instance-0" if "backup" in name else row.fair_share_at
        assert row.fair_share_at == at
    assert found.stream("stock-ulm").fair_share_at == "ulm.isp.up"
    assert "fair share is 72.8" in found.text()
    assert found.text().count("fair share") == 8  # the depots have what their lines carry


@pytest.mark.slow
def test_simulated_shares_are_weighted_max_min():
    """Of TCP of equal round trip, over 120 s after the warm-up."""
    plan = build(load(FILE, {"run.horizon": "128 s", "sites.branch.count": 10}))
    shares = fair_shares_bps(plan)
    log = engine.run(plan)
    late = log.bin_start_ps >= plan.warm_up_ps
    assert late.sum() * plan.time_bin_ps == 120 * PS_PER_S
    total = 0.0
    for d, where in enumerate(plan.directions):
        if where.direction == FORWARD:
            name = plan.streams[where.stream_idx].name
            delivered = log.counter["delivered_bytes"][late, d].sum()
            reached_bps = float(delivered) * 8 / 120
            total += reached_bps
            assert reached_bps == pytest.approx(shares[name], rel=0.05), name
    assert total == pytest.approx(GATEWAY_BPS, rel=0.02)
