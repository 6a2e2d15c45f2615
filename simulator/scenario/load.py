"""From a file, text or dict to a checked scenario: read, extend, override, copy, fill in, check."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from simulator.base.errors import Problem, ScenarioError, UsageError, did_you_mean
from simulator.base.fields import use_lookup
from simulator.catalog import Catalog, load_catalog
from simulator.scenario import checks, copies, rate_files, rate_tables, rules, site_tables
from simulator.scenario.model import ERAS, Scenario
from simulator.scenario.parts import Parts
from simulator.scenario.problems import from_pydantic
from simulator.scenario.shape import Shape
from simulator.scenario.source import Mark, Source, TreePath, copied, dotted, from_mapping
from simulator.scenario.text import decode, display_name, read_file, read_stdin
from simulator.scenario.yaml_reader import core_scalar, read_yaml

Given: TypeAlias = str | os.PathLike[str] | bytes | Mapping[str, Any]

EXTENDS_MAX = 10


def load(source: Given, set: Mapping[str, Any] | None = None) -> Scenario:  # noqa: A002 - as `--set`
    """Read and check a scenario.

    Parameters
    ----------
    source
        A path, `-` for standard input, YAML text (it has a line break or `: `), its UTF-8 bytes,
        or a dict of the same shape.
    set
        Values to put in place of those in the file, by dotted path, like `--set` on the command
        line: `{"gateways.hub-vpn.sku": "VpnGw2AZ"}`. Text is read as YAML would read it.

    Returns
    -------
    Scenario
        Frozen; every default filled in, names as written, quantities in SI units.

    Raises
    ------
    ScenarioError
        If anything in it is wrong; it holds all problems, each with its place.
    UsageError
        If the file cannot be read.
    """
    written, name = read(source)
    return build(written, name, set or {})


def read(source: Given) -> tuple[Source, str]:
    """The tree of a source with what it extends merged in, and the scenario's short name."""
    if isinstance(source, Mapping):
        return _extended(from_mapping(source), Path(), ()), "scenario"
    if isinstance(source, bytes):
        text = decode(source, "<text>")
        return _extended(read_yaml(text, "<text>"), Path(), ()), "scenario"
    if isinstance(source, str) and source == "-":
        text = read_stdin()
        return _extended(read_yaml(text, "<stdin>"), Path(), ()), "scenario"
    if isinstance(source, str) and ("\n" in source or ": " in source):
        return read(source.encode("utf-8", "surrogatepass"))
    path = Path(source)
    return _read_path(path, ()), re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem) or "scenario"


def _read_path(path: Path, above: tuple[Path, ...]) -> Source:
    file = display_name(path)
    tree = read_yaml(read_file(path), file)
    return _extended(tree, path.parent, (*above, path.resolve()))


def _extended(tree: Source, folder: Path, above: tuple[Path, ...]) -> Source:
    """The tree laid over the base that its `extends` names, if any."""
    if not isinstance(tree.data, dict):
        rule = "a scenario is a map of fields"
        raise ScenarioError([tree.problem((), rule, "start with schema_version: 1")])
    _read_site_tables(tree, folder)
    _read_rate_tables(tree, folder)
    if "extends" not in tree.data:
        return tree
    base_name = tree.data["extends"]
    problem = _cannot_extend(tree, base_name, folder, above)
    if problem is not None:
        raise ScenarioError([*tree.problems, problem])
    del tree.data["extends"]
    base = _read_path(folder / str(base_name), above)
    base.marks |= tree.marks
    base.keys |= tree.keys
    base.problems += tree.problems
    base.spoilt |= tree.spoilt
    base.site_rows |= tree.site_rows
    base.rate_tables |= tree.rate_tables
    base.file = tree.file
    base.data = _merged(base.data, tree.data)
    return base


def _read_site_tables(tree: Source, folder: Path) -> None:
    """Read the tables that sites name, which lie beside the file."""
    for name, file in _named_files(tree, "sites", site_tables.KEY, "sites.csv"):
        shown = display_name(folder / file)
        tree.site_rows[name, file] = site_tables.read_rows(folder / file, shown)


