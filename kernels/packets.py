"""The packet level: every packet at every hop, by windows of time swept hop by hop.

Instead of one event per packet and hop, take a window [T0, T1) and let every node of the network,
in topological order, handle exactly its arrivals before T1 in tight loops:

      source ---> | inbox | ==> hop ==> hop ==> | outlet | ---> inbox of the next node, or delivered
                   sorted by     |       |
                  (time, id)   link    link     what arrives after T1 waits in the link ring of the
                   ring        ring    ring     hop it left, so a cut at any time is a true state

    node     a segment (hops fused in a row), or the sending or receiving end of TCP flows
    inbox    what arrives at the head of a node within the present window   (kernels.inbox)
    link     FIFO ring per hop: left this hop, not yet at the next place    (kernels.links)
    block    up to BLOCK packets in columns on their way through a segment  (kernels.hop)

Packets that need no work skip the block: what waits in the last ring of a segment goes to the next
inbox as it stands, what waits before a mere delay to the ring behind it (`pass_by`).

Laws (they make windows, epochs and layouts invisible in the results):
1. Nothing is processed at or past T1.
2. Where packets tie, (arrival time, id) decides.
3. A window is at most the least delay on the edges that lead back to an earlier node; their
   outlets are drained before the sweep.
4. Within a node, rings are drained deepest hop first, then the inbox: that keeps FIFO.

The kernel stops with a code when an array is full, having changed nothing that it cannot take up
again: the caller grows the array and calls once more. Memory follows the packets in flight.
"""

from __future__ import annotations

from typing import Any, Final

from kernels._jit import inline_kernel, inner, kernel, lean
from kernels.endpoints import run_receiver, run_sender
from kernels.histogram import bucket_of
from kernels.hop import (
    count_drops,
    go_on,
    lose,
    remember_departures,
    serve,
    serve_exact,
    take_all_out,
    travel,
)
from kernels.inbox import append_block, fill_from_inbox, note_order, put_packet, sort_inbox
from kernels.layout import (
    BLOCK,
    BROKEN_ORDER,
    BUFFER_FULL,
    DONE,
    FLOW_SHIFT,
    GROW_INBOX,
    GROW_LINK,
    GROW_QUEUE,
    LATENCY_SHIFT,
    LATENCY_UNIT_PS,
    MTU_EXCEEDED,
    NO_ROUTE,
    PATH,
    PATH_DOWN,
    PAUSED,
    POLICED,
    RANDOM_LOSS,
    SEGMENT_NODE,
    SENDER_NODE,
    SIZE_MASK,
    UNLIMITED,
    WIRE_SHIFT,
    Network,
    as_index,
    as_int64,
)
from kernels.links import (
    carry_over,
    insert,
    is_waiting,
    keep_early,
    may_carry_over,
    move_early,
    take_early,
)
from kernels.packet_sources import count_sent, packets_due, send_block

IP_HEADER_BYTES: Final = 20
FRAGMENT_UNIT_BYTES: Final = 8


# ---- through the hops of a segment ------------------------------------------------------------


@inline_kernel
def pass_hop(net: Network, h: int, n: int) -> int:
    """Pass the block through hop `h`; returns how many of its packets come out."""
    hop, state, block = net.hop[h], net.state[h], net.columns[0]
    kept = n
    reason = PATH_DOWN
    if hop["is_up"] == 0:
        kept = 0
        take_all_out(block, n)
    elif hop["kind"] == PATH:
        if hop["loss_threshold"] != 0 or hop["good_mean_ps"] != 0:
            reason = RANDOM_LOSS
            kept = lose(hop, state, block, n, net.flow_info)
        if kept > 0:
            travel(hop, state, block, kept, net.jitter_table)
    elif hop["is_policer"] == 0 and serve(hop, state, block, n):
        if hop["buffer_bytes"] < UNLIMITED:
            remember_departures(hop, state, block, n, net.departure)
        go_on(block, n)
    else:
        reason = POLICED if hop["is_policer"] != 0 else BUFFER_FULL
        kept = serve_exact(hop, state, block, n, net.departure)
    if kept < n:
        count_drops(
            block,
            n - kept,
            h,
            reason,
            net.flow_info,
            net.dropped_packets,
            net.dropped_bytes,
            net.hop_dropped,
        )
    return kept


