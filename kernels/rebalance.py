"""Max-min fair shares kept up to date while flows come and go: only what can change is redone.

What a class gets is decided by its *limit*, a hop that is full or the class's own cap:

    limit k < hops    hop k is full; every class limited by it has the level of the hop
    limit hops + c    the cap of class c; its level never changes

    full hop:  level[h] = (capacity[h] - other[h]) / own[h]
               own[h]   = sum of count * demand over the classes limited by h
               other[h] = load of the classes that cross h but are limited elsewhere

A count that changes by one moves a few sums and levels. Whether anything else must change could
be seen by looking at everything else; instead each level has a *bracket*, set so that as long as
all levels stay inside, the certificate of `kernels.fairshare` holds:

    other hop, not full   sum of count * demand * high[limit of class]  <=  capacity
    class limited by k, crossing full hop h      high[k] <= low[h]
    class limited by hop k                       high[k] <= its level cap

    level ------low======|=========high------>        inside: nothing to do, O(hops of a route)
                       level                          outside: `_refill` that hop

`_refill` solves one hop exactly, with what the other hops allow its classes as their caps: classes
join it or leave it, it becomes full or ceases to be; hops whose load changed wait in a queue. The
lowest level of the network comes out right first, then the next, so the queue runs dry (the
argument of Charny, Clark and Jain, "Congestion control with explicit rate indication", ICC 1995).
Should it take more work than that, everything is solved from scratch.

Hops that can never be the first to fill are left out beforehand: B is dominated by A if every
class on B crosses A and demand[c, B] / capacity[B] <= demand[c, A] / capacity[A].
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kernels._jit import counted, inline_kernel, inner, kernel, lean
from kernels.fairshare import OWN_CAP, SOLVED, UNBOUNDED, fill_levels

TOLERANCE: Final = 1e-12
"""Relative: a load so little above capacity, or a level so little apart, is rounding."""
GAVE_UP: Final = 3
"""`settle` took more work than a full solution is worth: `solve_all` comes next."""
IDLE: Final = -1
"""In place of a limit: the class has no flows."""
WORK_RATIO: Final = 8
"""Refilling gives up in favour of a full solution after this many times the network's links."""

LIMIT: Final = np.dtype(
    [
        ("level", np.float64),  # bit/s per unit of weight; of a hop that is not full: infinite
        ("low", np.float64),  # bracket of the level
        ("high", np.float64),
    ],
    align=True,
)

HOP: Final = np.dtype(
    [
        ("capacity_bps", np.float64),
        ("own", np.float64),  # count * demand of the classes limited here
        ("other_bps", np.float64),  # load of the rest; of a hop that is not full: a bound on it
        ("room", np.float64),  # scratch
        ("limited_count", np.int64),  # classes with flows that are limited here
        ("is_coupled", np.int64),  # a class limited here may cross another full hop
        ("is_queued", np.int64),
        ("is_changed", np.int64),
        ("is_left_out", np.int64),  # can never be the first to fill
        ("member_begin", np.int64),
        ("member_end", np.int64),
    ],
    align=True,
)

CLASS: Final = np.dtype(
    [
        ("count", np.int64),
        ("limit", np.int64),
        ("limit_link", np.int64),  # the link to the hop that limits it
        ("link_begin", np.int64),
        ("link_end", np.int64),
        ("level_cap", np.float64),
        ("cap_hop", np.int64),  # the hop that alone sets the cap, or OWN_CAP
        ("limit_before", np.int64),  # where it was when `settle` first moved it
        ("is_moved", np.int64),
    ],
    align=True,
)

LINK: Final = np.dtype(
    [
        ("hop", np.int64),
        ("member", np.int64),  # place in the hop's list of classes
        ("demand", np.float64),  # load of one flow at level 1: use * weight
    ],
    align=True,
)

MEMBER: Final = np.dtype(
    [
        ("class", np.int64),
        ("link", np.int64),
        ("mass", np.float64),  # scratch of `_refill`, from here on
        ("elsewhere", np.float64),  # level that the other hops and the cap allow
        ("elsewhere_limit", np.int64),
        ("stays", np.int64),
    ],
    align=True,
)

