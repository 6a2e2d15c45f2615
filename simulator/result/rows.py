"""Rows of tables as plain objects, as `summary.json` holds them."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from kernels import layout

KEYS: Final = ["stream", "direction"]
"""Columns that together name a row of `streams`."""


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn the rows of a frame into objects of plain Python values, None for what is unknown."""
    columns = {name: [_plain(v) for v in frame[name].tolist()] for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def _by_reason(row: dict[str, Any], unit: str) -> dict[str, int]:
    return {reason: row[f"{unit}_dropped_{reason}"] for reason in layout.REASONS}


def stream_row(row: dict[str, Any]) -> dict[str, Any]:
    """Take the row of `streams`, its drops by reason gathered in one object for each unit."""
    kept = {k: v for k, v in row.items() if "_dropped_" not in k}
    return kept | {f"{u}_dropped": _by_reason(row, u) for u in ("packets", "bytes")}


def hop_row(row: dict[str, Any]) -> dict[str, Any]:
    """Take the row of `hops`, its dropped packets by reason gathered in one object."""
    kept = {k: v for k, v in row.items() if "_dropped" not in k}
    return kept | {"drops": _by_reason(row, "packets")}
