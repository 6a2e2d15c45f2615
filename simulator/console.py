"""What the command writes: plain text of at most 100 columns, and progress on standard error."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

WIDTH: Final = 100
GAP: Final = "  "
FIRST_LINE_S: Final = 2.0
LINE_EVERY_S: Final = 10.0
"""Where nobody watches a bar, progress is one line every so often."""
PACE_COUNT: Final = 3
"""Things that must be done before their pace is believed."""
PS_PER_S: Final = 10**12


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()
) -> list[str]:
    """Align cells in columns; those whose numbers are in `right` end at the same place."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if n in right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(GAP.join(cells).rstrip())
    return lines


def wrapped(text: str, indent: str = "", first: str | None = None) -> list[str]:
    """Break a text into lines of at most `WIDTH` columns; the first may begin differently."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def cut(text: str, width: int) -> str:
    """Shorten a text to a width, with dots where something is missing."""
    return text if len(text) <= width else text[: width - 3] + "..."


def note(message: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


class _Shown:
    """Something on standard error that grows: the bar of a terminal is taken away at the end."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream or sys.stderr
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class Progress(_Shown):
    """How far a run is, on standard error: a bar on a terminal, else a line now and then.

    Called by the engine with the simulated time and its end, in picoseconds. `runs` is how many
    runs there will be in a row.
    """

    def __init__(self, runs: int = 1, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._runs = runs
        self._run = 0
        self._last_ps = 0
        self._begin_s: float | None = None
        self._next_line_s = FIRST_LINE_S
        self.text = "0 s"
        """How far it is, in words."""

    def __call__(self, now_ps: int, horizon_ps: int) -> None:
        """Show that the run has come to `now_ps` of `horizon_ps`."""
        if self._begin_s is None:
            self._begin_s = time.monotonic()  # kernels are compiled before the first call
        if now_ps < self._last_ps:
            self._run += 1
        self._last_ps = now_ps
        share = (self._run + now_ps / horizon_ps) / self._runs
        self.text = f"{now_ps / PS_PER_S:.4g} of {horizon_ps / PS_PER_S:.4g} s"
        if self._runs > 1:
            self.text = f"replication {self._run + 1} of {self._runs}, {self.text}"
        if self._stream.isatty():
            self._draw(share)
        else:
            self._write(share, time.monotonic() - self._begin_s)

    def _draw(self, share: float) -> None:
        if self._bar is None:
            self._bar = _rich_bar(self._stream)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        if self._task is not None:
            self._bar.update(self._task, completed=share, description=f"simulated {self.text}")

    def _write(self, share: float, elapsed_s: float) -> None:
        if elapsed_s < self._next_line_s or not share > 0.0:
            return
        self._next_line_s = elapsed_s + LINE_EVERY_S
        left_s = elapsed_s * (1.0 - share) / share
        self._stream.write(
            f"simulated {self.text} ({100.0 * share:.0f} %), about {left_s:.0f} s left\n"
        )
        self._stream.flush()


class Counting(_Shown):
    """How many of many things are done, on standard error: a bar on a terminal, else lines.

    Called with the number that is done and the number of all; what is done at the first call
    tells nothing about the pace.
    """

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._what = what
        self._begin_s = 0.0
        self._begin_count = 0
        self._next_line_s: float | None = None
        self.text = f"0 {what}"
        """How far it is, in words."""

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        now_s = time.monotonic()
        if self._next_line_s is None:
            self._begin_s, self._begin_count = now_s, done
            self._next_line_s = now_s + FIRST_LINE_S
        self.text = f"{done} of {total} {self._what}"
        if self._stream.isatty():
            self._draw(done, total)
        elif now_s >= self._next_line_s and done - self._begin_count >= PACE_COUNT:
            self._next_line_s = now_s + LINE_EVERY_S
            pace_s = (now_s - self._begin_s) / (done - self._begin_count)
            left_s = pace_s * (total - done)
            share = 100.0 * done / total
            self._stream.write(f"{self.text} ({share:.0f} %), about {left_s:.0f} s left\n")
            self._stream.flush()

    def _draw(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = _rich_bar(self._stream)
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        if self._task is not None:
            self._bar.update(self._task, completed=done, description=self.text)


def _rich_bar(stream: TextIO) -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(file=stream),
        transient=True,
    )
