"""Cases of gateways: subnets, addresses, SKUs, maintenance, policy-based and active-active."""

from tests.rules.designs import (
    CIRCUIT,
    COEXISTENCE,
    POLICY_BASED,
    SITE,
    SITE_2017,
    TWO_VNETS,
    case,
    site,
)

VPN = "gateways.hub-vpn"
LYON = "connections.lyon-vpn"
OPTIONS = "vnets.hub.gateway_subnet_options"
OWN_RANGE = {"prefix": "10.0.255.0/26", "next_hop": "gateway"}
TWO_DEVICES = {
    "sites.lyon.devices.edge-2": {
        "public_ip": "203.0.113.200",
        "bgp": {"asn": 65011, "peer_ip": "192.168.1.253"},
    }
}
SECOND_SITE = {
    "sites.paris": site(2),
    "connections.paris-vpn": {"type": "ipsec", "gateway": "hub-vpn", "site": "paris", "ike": "v1"},
}

CASES = [
    case("R001", SITE, {"gateways.second": {"type": "vpn", "vnet": "hub", "sku": "VpnGw2AZ"}}),
    case(
        "R002",
        CIRCUIT,
        {"gateways.second": {"type": "expressroute", "vnet": "hub", "sku": "ErGw1AZ"}},
    ),
    case("R003", COEXISTENCE, {f"{LYON}.gateway": "hub-er"}, also="R030"),
    case("R004", COEXISTENCE, {"connections.lyon-er.gateway": "hub-vpn"}, also="R003"),
    case("R006", SITE, {}, {"gateways": {}, "connections": {}, "traffic": {}}, also="R062"),
    case("R007", SITE, {**SECOND_SITE, "connections.paris-vpn.ike": "v2"}),
    case("R008", SITE, {"vnets.hub.gateway_subnet": None}),
    case(
        "R009",
        SITE,
        {"private_endpoints.pe": {"vnet": "hub", "address": "10.0.255.4"}},
        {"private_endpoints.pe": {"vnet": "hub", "address": "10.0.1.4"}},
    ),
    case(
        "R010",
        SITE,
        {"vnets.hub.gateway_subnet": "10.0.255.0/30"},
        {"vnets.hub.gateway_subnet": "10.0.255.0/27"},
    ),
    case(
        "R011",
        SITE,
        {"vnets.hub.gateway_subnet": "10.0.255.0/28"},
        {"vnets.hub.gateway_subnet": "10.0.255.0/27"},
    ),
    case(
        "R011",
        SITE_2017,
        {"vnets.hub.gateway_subnet": "10.0.255.0/29"},
        {"vnets.hub.gateway_subnet": "10.0.255.0/28"},
    ),
    case("R014", SITE_2017, {f"{OPTIONS}.network_security_group": True}),
    case(
        "R015",
        SITE,
        {f"{OPTIONS}.routes": [{"prefix": "0.0.0.0/0", "next_hop": "gateway"}]},
        {f"{OPTIONS}.routes": [{"prefix": "10.9.0.0/16", "next_hop": "gateway"}]},
    ),
    case("R016", SITE, {f"{OPTIONS}.propagate_gateway_routes": False}),
    case(
        "R017",
        COEXISTENCE,
        {f"{OPTIONS}.routes": [OWN_RANGE]},
        {f"{OPTIONS}.routes": [{"prefix": "10.0.254.0/26", "next_hop": "gateway"}]},
    ),
    case("R179", SITE, {f"{OPTIONS}.network_security_group": True}),
    case(
        "R180",
        SITE,
        {f"{OPTIONS}.routes": [{"prefix": "10.0.255.0/26", "next_hop": "none"}]},
        {f"{OPTIONS}.routes": [{"prefix": "10.0.255.0/26", "next_hop": "vnet"}]},
    ),
    # public addresses and zones
    case("R025", SITE, {f"{VPN}.public_ips": ["basic"]}, {f"{VPN}.public_ips": ["standard"]}),
    case(
        "R027",
        SITE,
        {f"{VPN}.mode": "active-active", f"{VPN}.public_ips": ["standard"]},
        {f"{VPN}.mode": "active-active", f"{VPN}.public_ips": ["standard", "standard"]},
    ),
    case(
        "R028",
        SITE,
        {f"{VPN}.sku": "VpnGw2", f"{VPN}.zones": [1, 2]},
        {f"{VPN}.sku": "VpnGw2AZ", f"{VPN}.zones": [1, 2]},
        also="R151",
    ),
    case(
        "R028",
        SITE,
        {f"{VPN}.public_ips": ["basic"], f"{VPN}.zones": [1]},
        {f"{VPN}.public_ips": ["standard"], f"{VPN}.zones": [1]},
    ),
    case("R029", SITE, {"vnets.hub.region": "West US"}, {"vnets.hub.region": "West US 2"}),
    # SKUs
    case(
        "R146",
        SITE,
        {f"{VPN}.sku": "VpnGw1AZ", f"{VPN}.generation": 2},
        {f"{VPN}.sku": "VpnGw1AZ", f"{VPN}.generation": 1},
    ),
    case(
        "R147",
        SITE_2017,
        {f"{VPN}.resized_from": "Standard"},
        {f"{VPN}.resized_from": "VpnGw1"},
    ),
    case("R149", SITE, {f"{VPN}.resized_from": "Basic"}, {f"{VPN}.resized_from": "VpnGw1AZ"}),
    case("R150", SITE, {f"{VPN}.resized_from": "VpnGw3AZ"}, {f"{VPN}.resized_from": "VpnGw1AZ"}),
    case("R151", SITE, {f"{VPN}.sku": "VpnGw2"}, {f"{VPN}.sku": "VpnGw2AZ"}),
    case("R156", SITE, {f"{VPN}.sku": "Standard"}, {f"{VPN}.sku": "VpnGw1AZ"}),
    case(
        "R152",
        SITE_2017,
        {"vnets.hub.deployment_model": "classic", f"{LYON}.routing": "static"},
        {
            "vnets.hub.deployment_model": "classic",
            f"{LYON}.routing": "static",
            f"{VPN}.sku": "HighPerformance",
        },
    ),
    case(
        "R152",
        SITE_2017,
        {"vnets.hub.deployment_model": "classic", f"{VPN}.sku": "HighPerformance"},
        {"vnets.hub.deployment_model": "resource-manager", f"{VPN}.sku": "HighPerformance"},
    ),
    case(
        "R153",
        SITE,
        {f"{VPN}.sku": "Basic", f"{LYON}.routing": "static"},
        {f"{VPN}.sku": "VpnGw1AZ", f"{LYON}.routing": "static"},
    ),
    case("R154", SITE, {"vnets.hub.vms": 2001}, {"vnets.hub.vms": 2000}),
    case(
        "R155",
        CIRCUIT,
        {"gateways.hub-er.resized_from": "ErGw3AZ"},
        {"gateways.hub-er.resized_from": "ErGw2AZ"},
    ),
    case(
        "R157",
        SITE,
        {f"{VPN}.sku": "VpnGw5AZ + Advanced Connectivity"},
        {f"{VPN}.sku": "VpnGw5AZ"},
    ),
    # the rest
    case("R158", SITE, {"vnets.hub.dns": "custom"}, {"vnets.hub.dns": "custom-forwarding"}),
    case(
        "R159",
        SITE,
        {f"{VPN}.maintenance_window": {"start": "1 h", "length": "4 h"}},
        {f"{VPN}.maintenance_window": {"start": "1 h", "length": "5 h"}},
    ),
    case(
        "R127",
        COEXISTENCE,
        {
            f"{VPN}.maintenance_window": {"start": "22 h", "length": "5 h"},
            "gateways.hub-er.maintenance_window": {"start": "2 h", "length": "5 h"},
        },
        {
            f"{VPN}.maintenance_window": {"start": "22 h", "length": "5 h"},
            "gateways.hub-er.maintenance_window": {"start": "3 h", "length": "5 h"},
        },
    ),
    # policy-based
    case("R046", POLICY_BASED, {f"{VPN}.sku": "VpnGw1AZ"}, {f"{VPN}.sku": "Basic"}),
    case("R047", POLICY_BASED, {f"{LYON}.ike": "v2"}, {f"{LYON}.ike": "v1"}),
    case("R033", POLICY_BASED, SECOND_SITE),
    case(
        "R048",
        POLICY_BASED,
        {
            "connections": {},
            "traffic": {},
            f"{VPN}.p2s": {"address_pools": ["172.16.0.0/24"], "protocols": ["sstp"]},
        },
        {
            "connections": {},
            "traffic": {},
            f"{VPN}.vpn_type": "route-based",
            f"{VPN}.p2s": {"address_pools": ["172.16.0.0/24"], "protocols": ["sstp"]},
        },
    ),
    case("R048", POLICY_BASED, {f"{LYON}.routing": "bgp"}, also="R061"),
    case(
        "R049",
        POLICY_BASED,
        {},
        {f"{VPN}.vpn_type": "route-based", f"{LYON}.ike": "v2"},
        also="R050 R051",
    ),
    case(
        "R050",
        POLICY_BASED,
        {},
        {f"{VPN}.vpn_type": "route-based", f"{LYON}.ike": "v2"},
        also="R049 R051",
    ),
    case(
        "R051",
        POLICY_BASED,
        {},
        {f"{VPN}.vpn_type": "route-based", f"{LYON}.ike": "v2"},
        also="R049 R050",
    ),
    case(
        "R090",
        POLICY_BASED,
        {f"{VPN}.p2s": {"address_pools": ["172.16.0.0/24"], "protocols": ["sstp"]}},
        also="R048",
    ),
    # active-active
    case(
        "R081",
        SITE,
        {f"{VPN}.sku": "Basic", f"{VPN}.mode": "active-active", f"{LYON}.routing": "static"},
        {f"{VPN}.sku": "Basic", f"{LYON}.routing": "static"},
    ),
    case(
        "R082",
        SITE,
        {**TWO_DEVICES, f"{VPN}.mode": "active-active", f"{LYON}.tunnels": "one-per-device"},
        {**TWO_DEVICES, f"{VPN}.mode": "active-active"},
    ),
    case(
        "R083",
        SITE,
        {f"{VPN}.mode": "active-active", f"{LYON}.tunnels": "one-per-device"},
        {f"{VPN}.mode": "active-active"},
    ),
    case(
        "R084",
        SITE,
        {
            f"{VPN}.mode": "active-active",
            f"{LYON}.routing": "static",
            f"{LYON}.dpd.withdraws_route": False,
        },
        {f"{VPN}.mode": "active-active", f"{LYON}.routing": "static"},
    ),
    case(
        "R087",
        SITE,
        {**TWO_DEVICES, f"{VPN}.mode": "active-active"},
        {f"{VPN}.mode": "active-active"},
    ),
    case("R088", SITE, {f"{VPN}.mode": "active-active"}, also="R182"),
    case("R182", SITE, {f"{VPN}.mode": "active-active"}, also="R088"),
    case(
        "R085",
        SITE,
        {
            **TWO_DEVICES,
            "sites.lyon.devices.edge.stateful": True,
            "sites.lyon.devices.edge-2.stateful": True,
            "traffic.office": {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 16},
        },
        {
            **TWO_DEVICES,
            "traffic.office": {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 16},
        },
    ),
    case(
        "R086",
        TWO_VNETS,
        {"connections.hub-dr.tunnels": "full-mesh"},
        {"connections.hub-dr.tunnels": "full-mesh", f"{VPN}.mode": "active-active"},
    ),
]
