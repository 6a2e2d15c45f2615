"""A BGP session between two neighbours: who notices what, when it ends, and when it is back.

While the way between the ends loses nothing there are no keepalives here. When it closes or loses
messages, each sender's last keepalive has an age by its phase, and from then on:

    keepalive   each interval; TCP carries it: it is repeated after RTO, twice that, ... until it
                is acknowledged, and what is sent meanwhile waits behind it
    hold time   an end that hears nothing new for so long ends the session for the direction that
                it routes, and sends a NOTIFICATION; while its TCP repeats something this stays
                behind that, so that the peer notices by its own hold time
    BFD         as above, within its detection time; it tells the peer by itself
    reset       what is sent to an end that has no session any more is answered by a TCP reset
    connect     both ends without a session try again each connect-retry interval; an attempt
                succeeds once the way is open both ways, after the handshake of TCP and BGP

Each end detects for the direction that it routes: its view is a state of its own (`view`), and the
routes of `simulator.sessions.routes` follow it.

Not modelled: UPDATE messages as a sign of life, prefix limits, route damping, collisions of two
connections, graceful restart (no row of the catalogue says that a platform's router keeps routes),
a NOTIFICATION that TCP repeats after its sender has closed. Sources: RFC 4271 (sections 6.5, 8,
10), RFC 9293 and RFC 6298 (TCP), RFC 5880 and 5882 (BFD), timers T020 to T033, T104 to T109.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from simulator.base.units import format_duration
from simulator.draft import drawn
from simulator.recorder import NO_CAUSE, Detection
from simulator.sessions.bfd import BfdReceiver
from simulator.sessions.bgp_spec import BgpSpec, admin, reset, view
from simulator.sessions.messages import Draws, Period
from simulator.sessions.path import NEGLIGIBLE, SessionPath
from simulator.sessions.talk import Talk
from simulator.states import DOWN, DRAINED, UP, restored_state, state_of, tell, works

if TYPE_CHECKING:
    from simulator.world import World

HANDSHAKE_SENDERS: Final = (0, 1, 0, 1, 0)
"""Who sends SYN, SYN and ACK, OPEN, OPEN with KEEPALIVE, and KEEPALIVE, if end 0 begins."""


def process(world: World, spec: BgpSpec) -> Generator[Any, Any, None]:
    """Let one session live."""
    return BgpSession(world, spec).live()


class BgpSession:
    """A session in one run: up from the start."""

    def __init__(self, world: World, spec: BgpSpec) -> None:
        self.world = world
        self.spec = spec
        self.path = SessionPath(world, spec.path)
        self.cause = NO_CAUSE
        """The last event that changed what the session depends on."""
        self.draws = Draws(world, spec.name, "bgp")
        self.ends = (_End(self, 0), _End(self, 1))
        self._connect = world.timer(self._attempt)
        self._open = world.timer(self._connected)
        self._is_connecting = False
        self._was_open = True
        self._cause_to_connect = NO_CAUSE
        self._restored = state_of(world, restored_state(spec.name))

    def live(self) -> Generator[Any, Any, None]:
        """Wake up whenever the way, an end or an administrator changes something."""
        ends = [end.spec for end in self.ends]
        resets = [reset(self.spec.name, end.name) for end in ends]
        admins = [admin(self.spec.name, end.name) for end in ends]
        states = [state for end in ends for state in (end.host, end.interface) if state]
        self.look()
        while True:
            back = restored_state(self.spec.name)
            cause, fired = yield from self.path.watch(*resets, *admins, *states, back)
            self.cause = cause or self.cause
            for end, name in zip(self.ends, resets, strict=True):
                if name in fired:
                    end.close("reset")
            if state_of(self.world, back) != self._restored:
                self._restored = state_of(self.world, back)
                self._restore()
            self.look()

    def look(self) -> None:
        """Bring everything in line with what holds now."""
        for end in self.ends:
            end.look_at_itself()
        for end in self.ends:
            end.look_at_messages()
        self._look_at_connecting()
        self._was_open = self.path.is_open

    def close_s(self, closer: int) -> float:
        """Time until the message with which an end closes arrives.

        It is sent before anything that happens at the same instant takes the way down.
        """
        return self.spec.path.delay_s[closer] if self._was_open else self.through_s(closer)

    # ---- connecting ---------------------------------------------------------------------------

    def _look_at_connecting(self) -> None:
        """Try to connect while neither end has the session and the way is open."""
        may_connect = (
            not any(end.is_up for end in self.ends)
            and self.path.is_open
            and all(end.may_connect for end in self.ends)
        )
        if may_connect and not self._is_connecting:
            self._cause_to_connect = max(self.cause, *(end.cause for end in self.ends))
            self._connect.restart(self._first_wait_s())
        elif self._is_connecting and not may_connect:
            self._connect.stop()
            self._open.stop()
        self._is_connecting = may_connect

    def _first_wait_s(self) -> float:
        """Until the first of the ends tries again: the phase of its attempts is random."""
        return min(
            Period(retry_s, self.spec.jitter_low).age_s(self.draws(), self.draws())[1]
            for retry_s in self._retries_s()
        )

    def _retries_s(self) -> list[float]:
        return [e.connect_retry_s for e in self.spec.ends if e.connect_retry_s is not None]

    def _attempt(self) -> None:
        took_s = sum(self.through_s(sender) for sender in HANDSHAKE_SENDERS)
        longest_s = min(self._retries_s())
        if took_s < longest_s:
            self._open.restart(took_s)
        else:
            self._connect.restart(longest_s)

    def _restore(self) -> None:
        """A take-over brings both ends back within its own time, with fresh timers."""
        if all(end.is_up for end in self.ends):
            for end in self.ends:
                end.refresh()
            return
        self._connect.stop()
        self._open.stop()
        self._established("within the published time", self.cause)

    def _connected(self) -> None:
        self._established("after a connect retry", self._cause_to_connect)
        self.look()

    def _established(self, how: str, cause: int) -> None:
        self._is_connecting = False
        event_id = self.event("bgp-established", cause, how)
        for end in self.ends:
            end.begin(event_id)

    def through_s(self, sender: int) -> float:
        """Time until one message from an end has got through, TCP repeating what is lost."""
        loss_ratio = self.path.loss_ratio(sender)
        delay_s = self.spec.path.delay_s[sender]
        if loss_ratio <= 0.0:
            return delay_s
        if loss_ratio >= 1.0:
            return math.inf
        return delay_s + self.spec.rto.wait_s(self.draws.losses(loss_ratio))

    def event(self, kind: str, cause: int, detail: str, fact: Detection | None = None) -> int:
        """Log an event of this session."""
        event_id: int = self.world.event(kind, self.spec.name, cause, detail, fact)
        return event_id


class _End:
    """One end: it talks, listens, and has the session or not."""

    def __init__(self, session: BgpSession, index: int) -> None:
        spec = session.spec
        world = session.world
        self.spec = spec.ends[index]
        self.is_up = True
        self.cause = NO_CAUSE
        """What took the session from this end."""
        self._began_s = -math.inf
        """When the session began, with a keepalive: none is older."""
        self._session = session
        self._world = world
        self._index = index
        self._hold_s = spec.hold_s(index)
        self._hold = world.timer(self._hold_expired)
        self._deadline_s = 0.0
        self._told = world.timer(self._is_told)
        self._told_by = (NO_CAUSE, "")
        self._interface = world.timer(self._interface_down)
        phase = "both" if spec.is_in_phase else self.spec.name
        self._talk = Talk(
            world,
            Draws(world, spec.name, "keepalive", phase),
            Draws(world, spec.name, "tcp", self.spec.name),
            Period(spec.keepalive_s(index), spec.jitter_low),
            spec.rto,
            session.path,
            index,
            self._arrives,
            self._rests,
        )
        self._bfd = spec.bfd and BfdReceiver(
            world, spec.name, spec.bfd, session.path, index, self._bfd_expired
        )

    @property
    def may_connect(self) -> bool:
        """Whether what speaks here lives and is allowed to."""
        return self._works and state_of(self._world, self._admin) != DOWN

    @property
    def _works(self) -> bool:
        return not self.spec.host or works(self._world, self.spec.host)

    @property
    def _admin(self) -> str:
        return admin(self._session.spec.name, self.spec.name)

    @property
    def _peer(self) -> _End:
        return self._session.ends[1 - self._index]

    @property
    def _is_safe(self) -> bool:
        """Whether nothing that this end says can get lost, so that nobody needs to look."""
        if self.is_up != self._peer.is_up:
            return False
        spec, path = self._session.spec, self._session.path
        hold_s = spec.hold_s(1 - self._index)
        if spec.keepalive_s(self._index) >= hold_s:
            return False  # its peer loses patience by itself
        worst_ratio = max(path.loss_ratio(end) for end in (0, 1))
        return bool(worst_ratio ** spec.rto.tries_within(hold_s) < NEGLIGIBLE)

    def look_at_itself(self) -> None:
        """The host, the administrator's will or the interface has changed."""
        if not self.is_up:
            return
        if not self._works:
            if state_of(self._world, self.spec.host) == DRAINED:
                self.close("leaves with notice")
            else:
                self.leave(f"{self.spec.name}: failed", self._session.cause)
        elif state_of(self._world, self._admin) == DOWN:
            self.close("closed by its administrator")
        elif self.spec.interface and state_of(self._world, self.spec.interface) == DOWN:
            if not self._interface.is_running:
                wait_s = drawn(self._session.spec.interface_down, self._session.draws())
                self._interface.restart(wait_s)
        else:
            self._interface.stop()

    def look_at_messages(self) -> None:
        """Something else has changed: look at messages if they may get lost now."""
        if not self.is_up:
            return
        if not self._talk.is_running and not self._is_safe:
            self._begin_to_look()
        if self._bfd:
            self._bfd.look()

    def _begin_to_look(self) -> None:
        """From now on each keepalive of this end is looked at; its last one has an age."""
        age_s = min(self._talk.begin(), self._world.now_s - self._began_s)
        if self._peer.is_up:
            self._peer.hear_in(self._session.spec.path.delay_s[self._index] - age_s)

    # ---- listening ----------------------------------------------------------------------------

    def hear_in(self, after_s: float) -> None:
        """Something new from the peer arrives `after_s` from now (negative: it has)."""
        wait_s = max(0.0, after_s + self._hold_s)
        self._deadline_s = self._world.now_s + wait_s
        self._hold.restart(wait_s)

    def _arrives(self, is_new: bool) -> None:
        """What this end has just said will arrive at the peer."""
        peer, delay_s = self._peer, self._session.spec.path.delay_s[self._index]
        if not peer.is_up:
            answer_s = delay_s + self._session.through_s(1 - self._index)
            self.hear_of_end(answer_s, peer.cause, "TCP reset by the peer")
        elif is_new and self._world.now_s + delay_s <= peer._deadline_s:
            peer.hear_in(delay_s)

    def _rests(self) -> bool:
        """Whether messages of this end need no look; the peer's hold time then rests too."""
        if self._is_safe:
            self._peer._hold.stop()
        return self._is_safe

    def hear_of_end(self, after_s: float, cause: int, how: str) -> None:
        """The peer says that the session is over, or its TCP does."""
        if self.is_up and after_s < self._hold_s and not self._told.is_running:
            self._told_by = (cause, how)
            self._told.restart(after_s)

    # ---- the end of the session ---------------------------------------------------------------

    def close(self, why: str) -> None:
        """Close the session with a message."""
        if self.is_up and not self._told.is_running:
            after_s = self._session.close_s(self._index)
            fact = Detection("", self.spec.name)
            closed = self.leave(f"{self.spec.name}: {why}", self._session.cause, fact)
            self._peer.hear_of_end(after_s, closed, "NOTIFICATION received")

    def _hold_expired(self) -> None:
        why = f"{self.spec.name}: hold time of {format_duration(self._hold_s)} expired"
        self._detect(why, Detection(self.spec.hold_timer, self.spec.name))

    def _interface_down(self) -> None:
        row = self._session.spec.interface_down
        self._detect(f"{self.spec.name}: interface down", Detection(row.id, self.spec.name))

    def _detect(self, why: str, fact: Detection) -> None:
        """The session is over; the peer hears of it unless TCP repeats something."""
        is_blocked = self._talk.is_repeating
        lost = self.leave(why, self._session.cause, fact)
        if not is_blocked:
            after_s = self._session.through_s(self._index)
            self._peer.hear_of_end(after_s, lost, "NOTIFICATION received")
        self._session.look()

    def _bfd_expired(self, detail: str) -> None:
        assert self._session.spec.bfd is not None
        fact = Detection(self._session.spec.bfd.timer, self.spec.name)
        text = f"{self.spec.name}: {detail}"
        found = self._session.event("bfd-down", self._session.cause, text, fact)
        lost = self.leave(f"{self.spec.name}: BFD down", found)
        self._peer.hear_of_end(self._session.through_s(self._index), lost, "BFD down at the peer")
        self._session.look()

    def _is_told(self) -> None:
        cause, how = self._told_by
        self.leave(f"{self.spec.name}: {how}", cause)
        self._session.look()

    def leave(self, why: str, cause: int, fact: Detection | None = None) -> int:
        """Have no session any more; returns the event."""
        self.is_up = False
        for timer in (self._hold, self._told, self._interface):
            timer.stop()
        if not self._talk.is_running:
            self._begin_to_look()  # the peer's hold time runs from the last keepalive
        self._talk.stop()
        if self._bfd:
            self._bfd.stop()
        self.cause = self._session.event("bgp-down", cause, why, fact)
        tell(self._world, view(self._session.spec.name, self.spec.name), DOWN, self.cause)
        return self.cause

    def refresh(self) -> None:
        """Begin anew to listen and to talk."""
        for timer in (self._hold, self._told, self._interface):
            timer.stop()
        self._talk.stop()

    def begin(self, event_id: int) -> None:
        """Have a new session."""
        self.refresh()
        self.is_up = True
        self.cause = NO_CAUSE
        self._began_s = self._world.now_s
        tell(self._world, view(self._session.spec.name, self.spec.name), UP, event_id)
