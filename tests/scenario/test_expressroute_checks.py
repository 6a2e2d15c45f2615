"""What ExpressRoute needs to make sense: one thing wrong at a time, in a scenario that is right."""

from pathlib import Path

import pytest

from simulator.base.errors import ScenarioError
from simulator.scenario import load

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def problem(file, path, value):
    """The one problem of a scenario file with one value changed."""
    with pytest.raises(ScenarioError) as caught:
        load(SCENARIOS / f"{file}.yaml", set={path: value})
    (found,) = caught.value.problems
    return found


@pytest.mark.parametrize(
    ("file", "path", "value", "rule"),
    [
        ("expressroute", "gateways.hub-er.scale_units", 41, "must be 1 to 40"),
        ("expressroute", "peering_ports.paris-ports.bandwidth", "1 Gbit/s", "is not sold"),
        ("expressroute", "circuits.ethernet.bandwidth", "300 Mbit/s", "is not sold"),
        ("expressroute", "circuits.direct.bandwidth", "40 Gbit/s", "more than a port"),
        ("expressroute", "circuits.crossing.tier", "local", "not sold in this tier"),
        ("expressroute", "circuits.direct.port", "x", "no pair of ports of this name"),
        ("expressroute", "circuits.direct.port", None, "ends at a pair of ports"),
        ("expressroute", "circuits.direct.peering_location", "Paris", "ends at a pair of ports"),
        ("expressroute", "circuits.ethernet.peering_location", None, "a port of the provider"),
        ("expressroute", "circuits.ethernet.links", None, "both links end at devices"),
        ("expressroute", "circuits.any-to-any.access", {}, "each site has an access line"),
        ("expressroute", "circuits.any-to-any.bgp", {"by": "customer"}, "the provider speaks BGP"),
        ("expressroute", "circuits.direct.bgp", {"keepalive": "180 s"}, "shorter than the hold"),
        ("expressroute", "circuits.ethernet.links.primary.device", "x", "no device of hague"),
        ("expressroute", "circuits.ethernet.links.primary.site", "x", "no site of this name"),
        ("expressroute", "connections.crossing-hub.circuit", "x", "no circuit of this name"),
        ("expressroute", "private_endpoints.storage.address", "10.1.0.4", "must lie inside"),
        ("expressroute", "private_endpoints.storage.vnet", "x", "no VNet of this name"),
        ("expressroute", "vnets.hub.region", "East US", "R137"),
        ("coexistence", "gateways.hub-vpn.sku", "Basic", "R118"),
        ("coexistence", "gateways.hub-vpn.vpn_type", "policy-based", "R118"),
        ("coexistence", "vnets.hub.gateway_subnet", "10.0.255.0/28", "R012"),
        ("coexistence", "vnets.hub.gateway_subnet", None, "no GatewaySubnet"),
        ("coexistence", "connections.nantes-vpn.gateway", "hub-er", "R003"),
        ("coexistence", "connections.lyon-er.gateway", "hub-vpn", "R003"),
        ("coexistence", "connections.lyon-er.fastpath", True, "R139"),
        ("coexistence", "connections.lyon-vpn.devices", ["ce1"], "no public_ip"),
    ],
)
def test_a_thing_that_cannot_be(file, path, value, rule):
    with pytest.raises(ScenarioError) as caught:
        load(SCENARIOS / f"{file}.yaml", set={path: value})
    assert any(rule in found.rule for found in caught.value.problems)
    assert all(found.fix for found in caught.value.problems)


def added(file, before, line):
    """The one problem of a scenario file with one line more, before the line `before`."""
    text = (SCENARIOS / f"{file}.yaml").read_text(encoding="utf-8")
    assert text.count(before) == 1
    with pytest.raises(ScenarioError) as caught:
        load(text.replace(before, f"{line}\n{before}"))
    (found,) = caught.value.problems
    return found


def test_a_second_gateway_of_the_type_in_a_vnet():
    line = "  second: {type: expressroute, vnet: hub, sku: ErGw1AZ}"
    assert "R002" in added("coexistence", "\ncircuits:", line).rule


def test_a_circuit_joined_twice():
    line = "  again: {type: expressroute, circuit: paris, gateway: hub-er}"
    assert "lyon-er joins paris and hub-er" in added("coexistence", "\ntraffic:", line).rule


def test_ports_where_none_are_offered():
    found = problem("expressroute", "peering_ports.paris-ports.peering_location", "Marseille")
    assert "R186" in found.rule


def test_an_address_without_internet():
    found = problem("expressroute", "sites.hague.devices.ce1.public_ip", "203.0.113.99")
    assert "no access to the internet" in found.rule


def test_faults_of_tunnels_do_not_strike_circuits():
    fault = [{"kind": "gateway-instance-failure", "gateway": "hub-er", "at": "1 s"}]
    assert "fault is one of a VPN gateway" in problem("coexistence", "faults", fault).rule
    fault = [{"kind": "tunnel-down", "connection": "lyon-er", "at": "1 s"}]
    assert "has no tunnels" in problem("coexistence", "faults", fault).rule


def test_a_timer_that_would_have_no_effect_is_refused():
    path = "sites.lyon.devices.ce1.bgp.keepalive"
    found = problem("failover-at-peak", path, "3 s")
    assert "has no effect" in found.rule
    assert "circuits.paris.bgp.keepalive" in found.fix
    assert load(SCENARIOS / "failover-at-peak.yaml", {"sites.lyon.devices.fw.bgp.keepalive": "3 s"})


def test_premium_reaches_further_and_local_no_further():
    east = {"vnets.hub.region": "East US", "vnets.spoke.region": "East US"}
    premium = {f"circuits.{name}.tier": "premium" for name in ("direct", "ethernet", "crossing")}
    premium["circuits.any-to-any.tier"] = "premium"
    assert load(SCENARIOS / "expressroute.yaml", set=east | premium)
    assert "R137" in problem("expressroute", "circuits.direct.tier", "local").rule


@pytest.mark.parametrize(
    ("file", "path", "value", "rule"),
    [
        ("coexistence", "gateways.hub-er.sku", "Standard", "retired"),
        ("coexistence", "circuits.paris.links.secondary.device", "ce1", "R131"),
        ("coexistence", "circuits.paris.bandwidth", "2 Gbit/s", "R138"),
    ],
)
def test_what_is_accepted_and_told(file, path, value, rule):
    before = load(SCENARIOS / f"{file}.yaml").warnings
    after = load(SCENARIOS / f"{file}.yaml", set={path: value}).warnings
    assert not any(rule in warning.rule for warning in before)
    assert any(rule in warning.rule for warning in after)


def test_copies_of_a_site_have_access_lines_of_their_own():
    text = (SCENARIOS / "expressroute.yaml").read_text(encoding="utf-8")
    text = text.replace("  branch-north:\n", "  branch-north:\n    count: 3\n")
    text = text.replace("[192.168.41.0/24]", '["192.168.{100+i}.0/24"]')
    circuit = load(text).circuits["any-to-any"]
    names = ["branch-north-1", "branch-north-2", "branch-north-3", "branch-south"]
    assert list(circuit.access) == names
    assert circuit.access["branch-north-2"].rate == 100e6
    with pytest.raises(ScenarioError) as caught:
        load(text.replace("branch-north: {rate: 100 Mbit/s}", "branch-north: {rate: 100}"))
    lines = text.splitlines()
    assert {lines[p.line - 1].strip()[:20] for p in caught.value.problems} == {
        "access: {branch-nort"
    }
