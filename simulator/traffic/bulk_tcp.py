"""Bulk TCP: long transfers that take what congestion control lets them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Quantity, Size, catalogued
from simulator.base.units import SIZE
from simulator.draft import SCENARIO
from simulator.plan import FORWARD, RETURN, unit
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

#: Switch of `kernels.tcp.TcpOptions` -> row of the catalogue's defaults.
OPTION_ROWS: Final = {
    "cubic_c": "tcp.cubic_c",
    "cubic_beta": "tcp.cubic_beta",
    "newreno_beta": "tcp.reno_beta",
    "rto_min_s": "tcp.min_rto",
    "tick_s": "tcp.clock_granularity",
    "delack_min_s": "tcp.delayed_ack",
}


def plan_rows(bulk: BulkTcp, stream: StreamDraft) -> None:
    """Add each TCP connection: data forward, ACKs on the return direction.

    The handshake takes one round trip; the connections start at random within another one.
    """
    default = stream.catalog.default
    header_bytes = round(default("header.ipv4").value + default("header.tcp").value)
    option_bytes = round(default("header.tcp_timestamps").value)
    host_mss_bytes = round(default("tcp.mss").value)
    segment_bytes = stream.segment_bytes(FORWARD, host_mss_bytes, header_bytes)
    rtt_s = stream.rtt_s
    for number in range(bulk.flows):
        flow = stream.label(f"flow-{number}")
        phase = unit(stream.builder.key(stream.name, flow, "start"))
        stream.builder.tcp(
            stream.stream,
            stream.routes(FORWARD, flow, do_not_fragment=True),
            stream.routes(RETURN, flow, do_not_fragment=True),
            segment_bytes=segment_bytes,
            mss_bytes=segment_bytes - header_bytes - option_bytes,
            ack_bytes=header_bytes + option_bytes,
            window_bytes=bulk.window,
            size_bytes=bulk.size,
            start_s=stream.start_s(bulk.start) + rtt_s * (1 + phase),
            stop_s=bulk.stop,
            handshake_rtt_s=rtt_s,
            options=_options(bulk, stream),
        )
    given = "window" in bulk.model_fields_set
    stream.sources["window"] = SCENARIO if given else default("traffic.bulk-tcp.window").cite()


def _options(bulk: BulkTcp, stream: StreamDraft) -> dict[str, Any]:
    default = stream.catalog.default
    options: dict[str, Any] = {switch: default(row).value for switch, row in OPTION_ROWS.items()}
    return options | {
        "congestion_control": bulk.congestion_control,
        "initial_cwnd_segments": bulk.initial_window,
        "segments_per_ack": int(default("tcp.ack_every").value),
    }
