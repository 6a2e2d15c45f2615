"""Look-ups: values checked by hand against the documents, eras, fallbacks, and error texts."""

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.base.errors import CatalogError
from simulator.catalog import load_catalog, places

NOW = load_catalog()
ERA_2017 = load_catalog("2017-12")
ERA_2019 = load_catalog("2019-11")

SUITES = [("GCMAES256", "GCMAES256"), ("AES256", "SHA256"), ("DES3", "SHA256")]


# --- gateway SKUs ---------------------------------------------------------------------------------


def test_sku_carries_value_and_origin():
    sku = NOW.vpn_gateway_sku("VpnGw1AZ")
    assert (sku.aggregate_throughput_bps, sku.max_tunnels) == (650e6, 30)
    assert (sku.max_p2s_sstp, sku.max_p2s_ikev2_openvpn, sku.max_vms) == (128, 250, 1000)
    assert (sku.generation, sku.zone_redundant, sku.nat_rules) == (1, True, False)
    assert sku.creatable
    assert not sku.successor
    assert sku.cite() == (
        "catalogue vpn-gateway-skus VpnGw1AZ, vpn-gateway-table-gwtype-aggtput-include.md; "
        "vpn-gateway-vpn-faq.md, 2026-06-08"
    )
    assert (sku.as_of, sku.status) == ("2026-06-08", "documented")


@pytest.mark.parametrize(
    ("name", "generation", "throughput_bps"),
    [
        ("VpnGw2AZ", None, 1000e6),  # in both generations: generation 1 unless asked otherwise
        ("VpnGw2AZ", 1, 1000e6),
        ("VpnGw2AZ", 2, 1250e6),
        ("VpnGw3", 2, 2500e6),
        ("VpnGw4AZ", None, 5000e6),  # generation 2 only
        ("VpnGw5AZ", None, 10000e6),
        ("Basic", None, 100e6),
        ("Standard", None, 100e6),
    ],
)
def test_generation_is_chosen_where_it_is_not_given(name, generation, throughput_bps):
    assert NOW.vpn_gateway_sku(name, generation).aggregate_throughput_bps == throughput_bps


@pytest.mark.parametrize(
    ("retired", "successor"),
    [("VpnGw1", "VpnGw1AZ"), ("VpnGw5", "VpnGw5AZ"), ("HighPerformance", "VpnGw2AZ")],
)
def test_retired_sku_works_and_names_its_successor(retired, successor):
    sku = NOW.vpn_gateway_sku(retired)
    assert not sku.creatable
    assert sku.successor == successor
    assert NOW.vpn_gateway_sku(successor).creatable


def test_every_retired_sku_has_a_successor_that_can_be_made():
    for row in NOW.table("vpn-gateway-skus").rows:
        assert row.flag("creatable") == (not row["successor"]), row


def test_2017_rows():
    sku = ERA_2017.vpn_gateway_sku("VpnGw3")
    assert (sku.aggregate_throughput_bps, sku.max_tunnels) == (1250e6, 30)
    assert (sku.max_p2s_ikev2_openvpn, sku.creatable, sku.successor) == (128, True, "")
    assert ERA_2017.vpn_gateway_sku("Basic").generation is None
    assert set(ERA_2017.names("vpn-gateway-skus")) == {
        "Basic",
        "VpnGw1",
        "VpnGw2",
        "VpnGw3",
        "Standard",
        "HighPerformance",
    }


# --- tunnels --------------------------------------------------------------------------------------


def test_tunnel_rows_by_hand():
    tunnel = NOW.tunnel_performance("VpnGw1AZ", None, "GCMAES256", "GCMAES256")
    assert (tunnel.throughput_bps, tunnel.packets_per_s) == (650e6, 62000)
    assert (tunnel.as_of, tunnel.status) == ("2024-01-04", "documented")
    assert "VpnGw1AZ GCMAES256/GCMAES256" in tunnel.cite()
    assert NOW.tunnel_performance("VpnGw5AZ", None, "AES256", "SHA256").throughput_bps == 700e6
    assert NOW.tunnel_performance("VpnGw2AZ", 1, "GCMAES256", "GCMAES256").packets_per_s == 110000
    assert NOW.tunnel_performance("VpnGw2AZ", 2, "AES256", "SHA256").throughput_bps == 550e6


