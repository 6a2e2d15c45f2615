"""Text with a unit to an SI float, and back.

A scenario writes `650 Mbit/s`, `45 s`, `0.01 %`; from here on the value is a float in bit/s,
seconds, bytes, ratio (1 = 100 %), USD or packets/s. Parsing is exact: the text is read as a
decimal number and rounded once.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException
from functools import lru_cache

BITS_PER_BYTE = 8
DAY_S = 86_400.0
MONTH_S = 730 * 3_600.0
"""A month has 730 hours: a twelfth of 365 days."""

#: A longer text is no quantity, and is refused before it is read as a number.
TEXT_CHARACTERS_MAX = 60

#: Quantities and texts that are remembered: variants of a scenario have most of them in common.
REMEMBERED_MAX = 4096

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_NOT_FINITE = re.compile(r"[+-]?\.?(?:nan|inf(?:inity)?)\b", re.IGNORECASE)


class UnitError(ValueError):
    """A text is no quantity of the wanted dimension: the rule broken and the nearest fix."""

    def __init__(self, rule: str, fix: str) -> None:
        super().__init__(f"{rule}; {fix}")
        self.rule = rule
        self.fix = fix


@dataclass(frozen=True, eq=False)
class Dimension:
    """One dimension: its units by size, the factor of each to SI, and common misspellings."""

    name: str
    article: str
    example: str
    factors: dict[str, Decimal]
    #: Wrong unit (case-sensitive, then folded) -> (factor to apply to the number, right unit).
    misspelt: dict[str, tuple[Decimal, str]] = field(default_factory=dict)
    #: Unit that a person prefers even where a larger one makes the number a little shorter.
    plain_unit: str = ""

    @property
    def units(self) -> str:
        """The accepted units as one readable list."""
        return ", ".join(self.factors)


def _decimals(**factors: str) -> dict[str, Decimal]:
    return {unit.replace("_per_", "/"): Decimal(factor) for unit, factor in factors.items()}


def _same(*pairs: tuple[str, str]) -> dict[str, tuple[Decimal, str]]:
    return {wrong: (Decimal(1), right) for names, right in pairs for wrong in names.split()}


RATE = Dimension(
    "rate",
    "a rate",
    "650 Mbit/s",
    _decimals(bit_per_s="1", kbit_per_s="1e3", Mbit_per_s="1e6", Gbit_per_s="1e9"),
    _same(
        ("bps bits/s b/s bit bits", "bit/s"),
        ("kbps Kbps Kbit/s kbits/s kb/s kb kbit kbit/sec", "kbit/s"),
        ("Mbps mbps mbit/s Mbits/s Mb/s Mb Mbit Mbit/sec mb/s", "Mbit/s"),
        ("Gbps gbps gbit/s Gbits/s Gb/s Gb Gbit Gbit/sec gb/s", "Gbit/s"),
    )
    | {
        "B/s": (Decimal(BITS_PER_BYTE), "bit/s"),
        "bytes/s": (Decimal(BITS_PER_BYTE), "bit/s"),
        "kB/s": (Decimal(BITS_PER_BYTE), "kbit/s"),
        "MB/s": (Decimal(BITS_PER_BYTE), "Mbit/s"),
        "GB/s": (Decimal(BITS_PER_BYTE), "Gbit/s"),
        "Tbit/s": (Decimal(1000), "Gbit/s"),
        "Tbps": (Decimal(1000), "Gbit/s"),
    },
)

DURATION = Dimension(
    "duration",
    "a duration",
    "45 s",
    _decimals(us="1e-6", ms="1e-3", s="1", min="60", h="3600", d="86400"),
    _same(
        ("\u00b5s \u03bcs usec microseconds", "us"),
        ("msec milliseconds millisecond", "ms"),
        ("sec secs second seconds", "s"),
        ("m mins minute minutes", "min"),
        ("hr hrs hour hours", "h"),
        ("day days", "d"),
    )
    | {
        "w": (Decimal(7), "d"),
        "week": (Decimal(7), "d"),
        "weeks": (Decimal(7), "d"),
        "ns": (Decimal("0.001"), "us"),
    },
    plain_unit="s",
)

SIZE = Dimension(
    "size",
    "a size",
    "1400 bytes",
    _decimals(
        bytes="1",
        kB="1e3",
        MB="1e6",
        GB="1e9",
        KiB="1024",
        MiB=str(2**20),
        GiB=str(2**30),
    ),
    _same(
        ("byte B b", "bytes"),
        ("KB kb kilobytes k", "kB"),
        ("mb Mb megabytes M", "MB"),
        ("gb Gb gigabytes G", "GB"),
        ("kib", "KiB"),
        ("mib", "MiB"),
        ("gib", "GiB"),
    )
    | {"TB": (Decimal(1000), "GB"), "TiB": (Decimal(1024), "GiB")},
    plain_unit="bytes",
)

RATIO = Dimension(
    "ratio",
    "a ratio",
    "0.01 %",
    {"%": Decimal("0.01")},
    {
        "percent": (Decimal(1), "%"),
        "pct": (Decimal(1), "%"),
        "\u2030": (Decimal("0.1"), "%"),
        "ppm": (Decimal("0.0001"), "%"),
    },
)

MONEY = Dimension(
    "money",
    "an amount of money",
    "2500 USD",
    {"USD": Decimal(1)},
    _same(("$ usd US$ dollars", "USD")),
)

PACKET_RATE = Dimension(
    "packet rate",
    "a packet rate",
    "62000 packets/s",
    {"packets/s": Decimal(1)},
    _same(("pps packet/s pkt/s pkts/s", "packets/s"))
    | {"kpps": (Decimal(1000), "packets/s"), "Mpps": (Decimal(1_000_000), "packets/s")},
)


@lru_cache(REMEMBERED_MAX)
def parse_quantity(text: str, dimension: Dimension) -> float:
    """The quantity in SI units (bit/s, s, bytes, ratio, USD, packets/s).

    Raises
    ------
    UnitError
        If there is no number, no unit, an unknown or ambiguous unit, or no finite value.
    """
    stripped = text.strip()
    example = f"write for example '{dimension.example}'"
    if len(stripped) > TEXT_CHARACTERS_MAX:
        rule = f"{dimension.article} has at most {TEXT_CHARACTERS_MAX} characters"
        raise UnitError(rule, example)
    if _NOT_FINITE.match(stripped):
        raise UnitError(f"{dimension.article} must be a finite number", example)
    number = _NUMBER.match(stripped)
    if number is None:
        raise UnitError(f"must be {dimension.article}: a number and a unit", example)
    unit = stripped[number.end() :].strip()
    if unit not in dimension.factors:
        raise _unit_problem(number.group(), unit, dimension)
    try:
        value = float(Decimal(number.group()) * dimension.factors[unit])
    except DecimalException:
        value = math.inf
    if not math.isfinite(value):
        raise UnitError(f"{dimension.article} must be a finite number", example)
    return value


def _unit_problem(number: str, unit: str, dimension: Dimension) -> UnitError:
    if not unit:
        rule = f"a bare number has no unit; {dimension.article} needs one of {dimension.units}"
        return UnitError(rule, f"write for example '{number} {next(iter(_likely(dimension)))}'")
    if unit[0] in ",_'" or unit[0].isdigit():
        rule = "a number is written with digits and one decimal point, without separators"
        return UnitError(rule, f"write for example '{dimension.example}'")
    rule = f"'{unit}' is not a unit of {dimension.name}; use one of {dimension.units}"
    found = dimension.misspelt.get(unit)
    if found is None:
        folded = {known.casefold(): known for known in dimension.factors}
        if unit.casefold() not in folded:
            return UnitError(rule, f"write for example '{dimension.example}'")
        found = (Decimal(1), folded[unit.casefold()])
    factor, right = found
    try:
        meant = f"{plain_decimal(Decimal(number) * factor)} {right}"
    except DecimalException:
        meant = dimension.example
    return UnitError(rule, f"write '{meant}'")


def _likely(dimension: Dimension) -> tuple[str, ...]:
    """The units in the order in which a person is likely to have meant them."""
    example_unit = dimension.example.split()[-1]
    return (example_unit, *dimension.factors)


def plain_decimal(number: Decimal) -> str:
    """The number without exponent and without needless zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(REMEMBERED_MAX)
