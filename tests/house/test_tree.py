"""The repository keeps its own rules: words, names, places, pins and floors."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("simulator", "kernels")
TEXT_SUFFIXES = {
    "", ".cfg", ".css", ".csv", ".html", ".ini", ".j2", ".json", ".md", ".py", ".sh", ".svg",
    ".toml", ".txt", ".yaml", ".yml",
}  # fmt: skip


def tracked_files() -> list[Path]:
    """Return what git tracks, and what it would track: everything that is not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    paths = (ROOT / name.decode() for name in listing.split(b"\0") if name)
    return sorted(path for path in paths if path.is_file() and path != Path(__file__))


FILES = tracked_files()
SOURCES = [
    path for path in FILES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES
]
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in SOURCES}


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def lines_with(pattern: str, paths: list[Path]) -> list[str]:
    expression = re.compile(pattern)
    return [
        f"{place(path, number)}: {line.strip()[:120]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if expression.search(line)
    ]


def test_the_tree_was_found():
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(PACKAGES)


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"\b(FIXME|TODO|XXX)\b", "do it, or leave it out"),
        (r"fastmath\s*=\s*True", "results would depend on the processor"),
        (r"\b(np|numpy)\.random\.(seed|rand|randn|random|randint|choice)\b", "keys and counters"),
        (r"^\s*import pdb|\bbreakpoint\(\)", "remove it"),
    ],
)
def test_words_that_no_python_file_may_hold(pattern, instead):
    found = lines_with(pattern, [path for path in FILES if path.suffix == ".py"])
    assert not found, "\n".join([f"{instead}:", *found])


