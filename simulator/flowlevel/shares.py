"""TCP flows in the hands of the flow kernels: who has how many flows, and which rate they get.

Data alone share: flows do not slow down for their ACKs, which are cumulative, so that what ACKs
take of a server is set aside. The unit of rate is payload bits per second of one flow; that of
capacity is the share of a server's time, so that a use is the seconds that a bit of payload keeps
it busy. Rates and packet rates of servers, headers and retransmissions are all in the uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels import flow_sources, flows, layout, quantiles
from kernels.flow_sources import NONE, POISSON, POPULATION
from kernels.rebalance import Sharing, empty_sharing, rates
from kernels.units import BITS_PER_BYTE, PS_PER_S
from simulator.base.errors import InternalError
from simulator.flowlevel.lanes import LEAST_WORK_S, sums
from simulator.flowlevel.traffic import Elastic, Item, member_loads, quantiles_of, size_table
from simulator.plan import Distribution, Plan, TransferPlan

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

CALL_EVENTS_MAX: Final = 200_000
"""Events of one kernel call: about a tenth of a second, so that Ctrl-C and progress work."""
CAPACITY_RATIO: Final = 1e-9
"""By so much of a server's time the sum of what it gives may exceed what it has: rounding."""
ROUNDING_RATIO: Final = 1e-6
"""How far sums of bytes that must be equal may be apart at the end of a run."""


class Uses:
    """The servers that each class keeps busy with data and with ACKs, in one row of arrays.

    Attributes
    ----------
    ptr, hop, of_class : int64
        Uses of class c: [ptr[c], ptr[c + 1]); data_ptr counts those of data alone.
    is_ack : bool[uses]
        Whether ACKs, not data, use the hop.
    packets_per_bit, work_per_bit : float64[uses]
        Packets, and seconds of service, that a bit of payload of the class means here.
    """

    def __init__(self, plan: Plan, elastic: Elastic) -> None:
        self._elastic = elastic
        rows: list[tuple[int, int, int, int]] = []
        ptr = [0]
        for c, i in enumerate(elastic.class_item):
            item = elastic.items[i]
            for is_ack, lanes, lane in (
                (0, elastic.data, elastic.data_lane[c]),
                (1, elastic.ack, elastic.ack_lane[c]),
            ):
                for use in range(lanes.ptr[lane], lanes.ptr[lane + 1]):
                    h = int(lanes.hop[use])
                    if plan.hop[h]["kind"] == layout.SERVER:
                        rows.append((h, use, is_ack, item.count if h in item.private else 1))
            ptr.append(len(rows))
        table = np.array(rows, np.int64).reshape(-1, 4)
        self.hop, self._use, is_ack_row, self.parallel = (table[:, k].copy() for k in range(4))
        self.is_ack = is_ack_row == 1
        self.ptr = np.array(ptr, np.int64)
        self.of_class = np.repeat(np.arange(len(ptr) - 1), np.diff(self.ptr))
        data_count = np.bincount(self.of_class[~self.is_ack], minlength=len(ptr) - 1)
        self.data_ptr = np.concatenate([[0], np.cumsum(data_count)]).astype(np.int64)
        settings = [elastic.items[i].first.settings for i in elastic.class_item]
        self.mss_bits = np.array([float(s["mss_bytes"]) * BITS_PER_BYTE for s in settings])
        self.segments_per_ack = np.array(
            [float(elastic.items[i].stack.segments_per_ack) for i in elastic.class_item]
        )

    def measure(self) -> None:
        """Follow the lanes, whose hops have changed."""
        data, ack = self._elastic.data, self._elastic.ack
        data_use, ack_use = self._use * ~self.is_ack, self._use * self.is_ack
        per_bit = 1.0 / self.mss_bits[self.of_class]
        again = 1.0 / np.maximum(data.remaining_pass(), LEAST_WORK_S)
        of_data = again[data_use] if len(data) else 0.0
        of_ack = ack.reach[ack_use] / self.segments_per_ack[self.of_class] if len(ack) else 0.0
        self.packets_per_bit = np.where(self.is_ack, of_ack, of_data) * per_bit / self.parallel
        self.work_s = self._of_use(data.work_s, ack.work_s)
        self.work_s2 = self._of_use(data.work_s2, ack.work_s2)
        self.metered_bytes = self._of_use(data.metered_bytes, ack.metered_bytes)
        self.work_per_bit = np.maximum(self.packets_per_bit * self.work_s, LEAST_WORK_S)

    def _of_use(self, of_data: Array, of_ack: Array) -> Array:
        """A value of the lanes' uses, in the order of the classes."""
        found = np.zeros(len(self.hop))
        found[~self.is_ack] = of_data[self._use[~self.is_ack]]
        found[self.is_ack] = of_ack[self._use[self.is_ack]]
        return found

    def load(self, bps: Array, hops_count: int) -> tuple[Array, Array, Array]:
        """What hops get if classes carry so much payload, float64[hops] each.

        Packets/s, share of the server's time, packets/s times mean square of service.
        """
        pps = bps[self.of_class] * self.packets_per_bit
        return (
            self.at_hops(pps, hops_count),
            self.at_hops(pps * self.work_s, hops_count),
            self.at_hops(pps * self.work_s2, hops_count),
        )

    def at_hops(self, value: Array, hops_count: int) -> Array:
        """Sum of a value of uses over the hops."""
        return sums(self.hop, value, hops_count)


