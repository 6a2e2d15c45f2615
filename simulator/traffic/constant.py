"""Constant-rate traffic: packets evenly spaced in time, that never back off."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import OfferedRate, PacketSize, Rate, defaulted
from simulator.plan import FORWARD, RETURN, Direction
from simulator.ways import StreamDraft


class Constant(fields.TrafficSchema):
    """Packets so spaced that the rate is the same at any time."""

    kind: Literal["constant"] = Field(description="kind of traffic")
    rate: Rate = Field(description="rate of inner IP bytes, forward")
    reply_rate: OfferedRate = defaulted("0 bit/s", "rate of inner IP bytes in the return direction")
    packet_size: PacketSize = Field(
        description="a packet mix of the catalogue, or one size of IP packets"
    )


Schema = Constant


def plan_rows(constant: Constant, stream: StreamDraft) -> None:
    """Add one flow of UDP for each direction that sends."""
    rates: tuple[tuple[Direction, float], ...] = (
        (FORWARD, constant.rate),
        (RETURN, constant.reply_rate),
    )
    for direction, rate_bps in rates:
        if rate_bps == 0:
            continue
        label = stream.label("0")
        sizes_bytes, weights = stream.packet_sizes(direction, constant.packet_size)
        stream.builder.constant(
            stream.stream,
            direction,
            stream.routes(direction, label, do_not_fragment=False),
            sizes_bytes=sizes_bytes,
            weights=weights,
            rate_bps=rate_bps,
            start_s=stream.start_s(constant.start),
            stop_s=stream.stop_s(constant.stop),
            header_bytes=stream.udp_header_bytes,
            label=label,
        )
