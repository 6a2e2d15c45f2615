"""Fail-back: when a route that has returned is used again."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Duration, defaulted


class Failback(fields.Schema):
    """When packets go back to a way that works again."""

    kind: Literal["immediate", "hold-down", "never"] = Field(
        default="immediate",
        description="as soon as its routes are back, after a further delay, or never",
    )
    delay: Duration = defaulted("0 s", "hold-down: time that returned routes wait")

    @property
    def hold_down_s(self) -> float:
        """Time that a returned route waits: 0 at once, infinite never."""
        match self.kind:
            case "immediate":
                return 0.0
            case "hold-down":
                return self.delay
            case "never":
                return math.inf
