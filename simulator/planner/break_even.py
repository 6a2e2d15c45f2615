"""Break-even: from which volume on one way to connect is cheaper than another.

A tariff is a fixed amount for a month and a price of volume in tiers, so its cost is a line with
bends; two of them cross where the algebra says, piece by piece.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from simulator.base.units import BITS_PER_BYTE
from simulator.catalog import Catalog
from simulator.planner.cost import S_PER_HOUR, circuit_item, month_s
from simulator.planner.prices import HOURLY, PER_BYTES, Place, Prices, Tier

VOLUME = "GB"


@dataclass(frozen=True)
class Tariff:
    """What a way to connect costs in a month, by volume that leaves the platform."""

    name: str
    fixed_usd: float | None
    """None if a price of it is unknown."""
    tiers: tuple[Tier, ...] = ()
    """Price of a GB, in tiers of GB; none if volume is free."""
    parts: str = ""
    """What the fixed amount is made of."""
    volume_max: float = math.inf
    """GB in a month that it carries at most in one direction."""

    def cost_usd(self, volume: float) -> float | None:
        """The cost of a month with a volume in GB; None where a price is unknown."""
        if self.fixed_usd is None:
            return None
        total = self.fixed_usd
        for n, tier in enumerate(self.tiers):
            end = self.tiers[n + 1].begin if n + 1 < len(self.tiers) else math.inf
            inside = min(volume, end) - tier.begin
            if inside > 0:
                if tier.price_usd is None:
                    return None
                total += inside * tier.price_usd
        return total

    def slope_usd(self, volume: float) -> float:
        """What the next GB costs at a volume, NaN where that is unknown."""
        slope: float | None = 0.0
        for tier in self.tiers:
            if tier.begin <= volume:
                slope = tier.price_usd
        return math.nan if slope is None else slope


@dataclass(frozen=True)
class Crossing:
    """Up to `volume` GB in a month `cheaper_below` costs less, from there on `cheaper_above`."""

    cheaper_below: str
    cheaper_above: str
    volume: float
    mean_bps: float
    """The volume as a mean rate over the month."""
    cost_usd: float
    """What both cost there."""


@dataclass(frozen=True)
class BreakEven:
    """Tariffs and where they cross, up to what both of two can carry."""

    tariffs: tuple[Tariff, ...]
    crossings: tuple[Crossing, ...]
    volume_max: float
    """GB in a month that the circuit carries at most in one direction."""
    month_s: float


def break_even(
    prices: Prices,
    catalog: Catalog,
    *,
    vpn_sku: str,
    gateway_sku: str,
    bandwidth_bps: float,
    region: str,
    zone: int | None,
) -> BreakEven:
    """Compare a VPN gateway with a metered and an unlimited circuit.

    Parameters
    ----------
    vpn_sku, gateway_sku
        SKUs of the VPN gateway and of the ExpressRoute gateway.
    bandwidth_bps
        Bandwidth of the circuit.
    region, zone
        Region of the gateways, and billing zone of the circuit's peering location.
    """
    whole_s = month_s(catalog)
    here, there = Place.of(catalog.region(region)), Place(zone=zone)
    size = circuit_item(bandwidth_bps)
    sku = catalog.vpn_gateway_sku(vpn_sku)
    address = "Standard static IPv4" if sku.zone_redundant else "Basic dynamic"
    over_vpn = [("vpn-gateway", vpn_sku, here), ("public-ip", address, here)]
    vpn_bps = sku.aggregate_throughput_bps
    volume_max = _gigabytes(bandwidth_bps, whole_s)
    over_internet = ("data", "internet egress", here)
    vpn = _tariff(f"VPN {vpn_sku}", over_vpn, over_internet, prices, whole_s)
    if vpn_bps is not None:
        vpn = replace(vpn, volume_max=_gigabytes(vpn_bps, whole_s))
    tariffs = [vpn]
    for billing in ("metered", "unlimited"):
        parts = [("er-gateway", gateway_sku, here), (f"er-circuit-{billing}", size, there)]
        volume = ("er-data-out", "metered egress", there) if billing == "metered" else None
        name = f"ExpressRoute {size}, {billing}"
        tariff = _tariff(name, parts, volume, prices, whole_s)
        tariffs.append(replace(tariff, volume_max=volume_max))
    crossings = [
        crossing
        for one, other in combinations(tariffs, 2)
        for crossing in crossings_of(one, other, whole_s)
    ]
    return BreakEven(tuple(tariffs), tuple(crossings), volume_max, whole_s)


def _gigabytes(rate_bps: float, whole_s: float) -> float:
    """What a rate makes in a month."""
    return rate_bps / BITS_PER_BYTE * whole_s / PER_BYTES[VOLUME]


def _tariff(
    name: str,
    parts: Sequence[tuple[str, str, Place]],
    volume: tuple[str, str, Place] | None,
    prices: Prices,
    whole_s: float,
) -> Tariff:
    fixed_usd: float | None = 0.0
    texts = []
    for category, item, place in parts:
        price = prices.find(category, item, place)
        rate_usd = price.tiers[0].price_usd if price else None
        if price is None or rate_usd is None:
            fixed_usd = None
            texts.append(f"{item} unknown")
            continue
        amount_usd = rate_usd * (whole_s / S_PER_HOUR if price.per == HOURLY else 1.0)
        fixed_usd = None if fixed_usd is None else fixed_usd + amount_usd
        texts.append(f"{item} {amount_usd:,.2f} USD")
    tiers: tuple[Tier, ...] = ()
    if volume is not None:
        price = prices.find(*volume)
        tiers = price.tiers if price else (Tier(0.0, None, "no price is known"),)
    return Tariff(name, fixed_usd, tiers, " + ".join(texts))


def crossings_of(one: Tariff, other: Tariff, whole_s: float) -> list[Crossing]:
    """Where two tariffs cost the same, in order of volume, as far as both carry it."""
    volume_max = min(one.volume_max, other.volume_max)
    return [
        Crossing(
            cheaper_below=(one if difference < 0 else other).name,
            cheaper_above=(other if difference < 0 else one).name,
            volume=volume,
            mean_bps=volume * PER_BYTES[VOLUME] * BITS_PER_BYTE / whole_s,
            cost_usd=float(one.cost_usd(volume) or 0.0),
        )
        for volume, difference in _roots(one, other, volume_max)
    ]


def _roots(one: Tariff, other: Tariff, volume_max: float) -> Iterator[tuple[float, float]]:
    """Volumes at which the difference changes its sign, each with the difference before it."""
    bends = sorted({0.0, *(t.begin for t in (*one.tiers, *other.tiers)), volume_max})
    bends = [bend for bend in bends if bend <= volume_max]
    before = 0.0
    for begin, end in pairwise(bends):
        costs = one.cost_usd(begin), other.cost_usd(begin)
        if costs[0] is None or costs[1] is None:
            return
        difference = costs[0] - costs[1]
        slope = one.slope_usd(begin) - other.slope_usd(begin)
        if math.isnan(slope):
            return
        before = difference or before
        after = difference + slope * (end - begin)
        if before * after < 0 and slope != 0:
            yield begin - difference / slope, before
        before = after or before
