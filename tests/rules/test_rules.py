"""Every enforced rule: a design that breaks it is told so, one that just keeps it is not."""

import importlib
import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import planner, rules_readout
from simulator.catalog import load_catalog
from simulator.planner import outcomes
from simulator.planner.explain import explain
from simulator.run import run
from simulator.scenario import load
from simulator.scenario.rules import RULES
from tests.rules import cases_gateways, cases_networks, cases_tunnels
from tests.rules.designs import SITE, Case, changed, named, verdict

ROWS = {row.id: row for row in rules_readout.rows()}
CASES = [*cases_gateways.CASES, *cases_tunnels.CASES, *cases_networks.CASES]
#: Kind of rule -> where its id must stand.
PLACES = {"reject": "rejected", "warn": "warned", "outcome": "warned", "info": "noted"}


@pytest.mark.parametrize("one", CASES, ids=[f"{n}-{one.rule}" for n, one in enumerate(CASES)])
def test_a_rule_speaks_when_it_is_broken_and_only_then(one: Case) -> None:
    broken = verdict(changed(one.base, one.broken))
    fine = verdict(changed(one.base, one.fine))
    # A warning about a refused scenario stands beside the refusal.
    places = {PLACES[ROWS[one.rule].enforce], "rejected" if broken.rejected else "warned"}
    assert any(one.rule in getattr(broken, place) for place in places), broken
    assert one.rule not in fine.rules
    assert not fine.rejected, fine.problems
    rest = broken.rejected if broken.rejected else broken.rules - fine.rules
    assert rest - {one.rule} <= one.also
    for problem in broken.problems:
        assert min(problem.line, problem.col) > 0, problem
        assert problem.fix, problem


def test_every_enforced_rule_has_a_case() -> None:
    tried = {one.rule for one in CASES}
    enforced = {row.id for row in ROWS.values() if row.enforced}
    # What asks for nothing and shows in explanations or in the model alone.
    silent = {
        row.id for row in ROWS.values() if row.enforce == "info" and RULES[row.id].check is None
    }
    assert sorted(enforced - tried - silent - {"R181"}) == []  # R181 has a test of its own
    assert len(tried) >= 120
    assert tried <= enforced


@pytest.mark.parametrize(("limit_count", "refused_count"), [(3, 1), (4, 0)])
def test_more_flows_than_a_gateway_keeps(limit_count: float, refused_count: int) -> None:
    """R181 with a limit of 3 and of 4 flows in place of 250,000, which take minutes to plan.

    The flow above it never sends, the run says so, and the others share what there is.
    """
    copy = {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 4}
    scenario = load(changed(SITE, {"traffic": {"copy": copy}}))
    plan = planner.build(scenario)
    ceilings = {
        hop: tuple(replace(c, flows_count=limit_count) if c.flows_count else c for c in listed)
        for hop, listed in plan.meta["ceilings"].items()
    }
    limited = outcomes.refuse_flows(replace(plan, meta={**plan.meta, "ceilings": ceilings}))
    assert len(limited.tcp_flows) == 4 - refused_count
    assert named(" ".join(limited.meta["warnings"])) == ({"R181"} if refused_count else set())
    result = run(scenario, plan=limited)
    events = result.events[result.events["kind"] == "flows-refused"]
    assert events["subject"].tolist() == ["copy"] * refused_count
    assert result.summary_dict["streams"][0]["goodput_bps"] > 0


def test_a_stopped_connection_carries_nothing_and_the_run_says_why() -> None:
    """The traffic of the only site is dropped from the first packet, with the rule as a reason."""
    result = run(load(changed(SITE, {"connections.lyon-vpn.shared_key_matches": False})))
    events = result.events[result.events["kind"] == "not-established"]
    assert events["subject"].tolist() == ["lyon-vpn"]
    assert "R040" in events["detail"].item()
    for stream in result.summary_dict["streams"]:
        assert stream["packets_sent"] == stream["packets_dropped"]["no_route"] > 0


