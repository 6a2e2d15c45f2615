"""One measured figure."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A figure with the name under which `results.json` holds it."""

    name: str
    value: float
    unit: str
