"""The data sets of the validation page: how each is computed, and what must hold of it.

`compute` gives one row for each measured configuration, as it is written to
`docs/validation/<name>.csv`; `held` reads such a table and says figure by figure what must hold
and what does. Nothing else decides whether a model passes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tests.validation.published import MET_RATIO, counts, published_rows
from tests.validation.reasons import MET, OFF, outage_reason, steady_verdict
from tests.validation.routers import (
    BY_CHANCE,
    router_ages,
    router_curves,
    router_perfect,
    router_phases,
    router_rows,
)
from tests.validation.switches import switch_rows
from tests.validation.validate_bgp import FAMILY_ERROR, holm
from tests.validation.validate_crypto import crypto_rows
from tests.validation.validate_esp import esp_rows
from tests.validation.validate_tcp import (
    STEADY_FILES,
    outage_curves,
    outage_rows,
    rare_loss_rows,
    steady_rows,
    summary,
    unfairness_rows,
)

ROUTERS = ("bgp_failover.csv",)
STEADY = ("tcp-grid", "tcp-offgrid", "tcp-buffer")
"""Data sets of flows in a steady state."""
GOODPUT_P50, GOODPUT_P90 = 0.05, 0.15
SRTT_P50 = 0.10
JAIN_P50 = 0.10
SHARE_P50 = 0.10
OUTAGES_CLOSE = 0.90
MEAN10S_P50 = 0.10
CRYPTO_RESIDUAL = 0.15


@dataclass(frozen=True, slots=True)
class Held:
    """One figure that must hold."""

    figure: str
    value: float
    bound: float
    is_floor: bool = False
    """Whether the bound is the least value; else it is the greatest."""
    is_ratio: bool = True

    @property
    def is_held(self) -> bool:
        """Whether it does."""
        return self.value >= self.bound if self.is_floor else self.value <= self.bound


@dataclass(frozen=True, slots=True)
class DataSet:
    """A table of measurements and the model's answer to it."""

    name: str
    title: str
    measured: tuple[str, ...]
    """Files in `tests/validation/data`; none if it is always the project's own data."""
    compute: Callable[[Path], pd.DataFrame]
    """From the folder of the files to the table."""
    held: Callable[[pd.DataFrame], list[Held]]
    needs_all: bool = True
    """Whether every file is needed; else one will do."""

    @property
    def is_of_folder(self) -> bool:
        """Whether it compares measurements of any folder, not the project's own ones alone."""
        return bool(self.measured)

    def can_compare(self, folder: Path) -> bool:
        """Whether a folder has what the comparison needs."""
        found = [(folder / file).is_file() for file in self.measured]
        return bool(found) and (all(found) if self.needs_all else any(found))


