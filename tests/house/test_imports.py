"""Start-up stays quick: heavy packages are imported when a run needs them, not before.

What is checked is which modules were imported, never a time: that would depend on the machine.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numba", "llvmlite", "matplotlib", "pandas", "pyarrow", "scipy", "IPython")


def imported_by(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has imported after `code`."""
    report = "import sys; print(); print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


HELP = """
import sys
from simulator.cli import main
sys.argv = ["crossprem", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def test_heavy_packages_would_be_seen():
    assert "numba" in imported_by("import numba")


def test_import_of_the_package():
    assert not imported_by("import simulator; simulator.__version__").intersection(HEAVY)


def test_reading_and_planning_load_no_compiler():
    found = imported_by("import simulator.planner, simulator.scenario")
    assert not found.intersection({"numba", "llvmlite", "matplotlib", "pandas"})


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_of_the_command(arguments):
    assert not imported_by(HELP.format(arguments=arguments)).intersection(HEAVY)


@pytest.mark.parametrize(
    "first", ["import simulator.run", "import simulator", "import simulator.cli"]
)
def test_run_is_the_function_whatever_was_imported_before(first):
    imported_by(f"{first}\nfrom simulator import run\nassert run.__name__ == 'run', run")


def test_unknown_name_is_an_attribute_error():
    imported_by(
        "import simulator\n"
        "try:\n    simulator.walk\n"
        "except AttributeError as error:\n    assert 'walk' in str(error)\n"
        "else:\n    raise SystemExit('no error')"
    )
