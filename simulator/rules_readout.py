"""The rules for a person at a terminal, as JSON, and as the page `docs/rules.md`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final

from simulator.base.errors import CatalogError, did_you_mean, quote
from simulator.catalog import Row, load_catalog
from simulator.console import wrapped
from simulator.scenario.model import ERAS
from simulator.scenario.rules import RULES

HOLDING: Final = frozenset({"all", *ERAS})
"""Eras of the rows that a scenario can meet."""

CONSEQUENCES: Final = {
    "reject": "refuses the scenario (exit code 3)",
    "warn": "warns",
    "outcome": "shows the consequence in the run, and warns",
    "info": "notes it where it applies",
}


@dataclass(frozen=True)
class RuleRow:
    """One rule: what the catalogue says, and who enforces it."""

    id: str
    category: str
    text: str
    severity: str
    enforce: str
    era: str
    enforced: bool
    why_not: str
    """Why it is not enforced; empty if it is."""
    enforced_in: str
    """Dotted name of the function or module that does."""
    source: str
    as_of: str


def rows() -> list[RuleRow]:
    """Every rule of the eras that a scenario can choose, in the order of the catalogue."""
    table = load_catalog().table("rules", all_eras=True)
    return [_row(row) for row in table.rows if row["era"] in HOLDING]


def row(rule_id: str) -> RuleRow:
    """One rule by its id, in upper or lower case.

    Raises
    ------
    CatalogError
        If there is none; it names the nearest.
    """
    by_id = {r.id: r for r in rows()}
    found = by_id.get(rule_id.upper())
    if found is None:
        raise CatalogError(
            f"rule '{quote(rule_id)}': there is none; {did_you_mean(rule_id, by_id)}"
        )
    return found


def _row(row: Row) -> RuleRow:
    entry = RULES[row.text("id")]
    texts = {
        name: row.text(name)
        for name in ("id", "category", "text", "severity", "enforce", "era", "source", "as_of")
    }
    return RuleRow(
        **texts,
        enforced=entry.is_enforced,
        why_not=entry.why_not,
        enforced_in=entry.enforcer.removeprefix("simulator."),
    )


def to_dict(listed: list[RuleRow]) -> dict[str, Any]:
    """The same as plain data."""
    return {"rules": [asdict(r) for r in listed]}


def to_text(listed: list[RuleRow]) -> str:
    """One paragraph for each rule."""
    lines = []
    for r in listed:
        lines += wrapped(r.text, " " * 6, f"{r.id}  ")
        what = (
            f"enforced: {CONSEQUENCES[r.enforce]}" if r.enforced else f"not enforced: {r.why_not}"
        )
        lines += wrapped(f"{what}; era {r.era}; {r.source}, {r.as_of}", " " * 8, " " * 6)
    return "\n".join([*lines, "", _count(listed)]) + "\n"


def _count(listed: list[RuleRow]) -> str:
    enforced = Counter(r.enforce for r in listed if r.enforced)
    kinds = ", ".join(f"{enforced[kind]} {kind}" for kind in CONSEQUENCES)
    return f"{enforced.total()} of {len(listed)} rules are enforced: {kinds}"


# ---------------------------------------------------------------------------------------------
# The page
# ---------------------------------------------------------------------------------------------

_HEAD = """# Rules

<!-- Written by `crossprem rules --markdown`; do not edit. -->

What a design may and may not do. Each rule is a row of the catalogue's table `rules`, with its
source and date, and an entry of the registry in `simulator/scenario/rules/`. The id stands in every
message that a rule makes.

* **reject**: the scenario is refused with file, line and column, and exit code 3.
* **warn**: a warning on the terminal and in `summary.json`.
* **outcome**: the run shows what follows (refused clients, a connection that is not established, no
  route), and a warning names the rule.
* **info**: `crossprem validate` notes it where it applies.

Sources are documents of the provider or measurements, by file name; *as of* is their date.
"""


def to_markdown(listed: list[RuleRow]) -> str:
    """The page `docs/rules.md`."""
    blocks = [_HEAD, f"{_count(listed)}.\n"]
    for category in dict.fromkeys(r.category for r in listed):
        blocks.append(f"## {category}\n")
        blocks.append(
            "| rule | says | enforce | era | enforced | source, as of |\n|---|---|---|---|---|---|"
        )
        blocks[-1] += "".join(f"\n{_markdown(r)}" for r in listed if r.category == category) + "\n"
    return "\n".join(blocks)


def _markdown(r: RuleRow) -> str:
    enforced = f"`{r.enforced_in}`" if r.enforced else f"no: {r.why_not}"
    cells = (r.id, r.text, r.enforce, r.era, enforced, f"{r.source}, {r.as_of}")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
