import copy
import io
import pickle
import re
import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from simulator.base.errors import UsageError
from simulator.components.path import GilbertElliott
from simulator.faults.internet_outage import InternetOutage
from simulator.scenario import Scenario, load, parse_set
from simulator.scenario.source import Source
from simulator.traffic.bulk_tcp import BulkTcp
from tests.scenario.conftest import HERE, problems_of

SCENARIOS = sorted(p for p in Path("scenarios").rglob("*.yaml") if p.parent.name != "sweeps")


def test_the_smallest_file_means_what_it_says(smallest: str) -> None:
    scenario = load(smallest)
    assert scenario.run.horizon == 60.0
    assert scenario.vnets["hub"].address_space == (IPv4Network("10.0.0.0/16"),)
    isp = scenario.sites["lyon"].internet["isp"]
    assert (isp.down, isp.delay, isp.jitter, isp.loss) == (500e6, 0.004, 0.0003, 0.0001)
    assert scenario.gateways["hub-vpn"].sku == "VpnGw1AZ"
    backup = scenario.traffic["backup"]
    assert isinstance(backup, BulkTcp)
    assert (backup.from_, backup.flows, backup.window) == ("lyon", 4, 4 * 2**20)
    (outage,) = scenario.faults
    assert isinstance(outage, InternetOutage)
    assert (outage.at, outage.end_s) == (30.0, 40.0)
    assert scenario.targets.monthly_cost == 2500.0
    assert scenario.warnings == ()


def test_defaults_come_from_the_catalogue(smallest: str) -> None:
    scenario = load(smallest)
    connection = scenario.connections["lyon-vpn"]
    assert connection.dpd.gateway == 45.0
    assert (connection.dpd.device.interval, connection.dpd.device.retries) == (20.0, 3)
    assert connection.ipsec.lifetime == 27000.0
    assert scenario.gateways["hub-vpn"].limits.scope == "instance"
    assert scenario.sites["lyon"].devices["edge"].model == "unlimited"


def test_the_era_chooses_the_defaults(smallest: str) -> None:
    old = load(smallest, set={"era": "2017-12", "gateways.hub-vpn.sku": "VpnGw1"})
    assert old.gateways["hub-vpn"].limits.scope == "gateway"
    assert old.warnings == ()


def test_what_follows_from_other_fields_is_filled_in(smallest: str) -> None:
    scenario = load(smallest)
    assert scenario.sites["lyon"].devices["edge"].internet == "isp"
    assert scenario.gateways["hub-vpn"].generation == 1
    assert scenario.with_("gateways.hub-vpn.sku", "VpnGw4AZ").gateways["hub-vpn"].generation == 2
    assert load(smallest, set={"gateways.hub-vpn.sku": "Standard"}).warnings


#: What each shipped scenario is warned of; all others of nothing.
WARNED = {
    "active-active": ["R044"],
    "dual-redundancy": ["R044"],
    "expressroute": ["R144", "R165", "R167"],
    "failover-single-tunnel": ["R083"],
    "internet-versus-expressroute": ["R144"],
    "nat": ["R171"],
    "point-to-site-and-site-to-site": ["R153"],
    "policy-based": ["R049", "R153"],
    "site-to-site-ikev1": ["R059"],
    "site-to-site": ["R044"],
    "two-circuits": ["R144"],
}


def test_every_shipped_scenario_warns_of_what_it_shows_and_names_its_schema() -> None:
    assert len(SCENARIOS) >= 2
    for file in SCENARIOS:
        warnings = [re.findall(r"\(rule (R\d+)\)", str(w)) for w in load(file).warnings]
        assert sorted(warnings) == [[rule] for rule in WARNED.get(file.stem, [])], file
        first = file.read_text(encoding="utf-8").splitlines()[0]
        schema = first.removeprefix("# yaml-language-server: $schema=")
        assert (file.parent / schema).resolve() == Path(
            "simulator/schema/scenario-v1.json"
        ).resolve()


