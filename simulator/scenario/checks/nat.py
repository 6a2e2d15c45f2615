"""What NAT rules of a gateway need to make sense, and which addresses they leave to be disjoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Final

from simulator.base.errors import CatalogError, Problem
from simulator.catalog import Catalog
from simulator.nat import NatRule, nat_rule, translated
from simulator.scenario.checks.dangling import Dangling
from simulator.scenario.checks.written import as_list, as_map, as_text, entries
from simulator.scenario.source import Source, TreePath

if TYPE_CHECKING:
    from simulator.scenario.model import Scenario
    from simulator.scenario.parts import Parts

APIPA: Final = IPv4Network("169.254.0.0/16")
#: Gateway families that translate addresses (rule R019).
FAMILIES: Final = ("VpnGw2", "VpnGw3", "VpnGw4", "VpnGw5")


def references(data: Mapping[str, Any], found: Dangling) -> None:
    """Names of NAT rules that the connection's gateway does not have."""
    gateways = as_map(data.get("gateways"))
    for name, connection in entries(data.get("connections")):
        gateway = gateways.get(as_text(connection.get("gateway")))
        rules = gateway.get("nat", {}) if isinstance(gateway, dict) else None
        for index, rule in enumerate(as_list(connection.get("nat"))):
            if isinstance(rules, dict):
                what = f"NAT rule of {connection['gateway']}"
                found.name(("connections", name, "nat", index), rule, rules, what)


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Everything about NAT that is well written and still cannot be."""
    for name, gateway in parts.gateways.items():
        if gateway.nat:
            yield from _gateway(name, gateway, tree, catalog)
    for name, gateway in parts.gateways.items():
        yield from _shared_rules(name, gateway, parts, tree)
    for name, connection in parts.connections.items():
        if connection.type == "ipsec" and connection.nat:
            yield from _apipa(name, connection, parts, tree)
    yield from _seen_by_sites(parts, tree)


def _gateway(name: str, gateway: Any, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    path: TreePath = ("gateways", name, "nat")
    try:
        sku = catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
    except CatalogError:
        return
    if not sku.name.removesuffix("AZ").startswith(FAMILIES):
        rule = f"{sku.name} has no NAT (rule R019)"
        yield tree.problem(path, rule, "choose VpnGw2AZ or larger", key=True)
    limit = next(
        (
            catalog.limit(row.text("id")).value
            for row in catalog.table("limits").where(applies_to="vpn gateway nat", unit="rules")
        ),
        None,
    )
    if limit is not None and len(gateway.nat) > limit:
        rule = f"a gateway has at most {limit:.0f} NAT rules (rule R020)"
        yield tree.problem(path, rule, f"remove {len(gateway.nat) - limit:.0f} of them", key=True)
    for rule_name, nat in gateway.nat.items():
        if nat.instance >= gateway.instances:
            rule = f"the gateway has {gateway.instances} instances, numbered from 0"
            fix = f"write 0 to {gateway.instances - 1}"
            yield tree.problem((*path, rule_name, "instance"), rule, fix)


def _shared_rules(name: str, gateway: Any, parts: Parts, tree: Source) -> Iterator[Problem]:
    """An ingress rule serves several connections only to one site (rule R175)."""
    sites: dict[str, str] = {}
    for connection_name, connection in parts.connections.items():
        if connection.type != "ipsec" or connection.gateway != name:
            continue
        for index, rule_name in enumerate(connection.nat):
            nat = gateway.nat.get(rule_name)
            if nat is None or nat.mode != "ingress":
                continue
            other = sites.setdefault(rule_name, connection.site)
            if other != connection.site:
                rule = f"{rule_name} translates the addresses of {other} already (rule R175)"
                path: TreePath = ("connections", connection_name, "nat", index)
                yield tree.problem(path, rule, "write a rule for this site")


def _apipa(name: str, connection: Any, parts: Parts, tree: Source) -> Iterator[Problem]:
    site = parts.sites.get(connection.site)
    for device_name, device in site.devices.items() if site else ():
        if device.bgp is not None and device.bgp.peer_ip and device.bgp.peer_ip in APIPA:
            rule = f"{device.bgp.peer_ip} of {connection.site}.{device_name} is a link-local BGP "
            rule += "address, which NAT does not go with (rule R022)"
            fix = f"write a peer_ip outside {APIPA}, or remove the rules"
            yield tree.problem(("connections", name, "nat"), rule, fix)


# ---------------------------------------------------------------------------------------------
# Addresses
# ---------------------------------------------------------------------------------------------


def seen_by_platform(site: str, prefix: IPv4Network, parts: Parts) -> tuple[IPv4Network, ...]:
    """A prefix of a site as the VNets see it: translated where all its connections do so."""
    if not any(getattr(connection, "nat", ()) for connection in parts.connections.values()):
        return (prefix,)
    views = set()
    for connection in parts.connections.values():
        if connection.type == "ipsec" and connection.site == site:
            behind = [r.translation for r in _rules(connection, parts) if r.mode == "ingress"]
            views.add(translated(prefix, behind))
        elif getattr(connection, "circuit", None) in _circuits_of(site, parts):
            views.add((prefix,))
    return tuple(dict.fromkeys(p for view in views or {(prefix,)} for p in view))


def _circuits_of(site: str, parts: Parts) -> set[str]:
    return {name for name, circuit in parts.circuits.items() if site in circuit.sites}


def _rules(connection: Any, parts: Parts) -> Iterator[NatRule]:
    gateway = parts.gateways.get(connection.gateway)
    rules = gateway.nat if gateway is not None else {}
    for name in connection.nat:
        if name in rules:
            yield nat_rule(name, rules[name], "")


def _seen_by_sites(parts: Parts, tree: Source) -> Iterator[Problem]:
    """A site must not see a VNet in its own addresses (rule R018)."""
    for name, connection in parts.connections.items():
        if connection.type != "ipsec":
            continue
        site, gateway = parts.sites.get(connection.site), parts.gateways.get(connection.gateway)
        vnet = parts.vnets.get(gateway.vnet) if gateway else None
        rules = list(_rules(connection, parts))
        if site is None or gateway is None or vnet is None or not rules:
            continue
        egress = [r.translation for r in rules if r.mode == "egress"]
        for prefix in vnet.address_space:
            for outside in translated(prefix, egress):
                own = next((p for p in site.address_space if p.overlaps(outside)), None)
                if own is not None:
                    rule = f"{connection.site} sees {outside} of {gateway.vnet}, which overlaps "
                    rule += f"its own {own} (rule R018)"
                    fix = f"add an egress NAT rule with internal: {prefix} to the connection"
                    yield tree.problem(("connections", name, "nat"), rule, fix)


# ---------------------------------------------------------------------------------------------
# Warnings
# ---------------------------------------------------------------------------------------------


def warnings(scenario: Scenario, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """NAT rules without use, and connections whose rules leave an instance out."""
    used: set[tuple[str, str]] = set()
    for name, connection in scenario.connections.items():
        if connection.type != "ipsec" or not connection.nat:
            continue
        gateway = scenario.gateways[connection.gateway]
        used |= {(connection.gateway, rule) for rule in connection.nat}
        ending = gateway.instances if gateway.mode == "active-active" else 1
        acting = {gateway.nat[rule].instance for rule in connection.nat}
        missing = sorted(set(range(ending)) - acting)
        if missing:
            listed = " and ".join(map(str, missing))
            rule = f"no rule acts on instance {listed}, whose flows are not translated (rule R171)"
            path: TreePath = ("connections", name, "nat")
            yield tree.problem(path, rule, "list a rule for each instance", key=True)
    for name, gateway in scenario.gateways.items():
        for rule_name in gateway.nat if gateway.type == "vpn" else ():
            if (name, rule_name) not in used:
                fix = f"list it in a connection: nat: [{rule_name}]"
                rule = "no connection uses this rule"
                yield tree.problem(("gateways", name, "nat", rule_name), rule, fix, key=True)
