"""Variants of VNet-to-VNet: one region, two owners, two deployment models, beside many sites."""

from pathlib import Path

import pytest

from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load
from simulator.scenario.copies import expand

FILE = Path(__file__).parents[2] / "scenarios" / "vnet-to-vnet.yaml"


def binding(scenario, stream):
    (row,) = [r for r in explain(scenario).stream(stream).ceilings if r.binds]
    return row


def test_inside_one_region_the_way_is_short_and_the_same_gateway_binds():
    far, near = load(FILE), load(FILE, {"vnets.north.region": "West Europe"})
    assert explain(near).stream("replication").rtt_s < 0.003
    assert explain(far).stream("replication").rtt_s > 0.010
    assert binding(near, "replication") == binding(far, "replication")


@pytest.mark.parametrize(
    "overrides",
    [
        {"vnets.west.subscription": "prod", "vnets.north.subscription": "dr"},
        {"vnets.north.deployment_model": "classic"},
    ],
)
def test_owner_and_deployment_model_change_nothing_on_the_wire(overrides):
    """Rule R104."""
    assert build(load(FILE, overrides)).describe() == build(load(FILE)).describe()


def test_many_sites_beside_it_reach_both_vnets_and_share_the_first_gateway():
    data = expand(load(FILE)._written).data
    bgp = {"asn": 65030, "peer_ip": "192.168.254.{i}"}
    data["sites"]["branch"] = {
        "count": 3,
        "location": {"near": "France Central"},
        "address_space": ["172.{20+i}.0.0/16"],
        "internet": {"isp": {"down": "100 Mbit/s", "up": "100 Mbit/s"}},
        "devices": {"edge": {"public_ip": "203.0.114.{i}", "bgp": bgp}},
    }
    branch = {"type": "ipsec", "gateway": "west-vpn", "site": "branch", "routing": "bgp"}
    data["connections"]["branches"] = branch
    sync = {"kind": "bulk-tcp", "from": "branch", "to": "north", "flows": 2}
    data["traffic"]["sync"] = sync
    scenario = load(data)
    for number in (1, 2, 3):
        (way,) = explain(scenario).stream(f"sync-{number}").ways
        assert way.way == f"branches-{number}.tunnel-0 + west-north.tunnel-0"
        hops = [hop.hop for hop in way.hops]
        assert hops.count("west-vpn.instance-0") == 1
