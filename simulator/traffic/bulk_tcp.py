"""Bulk TCP: long transfers that take what congestion control lets them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Quantity, Size, catalogued
from simulator.base.units import SIZE
from simulator.draft import SCENARIO
from simulator.draws import unit
from simulator.plan import FORWARD, RETURN
from simulator.ways import StreamDraft


class BulkTcp(fields.TrafficSchema):
    """Parallel TCP flows that always have data to send."""

    kind: Literal["bulk-tcp"] = Field(description="kind of traffic")
    flows: int = Field(ge=1, le=100_000, description="TCP connections at the same time")
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
    size: Size | None = Field(
        default=None, description="bytes that each flow sends; without end if none"
    )


Schema = BulkTcp


def plan_rows(bulk: BulkTcp, stream: StreamDraft) -> None:
    """Add each TCP connection: data forward, ACKs on the return direction.

    The handshake takes one round trip; the connections start at random within another one.
    """
    default = stream.catalog.default
    tcp = stream.tcp(FORWARD, bulk.congestion_control, bulk.window, bulk.initial_window)
    rtt_s = stream.rtt_s
    for number in range(bulk.flows):
        flow = stream.label(f"flow-{number}")
        phase = unit(stream.builder.key(stream.name, flow, "start"))
        stream.builder.tcp(
            stream.stream,
            stream.routes(FORWARD, flow, do_not_fragment=True),
            stream.routes(RETURN, flow, do_not_fragment=True),
            size_bytes=bulk.size,
            start_s=stream.start_s(bulk.start) + rtt_s * (1 + phase),
            stop_s=stream.stop_s(bulk.stop),
            handshake_rtt_s=rtt_s,
            **tcp,
        )
    given = "window" in bulk.model_fields_set
    stream.sources["window"] = SCENARIO if given else default("traffic.bulk-tcp.window").cite()