@pytest.mark.parametrize("way", ["path", "text", "bytes", "dict", "stdin"])
def test_every_way_in_gives_the_same_scenario(
    way: str, smallest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = HERE / "smallest.yaml"
    expected = load(path)
    stdin = io.TextIOWrapper(io.BytesIO(smallest.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    written = expected.model_dump(mode="json", by_alias=True)
    source = {"path": str(path), "text": smallest, "bytes": smallest.encode(), "stdin": "-"}
    assert load(written if way == "dict" else source[way]) == expected


def test_crlf_and_a_byte_order_mark_of_utf_8_are_harmless(smallest: str) -> None:
    windows = b"\xef\xbb\xbf" + smallest.replace("\n", "\r\n").encode()
    assert load(windows) == load(smallest)


# --- immutable, comparable ----------------------------------------------------------------------


def test_a_scenario_cannot_be_changed(smallest: str) -> None:
    scenario = load(smallest)
    with pytest.raises(ValueError, match="frozen"):
        scenario.title = "x"  # type: ignore[misc]
    with pytest.raises(TypeError, match="with_"):
        scenario.sites["lyon"] = None  # type: ignore[index]
    with pytest.raises(TypeError, match="with_"):
        scenario.traffic.clear()  # type: ignore[attr-defined]


def test_copies_and_pickles_are_equal(smallest: str) -> None:
    scenario = load(smallest)
    for again in (copy.deepcopy(scenario), pickle.loads(pickle.dumps(scenario))):
        assert again == scenario
        assert hash(again) == hash(scenario)
        assert again.with_("run.seed", 2).run.seed == 2


def test_the_hash_sees_values_only(smallest: str) -> None:
    scenario = load(smallest)
    respelt = smallest.replace("500 Mbit/s", "0.5 Gbit/s").replace("# yaml", "# other")
    assert load(respelt).content_hash() == scenario.content_hash()
    explicit = load(smallest, set={"connections.lyon-vpn.dpd.gateway": "45 s"})
    assert explicit.content_hash() == scenario.content_hash()
    assert scenario.with_("run.seed", 2).content_hash() != scenario.content_hash()


# --- variants ------------------------------------------------------------------------------------


def test_set_replaces_values_by_dotted_path(smallest: str) -> None:
    scenario = load(
        smallest,
        set={
            "gateways.hub-vpn.sku": "VpnGw2AZ",
            "run.seed": "42",
            "connections.lyon-vpn.dpd.device.interval": "3 s",
            "faults.0.at": "20 s",
            "vnets.hub.address_space": "[10.0.0.0/8]",
            "gateways.hub-vpn.limits": {"scope": "gateway"},
        },
    )
    assert scenario.gateways["hub-vpn"].sku == "VpnGw2AZ"
    assert scenario.run.seed == 42
    assert scenario.connections["lyon-vpn"].dpd.device.interval == 3.0
    assert scenario.faults[0].at == 20.0
    assert scenario.vnets["hub"].address_space == (IPv4Network("10.0.0.0/8"),)
    assert scenario.gateways["hub-vpn"].limits.scope == "gateway"


def test_with_makes_a_new_scenario_and_leaves_the_old_one(smallest: str) -> None:
    scenario = load(smallest)
    larger = scenario.with_("gateways.hub-vpn.sku", "VpnGw2AZ")
    both = larger.with_({"run.seed": 5, "title": "Larger: twice"})
    assert scenario.gateways["hub-vpn"].sku == "VpnGw1AZ"
    assert (both.gateways["hub-vpn"].sku, both.run.seed) == ("VpnGw2AZ", 5)
    assert both.title == "Larger: twice"
    assert both.name == scenario.name


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("gateways.hub.sku", "VpnGw1AZ", "gateways.hub: there is nothing of this name; did you"),
        ("gateways.hub-vpn.skuu", "VpnGw1AZ", "skuu: unknown field; did you mean 'sku'?"),
        ("gatewys.hub-vpn.sku", "VpnGw1AZ", "gatewys: unknown field; did you mean 'gateways'?"),
        ("run.seed.x", "1", "run.seed.x: a single value has no fields; set run.seed itself"),
        ("faults.1.at", "1 s", "faults.1: no such entry of the list; write a number from 0 to 0"),
        ("faults.at", "1 s", "faults.at: no such entry of the list"),
        ("run.horizon", "60", "run.horizon = 60: a bare number has no unit"),
        ("gateways.hub-vpn.sku", "VpnGw8AZ", "hub-vpn.sku = VpnGw8AZ: is not in the catalogue"),
        ("", "1", "unknown field"),
        ("run.", "1", "run.: unknown field"),
    ],
)
def test_a_wrong_override_is_reported_at_the_override(
    path: str, value: str, expected: str, smallest: str
) -> None:
    (problem,) = problems_of(smallest, set={path: value})
    assert problem.file == f"--set {path}"
    assert expected in str(problem)


def test_assignments_of_the_command_line_become_overrides() -> None:
    assert parse_set(["a.b=c=d", " run.seed = 2"]) == {"a.b": "c=d", "run.seed": "2"}
    with pytest.raises(UsageError, match="write path=value"):
        parse_set(["run.seed"])


def test_an_override_that_is_no_yaml_is_refused(smallest: str) -> None:
    (problem,) = problems_of(smallest, set={"title": "[a"})
    assert problem.file == "--set title"


# --- extends --------------------------------------------------------------------------------------


def test_maps_merge_and_lists_are_replaced(tmp_path: Path, smallest: str) -> None:
    (tmp_path / "base.yaml").write_text(smallest)
    (tmp_path / "middle.yaml").write_text("extends: base.yaml\nfaults: []\nrun: {seed: 9}\n")
    top = tmp_path / "top.yaml"
    top.write_text("extends: middle.yaml\nvnets: {hub: {address_space: [10.0.0.0/8]}}\n")
    scenario = load(top)
    assert scenario.name == "top"
    assert scenario.faults == ()
    assert (scenario.run.seed, scenario.run.horizon) == (9, 60.0)
    assert scenario.vnets["hub"].address_space == (IPv4Network("10.0.0.0/8"),)
    assert scenario.vnets["hub"].region == "West Europe"


def test_a_problem_names_the_file_in_which_it_is_written(tmp_path: Path, smallest: str) -> None:
    base, top = tmp_path / "base.yaml", tmp_path / "top.yaml"
    base.write_text(smallest.replace("loss: 0.01 %", "loss: 0.01"))
    top.write_text("extends: base.yaml\nrun: {seed: x}\n")
    problems = problems_of(top)
    assert [(Path(p.file).name, p.line, p.path) for p in problems] == [
        ("base.yaml", 12, "sites.lyon.internet.isp.loss"),
        ("top.yaml", 2, "run.seed"),
    ]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("extends: self.yaml\n", "a file cannot extend itself"),
        ("extends: other.yaml\n", "a file cannot extend itself"),
        ("extends: bse.yaml\n", "there is no such file"),
        ("extends: 3\n", "must name a file"),
        ("extends:\n", "must name a file"),
        ("extends: [a]\n", "must name a file"),
        ('extends: "a\\0b"\n', "must name a file"),
        ("extends: .\n", "there is no such file"),
        ("extends: circle.yaml\n", "cannot be looked up"),
        ("extends: " + "x" * 5000 + "\n", "cannot be looked up"),
    ],
)
def test_a_file_that_cannot_be_extended(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "base.yaml").write_text("title: x\n")
    (tmp_path / "other.yaml").write_text("extends: self.yaml\n")
    (tmp_path / "circle.yaml").symlink_to(tmp_path / "circle.yaml")
    (tmp_path / "self.yaml").write_text(text)
    (problem,) = problems_of(tmp_path / "self.yaml")
    assert problem.rule.startswith(rule)
    assert (problem.line, problem.path) == (1, "extends")


