"""Stalls: what an outage does to the senders whose route is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kernels import layout

RTO_MAX_S: Final = 120.0
"""Longest retransmission timeout (RFC 6298 allows 60 s or more; that of the packet level)."""
PROBE_RTTS: Final = 2.0
"""Round trips before the timeout begins to count: the last ACKs, and a tail loss probe."""


@dataclass
class Stall:
    """How it stands with a class of flows whose route is, or was, cut, or which just began."""

    since_ps: int = -1
    """When it was cut; -1: it is not."""
    reason: int = layout.PATH_DOWN
    timeouts: int = 0
    next_ps: int = layout.NEVER_PS
    """Its next timeout while the route is cut."""
    resume_ps: int = 0
    """When it sends again."""
    rate_bps: float = 0.0
    """Of one flow, before."""


NO_STALL: Final = Stall()
"""Of a class that sends as it likes."""
