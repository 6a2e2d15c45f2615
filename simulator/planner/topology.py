"""The sketch of a design: every component draws itself, routes say what stands by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any, TypeAlias

from simulator.draft import Draft, Offer
from simulator.planner.decisions import Decision
from simulator.sketch import Edge, Sketch

Ways: TypeAlias = set[tuple[str, ...]]
"""What routes over a connection must pass."""


def _ways(group: Iterable[Offer]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for offer in group:
        for connection in (offer.connection, *offer.then):
            yield connection, offer.via


def sketch(
    parts: Iterable[tuple[str, Any, ModuleType]],
    draft: Draft,
    decisions: Mapping[tuple[str, str], tuple[Decision, ...]],
) -> Sketch:
    """Boxes and edges of all parts; an edge that only stands by is marked.

    Parameters
    ----------
    parts
        Name, part of the scenario and component of each.
    decisions
        Of the routing, by places (at, to). An edge over which no route leads is not marked.
    """
    whole = Sketch()
    for name, part, module in parts:
        if hasattr(module, "draw"):
            module.draw(name, part, whole, draft)
    used: dict[str, Ways] = defaultdict(set)
    known: dict[str, Ways] = defaultdict(set)
    for decided in decisions.values():
        for decision in decided:
            for rank, group in enumerate(decision.ranked):
                for connection, via in _ways(group):
                    known[connection].add(via)
                    if rank == 0:
                        used[connection].add(via)
    ends: dict[str, set[str]] = defaultdict(set)
    for edge in whole.edges:
        for connection in edge.connections:
            ends[connection] |= {edge.a, edge.b}
    whole.edges = [_marked(edge, used, known, ends) for edge in whole.edges]
    return whole.finished()


def _marked(
    edge: Edge, used: Mapping[str, Ways], known: Mapping[str, Ways], ends: Mapping[str, set[str]]
) -> Edge:
    own = {edge.a, edge.b}

    def leads(ways: Mapping[str, Ways]) -> bool:
        """Whether a route takes the edge; a point that none of the edges has tells nothing."""
        return any(
            all(point in own or point not in ends[connection] for point in via)
            for connection in edge.connections
            for via in ways.get(connection, ())
        )

    return replace(edge, is_standby=edge.is_standby or (leads(known) and not leads(used)))
