"""Comparison of the BGP and BFD machines with the measured FRR routers.

A measured repetition is one draw of the phase that the timers had when the fault came. So four
questions are asked, each with a table of its own:

`bgp_rows`      every setting and quantity: median within 5 %, tails within 10 %? Where not: how
                often are so many draws of the model as far from its own quantile (`chance_ratio`)?
                A row is off if that is too rare for the whole family of rows (Holm).
`perfect_rows`  how many rows would routers meet that are the model itself, as often measured?
`phase_rows`    the same demand without the draw: the model has the phase of each repetition
`age_rows`      is that phase as random as the model says: every timer together
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from tests.validation.measurements import DATA, read
from tests.validation.router_lab import DELAY_S, MS_PER_S, SETTING, Lab, simulated

FILE = "bgp_failover.csv"
QUANTITIES = ("detect_a_ms", "detect_b_ms", "fib_a_ms", "fib_b_ms", "outage_ab_ms", "outage_ba_ms")
QUANTILES = {0.05: 0.10, 0.5: 0.05, 0.95: 0.10}
"""Quantile and its tolerance."""
FAMILY_ERROR = 0.05
"""Chance that a perfect model has any row that is called off."""
CLOCK_MS = 3.0
"""Below this the lab's cost of reading a clock (10 us each) is what was measured; outages are
measured to one probe."""
DRAWS = 20_000
"""A hundred times the least chance that counts: the family's error by the number of rows."""
PERFECT_DRAWS = 1_000
PERFECT_QUANTILES = (0.005, 0.5, 0.995)
NEAREST = 10
"""Runs of the model whose phase is nearest to that of a repetition."""

Floats = npt.NDArray[np.float64]


def labs(folder: Path = DATA) -> Iterator[tuple[Lab, pd.DataFrame]]:
    """Yield every measured setting with its repetitions."""
    for setting, repetitions in read(FILE, folder).groupby(SETTING):
        yield Lab(*setting), repetitions  # type: ignore[misc]


def probe_ms(repetitions: pd.DataFrame) -> float:
    """Return the time between probes."""
    return float(repetitions["probe_ms"].iloc[0])


def resolution_ms(quantity: str, repetitions: pd.DataFrame) -> float:
    """Return the least difference that the laboratory could see."""
    return probe_ms(repetitions) if quantity.startswith("outage") else CLOCK_MS


def bgp_rows(
    seeds: int, keep: Callable[[Lab], bool] = lambda lab: True, folder: Path = DATA
) -> pd.DataFrame:
    """Compare every setting that is kept, each with so many seeds of the model."""
    rows: list[dict[str, Any]] = []
    for lab, repetitions in labs(folder):
        if not keep(lab):
            continue
        model = simulated(lab, probe_ms(repetitions) / MS_PER_S, seeds)
        for quantity in QUANTITIES:
            known = repetitions[quantity].dropna().to_numpy()
            answer = model[quantity].dropna().to_numpy()
            least_ms = resolution_ms(quantity, repetitions)
            for row in compare(lab, quantity, known, answer, least_ms):
                row["chance_ratio"] = chance(row, answer, least_ms)
                rows.append(row)
    table = pd.DataFrame(rows)
    if len(table):
        table["holm_ratio"] = holm(table["chance_ratio"].to_numpy())
        table["is_off"] = ~table["is_met"] & (table["holm_ratio"] < FAMILY_ERROR)
    return table


def compare(
    lab: Lab, quantity: str, known: Floats, model: Floats, least_ms: float
) -> Iterator[dict[str, Any]]:
    """Yield median and tails of one quantity, measured and simulated."""
    if not len(known) or not len(model):
        return
    for quantile, tolerance in QUANTILES.items():
        was, is_now = (float(np.quantile(values, quantile)) for values in (known, model))
        yield asdict(lab) | {
            "quantity": quantity,
            "quantile": quantile,
            "reps": len(known),
            "measured_ms": was,
            "model_ms": is_now,
            "error_ratio": is_now / was - 1.0 if was else np.nan,
            "is_met": bool(within(is_now, was, tolerance, least_ms)),
        }


