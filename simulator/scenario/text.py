"""The text of a scenario and of its tables: UTF-8, and no larger than any scenario needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Final

from simulator.base.errors import Problem, ScenarioError, UsageError, quote

TEXT_BYTES_MAX: Final = 8 * 2**20


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
            raise refused(file, f"a scenario is UTF-8 text; this file is {name}", fix)
    if b"\0" in content:
        evens, odds = content[0:2000:2], content[1:2000:2]
        utf16 = min(evens.count(0), odds.count(0)) == 0 and len(content) > 1
        kind = "looks like UTF-16" if utf16 else "holds binary data"
        raise refused(file, f"a scenario is UTF-8 text; this file {kind}", fix)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        col = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        rule = f"a scenario is UTF-8 text; byte 0x{content[error.start]:02x} is not"
        raise ScenarioError([Problem(file, line, col, "", None, rule, fix)]) from error


def _too_large(file: str) -> ScenarioError:
    return refused(
        file,
        f"a scenario has at most {TEXT_BYTES_MAX // 2**20} MiB; the file was not read",
        "use count: for sites that are alike",
    )


def refused(file: str, rule: str, fix: str) -> ScenarioError:
    """What to raise of a text as a whole."""
    return ScenarioError([Problem(file, 1, 1, "", None, rule, fix)])


def display_name(path: Path) -> str:
    """A path as messages show it: relative where it lies below the current folder."""
    try:
        return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)
    except (OSError, ValueError):
        return str(path)
