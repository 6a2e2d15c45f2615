"""Counter-based random numbers: a draw is a pure function of a key and a counter.

    z = mix(key, counter) = SplitMix64 finaliser of (key + counter * golden)

There is no state, so nothing depends on the order of processing: windows, epochs, workers and
added sites shift nobody's numbers. Keys come in as arguments (hashed from names by the caller).

The logarithm uses `+ - * /` and bit operations only. It gives the same bits on every machine,
which a library function does not promise, and it vectorises.

Sources: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014
(SplitMix64); Tang's reduction and the coefficients of the public-domain fdlibm `log`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from kernels._jit import inline_kernel

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
MIX_2: Final = np.uint64(0x94D049BB133111EB)
SHIFT_30: Final = np.uint64(30)
SHIFT_27: Final = np.uint64(27)
SHIFT_31: Final = np.uint64(31)
SHIFT_12: Final = np.uint64(12)
SHIFT_52: Final = np.uint64(52)

ONE_BITS: Final = np.uint64(0x3FF0000000000000)
"""Bits of 1.0: a mantissa below it makes a float64 in [1, 2)."""
HALF_STEP: Final = 2.0**-53
SQRT_HALF_BITS: Final = np.uint64(0x3FE6A09E667F3BCD)
EXPONENT_BIAS_BITS: Final = ONE_BITS
BIAS: Final = np.uint64(1023)
MAGIC_BITS: Final = np.uint64(0x4330000000000000)
MAGIC: Final = 2.0**52
"""2**52 plus a small integer holds that integer in its lowest bits: a conversion by addition."""
LN2_HIGH: Final = 6.93147180369123816490e-01
LN2_LOW: Final = 1.90821492927058770002e-10


@inline_kernel
def mix(key: np.uint64, counter: np.uint64) -> np.uint64:
    """Draw number `counter` of stream `key`: 64 random bits.

    Both arguments and the result are uint64; arithmetic wraps modulo 2**64. Cost: 1 ns, less when
    the loop around it vectorises.
    """
    z = key + counter * GOLDEN
    z = (z ^ (z >> SHIFT_30)) * MIX_1
    z = (z ^ (z >> SHIFT_27)) * MIX_2
    return z ^ (z >> SHIFT_31)


@inline_kernel
def uniform(bits: np.uint64) -> float:
    """Map 64 random bits to a float64 strictly between 0 and 1 (2**52 equal steps).

    Built in the mantissa: no conversion from an integer, which AVX2 cannot do for 64 bits.
    """
    return np.uint64((bits >> SHIFT_12) | ONE_BITS).view(np.float64) - 1.0 + HALF_STEP


@inline_kernel
def natural_log(x: float) -> float:
    """Natural logarithm of a positive normal float64; error below 1 ulp.

    x = 2**k * m with m in [sqrt(1/2), sqrt(2)); ln x = k ln 2 + ln m, and
    ln m = 2 artanh(s) with s = (m - 1) / (m + 1), by a polynomial in s**2.
    """
    bits = np.float64(x).view(np.uint64)
    biased = (bits - SQRT_HALF_BITS + EXPONENT_BIAS_BITS) >> SHIFT_52
    m = np.uint64(bits - ((biased - BIAS) << SHIFT_52)).view(np.float64)
    dk = np.uint64(biased | MAGIC_BITS).view(np.float64) - (MAGIC + 1023.0)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (
        3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01)
    )
    odd = z * (
        6.666666666666735130e-01
        + w
        * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860510658591e-01))
    )
    half_square = 0.5 * f * f
    return dk * LN2_HIGH - ((half_square - (s * (half_square + odd + even) + dk * LN2_LOW)) - f)


@inline_kernel
def exponential(bits: np.uint64) -> float:
    """Exponential variate of mean 1 from 64 random bits (inverse CDF)."""
    return -natural_log(uniform(bits))
