"""A scenario's text as a plain tree, with the place of every key and value.

Reading refuses early what no scenario needs and what could keep a reader busy for minutes: large
files, other encodings, deep nesting, aliases, tags. The YAML events are walked without recursion
and plain scalars follow the core schema of YAML 1.2 (`no` is text, `2017-12` is text).
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from simulator.base.errors import Problem, ScenarioError, UsageError, quote

#: A key of a map, or the number of an entry of a list, from the top of the tree down.
TreePath: TypeAlias = tuple[str | int, ...]

TEXT_BYTES_MAX = 8 * 2**20
#: Comments aside, since a resolved scenario has more of them than of values.
CONTENT_CHARACTERS_MAX = 2 * 2**20
DEPTH_MAX = 40
NODES_MAX = 100_000
#: A larger integer is no number that a scenario needs, and Python cannot always print it.
INTEGER_BITS_MAX = 128
#: A longer run of digits is no number that a scenario needs.
_DIGITS_MAX = 30

_COMMENT = re.compile(r"(?:^|(?<=[ \n]))#[^\n]*")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})

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


# ---------------------------------------------------------------------------------------------
# Bytes
# ---------------------------------------------------------------------------------------------


def read_file(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    UsageError
        If there is no such file or it cannot be read.
    ScenarioError
        If it is too large, binary or not UTF-8; a file that is too large is not read at all.
    """
    file = str(path)
    try:
        if path.is_file() and path.stat().st_size > TEXT_BYTES_MAX:
            raise _too_large(file)
        with path.open("rb") as stream:
            content = stream.read(TEXT_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"cannot read scenario '{quote(file)}': {reason}"
        raise UsageError(message) from error
    return decode(content, file)


def read_stdin() -> str:
    """The text on standard input, under the same limits as a file."""
    stream: IO[bytes] = sys.stdin.buffer
    return decode(stream.read(TEXT_BYTES_MAX + 1), "<stdin>")


def decode(content: bytes, file: str) -> str:
    """UTF-8 bytes as text; everything else is refused with its name."""
    if len(content) > TEXT_BYTES_MAX:
        raise _too_large(file)
    fix = "save the file as UTF-8 text"
    for bom, name in (
        (b"\xff\xfe\x00\x00", "UTF-32"),
        (b"\x00\x00\xfe\xff", "UTF-32"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ):
        if content.startswith(bom):
            raise _whole(file, f"a scenario is UTF-8 text; this file is {name}", fix)
    if b"\0" in content:
        evens, odds = content[0:2000:2], content[1:2000:2]
        utf16 = min(evens.count(0), odds.count(0)) == 0 and len(content) > 1
        kind = "looks like UTF-16" if utf16 else "holds binary data"
        raise _whole(file, f"a scenario is UTF-8 text; this file {kind}", fix)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        col = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        rule = f"a scenario is UTF-8 text; byte 0x{content[error.start]:02x} is not"
        raise ScenarioError([Problem(file, line, col, "", None, rule, fix)]) from error


def _too_large(file: str) -> ScenarioError:
    return _whole(
        file,
        f"a scenario has at most {TEXT_BYTES_MAX // 2**20} MiB; the file was not read",
        "use count: for sites that are alike",
    )


def _whole(file: str, rule: str, fix: str) -> ScenarioError:
    return ScenarioError([Problem(file, 1, 1, "", None, rule, fix)])


# ---------------------------------------------------------------------------------------------
# YAML text
# ---------------------------------------------------------------------------------------------


def read_yaml(text: str, file: str) -> Source:
    """The tree of one YAML document.

    Raises
    ------
    ScenarioError
        If the text is no YAML, is empty, nests too deep or is too large to be a scenario.
    """
    if len(text) > CONTENT_CHARACTERS_MAX:
        comments = sum(len(comment) for comment in _COMMENT.findall(text))
        if len(text) - comments > CONTENT_CHARACTERS_MAX:
            rule = f"a scenario has at most {CONTENT_CHARACTERS_MAX // 2**20} MiB beside comments"
            raise _whole(file, rule, "use count: for sites that are alike")
    builder = _Builder(Source(file))
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except ReaderError as error:
        raise _reader_problem(error, text, file) from error
    except MarkedYAMLError as error:
        raise _syntax_problem(error, file) from error
    except (YAMLError, ValueError, OverflowError) as error:
        # The reader has no better word for an escape such as \U00110000, which is no character.
        raise builder.stopped_by(error) from error
    if not builder.documents:
        raise _whole(file, "the file is empty", "start with schema_version: 1")
    return builder.source


def _reader_problem(error: ReaderError, text: str, file: str) -> ScenarioError:
    at = error.position if isinstance(error.position, int) else 0
    line = text.count("\n", 0, at) + 1
    col = at - text.rfind("\n", 0, at)
    rule = f"control character U+{ord(text[at]):04X} is not allowed" if at < len(text) else "binary"
    return ScenarioError([Problem(file, line, col, "", None, rule, "remove it")])


def _syntax_problem(error: MarkedYAMLError, file: str) -> ScenarioError:
    mark = error.problem_mark or error.context_mark
    what = " ".join(str(error.problem or error.context or "cannot be read").split())
    if "'\\t'" in what:
        rule, fix = "a tab cannot indent", "indent with spaces"
    elif "mapping values are not allowed" in what:
        rule, fix = "YAML syntax: a ':' where no key can be", "check indent, or quote the text"
    elif "alias" in what or "anchor" in what:
        rule, fix = f"YAML syntax: {quote(what)}", "put a text that starts with & or * in quotes"
    else:
        rule = f"YAML syntax: {quote(what)}"
        fix = "check indents, brackets and quotes at and before this place"
    line, col = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return ScenarioError([Problem(file, line, col, "", None, rule, fix)])


@dataclass
class _Frame:
    """A map or list that is being filled."""

    container: dict[str, Any] | list[Any]
    path: TreePath
    key: str | None = None


class _Builder:
    """Takes YAML events one by one and grows the tree of a `Source`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.documents = 0
        self._stack: list[_Frame] = []
        self._nodes = 0
        self._last = Mark(source.file, 1, 1)

    def take(self, event: Any) -> None:
        """Grow the tree by one event."""
        match event:
            case ScalarEvent():
                self._scalar(event)
            case MappingStartEvent():
                self._open({}, event)
            case SequenceStartEvent():
                self._open([], event)
            case MappingEndEvent() | SequenceEndEvent():
                self._stack.pop()
            case AliasEvent():
                self._alias(event)
            case DocumentStartEvent():
                if self.documents:
                    raise self._stop(event, "a file holds one YAML document", "remove the '---'")
            case DocumentEndEvent():
                self.documents += 1
            case _:
                pass

    def stopped_by(self, error: Exception) -> ScenarioError:
        """The problem of an error that has no place: at or after what was read last."""
        rule = f"YAML syntax, here or soon after: {quote(str(error))}"
        fix = "check quotes and escapes"
        last = self._last
        return ScenarioError([Problem(last.file, last.line, last.col, "", None, rule, fix)])

    def _scalar(self, event: Any) -> None:
        if self._awaits_key():
            self._key(event)
            return
        path = self._place(event)
        is_plain = event.style is None and event.tag is None
        self._attach(path, core_scalar(event.value) if is_plain else event.value)

    def _open(self, container: dict[str, Any] | list[Any], event: Any) -> None:
        if self._awaits_key():
            raise self._stop(event, "a key must be text", "write a name, then ':'")
        path = self._place(event)
        if len(self._stack) >= DEPTH_MAX:
            raise self._stop(
                event, f"maps and lists nest at most {DEPTH_MAX} deep", "no scenario needs more"
            )
        self._attach(path, container)
        self._stack.append(_Frame(container, path))

    def _alias(self, event: Any) -> None:
        if self._awaits_key():
            raise self._stop(event, "a key must be text", "write a name, then ':'")
        path = self._place(event)
        self._complain(
            path, "aliases (*) are not used in scenarios", "write it out, or use extends"
        )
        self.source.spoilt.add(path)
        self._attach(path, None)

    def _awaits_key(self) -> bool:
        if not self._stack:
            return False
        frame = self._stack[-1]
        return isinstance(frame.container, dict) and frame.key is None

    def _key(self, event: Any) -> None:
        frame = self._stack[-1]
        key: str = event.value
        path = (*frame.path, key)
        self._count(event)
        if event.anchor is not None or event.tag is not None:
            raise self._stop(event, "a key has no anchor and no tag", "write the name only")
        if key in frame.container:
            first = self.source.keys[path]
            mark = self._mark(event)
            rule = f"the key is given twice, first in line {first.line}"
            fix = "remove or rename one of the two"
            self.source.problems.append(
                Problem(mark.file, mark.line, mark.col, dotted(path), None, rule, fix)
            )
            # The second value is read, and left out of the tree.
            frame.key = f"{key} (again, line {mark.line})"
            self.source.spoilt.add((*frame.path, frame.key))
            return
        frame.key = key
        self.source.keys[path] = self._mark(event)
        if key == "<<":
            rule, fix = "merge keys (<<) are not used in scenarios", "use extends"
            self.source.problems.append(self.source.problem(path, rule, fix, key=True))
            self.source.spoilt.add(path)

    def _place(self, event: Any) -> TreePath:
        """The path of the value that starts here; it is marked and counted."""
        self._count(event)
        path = self._next_path()
        # An empty value is marked where its key is: the reader notices it on a later line.
        is_empty = isinstance(event, ScalarEvent) and not event.value and event.style is None
        key_mark = self.source.keys.get(path) if is_empty else None
        self.source.marks[path] = key_mark or self._mark(event)
        if event.anchor is not None and not isinstance(event, AliasEvent):
            self._complain(path, "anchors (&) are not used in scenarios", "remove the anchor")
        if not isinstance(event, AliasEvent) and event.tag is not None:
            self._complain(path, "tags (!) are not used in scenarios", "remove the tag")
            self.source.spoilt.add(path)
        return path

    def _next_path(self) -> TreePath:
        if not self._stack:
            return ()
        frame = self._stack[-1]
        part = len(frame.container) if isinstance(frame.container, list) else frame.key
        return (*frame.path, part if part is not None else "")

    def _attach(self, path: TreePath, value: Any) -> None:
        if not self._stack:
            self.source.data = value
            return
        frame = self._stack[-1]
        if isinstance(frame.container, list):
            frame.container.append(value)
        else:
            if path not in self.source.spoilt:
                frame.container[str(path[-1])] = value
            frame.key = None

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise self._stop(
                event,
                f"a scenario has at most {NODES_MAX} keys and values",
                "use count: for sites that are alike",
            )

    def _mark(self, event: Any) -> Mark:
        start = event.start_mark
        self._last = Mark(self.source.file, start.line + 1, start.column + 1)
        return self._last

    def _complain(self, path: TreePath, rule: str, fix: str) -> None:
        self.source.problems.append(self.source.problem(path, rule, fix))

    def _stop(self, event: Any, rule: str, fix: str) -> ScenarioError:
        mark = self._mark(event)
        stop = Problem(mark.file, mark.line, mark.col, dotted(self._next_path()), None, rule, fix)
        return ScenarioError([stop])


def core_scalar(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2: null, boolean, number or text."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) > _DIGITS_MAX:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if text.lower() in {".inf", "+.inf", "-.inf"}:
        return -math.inf if text.startswith("-") else math.inf
    if text in {".nan", ".NaN", ".NAN"}:
        return math.nan
    return text


# ---------------------------------------------------------------------------------------------
# Other ways in
# ---------------------------------------------------------------------------------------------


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


def display_name(path: Path) -> str:
    """A path as messages show it: relative where it lies below the current folder."""
    try:
        return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)
    except (OSError, ValueError):
        return str(path)