def _read_rate_tables(tree: Source, folder: Path) -> None:
    """Read the tables of rates that entries of traffic name; several may name the same one."""
    read: dict[str, Any] = {}
    for name, file in _named_files(tree, "traffic", rate_files.KEY, "rates.csv"):
        if file not in read:
            shown = display_name(folder / file)
            read[file], problems = rate_tables.read_table(folder / file, shown)
            tree.problems += problems
        tree.rate_tables[name, file] = read[file]


def _named_files(tree: Source, section: str, key: str, example: str) -> Iterator[tuple[str, str]]:
    """The entries of a section that name a file under `key`, and its name."""
    for name, entry in _named_maps(tree.data.get(section)):
        file = entry.get(key)
        if file is None:
            continue
        path: TreePath = (section, name, key)
        if not isinstance(file, str) or not file or "\0" in file:
            problem = tree.problem(path, "must name a file", f"write for example {example}")
            raise ScenarioError([*tree.problems, problem])
        yield name, file


def _cannot_extend(
    tree: Source, name: Any, folder: Path, above: tuple[Path, ...]
) -> Problem | None:
    path: TreePath = ("extends",)
    if not isinstance(name, str) or not name or "\0" in name:
        return tree.problem(path, "must name a file", "write for example base.yaml")
    base = folder / name
    try:
        resolved, is_file = base.resolve(), base.is_file()
    except (OSError, RuntimeError) as error:
        # A name that is too long, or links that lead in a circle.
        return tree.problem(path, f"cannot be looked up: {error}"[:100], "name a file beside it")
    if resolved in above:
        return tree.problem(path, "a file cannot extend itself", "remove extends")
    if len(above) >= EXTENDS_MAX:
        rule = f"at most {EXTENDS_MAX} files can extend one another"
        return tree.problem(path, rule, "merge some of them")
    if not is_file:
        there = [file.name for file in sorted(base.parent.glob("*.yaml"))[:100]]
        fix = did_you_mean(base.name, there)
        rule = f"there is no such file beside {tree.file}"
        return tree.problem(path, rule, fix)
    return None


