"""The log of a run: append-only columns, filled from the kernels' counters at each bin's end.

The kernels only ever count upwards. At the end of a time bin the recorder takes the differences
to the bin before and the percentiles of the open histograms; nothing here grows with packets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.units import PS_PER_S

Fidelity = Literal["packet", "flow"]
"""Whether a run moves packets, or shares of hops that flows hold."""

BIN_PROBABILITIES: Final = (0.5, 0.95, 0.99)
"""Percentiles that a closed time bin keeps."""
FIRST_EVENT: Final = 1
NO_CAUSE: Final = 0


@dataclass(frozen=True)
class Detection:
    """What an event means for failover: one end noticed that something is broken."""

    timer: str
    """The timer that ran out: a row of the catalogue, for example `connection.dpd.gateway`."""
    end: str
    """Who noticed: `gateway`, `device`, ..."""


@dataclass(frozen=True)
class Reroute:
    """What an event means for failover: flows of one direction of a stream changed their way."""

    direction: str
    moved_count: int
    """Flows that now take another way than the one they began with."""
    returned_count: int
    """Flows that are back on the way that they began with."""
    reset_count: int
    """Flows that a stateful device ends."""


@dataclass(frozen=True)
class Event:
    """Something that happened in the control plane."""

    event_id: int
    time_ps: int
    kind: str
    """Short and fixed, with hyphens: `link-down`, `dpd-timeout`, `ike-established`, ..."""
    subject: str
    """Name of the thing that it happened to."""
    cause_event_id: int
    """The event that led to this one; 0 = none, it was scheduled."""
    detail: str
    """One clause for people."""
    fact: Detection | Reroute | None = None
    """What it means for failover, for metrics."""


@dataclass(frozen=True)
class Window:
    """A stretch of a run at flow level that is simulated at packet level; its bins are whole."""

    warm_ps: int
    """From here on packets move ..."""
    begin_ps: int
    """... and from here on tables show them."""
    end_ps: int

    def to_dict(self) -> dict[str, float]:
        """The same in seconds, as plain data."""
        return {
            "packets_from_s": self.warm_ps / PS_PER_S,
            "begin_s": self.begin_ps / PS_PER_S,
            "end_s": self.end_ps / PS_PER_S,
        }


@dataclass(frozen=True)
class RunLog:
    """What a run leaves: arrays indexed by bin, direction (`Plan.directions`) and hop.

    Counters are int64. `counter` holds differences per bin; `total` and `dropped_*_total` are
    counted over the whole run; `in_flight_*` are counted from queues, inboxes and links at the
    end. `histogram` and everything per hop cover the whole run except warm-up (histogram only).
    """

    bin_start_ps: npt.NDArray[np.int64]
    bin_end_ps: npt.NDArray[np.int64]
    counter: npt.NDArray[Any]
    """`layout.COUNTER`[bins, directions]."""
    dropped_packets: npt.NDArray[np.int64]
    """int64[bins, directions, reasons], reasons as `layout.REASONS`."""
    dropped_bytes: npt.NDArray[np.int64]
    latency_ps: npt.NDArray[np.float64]
    """float64[bins, directions, len(BIN_PROBABILITIES)], NaN where nothing arrived."""
    hop_busy_ps: npt.NDArray[np.int64]
    """int64[bins, hops]: service time accepted in the bin."""
    total: npt.NDArray[Any]
    dropped_packets_total: npt.NDArray[np.int64]
    dropped_bytes_total: npt.NDArray[np.int64]
    in_flight_packets: npt.NDArray[np.int64]
    in_flight_bytes: npt.NDArray[np.int64]
    histogram: npt.NDArray[np.int64]
    """int64[directions, kernels.histogram.BUCKETS]."""
    hop: npt.NDArray[Any]
    """`layout.HOP_STATE` counters at the end: served_packets, served_bytes, busy_ps, ..."""
    hop_dropped: npt.NDArray[np.int64]
    """int64[hops, reasons]."""
    tcp: dict[str, npt.NDArray[np.int64]]
    """Per direction of data: retransmitted_segments, rto_count, fast_recovery_count, flows."""
    events: tuple[Event, ...]
    packet_hops: int
    """Packets served by servers."""
    cpu_s: float
    """CPU time of `engine.run` without compilation."""
    touched: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """By event: the hops that were taken down or made worse because of it."""
    fidelity: Fidelity = "packet"
    flow_events: int = 0
    """Flow level: arrivals and completions of flows that were handled."""
    transfers: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    """Flow level, by direction of data: started, completed, time_s_mean, time_s_p95."""
    windows: tuple[Window, ...] = ()
    """Flow level: what was simulated at packet level, in order of time."""
    packet_directions: frozenset[int] = frozenset()
    """Directions whose rows in those windows are of packets."""
    packet_route_hops: frozenset[int] = frozenset()
    """Hops that packets pass in them."""
    notes: tuple[str, ...] = ()
    """What the run wants the reader to know."""


@dataclass
class Recorder:
    """Collects the columns of a `RunLog` while the engine runs."""

    directions_count: int
    hops_count: int
    warm_up_ps: int
    _starts: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _counter: list[npt.NDArray[Any]] = field(default_factory=list)
    _dropped_packets: list[npt.NDArray[np.int64]] = field(default_factory=list)
    _dropped_bytes: list[npt.NDArray[np.int64]] = field(default_factory=list)
    _busy: list[npt.NDArray[np.int64]] = field(default_factory=list)
    _latency: list[npt.NDArray[np.float64]] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)
    _touched: dict[int, frozenset[int]] = field(default_factory=dict)

    def event(
        self,
        time_ps: int,
        kind: str,
        subject: str,
        cause_event_id: int = NO_CAUSE,
        detail: str = "",
        fact: Detection | Reroute | None = None,
    ) -> int:
        """Append an event; returns its id, to be named as the cause of what follows."""
        event_id = len(self._events) + FIRST_EVENT
        self._events.append(Event(event_id, time_ps, kind, subject, cause_event_id, detail, fact))
        return event_id

    @property
    def events(self) -> tuple[Event, ...]:
        """What has happened so far."""
        return tuple(self._events)

    def touch(self, hops: Iterable[int], cause_event_id: int) -> None:
        """Note that hops changed because of an event."""
        self._touched[cause_event_id] = self._touched.get(cause_event_id, frozenset()).union(hops)

    def close_bin(
        self,
        start_ps: int,
        end_ps: int,
        counter: npt.NDArray[Any],
        dropped_packets: npt.NDArray[np.int64],
        dropped_bytes: npt.NDArray[np.int64],
        busy_ps: npt.NDArray[np.int64],
        bin_histogram: npt.NDArray[np.int32],
        run_histogram: npt.NDArray[np.int64],
    ) -> None:
        """Close the bin [start_ps, end_ps) with the running counters at its end."""
        from kernels.histogram import close_bin

        latency_ps = np.empty((self.directions_count, len(BIN_PROBABILITIES)))
        close_bin(
            bin_histogram,
            run_histogram,
            start_ps >= self.warm_up_ps,
            np.array(BIN_PROBABILITIES),
            latency_ps,
        )
        self.append_bin(
            start_ps, end_ps, counter, dropped_packets, dropped_bytes, busy_ps, latency_ps
        )

    def append_bin(
        self,
        start_ps: int,
        end_ps: int,
        counter: npt.NDArray[Any],
        dropped_packets: npt.NDArray[np.int64],
        dropped_bytes: npt.NDArray[np.int64],
        busy_ps: npt.NDArray[np.int64],
        latency_ps: npt.NDArray[np.float64],
    ) -> None:
        """Append the bin [start_ps, end_ps), its percentiles of latency known already."""
        self._starts.append(start_ps)
        self._ends.append(end_ps)
        self._counter.append(counter.copy())
        self._dropped_packets.append(dropped_packets.copy())
        self._dropped_bytes.append(dropped_bytes.copy())
        self._busy.append(busy_ps.copy())
        self._latency.append(latency_ps)

    def finish(
        self,
        *,
        in_flight_packets: npt.NDArray[np.int64],
        in_flight_bytes: npt.NDArray[np.int64],
        histogram: npt.NDArray[np.int64],
        hop: npt.NDArray[Any],
        hop_dropped: npt.NDArray[np.int64],
        tcp: dict[str, npt.NDArray[np.int64]],
        packet_hops: int,
        cpu_s: float,
        fidelity: Fidelity = "packet",
        flow_events: int = 0,
        transfers: Mapping[str, npt.NDArray[np.float64]] | None = None,
    ) -> RunLog:
        """Freeze the log; the last bin must be closed."""
        shape = (len(self._ends), self.directions_count)
        counter = np.zeros(shape, layout.COUNTER)
        for b, running in enumerate(self._counter):
            counter[b] = running
        for name in layout.COUNTER.names or ():
            column = counter[name]
            column[1:] -= column[:-1].copy()
        dropped_packets = _differences(self._dropped_packets, (*shape, len(layout.REASONS)))
        dropped_bytes = _differences(self._dropped_bytes, (*shape, len(layout.REASONS)))
        return RunLog(
            bin_start_ps=np.array(self._starts, np.int64),
            bin_end_ps=np.array(self._ends, np.int64),
            counter=counter,
            dropped_packets=dropped_packets,
            dropped_bytes=dropped_bytes,
            latency_ps=np.array(self._latency).reshape((*shape, len(BIN_PROBABILITIES))),
            hop_busy_ps=_differences(self._busy, (shape[0], self.hops_count)),
            total=self._counter[-1],
            dropped_packets_total=self._dropped_packets[-1],
            dropped_bytes_total=self._dropped_bytes[-1],
            in_flight_packets=in_flight_packets,
            in_flight_bytes=in_flight_bytes,
            histogram=histogram,
            hop=hop,
            hop_dropped=hop_dropped,
            tcp=tcp,
            events=tuple(self._events),
            packet_hops=packet_hops,
            cpu_s=cpu_s,
            touched=dict(self._touched),
            fidelity=fidelity,
            flow_events=flow_events,
            transfers=transfers or {},
        )


def _differences(
    running: list[npt.NDArray[np.int64]], shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Running counters per bin to counts within each bin."""
    column = np.array(running, np.int64).reshape(shape)
    column[1:] -= column[:-1].copy()
    return column
