"""Small designs that keep every rule but for notes, and how a case changes them."""

import copy
import json
import re
from dataclasses import dataclass, field
from typing import Any

from simulator import planner
from simulator.base.errors import CrosspremError, ScenarioError
from simulator.scenario import load

#: Reading more text than this takes seconds.
LONG_CHARACTERS = 70_000

#: Value of a change that removes what is there.
GONE = object()


def site(number: int, **device: Any) -> dict[str, Any]:
    """A site with one device and a BGP speaker inside its own addresses."""
    return {
        "location": {"near": "France Central"},
        "address_space": [f"192.168.{number}.0/24"],
        "internet": {"isp": {"down": "200 Mbit/s", "up": "100 Mbit/s"}},
        "devices": {
            "edge": {
                "public_ip": f"203.0.113.{number}",
                "bgp": {"asn": 65010 + number, "peer_ip": f"192.168.{number}.254"},
                **device,
            }
        },
    }


def vnet(number: int, **fields: Any) -> dict[str, Any]:
    """A VNet with a GatewaySubnet."""
    return {
        "region": "West Europe",
        "address_space": [f"10.{number}.0.0/16"],
        "gateway_subnet": f"10.{number}.255.0/26",
        **fields,
    }


def stream(**ends: str) -> dict[str, Any]:
    return {
        "kind": "constant",
        "rate": "1 Mbit/s",
        "reply_rate": "1 Mbit/s",
        "packet_size": "500 bytes",
        **ends,
    }


HEAD: dict[str, Any] = {"schema_version": 1, "title": "a case of a rule", "run": {"horizon": "2 s"}}

SITE: dict[str, Any] = HEAD | {
    "vnets": {"hub": vnet(0)},
    "sites": {"lyon": site(1)},
    "gateways": {"hub-vpn": {"type": "vpn", "vnet": "hub", "sku": "VpnGw2AZ"}},
    "connections": {
        "lyon-vpn": {"type": "ipsec", "gateway": "hub-vpn", "site": "lyon", "routing": "bgp"}
    },
    "traffic": {"office": stream(**{"from": "lyon", "to": "hub"})},
}

SITE_2017: dict[str, Any] = SITE | {
    "era": "2017-12",
    "gateways": {"hub-vpn": {"type": "vpn", "vnet": "hub", "sku": "VpnGw2"}},
}

POLICY_BASED: dict[str, Any] = SITE | {
    "gateways": {
        "hub-vpn": {"type": "vpn", "vnet": "hub", "sku": "Basic", "vpn_type": "policy-based"}
    },
    "connections": {
        "lyon-vpn": {"type": "ipsec", "gateway": "hub-vpn", "site": "lyon", "ike": "v1"}
    },
}

CLIENTS: dict[str, Any] = HEAD | {
    "vnets": {"hub": vnet(0)},
    "gateways": {
        "hub-vpn": {
            "type": "vpn",
            "vnet": "hub",
            "sku": "VpnGw1AZ",
            "p2s": {"address_pools": ["172.16.0.0/22"], "protocols": ["openvpn"]},
        }
    },
    "clients": {
        "staff": {
            "gateway": "hub-vpn",
            "protocol": "openvpn",
            "count": 3,
            "location": {"near": "France Central"},
            "access": {"down": "50 Mbit/s", "up": "10 Mbit/s"},
        }
    },
    "traffic": {"work": stream(**{"from": "staff", "to": "hub"})},
}

TWO_VNETS: dict[str, Any] = HEAD | {
    "vnets": {"hub": vnet(0), "dr": vnet(1)},
    "gateways": {
        "hub-vpn": {"type": "vpn", "vnet": "hub", "sku": "VpnGw2AZ"},
        "dr-vpn": {"type": "vpn", "vnet": "dr", "sku": "VpnGw2AZ", "bgp": {"asn": 65521}},
    },
    "connections": {"hub-dr": {"type": "vnet-to-vnet", "gateways": ["hub-vpn", "dr-vpn"]}},
    "traffic": {"copy": stream(**{"from": "hub", "to": "dr"})},
}

PEERED: dict[str, Any] = SITE | {
    "vnets": {"hub": vnet(0), "spoke": vnet(1, gateway_subnet=None)},
    "connections": SITE["connections"]
    | {
        "hub-spoke": {
            "type": "peering",
            "vnets": ["hub", "spoke"],
            "allow_gateway_transit": "hub",
            "use_remote_gateways": "spoke",
        }
    },
}

