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

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from simulator.arrivals import LEAST_STEP_S
from simulator.base.errors import Problem, ScenarioError, UsageError, did_you_mean, quote
from simulator.base.units import (
    DAY_S,
    DURATION,
    RATE,
    SIZE,
    TEXT_CHARACTERS_MAX,
    Dimension,
    UnitError,
    format_duration,
    parse_quantity,
)
from simulator.scenario.source import TEXT_BYTES_MAX, Mark, read_file

KEY: Final = "rates_from"
ROWS_MAX: Final = 40_000
PROBLEMS_MAX: Final = 200
"""More problems of one table are not looked for."""
TIME_MAX_S: Final = 50 * DAY_S
"""The longest run."""

#: Column -> what it measures; None: a name or a count.
COLUMNS: Final[dict[str, Dimension | None]] = {
    "time": DURATION,
    "src": None,
    "dst": None,
    "class": None,
    "rate": RATE,
    "packet": SIZE,
    "flows": None,
}
NEEDED: Final = ("time", "src", "dst", "rate")
WRITTEN: Final = {"time": "time_s", "rate": "rate_bps", "packet": "packet_bytes"}

#: Ending of a column's name -> unit.
ENDINGS: Final = {
    "time": {"s": "s", "ms": "ms", "min": "min", "h": "h", "d": "d"},
    "rate": {
        "bps": "bit/s",
        "kbps": "kbit/s",
        "mbps": "Mbit/s",
        "gbps": "Gbit/s",
        "Mbps": "Mbit/s",
        "Gbps": "Gbit/s",
    },
    "packet": {"bytes": "bytes"},
}
_HEADER = re.compile(r"([a-z]+)(?:_([A-Za-z]+)| ?[\[(]([^\])]*)[\])])?")
_DIGITS = re.compile(r"[0-9]{1,9}")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)")
_PARQUET: Final = b"PAR1"
_XLSX: Final = b"PK\x03\x04"
_CELLS_MAX: Final = 40


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
class _Column:
    """A column whose name is known."""

    name: str
    number: int
    """From 1, as problems count."""
    unit: str
    """Empty: each cell has its own."""


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
    lines = _parquet_lines(path, shown) if _is_parquet(path, shown) else _text_lines(path, shown)
    reading = _Reading(shown)
    return reading.table(lines), reading.problems


def _stop(file: str, line: int, rule: str, fix: str) -> ScenarioError:
    return ScenarioError([Problem(file, line, 1, KEY, None, rule, fix)])


# ---------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------


def _is_parquet(path: Path, shown: str) -> bool:
    try:
        with path.open("rb") as stream:
            begin = stream.read(len(_PARQUET))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot read table of rates '{quote(shown)}': {reason}") from error
    if begin == _XLSX:
        rule = "a workbook cannot be read"
        raise _stop(shown, 1, rule, "save its sheet as CSV, or as Parquet")
    return begin == _PARQUET