def test_a_chain_of_bases_has_an_end(tmp_path: Path) -> None:
    for n in range(20):
        (tmp_path / f"{n}.yaml").write_text(f"extends: {n + 1}.yaml\n")
    (problem,) = problems_of(tmp_path / "0.yaml")
    assert "at most 10 files" in problem.rule


def test_a_missing_file_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="directory"):
        load(tmp_path)
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(UsageError, match="cannot read scenario"):
            load(name)


# --- resolved -----------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [*SCENARIOS, HERE / "smallest.yaml", HERE / "full.yaml"], ids=str)
def test_the_resolved_text_loads_to_the_same_scenario(file: Path) -> None:
    scenario = load(file)
    again = load(scenario.resolved_yaml())
    assert again == scenario
    assert again.content_hash() == scenario.content_hash()
    assert load(again.resolved_yaml()) == scenario


def test_the_resolved_text_says_where_each_value_comes_from(smallest: str) -> None:
    lines = load(smallest).resolved_yaml().splitlines()
    (dpd,) = [line for line in lines if line.startswith("      gateway: 45 s")]
    assert "# catalogue model-defaults connection.dpd.gateway" in dpd
    assert "    sku: VpnGw1AZ  # catalogue vpn-gateway-skus VpnGw1AZ" in "\n".join(lines)
    assert "        internet: isp  # the site's only provider" in lines
    assert "    mode: active-standby  # default" in lines
    assert "  horizon: 60 s" in lines


