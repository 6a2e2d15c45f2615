"""Round trips between VNets: measured ones, those of zones, else the region matrix."""

from pathlib import Path

import pytest

from simulator import load
from simulator.catalog import load_catalog
from simulator.plan import PS_PER_S
from simulator.planner import build
from simulator.scenario import parse_set

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "validation"
BACKBONE = SCENARIOS / "backbone.yaml"
TUNNELS = SCENARIOS / "vnet-to-vnet.yaml"


def rtt_s(file: Path, *changes: str) -> float:
    """Propagation there and back on the first way, without jitter and gateways' latency."""
    plan = build(load(file, parse_set(list(changes))))
    first = {route.direction_idx: route for route in reversed(plan.routes)}
    hops = [hop for route in first.values() for hop in route.hop_idx]
    return sum(int(plan.hop[hop]["delay_ps"]) for hop in hops) / PS_PER_S


def test_without_a_measurement_it_is_that_of_the_matrix():
    matrix = load_catalog().rtt_s("UK West", "UK South").value_s
    assert rtt_s(BACKBONE) == pytest.approx(matrix)


def test_a_measured_round_trip_takes_the_place_of_the_matrix():
    assert rtt_s(BACKBONE, "connections.a-b.rtt=2.46 ms") == pytest.approx(0.00246)


def test_a_measured_round_trip_between_gateways_is_that_between_hosts():
    assert rtt_s(TUNNELS, "connections.a-b.rtt=5.3 ms") == pytest.approx(0.0053)


@pytest.mark.parametrize(
    ("zones", "wanted_s"),
    [((1, 1), 0.0000615), ((1, 2), 0.000116), ((2, 1), 0.000116), ((3, 1), 0.00113)],
)
def test_measured_zones_of_one_region(zones, wanted_s):
    changes = [f"vnets.{name}.region=West Europe" for name in "ab"]
    changes += [f"vnets.{n}.zones=[{zone}]" for n, zone in zip("ab", zones, strict=True)]
    assert rtt_s(BACKBONE, *changes) == pytest.approx(wanted_s)


def test_zones_without_a_measurement_have_the_defaults():
    catalog = load_catalog()
    same, other = (catalog.default(f"region.{word}_zone_rtt").value for word in ("same", "other"))
    assert catalog.zone_rtt_s("North Europe", 2, 2).value_s == same
    assert catalog.zone_rtt_s("West Europe", 2, 3).value_s == other


def test_hosts_in_several_zones_have_the_mean_of_the_region():
    changes = [f"vnets.{name}.region=West Europe" for name in "ab"]
    inside = load_catalog().default("region.same_region_rtt").value
    found_s = rtt_s(BACKBONE, *changes, "vnets.a.zones=[1, 2]", "vnets.b.zones=[3]")
    assert found_s == pytest.approx(inside)
