"""The registry of rules: for each row of the catalogue who enforces it, or why nobody can.

A rule is one row of the table `rules` and one entry here, made in the module of its subject:

    @rule("R010")               a function that finds what breaks the rule when a scenario is loaded
    enforced_by("R055", ...)    another function or class does, and names the rule in what it says
    not_enforced("R005", ...)   a scenario cannot say what would break it

The row decides what a finding is: a problem that refuses the scenario (`reject`), a warning
(`warn`, and `outcome`, whose consequence the run shows), or a note (`info`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from simulator.base.errors import Problem
from simulator.base.registry import Registry
from simulator.catalog import Catalog, Row

if TYPE_CHECKING:
    from simulator.scenario.rules.design import Design

Check = Callable[["Design"], Iterator[Problem]]

#: More findings of one rule than this are counted and not listed, but for those that refuse.
LISTED_MAX = 5

REJECT: Final = "reject"
INFO: Final = "info"


@dataclass(frozen=True)
class Rule:
    """Who enforces a rule."""

    id: str
    check: Check | None = None
    """Finds what breaks it when a scenario is loaded."""
    enforcer: str = ""
    """Dotted name of what enforces it instead, or of what shows its consequence."""
    why_not: str = ""
    """Why it is not enforced; empty if it is."""
    stops: bool = False
    """The connection or group of clients that breaks it never carries traffic; a gateway that
    does loses some."""

    @property
    def is_enforced(self) -> bool:
        """Whether something in the program holds designs to the rule."""
        return not self.why_not


RULES: Registry[Rule] = Registry("rule")


def rule(rule_id: str, *, stops: bool = False) -> Callable[[Check], Check]:
    """Register a function as the check of a rule."""

    def register(check: Check) -> Check:
        enforcer = f"{check.__module__}.{check.__name__}"
        RULES.add(rule_id, Rule(rule_id, check, enforcer, stops=stops))
        return check

    return register


def enforced_by(enforcer: str, *rule_ids: str) -> None:
    """Register rules that something else enforces; its source names each of them."""
    for rule_id in rule_ids:
        RULES.add(rule_id, Rule(rule_id, enforcer=enforcer))


def not_enforced(rule_id: str, why_not: str) -> None:
    """Register a rule that no scenario can break, or whose consequence is not modelled."""
    RULES.add(rule_id, Rule(rule_id, why_not=why_not))


# ---------------------------------------------------------------------------------------------
# Applying them
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Findings:
    """What the rules say of a scenario."""

    rejections: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    stopped: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Connections that are not established, clients that are refused and gateways that lose
    packets, and why: by section of the scenario and name."""


@cache
def rows_of_era(catalog: Catalog) -> dict[str, Row]:
    """The rules that hold in the era of a catalogue, by id."""
    return {row.text("id"): row for row in catalog.table("rules").rows}


def apply(design: Design, catalog: Catalog) -> Findings:
    """Hold a design to every rule of its era."""
    rejections: list[Problem] = []
    warnings: list[Problem] = []
    notes: list[Problem] = []
    stopped: dict[tuple[str, str], str] = {}
    for rule_id, row in rows_of_era(catalog).items():
        entry = RULES[rule_id]
        if entry.check is None:
            continue
        found = [_named(problem, rule_id) for problem in entry.check(design)]
        if not found:
            continue
        if entry.stops:
            for problem in found:
                section, name, *_ = problem.path.split(".")
                stopped.setdefault((section, name), problem.rule)
        enforce = row.text("enforce")
        if enforce == REJECT:
            rejections += found
        else:
            (notes if enforce == INFO else warnings).extend(_shortened(found))
    return Findings(tuple(rejections), tuple(warnings), tuple(notes), stopped)


def _named(problem: Problem, rule_id: str) -> Problem:
    return replace(problem, rule=f"{problem.rule} (rule {rule_id})")


def _shortened(found: Iterable[Problem]) -> list[Problem]:
    """One finding for each place (copies share theirs), and no more than a person reads."""
    by_place: dict[Any, list[Problem]] = {}
    for problem in found:
        place = (problem.file, problem.line, problem.col) if problem.line else problem.path
        by_place.setdefault(place, []).append(problem)
    firsts = [_with_count(group[0], len(group) - 1, "here") for group in list(by_place.values())]
    if len(firsts) <= LISTED_MAX:
        return firsts
    last = firsts[LISTED_MAX - 1]
    return [*firsts[: LISTED_MAX - 1], _with_count(last, len(firsts) - LISTED_MAX, "elsewhere")]


def _with_count(problem: Problem, more_count: int, where: str) -> Problem:
    if not more_count:
        return problem
    return replace(problem, rule=f"{problem.rule}, and {more_count} more {where}")
