"""The scenario as frozen models: names as written, units parsed, defaults filled in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import Discriminator, Field, PrivateAttr, Tag

from simulator.base import fields
from simulator.base.errors import Problem
from simulator.base.fields import (
    WHOLE,
    Duration,
    FaultSchema,
    FrozenDict,
    Money,
    Named,
    PositiveDuration,
    Quantity,
    Rate,
    Ratio,
    Sequenced,
    Text,
    TrafficSchema,
    defaulted,
)
from simulator.base.registry import Registry
from simulator.base.units import DURATION
from simulator.catalog import load_catalog
from simulator.components import CONNECTIONS, GATEWAYS
from simulator.components.circuit import CircuitSchema
from simulator.components.clients import Clients
from simulator.components.path import Path
from simulator.components.peering_port import PeeringPort
from simulator.components.private_endpoint import PrivateEndpoint
from simulator.components.site import Site
from simulator.components.vnet import Vnet
from simulator.faults import FAULTS
from simulator.scenario.rules.registry import Findings
from simulator.scenario.source import Source
from simulator.traffic import TRAFFIC

Era: TypeAlias = Literal["current", "2017-12"]
ERAS: tuple[Era, ...] = ("current", "2017-12")

#: The clock counts picoseconds in 64 bits, and half of them lie after every horizon.
HORIZON_MAX = "50 d"


def _none() -> Any:
    return FrozenDict[Any]()


class Run(fields.Schema):
    """How long, how fine and with which random numbers to simulate."""

    horizon: Annotated[float, Quantity(DURATION, "1 ms", HORIZON_MAX)] = defaulted(
        "60 s", "simulated time"
    )
    warm_up: Duration = defaulted("0 s", "time at the start that statistics leave out")
    time_bin: Annotated[float, Quantity(DURATION, "1 ms", "1 d")] = defaulted(
        "1 s", "width of one row of the timeline"
    )
    seed: int = Field(default=1, ge=0, le=2**63 - 1, description="seed of every random number")
    fidelity: Literal["packet", "flow"] = Field(
        default="packet",
        description="packet: every packet is simulated at every hop, for seconds and minutes; "
        "flow: flows share hops, for hours and days",
    )
    replications: int = Field(
        default=1, ge=1, le=10_000, description="runs with different random numbers"
    )


class GoodputTarget(fields.Schema):
    """The least goodput of one stream."""

    forward: Rate | None = Field(default=None, description="at least this from its `from` on")
    return_: Rate | None = Field(
        default=None, alias="return", description="at least this on the way back"
    )


class Targets(fields.Schema):
    """What the design must reach; a missed target makes `crossprem check` exit with 1."""

    latency_p95: PositiveDuration | None = Field(
        default=None, description="one-way latency that 95 % of the packets of a stream stay below"
    )
    loss: Ratio | None = Field(
        default=None, description="greatest share of the packets of any stream that is lost"
    )
    outage: Duration | None = Field(
        default=None, description="longest outage of any stream after a fault"
    )
    goodput: Named[GoodputTarget] = Field(
        default_factory=_none, description="least goodput, by stream"
    )
    monthly_cost: Money | None = Field(default=None, description="cost of a month")

    @property
    def limits(self) -> dict[str, float]:
        """Every target that is set, in SI units, by its dotted path below `targets`."""
        single = {name: getattr(self, name) for name in type(self).model_fields}
        found = {name: limit for name, limit in single.items() if isinstance(limit, float)}
        for stream, least in self.goodput.items():
            for direction, limit_bps in (("forward", least.forward), ("return", least.return_)):
                if limit_bps is not None:
                    found[f"goodput.{stream}.{direction}"] = limit_bps
        return found


def _one_of(registry: Registry[ModuleType], tag: str = "kind") -> Any:
    """A field that holds one of the registered kinds; the field `tag` says which."""
    members = tuple(Annotated[m.Schema, Tag(f"{tag}={name}")] for name, m in registry.items())
    # `|` cannot join a tuple.
    return Annotated[Union[members], Discriminator(fields.tagged(tag, tag))]  # noqa: UP007


if TYPE_CHECKING:
    Gateway: TypeAlias = Any
    Connection: TypeAlias = Any
    Traffic: TypeAlias = TrafficSchema
    Fault: TypeAlias = FaultSchema
else:
    Gateway = _one_of(GATEWAYS, "type")
    Connection = _one_of(CONNECTIONS, "type")
    Traffic = _one_of(TRAFFIC)
    Fault = _one_of(FAULTS)


class Scenario(fields.Schema):
    """A design, its traffic, its faults and how to simulate them. Immutable."""

    schema_version: Annotated[Literal[1], WHOLE] = Field(description="version of this file format")
    title: Text = Field(description="one line that names the scenario")
    question: Text | None = Field(default=None, description="what the simulation is to answer")
    era: Era = Field(default="current", description="which catalogue rows and rules hold")
    run: Run = Field(default_factory=Run, description="run settings")
    vnets: Named[Vnet] = Field(default_factory=_none, description="virtual networks by name")
    sites: Named[Site] = Field(default_factory=_none, description="customer's sites by name")
    gateways: Named[Gateway] = Field(default_factory=_none, description="gateways by name")
    peering_ports: Named[PeeringPort] = Field(
        default_factory=_none, description="pairs of ExpressRoute Direct ports by name"
    )
    private_endpoints: Named[PrivateEndpoint] = Field(
        default_factory=_none, description="private endpoints in VNets by name"
    )
    circuits: Named[CircuitSchema] = Field(
        default_factory=_none, description="ExpressRoute circuits by name"
    )
    connections: Named[Connection] = Field(
        default_factory=_none, description="connections between sites, gateways and VNets by name"
    )
    clients: Named[Clients] = Field(
        default_factory=_none, description="groups of point-to-site clients by name"
    )
    paths: Named[Path] = Field(
        default_factory=_none, description="measured internet paths by name, instead of estimates"
    )
    traffic: Named[Traffic] = Field(default_factory=_none, description="streams by name")
    faults: Sequenced[Fault] = Field(default=(), description="what breaks, and when")
    targets: Targets = Field(default_factory=Targets, description="what the design must reach")

    _written: Source = PrivateAttr(default_factory=lambda: Source("<model>"))
    _warnings: tuple[Problem, ...] = PrivateAttr(default=())
    _findings: Findings = PrivateAttr(default_factory=Findings)
    _name: str = PrivateAttr(default="scenario")

    @property
    def name(self) -> str:
        """Short name: that of the file without its ending."""
        return self._name

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What was accepted and should still be known, such as a retired SKU."""
        return self._warnings

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Rules that hold of the design and ask for nothing."""
        return self._findings.notes

    def stopped(self, section: str) -> dict[str, str]:
        """Connections or clients of a section that a rule keeps out, and why."""
        return {name: why for (of, name), why in self._findings.stopped.items() if of == section}

    @property
    def written(self) -> Source:
        """The tree that it was made from, as written."""
        return self._written

    def remember(
        self, written: Source, name: str, warnings: tuple[Problem, ...], findings: Findings
    ) -> None:
        """Keep what was written, for variants and for the origin of defaults; called by `load`."""
        self._written, self._name, self._warnings = written, name, warnings
        self._findings = findings

    def with_(self, path: str | Mapping[str, Any], value: Any = None) -> Scenario:
        """A new scenario with one value changed, or several given as a dict of dotted paths.

        `scenario.with_("gateways.hub-vpn.sku", "VpnGw2AZ")`; paths and values are those of
        `--set`.

        Raises
        ------
        ScenarioError
            If the path does not exist or the changed scenario is wrong.
        """
        from simulator.scenario.load import build

        overrides = path if isinstance(path, Mapping) else {path: value}
        return build(self._written, self._name, overrides)

    def resolved_yaml(self) -> str:
        """The scenario with every default written out and its origin; loads to the same one."""
        from simulator.scenario.copies import expand
        from simulator.scenario.resolve import resolved_text

        catalog = load_catalog(self.era)
        with fields.use_lookup(catalog):
            return resolved_text(self, expand(self._written), catalog)

    def content_hash(self) -> str:
        """SHA-256 of all values, defaults included, whatever their order in the file."""
        values = self.model_dump(mode="json", by_alias=True)
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scenario):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self.content_hash())
