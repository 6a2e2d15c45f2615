"""Failovers: what each fault did to each stream and direction, and when it was over.

A fault is an event that nothing caused, of a kind that the registry of faults knows. Everything
that it led to names it through its chain of causes. A stream is affected in a direction if the
fault, or what it led to, changed a hop of one of its routes or moved its flows, and if

    packets met a dead hop or had no route,
    or less than 90 % of what arrived before arrives while the fault lasts,
    or significantly more packets are lost in that time than before.

"Before" is the mean of the 5 bins before the fault. A stream has recovered at the start of the
first 3 bins in a row with at least 90 % of it. Losses, outage and degradation count from the fault
to its end or to the recovery, whichever is later; without a recovery, to the end of the run.
Faults that overlap in time each count what happens to the streams that they affect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kernels import layout
from kernels.units import PS_PER_S
from simulator import faults
from simulator.metrics import rows
from simulator.metrics.keys import DIRECTION, STREAM
from simulator.metrics.metric import COUNT, TEXT, Column, Columns, Metric
from simulator.plan import UNLIMITED_SEGMENTS, Plan
from simulator.recorder import NO_CAUSE, Detection, Event, Reroute, RunLog

BEFORE_BINS: Final = 5
ROW_BINS: Final = 3
RECOVERED_RATIO: Final = 0.9
SIGNIFICANT_SIGMAS: Final = 3.0
"""Losses are those of the fault if they exceed the usual ones by so many standard deviations."""
NOTHING: Final = Event(0, 0, "", "", NO_CAUSE, "")


@dataclass(frozen=True)
class Fault:
    """A fault with all that it led to."""

    begin: Event
    end_ps: int | None
    """None if it lasts to the end of the run."""
    consequences: tuple[Event, ...]
    """In order of time, without the fault itself."""

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.begin.kind} {self.begin.subject}"


@dataclass(frozen=True)
class Failover:
    """One row: a fault and what it did to one direction of a stream."""

    fault: str
    stream: str
    direction: str
    started_s: float
    detected_s: float
    detected_by: str
    detected_by_end: str
    rerouted_s: float
    first_packet_s: float
    recovered_s: float
    outage_s: float
    degraded_s: float
    packets_lost: int
    bytes_lost: int
    flows_reset: int
    failback_s: float


def failovers(plan: Plan, log: RunLog) -> Columns:
    """List each fault with each stream and direction that it affected."""
    found = [
        asdict(row)
        for fault in faults_of(log.events)
        for d in rows.directions_with_packets(log)
        if (row := _failover(plan, log, fault, int(d))) is not None
    ]
    frame = pd.DataFrame(found, columns=[field.name for field in fields(Failover)])
    kinds = {TEXT: "str", "s": "float64"}
    typed = frame.astype({c.name: kinds.get(c.unit, "int64") for c in COLUMNS})
    return {str(name): column for name, column in typed.items()}


def faults_of(events: Iterable[Event]) -> Iterator[Fault]:
    """Find the faults, each with its end and its consequences."""
    by_root: dict[int, list[Event]] = {}
    root_of: dict[int, int] = {}
    for event in events:
        is_scheduled = event.cause_event_id == NO_CAUSE
        root = event.event_id if is_scheduled else root_of[event.cause_event_id]
        root_of[event.event_id] = root
        by_root.setdefault(root, []).append(event)
    for begin, *consequences in by_root.values():
        if faults.begins(begin.kind):
            ends_ps = (
                event.time_ps
                for event in consequences
                if faults.ends(event.kind) and event.cause_event_id == begin.event_id
            )
            yield Fault(begin, next(ends_ps, None), tuple(consequences))


def _failover(plan: Plan, log: RunLog, fault: Fault, d: int) -> Failover | None:
    """Measure what a fault did to a direction; None if it is not affected."""
    info = plan.directions[d]
    stream = plan.streams[info.stream_idx].name
    moves = _moves(fault, stream, info.direction)
    course = _Course(plan, log, fault, d)
    if not (moves or _is_touched(plan, log, fault, d)) or not (moves or course.suffers()):
        return None
    found = _detection(plan, fault, d, moves)
    fact = found.fact if isinstance(found.fact, Detection) else Detection("", "")
    rerouted = [(e, f) for e, f in moves if f.moved_count]
    failback = [
        e
        for e, f in moves
        if f.returned_count and (not rerouted or e.time_ps > rerouted[0][0].time_ps)
    ]
    return Failover(
        fault=fault.name,
        stream=stream,
        direction=info.direction,
        started_s=fault.begin.time_ps / PS_PER_S,
        detected_s=_time_s([found] if fact.end else []),
        detected_by=fact.timer,
        detected_by_end=fact.end,
        rerouted_s=_time_s([e for e, _ in rerouted]),
        first_packet_s=course.first_packet_s(),
        recovered_s=course.recovered_s,
        outage_s=course.outage_s(),
        degraded_s=course.degraded_s(),
        packets_lost=int(log.dropped_packets[course.window, d].sum()),
        bytes_lost=int(log.dropped_bytes[course.window, d].sum()),
        flows_reset=sum(f.reset_count for _, f in moves),
        failback_s=_time_s(failback),
    )


# ---- the control plane -----------------------------------------------------------------------


def _moves(fault: Fault, stream: str, direction: str) -> list[tuple[Event, Reroute]]:
    """The reroutes of a direction of a stream that the fault led to."""
    return [
        (event, event.fact)
        for event in fault.consequences
        if isinstance(event.fact, Reroute)
        and event.subject == stream
        and event.fact.direction == direction
    ]


def _is_touched(plan: Plan, log: RunLog, fault: Fault, d: int) -> bool:
    """Whether a hop of one of its routes changed because of the fault."""
    touched = frozenset[int]().union(
        *(log.touched.get(e.event_id, ()) for e in (fault.begin, *fault.consequences))
    )
    return not touched.isdisjoint(_hops(plan, d))


def _hops(plan: Plan, d: int) -> set[int]:
    """The hops of all routes of a direction."""
    return {int(h) for route in plan.routes if route.direction_idx == d for h in route.hop_idx}


def _detection(plan: Plan, fault: Fault, d: int, moves: list[tuple[Event, Reroute]]) -> Event:
    """The event in which the sending end noticed the fault.

    It is what led to the first reroute of which a detection is the cause; of several in one chain
    (DPD, then the BGP session over the tunnel) it is the first. If flows did not move it is the
    first detection on a thing that the direction passes: nobody acted on it.
    """
    by_id = {event.event_id: event for event in fault.consequences}
    for event, _ in moves:
        found = NOTHING
        while event.event_id:
            found = event if isinstance(event.fact, Detection) else found
            event = by_id.get(event.cause_event_id, NOTHING)
        if found.event_id:
            return found
    if moves:
        return NOTHING
    passed = {plan.hops[h].name for h in _hops(plan, d)}
    return next(
        (e for e in fault.consequences if isinstance(e.fact, Detection) and e.subject in passed),
        NOTHING,
    )


def _goes_on_until_ps(plan: Plan, d: int) -> int:
    """When the last transfer without an end of a direction's stream stops, 0 if it has none."""
    stream_idx = plan.directions[d].stream_idx
    return max(
        (
            flow.settings["stop_ps"]
            for flow in plan.tcp_flows
            if flow.stream_idx == stream_idx
            and flow.settings["size_segments"] == UNLIMITED_SEGMENTS
        ),
        default=0,
    )


