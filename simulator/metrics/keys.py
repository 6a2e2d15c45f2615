"""Keys: what the rows of a table are about."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kernels.units import PS_PER_S
from simulator.metrics import rows
from simulator.metrics.metric import TEXT, Column, Columns, Metric
from simulator.plan import Plan
from simulator.recorder import RunLog

STREAM = Column("stream", TEXT, "Name of the stream: a row of `traffic:` or a group of clients.")
DIRECTION = Column("direction", TEXT, "`forward` (from -> to) or `return`.")
HOP = Column("hop", TEXT, "Name of the hop.")
TIME = Column("time_s", "s", "Start of the time bin.")
BIN = Column("bin_s", "s", "Length of the time bin; the last one may be shorter.")
WARM_UP = Column("is_warm_up", TEXT, "Whether statistics over the run leave this bin out.")
FIDELITY = Column(
    "fidelity",
    TEXT,
    "`packet` or `flow`: how this was simulated; both occur in a run that zooms in.",
)


def streams(plan: Plan, log: RunLog) -> Columns:
    """Name stream, its kind and ends, and the direction."""
    where = rows.by_direction(plan, log)
    infos = [plan.streams[d.stream_idx] for d in where]
    return {
        "stream": [info.name for info in infos],
        "kind": [info.kind for info in infos],
        "from": [info.from_name for info in infos],
        "to": [info.to_name for info in infos],
        "direction": [d.direction for d in where],
    }


def timeline(plan: Plan, log: RunLog) -> Columns:
    """Name stream, direction and time bin."""
    where = rows.by_direction(plan, log)
    bins = len(log.bin_start_ps)
    names = [plan.streams[d.stream_idx].name for d in where]
    return {
        "stream": _repeated(names, bins),
        "direction": _repeated([d.direction for d in where], bins),
        **_bins(plan, log, len(where)),
        "fidelity": _fidelity(log, [d in log.packet_directions for d in _kept(log)]),
    }


def hops(plan: Plan, log: RunLog) -> Columns:
    """Name hop, direction, kind and nominal rate."""
    rate_bps = np.array([hop.rate_bps for hop in plan.hops], np.float64)
    return {
        "hop": [hop.name for hop in plan.hops],
        "direction": [hop.direction for hop in plan.hops],
        "kind": [hop.kind for hop in plan.hops],
        "rate_bps": np.where(np.isfinite(rate_bps), rate_bps, np.nan),
    }


def hop_timeline(plan: Plan, log: RunLog) -> Columns:
    """Name server, direction and time bin."""
    infos = [plan.hops[h] for h in rows.servers(plan)]
    bins = len(log.bin_start_ps)
    return {
        "hop": _repeated([hop.name for hop in infos], bins),
        "direction": _repeated([hop.direction for hop in infos], bins),
        **_bins(plan, log, len(infos)),
        "fidelity": _fidelity(log, [h in log.packet_route_hops for h in rows.servers(plan)]),
    }


def _repeated(names: list[str], count: int) -> pd.Series[str]:
    return pd.Series(names, dtype="str").repeat(count).reset_index(drop=True)


def _kept(log: RunLog) -> list[int]:
    return [int(d) for d in rows.directions_with_packets(log)]


def _fidelity(log: RunLog, is_zoomed: list[bool]) -> pd.Series[str]:
    """The level of each row and bin; `is_zoomed` says which rows are of packets in windows."""
    if not log.windows:
        return _repeated([log.fidelity], len(is_zoomed) * len(log.bin_start_ps))
    by_packets = np.outer(is_zoomed, rows.in_windows(log)).ravel()
    return pd.Series(np.where(by_packets, "packet", log.fidelity), dtype="str")


def _bins(plan: Plan, log: RunLog, copies: int) -> dict[str, np.ndarray]:
    return {
        "time_s": np.tile(log.bin_start_ps / PS_PER_S, copies),
        "bin_s": np.tile(rows.bin_s(log), copies),
        "is_warm_up": np.tile(~rows.after_warm_up(plan, log), copies),
    }


METRICS = (
    Metric(
        "streams",
        (
            STREAM,
            Column("kind", TEXT, "Kind of traffic source."),
            Column("from", TEXT, "Site or VNet that the forward direction starts at."),
            Column("to", TEXT, "Site or VNet at the other end."),
            DIRECTION,
        ),
        streams,
    ),
    Metric("timeline", (STREAM, DIRECTION, TIME, BIN, WARM_UP, FIDELITY), timeline),
    Metric(
        "hops",
        (
            HOP,
            DIRECTION,
            Column("kind", TEXT, "`server` (finite rate, queue) or `path` (delay, loss)."),
            Column("rate_bps", "bit/s", "Nominal rate for large packets; none for a path."),
        ),
        hops,
    ),
    Metric("hop_timeline", (HOP, DIRECTION, TIME, BIN, WARM_UP, FIDELITY), hop_timeline),
)
