"""Prices: what one unit of a thing costs at a place, from the catalogue or from an export.

`CataloguePrices` reads the dated snapshot of the catalogue, `RetailPrices` a file that the user
saved from the provider's price list (Azure Retail Prices API); what the file lacks comes from the
catalogue and says so. A price that nobody published is None, never 0.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from simulator.base.errors import UsageError, quote
from simulator.catalog import Catalog, Region, Row

PER_BYTES: Final = {"GB": 1e9}
"""Units of volume by name: the provider's GB is decimal here."""
CURRENCY: Final = "USD"
FILE_BYTES_MAX: Final = 512 * 2**20
NUMBER_MAX: Final = 1e12
"""Larger prices and tiers are slips of an export."""
WRONG_SHOWN_MAX: Final = 20
ANY: Final = "any"
"""Item of a row that stands for all items of its category."""
HOURLY: Final = "hour"


@dataclass(frozen=True)
class Place:
    """Where something is billed: in a region, or in a zone of the price list."""

    region: Region | None = None
    zone: int | None = None

    @classmethod
    def of(cls, region: Region) -> Place:
        """A region with its zone."""
        return cls(region, region.egress_zone)

    def __str__(self) -> str:
        if self.region is not None:
            return self.region.name
        return "everywhere" if self.zone is None else f"zone {self.zone}"


@dataclass(frozen=True)
class Tier:
    """One price: from which monthly quantity on it holds, and where it comes from."""

    begin: float
    """In units of the price (GB for volume)."""
    price_usd: float | None
    """None: nobody published it."""
    source: str
    is_estimate: bool = False


@dataclass(frozen=True)
class Price:
    """What a thing costs: tiers by quantity, the first from 0."""

    per: str
    """hour, month or GB."""
    tiers: tuple[Tier, ...]
    included: int = 0
    """How many are paid with the gateway."""


class Prices(Protocol):
    """A price list."""

    def find(self, category: str, item: str, place: Place) -> Price | None:
        """Look up the price of an item at a place; None if the list does not know the item."""


PriceFile: TypeAlias = str | os.PathLike[str] | Prices | None
"""A saved answer of the price list's API, a list that was read already, or None: the catalogue."""


def price_list(prices: PriceFile, catalog: Catalog) -> Prices:
    """The price list that somebody named.

    Raises
    ------
    UsageError
        If a file cannot be read, is no such export, or is not in US dollars.
    """
    if prices is None:
        return CataloguePrices(catalog)
    if isinstance(prices, str | os.PathLike):
        return RetailPrices(Path(prices), catalog)
    return prices


# ---------------------------------------------------------------------------------------------
# The catalogue
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CataloguePrices:
    """The dated snapshot of the catalogue, table `prices`."""

    catalog: Catalog

    def find(self, category: str, item: str, place: Place) -> Price | None:
        """Look up an item: the row of the region, else of the zone, else the one for everywhere.

        Where only another region has an hourly price, that is taken as an estimate: gateways cost
        much the same everywhere. Prices of volume differ more, so they stay unknown.
        """
        return _of_catalogue(self.catalog, category, item, place)


@cache
def _of_catalogue(catalog: Catalog, category: str, item: str, place: Place) -> Price | None:
    """What `CataloguePrices.find` says; designs that are compared ask for the same prices."""
    rows = catalog.table("prices").where(category=category, item=item, is_current=True)
    if not rows:
        return None
    by_begin: dict[float, list[Row]] = {}
    for row in rows:
        by_begin.setdefault(row.number_or_none("from_bytes") or 0.0, []).append(row)
    per = rows[0].text("per")
    tiers = [
        _tier(begin / PER_BYTES.get(per, 1.0), by_begin[begin], place) for begin in sorted(by_begin)
    ]
    if tiers[0].begin > 0:  # what the first units cost is not known
        tiers.insert(0, Tier(0.0, None, "catalogue prices: no row"))
    included = max((row.count_or_none("included") or 0 for row in rows), default=0)
    return Price(per, tuple(tiers), included)


