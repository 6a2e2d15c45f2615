"""Inboxes: what arrives at the head of a node within a window, put in order once it is complete.

An inbox is a stretch of the pool of PACKET records. Nodes before append to it in any order; this
is where streams merge, routes part and packets overtake. The order is (arrival time, id).

    append notes whether the order may be broken; most inboxes are in order as they stand
    sort   one pass over the times, one that counts into about as many buckets of equal width as
           there are packets, one that places the keys, and an insertion pass; where that goes
           wrong (a crowd at nearly one instant), a heap sort

Arguments of all kernels here: `node` is a NODE record, `inbox` the pool, `key` KEY[largest inbox].
"""

from __future__ import annotations

from typing import Any, Final

from kernels._jit import inline_kernel, inner, kernel
from kernels.layout import BLOCK, as_index, as_int64

MOVES_MAX: Final = 16
"""Moves of the insertion pass per packet; beyond that there is a crowd."""
SETTLE_MOVES_MAX: Final = 64
"""Moves that `settle` makes before it leaves the rest to the sort."""


@inline_kernel
def is_before(time_a_ps: int, id_a: int, time_b_ps: int, id_b: int) -> bool:
    """The one tie rule: (arrival time, id)."""
    return time_a_ps < time_b_ps or (time_a_ps == time_b_ps and id_a < id_b)


@inline_kernel
def put_packet(packet: Any, time_ps: int, sent_ps: int, ident: int, size: int, step: int) -> None:
    """Write one PACKET record."""
    packet["time_ps"] = time_ps
    packet["sent_ps"] = sent_ps
    packet["id"] = ident
    packet["size"] = size
    packet["step"] = step


@inline_kernel
def note_order(node: Any, inbox: Any, time_ps: int, ident: int) -> None:
    """Note whether a packet that is about to be appended to an inbox comes before its last one."""
    count = node["inbox_count"]
    if count > 0:
        last = inbox[as_index(node["inbox_off"] + count - 1)]
        if is_before(time_ps, ident, last["time_ps"], last["id"]):
            node["may_be_mixed"] = 1


@inner
@kernel
def settle(node: Any, inbox: Any, first: int) -> None:
    """Move the packets from place `first` of an inbox back to where they belong, if that is near.

    A timer or a retransmission has sent them a little late: that need not have all sorted.
    """
    off = node["inbox_off"]
    moves_left = SETTLE_MOVES_MAX
    for i in range(first, node["inbox_count"]):
        packet = inbox[off + i]
        time_ps, ident = packet["time_ps"], packet["id"]
        sent_ps, size, step = packet["sent_ps"], as_int64(packet["size"]), packet["step"]
        k = i
        while k > 0 and moves_left > 0:
            before = inbox[off + k - 1]
            if not is_before(time_ps, ident, before["time_ps"], before["id"]):
                break
            inbox[off + k] = before
            k -= 1
            moves_left -= 1
        put_packet(inbox[off + k], time_ps, sent_ps, ident, size, step)
    if moves_left == 0:
        node["may_be_mixed"] = 1


@inline_kernel
def empty_inbox(node: Any) -> None:
    """Forget the packets of an inbox: all have been taken."""
    node["inbox_count"] = 0
    node["inbox_taken"] = 0
    node["may_be_mixed"] = 0


@inner
@kernel
def sort_inbox(node: Any, inbox: Any, key: Any, bucket: Any) -> bool:
    """Put the order of an inbox into `key`; false if the packets are in order as they stand.

    Of use only if `may_be_mixed`. bucket: int32[2 x largest inbox + 2], scratch. Cost about 8 ns a
    packet, 1 ns if in order.
    """
    off = node["inbox_off"]
    n = node["inbox_count"]
    low_ps = high_ps = previous_ps = inbox[off]["time_ps"]
    disorder = 0
    for i in range(1, n):
        t_ps = inbox[as_index(off + i)]["time_ps"]
        if t_ps <= previous_ps:
            disorder += as_int64(
                t_ps < previous_ps
                or inbox[as_index(off + i)]["id"] < inbox[as_index(off + i - 1)]["id"]
            )
        low_ps = min(low_ps, t_ps)
        high_ps = max(high_ps, t_ps)
        previous_ps = t_ps
    if disorder == 0:
        return False
    buckets = 1
    while buckets < n:
        buckets *= 2
    shift = 0
    while ((high_ps - low_ps) >> shift) >= buckets:
        shift += 1
    for b in range(buckets + 1):
        bucket[b] = 0
    for i in range(n):
        bucket[as_index(((inbox[as_index(off + i)]["time_ps"] - low_ps) >> shift) + 1)] += 1
    total = 0
    for b in range(buckets + 1):
        total += bucket[b]
        bucket[b] = total
    for i in range(n):
        t_ps = inbox[as_index(off + i)]["time_ps"]
        b = as_index((t_ps - low_ps) >> shift)
        k = bucket[b]
        bucket[b] = k + 1
        place = key[as_index(k)]
        place["time_ps"] = t_ps
        place["row"] = off + i
    if not insert_all(n, inbox, key):
        heap_sort(n, inbox, key)
    return True


