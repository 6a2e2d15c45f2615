"""The BGP session (and BFD) of each link of a circuit, between the customer and the edge router.

    CE      device of the customer, or PE: the provider's edge, where the provider speaks BGP
    MSEE    the platform's edge router; it answers, the customer's end connects

The lower timers of the two ends hold (timers T030, T031), the slower BFD interval (T032). Messages
pass the hops of the link like packets, so a link that drops what exceeds its rate drops keepalives
too, unless `expressroute.control_traffic` says that routers protect them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from simulator.catalog import Catalog
from simulator.draft import Draft
from simulator.expressroute.parts import CircuitEnd, CircuitLink
from simulator.plan import FORWARD, RETURN, Direction
from simulator.sessions import bgp, bgp_spec
from simulator.sessions.bfd import BfdEnd, BfdSpec
from simulator.sessions.path import PathSpec
from simulator.sessions.talk import Rto
from simulator.states import works

if TYPE_CHECKING:
    from simulator.world import World

MSEE: Final = "MSEE"


def add_session(
    link: CircuitLink,
    end: CircuitEnd,
    *,
    keepalive_s: float,
    hold_s: float,
    has_jitter: bool,
    bfd: BfdSpec | None,
    draft: Draft,
) -> None:
    """Add the control process of a link's session, with the customer's timers.

    `end` is the customer's end of the link; with a provider that speaks BGP any site's, of which
    nothing but the link itself is used.
    """
    default = draft.catalog.default
    edge = end.edge
    own: Mapping[Direction, tuple[int, ...]] = {d: (link.hops[d],) for d in (FORWARD, RETURN)}
    hops = own if edge is None else end.hops
    delay_s = tuple(sum(draft.delay_s[h] for h in hops[d]) for d in (FORWARD, RETURN))
    is_protected = default("expressroute.control_traffic").word == "protected"
    host = "" if edge is None else edge.name
    spec = bgp_spec.BgpSpec(
        name=link.name,
        ends=(
            bgp_spec.BgpEnd(
                name=link.customer_end,
                keepalive_s=keepalive_s,
                hold_s=hold_s,
                connect_retry_s=_connect_retry_s(end, draft.catalog),
                hold_timer="circuit.bgp.hold",
                host=host,
                interface=interface(link, link.customer_end),
            ),
            bgp_spec.BgpEnd(
                name=MSEE,
                keepalive_s=default("circuit.bgp.keepalive").value,
                hold_s=default("circuit.bgp.hold").value,
                connect_retry_s=None,
                hold_timer="circuit.bgp.hold",
                interface=interface(link, MSEE),
            ),
        ),
        path=PathSpec(
            hops=hops,
            states=(host,) if host else (),
            delay_s=(delay_s[0], delay_s[1]),
            protected=tuple(link.hops.values()) if is_protected else (),
        ),
        negotiates=True,
        jitter_low=default("bgp.jitter").value if has_jitter else 1.0,
        rto=Rto(sum(delay_s) + default("tcp.min_rto").value, default("tcp.max_rto").value),
        interface_down=default("bgp.interface_down"),
        bfd=bfd,
    )
    draft.process(f"bgp {link.name}", partial(bgp.process, spec=spec))
    draft.bgp_sessions[link.circuit].append((link.name, link.customer_end))
    if edge is not None:
        lines = (hops[FORWARD][0], hops[RETURN][-1])
        process = partial(follow_device, device=edge.name, hops=lines)
        draft.process(f"edge {link.name}", process)


def _connect_retry_s(end: CircuitEnd, catalog: Catalog) -> float:
    given_s = None if end.edge is None else end.edge.connect_retry_s
    return catalog.default("bgp.connect_retry").value if given_s is None else given_s


def bfd_spec(interval_s: float, multiplier: int, platform_s: float, catalog: Catalog) -> BfdSpec:
    """The BFD session of a link: what the customer's end offers, and the interval of the MSEE."""
    platform = BfdEnd(platform_s, int(catalog.default("circuit.bfd.multiplier").value))
    jitter = catalog.default("bfd.jitter").value
    return BfdSpec((BfdEnd(interval_s, multiplier), platform), jitter)


def drain(link: CircuitLink) -> str:
    """Name of the state that makes the edge router lengthen the AS path while it is DOWN."""
    return f"{link.name} drain"


def prepended(route: str) -> str:
    """Name of the state that says whether an end sees the longer AS path of a route: DOWN."""
    return f"{route} prepended"


def interface(link: CircuitLink, end: str) -> str:
    """Name of the state of an end's interface to a link."""
    return f"{link.name}@{end} interface"


def follow_device(world: World, device: str, hops: tuple[int, ...]) -> Generator[Any, Any, None]:
    """Let nothing pass the line of a link while the device that ends it does not work."""
    is_open = True
    while True:
        event_id = yield world.signal(device).wait()
        if works(world, device) != is_open:
            is_open = not is_open
            (world.link_up if is_open else world.link_down)(hops, event_id)