def test_only_the_command_prints():
    found = [
        place(path, node.lineno)
        for path, tree in TREES.items()
        if "cli" not in (path.stem, path.parent.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not found, found


@pytest.mark.parametrize(
    "pattern",
    [
        r"(^|[\s\"'(=:])/(work|farm|tmp|root|home|opt|mnt)/\w",
        r"(pypi|pythonhosted|anaconda|conda-forge)\.(org|io|com)",
        r"--(extra-)?index-url|--find-links|https?://\S+\.(whl|tar\.gz|tgz|zip|deb)\b",
    ],
    ids=["a path of one machine", "a package registry", "a download address"],
)
def test_no_file_holds(pattern):
    found = lines_with(pattern, [path for path in FILES if path.suffix in TEXT_SUFFIXES])
    assert not found, "\n".join(found)


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield each name that a source defines: parameters, variables, fields, dtype fields."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.Tuple(elts=[ast.Constant(value=str(name)), ast.Attribute(), *_]):
                yield name, node.lineno


def interface(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield what the caller of a kernel sees: parameters, fields of records and of tuples."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.Tuple(elts=[ast.Constant(value=str(name)), ast.Attribute(), *_]):
                yield name, node.lineno
            case ast.ClassDef(body=body):
                for statement in body:
                    if isinstance(statement, ast.AnnAssign):
                        yield ast.unparse(statement.target), statement.lineno


FOREIGN_UNIT = re.compile(
    r"_(ms|msec|us|usec|nsec|sec|secs|seconds|minutes|hours|days|[kmg]bps|[kmg]bit|[kmg]b"
    r"|[kmg]ib|kbytes|pct|percent)(_|$)"
)
BARE_DIMENSION = re.compile(
    r"(^|_)(time|delay|latency|duration|interval|timeout|rate|capacity|bandwidth|speed|throughput"
    r"|goodput|wait|rtt)$"
)


def test_names_use_the_units_of_the_house():
    # s, ps, bytes, bps, pps, ratio: no other unit, whatever the number it holds.
    found = [
        f"{place(path, line)}: {name}"
        for path, tree in TREES.items()
        for name, line in identifiers(tree)
        if FOREIGN_UNIT.search(name.lower())
    ]
    assert not found, "\n".join(found)


def test_kernels_name_the_unit_of_each_quantity():
    found = [
        f"{place(path, line)}: {name}"
        for path, tree in TREES.items()
        if path.relative_to(ROOT).parts[0] == "kernels"
        for name, line in interface(tree)
        if BARE_DIMENSION.search(name)
    ]
    assert not found, "\n".join(found)


def eights(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that multiply or divide a named quantity of bits or bytes by 8."""
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.stmt) or hasattr(statement, "body"):
            continue
        if not re.search(r"bytes|bits|bps", ast.unparse(statement), re.IGNORECASE):
            continue
        for node in ast.walk(statement):
            match node:
                case ast.BinOp(ast.Constant(value=8), ast.Mult(), other) | ast.BinOp(
                    other, ast.Mult() | ast.Div() | ast.FloorDiv(), ast.Constant(value=8)
                ) if any(isinstance(part, ast.Name) for part in ast.walk(other)):
                    yield node.lineno


def test_bits_and_bytes_meet_in_one_constant():
    assert list(eights(ast.parse("rate_bps = 8 * size_bytes / duration_s"))) == [1]
    found = [place(path, line) for path, tree in TREES.items() for line in eights(tree)]
    assert not found, found


def test_kernels_import_numpy_and_numba_only():
    allowed = {"numpy", "numba", "llvmlite", "kernels"} | sys.stdlib_module_names
    found = []
    for path, tree in TREES.items():
        if path.relative_to(ROOT).parts[0] != "kernels":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "kernels"]
            else:
                continue
            found += [
                f"{place(path, node.lineno)}: {name}"
                for name in names
                if name.split(".")[0] not in allowed
            ]
    assert not found, "\n".join(found)


def test_every_room_has_a_floor():
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (floors,) = (c["layers"] for c in contracts if c["type"] == "layers")
    on_a_floor = set(re.findall(r"simulator\.(\w+)", " ".join(floors)))
    rooms = {
        path.relative_to(ROOT).with_suffix("").parts[1]
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == "simulator"
    }
    assert rooms - {"__init__", "__main__"} <= on_a_floor


# --- pins -------------------------------------------------------------------------------------

PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)")


def pins(file_name: str) -> dict[str, str]:
    """Return version by canonical name; every line must be a pin, a comment or another file."""
    found: dict[str, str] = {}
    for line in (ROOT / file_name).read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("-r "):
            found |= pins(line.removeprefix("-r "))
            continue
        match = PIN.fullmatch(line)
        assert match, f"{file_name}: {line!r} is no pin of the form name==version"
        name = canonicalize_name(match["name"])
        assert name not in found, f"{file_name}: {name} is pinned twice"
        found[name] = match["version"]
    return found


def needed(requirements: list[str]) -> set[str]:
    """Return the canonical names of all packages that are needed, dependencies included."""
    seen: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name in seen:
            continue
        seen.add(name)
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement)
    return seen


RUN = PROJECT["project"]["dependencies"]
OF_EXTRA = PROJECT["project"]["optional-dependencies"]
BUILD = PROJECT["build-system"]["requires"]
ALL = [*RUN, *BUILD, *itertools.chain.from_iterable(OF_EXTRA.values())]
# A browser is not needed for the other checks: its packages are pinned in a file of their own.
DEV = [text for text in ALL if text not in OF_EXTRA["browser"]]


@pytest.mark.parametrize(
    ("file_name", "requirements"),
    [
        ("requirements.txt", RUN),
        ("requirements-dev.txt", DEV),
        pytest.param("requirements-browser.txt", ALL, marks=pytest.mark.browser),
    ],
)
def test_pins_are_complete_and_none_is_idle(file_name, requirements):
    assert set(pins(file_name)) == needed(requirements)


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    imported: set[str] = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
            elif isinstance(node, ast.keyword) and node.arg == "engine":
                # pandas imports the writer of a workbook by the name that it is given.
                imported |= {text for text in [ast.literal_eval(node.value)] if text}
    by_module = packages_distributions()
    foreign = imported - set(PACKAGES) - sys.stdlib_module_names
    used = {canonicalize_name(name) for module in foreign for name in by_module[module]}
    optional = itertools.chain(*(OF_EXTRA[extra] for extra in ("cluster", "sql")))
    declared = {canonicalize_name(Requirement(text).name) for text in (*RUN, *optional)}
    # Numba brings llvmlite, pydantic its core, Jinja2 its markup, each in the version it needs.
    assert used - {"llvmlite", "markupsafe", "pydantic-core"} == declared


def test_pins_meet_the_lower_bounds():
    pinned = pins("requirements-browser.txt")
    for text in ALL:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text
