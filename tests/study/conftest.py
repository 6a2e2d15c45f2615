"""A sweep of a few points that take some milliseconds each."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "scenarios" / "base" / "lyon-office.yaml"
SETTINGS = "set: {run: {horizon: 100 ms, warm_up: 20 ms, time_bin: 20 ms, seed: 1}}\n"
RATES = "vary: {traffic.office.rate: {from: 5 Mbit/s, to: 60 Mbit/s, steps: 12}}\n"


@pytest.fixture
def write_design(tmp_path):
    """Return `write(text)`: the file of a design, by default of twelve quick points."""

    def write(text=RATES, name="rates.yaml", settings=SETTINGS):
        file = tmp_path / name
        file.write_text(f"schema_version: 1\nscenario: {BASE}\n{settings}{text}", encoding="utf-8")
        return file

    return write