TALLY: Final = np.dtype(
    [
        ("queue_head", np.int64),
        ("queue_count", np.int64),
        ("changed_count", np.int64),
        ("moved_count", np.int64),
        ("work", np.int64),
        ("work_max", np.int64),
        ("refills", np.int64),  # counters for information
        ("full_solutions", np.int64),
    ],
    align=True,
)


class Sharing(NamedTuple):
    """The network as the solver sees it, with the present solution.

    Attributes
    ----------
    hop, limit, flow_class, link, member : records
        HOP[hops], LIMIT[hops + classes], CLASS[classes], LINK[uses], MEMBER[uses].
    queue, changed : int64[hops]
        Hops to be looked at; hops whose level changed since the lists were last emptied.
    moved : int64[classes]
        Classes that got another limit since the lists were last emptied.
    tally : TALLY[1]
        Lengths of the lists, and counters.
    """

    hop: np.ndarray
    limit: np.ndarray
    flow_class: np.ndarray
    link: np.ndarray
    member: np.ndarray
    queue: np.ndarray
    changed: np.ndarray
    moved: np.ndarray
    tally: np.ndarray


def empty_sharing(hop_count: int, class_count: int, use_count: int) -> Sharing:
    """Allocate a network of that many hops, classes and uses; `prepare` fills it."""
    return Sharing(
        hop=np.zeros(hop_count, HOP),
        limit=np.zeros(hop_count + class_count, LIMIT),
        flow_class=np.zeros(class_count, CLASS),
        link=np.zeros(use_count, LINK),
        member=np.zeros(use_count, MEMBER),
        queue=np.zeros(hop_count, np.int64),
        changed=np.zeros(hop_count, np.int64),
        moved=np.zeros(class_count, np.int64),
        tally=np.zeros(1, TALLY),
    )


def new_sharing(
    capacity_bps: ArrayLike,
    weight: ArrayLike,
    cap_bps: ArrayLike,
    class_ptr: ArrayLike,
    class_hop: ArrayLike,
    class_use: ArrayLike,
) -> tuple[Sharing, int]:
    """Make a network without flows; arguments as in `fairshare.max_min`, and its status."""
    hops = np.asarray(class_hop, np.int64)
    capacity = np.asarray(capacity_bps, np.float64)
    sharing = empty_sharing(capacity.size, np.size(weight), hops.size)
    status = prepare(
        capacity,
        np.asarray(weight, np.float64),
        np.asarray(cap_bps, np.float64),
        np.asarray(class_ptr, np.int64),
        hops,
        np.asarray(class_use, np.float64),
        sharing,
    )
    return sharing, status


@lean
@kernel
def prepare(
    capacity_bps: np.ndarray,
    weight: np.ndarray,
    cap_bps: np.ndarray,
    class_ptr: np.ndarray,
    class_hop: np.ndarray,
    class_use: np.ndarray,
    s: Sharing,
) -> int:
    """Take over a network: at the start, and whenever a capacity, cap or use has changed.

    Arguments as in `fairshare.max_min`. Counts are kept, the solution is not: `solve_all` comes
    next. Returns SOLVED, or UNBOUNDED if a class has neither a cap nor a finite hop.
    Cost O(uses * longest route ** 2).
    """
    hops = capacity_bps.size
    for h in range(hops):
        s.hop[h]["capacity_bps"] = capacity_bps[h]
        s.hop[h]["is_queued"] = 0
        s.hop[h]["is_changed"] = 0
    s.tally[0]["queue_count"] = 0
    s.tally[0]["changed_count"] = 0
    s.tally[0]["moved_count"] = 0
    _copy_links(weight, class_ptr, class_hop, class_use, s)
    status = _set_caps(weight, cap_bps, s)
    _list_members(s)
    _leave_out_dominated(s)
    _list_members(s)
    s.tally[0]["work_max"] = WORK_RATIO * s.link.size
    return status


@inner
@kernel
def _copy_links(
    weight: np.ndarray,
    class_ptr: np.ndarray,
    class_hop: np.ndarray,
    class_use: np.ndarray,
    s: Sharing,
) -> int:
    """Write the links of every class; a hop that occurs twice becomes one link. Returns 0."""
    for c in range(weight.size):
        begin = class_ptr[c]
        end = begin
        for p in range(begin, class_ptr[c + 1]):
            q = begin
            while q < end and s.link[q]["hop"] != class_hop[p]:
                q += 1
            link = s.link[q]
            if q == end:
                link["hop"] = class_hop[p]
                link["demand"] = 0.0
                end += 1
            link["demand"] += class_use[p] * weight[c]
        cls = s.flow_class[c]
        cls["link_begin"] = begin
        cls["link_end"] = end
        cls["is_moved"] = 0
    return 0


