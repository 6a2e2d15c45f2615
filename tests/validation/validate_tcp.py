"""Comparison of the TCP kernels with the measured Linux stack, one row per configuration.

`steady_rows(file)` covers `tcp_grid.csv`, `tcp_offgrid.csv` and `tcp_buffer.csv`,
`unfairness_rows()` the flows of unequal RTT, `outage_rows()` the recovery after an outage.
Every row holds what was measured, what the model gives and the error as the data's README and
the acceptance rule want it: the distance from the range of the repetitions, which is widened to
at least 2 % of the mean. The long form takes some minutes on one core.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kernels.tcp import TcpOptions
from tests.validation.measurements import DATA, read
from tests.validation.tcp_path import MSS_BYTES, PathCase, run_case

BITS_PER_BYTE = 8
SAMPLES_PER_S = 20
CELL = ["cc", "rate_mbit", "rtt_ms", "loss", "queue_bytes", "flows"]
STEADY_FILES = ("tcp_grid.csv", "tcp_offgrid.csv", "tcp_buffer.csv")
LEAST_RANGE_RATIO = 0.02
RARE_LOSSES = 100
"""Losses in a window below which the README of the data calls repetitions noisy."""
CHANGES = ("delivered", "retransmitted", "timeouts")
FIGURES = ("goodput_mbps", "srtt_ms", "jain", "retransmitted", "timeouts", "cwnd")
NAMES = {"cubic": "cubic", "reno": "newreno", "bbr": "bbr"}


@dataclass(frozen=True, slots=True)
class Steady:
    """Figures of one run in its measuring window."""

    goodput_mbps: float
    srtt_ms: float
    jain: float
    retransmitted: float
    timeouts: float
    cwnd: float


def switched(control: str, changes: Mapping[str, Any]) -> TcpOptions:
    """Return the measured stack's switches for a congestion control of the data, some changed."""
    return TcpOptions(**({"congestion_control": NAMES[control]} | dict(changes)))


def jain_index(rate: Iterable[float]) -> float:
    """Return Jain's fairness index of some rates: 1 if all are equal, 1/n if one has all."""
    values = np.array(list(rate), float)
    return float(values.sum() ** 2 / (len(values) * (values**2).sum()))


def distance_ratio(value: float, measured: Iterable[float]) -> float:
    """Return the signed distance of a value from the range of repetitions / their mean."""
    values = np.array(list(measured), float)
    mean = values.mean()
    slack = max(LEAST_RANGE_RATIO * mean - np.ptp(values), 0.0) / 2
    low, high = values.min() - slack, values.max() + slack
    return float((max(value - high, 0.0) - max(low - value, 0.0)) / mean)


def steady_case(cell: tuple[Any, ...], rep: int, seed: int, options: TcpOptions) -> PathCase:
    """Return the run that one line of the steady-state files describes."""
    _, rate_mbit, rtt_ms, loss, queue_bytes, flows = cell
    gap_s = max(rtt_ms / 1e3, 0.01 + 0.0037 * (rep - 1))
    return PathCase(
        rate_bps=rate_mbit * 1e6,
        rtt_s=(rtt_ms / 1e3,) * flows,
        queue_bytes=queue_bytes,
        loss=loss,
        start_s=((flows - 1) * gap_s,),
        seed=seed,
        options=options,
    )


def run_steady(case: PathCase, warm_s: float, dur_s: float) -> Steady:
    """Run a case and take the figures of its window."""
    samples, _, _ = run_case(case, warm_s + dur_s + 0.051)
    first = round(warm_s * SAMPLES_PER_S) - 1
    last = round((warm_s + dur_s) * SAMPLES_PER_S) - 1
    change = {name: samples[name][last] - samples[name][first] for name in CHANGES}
    delivered = change["delivered"].astype(float)
    window = samples[first : last + 1]
    return Steady(
        goodput_mbps=float(delivered.sum() * MSS_BYTES * BITS_PER_BYTE / dur_s / 1e6),
        srtt_ms=float(window["srtt_ps"].mean() / 1e9),
        jain=jain_index(delivered),
        retransmitted=float(
            np.sum(samples["retransmitted"][last] - samples["retransmitted"][first])
        ),
        timeouts=float(np.sum(samples["timeouts"][last] - samples["timeouts"][first])),
        cwnd=float(window["cwnd"].mean()),
    )