@pytest.mark.parametrize(
    ("encryption", "integrity", "throughput_bps"),
    [
        ("GCMAES128", "GCMAES128", 650e6),
        ("AES128", "SHA256", 500e6),
        ("AES256", "SHA1", 500e6),
        ("AES192", "MD5", 500e6),
        ("DES3", "SHA1", 130e6),
        ("DES", "SHA256", 130e6),
        ("None", "SHA256", 500e6),
    ],
)
def test_unlisted_suite_takes_the_row_of_its_class(encryption, integrity, throughput_bps):
    tunnel = NOW.tunnel_performance("VpnGw1AZ", None, encryption, integrity)
    assert tunnel.throughput_bps == throughput_bps
    assert (tunnel.encryption, tunnel.integrity) == (encryption, integrity)
    assert tunnel.status == "estimate"
    assert f"stands in for VpnGw1AZ {encryption}/{integrity}" in tunnel.note
    assert tunnel.cite().endswith("estimate")


def test_basic_has_one_row_for_any_suite():
    for suite in SUITES:
        tunnel = NOW.tunnel_performance("Basic", None, *suite)
        assert tunnel.throughput_bps == 100e6
        assert tunnel.packets_per_s == pytest.approx(100e6 / 8 / 1310, abs=1)
        assert tunnel.status == "estimate"
        assert "stands in" not in tunnel.note


def test_zone_redundant_twin_stands_in_for_a_sku_without_rows():
    # 2019-11 has generation 2, but rows of tunnels only for VpnGw4, not for VpnGw4AZ.
    listed = ERA_2019.tunnel_performance("VpnGw4", None, "AES256", "SHA256")
    twin = ERA_2019.tunnel_performance("VpnGw4AZ", None, "AES256", "SHA256")
    assert twin.throughput_bps == listed.throughput_bps == 700e6
    assert twin.sku == "VpnGw4AZ"
    assert "stands in for VpnGw4AZ" in twin.note
    assert "stands in" not in listed.note
    assert ERA_2019.tunnel_performance("VpnGw5", 2, "GCMAES256", "GCMAES256").throughput_bps == 1e9


def test_2017_tunnels():
    tunnel = ERA_2017.tunnel_performance("VpnGw1", None, "GCMAES256", "GCMAES256")
    assert (tunnel.throughput_bps, tunnel.packets_per_s) == (650e6, 58000)
    assert tunnel.status == "estimate"
    tunnel = ERA_2017.tunnel_performance("VpnGw2", None, "AES256", "SHA256")
    assert (tunnel.throughput_bps, tunnel.packets_per_s) == (500e6, 80000)
    assert ERA_2017.tunnel_performance("HighPerformance", None, *SUITES[1]).throughput_bps == 200e6


@pytest.mark.parametrize("era", ["current", "2017-12", "2019-11"])
def test_every_sku_has_tunnel_rows_and_latency(era):
    catalog = load_catalog(era)
    for row in catalog.table("vpn-gateway-skus").rows:
        generation = int(str(row["generation"])) if row["generation"] != "legacy" else None
        for suite in SUITES:
            tunnel = catalog.tunnel_performance(row.text("name"), generation, *suite)
            assert 0 < tunnel.throughput_bps <= 5e9
            assert tunnel.packets_per_s > 1000
        for load in ("idle", "loaded"):
            assert catalog.gateway_latency(row.text("name"), load).median_s > 0


def test_every_suite_that_a_policy_can_name_has_esp_bytes():
    integrities = [name for name in NOW.names("ipsec-integrity") if not name.startswith("GCM")]
    for encryption in NOW.names("ipsec-encryption"):
        pairs = [encryption] if encryption.startswith("GCM") else integrities
        for integrity in pairs:
            assert NOW.esp_suite(encryption, integrity).icv_bytes in (12, 16)


def test_gateway_latency_fits_the_measured_median():
    # Four traversals on a base of 5.3 ms; measured p50 6.16-6.19 ms and 5.84-5.90 ms idle.
    for sku, measured_s in (("VpnGw2AZ", 0.00618), ("VpnGw4", 0.00587)):
        latency = NOW.gateway_latency(sku)
        assert 0.0053 + 4 * latency.median_s < measured_s < 0.0053 + 20 * latency.median_s
    assert NOW.gateway_latency("Basic").median_s > NOW.gateway_latency("VpnGw2").median_s
    assert NOW.gateway_latency("VpnGw4AZ", "loaded").sigma == 1.7


