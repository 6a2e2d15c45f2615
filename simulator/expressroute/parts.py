"""What the parts of ExpressRoute publish for one another: gateways, ports, circuits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from simulator.catalog import Default
from simulator.draft import Ceiling, CustomerEdge, PacketLimit, Pass, Passes, Prefix
from simulator.plan import Direction


@dataclass(frozen=True)
class ExpressRouteGateway:
    """An ExpressRoute gateway: what packets from on-premises pass in it."""

    name: str
    vnet: str
    passes: tuple[Pass, ...]
    instances: tuple[str, ...]
    limit: PacketLimit
    private: Callable[[], Passes]
    """What packets of private endpoints pass, in both directions; made when first called."""


@dataclass(frozen=True)
class PortPair:
    """A pair of ExpressRoute Direct ports: the hops of each, by name of the link."""

    peering_location: str
    bandwidth_bps: float
    hops: Mapping[str, Mapping[Direction, int]]


@dataclass(frozen=True)
class CircuitEnd:
    """One of the two links of a circuit, from a device or network of a site to the platform."""

    link: str
    """`primary` or `secondary`."""
    site: str
    edge: CustomerEdge | None
    """The device that ends the link; None where the provider's network does for the whole site."""
    hops: Mapping[Direction, tuple[int, ...]]
    announces: tuple[Prefix, ...]
    as_path_length: int
    """Autonomous systems between the site and the platform, that of the site included."""


@dataclass(frozen=True)
class CircuitLink:
    """One link of a circuit as sessions, routes and faults know it."""

    name: str
    """For example `paris.primary`: its hops, its BGP session."""
    circuit: str
    customer_end: Literal["CE", "PE"]
    """Who speaks BGP with the edge router: a device of the customer or the provider's edge."""
    location: str
    """Peering location where it ends."""
    hops: Mapping[Direction, int]
    """Its policers."""
    convergence: Default | None = None
    """Time until the customer's side uses another way, where the provider's network decides."""


@dataclass(frozen=True)
class Circuit:
    """An ExpressRoute circuit for the connections that use it."""

    name: str
    peering_location: str
    is_direct: bool
    bandwidth_bps: float
    ends: tuple[CircuitEnd, ...]
    fastpath_ips: Ceiling
    links: Mapping[str, CircuitLink]
    """`primary` and `secondary`."""
    honours_prepend: bool
    """Whether the customer's side compares AS paths that the platform has lengthened."""
