"""The explanation as tables for people, with the binding ceiling marked.

Nothing is wider than `WIDTH` columns: long cells take several lines, and where a figure comes from
stands in a numbered list below all tables.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from simulator.base.units import format_duration, format_rate, format_ratio

if TYPE_CHECKING:
    from simulator.planner.decisions import Decision
    from simulator.planner.explain import Explanation, NeededRow, StreamRow

WIDTH: Final = 100
INDENT: Final = "  "
LESS_RATIO: Final = 0.97
"""A fair share below this part of the own ceiling is worth a word."""
HEAD: Final = ("ceiling", "value", "load", "headroom", "source")
HEAD_WIDTHS: Final = (38, 25, 14, 8, 6)
ROUTING_HEAD: Final = ("at", "prefix", "over, the best first", "why")
ROUTING_WIDTHS: Final = (14, 18, 24, 35)
BINDS: Final = "<- binds"


class _Sources:
    """Numbers sources in the order in which they are first named."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    def mark(self, source: str) -> str:
        """The number of a source in brackets."""
        return f"[{self._number.setdefault(source, len(self._number) + 1)}]" if source else ""

    def lines(self) -> Iterator[str]:
        """The list of all of them."""
        for source, number in self._number.items():
            yield from _wrapped(source, f"{INDENT}[{number}] ")


def text(explanation: Explanation) -> str:
    """The whole explanation."""
    sources = _Sources()
    blocks = [f"{explanation.scenario}: what was understood"]
    blocks += ["\n".join(_stream(stream, sources)) for stream in explanation.streams]
    blocks.append("\n".join(_routing(explanation.routing)))
    blocks.append("\n".join(_needed(explanation.needed)))
    blocks.append("\n".join(["sources", *sources.lines()]))
    blocks.append(
        "\n".join(line for w in explanation.warnings for line in _wrapped(w, "warning: "))
    )
    return "\n\n".join(block for block in blocks if block) + "\n"


def _stream(stream: StreamRow, sources: _Sources) -> Iterator[str]:
    rate = "what is left (TCP)" if stream.offered_bps is None else format_rate(stream.offered_bps)
    mean_s = stream.rtt_s_mean
    mean = "" if mean_s is None else f" (mean {format_duration(mean_s)})"
    yield from _wrapped(
        f"{stream.stream} ({stream.kind}), {stream.direction}: {stream.at} -> {stream.to}, "
        f"{rate}, mean packet {stream.packet_bytes_mean:.4g} bytes, "
        f"{stream.flows_count} flows, RTT {format_duration(stream.rtt_s)}{mean}"
    )
    yield from _wrapped(stream.routing, f"{INDENT}route: ")
    for way in stream.ways:
        share = "" if len(stream.ways) == 1 else f", {format_ratio(way.share_ratio)} of the stream"
        over = f"over {way.way}" if way.way else "on the way"
        yield from _wrapped(f"{over}{share}:", INDENT)
        for hop in way.hops:
            does = f"{hop.hop} ({hop.direction}): {hop.does}; {hop.wire_bytes} bytes on the wire"
            yield from _wrapped(does, INDENT * 2)
    packet = stream.encapsulation
    if packet is not None:
        parts = " + ".join(f"{size} {name}" for name, size in packet.parts_bytes if size)
        cut = f", {packet.fragments_count} fragments" if packet.fragments_count > 1 else ""
        size = f"{packet.outer_bytes} bytes (MTU {packet.mtu_bytes}{cut})"
        yield from _wrapped(f"{parts} = {size}", f"{INDENT}packet: ")
    rows = [
        (
            row.ceiling,
            row.value,
            row.load,
            "" if row.headroom_ratio is None else format_ratio(round(row.headroom_ratio, 4)),
            sources.mark(row.source),
        )
        for row in stream.ceilings
    ]
    marks = [BINDS if row.binds else "" for row in stream.ceilings]
    yield from _table(HEAD, rows, HEAD_WIDTHS, marks)
    if stream.fair_share_bps is not None and is_less_beside_others(stream):
        share = f"{format_rate(stream.fair_share_bps)} of inner IP at {stream.fair_share_at}"
        yield from _wrapped(f"{INDENT}beside the other TCP streams its fair share is {share}")
    for row in stream.ceilings:
        if row.range_bps is not None:
            low_bps, high_bps = row.range_bps
            between = f"{format_rate(low_bps)} to {format_rate(high_bps)}"
            yield from _wrapped(f"{INDENT}TCP reaches {between} of inner IP: {row.range_why}")


def is_less_beside_others(stream: StreamRow) -> bool:
    """Whether other TCP streams leave a stream less than its own ceiling."""
    own_bps = [r.available_bps for r in stream.ceilings if r.binds and r.available_bps is not None]
    share_bps = stream.fair_share_bps
    return share_bps is not None and share_bps < LESS_RATIO * min(own_bps, default=math.inf)


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
    yield from _table(ROUTING_HEAD, rows, ROUTING_WIDTHS, [""] * len(rows))


def _needed(rows: Sequence[NeededRow]) -> Iterator[str]:
    for row in rows:
        need = row.needed
        answer = (
            f"not reachable: {need.binding}"
            if need.connections_count is None
            else f"connections {need.connections_count}, tunnels {need.tunnels_count}"
        )
        yield from _wrapped(
            f"tunnels needed on {row.gateway} with {row.suite} for {format_rate(need.target_bps)} "
            f"({row.why}, one direction, {need.packet_bytes:.4g}-byte packets): {answer}; "
            f"one tunnel carries {format_rate(need.tunnel_bps)}"
        )


def _wrapped(words: str, first: str = "") -> list[str]:
    """Lines of a text; those after the first stand below its words."""
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first) or INDENT * 2,
        break_on_hyphens=False,
    )


def _table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    widths: Sequence[int],
    marks: Sequence[str],
) -> Iterator[str]:
    """Lines of a table whose cells are at most so wide; a mark stands behind the first cell."""
    cells = [
        [_cell(words, width) for words, width in zip(row, widths, strict=True)] for row in rows
    ]
    for row, mark in zip(cells, marks, strict=True):
        if mark and len(row[0][-1]) + 1 + len(mark) <= widths[0]:
            row[0][-1] += f" {mark}"
        elif mark:
            row[0].append(mark)
    columns = [[[title], *(row[n] for row in cells)] for n, title in enumerate(head)]
    used = [max(len(line) for cell in column for line in cell) for column in columns]
    yield _line(head, used)
    yield _line(["-" * width for width in used], used)
    for row in cells:
        for line in zip_longest(*row, fillvalue=""):
            yield _line(line, used)


def _cell(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, width, break_on_hyphens=False) or [""]


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"{INDENT}{INDENT.join(padded)}".rstrip()
