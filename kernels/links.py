"""Link rings: what has left a hop and reaches the next place at or after the end of the window.

One ring of PACKET records per hop, in order of arrival at the next place. Where packets may
overtake each other on the way, each is inserted at its time.

Packets that need no work on the way skip the block: `move_early` and `carry_over`.

Arguments of all kernels here: `state` is the HOP_STATE record of the hop, `link` the pool.
"""

from __future__ import annotations

from typing import Any

from kernels._jit import inline_kernel, inner, kernel
from kernels.hop import keep
from kernels.inbox import is_before, put_packet, take_packet
from kernels.layout import BLOCK, PATH, as_index, as_int64


@inline_kernel
def is_waiting(state: Any, link: Any, until_ps: int) -> bool:
    """Whether a packet of the ring arrives before `until_ps`."""
    head = state["link_head"]
    return bool(
        head != state["link_tail"]
        and link[as_index(state["link_off"] + (head & state["link_mask"]))]["time_ps"] < until_ps
    )


@inner
@kernel
def store_in_order(state: Any, link: Any, block: Any, first: int, n: int) -> None:
    """Append packets first..n-1 of a block to a ring; none arrives before one that is in it."""
    off, mask = state["link_off"], state["link_mask"]
    if state["link_head"] == state["link_tail"]:
        state["link_head"] = state["link_tail"] = 0  # an empty ring begins where the cache is warm
    tail = state["link_tail"]
    for k in range(first, n):
        i = as_index(k)
        put_packet(
            link[as_index(off + (tail & mask))],
            block["time_ps"][i],
            block["sent_ps"][i],
            block["id"][i],
            block["size"][i],
            block["step"][i],
        )
        tail += 1
    state["link_tail"] = tail


@inner
@kernel
def insert(state: Any, link: Any, block: Any, i: int) -> None:
    """Insert packet `i` of a block into a ring at its time."""
    off, mask = state["link_off"], state["link_mask"]
    head, at = state["link_head"], state["link_tail"]
    time_ps, ident = block["time_ps"][i], block["id"][i]
    while at > head:
        before = link[off + ((at - 1) & mask)]
        if not is_before(time_ps, ident, before["time_ps"], before["id"]):
            break
        link[off + (at & mask)] = before
        at -= 1
    put_packet(
        link[off + (at & mask)],
        time_ps,
        block["sent_ps"][i],
        ident,
        block["size"][i],
        block["step"][i],
    )
    state["link_tail"] += 1


@inner
@kernel
def keep_early(state: Any, link: Any, block: Any, n: int, until_ps: int, may_reorder: bool) -> int:
    """Move what arrives at or after `until_ps` from a block to a ring; returns what remains."""
    time_ps = block["time_ps"]
    kept = 0
    if may_reorder:
        for i in range(n):
            if time_ps[i] >= until_ps:
                insert(state, link, block, i)
            else:
                time_ps[kept] = time_ps[i]
                keep(block, i, kept)
                kept += 1
    else:
        kept = n
        while kept > 0 and time_ps[kept - 1] >= until_ps:
            kept -= 1
        store_in_order(state, link, block, kept, n)
    return kept


@inner
@kernel
def take_early(state: Any, link: Any, block: Any, until_ps: int) -> int:
    """Move up to a block of packets that arrive before `until_ps` out of a ring; returns how many.

    They stay behind the head of the ring until something else is stored there.
    """
    off, mask = state["link_off"], state["link_mask"]
    head, tail = state["link_head"], state["link_tail"]
    n = 0
    while n < BLOCK and head != tail:
        packet = link[as_index(off + (head & mask))]
        if packet["time_ps"] >= until_ps:
            break
        take_packet(packet, block, n)
        n += 1
        head += 1
    state["link_head"] = head
    return n


@inner
@kernel
def move_early(state: Any, link: Any, node: Any, inbox: Any, until_ps: int, hops: int) -> bool:
    """Move what arrives before `until_ps` from a ring to an inbox; false if that is full.

    The packets are `hops` steps further there.
    """
    off, mask = state["link_off"], state["link_mask"]
    head, tail = state["link_head"], state["link_tail"]
    at, room_end = node["inbox_count"], node["inbox_room"]
    inbox_off = node["inbox_off"]
    previous_ps = as_int64(-1)
    if at > 0:
        previous_ps = inbox[as_index(inbox_off + at - 1)]["time_ps"]
    ties = as_int64(0)
    while head != tail and at < room_end:
        packet = link[as_index(off + (head & mask))]
        t_ps = packet["time_ps"]
        if t_ps >= until_ps:
            break
        ties |= t_ps - 1 - previous_ps
        previous_ps = t_ps
        place = as_index(inbox_off + at)
        inbox[place] = packet
        inbox[place]["step"] = packet["step"] + hops
        at += 1
        head += 1
    if ties < 0:
        node["may_be_mixed"] = 1
    node["inbox_count"] = at
    state["link_head"] = head
    return not is_waiting(state, link, until_ps)


@inline_kernel
def may_carry_over(hop: Any, path: Any, state: Any, link: Any, until_ps: int) -> bool:
    """Whether `hop` is a path that does nothing but delay, and longer than the window lasts.

    Then what waits in the ring before it (of `state`) reaches its far end after `until_ps`.
    """
    return bool(
        hop["kind"] == PATH
        and hop["is_up"] != 0
        and hop["loss_threshold"] == 0
        and hop["good_mean_ps"] == 0
        and hop["jitter_interval_ps"] == 0
        and path["keeps_order"] == 0
        and link[as_index(state["link_off"] + (state["link_head"] & state["link_mask"]))]["time_ps"]
        + hop["delay_ps"]
        >= until_ps
    )


@inner
@kernel
def carry_over(state: Any, path: Any, link: Any, delay_ps: int, until_ps: int, most: int) -> None:
    """Carry up to `most` packets from a ring along a path into the path's own ring (has room)."""
    off, mask = state["link_off"], state["link_mask"]
    head, tail = state["link_head"], state["link_tail"]
    if path["link_head"] == path["link_tail"]:
        path["link_head"] = path["link_tail"] = 0
    path_off, path_mask = path["link_off"], path["link_mask"]
    at = path["link_tail"]
    end = min(tail, head + most)
    while head != end:
        packet = link[as_index(off + (head & mask))]
        t_ps = packet["time_ps"]
        if t_ps >= until_ps:
            break
        place = as_index(path_off + (at & path_mask))
        link[place] = packet
        link[place]["time_ps"] = t_ps + delay_ps
        at += 1
        head += 1
    path["last_out_ps"] = link[as_index(path_off + ((at - 1) & path_mask))]["time_ps"]
    path["link_tail"] = at
    state["link_head"] = head