@inner
@kernel
def _set_caps(weight: np.ndarray, cap_bps: np.ndarray, s: Sharing) -> int:
    """Set level caps: a lone flow fills the smallest hop of its route, so that is a cap too."""
    hops = s.hop.size
    status = SOLVED
    for c in range(weight.size):
        cls = s.flow_class[c]
        level_cap = cap_bps[c] / weight[c]
        cap_hop = OWN_CAP
        for p in range(cls["link_begin"], cls["link_end"]):
            link = s.link[p]
            alone = s.hop[link["hop"]]["capacity_bps"] / link["demand"]
            if alone < level_cap:
                level_cap = alone
                cap_hop = link["hop"]
        if level_cap == np.inf:
            status = UNBOUNDED
        cls["level_cap"] = level_cap
        cls["cap_hop"] = cap_hop
        s.limit[hops + c]["level"] = level_cap
        s.limit[hops + c]["high"] = level_cap
    return status


@inner
@kernel
def _list_members(s: Sharing) -> int:
    """List the classes of every hop, from the links that remain. Returns 0."""
    for h in range(s.hop.size):
        s.hop[h]["member_end"] = 0
    for c in range(s.flow_class.size):
        for p in range(s.flow_class[c]["link_begin"], s.flow_class[c]["link_end"]):
            s.hop[s.link[p]["hop"]]["member_end"] += 1
    begin = np.int64(0)
    for h in range(s.hop.size):
        size = s.hop[h]["member_end"]
        s.hop[h]["member_begin"] = begin
        s.hop[h]["member_end"] = begin
        begin += size
    for c in range(s.flow_class.size):
        for p in range(s.flow_class[c]["link_begin"], s.flow_class[c]["link_end"]):
            hop = s.hop[s.link[p]["hop"]]
            q = hop["member_end"]
            hop["member_end"] = q + 1
            s.member[q]["class"] = c
            s.member[q]["link"] = p
            s.link[p]["member"] = q
    return 0


@inner
@kernel
def _leave_out_dominated(s: Sharing) -> int:
    """Remove the links to hops that can never be the first to fill. Returns 0."""
    for h in range(s.hop.size):
        s.hop[h]["is_left_out"] = 0
    for h in range(s.hop.size):
        hop = s.hop[h]
        if hop["member_begin"] == hop["member_end"]:
            continue
        hop["is_left_out"] = np.int64(hop["capacity_bps"] == np.inf)
        first = s.flow_class[s.member[hop["member_begin"]]["class"]]
        for p in range(first["link_begin"], first["link_end"]):
            g = s.link[p]["hop"]
            is_open = hop["is_left_out"] == 0 and s.hop[g]["is_left_out"] == 0
            if g != h and is_open and _is_dominated(h, g, s):
                hop["is_left_out"] = 1
    for c in range(s.flow_class.size):
        cls = s.flow_class[c]
        end = cls["link_begin"]
        for p in range(cls["link_begin"], cls["link_end"]):
            if s.hop[s.link[p]["hop"]]["is_left_out"] == 0:
                s.link[end]["hop"] = s.link[p]["hop"]
                s.link[end]["demand"] = s.link[p]["demand"]
                end += 1
        cls["link_end"] = end
    return 0


@inner
@kernel
def _is_dominated(h: int, g: int, s: Sharing) -> bool:
    """Whether hop `h` can never be fuller than hop `g`, whatever the counts."""
    capacity = s.hop[h]["capacity_bps"]
    capacity_g = s.hop[g]["capacity_bps"]
    if capacity_g == np.inf:
        return False
    for q in range(s.hop[h]["member_begin"], s.hop[h]["member_end"]):
        cls = s.flow_class[s.member[q]["class"]]
        demand = s.link[s.member[q]["link"]]["demand"]
        is_below = False
        for p in range(cls["link_begin"], cls["link_end"]):
            link = s.link[p]
            if link["hop"] == g and demand * capacity_g <= link["demand"] * capacity:
                is_below = True
        if not is_below:
            return False
    return True


