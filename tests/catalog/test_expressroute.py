"""ExpressRoute in the catalogue: values checked by hand against the documents."""

import itertools

import pytest

from simulator.base.errors import CatalogError
from simulator.catalog import load_catalog

NOW = load_catalog()
ERA_2017 = load_catalog("2017-12")


@pytest.mark.parametrize(
    ("name", "scale_units", "bandwidth_bps", "packets_per_s", "max_flows", "fastpath"),
    [
        ("ErGw1AZ", None, 1e9, 100_000, 200_000, False),
        ("ErGw2AZ", None, 2e9, 200_000, 400_000, False),
        ("UltraPerformance", None, 10e9, 1_000_000, 1_000_000, True),
        ("ErGwScale", 1, 1e9, 100_000, 100_000, False),
        ("ErGwScale", 9, 9e9, 900_000, 900_000, False),
        ("ErGwScale", 10, 10e9, 1_000_000, 1_000_000, True),
        # Ten units with 100,000 packets/s each, the one above with 200,000.
        ("ErGwScale", 11, 11e9, 1_200_000, 1_100_000, True),
        ("ErGwScale", 40, 40e9, 7_000_000, 4_000_000, True),
    ],
)
def test_gateway_sku(name, scale_units, bandwidth_bps, packets_per_s, max_flows, fastpath):
    sku = NOW.expressroute_gateway_sku(name, scale_units)
    assert (sku.bandwidth_bps, sku.packets_per_s) == (bandwidth_bps, packets_per_s)
    assert (sku.max_flows, sku.fastpath, sku.scale_units) == (max_flows, fastpath, scale_units)


def test_more_scale_units_never_carry_less():
    found = [NOW.expressroute_gateway_sku("ErGwScale", units) for units in range(1, 41)]
    for few, more in itertools.pairwise(found):
        assert more.packets_per_s > few.packets_per_s
        assert more.max_vms > few.max_vms


@pytest.mark.parametrize(("units", "status"), [(10, "documented"), (20, "conflict")])
def test_a_sample_that_disagrees_is_told(units, status):
    sku = NOW.expressroute_gateway_sku("ErGwScale", units)
    assert sku.status == status
    assert ("2000000 packets/s" in sku.note) is (status == "conflict")


def test_ultra_performance_was_slower_in_2017():
    assert ERA_2017.expressroute_gateway_sku("UltraPerformance").bandwidth_bps == 9e9


@pytest.mark.parametrize(
    ("look_up", "message"),
    [
        (lambda: NOW.expressroute_gateway_sku("ErGwScale"), "must be 1 to 40"),
        (lambda: NOW.expressroute_gateway_sku("ErGwScale", 41), "must be 1 to 40"),
        (lambda: NOW.expressroute_gateway_sku("ErGw1AZ", 2), "has no scale units"),
        (lambda: NOW.expressroute_circuit(3e9), "choose 2 Gbit/s or 5 Gbit/s"),
        (lambda: NOW.expressroute_circuit(40e9), "choose 10 Gbit/s"),
        (lambda: NOW.expressroute_port(1e9), "choose 10 Gbit/s"),
        (lambda: NOW.peering_location("Pariss"), "did you mean 'Paris'"),
    ],
)
def test_what_is_not_sold(look_up, message):
    with pytest.raises(CatalogError, match=message):
        look_up()


def test_circuits_and_ports():
    assert NOW.expressroute_circuit(50e6).tiers == ("standard", "premium")
    assert NOW.expressroute_circuit(1e9).max_vnet_links_premium == 50
    assert NOW.expressroute_circuit(40e9, is_direct=True).bandwidth_bps == 40e9
    assert NOW.expressroute_port(10e9).subscribable_bps == 20e9
    assert NOW.mtu_bytes("ExpressRoute gateway max packet") == 1400


@pytest.mark.parametrize(
    ("region", "measured_s", "error_ratio"),
    [
        # V001 to V037: TCP round trips from Seattle over a circuit and a gateway without FastPath.
        # The stretch of the first 189 km comes from their mean, so it cannot fit each of them.
        ("West US 2", 0.005, 0.05),
        ("Central US", 0.040, 0.08),
        ("North Central US", 0.055, 0.02),
        ("East US", 0.074, 0.06),
        ("UK South", 0.146, -0.01),
        ("Australia East", 0.165, 0.00),
        ("Brazil South", 0.189, -0.04),
    ],
)
def test_how_far_round_trips_from_a_peering_location_are_from_measured_ones(
    region, measured_s, error_ratio
):
    gateway_s = NOW.default("gateway.expressroute_latency").value
    found_s = NOW.rtt_from_location_s("Seattle", region).value_s + gateway_s
    assert found_s / measured_s - 1 == pytest.approx(error_ratio, abs=0.01)


def test_a_location_in_the_region_is_as_near_as_another_zone():
    inside_s = NOW.default("region.same_region_rtt").value
    assert NOW.rtt_from_location_s("Amsterdam", "West Europe").value_s == inside_s


def test_a_place_to_a_peering_location():
    # Lyon to Paris: 392 km, 3.92 ms there and back in fibre, stretched.
    found = NOW.rtt_to_location_s(45.76, 4.84, "Paris")
    assert 1.5 * 0.00392 < found.value_s < 4 * 0.00392
    assert found.status == "estimate"
