"""Names that refer to nothing, and things that make no sense: each with its line."""

from pathlib import Path
from typing import Any

import pytest

from simulator.scenario import load
from tests.scenario.conftest import HERE, problems_of

FULL = (HERE / "full.yaml").read_text(encoding="utf-8")


def change(text: str, old: str, new: str) -> str:
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


def line_of(text: str, part: str) -> int:
    (line,) = [n for n, line in enumerate(text.splitlines(), start=1) if part in line]
    return line


@pytest.mark.parametrize(
    ("old", "new", "path", "fix"),
    [
        ("vnet: hub\n", "vnet: hubb\n", "gateways.hub-vpn.vnet", "did you mean 'hub'?"),
        (
            "gateway: hub-vpn, site: paris",
            "gateway: hub-vnp, site: paris",
            "connections.paris-vpn.gateway",
            "did you mean 'hub-vpn'?",
        ),
        ("site: paris, ike", "site: Paris, ike", "connections.paris-vpn.site", "'paris'"),
        ("[fw1, fw2]", "[fw1, fw3]", "connections.lyon-vpn.devices.1", "'fw1' or 'fw2'"),
        (
            "internet: isp-b, bgp",
            "internet: isp-c, bgp",
            "sites.lyon.devices.fw2.internet",
            "'isp-a' or 'isp-b'",
        ),
        (
            "{from: lyon, to: hub, internet: isp-a, rtt",
            "{from: lyon, to: hub, internet: isp, rtt",
            "paths.lyon-a.internet",
            "'isp-a' or 'isp-b'",
        ),
        ("from: hub, to: paris, rate", "from: hub, to: pari, rate", "traffic.probe.to", "'paris'"),
        ("connection: paris-vpn", "connection: paris", "faults.1.connection", "'paris-vpn'"),
        ("gateway: hub-vpn, instance", "gateway: hub, instance", "faults.2.gateway", "'hub-vpn'"),
        ("internet: isp-a, at", "internet: isp, at", "faults.0.internet", "'isp-a' or 'isp-b'"),
    ],
)
def test_a_dangling_reference(old: str, new: str, path: str, fix: str) -> None:
    text = change(FULL, old, new)
    found = [p for p in problems_of(text) if p.path == path]
    assert [p.rule.startswith("there is no ") for p in found] == [True]
    assert fix in str(found[0].fix)
    assert found[0].line == line_of(text, new.strip())


def test_a_dangling_reference_is_reported_beside_other_problems() -> None:
    text = change(
        FULL, "gateway: hub-vpn, site: paris, ike: v1", "gateway: x, site: paris, ike: v7"
    )
    text = change(text, "seed: 7", "seed: seven")
    paths = [p.path for p in problems_of(text)]
    assert paths == ["run.seed", "connections.paris-vpn.gateway", "connections.paris-vpn.ike"]


@pytest.mark.parametrize(
    ("path", "value", "at", "rule"),
    [
        # run
        ("run.warm_up", "10 min", "run.warm_up", "the warm-up must end before the horizon"),
        ("run.time_bin", "11 min", "run.time_bin", "a time bin must not be longer"),
        (
            "run",
            {"horizon": "20 d", "time_bin": "1 s"},
            "run.time_bin",
            "a horizon of 20 d has more",
        ),
        # addresses
        (
            "sites.paris.address_space",
            "[192.168.0.0/16]",
            "sites.paris.address_space.0",
            "overlaps 192.168.10.0/24 of lyon",
        ),
        (
            "vnets.hub.address_space",
            "[10.0.0.0/16, 10.0.4.0/24]",
            "vnets.hub.address_space.1",
            "overlaps 10.0.0.0/16 of hub",
        ),
        (
            "vnets.hub.gateway_subnet",
            "10.2.255.0/27",
            "vnets.hub.gateway_subnet",
            "must lie inside the VNet's address space, 10.0.0.0/16, 10.1.0.0/16",
        ),
        (
            "vnets.hub.subnets.app.prefix",
            "10.0.255.32/28",
            "vnets.hub.subnets.app.prefix",
            "overlaps GatewaySubnet 10.0.255.0/26",
        ),
        ("vnets.hub.subnets.app.prefix", "10.0.0.0/15", "vnets.hub.subnets.app.prefix", "overlaps"),
        # devices
        (
            "sites.paris.devices.edge",
            {"public_ip": "203.0.113.7"},
            "sites.paris.devices.edge.public_ip",
            "is the public address of lyon.fw1 too",
        ),
        (
            "sites.lyon.devices.fw1.internet",
            None,
            "sites.lyon.devices.fw1.internet",
            "the site has several providers",
        ),
        (
            "sites.lyon.devices.fw1.bgp.keepalive",
            "180 s",
            "sites.lyon.devices.fw1.bgp.keepalive",
            "must be shorter than the hold time of 3 min",
        ),
        # gateways
        (
            "vnets.hub.gateway_subnet",
            None,
            "gateways.hub-vpn.vnet",
            "VNet hub has no GatewaySubnet",
        ),
        ("gateways.hub-vpn.sku", "VpnGw1AZ", "gateways.hub-vpn.generation", "has generation 1"),
        # connections
        (
            "connections.lyon-vpn.devices",
            "[fw1, fw1]",
            "connections.lyon-vpn.devices",
            "device fw1 is listed twice",
        ),
        (
            "connections.lyon-vpn.ipsec.integrity",
            "GCMAES256",
            "connections.lyon-vpn.ipsec",
            "with GCM the integrity is the encryption's",
        ),
        (
            "connections.paris-vpn.routing",
            "bgp",
            "connections.paris-vpn.routing",
            "device edge of paris has no bgp",
        ),
        (
            "connections.paris-vpn.site",
            "lyon",
            "connections.paris-vpn",
            "device fw1 has tunnels to hub-vpn already, by lyon-vpn",
        ),
        (
            "connections.lyon-vpn.dpd.gateway",
            "5 s",
            "connections.lyon-vpn.dpd.gateway",
            "must lie between 9 s and 1 h",
        ),
        # paths
        (
            "paths.lyon-b.internet",
            "isp-a",
            "paths.lyon-b",
            "path lyon-a is from lyon to hub by isp-a",
        ),
        ("paths.lyon-b.internet", None, "paths.lyon-b", "path lyon-a is from lyon to hub by isp-a"),
        # traffic
        (
            "traffic.probe.to",
            "hub",
            "traffic.probe.to",
            "both ends are hub",
        ),
        ("traffic.office.stop", "1 s", "traffic.office.stop", "must be after the start at 1 s"),
        (
            "traffic.office.start",
            "10 min",
            "traffic.office.start",
            "lies after the horizon of 10 min",
        ),
        # faults
        ("faults.0.at", "10 min", "faults.0.at", "lies after the horizon of 10 min"),
        ("faults.1.until", "60 s", "faults.1.until", "must be after the fault begins at 60 s"),
        ("faults.1.duration", "5 s", "faults.1.until", "a fault has duration or until, not both"),
        ("faults.0.duration", "0 s", "faults.0.duration", "must lie between"),
        ("faults.2.instance", 2, "faults.2.instance", "the gateway has 2 instances"),
    ],
)
def test_what_makes_no_sense(path: str, value: Any, at: str, rule: str) -> None:
    problems = problems_of(FULL, set={path: value})
    found = [p for p in problems if p.path == at and p.rule.startswith(rule)]
    assert len(found) == 1, problems


