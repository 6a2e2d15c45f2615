"""When customers let the platform maintain a gateway."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Quantity
from simulator.base.units import DURATION

DAY_S = 86_400.0


class MaintenanceWindow(fields.Schema):
    """A window of each day in which planned maintenance may happen."""

    start: Annotated[float, Quantity(DURATION, "0 s", "24 h")] = Field(
        description="when it begins, after midnight UTC"
    )
    length: Annotated[float, Quantity(DURATION, "1 s", "24 h")] = Field(
        description="how long it lasts"
    )

    def overlaps(self, other: MaintenanceWindow) -> bool:
        """Whether two daily windows have a time in common; both may pass midnight."""
        after_s = (other.start - self.start) % DAY_S
        before_s = (self.start - other.start) % DAY_S
        return after_s < self.length or before_s < other.length
