"""`count: N` and `sites_from: FILE`: copies of a site, and of everything that refers to it."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from simulator.base.errors import Problem
from simulator.scenario import matrix
from simulator.scenario.site_tables import KEY, SiteRow, filled
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


class _Copy(NamedTuple):
    """The name of a copy, and what tells it apart in the names of things that refer to it."""

    name: str
    suffix: str


_Copies: TypeAlias = dict[str, dict[str, list[_Copy]]]
"""Section -> name of the original -> its copies."""


def expand(tree: Source) -> Source:
    """A tree in which each counted site, and each entry that refers to it, is written N times.

    Copies are named `branch-1` ... `branch-N`, or as the table of `sites_from` says; a connection
    or stream of such a site becomes one for each copy. The tree comes back as it is where nothing
    is copied. Entries of traffic that name a table of rates become its streams first.
    """
    tree = matrix.expand(tree)
    copied: _Copies = {"sites": {}, "connections": {}}
    problems: list[Problem] = []
    sites = tree.data.get("sites")
    for name, site in sites.items() if isinstance(sites, dict) else ():
        if isinstance(site, dict) and ("count" in site or KEY in site):
            problem = _cannot_copy(tree, name, site)
            copied["sites"][name] = [] if problem else _copies(tree, name, site)
            problems += [problem] if problem else []
    if not copied["sites"]:
        return tree
    result = copy.copy(tree)
    result.data = dict(tree.data)
    result.marks = dict(tree.marks)
    result.problems = tree.problems + problems
    result.copies = dict(tree.copies)
    result.data["sites"] = _expand_sites(result, sites, copied["sites"])
    for section in _REFERENCES:
        _expand_section(result, section, copied)
    _expand_access(result, copied["sites"])
    return result


def _copies(tree: Source, name: str, site: Mapping[str, Any]) -> list[_Copy]:
    if KEY in site:
        rows = enumerate(_rows(tree, name, site), start=1)
        return [_Copy(row.name or f"{name}-{i}", row.name or str(i)) for i, row in rows]
    return [_Copy(f"{name}-{i}", str(i)) for i in range(1, site["count"] + 1)]


def _rows(tree: Source, name: str, site: Mapping[str, Any]) -> tuple[SiteRow, ...]:
    rows: tuple[SiteRow, ...] = tree.site_rows.get((name, str(site.get(KEY))), ())
    return rows


def _cannot_copy(tree: Source, name: str, site: Mapping[str, Any]) -> Problem | None:
    if KEY in site:
        path: TreePath = ("sites", name, KEY)
        if (name, str(site[KEY])) not in tree.site_rows:
            return tree.problem(path, "a table of sites is named in a file", "write it there")
        if "count" in site:
            rule = "a site has count or sites_from, not both"
            return tree.problem(path, rule, "remove one of them", key=True)
        count = len(_rows(tree, name, site))
        if count == 0 or count * _size(site) > NODES_MAX:
            rule = f"the table has {count} sites" + (", which is too many" if count else "")
            return tree.problem(path, rule, "add rows" if count == 0 else "divide it")
        return None
    return _bad_count(tree, name, site)


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


def _expand_sites(tree: Source, sites: Mapping[str, Any], copied: Mapping[str, list[_Copy]]) -> Any:
    expanded: dict[str, Any] = {}
    for name, site in sites.items():
        if name not in copied:
            expanded[name] = site
            continue
        template = {key: value for key, value in site.items() if key not in {"count", KEY}}
        rows = _rows(tree, name, site)
        for i, one in enumerate(copied[name], start=1):
            if one.name in sites or one.name in expanded:
                rule = f"'{one.name}' is also the name of a copy of '{name}'"
                path: TreePath = ("sites", one.name if one.name in sites else name)
                tree.problems.append(tree.problem(path, rule, "rename one of them", key=True))
                continue
            expanded[one.name] = numbered(template, i)
            if KEY in site:
                expanded[one.name] = filled(expanded[one.name], rows[i - 1])
                for path, _, mark in rows[i - 1].values:
                    tree.marks["sites", one.name, *path] = mark
            tree.copies["sites", one.name] = ("sites", name)
    return expanded


def _expand_access(tree: Source, copied: Mapping[str, list[_Copy]]) -> None:
    """Give each copy of a site the access line to a circuit that the original has."""
    circuits = tree.data.get("circuits")
    if not isinstance(circuits, dict):
        return
    tree.data["circuits"] = dict(circuits)
    for circuit, entry in circuits.items():
        access = entry.get("access") if isinstance(entry, dict) else None
        if not isinstance(access, dict) or not copied.keys() & access.keys():
            continue
        path: TreePath = ("circuits", circuit, "access")
        lines: dict[str, Any] = {}
        for site, line in access.items():
            for i, one in enumerate(copied.get(site, [_Copy(site, "")]), start=1):
                lines[one.name] = numbered(line, i) if site in copied else line
                for field in ((), *((key,) for key in (line if isinstance(line, dict) else ()))):
                    if (*path, site, *field) in tree.marks:
                        tree.marks[*path, one.name, *field] = tree.marks[*path, site, *field]
        tree.data["circuits"][circuit] = {**entry, "access": lines}


def _expand_section(tree: Source, section: str, copied: _Copies) -> None:
    """Write the entries of a section that refer to counted things once for each copy."""
    entries = tree.data.get(section)
    if isinstance(entries, dict):
        named: dict[str, Any] = {}
        for name, entry in entries.items():
            versions = _versions(tree, entry, section, name, copied)
            if versions is None:
                named[name] = entry
                continue
            for suffix, version in versions:
                named[f"{name}-{suffix}"] = version
                tree.copies[section, f"{name}-{suffix}"] = (section, name)
            own = [_Copy(f"{name}-{suffix}", suffix) for suffix, _ in versions]
            copied.setdefault(section, {})[name] = own
        tree.data[section] = named
    elif isinstance(entries, list):
        listed: list[Any] = []
        for index, entry in enumerate(entries):
            versions = _versions(tree, entry, section, index, copied)
            for _, version in [("", entry)] if versions is None else versions:
                tree.copies[section, len(listed)] = (section, index)
                listed.append(version)
        tree.data[section] = listed


def _versions(
    tree: Source,
    entry: Any,
    section: str,
    name: str | int,
    copied: _Copies,
) -> list[tuple[str, Any]] | None:
    """The copies of an entry with their suffixes, or None if it refers to nothing copied."""
    if not isinstance(entry, dict):
        return None
    groups = {
        field: copied[target][entry[field]]
        for field, target in _REFERENCES[section].items()
        if isinstance(entry.get(field), str) and entry[field] in copied[target]
    }
    if not groups:
        return None
    count = min(map(len, groups.values()))
    if len(groups) > 1 or count * _size(entry) > NODES_MAX:
        rule = "an entry can refer to one counted site only, and not too many times"
        tree.problems.append(tree.problem((section, name), rule, "write the entries out"))
        return []
    ((field, copies),) = groups.items()
    return [
        (one.suffix, {**numbered(entry, i), field: one.name}) for i, one in enumerate(copies, 1)
    ]


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
