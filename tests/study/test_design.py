"""The design of a sweep: which points it has, and what is wrong with it, each with its place."""

import math
from pathlib import Path

import pytest

from simulator.base.errors import ScenarioError
from simulator.base.units import RATE, parse_quantity
from simulator.scenario.load import build
from simulator.study.design import read_design

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "scenarios" / "base" / "lyon-office.yaml"
SHIPPED = sorted((ROOT / "scenarios" / "sweeps").glob("*.yaml"))
RATE_PATH = "traffic.office.rate"


def designed(tmp_path, text, overrides=None):
    file = tmp_path / "design.yaml"
    file.write_text(f"schema_version: 1\nscenario: {BASE}\n{text}", encoding="utf-8")
    return read_design(file, overrides)


def values(whole):
    return [tuple(value for _, value in point.values) for point in whole.points]


def test_a_grid_has_all_combinations_the_last_axis_fastest(tmp_path):
    whole = designed(
        tmp_path,
        "vary:\n"
        "  gateways.hub-vpn.sku: [VpnGw1AZ, VpnGw2AZ]\n"
        f"  {RATE_PATH}: {{from: 10 Mbit/s, to: 30 Mbit/s, steps: 3}}\n",
    )
    assert values(whole) == [
        (sku, rate)
        for sku in ("VpnGw1AZ", "VpnGw2AZ")
        for rate in ("10 Mbit/s", "20 Mbit/s", "30 Mbit/s")
    ]
    assert [point.number for point in whole.points] == [0, 1, 2, 3, 4, 5]


def test_zip_takes_values_side_by_side(tmp_path):
    whole = designed(
        tmp_path, f"method: zip\nvary: {{run.seed: [1, 2], {RATE_PATH}: [1 Mbit/s, 2 Mbit/s]}}\n"
    )
    assert values(whole) == [(1, "1 Mbit/s"), (2, "2 Mbit/s")]


def test_a_logarithmic_span_has_equal_ratios(tmp_path):
    span = "{from: 1 Mbit/s, to: 100 Mbit/s, steps: 3, scale: log}"
    assert values(designed(tmp_path, f"vary: {{{RATE_PATH}: {span}}}\n")) == [
        ("1 Mbit/s",),
        ("10 Mbit/s",),
        ("100 Mbit/s",),
    ]


@pytest.mark.parametrize("method", ["latin-hypercube", "sobol"])
def test_a_sample_fills_every_stratum_and_repeats(tmp_path, method):
    # Both methods put exactly one of 16 points into each sixteenth of every axis.
    text = (
        f"method: {method}\npoints: 16\nvary:\n"
        f"  {RATE_PATH}: {{from: 0 Mbit/s, to: 16 Mbit/s}}\n"
        "  gateways.hub-vpn.sku: [VpnGw1AZ, VpnGw2AZ]\n"
    )
    first = values(designed(tmp_path, text))
    rates = [parse_quantity(rate, RATE) for rate, _ in first]
    assert sorted(math.floor(rate / 1e6) for rate in rates) == list(range(16))
    assert [sku for _, sku in first].count("VpnGw1AZ") == 8
    assert values(designed(tmp_path, text)) == first
    assert values(designed(tmp_path, text + "sample_seed: 2\n")) != first


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: path.stem)
def test_every_point_of_a_shipped_design_is_a_scenario(file):
    whole = read_design(file)
    # Of many points some: the step shares no factor with the lengths of the axes.
    points = whole.points[:: 1 if len(whole.points) <= 200 else 97]
    scenarios = [
        build(whole.bases[point.base].tree, whole.name, whole.overrides(point)) for point in points
    ]
    assert len({scenario.resolved_yaml() for scenario in scenarios}) == len(points) > 1


def test_several_scenarios_are_each_a_base(tmp_path):
    file = tmp_path / "design.yaml"
    other = ROOT / "scenarios" / "site-to-site.yaml"
    file.write_text(
        f"schema_version: 1\nscenarios: [{BASE}, {other}]\nvary: {{run.seed: [1, 2]}}\n"
    )
    whole = read_design(file)
    assert [whole.bases[point.base].name for point in whole.points] == [
        "lyon-office",
        "lyon-office",
        "site-to-site",
        "site-to-site",
    ]


def test_values_for_all_points_give_way_to_those_that_differ(tmp_path):
    whole = designed(tmp_path, "set: {run.seed: 5}\nvary: {run.seed: [1, 2]}\n", {"run.horizon": 1})
    assert whole.overrides(whole.points[1]) == {"run.seed": 2, "run.horizon": 1}


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("", ("packet",)),
        ("set: {run.fidelity: flow}\n", ("flow",)),
        ("set: {run: {fidelity: flow, horizon: 1 s}}\n", ("flow",)),
        ("set: {run: {horizon: 1 s}}\n", ("packet",)),
        ("vary: {run.fidelity: [packet, flow]}\n", ("flow", "packet")),
        ("vary: {run: [{horizon: 1 s}, {fidelity: flow}]}\n", ("flow", "packet")),
        ("set: {run.fidelity: flow, run.zoom: {before: 1 s, after: 1 s}}\n", ("flow", "packet")),
    ],
)
def test_the_levels_whose_kernels_are_needed_are_known_before_the_first_point(
    tmp_path, text, levels
):
    assert designed(tmp_path, text).fidelities == levels


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("metod: grid\n", "3:1", "did you mean 'method'?"),
        ("vary:\n  traffic.offic.rate: [1 Mbit/s]\n", "4:3", "did you mean 'office'?"),
        ("set:\n  run.horizn: 1 s\n", "4:3", "did you mean 'horizon'?"),
        ("vary:\n  run.seed: 3\n", "4:13", "must be a list of values or a span"),
        ("method: sobol\nvary: {run.seed: [1]}\n", "1:1", "needs its size"),
        ("replications: {at_most: 2, at_least: 5}\n", "3:15", "is less than at_least"),
        ("replications: {at_most: 9, of: latency}\n", "3:15", "there is no column latency"),
        ("timeout: 5\n", "3:10", "needs"),
        ("method: zip\nvary: {run.seed: [1, 2], run.horizon: [1 s]}\n", "1:1", "as many values"),
        ("method: grid\nmethod: zip\n", "4:1", "twice"),
        (f"vary:\n  {RATE_PATH}: {{from: 1 Mbit/s, to: 3 s, steps: 2}}\n", "", "same kind of unit"),
        ("vary:\n  run.seed: {from: 1, to: .inf, steps: 3}\n", "4:13", "must be finite numbers"),
        ("vary: {run.horizon: [1 s], run: [{seed: 2}]}\n", "1:1", "run.horizon lies in run"),
        ("vary: {run.seed: []}\n", "1:1", "must have at least one value"),
        (
            "vary:\n"
            "  run.seed: {from: 1, to: 100000, steps: 100000}\n"
            f"  {RATE_PATH}: {{from: 1 Mbit/s, to: 2 Mbit/s, steps: 10000}}\n",
            "1:1",
            "at most 1000000 points, and this would have 1000000000",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, place, says):
    with pytest.raises(ScenarioError) as caught:
        designed(tmp_path, text)
    message = str(caught.value)
    assert f"design.yaml:{place}" in message
    assert says in message