def within(value: Any, reference: Any, tolerance: float, least_ms: float) -> Any:
    """Whether values are within the tolerance of a reference, or too near to be told apart."""
    return np.abs(value - reference) <= np.maximum(tolerance * np.abs(reference), least_ms)


def chance(row: dict[str, Any], model: Floats, least_ms: float) -> float:
    """Return how often so many draws of the model are as far from its own quantile as measured."""
    distance = max(abs(row["measured_ms"] - row["model_ms"]) - least_ms, 0.0)
    samples = np.random.default_rng(1).choice(model, (DRAWS, row["reps"]))
    spread = np.abs(np.quantile(samples, row["quantile"], axis=1) - row["model_ms"])
    return float(((spread >= distance).sum() + 1) / (DRAWS + 1))


def holm(chances: Floats) -> Floats:
    """Return Holm's adjusted chances: those below a bound are rare for the whole family."""
    order = np.argsort(chances)
    steps = chances[order] * np.arange(len(chances), 0, -1)
    adjusted = np.empty_like(chances)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


# ---- routers that are the model itself -----------------------------------------------------------


def perfect_rows(seeds: int, folder: Path = DATA) -> pd.DataFrame:
    """Return how many rows repetitions drawn from the model meet, by setting and for all.

    Whole repetitions are drawn, as many as were measured, and held against the model's quantiles as
    the measured ones are: `low`, `median`, `high` are quantiles of `PERFECT_DRAWS` such data sets.
    """
    found, totals, met = [], np.zeros(PERFECT_DRAWS, int), 0
    generator = np.random.default_rng(2)
    for lab, repetitions in labs(folder):
        model = simulated(lab, probe_ms(repetitions) / MS_PER_S, seeds)
        chosen = generator.integers(len(model), size=(PERFECT_DRAWS, len(repetitions)))
        counts, here, rows = np.zeros(PERFECT_DRAWS, int), 0, 0
        for quantity in QUANTITIES:
            known = repetitions[quantity].dropna().to_numpy()
            answer = model[quantity].dropna().to_numpy()
            least_ms = resolution_ms(quantity, repetitions)
            for row in compare(lab, quantity, known, answer, least_ms):
                draws = model[quantity].to_numpy()[chosen[:, : len(known)]]
                drawn = np.nanquantile(draws, row["quantile"], axis=1)
                tolerance = QUANTILES[row["quantile"]]
                counts += within(row["model_ms"], drawn, tolerance, least_ms)
                here += row["is_met"]
                rows += 1
        found.append(asdict(lab) | _counted(len(repetitions), rows, here, counts))
        totals, met = totals + counts, met + here
    table = pd.DataFrame(found)
    everything = dict.fromkeys(SETTING, np.nan) | {"kind": "all"}
    last = _counted(int(table["reps"].sum()), int(table["rows"].sum()), met, totals)
    return pd.concat([table, pd.DataFrame([everything | last])], ignore_index=True)


def _counted(reps: int, rows: int, met: int, counts: Any) -> dict[str, Any]:
    low, middle, high = np.quantile(counts, PERFECT_QUANTILES)
    found = {"reps": reps, "rows": rows, "measured_met": met}
    found |= {"perfect_low": low, "perfect_median": middle, "perfect_high": high}
    return found | {"perfect_all_ratio": float((counts == rows).mean())}


# ---- the phase of each repetition ----------------------------------------------------------------


def sources(lab: Lab) -> dict[str, str]:
    """Return for each quantity the detection that tells the phase it depends on.

    Without BFD both ends send at the same instants, so A's detection tells the phase of both. With
    BFD each end has a phase of its own. A detection that tells its own phase is no comparison.
    """
    both = bool(lab.bfd_mult) and lab.kind == "silent"
    of_b = "detect_b_ms" if both else "detect_a_ms"
    by_end = {"a": "detect_a_ms", "ab": "detect_a_ms", "b": of_b, "ba": of_b}
    found = {quantity: by_end[quantity.split("_")[1]] for quantity in QUANTITIES}
    return {quantity: source for quantity, source in found.items() if quantity != source}


