"""Templates become scenarios that load; the doctor names what is broken and how to mend it."""

import json
from pathlib import Path

import pytest

from simulator import cli, doctor, load, templates
from simulator.base.errors import ExitCode

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


@pytest.mark.parametrize("name", sorted(path.stem for path in SCENARIOS.glob("*.yaml")))
def test_every_template_is_written_with_what_it_needs(name, tmp_path):
    files = templates.write(name, tmp_path / "mine.yaml")
    assert files[0] == tmp_path / "mine.yaml"
    assert all(path.is_relative_to(tmp_path) for path in files)
    assert "$schema=scenario-v1.json" in files[0].read_text(encoding="utf-8").splitlines()[0]
    assert load(files[0]).content_hash() == load(SCENARIOS / f"{name}.yaml").content_hash()


def test_init_lists_and_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.execute(["init"]) == 0
    assert "coexistence" in capsys.readouterr().out
    assert cli.execute(["init", "--template", "site-to-site"]) == 0
    assert "crossprem run site-to-site.yaml" in capsys.readouterr().out
    assert cli.execute(["validate", "site-to-site.yaml"]) == 0


def test_init_overwrites_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("site-to-site.yaml").write_text("mine", encoding="utf-8")
    assert cli.execute(["init", "-t", "site-to-site"]) == ExitCode.USAGE
    assert "exists already" in capsys.readouterr().err
    assert Path("site-to-site.yaml").read_text(encoding="utf-8") == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["site-to-site.yaml"]


def test_an_unknown_template_has_a_nearest_name(capsys):
    assert cli.execute(["init", "-t", "site-to-sit"]) == ExitCode.USAGE
    assert "did you mean 'site-to-site'" in capsys.readouterr().err


def test_the_doctor_finds_this_installation_well(capsys):
    assert cli.execute(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["is_ok"]
    assert {"Python", "numba", "kernel cache", "font", "disk"} <= {
        c["check"] for c in found["checks"]
    }


def test_the_doctor_names_a_package_that_is_missing_or_old(monkeypatch, capsys):
    versions = {"simpy": "3.0.1"}

    def version(name):
        if name == "numba":
            raise doctor.PackageNotFoundError
        return versions.get(name, "99.0")

    monkeypatch.setattr(doctor, "version", version)
    assert cli.execute(["doctor"]) == ExitCode.INTERNAL
    printed = capsys.readouterr().out
    assert "numba: pip install 'numba>=" in printed
    assert "simpy: pip install 'simpy>=" in printed


def test_the_doctor_warns_of_a_full_disk(monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(10, 10, 10**6))
    found = {row.check: row for row in doctor.findings()}
    assert found["disk"].status == "warning"
    assert "free some space" in found["disk"].remedy
