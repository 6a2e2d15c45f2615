"""The entries of a scenario that are valid in themselves, for checks and rules of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from simulator.base.fields import FaultSchema, TrafficSchema
from simulator.scenario.model import ENTRIES, Fault, Run, Scenario, Traffic

if TYPE_CHECKING:
    from simulator.components.circuit import CircuitSchema
    from simulator.components.clients import Clients
    from simulator.components.expressroute_gateway import ExpressRouteGatewaySchema
    from simulator.components.path import Path
    from simulator.components.peering_port import PeeringPort
    from simulator.components.private_endpoint import PrivateEndpoint
    from simulator.components.site import Site
    from simulator.components.vnet import Vnet


@dataclass(frozen=True)
class Parts:
    """The entries of a scenario that are valid in themselves."""

    run: Run | None
    sections: Mapping[str, Mapping[str, Any]]
    """Entries by name of each section that components describe."""
    traffic: Mapping[str, TrafficSchema]
    faults: Mapping[int, FaultSchema]

    @classmethod
    def of(cls, whole: Scenario | dict[str, Any]) -> Parts:
        """All entries of a valid scenario, or the valid ones of a tree."""
        if isinstance(whole, Scenario):
            known = {name: whole.section(name) for name in ENTRIES}
            return cls(whole.run, known, whole.traffic, dict(enumerate(whole.faults)))
        faults = whole.get("faults")
        return cls(
            _valid({0: whole.get("run", {})}, Run).get(0),
            {name: _valid(whole.get(name), kind) for name, kind in ENTRIES.items()},
            _valid(whole.get("traffic"), Traffic),
            _valid(dict(enumerate(faults if isinstance(faults, list) else ())), Fault),
        )

    def _section(self, name: str) -> Mapping[str, Any]:
        return self.sections.get(name, {})

    def _of_type(self, name: str, kind: str) -> Mapping[str, Any]:
        return {n: entry for n, entry in self._section(name).items() if entry.type == kind}

    @property
    def vnets(self) -> Mapping[str, Vnet]:
        """VNets by name."""
        return self._section("vnets")

    @property
    def sites(self) -> Mapping[str, Site]:
        """Sites by name."""
        return self._section("sites")

    @cached_property
    def gateways(self) -> Mapping[str, Any]:
        """VPN gateways alone; their fields are those of the component and its blocks."""
        return self._of_type("gateways", "vpn")

    @cached_property
    def expressroute_gateways(self) -> Mapping[str, ExpressRouteGatewaySchema]:
        """ExpressRoute gateways alone."""
        return self._of_type("gateways", "expressroute")

    @property
    def peering_ports(self) -> Mapping[str, PeeringPort]:
        """Pairs of ExpressRoute Direct ports by name."""
        return self._section("peering_ports")

    @property
    def circuits(self) -> Mapping[str, CircuitSchema]:
        """ExpressRoute circuits by name."""
        return self._section("circuits")

    @property
    def private_endpoints(self) -> Mapping[str, PrivateEndpoint]:
        """Private endpoints by name."""
        return self._section("private_endpoints")

    @property
    def connections(self) -> Mapping[str, Any]:
        """Connections of all types by name."""
        return self._section("connections")

    @property
    def clients(self) -> Mapping[str, Clients]:
        """Groups of clients by name."""
        return self._section("clients")

    @property
    def paths(self) -> Mapping[str, Path]:
        """Measured paths by name."""
        return self._section("paths")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """The validator of a kind of entries; it takes longer to make than to use."""
    return TypeAdapter(kind)


def _valid(section: Any, kind: Any) -> dict[Any, Any]:
    valid = {}
    for name, entry in section.items() if isinstance(section, dict) else ():
        try:
            valid[name] = _adapter(kind).validate_python(entry)
        except ValidationError:
            continue
    return valid
