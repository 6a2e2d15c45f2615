"""Flows that come, share and end: hours and days without an event for any packet.

All flows of a class have the same rate at all times (`kernels.rebalance`), and all classes that
one hop limits have the same level, rate / weight. So one number for each limit, its *clock*, the
service that a flow of weight 1 has attained, serves all flows behind it, whatever their number:

    service[k](t) = integral of level[k]                    k: a full hop, or the cap of a class
    class clock   = service[limit of class] + offset of class   continuous when its limit changes
    a flow ends when the class clock reaches   its value at arrival + bits / weight

    class 0   heap of targets --+
    class 3   heap of targets --+-- earliest class of hop k --+
    class 7   heap of targets --+                             +-- earliest of all: next event
    class 5   heap of targets --------- cap of class 5 -------+
    source 0  next arrival, or earliest of the users who think ---+

A heap orders the flows of a class, a tournament the classes of a hop, another one all limits and
sources. An arrival or completion moves a heap, a few sums (`shift_count`, `settle`) and the clocks
whose level changes: its cost does not depend on how many flows there are.

Time is int64 picoseconds. A completion is due at the first whole picosecond at which the clock
has reached the target, and clocks advance by level * (whole picoseconds since the last change),
so no error grows with the age of the run. A clock is a float64 and starts again at 0 whenever
its hop fills anew: a day at 1 Gbit/s is known to 0.02 bit. Between two events nothing is written,
so where a run is cut, by `until_ps` or `events_max`, shows in no bit.

Not modelled: slow start and loss recovery (give the class a cap), the propagation time of the
last byte, sharing among the flows of one user.

Source of the one-clock idea: virtual time in processor sharing (Kleinrock, "Queueing Systems",
vol. 2, 1976, section 4.4; Parekh and Gallager, IEEE/ACM Trans. Networking 1 (1993), 344-357).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels import heaps
from kernels._jit import inline_kernel, inner, kernel, lean
from kernels.fairshare import SOLVED
from kernels.flow_sources import (
    NEVER_PS,
    NONE,
    POISSON,
    choose_class,
    choose_size_bytes,
    draw_gap,
    pop_wake,
    push_wake,
    set_rate,
    think_until_ps,
)
from kernels.histogram import BUCKETS, bucket_of
from kernels.rebalance import (
    IDLE,
    Sharing,
    activate,
    forget_changes,
    prepare,
    recount,
    settle,
    shift_count,
    solve_all,
)
from kernels.units import BITS_PER_BYTE, PS_PER_NS, PS_PER_S

# What `advance` returns.
DONE: Final = 0
MORE: Final = 1
"""`events_max` events are done, `until_ps` is not reached: call again."""
GROW: Final = 2
"""No room for another flow: `grown` makes twice as much, then call again."""
SOLVE: Final = 3
"""Sharing has become too entangled for small steps: `solve_again`, then call again."""
OTHER_SOURCE: Final = 4
"""What `move_flows` returns for classes of two sources: their users would be mixed up."""

S_PER_PS: Final = 1e-12

REFRESH_EVENTS: Final = 4096
"""Every so many events the loads of all hops are added up anew."""

CLOCK: Final = np.dtype(
    [
        ("service", np.float64),  # attained at `at_ps` by a flow of weight 1, bits
        ("level", np.float64),  # since then, bit/s; 0 for a hop that is not full
        ("at_ps", np.int64),
        ("tree_begin", np.int64),  # hops: tournament of the classes
        ("tree_width", np.int64),
        ("is_stale", np.int64),  # its next completion must be worked out again
    ],
    align=True,
)

CLASS_FLOWS: Final = np.dtype(
    [
        ("offset", np.float64),
        ("started", np.float64),  # sum of class clocks at the arrivals of present flows
        ("service_per_byte", np.float64),  # bits per byte over the weight
        ("source", np.int64),
        ("histogram_row", np.int64),  # NONE = its transfer times are not sorted into bins
    ],
    align=True,
)

COUNTER: Final = np.dtype(
    [
        ("arrivals", np.int64),
        ("arrived_bytes", np.int64),
        ("completions", np.int64),
        ("completed_bytes", np.int64),
        ("aborts", np.int64),
        ("aborted_bytes", np.int64),  # whole size of the flows that were given up
        ("unsent_bytes", np.float64),  # what of it had not been carried
        ("transfer_s", np.float64),  # sum over completions of completion - arrival
    ],
    align=True,
)

STORE: Final = np.dtype(
    [
        ("stale_count", np.int64),
        ("events", np.int64),
        ("now_ps", np.int64),  # of the last event or change
    ],
    align=True,
)


class Flows(NamedTuple):
    """Everything that flows know about themselves; beside it stands a `Sharing`.

    Attributes
    ----------
    clock, class_flows, counter : records
        CLOCK[hops + classes], CLASS_FLOWS[classes], COUNTER[classes].
    segment, entry, pool : arrays
        Heaps of flows by completion target (class clock), one a class: see `kernels.heaps`.
    key, key_winner : float64[...], int64[...]
        Tournaments of the classes of each hop, by service of the hop's clock.
    due_ps, due_winner : int64[...]
        Tournament of limits and sources, by time.
    stale : int64[hops + classes]
        Clocks whose next completion must be worked out again.
    source, choice, profile, table, wake_ps : arrays
        See `kernels.flow_sources`; table: float64, tables of `kernels.quantiles` in a row.
    histogram : int64[rows, BUCKETS]
        Transfer times in nanoseconds by `histogram.bucket_of`.
    store : STORE[1]
    """

    clock: np.ndarray
    class_flows: np.ndarray
    counter: np.ndarray
    segment: np.ndarray
    entry: np.ndarray
    pool: np.ndarray
    key: np.ndarray
    key_winner: np.ndarray
    due_ps: np.ndarray
    due_winner: np.ndarray
    stale: np.ndarray
    source: np.ndarray
    choice: np.ndarray
    profile: np.ndarray
    table: np.ndarray
    wake_ps: np.ndarray
    histogram: np.ndarray
    store: np.ndarray


def new_flows(
    weight: NDArray[np.float64],
    class_source: NDArray[np.int64],
    hop_count: int,
    use_count: int,
    source: NDArray[np.void],
    choice: NDArray[np.void],
    profile: NDArray[np.void],
    table: NDArray[np.float64],
    *,
    flow_room: int = 1024,
    histogram_rows: int = 0,
    class_histogram: NDArray[np.int64] | None = None,
) -> Flows:
    """Allocate the state of a run without flows; `apply_network` and `start_source` come next.

    Parameters
    ----------
    weight, class_source : float64[classes], int64[classes]
        Weight of each class, and the source that feeds it.
    hop_count, use_count : int
        Size of the network.
    source, choice, profile, table : arrays
        See `Flows`; sources must know their room of the wake heap (`wake_begin`, `wake_room`).
    flow_room : int
        Flows to make room for at first.
    histogram_rows, class_histogram : int, int64[classes]
        Histograms of transfer times, and the one that each class is sorted into (NONE: none).
    """
    class_count = weight.size
    limit_count = hop_count + class_count
    entry, pool = heaps.new_pool(4 * (flow_room + heaps.FIRST_ROOM * class_count))
    leaves = 1 << max(limit_count + source.size - 1, 1).bit_length()
    tree_size = 4 * (use_count + hop_count)
    class_flows = np.zeros(class_count, CLASS_FLOWS)
    class_flows["service_per_byte"] = BITS_PER_BYTE / weight
    class_flows["source"] = class_source
    class_flows["histogram_row"] = NONE if class_histogram is None else class_histogram
    fresh = source.copy()
    fresh["next_ps"] = NEVER_PS
    wake_size = int((source["wake_begin"] + source["wake_room"]).max(initial=0))
    return Flows(
        clock=np.zeros(limit_count, CLOCK),
        class_flows=class_flows,
        counter=np.zeros(class_count, COUNTER),
        segment=np.zeros(class_count, heaps.SEGMENT),
        entry=entry,
        pool=pool,
        key=np.zeros(tree_size, np.float64),
        key_winner=np.zeros(tree_size, np.int64),
        due_ps=np.full(2 * leaves, NEVER_PS),
        due_winner=heaps.first_leaves(leaves),
        stale=np.zeros(limit_count, np.int64),
        source=fresh,
        choice=choice,
        profile=profile,
        table=table,
        wake_ps=np.zeros(max(wake_size, 1), np.int64),
        histogram=np.zeros((histogram_rows, BUCKETS), np.int64),
        store=np.zeros(1, STORE),
    )


def grown(flows: Flows) -> Flows:
    """Return the same state with room for twice as many flows."""
    return flows._replace(entry=np.concatenate([flows.entry, np.zeros_like(flows.entry)]))


def run(until_ps: int, sharing: Sharing, flows: Flows, events_max: int = 10_000_000) -> Flows:
    """Advance to `until_ps` whatever it takes; returns the state to go on with."""
    status = MORE
    while status != DONE:
        status = advance(until_ps, events_max, sharing, flows)
        if status == GROW:
            flows = grown(flows)
        elif status == SOLVE:
            solve_again(sharing, flows)
    return flows


@lean
@kernel
def advance(until_ps: int, events_max: int, s: Sharing, f: Flows) -> int:
    """Handle every event before `until_ps`.

    An event exactly at `until_ps` waits: a change of the network at that instant comes first.

    Parameters
    ----------
    until_ps : int64
        End of the stretch, at most 2**63 - 2 (106 days).
    events_max : int64
        Return MORE after this many events, for progress and deadlines.
    s, f : Sharing, Flows
        State, changed in place.

    Returns
    -------
    int
        DONE, MORE, GROW or SOLVE.

    Notes
    -----
    Events at one instant: completions before arrivals, then by number of hop, class and source.
    Cost per event O(log flows of a class + log classes + log hops + hops of the route) while the
    brackets of `kernels.rebalance` hold.
    """
    store = f.store[0]
    events = 0
    status = MORE
    while status == MORE:
        outcome = settle(s)
        _follow(s, f, store["now_ps"])
        if outcome != SOLVED:
            status = SOLVE
        elif f.due_ps[1] >= until_ps:
            status = DONE
        elif not heaps.has_room(f.entry, f.pool):
            status = GROW
        elif events == events_max:
            break
        else:
            events += 1
            _handle_event(s, f)
    return status


@inline_kernel
def _handle_event(s: Sharing, f: Flows) -> None:
    """Let the next event happen; who gets which rate from then on comes after."""
    store = f.store[0]
    now_ps = f.due_ps[1]
    k = f.due_winner[1]
    store["now_ps"] = now_ps
    is_completion = k < s.limit.size
    starter = _complete(s, f, k, now_ps) if is_completion else _wake(f, k - f.clock.size, now_ps)
    if starter != NONE:
        _start_flow(s, f, starter, now_ps)
    store["events"] += 1
    if store["events"] % REFRESH_EVENTS == 0:
        recount(s)


@inner
@kernel
def _advance_clock(clocks: np.ndarray, k: int, now_ps: int) -> float:
    """Bring clock `k` up to the present; returns the service attained."""
    clock = clocks[k]
    clock["service"] += clock["level"] * ((now_ps - clock["at_ps"]) * S_PER_PS)
    clock["at_ps"] = now_ps
    return float(clock["service"])


@inner
@kernel
def _make_stale(clock: np.ndarray, stale: np.ndarray, store: np.ndarray, k: int) -> int:
    """Remember to work out the next completion of clock `k` again. Returns 0."""
    if clock[k]["is_stale"] == 0:
        clock[k]["is_stale"] = 1
        stale[store[0]["stale_count"]] = k
        store[0]["stale_count"] += 1
    return 0


@inline_kernel
def _set_key(s: Sharing, f: Flows, k: int, link: int, key: float) -> None:
    """Tell limit `k` when the class behind `link` is due first, by the limit's clock."""
    if k < s.hop.size:
        leaf = s.link[link]["member"] - s.hop[k]["member_begin"]
        clock = f.clock[k]
        heaps.set_leaf(f.key, f.key_winner, clock["tree_begin"], clock["tree_width"], leaf, key)
    _make_stale(f.clock, f.stale, f.store, k)