# --- places ---------------------------------------------------------------------------------------


def test_region_by_any_of_its_names():
    names = ("West Europe", "westeurope", "WEST EUROPE")
    assert {NOW.region(name).name for name in names} == {"West Europe"}
    region = NOW.region("West US 2")
    assert (region.latitude_deg, region.longitude_deg) == (47.233, -119.852)
    assert (region.arm_name, region.availability_zones) == ("westus2", True)
    assert region.origin.estimated == ()
    assert NOW.region("uksouth").origin.estimated == ("latitude_deg", "longitude_deg")


def test_rtt_from_the_matrix():
    rtt = NOW.rtt_s("Australia Central", "australiaeast")
    assert rtt.value_s == 0.008
    assert (rtt.from_place, rtt.to_place) == ("Australia Central", "Australia East")
    assert (rtt.source, rtt.as_of) == ("azure-network-latency.md", "2026-07-30")
    assert NOW.rtt_s("UAE North", "Germany West Central").value_s == 0.1
    assert NOW.rtt_s("Germany West Central", "UAE North").value_s == 0.118


def test_rtt_inside_a_region():
    rtt = NOW.rtt_s("westeurope", "West Europe")
    assert rtt.value_s == NOW.default("region.same_region_rtt").value == 0.00044
    assert rtt.status == "derived"


def test_rtt_of_the_other_direction_stands_in(monkeypatch):
    whole = places.rtt_matrix()
    one_way = {("West Europe", "UK South"): whole["West Europe", "UK South"]}
    monkeypatch.setattr(places, "rtt_matrix", lambda: one_way)
    there, back = NOW.rtt_s("West Europe", "UK South"), NOW.rtt_s("UK South", "West Europe")
    assert there.value_s == back.value_s
    assert "West Europe - UK South" in back.cite()


def test_rtt_by_distance_where_the_matrix_has_no_entry(monkeypatch):
    measured_s = NOW.rtt_s("West Europe", "East US").value_s
    monkeypatch.setattr(places, "rtt_matrix", dict)
    estimated = NOW.rtt_s("West Europe", "East US")
    assert estimated.value_s == pytest.approx(measured_s, rel=0.35)
    assert estimated.status == "estimate"
    assert estimated.note.startswith("great circle 6")


def test_great_circle_by_hand():
    # A quarter of the equator, and pole to pole.
    assert places.great_circle_m((0, 0), (0, 90), 1.0) == pytest.approx(1.5707963)
    assert places.great_circle_m((90, 0), (-90, 0), 1.0) == pytest.approx(3.1415927)
    assert places.great_circle_m((10, 20), (10, 20), 1.0) == 0


def test_rtt_by_distance_by_hand():
    # 1,730 km is a row of the table: stretch 2.1, 2 x 1,730 km / 200,000 km/s = 17.3 ms.
    rows = NOW.table("distance-latency").rows
    assert places.stretch_ratio_at(rows, 1_730_000) == pytest.approx(2.1)
    assert places.stretch_ratio_at(rows, 1.0) == 4.0
    assert places.stretch_ratio_at(rows, 2e7) == 1.6
    north = 47.233 + 1_730_000 / (6_371_008.8 * 3.141592653589793) * 180
    rtt = NOW.rtt_from_place_s(north, -119.852, "West US 2")
    assert rtt.value_s == pytest.approx(2.1 * 0.0173, rel=1e-6)


@given(st.floats(1.0, 1e7), st.floats(1.0001, 2.0))
def test_more_distance_never_takes_less_time(distance_m, factor):
    rows = NOW.table("distance-latency").rows
    near_m, far_m = distance_m, distance_m * factor
    assert near_m * places.stretch_ratio_at(rows, near_m) <= far_m * places.stretch_ratio_at(
        rows, far_m
    )


def test_a_place_in_the_region_gets_no_less_than_the_region_itself():
    rtt = NOW.rtt_from_place_s(47.233, -119.852, "West US 2")
    assert rtt.value_s == NOW.default("region.same_region_rtt").value


