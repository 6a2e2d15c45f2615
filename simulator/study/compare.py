"""Compare: designs under the same traffic, and whether a difference is one.

Every design is run with the same random numbers, replication by replication, so a difference is
paired and much of the noise cancels. Each difference has a confidence interval; the intervals of
one comparison hold together (Bonferroni), so a long table does not find what is not there. No
interval is narrower than what the figure can show: a packet, a time bin, a bucket of latencies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from kernels import histogram
from simulator import metrics
from simulator.base.errors import UsageError
from simulator.headlines import COST
from simulator.result import HEADLINES, KEYS, Result, records
from simulator.run import loaded, run
from simulator.study.drawing import ComparisonPlots
from simulator.study.inputs import Difference, differences_of
from simulator.study.options import options
from simulator.study.statistics import interval
from simulator.targets import Judgement, judge

if TYPE_CHECKING:
    from simulator.scenario import Scenario

Progress: TypeAlias = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

IDENTICAL: Final = "identical"
BETTER: Final = "better"
WORSE: Final = "worse"
NO_EVIDENCE: Final = "no evidence"
MIXED: Final = "mixed"
REPLICATIONS: Final = 10
CONFIDENCE: Final = 0.99
SAME_TIME: Final = ("horizon", "warm_up", "time_bin")
"""Settings of a run that must agree, or figures mean different things."""
BETTER_IS: Final = {c.name: c.better for c in metrics.columns("streams") if c.better}
FIGURES: Final = tuple(name for name in HEADLINES if name in BETTER_IS)
LATENCY_RESOLUTION_RATIO: Final = 0.5 / histogram.STEPS_PER_OCTAVE
"""Half of the widest bucket of the histogram from which latencies are read."""
CENT_USD: Final = 0.01


@dataclass(frozen=True)
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
        rows: list[dict[str, Any]] = []
        for name in self.names[1:]:
            pairs = list(self._pairs(name))
            each = 1.0 - (1.0 - self.confidence) / max(1, len(pairs))
            rows += [
                {"design": name, **key, **_compared(a, b, each, key["figure"], resolution)}
                for key, a, b, resolution in pairs
            ]
        return pd.DataFrame(rows)

    def _pairs(self, name: str) -> Iterator[tuple[dict[str, str], Any, Any, float]]:
        """Each figure of both designs, run by run, and the least difference that it can show."""
        baseline = self.runs[self.runs["design"] == self.names[0]]
        other = self.runs[self.runs["design"] == name]
        both = baseline.merge(other, "outer", [*KEYS, "replicate"], suffixes=("_a", "_b"))
        for (stream, direction), group in both.groupby(KEYS, sort=True):
            for figure in FIGURES:
                a, b = (group[f"{figure}_{end}"].to_numpy(np.float64) for end in "ab")
                if np.isfinite(a).any() or np.isfinite(b).any():
                    key = {"stream": str(stream), "direction": str(direction), "figure": figure}
                    yield key, a, b, self._resolution(figure, a, b, group)
        a, b = (self._costs_of(design) for design in (self.names[0], name))
        if np.isfinite(a).any() or np.isfinite(b).any():
            yield {"stream": "", "direction": "", "figure": COST}, a, b, CENT_USD

    def _resolution(
        self,
        figure: str,
        a: npt.NDArray[np.float64],
        b: npt.NDArray[np.float64],
        group: pd.DataFrame,
    ) -> float:
        """The least difference that a figure can show: a packet, a time bin, a bucket."""
        highest = float(np.nanmax([a, b]))
        if figure == "outage_s_max":
            return self.time_bin_s
        if figure.startswith("latency"):
            return highest * LATENCY_RESOLUTION_RATIO
        column = "packets_sent" if figure == "loss_ratio" else "packets_delivered"
        fewest = min(float(group[f"{column}_{end}"].min()) for end in "ab")
        one_packet = 1.0 / fewest if fewest > 0 else 0.0
        return one_packet if figure == "loss_ratio" else highest * one_packet

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

    def regressions(self, threshold_ratio: float) -> pd.DataFrame:
        """The rows that are worse by more than a share of the baseline, on evidence."""
        worse = self.table[self.table["verdict"] == WORSE]
        return worse[worse["ratio"].abs() > threshold_ratio]

    @cached_property
    def designs(self) -> pd.DataFrame:
        """One row for each design, as an option: see `simulator.study.options`."""
        return options(self)

    def targets(self, name: str) -> list[Judgement]:
        """Targets of a design, judged by the worst of its replications."""
        runs = self.runs[self.runs["design"] == name]
        return judge(self.limits.get(name, {}), runs, _mean(self._costs_of(name)))

    @property
    def plot(self) -> ComparisonPlots:
        """Figures: `.differences()`, `.frontier()`."""
        return ComparisonPlots(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        options_of = {row["design"]: row for row in records(self.designs)}
        return {
            "baseline": self.names[0],
            "question": self.question,
            "designs": [
                {
                    "name": name,
                    "title": title,
                    "monthly_cost_usd": _mean(self._costs_of(name)),
                    "verdict": None if name == self.names[0] else self.verdict(name),
                    "headlines": {
                        key: value
                        for key, value in options_of[name].items()
                        if key not in {"design", "title"}
                    },
                    "targets": [asdict(judgement) for judgement in self.targets(name)],
                    "scenario_hash": self.hashes.get(name, ""),
                    "inputs": [vars(d) for d in self.differences.get(name, ())],
                }
                for name, title in zip(self.names, self.titles, strict=True)
            ],
            "confidence": self.confidence,
            "replications": self.replications,
            "seed": self.seed,
            "figures": records(self.table),
        }

    def markdown(self) -> str:
        """The comparison for a pull request."""
        from simulator.study.compare_text import markdown

        return markdown(self)

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
) -> Comparison:
    """Run designs under the same traffic and compare them with the first.

    Parameters
    ----------
    designs
        Scenarios, or what `load` takes; two or more.
    replications
        Runs of each design; by default the larger of the baseline's number and 10.
    confidence
        With which all intervals of a comparison hold together.
    common_numbers
        Whether every design has the baseline's seed. Without it each keeps its own, which shows
        how much two runs of the same design differ.
    names
        What to call them; by default the names of their files.
    progress
        Called with the number of runs that are done and of all.

    Raises
    ------
    UsageError
        If there are fewer than two designs, or their runs differ in length or time bins.
    """
    scenarios = [loaded(design, None) for design in designs]
    if len(scenarios) < 2:
        raise UsageError("compare: needs two designs or more; name another file, or --axis")
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
        for replicate in range(count):
            results.append(run(scenario, replicate=replicate))
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


def _compared(
    baseline: npt.NDArray[np.float64],
    other: npt.NDArray[np.float64],
    confidence: float,
    figure: str,
    resolution: float,
) -> dict[str, Any]:
    """One row: means, paired difference with its interval, and the verdict."""
    paired = other - baseline
    found = interval(paired, confidence)
    width = max(found.half_width, resolution)
    means = [_mean(baseline), _mean(other)]
    known = paired[np.isfinite(paired)]
    same_gaps = bool((np.isfinite(baseline) == np.isfinite(other)).all())
    if known.size and same_gaps and not known.any():
        verdict = IDENTICAL
    elif not found.count or not abs(found.mean) > width:
        verdict = NO_EVIDENCE
    else:
        is_more_better = BETTER_IS.get(figure, "less") == "more"
        verdict = BETTER if (found.mean > 0) == is_more_better else WORSE
    return {
        "baseline": math.nan if means[0] is None else means[0],
        "other": math.nan if means[1] is None else means[1],
        "difference": found.mean,
        "low": found.mean - width,
        "high": found.mean + width,
        "ratio": _ratio(found.mean, means[0]),
        "verdict": verdict,
    }


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    """The mean of what is known; None if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _ratio(difference: float, baseline: float | None) -> float:
    """A difference as a share of the baseline, infinite where that is 0."""
    if difference == 0 or baseline is None or math.isnan(difference):
        return 0.0 if difference == 0 else math.nan
    return difference / abs(baseline) if baseline else math.copysign(math.inf, difference)
