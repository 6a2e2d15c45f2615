"""Latency: one-way time from the sender to the receiver, of the packets that arrived."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from kernels import histogram, layout
from kernels.units import PS_PER_S
from simulator.metrics import rows
from simulator.metrics.keys import DIRECTION, STREAM
from simulator.metrics.metric import RATIO, Column, Columns, Metric
from simulator.plan import Plan
from simulator.recorder import BIN_PROBABILITIES, RunLog

RUN_PROBABILITIES = (0.5, 0.95, 0.99, 0.999)
"""Percentiles over the whole run."""


def streams(plan: Plan, log: RunLog) -> Columns:
    """Take mean and percentiles over the bins after warm-up."""
    kept = rows.directions_with_packets(log)
    counted = rows.after_warm_up(plan, log)
    latency_s = latency_sum_s(log)[counted][:, kept].sum(axis=0)
    packets = log.counter["delivered_packets"][counted][:, kept].sum(axis=0)
    quantile_s = np.empty((len(kept), len(RUN_PROBABILITIES)))
    for row, d in enumerate(kept):
        histogram.quantiles(log.histogram[d], np.array(RUN_PROBABILITIES), quantile_s[row])
    quantile_s /= PS_PER_S
    columns = {"latency_s_mean": rows.ratio(latency_s, packets)}
    for n, p in enumerate(RUN_PROBABILITIES):
        columns[percentile_column(p)] = quantile_s[:, n]
    return columns


def timeline(plan: Plan, log: RunLog) -> Columns:
    """Take mean and percentiles of the packets that arrived within each bin."""
    latency_s = rows.along_timeline(log, latency_sum_s(log))
    packets = rows.along_timeline(log, log.counter["delivered_packets"])
    quantile_s = rows.along_timeline(log, log.latency_ps) / PS_PER_S
    columns = {"latency_s_mean": rows.ratio(latency_s, packets)}
    for n, p in enumerate(BIN_PROBABILITIES):
        columns[percentile_column(p)] = quantile_s[:, n]
    return columns


def latency_cdf(plan: Plan, log: RunLog) -> Columns:
    """List the filled buckets of the run's histogram for each stream and direction."""
    kept = rows.directions_with_packets(log)
    where, bucket = np.nonzero(log.histogram[kept])
    packets = log.histogram[kept][where, bucket]
    infos = [plan.directions[d] for d in kept]
    names = [plan.streams[info.stream_idx].name for info in infos]
    edge_s = bucket_edges_s()
    frame = pd.DataFrame(
        {
            "stream": pd.Series([names[n] for n in where], dtype="str"),
            "direction": pd.Series([infos[n].direction for n in where], dtype="str"),
            "latency_s_low": edge_s[bucket],
            "latency_s_high": edge_s[bucket + 1],
            "packets": packets,
        }
    )
    up_to = frame.groupby(where)["packets"]
    frame["cdf_ratio"] = up_to.cumsum() / up_to.transform("sum")
    return {str(name): column for name, column in frame.items()}


def latency_sum_s(log: RunLog) -> npt.NDArray[np.float64]:
    """Return the sum of latencies of each bin and direction, float64[bins, directions], seconds.

    The counter runs modulo 2**64, so that its differences are exact as unsigned numbers.
    """
    units = log.counter["latency_sum"].astype(np.uint64)
    return units.astype(np.float64) * (layout.LATENCY_UNIT_PS / PS_PER_S)


def bucket_edges_s() -> npt.NDArray[np.float64]:
    """Return the edges of the histogram's buckets, float64[BUCKETS + 1], seconds."""
    index = np.arange(histogram.BUCKETS + 1, dtype=np.int64) + histogram.FIRST_BUCKET
    return (index << histogram.SHIFT).view(np.float64) / PS_PER_S


def percentile_column(probability: float) -> str:
    """Name the column of a percentile: 0.999 is `latency_s_p999`."""
    return "latency_s_p" + f"{probability:.12g}".removeprefix("0.").ljust(2, "0")


def _columns(probabilities: tuple[float, ...], of: str) -> tuple[Column, ...]:
    return (
        Column("latency_s_mean", "s", f"Mean one-way latency of the packets that {of}.", "less"),
        *(
            Column(
                percentile_column(p),
                "s",
                f"One-way latency that {p:.12g} of these packets do not exceed.",
                "less",
            )
            for p in probabilities
        ),
    )


_CDF_COLUMNS = (
    STREAM,
    DIRECTION,
    Column("latency_s_low", "s", "Lower edge of the bucket."),
    Column("latency_s_high", "s", "Upper edge of the bucket, at most 1.6 % above the lower."),
    Column("packets", "packets", "Packets in the bucket that arrived after warm-up."),
    Column("cdf_ratio", RATIO, "Share of the packets at or below the upper edge."),
)

METRICS = (
    Metric("streams", _columns(RUN_PROBABILITIES, "arrived after warm-up"), streams),
    Metric("timeline", _columns(BIN_PROBABILITIES, "arrived in the bin"), timeline),
    Metric("latency_cdf", _CDF_COLUMNS, latency_cdf),
)
