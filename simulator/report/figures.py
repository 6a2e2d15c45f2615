"""Numbers of a page: rounded for people, exact in the markup, with their place in the summary."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, Final

from simulator.base.units import DURATION, RATE, RATIO, format_quantity, format_size

DIGITS: Final = 3
S_PER_HOUR: Final = 3600
UNKNOWN: Final = "-"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    """Seconds on a common scale: columns of instants are easier to compare than prefixes."""
    return f"{value:,.2f} s"


def _money(value: float) -> str:
    return f"{value:,.2f} USD"


SHOW: Final[dict[str, Callable[[float], str]]] = {
    "rate": lambda value: format_quantity(value, RATE, DIGITS),
    "duration": lambda value: format_quantity(value, DURATION, DIGITS),
    "ratio": lambda value: format_quantity(value, RATIO, DIGITS),
    "size": format_size,
    "count": _count,
    "seconds": _seconds,
    "hours": lambda value: f"{value / S_PER_HOUR:,.6g} hours",
    "money": _money,
    "price": lambda value: f"{value:.6g} USD",
    "quantity": lambda value: f"{value:,.3f}".rstrip("0").rstrip("."),
}
"""What a number is -> how it is written."""


def show(value: Any, kind: str) -> str:
    """Write a number of this kind for a person; a dash where it is not known."""
    return UNKNOWN if value is None else SHOW[kind](value)


def markup(value: Any, kind: str, path: str) -> str:
    """Write it as HTML that carries the exact value and its place in `summary.json`."""
    if value is None:
        return f'<data data-from="{escape(path)}" value="null">{UNKNOWN}</data>'
    return f'<data data-from="{escape(path)}" value="{value!r}">{escape(show(value, kind))}</data>'