class Shares:
    """The flows of all items, by the kernels `rebalance` and `flows`."""

    def __init__(self, plan: Plan, elastic: Elastic, uses: Uses, weight: Array) -> None:
        self._items = elastic.items
        self._uses = uses
        self._weight = weight
        classes, hops = len(weight), len(plan.hops)
        uses_count = int(uses.data_ptr[-1])
        self.sharing: Sharing = empty_sharing(hops, classes, uses_count)
        self._tables: dict[Distribution, int] = {}
        self._table_rows: list[Array] = []
        fastest_bps = plan_rate_bps(plan)
        horizon_bits = fastest_bps * plan.horizon_ps / PS_PER_S
        source = np.zeros(len(self._items), flow_sources.SOURCE)
        wake = 0
        for i, item in enumerate(self._items):
            wake += self._set_source(source, i, item, plan, horizon_bits, wake)
        choice = np.zeros(classes, flow_sources.CHOICE)  # as many rows as an item has classes
        choice["accept"] = 1.0
        choice["class"] = choice["alias"] = np.arange(classes)
        row, rows_count = self._histogram_rows()
        self.flows = flows.new_flows(
            weight,
            elastic.class_item,
            hops,
            uses_count,
            source,
            choice,
            np.zeros(0, flow_sources.PROFILE),
            np.concatenate(self._table_rows) if self._table_rows else np.zeros(1),
            histogram_rows=rows_count,
            class_histogram=row[elastic.class_item] if classes else None,
        )
        self.histogram_row = row
        self.current = np.array([item.first_class for item in self._items], np.int64)
        self._plan = plan
        self._capacity = np.ones(hops)

    def _set_source(
        self, source: npt.NDArray[Any], i: int, item: Item, plan: Plan, bits: float, wake: int
    ) -> int:
        """Write one source of the kernel; returns the users to make room for."""
        row, first = source[i], item.first
        is_poisson = isinstance(first, TransferPlan) and first.arrivals_per_s > 0.0
        row["kind"] = POISSON if is_poisson else POPULATION
        if isinstance(first, TransferPlan):
            row["key"] = first.key
        else:
            row["key"] = plan.flow_key[first.data_flow]
        row["choice_begin"], row["choice_end"] = item.first_class, item.first_class + 1
        sizes, make = size_table(first, bits)
        row["size_begin"] = self._table(sizes, make)
        row["think_begin"] = NONE
        if isinstance(first, TransferPlan) and first.think is not None:
            think = first.think
            row["think_begin"] = self._table(think, lambda: quantiles_of(think))
        room = 0 if is_poisson else round(item.count * member_loads(first))
        row["wake_begin"], row["wake_room"] = wake, room
        return room

    def _table(self, distribution: Distribution, make: Callable[[], Array]) -> int:
        """Where the table of a distribution begins."""
        if distribution not in self._tables:
            self._tables[distribution] = len(self._table_rows) * quantiles.TABLE_SIZE
            self._table_rows.append(make())
        return self._tables[distribution]

    def _histogram_rows(self) -> tuple[Index, int]:
        row = np.full(len(self._items), NONE, np.int64)
        transfers = [
            i for i, item in enumerate(self._items) if isinstance(item.first, TransferPlan)
        ]
        row[transfers] = np.arange(len(transfers))
        return row, len(transfers)

    # ---- the network ---------------------------------------------------------------------------

    def apply(self, now_ps: int, capacity: Array, cap_bps: Array) -> None:
        """Let rates follow from shares of time that hops have left, and from caps."""
        uses = self._uses
        self._capacity = capacity
        flows.apply_network(
            now_ps,
            capacity,
            self._weight,
            cap_bps,
            uses.data_ptr,
            uses.hop[~uses.is_ack],
            uses.work_per_bit[~uses.is_ack],
            self.sharing,
            self.flows,
        )

    def rates(self) -> tuple[Array, Index, Index]:
        """Rate of one flow of each class, the hop that limits it (-1: its cap), its flows."""
        rate = np.empty(len(self._weight))
        limit = np.empty(len(self._weight), np.int64)
        rates(self._weight, self.sharing, rate, limit)
        return rate, limit, self.sharing.flow_class["count"].copy()

    # ---- time ----------------------------------------------------------------------------------

    def run(self, until_ps: int, tick: Callable[[int], None] | None = None) -> None:
        """Let all arrivals and completions before `until_ps` happen."""
        status = flows.MORE
        while status != flows.DONE:
            status = flows.advance(until_ps, CALL_EVENTS_MAX, self.sharing, self.flows)
            if status == flows.GROW:
                self.flows = flows.grown(self.flows)
            elif status == flows.SOLVE:
                flows.solve_again(self.sharing, self.flows)
            elif status == flows.MORE and tick is not None:
                tick(int(self.flows.store["now_ps"][0]))

    def carried_bytes(self, now_ps: int) -> Array:
        """Payload bytes that each class has carried until now."""
        carried = np.zeros(len(self._weight))
        flows.carried_bytes(now_ps, self.sharing, self.flows, carried)
        return carried

    def remaining_bytes(self, now_ps: int) -> Array:
        """Payload bytes that the flows of each class have still to carry."""
        remaining = np.zeros(len(self._weight))
        flows.remaining_bytes(now_ps, self.sharing, self.flows, remaining)
        return remaining

    @property
    def events(self) -> int:
        """Arrivals and completions so far."""
        return int(self.flows.store["events"][0])

    # ---- changes -------------------------------------------------------------------------------

    def join(self, now_ps: int, i: int, users: int) -> None:
        """Let so many users of a population begin: those who do not think start a flow now."""
        source = self.flows.source[i]
        source["population"] = max(source["present"], source["population"]) + users
        flows.start_source(now_ps, i, self.sharing, self.flows)

    def leave(self, i: int, users: int) -> None:
        """Let so many users of a population leave at the end of their transfers."""
        source = self.flows.source[i]
        source["population"] = max(0, source["population"] - users)

    def once(self, i: int) -> None:
        """Let no flow of a population be followed by another."""
        self.flows.source[i]["population"] = 0

    def set_rate(self, now_ps: int, i: int, arrivals_per_s: float) -> None:
        """Change how often transfers arrive."""
        if self.flows.source[i]["rate_per_s"] == 0.0 and self.flows.source[i]["flows"] == 0:
            self.flows.source[i]["rate_per_s"] = arrivals_per_s
            flows.start_source(now_ps, i, self.sharing, self.flows)
            return
        flows.change_rate(now_ps, i, arrivals_per_s, self.sharing, self.flows)

    def abort(self, now_ps: int, i: int) -> None:
        """Give up the flows of an item."""
        flows.abort_flows(now_ps, int(self.current[i]), self.sharing, self.flows)

    def move(self, now_ps: int, origin: int, to: int) -> None:
        """Let the flows of a class belong to another class of its item."""
        while flows.move_flows(now_ps, origin, to, self.sharing, self.flows) == flows.GROW:
            self.flows = flows.grown(self.flows)

    def choose(self, i: int, classes: Sequence[int], weights: Sequence[int], main: int) -> None:
        """Let new flows of an item belong to these classes, so often; most are in `main`."""
        source = self.flows.source[i]
        begin = int(source["choice_begin"])
        table = flow_sources.choice_table(classes, weights)
        self.flows.choice[begin : begin + len(table)] = table
        source["choice_end"] = begin + len(table)
        self.current[i] = main

    # ---- checks --------------------------------------------------------------------------------

    def check_capacity(self) -> None:
        """Compare what flows get of each hop now with what it has for them.

        Raises
        ------
        InternalError
            If a hop gives more than it has.
        """
        if not len(self._weight):
            return
        rate, _, count = self.rates()
        uses = self._uses
        work = np.where(uses.is_ack, 0.0, (rate * count)[uses.of_class] * uses.work_per_bit)
        given = uses.at_hops(work, len(self._capacity))
        check_shares(given, self._capacity, "flows", self._plan)

    def check(self, now_ps: int) -> None:
        """Compare the bytes of all flows, counted one by one, with what was carried."""
        counter = self.flows.counter
        arrived = float(counter["arrived_bytes"].astype(float).sum())
        parts = (
            self.carried_bytes(now_ps).sum()
            + self.remaining_bytes(now_ps).sum()
            + counter["unsent_bytes"].sum()
        )
        if abs(parts - arrived) > ROUNDING_RATIO * arrived + 1.0:
            raise InternalError(
                f"flows of {arrived:.12g} bytes came, but what they carried and have still to "
                f"carry is {parts:.12g}"
            )


def check_shares(given: Array, capacity: Array, whom: str, plan: Plan) -> None:
    """Raise InternalError if a hop gives more of its time than it has, rounding apart."""
    bad = np.flatnonzero(given > capacity * (1.0 + CAPACITY_RATIO) + CAPACITY_RATIO)
    if bad.size:
        h = int(bad[0])
        raise InternalError(
            f"hop {plan.hops[h].name} ({plan.hops[h].direction}) gives {whom} {given[h]:.12g} of "
            f"its time, and has {capacity[h]:.12g} for them"
        )


def plan_rate_bps(plan: Plan) -> float:
    """More than any hop of a plan carries."""
    finite = [hop.rate_bps for hop in plan.hops if np.isfinite(hop.rate_bps)]
    return 2.0 * max(finite, default=1e12)
