"""The catalogue's CSV tables: reading, typed rows, eras, and the hash of all their bytes.

`tables.csv` lists the tables, with the column that names a row and the columns that identify it;
`columns.csv` gives type, unit and meaning of every column. A table is read when it is first asked
for and then kept.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeAlias, TypeVar

from simulator.base.errors import CatalogError, did_you_mean, quote

FOLDER = Path(__file__).parent

#: Era of a row that holds in every era.
EVERY_ERA = "all"

#: What a row's `status` may be.
STATUSES = ("documented", "measured", "derived", "estimate", "conflict", "gap")

Cell: TypeAlias = str | int | float | bool | tuple[str, ...] | tuple[float, ...] | None
T = TypeVar("T")


def _texts(text: str) -> tuple[str, ...]:
    return tuple(text.split(";")) if text else ()


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in _texts(text))


def _or_none(convert: Callable[[str], Cell]) -> Callable[[str], Cell]:
    return lambda text: convert(text) if text else None


#: Type of a column -> how a cell is read. Empty text and lists stay empty, other empty cells are
#: None: unknown, or without a limit.
_READERS: dict[str, Callable[[str], Cell]] = {
    "text": str,
    "list": _texts,
    "floats": _numbers,
    "int": _or_none(int),
    "float": _or_none(float),
    "bool": _or_none({"true": True, "false": False}.__getitem__),
}


class Row(Mapping[str, Cell]):
    """One row: a read-only mapping of column to typed value.

    The named getters return one type each, so that callers need no casts; they raise
    `CatalogError` if the cell is empty or of another type.
    """

    __slots__ = ("_cells", "_place")

    def __init__(self, cells: dict[str, Cell], place: str) -> None:
        self._cells = cells
        self._place = place

    def __getitem__(self, column: str) -> Cell:
        return self._cells[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def __hash__(self) -> int:
        """By its place: no two rows of the catalogue are equal."""
        return hash(self._place)

    def __repr__(self) -> str:
        return f"Row({self._place}: {self._cells!r})"

    def text(self, column: str) -> str:
        """Return the text of a column."""
        return self._typed(column, str)

    def flag(self, column: str) -> bool:
        """Return the truth of a column."""
        return self._typed(column, bool)

    def count(self, column: str) -> int:
        """Return the whole number of a column."""
        return self._typed(column, int)

    def count_or_none(self, column: str) -> int | None:
        """Return the whole number of a column, None where it is unknown."""
        return None if self._cells[column] is None else self.count(column)

    def number(self, column: str) -> float:
        """Return the number of a column."""
        return self._typed(column, float)

    def number_or_none(self, column: str) -> float | None:
        """Return the number of a column, None where it is unknown."""
        return None if self._cells[column] is None else self.number(column)

    def texts(self, column: str) -> tuple[str, ...]:
        """Return the parts of a column that lists texts."""
        return tuple(map(str, self._typed(column, tuple)))

    def numbers(self, column: str) -> tuple[float, ...]:
        """Return the parts of a column that lists numbers."""
        return tuple(map(float, self._typed(column, tuple)))

    def _typed(self, column: str, kind: type[T]) -> T:
        cell = self._cells[column]
        if not isinstance(cell, kind):
            raise CatalogError(
                f"{self._place} {column} = {quote(cell)}: must be of type {kind.__name__}; "
                "fill the cell, or ask for another type"
            )
        return cell


@dataclass(frozen=True)
class Column:
    """A column of a table: how it is read, its unit (empty: none) and what it means."""

    name: str
    type: str
    unit: str
    description: str


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the catalogue, or those of its rows that hold in one era.

    `key` is the column that names a row for people; `identity` the columns that tell any two rows
    apart.
    """

    name: str
    description: str
    key: str
    identity: tuple[str, ...]
    schema: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the order of the file."""
        return tuple(column.name for column in self.schema)

    def names(self) -> tuple[str, ...]:
        """List the names of the rows, each once, in the order of the file."""
        return tuple(dict.fromkeys(str(row[self.key]) for row in self.rows))

    def where(self, **cells: Cell) -> tuple[Row, ...]:
        """Return the rows whose cells equal those given."""
        return _rows_by_cells(self, tuple(cells)).get(tuple(cells.values()), ())

    def in_era(self, era: str, falls_back_to: str = "") -> Table:
        """Keep the rows that hold in an era.

        A table that has no row of its own for the era shows those of the era `falls_back_to`.
        """
        if "era" not in self.columns:
            return self
        known = {row["era"] for row in self.rows}
        wanted = {EVERY_ERA, era if era in known else falls_back_to}
        return replace(self, rows=tuple(row for row in self.rows if row["era"] in wanted))


@dataclass(frozen=True)
class TableInfo:
    """What a list of tables shows: name, number of rows in all eras, description."""

    name: str
    rows: int
    description: str


@cache
def _rows_by_cells(
    table: Table, columns: tuple[str, ...]
) -> dict[tuple[Cell, ...], tuple[Row, ...]]:
    """The rows of a table by what stands in some of their columns."""
    found: dict[tuple[Cell, ...], list[Row]] = {}
    for row in table.rows:
        found.setdefault(tuple(row[column] for column in columns), []).append(row)
    return {cells: tuple(rows) for cells, rows in found.items()}


@cache
def read_table(name: str) -> Table:
    """Read a whole table, with the rows of every era.

    Raises
    ------
    CatalogError
        If there is no such table, or a cell cannot be read as its column says.
    """
    listed = _listed_tables()
    if name not in listed:
        fix = did_you_mean(name, listed)
        raise CatalogError(f"table '{quote(name)}': is not in the catalogue; {fix}")
    entry = listed[name]
    schema = _schemas()[name]
    return Table(
        name=name,
        description=entry["description"],
        key=entry["key"],
        identity=_texts(entry["identity"]),
        schema=schema,
        rows=tuple(_read_rows(name, schema)),
    )


def list_tables() -> list[TableInfo]:
    """List every table with its number of rows and a one-line description, by name."""
    return [
        TableInfo(name, len(read_table(name).rows), entry["description"])
        for name, entry in sorted(_listed_tables().items())
    ]


@cache
def catalog_hash() -> str:
    """Hash the catalogue: SHA-256 over the names and bytes of all tables, in hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted(FOLDER.glob("*.csv")):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _read_rows(name: str, schema: tuple[Column, ...]) -> Iterator[Row]:
    lines = _csv_lines(name)
    header = next(lines)
    if header != [column.name for column in schema]:
        fix = "describe each column in columns.csv, in the same order"
        raise CatalogError(f"{name}.csv: its columns are not those of columns.csv; {fix}")
    readers = [(column.name, _READERS[column.type]) for column in schema]
    for line_number, line in enumerate(lines, start=2):
        place = f"{name}.csv:{line_number}"
        if len(line) != len(readers):
            raise CatalogError(f"{place}: {len(line)} cells; write {len(readers)} of them")
        cells: dict[str, Cell] = {}
        for (column, read), text in zip(readers, line, strict=True):
            try:
                cells[column] = read(text)
            except (ValueError, KeyError) as error:
                fix = "see the type of the column in columns.csv"
                message = f"{place} {column} = {quote(text)}: cannot be read; {fix}"
                raise CatalogError(message) from error
        yield Row(cells, place)


def _csv_lines(name: str) -> Iterator[list[str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)


@cache
def _listed_tables() -> dict[str, dict[str, str]]:
    header, *lines = _csv_lines("tables")
    return {line[0]: dict(zip(header, line, strict=True)) for line in lines}


@cache
def _schemas() -> dict[str, tuple[Column, ...]]:
    _, *lines = _csv_lines("columns")
    schemas: dict[str, tuple[Column, ...]] = {}
    for table, *cells in lines:
        schemas[table] = (*schemas.get(table, ()), Column(*cells))
    return schemas
