"""Hops that TCP fills: how long their queue is, and whether losses or receive windows set it.

    demand(q) = sum over classes of count * use * min(rate elsewhere, window / (RTT + q))

At q = 0 the windows ask for more than the hop has left: it fills. If they still do at the mean
queue of a full buffer, losses decide (`tcp.full_queue`); if not, the queue stands at the q where
demand(q) is what the hop has left, and nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.flowlevel.shares import Uses
from simulator.flowlevel.tcp import FullQueue, Stacks, full_queue, loss_of_window
from simulator.flowlevel.two_ways import opposite, shared_out

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

FULL_RATIO: Final = 1.0 - 1e-6
HALVINGS: Final = 50
LONGEST_QUEUE_S: Final = 1e3
"""Where no buffer bounds it: the windows do, long before."""


@dataclass(frozen=True)
class Flows:
    """The classes of flows as they share now, arrays by class."""

    count: Index
    rate_bps: Array
    limit_hop: Index
    """-1: its cap."""
    window_bits: Array
    loss_cap_bps: Array
    rtt_s: Array
    """Present waits included."""
    jitter_s: Array
    """Standard deviation over the round trip."""


@dataclass(frozen=True)
class Standing:
    """Queues that TCP causes, arrays by hop."""

    is_full: npt.NDArray[np.bool_]
    low_s: Array
    high_s: Array
    mean_s: Array
    used_ratio: Array
    loss_ratio: Array
    """Share of the packets that the full buffer refuses."""


def none(hops_count: int) -> Standing:
    """No hop is full."""
    zero = np.zeros(hops_count)
    return Standing(np.zeros(hops_count, bool), zero, zero, zero, np.ones(hops_count), zero)


def standing(
    flows: Flows,
    uses: Uses,
    stacks: Stacks,
    left: Array,
    buffer_s: Array,
    depth_s: Array,
    wait_s: Array,
) -> Standing:
    """Find the hops that TCP fills, and their queues.

    left: share of its time that each hop has left for TCP; buffer_s, depth_s: longest wait, and
    what the buffer holds (at a policer nothing waits; its burst is what it holds); wait_s: present
    mean waits.
    """
    hops = len(left)
    c = uses.of_class
    is_used = flows.count[c] > 0
    load = flows.count[c] * uses.work_per_bit
    limited = is_used & ~uses.is_ack & (flows.limit_hop[c] == uses.hop)
    is_elsewhere = ~limited & ((flows.limit_hop[c] >= 0) | uses.is_ack)
    other = np.where(is_elsewhere, flows.rate_bps[c], flows.loss_cap_bps[c])
    own_rtt_s = np.maximum(flows.rtt_s[c] - wait_s[uses.hop], 1e-9)

    def mean_of(value: Array) -> Array:
        return uses.at_hops(here * value, hops) / total

    def demand(queue_s: Array) -> Array:
        most = np.minimum(other, flows.window_bits[c] / (own_rtt_s + queue_s[uses.hop]))
        return uses.at_hops(np.where(is_used, load * most, 0.0), hops)

    fills = (demand(np.zeros(hops)) > left * FULL_RATIO) & (left > 0.0)
    # What passes a full hop first arrives evenly at the next one and does not wait there again.
    is_free = is_used & ~uses.is_ack & (flows.limit_hop[c] < 0)
    fills &= uses.at_hops((limited | is_free).astype(float), hops) > 0.0
    if not fills.any():
        return none(hops)
    weight = np.where(is_used, load * flows.rate_bps[c], 0.0)
    here = np.where(limited, weight, 0.0)
    total = uses.at_hops(here, hops)
    here = np.where(total[uses.hop] > 0.0, here, weight)
    total = np.maximum(uses.at_hops(here, hops), 1e-300)
    count = uses.at_hops(np.where(limited, flows.count[c], 0).astype(float), hops)
    found = full_queue(
        np.minimum(depth_s, LONGEST_QUEUE_S),
        mean_of(own_rtt_s),
        count,
        mean_of(flows.jitter_s[c]),
        mean_of(stacks.beta[c]),
    )
    found = replace(
        found,
        low_s=np.minimum(found.low_s, buffer_s),
        high_s=np.minimum(found.high_s, buffer_s),
        mean_s=np.minimum(found.mean_s, buffer_s),
    )
    by_loss = fills & (demand(found.mean_s) >= left * found.used_ratio)
    low, high = np.zeros(hops), found.mean_s.copy()
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        is_above = demand(middle) > left
        low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
    by_window_s = np.where(fills, low, 0.0)
    found = _with_opposites(found, flows, uses, by_loss, wait_s, mean_of(own_rtt_s))
    segments = flows.rate_bps * flows.rtt_s / uses.mss_bits
    class_loss = loss_of_window(segments, flows.rtt_s, stacks)
    loss = mean_of(class_loss[c])
    return Standing(
        is_full=fills,
        low_s=np.where(by_loss, found.low_s, by_window_s),
        high_s=np.where(by_loss, found.high_s, by_window_s),
        mean_s=np.where(by_loss, found.mean_s, by_window_s),
        used_ratio=np.where(by_loss, found.used_ratio, 1.0),
        loss_ratio=np.where(by_loss, np.minimum(loss, 0.5), 0.0),
    )


def _with_opposites(
    found: FullQueue,
    flows: Flows,
    uses: Uses,
    is_full: npt.NDArray[np.bool_],
    wait_s: Array,
    own_rtt_s: Array,
) -> FullQueue:
    """Full queues, of which some hold ACKs of the data that waits in others."""
    carried = flows.count * flows.rate_bps
    pairs = opposite(uses.hop, uses.of_class, uses.is_ack, flows.limit_hop, carried, is_full)
    if not len(pairs.hop):
        return found
    base_s = own_rtt_s.copy()
    np.subtract.at(base_s, pairs.hop, pairs.share * wait_s[pairs.other])
    used, mean_s = shared_out(pairs, np.maximum(base_s, 1e-9), found.high_s, found.dip)
    mean_s = np.where(np.isnan(mean_s), found.mean_s, mean_s)
    # Packets wait evenly between two bounds whose mean is the mean.
    low_s = np.where(
        mean_s < found.mean_s, np.maximum(2.0 * mean_s - found.high_s, 0.0), found.low_s
    )
    high_s = np.where(mean_s < found.mean_s, 2.0 * mean_s - low_s, found.high_s)
    return replace(
        found,
        low_s=low_s,
        high_s=high_s,
        mean_s=np.minimum(mean_s, found.mean_s),
        used_ratio=np.minimum(found.used_ratio, used),
    )
