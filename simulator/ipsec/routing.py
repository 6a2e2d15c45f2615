"""BGP between a device and a gateway instance, inside their tunnel.

The session of a tunnel has the tunnel's name. Its messages pass while the tunnel passes packets,
and are lost like packets; an end whose DPD gives the tunnel up loses the interface that the session
runs on. Each end routes into the tunnel only while it has the session.

An instance that is gone takes its session with it at once; the flows of the platform's side move
when the platform switches over (timer T043), not before.

A take-over of an active-standby gateway brings the session back with the SAs: the published time
holds it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from simulator.draft import CustomerEdge, Draft, GatewayInstance
from simulator.ipsec.tunnel_spec import passes_state, view
from simulator.plan import FORWARD, RETURN, Direction
from simulator.sessions import bgp, bgp_spec
from simulator.sessions.path import PathSpec
from simulator.sessions.talk import Rto
from simulator.states import state_of, tell, works

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class TunnelSession:
    """The BGP session of one tunnel."""

    tunnel: str
    connection: str
    device: CustomerEdge
    instance: GatewayInstance
    hops: Mapping[Direction, tuple[int, ...]]
    """Hops on which messages may be lost, by direction."""
    rtt_s: float
    ends_with_tunnel: bool
    """Whether an end whose DPD gave the tunnel up loses its session at once."""

    def views(self) -> Mapping[Direction, tuple[str, ...]]:
        """What must work for each side to route into the tunnel, by the direction it sends in."""
        return {
            FORWARD: (bgp_spec.view(self.tunnel, "device"),),
            RETURN: (self._route,),
        }

    def add_to(self, draft: Draft) -> None:
        """Add the session's control process."""
        spec = self._spec(draft)
        draft.process(f"bgp {self.tunnel}", partial(bgp.process, spec=spec))
        process = partial(
            follow,
            route=self._route,
            session=bgp_spec.view(self.tunnel, "gateway"),
            host=self.instance.name,
        )
        draft.process(f"routes of {self.tunnel} at the gateway", process)
        draft.bgp_sessions[self.connection].append((self.tunnel, "device"))

    @property
    def _route(self) -> str:
        """State of the routes that the gateway hears over the session."""
        return f"{self.tunnel}@gateway routes"

    def _spec(self, draft: Draft) -> bgp_spec.BgpSpec:
        default = draft.catalog.default
        has_jitter = default("bgp.keepalive_jitter").word != "none"
        return bgp_spec.BgpSpec(
            name=self.tunnel,
            ends=(self._device(), self._gateway(draft)),
            path=PathSpec(
                hops=self.hops,
                states=(passes_state(self.tunnel),),
                delay_s=(self.rtt_s / 2, self.rtt_s / 2),
            ),
            negotiates=default("bgp.timer_negotiation").word == "lower",
            jitter_low=default("bgp.jitter").value if has_jitter else 1.0,
            rto=Rto(
                first_s=self.rtt_s + default("tcp.min_rto").value,
                longest_s=default("tcp.max_rto").value,
            ),
            interface_down=default("bgp.interface_down"),
        )

    def _device(self) -> bgp_spec.BgpEnd:
        return bgp_spec.BgpEnd(
            name="device",
            keepalive_s=self.device.keepalive_s,
            hold_s=self.device.hold_s,
            connect_retry_s=self.device.connect_retry_s,
            hold_timer="bgp.hold",
            host=self.device.name,
            interface=self._interface("device"),
        )

    def _gateway(self, draft: Draft) -> bgp_spec.BgpEnd:
        default = draft.catalog.default
        # The speaker of an active-standby gateway moves with its address.
        is_active_active = len(draft.instances[self.instance.gateway]) > 1
        return bgp_spec.BgpEnd(
            name="gateway",
            keepalive_s=default("bgp.keepalive").value,
            hold_s=default("bgp.hold").value,
            connect_retry_s=default("bgp.connect_retry").value,
            hold_timer="bgp.hold",
            host=self.instance.name if is_active_active else "",
            interface=self._interface("gateway"),
        )

    def _interface(self, end: str) -> str:
        return view(self.tunnel, end) if self.ends_with_tunnel else ""


def follow(world: World, route: str, session: str, host: str) -> Generator[Any, Any, None]:
    """Let the routes of the gateway follow its session, while the instance itself works."""
    while True:
        fired = yield world.env.any_of([world.signal(name).wait() for name in (session, host)])
        value = state_of(world, session)
        if works(world, host) and state_of(world, route) != value:
            tell(world, route, value, max(fired.values()))
