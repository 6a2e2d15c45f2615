"""Points that end, starve or block their worker are named, and the rest finishes."""

import ctypes
import os
import resource
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.study import sweep, worker
from tests.study.conftest import RATES
from tests.study.test_sweep import forked

assert forked is not None  # a fixture that this module uses, too
SOME_BYTES = 2**30


def leave():
    os._exit(3)


def starve():
    used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used_bytes + SOME_BYTES, resource.RLIM_INFINITY))
    try:
        np.ones(8 * SOME_BYTES, np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def block():
    # A call that keeps the lock of the interpreter, as compiled code does.
    ctypes.PyDLL(None).usleep(20_000_000)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and memory of Linux")
def test_points_that_exit_starve_or_block_are_named_and_the_rest_finishes(
    forked, write_design, tmp_path
):
    evil = {"5 Mbit/s": leave, "10 Mbit/s": sys.exit, "15 Mbit/s": starve, "20 Mbit/s": block}
    build = worker.build

    def spoilt(tree, name, overrides):
        evil.get(overrides["traffic.office.rate"], int)()
        return build(tree, name, overrides)

    forked.setattr(worker, "build", spoilt)
    forked.setattr(worker, "HANG_S", 0.2)
    forked.setattr(sweep, "DEATHS_MAX", 2)
    file = write_design(RATES + "timeout: 400 ms\n")
    found = sweep.sweep(file, tmp_path / "out", workers=2)
    errors = dict(found.failed[["traffic.office.rate", "error"]].itertuples(index=False))
    assert errors == {
        "5 Mbit/s": "its worker ended 2 times without an answer",
        "10 Mbit/s": "SystemExit: None",
        "15 Mbit/s": "MemoryError: the machine has too little memory",
        "20 Mbit/s": "its worker ended 2 times without an answer",
    }
    assert found.table["point"].nunique() == 12
    forked.undo()
    again = sweep.sweep(file, tmp_path / "out", workers=2, resume=True)
    assert (again.kept_count, again.failed_count) == (8, 0)
