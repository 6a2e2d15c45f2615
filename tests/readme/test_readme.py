"""What README shows is what happens."""

import re
from pathlib import Path

import pytest

from simulator import cli, load

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    (example,) = blocks("python")
    assert len([line for line in example.splitlines() if line]) <= 10
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})
    out = capsys.readouterr().out
    assert "goodput_bps" in out
    assert "dpd-timeout" in out
    assert (tmp_path / "throughput.svg").stat().st_size > 10_000


def test_the_scenario_is_valid():
    (text,) = blocks("yaml")
    assert load(text).targets.outage == 15.0


def test_every_command_exists(capsys):
    shown = set(re.findall(r"^    crossprem ([a-z]+)", README, re.MULTILINE))
    assert shown == {"run", "explain", "validate", "catalog", "schema"}
    for name in shown:
        assert cli.execute([name, "--help"]) == 0


def test_every_option_exists(capsys):
    cli.execute(["run", "--help"])
    known = capsys.readouterr().out
    for option in set(re.findall(r"`(--[a-z]+)", README)):
        assert option in known


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(target):
    assert (ROOT / target).exists(), target


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make ([a-z]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