def measured_runs(file: str, folder: Path = DATA) -> pd.DataFrame:
    """Return one line per measured run: sums and means over its flows."""
    table = read(file, folder)
    groups = table.groupby([*CELL, "rep", "warm_s", "dur_s"], as_index=False)
    return groups.agg(
        goodput_mbps=("goodput_mbps", "sum"),
        srtt_ms=("mean_srtt_ms", "mean"),
        jain=("goodput_mbps", jain_index),
        retransmitted=("retrans_pkts", "sum"),
        timeouts=("rto_count", "sum"),
        cwnd=("mean_cwnd", "mean"),
    )


def steady_rows(
    file: str,
    seeds: int = 2,
    controls: Iterable[str] = NAMES,
    cells: Any = None,
    folder: Path = DATA,
    **changes: Any,
) -> pd.DataFrame:
    """Compare the configurations of a steady-state file with the model, one row each.

    `seeds` runs of the model stand against each measured one where packets are lost at random;
    `cells` keeps the configurations for which it is true; `changes` are switches of TcpOptions.
    """
    rows = []
    runs = measured_runs(file, folder)
    for cell, group in runs[runs["cc"].isin(list(controls))].groupby(CELL):
        if cells is not None and not cells(dict(zip(CELL, cell, strict=True))):
            continue
        options = switched(cell[0], changes)
        results = [
            run_steady(
                steady_case(cell, run.rep, 100 * run.rep + seed, options), run.warm_s, run.dur_s
            )
            for run in group.itertuples()
            for seed in range(seeds if cell[3] > 0 else 1)
        ]
        rows.append(_steady_row(cell, group, results))
    return pd.DataFrame(rows)


def _steady_row(cell: Any, group: pd.DataFrame, results: list[Steady]) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(CELL, cell, strict=True))
    row["reps"] = len(group)
    for name in FIGURES:
        row[f"{name}_measured"] = group[name].mean()
        row[f"{name}_model"] = float(np.mean([getattr(result, name) for result in results]))
    row["goodput_error"] = distance_ratio(row["goodput_mbps_model"], group["goodput_mbps"])
    row["srtt_error"] = distance_ratio(row["srtt_ms_model"], group["srtt_ms"])
    row["jain_error"] = row["jain_model"] - row["jain_measured"]
    return row


def rare_loss_rows(
    seeds: int = 24, controls: Iterable[str] = NAMES, folder: Path = DATA
) -> pd.DataFrame:
    """Place every measured run of a lone flow under rare loss among many seeds of the model.

    With fewer than `RARE_LOSSES` losses in a window, repetitions differ by 20 % and more, so means
    say little. `is_inside`: the run lies between the 5th and 95th percentile of the seeds, to
    within half of the least range; nine of ten do if both come from one distribution.
    """
    rows = []
    for file in STEADY_FILES:
        if not (folder / file).exists():
            continue
        runs = measured_runs(file, folder)
        lone = runs[(runs["flows"] == 1) & runs["cc"].isin(list(controls)) & (runs["loss"] > 0)]
        for run in lone.itertuples():
            segments = run.goodput_mbps * 1e6 * run.dur_s / BITS_PER_BYTE / MSS_BYTES
            if run.loss * segments >= RARE_LOSSES:
                continue
            options = switched(str(run.cc), {})
            cell = tuple(getattr(run, name) for name in CELL)
            case = steady_case(cell, run.rep, 1, options)
            found = [
                run_steady(case.with_(seed=seed), run.warm_s, run.dur_s).goodput_mbps
                for seed in range(1, seeds + 1)
            ]
            low, middle, high = np.quantile(found, (0.05, 0.5, 0.95))
            slack = LEAST_RANGE_RATIO / 2 * run.goodput_mbps
            row: dict[str, Any] = {"file": file} | dict(zip(CELL, cell, strict=True))
            row |= {"rep": run.rep, "goodput_mbps_measured": run.goodput_mbps}
            row |= {"goodput_mbps_model_p5": low, "goodput_mbps_model_p50": middle}
            row |= {"goodput_mbps_model_p95": high}
            row["is_inside"] = bool(low - slack <= run.goodput_mbps <= high + slack)
            rows.append(row)
    return pd.DataFrame(rows)


