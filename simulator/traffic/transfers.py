"""Transfers: TCP transfers of finite size, one after another: files, pages, database answers.

They come at random instants, or of users who think in between. Only the flow level can simulate
them: it is made for the many of them that hours and days bring.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.arrivals import DayProfile, Sizes, Times, Varying
from simulator.base import fields
from simulator.base.fields import Quantity, Rate, catalogued, refuse
from simulator.base.units import BITS_PER_BYTE, SIZE
from simulator.plan import FORWARD, RETURN, Direction
from simulator.ways import StreamDraft


class Transfers(Varying, fields.TrafficSchema):
    """TCP transfers of finite size that come one after another."""

    kind: Literal["transfers"] = Field(description="kind of traffic")
    direction: Literal["forward", "return"] = Field(
        default="return", description="return: `from` downloads; forward: `from` uploads"
    )
    size: Sizes = Field(description="payload of each transfer")
    rate: Rate | None = Field(
        default=None,
        description="mean rate of payload that transfers at random instants ask for; or give users",
    )
    users: int | None = Field(
        default=None, ge=1, le=1_000_000, description="users who wait for one transfer at a time"
    )
    think: Times | None = Field(
        default=None, description="users: time between the end of a transfer and the next one"
    )
    profile: DayProfile | None = Field(
        default=None, description="factors on the rate or on the number of users, by hour and day"
    )
    congestion_control: Literal["cubic", "newreno"] = catalogued(
        "traffic.bulk-tcp.congestion_control",
        "CUBIC (RFC 9438) or NewReno, both with SACK recovery",
    )
    window: Annotated[float, Quantity(SIZE, "1460 bytes", "1 GiB")] = catalogued(
        "traffic.bulk-tcp.window", "receive window of each flow"
    )
    initial_window: Annotated[int, Field(ge=1, le=1000)] = catalogued(
        "traffic.bulk-tcp.initial_window", "initial congestion window in segments"
    )

    @model_validator(mode="after")
    def _comes_somehow(self) -> Transfers:
        if (self.rate is None) == (self.users is None):
            refuse("transfers come by rate or of users", "give either rate or users")
        if self.think is not None and self.users is None:
            refuse("think belongs to users; transfers with a rate come at random", "remove think")
        return self


Schema = Transfers


def plan_rows(transfers: Transfers, stream: StreamDraft) -> None:
    """Add the transfers in equal parts over equal ways; of a group of clients, those of each."""
    data: Direction = transfers.direction
    acks: Direction = RETURN if data == FORWARD else FORWARD
    tcp = stream.tcp(data, transfers.congestion_control, transfers.window, transfers.initial_window)
    distribution = transfers.size.distribution()
    arrivals_per_s = (transfers.rate or 0.0) / (transfers.size.mean_bytes * BITS_PER_BYTE)
    parts = _users_of_parts(transfers.users, stream.equal_parts_count(data))
    for part, users in enumerate(parts):
        if transfers.users is not None and users == 0:
            continue
        stream.builder.transfers(
            stream.stream,
            stream.spread_routes(data, part, do_not_fragment=True),
            stream.spread_routes(acks, part, do_not_fragment=True),
            size=distribution,
            arrivals_per_s=arrivals_per_s / len(parts),
            users=users,
            think=None if transfers.think is None else transfers.think.distribution(),
            profile=transfers.factors(stream.horizon_s),
            start_s=stream.start_s(transfers.start),
            stop_s=stream.stop_s(transfers.stop),
            handshake_rtt_s=stream.rtt_s,
            label=stream.label(str(part)),
            **tcp,
        )


def _users_of_parts(users: int | None, parts_count: int) -> list[int]:
    """Users divided over parts as evenly as whole numbers allow."""
    total = users or 0
    return [total // parts_count + (part < total % parts_count) for part in range(parts_count)]
