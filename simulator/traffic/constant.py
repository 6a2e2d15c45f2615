"""Constant-rate traffic: packets evenly spaced in time, that never back off."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.arrivals import Varying
from simulator.base import fields
from simulator.base.fields import OfferedRate, PacketSize, Rate, defaulted
from simulator.ways import StreamDraft


class Constant(Varying, fields.TrafficSchema):
    """Packets so spaced that the rate is the same at any time."""

    kind: Literal["constant"] = Field(description="kind of traffic")
    rate: Rate = Field(description="rate of inner IP bytes, forward")
    reply_rate: OfferedRate = defaulted("0 bit/s", "rate of inner IP bytes in the return direction")
    packet_size: PacketSize = Field(
        description="a packet mix of the catalogue, or one size of IP packets"
    )
    flows: int = Field(
        default=1, ge=1, le=10_000, description="flows of UDP that share the rate evenly"
    )


Schema = Constant


def plan_rows(constant: Constant, stream: StreamDraft) -> None:
    """Add the flows of UDP of each direction that sends."""
    for direction, rate_bps in stream.sending(constant.rate, constant.reply_rate):
        sizes_bytes, weights = stream.packet_sizes(direction, constant.packet_size)
        for flow in range(constant.flows):
            label = stream.label(str(flow))
            stream.builder.constant(
                stream.stream,
                direction,
                stream.routes(direction, label, do_not_fragment=False),
                sizes_bytes=sizes_bytes,
                weights=weights,
                rate_bps=rate_bps / constant.flows,
                start_s=stream.start_s(constant.start),
                stop_s=stream.stop_s(constant.stop),
                header_bytes=stream.udp_header_bytes,
                label=label,
                profile=constant.factors(stream.horizon_s),
            )
