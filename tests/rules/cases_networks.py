"""Cases of clients, of VNets joined to VNets, and of ExpressRoute."""

from typing import Any

from tests.rules.cases_gateways import LYON, VPN
from tests.rules.designs import (
    CIRCUIT,
    CLIENTS,
    COEXISTENCE,
    COEXISTENCE_2017,
    DIRECT,
    GONE,
    PEERED,
    SITE,
    TWO_VNETS,
    case,
    site,
    stream,
    vnet,
)

P2S = f"{VPN}.p2s"
RADIUS = {f"{P2S}.auth": {"kind": "radius", "server": "lyon"}}
A_SITE = {"sites.lyon": site(1)}
ITS_TUNNEL = {"connections": {"lyon-vpn": {"type": "ipsec", "gateway": "hub-vpn", "site": "lyon"}}}
ER = "connections.lyon-er"
DIRECT_CLASSIC = {"vnets.hub.deployment_model": "classic"}
GATEWAYS_GONE = {"gateways": {}, "connections": {}, "traffic": {}}


def spokes(count: int) -> dict[str, Any]:
    """So many VNets that are peered with the hub."""
    vnets = {
        f"spoke-{n}": vnet(
            1, address_space=[f"172.{16 + n // 250}.{n % 250}.0/24"], gateway_subnet=None
        )
        for n in range(count)
    }
    peerings = {
        f"peering-{n}": {"type": "peering", "vnets": ["hub", f"spoke-{n}"]} for n in range(count)
    }
    return {
        **{f"vnets.{name}": fields for name, fields in vnets.items()},
        **{f"connections.{name}": fields for name, fields in peerings.items()},
        "traffic": {"last": stream(**{"from": "hub", "to": f"spoke-{count - 1}"})},
    }


def circuits(count: int, *places: str) -> dict[str, Any]:
    """So many more circuits, dealt out to peering locations."""
    result: dict[str, Any] = {}
    for n in range(count):
        er = CIRCUIT["circuits"]["er"] | {"peering_location": places[n % len(places)]}
        result[f"circuits.er-{n}"] = er
        result[f"connections.er-{n}"] = {
            "type": "expressroute",
            "circuit": f"er-{n}",
            "gateway": "hub-er",
            "weight": n + 1,
        }
    return result


def prefixes(count: int) -> list[str]:
    return ["192.168.1.0/24", *(f"172.{16 + n // 256}.{n % 256}.0/24" for n in range(count - 1))]


OTHER_CLIENTS: dict[str, Any] = {
    "vnets.dr": vnet(1),
    "gateways.dr-vpn": {
        "type": "vpn",
        "vnet": "dr",
        "sku": "VpnGw1AZ",
        "p2s": {"address_pools": ["172.20.0.0/22"], "protocols": ["openvpn"]},
    },
    "clients.others": CLIENTS["clients"]["staff"] | {"gateway": "dr-vpn"},
}

