"""When ceilings saturate: the date at which a growing load reaches each of them.

    compound growth   load * (1 + g)^months = limit      months = ln(limit / load) / ln(1 + g)
    linear growth     load * (1 + g months) = limit      months = (limit / load - 1) / g

Nobody knows which of the two a rate of growth means for the years to come, so the interval reaches
from the one to the other, and over the range of the rate where one is given. A month has 730 hours.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from simulator.base.errors import UsageError
from simulator.base.units import DAY_S, MONTH_S, RATIO, UnitError, parse_quantity

if TYPE_CHECKING:
    from simulator.planner.explain import Explanation

PER_MONTH: Final = "/month"
RANGE: Final = ".."
MONTHS_MAX: Final = 1200.0
"""Beyond a hundred years nobody plans."""


@dataclass(frozen=True)
class Growth:
    """A rate of growth from month to month; `low` and `high` are the same if no range is given."""

    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Growth:
        """Read `3 %/month` or `2..4 %/month`.

        Raises
        ------
        UsageError
            If it is written otherwise, or not above 0.
        """
        said = f"--growth {text}: write for example '3 %/month' or '2..4 %/month'"
        number, slash, rest = text.strip().partition(PER_MONTH)
        if not slash or rest.strip():
            raise UsageError(said)
        first, dots, second = number.partition(RANGE)
        unit = "%" if "%" in number else ""
        try:
            high = parse_quantity((second if dots else first).strip(), RATIO)
            low = parse_quantity(f"{first.strip()} {unit}", RATIO) if dots else high
        except UnitError as error:
            raise UsageError(f"{said}; {error}") from None
        if not 0.0 < low <= high:
            raise UsageError(f"{said}; growth must be above 0, the lower bound first")
        return cls(low, high)


@dataclass(frozen=True)
class Saturation:
    """When a ceiling is used up."""

    ceiling: str
    streams: tuple[str, ...]
    """Streams and directions that pass it."""
    load_ratio: float
    """Present load of all streams over the limit."""
    months_earliest: float
    months_latest: float
    earliest: str
    """ISO date; empty if it is more than a hundred years away."""
    latest: str
    binds: tuple[str, ...]
    """Streams and directions that it binds."""


def saturations(explanation: Explanation, growth: Growth, today: date) -> Iterator[Saturation]:
    """Every ceiling whose load is known, those that saturate first in front."""
    users: dict[tuple[str, float], list[str]] = defaultdict(list)
    bound: dict[tuple[str, float], list[str]] = defaultdict(list)
    for stream in explanation.streams:
        for row in stream.ceilings:
            if row.headroom_ratio is not None and row.headroom_ratio < 1.0:
                key = (row.ceiling, 1.0 - row.headroom_ratio)
                users[key].append(f"{stream.stream} {stream.direction}")
                if row.binds:
                    bound[key].append(f"{stream.stream} {stream.direction}")
    found = [
        _saturation(ceiling, load, tuple(names), tuple(bound[ceiling, load]), growth, today)
        for (ceiling, load), names in users.items()
    ]
    yield from sorted(found, key=lambda s: (s.months_earliest, s.ceiling))


def _saturation(
    ceiling: str,
    load: float,
    streams: tuple[str, ...],
    binds: tuple[str, ...],
    growth: Growth,
    today: date,
) -> Saturation:
    months = [0.0]
    if load < 1.0:
        months = [math.log(1.0 / load) / math.log1p(g) for g in (growth.low, growth.high)]
        months += [(1.0 / load - 1.0) / g for g in (growth.low, growth.high)]
    earliest, latest = min(months), max(months)
    return Saturation(
        ceiling,
        streams,
        load,
        earliest,
        latest,
        _date(today, earliest),
        _date(today, latest),
        binds,
    )


def _date(today: date, months: float) -> str:
    if months > MONTHS_MAX:
        return ""
    return (today + timedelta(days=months * MONTH_S / DAY_S)).isoformat()


def to_dict(rows: list[Saturation], growth: Growth) -> dict[str, Any]:
    """Plain data for JSON."""
    return {
        "growth_low_ratio": growth.low,
        "growth_high_ratio": growth.high,
        "saturations": [asdict(row) for row in rows],
    }
