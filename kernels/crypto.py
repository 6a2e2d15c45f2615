"""What a packet costs a gateway or a device that encrypts: one worker, one packet at a time.

    service = max(min_service, per_packet + per_byte * bytes)

* A *published* capacity is a pair (bits per second, packets per second): small packets meet the
  packet rate, large ones the bit rate, so `min_service = 1 / pps`, `per_byte = 8 / bps` and
  `per_packet = 0`.
* A *measured* cost at two sizes or more gives the linear form: `per_packet` and `per_byte` by
  least squares, `min_service = 0`.

Times are whole picoseconds. `per_byte` is a fixed-point number with 16 binary places (field
names end in `_fp`), because a picosecond per byte is too coarse a step at 100 Gbit/s and a
float would let the bits of a result depend on the order of rounding.

Valid range: bytes <= 65,535 and per-byte costs up to 2e9 ps (4 kbit/s); beyond it 64 bits
overflow, so `service_from_published` and `service_from_linear` refuse.

Not modelled: several cores for one packet, batching, caches that go cold, hardware off-load
with its own queue. Source of the form: a cost per packet plus a cost per byte fits published
AES measurements within the bounds of `tests/validation/test_crypto_cost.py`.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kernels._jit import inline_kernel
from kernels.layout import PER_BYTE_SHIFT
from kernels.units import BITS_PER_BYTE, PS_PER_NS, PS_PER_S

PER_BYTE_ONE_FP: Final = 1 << PER_BYTE_SHIFT
PER_BYTE_PS_MAX: Final = 2_000_000_000


class ServiceCost(NamedTuple):
    """The three integers of a hop that say how long a packet occupies it.

    Attributes
    ----------
    min_service_ps : int
        Least time for any packet.
    per_packet_ps : int
        Part that does not depend on the size.
    per_byte_fp : int
        Picoseconds per byte, times 2**16.
    """

    min_service_ps: int
    per_packet_ps: int
    per_byte_fp: int


class LinearFit(NamedTuple):
    """A cost of `per_packet_ns + per_byte_ns * bytes`.

    Attributes
    ----------
    per_packet_ns, per_byte_ns : float
        The two coefficients.
    residual_ratio_max : float
        Largest distance between a measured and a fitted cost, as a part of the measured one.
    """

    per_packet_ns: float
    per_byte_ns: float
    residual_ratio_max: float


@inline_kernel
def service_ps(packet_bytes: int, min_service_ps: int, per_packet_ps: int, per_byte_fp: int) -> int:
    """Return how long one packet occupies the worker, in picoseconds.

        max(min_service, per_packet + (bytes * per_byte_fp >> 16))

    Parameters
    ----------
    packet_bytes : int
        Size as the worker meters it: inner IP bytes for a published gateway limit.
    min_service_ps, per_packet_ps, per_byte_fp : int
        The `ServiceCost`.

    Returns
    -------
    int
        Picoseconds, rounded down; never below the exact value by more than 1. Cost: O(1).
    """
    return max(min_service_ps, per_packet_ps + ((packet_bytes * per_byte_fp) >> PER_BYTE_SHIFT))


def service_from_published(capacity_bps: float, capacity_pps: float) -> ServiceCost:
    """Return the cost that reproduces a published capacity.

    Parameters
    ----------
    capacity_bps, capacity_pps : float
        Bits and packets per second, each above 0; infinity where a source names no limit.

    Raises
    ------
    ValueError
        If a capacity is not above 0, both are infinite, or the bit rate is below 4 kbit/s.
    """
    if not (capacity_bps > 0 and capacity_pps > 0):
        raise ValueError(
            f"capacity_bps = {capacity_bps}, capacity_pps = {capacity_pps}: "
            "must be above 0; use infinity for no limit"
        )
    if capacity_bps == capacity_pps == float("inf"):
        raise ValueError("capacity_bps and capacity_pps are both infinite: give at least one")
    return ServiceCost(
        min_service_ps=round(PS_PER_S / capacity_pps),
        per_packet_ps=0,
        per_byte_fp=_fixed_point(BITS_PER_BYTE * PS_PER_S / capacity_bps),
    )


def service_from_linear(per_packet_ns: float, per_byte_ns: float) -> ServiceCost:
    """Return the cost of a device whose time per packet is linear in its size.

    Parameters
    ----------
    per_packet_ns, per_byte_ns : float
        As `fit_linear` returns them, each 0 or more.

    Raises
    ------
    ValueError
        If one is negative or not a number, both are 0, or `per_byte_ns` is above 2e6.
    """
    if not (per_packet_ns >= 0 and per_byte_ns >= 0 and per_packet_ns + per_byte_ns > 0):
        raise ValueError(
            f"per_packet_ns = {per_packet_ns}, per_byte_ns = {per_byte_ns}: "
            "must be 0 or more and not both 0"
        )
    return ServiceCost(
        min_service_ps=0,
        per_packet_ps=round(per_packet_ns * PS_PER_NS),
        per_byte_fp=_fixed_point(per_byte_ns * PS_PER_NS),
    )


def throughput_bps(packet_bytes: float, capacity_pps: float, capacity_bps: float) -> float:
    """Return the ceiling of a published capacity for packets of one size, in bits per second.

        min(bps, pps * bytes * 8)

    Parameters
    ----------
    packet_bytes : float
        Size that the limit meters; the mean size for a mix that keeps one worker busy.
    capacity_pps, capacity_bps : float
        The published pair; infinity where there is no limit.
    """
    return min(capacity_bps, capacity_pps * packet_bytes * BITS_PER_BYTE)


def fit_linear(packet_bytes: ArrayLike, cost_ns: ArrayLike) -> LinearFit:
    """Fit a cost per packet and a cost per byte to measured times, by least squares.

    Minimises the sum of squared *relative* residuals `(fit - cost) / cost`: a 64-byte packet
    counts as much as a jumbo one. Two points are met exactly. Neither coefficient is negative:
    where the best line has a negative one, that one is 0 and the other is fitted alone.

    Parameters
    ----------
    packet_bytes : array_like, shape (points,)
        Sizes, at least two different ones.
    cost_ns : array_like, shape (points,)
        Time per packet in nanoseconds, above 0.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, the shapes differ, or a cost is not above 0.
    """
    size = np.asarray(packet_bytes, dtype=np.float64)
    cost = np.asarray(cost_ns, dtype=np.float64)
    if size.ndim != 1 or size.shape != cost.shape or np.unique(size).size < 2:
        raise ValueError(
            f"shapes {size.shape} and {cost.shape}: give two columns of one length with at least "
            "two different sizes"
        )
    if not np.all(cost > 0):
        raise ValueError(f"cost_ns holds {cost.min()}: every cost must be above 0")
    design = np.column_stack([1 / cost, size / cost])
    per_packet, per_byte = np.linalg.lstsq(design, np.ones_like(cost), rcond=None)[0]
    if per_packet < 0:
        per_packet, per_byte = 0.0, _one_coefficient(design[:, 1])
    elif per_byte < 0:
        per_packet, per_byte = _one_coefficient(design[:, 0]), 0.0
    residual = per_packet * design[:, 0] + per_byte * design[:, 1] - 1
    return LinearFit(float(per_packet), float(per_byte), float(np.abs(residual).max()))


def _one_coefficient(column: np.ndarray) -> float:
    """Return the least-squares solution `x` of `column * x = 1`."""
    return float(column.sum() / (column @ column))


def _fixed_point(per_byte_ps: float) -> int:
    """Return picoseconds per byte in fixed point.

    Raises
    ------
    ValueError
        If the largest IP packet would overflow 64 bits.
    """
    if not per_byte_ps <= PER_BYTE_PS_MAX:
        raise ValueError(
            f"cost of {per_byte_ps} ps per byte: at most {PER_BYTE_PS_MAX}, that is 4 kbit/s"
        )
    return round(per_byte_ps * PER_BYTE_ONE_FP)
