"""The fitted latency of a gateway against the published percentiles of a round trip."""

import numpy as np
import pytest

from simulator.base.quantiles import lognormal_table
from simulator.catalog import load_catalog

BASE_S = 0.0053
"""Median round trip of the same path without gateways (V061)."""
TRAVERSALS = 4
PROBES = 200_000


def round_trip_percentiles_s(sku: str, *percents: float) -> np.ndarray:
    found = load_catalog().gateway_latency(sku)
    table = lognormal_table(found.median_s, found.sigma)
    at = np.random.default_rng(3).random((PROBES, TRAVERSALS)) * (len(table) - 1)
    values_s = np.interp(at, np.arange(len(table)), table)
    return np.percentile(BASE_S + values_s.sum(axis=1), percents)


@pytest.mark.parametrize(
    ("sku", "percent", "low_s", "high_s"),
    [
        ("VpnGw2AZ", 50, 0.00616, 0.00619),  # V054
        ("VpnGw2AZ", 90, 0.0072, 0.0072),  # V055
        ("VpnGw2AZ", 99, 0.0139, 0.0155),  # V056
        ("VpnGw2AZ", 99.9, 0.0227, 0.0543),  # V057
        ("VpnGw4AZ", 50, 0.00584, 0.00590),  # V067
        ("VpnGw4AZ", 99, 0.0081, 0.0081),  # V068
    ],
)
def test_percentile(sku, percent, low_s, high_s):
    (found_s,) = round_trip_percentiles_s(sku, percent)
    assert low_s / 1.10 <= found_s <= high_s * 1.10