@counted
@kernel
def solve_all(s: Sharing) -> int:
    """Solve from scratch, with the counts as they are; returns SOLVED or UNBOUNDED."""
    hops = s.hop.size
    classes = s.flow_class.size
    capacity_bps = np.empty(hops, np.float64)
    for h in range(hops):
        capacity_bps[h] = s.hop[h]["capacity_bps"]
    link_hop = np.empty(s.link.size, np.int64)
    demand = np.empty(s.link.size, np.float64)
    for p in range(s.link.size):
        link_hop[p] = s.link[p]["hop"]
        demand[p] = s.link[p]["demand"]
    level_cap = np.empty(classes, np.float64)
    count = np.empty(classes, np.int64)
    link_begin = np.empty(classes, np.int64)
    link_end = np.empty(classes, np.int64)
    for c in range(classes):
        cls = s.flow_class[c]
        level_cap[c] = cls["level_cap"]
        count[c] = cls["count"]
        link_begin[c] = cls["link_begin"]
        link_end[c] = cls["link_end"]
    level = np.empty(classes, np.float64)
    bottleneck = np.empty(classes, np.int64)
    status = fill_levels(
        capacity_bps, level_cap, count, link_begin, link_end, link_hop, demand, level, bottleneck
    )
    _take_over(s, level, bottleneck)
    return status


@inner
@kernel
def _take_over(s: Sharing, level: np.ndarray, bottleneck: np.ndarray) -> int:
    """Make a full solution the present one. Returns 0."""
    hops = s.hop.size
    s.tally[0]["full_solutions"] += 1
    s.tally[0]["queue_count"] = 0
    for h in range(hops):
        hop = s.hop[h]
        hop["is_queued"] = 0
        hop["limited_count"] = 0
        hop["is_coupled"] = 0
        hop["room"] = 0.0
        limit = s.limit[h]
        limit["level"] = np.inf
        limit["high"] = np.inf
        limit["low"] = 0.0
        _note_change(s.hop, s.changed, s.tally, h)
    for c in range(s.flow_class.size):
        k = IDLE
        if s.flow_class[c]["count"] > 0:
            k = hops + c if bottleneck[c] == OWN_CAP else bottleneck[c]
            if k < hops:
                s.hop[k]["limited_count"] += 1
                s.limit[k]["level"] = level[c]
                s.limit[k]["high"] = level[c]
        _assign(s, c, k)
    recount(s)
    for h in range(hops):
        _set_bracket(s, h)
    return 0


@inner
@kernel
def recount(s: Sharing) -> int:
    """Add up the loads of all hops anew, so that rounding errors do not pile up. Returns 0."""
    for h in range(s.hop.size):
        _sum_up(s, h)
    return 0


@inner
@kernel
def _enqueue(hop: np.ndarray, queue: np.ndarray, tally: np.ndarray, h: int) -> int:
    """Let `settle` look at hop `h`. Returns 0."""
    if hop[h]["is_queued"] == 0:
        hop[h]["is_queued"] = 1
        at = tally[0]["queue_head"] + tally[0]["queue_count"]
        if at >= queue.size:
            at -= queue.size
        queue[at] = h
        tally[0]["queue_count"] += 1
    return 0


@inner
@kernel
def _note_change(hop: np.ndarray, changed: np.ndarray, tally: np.ndarray, h: int) -> int:
    """Remember that the level of hop `h` is no longer what it was. Returns 0."""
    if hop[h]["is_changed"] == 0:
        hop[h]["is_changed"] = 1
        changed[tally[0]["changed_count"]] = h
        tally[0]["changed_count"] += 1
    return 0


@inline_kernel
def forget_changes(s: Sharing) -> None:
    """Empty the lists of changed hops and moved classes."""
    tally = s.tally[0]
    for i in range(tally["changed_count"]):
        s.hop[s.changed[i]]["is_changed"] = 0
    for i in range(tally["moved_count"]):
        s.flow_class[s.moved[i]]["is_moved"] = 0
    tally["changed_count"] = 0
    tally["moved_count"] = 0


@inner
@kernel
def _assign(s: Sharing, c: int, k: int) -> int:
    """Give class `c` the limit `k`, and remember where it came from. Returns 0."""
    cls = s.flow_class[c]
    if cls["limit"] != k and cls["is_moved"] == 0:
        cls["is_moved"] = 1
        cls["limit_before"] = cls["limit"]
        s.moved[s.tally[0]["moved_count"]] = c
        s.tally[0]["moved_count"] += 1
    _set_limit(s.flow_class, s.link, c, k)
    return 0


