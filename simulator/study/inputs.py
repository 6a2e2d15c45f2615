"""Which inputs two designs do not share, defaults included, by dotted path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.scenario import Scenario


@dataclass(frozen=True)
class Difference:
    """An input that two designs do not share."""

    path: str
    baseline: str
    other: str


def differences_of(first: Scenario, other: Scenario) -> Iterator[Difference]:
    """The inputs that two designs do not share, defaults included, by dotted path."""
    a, b = (dict(_leaves(s.model_dump(mode="json", by_alias=True), ())) for s in (first, other))
    for path in sorted(a.keys() | b.keys()):
        if path not in {"title", "question"} and a.get(path) != b.get(path):
            yield Difference(path, *(_shown(side.get(path)) for side in (a, b)))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, str(index)))
    else:
        yield ".".join(path), value


def _shown(value: Any) -> str:
    if value is None or value in ({}, []):
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
