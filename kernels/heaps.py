"""Two ways to find the least of many: heaps of any size in one shared pool, and tournaments.

*Heap*: each class has a segment of the pool, its size a power of two; a heap that outgrows its
segment moves to one twice as large, and segments given up are kept by size for the next one.
A node has four children: they lie side by side, so a level costs about one cache miss.

*Tournament*: a binary tree over a fixed number of leaves; each node holds the least value below
it and the leaf it comes from (the leftmost, if values tie). A change of a leaf climbs until it
makes no difference.

    node 1 = the winner, node i has children 2 i and 2 i + 1, leaf j is node width + j
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels._jit import inline_kernel, kernel, lean

NONE: Final = -1
CHILD_BITS: Final = 2
CHILDREN: Final = 1 << CHILD_BITS
LAST_CHILD: Final = CHILDREN - 1
FIRST_ROOM: Final = 8
SIZES: Final = 48
"""Segments of 2**0 ... 2**47 entries."""

ENTRY: Final = np.dtype(
    [
        ("target", np.float64),  # what the heap is ordered by
        ("arrival_ps", np.int64),
        ("size_bytes", np.int64),
    ],
    align=True,
)

SEGMENT: Final = np.dtype(
    [
        ("begin", np.int64),
        ("room", np.int64),  # 0 or a power of two
    ],
    align=True,
)

POOL: Final = np.dtype(
    [
        ("end", np.int64),  # entries of the pool ever handed out
        ("largest", np.int64),  # room of the largest segment
        ("free", np.int64, (SIZES,)),  # first segment given up, by size; then a chain
    ],
    align=True,
)


def new_pool(room: int) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Make an empty pool: ENTRY[room] and POOL[1]."""
    pool = np.zeros(1, POOL)
    pool["free"] = NONE
    return np.zeros(room, ENTRY), pool


@inline_kernel
def has_room(entry: np.ndarray, pool: np.ndarray) -> bool:
    """Whether the next push will find a segment, whichever heap it goes to."""
    return bool(pool[0]["end"] + 2 * max(pool[0]["largest"], FIRST_ROOM) <= entry.size)


@lean
@kernel
def enlarge(segment: np.ndarray, i: int, size: int, entry: np.ndarray, pool: np.ndarray) -> int:
    """Move heap `i`, which has `size` entries and a full segment, to one twice as large.

    Returns 0. Only if `has_room`.
    """
    begin = segment[i]["begin"]
    room = max(2 * segment[i]["room"], FIRST_ROOM)
    power = 0
    while (1 << power) < room:
        power += 1
    new_begin = pool[0]["free"][power]
    if new_begin == NONE:
        new_begin = pool[0]["end"]
        pool[0]["end"] += room
        pool[0]["largest"] = max(pool[0]["largest"], room)
    else:
        pool[0]["free"][power] = entry[new_begin]["size_bytes"]
    for j in range(size):
        _copy(entry, new_begin + j, begin + j)
    if size > 0:
        entry[begin]["size_bytes"] = pool[0]["free"][power - 1]
        pool[0]["free"][power - 1] = begin
    segment[i]["begin"] = new_begin
    segment[i]["room"] = room
    return 0


@inline_kernel
def _copy(entry: np.ndarray, to: int, origin: int) -> None:
    """Copy one entry."""
    entry[to]["target"] = entry[origin]["target"]
    entry[to]["arrival_ps"] = entry[origin]["arrival_ps"]
    entry[to]["size_bytes"] = entry[origin]["size_bytes"]


@lean
@kernel
def push(
    entry: np.ndarray, begin: int, size: int, target: float, arrival_ps: int, size_bytes: int
) -> int:
    """Add an entry to the heap of `size` entries at `begin`; returns its place, 0 if first."""
    i = size
    while i > 0:
        parent = (i - 1) >> CHILD_BITS
        if entry[begin + parent]["target"] <= target:
            break
        _copy(entry, begin + i, begin + parent)
        i = parent
    entry[begin + i]["target"] = target
    entry[begin + i]["arrival_ps"] = arrival_ps
    entry[begin + i]["size_bytes"] = size_bytes
    return i


@lean
@kernel
def pop(entry: np.ndarray, begin: int, size: int) -> int:
    """Remove the first entry of the heap of `size` > 0 entries at `begin`. Returns 0.

    The hole sinks to the bottom along the least children, then the last entry rises from there:
    it is nearly always a large one.
    """
    last = size - 1
    target = entry[begin + last]["target"]
    arrival_ps = entry[begin + last]["arrival_ps"]
    size_bytes = entry[begin + last]["size_bytes"]
    i = 0
    child = 1
    while child + LAST_CHILD < last:
        a = begin + child
        b = begin + child + 2
        if entry[a + 1]["target"] < entry[a]["target"]:
            a += 1
        if entry[b + 1]["target"] < entry[b]["target"]:
            b += 1
        if entry[b]["target"] < entry[a]["target"]:
            a = b
        _copy(entry, begin + i, a)
        i = a - begin
        child = CHILDREN * i + 1
    if child < last:  # the hole's children are fewer than four
        a = begin + child
        for b in range(a + 1, begin + last):
            if entry[b]["target"] < entry[a]["target"]:
                a = b
        _copy(entry, begin + i, a)
        i = a - begin
    push(entry, begin, i, target, arrival_ps, size_bytes)
    return 0


@lean
@kernel
def set_leaf(
    value: np.ndarray, winner: np.ndarray, begin: int, width: int, leaf: int, new: float
) -> int:
    """Give a leaf of the tournament of `width` leaves at `begin` a new value. Returns 0."""
    node = width + leaf
    value[begin + node] = new
    node >>= 1
    while node > 0:
        child = begin + 2 * node
        if value[child + 1] < value[child]:
            child += 1
        least = value[child]
        least_leaf = winner[child]
        if value[begin + node] == least and winner[begin + node] == least_leaf:
            break
        value[begin + node] = least
        winner[begin + node] = least_leaf
        node >>= 1
    return 0


@inline_kernel
def clear_tournament(
    value: np.ndarray, winner: np.ndarray, begin: int, width: int, empty: float
) -> None:
    """Give all leaves the value `empty`."""
    for node in range(2 * width - 1, 0, -1):
        value[begin + node] = empty
        winner[begin + node] = node - width if node >= width else winner[begin + 2 * node]


def first_leaves(width: int) -> NDArray[np.int64]:
    """Return the winners of a tournament whose leaves all have the same value."""
    winner = np.zeros(2 * width, np.int64)
    winner[width:] = np.arange(width)
    for node in range(width - 1, 0, -1):
        winner[node] = winner[2 * node]
    return winner
