"""Cases of tunnels, suites, BGP and NAT."""

from tests.rules.cases_gateways import LYON, SECOND_SITE, TWO_DEVICES, VPN
from tests.rules.designs import (
    GONE,
    NAT,
    SITE,
    SITE_2017,
    TWO_VNETS,
    case,
    site,
)

BGP = "sites.lyon.devices.edge.bgp"
STATIC = {f"{LYON}.routing": "static"}


def many(count: int, sku: str) -> dict[str, object]:
    """So many sites with a static connection each."""
    sites = {
        f"site-{n}": {
            **site(1, public_ip=f"203.0.{n // 250}.{n % 250 + 1}"),
            "address_space": [f"172.{16 + n // 250}.{n % 250}.0/24"],
        }
        for n in range(count)
    }
    connections = {
        f"vpn-{n}": {"type": "ipsec", "gateway": "hub-vpn", "site": f"site-{n}"}
        for n in range(count)
    }
    stream = {"kind": "constant", "rate": "1 Mbit/s", "packet_size": "500 bytes"}
    last = f"site-{count - 1}"
    return {
        "sites": sites,
        "connections": connections,
        f"{VPN}.sku": sku,
        "traffic": {"office": {**stream, "from": last, "to": "hub"}},
    }


def announced(count: int) -> list[str]:
    return ["192.168.1.0/24", *(f"172.{16 + n // 256}.{n % 256}.0/24" for n in range(count - 1))]