CASES = [
    # clients
    case("R023", CLIENTS, {f"{P2S}.address_pools": ["10.0.7.0/24"]}),
    case(
        "R091",
        CLIENTS,
        {
            f"{P2S}.protocols": ["sstp"],
            "clients.staff.protocol": "sstp",
            "clients.staff.count": 129,
        },
        {
            f"{P2S}.protocols": ["sstp"],
            "clients.staff.protocol": "sstp",
            "clients.staff.count": 128,
        },
    ),
    case("R096", CLIENTS, {"clients.staff.count": 251}, {"clients.staff.count": 250}),
    case(
        "R092",
        CLIENTS,
        {f"{VPN}.sku": "Basic"},
        {f"{VPN}.sku": "Basic", f"{P2S}.protocols": ["sstp"], "clients.staff.protocol": "sstp"},
    ),
    case(
        "R093",
        CLIENTS,
        {
            "era": "2017-12",
            **DIRECT_CLASSIC,
            f"{VPN}.sku": "HighPerformance",
            f"{P2S}.protocols": ["sstp", "ikev2"],
            "clients": {},
            "traffic": {},
        },
        {
            "era": "2017-12",
            **DIRECT_CLASSIC,
            f"{VPN}.sku": "HighPerformance",
            f"{P2S}.protocols": ["sstp"],
            "clients": {},
            "traffic": {},
        },
        also="R092",
    ),
    case(
        "R094",
        CLIENTS,
        {
            f"{VPN}.sku": "Basic",
            f"{P2S}.protocols": ["sstp"],
            "clients.staff.protocol": "sstp",
            f"{P2S}.auth": {"kind": "radius"},
        },
        {
            f"{VPN}.sku": "Basic",
            f"{P2S}.protocols": ["sstp"],
            "clients.staff.protocol": "sstp",
        },
    ),
    case(
        "R095",
        CLIENTS,
        {f"{P2S}.protocols": ["openvpn", "sstp"]},
        {f"{P2S}.protocols": ["openvpn", "ikev2"]},
    ),
    case(
        "R097",
        CLIENTS,
        {f"{P2S}.protocols": ["ikev2", "sstp"], "clients.staff.protocol": "ikev2"},
        {f"{P2S}.protocols": ["ikev2"], "clients.staff.protocol": "ikev2"},
    ),
    case("R098", CLIENTS, {f"{VPN}.mode": "active-active"}, also="R088"),
    case(
        "R099",
        CLIENTS,
        {**A_SITE, **ITS_TUNNEL, "clients.staff.public_ip": "203.0.113.1"},
        {**A_SITE, **ITS_TUNNEL, "clients.staff.public_ip": "203.0.113.2"},
    ),
    case(
        "R100",
        CLIENTS,
        {**OTHER_CLIENTS, "traffic.work.to": "others"},
        {**OTHER_CLIENTS, "traffic.work.to": "hub"},
    ),
    case(
        "R101",
        CLIENTS,
        {
            "vnets.hub.address_space": ["10.0.0.0/16", *prefixes(256)[1:]],
            f"{P2S}.address_pools": ["100.64.0.0/22"],
            f"{P2S}.protocols": ["ikev2"],
            "clients.staff.protocol": "ikev2",
        },
        {
            "vnets.hub.address_space": ["10.0.0.0/16", *prefixes(255)[1:]],
            f"{P2S}.address_pools": ["100.64.0.0/22"],
            f"{P2S}.protocols": ["ikev2"],
            "clients.staff.protocol": "ikev2",
        },
    ),
    case("R102", CLIENTS, {**A_SITE, **RADIUS}, {**A_SITE, **RADIUS, **ITS_TUNNEL}),
    case(
        "R176",
        COEXISTENCE,
        {
            "connections": {"lyon-er": CIRCUIT["connections"]["lyon-er"]},
            P2S: CLIENTS["gateways"]["hub-vpn"]["p2s"]
            | {"auth": {"kind": "radius", "server": "lyon"}},
            "clients": CLIENTS["clients"],
            "sites.lyon.devices.ce1.bgp.local_preference": {},
            "sites.lyon.devices.ce2.bgp.local_preference": {},
        },
        {
            P2S: CLIENTS["gateways"]["hub-vpn"]["p2s"]
            | {"auth": {"kind": "radius", "server": "lyon"}},
            "clients": CLIENTS["clients"],
        },
    ),
    case("R103", CLIENTS, {**A_SITE, **ITS_TUNNEL}, also="R007"),
    # VNet to VNet
    case(
        "R104",
        TWO_VNETS,
        {"vnets.dr.region": "North Europe"},
        {"vnets.dr.region": "West Europe"},
    ),
    case("R105", TWO_VNETS, {"gateways.dr-vpn.vpn_type": "policy-based"}, also="R046"),
    case("R108", TWO_VNETS, {}, {"connections": {}, "traffic": {}}),
    # peering
    case(
        "R109",
        PEERED,
        {},
        {"connections": SITE["connections"]},
    ),
    case(
        "R110",
        PEERED,
        {"era": "2017-12", f"{VPN}.sku": "VpnGw2", "vnets.spoke.region": "North Europe"},
        {"era": "2017-12", f"{VPN}.sku": "VpnGw2"},
    ),
    case(
        "R111",
        PEERED,
        {
            "vnets.far": vnet(2, gateway_subnet=None),
            "connections.hub-far": {"type": "peering", "vnets": ["hub", "far"]},
            "traffic.office": stream(**{"from": "spoke", "to": "far"}),
        },
        {
            "vnets.far": vnet(2, gateway_subnet=None),
            "connections.hub-far": {"type": "peering", "vnets": ["spoke", "far"]},
            "traffic.office": stream(**{"from": "spoke", "to": "far"}),
        },
    ),
    case(
        "R112",
        PEERED,
        {
            "vnets.spoke.gateway_subnet": "10.1.255.0/26",
            "gateways.own": {"type": "vpn", "vnet": "spoke", "sku": "VpnGw2AZ"},
        },
    ),
    case("R113", PEERED, {"connections.hub-spoke.allow_gateway_transit": None}),
    case(
        "R114",
        PEERED,
        {"era": "2017-12", f"{VPN}.sku": "VpnGw2", "vnets.spoke.deployment_model": "classic"},
        {
            "era": "2017-12",
            f"{VPN}.sku": "VpnGw2",
            "vnets.spoke.deployment_model": "classic",
            "connections.hub-spoke": {"type": "peering", "vnets": ["hub", "spoke"]},
        },
    ),
    case(
        "R116",
        CIRCUIT,
        spokes(501),
        spokes(500),
    ),
    case(
        "R184",
        SITE,
        {"era": "2017-12", f"{VPN}.sku": "VpnGw2", **spokes(51)},
        {"era": "2017-12", f"{VPN}.sku": "VpnGw2", **spokes(50)},
    ),
    case(
        "R160",
        PEERED,
        {"vnets.hub.deployment_model": "classic"},
        {"vnets.spoke.deployment_model": "classic"},
    ),
    case(
        "R168",
        PEERED,
        {"vnets.hub.deployment_model": "classic", "vnets.spoke.deployment_model": "classic"},
        {"vnets.spoke.deployment_model": "classic"},
    ),
    case(
        "R170",
        PEERED,
        {
            "era": "2017-12",
            f"{VPN}.sku": "VpnGw2",
            "connections.hub-spoke": {"type": "peering", "vnets": ["hub", "spoke"]},
            "vnets.spoke.deployment_model": "classic",
            "vnets.spoke.subscription": "other",
        },
        {
            "era": "2017-12",
            f"{VPN}.sku": "VpnGw2",
            "connections.hub-spoke": {"type": "peering", "vnets": ["hub", "spoke"]},
            "vnets.spoke.deployment_model": "classic",
        },
    ),
    case(
        "R188",
        PEERED,
        {"era": "2017-12", f"{VPN}.sku": "VpnGw2", "vnets.spoke.tenant": "other"},
        {"era": "2017-12", f"{VPN}.sku": "VpnGw2"},
    ),
    # coexistence
    case(
        "R012",
        COEXISTENCE,
        {"vnets.hub.gateway_subnet": "10.0.255.0/28"},
        {"vnets.hub.gateway_subnet": "10.0.255.0/27"},
    ),
    case(
        "R118",
        COEXISTENCE,
        {f"{VPN}.sku": "Basic", f"{LYON}.routing": "static"},
        {f"{LYON}.routing": "static"},
    ),
    case("R119", COEXISTENCE_2017, {"gateways.hub-er.sku": "Basic"}),
    case(
        "R121",
        COEXISTENCE,
        {
            "sites.paris": site(2),
            "connections.lyon-vpn.site": "paris",
            "traffic.office": stream(**{"from": "lyon", "to": "paris"}),
        },
        {
            "sites.paris": site(2),
            "connections.lyon-vpn.site": "paris",
            "traffic.office": stream(**{"from": "hub", "to": "paris"}),
        },
    ),
    case(
        "R124",
        COEXISTENCE,
        {
            "sites.lyon.devices.ce1.bgp.local_preference": {"lyon-vpn": 300},
            "sites.lyon.devices.ce2.bgp.local_preference": {"lyon-vpn": 300},
        },
        also="R085",
    ),
    case("R125", COEXISTENCE, {f"{LYON}.routing": "static"}),
    case(
        "R126",
        COEXISTENCE,
        {"circuits.er.bandwidth": "2 Gbit/s", "gateways.hub-er.sku": "ErGw2AZ"},
        {"circuits.er.bandwidth": "1 Gbit/s", "gateways.hub-er.sku": "ErGw2AZ"},
    ),
    case("R128", COEXISTENCE, {"vnets.hub.ipv6": True}),
    case(
        "R129",
        COEXISTENCE_2017,
        {"vnets.hub.gateway_subnet": "10.0.255.0/28"},
        {"vnets.hub.gateway_subnet": "10.0.255.0/27"},
        also="R012",
    ),
    # circuits and their gateways
    case(
        "R013",
        CIRCUIT,
        {
            "gateways.hub-er.sku": "ErGw3AZ",
            "vnets.hub.gateway_subnet": "10.0.255.0/27",
            **circuits(15, "Paris", "London", "Frankfurt", "Dublin", "Madrid"),
        },
        {
            "gateways.hub-er.sku": "ErGw3AZ",
            "vnets.hub.gateway_subnet": "10.0.255.0/26",
            **circuits(15, "Paris", "London", "Frankfurt", "Dublin", "Madrid"),
        },
    ),
    case("R131", CIRCUIT, {"circuits.er.links.secondary.device": "ce1"}),
    case("R132", CIRCUIT, {"circuits.er.bgp": {"honours_prepend": False}}),
    case(
        "R133",
        CIRCUIT,
        {"circuits.er.bandwidth": "50 Mbit/s", "traffic.office.rate": "55 Mbit/s"},
        {"circuits.er.bandwidth": "50 Mbit/s", "traffic.office.rate": "45 Mbit/s"},
    ),
    case(
        "R134",
        CIRCUIT,
        circuits(4, "Paris", "London", "Dublin"),
        circuits(3, "Paris", "London", "Dublin"),
    ),
    case(
        "R135",
        CIRCUIT,
        {
            "gateways.hub-er.sku": "ErGw3AZ",
            **{
                path: fields | ({"weight": 0} if "weight" in fields else {})
                for path, fields in circuits(4, "Paris", "London").items()
            },
        },
        {"gateways.hub-er.sku": "ErGw3AZ", **circuits(4, "Paris", "London")},
        also="R085",
    ),
    case(
        "R136",
        CIRCUIT,
        {"circuits.er.peerings": {"private": {"advertise": prefixes(4001)}}},
        {"circuits.er.peerings": {"private": {"advertise": prefixes(4000)}}},
    ),
    case(
        "R137",
        CIRCUIT,
        {"vnets.hub.region": "East US"},
        {"vnets.hub.region": "East US", "circuits.er.tier": "premium"},
    ),
    case(
        "R138",
        CIRCUIT,
        {"circuits.er.bandwidth": "2 Gbit/s"},
        {"circuits.er.bandwidth": "1 Gbit/s"},
    ),
    case(
        "R139",
        CIRCUIT,
        {f"{ER}.fastpath": True},
        {f"{ER}.fastpath": True, "gateways.hub-er.sku": "ErGw3AZ"},
    ),
    case(
        "R140",
        CIRCUIT,
        {"traffic.office.packet_size": "1401 bytes"},
        {"traffic.office.packet_size": "1400 bytes"},
    ),
    case(
        "R141",
        CIRCUIT,
        {
            "vnets.dr": vnet(1),
            "gateways.dr-er": {"type": "expressroute", "vnet": "dr", "sku": "ErGw1AZ"},
            "connections.dr-er": {"type": "expressroute", "circuit": "er", "gateway": "dr-er"},
            "traffic.office": stream(**{"from": "hub", "to": "dr"}),
        },
        {
            "vnets.dr": vnet(1),
            "gateways.dr-er": {"type": "expressroute", "vnet": "dr", "sku": "ErGw1AZ"},
            "connections.dr-er": {"type": "expressroute", "circuit": "er", "gateway": "dr-er"},
            "connections.hub-dr": {"type": "peering", "vnets": ["hub", "dr"]},
            "traffic.office": stream(**{"from": "hub", "to": "dr"}),
        },
    ),
    case(
        "R142",
        CIRCUIT,
        {
            "gateways.hub-er.sku": "ErGwScale",
            "gateways.hub-er.scale_units": 2,
            "gateways.hub-er.public_ip": "basic",
        },
        {"gateways.hub-er.sku": "ErGwScale", "gateways.hub-er.scale_units": 2},
    ),
    case("R143", CIRCUIT, {"vnets.hub.vms": 2001}, {"vnets.hub.vms": 2000}),
    case("R144", CIRCUIT, {"circuits.er.bfd": GONE}),
    case(
        "R165",
        CIRCUIT,
        {
            f"{ER}.fastpath": True,
            "gateways.hub-er.sku": "ErGw3AZ",
            "vnets.spoke": vnet(1, gateway_subnet=None),
            "connections.hub-spoke": PEERED["connections"]["hub-spoke"],
        },
        {f"{ER}.fastpath": True, "gateways.hub-er.sku": "ErGw3AZ"},
        also="R109",
    ),
    case(
        "R166",
        DIRECT,
        {f"{ER}.fastpath": True, "vnets.hub.vms": 100_001, "gateways.hub-er.sku": "ErGw3AZ"},
        {f"{ER}.fastpath": True, "vnets.hub.vms": 100_000},
        also="R143",
    ),
    case("R167", CIRCUIT, {"private_endpoints.pe": {"vnet": "hub", "address": "10.0.1.4"}}),
    case(
        "R185",
        CIRCUIT,
        {
            "circuits.er.peering_location": "Abu Dhabi",
            "circuits.er.metro": True,
            "circuits.er.tier": "premium",
        },
        {
            "circuits.er.peering_location": "Amsterdam",
            "circuits.er.metro": True,
            "circuits.er.tier": "premium",
        },
    ),
    case("R186", DIRECT, {"peering_ports.port.peering_location": "Marseille"}),
    case(
        "R187", CIRCUIT, {"circuits.er.peering_location": "Beijing", "circuits.er.tier": "premium"}
    ),
]
