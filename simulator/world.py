"""What a control process can see and do: the clock, named signals and timers, and the verbs.

A process changes the network only through the verbs here. Each lets the data plane catch up with
the present instant first and then changes its arrays: the stretch between two changes is an epoch,
changes at one instant form one epoch, and an arrival exactly at a change sees the new state.

Time is the integer picoseconds of SimPy's clock; seconds appear only in arguments.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from typing import Any

import simpy

from kernels import layout
from simulator.base.errors import PlanError
from simulator.base.units import BITS_PER_BYTE
from simulator.dataplane import DataPlane
from simulator.draws import threshold, unit
from simulator.flowlevel import FlowPlane
from simulator.plan import PS_PER_S, Direction, Plan, TcpFlowPlan, TransferPlan, to_ps
from simulator.recorder import NO_CAUSE, Detection, Reroute


class Signal:
    """A named occasion that processes wait for, any number of times."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._next: simpy.Event | None = None

    def wait(self) -> simpy.Event:
        """Event of the next `fire`, the same for all who wait; its value is what was fired."""
        if self._next is None:
            self._next = self._env.event()
        return self._next

    def fire(self, value: Any = None) -> None:
        """Wake everybody who waits now."""
        fired, self._next = self._next, None
        if fired is not None:
            fired.succeed(value)


class RestartableTimer:
    """A deadline that moves: DPD, hold time, connect retry.

    SimPy cannot withdraw a timeout, so the timer sleeps until the deadline it knew and looks
    again. A deadline that only moves later keeps a single timeout in the heap.
    """

    def __init__(self, env: simpy.Environment, callback: Callable[[], None]) -> None:
        self._env = env
        self._callback = callback
        self._deadline_ps: int | None = None
        self._wake_ps: int | None = None

    def restart(self, after_s: float) -> None:
        """Let the timer run out `after_s` seconds from now, whatever was set before."""
        self._deadline_ps = int(self._env.now) + to_ps(after_s)
        if self._wake_ps is None or self._wake_ps > self._deadline_ps:
            self._sleep()

    def stop(self) -> None:
        """Let the timer never run out."""
        self._deadline_ps = None

    @property
    def is_running(self) -> bool:
        """Whether a deadline is set."""
        return self._deadline_ps is not None

    def _sleep(self) -> None:
        assert self._deadline_ps is not None
        wake_ps = self._wake_ps = self._deadline_ps
        timeout = self._env.timeout(wake_ps - int(self._env.now))
        assert timeout.callbacks is not None
        timeout.callbacks.append(lambda _: self._look(wake_ps))

    def _look(self, wake_ps: int) -> None:
        if wake_ps != self._wake_ps:
            return  # an earlier deadline was set meanwhile and has its own timeout
        self._wake_ps = None
        if self._deadline_ps is None:
            return
        if self._deadline_ps > int(self._env.now):
            self._sleep()
            return
        self._deadline_ps = None
        self._callback()


