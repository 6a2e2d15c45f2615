"""Lifetimes of SAs by time and by volume, and what a rekey costs with either version of IKE."""

import pytest

from simulator.planner import build
from tests.planner.designs import design
from tests.planner.fake_world import FakeWorld
from tests.planner.test_life import TUNNEL, chain, hops, life, one

HOUR = {"horizon": "3600 s"}
SHORT = {"ike_policy": {"lifetime": "1000 s"}, "ipsec": {"lifetime": "700 s"}}


def connection(**fields):
    return {"lyon-vpn": fields}


def test_nothing_is_rekeyed_in_a_short_run():
    assert life(design())[1].events == []


def test_both_lifetimes_run_with_ike_v2_and_nothing_is_felt():
    plan, world = life(design(run=HOUR, connections=connection(ike="v2", **SHORT)))
    rekeyed = [(e.time_s, e.detail.split(",")[0]) for e in world.of_kind("sa-rekeyed")]
    # Each SA counts for itself: IPsec every 700 s, IKE every 1000 s.
    assert rekeyed == [
        (700.0, "IPsec SAs"), (1000.0, "IKE SA"), (1400.0, "IPsec SAs"), (2000.0, "IKE SA"),
        (2100.0, "IPsec SAs"), (2800.0, "IPsec SAs"), (3000.0, "IKE SA"), (3500.0, "IPsec SAs"),
    ]  # fmt: skip
    assert world.down == set()
    assert world.routes == []
    assert plan.horizon_ps == 3600 * 10**12


@pytest.mark.parametrize("replicate", range(5))
def test_ike_v1_drops_the_tunnel_for_up_to_five_seconds(replicate):
    changed = connection(ike="v1", ike_policy={"lifetime": "1000 s"})
    scenario = design(run={"horizon": "1900 s"}, connections=changed)
    plan = build(scenario, replicate)
    world = FakeWorld(1900, plan.seed, replicate)
    world.run(plan.processes)
    begun, back = one(world.of_kind("ike-rekey")), one(world.of_kind("ike-established"))
    assert begun.time_s == 1000.0
    assert 0 < back.time_s - begun.time_s < 5  # T011
    assert chain(world, back) == ["ike-established", "ike-rekey"]
    assert world.down == set()
    assert world.routes == []  # nobody gives the tunnel up for it


def test_the_tunnel_passes_nothing_while_ike_v1_rekeys():
    changed = connection(ike="v1", ike_policy={"lifetime": "1000 s"})
    plan, world = life(design(run={"horizon": "1000.01 s"}, connections=changed))
    assert world.down == hops(plan, TUNNEL)


def test_ike_v1_replaces_ipsec_sas_in_place():
    changed = connection(ike="v1", ipsec={"lifetime": "700 s"})
    _plan, world = life(design(run={"horizon": "1500 s"}, connections=changed))
    assert [e.kind for e in world.events] == ["sa-rekeyed", "sa-rekeyed"]


def test_volume_is_counted_by_what_the_tunnel_carried():
    # 10 MB/s, so that 1 GB is used up after 100 s; the tunnel's own 650 Mbit/s would take 12.3 s.
    plan = build(design(connections=connection(ipsec={"lifetime_volume": "1 GB"})))
    world = FakeWorld(400, plan.seed, bytes_per_s=10e6).run(plan.processes)
    times = [e.time_s for e in world.of_kind("sa-rekeyed")]
    assert len(times) == 3
    # Looked at once in a time bin of a second when it is nearly used up.
    assert times == pytest.approx([100, 200, 300], abs=3.1)
    assert all("1 GB" in e.detail for e in world.of_kind("sa-rekeyed"))


def test_a_rekey_on_a_dead_way_ends_the_sas():
    fault = {"kind": "tunnel-silent", "connection": "lyon-vpn", "at": "699 s", "duration": "20 s"}
    scenario = design(run=HOUR, connections=connection(**SHORT), faults=[fault])
    _plan, world = life(scenario)
    lost = world.of_kind("sa-lost")
    assert [e.time_s for e in lost] == [700.0, 700.0]
    assert {e.fact.timer for e in lost} == {"connection.ipsec.lifetime"}
    established = one(world.of_kind("ike-established"))
    assert established.time_s > 719.0
    assert world.down == set()


def test_lifetimes_begin_anew_when_the_tunnel_is_built_again():
    fault = {"kind": "connection-reset", "connection": "lyon-vpn", "at": "500 s", "duration": "5 s"}
    scenario = design(run={"horizon": "1300 s"}, connections=connection(**SHORT), faults=[fault])
    _plan, world = life(scenario)
    assert [e.time_s for e in world.of_kind("sa-rekeyed")] == [1205.0]


def test_a_year_of_rekeying_is_a_few_thousand_events():
    year_s = 365 * 86400
    plan = build(design())
    world = FakeWorld(year_s, plan.seed).run(plan.processes)
    # One IPsec rekey in 27,000 s, one of IKE in 28,800 s.
    assert len(world.events) == (year_s - 1) // 27_000 + (year_s - 1) // 28_800
