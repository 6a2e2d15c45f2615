"""Tables of the catalogue for a person at a terminal, and as JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

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


class Grid(NamedTuple):
    """Columns of a table that is read best with one of them laid across."""

    group: str
    row: str
    across: str
    value: str
    reference: str
    """Further reading on a value, listed below with the row's own notes."""


GRIDS: Final = {
    "deployment-support": Grid("configuration", "deployment_model", "tool", "supported", "article")
}
NOTE_PARTS: Final = "; "
"""Between the parts of a note."""


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
        if self.table.name in GRIDS:
            return "\n".join([*head, "", *self._as_grid(GRIDS[self.table.name])]) + "\n"
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

    def _as_grid(self, grid: Grid) -> list[str]:
        """A line for each row of a group, and what its cells refer to in a numbered list."""
        across = list(dict.fromkeys(str(row[grid.across]) for row in self.rows))
        common = self._common_note_parts()
        references: dict[str, int] = {}
        cells: dict[tuple[str, str], dict[str, str]] = {}
        for row in self.rows:
            place = (str(row[grid.group]), str(row[grid.row]))
            reference = _reference(row, grid, common)
            number = references.setdefault(reference, len(references) + 1) if reference else ""
            text = f"{row[grid.value]} {number}".rstrip()
            cells.setdefault(place, {})[str(row[grid.across])] = text
        lines: list[tuple[str, ...]] = []
        for group in dict.fromkeys(group for group, _ in cells):
            lines.append((group, *[""] * len(across)))
            for (of_group, name), known in cells.items():
                if of_group == group:
                    lines.append((f"  {name}", *[known.get(column, "-") for column in across]))
        listed = table([_words(grid.group), *across], lines)
        listed += ["", f"Numbers: {_words(grid.reference)} and notes; -: nothing is known."]
        width = len(str(len(references)))
        for reference, number in references.items():
            listed += wrapped(reference, " " * (width + 4), f"  {number:{width}}  ")
        dates: dict[str, dict[str, None]] = defaultdict(dict)
        for row in self.rows:
            dates[str(row["source"])][str(row["as_of"])] = None
        said = f"In most rows: {NOTE_PARTS.join(common)}. " if common else ""
        origins = ", ".join(f"{source} ({', '.join(when)})" for source, when in dates.items())
        return [*listed, "", *wrapped(f"{said}From {origins}")]

    def _common_note_parts(self) -> list[str]:
        """What the notes of more than half of the rows say."""
        counted = Counter(part for row in self.rows for part in _note_parts(row))
        return [part for part, count in counted.items() if 2 * count > len(self.rows)]

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


def _note_parts(row: Row) -> list[str]:
    return [part for part in str(row["note"] or "").split(NOTE_PARTS) if part]


def _reference(row: Row, grid: Grid, common: Sequence[str]) -> str:
    """What is said of a row beside its value: the article, and what is its own in its note."""
    article = str(row[grid.reference] or "")
    own = [part for part in _note_parts(row) if part not in common and part != row["status"]]
    status = str(row["status"])
    is_said = status == "documented" or any(part.startswith(status) for part in own)
    return NOTE_PARTS.join([part for part in (article, "" if is_said else status, *own) if part])


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
