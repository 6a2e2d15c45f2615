"""The routers' data for the page: rows with verdicts, and distributions to draw."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from tests.validation.reasons import MET, OFF
from tests.validation.validate_bgp import MS_PER_S, bgp_rows, labs, simulated

SEEDS, POOLED_SEEDS = 2_000, 400
CURVE_SEEDS = 200
CURVES = ("detect_a_ms", "detect_b_ms", "outage_ab_ms", "outage_ba_ms")
PROBABILITIES = np.linspace(0.01, 0.99, 50)
BY_CHANCE = "within chance"


def router_rows() -> pd.DataFrame:
    """Compare every timer setting, with the verdict and the reason of each row."""
    rows = bgp_rows(SEEDS)
    verdicts = np.select([rows["is_met"], ~rows["is_off"]], [MET, BY_CHANCE], OFF)
    reasons = [
        ""
        if row.is_met
        else f"{row.reps} repetitions: so many draws of the model itself are as far off in "
        f"{100 * row.chance_ratio:.0f} % of the cases"
        for row in rows.itertuples()
    ]
    return rows.assign(verdict=verdicts, reason=reasons)


def router_curves() -> pd.DataFrame:
    """Return the distributions of detection and outage, measured and simulated, in long form.

    `probability` is the share at or below `ms`: of the repetitions, or of the model's seeds.
    """
    found = []
    for lab, repetitions in labs():
        model = simulated(lab, float(repetitions["probe_ms"].iloc[0]) / MS_PER_S, CURVE_SEEDS)
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
