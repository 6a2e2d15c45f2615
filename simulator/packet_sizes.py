"""Packet sizes as the kernels draw them: one table of aliases for each mix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels import layout

SIZES_KEPT: Final = 256
"""Tables of packet sizes that are remembered: many sources have the same one."""


@lru_cache(SIZES_KEPT)
def size_table(
    sizes_bytes: tuple[int, ...], weights: tuple[float, ...] | None
) -> tuple[npt.NDArray[Any], float]:
    """The alias table of packet sizes, which nobody may change, and their mean."""
    table = alias_table(sizes_bytes, weights)
    table.flags.writeable = False
    share = np.asarray(weights if weights is not None else [1.0] * len(sizes_bytes), float)
    return table, float(np.dot(share / share.sum(), sizes_bytes))


def alias_table(sizes_bytes: Sequence[int], weights: Sequence[float] | None) -> npt.NDArray[Any]:
    """Walker's alias table of packet sizes (Vose 1991): one draw, one comparison a packet."""
    sizes = np.asarray(sizes_bytes, np.int64)
    share = np.ones(len(sizes)) if weights is None else np.asarray(weights, np.float64)
    if len(sizes) == 0 or len(share) != len(sizes) or not (share >= 0).all() or share.sum() <= 0:
        raise ValueError("packet sizes need as many weights, not negative, not all 0")
    if sizes.min() < 1 or sizes.max() > layout.SIZE_MASK:
        raise ValueError(f"packet sizes must lie in 1 to {layout.SIZE_MASK} bytes")
    table = np.zeros(len(sizes), layout.SIZE)
    table["size_bytes"] = sizes
    table["alias_bytes"] = sizes
    scaled = share / share.sum() * len(sizes)
    small = [i for i, x in enumerate(scaled) if x < 1.0]
    large = [i for i, x in enumerate(scaled) if x >= 1.0]
    table["accept"] = 1.0
    while small and large:
        low, high = small.pop(), large[-1]
        table["accept"][low] = scaled[low]
        table["alias_bytes"][low] = sizes[high]
        scaled[high] -= 1.0 - scaled[low]
        if scaled[high] < 1.0:
            small.append(large.pop())
    return table
