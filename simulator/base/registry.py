"""Registries of kinds: components, traffic sources, faults and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from simulator.base.errors import UsageError, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Kinds of one sort by name, in the order in which they were listed.

    Each package lists its kinds by hand in its `__init__`, so the order is fixed and nothing is
    found by import magic. A name that is taken raises.
    """

    def __init__(self, sort: str) -> None:
        self._sort = sort
        self._by_name: dict[str, T] = {}

    def add(self, name: str, kind: T) -> T:
        """Register `kind` under `name` and return it; a duplicate name is an error."""
        if name in self._by_name:
            message = f"{self._sort} '{name}' is registered twice: {self._by_name[name]} and {kind}"
            raise UsageError(message)
        self._by_name[name] = kind
        return kind

    def __getitem__(self, name: str) -> T:
        if name not in self._by_name:
            message = f"unknown {self._sort} '{name}'; {did_you_mean(name, self._by_name)}"
            raise UsageError(message)
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def names(self) -> list[str]:
        """Every registered name, in order of listing."""
        return list(self._by_name)

    def items(self) -> list[tuple[str, T]]:
        """Pairs of name and kind, in order of listing."""
        return list(self._by_name.items())
