"""The ways of a stream, and what a traffic source asks of the planner to add itself.

A *way* is one row of hops from one place to another; it becomes a route of the plan. A *flow* is
what a router sees as one 5-tuple: a TCP connection, a call, a source. Each flow has its own order
of the stream's ways: groups by preference, and within a group of equal ways the order of a hash of
flow and way (highest random weight, Thaler and Ravishankar 1998). So equal ways share the flows,
a flow stays on its way, and if a way is lost only its own flows move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from simulator.catalog import Catalog
from simulator.draft import CLIENT_HOPS, Client, Draft, PacketLimit, Wrap
from simulator.plan import FORWARD, PLAIN, RETURN, Direction
from simulator.plan_builder import PlanBuilder

#: Switch of `kernels.tcp.TcpOptions` -> row of the catalogue's defaults.
TCP_ROWS: Final = {
    "cubic_c": "tcp.cubic_c",
    "cubic_beta": "tcp.cubic_beta",
    "newreno_beta": "tcp.reno_beta",
    "rto_min_s": "tcp.min_rto",
    "tick_s": "tcp.clock_granularity",
    "delack_min_s": "tcp.delayed_ack",
}


@dataclass(frozen=True)
class Way:
    """One row of hops between two places."""

    name: str
    """The tunnels that it uses."""
    hops: tuple[int, ...]
    wraps: tuple[Wrap | None, ...]
    """Encapsulation at each hop; None is plain."""
    limit: PacketLimit | None
    """What it allows in packet size; None if nothing on it limits packets."""
    usable_if: tuple[str, ...]
    """States that must not be down for the sending end to use it."""
    shared_by: tuple[tuple[str, ...], ...] = ()
    """Groups of gateway instances: each flow passes one of each group, by hash."""
    prepended_if: tuple[str, ...] = ()
    """States that lengthen its AS path while they are down."""
    rank: tuple[Any, ...] = ()
    """What the sending end compares, the lower is better; the order of ways follows it."""
    prepended_rank: tuple[Any, ...] = ()
    """The same while its AS path is lengthened."""
    points: tuple[str, ...] = ()
    """What it passes: devices, gateway instances."""
    connections: tuple[str, ...] = ()
    """The connections that it uses."""
    firewalls: tuple[str, ...] = ()
    """Those of them that drop packets of flows whose first packet passed elsewhere."""
    hold_down_s: float = 0.0
    """How long it waits after its return before flows leave another for it; infinite: for ever."""
    hold_down_group: str = ""
    """For a present way of the same group it does not wait; empty: for every one it does."""

    def __hash__(self) -> int:
        """Cheap, since sets of ways are asked at each change of the network."""
        return hash((self.name, self.hops))

    def of_client(self, client: Client, direction: Direction) -> Way:
        """The way of one client: its own hops where its group has a gap."""
        return self.filled(client.hops[direction])

    def filled(self, hops: tuple[int, ...]) -> Way:
        """The way with these hops in the gap of a group of clients."""
        gap = self.hops.index(CLIENT_HOPS)
        return replace(
            self,
            hops=(*self.hops[:gap], *hops, *self.hops[gap + 1 :]),
            wraps=(*self.wraps[:gap], *[self.wraps[gap]] * len(hops), *self.wraps[gap + 1 :]),
        )


class StreamDraft:
    """One stream while traffic adds itself to the plan.

    Parameters
    ----------
    groups
        For each direction the ways of the stream, best group first, ways of a group equal.
    """

    def __init__(
        self,
        name: str,
        stream: int,
        groups: Mapping[Direction, Sequence[Sequence[Way]]],
        draft: Draft,
        horizon_s: float,
    ) -> None:
        self.name = name
        self.stream = stream
        self.horizon_s = horizon_s
        self.flow_ways: dict[Direction, list[tuple[Way, ...]]] = {FORWARD: [], RETURN: []}
        """The ways of each flow in order of its preference, by number of the flow."""
        self.flow_names: dict[Direction, list[str]] = {FORWARD: [], RETURN: []}
        """Its name by number; the same in both directions, empty for a part of many flows."""
        self.flow_is_tcp: dict[Direction, list[bool]] = {FORWARD: [], RETURN: []}
        """Whether it is of a TCP connection, by number."""
        self.flow_turns: dict[Direction, list[int | None]] = {FORWARD: [], RETURN: []}
        """Which of equal instances a part of many flows passes; None: as its hash says."""
        self.group = ""
        """Group of clients that the stream belongs to; empty for a stream without clients."""
        self.sources: dict[str, str] = {}
        """Where a value of the source comes from, for `explain`."""
        self.client = ""
        """Client of a group for which traffic adds itself; empty for a stream without clients."""
        self.ready_s = 0.0
        """When the sending end is connected."""
        self.gone_s: float | None = None
        """When it leaves; None: it stays."""
        self._draft = draft
        self._groups = groups
        self._routes: dict[tuple[Direction, str, bool], int] = {}

    @staticmethod
    def sending(rate_bps: float, reply_rate_bps: float) -> Iterator[tuple[Direction, float]]:
        """The directions in which a source sends anything, each with its rate."""
        if rate_bps > 0:
            yield FORWARD, rate_bps
        if reply_rate_bps > 0:
            yield RETURN, reply_rate_bps

    def of_client(
        self,
        client: str,
        groups: Mapping[Direction, Sequence[Sequence[Way]]],
        ready_s: float,
        gone_s: float | None = None,
    ) -> StreamDraft:
        """The part of this stream that is one client's; its flows count among the stream's."""
        part = StreamDraft(self.name, self.stream, groups, self._draft, self.horizon_s)
        part.client, part.ready_s, part.gone_s = client, ready_s, gone_s
        part.flow_ways, part.flow_names, part.flow_is_tcp, part.flow_turns, part.sources = (
            self.flow_ways,
            self.flow_names,
            self.flow_is_tcp,
            self.flow_turns,
            self.sources,
        )
        return part

    def label(self, flow: str) -> str:
        """Name of a flow within the whole stream."""
        return f"{self.client}.{flow}" if self.client else flow

    def start_s(self, asked_s: float) -> float:
        """When traffic that shall start at some time can start."""
        return max(asked_s, self.ready_s)

    def stop_s(self, asked_s: float | None) -> float | None:
        """When traffic that shall stop at some time stops; None: never."""
        ends_s = [s for s in (asked_s, self.gone_s) if s is not None]
        return min(ends_s, default=None)

    @property
    def builder(self) -> PlanBuilder:
        """The plan's builder."""
        return self._draft.builder

    @property
    def catalog(self) -> Catalog:
        """The catalogue of the scenario's era."""
        return self._draft.catalog

    def ways(self, direction: Direction) -> list[Way]:
        """All ways of a direction, best first."""
        return [way for group in self._groups[direction] for way in group]

    def routes(self, direction: Direction, flow: str, *, do_not_fragment: bool) -> list[int]:
        """Declare a flow; returns its routes, the one it starts with first.

        `flow` names it within the stream and direction; its number there is the order of calls.
        """
        key = self.builder.key

        def score(way: Way) -> int:
            return key(self.name, direction, flow, way.name, "5-tuple")

        ordered = [way for group in self._groups[direction] for way in sorted(group, key=score)]
        return self._declare(direction, ordered, do_not_fragment, flow)

    def named_flows(self, direction: Direction) -> dict[str, tuple[Way, ...]]:
        """The ways of each flow that has a name, in order of its preference."""
        pairs = zip(self.flow_names[direction], self.flow_ways[direction], strict=True)
        return {name: ways for name, ways in pairs if name}

    def equal_ways(self, direction: Direction) -> Sequence[Way]:
        """The equal ways of the best group."""
        return self._groups[direction][0]

    def equal_parts_count(self, direction: Direction) -> int:
        """Parts that hashes make of very many flows: one for each equal way and instance on it."""
        ways = self.equal_ways(direction)
        shares = max((len(group) for way in ways for group in way.shared_by), default=1)
        return len(ways) * shares

    def spread_routes(self, direction: Direction, part: int, *, do_not_fragment: bool) -> list[int]:
        """As `routes`, for one of `equal_parts_count` equal parts of very many small flows.

        A hash spreads such flows evenly, so each part starts on an equal way of its own.
        """
        ordered: list[Way] = []
        for group in self._groups[direction]:
            turn = part % len(group)
            ordered += [*group[turn:], *group[:turn]]
        flow = self.label(str(part)) if self.client else ""
        turn = part // len(self.equal_ways(direction))
        return self._declare(direction, ordered, do_not_fragment, flow, turn)

    def _declare(
        self,
        direction: Direction,
        ordered: list[Way],
        do_not_fragment: bool,
        flow: str,
        turn: int | None = None,
    ) -> list[int]:
        self.flow_ways[direction].append(tuple(ordered))
        self.flow_names[direction].append(flow)
        self.flow_is_tcp[direction].append(do_not_fragment)
        self.flow_turns[direction].append(turn)
        return [self._route(direction, way, do_not_fragment) for way in ordered]

    def _route(self, direction: Direction, way: Way, do_not_fragment: bool) -> int:
        known = (direction, way.name, do_not_fragment)
        if known not in self._routes:
            around = [
                PLAIN if w is None else w.encapsulation(do_not_fragment=do_not_fragment)
                for w in way.wraps
            ]
            self._routes[known] = self.builder.route(
                self.stream, direction, way.hops, around, name=way.name
            )
        return self._routes[known]

    # ---- packet sizes and times ----------------------------------------------------------------

    def packet_sizes(
        self, direction: Direction, packet_size: str | float
    ) -> tuple[list[int], list[float]]:
        """Sizes of IP packets and their weights: of a mix of the catalogue, or one size.

        A mix stands for traffic that adapts to what fits on the way; one size is sent as it is.
        """
        if not isinstance(packet_size, str):
            return [round(packet_size)], [1.0]
        mix = self.catalog.packet_mix(packet_size)
        sizes = [self.fitting_bytes(direction, round(size)) for size in mix.sizes_bytes]
        return sizes, list(mix.weights)

    @property
    def udp_header_bytes(self) -> int:
        """What a UDP packet carries beside its payload."""
        default = self.catalog.default
        return round(default("header.ipv4").value + default("header.udp").value)

    def fitting_bytes(self, direction: Direction, size_bytes: int) -> int:
        """The size of packets of traffic that adapts to what fits on every way.

        Traffic adapts if TCP's segment size is clamped on the way, or if senders are told of
        packets that do not fit.
        """
        limits = [way.limit for way in self.ways(direction) if way.limit is not None]
        fits = [x.fit_bytes for x in limits if x.mss_clamp_bytes is not None or x.is_told]
        return min([size_bytes, *fits])

    def segment_bytes(self, direction: Direction, host_mss_bytes: int, header_bytes: int) -> int:
        """The IP packet of a full TCP segment, DF set.

        The handshake carries the smallest segment size of the hosts and of the devices that clamp
        it. If such a packet does not fit, path MTU discovery lowers it, unless the sender never
        hears of it (then everything is lost: a black hole) or it is cut on the way all the same.
        """
        limits = [way.limit for way in self.ways(direction) if way.limit is not None]
        clamps = [x.mss_clamp_bytes for x in limits if x.mss_clamp_bytes is not None]
        size_bytes = min([host_mss_bytes, *clamps]) + header_bytes
        told = [x.fit_bytes for x in limits if x.is_told and not x.cuts_df]
        return min([size_bytes, *told])

    def tcp(
        self,
        direction: Direction,
        congestion_control: str,
        window_bytes: float,
        initial_window: int,
    ) -> dict[str, Any]:
        """Arguments of the builder that all TCP has: sizes, window and switches of the stack."""
        default = self.catalog.default
        header_bytes = round(default("header.ipv4").value + default("header.tcp").value)
        option_bytes = round(default("header.tcp_timestamps").value)
        host_mss_bytes = round(default("tcp.mss").value)
        segment_bytes = self.segment_bytes(direction, host_mss_bytes, header_bytes)
        options: dict[str, Any] = {s: default(row).value for s, row in TCP_ROWS.items()}
        options |= {
            "congestion_control": congestion_control,
            "initial_cwnd_segments": initial_window,
            "segments_per_ack": int(default("tcp.ack_every").value),
        }
        return {
            "segment_bytes": segment_bytes,
            "mss_bytes": segment_bytes - header_bytes - option_bytes,
            "ack_bytes": header_bytes + option_bytes,
            "window_bytes": window_bytes,
            "options": options,
        }

    @property
    def rtt_s(self) -> float:
        """Median round trip without load, on the best way of each direction."""
        return sum(self.one_way_s(direction) for direction in (FORWARD, RETURN))

    def one_way_s(self, direction: Direction) -> float:
        """Median delay without load on the best way of a direction."""
        return sum(self._draft.delay_s[hop] for hop in self.ways(direction)[0].hops)
