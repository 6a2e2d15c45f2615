"""Published numbers of other people's laboratories against the model, row by row of one table.

`validation-targets` of the catalogue says what was measured and how far to trust it.
`data/published_rows.csv` says which scenario stands for a row, what is set in it and which figure
of the result is compared, or why the model cannot express it. No parameter is tuned for a row.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from simulator import Result, load, run
from simulator.catalog import load_catalog
from simulator.planner import build
from simulator.scenario import Scenario, parse_set

ROOT = Path(__file__).resolve().parents[2]
ROWS = Path(__file__).parent / "data" / "published_rows.csv"
SCENARIOS = ROOT / "scenarios" / "validation"
TOLERANCE_RATIO = {"high": 0.10, "medium": 0.20}
"""How far a number may be off, by the trust that it was given; others are shown, not judged."""
MET_RATIO = {"high": 0.90, "medium": 0.75}
"""How many of the numbers that the model can express must be met."""
MET, MISSED, SHOWN, NOT_EXPRESSIBLE = "met", "missed", "shown", "not expressible"


@dataclass(frozen=True, slots=True)
class Target:
    """One published number: a value, a range, or a bound (then one end is infinite)."""

    row: str
    """Id of the row of `validation-targets`, with the position where it holds several numbers."""
    subject: str
    configuration: str
    metric: str
    low: float
    high: float
    unit: str
    trust: str
    source: str
    as_of: str

    def error_ratio(self, value: float) -> float:
        """Signed distance from the value or range, as a part of its nearer end."""
        if value > self.high:
            return (value - self.high) / self.high
        if value < self.low:
            return (value - self.low) / self.low
        return 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """How a published number is computed: a line of `published_rows.csv`."""

    row: str
    scenario: str
    """File in `scenarios/validation`; empty if the model cannot express the number."""
    changes: tuple[str, ...]
    """`path=value`, as with `--set`."""
    figure: str
    subject: str
    """Stream, or connection, that the figure is of."""
    draws: int
    """Runs with other random numbers; the figure is their mean."""
    reads: str
    """How the published number is read: `value`: its bound is a value that was seen; `bound`: its
    value is the greatest that was seen; `shown`: it is shown and not counted; empty: as it
    stands."""
    is_input: bool
    """Whether the number itself went into a row of the catalogue or an assumption of the series."""
    reason: str
    """Why it cannot be expressed; for others, why it misses."""


def targets() -> dict[str, Target]:
    """Return every published number; a row with several has them as `V121.1`, `V121.2`, ..."""
    found = {}
    for row in load_catalog().table("validation-targets").rows:
        texts = {name: row.text(name) for name in ("subject", "configuration", "metric", "unit")}
        texts |= {name: row.text(name) for name in ("trust", "source", "as_of")}
        value, several = row.number_or_none("value"), row.numbers("values")
        ends: list[tuple[float | None, float | None]] = [(number, number) for number in several]
        if value is not None:
            ends = [(value, value)]
        elif not several:
            ends = [(row.number_or_none("min"), row.number_or_none("max"))]
        for number, (low, high) in enumerate(ends, start=1):
            name = row.text("id") + (f".{number}" if len(ends) > 1 else "")
            found[name] = Target(
                row=name,
                low=-math.inf if low is None else low,
                high=math.inf if high is None else high,
                **texts,
            )
    return found


def cases() -> dict[str, Case]:
    """Return the line of every published number, by the number's name."""
    with ROWS.open(newline="", encoding="utf-8") as file:
        return {
            line["row"]: Case(
                row=line["row"],
                scenario=line["scenario"],
                changes=tuple(filter(None, line["set"].split("; "))),
                figure=line["figure"],
                subject=line["subject"],
                draws=int(line["draws"] or 1),
                reads=line["reads"],
                is_input=line["input"] == "yes",
                reason=line["reason"],
            )
            for line in csv.DictReader(file)
        }


