"""Which inputs two designs do not share, defaults included, by dotted path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simulator.scenario import Scenario

NOT_COMPARED: Final = frozenset({"title", "question"})
NOTHING: Final = "-"


@dataclass(frozen=True)
class Difference:
    """An input that two designs do not share."""

    path: str
    baseline: str
    other: str


def differences_of(first: Scenario, other: Scenario) -> Iterator[Difference]:
    """The inputs that two designs do not share, defaults included, by dotted path.

    What only one of them has, such as a whole connection, is one difference: its values in braces
    on one side and `-` on the other.
    """
    a, b = (
        s.model_dump(mode="json", by_alias=True, exclude=set(NOT_COMPARED)) for s in (first, other)
    )
    yield from _between(a, b, ())


def _between(a: Any, b: Any, path: tuple[str, ...]) -> Iterator[Difference]:
    if _is_nothing(a) and _is_nothing(b):
        return
    sides = [_parts(side) for side in (a, b)]
    if all(sides):
        for key in sorted(sides[0].keys() | sides[1].keys()):
            yield from _between(sides[0].get(key), sides[1].get(key), (*path, key))
    elif a != b:
        yield Difference(".".join(path), _shown(a), _shown(b))


def _parts(value: Any) -> dict[str, Any]:
    """What a map, or a list of maps, is made of; empty for a plain value."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return {str(number): item for number, item in enumerate(value)}
    return {}


def _is_nothing(value: Any) -> bool:
    return value is None or value == {} or value == []


def _shown(value: Any) -> str:
    """A value on one line, without what is not set."""
    if _is_nothing(value):
        return NOTHING
    parts = _parts(value)
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if parts:
        return (
            "{"
            + ", ".join(f"{k}: {_shown(v)}" for k, v in parts.items() if not _is_nothing(v))
            + "}"
        )
    return str(value).lower() if isinstance(value, bool) else str(value)