def _tier(begin: float, rows: list[Row], place: Place) -> Tier:
    """The best of the rows for a place."""
    ranked = sorted((rank, n) for n, row in enumerate(rows) if (rank := _rank(row, place)))
    if not ranked:
        return Tier(begin, None, f"catalogue prices: no row for {place}")
    rank, number = ranked[0]
    row = rows[number]
    is_estimate = row["status"] == "estimate" or rank == _ELSEWHERE
    source = f"catalogue prices {row['id']}, {row['source']}, {row['as_of']}"
    if rank == _ELSEWHERE:
        source += f"; price of {row['place']}, none known for {place}"
    return Tier(begin, row.number_or_none("price_usd"), source, is_estimate)


_ELSEWHERE = 4


def _rank(row: Row, place: Place) -> int:
    """How well a row fits a place, 1 is best; 0 if not at all."""
    regions, zones = row.texts("regions"), row.texts("zones")
    if not regions and not zones:
        return 3
    if place.region is not None and place.region.name in regions:
        return 1
    if place.zone is not None and str(place.zone) in zones:
        return 2
    return _ELSEWHERE if regions and row["per"] == HOURLY else 0


# ---------------------------------------------------------------------------------------------
# An export of the provider's price list
# ---------------------------------------------------------------------------------------------


class RetailPrices:
    """A saved answer of the Azure Retail Prices API, one page or several in one list.

    Parameters
    ----------
    file
        JSON: an object with `Items`, or a list of such objects or of items.
    catalog
        Says how items are called there (table `retail-meters`), and has the prices it lacks.

    Raises
    ------
    UsageError
        If the file cannot be read, is no such export, or is not in US dollars.
    """

    def __init__(self, file: Path, catalog: Catalog) -> None:
        self._name = file.name
        self._catalog = catalog
        self._fallback = CataloguePrices(catalog)
        pages = _pages(file)
        items = _items(file, pages)
        self._items = [item for item in items if item.get("type") == "Consumption"]
        if not self._items:
            raise UsageError(
                f"{file}: has no price of type Consumption among its {len(items)} items; "
                "save the list again, with a filter that finds some"
            )
        is_part = all(page.get("NextPageLink") for page in pages)
        self._absent = f"not in {self._name}{', whose next page is missing' if is_part else ''}; "
        wrong = {str(item.get("currencyCode", CURRENCY)) for item in self._items} - {CURRENCY}
        if wrong:
            raise UsageError(
                f"{file}: prices are in {quote(', '.join(sorted(wrong)))}; save the list in "
                f"{CURRENCY}, the currency in which the provider sets its prices"
            )

    def find(self, category: str, item: str, place: Place) -> Price | None:
        """Look up an item in the file, else in the catalogue; the source says which."""
        known = self._fallback.find(category, item, place)
        found = [i for i in self._matching(category, item) if _is_at(i, place)]
        if not found:
            return _named(known, self._absent)
        tiers: dict[float, Tier] = {}
        for entry in sorted(found, key=_start, reverse=True):  # the newest price of a tier counts
            units, per = _unit(str(entry.get("unitOfMeasure", "")), self._name)
            begin = float(entry.get("tierMinimumUnits", 0.0)) * units
            price_usd = float(entry["retailPrice"]) / units
            source = f"{self._name}, {entry.get('meterName')}, {_start(entry)}"
            tiers.setdefault(begin, Tier(begin, price_usd, source))
        first = min(tiers)
        if first > 0:
            tiers[0.0] = Tier(0.0, None, f"{self._name}: no tier from 0")
        ordered = tuple(tiers[begin] for begin in sorted(tiers))
        return Price(per, ordered, known.included if known else 0)

    def _matching(self, category: str, item: str) -> Iterable[dict[str, Any]]:
        rows = self._catalog.table("retail-meters").where(category=category)
        own = [row for row in rows if row["item"] == item] or [r for r in rows if r["item"] == ANY]
        for row in own:
            text = row.text("text").replace("{item}", _alternatives(item))
            pattern = re.compile(text, re.IGNORECASE)
            for entry in self._items:
                names = " | ".join(
                    str(entry.get(key, "")) for key in ("productName", "skuName", "meterName")
                )
                if entry.get("serviceName") == row["service"] and pattern.search(names):
                    yield entry


