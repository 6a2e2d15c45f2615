"""Point-to-site clients after a failover: disconnected, and back one by one.

    disconnect   when an instance stops, also as planned, its clients lose their sessions (T080)
    notice       each client notices and dials after a time drawn by its protocol (T110 to T112)
    no answer    while no instance works, a client dials again after growing waits, then gives up
    admission    an instance takes clients in one by one, at a rate that nobody publishes
    handshake    round trips of the protocol and the authentication, beside the queue

Clients come back at the end of the time bin in which they are connected. Not modelled: clients that
are refused for want of addresses on the instance that is left, and users who dial by hand later.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.catalog import Default
from simulator.draft import drawn
from simulator.plan import PS_PER_S, to_ps
from simulator.states import OFFLINE, REPAIR, sessions_state, storm_signal, works

if TYPE_CHECKING:
    from simulator.world import RestartableTimer, World


@dataclass(frozen=True)
class Redial:
    """How a client comes back."""

    notice: Default
    """Time until it notices that it is disconnected, and dials."""
    delay_s: float
    """First wait for an answer."""
    backoff: float
    """Factor by which each further wait grows."""
    retries_count: int
    handshake_s: float
    """Round trips of the protocol, and the authentication."""


@dataclass(frozen=True)
class GroupSpec:
    """The clients of a group that have sessions; names are those of states and signals."""

    name: str
    gateway: str
    instances: tuple[str, ...]
    homes: Sequence[tuple[str, str]]
    """Each client and the instance it began with."""
    redial: Redial
    admission_s: float
    """Time that an instance needs for each client it takes in."""
    step_s: float
    """Clients come back in steps of so much time."""


def process(world: World, spec: GroupSpec) -> Generator[Any, Any, None]:
    """Disconnect and reconnect clients whenever an instance stops, or a storm breaks out."""
    group = _Group(world, spec)
    storm = storm_signal(spec.name)
    known = dict.fromkeys(spec.instances, True)
    while True:
        waits = [world.signal(name).wait() for name in (*spec.instances, storm)]
        fired = yield world.env.any_of(waits)
        if waits[-1] in fired:
            event_id, share_ratio = fired[waits[-1]]
            group.storm(event_id, share_ratio)
        for instance, wait in zip(spec.instances, waits, strict=False):
            is_working = works(world, instance)
            if wait in fired and known[instance] and not is_working:
                group.disconnect(instance, fired[wait])
            known[instance] = is_working


class _Group:
    def __init__(self, world: World, spec: GroupSpec) -> None:
        self._world = world
        self._spec = spec
        self._first_home = dict(spec.homes)
        self._home = dict(spec.homes)
        """Instance of each client that has a session."""
        self._sessions: dict[str, str] = world.state.setdefault(sessions_state(spec.name), {})
        self._free_s: dict[str, float] = world.state.setdefault(f"{spec.gateway} admission", {})
        """When each instance has taken in all who wait; shared by the groups of a gateway."""
        self._due: list[tuple[int, int, str, int]] = []
        """Heap of dialling clients: time (ps), tie, client, number of the attempt."""
        self._next = world.timer(self._dial_due)
        self._entering: list[tuple[int, str, str]] = []
        """Heap of clients that will be in: time (ps), client, instance."""
        self._step = world.timer(self._let_in)
        self._ties_count = 0
        self._draws_count = 0
        self._cause = 0
        self._storm_id = 0

    @property
    def _now_ps(self) -> int:
        return int(self._world.env.now)

    def _restart(self, timer: RestartableTimer, time_ps: int) -> None:
        """Let a timer run out at an instant, now if that has passed."""
        timer.restart(max(0, time_ps - self._now_ps) / PS_PER_S)

    # ---- out ----------------------------------------------------------------------------------

    def disconnect(self, instance: str, cause: int) -> None:
        """All clients of an instance lose their sessions; each notices by itself."""
        lost = [client for client, home in self._home.items() if home == instance]
        if not lost:
            return
        self._drop(lost, cause, f"{len(lost)} clients of {instance}")
        for client in lost:
            share = self._world.uniform(client, "notice", counter=self._draws_count)
            self._dial_in(client, drawn(self._spec.redial.notice, share), 0)
        self._draws_count += 1

    def storm(self, event_id: int, share_ratio: float) -> None:
        """A share of the clients loses its sessions, and dials again at once."""
        connected = list(self._home)
        lost = connected[: round(share_ratio * len(connected))]
        self._storm_id = event_id
        self._drop(lost, event_id, f"{len(lost)} clients, all at once")
        for client in lost:
            self._dial_in(client, 0.0, 0)

    def _drop(self, lost: Sequence[str], cause: int, detail: str) -> None:
        self._cause = self._world.event("p2s-disconnected", self._spec.name, cause, detail)
        for client in lost:
            del self._home[client]
            self._sessions[client] = OFFLINE
        self._world.signal(sessions_state(self._spec.name)).fire(self._cause)

    # ---- dialling -----------------------------------------------------------------------------

    def _dial_in(self, client: str, wait_s: float, attempt: int) -> None:
        self._ties_count += 1
        due_ps = self._now_ps + to_ps(wait_s)
        heapq.heappush(self._due, (due_ps, self._ties_count, client, attempt))
        self._restart(self._next, self._due[0][0])

    def _dial_due(self) -> None:
        while self._due and self._due[0][0] <= self._now_ps:
            _, _, client, attempt = heapq.heappop(self._due)
            self._dial(client, attempt)
        if self._due:
            self._restart(self._next, self._due[0][0])

    def _dial(self, client: str, attempt: int) -> None:
        """Join the queue of an instance that works, else try again later."""
        instance = self._answering(client)
        redial = self._spec.redial
        if instance is not None:
            begin_s = max(self._world.now_s, self._free_s.get(instance, 0.0))
            self._free_s[instance] = begin_s + self._spec.admission_s
            in_s = self._free_s[instance] + redial.handshake_s
            heapq.heappush(self._entering, (to_ps(in_s), client, instance))
            self._plan_step()
        elif attempt < redial.retries_count:
            self._dial_in(client, redial.delay_s * redial.backoff**attempt, attempt + 1)
        else:
            detail = f"{client} dialled {redial.retries_count + 1} times"
            self._world.event("p2s-gave-up", self._spec.name, self._cause, detail)

    def _answering(self, client: str) -> str | None:
        """The instance it had if that works, else one of the others by its hash."""
        working = [i for i in self._spec.instances if works(self._world, i)]
        first = self._first_home[client]
        if not working or first in working:
            return first if working else None
        return working[int(self._world.uniform(client, "instance") * len(working))]

    # ---- in -----------------------------------------------------------------------------------

    def _plan_step(self) -> None:
        if self._entering:
            step_ps = to_ps(self._spec.step_s)
            self._restart(self._step, -(-self._entering[0][0] // step_ps) * step_ps)

    def _let_in(self) -> None:
        """Those whose handshake is over have sessions, unless their instance has stopped."""
        entered = 0
        while self._entering and self._entering[0][0] <= self._now_ps:
            _, client, instance = heapq.heappop(self._entering)
            if works(self._world, instance):
                self._home[client] = self._sessions[client] = instance
                entered += 1
            else:
                self._dial_in(client, self._spec.redial.delay_s, 1)
        if entered:
            missing = len(self._due) + len(self._entering)
            detail = f"{entered} clients, {missing} still dial" if missing else f"{entered} clients"
            back = self._world.event("p2s-reconnected", self._spec.name, self._cause, detail)
            self._world.signal(sessions_state(self._spec.name)).fire(back)
            if self._storm_id and not missing:
                self._world.event(REPAIR, self._spec.name, self._storm_id, "all clients are back")
                self._storm_id = 0
        self._plan_step()