@inner
@kernel
def _first_key(entry: np.ndarray, segment: np.ndarray, class_flows: np.ndarray, c: int) -> float:
    """When the first flow of class `c` is due, by the clock of its limit."""
    return float(entry[segment[c]["begin"]]["target"] - class_flows[c]["offset"])


@inner
@kernel
def _set_due(due_ps: np.ndarray, due_winner: np.ndarray, leaf: int, time_ps: int) -> int:
    """Write when a limit or a source has its next event. Returns 0."""
    return heaps.set_leaf(due_ps, due_winner, 0, due_ps.size // 2, leaf, time_ps)


@inline_kernel
def _complete(s: Sharing, f: Flows, k: int, now_ps: int) -> int:
    """End the flow of limit `k` that has reached its target.

    Returns the source whose next flow starts at once, or NONE.
    """
    _advance_clock(f.clock, k, now_ps)
    c = k - s.hop.size
    if k < s.hop.size:
        leaf = f.key_winner[f.clock[k]["tree_begin"] + 1]
        c = s.member[s.hop[k]["member_begin"] + leaf]["class"]
    cls = s.flow_class[c]
    size = cls["count"]
    begin = f.segment[c]["begin"]
    _count_completion(f.entry, f.class_flows, f.counter, f.histogram, c, begin, now_ps)
    heaps.pop(f.entry, begin, size)
    shift_count(s, c, -1)
    if size == 1:
        f.class_flows[c]["started"] = 0.0
    _set_key(
        s,
        f,
        k,
        cls["limit_link"],
        _first_key(f.entry, f.segment, f.class_flows, c) if size > 1 else np.inf,
    )
    return _after_completion(s, f, f.class_flows[c]["source"], now_ps)


@inner
@kernel
def _count_completion(
    entry: np.ndarray,
    class_flows: np.ndarray,
    counters: np.ndarray,
    histogram: np.ndarray,
    c: int,
    at: int,
    now_ps: int,
) -> int:
    """Write what the flow of class `c` in entry `at` leaves behind. Returns 0."""
    flow = entry[at]
    own = class_flows[c]
    counter = counters[c]
    transfer_ps = now_ps - flow["arrival_ps"]
    own["started"] -= flow["target"] - flow["size_bytes"] * own["service_per_byte"]
    counter["completions"] += 1
    counter["completed_bytes"] += flow["size_bytes"]
    counter["transfer_s"] += transfer_ps * S_PER_PS
    if own["histogram_row"] != NONE:
        histogram[own["histogram_row"], bucket_of(transfer_ps // PS_PER_NS)] += 1
    return 0


@inline_kernel
def _after_completion(s: Sharing, f: Flows, i: int, now_ps: int) -> int:
    """Let the user whose flow has ended leave or think; returns source `i` if neither."""
    source = f.source[i]
    starter = NONE
    if source["kind"] != POISSON:
        if source["present"] > source["population"]:
            source["present"] -= 1
        elif source["think_begin"] == NONE:
            starter = i
        else:
            push_wake(f.source, i, f.wake_ps, think_until_ps(f.source, i, f.table, now_ps))
            _set_due(f.due_ps, f.due_winner, s.limit.size + i, source["next_ps"])
    return starter


@inline_kernel
def _wake(f: Flows, i: int, now_ps: int) -> int:
    """Let the time that source `i` waited for come; returns it if a flow starts, else NONE."""
    source = f.source[i]
    starter = i
    if source["kind"] == POISSON:
        draw_gap(f.source, i, source["flows"] + 1, f.profile, now_ps)
    else:
        pop_wake(f.source, i, f.wake_ps)
        if source["present"] > source["population"]:
            source["present"] -= 1
            starter = NONE
    _set_due(f.due_ps, f.due_winner, f.clock.size + i, source["next_ps"])
    return starter


@inline_kernel
def _start_flow(s: Sharing, f: Flows, i: int, now_ps: int) -> None:
    """Start the next flow of source `i`."""
    c = choose_class(f.source, i, f.choice)
    size_bytes = choose_size_bytes(f.source, i, f.table)
    f.source[i]["flows"] += 1
    f.counter[c]["arrivals"] += 1
    f.counter[c]["arrived_bytes"] += size_bytes
    service = size_bytes * f.class_flows[c]["service_per_byte"]
    _enter(s, f, c, service, now_ps, size_bytes, now_ps)


@inline_kernel
def _enter(
    s: Sharing, f: Flows, c: int, service: float, arrival_ps: int, size_bytes: int, now_ps: int
) -> None:
    """Put a flow into class `c` that has still to attain `service`."""
    cls = s.flow_class[c]
    own = f.class_flows[c]
    size = cls["count"]
    if size == 0:
        activate(s, c)
    k = cls["limit"]
    attained = _advance_clock(f.clock, k, now_ps)
    if size == 0:
        own["offset"] = -attained
    target = attained + own["offset"] + service
    own["started"] += target - size_bytes * own["service_per_byte"]
    if size == f.segment[c]["room"]:
        heaps.enlarge(f.segment, c, size, f.entry, f.pool)
    at = heaps.push(f.entry, f.segment[c]["begin"], size, target, arrival_ps, size_bytes)
    shift_count(s, c, 1)
    if at == 0:
        _set_key(s, f, k, cls["limit_link"], target - own["offset"])


@inline_kernel
def _follow(s: Sharing, f: Flows, now_ps: int) -> None:
    """Let clocks, offsets and due times follow the new solution."""
    for i in range(s.tally[0]["changed_count"]):
        h = s.changed[i]
        clock = f.clock[h]
        _advance_clock(f.clock, h, now_ps)
        if clock["level"] == 0.0:
            clock["service"] = 0.0
        clock["level"] = s.limit[h]["level"] if s.limit[h]["level"] < np.inf else 0.0
        _make_stale(f.clock, f.stale, f.store, h)
    for i in range(s.tally[0]["moved_count"]):
        _change_clock(s, f, s.moved[i], now_ps)
    forget_changes(s)
    for i in range(f.store[0]["stale_count"]):
        k = f.stale[i]
        f.clock[k]["is_stale"] = 0
        _set_due(f.due_ps, f.due_winner, k, _due_ps(s, f, k))
    f.store[0]["stale_count"] = 0


@inner
@kernel
def _change_clock(s: Sharing, f: Flows, c: int, now_ps: int) -> int:
    """Let class `c`, which got another limit, read the clock of that limit. Returns 0."""
    cls = s.flow_class[c]
    before = cls["limit_before"]
    k = cls["limit"]
    if k == before:
        return 0
    shift = _advance_clock(f.clock, before, now_ps) - _advance_clock(f.clock, k, now_ps)
    f.class_flows[c]["offset"] += shift
    for i in range(2):
        limit = before if i == 0 else k
        key = np.inf if i == 0 else _first_key(f.entry, f.segment, f.class_flows, c)
        link = cls["limit_link"]
        for p in range(cls["link_begin"], cls["link_end"]):
            if s.link[p]["hop"] == limit:
                link = p
        _set_key(s, f, limit, link, key)
    return 0


@inline_kernel
def _due_ps(s: Sharing, f: Flows, k: int) -> int:
    """When clock `k` reaches its first target: the first whole picosecond at or after."""
    clock = f.clock[k]
    key = np.inf
    if k < s.hop.size:
        key = f.key[clock["tree_begin"] + 1]
    elif s.flow_class[k - s.hop.size]["limit"] == k:
        key = _first_key(f.entry, f.segment, f.class_flows, k - s.hop.size)
    due_ps = NEVER_PS
    if key < np.inf and clock["level"] > 0.0:
        wait_ps = max(key - clock["service"], 0.0) / clock["level"] * PS_PER_S
        if wait_ps < NEVER_PS / 2:
            due_ps = int(wait_ps)
            if due_ps < wait_ps:
                due_ps += 1
            due_ps += clock["at_ps"]
    return due_ps


@lean
@kernel
def apply_network(
    now_ps: int,
    capacity_bps: np.ndarray,
    weight: np.ndarray,
    cap_bps: np.ndarray,
    class_ptr: np.ndarray,
    class_hop: np.ndarray,
    class_use: np.ndarray,
    s: Sharing,
    f: Flows,
) -> int:
    """Take over a network or a changed one: capacities, caps and uses, not weights.

    Arguments as in `fairshare.max_min`; counts come from the flows that are there. Returns
    SOLVED, or UNBOUNDED if a class has neither a cap nor a finite hop. Cost O(everything).
    """
    _stop_clocks(now_ps, s, f)
    status = prepare(capacity_bps, weight, cap_bps, class_ptr, class_hop, class_use, s)
    solve_all(s)
    _start_clocks(s, f)
    return status


@lean
@kernel
def solve_again(s: Sharing, f: Flows) -> int:
    """Solve from scratch at the time of the last event: what `advance` asks for by SOLVE."""
    _stop_clocks(f.store[0]["now_ps"], s, f)
    solve_all(s)
    _start_clocks(s, f)
    return 0


@inner
@kernel
def _stop_clocks(now_ps: int, s: Sharing, f: Flows) -> int:
    """Free all classes of their limits: until `_start_clocks`, the offset is a class's clock."""
    f.store[0]["now_ps"] = now_ps
    for c in range(s.flow_class.size):
        cls = s.flow_class[c]
        if cls["limit"] != IDLE and cls["count"] > 0:
            f.class_flows[c]["offset"] += _advance_clock(f.clock, cls["limit"], now_ps)
        cls["limit"] = IDLE
    return 0


@inner
@kernel
def _start_clocks(s: Sharing, f: Flows) -> int:
    """Let all clocks start at 0 with the levels of a new solution. Returns 0."""
    forget_changes(s)
    begin = 0
    for k in range(s.limit.size):
        clock = f.clock[k]
        clock["service"] = 0.0
        clock["level"] = s.limit[k]["level"] if s.limit[k]["level"] < np.inf else 0.0
        clock["at_ps"] = f.store[0]["now_ps"]
        if k < s.hop.size:
            width = 1
            while width < s.hop[k]["member_end"] - s.hop[k]["member_begin"]:
                width *= 2
            clock["tree_begin"] = begin
            clock["tree_width"] = width
            heaps.clear_tournament(f.key, f.key_winner, begin, width, np.inf)
            begin += 2 * width
        _make_stale(f.clock, f.stale, f.store, k)
    for c in range(s.flow_class.size):
        cls = s.flow_class[c]
        if cls["count"] > 0:
            _set_key(
                s,
                f,
                cls["limit"],
                cls["limit_link"],
                _first_key(f.entry, f.segment, f.class_flows, c),
            )
    return 0


@lean
@kernel
def start_source(now_ps: int, i: int, s: Sharing, f: Flows) -> int:
    """Begin with source `i`: first gap of a Poisson source, all users of a population.

    Users of a population think first; without think time their flows start at `now_ps`.
    Call it again after `population` was raised, and the newcomers begin. Returns 0.
    """
    source = f.source[i]
    if source["kind"] == POISSON:
        draw_gap(f.source, i, source["flows"], f.profile, now_ps)
    else:
        while source["present"] < min(source["population"], source["wake_room"]):
            source["present"] += 1
            push_wake(f.source, i, f.wake_ps, think_until_ps(f.source, i, f.table, now_ps))
    _set_due(f.due_ps, f.due_winner, s.limit.size + i, source["next_ps"])
    return 0


@lean
@kernel
def change_rate(now_ps: int, i: int, rate_per_s: float, s: Sharing, f: Flows) -> int:
    """Change the arrival rate of Poisson source `i` (0 stops it). Returns 0."""
    set_rate(f.source, i, f.profile, now_ps, rate_per_s)
    _set_due(f.due_ps, f.due_winner, s.limit.size + i, f.source[i]["next_ps"])
    return 0


@lean
@kernel
def abort_flows(now_ps: int, c: int, s: Sharing, f: Flows) -> int:
    """Give up all flows of class `c`; the users of a population think before the next one.

    What was carried stays carried (`unsent_bytes` is the rest). Returns DONE.
    """
    cls = s.flow_class[c]
    own = f.class_flows[c]
    counter = f.counter[c]
    source = f.source[own["source"]]
    size = cls["count"]
    if size == 0:
        return DONE
    class_clock = _advance_clock(f.clock, cls["limit"], now_ps) + own["offset"]
    begin = f.segment[c]["begin"]
    for j in range(begin, begin + size):
        left = max(f.entry[j]["target"] - class_clock, 0.0)
        counter["aborts"] += 1
        counter["aborted_bytes"] += f.entry[j]["size_bytes"]
        counter["unsent_bytes"] += left / own["service_per_byte"]
        if source["kind"] != POISSON and source["present"] > source["population"]:
            source["present"] -= 1
        elif source["kind"] != POISSON:
            wake_ps = think_until_ps(f.source, own["source"], f.table, now_ps)
            push_wake(f.source, own["source"], f.wake_ps, wake_ps)
    _set_due(f.due_ps, f.due_winner, s.limit.size + own["source"], source["next_ps"])
    _empty_class(s, f, c, now_ps)
    return DONE


@lean
@kernel
def move_flows(now_ps: int, c: int, d: int, s: Sharing, f: Flows) -> int:
    """Move all flows of class `c` to class `d`, which has another route, as they are.

    What they have still to carry stays the same; what they have carried counts for `d` from now
    on. Returns DONE; GROW if there is no room, or OTHER_SOURCE (then nothing has changed).
    """
    if f.class_flows[c]["source"] != f.class_flows[d]["source"]:
        return OTHER_SOURCE
    size = s.flow_class[c]["count"]
    if size == 0 or c == d:
        return DONE
    room = np.int64(heaps.FIRST_ROOM)
    while room < size + s.flow_class[d]["count"]:
        room *= 2
    if f.pool[0]["end"] + 2 * room > f.entry.size:
        return GROW
    own = f.class_flows[c]
    class_clock = _advance_clock(f.clock, s.flow_class[c]["limit"], now_ps) + own["offset"]
    ratio = f.class_flows[d]["service_per_byte"] / own["service_per_byte"]
    begin = f.segment[c]["begin"]
    for j in range(begin, begin + size):
        flow = f.entry[j]
        left = max(flow["target"] - class_clock, 0.0) * ratio
        _enter(s, f, d, left, flow["arrival_ps"], flow["size_bytes"], now_ps)
    _empty_class(s, f, c, now_ps)
    return DONE


@inline_kernel
def _empty_class(s: Sharing, f: Flows, c: int, now_ps: int) -> None:
    """Take all flows out of class `c`."""
    cls = s.flow_class[c]
    _set_key(s, f, cls["limit"], cls["limit_link"], np.inf)
    f.class_flows[c]["started"] = 0.0
    shift_count(s, c, -cls["count"])
    f.store[0]["now_ps"] = now_ps


@lean
@kernel
def carried_bytes(now_ps: int, s: Sharing, f: Flows, carried: np.ndarray) -> int:
    """Write what each class has carried until `now_ps`, parts of flows included. Returns 0.

    carried: float64[classes], bytes. Changes nothing, so it may be asked at any time not before
    the last `advance`. Cost O(classes).
    """
    for c in range(carried.size):
        counter = f.counter[c]
        own = f.class_flows[c]
        count = s.flow_class[c]["count"]
        carried[c] = counter["completed_bytes"] + counter["aborted_bytes"] - counter["unsent_bytes"]
        if count > 0:
            attained = count * _class_clock(s, f, c, now_ps) - own["started"]
            carried[c] += attained / own["service_per_byte"]
    return 0


@lean
@kernel
def remaining_bytes(now_ps: int, s: Sharing, f: Flows, remaining: np.ndarray) -> int:
    """Count flow by flow what each class has still to carry at `now_ps`. Returns the flows.

    remaining: float64[classes], bytes. Changes nothing. Cost O(flows).
    """
    flow_count = 0
    for c in range(remaining.size):
        remaining[c] = 0.0
        count = s.flow_class[c]["count"]
        if count == 0:
            continue
        class_clock = _class_clock(s, f, c, now_ps)
        begin = f.segment[c]["begin"]
        for j in range(begin, begin + count):
            left = max(f.entry[j]["target"] - class_clock, 0.0)
            remaining[c] += left / f.class_flows[c]["service_per_byte"]
            flow_count += 1
    return flow_count


@inline_kernel
def _class_clock(s: Sharing, f: Flows, c: int, now_ps: int) -> float:
    """Service attained at `now_ps` by a flow of class `c` that began when the clock did."""
    clock = f.clock[s.flow_class[c]["limit"]]
    since_s = (now_ps - clock["at_ps"]) * S_PER_PS
    return float(clock["service"] + clock["level"] * since_s + f.class_flows[c]["offset"])
