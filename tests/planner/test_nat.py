"""Gateway NAT: which addresses each end sees, who may open flows, which instance translates."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from simulator.base.errors import ScenarioError
from simulator.nat import Translation, translated
from simulator.plan import RETURN
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load
from tests.planner.designs import ONE_SITE, merged

FILE = Path(__file__).parents[2] / "scenarios" / "nat.yaml"
IN = {"mode": "ingress", "internal": "10.0.0.0/16", "external": "100.101.0.0/16"}
OUT = {"mode": "egress", "internal": "10.0.0.0/16", "external": "100.100.0.0/16"}


def overlapping(rules=None, used=("in", "out"), **sections):
    """A site with the addresses of the VNet."""
    rules = {"in": IN, "out": OUT} if rules is None else rules
    nat = {
        "sites": {"lyon": {"address_space": ["10.0.0.0/16"]}},
        "gateways": {"hub-vpn": {"sku": "VpnGw2AZ", "nat": rules}},
        "connections": {"lyon-vpn": {"nat": list(used)}},
    }
    return load(merged(merged(ONE_SITE, nat), sections))


def prefixes(scenario):
    decisions = build(scenario).meta["decisions"]
    return {places: [str(d.prefix) for d in decided] for places, decided in decisions.items()}


def test_each_end_sees_the_other_under_its_external_addresses():
    assert prefixes(overlapping()) == {
        ("lyon", "hub"): ["100.100.0.0/16"],
        ("hub", "lyon"): ["100.101.0.0/16"],
    }


def test_explain_names_the_rule():
    found = explain(overlapping())
    assert "NAT out (10.0.0.0/16 seen as 100.100.0.0/16)" in found.stream("office").routing
    assert "NAT in (10.0.0.0/16 seen as 100.101.0.0/16)" in found.stream("office", RETURN).routing
    assert "NAT out" in found.text().replace("\n", " ")


def test_without_a_rule_the_addresses_must_be_disjoint():
    with pytest.raises(ScenarioError, match=r"overlaps 10\.0\.0\.0/16 of hub"):
        overlapping(rules={}, used=())
    with pytest.raises(ScenarioError, match=r"lyon sees 10\.0\.0\.0/16 of hub, which overlaps"):
        overlapping(rules={"in": IN}, used=("in",))


def test_a_prefix_is_mapped_address_by_address_and_the_rest_stays():
    """Rule R172: a rule holds one prefix."""
    rule = Translation("in", IPv4Network("10.0.0.0/16"), IPv4Network("100.64.0.0/16"), False)
    part = IPv4Network("10.0.8.0/24")
    assert translated(part, (rule,)) == (IPv4Network("100.64.8.0/24"),)
    other = IPv4Network("10.1.0.0/16")
    assert translated(other, (rule,)) == (other,)
    whole = IPv4Network("10.0.0.0/15")
    assert translated(whole, (rule,)) == (rule.external, IPv4Network("10.1.0.0/16"))


DYNAMIC = IN | {"kind": "dynamic", "external": "100.101.0.0/28"}


def test_dynamic_nat_lets_only_the_internal_side_open_flows():
    rules = {"in": DYNAMIC, "out": OUT}
    assert prefixes(overlapping(rules))[("hub", "lyon")] == ["100.101.0.0/28"]
    opened = {"office": {"from": "hub", "to": "lyon"}}
    warnings = build(overlapping(rules, traffic=opened)).meta["warnings"]
    assert any("only the internal side open flows (rule R174)" in w for w in warnings)


def test_an_instance_without_a_rule_carries_nothing_that_is_translated():
    """Rule R171: a rule acts on one instance."""
    both = {"gateways": {"hub-vpn": {"mode": "active-active"}}}
    rules = {"in": IN, "out": OUT, "in-1": IN | {"instance": 1}, "out-1": OUT | {"instance": 1}}
    one = explain(overlapping(rules, **both))
    two = explain(overlapping(rules, used=tuple(rules), **both))
    way = one.stream("office").ways[0].way
    assert way == "lyon-vpn.tunnel-0"
    assert "share the flows" in two.stream("office").routing
    assert "share the flows" not in one.stream("office").routing
    assert any("R171" in warning for warning in one.warnings)
    assert not any("R171" in warning for warning in two.warnings)


@pytest.mark.parametrize(
    ("sections", "rule"),
    [
        ({"gateways": {"hub-vpn": {"sku": "VpnGw1AZ"}}}, "has no NAT (rule R019)"),
        ({"gateways": {"hub-vpn": {"nat": {"in": {"external": "100.64.0.0/24"}}}}}, "R173"),
        ({"gateways": {"hub-vpn": {"nat": {"in": {"instance": 2}}}}}, "has 2 instances"),
        ({"connections": {"lyon-vpn": {"nat": ["inn", "out"]}}}, "no NAT rule of hub-vpn"),
        (
            {
                "sites": {
                    "lyon": {
                        "devices": {
                            "edge": {"bgp": {"asn": 65020, "peer_ip": "169.254.21.2"}},
                        }
                    }
                },
            },
            "R022",
        ),
    ],
)
def test_what_nat_does_not_go_with_is_refused(sections, rule):
    with pytest.raises(ScenarioError) as caught:
        overlapping(**sections)
    assert rule in str(caught.value)


def test_an_ingress_rule_serves_one_site():
    with pytest.raises(ScenarioError, match="translates the addresses of ulm already"):
        load(FILE, {"connections.linz-vpn.nat": ["ulm-in-0", "hub-out-0"]})


def test_a_rule_without_use_is_told():
    scenario = overlapping({"in": IN, "out": OUT, "spare": OUT})
    assert any("no connection uses this rule" in w for w in explain(scenario).warnings)


def test_the_scenario_file_spreads_one_plant_and_not_the_other():
    plan = build(load(FILE))
    first = {
        stream.name: {
            r.name for r in plan.routes if plan.directions[r.direction_idx].stream_idx == i
        }
        for i, stream in enumerate(plan.streams)
    }
    assert first["ulm-push"] == {"ulm-vpn.tunnel-0", "ulm-vpn.tunnel-1"}
    assert first["linz-calls"] == {"linz-vpn.tunnel-0"}
