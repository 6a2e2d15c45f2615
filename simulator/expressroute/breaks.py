"""How links of circuits break, for the faults: which states and hops change together.

    silent           packets vanish in both directions; nobody is told
    interface-down   the same, and both ends see their interface go down
    withdrawn        the platform closes the session with a message and carries nothing more

In each case the packets that are on a link already still arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from simulator.draft import Draft
from simulator.expressroute.links import MSEE, interface
from simulator.expressroute.parts import Circuit, CircuitLink
from simulator.plan import FORWARD, RETURN
from simulator.sessions import bgp_spec

How: TypeAlias = Literal["silent", "interface-down", "withdrawn"]
LinkName: TypeAlias = Literal["primary", "secondary"]
HOW_TEXT: Final = (
    "silent: packets vanish and nobody is told; interface-down: both ends see it; withdrawn: "
    "closed with a message"
)
Thing: TypeAlias = tuple[str, tuple[int, ...]]
"""A state and the hops that stop with it."""


def broken(links: Iterable[CircuitLink], how: How) -> tuple[Thing, ...]:
    """What changes if links break, first what ends hear before the way is closed."""
    return tuple(thing for link in links for thing in _broken(link, how))


def _broken(link: CircuitLink, how: How) -> Iterator[Thing]:
    if how == "withdrawn":
        yield bgp_spec.admin(link.name, MSEE), ()
    if how == "interface-down":
        for end in (link.customer_end, MSEE):
            yield interface(link, end), ()
    yield f"{link.name} link", (link.hops[FORWARD], link.hops[RETURN])


def links_at(location: str, draft: Draft) -> tuple[CircuitLink, ...]:
    """The links of all circuits that end at a peering location."""
    return tuple(
        link
        for circuit in draft.published(Circuit).values()
        for link in circuit.links.values()
        if link.location == location
    )
