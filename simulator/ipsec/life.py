"""How an IPsec tunnel lives: dead peer detection at each end, rekeying, and IKE to build it again.

Each end has its own view. While packets and keepalives get through nothing happens but rekeying
(`rekey`). When an end stops hearing the other, its DPD (`dpd`) runs from the last sign of life;
when that times out, the end deletes its SAs and, if it may, starts IKE and repeats its first
message with growing waits until the peer answers. An SA that only one end has passes nothing.

    set-up    round trips of the IKE version + processing of the gateway; on a lossy way each
              exchange is repeated until it gets through
    notice    an end that leaves in good order (drained) closes its SAs, and the peer hears of it
    restart   a reset of the connection or a change of its policy: a published total, in which the
              SAs are gone, and at the end of which they are there again

Not modelled: traffic as a sign of life or as a reason to start IKE, cookies and fragmentation of
IKE. Sources: RFC 3706 (DPD), RFC 7296 (IKEv2), RFC 2409 (IKEv1), timers T001 to T018, T053.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simulator.draft import drawn
from simulator.ipsec.dpd import DeadPeerDetection, DpdSpec
from simulator.ipsec.rekey import Rekeying
from simulator.ipsec.tunnel_spec import EndSpec, TunnelSpec, passes_state, view
from simulator.recorder import Detection
from simulator.states import (
    DOWN,
    DRAINED,
    FAILED,
    GONE,
    TAKEN_OVER,
    UP,
    restored_state,
    state_of,
    tell,
    works,
)

if TYPE_CHECKING:
    from simulator.world import World

LIFETIME_ROW = "connection.ipsec.lifetime"


class Tunnel:
    """A tunnel in one run."""

    def __init__(self, world: World, spec: TunnelSpec) -> None:
        self.world = world
        self.spec = spec
        self.ends = [_End(self, end) for end in spec.ends]
        self.cause = 0
        """The last event that changed what the tunnel depends on, or the tunnel itself."""
        self.trouble = 0
        """The last event from outside that did."""
        self.setups_count = 0
        self._is_open = True
        self._is_renewing = False
        self._was_restarting = False
        self._renewed = world.timer(self._end_renewal)
        self._renewals_count = 0
        self._rekeying = Rekeying(world, spec.lifetimes, spec.hops, self._rekey, self._renew_ike)

    def live(self) -> Generator[Any, Any, None]:
        """Wake up whenever something that the tunnel depends on changes."""
        spec = self.spec
        names = [
            *spec.depends_on,
            spec.connection,
            spec.silenced_by,
            spec.restarted_by,
            spec.agreed_by,
        ]
        self._rekeying.begin()
        self.watch()
        while True:
            waits = [self.world.signal(name).wait() for name in names]
            waits += [self.world.watch(hop).wait() for hop in spec.lossy_hops]
            fired = yield self.world.env.any_of(waits)
            self.trouble = max(fired.values()) or self.trouble
            self.cause = max(fired.values()) or self.cause
            self._look()

    def _look(self) -> None:
        self._restart()
        if not works(self.world, self.spec.agreed_by):
            self._close("the ends do not agree on new ones")
        for end in self.ends:
            end.look()
        self.watch()

    def watch(self) -> None:
        """Start or stop the detection at each end, open or close the tunnel's hops."""
        for end in self.ends:
            end.watch()
        has_sas = all(end.has_sa for end in self.ends)
        if not has_sas:
            self._rekeying.stop()
        is_open = has_sas and not self._is_renewing and works(self.world, self.spec.connection)
        if is_open != self._is_open:
            self._is_open = is_open
            switch = self.world.link_up if is_open else self.world.link_down
            switch(self.spec.hops, self.cause)
        passes = UP if is_open and self._is_way_open() else DOWN
        if state_of(self.world, passes_state(self.spec.name)) != passes:
            tell(self.world, passes_state(self.spec.name), passes, self.cause)

    def _is_way_open(self) -> bool:
        return all(works(self.world, name) for name in self.spec.depends_on)

    def passes(self, *, without: str = "") -> bool:
        """Whether a message gets from one end to the other now; `without` a host is left out."""
        spec = self.spec
        names = (*spec.depends_on, spec.connection, spec.silenced_by, spec.restarted_by)
        return all(works(self.world, name) for name in names if name != without)

    @property
    def is_restarting(self) -> bool:
        """Whether new SAs come by themselves at the end of a restart."""
        return not works(self.world, self.spec.restarted_by)

    def agrees(self) -> bool:
        """Whether an IKE exchange that gets through leads to SAs."""
        return works(self.world, self.spec.agreed_by)

    def hears(self, end: _End) -> bool:
        """Whether an end gets answers from the other."""
        return self.passes() and all(other.has_sa for other in self.ends if other is not end)

    def miss_ratio(self) -> float:
        """Chance that a message or its answer is lost on the way."""
        return self.world.loss_ratio(self.spec.lossy_hops)

    def event(self, kind: str, cause: int, detail: str, fact: Detection | None = None) -> int:
        """Log an event of this tunnel."""
        event_id: int = self.world.event(kind, self.spec.name, cause, detail, fact)
        return event_id

    def establish(self, detail: str, cause: int) -> None:
        """Both ends have new SAs."""
        self.cause = self.event("ike-established", cause, detail)
        for end in self.ends:
            end.renew(self.cause)
        self._rekeying.begin()
        self.watch()

    def restore(self, detail: str, cause: int) -> None:
        """Both ends have new SAs within a published time, which holds the BGP session, too."""
        self.establish(detail, cause)
        name = restored_state(self.spec.name)
        tell(self.world, name, str(self.cause), self.cause)

    # ---- SAs that end while both ends live ----------------------------------------------------

    def _restart(self) -> None:
        """A reset closes the SAs, and its end, part of the published time, brings new ones."""
        has_ended = self._was_restarting and not self.is_restarting
        if self.is_restarting and not self._was_restarting:
            self._close("the connection is restarted")
        elif has_ended and self.passes() and self.agrees():
            self.restore("by the restart", self.cause)
        self._was_restarting = self.is_restarting

    def _close(self, why: str, timer: str = "") -> None:
        """Both ends delete their SAs, and know it."""
        for end in self.ends:
            if end.has_sa:
                end.close(why, timer, self.cause)

    def _rekey(self, what: str) -> None:
        """Make before break; on a way that is dead the SAs end."""
        if self.passes() and self.agrees():
            self.event("sa-rekeyed", 0, what)
            return
        self._close(f"end of the {what}; no rekey got through", LIFETIME_ROW)
        self.watch()

    def _renew_ike(self, what: str) -> None:
        """A new IKE SA: IKEv2 makes it in place, IKEv1 drops the tunnel meanwhile."""
        drop = self.spec.lifetimes.drop
        if drop is None or not (self.passes() and self.agrees()):
            self._rekey(what)
            return
        share = self.world.uniform(self.spec.name, "rekey", counter=self._renewals_count)
        self._renewals_count += 1
        self.cause = self.event("ike-rekey", 0, f"{what}; IKEv1 breaks before it makes")
        self._is_renewing = True
        self.watch()
        self._renewed.restart(drawn(drop, share))

    def _end_renewal(self) -> None:
        self._is_renewing = False
        if all(end.has_sa for end in self.ends):
            self.establish("by the rekey", self.cause)
        else:
            self.watch()


