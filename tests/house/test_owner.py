"""Another package named `kernels` is told apart, whether it can be imported or not."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from simulator.base.errors import ForeignPackageError
from simulator.base.owner import OWNER, check_kernels_owner

ROOT = Path(__file__).resolve().parents[2]


def test_our_own_package_passes():
    check_kernels_owner()


@pytest.mark.parametrize("mark", [None, "somebody-else"])
def test_foreign_package_is_named_with_its_place(monkeypatch, mark):
    foreign = ModuleType("kernels")
    foreign.__file__ = "site-packages/kernels/__init__.py"
    if mark is not None:
        foreign.OWNER = mark
    monkeypatch.setitem(sys.modules, "kernels", foreign)
    with pytest.raises(ForeignPackageError, match=rf"{foreign.__file__} is not the one of {OWNER}"):
        check_kernels_owner()


def test_foreign_package_in_front_stops_the_first_use(tmp_path):
    foreign = tmp_path / "kernels"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("raise RuntimeError('needs a GPU')")
    done = subprocess.run(
        [sys.executable, "-c", "from simulator import load"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    last_line = done.stderr.splitlines()[-1]
    assert "ForeignPackageError: package `kernels` cannot be imported" in last_line
    assert "needs a GPU" in last_line
    assert "virtual environment of its own" in last_line