@inner
@kernel
def _set_limit(flow_class: np.ndarray, link: np.ndarray, c: int, k: int) -> int:
    """Write limit `k` of class `c` and the link that leads there. Returns 0."""
    cls = flow_class[c]
    cls["limit"] = k
    for p in range(cls["link_begin"], cls["link_end"]):
        if link[p]["hop"] == k:
            cls["limit_link"] = p
    return 0


@inner
@kernel
def activate(s: Sharing, c: int) -> int:
    """Give a class that is about to get its first flow the limit that holds now. Returns 0."""
    cls = s.flow_class[c]
    k = s.hop.size + c
    level = cls["level_cap"]
    for p in range(cls["link_begin"], cls["link_end"]):
        h = s.link[p]["hop"]
        if s.limit[h]["level"] < level:
            level = s.limit[h]["level"]
            k = h
    _set_limit(s.flow_class, s.link, c, k)
    if k < s.hop.size:
        s.hop[k]["limited_count"] += 1
    _fit_bracket(s, c, k)
    return 0


@inner
@kernel
def shift_count(s: Sharing, c: int, delta: int) -> int:
    """Change the flows of a class that has a limit by `delta`; `settle` must follow.

    A class that comes to have none loses its limit. Returns 0.
    """
    cls = s.flow_class[c]
    k = cls["limit"]
    cls["count"] += delta
    for p in range(cls["link_begin"], cls["link_end"]):
        h = s.link[p]["hop"]
        hop = s.hop[h]
        mass = delta * s.link[p]["demand"]
        must_look = True
        if h == k:
            hop["own"] += mass
        elif s.limit[h]["level"] < np.inf:
            hop["other_bps"] += mass * s.limit[k]["level"]
        else:
            hop["other_bps"] += mass * s.limit[k]["high"]
            must_look = hop["other_bps"] > hop["capacity_bps"] * (1.0 + TOLERANCE)
        if must_look:
            _enqueue(s.hop, s.queue, s.tally, h)
    if cls["count"] == 0:
        cls["limit"] = IDLE
        if k < s.hop.size:
            s.hop[k]["limited_count"] -= 1
    return 0


@lean
@kernel
def set_count(s: Sharing, c: int, count: int) -> int:
    """Set the flows of one class and bring the solution up to date.

    Returns SOLVED. Cost: O(hops of the route) while no level leaves its bracket.
    """
    cls = s.flow_class[c]
    delta = count - cls["count"]
    if delta == 0:
        return SOLVED
    if cls["count"] == 0:
        activate(s, c)
    shift_count(s, c, delta)
    return SOLVED if settle(s) == SOLVED else solve_all(s)


@lean
@kernel
def rates(weight: np.ndarray, s: Sharing, rate_bps: np.ndarray, bottleneck: np.ndarray) -> int:
    """Write the rate of one flow of each class, and the hop that sets it (OWN_CAP: its cap).

    weight: float64[classes]; rate_bps: float64[classes], 0 without flows; bottleneck:
    int64[classes]. Returns 0.
    """
    for c in range(weight.size):
        k = s.flow_class[c]["limit"]
        rate_bps[c] = 0.0 if k == IDLE else s.limit[k]["level"] * weight[c]
        bottleneck[c] = k if IDLE < k < s.hop.size else s.flow_class[c]["cap_hop"]
    return 0


@inline_kernel
def settle(s: Sharing) -> int:
    """Look at the queued hops until all is fair again; returns SOLVED or GAVE_UP.

    Hops whose level is new and classes whose limit is new are in the lists `changed` and `moved`,
    until `forget_changes`.
    """
    tally = s.tally[0]
    while tally["queue_count"] > 0 and tally["work"] <= tally["work_max"]:
        h = s.queue[tally["queue_head"]]
        tally["queue_head"] += 1
        if tally["queue_head"] == s.queue.size:
            tally["queue_head"] = 0
        tally["queue_count"] -= 1
        hop = s.hop[h]
        limit = s.limit[h]
        hop["is_queued"] = 0
        before = limit["level"]
        if before == np.inf:
            is_kept = hop["other_bps"] <= hop["capacity_bps"] * (1.0 + TOLERANCE)
        elif hop["limited_count"] == 0:
            is_kept = False
        else:
            level = (hop["capacity_bps"] - hop["other_bps"]) / hop["own"]
            is_kept = limit["low"] <= level <= limit["high"]
            if is_kept and level != before:
                limit["level"] = level
                _note_change(s.hop, s.changed, s.tally, h)
                if hop["is_coupled"] != 0:
                    _pass_on(s, h, level - before)
        if not is_kept:
            _refill(s, h)
    tally["work"] = 0
    return SOLVED if tally["queue_count"] == 0 else GAVE_UP