def _time_s(events: list[Event]) -> float:
    """When the first of these events happened, NaN if there is none."""
    return events[0].time_ps / PS_PER_S if events else math.nan


# ---- the data plane --------------------------------------------------------------------------


class _Course:
    """What arrived in one direction, bin by bin, from a fault on."""

    def __init__(self, plan: Plan, log: RunLog, fault: Fault, d: int) -> None:
        self._log = log
        self._fault = fault
        self._bins = len(log.bin_start_ps)
        at_ps = fault.begin.time_ps
        self._first = int(np.searchsorted(log.bin_end_ps, at_ps, side="right"))
        """The bin of the fault."""
        end_ps = log.bin_end_ps[-1] if fault.end_ps is None else fault.end_ps
        self._last = int(np.searchsorted(log.bin_start_ps, end_ps, side="left"))
        """The bin after that of the fault's end."""
        self._bin_s = rows.bin_s(log)
        self._sent = log.counter["sent_packets"][:, d]
        self._delivered = log.counter["delivered_packets"][:, d]
        self._rate = log.counter["delivered_bytes"][:, d] / self._bin_s
        self._dropped = log.dropped_packets[:, d]
        self._before = slice(max(0, self._first - BEFORE_BINS), self._first)
        known = self._rate[self._before]
        self._before_rate = float(known.mean()) if known.size else 0.0
        self._is_low = self._rate < RECOVERED_RATIO * self._before_rate
        self._silent = self._find_silent(_goes_on_until_ps(plan, d))
        self.recovered_s = self._recovered_s()
        self.window = slice(self._first, self._window_end())

    def suffers(self) -> bool:
        """Whether the fault shows in what arrives."""
        lasting = slice(self._first, max(self._last, self._first + 1))
        if self._is_cut(self.window).any():
            return True
        if self._before_rate <= 0.0 or not self._sent[lasting].any():
            return False
        mean = np.average(self._rate[lasting], weights=self._bin_s[lasting])
        return bool(mean < RECOVERED_RATIO * self._before_rate) or self._loses_more(lasting)

    def _is_cut(self, where: slice) -> npt.NDArray[np.bool_]:
        """In which bins packets met a dead hop or had no route."""
        reasons = [layout.PATH_DOWN, layout.NO_ROUTE]
        return np.asarray(self._dropped[where][:, reasons].any(axis=1))

    def _loses_more(self, lasting: slice) -> bool:
        """Whether significantly more is lost while the fault lasts than before."""
        usual = self._dropped[self._before].sum() / max(1, self._sent[self._before].sum())
        expected = float(usual * self._sent[lasting].sum())
        spread = SIGNIFICANT_SIGMAS * math.sqrt(max(expected, 1.0))
        return bool(self._dropped[lasting].sum() > expected + spread)

    def _find_silent(self, until_ps: int) -> npt.NDArray[np.bool_]:
        """Bins from the fault on in which nothing arrived although the stream goes on.

        It does while it sends, and while a transfer without an end waits to send again.
        """
        silent = np.asarray(self._delivered == 0)
        silent[: self._first] = False
        last_sent = np.flatnonzero(self._sent)[-1]
        silent[last_sent + 1 :] &= self._log.bin_start_ps[last_sent + 1 :] < until_ps
        return silent

    def _recovered_s(self) -> float:
        """Start of the first bins in a row that are as good as before, once something was lost."""
        if self._before_rate <= 0.0:
            return math.nan
        cut = np.flatnonzero(self._is_cut(slice(self._first, None)))
        begin = self._first + int(cut[0]) if cut.size else self._first
        low = np.flatnonzero(self._is_low[begin:])
        if not low.size:
            return self._fault.begin.time_ps / PS_PER_S
        for b in range(begin + int(low[0]), self._bins - ROW_BINS + 1):
            if not self._is_low[b : b + ROW_BINS].any():
                return float(self._log.bin_start_ps[b] / PS_PER_S)
        return math.nan

    def _window_end(self) -> int:
        """The bin after the last one that counts."""
        if math.isnan(self.recovered_s):
            return self._bins
        recovered_ps = round(self.recovered_s * PS_PER_S)
        if recovered_ps <= self._fault.begin.time_ps:
            return max(self._last, self._first + 1)
        recovered = int(np.searchsorted(self._log.bin_start_ps, recovered_ps))
        return recovered if self._fault.end_ps is None else max(recovered, self._last)

    def outage_s(self) -> float:
        """Time of the bins in which nothing arrived."""
        return float(self._bin_s[self.window][self._silent[self.window]].sum())

    def degraded_s(self) -> float:
        """Time of the bins in which something arrived, but too little."""
        low = self._is_low[self.window] & ~self._silent[self.window]
        return float(self._bin_s[self.window][low].sum())

    def first_packet_s(self) -> float:
        """Start of the first bin after the first silence in which something arrived."""
        silent = np.flatnonzero(self._silent)
        if not silent.size:
            return math.nan
        arriving = np.flatnonzero(self._delivered[silent[0] :])
        if not arriving.size:
            return math.nan
        return float(self._log.bin_start_ps[silent[0] + arriving[0]] / PS_PER_S)


