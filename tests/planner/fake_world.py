"""A world for control processes alone: SimPy's clock, and a log of what they ask for."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import simpy

from simulator.base.keys import random_key
from simulator.draws import unit
from simulator.plan import PS_PER_S, Process, to_ps
from simulator.world import RestartableTimer


@dataclass(frozen=True)
class Event:
    event_id: int
    time_s: float
    kind: str
    subject: str
    cause_event_id: int
    detail: str
    fact: object = None


class Signal:
    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._next = env.event()

    def wait(self) -> simpy.Event:
        return self._next

    def fire(self, value: object = None) -> None:
        fired, self._next = self._next, self._env.event()
        fired.succeed(value)


@dataclass
class FakeWorld:
    """`routes` holds the last (position, flows) of each `set_route`, `down` the hops that stop."""

    horizon_s: float
    seed: int = 1
    replicate: int = 0
    env: simpy.Environment = field(default_factory=lambda: simpy.Environment(initial_time=0))
    state: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    reasons: Counter[int] = field(default_factory=Counter)
    """How many reasons each hop has to be down."""
    bytes_per_s: float = 0.0
    routes: list[tuple[float, str, str, int | None, tuple[int, ...]]] = field(default_factory=list)
    paths: list[tuple[float, int, dict[str, float]]] = field(default_factory=list)
    rates: list[tuple[float, int, float]] = field(default_factory=list)
    _signals: dict[str, Signal] = field(default_factory=dict)
    _watched: dict[int, Signal] = field(default_factory=dict)

    @property
    def now_s(self) -> float:
        return self.env.now / PS_PER_S

    def wait(self, seconds: float) -> simpy.Event:
        return self.env.timeout(to_ps(seconds))

    def timer(self, callback: Callable[[], None]) -> RestartableTimer:
        return RestartableTimer(self.env, callback)

    def signal(self, name: str) -> Signal:
        return self._signals.setdefault(name, Signal(self.env))

    def uniform(self, *names: str, counter: int = 0) -> float:
        return unit(random_key(self.seed, self.replicate, *names, str(counter)))

    @property
    def down(self) -> set[int]:
        return {h for h, reasons in self.reasons.items() if reasons}

    def link_down(self, hops: Iterable[int], cause_event_id: int = 0) -> None:
        self.reasons.update(hops)
        self._tell(hops, cause_event_id)

    def link_up(self, hops: Iterable[int], cause_event_id: int = 0) -> None:
        assert self.down.issuperset(hops), "it is up already"
        self.reasons.subtract(hops)
        self._tell(hops, cause_event_id)

    def is_up(self, hops: Iterable[int]) -> bool:
        return self.down.isdisjoint(hops)

    def watch(self, h: int) -> Signal:
        return self._watched.setdefault(h, Signal(self.env))

    def _tell(self, hops: Iterable[int], cause_event_id: int) -> None:
        for h in hops:
            self.watch(h).fire(cause_event_id)

    def loss_ratio(self, hops: Iterable[int]) -> float:
        """Of the last change of each path; the scenarios of these tests lose nothing before."""
        last = {h: values["loss_ratio"] for _, h, values in self.paths if "loss_ratio" in values}
        return 1.0 - math.prod(1.0 - last.get(h, 0.0) for h in hops)

    def served_bytes(self, h: int) -> int:
        """As if a stream sent `bytes_per_s` through each hop all the time."""
        return round(self.bytes_per_s * self.now_s)

    def set_path(self, h: int, *, cause_event_id: int = 0, **values: float) -> None:
        self.paths.append((self.now_s, h, values))
        self._tell((h,), cause_event_id)

    def set_capacity(
        self,
        h: int,
        *,
        rate_bps: float,
        packets_per_s: float | None = None,
        cause_event_id: int = 0,
    ) -> None:
        self.rates.append((self.now_s, h, rate_bps))

    def set_route(
        self, stream: str, direction: str, position: int | None, flows: Iterable[int]
    ) -> None:
        self.routes.append((self.now_s, stream, direction, position, tuple(flows)))

    def event(
        self,
        kind: str,
        subject: str,
        cause_event_id: int = 0,
        detail: str = "",
        fact: object = None,
    ) -> int:
        assert cause_event_id <= len(self.events)
        number = len(self.events) + 1
        self.events.append(Event(number, self.now_s, kind, subject, cause_event_id, detail, fact))
        return number

    def run(self, processes: Iterable[tuple[str, Process]]) -> "FakeWorld":
        for _, process in processes:
            self.env.process(process(self))
        self.env.run(until=to_ps(self.horizon_s))
        return self

    def of_kind(self, kind: str, subject: str = "") -> list[Event]:
        return [e for e in self.events if e.kind == kind and subject in ("", e.subject)]