@inline_kernel
def rings_have_room(net: Network, first: int, last: int, n: int) -> int:
    """DONE if the rings of the hops at first..last-1 of the segments can take `n` packets more."""
    for j in range(first, last):
        h = net.segment_hop[j]
        hop, state = net.hop[h], net.state[h]
        if state["link_tail"] - state["link_head"] + n > state["link_mask"] + 1:
            net.progress[0]["full_idx"] = h
            return GROW_LINK
        if (
            hop["buffer_bytes"] < UNLIMITED
            and state["queue_tail"] - state["queue_head"] + n > state["queue_mask"] + 1
        ):
            net.progress[0]["full_idx"] = h
            return GROW_QUEUE
    return DONE


# ---- out of a segment -------------------------------------------------------------------------


@inner
@kernel
def recode(size: int, step: Any, state: Any) -> int:
    """Size of a packet with the encapsulation of a step; 0 if it does not fit there.

    wire = fixed + align(inner + trailer); a larger packet than the MTU is fragmented after
    encapsulation (RFC 791: all payloads but the last a multiple of 8 bytes) or refused. Fragments
    are counted in `state`, that of the next hop.
    """
    inner_bytes = as_int64(size & SIZE_MASK)
    align = step["align_bytes"]
    wire = step["fixed_bytes"] + ((inner_bytes + step["trailer_bytes"] + align - 1) & -align)
    mtu = step["mtu_bytes"]
    if mtu > 0 and wire > mtu:
        if step["may_fragment"] == 0:
            return 0
        room = (mtu - IP_HEADER_BYTES) // FRAGMENT_UNIT_BYTES * FRAGMENT_UNIT_BYTES
        more = (wire - IP_HEADER_BYTES - 1) // room
        state["fragments"] += more
        wire += more * IP_HEADER_BYTES
    return as_int64(inner_bytes | (wire << WIRE_SHIFT))