def unfairness_rows(
    seeds: int = 3,
    controls: Iterable[str] = NAMES,
    cells: Any = None,
    folder: Path = DATA,
    **changes: Any,
) -> pd.DataFrame:
    """Compare the shares of flows of unequal RTT; one row per flow and configuration.

    The flows of the data start at different times within a second: every seed of the model draws
    other times, and the shares are means over the seeds. Where there is a long repetition, the
    model runs as long.
    """
    table = read("tcp_rtt_unfairness.csv", folder)
    keys = ["cc", "rtts_ms", "rate_mbit", "queue_bytes"]
    rows = []
    for cell, group in table[table["cc"].isin(list(controls))].groupby(keys):
        names = dict(zip(keys, cell, strict=True))
        if cells is not None and not cells(names):
            continue
        shares = [_shares(names, group, seed, **changes) for seed in range(seeds)]
        for f, rtt_ms in enumerate(_rtts_ms(names)):
            measured = group[group["flow"] == f + 1]["share"]
            model = float(np.mean([share[f] for share in shares]))
            low, high = measured.min(), measured.max()
            row = names | {"rtt_ms": rtt_ms, "share_measured": measured.mean()}
            row |= {"share_model": model, "share_low": low, "share_high": high}
            row["share_error"] = max(model - high, 0.0) - max(low - model, 0.0)
            rows.append(row)
    return pd.DataFrame(rows)


def _rtts_ms(cell: dict[str, Any]) -> list[float]:
    return [float(rtt_ms) for rtt_ms in cell["rtts_ms"].split("+")]


def _shares(cell: dict[str, Any], group: pd.DataFrame, seed: int, **changes: Any) -> Any:
    """Run one configuration of unequal RTTs; return each flow's share of the goodput."""
    longest = group[group["dur_s"] == group["dur_s"].max()].iloc[0]
    rtt_s = tuple(rtt_ms / 1e3 for rtt_ms in _rtts_ms(cell))
    case = PathCase(
        rate_bps=cell["rate_mbit"] * 1e6,
        rtt_s=rtt_s,
        queue_bytes=cell["queue_bytes"],
        start_s=tuple(np.random.default_rng([seed, 7]).random(len(rtt_s))),
        seed=seed,
        options=switched(cell["cc"], changes),
    )
    end_s = longest["warm_s"] + longest["dur_s"]
    samples, _, _ = run_case(case, end_s + 0.051)
    first = round(longest["warm_s"] * SAMPLES_PER_S) - 1
    delivered = samples["delivered"][round(end_s * SAMPLES_PER_S) - 1] - samples["delivered"][first]
    return delivered / delivered.sum()


def outage_rows(
    controls: Iterable[str] = NAMES, cells: Any = None, folder: Path = DATA, **changes: Any
) -> pd.DataFrame:
    """Compare the recovery after an outage; one row per measured run.

    `is_close`: the time back to 90 % differs by at most one step of the timeout's back-off (the
    RTO that was in force when the path came back), or is beyond the series in both.
    """
    table = read("tcp_outage.csv", folder)
    table = table[table["cc"].isin(list(controls))]
    return pd.DataFrame(
        [
            _outage_row(run, **changes)
            for run in table.itertuples()
            if cells is None or cells(run._asdict())
        ]
    )


def _outage_case(run: Any, **changes: Any) -> PathCase:
    start_s, end_s = run.outage_start_s, run.outage_start_s + run.outage_s
    never = (-1.0, -1.0)
    return PathCase(
        rate_bps=run.rate_mbit * 1e6,
        rtt_s=(run.rtt_ms / 1e3,),
        queue_bytes=run.queue_bytes,
        options=switched(run.cc, changes),
        data_outage_s=(start_s, end_s) if run.kind in ("both", "data") else never,
        ack_outage_s=(start_s, end_s) if run.kind in ("both", "ack") else never,
        sample_s=0.01,
    )