# --- single rows ----------------------------------------------------------------------------------


def test_timers():
    assert NOW.timer("T009").value_s == 45
    assert (NOW.timer("T009").min, NOW.timer("T009").max) == (9, 3600)
    assert NOW.timer("T032").value_s == pytest.approx(0.3)  # published as 300 ms
    assert NOW.timer("T070").value_s == 2700  # published as 45 min
    assert NOW.timer("T004").value == 102.4e9  # published as 102,400,000 KB
    assert NOW.timer("T047").value_text == "down"
    assert ERA_2017.timer("T041").value_s == 75
    with pytest.raises(CatalogError, match=r"timer T015 = 2\.0 rtt: is no time in seconds"):
        NOW.timer("T015").value_s  # noqa: B018 - reading it raises


def test_defaults():
    buffer = NOW.default("gateway.limits.buffer")
    assert (buffer.value, buffer.text, buffer.status) == (0.02, "20 ms", "estimate")
    assert (buffer.low, buffer.high) == ("5 ms", "100 ms")
    assert NOW.default("gateway.limits.scope").word == "instance"
    assert ERA_2017.default("gateway.limits.scope").text == "gateway"
    assert ERA_2019.default("gateway.limits.scope").text == "gateway"
    assert NOW.default("gateway.failover.unplanned").word == "newer"
    assert ERA_2017.default("gateway.failover.unplanned").word == "older"
    assert NOW.default("gateway.instances").text == "2"
    with pytest.raises(CatalogError, match=r"gateway\.nic_rate = unknown: is no number"):
        NOW.default("gateway.nic_rate").value  # noqa: B018 - reading it raises


def test_devices():
    device = NOW.device("firewall-small")
    assert (device.throughput_bps("cbc"), device.packets_per_s) == (6.5e9, 1_587_000)
    assert device.stateful
    assert device.origin.estimated == ("throughput_bps_gcm", "throughput_bps_3des")
    software = NOW.device("software-linux-core")
    assert software.per_packet_s == 3.7e-6
    assert (software.per_byte_s("gcm"), software.per_byte_s("3des")) == (0.1468e-9, 22.91e-9)
    assert NOW.device("software-linux-4-core").cores == 4
    assert NOW.device("unlimited").throughput_bps("gcm") is None


def test_software_devices_reach_what_their_cost_says():
    for name in ("software-linux-core", "software-linux-4-core"):
        device = NOW.device(name)
        for cipher in ("gcm", "cbc", "3des"):
            service_s = device.per_packet_s + 1400 * device.per_byte_s(cipher)
            reached_bps = device.cores * 1400 * 8 / service_s
            assert device.throughput_bps(cipher) == pytest.approx(reached_bps, rel=0.005)


def test_mixes_applications_codecs_limits():
    mix = NOW.packet_mix("imix-simple")
    assert (mix.sizes_bytes, mix.weights) == ((40, 576, 1500), (7 / 12, 4 / 12, 1 / 12))
    assert NOW.codec("G.711").packet_bytes == 200
    assert NOW.codec("G.729").packets_per_s == 50
    assert NOW.application("office-mix").rate_bps_down == 200e3
    assert NOW.application("office-mix").packet_mix == "internet-mix"
    assert NOW.limit("L001").value == 250_000
    assert (NOW.limit("L017").value, NOW.limit("L017").max) == (20, 50)
    assert NOW.limit("L007").value == 100e9  # published as 100,000 Mbps
    assert NOW.limit("L018").value is None


def test_values_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        NOW.codec("G.711").packet_bytes = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        NOW.era = "2017-12"


# --- eras -----------------------------------------------------------------------------------------


def test_a_table_shows_the_rows_of_the_era_or_all():
    whole = NOW.table("vpn-gateway-skus", all_eras=True)
    assert {row["era"] for row in whole.rows} == {"current", "2017-12", "2019-11"}
    assert {row["era"] for row in ERA_2017.table("vpn-gateway-skus").rows} == {"2017-12"}
    assert {row["era"] for row in NOW.table("timers").rows} == {"all", "current"}


