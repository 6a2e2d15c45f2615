"""What point-to-site clients need to make sense: their gateway, its pools, protocols and SKU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simulator.base.errors import CatalogError, Problem
from simulator.catalog import Catalog
from simulator.point_to_site.admission import SSTP
from simulator.point_to_site.gateway_block import P2s
from simulator.scenario.checks.dangling import Dangling
from simulator.scenario.checks.written import as_map, entries, places
from simulator.scenario.source import Source, TreePath

if TYPE_CHECKING:
    from simulator.components.gateway import VpnGateway
    from simulator.scenario.parts import Parts


def references(data: Mapping[str, Any], found: Dangling) -> None:
    """Places of the servers that ask for clients' names."""
    known = places(data)
    for name, gateway in entries(data.get("gateways")):
        auth = as_map(as_map(gateway.get("p2s")).get("auth"))
        found.look(("gateways", name, "p2s", "auth", "server"), auth, known, "site or VNet")


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Everything about clients and what gateways offer them that still cannot be."""
    yield from pools_and_protocols(parts, tree, catalog)
    yield from clients(parts, tree)


def clients(parts: Parts, tree: Source) -> Iterator[Problem]:
    """Groups whose gateway does not take them, names that mean two things, traffic to clients."""
    for name, group in parts.clients.items():
        gateway = parts.gateways.get(group.gateway)
        offered = gateway.p2s.protocols if gateway is not None and gateway.p2s else ()
        if gateway is not None and not offered:
            rule = f"gateway {group.gateway} takes no point-to-site clients"
            fix = "add p2s: {address_pools: [...], protocols: [...]} to it"
            yield tree.problem(("clients", name, "gateway"), rule, fix)
        elif gateway is not None and group.protocol not in offered:
            rule = f"gateway {group.gateway} offers {', '.join(offered)}"
            fix = f"choose one of them, or add {group.protocol} to its p2s protocols"
            yield tree.problem(("clients", name, "protocol"), rule, fix)
        if name in parts.sites or name in parts.vnets:
            rule = f"a group of clients and a {'site' if name in parts.sites else 'VNet'} "
            fix = "rename one of them: traffic refers to both by name"
            yield tree.problem(("clients", name), rule + "have the same name", fix, key=True)
    for name, stream in parts.traffic.items():
        if stream.to in parts.clients:
            rule = "traffic of clients is described from their end"
            fix = "swap from and to; a reply_rate is what they receive"
            sender = parts.clients.get(stream.from_)
            if sender is not None and sender.gateway != parts.clients[stream.to].gateway:
                rule = "clients of different gateways do not reach each other (rule R100)"
                fix = "send it to a VNet or a site"
            elif sender is not None:
                rule = "traffic between clients is not modelled"
                fix = "send it to a VNet or a site"
            yield tree.problem(("traffic", name, "to"), rule, fix)


def pools_and_protocols(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """What gateways offer to clients against their type, their SKU and other addresses."""
    for name, gateway in parts.gateways.items():
        if gateway.p2s is None:
            continue
        path: TreePath = ("gateways", name, "p2s")
        yield from _protocols(path, gateway, gateway.p2s, tree, catalog)
    yield from _pools(parts, tree)


def _protocols(
    path: TreePath, gateway: VpnGateway, p2s: P2s, tree: Source, catalog: Catalog
) -> Iterator[Problem]:
    listed = p2s.protocols
    if SSTP in listed and "openvpn" in listed:
        rule = "SSTP and OpenVPN cannot be enabled together (rule R095)"
        yield tree.problem((*path, "protocols"), rule, "remove one of them")
    for name in sorted({protocol for protocol in listed if listed.count(protocol) > 1}):
        yield tree.problem((*path, "protocols"), f"{name} is listed twice", "list it once")
    if p2s.auth.kind == "radius" and gateway.sku == "Basic":
        rule = "the Basic SKU has no RADIUS (rule R094)"
        yield tree.problem((*path, "auth", "kind"), rule, "write certificate, or take another SKU")
    try:
        sku = catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
    except CatalogError:
        return  # reported as a wrong SKU or generation
    for index, name in enumerate(listed):
        if not getattr(sku, catalog.p2s_protocol(name).max_clients_column):
            rule = f"{sku.name} takes no clients by {name} (rule R092)"
            yield tree.problem((*path, "protocols", index), rule, "take another SKU or protocol")


def _pools(parts: Parts, tree: Source) -> Iterator[Problem]:
    taken = [
        (prefix, f"{prefix} of {name}")
        for entries in (parts.vnets, parts.sites)
        for name, entry in entries.items()
        for prefix in entry.address_space
    ]
    for name, gateway in parts.gateways.items():
        pools = gateway.p2s.address_pools if gateway.p2s is not None else ()
        for index, pool in enumerate(pools):
            other = next((text for prefix, text in taken if pool.overlaps(prefix)), None)
            if other is not None:
                path: TreePath = ("gateways", name, "p2s", "address_pools", index)
                rule = f"overlaps {other} (rule R023)"
                yield tree.problem(path, rule, "take a range that nothing else uses")
            taken.append((pool, f"{pool}, a pool of {name}"))
