"""Hops: how busy each one was, how long its queue grew, and what it dropped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.units import PS_PER_S
from simulator.base.units import BITS_PER_BYTE
from simulator.metrics import rows
from simulator.metrics.accounting import dropped_columns
from simulator.metrics.metric import COUNT, RATIO, Column, Columns, Metric
from simulator.plan import Plan
from simulator.recorder import RunLog


def hops(plan: Plan, log: RunLog) -> Columns:
    """Take utilisation after warm-up; queue, packets and drops over the whole run."""
    counted = rows.after_warm_up(plan, log)
    is_server = np.array([rows.is_server(hop) for hop in plan.hops], bool)
    rate_bps = np.array([hop.rate_bps for hop in plan.hops], np.float64)
    time_ps = np.full(len(plan.hops), (log.bin_end_ps - log.bin_start_ps)[counted].sum())
    utilisation = rows.ratio(worked_ps(log)[counted].sum(axis=0), time_ps)
    wait_s_max = log.hop["wait_max_ps"] / PS_PER_S
    nominal_bps = np.where(is_server & np.isfinite(rate_bps), rate_bps, np.nan)
    dropped = {f"packets_dropped_{r}": log.hop_dropped[:, n] for n, r in enumerate(layout.REASONS)}
    return {
        "utilisation_ratio": np.where(is_server, utilisation, np.nan),
        "packets_served": log.hop["served_packets"],
        "bytes_served": log.hop["served_bytes"],
        "wait_s_max": np.where(is_server, wait_s_max, np.nan),
        "queue_bytes_max": wait_s_max * nominal_bps / BITS_PER_BYTE,
        "fragments": log.hop["fragments"],
        "packets_dropped": log.hop_dropped.sum(axis=1),
        **dropped,
    }


def hop_timeline(plan: Plan, log: RunLog) -> Columns:
    """Take the utilisation of each server within each bin."""
    time_ps = (log.bin_end_ps - log.bin_start_ps)[:, np.newaxis]
    ratio = rows.along_hop_timeline(plan, worked_ps(log) / time_ps)
    return {"utilisation_ratio": ratio}


def worked_ps(log: RunLog) -> npt.NDArray[np.int64]:
    """Return the time that each hop worked within each bin, int64[bins, hops].

    The log holds the work that a hop *accepted* in a bin. What a bin cannot hold is done in the
    next ones, so no bin is more than full.
    """
    worked = np.empty_like(log.hop_busy_ps)
    left_over = np.zeros(log.hop_busy_ps.shape[1], np.int64)
    for b, time_ps in enumerate(log.bin_end_ps - log.bin_start_ps):
        work = left_over + log.hop_busy_ps[b]
        worked[b] = np.minimum(work, time_ps)
        left_over = work - worked[b]
    return worked


UTILISATION_TEXT = "Share of the time in which the hop served a packet"

METRICS = (
    Metric(
        "hops",
        (
            Column("utilisation_ratio", RATIO, f"{UTILISATION_TEXT}, after warm-up.", "less"),
            Column("packets_served", "packets", "Packets served in the whole run."),
            Column("bytes_served", "bytes", "Bytes served, as this hop meters them."),
            Column("wait_s_max", "s", "Longest wait in the queue.", "less"),
            Column("queue_bytes_max", "bytes", "Longest wait times the nominal rate.", "less"),
            Column("fragments", COUNT, "Fragments sent beyond one per packet.", "less"),
            *dropped_columns("packets", "Packets"),
        ),
        hops,
    ),
    Metric(
        "hop_timeline",
        (Column("utilisation_ratio", RATIO, f"{UTILISATION_TEXT}.", "less"),),
        hop_timeline,
    ),
)
