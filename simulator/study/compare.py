"""Compare: designs under the same traffic, and whether a difference is one.

Every design is run with the same random numbers, replication by replication, so a difference is
paired and much of the noise cancels. Each difference has a confidence interval; the intervals of
one comparison hold together (Bonferroni over all figures of all designs), so a long table does not
find what is not there. No interval is narrower than what the figure can show: a packet, a time bin,
a bucket of latencies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.base.errors import UsageError
from simulator.catalog import load_catalog
from simulator.headlines import COST
from simulator.planner.prices import PriceFile, price_list
from simulator.result import HEADLINES, KEYS, Result, records
from simulator.run import loaded, run
from simulator.study.drawing import ComparisonPlots
from simulator.study.inputs import Difference, differences_of
from simulator.study.options import options
from simulator.study.paired import (
    BETTER,
    BETTER_IS,
    IDENTICAL,
    NO_EVIDENCE,
    WORSE,
    compared,
    mean,
    resolution_of,
)
from simulator.study.threshold import Threshold, regressions
from simulator.targets import Judgement, judge, worst_cost_usd

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Progress: TypeAlias = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

MIXED: Final = "mixed"
SCHEMA_VERSION: Final = 1
"""Of `to_dict` of comparisons and rankings."""
REPLICATIONS: Final = 10
CONFIDENCE: Final = 0.99
SAME_TIME: Final = ("horizon", "warm_up", "time_bin")
"""Settings of a run that must agree, or figures mean different things."""
FIGURES: Final = tuple(name for name in HEADLINES if name in BETTER_IS)
CENT_USD: Final = 0.01


@dataclass(frozen=True, repr=False)
class Comparison:
    """Designs compared with the first of them."""

    names: tuple[str, ...]
    """The first one is the baseline."""
    titles: tuple[str, ...]
    confidence: float
    runs: pd.DataFrame
    """`streams` of every design and replication, with the columns `design` and `replicate`."""
    costs: pd.DataFrame
    """`design, replicate, monthly_cost_usd`: the volume that is billed is that of the run."""
    time_bin_s: float
    differences: Mapping[str, tuple[Difference, ...]]
    """By design: the inputs in which it differs from the baseline."""
    question: str = ""
    """What the baseline's scenario asks."""
    seed: int | None = None
    """Of all designs; None if each kept its own."""
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By design: the limits of its targets in SI units."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """By design: SHA-256 of all values of its scenario."""
    resolved: Mapping[str, str] = field(default_factory=dict)
    """By design: its scenario as text, with every default filled in."""
    measured_ratio: float = 1.0
    """Share of a run after warm-up, of which rates and latencies are."""

    @property
    def replications(self) -> int:
        """How often each design was run."""
        return int(self.runs["replicate"].nunique())

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each other design, stream, direction and figure.

        `baseline` and `other` are means over replications, `difference` the mean of the paired
        differences with `low` and `high` as ends of its interval, all in the unit that ends the
        name of the figure; `ratio` is the difference as a share of the baseline.
        """
        pairs = [pair for name in self.names[1:] for pair in self._pairs(name)]
        each = 1.0 - (1.0 - self.confidence) / max(1, len(pairs))
        return pd.DataFrame(
            {**key, **compared(a, b, each, key["figure"], resolution)}
            for key, a, b, resolution in pairs
        )

    def _pairs(self, name: str) -> Iterator[tuple[dict[str, str], Any, Any, float]]:
        """Each figure of both designs, run by run, and the least difference that it can show."""
        for (stream, direction), group in self._side_by_side(name).groupby(KEYS, sort=True):
            for figure in FIGURES:
                a, b = (group[f"{figure}_{end}"].to_numpy(np.float64) for end in "ab")
                if np.isfinite(a).any() or np.isfinite(b).any():
                    where = {"stream": str(stream), "direction": str(direction)}
                    resolution = resolution_of(
                        figure,
                        a,
                        b,
                        group,
                        time_bin_s=self.time_bin_s,
                        measured_ratio=self.measured_ratio,
                    )
                    yield {"design": name, **where, "figure": figure}, a, b, resolution
        a, b = (self._costs_of(design) for design in (self.names[0], name))
        if np.isfinite(a).any() or np.isfinite(b).any():
            yield {"design": name, "stream": "", "direction": "", "figure": COST}, a, b, CENT_USD

    def _side_by_side(self, name: str) -> pd.DataFrame:
        """The runs of the baseline (`..._a`) and of a design (`..._b`)."""
        baseline = self.runs[self.runs["design"] == self.names[0]]
        other = self.runs[self.runs["design"] == name]
        return baseline.merge(other, "outer", [*KEYS, "replicate"], suffixes=("_a", "_b"))

    def unlike_traffic(self, name: str) -> tuple[str, ...]:
        """Streams and directions that offer other packets than the baseline's under the same seed.

        A Poisson stream is drawn in as many parts as there are equal ways, and its packets adapt
        to what fits, so a design with another number of tunnels has the same rates but other
        packets. Streams of TCP, those whose own inputs differ, and those that only one design has
        are not among them, nor is any if the designs run at different levels.
        """
        paths = [tuple(difference.path.split(".")) for difference in self.differences[name]]
        if self.seed is None or ("run", "fidelity") in paths:
            return ()
        both = self._side_by_side(name)
        is_tcp = both["stream"].isin(both.loc[both["flows_a"].notna(), "stream"])
        changed = [stream for path in paths if path[0] == "traffic" for stream in path[1:2]]
        is_changed = both["stream"].isin(changed)
        sent = both[["packets_sent_a", "packets_sent_b"]]
        differs = sent.notna().all(axis=1) & (sent.iloc[:, 0] != sent.iloc[:, 1])
        found = both[differs & ~is_tcp & ~is_changed]
        return tuple(dict.fromkeys(f"{row.stream} {row.direction}" for row in found.itertuples()))

    def _costs_of(self, name: str) -> npt.NDArray[np.float64]:
        return self.costs.loc[self.costs["design"] == name, COST].to_numpy(np.float64)

    def verdict(self, name: str) -> str:
        """What the figures of a design say all together, cost apart."""
        rows = self.table[(self.table["design"] == name) & (self.table["figure"] != COST)]
        found = set(rows["verdict"])
        if found <= {IDENTICAL}:
            return IDENTICAL
        if found & {BETTER, WORSE} == {BETTER, WORSE}:
            return MIXED
        return next((v for v in (BETTER, WORSE) if v in found), NO_EVIDENCE)

    def regressions(self, *thresholds: Threshold | float) -> pd.DataFrame:
        """The rows of `table` that are worse, on evidence, by more than a threshold.

        A number is a share of the baseline's value, for every figure without a `Threshold`.
        """
        limits = [t if isinstance(t, Threshold) else Threshold(t) for t in thresholds]
        return regressions(self.table, limits)

    @cached_property
    def designs(self) -> pd.DataFrame:
        """One row for each design, as an option: see `simulator.study.options`."""
        return options(self)

    def targets(self, name: str) -> list[Judgement]:
        """Targets of a design, judged by the worst of its replications."""
        runs = self.runs[self.runs["design"] == name]
        return judge(self.limits.get(name, {}), runs, worst_cost_usd(self._costs_of(name)))

    @property
    def plot(self) -> ComparisonPlots:
        """Figures: `.differences()`, `.frontier()`."""
        return ComparisonPlots(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; see `crossprem schema comparison`."""
        options_of = {row["design"]: row for row in records(self.designs)}
        return {
            "schema_version": SCHEMA_VERSION,
            "scenario": self.names[0],
            "scenario_hash": self.hashes.get(self.names[0], ""),
            "baseline": self.names[0],
            "question": self.question,
            "designs": [
                {
                    "name": name,
                    "title": title,
                    "monthly_cost_usd": mean(self._costs_of(name)),
                    "verdict": None if name == self.names[0] else self.verdict(name),
                    "headlines": {
                        key: value
                        for key, value in options_of[name].items()
                        if key not in {"design", "title"}
                    },
                    "targets": [asdict(judgement) for judgement in self.targets(name)],
                    "scenario_hash": self.hashes.get(name, ""),
                    "unlike_traffic": list(
                        () if name == self.names[0] else self.unlike_traffic(name)
                    ),
                    "inputs": [vars(d) for d in self.differences.get(name, ())],
                }
                for name, title in zip(self.names, self.titles, strict=True)
            ],
            "confidence": self.confidence,
            "replications": self.replications,
            "seed": self.seed,
            "figures": records(self.table),
        }

    def markdown(self, *thresholds: Threshold | float) -> str:
        """The comparison for a pull request; what is past a threshold stands at its end."""
        from simulator.study.compare_text import markdown

        limits = [t if isinstance(t, Threshold) else Threshold(t) for t in thresholds]
        return markdown(self, limits)

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{name} {self.verdict(name)}" for name in self.names[1:])
        return f"<Comparison with {self.names[0]}, {self.replications} replications: {verdicts}>"

    def _repr_html_(self) -> str:
        from simulator.study.compare_text import html

        return html(self)

    def save(self, folder: str | Path, *, command: str | None = None) -> Path:
        """Write a folder that `crossprem report` turns into a page: all of it, or nothing.

        Raises
        ------
        UsageError
            If the folder holds other things, or cannot be written.
        """
        from simulator.study.folders import save_comparison

        return save_comparison(self, Path(folder), command)


def compare(
    *designs: Scenario | str | Mapping[str, Any],
    replications: int | None = None,
    confidence: float = CONFIDENCE,
    common_numbers: bool = True,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
    prices: PriceFile = None,
) -> Comparison:
    """Run designs under the same traffic and compare them with the first.

    Parameters
    ----------
    designs
        Scenarios, or what `load` takes; two or more.
    replications
        Runs of each design; by default the larger of the baseline's number and 10.
    confidence
        With which all intervals of a comparison hold together, between 0.5 and 1.
    common_numbers
        Whether every design has the baseline's seed. Without it each keeps its own, which shows
        how much two runs of the same design differ.
    names
        What to call them; by default the names of their files.
    progress
        Called with the number of runs that are done and of all.
    prices
        The user's own price list: a saved answer of the API; by default the catalogue's.

    Returns
    -------
    Comparison
        `.table` and `.designs` are DataFrames, `.plot` draws, `.markdown()` is for a pull request.

    Raises
    ------
    UsageError
        If there are fewer than two designs, their runs differ in length or time bins, there are
        not as many names as designs, the confidence is no such ratio, or the price list cannot be
        read.
    """
    scenarios = [loaded(design, None) for design in designs]
    if len(scenarios) < 2:
        raise UsageError("compare: needs two designs or more; name another file, or --axis")
    if names is not None and len(names) != len(scenarios):
        raise UsageError(f"compare: {len(scenarios)} designs have {len(names)} names; name each")
    if not 0.5 <= confidence < 1.0:
        raise UsageError(f"compare: confidence {confidence:g} must lie between 0.5 and 1")
    _check_same_time(scenarios)
    count = replications or max(REPLICATIONS, scenarios[0].run.replications)
    if count < 2:
        raise UsageError("compare: one replication has no interval; take two or more")
    if common_numbers:
        seed = scenarios[0].run.seed
        scenarios = [s if s.run.seed == seed else s.with_("run.seed", seed) for s in scenarios]
    called = unique(names or [scenario.name for scenario in scenarios])
    frames: list[pd.DataFrame] = []
    costs: list[tuple[str, int, float | None]] = []
    for name, scenario in zip(called, scenarios, strict=True):
        results = []
        book = price_list(prices, load_catalog(scenario.era))
        for replicate in range(count):
            results.append(run(scenario, replicate=replicate, prices=book))
            if progress is not None:
                progress(len(costs) + len(results), count * len(scenarios))
        frames += [_labelled(result, name, k) for k, result in enumerate(results)]
        costs += [(name, k, result.monthly_cost_usd) for k, result in enumerate(results)]
    return Comparison(
        names=tuple(called),
        titles=tuple(scenario.title for scenario in scenarios),
        confidence=confidence,
        runs=pd.concat(frames, ignore_index=True),
        costs=pd.DataFrame(costs, columns=["design", "replicate", COST]).astype({COST: float}),
        time_bin_s=scenarios[0].run.time_bin,
        differences={
            name: tuple(differences_of(scenarios[0], scenario))
            for name, scenario in zip(called[1:], scenarios[1:], strict=True)
        },
        question=scenarios[0].question or "",
        seed=scenarios[0].run.seed if len({s.run.seed for s in scenarios}) == 1 else None,
        limits={n: s.targets.limits for n, s in zip(called, scenarios, strict=True)},
        hashes={n: s.content_hash() for n, s in zip(called, scenarios, strict=True)},
        resolved={n: s.resolved_yaml() for n, s in zip(called, scenarios, strict=True)},
        measured_ratio=1.0 - scenarios[0].run.warm_up / scenarios[0].run.horizon,
    )


def _labelled(result: Result, name: str, replicate: int) -> pd.DataFrame:
    frame = result.streams.copy()
    frame.insert(0, "replicate", replicate)
    frame.insert(0, "design", name)
    return frame


def _check_same_time(scenarios: Sequence[Scenario]) -> None:
    first = scenarios[0]
    for other in scenarios[1:]:
        for setting in SAME_TIME:
            a, b = getattr(first.run, setting), getattr(other.run, setting)
            if a != b:
                raise UsageError(
                    f"compare: run.{setting} is {a:g} s in {first.name} and {b:g} s in "
                    f"{other.name}; make them equal, for example with --set 'run.{setting}={a:g} s'"
                )


def unique(names: Sequence[str]) -> list[str]:
    """Names made different where they are the same: `a`, `a-2`."""
    found: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in found:
            number += 1
            candidate = f"{name}-{number}"
        found.append(candidate)
    return found
