"""The tree of a scenario: maps, lists and scalars as they were written, and where each stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from simulator.base.errors import Problem, ScenarioError, quote

#: A key of a map, or the number of an entry of a list, from the top of the tree down.
TreePath: TypeAlias = tuple[str | int, ...]

DEPTH_MAX = 40
NODES_MAX = 100_000
#: A larger integer is no number that a scenario needs, and Python cannot always print it.
INTEGER_BITS_MAX = 128
#: A stream of a table of rates may be copied for each copy of its site.
COPIES_DEEP = 2

#: Stands for "nothing there", which differs from null.
ABSENT = object()


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something is written; line and column count from 1, line 0 means no place."""

    file: str
    line: int
    col: int


@dataclass
class Source:
    """A tree of maps, lists and scalars, with the marks of its values and of its keys.

    `problems` holds what is wrong with the text itself (duplicate keys, aliases, tags); whatever
    lies at or under a path of `spoilt` was replaced and needs no further complaint.
    """

    file: str
    data: Any = None
    marks: dict[TreePath, Mark] = field(default_factory=dict)
    keys: dict[TreePath, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    spoilt: set[TreePath] = field(default_factory=set)
    #: Path of a copy that `count` made -> path of what it was copied from.
    copies: dict[TreePath, TreePath] = field(default_factory=dict)
    #: Name of a site's entry and of the table that its `sites_from` names -> the table's rows.
    site_rows: dict[tuple[str, str], Any] = field(default_factory=dict)
    #: Name of an entry of traffic and of the table that its `rates_from` names -> the table, None
    #: if anything is wrong with it.
    rate_tables: dict[tuple[str, str], Any] = field(default_factory=dict)

    def is_copy(self, path: TreePath) -> bool:
        """Whether `count` made what lies at `path`."""
        return path[:2] in self.copies

    def mark(self, path: TreePath, *, key: bool = False) -> Mark:
        """The place of the value at `path` (or of its key), or of the nearest thing above it."""
        for _ in range(COPIES_DEEP):
            if path[:2] not in self.copies:
                break
            own = [path[:length] for length in range(len(path), 2, -1)]
            marked = next((p for p in own if p in self.marks), None)
            if marked is not None:
                path = marked
                break
            path = self.copies[path[:2]] + path[2:]
        exact = self.keys.get(path) if key else self.marks.get(path)
        if exact is not None:
            return exact
        while path:
            path = path[:-1]
            above = self.keys.get(path) or self.marks.get(path)
            if above is not None:
                return above
        return Mark(self.file, 1 if self.marks else 0, 1)

    def problem(
        self, path: TreePath, rule: str, fix: str | None = None, *, key: bool = False
    ) -> Problem:
        """A problem of the value at `path`, which is shown, or of the key at `path`."""
        mark = self.mark(path, key=key)
        value = ABSENT if key else item_at(self.data, path)
        shown = None if value is ABSENT else quote(shown_value(value))
        return Problem(mark.file, mark.line, mark.col, dotted(path), shown, rule, fix)

    def is_spoilt(self, path: TreePath) -> bool:
        """Whether the value at `path`, or one above it, was replaced while reading."""
        return any(path[:length] in self.spoilt for length in range(len(path) + 1))


def copied(data: Any) -> Any:
    """A tree with maps and lists of its own."""
    if isinstance(data, dict):
        return {key: copied(item) for key, item in data.items()}
    if isinstance(data, list):
        return [copied(item) for item in data]
    return data


def item_at(data: Any, path: TreePath) -> Any:
    """What lies at `path` in a tree, `ABSENT` if nothing does."""
    for part in path:
        is_entry = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if not is_entry and not (isinstance(data, Mapping) and part in data):
            return ABSENT
        data = data[part]
    return data


def dotted(path: TreePath) -> str:
    """The path as a person writes it: `sites.lyon.address_space.0`."""
    return ".".join(quote(str(part)) for part in path)


def shown_value(value: object) -> str:
    """A value as a scenario writes it; maps and lists only by their size."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return f"a map of {len(value)} fields"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return str(value)


def from_mapping(mapping: Mapping[Any, Any], file: str = "<dict>") -> Source:
    """A tree made in Python; it has no places. Checked for the same limits as a text."""
    source = Source(file)
    count = 0

    def copy(value: Any, path: TreePath) -> Any:
        nonlocal count
        count += 1
        if len(path) > DEPTH_MAX or count > NODES_MAX:
            raise ScenarioError(
                [source.problem(path, "nests too deep or is too large", "no scenario needs more")]
            )
        if isinstance(value, Mapping):
            return {str(key): copy(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [copy(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, int) and value.bit_length() > INTEGER_BITS_MAX:
            return (1 if value > 0 else -1) << INTEGER_BITS_MAX
        return value

    source.data = copy(mapping, ())
    return source
