"""The part of each client in a stream of a group of clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from simulator.draft import ClientGroup
from simulator.plan import Direction
from simulator.ways import StreamDraft, Way

Groups: TypeAlias = Mapping[Direction, Sequence[Sequence[Way]]]


def parts(stream: StreamDraft, group: ClientGroup, groups: Groups) -> Iterator[StreamDraft]:
    """The stream once for each client that is admitted, on the ways over its instance."""
    for client in group.clients:
        own = {
            direction: [
                [way.of_client(client, direction) for way in ways if client.instance in way.points]
                for ways in listed
            ]
            for direction, listed in groups.items()
        }
        own = {direction: [ways for ways in listed if ways] for direction, listed in own.items()}
        yield stream.of_client(client.name, own, group.ready_s)


def shown(group: ClientGroup, groups: Groups) -> Groups:
    """The ways of the group as one: with the hops of its first client, or none at all."""
    return {
        direction: [
            [
                way.of_client(group.clients[0], direction) if group.clients else way.filled(())
                for way in ways
            ]
            for ways in listed
        ]
        for direction, listed in groups.items()
    }