def _text_lines(path: Path, shown: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of a CSV file; commas, semicolons or tabs between cells."""
    text = read_file(path)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        rule = f"is no CSV: {error}"
        raise _stop(shown, reader.line_num, rule, "check quotes and commas") from error


def _parquet_lines(path: Path, shown: str) -> Iterator[tuple[int, list[str]]]:
    """The same of a Parquet file; line 1 is its columns, as if it were written as text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            about = file.metadata
            # What a file says of itself is looked at before any of it is unpacked.
            unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
            if about.num_rows > ROWS_MAX or max(unpacked, path.stat().st_size) > TEXT_BYTES_MAX:
                raise _too_many(shown, 1)
            if about.num_columns > _CELLS_MAX:
                raise _stop(shown, 1, f"it has {about.num_columns} columns", "keep those needed")
            table = file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        rule = f"is no Parquet file: {quote(str(error))}"
        raise _stop(shown, 1, rule, "write it anew, or save it as CSV") from error
    names = [str(name) for name in table.column_names]
    yield 1, names
    columns = [table.column(i).to_pylist() for i in range(len(names))]
    for line, values in enumerate(zip(*columns, strict=True), start=2):
        yield line, [_cell(value) for value in values]


def _cell(value: object) -> str:
    """A value of a typed column as a CSV file would hold it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def _too_many(file: str, line: int) -> ScenarioError:
    rule = f"a table of rates has at most {ROWS_MAX} rows and {TEXT_BYTES_MAX // 2**20} MiB"
    return _stop(file, line, rule, "take longer steps, or divide it")


# ---------------------------------------------------------------------------------------------
# Rows
# ---------------------------------------------------------------------------------------------


class _Reading:
    """Reads a table row by row and collects what is wrong."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._columns: dict[str, _Column] = {}
        self._zero: datetime | None = None
        self._unitless: set[str] = set()
        self.problems: list[Problem] = []

    def table(self, lines: Iterator[tuple[int, list[str]]]) -> RateTable | None:
        """The table of these lines, None if anything is wrong."""
        line, header = next(((n, cells) for n, cells in lines if any(cells)), (1, []))
        if not header:
            raise _stop(self._file, 1, "the table is empty", f"begin with {_example_header()}")
        self._read_header(line, header)
        if self.problems:
            return None
        body = [(n, cells) for n, cells in self._bounded(lines) if any(cells)]
        if body and self._is_unit_row(body[0][1]):
            self._read_units(*body.pop(0))
        if not body:
            self._add(line, 1, None, "the table has no row of rates", "add one below the header")
        self._zero = self._midnight(body)
        rows = [row for n, cells in body if (row := self._row(n, cells, len(header))) is not None]
        rows = self._without_twins(rows)
        return None if self.problems else self._gathered(rows)

    def _bounded(self, lines: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        for count, (line, cells) in enumerate(lines):
            if count > ROWS_MAX:
                raise _too_many(self._file, line)
            yield line, cells

    def _add(self, line: int, col: int, value: str | None, rule: str, fix: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            name = next((c.name for c in self._columns.values() if c.number == col), "")
            path = f"{KEY}.{name}" if name else KEY
            shown = None if value is None else quote(value)
            self.problems.append(Problem(self._file, line, col, path, shown, rule, fix))

    # ---- header and units ----------------------------------------------------------------------

    def _read_header(self, line: int, header: Sequence[str]) -> None:
        for number, written in enumerate(header, start=1):
            found = _HEADER.fullmatch(written)
            name = found[1] if found else written
            if name not in COLUMNS:
                names = [WRITTEN.get(known, known) for known in COLUMNS]
                self._add(line, number, written, "is no column of a table of rates",
                          did_you_mean(written, names))  # fmt: skip
                continue
            if name in self._columns:
                self._add(line, number, written, f"there are two columns {name}", "remove one")
                continue
            ending, bracket = (found[2] or "", found[3] or "") if found else ("", "")
            unit = bracket or ENDINGS.get(name, {}).get(ending, "")
            is_known = not (ending or bracket) or unit in _units(name)
            if not is_known:
                shown = ending or bracket
                self._add(line, number, written, f"'{quote(shown)}' is no unit of {name}",
                          _unit_fix(name, shown))  # fmt: skip
            self._columns[name] = _Column(name, number, unit if is_known else "")
        if not self.problems:
            for missing in [name for name in NEEDED if name not in self._columns]:
                rule = f"there is no column {WRITTEN.get(missing, missing)}"
                self._add(line, 1, None, rule, f"begin with {_example_header()}")

    def _is_unit_row(self, cells: Sequence[str]) -> bool:
        """Whether a row holds units: letters where a rate would be, or `unit` in front."""
        if any(cell.casefold() in {"unit", "units"} for cell in cells):
            return True
        places = [self._columns[name].number - 1 for name in ("rate", "time")]
        rate, time = (cells[at] if at < len(cells) else "" for at in places)
        return rate[:1].isalpha() and not time[:1].isdigit()

    def _read_units(self, line: int, cells: Sequence[str]) -> None:
        for column in list(self._columns.values()):
            cell = cells[column.number - 1] if column.number <= len(cells) else ""
            if not cell or cell.casefold() in {"unit", "units"}:
                continue
            known = _units(column.name)
            unit = ENDINGS.get(column.name, {}).get(cell, cell)
            if COLUMNS[column.name] is not None and unit not in known:
                rule = f"is no unit of {column.name}"
                self._add(line, column.number, cell, rule, _unit_fix(column.name, cell))
            elif column.unit and unit != column.unit:
                rule = f"the header says {column.unit}"
                self._add(line, column.number, cell, rule, "say it once")
            elif COLUMNS[column.name] is not None:
                self._columns[column.name] = _Column(column.name, column.number, unit)

    # ---- cells ---------------------------------------------------------------------------------

    def _row(self, line: int, cells: list[str], width: int) -> _Row | None:
        """The values of one row, None if any is wrong."""
        before = len(self.problems)
        if len(cells) != width:
            rule = f"the row has {len(cells)} cells, the header {width}"
            self._add(line, 1, None, rule, "give each column a cell, empty ones too")
            return None
        by_name = {c.name: cells[c.number - 1] for c in self._columns.values()}
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
            name: Mark(self._file, lines.get(name, rows[0].line), column.number)
            for name, column in self._columns.items()
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


def _units(name: str) -> dict[str, Any]:
    dimension = COLUMNS[name]
    return {} if dimension is None else dict(dimension.factors)


def _unit_fix(name: str, written: str) -> str:
    """The unit that was meant, or all of them."""
    dimension = COLUMNS[name]
    if dimension is None:
        return f"{name} has no unit; remove it"
    known = dimension.misspelt.get(written)
    if known is not None and known[0] == 1:
        return f"write '{known[1]}'"
    return f"use one of {dimension.units}"


def _example_header() -> str:
    return ",".join(WRITTEN.get(name, name) for name in COLUMNS)
