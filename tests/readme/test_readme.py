"""What README shows is what happens."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from simulator import cli, load
from simulator.base.errors import ExitCode
from simulator.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

#: What keeps a command short that would run for its own good.
SHORTER = {
    "compare": ["--set", "run.horizon=10 s", "--set", "faults=[]", "--replications", "2"],
    "whatif": ["--horizon", "20 s", "--lasting", "2 s"],
}


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


def commands() -> list[list[str]]:
    """Every command line of README in its order; `make demo` is what its recipe runs."""
    found = []
    for program, line in re.findall(r"^    (crossprem|make) (.*)$", README, re.MULTILINE):
        words = shlex.split(line, comments=True)
        found.append(demo() if program == "make" and words == ["demo"] else words)
    return found


def demo() -> list[str]:
    (recipe,) = re.findall(r"^demo:.*\n\t@\$\(BIN\)/crossprem (.*)$", MAKEFILE, re.MULTILINE)
    (default,) = re.findall(r"^FILE +\?= (.*)$", MAKEFILE, re.MULTILINE)
    return shlex.split(recipe.replace("$(FILE)", default))


def expanded(words: list[str]) -> list[str]:
    """What the shell makes of names with a star."""
    return [str(p) for w in words for p in (sorted(Path().glob(w)) if "*" in w else [w])]


def test_every_command_is_shown():
    assert {words[0] for words in commands()} == set(COMMANDS)


@pytest.mark.slow
def test_every_command_runs(tmp_path, monkeypatch, capsys):
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    monkeypatch.chdir(tmp_path)
    for words in commands():
        if words[0] == "sweep":
            # Half a minute of work, which `tests/study` does; here only that the design is read and
            # the place looked at: a folder of somebody else is refused.
            Path("taken").mkdir()
            Path("taken/thesis.doc").touch()
            assert cli.execute([*words, "--resume", "--out", "taken"]) == ExitCode.USAGE, words
            assert "holds files that are not of a sweep" in capsys.readouterr().err
            continue
        more = SHORTER.get(words[0], [])
        assert cli.execute([*expanded(words), *more]) == 0, words
    assert Path("report.html").stat().st_size > 100_000
    assert Path("skus.html").stat().st_size > 20_000
    assert (Path("runs") / "first" / "summary.json").exists()


def test_every_option_exists(capsys):
    cli.execute(["run", "--help"])
    known = capsys.readouterr().out
    for option in set(re.findall(r"`(--[a-z]+)", README)):
        assert option in known, option


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(target):
    assert (ROOT / target).exists(), target


def test_make_targets_exist():
    for target in re.findall(r"(?:^    |`)make ([a-z]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_the_environment_that_readme_enters_has_the_command():
    (line,) = re.findall(r"^    \. \.venv/(\S+)", README, re.MULTILINE)
    assert (Path(sys.prefix) / line).exists()
    assert (Path(sys.prefix) / "bin" / "crossprem").exists()