@inner
@kernel
def _pass_on(s: Sharing, h: int, change: float) -> int:
    """Tell the other full hops of the classes limited by `h` that their level changed."""
    hop = s.hop[h]
    hop["is_coupled"] = 0
    for q in range(hop["member_begin"], hop["member_end"]):
        cls = s.flow_class[s.member[q]["class"]]
        if cls["limit"] != h:
            continue
        for p in range(cls["link_begin"], cls["link_end"]):
            g = s.link[p]["hop"]
            if g != h and s.limit[g]["level"] < np.inf:
                hop["is_coupled"] = 1
                s.hop[g]["other_bps"] += change * cls["count"] * s.link[p]["demand"]
                _enqueue(s.hop, s.queue, s.tally, g)
    return 0


@inner
@kernel
def _refill(s: Sharing, h: int) -> int:
    """Solve one hop exactly, with the other hops as they are. Returns 0.

    Its classes get min(level, elsewhere), where elsewhere is what their caps and other full hops
    allow, and level is such that the hop is just full; it is infinite if the hop does not fill.
    """
    hop = s.hop[h]
    limit = s.limit[h]
    s.tally[0]["refills"] += 1
    s.tally[0]["work"] += hop["member_end"] - hop["member_begin"]
    level = _choose_members(s, h, _water_level(s, h))
    before = limit["level"]
    high_before = limit["high"]
    limit["level"] = level
    limit["high"] = level
    for q in range(hop["member_begin"], hop["member_end"]):
        member = s.member[q]
        k = s.flow_class[member["class"]]["limit"]
        if member["mass"] == 0.0 or (k != h and member["stays"] == 0):
            continue
        k_new = h if member["stays"] != 0 else member["elsewhere_limit"]
        was = before if k == h else s.limit[k]["level"]
        high_was = high_before if k == h else s.limit[k]["high"]
        _relimit(s, member["class"], h, k_new, k, was, high_was)
    _sum_up(s, h)
    _set_bracket(s, h)
    if level != before:
        _note_change(s.hop, s.changed, s.tally, h)
    return 0


@inner
@kernel
def _water_level(s: Sharing, h: int) -> float:
    """Find the level at which hop `h` is just full, infinite if it does not fill.

    sum over members of mass * min(level, elsewhere) = capacity: the left side is concave and
    piecewise linear, so the first Newton step leads to the left of the root, and the next ones
    rise until they are on it.
    """
    hop = s.hop[h]
    load_bps = 0.0
    highest = 0.0
    for q in range(hop["member_begin"], hop["member_end"]):
        member = s.member[q]
        cls = s.flow_class[member["class"]]
        member["mass"] = 0.0
        if cls["count"] == 0:
            continue
        k = s.hop.size + member["class"]
        elsewhere = cls["level_cap"]
        for p in range(cls["link_begin"], cls["link_end"]):
            g = s.link[p]["hop"]
            if g != h and s.limit[g]["level"] < elsewhere:
                elsewhere = s.limit[g]["level"]
                k = g
        member["mass"] = cls["count"] * s.link[member["link"]]["demand"]
        member["elsewhere"] = elsewhere
        member["elsewhere_limit"] = k
        load_bps += member["mass"] * elsewhere
        highest = max(highest, elsewhere)
    if load_bps <= hop["capacity_bps"] * (1.0 + TOLERANCE):
        return np.inf
    level = s.limit[h]["level"]
    if level >= highest:
        level = 0.0
    is_first = True
    while True:
        fixed_bps = 0.0
        free = 0.0
        for q in range(hop["member_begin"], hop["member_end"]):
            member = s.member[q]
            if member["mass"] > 0.0:
                if member["elsewhere"] <= level:
                    fixed_bps += member["mass"] * member["elsewhere"]
                else:
                    free += member["mass"]
        next_level = (hop["capacity_bps"] - fixed_bps) / free if free > 0.0 else level
        if not is_first and next_level <= level:
            return float(level)
        is_first = False
        level = next_level


