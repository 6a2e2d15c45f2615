"""Errors a person can act on, and the exit codes of the command."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

#: A quoted value longer than this is cut in a message.
VALUE_CHARACTERS_MAX = 60

#: More problems than this are counted but not printed.
PROBLEMS_PRINTED_MAX = 200


#: Comparing a name with more names than this takes longer than a person waits.
NAMES_COMPARED_MAX = 500


class ExitCode(IntEnum):
    """What the command tells the shell when it ends."""

    OK = 0
    TARGET_FAILED = 1
    USAGE = 2
    INVALID_SCENARIO = 3
    IMPORT_PROBLEM = 4
    INTERNAL = 5
    INTERRUPTED = 130


class CrosspremError(Exception):
    """Base of every error that is the input's fault and has a clear remedy."""

    exit_code: ExitCode = ExitCode.INTERNAL


class UsageError(CrosspremError):
    """The command or a function was called in a way that makes no sense."""

    exit_code = ExitCode.USAGE


class CatalogError(CrosspremError):
    """A catalogue table, row or name does not exist, or a table is malformed."""

    exit_code = ExitCode.USAGE

    def rule_and_fix(self) -> tuple[str, str]:
        """The two parts of a message of the form `table: rule; fix`."""
        _, _, reason = str(self).partition(": ")
        rule, _, fix = reason.partition("; ")
        return rule, fix


class ForeignPackageError(CrosspremError):
    """Another distribution's package hides one of ours."""

    exit_code = ExitCode.IMPORT_PROBLEM


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a scenario: where, what, the rule and the nearest fix.

    `file` names the source (a path, `<stdin>`, `<text>`, `<dict>` or `--set PATH`); `line` and
    `col` count from 1, and `line` is 0 where the source has no lines. `path` is the dotted field,
    `value` the text as written (None if there is none to show).
    """

    file: str
    line: int
    col: int
    path: str
    value: str | None
    rule: str
    fix: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.col}" if self.line else self.file
        subject = self.path if self.value is None else f"{self.path} = {quote(self.value)}"
        text = f"{where} {subject}: {self.rule}" if subject else f"{where}: {self.rule}"
        return f"{text}; {self.fix}" if self.fix else text


class ScenarioError(CrosspremError):
    """A scenario that cannot be accepted, with every problem found, sorted by place."""

    exit_code = ExitCode.INVALID_SCENARIO

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = dict.fromkeys(problems)
        self.problems: tuple[Problem, ...] = tuple(
            sorted(unique, key=lambda p: (p.file, p.line, p.col, p.path, p.rule))
        )
        super().__init__(self._text())

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        return (ScenarioError, (self.problems,))

    def _text(self) -> str:
        lines = [str(problem) for problem in self.problems[:PROBLEMS_PRINTED_MAX]]
        unprinted_count = len(self.problems) - len(lines)
        if unprinted_count:
            lines.append(f"... and {unprinted_count} more problems")
        return "\n".join(lines)


def quote(value: object) -> str:
    """The value as one printable line of at most `VALUE_CHARACTERS_MAX` characters."""
    text = value if isinstance(value, str) else repr(value)
    head = text[: VALUE_CHARACTERS_MAX + 1]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)
    if len(text) > VALUE_CHARACTERS_MAX or len(shown) > VALUE_CHARACTERS_MAX:
        return shown[: VALUE_CHARACTERS_MAX - 3] + "..."
    return shown


def nearest_names(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """The known names that look most like `name`, best first, ignoring case.

    Among very many names only those with the same first letter are looked at.
    """
    by_folded = {known.casefold(): known for known in names}
    folded = name[:VALUE_CHARACTERS_MAX].casefold()
    if len(by_folded) > NAMES_COMPARED_MAX:
        alike = [known for known in by_folded if known[:1] == folded[:1]]
        by_folded = {known: by_folded[known] for known in alike[:NAMES_COMPARED_MAX]}
    close = difflib.get_close_matches(folded, by_folded, n=2 * count, cutoff=0.6)
    if not close:
        return []
    likeness = {k: difflib.SequenceMatcher(None, folded, k).ratio() for k in close}
    # What is much less alike than the best is noise; of equals the first listed comes first.
    least, listed = max(likeness.values()) - 0.15, list(by_folded)
    close = sorted(
        (known for known in close if likeness[known] > least),
        key=lambda known: (-likeness[known], listed.index(known)),
    )
    return [by_folded[known] for known in close[:count]]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A nearest-fix phrase: the closest names, or all names when few, or an empty text."""
    known = list(names)
    nearest = nearest_names(name, known)
    if nearest:
        return "did you mean " + " or ".join(f"'{n}'" for n in nearest) + "?"
    if not known:
        return "there is none to choose from"
    listed = ", ".join(known[:12])
    return f"choose one of {listed}" + (", ..." if len(known) > 12 else "")


class PlanError(CrosspremError):
    """A plan that the data plane cannot run: a cycle of hops without delay, no route, ..."""

    exit_code = ExitCode.INVALID_SCENARIO


class InternalError(CrosspremError):
    """Something that cannot happen did: our fault, never the input's."""

    exit_code = ExitCode.INTERNAL


class DeadlineError(CrosspremError):
    """A run took longer than it was allowed to."""

    exit_code = ExitCode.TARGET_FAILED
