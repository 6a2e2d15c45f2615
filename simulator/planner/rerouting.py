"""How flows move in a run: the control process that follows what the ends believe.

    withdrawn    a flow whose way its sending end may no longer use takes the next one, or none
    lengthened   while the AS path of a way is longer, all ways are compared anew
    returned     a better way that is back is used at once, after a hold-down, or only when the flow
                 has no other (fail-back of its connection)
    clients      a flow of a point-to-site client follows its session: none, or that at an instance
    instances    a flow that a failed instance of a gateway carries is lost there until the platform
                 sends it through another one
    first hops   a site goes on sending to a device that died without a word, until its first-hop
                 redundancy leaves the device; what the device believed no longer matters
    state        a stateful device that a TCP flow did not pass before ends it; the flow is then
                 taken to connect again at once, over that device

A new connection is not simulated as such: the flow goes on with what its timers made of the outage.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from simulator.draft import OPPOSITE
from simulator.plan import FORWARD, RETURN, Direction
from simulator.planner.asymmetry import refusing
from simulator.recorder import Reroute
from simulator.states import (
    FAILED,
    first_hop_state,
    platform_state,
    sessions_state,
    state_of,
    works,
)
from simulator.ways import StreamDraft, Way

if TYPE_CHECKING:
    from simulator.world import World


ELSEWHERE: Final = 1
"""Stands for a position that is not the first: the flow passes another gateway instance."""


@dataclass(frozen=True)
class FlowTable:
    """The flows of one stream and direction: the ways of each in order of preference."""

    stream: str
    direction: Direction
    flows: tuple[tuple[Way, ...], ...]
    partners: tuple[int | None, ...] = ()
    """On the way back past a stateful device: number of each flow in the other direction."""
    is_tcp: tuple[bool, ...] = ()
    """Whether each flow is of a TCP connection; empty: none is."""
    group: str = ""
    """Group of clients that the flows belong to."""
    clients: tuple[str, ...] = ()
    """Client of each flow, in a group."""
    turns: tuple[int | None, ...] = ()
    """Which of equal gateway instances a part of many flows passes; None: as its hash says."""

    @property
    def states(self) -> frozenset[str]:
        """What the sending end looks at."""
        all_ways = {way for ways in set(self.flows) for way in ways}
        own = {s for way in all_ways for s in (*way.usable_if, *way.prepended_if)}
        instances = {i for way in all_ways for group in way.shared_by for i in group}
        own |= instances | {platform_state(instance) for instance in instances}
        return frozenset(own | ({sessions_state(self.group)} if self.group else set()))

    @property
    def first_hops(self) -> frozenset[str]:
        """The devices that the hosts of a site send to, on its ways."""
        return frozenset(d for ways in set(self.flows) for way in ways for d in _first_hops(way))

    @property
    def firewalls(self) -> frozenset[str]:
        """The stateful devices on its ways."""
        return frozenset(name for ways in set(self.flows) for way in ways for name in way.firewalls)


def flow_tables(streams: Iterable[StreamDraft]) -> tuple[FlowTable, ...]:
    """The tables of all streams whose routing can change in a run, forward before return."""
    tables = [
        FlowTable(
            stream.name,
            direction,
            tuple(stream.flow_ways[direction]),
            _partners(stream) if direction == RETURN else (),
            tuple(stream.flow_is_tcp[direction]),
            stream.group,
            tuple(name.partition(".")[0] for name in stream.flow_names[direction])
            if stream.group
            else (),
            tuple(stream.flow_turns[direction]),
        )
        for stream in streams
        for direction in OPPOSITE
    ]
    guarded = {table.stream for table in tables if table.partners}
    return tuple(table for table in tables if table.states or table.stream in guarded)


def _partners(stream: StreamDraft) -> tuple[int | None, ...]:
    """Number in the forward direction of each flow on its way back, if a device watches it."""
    if not any(way.firewalls for ways in set(stream.flow_ways[RETURN]) for way in ways):
        return ()
    number = {name: i for i, name in enumerate(stream.flow_names[FORWARD]) if name}
    return tuple(number.get(name) for name in stream.flow_names[RETURN])


def follow(world: World, tables: Sequence[FlowTable]) -> Generator[Any, Any, None]:
    """Move each flow to the first of its ways that its sending end may use, whenever one changes.

    A flow without a way has no route: its packets are dropped as such where they are sent. So are
    the answers of a flow that come back over a stateful device that its way there does not pass.
    """
    state = _Routing(world, tables)
    by_state: dict[str, list[int]] = defaultdict(list)
    for index in range(len(tables)):
        for name in sorted(state.watched(index)):
            by_state[name].append(index)
    for index, table in enumerate(tables):
        if table.partners:
            state.reroute(index, 0)
    while by_state:
        # What a device leads to as it dies is told apart; once it is back it may have no route.
        names = [n for n in by_state if n not in state.devices or not works(world, n)]
        waits = {name: world.signal(name).wait() for name in names}
        fired = yield world.env.any_of(list(waits.values()))
        causes: dict[int, int] = {}
        for name, wait in waits.items():
            for index in by_state[name] if wait in fired else ():
                causes[index] = max(causes.get(index, 0), int(wait.value or 0))
        for index in sorted(causes):
            state.reroute(index, causes[index])


class _Routing:
    """Which way each flow takes now."""

    def __init__(self, world: World, tables: Sequence[FlowTable]) -> None:
        self._world = world
        self._tables = tables
        self._position: list[list[int | None]] = [[0] * len(table.flows) for table in tables]
        self._known_to = [
            [set(ways[0].firewalls) if ways else set() for ways in table.flows] for table in tables
        ]
        """The stateful devices that know each flow."""
        self._ways = [{way for ways in table.flows for way in ways} for table in tables]
        self._passed: list[dict[int, tuple[str, ...]]] = [{} for _ in tables]
        """The gateway instances that each flow passes, once they are not those of the beginning."""
        self._firewalls = [table.firewalls for table in tables]
        self.devices = frozenset[str]().union(*(table.first_hops for table in tables))
        """The devices that the hosts of sites send to."""
        self._longer: list[set[Way]] = [set() for _ in tables]
        """Ways whose AS path is longer now."""
        self._back_s: dict[Way, float] = {}
        """When each way came back that was not usable."""
        self._away: set[Way] = set()
        self._held = [world.timer(partial(self._release, i)) for i in range(len(tables))]
        self._causes = [0] * len(tables)
        forward = {t.stream: i for i, t in enumerate(tables) if t.direction == FORWARD}
        self._there = {i: forward[t.stream] for i, t in enumerate(tables) if t.partners}

    def watched(self, index: int) -> frozenset[str]:
        """The states on which a table depends; a guarded one also on those of the way there."""
        there = self._there.get(index)
        table = self._tables[index]
        own = table.states | {first_hop_state(name) for name in table.firewalls} | table.first_hops
        return own if there is None else own | self.watched(there)

    def reroute(self, index: int, cause: int) -> None:
        """Move the flows of a table that another way is best for now."""
        table, position = self._tables[index], self._position[index]
        self._causes[index] = cause
        usable = self._usable(index)
        moved: dict[int | None, list[int]] = defaultdict(list)
        taken: dict[str, list[int | None]] = defaultdict(list)
        reset: dict[str, int] = defaultdict(int)
        next_s = math.inf
        for flow, ways in enumerate(table.flows):
            best, free_s = self._best(index, flow, usable)
            next_s = min(next_s, free_s)
            name = "no route" if best is None else ways[best].name
            devices = () if best is None else self._refusing(index, flow, ways[best])
            if devices:
                best, name = None, f"dropped by {' and '.join(devices)}, stateful"
            is_elsewhere = is_switched = False
            if best is not None and ways[best].shared_by:
                dead, is_elsewhere, is_switched = self._pass_instances(index, flow, ways[best])
                if dead:
                    best, name = None, f"lost at {dead}"
            if best != position[flow] or is_switched:
                position[flow] = best
                moved[best].append(flow)
                taken[name].append(ELSEWHERE if is_elsewhere else best)
                is_ended = best is not None and self._is_ended(index, flow, ways[best])
                reset[name] += bool(devices) or is_ended
        if math.isfinite(next_s):
            self._held[index].restart(max(0.0, next_s - self._world.now_s))
        for best, flows in moved.items():
            self._world.set_route(table.stream, table.direction, best, flows)
        for name, positions in taken.items():
            where = f"{len(positions)} of {len(table.flows)} flows, {table.direction}: {name}"
            fact = Reroute(
                direction=table.direction,
                moved_count=sum(bool(position) for position in positions),
                returned_count=positions.count(0),
                reset_count=reset[name],
            )
            self._world.event("reroute", table.stream, cause, where, fact)

    def _pass_instances(self, index: int, flow: int, way: Way) -> tuple[str, bool, bool]:
        """Let a flow pass one instance of each gateway on its way, of those the platform uses.

        Returns the instance at which it is lost (empty: none), whether it passes another one than
        at the beginning, and whether it passes another one than until now.
        """
        orders = [self._instance_order(index, flow, group) for group in way.shared_by]
        passed = tuple(
            next((i for i in order if works(self._world, platform_state(i))), order[0])
            for order in orders
        )
        dead = next((i for i in passed if not works(self._world, i)), "")
        home = tuple(order[0] for order in orders)
        was = self._passed[index].get(flow, home)
        if not dead:
            self._passed[index][flow] = passed
        return dead, not dead and passed != home, not dead and passed != was

    def _instance_order(self, index: int, flow: int, instances: tuple[str, ...]) -> Sequence[str]:
        """Instances of a gateway as a flow prefers them: by turn, or by the hash of the flow."""
        table = self._tables[index]
        turn = table.turns[flow] if table.turns else None
        if turn is not None:
            turn %= len(instances)
            return (*instances[turn:], *instances[:turn])
        names = (table.stream, table.direction, str(flow))
        return sorted(instances, key=lambda i: self._world.uniform(*names, i))

    def _release(self, index: int) -> None:
        """A way that came back has been held down long enough."""
        self.reroute(index, self._causes[index])

    def _usable(self, index: int) -> dict[Way, bool]:
        """Which ways the sending end may use, and since when those that came back."""
        usable = {}
        self._longer[index].clear()
        for way in self._ways[index]:
            if not all(works(self._world, state) for state in way.prepended_if):
                self._longer[index].add(way)
            usable[way] = self._is_sent_to_the_dead(way) or all(
                works(self._world, state) for state in way.usable_if
            )
            if not usable[way]:
                self._away.add(way)
            elif way in self._away:
                self._away.remove(way)
                self._back_s[way] = self._world.now_s
        firewalls = self._firewalls[index]
        gone = {name for name in firewalls if not works(self._world, first_hop_state(name))}
        if gone:
            for known in self._known_to[index]:
                known -= gone
        return usable

    def _is_sent_to_the_dead(self, way: Way) -> bool:
        """Whether the site still uses a way although its device is dead."""
        return way not in self._away and any(
            state_of(self._world, device) == FAILED and works(self._world, first_hop_state(device))
            for device in _first_hops(way)
        )

    def _best(self, index: int, flow: int, usable: dict[Way, bool]) -> tuple[int | None, float]:
        """Position of the way that a flow takes, and when a better one will be free to use."""
        table = self._tables[index]
        ways, now = table.flows[flow], self._position[index][flow]
        home = self._home(table, flow)
        next_s = math.inf
        order = self._order(index, ways)
        for place, i in enumerate(order):
            way = ways[i]
            if not usable[way] or (home is not None and home not in way.points):
                continue
            if now is None or place >= order.index(now) or not usable[ways[now]]:
                return i, next_s
            free_s = self._back_s.get(way, -math.inf) + _hold_down_s(way, ways[now])
            if free_s <= self._world.now_s:
                return i, next_s
            next_s = min(next_s, free_s)
        return None, next_s

    def _order(self, index: int, ways: Sequence[Way]) -> Sequence[int]:
        """Positions of ways, the best first: as planned, unless an AS path is longer now."""
        longer = self._longer[index]
        if not longer:
            return range(len(ways))
        ranks = [way.prepended_rank if way in longer else way.rank for way in ways]
        return sorted(range(len(ways)), key=ranks.__getitem__)

    def _home(self, table: FlowTable, flow: int) -> str | None:
        """The instance that a client has its session with; "offline" without one."""
        if not table.group:
            return None
        sessions: dict[str, str] = self._world.state.get(sessions_state(table.group), {})
        return sessions.get(table.clients[flow])

    def _is_ended(self, index: int, flow: int, way: Way) -> bool:
        """Whether a stateful device ends a flow that comes to it in the middle."""
        table, known = self._tables[index], self._known_to[index][flow]
        strangers = [name for name in way.firewalls if name not in known]
        self._known_to[index][flow] = set(way.firewalls)
        return bool(strangers) and bool(table.is_tcp) and table.is_tcp[flow]

    def _refusing(self, index: int, flow: int, back: Way) -> tuple[str, ...]:
        """The devices that drop a flow on its way back."""
        there = self._there.get(index)
        partner = None if there is None else self._tables[index].partners[flow]
        if there is None or partner is None:
            return ()
        position = self._position[there][partner]
        if position is None:
            return ()
        return refusing(self._tables[there].flows[partner][position], back)


def _first_hops(way: Way) -> tuple[str, ...]:
    """The devices on a way that the hosts of their site send to."""
    return tuple(point for point in way.points if first_hop_state(point) in way.usable_if)


def _hold_down_s(way: Way, now: Way) -> float:
    """How long a better way that is back waits: not if the present one is of the same group."""
    is_same = way.hold_down_group != "" and way.hold_down_group == now.hold_down_group
    return 0.0 if is_same else way.hold_down_s
