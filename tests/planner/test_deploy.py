"""The order of a deployment: what waits for what, how long it takes, and what decides that."""

import pytest

from simulator import deploy_readout
from simulator.catalog import load_catalog
from simulator.planner.deploy import deploy_plan, span
from simulator.scenario import load
from tests.rules.designs import CIRCUIT, DIRECT, SITE, changed

LASTS_S = {
    row.text("kind"): row.number("duration_s")
    for row in load_catalog().table("deployment-durations").rows
}


def plan_of(base, changes=None):
    return deploy_plan(load(changed(base, changes or {})))


def test_a_site_to_site_design_waits_for_its_gateway():
    plan = plan_of(SITE)
    steps = {step.name: step for step in plan.steps}
    gateway, connection = steps["vpn-gateway hub-vpn"], steps["connection lyon-vpn"]
    assert gateway.start_s == max(LASTS_S["vnet"], LASTS_S["public-ip"])
    assert connection.start_s == gateway.end_s
    assert plan.total_s == LASTS_S["vnet"] + LASTS_S["vpn-gateway"] + LASTS_S["connection"]
    assert plan.critical == ("vnet hub", "vpn-gateway hub-vpn", "connection lyon-vpn")
    assert plan.in_sequence_s == sum(step.duration_s for step in plan.steps)


@pytest.mark.parametrize("base", [SITE, CIRCUIT, DIRECT])
def test_no_step_begins_before_what_it_waits_for(base):
    plan = plan_of(base)
    ends_s = {step.name: step.end_s for step in plan.steps}
    for step in plan.steps:
        assert step.start_s == max((ends_s[name] for name in step.after), default=0.0)
        assert step.end_s + step.slack_s <= plan.total_s


def test_slack_is_what_a_step_may_be_late():
    """Longer by its slack, the total stays; longer by more, it grows."""
    plan = plan_of(SITE)
    steps = {step.name: step for step in plan.steps}
    assert [steps[name].slack_s for name in plan.critical] == [0.0] * len(plan.critical)
    device = steps["device lyon-vpn lyon.edge"]
    gateway = steps["vpn-gateway hub-vpn"]
    assert device.slack_s == gateway.end_s - device.end_s > 0


def test_a_provider_decides_when_a_circuit_is_there():
    plan = plan_of(CIRCUIT)
    assert plan.critical == (
        "circuit er",
        "circuit-provider er",
        "private-peering er",
        "connection lyon-er",
    )
    assert "circuit-provider er" not in {step.name for step in plan_of(DIRECT).steps}
    assert "port-pair port" in plan_of(DIRECT).critical


def test_an_active_active_gateway_has_an_address_for_each_instance():
    plan = plan_of(SITE, {"gateways.hub-vpn.mode": "active-active"})
    addresses = {step.name for step in plan.steps if step.kind == "public-ip"}
    assert addresses == {"public-ip hub-vpn-1", "public-ip hub-vpn-2"}


def test_a_resized_gateway_is_not_created():
    plan = plan_of(SITE, {"gateways.hub-vpn.resized_from": "VpnGw1AZ"})
    steps = {step.name: step for step in plan.steps}
    assert steps["vpn-gateway hub-vpn"].duration_s == LASTS_S["vpn-gateway-resize"]
    assert steps["vpn-gateway hub-vpn"].start_s == 0.0
    assert not [step for step in plan.steps if step.kind == "public-ip"]


def test_alike_steps_run_in_parallel():
    plan = plan_of(
        SITE,
        {
            "vnets.other": SITE["vnets"]["hub"]
            | {"address_space": ["10.7.0.0/16"], "gateway_subnet": None}
        },
    )
    assert plan.parallel_max >= 3


def test_text_and_data_say_the_same():
    plan = plan_of(SITE)
    data, text = deploy_readout.to_dict(plan), deploy_readout.to_text(plan)
    assert max(map(len, text.splitlines())) <= 100
    assert all(step["name"] in text for step in data["steps"])
    assert span(data["total_s"]) in text
    assert [s["name"] for s in data["steps"] if s["is_critical"]] == list(plan.critical)


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(0, "0 s"), (30, "30 s"), (90, "1 min 30 s"), (3600, "1 h"), (3_888_600, "45 d 10 min")],
)
def test_a_time_in_two_units(duration_s, text):
    assert span(duration_s) == text


def test_the_figure_has_a_bar_for_each_step():
    from simulator.deploy_plot import gantt

    plan = plan_of(CIRCUIT)
    ax = gantt(plan)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == [step.duration_s for step in plan.steps]
    assert len(ax.get_yticklabels()) == len(plan.steps)
