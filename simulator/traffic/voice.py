"""Voice traffic: calls of a codec, both directions alike, that never back off."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.arrivals import DayProfile
from simulator.base import fields
from simulator.base.fields import CatalogueName
from simulator.draft import DIRECTIONS
from simulator.ways import StreamDraft


class Voice(fields.TrafficSchema):
    """Calls whose codec sends one packet each packet time while someone speaks."""

    kind: Literal["voice"] = Field(description="kind of traffic")
    codec: Annotated[str, CatalogueName("voice-codecs")] = Field(
        description="codec; sets packet size and packets per second of a call"
    )
    calls: int = Field(ge=1, le=1_000_000, description="calls at the same time")
    silence_suppression: bool = Field(
        default=False, description="send nothing while a speaker pauses (on-off bursts)"
    )
    profile: DayProfile | None = Field(
        default=None,
        description="share of the calls that take place, by hour and day; flow level only",
    )


Schema = Voice


def plan_rows(voice: Voice, stream: StreamDraft) -> None:
    """Add one source for each call and direction, at a random phase."""
    codec = stream.catalog.codec(voice.codec)
    talk_s = pause_s = 0.0
    if voice.silence_suppression:
        talk_s = stream.catalog.default("traffic.voice.talk_spurt").value
        pause_s = stream.catalog.default("traffic.voice.pause").value
    for direction in DIRECTIONS:
        for call in range(voice.calls):
            label = stream.label(f"call-{call}")
            stream.builder.constant(
                stream.stream,
                direction,
                stream.routes(direction, label, do_not_fragment=False),
                sizes_bytes=[codec.packet_bytes],
                packets_per_s=1 / codec.interval_s,
                start_s=stream.start_s(voice.start),
                stop_s=stream.stop_s(voice.stop),
                header_bytes=codec.header_bytes,
                on_mean_s=talk_s,
                off_mean_s=pause_s,
                label=label,
                profile=None if voice.profile is None else voice.profile.profile(),
            )
