"""Flows that come back another way than they go, and devices that drop them for it.

A stateful device passes packets of flows whose first packet it saw. If the answer comes back over
another device that does not share its state, that device drops it (rule R085).

Not modelled: the state that a flow in progress loses when it moves to another device, and drops of
traffic that stands for very many small flows (Poisson), for which the share is told alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.base.units import format_ratio
from simulator.plan import FORWARD, RETURN
from simulator.ways import StreamDraft, Way


@dataclass(frozen=True)
class Asymmetry:
    """What a stream's flows do that take another way back, before anything fails."""

    stream: str
    share_ratio: float
    """Share of the stream's flows."""
    pairs: tuple[tuple[str, str], ...]
    """Ways there and back."""
    connections: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """Connections there and back, of a pair in which they differ if there is one."""
    dropped_by: tuple[str, ...] = ()
    """Stateful devices that drop the answers of some of them."""
    dropped_count: int = 0

    @property
    def matters(self) -> bool:
        """Whether it is more than another tunnel or link of the same connections.

        Those have one delay and one pair of ends, and the equal ways of a connection share flows by
        design: only a device that keeps state minds.
        """
        return bool(self.dropped_by) or self.connections[0] != self.connections[1]

    @property
    def warning(self) -> str:
        """The same in words."""
        there, back = self.pairs[0]
        more = f" and {len(self.pairs) - 1} more such pairs" if len(self.pairs) > 1 else ""
        text = (
            f"traffic {self.stream}: {format_ratio(self.share_ratio)} of its flows are asymmetric, "
            f"there over {there} and back over {back}{more} (rule R085)"
        )
        if not self.dropped_by:
            return text
        devices = " and ".join(self.dropped_by)
        return (
            f"{text}; {self.dropped_count} flows are dropped by {devices}, stateful without "
            "state_sync; share the state or prefer one device in both directions"
        )


def refusing(there: Way, back: Way) -> tuple[str, ...]:
    """The devices on the way back that drop a flow, because its way there does not pass them."""
    return tuple(name for name in back.firewalls if name not in there.points)


def asymmetries(streams: Iterable[StreamDraft]) -> tuple[Asymmetry, ...]:
    """The asymmetry of each stream that has any."""
    found = [_of_flows(stream) or _of_shares(stream) for stream in streams]
    return tuple(one for one in found if one is not None)


def _of_flows(stream: StreamDraft) -> Asymmetry | None:
    """Of a stream whose flows are known one by one."""
    there = stream.named_flows(FORWARD)
    back = stream.named_flows(RETURN)
    both = [(there[flow][0], back[flow][0]) for flow in there if flow in back]
    other = [(a, b) for a, b in both if not _is_mirrored(a, b)]
    pairs = Counter((a.name, b.name) for a, b in other)
    is_alike = {(a.name, b.name): _by_connections((a, b)) for a, b in other}
    if not pairs:
        return None
    refused = [devices for devices in (refusing(a, b) for a, b in both) if devices]
    return Asymmetry(
        stream=stream.name,
        share_ratio=sum(pairs.values()) / len(both),
        pairs=tuple(sorted(pairs, key=lambda pair: (is_alike[pair], -pairs[pair]))),
        connections=_connections(other),
        dropped_by=tuple(dict.fromkeys(name for devices in refused for name in devices)),
        dropped_count=len(refused),
    )


def _of_shares(stream: StreamDraft) -> Asymmetry | None:
    """Of a stream that stands for many flows, hashed in each direction apart."""
    if stream.named_flows(FORWARD) or not all(stream.flow_ways[d] for d in (FORWARD, RETURN)):
        return None
    there, back = stream.equal_ways(FORWARD), stream.equal_ways(RETURN)
    pairs = [(a, b) for a in there for b in back]
    other = [(a, b) for a, b in pairs if not _is_mirrored(a, b)]
    if not other:
        return None
    names = tuple((a.name, b.name) for a, b in sorted(other, key=_by_connections))
    return Asymmetry(stream.name, len(other) / len(pairs), names, _connections(other))


def _by_connections(pair: tuple[Way, Way]) -> bool:
    """Sorts pairs of different connections before those of other links of the same."""
    return pair[0].connections == pair[1].connections


def _connections(pairs: list[tuple[Way, Way]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The connections of the pair in which they differ most."""
    there, back = min(pairs, key=_by_connections)
    return there.connections, back.connections


def _is_mirrored(there: Way, back: Way) -> bool:
    return sorted(there.name.split(" + ")) == sorted(back.name.split(" + "))
