"""The one way to make a plan: the planner drives it from a scenario, tests and benchmarks by hand.

It takes SI floats with names and turns them into the records of `kernels.layout`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kernels import layout
from simulator.base.keys import random_key
from simulator.base.units import BITS_PER_BYTE
from simulator.draws import exponential, threshold, unit
from simulator.packet_sizes import size_table
from simulator.plan import (
    FORWARD,
    JITTER_QUANTILES,
    PLAIN,
    PS_PER_S,
    RETURN,
    UNLIMITED_SEGMENTS,
    Direction,
    DirectionInfo,
    Distribution,
    Encapsulation,
    GilbertElliott,
    HopInfo,
    Meter,
    Plan,
    Process,
    Profile,
    Route,
    SourcePlan,
    StreamInfo,
    TcpFlowPlan,
    TransferPlan,
    ZoomPlan,
    to_ps,
)
from simulator.recorder import Fidelity


class PlanBuilder:
    """Collects hops, routes and traffic by name, then `build()`s the frozen plan.

    Streams are numbered in order of name and flows within them, whatever the order of the calls.
    """

    def __init__(
        self,
        *,
        scenario: str,
        seed: int,
        horizon_s: float,
        time_bin_s: float,
        warm_up_s: float = 0.0,
        replicate: int = 0,
        fidelity: Fidelity = "packet",
        zoom: ZoomPlan | None = None,
    ) -> None:
        self.scenario = scenario
        self.fidelity: Fidelity = fidelity
        self.zoom = zoom
        self.seed = seed
        self.replicate = replicate
        self.horizon_ps = to_ps(horizon_s)
        self.time_bin_ps = to_ps(time_bin_s)
        self.warm_up_ps = to_ps(warm_up_s)
        self._hops: dict[tuple[str, Direction], HopInfo] = {}
        self._rows: list[np.void] = []
        self._jitter: dict[bytes, int] = {}
        self._streams: dict[str, StreamInfo] = {}
        self._stream_names: list[str] = []
        self._directions: dict[DirectionInfo, int] = {}
        self._routes: list[Route] = []
        self._sources: list[tuple[int, Direction, np.void, SourcePlan]] = []
        self._transfers: list[tuple[int, TransferPlan]] = []
        self._sizes: list[npt.NDArray[Any]] = []
        self._size_tables: dict[tuple[Any, ...], tuple[int, int, float]] = {}
        self._sizes_count = 0
        self._tcp: list[
            tuple[int, tuple[int, ...], tuple[int, ...], dict[str, Any], dict[str, int]]
        ] = []
        self._processes: list[tuple[str, Process]] = []
        self._max_packet_bytes = 0
        self.meta: dict[str, Any] = {}

    def key(self, *names: str) -> int:
        """Random key of this run for a thing with these names (uint64 as int)."""
        return random_key(self.seed, self.replicate, *names)

    @property
    def has_profiles(self) -> bool:
        """Whether the rate of some open-loop source changes with time."""
        return any(source.profile is not None for *_, source in self._sources)

    # ---- hops ------------------------------------------------------------------------------

    def _new_hop(self, info: HopInfo) -> np.void:
        if (info.name, info.direction) in self._hops:
            raise ValueError(f"hop {info.name} ({info.direction}) exists already")
        row: np.void = np.zeros(1, layout.HOP)[0]
        row["kind"] = layout.SERVER if info.kind == "server" else layout.PATH
        row["is_up"] = 1
        row["buffer_bytes"] = layout.UNLIMITED
        row["max_wait_ps"] = layout.UNLIMITED
        self._hops[(info.name, info.direction)] = info
        self._rows.append(row)
        return row

    def server(
        self,
        name: str,
        direction: Direction = FORWARD,
        *,
        rate_bps: float | None = None,
        packets_per_s: float | None = None,
        per_packet_s: float = 0.0,
        per_byte_s: float | None = None,
        buffer_bytes: float | None = None,
        buffer_s: float | None = None,
        policer_burst_s: float | None = None,
        delay_s: float = 0.0,
        meter: Meter = "wire",
    ) -> int:
        """Add a hop with a finite rate; returns its index.

        service = max(1 / packets_per_s, per_packet_s + per_byte_s * bytes), with
        per_byte_s = 8 / rate_bps where only a rate is given. `buffer_bytes` limits the queue with
        the packet in service; `buffer_s` limits the wait; `policer_burst_s` drops what a token
        bucket of that depth (at the rate) does not hold and delays nothing; a packet passes while
        the debt is at most the depth, so up to one packet more than the depth gets through.
        """
        if per_byte_s is None:
            per_byte_s = 0.0 if rate_bps is None else BITS_PER_BYTE / rate_bps
        nominal_bps = BITS_PER_BYTE / per_byte_s if per_byte_s > 0 else np.inf
        row = self._new_hop(HopInfo(name, direction, "server", nominal_bps))
        row["per_packet_ps"] = to_ps(per_packet_s)
        row["per_byte"] = round(per_byte_s * PS_PER_S * (1 << layout.PER_BYTE_SHIFT))
        row["min_service_ps"] = 0 if packets_per_s is None else to_ps(1.0 / packets_per_s)
        row["delay_ps"] = to_ps(delay_s)
        row["meter_shift"] = layout.METER_WIRE if meter == "wire" else layout.METER_INNER
        if buffer_bytes is not None:
            row["buffer_bytes"] = round(buffer_bytes)
        if buffer_s is not None:
            row["max_wait_ps"] = to_ps(buffer_s)
        if policer_burst_s is not None:
            row["max_wait_ps"] = to_ps(policer_burst_s)
            row["is_policer"] = 1
        return len(self._hops) - 1

    def path(
        self,
        name: str,
        direction: Direction = FORWARD,
        *,
        delay_s: float,
        loss_ratio: float = 0.0,
        loss: GilbertElliott | None = None,
        jitter_quantiles_s: npt.ArrayLike | None = None,
        jitter_interval_s: float = 0.0,
        may_reorder: bool = False,
    ) -> int:
        """Add a pure delay with loss and jitter; returns its index.

        `jitter_quantiles_s` are quantiles of the additional delay at equal steps of probability
        from 0 to 1 (any number of them; interpolated), drawn once in each interval.
        """
        row = self._new_hop(HopInfo(name, direction, "path", np.inf))
        row["delay_ps"] = to_ps(delay_s)
        row["loss_key"] = self.key(name, direction, "loss")
        row["jitter_key"] = self.key(name, direction, "jitter")
        row["may_reorder"] = int(may_reorder)
        if loss is None:
            row["loss_threshold"] = threshold(loss_ratio)
        else:
            row["loss_threshold"] = threshold(loss.good_loss_ratio)
            row["bad_loss_threshold"] = threshold(loss.bad_loss_ratio)
            row["good_mean_ps"] = to_ps(loss.good_mean_s)
            row["bad_mean_ps"] = to_ps(loss.bad_mean_s)
        if jitter_quantiles_s is not None:
            row["jitter_interval_ps"] = to_ps(jitter_interval_s)
            values_s = np.asarray(jitter_quantiles_s, np.float64)
            at = np.linspace(0.0, len(values_s) - 1.0, JITTER_QUANTILES)
            fine_s = np.interp(at, np.arange(len(values_s)), values_s)
            values_ps = np.round(fine_s * PS_PER_S).astype(np.int64)
            row["jitter_row"] = self._jitter.setdefault(values_ps.tobytes(), len(self._jitter))
        return len(self._hops) - 1

    # ---- streams and routes ----------------------------------------------------------------

    def stream(self, name: str, kind: str, from_name: str, to_name: str) -> int:
        """Add a stream; returns its provisional index (used in the calls below)."""
        if name in self._streams:
            raise ValueError(f"stream {name} exists already")
        self._streams[name] = StreamInfo(name, kind, from_name, to_name)
        self._stream_names.append(name)
        return len(self._streams) - 1

    def _direction(self, stream: int, direction: Direction) -> int:
        return self._directions.setdefault(DirectionInfo(stream, direction), len(self._directions))

    def route(
        self,
        stream: int,
        direction: Direction,
        hop_idx: Sequence[int],
        encapsulation: Sequence[Encapsulation] | None = None,
        name: str = "",
    ) -> int:
        """Add a route of a stream and direction; returns its index."""
        if not hop_idx:
            raise ValueError(f"a route of {self._stream_names[stream]} has no hop")
        if len(set(hop_idx)) != len(hop_idx):
            known = list(self._hops)
            names = ", ".join(known[h][0] for h in hop_idx)
            raise ValueError(f"a route visits a hop twice: {names}")
        around = tuple(encapsulation) if encapsulation is not None else (PLAIN,) * len(hop_idx)
        where = self._direction(stream, direction)
        self._routes.append(Route(where, tuple(hop_idx), around, name))
        return len(self._routes) - 1

    # ---- traffic ---------------------------------------------------------------------------

    def _size_table(
        self, sizes_bytes: Sequence[int], weights: Sequence[float] | None
    ) -> tuple[int, int, float]:
        """The alias table of some sizes: its begin, its length and the mean size."""
        sizes = (tuple(sizes_bytes), None if weights is None else tuple(weights))
        if sizes not in self._size_tables:
            table, mean_bytes = size_table(*sizes)
            self._size_tables[sizes] = (self._sizes_count, len(table), mean_bytes)
            self._sizes.append(table)
            self._sizes_count += len(table)
            self._max_packet_bytes = max(self._max_packet_bytes, *map(int, sizes_bytes))
        return self._size_tables[sizes]

    def _source(
        self,
        kind: int,
        stream: int,
        direction: Direction,
        routes: Sequence[int],
        *,
        sizes_bytes: Sequence[int],
        weights: Sequence[float] | None,
        rate_bps: float | None,
        packets_per_s: float | None,
        start_s: float,
        stop_s: float | None,
        header_bytes: int,
        label: str,
        phase: Literal["random", "exact"],
        profile: Profile | None,
    ) -> np.void:
        begin, count, mean_bytes = self._size_table(sizes_bytes, weights)
        if packets_per_s is None:
            if rate_bps is None:
                raise ValueError("a source needs rate_bps or packets_per_s")
            packets_per_s = rate_bps / (BITS_PER_BYTE * mean_bytes)
        if not packets_per_s > 0:
            raise ValueError(f"a source sends {packets_per_s} packets/s: it must be above 0")
        names = (self._stream_names[stream], direction, label)
        row: np.void = np.zeros(1, layout.SOURCE)[0]
        row["kind"] = kind
        row["size_begin"], row["size_count"] = begin, count
        row["is_fixed_size"] = int(count == 1)
        row["gap_key"] = self.key(*names, "gap")
        row["size_key"] = self.key(*names, "size")
        row["stay_key"] = self.key(*names, "stay")
        row["mean_gap_ps"] = PS_PER_S / packets_per_s
        row["stop_ps"] = layout.NEVER_PS if stop_s is None else to_ps(stop_s)
        row["header_bytes"] = header_bytes
        row["stay_until_ps"] = layout.NEVER_PS
        row["next_ps"] = to_ps(start_s)
        if kind == layout.POISSON:
            row["next_ps"] += int(exponential(self.key(*names, "first")) * row["mean_gap_ps"])
        elif phase == "random":
            row["next_ps"] += int(unit(self.key(*names, "first")) * row["mean_gap_ps"])
        source = SourcePlan(row, tuple(routes), profile, to_ps(start_s))
        self._sources.append((stream, direction, row, source))
        return row

    def poisson(
        self,
        stream: int,
        direction: Direction,
        routes: Sequence[int],
        *,
        sizes_bytes: Sequence[int],
        weights: Sequence[float] | None = None,
        rate_bps: float | None = None,
        packets_per_s: float | None = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
        header_bytes: int = 0,
        label: str = "0",
        profile: Profile | None = None,
    ) -> None:
        """Poisson arrivals of packets; rate in inner IP bits/s, or packets/s."""
        self._source(
            layout.POISSON,
            stream,
            direction,
            routes,
            sizes_bytes=sizes_bytes,
            weights=weights,
            rate_bps=rate_bps,
            packets_per_s=packets_per_s,
            start_s=start_s,
            stop_s=stop_s,
            header_bytes=header_bytes,
            label=label,
            phase="random",
            profile=profile,
        )

    def constant(
        self,
        stream: int,
        direction: Direction,
        routes: Sequence[int],
        *,
        sizes_bytes: Sequence[int],
        weights: Sequence[float] | None = None,
        rate_bps: float | None = None,
        packets_per_s: float | None = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
        header_bytes: int = 0,
        on_mean_s: float = 0.0,
        off_mean_s: float = 0.0,
        phase: Literal["random", "exact"] = "random",
        label: str = "0",
        profile: Profile | None = None,
    ) -> None:
        """Packets at equal distances; with `on_mean_s` only in exponential talk spurts."""
        row = self._source(
            layout.CONSTANT,
            stream,
            direction,
            routes,
            sizes_bytes=sizes_bytes,
            weights=weights,
            rate_bps=rate_bps,
            packets_per_s=packets_per_s,
            start_s=start_s,
            stop_s=stop_s,
            header_bytes=header_bytes,
            label=label,
            phase=phase,
            profile=profile,
        )
        if on_mean_s > 0 and off_mean_s > 0:
            row["on_mean_ps"] = on_mean_s * PS_PER_S
            row["off_mean_ps"] = off_mean_s * PS_PER_S
            first = exponential(self.key(self._stream_names[stream], direction, label, "stay"))
            row["stay_until_ps"] = row["next_ps"] + int(first * row["on_mean_ps"])

    def tcp(
        self,
        stream: int,
        data_routes: Sequence[int],
        ack_routes: Sequence[int],
        *,
        flows: int = 1,
        segment_bytes: int,
        mss_bytes: int,
        ack_bytes: int,
        window_bytes: float,
        size_bytes: float | None = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
        stagger_s: float = 0.0,
        handshake_rtt_s: float = 0.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Closed-loop bulk transfers.

        `segment_bytes` and `ack_bytes` are inner IP bytes of a full data packet and of an ACK,
        `mss_bytes` the payload of a segment, `window_bytes` the receive window in payload bytes,
        `size_bytes` the payload to send (without: no end). Flow i starts at
        start_s + i * stagger_s. `options` are switches of `kernels.tcp.TcpOptions`.
        """
        self._max_packet_bytes = max(self._max_packet_bytes, segment_bytes, ack_bytes)
        size_segments = (
            UNLIMITED_SEGMENTS if size_bytes is None else max(1, -int(-size_bytes // mss_bytes))
        )
        for i in range(flows):
            settings = {
                "start_ps": to_ps(start_s + i * stagger_s),
                "stop_ps": layout.NEVER_PS if stop_s is None else to_ps(stop_s),
                "size_segments": size_segments,
                "mss_bytes": mss_bytes,
                "segment_bytes": segment_bytes,
                "ack_bytes": ack_bytes,
                "rwnd_segments": max(1, int(window_bytes // mss_bytes)),
                "handshake_rtt_ps": to_ps(handshake_rtt_s),
            }
            self._tcp.append(
                (stream, tuple(data_routes), tuple(ack_routes), dict(options or {}), settings)
            )

    def transfers(
        self,
        stream: int,
        data_routes: Sequence[int],
        ack_routes: Sequence[int],
        *,
        segment_bytes: int,
        mss_bytes: int,
        ack_bytes: int,
        window_bytes: float,
        size: Distribution,
        arrivals_per_s: float = 0.0,
        users: int = 0,
        think: Distribution | None = None,
        profile: Profile | None = None,
        start_s: float = 0.0,
        stop_s: float | None = None,
        handshake_rtt_s: float = 0.0,
        options: Mapping[str, Any] | None = None,
        label: str = "0",
    ) -> None:
        """Closed-loop transfers of finite size; see `TransferPlan`, sizes as in `tcp`."""
        if (arrivals_per_s > 0.0) == (users > 0):
            raise ValueError("transfers need either arrivals_per_s or users")
        self._max_packet_bytes = max(self._max_packet_bytes, segment_bytes, ack_bytes)
        settings = {
            "start_ps": to_ps(start_s),
            "stop_ps": layout.NEVER_PS if stop_s is None else to_ps(stop_s),
            "mss_bytes": mss_bytes,
            "segment_bytes": segment_bytes,
            "ack_bytes": ack_bytes,
            "rwnd_segments": max(1, int(window_bytes // mss_bytes)),
            "handshake_rtt_ps": to_ps(handshake_rtt_s),
        }
        plan = TransferPlan(
            stream_idx=stream,
            data_routes=tuple(data_routes),
            ack_routes=tuple(ack_routes),
            options=dict(options or {}),
            settings=settings,
            size=size,
            arrivals_per_s=arrivals_per_s,
            users=users,
            think=think,
            profile=profile,
            key=self.key(self._stream_names[stream], label, "transfers"),
        )
        self._transfers.append((stream, plan))

    def process(self, name: str, process: Process) -> None:
        """Add a control process; the engine starts them in order of name."""
        self._processes.append((name, process))

    # ---- build -----------------------------------------------------------------------------

    def build(self) -> Plan:
        """Number streams in order of name, flows within them, and freeze."""
        names = sorted(self._streams)
        new_idx = {name: rank for rank, name in enumerate(names)}
        rank = [new_idx[name] for name in self._stream_names]
        turn = {FORWARD: 0, RETURN: 1}
        infos = list(self._directions)
        place = sorted(
            range(len(infos)),
            key=lambda d: (rank[infos[d].stream_idx], turn[infos[d].direction]),
        )
        new_direction = {old: new for new, old in enumerate(place)}
        directions = tuple(replace(infos[d], stream_idx=rank[infos[d].stream_idx]) for d in place)
        routes = tuple(
            replace(r, direction_idx=new_direction[r.direction_idx]) for r in self._routes
        )
        _refuse_large_packets(self._max_packet_bytes, routes)
        sources, tcp_flows, keys = self._number_flows(names, rank, routes)
        return Plan(
            scenario=self.scenario,
            seed=self.seed,
            replicate=self.replicate,
            horizon_ps=self.horizon_ps,
            warm_up_ps=self.warm_up_ps,
            time_bin_ps=self.time_bin_ps,
            hops=tuple(self._hops.values()),
            hop=np.array(self._rows, layout.HOP) if self._rows else np.zeros(0, layout.HOP),
            jitter_table=np.frombuffer(
                b"".join(self._jitter) or np.zeros(JITTER_QUANTILES, np.int64).tobytes(), np.int64
            )
            .reshape(-1, JITTER_QUANTILES)
            .copy(),
            streams=tuple(self._streams[name] for name in names),
            directions=directions,
            routes=routes,
            sources=sources,
            tcp_flows=tcp_flows,
            size=np.concatenate(self._sizes) if self._sizes else np.zeros(1, layout.SIZE),
            flow_key=np.array(keys, np.uint64),
            max_packet_bytes=self._max_packet_bytes,
            transfers=tuple(
                replace(plan, stream_idx=rank[stream])
                for stream, plan in sorted(self._transfers, key=lambda item: rank[item[0]])
            ),
            fidelity=self.fidelity,
            zoom=self.zoom,
            processes=tuple(sorted(self._processes, key=lambda p: p[0])),
            meta=dict(self.meta),
        )

    def _number_flows(
        self, names: Sequence[str], rank: Sequence[int], routes: Sequence[Route]
    ) -> tuple[tuple[SourcePlan, ...], tuple[TcpFlowPlan, ...], list[int]]:
        """Give each source and each TCP flow (data and ACKs apart) its number and random key."""
        turn = {FORWARD: 0, RETURN: 1}
        items: list[tuple[int, int, int, Any]] = [
            (rank[stream], turn[direction], n, ("source", row, source))
            for n, (stream, direction, row, source) in enumerate(self._sources)
        ]
        items += [
            (rank[stream], 2, n, ("tcp", stream, data, ack, options, settings))
            for n, (stream, data, ack, options, settings) in enumerate(self._tcp)
        ]
        items.sort(key=lambda item: item[:3])
        sources: list[SourcePlan] = []
        tcp_flows: list[TcpFlowPlan] = []
        keys: list[int] = []
        number_in_stream: dict[tuple[int, int], int] = {}
        for stream_rank, part, _, item in items:
            number = number_in_stream.get((stream_rank, part), 0)
            number_in_stream[(stream_rank, part)] = number + 1
            if item[0] == "source":
                row = item[1].copy()
                row["flow"] = len(keys)
                row["direction"] = routes[item[2].routes[0]].direction_idx
                keys.append(int(row["gap_key"]) ^ 1)
                sources.append(replace(item[2], record=row))
            else:
                _, _, data, ack, options, settings = item
                tcp_flows.append(
                    TcpFlowPlan(stream_rank, len(keys), len(keys) + 1, data, ack, options, settings)
                )
                keys.append(self.key(names[stream_rank], "tcp", str(number), "data"))
                keys.append(self.key(names[stream_rank], "tcp", str(number), "ack"))
        return tuple(sources), tuple(tcp_flows), keys


def plan_from_hops(
    hops: Sequence[Mapping[str, Any]],
    streams: Sequence[Mapping[str, Any]],
    *,
    horizon_s: float,
    time_bin_s: float = 1.0,
    warm_up_s: float = 0.0,
    seed: int = 1,
    replicate: int = 0,
) -> Plan:
    """Build a plan by hand: `hops` are arguments of `PlanBuilder.server` or `.path`.

    Each hop is a mapping with `name` and either `kind: "path"` or server arguments. Each
    stream is a mapping with `name`, `kind` ("poisson", "constant" or "tcp"), `route` (names of
    hops), `ack_route` for TCP, and the arguments of the builder's method of that kind.
    """
    builder = PlanBuilder(
        scenario="by-hand",
        seed=seed,
        replicate=replicate,
        horizon_s=horizon_s,
        time_bin_s=time_bin_s,
        warm_up_s=warm_up_s,
    )
    idx: dict[str, int] = {}
    for row in hops:
        args = dict(row)
        add = builder.path if args.pop("kind", "server") == "path" else builder.server
        idx[args["name"]] = add(**args)
    for row in streams:
        args = dict(row)
        kind = args.pop("kind", "poisson")
        route = [idx[name] for name in args.pop("route")]
        ack_route = [idx[name] for name in args.pop("ack_route", ())]
        stream = builder.stream(args.pop("name"), kind, "a", "b")
        forward = builder.route(stream, FORWARD, route)
        if kind == "tcp":
            builder.tcp(stream, [forward], [builder.route(stream, RETURN, ack_route)], **args)
        else:
            getattr(builder, kind)(stream, FORWARD, [forward], **args)
    return builder.build()


def _refuse_large_packets(largest_bytes: int, routes: Sequence[Route]) -> None:
    """The record of a packet has 16 bits for its size on the wire."""
    for around in {one for route in routes for one in route.encapsulation}:
        inside = largest_bytes + around.trailer_bytes
        wire = around.fixed_bytes + -(-inside // around.align_bytes) * around.align_bytes
        if wire > layout.SIZE_MASK:
            raise ValueError(
                f"packets of {largest_bytes} bytes are {wire} bytes on the wire; "
                f"at most {layout.SIZE_MASK} can be simulated"
            )