def test_2019_falls_back_to_2017_where_it_has_no_rows():
    assert {row["era"] for row in ERA_2019.table("vpn-gateway-skus").rows} == {"2019-11"}
    assert {row["era"] for row in ERA_2019.table("timers").rows} == {"all", "2017-12"}


def test_load_is_cached():
    assert load_catalog() is load_catalog()
    assert load_catalog() == load_catalog("current")
    assert load_catalog("2017-12") is ERA_2017


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("look_up", "message"),
    [
        (
            lambda: NOW.vpn_gateway_sku("VpnGw1A"),
            "VPN gateway SKU 'VpnGw1A': is not in the catalogue, era current; "
            "did you mean 'VpnGw1AZ' or 'VpnGw1' or 'VpnGw2AZ'?",
        ),
        (
            lambda: ERA_2017.vpn_gateway_sku("VpnGw1AZ"),
            "VPN gateway SKU 'VpnGw1AZ': exists in era current, 2019-11, not in 2017-12; "
            "choose that era, or: did you mean 'VpnGw1' or 'VpnGw2' or 'VpnGw3'?",
        ),
        (
            lambda: NOW.vpn_gateway_sku("VpnGw1AZ", 2),
            "VPN gateway SKU 'VpnGw1AZ', generation 2: has generation 1 in era current; "
            "leave the generation out",
        ),
        (
            lambda: NOW.vpn_gateway_sku("Standard", 1),
            "VPN gateway SKU 'Standard', generation 1: has no generation in era current; "
            "leave the generation out",
        ),
        (
            lambda: NOW.esp_suite("AES256", "SHA255"),
            "IPsec integrity 'SHA255': does not go with AES256; did you mean 'SHA256'?",
        ),
        (
            lambda: NOW.timer("T041"),
            "timer 'T041': exists in era 2017-12, not in current; choose that era",
        ),
        (
            lambda: NOW.gateway_latency("VpnGw1", "busy"),
            "gateway latency, load 'busy': is not known; choose one of idle, loaded",
        ),
        (
            lambda: NOW.table("vpn-gateway-sku"),
            "table 'vpn-gateway-sku': is not in the catalogue; did you mean 'vpn-gateway-skus'",
        ),
        (
            lambda: load_catalog("2017"),
            "era '2017': is not in the catalogue; did you mean '2017-12'",
        ),
        (
            lambda: NOW.region("Westeuropa"),
            "region 'Westeuropa': is not in the catalogue, era current; did you mean 'West Europe'",
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(look_up, message):
    with pytest.raises(CatalogError) as caught:
        look_up()
    assert str(caught.value).startswith(message)


LOOK_UPS = [
    NOW.vpn_gateway_sku,
    NOW.gateway_latency,
    NOW.region,
    NOW.timer,
    NOW.default,
    NOW.limit,
    NOW.device,
    NOW.application,
    NOW.codec,
    NOW.packet_mix,
    NOW.names,
    lambda text: NOW.esp_suite(text, "SHA256"),
    lambda text: NOW.tunnel_performance("VpnGw1", None, "AES256", text),
    load_catalog,
]


@given(st.sampled_from(LOOK_UPS), st.text(max_size=200))
def test_any_text_is_found_or_refused_in_one_printable_line(look_up, text):
    try:
        look_up(text)
    except CatalogError as error:
        assert str(error).isprintable()  # noqa: PT017 - a look-up may also succeed


# --- cost -----------------------------------------------------------------------------------------


def test_loading_is_quick_lazy_and_needs_the_standard_library_only():
    code = """
import sys, time
import simulator.catalog
from simulator.catalog import tables
seen = []
read = tables._csv_lines
tables._csv_lines = lambda name: (seen.append(name), read(name))[1]
start_s = time.process_time()
catalog = simulator.catalog.load_catalog()
catalog.tunnel_performance("VpnGw1AZ", None, "GCMAES256", "GCMAES256")
catalog.region("westeurope"), catalog.default("bgp.hold"), catalog.timer("T042")
assert time.process_time() - start_s < 0.06, time.process_time() - start_s
assert "region-rtt" not in seen, seen
catalog.rtt_s("westeurope", "uksouth")
assert "region-rtt" in seen
heavy = {"numpy", "pandas", "numba", "pydantic", "simpy"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
