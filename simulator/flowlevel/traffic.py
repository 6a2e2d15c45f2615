"""From a plan to open-loop lanes and to classes of TCP flows.

Open loop: each source of the plan has one lane for each route that it may ever take.
TCP: flows or transfers that are alike form an *item*; each pair of routes that it may take is a
class of the solver. Of items with hops of their own, such as the access lines of the clients of a
group, one stands for all: its hops carry a mean member's share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.units import BITS_PER_BYTE
from simulator.flowlevel.lanes import Lanes, Mix
from simulator.flowlevel.tcp import Stack
from simulator.plan import (
    PS_PER_S,
    UNLIMITED_SEGMENTS,
    Distribution,
    Plan,
    Profile,
    TcpFlowPlan,
    TransferPlan,
)

Connection: TypeAlias = TcpFlowPlan | TransferPlan

SINGLE_FLOWS_MAX: Final = 2_000
"""Up to so many bulk flows each one is a class of its own, so that each may move alone."""
ANY_HOP: Final = -1


# ---- open loop -------------------------------------------------------------------------------


@dataclass
class OpenLoop:
    """Sources that do not back off: arrays by source, and the lanes of all their routes."""

    lanes: Lanes
    first_lane: npt.NDArray[np.int64]
    """By source: the lane of its first route; the others follow."""
    packets_per_s: npt.NDArray[np.float64]
    """While it sends, at factor 1; talk spurts and pauses are averaged."""
    direction: npt.NDArray[np.int64]
    header_bytes: npt.NDArray[np.float64]
    start_ps: npt.NDArray[np.int64]
    stop_ps: npt.NDArray[np.int64]
    profile: tuple[Profile | None, ...]
    lane_source: npt.NDArray[np.int64]

    @classmethod
    def of(cls, plan: Plan) -> OpenLoop:
        """Gather the open-loop sources of a plan."""
        rows = np.array([s.record for s in plan.sources], layout.SOURCE)
        counts = np.array([len(s.routes) for s in plan.sources], np.int64)
        mixes = _mixes(plan)
        lanes = [(r, mix) for s, mix in zip(plan.sources, mixes, strict=True) for r in s.routes]
        on, off = rows["on_mean_ps"], rows["off_mean_ps"]
        talking = np.where(off > 0.0, on / np.maximum(on + off, 1.0), 1.0)
        return cls(
            lanes=Lanes(plan, lanes),
            first_lane=np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)[: len(rows)],
            packets_per_s=talking * PS_PER_S / rows["mean_gap_ps"],
            direction=rows["direction"].astype(np.int64),
            header_bytes=rows["header_bytes"].astype(float),
            start_ps=rows["next_ps"].copy(),
            stop_ps=rows["stop_ps"].copy(),
            profile=tuple(s.profile for s in plan.sources),
            lane_source=np.repeat(np.arange(len(rows)), counts),
        )


def _mixes(plan: Plan) -> list[Mix]:
    """The packet sizes of each source, from its alias table."""
    known: dict[tuple[int, int], Mix] = {}
    found = []
    for source in plan.sources:
        begin, count = int(source.record["size_begin"]), int(source.record["size_count"])
        if (begin, count) not in known:
            known[begin, count] = _mix(plan.size[begin : begin + count])
        found.append(known[begin, count])
    return found


def _mix(table: npt.NDArray[Any]) -> Mix:
    weight: dict[int, float] = defaultdict(float)
    for entry in table:
        weight[int(entry["size_bytes"])] += float(entry["accept"]) / len(table)
        weight[int(entry["alias_bytes"])] += (1.0 - float(entry["accept"])) / len(table)
    used = {size: share for size, share in sorted(weight.items()) if share > 0.0}
    return Mix(tuple(used), tuple(used.values()))


# ---- TCP -------------------------------------------------------------------------------------


@dataclass
class Item:
    """Flows or transfers that are alike: they take the same routes at the same time."""

    first: Connection
    members: list[int]
    """Indices in `plan.tcp_flows`, then `plan.transfers`."""
    stack: Stack
    first_class: int = 0
    private: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)
    """By hop of the first member: the hops that are to the members what it is to the first."""

    @property
    def count(self) -> int:
        """How many flows, or sources of transfers, it stands for."""
        return len(self.members)

    @property
    def pairs(self) -> Iterator[tuple[int, int]]:
        """Pairs of data route and ACK route, by class."""
        for data in self.first.data_routes:
            for ack in self.first.ack_routes:
                yield data, ack

    def class_at(self, data_position: int, ack_position: int) -> int:
        """The class of a pair of positions."""
        return self.first_class + data_position * len(self.first.ack_routes) + ack_position


@dataclass
class Elastic:
    """All TCP of a plan: items, and by class the lanes of data and of ACKs."""

    items: list[Item]
    item_of: npt.NDArray[np.int64]
    """By index of a flow or transfer."""
    class_item: npt.NDArray[np.int64]
    data: Lanes
    ack: Lanes
    data_lane: npt.NDArray[np.int64]
    ack_lane: npt.NDArray[np.int64]

    @classmethod
    def of(cls, plan: Plan) -> Elastic:
        """Gather the TCP flows and transfers of a plan."""
        connections: list[Connection] = [*plan.tcp_flows, *plan.transfers]
        items = _items(plan, connections)
        item_of = np.zeros(len(connections), np.int64)
        data_lanes: dict[tuple[int, Mix], int] = {}
        ack_lanes: dict[tuple[int, Mix], int] = {}
        class_item: list[int] = []
        data_lane: list[int] = []
        ack_lane: list[int] = []
        for i, item in enumerate(items):
            item_of[item.members] = i
            item.first_class = len(class_item)
            settings = item.first.settings
            segment = Mix((settings["segment_bytes"],), (1.0,))
            ack = Mix((settings["ack_bytes"],), (1.0,))
            for data_route, ack_route in item.pairs:
                class_item.append(i)
                data_lane.append(data_lanes.setdefault((data_route, segment), len(data_lanes)))
                ack_lane.append(ack_lanes.setdefault((ack_route, ack), len(ack_lanes)))
        return cls(
            items=items,
            item_of=item_of,
            class_item=np.array(class_item, np.int64),
            data=Lanes(plan, list(data_lanes)),
            ack=Lanes(plan, list(ack_lanes)),
            data_lane=np.array(data_lane, np.int64),
            ack_lane=np.array(ack_lane, np.int64),
        )


def _items(plan: Plan, connections: Sequence[Connection]) -> list[Item]:
    """Put together what is alike; an item is listed at the place of its first member."""
    alone = len(plan.tcp_flows) <= SINGLE_FLOWS_MAX
    groups: dict[Any, list[int]] = defaultdict(list)
    for index, connection in enumerate(connections):
        single = index if isinstance(connection, TcpFlowPlan) and alone else None
        groups[single, *_likeness(plan, connection)].append(index)
    stacks: dict[Any, Stack] = {}
    items = []
    for group in groups.values():
        for members, private in _by_shared_hops(plan, connections, group):
            first = connections[members[0]]
            options = tuple(sorted(first.options.items()))
            if options not in stacks:
                stacks[options] = Stack.of(first.options)
            items.append(Item(first, members, stacks[options], private=private))
    return sorted(items, key=lambda item: item.members[0])


def _likeness(plan: Plan, connection: Connection) -> tuple[Any, ...]:
    """What two connections must have in common, apart from the hops themselves."""
    sizes = {k: v for k, v in connection.settings.items() if k not in ("start_ps", "stop_ps")}
    own: tuple[Any, ...] = ("bulk",)
    if isinstance(connection, TransferPlan):
        own = (connection.size, connection.think, connection.profile, connection.users > 0)
    routes = tuple(
        (len(plan.routes[r].hop_idx), plan.routes[r].encapsulation)
        for r in (*connection.data_routes, *connection.ack_routes)
    )
    options = tuple(sorted(connection.options.items()))
    return (connection.stream_idx, tuple(sorted(sizes.items())), options, own, routes)


def _by_shared_hops(
    plan: Plan, connections: Sequence[Connection], group: list[int]
) -> Iterator[tuple[list[int], dict[int, npt.NDArray[np.int64]]]]:
    """Divide a group by the hops that some members share; the others are private."""
    if len(group) == 1:
        yield group, {}
        return
    rows = [
        [h for r in (*connections[i].data_routes, *connections[i].ack_routes)
         for h in plan.routes[r].hop_idx]
        for i in group
    ]  # fmt: skip
    hops = np.array(rows, np.int64)
    own = np.sort(hops, axis=1)
    is_first = np.concatenate([np.ones((len(own), 1), bool), own[:, 1:] != own[:, :-1]], axis=1)
    users = np.bincount(own[is_first], minlength=len(plan.hops))
    is_private = users[hops] == 1  # on whichever of its routes another member would use it
    alike = _numbers(plan)
    parts: dict[Any, list[int]] = defaultdict(list)
    for row in range(len(group)):
        key = tuple(
            (ANY_HOP, alike[h]) if private else (h, 0)
            for h, private in zip(hops[row].tolist(), is_private[row].tolist(), strict=True)
        )
        parts[key].append(row)
    for part in parts.values():
        private = {
            int(hops[part[0], c]): hops[part, c] for c in np.flatnonzero(is_private[part[0]])
        }
        yield [group[row] for row in part], private if len(part) > 1 else {}


def _numbers(plan: Plan) -> npt.NDArray[np.int64]:
    """One number for all hops that do the same, apart from random keys."""
    rows = plan.hop.copy()
    for name in ("loss_key", "jitter_key"):
        rows[name] = 0
    _, number = np.unique(rows.view(np.dtype((np.void, rows.dtype.itemsize))), return_inverse=True)
    return number.ravel()


def member_loads(connection: Connection) -> float:
    """Users or arrivals per second that one member adds to its item, 1 for a bulk flow."""
    if isinstance(connection, TransferPlan):
        return float(connection.users or connection.arrivals_per_s)
    return 1.0


def size_table(
    connection: Connection, horizon_bits: float
) -> tuple[Distribution, Callable[[], npt.NDArray[np.float64]]]:
    """The sizes of a connection's transfers, and how to make their table of quantiles.

    A bulk flow has one size: what it sends, or more than `horizon_bits` if it has no end.
    """
    from kernels.quantiles import TABLE_SIZE

    if isinstance(connection, TransferPlan):
        return connection.size, lambda: quantiles_of(connection.size)
    segments = int(connection.settings["size_segments"])
    size_bytes = float(segments * connection.settings["mss_bytes"])
    if segments >= UNLIMITED_SEGMENTS:
        size_bytes = float(np.ceil(horizon_bits / BITS_PER_BYTE)) + 1.0
    return Distribution("constant", (size_bytes,)), lambda: np.full(TABLE_SIZE, size_bytes)


@cache
def quantiles_of(distribution: Distribution) -> npt.NDArray[np.float64]:
    """Table of `kernels.quantiles` for a distribution; not to be written into."""
    from kernels import quantiles

    kind, values = distribution.kind, distribution.values
    if kind == "empirical":
        return quantiles.quantile_table(quantiles.empirical(values))
    make: Callable[..., quantiles.Quantile] = getattr(quantiles, kind)
    return quantiles.quantile_table(make(*values), values[0])
