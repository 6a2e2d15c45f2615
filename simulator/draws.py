"""Chances and single draws of a plan, from keys: the kernels draw the rest."""

from __future__ import annotations

import numpy as np


def threshold(ratio: float) -> np.uint64:
    """Probability in [0, 1] to the uint64 below which a 64-bit draw means "yes"."""
    return np.uint64(min(round(ratio * 2.0**64), 2**64 - 1)) if ratio > 0 else np.uint64(0)


def unit(key: int) -> float:
    """One number strictly between 0 and 1 from a key."""
    return ((key >> 11) + 0.5) * 2.0**-53


def exponential(key: int) -> float:
    """One exponential variate of mean 1 from a key, by the kernels' own logarithm.

    Libraries differ in the last bit of a logarithm; so every machine has the same first packet.
    """
    from kernels.random import natural_log

    plain = getattr(natural_log, "py_func", natural_log)
    with np.errstate(over="ignore"):  # its integers wrap around on purpose
        return -float(plain(np.float64(unit(key))))