def _pages(file: Path) -> list[dict[str, Any]]:
    """The pages of the export; an item that stands by itself is one, too."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise UsageError(f"{file}: is larger than {FILE_BYTES_MAX:,} bytes; filter the list")
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror}); name a JSON file") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: is no JSON ({quote(str(error))}); save the list again") from None
    pages = content if isinstance(content, list) else [content]
    for page in pages:
        is_page = isinstance(page, dict) and isinstance(page.get("Items"), list)
        if not is_page and not (isinstance(page, dict) and "meterName" in page):
            raise UsageError(f"{file}: is no price list; it would be an object with 'Items'")
    return pages


def _items(file: Path, pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of all pages.

    Raises
    ------
    UsageError
        If a number in them is none; the first few are named.
    """
    found = [item for page in pages for item in page.get("Items", [page]) if isinstance(item, dict)]
    wrong = [
        f"{file}: item {number} has {key} = {quote(value)}; it must be a number between 0 and "
        f"{NUMBER_MAX:.0e}"
        for number, item in enumerate(found)
        for key, value in (
            ("retailPrice", item.get("retailPrice")),
            ("tierMinimumUnits", item.get("tierMinimumUnits", 0)),
        )
        if not _is_plain_number(value)
    ]
    if wrong:
        more = [f"... and {len(wrong) - WRONG_SHOWN_MAX} more"] * (len(wrong) > WRONG_SHOWN_MAX)
        raise UsageError("\n".join([*wrong[:WRONG_SHOWN_MAX], *more]))
    return found


def _is_plain_number(value: object) -> bool:
    """Whether it is a number that prices and tiers can have: NaN and truth values are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= NUMBER_MAX


def _alternatives(item: str) -> str:
    """How an item may be written: `1000 Mbps` is also `1 Gbps`."""
    number, _, unit = item.partition(" ")
    if unit != "Mbps" or not number.isdigit():
        return re.escape(item)
    texts = [rf"{number} ?Mbps"]
    if int(number) % 1000 == 0:
        texts.append(rf"{int(number) // 1000} ?Gbps")
    return f"(?:{'|'.join(texts)})"


def _is_at(entry: Mapping[str, Any], place: Place) -> bool:
    """Whether a row of the export is of a place; a row without place is of every one."""
    said = {_folded(entry.get("armRegionName")), _folded(entry.get("location"))} - {""}
    own = {_folded(f"zone {place.zone}")} if place.zone is not None else set()
    if place.region is not None:
        own |= {_folded(place.region.arm_name), _folded(place.region.name)}
    return not said or "global" in said or bool(said & own)


def _start(entry: Mapping[str, Any]) -> str:
    """The day from which a price holds."""
    return str(entry.get("effectiveStartDate", ""))[:10]


def _folded(text: object) -> str:
    return str(text or "").casefold().replace(" ", "")


def _unit(text: str, file: str) -> tuple[float, str]:
    """How many units a price is for, and which: `1 Hour`, `100 GB`, `1/Month`, `1 GB/Month`."""
    match = re.fullmatch(r"\s*([0-9]+)\s*[/ ]\s*(Hour|GB|Month)s?(?:\s*/\s*Month)?\s*", text, re.I)
    if match is None or int(match[1]) == 0:
        raise UsageError(
            f"{file}: unitOfMeasure = {quote(text)}: is no number of Hour, GB or Month; "
            "fix the file"
        )
    unit = match[2].upper() if match[2].upper() == "GB" else match[2].lower()
    return float(match[1]), unit


def _named(price: Price | None, prefix: str) -> Price | None:
    if price is None:
        return None
    tiers = tuple(
        Tier(tier.begin, tier.price_usd, prefix + tier.source, tier.is_estimate)
        for tier in price.tiers
    )
    return Price(price.per, tiers, price.included)