# ---------------------------------------------------------------------------------------------
# Figures
# ---------------------------------------------------------------------------------------------


def round_trip_s(result: Result, stream: str, probability: float | None) -> float:
    """Percentile of a probe's round trip, or its mean where `probability` is None.

    A request and its answer draw their delays apart, so the distribution of the sum is that of
    two independent one-way latencies.
    """
    cdf = result.latency_cdf
    ways = [cdf[(cdf["stream"] == stream) & (cdf["direction"] == d)] for d in ("forward", "return")]
    middle_s = [((way["latency_s_low"] + way["latency_s_high"]) / 2).to_numpy() for way in ways]
    weight = [(way["packets"] / way["packets"].sum()).to_numpy() for way in ways]
    sums_s = np.add.outer(*middle_s).ravel()
    weights = np.multiply.outer(*weight).ravel()
    if probability is None:
        return float(sums_s @ weights)
    order = np.argsort(sums_s, kind="stable")
    reached = np.cumsum(weights[order])
    return float(sums_s[order[np.searchsorted(reached, probability)]])


def goodput_bps(result: Result, stream: str) -> float:
    """Payload that arrives forward, after warm-up."""
    rows = result.streams
    row = rows[(rows["stream"] == stream) & (rows["direction"] == "forward")]
    return float(row["goodput_bps"].iloc[0])


def outage_s(result: Result, stream: str) -> float:
    """Longest outage of a stream after a fault, over both directions."""
    rows = result.streams
    return float(rows[rows["stream"] == stream]["outage_s_max"].max())


def detection_s(result: Result, stream: str) -> float:
    """Time from the fault until the later of both ends noticed."""
    rows = result.failovers
    rows = rows[rows["stream"] == stream]
    return float((rows["detected_s"] - rows["started_s"]).max())


def convergence_s(result: Result, stream: str) -> float:
    """Time from the fault until the later direction took another way."""
    rows = result.failovers
    rows = rows[rows["stream"] == stream]
    return float((rows["rerouted_s"] - rows["started_s"]).max())


FIGURES: dict[str, Callable[[Result, str], float]] = {
    "rtt_p50": lambda result, stream: round_trip_s(result, stream, 0.5),
    "rtt_p90": lambda result, stream: round_trip_s(result, stream, 0.9),
    "rtt_p99": lambda result, stream: round_trip_s(result, stream, 0.99),
    "rtt_p999": lambda result, stream: round_trip_s(result, stream, 0.999),
    "rtt_mean": lambda result, stream: round_trip_s(result, stream, None),
    "goodput": goodput_bps,
    "outage": outage_s,
    "detection": detection_s,
    "convergence": convergence_s,
}
"""Figures of a run, by name."""


def busiest_tunnel_bps(design: Scenario, result: Result, connection: str) -> float:
    """What the busiest tunnel of a connection carries, inner IP bits/s: its metric at a gateway."""
    rate_bps = {info.name: info.rate_bps for info in build(design).hops}
    hops = result.hops
    tunnels = hops[hops["hop"].str.startswith(f"{connection}.tunnel-")]
    return max(
        row.utilisation_ratio * rate_bps[row.hop]
        for row in tunnels.itertuples()
        if math.isfinite(row.utilisation_ratio)
    )


def flows_on_first_way(design: Scenario, draw: int) -> float:
    """How many TCP flows start on the first of equal ways."""
    plan = build(design, replicate=draw)
    names = [plan.routes[flow.data_routes[0]].name for flow in plan.tcp_flows]
    return float(names.count(min(names)))


# ---------------------------------------------------------------------------------------------
# Comparison
# ---------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def runs(scenario: str, changes: tuple[str, ...], draws: int) -> tuple[Result, ...]:
    """Run a scenario with some settings; rows of one configuration share the runs."""
    design = load(SCENARIOS / f"{scenario}.yaml", parse_set(list(changes)))
    return tuple(run(design, replicate=draw) for draw in range(draws))


