"""Columns of a table of rates: their names and units, from the header and a row of units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.base.errors import Problem, did_you_mean, quote
from simulator.base.units import DURATION, RATE, SIZE, Dimension
from simulator.scenario.rate_files import KEY

PROBLEMS_MAX: Final = 200
"""More problems of one table are not looked for."""

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


@dataclass(frozen=True)
class Column:
    """A column whose name is known."""

    name: str
    number: int
    """From 1, as problems count."""
    unit: str
    """Empty: each cell has its own."""


class Columns:
    """The columns of a table by name, and what is wrong anywhere in it."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._by_name: dict[str, Column] = {}
        self.problems: list[Problem] = []

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    def __iter__(self) -> Iterator[Column]:
        return iter(self._by_name.values())

    def add(self, line: int, col: int, value: str | None, rule: str, fix: str) -> None:
        """Note a problem; `col` is the number of a column, from 1."""
        if len(self.problems) < PROBLEMS_MAX:
            name = next((c.name for c in self._by_name.values() if c.number == col), "")
            path = f"{KEY}.{name}" if name else KEY
            shown = None if value is None else quote(value)
            self.problems.append(Problem(self._file, line, col, path, shown, rule, fix))

    def read_header(self, line: int, header: Sequence[str]) -> None:
        """Take names and units from the first row."""
        for number, written in enumerate(header, start=1):
            found = _HEADER.fullmatch(written)
            name = found[1] if found else written
            if name not in COLUMNS:
                names = [WRITTEN.get(known, known) for known in COLUMNS]
                self.add(line, number, written, "is no column of a table of rates",
                          did_you_mean(written, names))  # fmt: skip
                continue
            if name in self._by_name:
                self.add(line, number, written, f"there are two columns {name}", "remove one")
                continue
            ending, bracket = (found[2] or "", found[3] or "") if found else ("", "")
            unit = bracket or ENDINGS.get(name, {}).get(ending, "")
            is_known = not (ending or bracket) or unit in _units(name)
            if not is_known:
                shown = ending or bracket
                self.add(line, number, written, f"'{quote(shown)}' is no unit of {name}",
                          _unit_fix(name, shown))  # fmt: skip
            self._by_name[name] = Column(name, number, unit if is_known else "")
        if not self.problems:
            for missing in [name for name in NEEDED if name not in self._by_name]:
                rule = f"there is no column {WRITTEN.get(missing, missing)}"
                self.add(line, 1, None, rule, f"begin with {example_header()}")

    def is_unit_row(self, cells: Sequence[str]) -> bool:
        """Whether a row holds units: letters where a rate would be, or `unit` in front."""
        if any(cell.casefold() in {"unit", "units"} for cell in cells):
            return True
        places = [self._by_name[name].number - 1 for name in ("rate", "time")]
        rate, time = (cells[at] if at < len(cells) else "" for at in places)
        return rate[:1].isalpha() and not time[:1].isdigit()

    def read_units(self, line: int, cells: Sequence[str]) -> None:
        """Take units from a row of them."""
        for column in list(self._by_name.values()):
            cell = cells[column.number - 1] if column.number <= len(cells) else ""
            if not cell or cell.casefold() in {"unit", "units"}:
                continue
            known = _units(column.name)
            unit = ENDINGS.get(column.name, {}).get(cell, cell)
            if COLUMNS[column.name] is not None and unit not in known:
                rule = f"is no unit of {column.name}"
                self.add(line, column.number, cell, rule, _unit_fix(column.name, cell))
            elif column.unit and unit != column.unit:
                rule = f"the header says {column.unit}"
                self.add(line, column.number, cell, rule, "say it once")
            elif COLUMNS[column.name] is not None:
                self._by_name[column.name] = Column(column.name, column.number, unit)


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


def example_header() -> str:
    """A header as it should be."""
    return ",".join(WRITTEN.get(name, name) for name in COLUMNS)