@inner
@kernel
def _choose_members(s: Sharing, h: int, level: float) -> float:
    """Decide which classes hop `h` limits at that level, and return the level that follows.

    Who is limited here, or is not, stays so as long as the difference is rounding.
    """
    hop = s.hop[h]
    own = 0.0
    other_bps = 0.0
    for q in range(hop["member_begin"], hop["member_end"]):
        member = s.member[q]
        member["stays"] = 0
        if member["mass"] == 0.0:
            continue
        k = s.flow_class[member["class"]]["limit"]
        elsewhere = member["elsewhere"]
        if k == h:
            is_here = elsewhere >= level * (1.0 - TOLERANCE)
        else:
            is_here = elsewhere > level * (1.0 + TOLERANCE)
            elsewhere = s.limit[k]["level"]
        if is_here:
            member["stays"] = 1
            own += member["mass"]
        else:
            other_bps += member["mass"] * elsewhere
    return float((hop["capacity_bps"] - other_bps) / own) if own > 0.0 else np.inf


@inner
@kernel
def _relimit(
    s: Sharing, c: int, h: int, k_new: int, k: int, before: float, high_before: float
) -> int:
    """Move class `c` from limit `k` (level and high as given) to `k_new`; all hops but `h`."""
    cls = s.flow_class[c]
    if k_new != k:
        if k < s.hop.size:
            s.hop[k]["limited_count"] -= 1
        if k_new < s.hop.size:
            s.hop[k_new]["limited_count"] += 1
        _assign(s, c, k_new)
        if k_new != h:
            _fit_bracket(s, c, k_new)
    after = s.limit[k_new]["level"]
    high_after = s.limit[k_new]["high"]
    for p in range(cls["link_begin"], cls["link_end"]):
        g = s.link[p]["hop"]
        if g == h:
            continue
        hop = s.hop[g]
        mass = cls["count"] * s.link[p]["demand"]
        must_look = True
        if g == k:
            hop["own"] -= mass
            hop["other_bps"] += mass * after
        elif g == k_new:
            hop["own"] += mass
            hop["other_bps"] -= mass * before
        elif s.limit[g]["level"] < np.inf:
            hop["other_bps"] += mass * (after - before)
        else:
            hop["other_bps"] += mass * (high_after - high_before)
            must_look = hop["other_bps"] > hop["capacity_bps"] * (1.0 + TOLERANCE)
        if must_look:
            _enqueue(s.hop, s.queue, s.tally, g)
    return 0


@inner
@kernel
def _sum_up(s: Sharing, h: int) -> int:
    """Add up the loads of one hop anew. Returns 0."""
    hop = s.hop[h]
    own = 0.0
    other_bps = 0.0
    is_full = s.limit[h]["level"] < np.inf
    for q in range(hop["member_begin"], hop["member_end"]):
        cls = s.flow_class[s.member[q]["class"]]
        k = cls["limit"]
        if k == IDLE:
            continue
        mass = cls["count"] * s.link[s.member[q]["link"]]["demand"]
        if k == h:
            own += mass
        else:
            other_bps += mass * (s.limit[k]["level"] if is_full else s.limit[k]["high"])
    hop["own"] = own
    hop["other_bps"] = other_bps
    return 0


@inner
@kernel
def _set_bracket(s: Sharing, h: int) -> int:
    """Set how far the level of hop `h` may go, or if it is not full, those of its classes."""
    if s.limit[h]["level"] < np.inf:
        _set_low(s, h)
        _set_high(s, h)
    elif s.hop[h]["other_bps"] > s.hop[h]["capacity_bps"]:
        _lower_highs(s, h)
    return 0


@inner
@kernel
def _set_low(s: Sharing, h: int) -> int:
    """Let nobody on full hop `h` be faster than the classes that it limits. Returns 0."""
    level = s.limit[h]["level"]
    low = 0.0
    for q in range(s.hop[h]["member_begin"], s.hop[h]["member_end"]):
        k = s.flow_class[s.member[q]["class"]]["limit"]
        if k in (h, IDLE):
            continue
        limit = s.limit[k]
        if k < s.hop.size:
            s.hop[k]["is_coupled"] = 1
            if limit["high"] > level:
                limit["high"] = max(limit["level"], min(0.5 * (limit["level"] + level), level))
        low = max(low, limit["high"])
    s.limit[h]["low"] = low
    return 0


