"""The drawing of a design: what it holds, what stands by, what is joined, and that it is stable."""

import re
from pathlib import Path

import pytest

from simulator import plots
from simulator.planner import build
from simulator.scenario import load
from simulator.sketch import Box, Column, Edge, Row, Sketch, rates
from simulator.topology_plot import topology
from tests.planner.designs import design

SCENARIOS = Path(__file__).parents[2] / "scenarios"
ALL = sorted(SCENARIOS.glob("*.yaml"), key=lambda path: path.name)


def sketch(name, overrides=None):
    return build(load(SCENARIOS / f"{name}.yaml", overrides or {})).meta["topology"]


def standby(found):
    return sorted((edge.a, edge.b) for edge in found.edges if edge.is_standby)


@pytest.mark.parametrize("file", ALL, ids=lambda path: path.stem)
def test_every_part_of_a_scenario_is_drawn_once(file):
    scenario = load(file)
    found = build(scenario).meta["topology"]
    drawn = sum(box.count for box in found.boxes.values() if box.kind == "site")
    assert drawn == len(scenario.sites)
    for section in (scenario.gateways, scenario.circuits, scenario.vnets, scenario.clients):
        assert set(section) <= set(found.boxes)
    ends = {*found.boxes, *(row.name for box in found.boxes.values() for row in box.rows)}
    assert {end for edge in found.edges for end in (edge.a, edge.b)} <= ends
    joined = {name for edge in found.edges for name in edge.connections}
    of_one = {name for name in scenario.connections if not re.search(r"-\d+$", name)}
    if all(box.count == 1 for box in found.boxes.values()):
        assert of_one <= joined


def test_what_stands_by_is_dashed():
    assert standby(sketch("site-to-site")) == []
    assert standby(sketch("coexistence")) == [("lyon.fw", "hub-vpn.instance-0")]
    assert standby(sketch("two-circuits")) == [("fra", "hub-er")]
    assert standby(sketch("vnet-peering")) == [("hub-vpn.instance-0", "dr-vpn.instance-0")]
    (gateway,) = [box for box in sketch("site-to-site").boxes.values() if box.kind == "gateway"]
    assert [row.is_standby for row in gateway.rows] == [False, True]
    assert not any(row.is_standby for row in sketch("active-active").boxes["hub-vpn"].rows)


def test_a_device_that_prepends_in_both_directions_stands_by():
    found = sketch(
        "dual-redundancy",
        {
            "sites.lyon.devices.fw2.bgp.prepend": 2,
            "sites.lyon.devices.fw1.bgp.local_preference": {"lyon-vpn": 200},
        },
    )
    assert standby(found) == [("lyon.fw2", f"hub-vpn.instance-{i}") for i in (0, 1)]


def test_sites_that_are_alike_are_one_box_with_their_number():
    found = sketch("multi-site", {"sites.branch.count": 40})
    boxes = {box.title: box.count for box in found.boxes.values() if box.kind == "site"}
    assert boxes == {"branch-1 ... branch-40": 40, "bremen ... leipzig": 3, "ulm": 1}
    assert sorted(edge.count for edge in found.edges if edge.kind == "ipsec") == [1, 3, 40]


def test_many_sites_that_differ_in_numbers_alone_are_joined_too():
    whole = Sketch()
    for i in range(30):
        row = Row(f"s{i}.edge", f"edge: isp {10 + i}/5 Mbit/s")
        whole.add_box(Box(f"s{i}", f"s{i}", "site", Column.CUSTOMER, (row,)))
        whole.add_edge(Edge(f"s{i}.edge", "gw.0", "ipsec", f"c{i}: 650 Mbit/s a tunnel"))
    whole.add_box(Box("gw", "gw", "gateway", Column.GATEWAY, (Row("gw.0", "instance-0"),)))
    boxes = whole.finished().boxes
    assert boxes["s0"].count == 30
    assert boxes["s0"].rows[0].text == "edge: isp 10/5 Mbit/s and others"
    assert len(boxes) == 2


def test_rates_of_a_line_name_their_unit_once_if_it_is_one():
    assert rates(100e6, 40e6) == "100/40 Mbit/s"
    assert rates(1e9, 500e6) == "1 Gbit/s / 500 Mbit/s"


@pytest.mark.parametrize("name", ["expressroute", "coexistence", "forced-tunnelling"])
def test_no_word_lies_outside_the_figure_and_boxes_do_not_overlap(name):
    axes = topology(sketch(name), name)
    figure = axes.get_figure(root=True)
    figure.draw_without_rendering()
    space = figure.bbox
    for text in axes.texts:
        box = text.get_window_extent()
        assert min(box.x0, box.y0) >= 0, text.get_text()
        assert box.x1 <= space.x1, text.get_text()
        assert box.y1 <= space.y1, text.get_text()
    labels = [t.get_window_extent() for t in axes.texts if t.get_bbox_patch() is not None]
    assert labels
    for i, one in enumerate(labels):
        assert not any(one.overlaps(other) for other in labels[i + 1 :])


def test_the_same_design_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        plan = build(design())
        plots.save(topology(plan.meta["topology"], "t"), tmp_path / f"{name}.svg")
    one, two = ((tmp_path / f"{name}.svg").read_bytes() for name in ("one", "two"))
    assert one == two
    assert b"<dc:date>" not in one


def test_the_page_of_topologies_shows_scenarios_that_exist_with_their_drawing():
    page = (SCENARIOS.parent / "docs" / "topologies.md").read_text(encoding="utf-8")
    run = re.findall(r"crossprem run scenarios/([a-z0-9-]+)\.yaml", page)
    shown = re.findall(r"\(images/topologies/([a-z0-9-]+)\.svg\)", page)
    assert run == shown
    assert len(run) == len(set(run)) >= 17
    for name in run:
        assert (SCENARIOS / f"{name}.yaml").is_file()
        assert (SCENARIOS.parent / "docs" / "images" / "topologies" / f"{name}.svg").is_file()
    models = re.findall(r"\((models/[a-z0-9-]+\.md)\)", page)
    assert all((SCENARIOS.parent / "docs" / model).is_file() for model in models)
