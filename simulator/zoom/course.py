"""The flow level that takes notes for packets, and a network without traffic.

`NotingPlane` simulates as `FlowPlane` does, and keeps of each window how things stand when packets
begin, what changes until it ends, and which share of each server transfers take meanwhile. What
streams and bulk flows do in a window goes into a ledger beside that of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.flowlevel import FlowPlane
from simulator.flowlevel.handover import Bulk, bulk_flows
from simulator.plan import Plan
from simulator.recorder import Window

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """How the network, routes and bulk flows stand when packets begin."""

    hop: npt.NDArray[Any]
    """`layout.HOP` records."""
    source_position: tuple[int | None, ...]
    data_position: tuple[int | None, ...]
    ack_position: tuple[int | None, ...]
    bulk: tuple[Bulk, ...]


@dataclass(frozen=True)
class Change:
    """One call of a method of the data plane that changed it."""

    time_ps: int
    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class Load:
    """What short transfers take of each server's time in a stretch of time."""

    begin_ps: int
    end_ps: int
    busy_ratio: Array
    """float64[hops]."""


@dataclass
class Course:
    """What the flow level knows of one window."""

    window: Window
    state: State
    changes: list[Change] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)


class NotingPlane(FlowPlane):
    """The flow level, with notes of some windows."""

    def __init__(self, plan: Plan, windows: Sequence[Window]) -> None:
        super().__init__(plan)
        self.courses: list[Course] = []
        self._noted: Course | None = None
        self._hops = np.zeros(len(plan.hops), bool)
        self._hops[sorted(hops_of_packets(plan))] = True
        self._marks: list[tuple[int, Callable[[Window], None], Window]] = []
        for window in windows:
            self._marks += [
                (window.warm_ps, self._begin_notes, window),
                (window.begin_ps, self._begin, window),
                (window.end_ps, self._end, window),
            ]

    def advance(self, until_ps: int, tick: Callable[[int], None] | None = None) -> None:
        """See `FlowPlane.advance`."""
        while self._marks and self._marks[0][0] <= until_ps:
            time_ps, act, window = self._marks.pop(0)
            super().advance(time_ps, tick)
            act(window)
        super().advance(until_ps, tick)

    def _begin_notes(self, window: Window) -> None:
        tcp, bulk = self._tcp, len(self.plan.tcp_flows)
        state = State(
            self.hop.copy(),
            tuple(self._position),
            tuple(tcp.data_position[:bulk]),
            tuple(tcp.ack_position[:bulk]),
            bulk_flows(self.plan, tcp, self.now_ps),
        )
        self._noted = Course(window, state)
        self.courses.append(self._noted)

    def _begin(self, window: Window) -> None:
        self._books.divide(is_divided=True, hops=self._hops)

    def _end(self, window: Window) -> None:
        self._books.divide(is_divided=False, hops=self._hops)
        self._noted = None

    def _account(self) -> None:
        since_ps = self._since_ps
        super()._account()
        if self._noted is not None and self._since_ps > since_ps:
            busy_ratio = self._tcp.outcomes.busy_by_transfers()
            self._noted.loads.append(Load(since_ps, self._since_ps, busy_ratio))

    # ---- changes -------------------------------------------------------------------------------

    def _note(self, method: str, *arguments: Any, **options: Any) -> None:
        if self._noted is not None:
            self._noted.changes.append(Change(self.now_ps, method, arguments, options))

    def set_up(self, h: int, is_up: bool) -> None:
        """See `FlowPlane.set_up`."""
        self._note("set_up", h, is_up)
        super().set_up(h, is_up)

    def set_service(
        self,
        h: int,
        *,
        per_byte: int | None = None,
        per_packet_ps: int | None = None,
        min_service_ps: int | None = None,
    ) -> None:
        """See `FlowPlane.set_service`."""
        speed = {
            "per_byte": per_byte,
            "per_packet_ps": per_packet_ps,
            "min_service_ps": min_service_ps,
        }
        self._note("set_service", h, **speed)
        super().set_service(h, **speed)

    def set_path(
        self, h: int, *, delay_ps: int | None = None, loss_threshold: int | None = None
    ) -> None:
        """See `FlowPlane.set_path`."""
        self._note("set_path", h, delay_ps=delay_ps, loss_threshold=loss_threshold)
        super().set_path(h, delay_ps=delay_ps, loss_threshold=loss_threshold)

    def set_source_route(self, s: int, position: int | None) -> None:
        """See `FlowPlane.set_source_route`."""
        self._note("set_source_route", s, position)
        super().set_source_route(s, position)

    def set_flow_route(
        self,
        f: int,
        data_position: int | None = None,
        ack_position: int | None = None,
        *,
        which: Iterable[str] = ("data", "ack"),
    ) -> None:
        """See `FlowPlane.set_flow_route`."""
        which = tuple(which)
        if f < len(self.plan.tcp_flows):
            self._note("set_flow_route", f, data_position, ack_position, which=which)
        super().set_flow_route(f, data_position, ack_position, which=which)


class NoTraffic(FlowPlane):
    """A network on which nothing moves: what the control plane does by itself, at little cost."""

    def advance(self, until_ps: int, tick: Callable[[int], None] | None = None) -> None:
        """Let time pass."""
        self.now_ps = min(until_ps, self.plan.horizon_ps)

    def served_bytes(self, h: int) -> int:
        """Nothing was served."""
        return 0


def routes_of_packets(plan: Plan) -> list[int]:
    """Routes that streams and bulk flows may take: those that packets take in a window."""
    found = {r for source in plan.sources for r in source.routes}
    for flow in plan.tcp_flows:
        found.update(flow.data_routes, flow.ack_routes)
    return sorted(found)


def hops_of_packets(plan: Plan) -> frozenset[int]:
    """Hops of those routes."""
    return frozenset(h for r in routes_of_packets(plan) for h in plan.routes[r].hop_idx)
