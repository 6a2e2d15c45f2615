"""What a run costs in time and memory."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from typing import Final

from simulator.recorder import RunLog

RSS_UNIT_BYTES: Final = 1 if sys.platform == "darwin" else 1024
"""Unit in which the system reports the largest memory of a process."""


@dataclass(frozen=True)
class Performance:
    """What the run cost. The only figures of a result that differ from machine to machine."""

    packet_hops: int
    """Packets served by hops with a finite rate, data and ACKs; 0 at flow level."""
    cpu_s: float
    """CPU time of the engine, without compilation."""
    cpu_total_s: float
    """CPU time of planning, compiling and running."""
    wall_s: float
    """Time that passed meanwhile."""
    peak_rss_bytes: int
    """Largest memory of the process so far."""
    flow_events: int = 0
    """Flow level: arrivals and completions of TCP flows."""


class Stopwatch:
    """Measures what a run costs, from its own creation on."""

    def __init__(self) -> None:
        self._wall_s = time.perf_counter()
        self._cpu_s = time.process_time()

    def read(self, log: RunLog) -> Performance:
        """Return the cost so far, with what the log says of the engine's share."""
        return Performance(
            packet_hops=log.packet_hops,
            cpu_s=log.cpu_s,
            cpu_total_s=time.process_time() - self._cpu_s,
            wall_s=time.perf_counter() - self._wall_s,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT_BYTES,
            flow_events=log.flow_events,
        )