@pytest.mark.parametrize("rule", ["R073", "R111", "R121", "R141", "R174"])
def test_a_stream_that_a_rule_leaves_without_a_route_loses_every_packet(rule: str) -> None:
    (one,) = [one for one in CASES if one.rule == rule]
    result = run(load(changed(one.base, one.broken)))
    events = result.events[result.events["kind"] == "no-route"]
    assert [rule in detail for detail in events["detail"]] == [True]
    for stream in result.summary_dict["streams"]:
        assert stream["packets_sent"] == stream["packets_dropped"]["no_route"] > 0
    assert any(rule in warning for warning in result.warnings)
    assert "no route" in explain(load(changed(one.base, one.broken))).text()


def test_a_gateway_with_too_many_vms_loses_packets_and_the_run_says_why() -> None:
    """R143: a share of what comes in from on-premises, and nothing of what goes out."""
    (one,) = [one for one in CASES if one.rule == "R143"]
    for changes, is_lossy in ((one.broken, True), (one.fine, False)):
        busy = {"traffic.office.rate": "50 Mbit/s"}  # 10,000 packets, of which 10 are lost
        result = run(load(changed(one.base, {**changes, **busy})))
        events = result.events[result.events["kind"] == "too-many-vms"]
        assert ["R143" in detail for detail in events["detail"]] == [True] * is_lossy
        for stream in result.summary_dict["streams"]:
            is_hit = is_lossy and stream["direction"] == "forward"
            assert (stream["packets_dropped"]["random_loss"] > 0) is is_hit


def test_clients_behind_the_address_of_a_device_are_refused() -> None:
    (one,) = [one for one in CASES if one.rule == "R099"]
    (group,) = planner.build(load(changed(one.base, one.broken))).meta["clients"].values()
    assert group.clients == ()
    assert [(len(r.clients), "R099" in r.why) for r in group.refused] == [(3, True)]


def test_clients_do_not_reach_the_prefixes_that_they_did_not_learn() -> None:
    (one,) = [one for one in CASES if one.rule == "R101"]
    plan = planner.build(load(changed(one.base, one.broken)))
    reached = [bool(decision.groups) for decision in plan.meta["decisions"]["staff", "hub"]]
    assert reached == [True] * 255 + [False]


def test_what_is_over_a_limit_stands_by_where_there_is_another_way() -> None:
    """Of two connections of one site one has a wrong key: all flows take the other."""
    second = {
        "type": "ipsec",
        "gateway": "hub-vpn",
        "site": "lyon",
        "devices": ["edge-2"],
        "routing": "bgp",
    }
    changes = {
        **cases_gateways.TWO_DEVICES,
        "connections.lyon-vpn.devices": ["edge"],
        "connections.lyon-vpn.shared_key_matches": False,
        "connections.second": second,
    }
    plan = planner.build(load(changed(SITE, changes)))
    (there,) = plan.meta["decisions"]["lyon", "hub"]
    assert there.groups == (("second",),)


def test_the_registry_and_the_catalogue_name_the_same_rules() -> None:
    known = {row.text("id") for row in load_catalog().table("rules", all_eras=True).rows}
    assert set(RULES) == set(ROWS)
    assert set(RULES) <= known
    for _, rule in RULES.items():
        assert bool(rule.why_not) != bool(rule.enforcer), rule


@pytest.mark.parametrize(
    "rule", [r for _, r in RULES.items() if r.enforcer and r.check is None], ids=lambda r: r.id
)
def test_what_enforces_a_rule_names_it(rule) -> None:
    """The registry cannot claim what the source does not say."""
    module_name, _, name = rule.enforcer, "", ""
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError:
        module_name, _, name = rule.enforcer.rpartition(".")
        module = importlib.import_module(module_name)
    assert not name or hasattr(module, name)
    assert rule.id in inspect.getsource(module)


def test_the_page_is_up_to_date() -> None:
    page = Path("docs/rules.md").read_text(encoding="utf-8")
    assert page == rules_readout.to_markdown(rules_readout.rows())