COLUMNS: Final = (
    Column("fault", TEXT, "Kind of the fault and what it struck."),
    STREAM,
    DIRECTION,
    Column("started_s", "s", "When the fault began."),
    Column(
        "detected_s",
        "s",
        "When what led to the first reroute was noticed; without a reroute, when anything on its "
        "ways was. None if nobody did.",
        "less",
    ),
    Column(
        "detected_by",
        TEXT,
        "The timer that ran out, a row of the catalogue; empty if none did, as where the other end "
        "said that it closes.",
    ),
    Column("detected_by_end", TEXT, "Which end noticed: `gateway`, `device`, ...; empty if none."),
    Column("rerouted_s", "s", "When flows first took another way; none if they never did.", "less"),
    Column(
        "first_packet_s",
        "s",
        "Start of the first bin in which packets arrive again; none if they always did, or never "
        "again.",
        "less",
    ),
    Column(
        "recovered_s",
        "s",
        "Start of the first 3 bins in a row with at least 90 % of the mean of the 5 bins before "
        "the fault; the fault's own time if it never fell below, none if it never came back or if "
        "nothing arrived before.",
        "less",
    ),
    Column("outage_s", "s", "Time of the bins in which nothing arrived.", "less"),
    Column(
        "degraded_s", "s", "Time of the bins in which less than 90 % arrived, but some.", "less"
    ),
    Column("packets_lost", "packets", "Packets dropped from the fault until it is over.", "less"),
    Column("bytes_lost", "bytes", "Inner IP bytes of these packets.", "less"),
    Column("flows_reset", COUNT, "Flows that a stateful device ended.", "less"),
    Column("failback_s", "s", "When flows were back on the way that they began with."),
)

METRICS = (Metric("failovers", COLUMNS, failovers),)
