"""The design of a sweep: which points, how often each, and when to stop.

A file of YAML, read as strictly as a scenario: unknown keys are errors with their place.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator

from simulator.base import fields
from simulator.base.errors import Problem, ScenarioError, UsageError
from simulator.base.fields import (
    WHOLE,
    PositiveDuration,
    Quantity,
    Sequenced,
    Text,
    defaulted,
    use_lookup,
)
from simulator.base.units import (
    DURATION,
    MONEY,
    PACKET_RATE,
    RATE,
    RATIO,
    SIZE,
    Dimension,
    UnitError,
    exact_text,
    parse_quantity,
)
from simulator.catalog import load_catalog
from simulator.metrics import columns
from simulator.metrics.metric import TEXT
from simulator.recorder import Fidelity
from simulator.scenario.load import read, unknown_paths
from simulator.scenario.problems import from_pydantic
from simulator.scenario.source import Source, TreePath
from simulator.scenario.text import display_name, read_file
from simulator.scenario.yaml_reader import read_yaml
from simulator.study.design_checks import POINTS_MAX, senseless

UNIT_OF: Final[Mapping[str, Dimension]] = {
    "bps": RATE,
    "s": DURATION,
    "bytes": SIZE,
    "ratio": RATIO,
    "usd": MONEY,
    "pps": PACKET_RATE,
}
"""End of a column's name -> dimension of its values."""
DIGITS: Final = 12
"""Significant digits of a value between two ends, so that the text of it is short."""

Scalar = str | int | float | bool


def _no_precision(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | Mapping):
        fields.refuse("must be a number of runs, or a map that says when to stop", "write 3")
    return value


class Precision(fields.Schema):
    """Replications until the mean of a figure is known well enough."""

    at_least: int = Field(default=3, ge=2, le=10_000, description="runs before stopping")
    at_most: int = Field(ge=2, le=10_000, description="runs after which nothing more is tried")
    half_width: Annotated[float, Quantity(RATIO, "0.01 %", "100 %")] = defaulted(
        "5 %", "half of the confidence interval as a share of the mean"
    )
    of: Text = Field(default="latency_s_p95", description="column of the table `streams`")
    confidence: Annotated[float, Quantity(RATIO, "50 %", "99.9 %")] = defaulted(
        "95 %", "confidence of the interval"
    )

    @model_validator(mode="after")
    def _sense(self) -> Precision:
        if self.at_most < self.at_least:
            fields.refuse(
                f"at_most ({self.at_most}) is less than at_least ({self.at_least})",
                f"write at_most: {self.at_least}",
            )
        known = [c.name for c in columns("streams") if c.unit != TEXT]
        if self.of not in known:
            fields.refuse(f"there is no column {self.of}", f"choose one of {', '.join(known)}")
        return self


