"""The cost ledger: what a design costs in a month, line by line, as a bill would show it.

Each line is quantity x unit x rate with the source of the rate. A rate that nobody published is
unknown: its line has no amount, and the total says that it is not whole. Amounts are rounded to
cents line by line, and the total is the sum of what is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

from simulator.base.markup import html_table
from simulator.base.units import format_money
from simulator.catalog import Catalog, load_catalog
from simulator.components import described
from simulator.plan import FORWARD, RETURN, Direction, Plan
from simulator.planner.prices import HOURLY, PER_BYTES, CataloguePrices, Place, Price, Prices
from simulator.planner.volumes import Volumes, monthly_volumes
from simulator.scenario import Scenario

if TYPE_CHECKING:
    from simulator.components.gateway import VpnGateway
    from simulator.components.peering import Peering
    from simulator.components.vnet_to_vnet import VnetToVnet

S_PER_HOUR: Final = 3600
CENT: Final = Decimal("0.01")
QUANTITY_DIGITS: Final = 3
"""Decimals of a quantity, so that a person can multiply what is printed."""
GB: Final = "GB"


@dataclass(frozen=True)
class CostLine:
    """One line of the ledger."""

    item: str
    subject: str
    quantity: float
    unit: str
    rate_usd: float | None
    """Of one unit; None where the price is unknown."""
    amount_usd: float | None
    """Rounded to cents; None where the price is unknown."""
    source: str
    is_estimate: bool = False
    note: str = ""


LEDGER_HEAD: Final = ("for", "item", "quantity", "USD each", "USD", "source")
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, repr=False)
class Ledger:
    """What a design costs in a month."""

    lines: tuple[CostLine, ...]
    month_s: float
    traffic_s: float
    """How long in the month the traffic is that of the run."""

    @property
    def known_usd(self) -> float:
        """The sum of the lines whose price is known."""
        amounts = (Decimal(str(line.amount_usd or 0.0)) for line in self.lines)
        return float(sum(amounts, Decimal(0)))

    @property
    def unknown(self) -> tuple[CostLine, ...]:
        """The lines without a price."""
        return tuple(line for line in self.lines if line.amount_usd is None)

    @property
    def total_usd(self) -> float | None:
        """The sum; None if the price of a line is unknown, so nobody mistakes a part for it."""
        return None if self.unknown else self.known_usd

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "total_usd": self.total_usd,
            "known_usd": self.known_usd,
            "month_s": self.month_s,
            "traffic_s": self.traffic_s,
            "lines": [asdict(line) for line in self.lines],
        }

    def __repr__(self) -> str:
        return f"<Ledger of {len(self.lines)} lines: {self.in_words}>"

    def _repr_html_(self) -> str:
        rows = [
            (
                line.subject,
                line.item,
                f"{line.quantity:,.10g} {line.unit}",
                UNKNOWN if line.rate_usd is None else f"{line.rate_usd:,.10g}",
                UNKNOWN if line.amount_usd is None else f"{line.amount_usd:,.2f}",
                f"{line.source}{' (estimate)' if line.is_estimate else ''}",
            )
            for line in self.lines
        ]
        hours = self.month_s / S_PER_HOUR
        return f"<p>{self.in_words}; a month has {hours:g} hours</p>{html_table(LEDGER_HEAD, rows)}"

    @property
    def in_words(self) -> str:
        """The total, or that it is not known and what is."""
        if self.total_usd is None:
            return (
                f"total {UNKNOWN}, {format_money(self.known_usd)} a month without what is unknown"
            )
        return f"{format_money(self.total_usd)} a month"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledger:
        """What `to_dict` gave."""
        lines = tuple(CostLine(**line) for line in data["lines"])
        return cls(lines, data["month_s"], data["traffic_s"])


@dataclass(frozen=True)
class _Charge:
    """Something that is billed, before its price is known."""

    category: str
    item: str
    subject: str
    place: Place
    count: float = 1.0
    """How many of it; for volume, bytes in the month."""
    note: str = ""


def ledger(
    scenario: Scenario,
    volumes: Volumes | None = None,
    *,
    prices: Prices | None = None,
    traffic_s: float | None = None,
) -> Ledger:
    """What a design costs in a month.

    Parameters
    ----------
    scenario
        The design.
    volumes
        Bytes in a month by hop (`planner.volumes.monthly_volumes`); without it, no line of volume.
    prices
        Price list; by default the catalogue's.
    traffic_s
        What the ledger says about how long the traffic lasts; by default the whole month.
    """
    catalog = load_catalog(scenario.era)
    book = prices or CataloguePrices(catalog)
    whole_s = month_s(catalog)
    charges = [
        *_gateways(scenario, catalog),
        *_circuits(scenario, catalog),
        *_of_components(scenario, catalog),
        *_volume(scenario, catalog, volumes or {}),
    ]
    lines = [line for charge in charges for line in _priced(charge, book, whole_s)]
    return Ledger(tuple(lines), whole_s, whole_s if traffic_s is None else traffic_s)


def of_run(
    scenario: Scenario,
    plan: Plan,
    delivered_bytes: npt.NDArray[Any],
    *,
    prices: Prices | None = None,
    traffic_s: float | None = None,
) -> Ledger:
    """What a design costs in a month in which the traffic is that of a run.

    Parameters
    ----------
    delivered_bytes
        int64[directions], inner IP bytes that the run delivered.
    traffic_s
        How long in the month the traffic is this; by default all of it.
    """
    lasting_s = month_s(load_catalog(scenario.era)) if traffic_s is None else traffic_s
    volumes = monthly_volumes(plan, delivered_bytes, lasting_s)
    return ledger(scenario, volumes, prices=prices, traffic_s=lasting_s)


def month_s(catalog: Catalog) -> float:
    """The length of a month on a bill."""
    return catalog.default("billing.month").value


# ---------------------------------------------------------------------------------------------
# What is billed
# ---------------------------------------------------------------------------------------------

VPN: Final = "vpn-gateway"
ADDRESS: Final = "public-ip"
TUNNELS: Final = "S2S tunnel above the included 10"
CLIENTS: Final = "P2S connection above the included 128"


def _gateways(scenario: Scenario, catalog: Catalog) -> Iterator[_Charge]:
    for name, gateway in scenario.gateways.items():
        place = Place.of(catalog.region(scenario.vnets[gateway.vnet].region))
        subject = f"gateway {name}"
        if gateway.type == "vpn":
            yield _Charge(VPN, gateway.sku, subject, place)
            yield from _shared(name, gateway, scenario, catalog, place)
        elif gateway.type == "expressroute" and gateway.scale_units is None:
            yield _Charge("er-gateway", gateway.sku, subject, place)
        elif gateway.type == "expressroute":
            units = float(gateway.scale_units or 0)
            yield _Charge("er-gateway", f"{gateway.sku} scale unit", subject, place, units)


def _of_components(scenario: Scenario, catalog: Catalog) -> Iterator[_Charge]:
    """What components name: category, item, the VNet whose region counts, and how many."""
    for module in described():
        if not hasattr(module, "cost_lines"):
            continue
        for name, part in scenario.section(module.SECTION.name).items():
            if isinstance(part, module.Schema):
                for category, item, vnet, count in module.cost_lines(name, part):
                    place = Place.of(catalog.region(scenario.vnets[vnet].region))
                    yield _Charge(category, item, f"{module.SECTION.noun} {name}", place, count)


def _shared(
    name: str, gateway: VpnGateway, scenario: Scenario, catalog: Catalog, place: Place
) -> Iterator[_Charge]:
    """Addresses, tunnels and clients of a VPN gateway."""
    subject = f"gateway {name}"
    addresses = gateway.instances if gateway.mode == "active-active" else 1
    is_standard = catalog.vpn_gateway_sku(gateway.sku, gateway.generation).zone_redundant
    address = "Standard static IPv4" if is_standard else "Basic dynamic"
    yield _Charge(ADDRESS, address, subject, place, float(addresses))
    connections = connections_count(name, scenario)
    if connections:
        note = f"{connections} connections: each device of a site is one, each VNet-to-VNet one"
        yield _Charge(VPN, TUNNELS, subject, place, float(connections), note)
    clients = _clients_count(name, gateway, scenario, catalog)
    if clients:
        yield _Charge(VPN, CLIENTS, subject, place, float(clients), f"{clients} clients get in")


def connections_count(gateway: str, scenario: Scenario) -> int:
    """How many connections of a VPN gateway are billed: one for each device at the other end."""
    count = 0
    for connection in scenario.connections.values():
        if connection.type == "ipsec" and connection.gateway == gateway:
            count += len(connection.devices or scenario.sites[connection.site].devices)
        elif connection.type == "vnet-to-vnet":
            count += gateway in connection.gateways
    return count


def _clients_count(name: str, gateway: VpnGateway, scenario: Scenario, catalog: Catalog) -> int:
    """How many clients the SKU takes of those that dial: who is refused is not billed."""
    sku = catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
    asked: dict[str, int] = {}
    for group in scenario.section("clients").values():
        if group.gateway == name:
            column = catalog.p2s_protocol(group.protocol).max_clients_column
            asked[column] = asked.get(column, 0) + group.count
    limits = {column: getattr(sku, column) or 0 for column in asked}
    taken = sum(min(count, limits[column]) for column, count in asked.items())
    if catalog.default("p2s.limit_scope").word == "gateway":
        return min(taken, max(limits.values(), default=0))
    return taken


def _circuits(scenario: Scenario, catalog: Catalog) -> Iterator[_Charge]:
    for name, port in scenario.section("peering_ports").items():
        zone = catalog.peering_location(port.peering_location).egress_zone
        yield _Charge("er-direct", "10G/100G port pair", f"port {name}", Place(zone=zone))
    for name, circuit in scenario.section("circuits").items():
        place, subject = circuit_place(scenario, name, catalog), f"circuit {name}"
        if circuit.provider_model == "direct":
            yield _Charge("er-direct", "circuit on a port pair", subject, place)
        elif circuit.tier == "local":
            yield _Charge("er-circuit-local", "Local", subject, place)
        else:
            size = circuit_item(circuit.bandwidth)
            yield _Charge(f"er-circuit-{circuit.billing}", size, subject, place)
        if circuit.tier == "premium":
            yield _Charge("er-circuit-premium", "Premium add-on", subject, place)


def circuit_item(bandwidth_bps: float) -> str:
    """What the price list calls a circuit of a bandwidth."""
    return f"{bandwidth_bps / 1e6:.0f} Mbps"


def circuit_place(scenario: Scenario, name: str, catalog: Catalog) -> Place:
    """The billing zone of a circuit: that of its peering location."""
    circuit = scenario.circuits[name]
    location = circuit.peering_location
    if circuit.port is not None:
        location = scenario.peering_ports[circuit.port].peering_location
    return Place(zone=catalog.peering_location(str(location)).egress_zone)


def _volume(scenario: Scenario, catalog: Catalog, volumes: Volumes) -> Iterator[_Charge]:
    yield from _internet(scenario, catalog, volumes)
    for name, circuit in scenario.section("circuits").items():
        if circuit.billing == "metered" and circuit.tier != "local":
            out = sum(volumes.get((f"{name}.{link}", RETURN), 0.0) for link in LINKS)
            place = circuit_place(scenario, name, catalog)
            yield _Charge("er-data-out", "metered egress", f"circuit {name}", place, out)
    for name, connection in scenario.connections.items():
        if connection.type == "peering":
            yield from _peered(name, connection, scenario, catalog, volumes)
        elif connection.type == "vnet-to-vnet":
            yield from _between(name, connection, scenario, catalog, volumes)


LINKS: Final = ("primary", "secondary")


def _internet(scenario: Scenario, catalog: Catalog, volumes: Volumes) -> Iterator[_Charge]:
    """Egress over the internet: one charge for each zone, whose tiers are counted together."""
    by_place: dict[str, tuple[Place, float]] = {}
    for vnet, fields in scenario.vnets.items():
        place = Place.of(catalog.region(fields.region))
        total = sum(
            volume
            for (hop, direction), volume in volumes.items()
            if direction == RETURN and hop.rpartition(".")[2] == f"wan-{vnet}"
        )
        key = fields.region if place.zone is None else f"zone {place.zone}"
        _, before = by_place.get(key, (place, 0.0))
        by_place[key] = (place, before + total)
    for key, (place, total) in by_place.items():
        subject = f"from {key} over the internet"
        yield _Charge("data", "internet egress", subject, place, total)


def _ends(vnets: Iterable[str], scenario: Scenario, catalog: Catalog) -> list[Place]:
    return [Place.of(catalog.region(scenario.vnets[vnet].region)) for vnet in vnets]


def _peered(
    name: str, peering: Peering, scenario: Scenario, catalog: Catalog, volumes: Volumes
) -> Iterator[_Charge]:
    """Both ends of a peering pay for what leaves and for what arrives."""
    total = sum(
        volumes.get((f"{name}.{part}", direction), 0.0)
        for part in ("backbone", "transit")
        for direction in (FORWARD, RETURN)
    )
    ends = _ends(peering.vnets, scenario, catalog)
    is_same = ends[0].region == ends[1].region
    kind = "VNet peering same region" if is_same else "global VNet peering"
    for vnet, place in zip(peering.vnets, ends, strict=True):
        subject = f"peering {name} at {vnet}, in and out"
        yield _Charge("peering", f"{kind}, each direction", subject, place, total)


def _between(
    name: str, connection: VnetToVnet, scenario: Scenario, catalog: Catalog, volumes: Volumes
) -> Iterator[_Charge]:
    """Between regions the end that sends pays; inside a region nobody does."""
    vnets = [scenario.gateways[gateway].vnet for gateway in connection.gateways]
    ends = _ends(vnets, scenario, catalog)
    is_same = ends[0].region == ends[1].region
    kind = "same region" if is_same else "inter-region egress"
    directions: tuple[Direction, Direction] = (FORWARD, RETURN)
    for vnet, place, direction in zip(vnets, ends, directions, strict=True):
        out = volumes.get((f"{name}.backbone", direction), 0.0)
        item = f"VNet-to-VNet over VPN, {kind}"
        yield _Charge("data", item, f"connection {name} from {vnet}", place, out)


# ---------------------------------------------------------------------------------------------
# From charges to lines
# ---------------------------------------------------------------------------------------------


def _priced(charge: _Charge, prices: Prices, whole_s: float) -> Iterator[CostLine]:
    """The lines of a charge: one for each tier that it reaches, none for nothing."""
    price = prices.find(charge.category, charge.item, charge.place)
    if price is None:
        source = "no price is known to the catalogue"
        yield CostLine(
            charge.item,
            charge.subject,
            charge.count,
            "unknown",
            None,
            None,
            source,
            note=charge.note,
        )
        return
    units = _units(charge, price, whole_s)
    for n, tier in enumerate(price.tiers):
        end = price.tiers[n + 1].begin if n + 1 < len(price.tiers) else float("inf")
        quantity = round(max(0.0, min(units, end) - tier.begin), QUANTITY_DIGITS)
        if quantity == 0 and not _is_worth_a_line(charge, price):
            continue
        yield CostLine(
            item=_item(charge.item, price, n),
            subject=charge.subject,
            quantity=quantity,
            unit=_UNIT_OF.get(price.per, price.per),
            rate_usd=tier.price_usd,
            amount_usd=_amount(quantity, tier.price_usd),
            source=tier.source,
            is_estimate=tier.is_estimate,
            note=charge.note,
        )


_UNIT_OF: Final = {HOURLY: "hours", "month": "months"}


def _units(charge: _Charge, price: Price, whole_s: float) -> float:
    """The quantity in units of the price."""
    if price.per in PER_BYTES:
        return charge.count / PER_BYTES[price.per]
    above = max(0.0, charge.count - price.included)
    return above * whole_s / S_PER_HOUR if price.per == HOURLY else above


def _is_worth_a_line(charge: _Charge, price: Price) -> bool:
    """Whether a quantity of 0 is shown: what is included with the gateway, not an idle tier."""
    return price.included > 0 and charge.count > 0


def _item(item: str, price: Price, tier_idx: int) -> str:
    if len(price.tiers) == 1:
        return item
    begin = price.tiers[tier_idx].begin
    if tier_idx + 1 == len(price.tiers):
        return f"{item}, above {begin:,.0f} {price.per}"
    return f"{item}, {begin:,.0f} to {price.tiers[tier_idx + 1].begin:,.0f} {price.per}"


def _amount(quantity: float, rate_usd: float | None) -> float | None:
    """Quantity x rate, rounded to cents as on paper."""
    if quantity == 0:
        return 0.0
    if rate_usd is None:
        return None
    exact = Decimal(repr(quantity)) * Decimal(repr(rate_usd))
    return float(exact.quantize(CENT, ROUND_HALF_UP))