@inline_kernel
def latency_units(latency_ps: int) -> int:
    """A latency in units of the sums."""
    return (latency_ps + LATENCY_UNIT_PS // 2) >> LATENCY_SHIFT


@inline_kernel
def deliver(block: Any, i: int, d: int, counter: Any, header_bytes: Any, histogram: Any) -> None:
    """Count packet `i` of a block, of an open-loop source, as arrived in direction `d`."""
    inner_bytes = as_int64(block["size"][i] & SIZE_MASK)
    latency_ps = block["time_ps"][i] - block["sent_ps"][i]
    count = counter[d]
    count["delivered_packets"] += 1
    count["delivered_bytes"] += inner_bytes
    count["goodput_bytes"] += inner_bytes - header_bytes[d]
    count["latency_sum"] += latency_units(latency_ps)
    histogram[d, bucket_of(latency_ps)] += 1


@inner
@kernel
def deliver_block(
    block: Any, n: int, d: int, flow_info: Any, counter: Any, header_bytes: Any, histogram: Any
) -> None:
    """Count a block of open-loop packets as arrived: all in direction `d`, or each in its own."""
    if d < 0:
        for i in range(n):
            d_i = as_int64(flow_info[block["id"][i] >> FLOW_SHIFT]["direction"])
            deliver(block, i, d_i, counter, header_bytes, histogram)
        return
    time_ps, sent_ps, size = block["time_ps"], block["sent_ps"], block["size"]
    total_bytes = as_int64(0)
    latency_sum = as_int64(0)
    for i in range(n):
        latency_ps = time_ps[i] - sent_ps[i]
        total_bytes += size[i] & SIZE_MASK
        latency_sum += latency_units(latency_ps)
        histogram[as_index(d), as_index(bucket_of(latency_ps))] += 1
    counter[d]["delivered_packets"] += n
    counter[d]["delivered_bytes"] += total_bytes
    counter[d]["goodput_bytes"] += total_bytes - n * header_bytes[d]
    counter[d]["latency_sum"] += latency_sum


@inline_kernel
def forward_block(net: Network, g: int, h: int, n: int, hops: int, order: int) -> int:
    """Hand each packet of a block that has left `h`, the last hop of node `g`, to where it goes.

    All arrive within the window. order: FRESH, DRAINED or MAY_GO_BACK. If an inbox is full, the
    rest of the block goes (back) to the link ring of `h`; returns the code.
    """
    block, state = net.columns[0], net.state[h]
    code = DONE
    for i in range(n):
        k = as_int64(block["step"][i]) + hops
        step = net.steps[as_index(k)]
        g_next = as_int64(step["node"])
        if g_next < 0:
            deliver(
                block, i, as_int64(step["direction"]), net.counter, net.header_bytes, net.histogram
            )
            continue
        node = net.node[as_index(g_next)]
        if g_next <= g and order != MAY_GO_BACK:
            net.progress[0]["full_idx"] = g
            code = BROKEN_ORDER
            break
        count = node["inbox_count"]
        if count == node["inbox_room"]:
            if order == FRESH:
                for j in range(i, n):
                    insert(state, net.link, block, j)
            else:
                state["link_head"] -= n - i  # they still stand there
            net.progress[0]["full_idx"] = g_next
            code = GROW_INBOX
            break
        size = as_int64(block["size"][i])
        if step["recode"] != 0:
            size = recode(size, step, net.state[net.segment_hop[node["hop_begin"]]])
            if size == 0:
                block["lost_id"][0], block["lost_size"][0] = block["id"][i], block["size"][i]
                count_drops(
                    block,
                    1,
                    h,
                    MTU_EXCEEDED,
                    net.flow_info,
                    net.dropped_packets,
                    net.dropped_bytes,
                    net.hop_dropped,
                )
                continue
        note_order(node, net.inbox, block["time_ps"][i], block["id"][i])
        put_packet(
            net.inbox[as_index(node["inbox_off"] + count)],
            block["time_ps"][i],
            block["sent_ps"][i],
            block["id"][i],
            size,
            k,
        )
        node["inbox_count"] = count + 1
    return code


FRESH: Final = 0
"""The block comes from the inbox or a ring further up."""
DRAINED: Final = 1
"""The block was taken from the last ring of the segment."""
MAY_GO_BACK: Final = 2
"""... before the sweep, so it may go to nodes that come earlier in it."""


@inline_kernel
def leave(net: Network, g: int, h: int, n: int, order: int) -> int:
    """Hand a block that has left hop `h`, the last one of segment `g`, on: all the same way if so.

    Returns DONE or the code of what is full.
    """
    node, block = net.node[g], net.columns[0]
    hops = node["hop_end"] - node["hop_begin"]
    g_next = node["only_next"]
    code = DONE
    if node["all_end"] != 0:
        deliver_block(
            block,
            n,
            as_int64(node["only_direction"]),
            net.flow_info,
            net.counter,
            net.header_bytes,
            net.histogram,
        )
    elif (
        g_next >= 0
        and (g_next > g or order == MAY_GO_BACK)
        and net.node[g_next]["inbox_count"] + n <= net.node[g_next]["inbox_room"]
    ):
        append_block(net.node[g_next], net.inbox, block, n, hops)
    else:
        code = forward_block(net, g, h, n, hops, order)
    return code


@inline_kernel
def pass_block(net: Network, g: int, first: int, n: int, until_ps: int, only_outlet: bool) -> int:
    """Carry the block through the hops at first.. of segment `g` and hand it on.

    Packets that reach a place at or after `until_ps` stay in the link ring before it. Returns DONE
    or the code of what is full.
    """
    block = net.columns[0]
    end = as_int64(net.node[g]["hop_end"])
    h = as_int64(net.segment_hop[end - 1])
    for j in range(first, end):
        h = as_int64(net.segment_hop[j])
        n = pass_hop(net, h, n)
        may_reorder = net.hop[h]["may_reorder"] != 0
        if n > 0 and (may_reorder or block["time_ps"][n - 1] >= until_ps):
            n = keep_early(net.state[h], net.link, block, n, until_ps, may_reorder)
        if n == 0:
            break
    code = DONE
    if n > 0:
        order = MAY_GO_BACK if only_outlet else (DRAINED if first == end else FRESH)
        code = leave(net, g, h, n, order)
    return code


# ---- into a segment ---------------------------------------------------------------------------


@inline_kernel
def collect_sources(net: Network, g: int, until_ps: int) -> int:
    """Put the packets of the sources of node `g` before `until_ps` into its inbox.

    Returns DONE, or GROW_INBOX when the inbox is full; the sources go on from there.
    """
    node, block = net.node[g], net.columns[0]
    code = DONE
    for s in range(node["source_begin"], node["source_end"]):
        source = net.source[s]
        asked = packets_due(source, until_ps)
        while asked > 0:
            if node["inbox_count"] + asked > node["inbox_room"]:
                net.progress[0]["full_idx"] = g
                code = GROW_INBOX
                break
            n = send_block(source, until_ps, asked, net.size_table, block)
            n = count_sent(
                source, block, n, net.counter, NO_ROUTE, net.dropped_packets, net.dropped_bytes
            )
            append_block(node, net.inbox, block, n, 0)
            asked = packets_due(source, until_ps)
        if code != DONE:
            break
    return code


NEEDS_BLOCK: Final = -1


@inline_kernel
def pass_by(net: Network, g: int, place: int, until_ps: int, only_outlet: bool) -> int:
    """Let the packets of the ring before hop `place` of segment `g` go on without a block.

    The last ring may go straight to the next inbox, the one before a mere delay to the next ring.
    Returns DONE, the code of what is full, or NEEDS_BLOCK.
    """
    node = net.node[g]
    state = net.state[net.segment_hop[place - 1]]
    code = NEEDS_BLOCK
    if place == node["hop_end"]:
        g_next = as_int64(node["only_next"])
        if g_next > g or (g_next >= 0 and only_outlet):
            hops = node["hop_end"] - node["hop_begin"]
            code = DONE
            if not move_early(state, net.link, net.node[g_next], net.inbox, until_ps, hops):
                net.progress[0]["full_idx"] = g_next
                code = GROW_INBOX
    else:
        h = as_int64(net.segment_hop[place])
        if may_carry_over(net.hop[h], net.state[h], state, net.link, until_ps):
            n = min(BLOCK, state["link_tail"] - state["link_head"])
            code = rings_have_room(net, place, place + 1, n)
            if code == DONE:
                delay_ps = net.hop[h]["delay_ps"]
                carry_over(state, net.state[h], net.link, delay_ps, until_ps, n)
    return code


NOT_LOOKED_AT: Final = 0
AS_IT_STANDS: Final = 1
BY_KEY: Final = 2


@inline_kernel
def run_segment(net: Network, g: int, until_ps: int, only_outlet: bool) -> int:
    """Sweep one segment up to `until_ps`: rings deepest first, then source or inbox.

    With `only_outlet` just the last ring is drained (also to nodes before this one). Returns DONE
    or the code of what is full; the next call takes it up there.
    """
    node, block = net.node[g], net.columns[0]
    begin, end = as_int64(node["hop_begin"]), as_int64(node["hop_end"])
    source = net.source[node["source_begin"] if node["is_direct"] != 0 else 0]
    is_direct = node["is_direct"] != 0
    place = end  # the ring before the hop at `place`, of the hop at `place - 1`; begin = the head
    inbox_order = NOT_LOOKED_AT
    code = DONE
    while True:
        state = net.state[net.segment_hop[max(place - 1, begin)]]
        if place > begin:
            if not is_waiting(state, net.link, until_ps):
                if only_outlet:
                    break
                place -= 1
                continue
            code = pass_by(net, g, place, until_ps, only_outlet)
            if code == DONE:
                continue
            if code != NEEDS_BLOCK:
                break
            n = min(BLOCK, state["link_tail"] - state["link_head"])
        elif is_direct:
            n = packets_due(source, until_ps)
        else:
            if inbox_order == NOT_LOOKED_AT:
                code = collect_sources(net, g, until_ps)
                if code != DONE:
                    break
                inbox_order = AS_IT_STANDS
                if node["may_be_mixed"] != 0 and sort_inbox(node, net.inbox, net.key, net.bucket):
                    inbox_order = BY_KEY
            n = min(BLOCK, node["inbox_count"] - node["inbox_taken"])
        if n == 0:
            break
        code = rings_have_room(net, place, end, n)
        if code != DONE:
            break
        if place > begin:
            n = take_early(state, net.link, block, until_ps)
        elif is_direct:
            n = send_block(source, until_ps, n, net.size_table, block)
            net.progress[0]["packets"] += n
            n = count_sent(
                source, block, n, net.counter, NO_ROUTE, net.dropped_packets, net.dropped_bytes
            )
        else:
            n = fill_from_inbox(node, net.inbox, net.key, inbox_order == BY_KEY, block)
            net.progress[0]["packets"] += n
        if n > 0:
            code = pass_block(net, g, place, n, until_ps, only_outlet)
            if code != DONE:
                break
    return code


# ---- the sweep --------------------------------------------------------------------------------


@inline_kernel
def sweep(net: Network, q: int, until_ps: int) -> int:
    """One window: every node of group `q` up to `until_ps`; may be called again after a code.

    First round: outlets that lead back. Second round: all nodes in order.
    """
    begin, end = as_int64(net.group[q]["node_begin"]), as_int64(net.group[q]["node_end"])
    code = DONE
    turn = begin - end if net.group[q]["has_early_outlet"] != 0 else 0
    while turn < end - begin:
        only_outlet = turn < 0
        g = end + turn if only_outlet else begin + turn
        turn += 1
        kind = net.node[g]["kind"]
        if kind == SEGMENT_NODE:
            if only_outlet and net.node[g]["early_outlet"] == 0:
                continue
            code = run_segment(net, g, until_ps, only_outlet)
        elif only_outlet:
            continue
        elif kind == SENDER_NODE:
            code = run_sender(net, g, until_ps)
        else:
            code = run_receiver(net, g, until_ps)
        if code != DONE:
            break
    return code


@lean
@kernel
def advance(net: Network, from_ps: int, until_ps: int, budget: int) -> int:
    """Let every packet event before `until_ps` happen.

    from_ps: where the network stands; the first call of a stretch has `progress` at group 0 and
    from_ps. budget: packets at nodes (not at hops) after which the call pauses at the end of a
    window. Returns DONE, PAUSED, or a code with the index of what is full in `progress`; after any
    code but DONE call again with the same arguments.

    Not modelled: packets are never split inside a hop (cut-through), no CPU scheduling.
    Cost: about 2 ns per packet and hop in a chain, 8 ns where streams merge.
    """
    progress = net.progress[0]
    progress["packets"] = 0
    for q in range(progress["group"], net.group.size):
        t_ps = as_int64(progress["time_ps"])
        while t_ps < until_ps:
            end_ps = min(t_ps + net.group[q]["window_ps"], until_ps)
            code = sweep(net, q, end_ps)
            if code == DONE:
                t_ps = end_ps
                if progress["packets"] >= budget and (t_ps < until_ps or q + 1 < net.group.size):
                    code = PAUSED
            if code != DONE:
                progress["group"] = q
                progress["time_ps"] = t_ps
                return code
        progress["time_ps"] = from_ps
    progress["group"] = 0
    return DONE
