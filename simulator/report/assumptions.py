"""Assumptions: what a scenario does not state, with source, date, trust and range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.catalog import load_catalog
from simulator.report.figures import show

if TYPE_CHECKING:
    from simulator.catalog import Row

LINE: Final = re.compile(
    r"^(?P<indent> *)(?P<item>- )?(?P<key>[^:#]+): ?(?P<value>.*?)(?:  # (?P<origin>.*))?$"
)
CITED: Final = re.compile(r"catalogue (?P<table>\S+) (?P<row>[^,]+), (?P<rest>.*)")
DATED: Final = re.compile(r"\d{4}")
TRUST_OF_STATUS: Final = {
    "estimate": "estimate",
    "conflict": "disputed",
    "derived": "derived",
    "measured": "measured",
}
DEFAULTS: Final = "model-defaults"
KIND_OF_UNIT: Final = {"s": "duration", "ratio": "ratio", "bps": "rate", "bytes": "size"}
QUESTIONABLE: Final = ("estimate", "disputed")
PATHS_MAX: Final = 2
"""Places of one assumption that are named; of the others it says how many they are."""
ROW_ID: Final = re.compile(r"[A-Z]\d+")


@dataclass(frozen=True)
class Assumption:
    """A value that nobody wrote into the scenario, with where it comes from."""

    path: str
    value: str
    origin: str
    """As the resolved scenario says it."""
    source: str
    date: str
    trust: str
    """`published`, `measured`, `derived`, `estimate` or `disputed`."""
    range: str = ""
    """What an estimate may be, or what it may be set to."""
    note: str = ""
    """Of a disputed value: which readings there are, and this one is of."""

    @property
    def is_questionable(self) -> bool:
        """Whether a reviewer should look at it first."""
        return self.trust in QUESTIONABLE


@dataclass(frozen=True)
class Shared:
    """One assumption with all the places of the scenario that it is made at."""

    first: Assumption
    places: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The places that are named."""
        return self.places[:PATHS_MAX]

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self.places)

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.count - len(self.paths)


def shared(rows: Iterable[Assumption]) -> list[Shared]:
    """Put assumptions together that are the same value for the same reason, in their order."""
    found: dict[tuple[str, str], list[Assumption]] = {}
    for row in rows:
        found.setdefault((row.value, row.origin), []).append(row)
    return [Shared(same[0], tuple(row.path for row in same)) for same in found.values()]


def assumptions(resolved: str, era: str) -> Iterator[Assumption]:
    """Every value with an origin other than the scenario itself, in its order.

    Parameters
    ----------
    resolved
        A scenario with every default, as a run folder keeps it.
    era
        That of its catalogue.
    """
    rows = {str(row["id"]): row for row in load_catalog(era).table(DEFAULTS).rows}
    above: list[tuple[int, str]] = []
    for line in resolved.splitlines():
        match = LINE.match(line)
        if match is None or line.startswith("#"):
            continue
        depth = len(match["indent"]) + (2 if match["item"] else 0)
        above = [(indent, key) for indent, key in above if indent < depth]
        above.append((depth, match["key"].strip()))
        origin = match["origin"]
        if origin and origin != "default":
            path = ".".join(name for _, name in above)
            yield _assumption(path, match["value"].strip(), origin, rows)


def _assumption(path: str, value: str, origin: str, rows: dict[str, Row]) -> Assumption:
    cited = CITED.match(origin)
    if cited is None:
        return Assumption(path, value, origin, origin, "", "derived")
    parts = cited["rest"].split(", ")
    trust = TRUST_OF_STATUS.get(parts[-1])
    if trust is not None:
        parts.pop()
    date = parts.pop() if len(parts) > 1 and DATED.search(parts[-1]) else ""
    row = rows.get(cited["row"]) if cited["table"] == DEFAULTS else None
    note = str(row["note"] or "") if row is not None and trust in QUESTIONABLE else ""
    where = f"{cited['table']} {cited['row']}"
    if ROW_ID.fullmatch(note):  # only points at another row
        where, note = f"{where}, {note}", ""
    source = f"{', '.join(parts)} ({where})"
    return Assumption(path, value, origin, source, date, trust or "published", _range(row), note)


def _range(row: Row | None) -> str:
    """What a default may be, in the unit in which it is read."""
    if row is None or row["min"] is None or row["max"] is None:
        return ""
    kind = KIND_OF_UNIT.get(str(row["unit"]), "quantity")
    return f"{show(row['min'], kind)} to {show(row['max'], kind)}"
