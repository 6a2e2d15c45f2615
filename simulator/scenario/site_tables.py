"""`sites_from: FILE.csv`: a table of sites, one a row, over the fields of one entry.

A column is named like a field, with dots: `location.near`, `internet.isp.down`; the column `name`
names the site. A cell is read as YAML reads a plain value, a list has `;` between its entries, and
an empty cell leaves the field as the entry has it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.base.errors import Problem, ScenarioError
from simulator.scenario.shape import Shape
from simulator.scenario.source import Mark, TreePath
from simulator.scenario.text import read_file
from simulator.scenario.yaml_reader import core_scalar

KEY = "sites_from"
NAME_COLUMN = "name"
ROWS_MAX = 10_000


@dataclass(frozen=True)
class SiteRow:
    """One row: where it is, and its values by path inside the site."""

    name: str
    """Empty if the table has no column for it."""
    values: tuple[tuple[TreePath, Any, Mark], ...]


def read_rows(path: Path, shown: str) -> tuple[SiteRow, ...]:
    """The rows of a table of sites; `shown` is its name in messages.

    Raises
    ------
    ScenarioError
        If it is no table: no header, a column twice, a row of another length, too many rows.
    UsageError
        If it cannot be read.
    """
    lines = csv.reader(io.StringIO(read_file(path)), strict=True)
    try:
        header = [column.strip() for column in next(lines, [])]
        _check_header(header, shown)
        return tuple(_rows(lines, header, shown))
    except csv.Error as error:
        fix = "check quotes and commas"
        raise _stop(shown, lines.line_num, 1, f"is no CSV: {error}", fix) from error


def _check_header(header: list[str], file: str) -> None:
    if not any(header):
        raise _stop(file, 1, 1, "a table of sites begins with its columns", "write name,...")
    for number, column in enumerate(header, start=1):
        if not column or column in header[: number - 1]:
            rule = "a column has a name, and no other has it"
            raise _stop(file, 1, number, rule, "name each column after one field of a site")


def _rows(lines: Any, header: list[str], file: str) -> Iterator[SiteRow]:
    count = 0
    for cells in lines:
        line = lines.line_num
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > ROWS_MAX:
            raise _stop(file, line, 1, f"a table has at most {ROWS_MAX} sites", "divide it")
        if len(cells) != len(header):
            rule = f"the row has {len(cells)} cells, the header {len(header)}"
            raise _stop(file, line, 1, rule, "give each column a cell, empty ones too")
        by_column = {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
        values = tuple(
            (tuple(column.split(".")), _value(column, cell), Mark(file, line, number))
            for number, (column, cell) in enumerate(by_column.items(), start=1)
            if cell and column != NAME_COLUMN
        )
        yield SiteRow(by_column.get(NAME_COLUMN, ""), values)


def _value(column: str, cell: str) -> Any:
    if Shape.at(("sites", "any", *column.split("."))).is_list:
        return [core_scalar(item.strip()) for item in cell.split(";")]
    return core_scalar(cell)


def _stop(file: str, line: int, col: int, rule: str, fix: str) -> ScenarioError:
    return ScenarioError([Problem(file, line, col, KEY, None, rule, fix)])


def filled(site: Mapping[str, Any], row: SiteRow) -> dict[str, Any]:
    """A copy of an entry with the values of a row in place."""
    result: dict[str, Any] = dict(site)
    for path, value, _ in row.values:
        node = result
        for part in map(str, path[:-1]):
            below = node.get(part)
            node[part] = dict(below) if isinstance(below, dict) else {}
            node = node[part]
        node[str(path[-1])] = value
    return result
