"""TCP that fills both directions of a line: whose ACKs wait behind the other's data.

Both directions see one round trip, base + q + q', with the queues q and q' of the two hops. Where
windows W and W' (as times at the rates of their hops) differ, the larger one has its hop busy and
makes the round trip as long as itself; the smaller one sends W' in that time, its hop idles and has
no queue (Zhang, Shenker and Clark, "Observations on the dynamics of a congestion control algorithm:
the effects of two-way traffic", SIGCOMM 1991, section 4.3). So

    used = E[min(1, W / W')]        queue = E[(W - base); W > W']

with both windows spread evenly between trough and peak, one independent of the other. That bursts
of ACKs make bursts of data is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

POINTS: Final = 32
"""Points between trough and peak of a window at which means are taken."""


@dataclass(frozen=True)
class Opposite:
    """Pairs of full hops: ACKs of the data that fills the first one wait at the second."""

    hop: Index
    other: Index
    share: Array
    """Of the data of the first hop, that whose ACKs pass the second."""


def opposite(
    use_hop: Index, use_class: Index, is_ack: npt.NDArray[np.bool_], limit_hop: Index,
    class_weight: Array, is_full: npt.NDArray[np.bool_],
) -> Opposite:  # fmt: skip
    """Find such pairs.

    use_hop, use_class, is_ack: by use; limit_hop: the hop that limits each class, -1 for none;
    class_weight: what each class carries; is_full: by hop.
    """
    limits = np.where(limit_hop >= 0, is_full[limit_hop], False)
    seen = np.flatnonzero(is_ack & is_full[use_hop] & limits[use_class])
    c = use_class[seen]
    hops = len(is_full)
    pair, where = np.unique(limit_hop[c] * hops + use_hop[seen], return_inverse=True)
    carried = np.bincount(where, class_weight[c], minlength=len(pair))
    of_hop = np.bincount(limit_hop[limits], class_weight[limits], minlength=hops)
    hop = pair // hops
    return Opposite(hop, pair % hops, carried / np.maximum(of_hop[hop], 1e-300))


def shared_out(pairs: Opposite, base_s: Array, peak_s: Array, dip: Array) -> tuple[Array, Array]:
    """Share of its rate that each hop delivers, and its mean queue where it has an opposite.

    base_s, peak_s, dip: by hop, the round trip without either queue, the queue at which the buffer
    overflows, and the mean dip of windows below their peak. The queue is NaN elsewhere.
    """
    used, queue_s = np.ones(len(base_s)), np.full(len(base_s), np.nan)
    even = (np.arange(POINTS) + 0.5) / POINTS
    for hop, other, share in zip(pairs.hop, pairs.other, pairs.share, strict=True):
        base = base_s[hop]
        own, opposing = (
            (base + peak_s[h]) * (1.0 - 2.0 * min(dip[h], 0.5) * (1.0 - even)) for h in (hop, other)
        )
        ratio = own[:, None] / opposing[None, :]
        used[hop] -= share * float(np.mean(1.0 - np.minimum(ratio, 1.0)))
        alone_s = np.maximum(own - base, 0.0)
        mean_s = (1.0 - share) * float(alone_s.mean())
        mean_s += share * float(np.mean(np.where(ratio > 1.0, alone_s[:, None], 0.0)))
        queue_s[hop] = np.fmin(queue_s[hop], mean_s)
    return np.maximum(used, 0.0), queue_s
