"""Names in a scenario that refer to nothing, looked up in the tree as it was written.

So a dangling name is reported beside wrong units elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from simulator.base.errors import PROBLEMS_PRINTED_MAX, Problem, did_you_mean
from simulator.base.sections import Section
from simulator.components import kinds_in, sections, type_of
from simulator.scenario.checks.written import as_list, as_map, entries
from simulator.scenario.source import Source, TreePath


class Dangling:
    """Collects references that lead nowhere."""

    def __init__(self, tree: Source) -> None:
        self._tree = tree
        self.problems: list[Problem] = []

    def look(
        self, path: TreePath, entry: Mapping[str, Any], known: Collection[str], what: str
    ) -> None:
        """Look at the field that `path` ends with."""
        self.name(path, entry.get(str(path[-1])), known, what)

    def name(self, path: TreePath, name: Any, known: Collection[str], what: str) -> None:
        """Look at one name; whatever is no text is for the field itself to refuse."""
        if not isinstance(name, str) or name in known or self._tree.is_spoilt(path):
            return
        fix = "name one that exists"
        if len(self.problems) < PROBLEMS_PRINTED_MAX:
            # Looking for the nearest takes time, so only for what is printed.
            fix = did_you_mean(name, known)
        rule = f"there is no {what} of this name"
        self.problems.append(self._tree.problem(path, rule, fix))


def named_in_fields(data: Mapping[str, Any], found: Dangling) -> None:
    """Look at the entries that components say their fields name (`REFERS`)."""
    known = sections()
    for section in known.values():
        for name, entry in entries(data.get(section.name)):
            for field, other in _refers(section, entry).items():
                noun = known[other].noun if other in known else other
                path: TreePath = (section.name, name, field)
                others = as_map(data.get(other))
                found.look(path, entry, others, noun)
                for index, item in enumerate(as_list(entry.get(field))):
                    found.name((*path, index), item, others, noun)


def _refers(section: Section, entry: Mapping[str, Any]) -> dict[str, str]:
    """Field -> section of what it names, in an entry; that of all kinds if it is of none."""
    kinds = kinds_in(section.name)
    own = [kind for kind in kinds if section.is_typed and entry.get("type") == type_of(kind)]
    found: dict[str, str] = {}
    for kind in own or kinds:
        found |= getattr(kind, "REFERS", {})
    return found
