"""`rates_from: FILE`: a traffic matrix over time, from CSV or Parquet.

    time_s,src,dst,class,rate_bps[,packet_bytes,flows]
    0,lyon,hub,web,40e6
    900,lyon,hub,web,65e6

Long form: each row is the rate of one class from one place to another, from that time to the next
time in the table. Units stand in the header (`rate_mbps`, `rate [Mbit/s]`), in a row of units below
it, or in each cell (`40 Mbit/s`); a number without a unit is refused. A time may also be a date
with a time of day, counted from midnight of the first date. Order of the rows has no meaning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from simulator.arrivals import LEAST_STEP_S
from simulator.base.errors import Problem
from simulator.base.units import (
    DAY_S,
    TEXT_CHARACTERS_MAX,
    UnitError,
    format_duration,
    parse_quantity,
)
from simulator.scenario.rate_columns import COLUMNS, NEEDED, WRITTEN, Columns, example_header
from simulator.scenario.rate_files import ROWS_MAX, Line, read_lines, stop, too_many
from simulator.scenario.source import Mark

TIME_MAX_S: Final = 50 * DAY_S
"""The longest run."""

_DIGITS = re.compile(r"[0-9]{1,9}")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)")


@dataclass(frozen=True)
class Series:
    """The rates of one class from one place to another: what becomes a stream."""

    src: str
    dst: str
    class_name: str
    rates_bps: tuple[float, ...]
    """At each time of the table; 0 where it has no row."""
    packet_bytes: float | None
    flows: int | None
    marks: dict[str, Mark]
    """Where each value stands; `rate` is where it is largest."""


@dataclass(frozen=True)
class RateTable:
    """All series of a table over the same times."""

    file: str
    times_s: tuple[float, ...]
    """Beginnings of the steps, rising."""
    end_s: float | None
    """End of the last step, which is as long as the one before; None if there is only one."""
    has_classes: bool
    series: tuple[Series, ...]


@dataclass(frozen=True)
class _Row:
    """One row with valid cells."""

    line: int
    time_s: float
    key: tuple[str, str, str]
    rate_bps: float
    packet_bytes: float | None
    flows: int | None


def read_table(path: Path, shown: str) -> tuple[RateTable | None, list[Problem]]:
    """The series of a table, and all that is wrong with it; `shown` is its name in messages.

    The table is None if anything is wrong.

    Raises
    ------
    ScenarioError
        If it is no table at all: empty, binary, too large, not UTF-8.
    UsageError
        If it cannot be read.
    """
    lines = read_lines(path, shown)
    reading = _Reading(shown)
    return reading.table(lines), reading.problems


class _Reading:
    """Reads a table row by row and collects what is wrong."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._columns = Columns(file)
        self._zero: datetime | None = None
        self._unitless: set[str] = set()
        self._add = self._columns.add
        self.problems = self._columns.problems

    def table(self, lines: Iterator[Line]) -> RateTable | None:
        """The table of these lines, None if anything is wrong."""
        line, header = next(((n, cells) for n, cells in lines if any(cells)), (1, []))
        if not header:
            raise stop(self._file, 1, "the table is empty", f"begin with {example_header()}")
        self._columns.read_header(line, header)
        if self.problems:
            return None
        body = [(n, cells) for n, cells in self._bounded(lines) if any(cells)]
        if body and self._columns.is_unit_row(body[0][1]):
            self._columns.read_units(*body.pop(0))
        if not body:
            self._add(line, 1, None, "the table has no row of rates", "add one below the header")
        self._zero = self._midnight(body)
        rows = [row for n, cells in body if (row := self._row(n, cells, len(header))) is not None]
        rows = self._without_twins(rows)
        return None if self.problems else self._gathered(rows)

    def _bounded(self, lines: Iterator[Line]) -> Iterator[Line]:
        for count, (line, cells) in enumerate(lines):
            if count > ROWS_MAX:
                raise too_many(self._file, line)
            yield line, cells

    # ---- cells ---------------------------------------------------------------------------------

    def _row(self, line: int, cells: list[str], width: int) -> _Row | None:
        """The values of one row, None if any is wrong."""
        before = len(self.problems)
        if len(cells) != width:
            rule = f"the row has {len(cells)} cells, the header {width}"
            self._add(line, 1, None, rule, "give each column a cell, empty ones too")
            return None
        by_name = {c.name: cells[c.number - 1] for c in self._columns}
        for name in NEEDED:
            if not by_name[name]:
                self._add(line, self._columns[name].number, "", f"{name} is empty", "write it")
        time_s = self._time_s(line, by_name["time"])
        rate_bps = self._quantity(line, "rate", by_name["rate"])
        packet_bytes = self._quantity(line, "packet", by_name.get("packet", ""))
        flows = self._count(line, by_name.get("flows", ""))
        src, dst = by_name["src"], by_name["dst"]
        if src and src == dst:
            col = self._columns["dst"].number
            self._add(line, col, dst, "both ends are the same place", "name two places")
        if len(self.problems) > before or time_s is None or rate_bps is None:
            return None
        key = (src, dst, by_name.get("class", ""))
        return _Row(line, time_s, key, rate_bps, packet_bytes, flows)

    def _quantity(self, line: int, name: str, cell: str) -> float | None:
        """A cell of a column with a unit, in SI units; None if it is empty or wrong."""
        if not cell:
            return None
        column, dimension = self._columns[name], COLUMNS[name]
        assert dimension is not None
        if len(cell) > TEXT_CHARACTERS_MAX - 10:
            self._add(line, column.number, cell, "is no number", "write digits")
            return None
        has_digits_alone = not any(c.isalpha() and c not in "eE" for c in cell)
        text = f"{cell} {column.unit}" if column.unit and has_digits_alone else cell
        try:
            value = parse_quantity(text, dimension)
        except UnitError as error:
            fix = error.fix
            if not column.unit and has_digits_alone and not math.isnan(_number(cell)):
                # The whole column is so: say it once.
                if name in self._unitless:
                    return None
                self._unitless.add(name)
                fix = f"name the column {WRITTEN[name]}, or add a row of units below the header"
            self._add(line, column.number, cell, error.rule, fix)
            return None
        if value < 0.0 or (name == "packet" and value == 0.0):
            self._add(line, column.number, cell, "must not be negative", "check the sign")
            return None
        return value

    def _count(self, line: int, cell: str) -> int | None:
        if not cell:
            return None
        whole = re.sub(r"\.0+$", "", cell)
        if not _DIGITS.fullmatch(whole) or int(whole) == 0:
            col = self._columns["flows"].number
            self._add(line, col, cell, "must be a whole number of flows", "write for example 4")
            return None
        return int(whole)

    def _time_s(self, line: int, cell: str) -> float | None:
        """Time of a row; None if it is empty or wrong."""
        time_s = self._since_midnight_s(line, cell)
        if time_s is not None and time_s > TIME_MAX_S:
            rule = f"lies {format_duration(TIME_MAX_S)} or more after the beginning"
            self._add(line, self._columns["time"].number, cell, rule, "keep the days needed")
            return None
        return time_s

    def _since_midnight_s(self, line: int, cell: str) -> float | None:
        if not cell:
            return None
        if self._zero is None:
            return self._quantity(line, "time", cell)
        stamp = _stamp(cell)
        if stamp is None or (stamp.tzinfo is None) != (self._zero.tzinfo is None):
            rule = "the other times are dates with a time of day"
            fix = f"write it as {self._zero.isoformat()}"
            self._add(line, self._columns["time"].number, cell, rule, fix)
            return None
        return (stamp - self._zero).total_seconds()

    def _midnight(self, body: Sequence[tuple[int, list[str]]]) -> datetime | None:
        """The beginning of the first day, if times are dates with a time of day."""
        at = self._columns["time"].number - 1
        cells = [cells[at] for _, cells in body if at < len(cells)]
        if self._columns["time"].unit or not cells or not _STAMP.match(cells[0]):
            return None
        first = _stamp(cells[0])
        if first is None:
            return None
        stamps = [
            s for s in map(_stamp, cells) if s and (s.tzinfo is None) == (first.tzinfo is None)
        ]
        return min(stamps).replace(hour=0, minute=0, second=0, microsecond=0)

    # ---- all rows ------------------------------------------------------------------------------

    def _without_twins(self, rows: list[_Row]) -> list[_Row]:
        """The rows by time; two of the same class, places and time are a problem."""
        known: dict[tuple[float, tuple[str, str, str]], int] = {}
        for row in rows:
            first = known.setdefault((row.time_s, row.key), row.line)
            if first != row.line:
                rule = f"line {first} has the same time, places and class"
                self._add(row.line, 1, None, rule, "remove or add up one of them")
        times = sorted({row.time_s: row.line for row in rows}.items())
        for (earlier_s, _), (later_s, line) in pairwise(times):
            if later_s - earlier_s < LEAST_STEP_S:
                rule = f"two times are less than {format_duration(LEAST_STEP_S)} apart"
                self._add(line, self._columns["time"].number, None, rule, "round them")
        return sorted(rows, key=lambda row: row.time_s)

    def _gathered(self, rows: list[_Row]) -> RateTable | None:
        times_s = tuple(dict.fromkeys(row.time_s for row in rows))
        step = {time_s: i for i, time_s in enumerate(times_s)}
        by_key: dict[tuple[str, str, str], list[_Row]] = {}
        for row in sorted(rows, key=lambda row: row.line):
            by_key.setdefault(row.key, []).append(row)
        series = tuple(self._series(key, own, step) for key, own in by_key.items())
        end_s = 2.0 * times_s[-1] - times_s[-2] if len(times_s) > 1 else None
        end_s = None if end_s is None or end_s > TIME_MAX_S else end_s
        return (
            None
            if self.problems
            else RateTable(self._file, times_s, end_s, "class" in self._columns, series)
        )

    def _series(
        self, key: tuple[str, str, str], rows: list[_Row], step: dict[float, int]
    ) -> Series:
        rates = [0.0] * len(step)
        for row in rows:
            rates[step[row.time_s]] = row.rate_bps
        largest = max(rows, key=lambda row: row.rate_bps)
        lines = {"rate": largest.line}
        for name, values in (
            ("packet", [row.packet_bytes for row in rows]),
            ("flows", [row.flows for row in rows]),
        ):
            for row, value in zip(rows, values, strict=True):
                if value != values[0]:
                    rule = f"another {name} than in line {rows[0].line} for the same stream"
                    fix = "give what differs a class of its own"
                    self._add(row.line, self._columns[name].number, str(value), rule, fix)
                    break
        marks = {
            column.name: Mark(self._file, lines.get(column.name, rows[0].line), column.number)
            for column in self._columns
        }
        return Series(*key, tuple(rates), rows[0].packet_bytes, rows[0].flows, marks)


def _stamp(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