def _merged(below: Any, above: Any) -> Any:
    """Maps merge by key; anything else above replaces what lies below."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    merged = dict(below)
    for key, value in above.items():
        merged[key] = _merged(below[key], value) if key in below else value
    return merged


# ---------------------------------------------------------------------------------------------
# Overrides
# ---------------------------------------------------------------------------------------------


def parse_set(assignments: list[str]) -> dict[str, str]:
    """The texts `dotted.path=value` of the command line as a dict for `load`."""
    overrides: dict[str, str] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or not path.strip():
            message = f"--set {assignment}: must be a path and a value; write path=value"
            raise UsageError(message)
        overrides[path.strip()] = value.strip()
    return overrides


def _override(tree: Source, overrides: Mapping[str, Any]) -> Source:
    """A copy of the tree with every override in place; an unknown path becomes a problem."""
    result = copy.copy(tree)
    result.data = copied(tree.data)
    result.marks, result.keys = dict(tree.marks), dict(tree.keys)
    result.problems = list(tree.problems)
    for written_path, given in overrides.items():
        mark = Mark(f"--set {written_path}", 0, 0)
        value = _override_value(given, mark.file)
        problem = _put(result, written_path, value, mark)
        if problem is not None:
            result.problems.append(problem)
    return result


def unknown_paths(tree: Source, paths: Iterable[str]) -> list[Problem]:
    """What is wrong with dotted paths that are to be set later, whatever their values."""
    problems = []
    for path in paths:
        set_null = _override(tree, {path: None})
        problems += set_null.problems[len(tree.problems) :]
    return problems


def _override_value(given: Any, file: str) -> Any:
    """Text as YAML reads it (`2` is a number, `[a, b]` a list); other values as they are."""
    if not isinstance(given, str):
        return from_mapping({"": given}, file).data[""]
    if given.lstrip().startswith(("[", "{", '"', "'")):
        tree = read_yaml(given, file)
        if tree.problems:
            raise ScenarioError(tree.problems)
        return tree.data
    return core_scalar(given.strip())


def _put(tree: Source, written_path: str, value: Any, mark: Mark) -> Problem | None:
    parts = written_path.split(".")
    path: TreePath = ()
    node = tree.data
    for position, text in enumerate(parts):
        part = _part(node, text)
        shape = Shape.at(path, tree.data)
        problem = _no_such(node, part, shape, mark, (*path, part))
        if problem is not None:
            return problem
        path = (*path, part)
        if position == len(parts) - 1:
            node[part] = value
            _mark_all(tree, path, value, mark)
            return None
        if isinstance(node, dict) and node.get(str(part)) is None:
            node[part] = {}
            tree.marks[path] = tree.keys[path] = mark
        node = node[part]
    return None


def _part(node: Any, text: str) -> str | int:
    return int(text) if isinstance(node, list) and re.fullmatch(r"[0-9]{1,6}", text) else text


def _no_such(
    node: Any, part: str | int, shape: Shape, mark: Mark, path: TreePath
) -> Problem | None:
    """Why the path cannot be followed into `part`, if so."""
    if isinstance(node, list):
        if isinstance(part, int) and part < len(node):
            return None
        fix = f"write a number from 0 to {len(node) - 1}" if node else "the list is empty"
        return Problem(mark.file, 0, 0, dotted(path), None, "no such entry of the list", fix)
    if not isinstance(node, dict):
        rule, fix = "a single value has no fields", f"set {dotted(path[:-1])} itself"
        return Problem(mark.file, 0, 0, dotted(path), None, rule, fix)
    names = list(node) if shape.has_free_names else shape.field_names(node)
    if part in node or (not shape.has_free_names and part in names):
        return None
    rule = "there is nothing of this name" if shape.has_free_names else "unknown field"
    return Problem(mark.file, 0, 0, dotted(path), None, rule, did_you_mean(str(part), names))


def _mark_all(tree: Source, path: TreePath, value: Any, mark: Mark) -> None:
    tree.marks[path] = tree.keys[path] = mark
    if isinstance(value, dict):
        for key, item in value.items():
            _mark_all(tree, (*path, key), item, mark)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _mark_all(tree, (*path, index), item, mark)


# ---------------------------------------------------------------------------------------------
# Checking
# ---------------------------------------------------------------------------------------------


def build(written: Source, name: str, overrides: Mapping[str, Any]) -> Scenario:
    """The scenario of a tree with overrides, or all of its problems.

    Raises
    ------
    ScenarioError
        If anything is wrong.
    """
    asked = _override(written, overrides)
    tree = copies.expand(asked)
    catalog = load_catalog(_era(tree.data))
    tree = _filled_in(tree, catalog, name)
    problems = list(tree.problems)
    scenario: Scenario | None = None
    with use_lookup(catalog):
        try:
            scenario = Scenario.model_validate(tree.data)
        except ValidationError as error:
            problems += from_pydantic(error, tree, catalog)
        parts = Parts.of(scenario or tree.data)
    problems += checks.references(tree)
    problems += checks.sense(parts, tree, catalog)
    found = rules.apply(rules.Design(parts, tree, catalog), catalog)
    problems += found.rejections
    if problems or scenario is None:
        raise ScenarioError(problems)
    warnings = (*checks.warnings(scenario, tree, catalog), *found.warnings)
    scenario.remember(asked, name, warnings, found)
    return scenario


def _era(data: dict[str, Any]) -> str:
    era = data.get("era", ERAS[0])
    return era if era in ERAS else ERAS[0]


def _filled_in(tree: Source, catalog: Catalog, name: str) -> Source:
    """The tree with the defaults that follow from other fields."""
    result = copy.copy(tree)
    result.data = copied(tree.data)
    result.data.setdefault("title", name)
    for site in _maps(result.data.get("sites")):
        providers = site.get("internet")
        if isinstance(providers, dict) and len(providers) == 1:
            for device in _maps(site.get("devices")):
                if device.get("internet") is None:
                    device["internet"] = next(iter(providers))
    for gateway in _maps(result.data.get("gateways")):
        sku = gateway.get("sku")
        is_vpn = gateway.get("type") != "expressroute"
        if (
            is_vpn
            and gateway.get("generation") is None
            and sku in catalog.names("vpn-gateway-skus")
        ):
            gateway["generation"] = catalog.vpn_gateway_sku(str(sku)).generation
    return result


def _maps(section: Any) -> list[dict[str, Any]]:
    """The entries of a section that are maps, whatever else was written."""
    return [entry for _, entry in _named_maps(section)]


def _named_maps(section: Any) -> list[tuple[str, dict[str, Any]]]:
    entries = section.items() if isinstance(section, dict) else ()
    return [(name, entry) for name, entry in entries if isinstance(entry, dict)]