def _outage_row(run: Any, **changes: Any) -> dict[str, Any]:
    start_s, end_s = run.outage_start_s, run.outage_start_s + run.outage_s
    case = _outage_case(run, **changes)
    samples, _, _ = run_case(case, end_s + 62.0)
    per_s = round(1 / case.sample_s)
    begin, end = round(start_s * per_s) - 1, round(end_s * per_s) - 1
    mbit = samples["delivered"][:, 0] * (MSS_BYTES * BITS_PER_BYTE / 1e6)
    before_mbps = (mbit[begin] - mbit[begin - 5 * per_s]) / 5.0
    t90_s = _sustained_s(mbit[end:], before_mbps, per_s)
    step_s = float(samples["rto_ps"][end, 0] / 1e12)
    is_late = np.isnan(t90_s) and np.isnan(run.t90_sustained_s)
    names = ("cc", "rate_mbit", "rtt_ms", "kind", "outage_set_s", "rep")
    return {name: getattr(run, name) for name in names} | {
        "before_mbps_measured": run.before_mbps,
        "before_mbps_model": before_mbps,
        "mean10s_mbps_measured": run.mean10s_mbps,
        "mean10s_mbps_model": (mbit[end + 10 * per_s] - mbit[end]) / 10.0,
        "t90_s_measured": run.t90_sustained_s,
        "t90_s_model": t90_s,
        "rto_step_s": step_s,
        "is_close": bool(is_late or abs(t90_s - run.t90_sustained_s) <= step_s),
        "timeouts_measured": run.rto_count,
        "timeouts_model": int(samples["timeouts"][-1, 0]),
    }


def outage_curves(least_s: float = -2.0, most_s: float = 8.0, folder: Path = DATA) -> pd.DataFrame:
    """Return goodput over time, measured and simulated, of the runs that are not close.

    Times are those of the measured series, from the moment at which the path is back.
    """
    table = read("tcp_outage.csv", folder)
    series = read("tcp_outage_series.csv", folder)
    keys = ["rate_mbit", "rtt_ms", "queue_bytes", "cc", "kind", "outage_set_s", "rep"]
    found = []
    for run in table[~outage_rows(folder=folder)["is_close"].to_numpy()].itertuples():
        is_run = np.logical_and.reduce([series[key] == getattr(run, key) for key in keys])
        measured = series[is_run & series["t_after_restore_s"].between(least_s, most_s)]
        end_s = run.outage_start_s + run.outage_s
        case = _outage_case(run)
        samples, _, _ = run_case(case, end_s + most_s + 1.0)
        mbit = samples["delivered"][:, 0] * (MSS_BYTES * BITS_PER_BYTE / 1e6)
        per_s = round(1 / case.sample_s)
        at_s = measured["t_after_restore_s"].to_numpy()
        step = np.round((end_s + at_s) * per_s).astype(int) - 1
        model = (mbit[step + per_s // 10] - mbit[step]) * 10.0
        names = {key: getattr(run, key) for key in keys}
        found.append(
            pd.DataFrame(
                names
                | {"t_s": at_s, "measured_mbps": measured["goodput_mbps"], "model_mbps": model}
            )
        )
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _sustained_s(mbit: Any, before_mbps: float, per_s: int) -> float:
    """Return the start of the first 2 s window (in steps of 0.1 s) at 90 % of before."""
    width = 2 * per_s
    for start in range(0, min(len(mbit), 60 * per_s) - width, per_s // 10):
        if (mbit[start + width] - mbit[start]) / 2.0 >= 0.9 * before_mbps:
            return start / per_s
    return float("nan")


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the accepted figures per congestion control: median and 90th percentile."""
    lines = []
    for name, group in [("all", rows), *rows.groupby("cc")]:
        error = group["goodput_error"].abs()
        lines.append(
            {
                "cc": name,
                "cells": len(group),
                "goodput_p50": error.median(),
                "goodput_p90": error.quantile(0.9),
                "srtt_p50": group["srtt_error"].abs().median(),
                "srtt_p90": group["srtt_error"].abs().quantile(0.9),
                "jain_p50": group["jain_error"].abs().median(),
            }
        )
    return pd.DataFrame(lines).round(4)