def test_odd_texts_survive_the_resolved_text(smallest: str) -> None:
    for title in ["no", "1.5", " x ", "a: b # c", "tab\there", '"quoted"', "é \U0001f310", "null"]:
        scenario = load(smallest).with_({"question": None}).model_copy(update={"title": title})
        assert load(scenario.resolved_yaml()).title == title


# --- count --------------------------------------------------------------------------------------

COUNTED = """
schema_version: 1
title: Many branches
vnets: {hub: {region: West Europe, address_space: [10.0.0.0/16], gateway_subnet: 10.0.255.0/27}}
sites:
  branch:
    count: 3
    location: {near: Germany West Central}
    address_space: ["10.{100+i}.0.0/16"]
    internet: {isp: {down: 100 Mbit/s, up: 40 Mbit/s, delay: 8 ms}}
    devices: {edge: {model: branch-small, public_ip: "100.64.0.{i}", behind_nat: true}}
gateways: {hub-vpn: {type: vpn, vnet: hub, sku: VpnGw1AZ}}
connections: {branches: {type: ipsec, gateway: hub-vpn, site: branch}}
traffic: {calls: {kind: voice, from: branch, to: hub, codec: G.711, calls: 2}}
faults:
  - {kind: internet-outage, site: branch-2, internet: isp, at: 10 s, duration: 5 s}
  - {kind: tunnel-down, connection: branches, at: 20 s, duration: 5 s}
"""


def test_count_makes_copies_of_a_site_and_of_what_refers_to_it() -> None:
    scenario = load(COUNTED)
    assert list(scenario.sites) == ["branch-1", "branch-2", "branch-3"]
    assert scenario.sites["branch-3"].address_space == (IPv4Network("10.103.0.0/16"),)
    assert str(scenario.sites["branch-2"].devices["edge"].public_ip) == "100.64.0.2"
    assert {n: c.site for n, c in scenario.connections.items()} == {
        "branches-1": "branch-1",
        "branches-2": "branch-2",
        "branches-3": "branch-3",
    }
    assert [t.from_ for t in scenario.traffic.values()] == ["branch-1", "branch-2", "branch-3"]
    assert [getattr(f, "connection", "") for f in scenario.faults] == [
        "", "branches-1", "branches-2", "branches-3",
    ]  # fmt: skip
    assert load(scenario.resolved_yaml()) == scenario
    assert "# default" in scenario.resolved_yaml()
    assert len(scenario.with_("sites.branch.count", 5).sites) == 5


def test_a_problem_of_all_copies_is_said_once() -> None:
    (problem,) = problems_of(COUNTED.replace("delay: 8 ms", "delay: 8"))
    assert (problem.line, problem.path) == (10, "sites.branch-1.internet.isp.delay")
    (problem,) = problems_of(COUNTED.replace("{100+i}", "{255+i}"))
    assert problem.rule == "must be an IPv4 prefix"


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", "true", "[3]", "10001", "9000"])
def test_a_nonsense_count_is_refused(count: str) -> None:
    assert "sites.branch.count" in [
        p.path for p in problems_of(COUNTED, set={"sites.branch.count": count})
    ]


def test_a_name_that_a_copy_has_too_is_refused() -> None:
    own = """
  branch-2:
    location: {near: UK South}
    address_space: [10.9.0.0/16]
    internet: {isp: {down: 1 Mbit/s, up: 1 Mbit/s}}
    devices: {edge: {public_ip: 100.64.1.1}}
gateways:"""
    problems = problems_of(COUNTED.replace("\ngateways:", own))
    assert any("also the name of a copy" in problem.rule for problem in problems)


def test_the_full_file_uses_every_alternative(full: Source) -> None:
    scenario = load(HERE / "full.yaml")
    assert isinstance(scenario, Scenario)
    assert isinstance(scenario.paths["lyon-b"].loss, GilbertElliott)
    assert scenario.paths["lyon-a"].loss == pytest.approx(0.0002)
    assert scenario.traffic["probe"].packet_size == 200.0  # type: ignore[attr-defined]