def exact_text(value: float, dimension: Dimension) -> str:
    """The text with a unit that `parse_quantity` turns back into the very same float.

    Of all such texts the one with the shortest number that is at least 1, so `300 us`, `4 MiB`.
    """
    number = Decimal(repr(float(value)))
    least = min(dimension.factors.values())
    base_unit = next(unit for unit, factor in dimension.factors.items() if factor in {1, least})
    if number == 0:
        return f"0 {dimension.plain_unit or base_unit}"
    candidates: list[tuple[float, Decimal, str]] = []
    for unit, factor in dimension.factors.items():
        scaled = number / factor
        text = f"{plain_decimal(scaled)} {unit}"
        is_readable = abs(scaled) >= 1 or factor == least
        is_short = len(text) <= TEXT_CHARACTERS_MAX
        if is_readable and is_short and parse_quantity(text, dimension) == value:
            cost = len(text) - len(unit) - (1.5 if unit == dimension.plain_unit else 0)
            candidates.append((cost, -factor, text))
    if not candidates:
        return f"{number / dimension.factors[base_unit]:e} {base_unit}"
    return min(candidates)[2]


@lru_cache(REMEMBERED_MAX)
def format_quantity(value: float, dimension: Dimension, digits: int = 4) -> str:
    """A readable text: `digits` significant digits in the largest decimal unit that is not above.

    For people, not for reading back: the value is rounded.
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "unlimited"
    if value == 0:
        return exact_text(value, dimension)
    rounded = Decimal(f"{value:.{digits}g}")
    units = {u: f for u, f in dimension.factors.items() if not u.endswith("iB")}
    fitting = {u: f for u, f in units.items() if abs(rounded) >= f}
    unit, factor = list((fitting or units).items())[-1 if fitting else 0]
    return f"{plain_decimal(Decimal(f'{rounded / factor:.{digits}g}'))} {unit}"


def format_rate(rate_bps: float) -> str:
    """`650 Mbit/s`."""
    return format_quantity(rate_bps, RATE)


@lru_cache(REMEMBERED_MAX)
def format_duration(duration_s: float) -> str:
    """`12.5 ms`, `90 s`, `10 min`, `7.5 h`: a longer unit only where it makes a short number."""
    for unit in ("d", "h", "min"):
        tenths = duration_s * 10 / float(DURATION.factors[unit])
        if tenths >= 20 and tenths % 1 == 0:
            return f"{tenths / 10:g} {unit}"
    if 1 <= duration_s < math.inf:
        return f"{plain_decimal(Decimal(f'{duration_s:.6g}'))} s"
    return format_quantity(duration_s, DURATION)


def format_size(size_bytes: float) -> str:
    """`4.194 MB`."""
    return format_quantity(size_bytes, SIZE)


def format_ratio(ratio: float) -> str:
    """`0.01 %`."""
    return format_quantity(ratio, RATIO)


def format_money(amount_usd: float) -> str:
    """`2500.00 USD`."""
    return f"{amount_usd:.2f} USD"


def format_packet_rate(rate_pps: float) -> str:
    """`62000 packets/s`."""
    return format_quantity(rate_pps, PACKET_RATE, digits=6)