CASES = [
    case("R018", SITE, {"sites.lyon.address_space": ["10.0.7.0/24"]}, also=""),
    case("R030", SITE, {"sites.lyon.devices.edge.public_ip": GONE}),
    case("R031", SITE_2017, {"sites.lyon.devices.edge.behind_nat": True}),
    case(
        "R032",
        SITE,
        {"sites.lyon.devices.edge.behind_nat": True},
        {"sites.lyon.devices.edge.behind_nat": True, f"{LYON}.initiator": "device"},
    ),
    case("R034", SITE, many(31, "VpnGw1AZ"), many(30, "VpnGw1AZ")),
    case("R183", SITE_2017, many(11, "Basic"), many(10, "Basic")),
    case(
        "R035",
        SITE,
        {**many(51, "VpnGw4AZ"), f"{VPN}.mode": "active-active"},
        {**many(50, "VpnGw4AZ"), f"{VPN}.mode": "active-active"},
    ),
    case(
        "R037",
        SITE,
        {
            **TWO_DEVICES,
            f"{LYON}.devices": ["edge"],
            "connections.second": {
                "type": "ipsec",
                "gateway": "hub-vpn",
                "site": "lyon",
                "devices": ["edge-2"],
            },
        },
        {
            **TWO_DEVICES,
            f"{LYON}.devices": ["edge"],
            "connections.second": {
                "type": "ipsec",
                "gateway": "hub-vpn",
                "site": "lyon",
                "devices": ["edge-2"],
                "routing": "bgp",
            },
        },
    ),
    case("R038", SITE, {**TWO_DEVICES, **STATIC}, TWO_DEVICES),
    case(
        "R039",
        SITE,
        {
            **TWO_DEVICES,
            **STATIC,
            f"{LYON}.devices": ["edge"],
            "connections.second": {
                "type": "ipsec",
                "gateway": "hub-vpn",
                "site": "lyon",
                "devices": ["edge-2"],
            },
        },
        {**STATIC},
        also="R007 R085",
    ),
    case("R040", SITE, {f"{LYON}.shared_key_matches": False}),
    case(
        "R042",
        SITE,
        {f"{LYON}.mtu": {"tunnel": "1450 bytes", "mss_clamp": None}},
        {f"{LYON}.mtu": {"tunnel": "1400 bytes", "mss_clamp": None}},
    ),
    case(
        "R042",
        SITE,
        {f"{LYON}.mtu": {"mss_clamp": "1351 bytes"}},
        {f"{LYON}.mtu": {"mss_clamp": "1350 bytes"}},
    ),
    case("R044", SITE, {f"{LYON}.dpd.gateway": "29 s"}, {f"{LYON}.dpd.gateway": "30 s"}),
    case("R044", TWO_VNETS, {"connections.hub-dr.dpd": "9 s"}),
    case(
        "R045",
        SITE,
        {"faults": [{"kind": "tunnel-down", "connection": "lyon-vpn", "at": "1 s"}]},
        {"faults": [{"kind": "device-failure", "site": "lyon", "device": "edge", "at": "1 s"}]},
    ),
    case(
        "R053",
        SITE,
        {
            f"{VPN}.sku": "Basic",
            **STATIC,
            f"{LYON}.ipsec": {"encryption": "AES128", "integrity": "SHA256"},
        },
        {f"{VPN}.sku": "Basic", **STATIC},
        also="R054",
    ),
    case("R054", SITE, {f"{LYON}.ike_policy": {"encryption": "AES256"}}),
    case(
        "R055",
        SITE,
        {f"{LYON}.ipsec": {"encryption": "GCMAES256", "integrity": "SHA256"}},
        {f"{LYON}.ipsec": {"encryption": "GCMAES256", "integrity": "GCMAES256"}},
    ),
    case(
        "R056",
        TWO_VNETS,
        {"connections.hub-dr.ipsec_of_second": {"encryption": "AES128", "integrity": "SHA256"}},
        {"connections.hub-dr.ipsec_of_second": {}},
    ),
    case(
        "R058",
        SITE,
        {f"{VPN}.sku": "Basic", **STATIC, f"{LYON}.ike": "v1"},
        {f"{VPN}.sku": "Basic", **STATIC, f"{LYON}.ike": "v2"},
        also="R059",
    ),
    case("R059", SITE, {f"{LYON}.ike": "v1"}),
    case(
        "R060",
        SITE,
        {
            "sites.lyon.internet.isp": {"down": "1 Gbit/s", "up": "1 Gbit/s"},
            f"{LYON}.ipsec": {"encryption": "AES256", "integrity": "SHA256"},
        },
        {
            "sites.lyon.internet.isp": {"down": "1 Gbit/s", "up": "1 Gbit/s"},
            f"{LYON}.ipsec": {"encryption": "GCMAES256", "integrity": "GCMAES256"},
        },
    ),
    case("R052", SITE, {f"{LYON}.policy_based_selectors": True}),
    # BGP
    case("R061", SITE, {f"{VPN}.sku": "Basic"}, {f"{VPN}.sku": "Basic", **STATIC}, also="R062"),
    case("R062", SITE, {}, {f"{VPN}.bgp": {"asn": 65521}}),
    case("R063", SITE, {f"{BGP}.asn": 65518}, {f"{BGP}.asn": 65516}),
    case("R063", SITE, {f"{BGP}.asn": 12076}, {f"{BGP}.asn": 12077}),
    case("R064", SITE, {f"{BGP}.asn": 64511}, {f"{BGP}.asn": 64512}),
    case("R064", SITE, {f"{VPN}.bgp": {"asn": 23456}}, {f"{VPN}.bgp": {"asn": 23457}}),
    case("R065", SITE, {f"{VPN}.bgp": {"asn": 65011}}, {f"{VPN}.bgp": {"asn": 65012}}),
    case(
        "R065",
        TWO_VNETS,
        {"connections.hub-dr.routing": "bgp", "gateways.dr-vpn.bgp": {"asn": 65515}},
        {"connections.hub-dr.routing": "bgp"},
    ),
    case("R066", SITE_2017, {f"{BGP}.asn": 70000}, {f"{BGP}.asn": 65534}),
    case("R067", SITE, {f"{BGP}.peer_ip": "10.0.3.4"}),
    case("R067", SITE, {f"{BGP}.peer_ip": "203.0.113.1"}),
    case(
        "R164",
        SITE_2017,
        {
            f"{BGP}.peer_ip": "169.254.21.5",
            "sites.lyon.address_space": ["192.168.1.0/24", "169.254.21.5/32"],
        },
    ),
    case(
        "R068",
        SITE,
        {
            "sites.lyon.address_space": ["192.168.1.0/24", "192.168.9.9/32"],
            f"{BGP}.peer_ip": "192.168.9.9",
        },
        {f"{BGP}.peer_ip": "192.168.9.9"},
    ),
    case(
        "R068",
        SITE_2017,
        {f"{BGP}.peer_ip": "192.168.9.9"},
        {
            "sites.lyon.address_space": ["192.168.1.0/24", "192.168.9.9/32"],
            f"{BGP}.peer_ip": "192.168.9.9",
        },
    ),
    case(
        "R069", SITE, {f"{BGP}.advertise": announced(4001)}, {f"{BGP}.advertise": announced(2000)}
    ),
    case(
        "R070",
        SITE,
        {f"{BGP}.advertise": ["192.168.1.0/24", "10.0.9.0/24"]},
        {f"{BGP}.advertise": ["192.168.1.0/24", "10.0.0.0/8"]},
    ),
    case("R071", SITE, {f"{BGP}.advertise": ["192.168.1.0/24", "0.0.0.0/0"]}),
    case(
        "R073",
        SITE,
        {
            **SECOND_SITE,
            "connections.paris-vpn.ike": "v2",
            "traffic.office.to": "paris",
        },
        {
            **SECOND_SITE,
            "connections.paris-vpn.ike": "v2",
            "connections.paris-vpn.routing": "bgp",
            "traffic.office.to": "paris",
        },
    ),
    case("R074", SITE, {f"{BGP}.hold": "90 s"}, {f"{BGP}.hold": "180 s"}),
    case(
        "R075",
        SITE,
        {f"{BGP}.keepalive": "10 s", f"{BGP}.hold": "59 s"},
        {f"{BGP}.keepalive": "10 s", f"{BGP}.hold": "60 s"},
    ),
    case(
        "R076", SITE, {f"{BGP}.advertise": announced(2412)}, {f"{BGP}.advertise": announced(2411)}
    ),
    case("R079", SITE, {f"{BGP}.peer_ip": "169.254.20.255"}, {f"{BGP}.peer_ip": "169.254.21.0"}),
    case(
        "R080",
        SITE,
        {**TWO_DEVICES, "sites.lyon.devices.edge-2.bgp.peer_ip": "192.168.1.254"},
        TWO_DEVICES,
    ),
    # NAT
    case("R019", NAT, {f"{VPN}.sku": "VpnGw1AZ"}),
    case(
        "R020",
        NAT,
        {
            f"{VPN}.nat": {
                f"in-{n}": {
                    "mode": "ingress",
                    "internal": f"192.{n // 256}.{n % 256}.0/24",
                    "external": f"100.{n // 256}.{n % 256}.0/24",
                }
                for n in range(501)
            },
            f"{LYON}.nat": [],
        },
        {
            f"{VPN}.nat": {
                f"in-{n}": {
                    "mode": "ingress",
                    "internal": f"192.{n // 256}.{n % 256}.0/24",
                    "external": f"100.{n // 256}.{n % 256}.0/24",
                }
                for n in range(500)
            },
            f"{LYON}.nat": [],
        },
    ),
    case("R022", NAT, {f"{BGP}.peer_ip": "169.254.21.5"}),
    case("R171", NAT, {f"{VPN}.mode": "active-active"}, also="R088 R182"),
    case("R172", NAT, {"sites.lyon.address_space": ["192.168.1.0/24", "192.168.2.0/24"]}),
    case("R173", NAT, {f"{VPN}.nat.in.external": "100.64.1.0/25"}),
    case(
        "R174",
        NAT,
        {
            f"{VPN}.nat.in": {
                "mode": "ingress",
                "kind": "dynamic",
                "internal": "192.168.1.0/24",
                "external": "100.64.1.0/28",
            },
            "traffic.office": {
                "kind": "constant",
                "from": "hub",
                "to": "lyon",
                "rate": "1 Mbit/s",
                "packet_size": "500 bytes",
            },
        },
        {
            f"{VPN}.nat.in": {
                "mode": "ingress",
                "kind": "dynamic",
                "internal": "192.168.1.0/24",
                "external": "100.64.1.0/28",
            },
        },
    ),
    case(
        "R175",
        NAT,
        {
            **SECOND_SITE,
            "connections.paris-vpn.ike": "v2",
            "connections.paris-vpn.nat": ["in"],
        },
        {**SECOND_SITE, "connections.paris-vpn.ike": "v2"},
        also="R172",
    ),
]
