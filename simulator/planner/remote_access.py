"""Clients or sites: what the same people cost as point-to-site clients and as connections.

A gateway is paid with some of each; what exceeds them is paid by the hour. A connection of its own
for each client needs a device at each of them, which is not counted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.base.units import MONEY, format_quantity
from simulator.draft import ClientGroup, Draft
from simulator.planner.cost import CLIENTS, S_PER_HOUR, TUNNELS, month_s
from simulator.planner.prices import CataloguePrices, Place
from simulator.scenario import Scenario

if TYPE_CHECKING:
    from simulator.components.gateway import VpnGateway

CATEGORY = "vpn-gateway"


def notes(scenario: Scenario, draft: Draft) -> Iterator[str]:
    """A note for each gateway that has clients and connections of sites."""
    for name, gateway in scenario.gateways.items():
        groups = [g for g in draft.published(ClientGroup).values() if g.gateway == name]
        sites_count = len({t.connection for t in draft.tunnels if t.gateway == name})
        if groups and sites_count and gateway.type == "vpn":
            clients_count = sum(len(g.clients) for g in groups)
            yield _note(name, gateway, clients_count, sites_count, draft)


def _note(
    name: str, gateway: VpnGateway, clients_count: int, sites_count: int, draft: Draft
) -> str:
    place = Place.of(draft.catalog.region(draft.place(gateway.vnet).region))
    sku = draft.catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
    as_clients = _monthly_usd(CLIENTS, clients_count, 0, place, draft)
    as_sites = _monthly_usd(TUNNELS, clients_count, sites_count, place, draft)
    head = f"gateway {name}: its {clients_count} clients"
    if as_clients is None or as_sites is None:
        return f"{head} cannot be compared with connections: a price is unknown"
    than = "as" if as_clients == as_sites else "than"
    words = "as much" if as_clients == as_sites else "less" if as_clients < as_sites else "more"
    limit = ""
    if clients_count + sites_count > sku.max_tunnels:
        limit = f", and {sku.name} takes {sku.max_tunnels} connections"
    amounts = [format_quantity(amount, MONEY) for amount in (as_clients, as_sites)]
    return (
        f"{head} cost {words} as point-to-site, {amounts[0]} in a month on top of the gateway, "
        f"{than} as connections of their own, {amounts[1]}{limit}"
    )


def _monthly_usd(
    item: str, count: int, before_count: int, place: Place, draft: Draft
) -> float | None:
    """What so many more cost in a month beside those that are there; None if nobody knows."""
    price = CataloguePrices(draft.catalog).find(CATEGORY, item, place)
    if price is None or price.tiers[0].price_usd is None:
        return None
    above = [max(0, n - price.included) for n in (before_count, before_count + count)]
    return (above[1] - above[0]) * price.tiers[0].price_usd * month_s(draft.catalog) / S_PER_HOUR
