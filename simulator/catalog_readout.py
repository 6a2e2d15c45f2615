"""Tables of the catalogue for a person at a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.base.errors import CatalogError, did_you_mean, quote
from simulator.base.units import (
    format_duration,
    format_money,
    format_packet_rate,
    format_rate,
    format_ratio,
    format_size,
)
from simulator.catalog import Column, Row, Table, list_tables, load_catalog
from simulator.console import WIDTH, table, wrapped

EVERY: Final = "all"
PROVENANCE: Final = ("status", "source", "as_of", "note")
"""Columns that say where a row comes from."""
SHOW: Final[dict[str, Callable[[float], str]]] = {
    "bps": format_rate,
    "s": format_duration,
    "bytes": format_size,
    "pps": format_packet_rate,
    "ratio": format_ratio,
    "usd": format_money,
}
"""Unit of a column -> how a person reads its numbers."""


@dataclass(frozen=True)
class TableList:
    """The names of all tables."""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        rows = [
            {"name": t.name, "rows": t.rows, "description": t.description} for t in list_tables()
        ]
        return {"tables": rows}

    def to_text(self) -> str:
        """One paragraph for each table."""
        tables = list_tables()
        width = max(len(t.name) for t in tables)
        lines = []
        for t in tables:
            head = f"{t.name:{width}}  {t.rows:5}  "
            lines += wrapped(t.description, " " * len(head), head)
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Rows:
    """Some rows of one table."""

    table: Table
    rows: Sequence[Row]
    era: str

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data: numbers in the units that `columns` names."""
        return {
            "table": self.table.name,
            "description": self.table.description,
            "era": self.era,
            "columns": [
                {"name": c.name, "type": c.type, "unit": c.unit, "description": c.description}
                for c in self.table.schema
            ],
            "rows": [
                {name: list(v) if isinstance(v, tuple) else v for name, v in row.items()}
                for row in self.rows
            ],
        }

    def to_text(self) -> str:
        """Print a table where it fits the width, else one paragraph for each row."""
        head = wrapped(f"{self.table.name}: {self.table.description}")
        shared, own = self._split()
        if shared:
            head += wrapped("in all rows: " + "; ".join(shared))
        body = self._as_table(own)
        if max(map(len, body), default=0) > WIDTH:
            body = self._as_paragraphs(own)
        return "\n".join([*head, "", *body]) + "\n"

    def _split(self) -> tuple[list[str], list[Column]]:
        """What all rows share, in words, and the columns in which they differ."""
        shared, own = [], []
        for column in self.table.schema:
            values = {row[column.name] for row in self.rows}
            if column.name == self.table.key or len(self.rows) == 1 or len(values) > 1:
                own.append(column)
            elif values != {None} and values != {""}:
                shared.append(f"{_words(column.name)} {_cell(column, self.rows[0])}")
        return shared, own

    def _as_table(self, columns: Sequence[Column]) -> list[str]:
        right = [n for n, c in enumerate(columns) if c.type in {"int", "float"}]
        cells = [[_cell(c, row) or "-" for c in columns] for row in self.rows]
        return table([_words(c.name) for c in columns], cells, right)

    def _as_paragraphs(self, columns: Sequence[Column]) -> list[str]:
        lines = []
        facts = [c for c in columns if c.name not in {*PROVENANCE, self.table.key}]
        known = {c.name: c for c in columns}
        for row in self.rows:
            said = [f"{_words(c.name)} {text}" for c in facts if (text := _cell(c, row))]
            lines += wrapped("; ".join(said), "    ", f"{row[self.table.key]}: ")
            origin = [str(row[n]) for n in PROVENANCE[:3] if n in known and row[n]]
            if origin:
                lines += wrapped(", ".join(origin), "      ", "    ")
            if "note" in known and row["note"]:
                lines += wrapped(str(row["note"]), "      ", "    ")
        return lines


def listed() -> TableList:
    """List the tables."""
    return TableList()


def rows(name: str, part: str | None, era: str) -> Rows:
    """Take the rows of a table that hold in an era, or in all, and that contain a text.

    Raises
    ------
    CatalogError
        If there is no such table, era or row.
    """
    is_every = era == EVERY
    found = load_catalog("current" if is_every else era).table(name, all_eras=is_every)
    kept = found.rows
    if part is not None:
        kept = tuple(
            r for r in kept if any(part.casefold() in str(c).casefold() for c in r.values())
        )
        if not kept:
            fix = did_you_mean(part, found.names())
            raise CatalogError(f"{name}: no row contains {quote(part)}; {fix}")
    return Rows(found, kept, era)


def _words(name: str) -> str:
    """A column's name as words; its unit shows in the value."""
    for unit in SHOW:
        name = name.removesuffix(f"_{unit}")
    return name.replace("_", " ")


def _cell(column: Column, row: Row) -> str:
    value = row[column.name]
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(v if isinstance(v, str) else _number(column, v) for v in value)
        case str():
            return value
    return _number(column, value)


def _number(column: Column, value: float) -> str:
    if column.unit in SHOW:
        return SHOW[column.unit](value)
    return f"{value:.12g}"
