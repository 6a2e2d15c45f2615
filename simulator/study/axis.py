"""Axis: one design with many values of one input, ranked; what cannot be stays with its reason."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from simulator import headlines, planner
from simulator.base.errors import (
    CrosspremError,
    InternalError,
    Problem,
    ScenarioError,
    UsageError,
    did_you_mean,
)
from simulator.base.fields import CatalogueName
from simulator.catalog import load_catalog
from simulator.headlines import COST
from simulator.planner.explain import explain_plan
from simulator.planner.prices import PriceFile, Prices, price_list
from simulator.replications import Replications
from simulator.result import records
from simulator.run import loaded, run
from simulator.scenario import Scenario
from simulator.scenario.load import unknown_paths
from simulator.scenario.shape import Shape
from simulator.study.compare import CONFIDENCE, SCHEMA_VERSION, Progress
from simulator.study.drawing import RankingPlots
from simulator.study.options import mean_and_ends

ALL: Final = "all"
CARRIES: Final = "carries the load"
MISSES: Final = "misses a target"
OVERLOADED: Final = "over a limit"
REFUSED: Final = "refused"
RETIRED: Final = "retired"
STATUSES: Final = (CARRIES, RETIRED, MISSES, OVERLOADED, REFUSED)
"""Best first."""
FIGURES: Final = ("goodput_bps", "latency_s_p95", "loss_ratio", COST)
"""Headlines that vary from replication to replication."""


@dataclass(frozen=True, repr=False)
class Ranking:
    """One design with each value of an input, the best first."""

    scenario: str
    title: str
    path: str
    replications: int
    table: pd.DataFrame
    """One row for each value: `rank, value, status, goodput_bps, latency_s_p95, loss_ratio,
    headroom_ratio, tunnels, monthly_cost_usd, reason`.

    Goodput is that of all streams and directions together, latency and loss those of the worst
    one, headroom that of the tightest ceiling. Of goodput, latency, loss and cost they are means
    over replications, with the columns `<name>_low` and `<name>_high`: the ends of an interval
    (Student's t, each by itself), NaN for one replication. `reason` says what is wrong, with the id
    of the rule that is broken."""
    question: str = ""
    seed: int = 0
    scenario_hash: str = ""
    """SHA-256 of all values of the scenario as it was given."""
    resolved: str = ""
    """That scenario as text, with every default filled in."""
    confidence: float = CONFIDENCE
    """Of each interval by itself."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; see `crossprem schema ranking`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "scenario": self.scenario,
            "title": self.title,
            "question": self.question,
            "scenario_hash": self.scenario_hash,
            "seed": self.seed,
            "axis": self.path,
            "replications": self.replications,
            "confidence": self.confidence,
            "ranking": records(self.table),
        }

    def markdown(self) -> str:
        """The ranking for a pull request."""
        from simulator.study.compare_text import ranking_markdown

        return ranking_markdown(self)

    @property
    def plot(self) -> RankingPlots:
        """Figures: `.ranking()`, `.frontier()`."""
        return RankingPlots(self)

    def save(self, folder: str | Path, *, command: str | None = None) -> Path:
        """Write a folder that `crossprem report` turns into a page: all of it, or nothing.

        Raises
        ------
        UsageError
            If the folder holds other things, or cannot be written.
        """
        from simulator.study.folders import save_ranking

        return save_ranking(self, Path(folder), command)

    def __repr__(self) -> str:
        counts = self.table["status"].value_counts(sort=False)
        texts = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"<Ranking of {self.path} in {self.scenario}: {texts}>"

    def _repr_html_(self) -> str:
        from simulator.study.compare_text import ranking_html

        return ranking_html(self)


def rank(
    scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    path: str,
    values: Sequence[Any] | str = ALL,
    *,
    replications: int | None = None,
    progress: Progress | None = None,
    prices: PriceFile = None,
) -> Ranking:
    """Run a design with each value of one input and rank them.

    First comes what carries the load and meets all targets, the cheapest of it in front; then what
    misses a target, what is overloaded, and what rules or the catalogue refuse.

    Parameters
    ----------
    scenario
        A scenario, or what `load` takes.
    path
        Dotted path of the input, for example `gateways.hub-vpn.sku`.
    values
        Values to try; `all` are those that the era's catalogue knows for this input.
    replications
        Runs of each; by default the scenario's number.
    progress
        Called with the number of values that are done and of all.
    prices
        The user's own price list: a saved answer of the API; by default the catalogue's.

    Returns
    -------
    Ranking
        `.table` is a DataFrame, `.plot` draws, `.markdown()` is for a pull request.

    Raises
    ------
    UsageError
        If there is no such input, `all` means nothing for it, or the price list cannot be read.
    """
    scenario = loaded(scenario, None)
    wrong = unknown_paths(scenario.written, [path])
    if wrong:
        raise UsageError("\n".join(f"--axis {p.path}: {p.rule}; {p.fix}" for p in wrong))
    count = replications or scenario.run.replications
    listed = names_of(scenario, path) if values == ALL else tuple(values)
    book = price_list(prices, load_catalog(scenario.era))
    rows = []
    for value in listed:
        rows.append(_row(scenario, path, value, count, book))
        if progress is not None:
            progress(len(rows), len(listed))
    frame = pd.DataFrame(rows)
    order = sorted(range(len(frame)), key=lambda n: _order(rows[n]))
    frame = frame.iloc[order].reset_index(drop=True)
    frame.insert(0, "rank", range(1, len(frame) + 1))
    return Ranking(
        scenario.name,
        scenario.title,
        path,
        count,
        frame,
        scenario.question or "",
        scenario.run.seed,
        scenario.content_hash(),
        scenario.resolved_yaml(),
    )