def phase_rows(seeds: int, folder: Path = DATA) -> pd.DataFrame:
    """Compare what does not hang on the draw: the model with the phase of each repetition.

    The phase is told by the detection of one end; every other column must follow from it. Of the
    seeds the `NEAREST` to each repetition stand against it. Link-down has no phase.
    """
    rows: list[dict[str, Any]] = []
    for lab, repetitions in labs(folder):
        model = simulated(lab, probe_ms(repetitions) / MS_PER_S, seeds)
        known_by = sources(lab) if lab.deaf_ends else dict.fromkeys(QUANTITIES, "")
        for quantity, source in known_by.items():
            seen = repetitions.dropna(subset=[quantity])
            answers = model[quantity].to_numpy()
            if source:
                answers = answers[_nearest(seen[source].to_numpy(), model[source].to_numpy())]
            answers = answers[np.isfinite(answers)]
            least_ms = resolution_ms(quantity, repetitions)
            rows += compare(lab, quantity, seen[quantity].to_numpy(), answers, least_ms)
    return pd.DataFrame(rows)


def _nearest(wanted: Floats, model: Floats) -> Any:
    """Return the runs of the model that are nearest to each repetition, one after the other."""
    distance = np.abs(model[None, :] - wanted[:, None])
    return np.argsort(distance, axis=1, kind="stable")[:, :NEAREST].ravel()


def ages(lab: Lab, times: pd.DataFrame) -> Floats:
    """Return the age of the last message at the fault, in intervals, from what the ends detect."""
    ends = lab.deaf_ends if lab.bfd_mult else lab.deaf_ends[:1]
    columns = [times[f"detect_{end.lower()}_ms"].to_numpy() / MS_PER_S for end in ends]
    if not columns:
        return np.empty(0)
    return (lab.waited_s + DELAY_S[0] - np.concatenate(columns)) / lab.interval_s


def age_rows(seeds: int, folder: Path = DATA) -> pd.DataFrame:
    """Compare the phases of all repetitions, by setting and by detector, with the model's.

    `ks_ratio`: chance of a distance of both distributions as great as this (Kolmogorov, Smirnov);
    `low`, `high`: 95 % interval of the measured mean age, by its own spread.
    """
    found: list[dict[str, Any]] = []
    everything: dict[str, list[tuple[Floats, Floats]]] = {}
    for lab, repetitions in labs(folder):
        known = ages(lab, repetitions)
        if not len(known):
            continue
        model = ages(lab, simulated(lab, probe_ms(repetitions) / MS_PER_S, seeds))
        found.append(asdict(lab) | {"detector": "BFD" if lab.bfd_mult else "BGP"})
        found[-1] |= _aged(known, model)
        everything.setdefault(found[-1]["detector"], []).append((known, model))
    for detector, pairs in everything.items():
        known, model = (np.concatenate(side) for side in zip(*pairs, strict=True))
        line = dict.fromkeys(SETTING, np.nan) | {"kind": "all", "detector": detector}
        found.append(line | _aged(known, model))
    return pd.DataFrame(found)


def _distribution(values: Floats) -> Callable[[Floats], Floats]:
    ordered = np.sort(values)
    return lambda at: np.searchsorted(ordered, at, side="right") / len(ordered)


def _aged(known: Floats, model: Floats) -> dict[str, Any]:
    half = 1.96 * known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
    mean = float(known.mean())
    return {
        "ends": len(known),
        "age_measured": mean,
        "low": mean - half,
        "high": mean + half,
        "age_model": float(model.mean()),
        "ks_ratio": float(stats.ks_1samp(known, _distribution(model)).pvalue),
    }
