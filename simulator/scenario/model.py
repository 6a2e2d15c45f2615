"""The scenario as frozen models: names as written, units parsed, defaults filled in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, Union

from pydantic import Discriminator, Field, PrivateAttr, Tag, create_model

from simulator.base import fields
from simulator.base.errors import Problem
from simulator.base.fields import (
    WHOLE,
    Duration,
    FaultSchema,
    FrozenDict,
    Instants,
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
from simulator.base.sections import Section
from simulator.base.units import DURATION
from simulator.catalog import load_catalog
from simulator.components import kinds_in, sections, type_of
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


class Zoom(fields.Schema):
    """Stretches of a run at flow level that are simulated at packet level."""

    around: Instants = Field(
        default="faults",
        description="faults: at every fault, or a list of times",
    )
    before: Duration = defaulted(
        "5 s", "so much earlier packets begin to move; until the fault tables do not show them"
    )
    after: PositiveDuration = defaulted("60 s", "time from the fault on at packet level")
    at_most: PositiveDuration = defaulted(
        "30 min", "of all stretches together; what would be beyond stays at flow level"
    )


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
    zoom: Zoom | None = Field(
        default=None,
        description="which stretches of a run of fidelity flow are simulated at packet level",
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


def _one_of(kinds: Iterable[tuple[str, ModuleType]], tag: str = "kind") -> Any:
    """A field that holds one of several kinds; the field `tag` says which."""
    members = tuple(Annotated[m.Schema, Tag(f"{tag}={name}")] for name, m in kinds)
    # `|` cannot join a tuple.
    return Annotated[Union[members], Discriminator(fields.tagged(tag, tag))]  # noqa: UP007


def _entry(section: Section) -> Any:
    """What an entry of a section may be: of any of the kinds that stand there."""
    kinds = kinds_in(section.name)
    if section.is_typed:
        return _one_of([(type_of(module), module) for module in kinds], "type")
    (only,) = kinds
    return only.Schema


#: Section of a scenario that components describe -> what an entry may be.
ENTRIES: Final[Mapping[str, Any]] = {name: _entry(section) for name, section in sections().items()}

if TYPE_CHECKING:
    Traffic: TypeAlias = TrafficSchema
    Fault: TypeAlias = FaultSchema
else:
    Traffic = _one_of(TRAFFIC.items())
    Fault = _one_of(FAULTS.items())


class _Head(fields.Schema):
    """What stands before the sections."""

    schema_version: Annotated[Literal[1], WHOLE] = Field(description="version of this file format")
    title: Text = Field(
        default="",
        description="one line that names the scenario",
        json_schema_extra={"x-derived": "the name of the file"},
    )
    question: Text | None = Field(default=None, description="what the simulation is to answer")
    era: Era = Field(default="current", description="which catalogue rows and rules hold")
    run: Run = Field(default_factory=Run, description="run settings")


if TYPE_CHECKING:

    class _Sections(_Head):
        def __getattr__(self, section: str) -> Mapping[str, Any]: ...

else:
    _Sections = create_model(
        "_Sections",
        __base__=_Head,
        __module__=__name__,
        **{
            name: (
                Named[ENTRIES[name]],
                Field(default_factory=_none, description=section.description),
            )
            for name, section in sections().items()
        },
    )


class Scenario(_Sections):
    """A design, its traffic, its faults and how to simulate them. Immutable."""

    # Each section that components describe is a field as well, with its entries by name: `vnets`,
    # `sites`, `gateways`, `connections` and whatever else is registered.

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

    def section(self, name: str) -> Mapping[str, Any]:
        """The entries of a section; none if no component describes it."""
        found: Mapping[str, Any] = getattr(self, name) if name in ENTRIES else {}
        return found

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
        if self.run.zoom is None:  # what is not there leaves the hash as it was before it could be
            del values["run"]["zoom"]
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scenario):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self.content_hash())
