"""Forecast and estimate as plain text, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from simulator.base.units import format_duration, format_ratio, format_size
from simulator.console import cut, table, wrapped

if TYPE_CHECKING:
    from simulator.planner.estimate import Estimate
    from simulator.planner.forecast import Growth, Saturation
    from simulator.recorder import Window

CEILING_WIDTH = 36
STREAM_WIDTH = 20
FAR = "in over 100 years"
WINDOWS_MAX: Final = 8


def forecast_text(rows: Sequence[Saturation], growth: Growth) -> str:
    """Write the forecast as a table."""
    rate = format_ratio(growth.high)
    if growth.low != growth.high:
        rate = f"{format_ratio(growth.low)} to {rate}"
    header = ("ceiling", "streams", "load", "full at the earliest", "at the latest")
    cells = [
        (
            cut(row.ceiling, CEILING_WIDTH) + (" <- binds" if row.binds else ""),
            cut(_named(row.streams), STREAM_WIDTH),
            format_ratio(round(row.load_ratio, 3)),
            row.earliest or FAR,
            row.latest or FAR,
        )
        for row in rows
    ]
    lines = [
        f"when ceilings are full if the load grows by {rate} a month, compound (earliest) or "
        "linear (latest)",
        *(table(header, cells, right=(2,)) if cells else ["no ceiling has a known load"]),
    ]
    return "\n".join(lines) + "\n"


def _named(streams: Sequence[str]) -> str:
    return streams[0] if len(streams) == 1 else f"{len(streams)} streams"


def estimate_text(scenario: str, estimates: Sequence[Estimate], chosen: str) -> str:
    """Write what a run would cost at each level."""
    header = ("level", "packet-hops", "flow events", "CPU time", "memory")
    cells = [
        (
            e.fidelity + (" <- chosen" if e.fidelity == chosen else ""),
            f"{e.packet_hops:,.3g}" if e.is_possible else "-",
            f"{e.flow_events:,.3g}" if e.is_possible else "-",
            format_duration(float(f"{e.cpu_s:.2g}")) if e.is_possible else "-",
            format_size(float(f"{e.memory_bytes:.2g}")) if e.is_possible else "flow level only",
        )
        for e in estimates
    ]
    lines = [f"{scenario}: about what a run would take", *table(header, cells, right=(1, 2, 3, 4))]
    return "\n".join(lines) + "\n"


def window_rows(windows: Sequence[Window]) -> list[dict[str, float]]:
    """Windows at packet level, in seconds."""
    return [window.to_dict() for window in windows]


def window_lines(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Say which stretches of a run at flow level are simulated at packet level."""
    if not rows:
        return ["zoom: no faults, so nothing is simulated at packet level"]
    total_s = sum(row["end_s"] - row["packets_from_s"] for row in rows)
    shown = [
        f"{format_duration(row['begin_s'])} to {format_duration(row['end_s'])}"
        for row in rows[:WINDOWS_MAX]
    ]
    more = len(rows) - len(shown)
    text = ", ".join(shown) + (f" and {more} more" if more else "")
    return wrapped(
        f"{text}; {format_duration(total_s)} with what is before",
        "  ",
        "zoom: at packet level from ",
    )