class World:
    """The network as control processes see it."""

    def __init__(
        self,
        plan: Plan,
        data: DataPlane | FlowPlane,
        env: simpy.Environment,
        tick: Callable[[int], None] | None = None,
    ) -> None:
        self.plan = plan
        self.env = env
        self.state: dict[str, Any] = {}
        """Facts that processes tell each other, by name (`tunnel:lyon-vpn-0` -> `up`)."""
        self._data = data
        self._tick = tick
        self._signals: dict[str, Signal] = {}
        self._down_causes: dict[int, list[int]] = defaultdict(list)
        self._watched: dict[int, Signal] = {}
        self._watched_loss: dict[int, float] = {}
        self._flow_places: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        self._hop_idx = {(hop.name, hop.direction): h for h, hop in enumerate(plan.hops)}

    # ---- clock, signals, draws -------------------------------------------------------------

    @property
    def now_ps(self) -> int:
        """The present instant, integer picoseconds."""
        return int(self.env.now)

    @property
    def now_s(self) -> float:
        """The present instant in seconds."""
        return self.now_ps / PS_PER_S

    @property
    def horizon_ps(self) -> int:
        """The end of the run."""
        return self.plan.horizon_ps

    def wait(self, duration_s: float) -> simpy.Event:
        """Event that happens `duration_s` seconds from now."""
        return self.env.timeout(to_ps(duration_s))

    def wait_until_ps(self, time_ps: int) -> simpy.Event:
        """Event that happens at `time_ps`, now if that has passed."""
        return self.env.timeout(max(0, time_ps - self.now_ps))

    def timer(self, callback: Callable[[], None]) -> RestartableTimer:
        """Return a timer that calls `callback` when it runs out."""
        return RestartableTimer(self.env, callback)

    def signal(self, name: str) -> Signal:
        """Return the signal of this name, the same object each time."""
        if name not in self._signals:
            self._signals[name] = Signal(self.env)
        return self._signals[name]

    def uniform(self, *names: str, counter: int = 0) -> float:
        """Draw number `counter` of the stream with these names: strictly between 0 and 1."""
        return unit(self.plan.key(*names, str(counter)))

    # ---- events ----------------------------------------------------------------------------

    def event(
        self,
        kind: str,
        subject: str,
        cause_event_id: int = NO_CAUSE,
        detail: str = "",
        fact: Detection | Reroute | None = None,
    ) -> int:
        """Write down that something happened now; returns its id for what it causes."""
        return self._data.recorder.event(self.now_ps, kind, subject, cause_event_id, detail, fact)

    # ---- verbs -----------------------------------------------------------------------------

    def hop(self, name: str, direction: Direction) -> int:
        """Index of a hop; raises PlanError if the plan has none of that name."""
        try:
            return self._hop_idx[(name, direction)]
        except KeyError:
            raise PlanError(f"the plan has no hop {name} ({direction})") from None

    def link_down(self, hops: Iterable[int], cause_event_id: int = NO_CAUSE) -> None:
        """Take hops down; what is queued is lost. Down for two reasons needs two ups."""
        self._catch_up()
        hops = tuple(hops)
        self._data.recorder.touch(hops, cause_event_id)
        for h in hops:
            self._down_causes[h].append(cause_event_id)
            if len(self._down_causes[h]) == 1:
                self._data.set_up(h, False)
        self._tell_watchers(hops, cause_event_id)

    def link_up(self, hops: Iterable[int], cause_event_id: int = NO_CAUSE) -> None:
        """Take one reason to be down from hops; those without any come up, with empty queues.

        `cause_event_id` is the event that repairs them; it plays no part in which reason goes.
        """
        self._catch_up()
        hops = tuple(hops)
        for h in hops:
            if not self._down_causes[h]:
                raise PlanError(f"hop {self.plan.hops[h].name} is up already")
            self._down_causes[h].pop(0)
            if not self._down_causes[h]:
                self._data.set_up(h, True)
        self._tell_watchers(hops, cause_event_id)

    def is_up(self, hops: Iterable[int]) -> bool:
        """Whether all of these hops are up."""
        return not any(self._down_causes[h] for h in hops)

    def loss_ratio(self, hops: Iterable[int]) -> float:
        """Chance that a packet which passes these hops now is lost, if none of them is down.

        Random loss as it is set (of two states the mean), and what full queues refused in the last
        time bin.
        """
        self._catch_up()
        return 1.0 - math.prod(1.0 - self._data.loss_ratio(h) for h in hops)

    def watch(self, h: int) -> Signal:
        """Return the signal of a hop that goes down, comes up or loses another share of packets.

        What full queues refuse is looked at when a time bin ends.
        """
        if not self._watched:
            self.env.process(self._look_at_bins())
        if h not in self._watched:
            self._watched[h] = Signal(self.env)
            self._watched_loss[h] = self._data.loss_ratio(h)
        return self._watched[h]

    def _look_at_bins(self) -> Generator[Any, Any, None]:
        """Tell those who watch hops what changed in each time bin."""
        while True:
            yield self.env.timeout(self.plan.time_bin_ps)
            self._catch_up()
            self._tell_losses(self._watched, NO_CAUSE)

    def _tell_losses(self, hops: Iterable[int], cause_event_id: int) -> None:
        for h in hops:
            loss_ratio = self._data.loss_ratio(h)
            if h in self._watched and loss_ratio != self._watched_loss[h]:
                self._watched_loss[h] = loss_ratio
                self._watched[h].fire(cause_event_id)

    def _tell_watchers(self, hops: Iterable[int], cause_event_id: int) -> None:
        for h in hops:
            if h in self._watched:
                self._watched[h].fire(cause_event_id)

    def served_bytes(self, h: int) -> int:
        """Bytes that a server has accepted since the start, as it meters them."""
        self._catch_up()
        return self._data.served_bytes(h)

    def set_capacity(
        self,
        h: int,
        *,
        rate_bps: float | None = None,
        packets_per_s: float | None = None,
        cause_event_id: int = NO_CAUSE,
    ) -> None:
        """Change the rate of a server; the packet in service keeps its old one."""
        self._catch_up()
        self._data.recorder.touch((h,), cause_event_id)
        per_byte = None
        if rate_bps is not None:
            per_byte = round(BITS_PER_BYTE / rate_bps * PS_PER_S * (1 << layout.PER_BYTE_SHIFT))
        min_service_ps = None if packets_per_s is None else to_ps(1.0 / packets_per_s)
        self._data.set_service(h, per_byte=per_byte, min_service_ps=min_service_ps)

    def set_path(
        self,
        h: int,
        *,
        delay_s: float | None = None,
        loss_ratio: float | None = None,
        cause_event_id: int = NO_CAUSE,
    ) -> None:
        """Change the delay or the random loss of a path; nobody overtakes on it from now on."""
        self._catch_up()
        self._data.recorder.touch((h,), cause_event_id)
        self._data.set_path(
            h,
            delay_ps=None if delay_s is None else to_ps(delay_s),
            loss_threshold=None if loss_ratio is None else int(threshold(loss_ratio)),
        )
        self._tell_losses((h,), cause_event_id)

    def set_route(
        self,
        stream: str,
        direction: Direction,
        position: int | None,
        flows: Iterable[int] | None = None,
    ) -> None:
        """Send a stream's next packets over another of its declared routes, or over none.

        `position` counts the routes as declared; `flows` picks sources or TCP flows of the stream
        by their number (all without). Packets under way keep their route.
        """
        self._catch_up()
        places = self._places(stream, direction)
        for number in range(len(places)) if flows is None else flows:
            place, index = places[number]
            if place == "source":
                self._data.set_source_route(index, position)
            elif place == "data":
                self._data.set_flow_route(index, data_position=position, which=("data",))
            else:
                self._data.set_flow_route(index, ack_position=position, which=("ack",))

    def set_factors(self, factors: Iterable[tuple[int, float]]) -> None:
        """Let open-loop sources of the plan send at their rates times these factors from now on.

        Packet level: the flow level follows profiles by itself.
        """
        self._catch_up()
        assert isinstance(self._data, DataPlane)
        for s, factor in factors:
            self._data.set_source_factor(s, factor)

    def _places(self, stream: str, direction: Direction) -> list[tuple[str, int]]:
        """What sends in a direction of a stream, by the number of the flow.

        Each is a source of the plan, or the data or the ACKs of a TCP flow, with its index there.
        """
        if not self._flow_places:
            for s, source in enumerate(self.plan.sources):
                where = self.plan.directions[int(source.record["direction"])]
                key = (self.plan.streams[where.stream_idx].name, where.direction)
                self._flow_places[key].append(("source", s))
            flows: list[TcpFlowPlan | TransferPlan] = [*self.plan.tcp_flows, *self.plan.transfers]
            for f, flow in enumerate(flows):
                name = self.plan.streams[flow.stream_idx].name
                for what, routes in (("data", flow.data_routes), ("ack", flow.ack_routes)):
                    where = self.plan.directions[self.plan.routes[routes[0]].direction_idx]
                    self._flow_places[(name, where.direction)].append((what, f))
        return self._flow_places[(stream, direction)]

    def _catch_up(self) -> None:
        self._data.advance(self.now_ps, self._tick)
