"""The explanation as tables for people, with the binding ceiling marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from simulator.base.units import format_duration, format_rate, format_ratio

if TYPE_CHECKING:
    from simulator.planner.decisions import Decision
    from simulator.planner.explain import Explanation, NeededRow, StreamRow

HEAD = ("ceiling", "value", "source", "load", "headroom")


def text(explanation: Explanation) -> str:
    """The whole explanation."""
    blocks = [f"{explanation.scenario}: what was understood"]
    blocks += ["\n".join(_stream(stream)) for stream in explanation.streams]
    blocks.append("\n".join(_routing(explanation.routing)))
    blocks.append("\n".join(_needed(explanation.needed)))
    blocks.append("\n".join(f"warning: {warning}" for warning in explanation.warnings))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _stream(stream: StreamRow) -> Iterator[str]:
    rate = "what is left (TCP)" if stream.offered_bps is None else format_rate(stream.offered_bps)
    yield (
        f"{stream.stream} ({stream.kind}), {stream.direction}: {stream.at} -> {stream.to}, "
        f"{rate}, mean packet {stream.packet_bytes_mean:.4g} bytes, "
        f"{stream.flows_count} flows, RTT {format_duration(stream.rtt_s)}"
    )
    yield f"  route: {stream.routing}"
    for way in stream.ways:
        share = "" if len(stream.ways) == 1 else f", {format_ratio(way.share_ratio)} of the stream"
        yield f"  over {way.way}{share}:"
        for hop in way.hops:
            yield f"    {hop.hop} ({hop.direction}): {hop.does}; {hop.wire_bytes} bytes on the wire"
    packet = stream.encapsulation
    if packet is not None:
        parts = " + ".join(f"{size} {name}" for name, size in packet.parts_bytes if size)
        cut = f", {packet.fragments_count} fragments" if packet.fragments_count > 1 else ""
        yield f"  packet: {parts} = {packet.outer_bytes} bytes (MTU {packet.mtu_bytes}{cut})"
    rows = [
        (
            row.ceiling + (" <- binds" if row.binds else ""),
            row.value,
            row.source,
            row.load,
            "" if row.headroom_ratio is None else format_ratio(round(row.headroom_ratio, 4)),
        )
        for row in stream.ceilings
    ]
    yield from _table(HEAD, rows)


def _routing(decisions: Sequence[Decision]) -> Iterator[str]:
    yield "routing: what each place decides for each prefix, the best routes first"
    rows = [
        (
            decision.at,
            str(decision.prefix),
            ", then ".join(" = ".join(group) for group in decision.groups) or "-",
            decision.reason,
        )
        for decision in decisions
    ]
    yield from _table(("at", "prefix", "over", "reason"), rows)


def _needed(rows: Sequence[NeededRow]) -> Iterator[str]:
    for row in rows:
        need = row.needed
        answer = (
            f"not reachable: {need.binding}"
            if need.connections_count is None
            else f"connections {need.connections_count}, tunnels {need.tunnels_count}"
        )
        yield (
            f"tunnels needed on {row.gateway} with {row.suite} for {format_rate(need.target_bps)} "
            f"({row.why}, one direction, {need.packet_bytes:.4g}-byte packets): {answer}; "
            f"one tunnel carries {format_rate(need.tunnel_bps)}"
        )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for number, line in enumerate(lines):
        cells = " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield f"  | {cells} |"
        if number == 0:
            yield "  |" + "|".join("-" * (width + 2) for width in widths) + "|"