def names_of(scenario: Scenario, path: str) -> tuple[str, ...]:
    """The names that the catalogue of the scenario's era has for an input."""
    *above, name = path.split(".")
    data = scenario.written.data
    node: Any = data
    for part in above:  # what is not written has its defaults
        node = node.get(part, {}) if isinstance(node, dict) else node[int(part)]
    info = Shape.at(tuple(above), data).field(name, node)
    for annotation in info.metadata if info is not None else ():
        if isinstance(annotation, CatalogueName):
            return load_catalog(scenario.era).names(annotation.subject)
    example = did_you_mean("sku", ["sku", "encryption", "protocol"])
    raise UsageError(
        f"--axis {path}=all: the catalogue does not list values of this input ({example}); "
        f"list them: --axis {path}=VALUE,VALUE"
    )


def _row(scenario: Scenario, path: str, value: Any, count: int, prices: Prices) -> dict[str, Any]:
    """What comes of one value; a refusal is a row like any other."""
    row: dict[str, Any] = {
        "value": value,
        "status": REFUSED,
        **dict.fromkeys(FIGURES[:3], math.nan),
        "headroom_ratio": math.nan,
        "tunnels": None,
        COST: math.nan,
        "reason": "",
        **{f"{name}_{end}": math.nan for name in FIGURES for end in ("low", "high")},
    }
    try:
        variant = scenario.with_(path, value)
        plan = planner.build(variant)
        explained = explain_plan(plan, load_catalog(variant.era))
    except InternalError:
        raise
    except CrosspremError as error:
        return row | {"reason": _one_line(error)}
    ceilings = [ceiling for stream in explained.streams for ceiling in stream.ceilings]
    known = [c for c in ceilings if c.headroom_ratio is not None]
    tightest = min(known, key=lambda c: float(c.headroom_ratio or 0.0), default=None)
    results = ((k, run(variant, replicate=k, prices=prices)) for k in range(count))
    done = Replications.of(results, count)
    reasons = [str(judgement) for judgement in done.targets if judgement.is_met is False]
    status = MISSES if reasons else CARRIES
    headroom = math.nan if tightest is None else float(tightest.headroom_ratio or 0.0)
    if tightest is not None and headroom < 0:
        status = OVERLOADED
        reasons.insert(0, f"{tightest.ceiling}: {tightest.load} asked of {tightest.value}")
    stopped = {**variant.stopped("connections"), **variant.stopped("clients")}
    if stopped:
        status = OVERLOADED
        reasons += [f"{name}: {why}" for name, why in stopped.items()]
    refused = [w for w in plan.meta["warnings"] if "are refused" in w]
    if refused:
        status = OVERLOADED
    owner = path.rpartition(".")[0]
    notes = [_in_words(p) for p in variant.warnings if p.path.startswith(owner)]
    if status == CARRIES and any(RETIRED in note for note in notes):
        status = RETIRED  # nobody can make a new one
    return row | {
        **_figures(done),
        "status": status,
        "headroom_ratio": headroom,
        "tunnels": len(plan.meta["tunnels"]),
        "reason": "; ".join([*reasons, *notes, *refused]),
    }


def _figures(done: Replications) -> dict[str, float]:
    """Means over replications with the ends of their intervals."""
    costs = pd.Series(done.costs_usd, name=COST, dtype="float64").rename_axis("replicate")
    each = headlines.of_runs(done.streams.join(costs, on="replicate"), ["replicate"])
    found: dict[str, float] = {}
    for name in FIGURES:
        found |= mean_and_ends(name, each[name].to_numpy("float64"), CONFIDENCE)
    return found


def _one_line(error: CrosspremError) -> str:
    """What is wrong, without the place: that is the axis itself."""
    if isinstance(error, ScenarioError):
        return " / ".join(map(_in_words, error.problems))
    return " / ".join(line for line in str(error).splitlines() if line)


def _in_words(problem: Problem) -> str:
    return f"{problem.rule}; {problem.fix}" if problem.fix else problem.rule


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    """Better values sort before worse ones; an unknown cost comes after every known one."""
    keys = (row["monthly_cost_usd"], row["latency_s_p95"], row["loss_ratio"])
    unknown_last = tuple(math.inf if math.isnan(key) else key for key in keys)
    return (STATUSES.index(row["status"]), *unknown_last, str(row["value"]))


def parse_axis(text: str) -> tuple[str, tuple[str, ...] | str]:
    """The path and the values of `PATH=all` or `PATH=VALUE,VALUE`."""
    path, equals, listed = text.partition("=")
    values = tuple(_parts(listed))
    if not equals or not path.strip() or not values:
        raise UsageError(f"--axis {text}: must be a path and values; write PATH=all or PATH=A,B")
    return path.strip(), ALL if values == (ALL,) else values


def _parts(listed: str) -> Iterator[str]:
    for part in listed.split(","):
        if part.strip():
            yield part.strip()
