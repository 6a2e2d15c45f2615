"""Time-outs of a TCP flow on the grid of a kernel's clock."""

from __future__ import annotations

from typing import Any

from kernels._jit import kernel, lean

# Linux kernel/time/timer.c: level k of the wheel holds waits below 63 * 8**k ticks, in steps of
# 8**k ticks; a timer fires at the first step after its expiry.
WHEEL_LEVEL_BITS = 3
WHEEL_LEVEL_TICKS = 63
WHEEL_LEVELS = 9


@lean
@kernel
def timer_expiry_ps(r: Any, now_ps: int, wait_ps: int) -> int:
    """Return when a timer fires that is armed now for `wait_ps`.

    With a tick the wait is rounded up to whole ticks and counted from the last tick; the timer
    fires at the first step of the wheel after that (or, without a wheel, at the next tick).
    """
    tick_ps = r["tick_ps"]
    if tick_ps == 0:
        return now_ps + wait_ps
    wait_ticks = (wait_ps + tick_ps - 1) // tick_ps
    expiry = now_ps // tick_ps + wait_ticks
    shift = 0
    if r["has_timer_wheel"] != 0:
        bound = WHEEL_LEVEL_TICKS
        for _ in range(WHEEL_LEVELS - 1):
            if wait_ticks < bound:
                break
            bound <<= WHEEL_LEVEL_BITS
            shift += WHEEL_LEVEL_BITS
    return int((((expiry >> shift) + 1) << shift) * tick_ps)
