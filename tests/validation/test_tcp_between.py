"""TCP between and beyond the measured cells: no jump, nothing above capacity, nothing at rest."""

from itertools import pairwise

import numpy as np
import pytest

from tests.validation.tcp_path import FRAME_BYTES, MSS_BYTES
from tests.validation.validate_tcp import run_steady, steady_case, switched

RATE_MBIT = 40
BEST_MBPS = RATE_MBIT * MSS_BYTES / FRAME_BYTES
WARM_S, WINDOW_S, SEEDS = 8.0, 12.0, 3
BASE = {"loss": 1e-3, "rtt_ms": 30.0, "flows": 4, "bdp": 1.0}
AXES = {
    "loss": (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2),
    "rtt_ms": (1.0, 5.0, 10.0, 30.0, 50.0, 110.0, 220.0, 300.0),
    "flows": (1, 3, 10, 30, 100),
    "bdp": (0.25, 0.5, 1.0, 2.0, 4.0),
}
NOISE_RATIO = 0.2
"""How far the mean of few seeds may lie beyond both of its neighbours."""


def goodput_mbps(control, loss, rtt_ms, flows, bdp):
    queue_bytes = bdp * RATE_MBIT * 1e6 * rtt_ms / 8e3
    cell = (control, RATE_MBIT, rtt_ms, loss, queue_bytes, flows)
    warm_s = WARM_S + flows * rtt_ms / 1e3
    return np.mean(
        [
            run_steady(
                steady_case(cell, 1, seed, switched(control, {})), warm_s, WINDOW_S
            ).goodput_mbps
            for seed in range(SEEDS)
        ]
    )


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("control", ["cubic", "reno", "bbr"])
def test_goodput_goes_smoothly_along_every_parameter(control, axis):
    found = [goodput_mbps(control, **(BASE | {axis: value})) for value in AXES[axis]]
    # Data that waited behind a hole may be read in the window though it came before it.
    assert max(found) <= 1.03 * BEST_MBPS
    assert min(found) > 0.02 * BEST_MBPS
    for before, here, after in zip(found, found[1:], found[2:], strict=False):
        low, high = sorted((before, after))
        assert low * (1 - NOISE_RATIO) <= here <= high * (1 + NOISE_RATIO), np.round(found, 1)
    if control != "bbr" and axis == "loss":
        assert all(a >= b * (1 - NOISE_RATIO) for a, b in pairwise(found))
