"""The routers' data for the page: rows with verdicts, and distributions to draw."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from tests.validation.measurements import DATA
from tests.validation.reasons import MET, OFF
from tests.validation.router_lab import MS_PER_S, simulated
from tests.validation.validate_bgp import (
    age_rows,
    bgp_rows,
    labs,
    perfect_rows,
    phase_rows,
    probe_ms,
)

SEEDS = 2_000
"""Runs of the model for each setting; those of the short tests are fewer."""
CURVES = ("detect_a_ms", "detect_b_ms", "outage_ab_ms", "outage_ba_ms")
PROBABILITIES = np.linspace(0.01, 0.99, 50)
BY_CHANCE = "within chance"


def router_rows(folder: Path = DATA) -> pd.DataFrame:
    """Compare every timer setting, with the verdict and the reason of each row."""
    rows = bgp_rows(SEEDS, folder=folder)
    verdicts = np.select([rows["is_met"], ~rows["is_off"]], [MET, BY_CHANCE], OFF)
    reasons = [
        ""
        if row.is_met
        else f"{row.reps} repetitions: so many draws of the model itself are as far off in "
        f"{100 * row.chance_ratio:.2g} % of the cases"
        for row in rows.itertuples()
    ]
    return rows.assign(verdict=verdicts, reason=reasons)


def router_perfect(folder: Path = DATA) -> pd.DataFrame:
    """Count what routers would meet that are the model itself."""
    return perfect_rows(SEEDS, folder)


def router_phases(folder: Path = DATA) -> pd.DataFrame:
    """Compare with the phase of each repetition, with the verdict of each row."""
    rows = phase_rows(SEEDS, folder)
    return rows.assign(verdict=np.where(rows["is_met"], MET, OFF))


def router_ages(folder: Path = DATA) -> pd.DataFrame:
    """Compare the phases themselves."""
    return age_rows(SEEDS, folder)


def router_curves(folder: Path = DATA) -> pd.DataFrame:
    """Return the distributions of detection and outage, measured and simulated, in long form.

    `probability` is the share at or below `ms`: of the repetitions, or of the model's seeds.
    """
    found = []
    for lab, repetitions in labs(folder):
        model = simulated(lab, probe_ms(repetitions) / MS_PER_S, SEEDS)
        for quantity in CURVES:
            known = np.sort(repetitions[quantity].dropna().to_numpy())
            answer = model[quantity].dropna().to_numpy()
            if len(known) == 0 or len(answer) == 0:
                continue
            names = asdict(lab) | {"quantity": quantity}
            share = (np.arange(len(known)) + 0.5) / len(known)
            found.append(
                pd.DataFrame(names | {"of": "measured", "probability": share, "ms": known})
            )
            quantiles = np.quantile(answer, PROBABILITIES)
            found.append(
                pd.DataFrame(names | {"of": "model", "probability": PROBABILITIES, "ms": quantiles})
            )
    return pd.concat(found, ignore_index=True)
