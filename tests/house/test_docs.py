"""What the documentation names exists: files, modules, commands with their options, targets."""

import importlib
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
import typer

from simulator.cli import app
from simulator.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
LISTING = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT, capture_output=True, check=True, text=True,
).stdout  # fmt: skip
FILES = [name for name in LISTING.split("\0") if name and (ROOT / name).is_file()]
TOP = {name.partition("/")[0] for name in FILES}

#: The change log tells of what was; the page of validation is written from a template, whose links
#: start where the page stands.
PAGES = [name for name in FILES if name.endswith(".md") and name != "CHANGELOG.md"]
TEMPLATES = {"tests/validation/page.md": "docs"}

#: Names of programs of others that look like sources.
PROGRAMS = {"ns.py"}

LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
INLINE = re.compile(r"`([^`\n]+)`")
FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^ {4}\S.*$", re.MULTILINE)
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
SOURCE = re.compile(r"\w+\.py")
DOTTED = re.compile(r"(?:simulator|kernels)(?:\.\w+)+")
CALL = re.compile(r"\b(crossprem|make) +([a-z][\w-]*)([^|>;&]*)")
OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def code_in(text: str) -> Iterator[str]:
    """Yield what is set as code: words in a line, blocks line by line."""
    for block in FENCED.findall(text):
        yield from block.splitlines()
    rest = FENCED.sub("", text)
    yield from INDENTED.findall(rest)
    yield from INLINE.findall(rest)


def missing_links(page: str, text: str) -> list[str]:
    folder = ROOT / TEMPLATES.get(page, str(PurePosixPath(page).parent))
    return [
        link for link in LINK.findall(text) if "://" not in link and not (folder / link).exists()
    ]


def missing_files(text: str) -> list[str]:
    """Paths from the top of the tree and names of sources; others may be what a run leaves."""
    found = []
    for code in INLINE.findall(FENCED.sub("", text)):
        path = code.partition("::")[0]
        if not PATH.fullmatch(path):
            continue
        if "/" in path and path.partition("/")[0] in TOP:
            found += [] if any(ROOT.glob(path.rstrip("/"))) else [path]
        elif SOURCE.fullmatch(path) and path not in PROGRAMS:
            found += [] if any(f"/{name}".endswith(f"/{path}") for name in FILES) else [path]
    return found


def exists(name: str) -> bool:
    """Whether a dotted name leads to a module, or to what it or one of its classes holds."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            holder = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(holder, part):
                return part in getattr(holder, "__annotations__", {})
            holder = getattr(holder, part)
        return True
    return False


def missing_names(text: str) -> list[str]:
    return [name for code in code_in(text) for name in DOTTED.findall(code) if not exists(name)]


@cache
def options_of(command: str) -> set[str]:
    context = typer.main.get_command(app).make_context("crossprem", [], resilient_parsing=True)
    found = typer.main.get_command(app).get_command(context, command)
    parameters = found.get_params(context)
    return {option for one in parameters for option in (*one.opts, *one.secondary_opts)}


TARGETS = set(re.findall(r"^([a-z][\w-]*):", text_of("Makefile"), re.MULTILINE))


def wrong_commands(text: str) -> list[str]:
    found = []
    for program, word, rest in (call for code in code_in(text) for call in CALL.findall(code)):
        if program == "make":
            found += [] if word in TARGETS else [f"make {word}"]
        elif word not in COMMANDS:
            found.append(f"crossprem {word}")
        else:
            known = {"-h", "--help", *options_of(word)}
            found += [f"crossprem {word} {one}" for one in OPTION.findall(rest) if one not in known]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_exists(page):
    text = text_of(page)
    found = [
        *missing_links(page, text),
        *missing_files(text),
        *missing_names(text),
        *wrong_commands(text),
    ]
    assert not found, found


def test_what_does_not_exist_is_found():
    text = """
[page](no-page.md) [tree](../tree) `simulator/no_file.py`, `no_source.py` and `simulator.no_name`

    crossprem fly --seed 7
    crossprem run --fly FILE | tail -2
    make coffee

`docs/models/`, `tests/house/test_docs.py::PAGES`, `simulator.Plan.describe`, `runs/x/summary.json`
"""
    assert missing_links("docs/page.md", text) == ["no-page.md", "../tree"]
    assert missing_files(text) == ["simulator/no_file.py", "no_source.py"]
    assert missing_names(text) == ["simulator.no_name"]
    assert wrong_commands(text) == ["crossprem fly", "crossprem run --fly", "make coffee"]
