"""Tab completes commands and options in the shells that README names."""

import os
import subprocess
import sys

import pytest

from simulator.commands import COMMANDS


def completed(*words: str, shell: str = "bash") -> list[str]:
    """What a shell is offered after these words."""
    line = " ".join(("crossprem", *words))
    environment = os.environ | {
        "_CROSSPREM_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code = "import sys; sys.argv[0] = 'crossprem'; from simulator.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def test_commands_are_completed():
    assert set(COMMANDS) <= set(completed(""))
    assert completed("rep") == ["report"]


def test_options_are_completed():
    assert completed("report", "--gro") == ["--growth"]


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells_are_served(shell):
    assert "report" in " ".join(completed("rep", shell=shell))
