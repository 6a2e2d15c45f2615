"""Lines of a table of rates from a CSV or Parquet file: their numbers and cells, as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from simulator.base.errors import Problem, ScenarioError, UsageError, quote
from simulator.scenario.text import TEXT_BYTES_MAX, read_file

KEY: Final = "rates_from"
ROWS_MAX: Final = 40_000
_CELLS_MAX: Final = 40
_PARQUET: Final = b"PAR1"
_XLSX: Final = b"PK\x03\x04"

Line = tuple[int, list[str]]
"""Number of a line, and its cells."""


def read_lines(path: Path, shown: str) -> Iterator[Line]:
    """The lines of a table, its header first; `shown` is its name in messages.

    Raises
    ------
    ScenarioError
        If it is no table: binary, too large, not UTF-8, no CSV.
    UsageError
        If it cannot be read.
    """
    return _parquet_lines(path, shown) if _is_parquet(path, shown) else _text_lines(path, shown)


def stop(file: str, line: int, rule: str, fix: str) -> ScenarioError:
    """What to raise where the rest of a table cannot be read."""
    return ScenarioError([Problem(file, line, 1, KEY, None, rule, fix)])


def too_many(file: str, line: int) -> ScenarioError:
    """The same of a table with too many rows."""
    rule = f"a table of rates has at most {ROWS_MAX} rows and {TEXT_BYTES_MAX // 2**20} MiB"
    return stop(file, line, rule, "take longer steps, or divide it")


def _is_parquet(path: Path, shown: str) -> bool:
    try:
        with path.open("rb") as stream:
            begin = stream.read(len(_PARQUET))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot read table of rates '{quote(shown)}': {reason}") from error
    if begin == _XLSX:
        rule = "a workbook cannot be read"
        raise stop(shown, 1, rule, "save its sheet as CSV, or as Parquet")
    return begin == _PARQUET


def _text_lines(path: Path, shown: str) -> Iterator[Line]:
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
        raise stop(shown, reader.line_num, rule, "check quotes and commas") from error


def _parquet_lines(path: Path, shown: str) -> Iterator[Line]:
    """The same of a Parquet file; line 1 is its columns, as if it were written as text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            about = file.metadata
            # What a file says of itself is looked at before any of it is unpacked.
            unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
            if about.num_rows > ROWS_MAX or max(unpacked, path.stat().st_size) > TEXT_BYTES_MAX:
                raise too_many(shown, 1)
            if about.num_columns > _CELLS_MAX:
                raise stop(shown, 1, f"it has {about.num_columns} columns", "keep those needed")
            table = file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        rule = f"is no Parquet file: {quote(str(error))}"
        raise stop(shown, 1, rule, "write it anew, or save it as CSV") from error
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
