"""Cost of ESP per packet with OpenSSL: the linear form fits every measured cipher suite."""

import csv
from pathlib import Path

import pytest

from kernels.crypto import LinearFit, fit_linear, service_from_linear, service_ps
from kernels.layout import PER_BYTE_SHIFT
from kernels.units import PS_PER_NS

DATA = Path(__file__).parent / "data" / "crypto_cost.csv"
DIRECTIONS = ("encrypt", "decrypt")

RESIDUAL_RATIO_BOUNDS = {
    # Wide registers serve long payloads: the cost per byte falls in steps near 512 bytes, so a
    # straight line is off by more than the noise of the measurement.
    "aes-128-gcm": 0.13,
    "aes-256-gcm": 0.12,
    "chacha20-poly1305": 0.14,
    # One block after another: straight within the noise.
    "aes-128-cbc+hmac-sha1": 0.10,
    "aes-128-cbc+hmac-sha256": 0.10,
    "aes-256-cbc+hmac-sha256": 0.10,
    "3des-cbc+hmac-sha1": 0.07,
    "3des-cbc+hmac-sha256": 0.07,
    "null+hmac-sha256": 0.06,
}
"""Largest relative distance of any measured size from the fitted line."""


def _points() -> dict[tuple[str, str], tuple[list[int], list[float]]]:
    points: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
    with DATA.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sizes, costs = points.setdefault((row["suite"], row["dir"]), ([], []))
            sizes.append(int(row["bytes"]))
            costs.append(float(row["ns_min"]))
    return points


POINTS = _points()
FITS: dict[tuple[str, str], LinearFit] = {key: fit_linear(*pair) for key, pair in POINTS.items()}


def test_every_suite_was_measured_in_both_directions():
    assert set(POINTS) == {(suite, way) for suite in RESIDUAL_RATIO_BOUNDS for way in DIRECTIONS}
    assert all(len(sizes) == len(set(sizes)) == 12 for sizes, _ in POINTS.values())


@pytest.mark.parametrize("suite", sorted(RESIDUAL_RATIO_BOUNDS))
def test_line_stays_within_the_stated_distance(suite):
    for way in DIRECTIONS:
        assert FITS[suite, way].residual_ratio_max < RESIDUAL_RATIO_BOUNDS[suite], way


@pytest.mark.parametrize("key", sorted(POINTS))
def test_integer_service_time_is_the_fitted_line(key):
    fit = FITS[key]
    cost = service_from_linear(fit.per_packet_ns, fit.per_byte_ns)
    for size in POINTS[key][0]:
        line_ps = (fit.per_packet_ns + fit.per_byte_ns * size) * PS_PER_NS
        rounding_ps = 1.5 + size / (1 << PER_BYTE_SHIFT)
        assert abs(service_ps(size, *cost) - line_ps) <= rounding_ps


def test_order_of_the_ciphers_is_the_published_one():
    def cost_ns(suite: str, size: int) -> float:
        fit = FITS[suite, "encrypt"]
        return fit.per_packet_ns + fit.per_byte_ns * size

    gcm, cbc, triple_des = (
        cost_ns(suite, 1_400)
        for suite in ("aes-256-gcm", "aes-256-cbc+hmac-sha256", "3des-cbc+hmac-sha256")
    )
    assert gcm < cbc < triple_des
    assert triple_des > 10 * cbc
