"""The cost ledger against invoices worked by hand, to the cent; what is unknown is never 0."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from simulator import planner
from simulator.base.errors import UsageError
from simulator.catalog import load_catalog
from simulator.planner.break_even import Tariff, break_even, crossings_of
from simulator.planner.cost import LINKS, connections_count, ledger, month_s, of_run
from simulator.planner.prices import CataloguePrices, Place, RetailPrices, Tier
from simulator.planner.volumes import monthly_volumes
from simulator.scenario import load
from tests.study.conftest import BASE, ROOT

GB = 1e9
MONTH_S = 730 * 3600
HERE = {"vnets.hub.region": "East US"}
"""A region of the price class that the snapshot is of."""


def amounts(found):
    return {(line.item, line.subject): line.amount_usd for line in found.lines}


# ---- invoices by hand ------------------------------------------------------------------------


def test_invoice_of_a_branch_over_one_tunnel():
    design = load(BASE).with_(HERE)
    found = ledger(design, {("lyon.isp.wan-hub", "return"): 500 * GB})
    # VpnGw1AZ        730 h x 0.19  = 138.70
    # one address     730 h x 0.005 =   3.65
    # first 100 GB                      0.00
    # next 400 GB    400 GB x 0.087 =  34.80
    #                                 177.15
    assert [line.amount_usd for line in found.lines] == [138.70, 3.65, 0.0, 0.0, 34.80]
    assert found.total_usd == 177.15
    assert found.lines[2].quantity == 0.0, "the first ten tunnels are paid with the gateway"


def test_invoice_of_an_active_active_hub_with_many_branches_and_clients():
    site = {
        "count": 14,
        "location": {"near": "East US"},
        "address_space": ["10.{100+i}.0.0/16"],
        "internet": {"isp": {"down": "100 Mbit/s", "up": "40 Mbit/s"}},
        "devices": {"edge": {"public_ip": "100.64.0.{i}"}},
    }
    data = {
        "schema_version": 1,
        "title": "branches and clients",
        "vnets": {
            "hub": {
                "region": "East US",
                "address_space": ["10.0.0.0/16"],
                "gateway_subnet": "10.0.255.0/26",
            }
        },
        "sites": {"branch": site},
        "gateways": {
            "vpn": {
                "type": "vpn",
                "vnet": "hub",
                "sku": "VpnGw2AZ",
                "mode": "active-active",
                "p2s": {"address_pools": ["172.16.0.0/22"], "protocols": ["openvpn"]},
            }
        },
        "connections": {"branches": {"type": "ipsec", "gateway": "vpn", "site": "branch"}},
        "clients": {
            "home": {
                "gateway": "vpn",
                "protocol": "openvpn",
                "count": 300,
                "location": {"near": "East US"},
                "access": {"down": "50 Mbit/s", "up": "10 Mbit/s"},
            }
        },
    }
    design = load(data)
    assert connections_count("vpn", design) == 14
    volumes = {
        ("branch-1.isp.wan-hub", "return"): 11_000 * GB,
        ("branch-2.isp.wan-hub", "return"): 1_000 * GB,
        ("home-7.wan-hub", "return"): 500 * GB,
        ("branch-1.isp.wan-hub", "forward"): 9_000 * GB,  # into the platform: free
    }
    found = ledger(design, volumes)
    # VpnGw2AZ               730 h x 0.49  =    357.70
    # two addresses        1,460 h x 0.005 =      7.30
    # 14 - 10 tunnels      2,920 h x 0.015 =     43.80
    # 300 - 128 clients  125,560 h x 0.01  =  1,255.60
    # first 100 of 12,500 GB                      0.00
    # up to 10,000         9,900 GB x 0.087 =   861.30
    # above                2,500 GB x 0.083 =   207.50
    #                                         2,733.20
    expected = [357.70, 7.30, 43.80, 1255.60, 0.0, 861.30, 207.50]
    assert [line.amount_usd for line in found.lines] == expected
    assert found.total_usd == 2733.20


def test_invoice_of_expressroute_beside_vpn_with_a_peering():
    design = load(ROOT / "scenarios" / "coexistence.yaml")  # Paris is in zone 1
    found = ledger(
        design,
        {
            ("paris.primary", "return"): 3_000.5 * GB,
            ("paris.secondary", "return"): 2_000 * GB,
            ("paris.primary", "forward"): 7_000 * GB,  # ingress is free
            ("nantes.isp.wan-hub", "return"): 60 * GB,
        },
    )
    # VpnGw1AZ             730 h x 0.19  = 138.70
    # address              730 h x 0.005 =   3.65
    # ErGw1AZ              730 h x 0.361 = 263.53
    # 500 Mbit/s metered, a month          290.00
    # first 100 GB over the internet         0.00
    # metered egress 5,000.5 GB x 0.025  = 125.0125 -> 125.01
    #                                      820.89
    assert found.total_usd == 820.89
    lines = amounts(found)
    assert lines["metered egress", "circuit paris"] == 125.01
    assert lines["ErGw1AZ", "gateway hub-er"] == 263.53
    unlimited = ledger(design.with_("circuits.paris.billing", "unlimited"), {})
    # The fee of an unlimited circuit of 500 Mbit/s in zone 1 is 2,750.00, and volume is free.
    assert amounts(unlimited)["500 Mbps", "circuit paris"] == 2750.00


def test_both_ends_of_a_peering_pay_and_the_sender_between_regions():
    design = load(ROOT / "scenarios" / "vnet-peering.yaml")
    found = amounts(
        ledger(
            design,
            {
                ("hub-spoke.backbone", "forward"): 10 * GB,
                ("hub-spoke.transit", "return"): 5 * GB,
                ("hub-dr.backbone", "forward"): 100 * GB,
                ("hub-dr-tunnel.backbone", "return"): 200 * GB,
            },
        )
    )
    same = "VNet peering same region, each direction"
    # 15 GB in or out at each end, 0.01 each; between regions 100 GB x 0.035 at each end.
    assert found[same, "peering hub-spoke at hub, in and out"] == 0.15
    assert found[same, "peering hub-spoke at spoke, in and out"] == 0.15
    between = "global VNet peering, each direction"
    assert found[between, "peering hub-dr at hub, in and out"] == 3.50
    assert found[between, "peering hub-dr at dr, in and out"] == 3.50
    tunnel = "VNet-to-VNet over VPN, inter-region egress"
    assert found[tunnel, "connection hub-dr-tunnel from dr"] == 7.00  # 200 GB x 0.035
    assert (tunnel, "connection hub-dr-tunnel from hub") not in found


def test_invoice_of_25_branches_and_300_clients_in_another_zone():
    branches = {
        "count": 25,
        "location": {"near": "Australia East"},
        "address_space": ["10.{100+i}.0.0/16"],
        "internet": {"isp": {"down": "100 Mbit/s", "up": "40 Mbit/s"}},
        "devices": {"edge": {"public_ip": "100.64.0.{i}"}},
    }
    home = {
        "gateway": "vpn",
        "protocol": "openvpn",
        "count": 300,
        "location": {"near": "Australia East"},
        "access": {"down": "50 Mbit/s", "up": "10 Mbit/s"},
    }
    p2s = {"address_pools": ["172.16.0.0/22"], "protocols": ["openvpn"]}
    hub = {"region": "Australia East", "address_space": ["10.0.0.0/16"]}
    design = load(
        {
            "schema_version": 1,
            "title": "Australia",
            "vnets": {"hub": hub | {"gateway_subnet": "10.0.255.0/26"}},
            "sites": {"branch": branches},
            "gateways": {"vpn": {"type": "vpn", "vnet": "hub", "sku": "VpnGw2AZ", "p2s": p2s}},
            "connections": {"branches": {"type": "ipsec", "gateway": "vpn", "site": "branch"}},
            "clients": {"home": home},
        }
    )
    volumes = {
        ("branch-3.isp.wan-hub", "return"): 12_000 * GB,
        ("home-9.wan-hub", "return"): 345.678 * GB,
        ("home-9.wan-hub", "forward"): 99_000 * GB,
    }
    found = ledger(design, volumes)
    # VpnGw2AZ              730 h x 0.49  =   357.70  (P009, East US)
    # one address           730 h x 0.005 =     3.65  (P022, East US)
    # 25 - 10 tunnels    10,950 h x 0.015 =   164.25  (P019, East US)
    # 300 - 128 clients 125,560 h x 0.01  = 1,255.60  (P020, East US)
    # first 100 of 12,345.678 GB                0.00  (P027)
    # up to 10,000        9,900 GB x 0.12 = 1,188.00  (P029, Australia East)
    # above           2,345.678 GB x 0.085 =  199.38  (P074, 199.38263)
    #                                       3,168.58
    expected = [357.70, 3.65, 164.25, 1255.60, 0.0, 1188.00, 199.38]
    assert [line.amount_usd for line in found.lines] == expected
    assert found.total_usd == 3168.58
    assert [line.quantity for line in found.lines] == [730, 730, 10950, 125560, 100, 9900, 2345.678]
    ids = ["P009", "P022", "P019", "P020", "P027", "P029", "P074"]
    for line, row in zip(found.lines, ids, strict=True):
        assert line.source.startswith(f"catalogue prices {row}, ")
        assert ("none known for Australia East" in line.source) == (line.unit == "hours")
    assert all(line.is_estimate for line in found.lines if line.unit == "hours")


def test_invoice_of_an_unlimited_circuit_with_a_peered_region():
    design = load(
        {
            "schema_version": 1,
            "title": "unlimited",
            "vnets": {
                "hub": {
                    "region": "East US",
                    "address_space": ["10.0.0.0/16"],
                    "gateway_subnet": "10.0.255.0/26",
                },
                "europe": {"region": "West Europe", "address_space": ["10.1.0.0/16"]},
            },
            "sites": {
                "office": {
                    "location": {"near": "East US"},
                    "address_space": ["192.168.0.0/16"],
                    "devices": {"edge": {"bgp": {"asn": 65010, "peer_ip": "192.168.255.1"}}},
                }
            },
            "circuits": {
                "dc": {
                    "provider_model": "point-to-point-ethernet",
                    "peering_location": "Washington DC",
                    "bandwidth": "1 Gbit/s",
                    "billing": "unlimited",
                    "links": {end: {"site": "office", "device": "edge"} for end in LINKS},
                }
            },
            "gateways": {"er": {"type": "expressroute", "vnet": "hub", "sku": "ErGw2AZ"}},
            "connections": {
                "private": {"type": "expressroute", "gateway": "er", "circuit": "dc"},
                "atlantic": {"type": "peering", "vnets": ["hub", "europe"]},
            },
        }
    )
    found = ledger(
        design,
        {
            ("dc.primary", "return"): 50_000 * GB,  # paid with the circuit
            ("atlantic.backbone", "forward"): 2_000.1 * GB,
            ("atlantic.backbone", "return"): 500 * GB,
        },
    )
    # ErGw2AZ                   730 h x 0.632 =   461.36  (P039)
    # 1 Gbit/s unlimited, zone 1, a month      5,700.00  (P050)
    # peering at East US   2,500.1 GB x 0.035 =    87.50  (P032, 87.5035)
    # peering at Europe    2,500.1 GB x 0.035 =    87.50
    #                                           6,336.36
    assert sorted(line.amount_usd for line in found.lines) == [87.50, 87.50, 461.36, 5700.00]
    assert found.total_usd == 6336.36
    assert not any(line.is_estimate for line in found.lines)


def test_invoice_of_two_regions_over_vpn_with_egress_in_tiers():
    design = load(ROOT / "scenarios" / "vnet-to-vnet.yaml")  # both regions are in zone 1
    found = ledger(
        design,
        {
            ("lyon.isp.wan-west", "return"): 60_000 * GB,
            ("lyon.isp.wan-north", "return"): 60 * GB,
            ("west-north.backbone", "forward"): 1_234.567 * GB,
            ("west-north.backbone", "return"): 100 * GB,
        },
    )
    # VpnGw2AZ, west             730 h x 0.49  =    357.70
    # VpnGw1AZ, north            730 h x 0.19  =    138.70
    # two addresses, each        730 h x 0.005 =      3.65
    # 60,060 GB from zone 1: 100 GB free
    #   9,900 GB x 0.087                       =    861.30
    #  40,000 GB x 0.083                       =  3,320.00
    #  10,060 GB x 0.07                        =    704.20
    # west to north    1,234.567 GB x 0.035    =     43.21  (43.209845)
    # north to west          100 GB x 0.035    =      3.50
    #                                             5,435.91
    assert sorted(a for a in amounts(found).values() if a) == sorted(
        [357.70, 138.70, 3.65, 3.65, 861.30, 3320.00, 704.20, 43.21, 3.50]
    )
    assert found.total_usd == 5435.91


@pytest.mark.parametrize(("count", "tunnels_usd"), [(10, 0.0), (11, 10.95)])
def test_the_eleventh_tunnel_is_the_first_that_costs(count, tunnels_usd):
    site = {
        "count": count,
        "location": {"near": "East US"},
        "address_space": ["10.{100+i}.0.0/16"],
        "internet": {"isp": {"down": "100 Mbit/s", "up": "40 Mbit/s"}},
        "devices": {"edge": {"public_ip": "100.64.0.{i}"}},
    }
    connections = {"branches": {"type": "ipsec", "gateway": "hub-vpn", "site": "branch"}}
    design = load(BASE).with_(
        {**HERE, "sites": {"branch": site}, "connections": connections, "traffic": {}}
    )
    item = "S2S tunnel above the included 10"
    (line,) = (line for line in ledger(design).lines if line.item == item)
    assert line.amount_usd == tunnels_usd  # 730 h x 0.015 = 10.95
    assert line.note.startswith(f"{count} connections")


@pytest.mark.parametrize(("count", "clients_usd"), [(128, 0.0), (129, 7.30), (400, 890.60)])
def test_the_129th_client_is_the_first_that_costs_and_refused_ones_cost_nothing(count, clients_usd):
    design = load(ROOT / "scenarios" / "login-morning.yaml").with_(
        {"gateways.hub-vpn.sku": "VpnGw1AZ", "clients.teleworkers.count": count}
    )
    item = "P2S connection above the included 128"
    (line,) = (line for line in ledger(design).lines if line.item == item)
    # 730 h x 0.01 = 7.30; of 400 clients VpnGw1AZ takes 250: 122 x 7.30 = 890.60.
    assert line.amount_usd == clients_usd


@pytest.mark.parametrize(
    ("volume", "expected_usd"),
    [
        (0.0, []),
        (100.0, [0.0]),
        (100.1, [0.0, 0.01]),  # 0.1 x 0.087 = 0.0087
        (10_000.0, [0.0, 861.30]),
        (10_000.001, [0.0, 861.30, 0.0]),
        (50_000.0, [0.0, 861.30, 3320.0]),
        (150_001.0, [0.0, 861.30, 3320.0, 7000.0, 0.05]),  # 100,000 x 0.07, 1 x 0.05
    ],
)
def test_tiers_of_egress_begin_where_they_say(volume, expected_usd):
    found = ledger(load(BASE).with_(HERE), {("lyon.isp.wan-hub", "return"): volume * GB})
    egress = [line for line in found.lines if line.item.startswith("internet egress")]
    assert [line.amount_usd for line in egress] == expected_usd
    assert sum(line.quantity for line in egress) == pytest.approx(volume)


def test_a_region_without_a_price_between_regions_is_unknown_for_who_sends():
    design = load(ROOT / "scenarios" / "vnet-to-vnet.yaml").with_(
        {"vnets.north.region": "Japan East"}  # zone 2
    )
    found = ledger(design, {("west-north.backbone", d): 10 * GB for d in ("forward", "return")})
    between = {line.subject: line.amount_usd for line in found.lines if "inter-region" in line.item}
    assert between == {
        "connection west-north from west": 0.35,
        "connection west-north from north": None,
    }
    assert found.total_usd is None


# ---- what is not known -----------------------------------------------------------------------


def test_an_unknown_price_is_unknown_and_the_total_says_so():
    design = load(ROOT / "scenarios" / "coexistence.yaml").with_("circuits.paris.tier", "premium")
    found = ledger(design, {})
    (line,) = found.unknown
    assert (line.item, line.rate_usd, line.amount_usd) == ("Premium add-on", None, None)
    assert found.total_usd is None
    assert found.known_usd == 695.88  # 138.70 + 3.65 + 263.53 + 290.00
    assert type(found).from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_volume_in_a_zone_without_a_price_is_not_free_above_the_free_part():
    design = load(BASE).with_("vnets.hub.region", "Japan East")  # zone 2
    found = ledger(design, {("lyon.isp.wan-hub", "return"): 150 * GB})
    (line,) = found.unknown
    assert line.item.startswith("internet egress, 100")
    assert line.quantity == 50.0
    nothing = ledger(design, {("lyon.isp.wan-hub", "return"): 80 * GB})
    assert nothing.unknown == ()


def test_the_price_of_another_region_is_an_estimate_that_says_so():
    lines = ledger(load(BASE)).lines
    assert lines[0].is_estimate
    assert "price of US (East US class), none known for West Europe" in lines[0].source


def test_every_current_price_row_can_be_found():
    prices = CataloguePrices(load_catalog())
    for row in load_catalog().table("prices").where(is_current=True):
        price = prices.find(str(row["category"]), str(row["item"]), Place(zone=1))
        assert price is not None
        assert price.tiers[0].begin == 0.0


def test_the_retired_row_of_a_price_is_not_taken():
    price = CataloguePrices(load_catalog()).find("vpn-gateway", "VpnGw1AZ", Place())
    assert [tier.price_usd for tier in price.tiers] == [0.19]


# ---- volume ----------------------------------------------------------------------------------


def test_volume_is_that_of_the_run_scaled_to_the_month():
    design = load(BASE).with_({"run.horizon": "10 s", "traffic": {}})
    stream = {"kind": "constant", "from": "hub", "to": "lyon", "rate": "1 Mbit/s"}
    design = design.with_("traffic", {"probe": stream | {"packet_size": "1000 bytes"}})
    plan = planner.build(design)
    delivered = np.zeros(len(plan.directions), np.int64)
    direction = next(d for d, i in enumerate(plan.directions) if i.direction == "forward")
    delivered[direction] = 1_250_000  # 1 Mbit/s for 10 s
    volumes = monthly_volumes(plan, delivered, MONTH_S)
    # GCMAES256 around 1000 bytes: 20 + 8 + 8 + 8 + align4(1000 + 2) + 16 = 1064 bytes on the wire,
    # so 1,250,000 x 1.064 x 2,628,000 s / 10 s = 349.524 GB in a month.
    assert volumes["lyon.isp.wan-hub", "return"] == pytest.approx(349.524 * GB, rel=0.02)
    assert volumes["lyon.lan", "return"] == pytest.approx(328.5 * GB)
    half = of_run(design, plan, delivered, traffic_s=365.0 * 3600)
    assert half.traffic_s == 365.0 * 3600
    egress = sum(line.quantity for line in half.lines if line.unit == "GB")
    assert egress == pytest.approx(volumes["lyon.isp.wan-hub", "return"] / GB / 2, abs=0.01)


def test_a_month_has_730_hours():
    assert month_s(load_catalog()) == 730.0 * 3600


# ---- the user's own price list ---------------------------------------------------------------


def item(product, sku, meter, price, unit="1 Hour", **more):
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": "westeurope",
        "location": "EU West",
        "effectiveStartDate": "2026-09-01T00:00:00Z",
        "meterName": meter,
        "productName": product,
        "skuName": sku,
        "serviceName": "VPN Gateway",
        "unitOfMeasure": unit,
        "type": "Consumption",
        **more,
    }


@pytest.fixture
def export(tmp_path):
    band = {"serviceName": "Bandwidth", "armRegionName": "westeurope"}
    circuit = {"serviceName": "ExpressRoute", "armRegionName": "Zone 1", "location": "Zone 1"}
    items = [
        item("VPN Gateway", "VpnGw1AZ", "VpnGw1AZ", 0.21),
        item("VPN Gateway", "VpnGw1AZ", "VpnGw1AZ", 0.10, type="DevTestConsumption"),
        item("VPN Gateway", "VpnGw1AZ", "VpnGw1AZ", 0.99, armRegionName="japaneast", location="JP"),
        item("VPN Gateway", "VpnGw1", "VpnGw1", 0.20),
        item("VPN Gateway", "VpnGw1AZ", "S2S Connection", 0.016),
        item("Bandwidth", "Standard", "Standard Data Transfer Out", 0.0, "1 GB", **band),
        item(
            *("Bandwidth", "Standard", "Standard Data Transfer Out", 0.08, "1 GB"),
            **band | {"tierMinimumUnits": 100.0},
        ),
        item(
            *("ExpressRoute", "Standard", "Standard Metered Data 1 Gbps Circuit", 440.0, "1/Month"),
            **circuit,
        ),
    ]
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"BillingCurrency": "USD", "Items": items, "NextPageLink": None}))
    return file


def test_prices_of_an_export_take_the_place_of_the_snapshot(export):
    prices = RetailPrices(export, load_catalog())
    found = ledger(load(BASE), {("lyon.isp.wan-hub", "return"): 300 * GB}, prices=prices)
    # 730 x 0.21 = 153.30 and 200 GB x 0.08 = 16.00 from the file; the address, which it lacks,
    # 730 x 0.005 = 3.65 from the catalogue.
    assert [line.amount_usd for line in found.lines] == [153.30, 3.65, 0.0, 0.0, 16.00]
    assert found.lines[0].source == "prices.json, VpnGw1AZ, 2026-09-01"
    assert found.lines[1].source.startswith("not in prices.json; catalogue prices")
    circuit = prices.find("er-circuit-metered", "1000 Mbps", Place(zone=1))
    assert circuit.tiers[0].price_usd == 440.0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is no JSON"),
        ('{"Items": 3}', "is no price list"),
        ('{"Items": [{"meterName": "x", "retailPrice": "free"}]}', "must be a number"),
        (
            '{"Items": [{"retailPrice": 1, "currencyCode": "EUR", "type": "Consumption"}]}',
            "prices are in EUR",
        ),
        ('{"Items": []}', "has no price of type Consumption among its 0 items"),
        ('{"Items": [{"retailPrice": 1, "type": "Reservation"}]}', "among its 1 items"),
        ('{"Items": [{"retailPrice": NaN}]}', "retailPrice = nan; it must be a number"),
        ('{"Items": [{"retailPrice": true}]}', "retailPrice = True; it must be a number"),
        ('{"Items": [{"retailPrice": -1}]}', "retailPrice = -1; it must be a number"),
        ('{"Items": [{"retailPrice": 1e308}]}', "retailPrice = 1e.308; it must be a number"),
        (
            '{"Items": [{"retailPrice": "a"}, {"retailPrice": 1, "tierMinimumUnits": null}]}',
            r"item 0 has retailPrice = a(.|\n)*item 1 has tierMinimumUnits = None",
        ),
        (json.dumps({"Items": [{"retailPrice": "a"}] * 30}), "and 10 more"),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path, content, says):
    file = tmp_path / "prices.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=says):
        RetailPrices(file, load_catalog())
    with pytest.raises(UsageError, match="cannot be read"):
        RetailPrices(tmp_path / "none.json", load_catalog())


def gateway_hours(tmp_path, unit="1 Hour", **page):
    item = {
        "type": "Consumption",
        "retailPrice": 0.5,
        "serviceName": "VPN Gateway",
        "productName": "VPN Gateway",
        "skuName": "VpnGw1AZ",
        "meterName": "VpnGw1AZ",
        "unitOfMeasure": unit,
    }
    file = tmp_path / "export.json"
    file.write_text(json.dumps({"Items": [item], **page}))
    return RetailPrices(file, load_catalog())


def test_a_unit_of_no_hours_is_refused_with_the_name_of_the_file(tmp_path):
    prices = gateway_hours(tmp_path, unit="0 Hour")
    with pytest.raises(UsageError, match=r"export\.json: unitOfMeasure = 0 Hour"):
        prices.find("vpn-gateway", "VpnGw1AZ", Place())


def test_what_a_page_lacks_may_be_on_the_next_one(tmp_path):
    whole = gateway_hours(tmp_path, NextPageLink=None)
    assert whole.find("vpn-gateway", "VpnGw1AZ", Place()).tiers[0].price_usd == 0.5
    source = whole.find("vpn-gateway", "VpnGw2AZ", Place()).tiers[0].source
    assert source.startswith("not in export.json; catalogue")
    part = gateway_hours(tmp_path, NextPageLink="?skip=1000")
    source = part.find("vpn-gateway", "VpnGw2AZ", Place()).tiers[0].source
    assert source.startswith("not in export.json, whose next page is missing; catalogue")


# ---- break-even ------------------------------------------------------------------------------


def test_crossings_are_those_of_the_algebra():
    vpn = Tariff("vpn", 142.35, (Tier(0, 0.0, ""), Tier(100, 0.087, ""), Tier(10_000, 0.083, "")))
    metered = Tariff("metered", 699.53, (Tier(0, 0.025, ""),), volume_max=328_500)
    unlimited = Tariff("unlimited", 5963.53, volume_max=328_500)
    # 142.35 + 0.087 (v - 100) = 699.53 + 0.025 v   =>   v = 565.88 / 0.062 = 9,127.10 GB
    (first,) = crossings_of(vpn, metered, MONTH_S)
    assert first.volume == pytest.approx(565.88 / 0.062)
    assert (first.cheaper_below, first.cheaper_above) == ("vpn", "metered")
    assert first.mean_bps == pytest.approx(first.volume * 8e9 / MONTH_S)
    assert first.cost_usd == pytest.approx(699.53 + 0.025 * first.volume)
    # 699.53 + 0.025 v = 5963.53   =>   v = 210,560 GB
    (second,) = crossings_of(metered, unlimited, MONTH_S)
    assert second.volume == pytest.approx(210_560)
    assert crossings_of(metered, replace(unlimited, volume_max=200_000), MONTH_S) == []
    # In the second tier: 142.35 + 9,900 x 0.087 + 0.083 (v - 10,000) = 5963.53
    (third,) = crossings_of(unlimited, vpn, MONTH_S)
    assert third.volume == pytest.approx(10_000 + (5963.53 - 142.35 - 861.3) / 0.083)
    assert third.cheaper_above == "unlimited"


def test_break_even_of_a_place_names_what_is_unknown():
    catalog = load_catalog()
    arguments = {
        "vpn_sku": "VpnGw1AZ",
        "gateway_sku": "ErGw1AZ",
        "bandwidth_bps": 1e9,
        "region": "East US",
    }
    found = break_even(CataloguePrices(catalog), catalog, zone=1, **arguments)
    fixed = {tariff.name: tariff.fixed_usd for tariff in found.tariffs}
    assert fixed["VPN VpnGw1AZ"] == pytest.approx(138.70 + 3.65)
    assert fixed["ExpressRoute 1000 Mbps, metered"] == pytest.approx(263.53 + 436.0)
    assert found.volume_max == pytest.approx(1e9 / 8 * MONTH_S / GB)
    assert len(found.crossings) == 3
    elsewhere = break_even(CataloguePrices(catalog), catalog, zone=4, **arguments)
    assert [t.fixed_usd is None for t in elsewhere.tariffs] == [False, False, True]
    assert math.isnan(Tariff("x", 0.0, (Tier(0, None, ""),)).slope_usd(1.0))


def by_hand_usd(way, volume_gb, bandwidth_gbps):
    """The cost of a month in East US and zone 1, from the rates as they stand in the catalogue."""
    if way == "vpn":  # VpnGw2AZ and its address; 100 GB are free
        usd = 730 * 0.49 + 730 * 0.005
        tiers = ((100, 10_000, 0.087), (10_000, 50_000, 0.083), (50_000, 150_000, 0.07))
        for begin, end, rate in (*tiers, (150_000, 1e12, 0.05)):
            usd += max(0.0, min(volume_gb, end) - begin) * rate
        return usd
    fees = {("metered", 1): 436.0, ("metered", 10): 3400.0}
    fees |= {("unlimited", 1): 5700.0, ("unlimited", 10): 51300.0}
    volume_usd = 0.025 * volume_gb if way == "metered" else 0.0
    return 730 * 0.361 + fees[way, bandwidth_gbps] + volume_usd


@pytest.mark.parametrize("bandwidth_gbps", [1, 10])
def test_every_crossing_is_where_costs_by_hand_are_the_same_and_no_other_is(bandwidth_gbps):
    catalog = load_catalog()
    found = break_even(
        CataloguePrices(catalog),
        catalog,
        vpn_sku="VpnGw2AZ",
        gateway_sku="ErGw1AZ",
        bandwidth_bps=bandwidth_gbps * 1e9,
        region="East US",
        zone=1,
    )
    ways = {"VPN VpnGw2AZ": "vpn"}
    for billing in ("metered", "unlimited"):
        ways[f"ExpressRoute {bandwidth_gbps}000 Mbps, {billing}"] = billing
    assert [tariff.name for tariff in found.tariffs] == list(ways)
    # A month at 1 Gbit/s, which VpnGw2AZ carries as well: 1e9 / 8 x 2,628,000 s = 328,500 GB.
    most = {"vpn": 328_500.0, "metered": 328_500.0 * bandwidth_gbps}
    most["unlimited"] = most["metered"]
    crossings = []
    for one, other in itertools.combinations(ways, 2):
        volumes = np.linspace(0.0, min(most[ways[one]], most[ways[other]]), 20_001)
        gaps = [
            by_hand_usd(ways[one], v, bandwidth_gbps) - by_hand_usd(ways[other], v, bandwidth_gbps)
            for v in volumes
        ]
        changes = np.flatnonzero(np.diff(np.sign(gaps)))
        crossings += [(one, other, volumes[n], volumes[n + 1]) for n in changes]
    assert len(found.crossings) == len(crossings)
    for crossing, (one, other, low, high) in zip(found.crossings, crossings, strict=True):
        assert {crossing.cheaper_below, crossing.cheaper_above} == {one, other}
        assert low <= crossing.volume <= high
        costs = [by_hand_usd(ways[name], crossing.volume, bandwidth_gbps) for name in (one, other)]
        assert costs[0] == pytest.approx(costs[1], abs=1e-6)
        assert crossing.cost_usd == pytest.approx(costs[0], abs=1e-6)
        assert crossing.mean_bps == pytest.approx(crossing.volume * 8e9 / 2_628_000)
        below = [by_hand_usd(ways[n], low, bandwidth_gbps) for n in (one, other)]
        assert crossing.cheaper_below == (one if below[0] < below[1] else other)
    # 10 Gbit/s unlimited costs more than all that VpnGw2AZ can carry, so there they never cross.
    assert len(crossings) == {1: 3, 10: 2}[bandwidth_gbps]


def test_an_export_with_old_and_new_prices_counts_the_new_ones(tmp_path):
    new = item(
        "VPN Gateway", "VpnGw1AZ", "VpnGw1AZ", 0.25, effectiveStartDate="2026-10-01T00:00:00Z"
    )
    old = item("VPN Gateway", "VpnGw1AZ", "VpnGw1AZ", 0.21)
    for items in ([old, new], [new, old]):
        file = tmp_path / "prices.json"
        file.write_text(json.dumps([{"Items": [items[0]]}, {"Items": [items[1]]}]))
        prices = RetailPrices(file, load_catalog())
        (line, *_) = ledger(load(BASE), prices=prices).lines
        assert line.amount_usd == 182.50  # 730 h x 0.25
        assert line.source == "prices.json, VpnGw1AZ, 2026-10-01"
        assert not line.is_estimate
