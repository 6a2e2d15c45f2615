"""What fields ask of the catalogue, which lies above: names, defaults, ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from pydantic import Field

from simulator.base.errors import CrosspremError


class Default(Protocol):
    """One default of the catalogue, as a scenario would write it, with its range and origin."""

    @property
    def text(self) -> str:
        """The value, for example `20 ms`, `2` or `instance`."""

    @property
    def low(self) -> str | None:
        """The least value, None if there is none."""

    @property
    def high(self) -> str | None:
        """The greatest value, None if there is none."""

    def cite(self) -> str:
        """Table, row, source and date in one line."""


class Lookup(Protocol):
    """What a field asks of the catalogue."""

    def names(self, subject: str) -> Sequence[str]:
        """Every name of a subject, for example `regions`."""

    def default(self, row: str, /) -> Default:
        """The default value of a field, by its row in the table of defaults."""


_LOOKUP: ContextVar[Lookup] = ContextVar("lookup")


@contextmanager
def use_lookup(lookup: Lookup) -> Iterator[None]:
    """Let fields ask `lookup` while the block runs."""
    token = _LOOKUP.set(lookup)
    try:
        yield
    finally:
        _LOOKUP.reset(token)


def current_lookup() -> Lookup:
    """The lookup in force; scenarios are built by `simulator.load`, which sets it."""
    lookup = _LOOKUP.get(None)
    if lookup is None:
        message = "no catalogue in force: build scenarios with simulator.load"
        raise CrosspremError(message)
    return lookup


def catalogued(row: str, description: str) -> Any:
    """A field whose default is the row `row` of the catalogue's table of defaults."""
    return Field(
        default_factory=lambda: _default_value(row),
        description=description,
        json_schema_extra={"x-default-row": row},
    )


def defaulted(text: str, description: str) -> Any:
    """A field whose default is written as a scenario would write it, for example `0 s`."""
    return Field(default=text, description=description)


def _default_value(row: str) -> Any:
    text = current_lookup().default(row).text
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if re.fullmatch(r"[0-9]+", text) else text