def _steady(file: str) -> Callable[[Path], pd.DataFrame]:
    return lambda folder: judged(steady_rows(file, seeds=3, folder=folder))


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Add to each configuration of a steady-state file its verdict and the reasons."""
    found = [steady_verdict(row) for row in rows.itertuples()]
    verdicts, reasons = zip(*found, strict=True)
    return rows.assign(verdict=verdicts, reason=reasons)


def judged_outages(folder: Path) -> pd.DataFrame:
    """Compare the recoveries, with verdict and reason of each run."""
    rows = outage_rows(folder=folder)
    reasons = ["" if row.is_close else outage_reason(row) for row in rows.itertuples()]
    return rows.assign(verdict=np.where(rows["is_close"], MET, OFF), reason=reasons)


def held_of_steady(rows: pd.DataFrame) -> list[Held]:
    """All rows, and those of each congestion control."""
    found = []
    for line in summary(rows).itertuples():
        who = "all" if line.cc == "all" else str(line.cc)
        found += [
            Held(f"{who}: goodput error, median", line.goodput_p50, GOODPUT_P50),
            Held(f"{who}: goodput error, 90th percentile", line.goodput_p90, GOODPUT_P90),
            Held(f"{who}: smoothed RTT error, median", line.srtt_p50, SRTT_P50),
            Held(f"{who}: Jain's index error, median", line.jain_p50, JAIN_P50, is_ratio=False),
        ]
    return found


def held_of_shares(rows: pd.DataFrame) -> list[Held]:
    """Shares of flows of unequal RTT."""
    error = rows["share_error"].abs()
    return [Held("share of the goodput, error in the median", error.median(), SHARE_P50)]


def held_of_outages(rows: pd.DataFrame) -> list[Held]:
    """The time back to 90 %, and the goodput of the first ten seconds."""
    change = rows["mean10s_mbps_model"] - rows["mean10s_mbps_measured"]
    error = (change / rows["before_mbps_measured"]).abs()
    close = rows["is_close"].mean()
    return [
        Held("back to 90 % within one step of the timeout", close, OUTAGES_CLOSE, is_floor=True),
        Held("goodput of the first 10 s, error in the median", error.median(), MEAN10S_P50),
    ]


def held_of_esp(rows: pd.DataFrame) -> list[Held]:
    """Every row to the byte and to the packet."""
    return [Held("rows exact", rows["is_exact"].mean(), 1.0, is_floor=True)]


def held_of_crypto(rows: pd.DataFrame) -> list[Held]:
    """No size is far from its line."""
    worst = rows["residual_ratio"].abs().max()
    return [Held("largest residual of a suite and size", worst, CRYPTO_RESIDUAL)]


def held_of_routers(rows: pd.DataFrame) -> list[Held]:
    """No row further off than one of so many rows of so few repetitions is by accident."""
    inside = rows["verdict"].isin([MET, BY_CHANCE]).mean()
    return [Held("medians within 5 %, tails within 10 %, or by chance", inside, 1.0, is_floor=True)]


def held_of_perfect(rows: pd.DataFrame) -> list[Held]:
    """As many rows met as routers meet that are the model itself."""
    everything = rows[rows["kind"] == "all"].iloc[0]
    return [
        Held(
            "medians within 5 %, tails within 10 %",
            everything["measured_met"] / everything["rows"],
            everything["perfect_low"] / everything["rows"],
            is_floor=True,
        )
    ]


def held_of_phases(rows: pd.DataFrame) -> list[Held]:
    """Given the phase, every row."""
    met = rows["is_met"].mean()
    return [Held("medians within 5 %, tails within 10 %", met, 1.0, is_floor=True)]


def held_of_ages(rows: pd.DataFrame) -> list[Held]:
    """The phases of each detector together are as random as the model has them."""
    pooled = rows[rows["kind"] == "all"] if len(rows) else rows
    if not len(pooled):
        return []
    least = holm(pooled["ks_ratio"].to_numpy()).min()
    return [Held("chance of such phases, the rarer detector", least, FAMILY_ERROR, is_floor=True)]


def held_of_published(rows: pd.DataFrame) -> list[Held]:
    """The share of numbers met, by trust."""
    return [
        Held(f"{line.trust}: numbers met", line.met_ratio, MET_RATIO[line.trust], is_floor=True)
        for line in counts(rows).itertuples()
    ]


SETS = (
    DataSet("published", "Published gateways", (), lambda _: published_rows(), held_of_published),
    DataSet(
        "tcp-grid",
        "TCP: loss, RTT, rate, flows",
        ("tcp_grid.csv",),
        _steady("tcp_grid.csv"),
        held_of_steady,
    ),
    DataSet(
        "tcp-offgrid",
        "TCP: irregular parameters",
        ("tcp_offgrid.csv",),
        _steady("tcp_offgrid.csv"),
        held_of_steady,
    ),
    DataSet(
        "tcp-buffer", "TCP: buffers", ("tcp_buffer.csv",), _steady("tcp_buffer.csv"), held_of_steady
    ),
    DataSet(
        "tcp-rare-loss",
        "TCP: lone flows under rare loss",
        STEADY_FILES,
        lambda folder: rare_loss_rows(folder=folder),
        lambda rows: [],
        needs_all=False,
    ),
    DataSet(
        "tcp-rtt-unfairness",
        "TCP: flows of unequal RTT",
        ("tcp_rtt_unfairness.csv",),
        lambda folder: unfairness_rows(seeds=3, folder=folder),
        held_of_shares,
    ),
    DataSet(
        "tcp-outage",
        "TCP: recovery after an outage",
        ("tcp_outage.csv",),
        judged_outages,
        held_of_outages,
    ),
    DataSet(
        "tcp-outage-curves",
        "TCP: recoveries that are off, over time",
        ("tcp_outage.csv", "tcp_outage_series.csv"),
        lambda folder: outage_curves(folder=folder),
        lambda rows: [],
    ),
    DataSet(
        "tcp-switches",
        "TCP: what each switch changes",
        (),
        lambda _: switch_rows(),
        lambda rows: [],
    ),
    DataSet("routers", "Routers: every timer setting", ROUTERS, router_rows, held_of_routers),
    DataSet(
        "routers-perfect",
        "Routers: as many rows as the model meets of itself",
        ROUTERS,
        router_perfect,
        held_of_perfect,
    ),
    DataSet(
        "routers-phases",
        "Routers: with the phase of each repetition",
        ROUTERS,
        router_phases,
        held_of_phases,
    ),
    DataSet("routers-ages", "Routers: the phases", ROUTERS, router_ages, held_of_ages),
    DataSet("routers-curves", "Routers: distributions", ROUTERS, router_curves, lambda rows: []),
    DataSet("crypto", "Cost of encryption", ("crypto_cost.csv",), crypto_rows, held_of_crypto),
    DataSet("esp", "ESP on the wire", ("esp_overhead.csv",), esp_rows, held_of_esp),
)
