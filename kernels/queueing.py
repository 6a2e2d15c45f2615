"""Latency under load, by formula: how long a packet waits at a hop that is so and so busy.

    rho     utilisation offered to the hop = arrival rate * E[S], S = service time
    spread  E[S^2] / (2 E[S]), mean residual service time

    M/M/1, M/D/1, M/G/1   W = rho * spread / (1 - rho)                     Pollaczek-Khinchine
    finite buffer         W = rho B^2 g(a) / (spread + rho B e(a))         truncated workload
                          loss = spread exp(-a) / (spread + rho B e(a))
                          a = B (1 - rho) / spread,  e(a) = (1 - exp(-a)) / a,
                          g(a) = (1 - exp(-a) - a exp(-a)) / a^2

*Pollaczek-Khinchine* (Kleinrock, "Queueing Systems", vol. 1, 1975, chapter 5) is exact for
Poisson arrivals, independent service times and no limit. M/M/1 is spread = E[S], M/D/1 is
spread = E[S] / 2.

*Truncated workload*: with work beyond B cut off (finite dam), the stationary workload is that of
the infinite queue, conditioned on at most B (Cohen, "The Single Server Queue", 2nd ed., 1982,
part III). Its tail is taken as exponential, P(W > x) = rho exp(-x (1 - rho) / spread), which has
the mean of Pollaczek-Khinchine and is exact for M/M/1. The same expression continues through
rho = 1 into overload. B is the longest wait that is accepted; packets should be small against it.
Simulated with B = 20 E[S] and more, M/D/1 to hyperexponential, rho 0.3 to 1.2: within 3 %.

Not modelled: arrivals burstier or smoother than Poisson (TCP trains, voice), correlation of one
hop's output with the next one's input.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from kernels._jit import inline_kernel, kernel

LN2_HIGH: Final = 6.93147180369123816490e-01
LN2_LOW: Final = 1.90821492927058770002e-10
INVERSE_LN2: Final = 1.44269504088896338700
EXPONENT_BIAS: Final = 1023
MANTISSA_BITS: Final = 52
SERIES_BELOW: Final = 1e-3
"""Below it three terms of the series of g are exact to rounding; the formula would cancel."""


@inline_kernel
def decay(x: float) -> float:
    """Return exp(-x) for 0 <= x; 0 beyond 700. Error below 1 ulp; `+ - * /` and bits only.

    Reduction and coefficients of the public-domain fdlibm `exp`.
    """
    y = -min(x, 700.0)
    k = np.int64(y * INVERSE_LN2 - 0.5)
    high = y - k * LN2_HIGH
    low = k * LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (
        1.66666666666666019037e-01
        + t
        * (
            -2.77777777770155933842e-03
            + t
            * (
                6.61375632143793436117e-05
                + t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08)
            )
        )
    )
    value = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    scale = np.int64((k + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float64)
    return value * scale if x <= 700.0 else 0.0


@kernel
def mean_wait_s(utilisation: float, service_s: float, service_s2: float) -> float:
    """Mean wait of M/G/1 without a limit (Pollaczek-Khinchine), infinite from utilisation 1 on.

    utilisation: offered, >= 0; service_s: E[S] in seconds, > 0; service_s2: E[S^2] in s^2.
    """
    if utilisation >= 1.0:
        return np.inf
    return utilisation * service_s2 / (2.0 * service_s * (1.0 - utilisation))


@kernel
def buffered_wait_s(
    utilisation: np.ndarray,
    service_s: np.ndarray,
    service_s2: np.ndarray,
    buffer_s: np.ndarray,
    wait_s: np.ndarray,
    loss_ratio: np.ndarray,
) -> int:
    """Mean wait and loss of hops with finite buffers (truncated workload). Returns 0.

    Parameters
    ----------
    utilisation : float64[hops]
        Offered load over capacity, >= 0; above 1 is overload.
    service_s, service_s2 : float64[hops]
        E[S] in seconds and E[S^2] in s^2 of the packets that arrive, > 0.
    buffer_s : float64[hops]
        Longest wait that is accepted, > 0; infinite: Pollaczek-Khinchine.
    wait_s, loss_ratio : float64[hops]
        Written: mean wait of what is accepted, and the share of the work that is lost.
    """
    for h in range(utilisation.size):
        rho = utilisation[h]
        limit_s = buffer_s[h]
        spread_s = service_s2[h] / (2.0 * service_s[h])
        if limit_s == np.inf:
            wait_s[h] = mean_wait_s(rho, service_s[h], service_s2[h])
            loss_ratio[h] = max(0.0, 1.0 - 1.0 / rho) if rho > 0.0 else 0.0
            continue
        a = limit_s * (1.0 - rho) / spread_s
        x = abs(a)
        d = decay(x)
        # for overload everything is multiplied by exp(a), so that nothing overflows
        if x < SERIES_BELOW:
            e = 1.0 - a / 2.0 + a * a / 6.0
            g = 0.5 - a / 3.0 + a * a / 8.0
            residue = 1.0 - a + a * a / 2.0
            unit = 1.0
        elif a > 0.0:
            e = (1.0 - d) / x
            g = (1.0 - d - x * d) / (x * x)
            residue = d
            unit = 1.0
        else:
            e = (1.0 - d) / x
            g = (d - 1.0 + x) / (x * x)
            residue = 1.0
            unit = d
        below = unit * spread_s + rho * limit_s * e
        wait_s[h] = rho * limit_s * limit_s * g / below
        loss_ratio[h] = spread_s * residue / below
    return 0
