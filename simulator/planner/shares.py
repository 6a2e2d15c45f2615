"""What the flows of one TCP stream reach together over parallel hops.

Flows are hashed, so parallel links rarely carry as many of them each. TCP takes what its own link
leaves: the fuller link does not hold the flows of the other down. So the sum is that of max-min
fair shares (Bertsekas and Gallager 1992, section 6.5), found by progressive filling.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

#: Shares that differ by less than this ratio stop growing together.
SAME_RATIO: Final = 1e-12


def max_min_shares(
    routes: Sequence[Sequence[int]],
    flows_count: Sequence[int],
    capacity_bps: Mapping[int, float],
    cap_bps: float,
) -> list[float]:
    """The share of one flow of each class, in bits/s.

    Parameters
    ----------
    routes
        Hops of each class of flows.
    flows_count
        Flows of each class.
    capacity_bps
        What each hop leaves to these flows; hops that are missing limit nothing.
    cap_bps
        What one flow reaches at most by itself; infinity if nothing bounds it.

    Returns
    -------
    list of float
        Infinite for a class that nothing limits.
    """
    left = dict(capacity_bps)
    classes: dict[int, set[int]] = defaultdict(set)
    growing: dict[int, int] = defaultdict(int)
    for number, hops in enumerate(routes):
        for hop in hops:
            if hop in left:
                classes[hop].add(number)
                growing[hop] += flows_count[number]
    shares = [cap_bps] * len(routes)
    open_classes = set(range(len(routes)))
    while open_classes:
        levels = {hop: left[hop] / growing[hop] for hop in growing if growing[hop] > 0}
        level = min(levels.values(), default=cap_bps)
        if level >= cap_bps:
            break
        full = [hop for hop, at in levels.items() if at <= level * (1 + SAME_RATIO)]
        for number in {n for hop in full for n in classes[hop]} & open_classes:
            shares[number] = level
            open_classes.discard(number)
            for hop in routes[number]:
                if hop in left:
                    left[hop] = max(0.0, left[hop] - level * flows_count[number])
                    growing[hop] -= flows_count[number]
        for hop in full:
            growing[hop] = 0
    return shares
