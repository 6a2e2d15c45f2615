"""Groups of clients: one place, of which each client is a row with hops of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulator.plan import Direction

CLIENT_HOPS: Final = -1
"""In the link of a group of clients: stands for the hops of each client."""


@dataclass(frozen=True)
class Client:
    """A point-to-site client that a gateway admits: a row of its group."""

    name: str
    instance: str
    hops: Mapping[Direction, tuple[int, ...]]
    """Its own hops between its host and the instance."""
    dials_s: float = 0.0
    leaves_s: float | None = None
    """When its session ends; None: it stays."""


@dataclass(frozen=True)
class Refusal:
    """Clients of a group that a gateway refuses, and why."""

    clients: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class ClientGroup:
    """A group of point-to-site clients: those that get in, from when on, and those refused."""

    name: str
    gateway: str
    protocol: str
    clients: tuple[Client, ...]
    refused: tuple[Refusal, ...]
    ready_s: float
    """When they are connected and their traffic may start."""
