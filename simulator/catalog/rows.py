"""Rows of the catalogue's tables: those of an era, by key, and as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, TypeVar

from simulator.base.errors import CatalogError, did_you_mean, quote
from simulator.catalog.tables import Row, Table, read_table
from simulator.catalog.values import Default, Origin, Sourced

S = TypeVar("S", bound=Sourced)


@dataclass(frozen=True)
class EraTables:
    """The tables of the catalogue as they hold in one era."""

    era: str

    def table(self, name: str, *, all_eras: bool = False) -> Table:
        """Return a table with the rows that hold in this era, or with all of its rows."""
        return read_table(name) if all_eras else table_in_era(name, self.era)

    def names(self, subject: str) -> tuple[str, ...]:
        """List the names of a subject: rows of a table, or algorithms such as `pfs-groups`."""
        return _names(self, subject)

    def _rows(self, table: str, value: str, what: str = "") -> tuple[Row, ...]:
        """Return the rows of a name in this era, or raise with the nearest names."""
        found = rows_by_key(table, self.era).get(value)
        if found:
            return found
        shown, subject = self.table(table), f"{what or table} '{quote(value)}'"
        fix = did_you_mean(value, shown.names())
        same_name = (row for row in read_table(table).rows if row[shown.key] == value)
        other_eras = ", ".join(dict.fromkeys(row.text("era") for row in same_name))
        if other_eras:
            fix = "choose that era" if shown.key == "id" else f"choose that era, or: {fix}"
            raise CatalogError(f"{subject}: exists in era {other_eras}, not in {self.era}; {fix}")
        raise CatalogError(f"{subject}: is not in the catalogue, era {self.era}; {fix}")

    def default(self, default_id: str) -> Default:
        """Look up a default of the model by its id, for example `gateway.limits.buffer`."""
        return _default(self, default_id)

    def _single(self, kind: type[S], table: str, name: str, what: str) -> S:
        return typed_value(kind, self._rows(table, name, what)[0], table, name)


@cache
def _default(tables: EraTables, default_id: str) -> Default:
    row = tables._rows("model-defaults", default_id, "default")[0]
    given = {"number": row["value"], "word": row["choice"]}
    return typed_value(Default, row, "model-defaults", default_id, given)


@cache
def _names(tables: EraTables, subject: str) -> tuple[str, ...]:
    for row in tables.table("crypto-support").where(subject=subject):
        return row.texts("options")
    return tables.table(subject).names()


@cache
def table_in_era(name: str, era: str) -> Table:
    """Return a table with the rows that hold in an era."""
    falls_back_to = read_table("eras").where(name=era)[0].text("falls_back_to")
    return read_table(name).in_era(era, falls_back_to)


@cache
def rows_by_key(table: str, era: str) -> dict[str, tuple[Row, ...]]:
    """Return the rows of an era by the key of their table."""
    shown = table_in_era(table, era)
    grouped: dict[str, list[Row]] = {}
    for row in shown.rows:
        grouped.setdefault(row.text(shown.key), []).append(row)
    return {name: tuple(rows) for name, rows in grouped.items()}


def typed_value(
    kind: type[S], row: Row, table: str, key: str, given: Mapping[str, object] | None = None
) -> S:
    """Make a typed value from the cells of the same names; `given` goes before them."""
    maker: Any = kind
    found: S = _made(maker, row, table, key, tuple((given or {}).items()))
    return found


@cache
def _made(kind: Any, row: Row, table: str, key: str, given: tuple[tuple[str, object], ...]) -> Any:
    """The same value for the same question, since it cannot be changed."""
    taken: dict[str, object] = {"origin": origin_of(row, table, key), **dict(given)}
    for field in fields(kind):
        if field.name not in taken:
            taken[field.name] = row[field.name]
    return kind(**taken)  # cells have the types of columns.csv (tested)


def origin_of(row: Row, table: str, key: str) -> Origin:
    """Say where a row comes from."""
    return Origin(
        table=table,
        key=key,
        source=row.text("source"),
        as_of=row.text("as_of"),
        status=row.text("status"),
        note=row.text("note"),
        estimated=row.texts("estimated") if "estimated" in row else (),
    )
