"""`count: N`: N copies of a site, and of everything that refers to it."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from simulator.base.errors import Problem
from simulator.scenario.source import NODES_MAX, Source, TreePath

COUNT_MAX = 10_000

#: `{i}`, `{100+i}` or `{i+100}` in a text stands for the number of the copy, from 1.
_NUMBER = re.compile(r"\{(?:([0-9]{1,6})\+)?i(?:\+([0-9]{1,6}))?\}")

#: Section whose entries refer to others -> fields that do so -> section referred to.
_REFERENCES: dict[str, dict[str, str]] = {
    "connections": {"site": "sites"},
    "paths": {"from": "sites"},
    "traffic": {"from": "sites", "to": "sites"},
    "faults": {"site": "sites", "connection": "connections"},
}


def expand(tree: Source) -> Source:
    """A tree in which each counted site, and each entry that refers to it, is written N times.

    Copies are named `branch-1` ... `branch-N`; a connection or stream of a counted site becomes
    one for each copy. The tree comes back as it is where nothing is counted.
    """
    counts: dict[str, dict[str, int]] = {"sites": {}, "connections": {}}
    problems: list[Problem] = []
    sites = tree.data.get("sites")
    for name, site in sites.items() if isinstance(sites, dict) else ():
        if isinstance(site, dict) and "count" in site:
            problem = _bad_count(tree, name, site)
            counts["sites"][name] = 0 if problem else site["count"]
            problems += [problem] if problem else []
    if not counts["sites"]:
        return tree
    result = copy.copy(tree)
    result.data = dict(tree.data)
    result.problems = tree.problems + problems
    result.copies = {}
    result.data["sites"] = _expand_sites(result, sites, counts["sites"])
    for section in _REFERENCES:
        _expand_section(result, section, counts)
    return result


def _bad_count(tree: Source, name: str, site: Mapping[str, Any]) -> Problem | None:
    count = site["count"]
    path: TreePath = ("sites", name, "count")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= COUNT_MAX:
        rule = f"must be a whole number from 1 to {COUNT_MAX}"
        return tree.problem(path, rule, "write for example 40")
    if count * _size(site) > NODES_MAX:
        rule = f"the copies have more than {NODES_MAX} keys and values"
        return tree.problem(path, rule, "count fewer")
    return None


def _expand_sites(tree: Source, sites: Mapping[str, Any], counts: Mapping[str, int]) -> Any:
    expanded: dict[str, Any] = {}
    for name, site in sites.items():
        if name not in counts:
            expanded[name] = site
            continue
        template = {key: value for key, value in site.items() if key != "count"}
        for i in range(1, counts[name] + 1):
            copied = f"{name}-{i}"
            if copied in sites:
                rule = f"'{copied}' is also the name of a copy of '{name}'"
                tree.problems.append(
                    tree.problem(("sites", copied), rule, "rename one of them", key=True)
                )
                continue
            expanded[copied] = numbered(template, i)
            tree.copies["sites", copied] = ("sites", name)
    return expanded


def _expand_section(tree: Source, section: str, counts: dict[str, dict[str, int]]) -> None:
    """Write the entries of a section that refer to counted things once for each copy."""
    entries = tree.data.get(section)
    if isinstance(entries, dict):
        named: dict[str, Any] = {}
        for name, entry in entries.items():
            versions = _versions(tree, entry, section, name, counts)
            if versions is None:
                named[name] = entry
                continue
            for i, version in enumerate(versions, start=1):
                named[f"{name}-{i}"] = version
                tree.copies[section, f"{name}-{i}"] = (section, name)
            counts.setdefault(section, {})[name] = len(versions)
        tree.data[section] = named
    elif isinstance(entries, list):
        listed: list[Any] = []
        for index, entry in enumerate(entries):
            versions = _versions(tree, entry, section, index, counts)
            for version in [entry] if versions is None else versions:
                tree.copies[section, len(listed)] = (section, index)
                listed.append(version)
        tree.data[section] = listed


def _versions(
    tree: Source,
    entry: Any,
    section: str,
    name: str | int,
    counts: dict[str, dict[str, int]],
) -> list[Any] | None:
    """The copies of an entry, or None if it refers to nothing that is counted."""
    if not isinstance(entry, dict):
        return None
    groups = {
        field: counts[target][entry[field]]
        for field, target in _REFERENCES[section].items()
        if isinstance(entry.get(field), str) and entry[field] in counts[target]
    }
    if not groups:
        return None
    count = min(groups.values())
    if len(groups) > 1 or count * _size(entry) > NODES_MAX:
        rule = "an entry can refer to one counted site only, and not too many times"
        tree.problems.append(tree.problem((section, name), rule, "write the entries out"))
        return []
    versions = []
    for i in range(1, count + 1):
        version = numbered(entry, i)
        for field in groups:
            version[field] = f"{entry[field]}-{i}"
        versions.append(version)
    return versions


def numbered(value: Any, i: int) -> Any:
    """The value with `{i}`, `{100+i}` and `{i+100}` in its texts replaced."""
    if isinstance(value, str):
        return _NUMBER.sub(lambda m: str(i + int(m[1] or 0) + int(m[2] or 0)), value)
    if isinstance(value, dict):
        return {key: numbered(item, i) for key, item in value.items()}
    if isinstance(value, list):
        return [numbered(item, i) for item in value]
    return value


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + _size(item) for item in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(item) for item in value)
    return 1
