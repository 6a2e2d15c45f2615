"""What all traffic, and all faults, have in common."""

from __future__ import annotations

import math

from pydantic import Field

from simulator.base.fields.lookup import defaulted
from simulator.base.fields.names import PlaceName
from simulator.base.fields.quantities import Duration, PositiveDuration
from simulator.base.fields.schema import Schema


class TrafficSchema(Schema):
    """One stream: two ends, and the stretch of time in which it sends."""

    from_: PlaceName = Field(
        alias="from",
        description="site, VNet or VNET.SUBNET that sends (forward direction), or a group of "
        "clients: then rates, calls and flows are those of each client",
    )
    to: PlaceName = Field(
        description="VNet, VNET.SUBNET, private endpoint or site at the other end, or internet"
    )
    start: Duration = defaulted("0 s", "time of the first packets")
    stop: Duration | None = Field(
        default=None, description="time when it stops sending; the horizon by default"
    )


class FaultSchema(Schema):
    """One fault: when it strikes and when it is repaired."""

    at: Duration = Field(description="time of the fault")
    duration: PositiveDuration | None = Field(
        default=None, description="how long it lasts; without it and `until`, to the end of the run"
    )
    until: Duration | None = Field(default=None, description="time of repair, instead of duration")

    @property
    def is_given(self) -> bool:
        """Whether the scenario says when it ends."""
        return self.duration is not None or self.until is not None

    @property
    def lasting_s(self) -> float:
        """Time of repair in seconds as the scenario gives it, infinite if it does not."""
        if self.until is not None:
            return self.until
        return math.inf if self.duration is None else self.at + self.duration

    @property
    def end_s(self) -> float:
        """Time of repair in seconds, infinite if nobody repairs it."""
        return self.lasting_s


class BriefFaultSchema(FaultSchema):
    """A fault that ends by itself: where no end is given, a published time is drawn."""

    duration: PositiveDuration | None = Field(
        default=None, description="how long it lasts; drawn from a published time by default"
    )

    @property
    def end_s(self) -> float:
        """Time of its end in seconds; that of its beginning while nothing is drawn."""
        return self.lasting_s if self.is_given else self.at

    def ends_s(self, drawn_s: float) -> float:
        """Time of its end: as given, or after what was drawn."""
        return self.lasting_s if self.is_given else self.at + drawn_s
