"""The sketch of a topology: boxes with rows, and edges between them, before anything is laid out.

Components draw themselves into it (`draw`), by the names of the points of the draft. It knows no
coordinates: `topology_plot` lays out and draws.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Literal, TypeAlias

from simulator.base.units import format_rate

BoxKind: TypeAlias = Literal[
    "site", "clients", "circuit", "gateway", "vnet", "endpoint", "internet", "other"
]
EdgeKind: TypeAlias = Literal["ipsec", "expressroute", "peering", "p2s", "exit", "inside", "other"]

ALIKE_MIN: Final = 3
"""So many boxes that are alike become one."""
BOXES_MAX: Final = 14
"""With more boxes in the first column they are alike already where only numbers differ."""


class Column(IntEnum):
    """Where a box stands, from the customer's side to the platform's."""

    CUSTOMER = 0
    CIRCUIT = 1
    GATEWAY = 2
    VNET = 3
    SPOKE = 4


@dataclass(frozen=True)
class Row:
    """A part of a box where edges may end: a device, a gateway instance, a link of a circuit."""

    name: str
    text: str
    is_standby: bool = False


@dataclass(frozen=True)
class Box:
    """A thing of the design, or several that are alike."""

    name: str
    title: str
    kind: BoxKind
    column: Column
    rows: tuple[Row, ...] = ()
    note: str = ""
    count: int = 1


@dataclass(frozen=True)
class Edge:
    """A tunnel, link or peering between two boxes or rows."""

    a: str
    b: str
    kind: EdgeKind
    label: str = ""
    connections: tuple[str, ...] = ()
    """Names of routes that use it."""
    is_standby: bool = False
    count: int = 1


def rates(down_bps: float, up_bps: float) -> str:
    """Two rates of a line in words, the unit once if it is the same."""
    down, up = format_rate(down_bps), format_rate(up_bps)
    number, _, unit = down.partition(" ")
    return f"{number}/{up}" if up.endswith(f" {unit}") else f"{down} / {up}"


class Sketch:
    """Boxes and edges of a design."""

    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}
        self.edges: list[Edge] = []

    def add_box(self, box: Box) -> None:
        """Add a box."""
        self.boxes[box.name] = box

    def add_edge(self, edge: Edge) -> None:
        """Add an edge; its ends may be added later."""
        self.edges.append(edge)

    def finished(self) -> Sketch:
        """With boxes that are alike joined, and VNets without gateways in a column of their own."""
        done = Sketch()
        with_gateway = {edge.b for edge in self.edges if edge.kind == "inside"}
        for box in self.boxes.values():
            is_spoke = box.kind == "vnet" and box.name not in with_gateway
            done.add_box(replace(box, column=Column.SPOKE) if is_spoke and with_gateway else box)
        done.edges = list(self.edges)
        customers = [b for b in done.boxes.values() if b.column is Column.CUSTOMER]
        joined = done._joined(customers, is_loose=False)
        left = [box for box in joined.boxes.values() if box.column is Column.CUSTOMER]
        return done._joined(customers, is_loose=True) if len(left) > BOXES_MAX else joined

    def _joined(self, boxes: Sequence[Box], *, is_loose: bool) -> Sketch:
        """One box instead of many of the same look and with the same edges."""
        owner = {row.name: box.name for box in self.boxes.values() for row in box.rows}
        edges: dict[str, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            for end in (edge.a, edge.b):
                edges[owner.get(end, end)].append(edge)
        alike: dict[object, list[Box]] = defaultdict(list)
        for box in boxes:
            alike[_look(box, edges[box.name], is_loose=is_loose)].append(box)
        groups = {group[0].name: group for group in alike.values() if len(group) >= ALIKE_MIN}
        gone = {box.name for group in groups.values() for box in group[1:]}
        merged = Sketch()
        for box in self.boxes.values():
            if box.name not in gone:
                merged.add_box(_of_group(groups.get(box.name, [box])))
        for edge in self.edges:
            ends = {owner.get(end, end) for end in (edge.a, edge.b)}
            if not ends & gone:
                count = max(len(groups.get(end, [edge])) for end in ends)
                merged.add_edge(replace(edge, count=edge.count * count))
        return merged


def _look(box: Box, edges: Iterable[Edge], *, is_loose: bool) -> object:
    """What must be equal in boxes that are drawn as one."""

    def plain(text: str) -> str:
        own = text.replace(box.name, "*")
        return re.sub(r"\d+(\.\d+)?", "#", own) if is_loose else re.sub(r"-\d+\b", "-#", own)

    rows = tuple(plain(row.text) for row in box.rows)
    ends = sorted(
        (edge.kind, edge.is_standby, *(plain(end) for end in (edge.a, edge.b))) for edge in edges
    )
    # The note of a site is its addresses, which always differ.
    return box.kind, rows, "" if box.kind == "site" else plain(box.note), tuple(ends)


def _of_group(group: Sequence[Box]) -> Box:
    first = group[0]
    if len(group) == 1:
        return first
    rows = tuple(
        row
        if len({box.rows[n].text.replace(box.name, "") for box in group}) == 1
        else replace(row, text=f"{row.text} and others")
        for n, row in enumerate(first.rows)
    )
    return replace(
        first,
        title=f"{first.name} ... {group[-1].name}",
        count=len(group),
        rows=rows,
        note=f"{len(group)} {_PLURAL[first.kind]}",
    )


_PLURAL: Final = {"site": "sites", "clients": "groups of clients"}