@inner
@kernel
def _set_high(s: Sharing, h: int) -> int:
    """Let the level of full hop `h` rise to half of what its classes find elsewhere. Returns 0."""
    level = s.limit[h]["level"]
    hop = s.hop[h]
    high = 2.0 * level
    hop["is_coupled"] = 0
    for q in range(hop["member_begin"], hop["member_end"]):
        cls = s.flow_class[s.member[q]["class"]]
        if cls["limit"] != h:
            continue
        high = min(high, cls["level_cap"])
        for p in range(cls["link_begin"], cls["link_end"]):
            g = s.link[p]["hop"]
            other = s.limit[g]
            if g == h:
                continue
            if other["level"] < np.inf:
                hop["is_coupled"] = 1
                other["low"] = max(other["low"], min(high, 0.5 * (level + other["level"])))
                high = min(high, other["low"])
            else:
                s.hop[g]["room"] += cls["count"] * s.link[p]["demand"]
    for q in range(hop["member_begin"], hop["member_end"]):
        cls = s.flow_class[s.member[q]["class"]]
        if cls["limit"] == h:
            for p in range(cls["link_begin"], cls["link_end"]):
                other_hop = s.hop[s.link[p]["hop"]]
                if other_hop["room"] > 0.0:
                    slack_bps = other_hop["capacity_bps"] - other_hop["other_bps"]
                    high = min(high, level + 0.5 * slack_bps / other_hop["room"])
    high = max(high, level)
    s.limit[h]["high"] = high
    for q in range(hop["member_begin"], hop["member_end"]):
        cls = s.flow_class[s.member[q]["class"]]
        if cls["limit"] == h:
            for p in range(cls["link_begin"], cls["link_end"]):
                other_hop = s.hop[s.link[p]["hop"]]
                other_hop["other_bps"] += (high - level) * other_hop["room"]
                other_hop["room"] = 0.0
    return 0


@inner
@kernel
def _lower_highs(s: Sharing, h: int) -> int:
    """Lower the brackets of the limits behind hop `h`, which is not full, until it cannot fill."""
    hop = s.hop[h]
    capped_bps = 0.0
    rising_bps = 0.0
    for q in range(hop["member_begin"], hop["member_end"]):
        cls = s.flow_class[s.member[q]["class"]]
        k = cls["limit"]
        if k == IDLE:
            continue
        load_bps = cls["count"] * s.link[s.member[q]["link"]]["demand"] * s.limit[k]["level"]
        if k < s.hop.size:
            rising_bps += load_bps
        else:
            capped_bps += load_bps
    ratio = 1.0
    if rising_bps > 0.0:
        slack_bps = hop["capacity_bps"] - capped_bps - rising_bps
        ratio = 1.0 + 0.5 * max(slack_bps, 0.0) / rising_bps
    for q in range(hop["member_begin"], hop["member_end"]):
        k = s.flow_class[s.member[q]["class"]]["limit"]
        if IDLE < k < s.hop.size:
            s.limit[k]["high"] = min(s.limit[k]["high"], s.limit[k]["level"] * ratio)
    _sum_up(s, h)
    return 0


@inner
@kernel
def _fit_bracket(s: Sharing, c: int, k: int) -> int:
    """Narrow the brackets so that they hold for class `c`, which is new at limit `k`. Returns 0."""
    cls = s.flow_class[c]
    limit = s.limit[k]
    if k < s.hop.size:
        limit["high"] = min(limit["high"], cls["level_cap"])
    for p in range(cls["link_begin"], cls["link_end"]):
        g = s.link[p]["hop"]
        other = s.limit[g]
        if g == k or other["level"] == np.inf:
            continue
        if k < s.hop.size:
            s.hop[k]["is_coupled"] = 1
            middle = 0.5 * (limit["level"] + other["level"])
            other["low"] = max(other["low"], min(limit["high"], middle))
            limit["high"] = max(min(limit["high"], other["low"]), limit["level"])
        else:
            other["low"] = max(other["low"], limit["level"])
    return 0
