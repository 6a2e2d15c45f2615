"""The scenario files of the topologies: each plans, with the ceilings worked out by hand."""

from collections import Counter
from pathlib import Path

import pytest

from simulator.plan import FORWARD, RETURN
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load
from tests.planner.fake_world import FakeWorld

SCENARIOS = Path(__file__).parents[2] / "scenarios"
MBIT = 1e6
# Full segments behind a clamp of 1350: 1390 bytes, 1444 on the wire with GCM.
INNER_RATIO = 1390 / 1444


def binding(file, stream, direction=FORWARD):
    found = explain(load(SCENARIOS / f"{file}.yaml"))
    (row,) = [r for r in found.stream(stream, direction).ceilings if r.binds]
    return row


@pytest.mark.parametrize(
    ("file", "stream", "ceiling", "available_bps"),
    [
        # VpnGw1AZ at the far end: 650 Mbit/s with GCM, whatever VpnGw2AZ carries at the near end.
        ("vnet-to-vnet", "replication", "tunnel west-north.tunnel-0.north-vpn", 645 * MBIT),
        # 62,000 packets/s of 602.6 bytes on average.
        ("vnet-peering", "application", "tunnel lyon-vpn.tunnel-0", 62_000 * 602.6 * 8),
        # One access line before two instances of 650 Mbit/s; 10 Mbit/s of others are offered.
        ("active-active", "backup", "site up-link lyon.isp", None),
        # In 2017 the figure of the SKU was that of all instances together.
        ("sku-2017", "backup", "all instances hub-vpn.instances, VpnGw1", 630 * MBIT),
    ],
)
def test_the_binding_ceiling(file, stream, ceiling, available_bps):
    row = binding(file, stream)
    assert row.ceiling.startswith(ceiling)
    if available_bps is not None:
        assert row.available_bps == pytest.approx(available_bps, rel=1e-3)


@pytest.mark.parametrize("stream", ["database", "replication"])
def test_peered_vnets_have_no_ceiling_above_what_the_gateway_carries(stream):
    found = explain(load(SCENARIOS / "vnet-peering.yaml")).stream(stream)
    assert not any(row.binds for row in found.ceilings)
    assert found.offered_bps > 650 * MBIT
    assert not any("vpn" in hop.hop for way in found.ways for hop in way.hops)


def test_four_tunnels_share_the_flows_of_two_devices():
    plan = build(load(SCENARIOS / "dual-redundancy.yaml"))
    first = {
        direction: Counter(
            plan.routes[(f.data_routes if direction == FORWARD else f.ack_routes)[0]].name
            for f in plan.tcp_flows
        )
        for direction in (FORWARD, RETURN)
    }
    tunnels = {f"lyon-vpn.tunnel-{i}" for i in range(4)}
    for counts in first.values():
        assert set(counts) == tunnels
        # Binomial(32, 1/4): 4 standard deviations are 10.
        assert max(counts.values()) <= 18
    shares = {found.stream: found.share_ratio for found in plan.meta["asymmetric"]}
    assert shares["office"] == pytest.approx(0.75)
    assert 0.45 < shares["backup"] <= 1
    assert all(found.dropped_by == () for found in plan.meta["asymmetric"])


def test_without_shared_state_the_devices_drop_what_comes_back_elsewhere():
    devices = "sites.lyon.devices"
    overrides = {f"{devices}.fw1.state_sync": False, f"{devices}.fw2.state_sync": False}
    plan = build(load(SCENARIOS / "dual-redundancy.yaml", overrides))
    (backup,) = [found for found in plan.meta["asymmetric"] if found.stream == "backup"]
    # Half of the flows come back over the other device: Binomial(32, 1/2), 4 deviations are 11.
    assert 5 <= backup.dropped_count <= 27
    world = FakeWorld(1.0, plan.seed).run(plan.processes)
    dropped = [r for r in world.routes if r[1] == "backup"]
    assert [(at_s, direction, position) for at_s, _, direction, position, _ in dropped] == [
        (0, RETURN, None)
    ]
    assert len(dropped[0][4]) == backup.dropped_count


@pytest.mark.parametrize(
    ("notice", "earliest_s", "latest_s"),
    [
        (True, 15, 15),  # the instance closes its tunnel as it leaves
        (False, 21, 24),  # dead peer detection, 6 to 9 s after
    ],
)
def test_an_active_active_gateway_keeps_half_of_the_flows_up(notice, earliest_s, latest_s):
    plan = build(load(SCENARIOS / "active-active.yaml", {"faults.0.notice": notice}))
    world = FakeWorld(plan.horizon_ps / 1e12, plan.seed).run(plan.processes)
    (switch,) = world.of_kind("switch-over")
    assert 16 <= switch.time_s <= 30  # the platform's side, 1 to 15 s after
    assert [e.fact.end for e in world.of_kind("dpd-timeout")] == ([] if notice else ["device"])
    device_s = min(r[0] for r in world.routes if r[1:3] == ("backup", FORWARD))
    assert earliest_s <= device_s <= latest_s
    moved = [r for r in world.routes if r[1] == "backup" and r[0] < 35]
    assert {(r[2], r[3]) for r in moved} == {(FORWARD, 1), (RETURN, 1)}
    assert all(0 < len(r[4]) < 16 for r in moved)