@inner
@kernel
def insert_all(n: int, inbox: Any, key: Any) -> bool:
    """Insertion sort of keys that are nearly in order; false if it takes too many moves."""
    moves_left = MOVES_MAX * n
    for i in range(1, n):
        t_ps = key[i]["time_ps"]
        if t_ps > key[i - 1]["time_ps"]:
            continue
        row = key[i]["row"]
        ident = inbox[row]["id"]
        k = i
        while k > 0 and is_before(
            t_ps, ident, key[k - 1]["time_ps"], inbox[key[k - 1]["row"]]["id"]
        ):
            key[k]["time_ps"] = key[k - 1]["time_ps"]
            key[k]["row"] = key[k - 1]["row"]
            k -= 1
        key[k]["time_ps"] = t_ps
        key[k]["row"] = row
        moves_left -= i - k
        if moves_left < 0:
            return False
    return True


@inner
@kernel
def heap_sort(n: int, inbox: Any, key: Any) -> None:
    """Sort keys in any case, O(n log n): first make a heap, then take the last out n times."""
    for turn in range(n // 2 + n - 1):
        if turn < n // 2:  # sift key `place` down in a heap of `size`
            size = n
            place = n // 2 - 1 - turn
            t_ps, row = key[place]["time_ps"], key[place]["row"]
        else:
            size = n - 1 - (turn - n // 2)
            place = 0
            t_ps, row = key[size]["time_ps"], key[size]["row"]
            key[size]["time_ps"] = key[0]["time_ps"]
            key[size]["row"] = key[0]["row"]
        ident = inbox[row]["id"]
        while 2 * place + 1 < size:
            child = 2 * place + 1
            if child + 1 < size and is_before(
                key[child]["time_ps"],
                inbox[key[child]["row"]]["id"],
                key[child + 1]["time_ps"],
                inbox[key[child + 1]["row"]]["id"],
            ):
                child += 1
            if is_before(key[child]["time_ps"], inbox[key[child]["row"]]["id"], t_ps, ident):
                break
            key[place]["time_ps"] = key[child]["time_ps"]
            key[place]["row"] = key[child]["row"]
            place = child
        key[place]["time_ps"] = t_ps
        key[place]["row"] = row


@inline_kernel
def take_packet(packet: Any, block: Any, i: int) -> None:
    """Copy one PACKET record into place `i` of a block."""
    block["time_ps"][i] = packet["time_ps"]
    block["sent_ps"][i] = packet["sent_ps"]
    block["id"][i] = packet["id"]
    block["size"][i] = packet["size"]
    block["step"][i] = packet["step"]


@inner
@kernel
def fill_from_inbox(node: Any, inbox: Any, key: Any, is_keyed: bool, block: Any) -> int:
    """Fill a block with the next packets of an inbox in order; returns how many.

    is_keyed: what `sort_inbox` returned. An inbox that was read to its end is empty again.
    """
    at = node["inbox_taken"]
    n = min(BLOCK, node["inbox_count"] - at)
    if is_keyed:
        for i in range(n):
            take_packet(inbox[as_index(key[as_index(at + i)]["row"])], block, i)
    else:
        first = node["inbox_off"] + at
        for i in range(n):
            take_packet(inbox[as_index(first + i)], block, i)
    node["inbox_taken"] = at + n
    if at + n == node["inbox_count"]:
        empty_inbox(node)
    return as_int64(n)


@inner
@kernel
def append_block(node: Any, inbox: Any, block: Any, n: int, hops: int) -> None:
    """Append a block to an inbox that has room; its packets are `hops` steps further."""
    time_ps = block["time_ps"]
    note_order(node, inbox, time_ps[0], block["id"][0])
    ties = as_int64(0)
    for i in range(1, n):
        ties |= time_ps[i] - 1 - time_ps[i - 1]
    if ties < 0:
        node["may_be_mixed"] = 1
    first = node["inbox_off"] + node["inbox_count"]
    for i in range(n):
        put_packet(
            inbox[as_index(first + i)],
            time_ps[i],
            block["sent_ps"][i],
            block["id"][i],
            block["size"][i],
            block["step"][i] + hops,
        )
    node["inbox_count"] += n