def values_of(case: Case) -> list[float]:
    """Return the figure of a case for each draw."""
    if case.figure in FIGURES:
        results = runs(case.scenario, case.changes, case.draws)
        return [FIGURES[case.figure](result, case.subject) for result in results]
    design = load(SCENARIOS / f"{case.scenario}.yaml", parse_set(list(case.changes)))
    if case.figure == "flows":
        return [flows_on_first_way(design, draw) for draw in range(case.draws)]
    results = runs(case.scenario, case.changes, case.draws)
    return [busiest_tunnel_bps(design, result, case.subject) for result in results]


def as_read(target: Target, case: Case) -> Target:
    """Return the published number as its line of the table says to read it."""
    if case.reads == "value":
        seen = target.high if math.isfinite(target.high) else target.low
        return replace(target, low=seen, high=seen)
    if case.reads == "bound":
        return replace(target, low=-math.inf)
    return target


def compared(target: Target, case: Case) -> dict[str, Any]:
    """Return the line of the page for one published number."""
    target = as_read(target, case)
    line = {
        "row": target.row,
        "trust": target.trust,
        "configuration": target.configuration,
        "metric": target.metric,
        "unit": target.unit,
        "measured_low": target.low if math.isfinite(target.low) else None,
        "measured_high": target.high if math.isfinite(target.high) else None,
    }
    empty = {"simulated": None, "draws": 0, "draw_low": None, "draw_high": None, "error": None}
    tail = {"is_input": case.is_input, "scenario": case.scenario, "set": "; ".join(case.changes)}
    tail |= {"source": target.source, "as_of": target.as_of}
    if not case.scenario:
        return line | empty | {"verdict": NOT_EXPRESSIBLE, "reason": case.reason} | tail
    values = values_of(case)
    simulated = float(np.mean(values))
    error = target.error_ratio(simulated)
    tolerance = None if case.reads == "shown" else TOLERANCE_RATIO.get(target.trust)
    verdict = SHOWN if tolerance is None else MET if abs(error) <= tolerance else MISSED
    found = {"simulated": simulated, "draws": len(values), "error": error, "verdict": verdict}
    found |= {"draw_low": min(values), "draw_high": max(values)}
    return line | found | {"reason": case.reason if verdict != MET else ""} | tail


def published_rows(only: Iterable[str] | None = None) -> pd.DataFrame:
    """Compare published numbers with the model, one row each; all of them, or those named."""
    found, lines = targets(), cases()
    names: Sequence[str] = list(found) if only is None else list(only)
    return pd.DataFrame([compared(found[name], lines[name]) for name in names])


def counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return by trust: numbers published, counted, met, and met by an input; and the demand.

    Counted are those that the model expresses and that are not shown alone; `tests` are those of
    them that went into nothing: no row of the catalogue, no assumption of a series. `shown_close`
    are the shown ones that would be met.
    """
    lines = []
    for trust in TOLERANCE_RATIO:
        group = rows[rows["trust"].str.startswith(trust)]
        expressible = group[group["verdict"].isin([MET, MISSED])]
        is_met = expressible["verdict"] == MET
        is_test = ~expressible["is_input"].astype(bool)
        shown = group[group["verdict"] == SHOWN]
        is_shown_close = shown["error"].abs() <= TOLERANCE_RATIO[trust]
        lines.append(
            {
                "trust": trust,
                "published": len(group),
                "expressible": len(expressible),
                "met": int(is_met.sum()),
                "met_inputs": int((is_met & ~is_test).sum()),
                "met_ratio": float(is_met.mean()),
                "tests": int(is_test.sum()),
                "met_tests": int((is_met & is_test).sum()),
                "shown": len(shown),
                "shown_close": int(is_shown_close.sum()),
                "must_ratio": MET_RATIO[trust],
            }
        )
    return pd.DataFrame(lines)