class _End:
    """One end: with SAs it watches the peer, without them it tries IKE."""

    def __init__(self, tunnel: Tunnel, spec: EndSpec) -> None:
        self.tunnel = tunnel
        self.spec = spec
        self.has_sa = True
        self._world = tunnel.world
        self._view = view(tunnel.spec.name, spec.name)
        self._dpd_spec = DpdSpec(self._view, spec.dpd_interval_s, spec.dpd_retries_count)
        self._dpd = DeadPeerDetection(
            self._world, self._dpd_spec, tunnel.miss_ratio, self._timed_out
        )
        self._ike = self._world.timer(self._attempt)
        self._setup = self._world.timer(self._set_up)
        self._is_watching = False
        self._is_trying = False
        self._attempts_count = 0
        self._messages_count = 0
        self._cause = 0
        """What began the present silence, later the event that began IKE."""

    def look(self) -> None:
        """The host of this end, or the way to the other end, has changed."""
        host = state_of(self._world, self.spec.host)
        if host in GONE:
            self._stop_trying()
        if self.has_sa and host in GONE:
            self._leave(host)
        elif not self.has_sa and host == TAKEN_OVER and self._may_rebuild_at_once():
            self.tunnel.restore(f"started by the {self.spec.name}", self.tunnel.cause)
        if not self.has_sa and works(self._world, self.spec.host):
            self._tell_view(DOWN, self.tunnel.cause)
            if not self._is_trying:
                self._initiate(self.tunnel.cause)

    def _leave(self, host: str) -> None:
        """The host is gone; one that left in good order has told the peer."""
        word = "failed" if host == FAILED else "left in good order"
        lost = self.tunnel.event("sa-lost", self.tunnel.cause, f"{self.spec.name} {word}")
        self._lose(lost)
        if host == DRAINED and self.tunnel.passes(without=self.spec.host):
            for other in self.tunnel.ends:
                if other is not self and other.has_sa:
                    other.close(f"the {self.spec.name} closed them", "", lost)

    def _may_rebuild_at_once(self) -> bool:
        """The published time of a take-over includes the SAs that the gateway rebuilds itself."""
        return self.spec.may_initiate and self.tunnel.passes() and self.tunnel.agrees()

    # ---- with SAs: detection ------------------------------------------------------------------

    def watch(self) -> None:
        """Let DPD run while the peer is not heard, or not always."""
        is_silent = self.has_sa and not self.tunnel.hears(self)
        is_lossy = self.has_sa and self._dpd_spec.is_felt(self.tunnel.miss_ratio())
        if (is_silent or is_lossy) and not self._is_watching:
            self._cause = self.tunnel.cause if is_silent else self.tunnel.trouble
        self._is_watching = is_silent or is_lossy
        self._dpd.watch(is_silent=is_silent, is_lossy=is_lossy)

    def _timed_out(self, why: str) -> None:
        fact = Detection(self.spec.timer, self.spec.name)
        found = self.tunnel.event("dpd-timeout", self._cause, f"{self.spec.name} {why}", fact)
        self._lose(found)
        self._tell_view(DOWN, found)
        self._initiate(found)
        self.tunnel.watch()

    def close(self, why: str, timer: str, cause: int) -> None:
        """Delete the SAs of this end knowingly: nothing has to be detected."""
        fact = Detection(timer, self.spec.name)
        lost = self.tunnel.event("sa-lost", cause, f"{self.spec.name}: {why}", fact)
        self._lose(lost)
        if works(self._world, self.spec.host):
            self._tell_view(DOWN, lost)
            self._initiate(lost)

    def _lose(self, cause: int) -> None:
        self.has_sa = False
        self._is_watching = False
        self._dpd.stop()
        self.tunnel.cause = cause

    # ---- without SAs: IKE ---------------------------------------------------------------------

    def _initiate(self, cause: int) -> None:
        is_away = not works(self._world, self.spec.host)
        if not self.spec.may_initiate or is_away or self.tunnel.is_restarting:
            return
        self._cause = self.tunnel.event("ike-initiated", cause, f"by the {self.spec.name}")
        self._is_trying = True
        self._attempts_count = 0
        self._attempt()

    def _attempt(self) -> None:
        """Send the first message (again): an answer comes only if the way is open."""
        if not (self.tunnel.passes() and self.tunnel.agrees()):
            self._wait()
            return
        key = self.tunnel.setups_count
        self.tunnel.setups_count += 1
        share = self._world.uniform(self.tunnel.spec.name, "set-up", counter=key)
        spec = self.tunnel.spec
        took_s = spec.messages_s + drawn(spec.processing, share) + self._repetitions_s()
        self._setup.restart(took_s)

    def _repetitions_s(self) -> float:
        """What the exchanges of a set-up wait for messages that a lossy way swallows."""
        spec, miss_ratio = self.tunnel.spec, self.tunnel.miss_ratio()
        waited_s = 0.0
        for _ in range(spec.exchanges_count if 0.0 < miss_ratio < 1.0 else 0):
            lost_count = 0
            while self._is_lost(miss_ratio):
                waited_s += spec.retransmission.wait_s(lost_count)
                lost_count += 1
        return waited_s

    def _is_lost(self, miss_ratio: float) -> bool:
        self._messages_count += 1
        return self._world.uniform(self._view, "ike", counter=self._messages_count) < miss_ratio

    def _wait(self) -> None:
        self._ike.restart(self.tunnel.spec.retransmission.wait_s(self._attempts_count))
        self._attempts_count += 1

    def _set_up(self) -> None:
        if self.tunnel.passes() and self.tunnel.agrees():
            cause = max(self._cause, self.tunnel.cause)
            self.tunnel.establish(f"started by the {self.spec.name}", cause)
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
