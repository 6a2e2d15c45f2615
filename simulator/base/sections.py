"""Sections of a scenario: maps of named entries, each described by a kind of component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Section:
    """A section of a scenario; where entries are of several kinds, their field `type` says which.

    The kinds of one section name the same object.
    """

    name: str
    """The field of the scenario."""
    noun: str
    """What one entry is called in a message."""
    description: str
    is_typed: bool = False
    """Whether entries may be of several kinds."""
    has_places: bool = False
    """Whether traffic may start or end at an entry."""


GATEWAYS: Final = Section("gateways", "gateway", "gateways by name", is_typed=True)
CONNECTIONS: Final = Section(
    "connections",
    "connection",
    "connections between sites, gateways and VNets by name",
    is_typed=True,
)