class Span(fields.Schema):
    """Values between two ends, in equal steps or, for a sample, anywhere."""

    from_: Scalar = Field(alias="from", description="one end, written as in a scenario")
    to: Scalar = Field(description="the other end")
    steps: Annotated[int, Field(ge=2, le=100_000)] | None = Field(
        default=None, description="how many values, ends included; a sample may go without"
    )
    scale: Literal["linear", "log"] = Field(
        default="linear", description="equal differences, or equal ratios"
    )
    whole: bool = Field(default=False, description="whole numbers of the unit of the first end")

    @model_validator(mode="after")
    def _sense(self) -> Span:
        ends = self.ends
        if self.scale == "log" and not min(ends) > 0:
            fields.refuse("a logarithmic scale needs ends above 0", "write scale: linear")
        if self.whole and any(not math.isclose(end / self.unit, self._count(end)) for end in ends):
            fields.refuse(
                "with whole, both ends are whole numbers of the unit of the first", "round them"
            )
        return self

    @cached_property
    def dimension(self) -> Dimension | None:
        """The dimension of both ends, None for plain numbers."""
        found = {dimension_of(self.from_), dimension_of(self.to)}
        if len(found) != 1:
            fields.refuse("both ends must have the same kind of unit", "write 10 Mbit/s twice")
        return found.pop()

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Both ends as numbers, in SI units where they have one."""
        numbers = []
        for end in (self.from_, self.to):
            if self.dimension is not None:
                numbers.append(parse_quantity(str(end), self.dimension))
            elif isinstance(end, int | float) and not isinstance(end, bool):
                if not math.isfinite(end):
                    fields.refuse("both ends must be finite numbers", "write for example 1 and 9")
                numbers.append(float(end))
            else:
                fields.refuse(f"'{end}' is no quantity", "write for example 10 Mbit/s, or a list")
        return numbers[0], numbers[1]

    @cached_property
    def unit(self) -> float:
        """The unit of the first end in SI units, 1 of a plain number."""
        if self.dimension is None:
            return 1.0
        text = str(self.from_).rstrip()
        return float(
            self.dimension.factors[max(filter(text.endswith, self.dimension.factors), key=len)]
        )

    def at(self, share: float) -> Scalar:
        """The value at a share of the way from one end to the other, which are at 0 and 1."""
        number = self._between(*self.ends, share)
        return self._written(self.unit * self._count(number) if self.whole else number)

    def drawn(self, share: float) -> Scalar:
        """The value that a number of [0, 1) draws: of so many, if there are `steps`, else any.

        Of whole numbers each stands for the stretch to the next, so all are equally likely on a
        linear scale, and k is so in proportion to log(1 + 1/k) on a logarithmic one.
        """
        if self.steps is not None:
            return self.at(int(share * self.steps) / (self.steps - 1))
        if not self.whole:
            return self.at(share)
        low, high = sorted(map(self._count, self.ends))
        return self._written(self.unit * min(math.floor(self._between(low, high + 1, share)), high))

    def _count(self, number: float) -> int:
        return round(number / self.unit)

    def _between(self, low: float, high: float, share: float) -> float:
        if self.scale == "log":
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        return low + share * (high - low)

    def _written(self, number: float) -> Scalar:
        """A number in SI units as a scenario has it."""
        number = float(f"{number:.{DIGITS}g}")
        if self.dimension is not None:
            return exact_text(number, self.dimension)
        both_whole = isinstance(self.from_, int) and isinstance(self.to, int)
        return round(number) if self.whole or (both_whole and number.is_integer()) else number


def dimension_of(value: object) -> Dimension | None:
    """The dimension of a text with a unit, None for anything else."""
    for dimension in UNIT_OF.values():
        try:
            parse_quantity(value if isinstance(value, str) else "", dimension)
        except UnitError:
            continue
        return dimension
    return None


def _axis(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, Mapping):
        fields.refuse("must be a list of values or a span", "write [a, b] or {from: a, to: b}")
    return value


def _kind(value: object) -> str:
    """Which of two forms a field has; tags begin as those of a scenario do."""
    return "kind=plain" if isinstance(value, int | tuple) else "kind=map"


Axis = Annotated[
    Annotated[tuple[Any, ...], Tag("kind=plain")] | Annotated[Span, Tag("kind=map")],
    Discriminator(_kind),
    BeforeValidator(_axis),
]
Replications = Annotated[
    Annotated[int, Tag("kind=plain")] | Annotated[Precision, Tag("kind=map")],
    Discriminator(_kind),
    BeforeValidator(_no_precision),
]


class Design(fields.Schema):
    """A sweep as a person writes it."""

    schema_version: Annotated[Literal[1], WHOLE] = Field(description="version of this file format")
    title: Text = Field(default="", description="one line that names the sweep")
    scenario: Text | None = Field(default=None, description="scenario file, beside this one")
    scenarios: Sequenced[Text] = Field(default=(), description="several of them: each is a base")
    set_: Mapping[str, Any] = Field(
        default_factory=dict, alias="set", description="values of all points, by dotted path"
    )
    method: Literal["grid", "zip", "latin-hypercube", "sobol"] = Field(
        default="grid",
        description="all combinations, values side by side, or a sample of the space",
    )
    vary: Mapping[str, Axis] = Field(
        default_factory=dict, description="values that differ, by dotted path"
    )
    points: Annotated[int, Field(ge=1, le=POINTS_MAX)] | None = Field(
        default=None, description="size of a sample"
    )
    sample_seed: int = Field(default=1, ge=0, le=2**31 - 1, description="seed of a sample")
    replications: Replications = Field(default=1, description="runs of each point, or when to stop")
    timeout: PositiveDuration = defaulted("10 min", "wall time of a point, all its runs together")

    @property
    def is_sample(self) -> bool:
        """Whether points are drawn rather than listed."""
        return self.method in {"latin-hypercube", "sobol"}


def values_of(axis: Any) -> tuple[Any, ...]:
    """The values of an axis that lists them; none of a span without steps."""
    if isinstance(axis, tuple):
        return axis
    steps = axis.steps or 0
    return tuple(axis.at(n / (steps - 1)) for n in range(steps))


@dataclass(frozen=True)
class Base:
    """A scenario that points are variants of: its tree, and what to call it."""

    name: str
    tree: Source


@dataclass(frozen=True)
class Point:
    """One point: which base, and which values differ from it."""

    number: int
    base: int
    values: tuple[tuple[str, Any], ...]
    """By dotted path, in the order of the design."""


@dataclass(frozen=True)
class Sweepable:
    """A design with its scenarios read: all that the points are made of."""

    design: Design
    name: str
    bases: tuple[Base, ...]

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every point, in a fixed order."""
        rows = list(_rows(self.design))
        return tuple(
            Point(number, base, tuple(zip(self.design.vary, row, strict=True)))
            for number, (base, row) in enumerate(itertools.product(range(len(self.bases)), rows))
        )

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of what the points are made of."""
        whole = {
            "design": self.design.model_dump(mode="json", by_alias=True, exclude={"title"}),
            "bases": [[base.name, base.tree.data] for base in self.bases],
        }
        text = json.dumps(whole, sort_keys=True, ensure_ascii=True, default=str)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        """The levels of simulation that points may need, at least one."""
        given = list(self.design.set_.items())
        for path, axis in self.design.vary.items():
            given += [(path, value) for value in axis] if isinstance(axis, tuple) else []
        written = [base.tree.data.get("run") for base in self.bases]
        maps = [value for path, value in given if path == "run"] or written
        runs: list[Mapping[str, Any]] = [run if isinstance(run, Mapping) else {} for run in maps]
        levels = [value for path, value in given if path == "run.fidelity"]
        levels = levels or [run.get("fidelity") for run in runs]
        zooms = [run.get("zoom") for run in runs]
        zooms += [value for path, value in given if path.startswith("run.zoom")]
        found: list[Fidelity] = ["flow"] if "flow" in levels else []
        if any(level != "flow" for level in levels) or any(zoom is not None for zoom in zooms):
            found.append("packet")
        return tuple(found)

    def overrides(self, point: Point) -> dict[str, Any]:
        """What to set in the base, by dotted path."""
        return {**self.design.set_, **dict(point.values)}


def read_design(file: Path, overrides: Mapping[str, Any] | None = None) -> Sweepable:
    """Read the design of a sweep and the scenarios that it names.

    Parameters
    ----------
    overrides
        Values for all points, in front of those of `set:`.

    Raises
    ------
    ScenarioError
        If anything in it is wrong: every problem with its place.
    UsageError
        If the file cannot be read, or an override names a value that varies.
    """
    tree = read_yaml(read_file(file), display_name(file))
    if not isinstance(tree.data, dict):
        rule = "the design of a sweep is a map of fields"
        raise ScenarioError([tree.problem((), rule, "start with schema_version: 1")])
    with use_lookup(load_catalog()):
        try:
            design = Design.model_validate(tree.data)
        except ValidationError as error:
            found = from_pydantic(error, tree, load_catalog(), Design)
            raise ScenarioError([*tree.problems, *found]) from None
    wrong = [tree.problem(*found) for found in senseless(design)]
    if tree.problems or wrong:
        raise ScenarioError([*tree.problems, *wrong])
    varied = [path for path in overrides or {} if path in design.vary]
    if varied:
        named = ", ".join(varied)
        raise UsageError(f"{named}: {file} varies it, so it cannot be set; change it there")
    design = design.model_copy(update={"set_": {**design.set_, **(overrides or {})}})
    whole = Sweepable(design, file.stem, tuple(_read_bases(design, tree, file.parent)))
    problems = list(_unknown_paths(whole, tree))
    if problems:
        raise ScenarioError(problems)
    return whole


def _read_bases(design: Design, tree: Source, folder: Path) -> list[Base]:
    """Every scenario that a design names; what is wrong with any of them is said of all."""
    named: list[tuple[TreePath, str]] = [(("scenario",), str(design.scenario))]
    if design.scenarios:
        named = [(("scenarios", n), name) for n, name in enumerate(design.scenarios)]
    bases: list[Base] = []
    problems: list[Problem] = []
    for path, name in named:
        try:
            base, short = read(folder / name)
            bases.append(Base(short, base))
        except ScenarioError as error:
            problems += error.problems
        except UsageError as error:
            problems.append(tree.problem(path, str(error), "name a file beside the design"))
    if problems:
        raise ScenarioError(problems)
    return bases


def _unknown_paths(whole: Sweepable, tree: Source) -> Iterator[Problem]:
    """Paths that no scenario has: a slip of the pen would spoil every point."""
    for section, paths in (("set", whole.design.set_), ("vary", whole.design.vary)):
        for path in paths:
            for base in whole.bases:
                for problem in unknown_paths(base.tree, [path]):
                    mark = tree.mark((section, path), key=True)
                    yield replace(problem, file=mark.file, line=mark.line, col=mark.col)


# ---------------------------------------------------------------------------------------------
# Rows of values
# ---------------------------------------------------------------------------------------------


def _rows(design: Design) -> Iterator[tuple[Any, ...]]:
    axes = list(design.vary.values())
    if design.is_sample:
        shares = _sample(design, len(axes))
        yield from (
            tuple(_pick(axis, float(share)) for axis, share in zip(axes, row, strict=True))
            for row in shares
        )
    elif design.method == "zip":
        yield from zip(*map(values_of, axes), strict=True) if axes else [()]
    else:
        yield from itertools.product(*map(values_of, axes))


def _sample(design: Design, axes_count: int) -> Any:
    """Shares in [0, 1): float64[points, axes]."""
    from scipy.stats import qmc

    rng = np.random.default_rng(design.sample_seed)
    count = design.points or 1
    if design.method == "latin-hypercube":
        return qmc.LatinHypercube(axes_count, rng=rng).random(count)
    # Drawing a power of two keeps the balance of the sequence; what is left over is cut off.
    return qmc.Sobol(axes_count, rng=rng).random_base2(max(0, math.ceil(math.log2(count))))[:count]


def _pick(axis: Any, share: float) -> Any:
    if isinstance(axis, Span):
        return axis.drawn(share)
    return axis[min(int(share * len(axis)), len(axis) - 1)]
