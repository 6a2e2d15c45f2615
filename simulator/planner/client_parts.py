"""The part of each client in a stream of a group of clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from simulator.draft import Client, ClientGroup
from simulator.plan import Direction
from simulator.ways import StreamDraft, Way

Groups: TypeAlias = Mapping[Direction, Sequence[Sequence[Way]]]


def parts(stream: StreamDraft, group: ClientGroup, groups: Groups) -> Iterator[StreamDraft]:
    """The stream once for each client that is admitted.

    Its first way is over the instance that it dials, the others over those that may take it later.
    """
    for client in group.clients:
        own = {
            direction: [
                ways
                for is_first in (True, False)
                for listed in listed_groups
                if (ways := _over(client, direction, listed, is_first=is_first))
            ]
            for direction, listed_groups in groups.items()
        }
        ready_s = client.dials_s + group.ready_s
        yield stream.of_client(client.name, own, ready_s, client.leaves_s)


def _over(
    client: Client, direction: Direction, ways: Sequence[Way], *, is_first: bool
) -> list[Way]:
    """The ways of a client over the instance that it dials first, or over the others."""
    return [
        way.of_client(client, direction)
        for way in ways
        if (client.instance in way.points) is is_first
    ]


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
