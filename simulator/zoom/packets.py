"""One window at packet level: the flow level's notes, played to a packet plane.

What transfers take of a server makes it slower by as much: service / (1 - share), renewed when the
share has changed noticeably. What the control plane does to hops and routes happens at its time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from simulator.base.errors import InternalError
from simulator.dataplane import DataPlane
from simulator.flowlevel.calendar import factor_at, next_step_ps
from simulator.plan import PS_PER_S, Plan
from simulator.recorder import RunLog, Window
from simulator.zoom.course import Change, Course, Load, hops_of_packets
from simulator.zoom.seed import packet_plane

Array = npt.NDArray[np.float64]

NOTICEABLE_RATIO: Final = 0.005
"""A share of a server's time that has changed by more makes it faster or slower."""
TAKEN_MAX_RATIO: Final = 0.99
"""Transfers leave packets at least the rest, so that none is served forever."""
SPEED: Final = ("per_byte", "per_packet_ps", "min_service_ps")


@dataclass(frozen=True)
class Packets:
    """What packets did in a window; everything before its first bin is left out."""

    window: Window
    log: RunLog
    """Of the packet plane, from when packets began."""
    entered_packets: npt.NDArray[np.int64]
    """Under way at the beginning of the window, by direction."""
    entered_bytes: npt.NDArray[np.int64]
    hop_before: npt.NDArray[Any]
    """`layout.HOP_STATE` at the beginning of the window."""
    hop_dropped_before: npt.NDArray[np.int64]
    tcp_before: dict[str, npt.NDArray[np.int64]]
    own_ratio: Array
    """float64[bins, hops]: share of each server's time that transfers left, by bin of the log."""

    @property
    def bins(self) -> npt.NDArray[np.int64]:
        """Bins of the log that are in the window."""
        return np.flatnonzero(self.log.bin_start_ps >= self.window.begin_ps)


def simulate(plan: Plan, course: Course, tick: Callable[[int], None] | None = None) -> Packets:
    """Let packets move in a window; `tick(now_ps)` now and then.

    Raises
    ------
    InternalError
        If a packet or byte of the window is missing.
    """
    window = course.window
    servers = _Servers(plan, course)
    plane = packet_plane(plan, window, course.state, servers.hop)
    for s, source in enumerate(plan.sources):
        if source.profile is not None:
            plane.set_source_factor(s, factor_at(source.profile, window.warm_ps))
    events = _events(plan, course)
    _play(plane, events, servers, window.begin_ps, tick)
    entered_packets, entered_bytes = plane.in_flight()
    plane.state["wait_max_ps"] = 0
    before = (plane.state.copy(), plane.hop_dropped.copy(), plane.tcp_totals())
    _play(plane, events, servers, window.end_ps, tick)
    log = plane.finish(0.0)
    found = Packets(
        window, log, entered_packets, entered_bytes, *before, own_ratio=servers.own_ratio(log)
    )
    _check(plan, found)
    return found


