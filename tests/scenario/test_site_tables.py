"""`sites_from`: a table of sites beside the scenario, one a row."""

from pathlib import Path

import pytest

from simulator.base.errors import ScenarioError, UsageError
from simulator.scenario import load

SCENARIO = """
schema_version: 1
title: Sites from a table
vnets: {hub: {region: West Europe, address_space: [10.0.0.0/16], gateway_subnet: 10.0.255.0/27}}
sites:
  branch:
    sites_from: branches.csv
    location: {near: Germany West Central}
    internet: {isp: {down: 100 Mbit/s, up: 40 Mbit/s}}
    devices: {edge: {model: branch-small}}
gateways: {hub-vpn: {type: vpn, vnet: hub, sku: VpnGw1AZ}}
connections: {branches: {type: ipsec, gateway: hub-vpn, site: branch}}
traffic: {calls: {kind: voice, from: branch, to: hub, codec: G.711, calls: 2}}
faults: [{kind: tunnel-down, connection: branches, at: 20 s, duration: 5 s}]
"""
TABLE = """name,address_space,internet.isp.up,devices.edge.public_ip,location.near
bonn,10.1.0.0/16,,100.64.0.1,
"ulm",10.2.0.0/16; 10.3.0.0/16,10 Mbit/s,100.64.0.2,UK South

"""


def write(folder: Path, table: str | bytes = TABLE, scenario: str = SCENARIO) -> Path:
    content = table if isinstance(table, bytes) else table.encode()
    (folder / "branches.csv").write_bytes(content)
    path = folder / "design.yaml"
    path.write_text(scenario, encoding="utf-8")
    return path


def test_each_row_is_a_site_with_what_refers_to_it(tmp_path: Path) -> None:
    scenario = load(write(tmp_path))
    bonn, ulm = scenario.sites["bonn"], scenario.sites["ulm"]
    assert (bonn.internet["isp"].up, ulm.internet["isp"].up) == (40e6, 10e6)
    assert (bonn.internet["isp"].down, ulm.internet["isp"].down) == (100e6, 100e6)
    assert [str(prefix) for prefix in ulm.address_space] == ["10.2.0.0/16", "10.3.0.0/16"]
    assert (bonn.location.near, ulm.location.near) == ("Germany West Central", "UK South")
    assert bonn.devices["edge"].model == "branch-small"
    assert str(ulm.devices["edge"].public_ip) == "100.64.0.2"
    assert {n: c.site for n, c in scenario.connections.items()} == {
        "branches-bonn": "bonn",
        "branches-ulm": "ulm",
    }
    assert [(n, t.from_) for n, t in scenario.traffic.items()] == [
        ("calls-bonn", "bonn"),
        ("calls-ulm", "ulm"),
    ]
    assert [getattr(f, "connection", "") for f in scenario.faults] == [
        "branches-bonn",
        "branches-ulm",
    ]
    assert load(scenario.resolved_yaml()) == scenario
    assert scenario.with_("run.seed", 4).sites == scenario.sites


def test_it_may_lie_beside_the_base_of_a_variant(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    write(tmp_path / "base")
    variant = tmp_path / "variant.yaml"
    variant.write_text("extends: base/design.yaml\ntitle: A variant\n", encoding="utf-8")
    assert list(load(variant).sites) == ["bonn", "ulm"]


def test_without_a_column_of_names_the_sites_are_numbered(tmp_path: Path) -> None:
    table = "address_space,devices.edge.public_ip\n10.1.0.0/16,100.64.0.1\n10.2.0.0/16,100.64.0.2"
    assert list(load(write(tmp_path, table)).sites) == ["branch-1", "branch-2"]


@pytest.mark.parametrize(
    ("before", "after", "line", "rule"),
    [
        ("10.1.0.0/16", "10.1.0.1/16", 2, "the prefix has bits set behind its length"),
        ("10 Mbit/s", "10", 3, "a bare number has no unit"),
        ("100.64.0.2", "x", 3, "must be an IPv4 address"),
        ("UK South", "Atlantis", 3, "is not in the catalogue"),
        ("bonn,", "bonn,,", 2, "the row has 6 cells, the header 5"),
        ("name,", "name,name,", 1, "a column has a name, and no other has it"),
        ("name,", ",", 1, "a column has a name, and no other has it"),
        (TABLE, "", 1, "a table of sites begins with its columns"),
        ('"ulm"', '"ulm', 4, "is no CSV"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(
    tmp_path: Path, before: str, after: str, line: int, rule: str
) -> None:
    assert before in TABLE
    with pytest.raises(ScenarioError) as caught:
        load(write(tmp_path, TABLE.replace(before, after)))
    found = [p for p in caught.value.problems if p.rule.startswith(rule)]
    assert [(Path(p.file).name, p.line) for p in found] == [("branches.csv", line)]


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("sites_from: branches.csv", "sites_from: 3", "must name a file"),
        ("sites_from: branches.csv", "sites_from: branches.csv\n    count: 2", "count or sites_"),
        ("internet: {isp: {down: 100 Mbit/s, up", "internet: {isp: {up", "a required field is mi"),
    ],
)
def test_a_wrong_entry_is_refused(tmp_path: Path, before: str, after: str, rule: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(write(tmp_path, scenario=SCENARIO.replace(before, after)))
    assert any(rule in problem.rule for problem in caught.value.problems)


@pytest.mark.parametrize("table", [b"name,x\n\xff,1\n", b"name\0,x\n"])
def test_a_table_that_is_no_text_is_refused(tmp_path: Path, table: bytes) -> None:
    with pytest.raises(ScenarioError):
        load(write(tmp_path, table))


def test_other_ways_to_go_wrong(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(ScenarioError, match="a table of sites is named in a file"):
        load(path, {"sites.branch.sites_from": "other.csv"})
    for table, rule in (("name\n", "the table has 0 sites"), ("name\na\na\n", "also the name of")):
        with pytest.raises(ScenarioError, match=rule):
            load(write(tmp_path, table))
    (tmp_path / "branches.csv").unlink()
    with pytest.raises(UsageError, match="No such file"):
        load(path)