CIRCUIT: dict[str, Any] = HEAD | {
    "vnets": {"hub": vnet(0)},
    "sites": {
        "lyon": {
            "location": {"near": "France Central"},
            "address_space": ["192.168.1.0/24"],
            "internet": {"isp": {"down": "200 Mbit/s", "up": "100 Mbit/s"}},
            "devices": {
                "ce1": {"bgp": {"asn": 65021, "peer_ip": "192.168.1.251"}},
                "ce2": {"bgp": {"asn": 65021, "peer_ip": "192.168.1.252"}},
            },
        }
    },
    "circuits": {
        "er": {
            "provider_model": "point-to-point-ethernet",
            "peering_location": "Amsterdam",
            "bandwidth": "500 Mbit/s",
            "links": {
                "primary": {"site": "lyon", "device": "ce1"},
                "secondary": {"site": "lyon", "device": "ce2"},
            },
            "bfd": {},
        }
    },
    "gateways": {"hub-er": {"type": "expressroute", "vnet": "hub", "sku": "ErGw1AZ"}},
    "connections": {"lyon-er": {"type": "expressroute", "circuit": "er", "gateway": "hub-er"}},
    "traffic": {"office": stream(**{"from": "lyon", "to": "hub"})},
}

DIRECT: dict[str, Any] = CIRCUIT | {
    "peering_ports": {"port": {"peering_location": "Amsterdam", "bandwidth": "10 Gbit/s"}},
    "circuits": {
        "er": {k: v for k, v in CIRCUIT["circuits"]["er"].items() if k != "peering_location"}
        | {"provider_model": "direct", "port": "port", "bandwidth": "1 Gbit/s"}
    },
    "gateways": {"hub-er": {"type": "expressroute", "vnet": "hub", "sku": "ErGw3AZ"}},
}

#: Both gateways in one VNet; the site prefers the circuit.
COEXISTENCE: dict[str, Any] = CIRCUIT | {
    "sites": {
        "lyon": CIRCUIT["sites"]["lyon"]
        | {
            "devices": {
                "edge": site(1)["devices"]["edge"],
                **{
                    name: {"bgp": {**ce["bgp"], "local_preference": {"lyon-er": 200}}}
                    for name, ce in CIRCUIT["sites"]["lyon"]["devices"].items()
                },
            }
        }
    },
    "gateways": CIRCUIT["gateways"] | SITE["gateways"],
    "connections": CIRCUIT["connections"] | SITE["connections"],
}

COEXISTENCE_2017: dict[str, Any] = COEXISTENCE | {
    "era": "2017-12",
    "gateways": {
        "hub-er": {"type": "expressroute", "vnet": "hub", "sku": "Standard"},
        "hub-vpn": {"type": "vpn", "vnet": "hub", "sku": "VpnGw2"},
    },
}

NAT: dict[str, Any] = SITE | {
    "gateways": {
        "hub-vpn": SITE["gateways"]["hub-vpn"]
        | {
            "nat": {
                "in": {"mode": "ingress", "internal": "192.168.1.0/24", "external": "100.64.1.0/24"}
            }
        }
    },
    "connections": {"lyon-vpn": SITE["connections"]["lyon-vpn"] | {"nat": ["in"]}},
}


@dataclass(frozen=True)
class Case:
    """A change that breaks one rule of a design, and one that just keeps it."""

    rule: str
    base: dict[str, Any]
    broken: dict[str, Any]
    fine: dict[str, Any] = field(default_factory=dict)
    also: frozenset[str] = frozenset()
    """Rules that nobody can keep once this one is broken."""


def case(
    rule: str,
    base: dict[str, Any],
    broken: dict[str, Any],
    fine: dict[str, Any] | None = None,
    also: str = "",
) -> Case:
    return Case(rule, base, broken, fine or {}, frozenset(also.split()))


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A design with values at dotted paths replaced, added or removed."""
    result = copy.deepcopy(base)
    for path, value in changes.items():
        *above, last = path.split(".")
        node = result
        for part in above:
            node = node.setdefault(part, {})
        if value is GONE:
            del node[last]
        else:
            node[last] = copy.deepcopy(value)
    return result


@dataclass
class Verdict:
    """Which rules were named: in refusals, warnings and notes."""

    rejected: set[str]
    warned: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)
    problems: tuple[Any, ...] = ()

    @property
    def rules(self) -> set[str]:
        return self.rejected | self.warned | self.noted


def named(text: object) -> set[str]:
    return set(re.findall(r"R\d{3}", " ".join(re.findall(r"\(rules? [^)]*\)", str(text)))))


def verdict(design: dict[str, Any]) -> Verdict:
    """Load and plan a design, as text so that everything has a line unless it is very long."""
    text = json.dumps(design, indent=1)
    try:
        scenario = load(text if len(text) < LONG_CHARACTERS else design)
    except ScenarioError as error:
        return Verdict(named(error), problems=error.problems)
    notes = named(" ".join(map(str, scenario.notes)))
    try:
        plan = planner.build(scenario)
    except CrosspremError as error:
        return Verdict(set(), named(error) | named(" ".join(map(str, scenario.warnings))), notes)
    reasons = [decision.reason for of in plan.meta["decisions"].values() for decision in of]
    return Verdict(set(), named(" ".join(plan.meta["warnings"])), notes | named(" ".join(reasons)))
