"""How an IPsec tunnel lives: dead peer detection at each end, and IKE to build it again.

Each end has its own view. While packets and keepalives get through nothing happens at all. When an
end stops hearing the other, its DPD runs from the last sign of life; when that times out, the end
deletes its SAs and, if it may, starts IKE and repeats its first message with growing waits until
the peer answers. An SA that only one end has passes nothing.

    sign of life  the peer's last keepalive before the silence: its age is a uniform share of the
                  interval between keepalives, from the tunnel's random key
    set-up        round trips of the IKE version + processing of the gateway

Not modelled: rekeying, loss of single IKE messages, traffic as a sign of life or as a reason to
start IKE, cookies and fragmentation of IKE. Sources: RFC 3706 (DPD), RFC 7296 (IKEv2), RFC 2409
(IKEv1), timers T009 and T015 to T018 of the catalogue.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.base.units import format_duration
from simulator.catalog import Default
from simulator.draft import drawn
from simulator.recorder import Detection
from simulator.states import DOWN, FAILED, TAKEN_OVER, UP, state_of, tell, works

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class Retransmission:
    """Waits of IKE for an answer: `first_s`, then each `factor` times longer, `tries` times."""

    first_s: float
    factor: float
    tries: int


@dataclass(frozen=True)
class EndSpec:
    """One end of a tunnel."""

    name: str
    """`gateway` or `device`."""
    dpd_timeout_s: float
    keepalive_s: float
    """Longest time between two signs of life of the peer while all is well."""
    may_initiate: bool
    timer: str = "connection.dpd.gateway"
    """The row of the catalogue that its DPD timeout comes from."""
    host: str = ""
    """State of the thing that holds the SAs of this end: if it fails they are gone."""


@dataclass(frozen=True)
class TunnelSpec:
    """A tunnel for its control process; names are those of states and signals."""

    name: str
    ends: tuple[EndSpec, ...]
    depends_on: tuple[str, ...]
    """What must work for a message to get from one end to the other."""
    blocked_by: str
    """The one of them whose fault stops packets at the tunnel itself."""
    hops: tuple[int, ...]
    """Hops that pass nothing while an end lacks its SA."""
    messages_s: float
    """Round trips of an IKE set-up."""
    processing: Default
    """What the gateway computes in a set-up."""
    retransmission: Retransmission


def view(tunnel: str, end: str) -> str:
    """Name of the state that says whether an end believes in its tunnel: its routing follows."""
    return f"{tunnel}@{end}"


class Tunnel:
    """A tunnel in one run."""

    def __init__(self, world: World, spec: TunnelSpec) -> None:
        self.world = world
        self.spec = spec
        self.ends = [_End(self, end) for end in spec.ends]
        self.cause = 0
        """The last event that changed what the tunnel depends on."""
        self.setups_count = 0
        self._is_open = True

    def live(self) -> Generator[Any, Any, None]:
        """Wake up whenever something that the tunnel depends on changes."""
        while True:
            waits = [self.world.signal(name).wait() for name in self.spec.depends_on]
            fired = yield self.world.env.any_of(waits)
            self.cause = max(fired.values())
            self._look()

    def _look(self) -> None:
        for end in self.ends:
            end.look()
        self.watch()

    def watch(self) -> None:
        """Start or stop the detection at each end, open or close the tunnel's hops."""
        for end in self.ends:
            end.watch()
        is_open = all(end.has_sa for end in self.ends) and works(self.world, self.spec.blocked_by)
        if is_open != self._is_open:
            self._is_open = is_open
            switch = self.world.link_up if is_open else self.world.link_down
            switch(self.spec.hops, self.cause)

    def passes(self) -> bool:
        """Whether a message gets from one end to the other now."""
        return all(works(self.world, name) for name in self.spec.depends_on)

    def hears(self, end: _End) -> bool:
        """Whether an end gets answers from the other."""
        return self.passes() and all(other.has_sa for other in self.ends if other is not end)

    def event(self, kind: str, cause: int, detail: str, fact: Detection | None = None) -> int:
        """Log an event of this tunnel."""
        event_id: int = self.world.event(kind, self.spec.name, cause, detail, fact)
        return event_id

    def establish(self, by: _End, cause: int) -> None:
        """Both ends have new SAs."""
        self.cause = self.event("ike-established", cause, f"started by the {by.spec.name}")
        for end in self.ends:
            end.renew(self.cause)
        self.watch()


