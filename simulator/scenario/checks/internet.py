"""What traffic to the internet and default sites need to make sense."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from simulator.base.errors import Problem
from simulator.catalog import Catalog
from simulator.draft import INTERNET
from simulator.scenario.source import Source, TreePath

if TYPE_CHECKING:
    from simulator.scenario.parts import Parts


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Everything about the internet that is well written and still cannot be."""
    named: tuple[tuple[str, Collection[str]], ...] = (
        ("sites", parts.sites),
        ("vnets", parts.vnets),
        ("clients", parts.clients),
        ("private_endpoints", parts.private_endpoints),
    )
    for section, entries in named:
        if INTERNET in entries:
            rule = f"'{INTERNET}' is the name of all hosts of the public internet"
            yield tree.problem((section, INTERNET), rule, "choose another name", key=True)
    known = {*parts.vnets, *(f"{v}.{s}" for v, vnet in parts.vnets.items() for s in vnet.subnets)}
    for name, stream in parts.traffic.items():
        path: TreePath = ("traffic", name)
        if stream.from_ == INTERNET:
            rule = "traffic with the internet is described from the end that opens it"
            yield tree.problem((*path, "from"), rule, "swap from and to")
        elif stream.to == INTERNET and stream.from_ in parts.clients:
            yield from _of_clients(path, stream.from_, parts, tree)
        elif stream.to == INTERNET and stream.from_ not in known and _exists(stream.from_, parts):
            rule = f"{stream.from_} reaches the internet past everything that is modelled"
            yield tree.problem((*path, "to"), rule, "send it from a VNet or a subnet of one")
    yield from _default_sites(parts, tree)


def _of_clients(path: TreePath, name: str, parts: Parts, tree: Source) -> Iterator[Problem]:
    """Traffic of clients to the internet, which is modelled in their tunnel alone."""
    gateway = parts.clients[name].gateway
    found = parts.gateways.get(gateway)
    if found is not None and found.p2s is not None and found.p2s.split_tunnel:
        rule = f"{name} reach the internet beside the tunnel, past everything that is modelled"
        fix = f"write split_tunnel: false in gateways.{gateway}.p2s, or send it from a VNet"
        yield tree.problem((*path, "to"), rule, fix)


def _exists(name: str, parts: Parts) -> bool:
    return any(name in entries for entries in (parts.sites, parts.clients, parts.private_endpoints))


def _default_sites(parts: Parts, tree: Source) -> Iterator[Problem]:
    for name, gateway in parts.gateways.items():
        site = gateway.default_site
        if site is None or site not in parts.sites:
            continue
        path: TreePath = ("gateways", name, "default_site")
        joined = any(
            c.type == "ipsec" and (c.gateway, c.site) == (name, site)
            for c in parts.connections.values()
        )
        if not joined:
            rule = f"no connection joins {name} and {site}"
            yield tree.problem(path, rule, "name a site that the gateway has tunnels to")
        if gateway.vpn_type == "policy-based":
            rule = "a policy-based gateway has no default site"
            yield tree.problem(path, rule, "write vpn_type: route-based")
