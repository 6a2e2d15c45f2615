"""Small scenarios for the planner's tests, as dicts that tests change."""

import copy
from typing import Any

from simulator.scenario import Scenario, load

ONE_SITE: dict[str, Any] = {
    "schema_version": 1,
    "title": "one site",
    "run": {"horizon": "400 s", "seed": 7},
    "vnets": {
        "hub": {
            "region": "West Europe",
            "address_space": ["10.0.0.0/16"],
            "gateway_subnet": "10.0.255.0/27",
        }
    },
    "sites": {
        "lyon": {
            "location": {"near": "France Central"},
            "address_space": ["192.168.10.0/24"],
            "internet": {
                "isp": {
                    "down": "500 Mbit/s",
                    "up": "200 Mbit/s",
                    "delay": "4 ms",
                    "jitter": "0.3 ms",
                    "loss": "0 %",
                    "buffer": "20 ms",
                }
            },
            "devices": {"edge": {"public_ip": "203.0.113.7"}},
        }
    },
    "gateways": {"hub-vpn": {"type": "vpn", "vnet": "hub", "sku": "VpnGw1AZ"}},
    "connections": {
        "lyon-vpn": {
            "type": "ipsec",
            "gateway": "hub-vpn",
            "site": "lyon",
            "ipsec": {"encryption": "GCMAES256", "integrity": "GCMAES256"},
        }
    },
    "traffic": {
        "office": {
            "kind": "constant",
            "from": "lyon",
            "to": "hub",
            "rate": "10 Mbit/s",
            "reply_rate": "20 Mbit/s",
            "packet_size": "1000 bytes",
        }
    },
}

SECOND_SITE: dict[str, Any] = {
    "sites": {
        "paris": {
            "location": {"near": "France Central"},
            "lan": {"rate": "1 Gbit/s"},
            "address_space": ["192.168.20.0/24"],
            "internet": {"isp": {"down": "100 Mbit/s", "up": "100 Mbit/s"}},
            "devices": {"edge": {"public_ip": "203.0.113.8", "model": "branch-small"}},
        }
    },
    "connections": {"a-paris-vpn": {"type": "ipsec", "gateway": "hub-vpn", "site": "paris"}},
    "traffic": {
        "a-paris-bulk": {"kind": "bulk-tcp", "from": "paris", "to": "hub", "flows": 3},
        "a-paris-calls": {
            "kind": "voice",
            "from": "hub",
            "to": "paris",
            "codec": "G.711",
            "calls": 2,
        },
    },
}


def design(**sections: Any) -> Scenario:
    """`ONE_SITE` with sections changed: maps are merged, anything else replaces."""
    return load(merged(ONE_SITE, sections))


def two_sites() -> Scenario:
    return design(**SECOND_SITE)


def active_active(**sections: Any) -> Scenario:
    gateways = {"hub-vpn": {"mode": "active-active"}}
    return load(merged(merged(ONE_SITE, {"gateways": gateways}), sections))


def merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return copy.deepcopy(above)
    result = dict(below)
    for key, value in above.items():
        result[key] = merged(below[key], value) if key in below else copy.deepcopy(value)
    return copy.deepcopy(result)