def test_two_faults_of_one_thing_at_one_time() -> None:
    again = (
        "  - {kind: internet-outage, site: lyon, internet: isp-a, at: 35 s, duration: 1 s}\ntargets"
    )
    text = change(FULL, "targets", again)
    (problem,) = problems_of(text)
    count = len(load(FULL).faults)
    assert problem.path == f"faults.{count}.at"
    assert problem.line == line_of(text, "at: 35 s")
    line = line_of(text, "at: 30 s")
    assert problem.rule == f"begins before the same fault of line {line} ends"
    assert load(text.replace("at: 35 s", "at: 40 s")).faults[count].at == 40.0
    assert load(text.replace("internet: isp-a, at: 35 s", "internet: isp-b, at: 35 s"))


def test_a_fault_that_nobody_repairs_lasts_for_ever() -> None:
    text = change(FULL, "at: 30 s, duration: 10 s", "at: 30 s")
    assert load(text).faults[0].end_s == float("inf")
    again = (
        "  - {kind: internet-outage, site: lyon, internet: isp-a, at: 95 s, duration: 1 s}\ntargets"
    )
    assert problems_of(change(text, "targets", again))


def test_a_site_and_a_vnet_of_one_name() -> None:
    text = FULL.replace("paris", "hub").replace("hub-vpn", "gate")
    assert "a site and a VNet have the same name" in [p.rule for p in problems_of(text)]


def test_a_site_that_no_connection_joins() -> None:
    text = FULL.replace("  paris-vpn: {", "  other: {").replace("site: paris,", "site: lyon,")
    rules = [p.rule for p in problems_of(text)]
    assert "no connection joins paris and a gateway in hub" in rules


def test_a_second_gateway_in_a_vnet() -> None:
    text = change(
        FULL, "connections:", "  second: {type: vpn, vnet: hub, sku: VpnGw1AZ}\nconnections:"
    )
    (problem,) = problems_of(text)
    assert problem.rule == "the VNet has a VPN gateway already, hub-vpn (rule R001)"


def test_duplicate_names_are_refused_wherever_they_are() -> None:
    text = change(
        FULL, "  paris-vpn:", "  lyon-vpn: {type: ipsec, gateway: x, site: y}\n  paris-vpn:"
    )
    text = change(text, "seed: 7", "seed: 7, seed: 8")
    text = change(text, "vnets:", "vnets: {}\nvnets:")
    duplicates = {
        p.path: p for p in problems_of(text) if p.rule.startswith("the key is given twice")
    }
    assert list(duplicates) == ["run.seed", "vnets", "connections.lyon-vpn"]
    assert duplicates["run.seed"].rule.endswith("first in line 6")


def test_a_retired_sku_is_a_warning_with_its_successor() -> None:
    scenario = load(HERE / "smallest.yaml", set={"gateways.hub-vpn.sku": "VpnGw2"})
    (warning,) = scenario.warnings
    assert "VpnGw2" in str(warning)
    assert warning.fix == "its successor is VpnGw2AZ"
    text = Path(HERE / "smallest.yaml").read_text().replace("VpnGw1AZ}", "HighPerformance}")
    (warning,) = load(text).warnings
    assert (warning.line, warning.fix) == (
        line_of(text, "HighPerformance"),
        "its successor is VpnGw2AZ",
    )


def test_a_sku_of_another_era_is_unknown() -> None:
    (problem,) = problems_of(HERE / "smallest.yaml", set={"era": "2017-12"})
    assert problem.path == "gateways.hub-vpn.sku"
    assert problem.fix == "did you mean 'VpnGw1' or 'VpnGw2' or 'VpnGw3'?"


def test_a_thing_of_an_unknown_type_is_one_problem() -> None:
    text = change(
        FULL, "connections:", "  er: {type: virtual-wan, vnet: hub, units: 10}\nconnections:"
    )
    (problem,) = problems_of(text)
    assert (problem.path, problem.rule, problem.fix) == (
        "gateways.er.type",
        "must be one of vpn, expressroute",
        "choose one of vpn, expressroute",
    )
