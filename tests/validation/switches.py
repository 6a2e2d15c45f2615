"""What each switch of the TCP model changes in its distance from the measured Linux stack.

Every switch is set apart from its default, once, on a reduced set of cells: CUBIC and NewReno on
all of `tcp_buffer.csv` and on the 100 Mbit/s cells of `tcp_grid.csv` with four flows, one seed; the
shares of flows at 10 and 80 ms, one seed; outages at 10 and 40 ms. For BBR, which has no switches
of its own, its cells are run with CUBIC in its place.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.validation.validate_tcp import (
    NAMES,
    outage_rows,
    steady_rows,
    unfairness_rows,
)

LOSS_BASED = ("cubic", "reno")
GRID_MBIT, GRID_FLOWS = 100, 4
SHARE_RTTS_MS = "10+80"
OUTAGE_RTTS_MS = (10, 40)
SWITCHES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "`loss_detection: sack` (no RACK)": {"loss_detection": "sack"},
    "`tail_loss_probe` off": {"tail_loss_probe": False},
    "`prr` off": {"prr": False},
    "`hystart` off": {"hystart": False},
    "`reno_region` off": {"reno_region": False},
    "`fast_convergence` off": {"fast_convergence": False},
    "`rto_min_s` 1 (RFC 6298)": {"rto_min_s": 1.0},
    "`segments_per_ack` 1 (no delayed ACKs)": {"segments_per_ack": 1},
    "`quick_ack` off": {"quick_ack": False},
    "`ack_compression` off": {"ack_compression": False},
    "`window_autotuning` off": {"window_autotuning": False},
    "`tso` off": {"tso": False},
    "`frto` off": {"frto": False},
    "`undo` off": {"undo": False},
    "`tick_s` 0, no `timer_wheel`": {"tick_s": 0.0, "timer_wheel": False},
}


def switch_rows() -> pd.DataFrame:
    """Return one row for each switch that is set apart from its default."""
    rows = [_row(name, LOSS_BASED, **changes) for name, changes in SWITCHES.items()]
    rows.append(_row("nothing, BBR's cells", ("bbr",)))
    rows.append(_row("CUBIC in BBR's cells", ("bbr",), congestion_control=NAMES["cubic"]))
    return pd.DataFrame(rows)


def _is_kept(cell: dict[str, Any]) -> bool:
    return bool(cell["rate_mbit"] == GRID_MBIT and cell["flows"] == GRID_FLOWS)


def _row(name: str, controls: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    steady = pd.concat(
        steady_rows(
            file,
            seeds=1,
            controls=controls,
            cells=_is_kept if file == "tcp_grid.csv" else None,
            **changes,
        )
        for file in ("tcp_grid.csv", "tcp_buffer.csv")
    )
    shares = unfairness_rows(
        seeds=1,
        controls=controls,
        cells=lambda cell: cell["rtts_ms"] == SHARE_RTTS_MS,
        **changes,
    )
    outages = outage_rows(
        controls=controls, cells=lambda run: run["rtt_ms"] in OUTAGE_RTTS_MS, **changes
    )
    late_s = (outages["t90_s_model"] - outages["t90_s_measured"]).abs()
    goodput = steady["goodput_error"].abs()
    return {
        "changed": name,
        "cells": len(steady),
        "goodput_error_mean": goodput.mean(),
        "goodput_error_p90": goodput.quantile(0.9),
        "srtt_error_mean": steady["srtt_error"].abs().mean(),
        "retransmitted_ratio": steady["retransmitted_model"].sum()
        / steady["retransmitted_measured"].sum(),
        "share_error_mean": shares["share_error"].abs().mean(),
        "outages": len(outages),
        "outages_close": outages["is_close"].mean(),
        "t90_error_s_mean": late_s.mean(),
    }
