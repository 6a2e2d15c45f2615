"""YAML text as a plain tree, with the place of every key and value.

Reading refuses early what no scenario needs and what could keep a reader busy for minutes: deep
nesting, aliases, tags. The YAML events are walked without recursion and plain scalars follow the
core schema of YAML 1.2 (`no` is text, `2017-12` is text).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

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

from simulator.base.errors import Problem, ScenarioError, quote
from simulator.scenario.source import DEPTH_MAX, NODES_MAX, Mark, Source, TreePath, dotted
from simulator.scenario.text import refused

#: Comments aside, since a resolved scenario has more of them than of values.
CONTENT_CHARACTERS_MAX = 2 * 2**20
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
            raise refused(file, rule, "use count: for sites that are alike")
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
        raise refused(file, "the file is empty", "start with schema_version: 1")
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
