"""Bounds-check job: with `NUMBA_BOUNDSCHECK=1` a run reads nothing out of range.

A process of its own, with a cache folder of its own. That the check is in force is shown by a
read that must fail.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
    import numpy as np
    from tests.kernels.networks import data_plane, play, random_case
    from tests.kernels.test_plain_python import everything

    for room in ({}, {"ring": 2, "inbox": 1}):
        for case in (everything(), *map(random_case, range(40))):
            play(case, data_plane(case.plan, **room))
    print("no read out of range")

    plane = data_plane(everything().plan)
    plane.source["step"] = 1_000_000  # far behind the last step of any route
    try:
        plane.advance(plane.plan.horizon_ps)
    except IndexError:
        print("and one would be seen")
"""


@pytest.mark.boundscheck
@pytest.mark.slow
def test_kernels_stay_within_their_arrays():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE)],
        env=os.environ | {"NUMBA_BOUNDSCHECK": "1", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["no read out of range", "and one would be seen"]
