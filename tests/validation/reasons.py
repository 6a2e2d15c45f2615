"""Why a row of the TCP comparison misses: what was found when such rows were looked at."""

from __future__ import annotations

import math
from typing import Any

from tests.validation.validate_tcp import RARE_LOSSES

GOODPUT_RATIO, SRTT_RATIO, JAIN = 0.05, 0.10, 0.10
"""Beyond these a single row is called off; what must hold is about all rows of a file."""
MET, OFF = "met", "off"


def steady_verdict(row: Any) -> tuple[str, str]:
    """Return verdict and reasons of one configuration of the steady-state files."""
    reasons = []
    if abs(row.goodput_error) > GOODPUT_RATIO:
        reasons.append(_goodput(row))
    if abs(row.srtt_error) > SRTT_RATIO:
        reasons.append(
            f"smoothed RTT {row.srtt_error:+.0%}: {row.retransmitted_measured:.0f} losses in the "
            "window; when a full queue drops decides how full it is on average, one run is one draw"
        )
    if abs(row.jain_error) > JAIN:
        reasons.append(_jain(row))
    return (OFF, "; ".join(reasons)) if reasons else (MET, "")


def _goodput(row: Any) -> str:
    if row.loss > 0 and row.retransmitted_measured < RARE_LOSSES * math.sqrt(row.flows):
        return (
            f"goodput {row.goodput_error:+.0%}: {row.retransmitted_measured:.0f} losses in the "
            f"window, {row.reps} repetition{'s' if row.reps > 1 else ''}; see the lone flows under "
            "rare loss, where seeds are compared"
        )
    return (
        f"goodput {row.goodput_error:+.0%}: some ten segments in flight; the last one of a round "
        "waits for the next or for the delayed ACK, in the model about twice as often as measured"
    )


def _jain(row: Any) -> str:
    if row.cc == "bbr":
        return (
            f"Jain's index {row.jain_error:+.2f}: each flow's share hangs on when it last probed "
            "the RTT; the model draws other instants than the one run that was measured"
        )
    return (
        f"Jain's index {row.jain_error:+.2f}: {row.retransmitted_measured:.0f} losses in the "
        "window, not yet a steady state; who had them decides the shares"
    )


def outage_reason(row: Any) -> str:
    """Return why the recovery of one run after an outage is off."""
    if row.timeouts_measured > row.timeouts_model:
        return (
            "a retransmission leaves within some hundredths of a second of the end of the outage: "
            "it just gets through in the model and just failed in the measurement"
        )
    return (
        f"{abs(row.t90_s_model - row.t90_s_measured):.1f} s beside a step of "
        f"{row.rto_step_s:.2f} s, with as many timeouts as measured"
    )
