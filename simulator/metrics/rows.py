"""Which rows the tables have, and how arrays of the log are laid out along them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.units import PS_PER_S
from simulator.plan import DirectionInfo, HopInfo, Plan
from simulator.recorder import RunLog

Array = npt.NDArray[Any]


def directions_with_packets(log: RunLog) -> npt.NDArray[np.int64]:
    """Return the indices of the directions that sent a packet: the others have no row."""
    return np.flatnonzero(log.total["sent_packets"])


def by_direction(plan: Plan, log: RunLog) -> list[DirectionInfo]:
    """Return the rows of `streams`: every direction that sent a packet, in order of the plan."""
    return [plan.directions[d] for d in directions_with_packets(log)]


def along_timeline(log: RunLog, per_bin: Array) -> Array:
    """Lay out [bins, directions, ...] as rows of `timeline`: a direction, all its bins, the next.

    Directions without packets are left out. The result has the shape [rows, ...].
    """
    kept = per_bin[:, directions_with_packets(log)]
    return kept.swapaxes(0, 1).reshape(-1, *kept.shape[2:])


def along_hop_timeline(plan: Plan, per_bin: Array) -> Array:
    """Lay out [bins, hops] as rows of `hop_timeline`: a server, all its bins, the next."""
    return per_bin[:, servers(plan)].T.ravel()


def servers(plan: Plan) -> npt.NDArray[np.int64]:
    """Return the indices of the hops with a finite rate, the only ones that can be busy."""
    return np.flatnonzero([is_server(hop) for hop in plan.hops])


def is_server(hop: HopInfo) -> bool:
    """Whether packets queue for this hop."""
    return hop.kind == "server"


def after_warm_up(plan: Plan, log: RunLog) -> npt.NDArray[np.bool_]:
    """Return for each bin whether statistics count it: it starts at or after the warm-up's end."""
    return log.bin_start_ps >= plan.warm_up_ps


def in_windows(log: RunLog) -> npt.NDArray[np.bool_]:
    """Return for each bin of a run at flow level whether it was simulated at packet level."""
    inside = np.zeros(len(log.bin_start_ps), bool)
    for window in log.windows:
        inside |= (log.bin_start_ps >= window.begin_ps) & (log.bin_end_ps <= window.end_ps)
    return inside


def bin_s(log: RunLog) -> npt.NDArray[np.float64]:
    """Return the length of each bin in seconds; the last one may be shorter."""
    return (log.bin_end_ps - log.bin_start_ps) / PS_PER_S


def ratio(part: Array, whole: Array) -> npt.NDArray[np.float64]:
    """Return part / whole as float64, NaN where the whole is 0."""
    quotient = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=quotient, where=np.asarray(whole) != 0)
    return quotient
