"""Poisson traffic: packets at random instants, in both directions, that never back off."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.arrivals import DayProfile, Varying
from simulator.base import fields
from simulator.base.fields import OfferedRate, PacketSize, Rate, defaulted
from simulator.ways import StreamDraft


class Poisson(Varying, fields.TrafficSchema):
    """Packets at independent exponential intervals."""

    kind: Literal["poisson"] = Field(description="kind of traffic")
    rate: Rate = Field(description="mean rate of inner IP bytes, forward")
    reply_rate: OfferedRate = defaulted(
        "0 bit/s", "mean rate of inner IP bytes in the return direction"
    )
    packet_size: PacketSize = Field(
        description="a packet mix of the catalogue, or one size of IP packets"
    )
    profile: DayProfile | None = Field(
        default=None, description="factors on the rates, by hour and day; flow level only"
    )


Schema = Poisson


def plan_rows(poisson: Poisson, stream: StreamDraft) -> None:
    """Add a source for each direction that sends, in equal parts over equal ways.

    The stream stands for many small flows of UDP; parts of a Poisson process are Poisson again.
    """
    for direction, rate_bps in stream.sending(poisson.rate, poisson.reply_rate):
        sizes_bytes, weights = stream.packet_sizes(direction, poisson.packet_size)
        parts_count = stream.equal_parts_count(direction)
        for part in range(parts_count):
            stream.builder.poisson(
                stream.stream,
                direction,
                stream.spread_routes(direction, part, do_not_fragment=False),
                sizes_bytes=sizes_bytes,
                weights=weights,
                rate_bps=rate_bps / parts_count,
                start_s=stream.start_s(poisson.start),
                stop_s=stream.stop_s(poisson.stop),
                header_bytes=stream.udp_header_bytes,
                label=stream.label(str(part)),
                profile=poisson.factors(stream.horizon_s),
            )
