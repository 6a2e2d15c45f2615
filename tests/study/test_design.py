"""The design of a sweep: which points it has, and what is wrong with it, each with its place."""

import math
from pathlib import Path

import pytest

from simulator.base.errors import ScenarioError, UsageError
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


@pytest.mark.parametrize(
    ("path", "ends", "expected"),
    [
        ("run.horizon", "{from: 10 ms, to: 25 ms, whole: true, steps: 4}", [10, 15, 20, 25]),
        ("run.horizon", "{from: 25 ms, to: 10 ms, whole: true, steps: 3}", [25, 18, 10]),
        (
            RATE_PATH,
            "{from: 1 Mbit/s, to: 1 Gbit/s, whole: true, steps: 3, scale: log}",
            [1, 32, 1000],
        ),
        (
            "sites.lyon.internet.isp.loss",
            "{from: 1 %, to: 10 %, whole: true, steps: 3}",
            [1, 6, 10],
        ),
        ("run.seed", "{from: 1, to: 10, whole: true, steps: 3}", [1, 6, 10]),
    ],
)
def test_whole_numbers_are_those_of_the_unit_of_the_first_end(tmp_path, path, ends, expected):
    found = values(designed(tmp_path, f"vary: {{{path}: {ends}}}\n"))
    factor = {"ms": 1, "Mbit/s": 1, "Gbit/s": 1000, "%": 1, "": 1}
    read = [str(value).partition(" ") for (value,) in found]
    assert [float(number) * factor[unit] for number, _, unit in read] == expected


@pytest.mark.parametrize("method", ["latin-hypercube", "sobol"])
def test_whole_numbers_of_a_sample_are_equally_likely_both_ends_included(tmp_path, method):
    text = f"method: {method}\npoints: 64\nvary: {{run.seed: {{from: 4, to: 1, whole: true}}}}\n"
    found = [value for (value,) in values(designed(tmp_path, text))]
    assert {value: found.count(value) for value in set(found)} == dict.fromkeys((1, 2, 3, 4), 16)
    assert all(type(value) is int for value in found)


def test_whole_numbers_of_a_logarithmic_sample_are_rarer_the_larger_they_are(tmp_path):
    span = "{from: 1, to: 7, whole: true, scale: log}"
    text = f"method: latin-hypercube\npoints: 3000\nvary: {{run.seed: {span}}}\n"
    found = [value for (value,) in values(designed(tmp_path, text))]
    for k in range(1, 8):  # each stands for the stretch to the next: log(1 + 1/k) of log(8)
        assert found.count(k) == pytest.approx(3000 * math.log(1 + 1 / k) / math.log(8), abs=1)


def test_a_sample_of_a_span_with_steps_takes_these_and_no_other(tmp_path):
    span = "{from: 0 Mbit/s, to: 16 Mbit/s, steps: 3}"
    text = f"method: latin-hypercube\npoints: 9\nvary: {{{RATE_PATH}: {span}}}\n"
    found = [value for (value,) in values(designed(tmp_path, text))]
    assert sorted(found) == ["0 bit/s"] * 3 + ["16 Mbit/s"] * 3 + ["8 Mbit/s"] * 3


def test_a_sample_of_no_power_of_two_is_the_beginning_of_the_longer_one(tmp_path):
    text = f"method: sobol\nvary: {{{RATE_PATH}: {{from: 1 Mbit/s, to: 1 Gbit/s, scale: log}}}}\n"
    some, more = (values(designed(tmp_path, f"{text}points: {count}\n")) for count in (5, 8))
    assert some == more[:5]
    rates = [parse_quantity(rate, RATE) for (rate,) in more]
    assert sorted(math.floor(8 * math.log10(rate / 1e6) / 3) for rate in rates) == list(range(8))


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
        ("method: sobol\nvary: {run.seed: [1]}\n", "3:9", "needs its size"),
        ("replications: {at_most: 2, at_least: 5}\n", "3:15", "is less than at_least"),
        ("replications: {at_most: 9, of: latency}\n", "3:15", "there is no column latency"),
        ("timeout: 5\n", "3:10", "needs"),
        ("method: zip\nvary: {run.seed: [1, 2], run.horizon: [1 s]}\n", "4:7", "as many values"),
        ("method: grid\nmethod: zip\n", "4:1", "twice"),
        (f"vary:\n  {RATE_PATH}: {{from: 1 Mbit/s, to: 3 s, steps: 2}}\n", "", "same kind of unit"),
        ("vary:\n  run.seed: {from: 1, to: .inf, steps: 3}\n", "4:13", "must be finite numbers"),
        ("vary: {run.horizon: [1 s], run: [{seed: 2}]}\n", "3:21", "lies in run, which varies"),
        ("vary: {run.seed: []}\n", "3:18", "must have at least one value"),
        ("method: sobol\npoints: 8\n", "3:9", "a sample (sobol) needs vary"),
        (
            f"vary:\n  {RATE_PATH}: {{from: 1 Mbit/s, to: 2.5 Mbit/s, steps: 2, whole: true}}\n",
            "4:24",
            "both ends are whole numbers of the unit of the first",
        ),
        (
            "vary:\n"
            "  run.seed: {from: 1, to: 100000, steps: 100000}\n"
            f"  {RATE_PATH}: {{from: 1 Mbit/s, to: 2 Mbit/s, steps: 10000}}\n",
            "4:3",
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


def test_every_problem_of_a_design_and_of_its_scenarios_is_said_at_once(tmp_path):
    with pytest.raises(ScenarioError) as caught:
        designed(tmp_path, "method: zip\npoints: 3\nvary: {run.seed: [], run.horizon: [1 s]}\n")
    places = [(problem.line, problem.path) for problem in caught.value.problems]
    assert places == [(4, "points"), (5, "vary.run.seed")]

    (tmp_path / "broken.yaml").write_text("title: 3 \n\t- x")
    file = tmp_path / "several.yaml"
    file.write_text("schema_version: 1\nscenarios: [none.yaml, ., broken.yaml]\n")
    with pytest.raises(ScenarioError) as caught:
        read_design(file)
    message = str(caught.value)
    assert "several.yaml:2:13 scenarios.0 = none.yaml: cannot read" in message
    assert "several.yaml:2:24 scenarios.1 = .: cannot read" in message
    assert "broken.yaml:2:" in message


def test_a_value_that_varies_cannot_be_set_from_outside(tmp_path):
    with pytest.raises(UsageError, match=r"run\.seed: .*design\.yaml varies it"):
        designed(tmp_path, "vary: {run.seed: [1, 2]}\n", {"run.seed": 7})