class _Servers:
    """The hops of packets, as fast as transfers let them be."""

    def __init__(self, plan: Plan, course: Course) -> None:
        self._of_packets = np.zeros(len(plan.hops), bool)
        self._of_packets[sorted(hops_of_packets(plan))] = True
        self._of_packets &= plan.hop["kind"] == layout.SERVER
        self._window = course.window
        self._base = course.state.hop.copy()
        self._taken = np.zeros(len(plan.hops))
        self._steps: list[tuple[int, Array]] = []
        self.hop = course.state.hop.copy()
        """`layout.HOP` records at the beginning."""
        if course.loads and course.loads[0].begin_ps <= course.window.warm_ps:
            for h in self._renew(course.loads[0], course.window.warm_ps):
                for name, value in self._speed(h).items():
                    self.hop[h][name] = value

    def _renew(self, load: Load, now_ps: int) -> list[int]:
        """Take new shares where they differ noticeably; returns those hops."""
        taken = np.minimum(load.busy_ratio, TAKEN_MAX_RATIO) * self._of_packets
        changed = np.flatnonzero(np.abs(taken - self._taken) > NOTICEABLE_RATIO)
        self._taken[changed] = taken[changed]
        self._steps.append((now_ps, self._taken.copy()))
        return [int(h) for h in changed]

    def _speed(self, h: int) -> dict[str, int]:
        slower = 1.0 / (1.0 - float(self._taken[h]))
        return {name: round(int(self._base[h][name]) * slower) for name in SPEED}

    def take(self, plane: DataPlane, load: Load) -> None:
        """Let servers be as fast as a load of transfers leaves them."""
        for h in self._renew(load, plane.now_ps):
            plane.set_service(h, **self._speed(h))

    def change(self, plane: DataPlane, change: Change) -> None:
        """Let the control plane's change happen to packets."""
        if change.method != "set_service":
            getattr(plane, change.method)(*change.arguments, **change.options)
            return
        (h,) = change.arguments
        for name, value in change.options.items():
            if value is not None:
                self._base[h][name] = value
        plane.set_service(h, **self._speed(h))

    def own_ratio(self, log: RunLog) -> Array:
        """Mean share of their time that transfers left, float64[bins, hops]."""
        own = np.ones((len(log.bin_start_ps), len(self._base)))
        ends = [time_ps for time_ps, _ in self._steps[1:]] + [self._window.end_ps]
        for (begin_ps, taken), end_ps in zip(self._steps, ends, strict=True):
            inside_ps = np.minimum(log.bin_end_ps, end_ps) - np.maximum(log.bin_start_ps, begin_ps)
            share = np.maximum(inside_ps, 0) / (log.bin_end_ps - log.bin_start_ps)
            own -= share[:, None] * taken[None, :]
        return own


Event = tuple[int, int, int, Any]
"""Time, what it is, number, and what happens."""
LOAD: Final = 0
CHANGE: Final = 1
FACTOR: Final = 2


def _events(plan: Plan, course: Course) -> list[Event]:
    """What happens in a window, a heap: loads of transfers, changes, steps of the day."""
    window = course.window
    found: list[Event] = [
        (load.begin_ps, LOAD, n, load)
        for n, load in enumerate(course.loads)
        if window.warm_ps < load.begin_ps < window.end_ps
    ]
    found += [(change.time_ps, CHANGE, n, change) for n, change in enumerate(course.changes)]
    for s, source in enumerate(plan.sources):
        if source.profile is not None:
            found += [(time_ps, FACTOR, s, factor) for time_ps, factor in _steps(source, window)]
    heapq.heapify(found)
    return found


def _steps(source: Any, window: Window) -> Iterator[tuple[int, float]]:
    """When the factor of a source changes in a window."""
    time_ps = next_step_ps(source.profile, window.warm_ps)
    while time_ps < window.end_ps:
        yield time_ps, factor_at(source.profile, time_ps)
        time_ps = next_step_ps(source.profile, time_ps)


def _play(
    plane: DataPlane,
    events: list[Event],
    servers: _Servers,
    until_ps: int,
    tick: Callable[[int], None] | None,
) -> None:
    """Let everything before `until_ps` happen."""
    while events and events[0][0] < until_ps:
        time_ps, kind, number, what = heapq.heappop(events)
        plane.advance(time_ps, tick)
        if kind == LOAD:
            servers.take(plane, what)
        elif kind == CHANGE:
            servers.change(plane, what)
        else:
            plane.set_source_factor(number, what)
    plane.advance(until_ps, tick)


def _check(plan: Plan, found: Packets) -> None:
    """Compare what was under way and sent with what became of it: not one packet is missing."""
    log, bins = found.log, found.bins
    for unit, entered, dropped, in_flight in (
        ("packets", found.entered_packets, log.dropped_packets, log.in_flight_packets),
        ("bytes", found.entered_bytes, log.dropped_bytes, log.in_flight_bytes),
    ):
        came = entered + log.counter[f"sent_{unit}"][bins].sum(axis=0)
        went = log.counter[f"delivered_{unit}"][bins].sum(axis=0) + in_flight
        went = went + dropped[bins].sum(axis=(0, 2))
        for d in np.flatnonzero(came != went):
            where = plan.directions[d]
            raise InternalError(
                f"window at {found.window.begin_ps / PS_PER_S:g} s, stream "
                f"{plan.streams[where.stream_idx].name}, {where.direction}: {came[d]} {unit} were "
                f"under way or sent, but {went[d]} arrived, were dropped or are under way"
            )
