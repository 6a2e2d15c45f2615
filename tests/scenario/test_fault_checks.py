"""Fault schedules that make no sense are refused, each with its line."""

import pytest

from simulator.base.errors import ScenarioError
from simulator.scenario import load

DESIGN = """\
schema_version: 1
title: faults
run: {horizon: 400 s}
vnets:
  hub: {region: West Europe, address_space: [10.0.0.0/16], gateway_subnet: 10.0.255.0/27}
  spoke: {region: West Europe, address_space: [10.1.0.0/16]}
sites:
  lyon:
    location: {near: France Central}
    address_space: [192.168.10.0/24]
    internet: {isp: {down: 100 Mbit/s, up: 100 Mbit/s}}
    devices: {edge: {public_ip: 203.0.113.7}}
gateways:
  hub-vpn: {type: vpn, vnet: hub, sku: VpnGw1AZ, zones: [1, 2]}
connections:
  lyon-vpn: {type: ipsec, gateway: hub-vpn, site: lyon}
  hub-spoke: {type: peering, vnets: [hub, spoke]}
faults:
"""
FIRST_LINE = DESIGN.count("\n") + 1


def problems_of(*faults):
    with pytest.raises(ScenarioError) as caught:
        load(DESIGN + "".join(f"  - {{{fault}}}\n" for fault in faults))
    return caught.value.problems


@pytest.mark.parametrize(
    ("fault", "field", "words"),
    [
        ("kind: gateway-reset, gateway: hub-vqn, at: 5 s", "gateway", "hub-vpn"),
        ("kind: zone-outage, vnet: hubb, zone: 1, at: 5 s", "vnet", "hub"),
        ("kind: zone-outage, vnet: hub, zone: 3, at: 5 s", "zone", "no gateway of hub"),
        ("kind: zone-outage, vnet: hub, zone: 4, at: 5 s", "zone", "1, 2"),
        ("kind: connection-reset, connection: lion-vpn, at: 5 s", "connection", "lyon-vpn"),
        ("kind: tunnel-down, connection: hub-spoke, at: 5 s", "connection", "peering"),
        ("kind: device-reboot, site: lyon, device: edgy, at: 5 s", "device", "edge"),
        ("kind: device-reboot, site: lyons, device: edge, at: 5 s", "site", "lyon"),
        ("kind: p2s-login-storm, clients: tele, at: 5 s", "clients", "no group of clients"),
        ("kind: sku-resize, gateway: hub-vpn, at: 400 s", "at", "after the horizon"),
        ("kind: gateway-reset, gateway: hub-vpn, at: 9 s, until: 5 s", "until", "after the fault"),
        (
            "kind: gateway-reset, gateway: hub-vpn, at: 9 s, duration: 5 s, until: 20 s",
            "until",
            "not both",
        ),
        (
            "kind: gateway-instance-failure, gateway: hub-vpn, instance: 2, at: 5 s",
            "instance",
            "0 to 1",
        ),
        ("kind: gateway-quake, gateway: hub-vpn, at: 5 s", "kind", "gateway-reset"),
    ],
)
def test_a_fault_that_makes_no_sense(fault, field, words):
    found = problems_of(fault)
    (problem,) = [p for p in found if p.path == f"faults.0.{field}"]
    assert problem.line == FIRST_LINE
    assert words in str(problem)


INSTANCE = "kind: gateway-instance-failure, gateway: hub-vpn"


def test_planned_and_unplanned_at_one_time_contradict_each_other():
    faults = (f"{INSTANCE}, at: 10 s, duration: 50 s", f"{INSTANCE}, planned: true, at: 30 s")
    (problem,) = problems_of(*faults)
    assert (problem.path, problem.line) == ("faults.1.at", FIRST_LINE + 1)
    assert problem.rule == f"contradicts the fault of line {FIRST_LINE}, which has not ended"


def test_one_after_the_other_is_no_contradiction():
    faults = f"{INSTANCE}, at: 10 s, duration: 20 s", f"{INSTANCE}, planned: true, at: 30 s"
    assert len(load(DESIGN + "".join(f"  - {{{f}}}\n" for f in faults)).faults) == 2


def test_faults_of_two_kinds_or_things_may_overlap():
    faults = (
        f"{INSTANCE}, at: 10 s, duration: 50 s",
        f"{INSTANCE}, instance: 1, at: 20 s, duration: 50 s",
        "kind: gateway-reset, gateway: hub-vpn, at: 30 s",
        "kind: internet-brownout, site: lyon, internet: isp, loss: 10 %, at: 20 s, duration: 50 s",
        "kind: internet-brownout, site: lyon, internet: isp, loss: 20 %, at: 30 s, duration: 50 s",
    )
    assert len(load(DESIGN + "".join(f"  - {{{f}}}\n" for f in faults)).faults) == 5
