"""The draft of a plan: what components tell one another and the planner before it is frozen.

Components do not import each other. They meet here, by name: a site publishes its places, access
lines and devices, a gateway its instances, a connection joins them with links. The planner then
finds the ways between two places in this graph and turns each into a route of the plan.

    place     where traffic starts and ends: a site, a VNet
    point     what lies between places and is passed: a device, a gateway instance
    link      joins two of them and has a row of hops in each direction
    offer     "at this place, that prefix is reachable over this connection"

The direction of a link, and of every hop, is `forward` from the customer's side to the platform's.
What only some components know of one another they publish by its type (`Draft.published`): the
type belongs to the room of their subject.
"""

from __future__ import annotations

from simulator.draft.collected import Draft, Stage, View, drawn
from simulator.draft.graph import (
    DEFAULT_ROUTE,
    INTERNET,
    GatewayTransit,
    Link,
    NoRouteError,
    Offer,
    Onward,
    Place,
    Point,
    Prefix,
    RouteKind,
)
from simulator.draft.groups import CLIENT_HOPS, Client, ClientGroup, Refusal
from simulator.draft.hops import (
    DIRECTIONS,
    OPPOSITE,
    SCENARIO,
    Ceiling,
    CeilingKind,
    PacketLimit,
    Pass,
    Passes,
    Wrap,
)
from simulator.draft.parts import (
    AccessLine,
    CustomerEdge,
    GatewayInstance,
    InternetWay,
    Spot,
    TunnelNote,
    VpnDevice,
)

__all__ = [
    "CLIENT_HOPS",
    "DEFAULT_ROUTE",
    "DIRECTIONS",
    "INTERNET",
    "OPPOSITE",
    "SCENARIO",
    "AccessLine",
    "Ceiling",
    "CeilingKind",
    "Client",
    "ClientGroup",
    "CustomerEdge",
    "Draft",
    "GatewayInstance",
    "GatewayTransit",
    "InternetWay",
    "Link",
    "NoRouteError",
    "Offer",
    "Onward",
    "PacketLimit",
    "Pass",
    "Passes",
    "Place",
    "Point",
    "Prefix",
    "Refusal",
    "RouteKind",
    "Spot",
    "Stage",
    "TunnelNote",
    "View",
    "VpnDevice",
    "Wrap",
    "drawn",
]