class _End:
    """One end: with SAs it watches the peer, without them it tries IKE."""

    def __init__(self, tunnel: Tunnel, spec: EndSpec) -> None:
        self.tunnel = tunnel
        self.spec = spec
        self.has_sa = True
        self._world = tunnel.world
        self._view = view(tunnel.spec.name, spec.name)
        self._dpd = self._world.timer(self._timed_out)
        self._ike = self._world.timer(self._attempt)
        self._setup = self._world.timer(self._set_up)
        self._is_watching = False
        self._is_trying = False
        self._silences_count = 0
        self._attempts_count = 0
        self._cause = 0
        """What began the present silence, later the event that began IKE."""

    def look(self) -> None:
        """The host of this end, or the way to the other end, has changed."""
        host = state_of(self._world, self.spec.host)
        if host == FAILED:
            self._stop_trying()
        if self.has_sa and host == FAILED:
            self._lose(self.tunnel.event("sa-lost", self.tunnel.cause, f"{self.spec.name} failed"))
        elif not self.has_sa and host == TAKEN_OVER and self._may_rebuild_at_once():
            self.tunnel.establish(self, self.tunnel.cause)
        if not self.has_sa and works(self._world, self.spec.host):
            self._tell_view(DOWN, self.tunnel.cause)
            if not self._is_trying:
                self._initiate(self.tunnel.cause)

    def _may_rebuild_at_once(self) -> bool:
        """The published time of a take-over includes the SAs that the gateway rebuilds itself."""
        return self.spec.may_initiate and self.tunnel.passes()

    # ---- with SAs: detection ------------------------------------------------------------------

    def watch(self) -> None:
        """Let DPD run while the peer is not heard."""
        is_silent = self.has_sa and not self.tunnel.hears(self)
        if is_silent and not self._is_watching:
            share = self._world.uniform(self._view, "keepalive", counter=self._silences_count)
            self._silences_count += 1
            self._cause = self.tunnel.cause
            age_s = share * min(self.spec.keepalive_s, self.spec.dpd_timeout_s)
            self._dpd.restart(self.spec.dpd_timeout_s - age_s)
        elif self._is_watching and not is_silent:
            self._dpd.stop()
        self._is_watching = is_silent

    def _timed_out(self) -> None:
        timeout = format_duration(self.spec.dpd_timeout_s)
        detail = f"{self.spec.name} heard nothing for {timeout}"
        fact = Detection(self.spec.timer, self.spec.name)
        found = self.tunnel.event("dpd-timeout", self._cause, detail, fact)
        self._lose(found)
        self._tell_view(DOWN, found)
        self._initiate(found)
        self.tunnel.watch()

    def _lose(self, cause: int) -> None:
        self.has_sa = False
        self._is_watching = False
        self._dpd.stop()
        self.tunnel.cause = cause

    # ---- without SAs: IKE ---------------------------------------------------------------------

    def _initiate(self, cause: int) -> None:
        if not self.spec.may_initiate or not works(self._world, self.spec.host):
            return
        self._cause = self.tunnel.event("ike-initiated", cause, f"by the {self.spec.name}")
        self._is_trying = True
        self._attempts_count = 0
        self._attempt()

    def _attempt(self) -> None:
        """Send the first message (again): an answer comes only if the way is open."""
        if self.tunnel.passes():
            key = self.tunnel.setups_count
            self.tunnel.setups_count += 1
            share = self._world.uniform(self.tunnel.spec.name, "set-up", counter=key)
            spec = self.tunnel.spec
            self._setup.restart(spec.messages_s + drawn(spec.processing, share))
        else:
            self._wait()

    def _wait(self) -> None:
        waits = self.tunnel.spec.retransmission
        self._ike.restart(waits.first_s * waits.factor**self._attempts_count)
        self._attempts_count = (self._attempts_count + 1) % (waits.tries + 1)

    def _set_up(self) -> None:
        if self.tunnel.passes():
            self.tunnel.establish(self, max(self._cause, self.tunnel.cause))
        else:
            self._wait()

    def _stop_trying(self) -> None:
        self._is_trying = False
        self._ike.stop()
        self._setup.stop()

    def renew(self, event_id: int) -> None:
        """New SAs are there, whoever asked for them."""
        self._stop_trying()
        self.has_sa = True
        self._is_watching = False
        self._dpd.stop()
        self._tell_view(UP, event_id)

    def _tell_view(self, value: str, event_id: int) -> None:
        if state_of(self._world, self._view) != value:
            tell(self._world, self._view, value, event_id)
