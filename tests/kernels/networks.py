"""Random networks with a script of changes, and the comparison of the data plane with the oracle.

`random_case(seed)` makes everything from one number, so a failing case is named by its seed.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from unittest import mock

import numpy as np

from kernels import layout
from simulator import dataplane
from simulator.base.errors import PlanError
from simulator.dataplane import DataPlane
from simulator.draws import threshold
from simulator.network import build_layout
from simulator.plan import FORWARD, PLAIN, RETURN, Encapsulation, GilbertElliott, Plan, to_ps
from simulator.plan_builder import PlanBuilder
from simulator.recorder import Recorder
from tests.kernels.oracle import COUNTERS, Oracle

Change = Callable[[DataPlane | Oracle], None]
HOP_COUNTERS = ("served_packets", "served_bytes", "wait_max_ps", "fragments")
RING_PLACES = (
    "seg_off",
    "seg_mask",
    "seg_room_mask",
    "ack_off",
    "ack_mask",
    "ack_room_mask",
    "limit_seq",
)
"""Fields of a TCP flow that say where its rings lie."""


class BinRecorder(Recorder):
    """Keeps the running counters and the open histograms at the end of each time bin."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(len(plan.directions), len(plan.hops), plan.warm_up_ps)
        self.bins: list[dict[str, np.ndarray]] = []

    def close_bin(self, start_ps, end_ps, counter, packets, size, busy, open_bin, run) -> None:
        self.bins.append(
            {
                **{name: counter[name].copy() for name in COUNTERS},
                "dropped_packets": packets.copy(),
                "dropped_bytes": size.copy(),
                "busy_ps": busy.copy(),
                "histogram": open_bin.astype(np.int64),
            }
        )
        super().close_bin(start_ps, end_ps, counter, packets, size, busy, open_bin, run)


class ShortWindows(DataPlane):
    """The data plane with windows that are some parts of what they need to be."""

    parts = 1

    def _set_windows(self) -> None:
        super()._set_windows()
        self._group["window_ps"] = np.maximum(self._group["window_ps"] // self.parts, 1)


def data_plane(plan: Plan, *, parts: int = 1, ring: int = 64, inbox: int = 256) -> DataPlane:
    """A data plane whose windows are `parts` times shorter and whose arrays start that small."""
    kind = type("ShortWindows", (ShortWindows,), {"parts": parts})
    with (
        mock.patch.object(dataplane, "RING_INITIAL", ring),
        mock.patch.object(dataplane, "INBOX_INITIAL", inbox),
    ):
        return kind(plan, BinRecorder(plan))


@dataclass
class Case:
    """A plan, the changes that happen to it, and instants at which to look at what is under way."""

    plan: Plan
    changes: list[tuple[int, str, Change]] = field(default_factory=list)
    looks_ps: list[int] = field(default_factory=list)


def play(case: Case, plane: DataPlane | Oracle, cuts_ps: list[int] | None = None) -> list[list]:
    """Drive a plane through the script up to the horizon; returns what was under way at the looks.

    `cuts_ps` are more instants at which to stop and go on.
    """
    stops = [(t, 0, None) for t in cuts_ps or ()]
    stops += [(t, 1, change) for t, _, change in case.changes]
    stops += [(t, 2, None) for t in case.looks_ps]
    seen = []
    for time_ps, kind, change in sorted(stops, key=lambda stop: stop[:2]):
        plane.advance(time_ps)
        if kind == 1:
            change(plane)
        elif kind == 2:
            seen.append(under_way(plane))
    plane.advance(case.plan.horizon_ps)
    seen.append(under_way(plane))
    return seen


def under_way(plane: DataPlane | Oracle) -> list[tuple[int, ...]]:
    """Each packet in a queue or on a link, with the arrival at its next place (see the oracle)."""
    if isinstance(plane, Oracle):
        return plane.under_way()
    rows = []
    for h, row in enumerate(plane.state):
        for at in range(int(row["link_head"]), int(row["link_tail"])):
            packet = plane.link[int(row["link_off"]) + (at & int(row["link_mask"]))]
            size = int(packet["size"])
            inner, wire = size & layout.SIZE_MASK, size >> layout.WIRE_SHIFT & layout.SIZE_MASK
            times = int(packet["time_ps"]), int(packet["id"]), int(packet["sent_ps"])
            rows.append((h, *times, inner, wire))
    assert int(plane.node["inbox_count"].sum()) == 0, "between two calls all inboxes are empty"
    return sorted(rows)


def tcp_state(plane: DataPlane | Oracle) -> np.ndarray:
    """The records of all TCP flows, except where their rings lie."""
    flow = plane.flow if isinstance(plane, Oracle) else plane.tcp_flow[: len(plane.plan.tcp_flows)]
    state = flow.copy()
    for name in RING_PLACES:
        state[name] = 0
    return state


def differences(case: Case, plane: DataPlane, oracle: Oracle) -> list[str]:
    """Everything in which the two differ, most telling first; empty if they are the same."""
    found = []
    if len(plane.recorder.bins) != len(oracle.bins):
        found.append(f"{len(plane.recorder.bins)} and {len(oracle.bins)} bins")
    for b, (mine, theirs) in enumerate(zip(plane.recorder.bins, oracle.bins, strict=False)):
        for name in theirs:
            if not np.array_equal(mine[name], theirs[name]):
                at = np.argwhere(mine[name] != theirs[name])[0]
                a, b_ = mine[name][tuple(at)], theirs[name][tuple(at)]
                found.append(f"bin {b} {name}{at.tolist()}: {a}, oracle {b_}")
    for name in HOP_COUNTERS:
        mine, theirs = plane.state[name].tolist(), oracle.served[name]
        if mine != theirs:
            found.append(f"{name}: {mine}, oracle {theirs}")
    if not np.array_equal(plane.hop_dropped, oracle.hop_dropped):
        where = np.argwhere(plane.hop_dropped != oracle.hop_dropped).tolist()
        found.append(f"hop_dropped at {where}")
    mine, theirs = tcp_state(plane), tcp_state(oracle)
    for f in range(len(mine)):
        names = [n for n in mine.dtype.names if not np.array_equal(mine[f][n], theirs[f][n])]
        if names:
            pairs = [f"{n} {mine[f][n]}, oracle {theirs[f][n]}" for n in names]
            found.append(f"TCP flow {f}: " + "; ".join(pairs))
    return found


def check_conservation(plane: DataPlane) -> None:
    """sent = delivered + dropped + in flight, in packets and bytes, for each direction."""
    count, size = plane.in_flight()
    ends = plane.counter["delivered_packets"] + plane.dropped_packets.sum(1) + count
    assert plane.counter["sent_packets"].tolist() == ends.tolist()
    ends = plane.counter["delivered_bytes"] + plane.dropped_bytes.sum(1) + size
    assert plane.counter["sent_bytes"].tolist() == ends.tolist()
    by_hop = plane.hop_dropped.sum(0)
    by_hop[layout.NO_ROUTE] = plane.dropped_packets[:, layout.NO_ROUTE].sum()
    assert by_hop.tolist() == plane.dropped_packets.sum(0).tolist()


def digest(plane: DataPlane) -> str:
    """A hash of every number that a run leaves."""
    total = hashlib.sha256()
    arrays = [plane.run_histogram, plane.counter, plane.dropped_packets, plane.dropped_bytes]
    arrays += [plane.hop_dropped, tcp_state(plane), *(plane.state[name] for name in HOP_COUNTERS)]
    arrays += [bin_[name] for bin_ in plane.recorder.bins for name in sorted(bin_)]
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    total.update(repr(under_way(plane)).encode())
    return total.hexdigest()


# ---- random cases -----------------------------------------------------------------------------


def random_case(seed: int, *, horizon_s: float = 0.5, speed: float = 1.0) -> Case:
    """A network of 1 to 12 hops with traffic of some thousand packet-hops, and what happens.

    `speed` multiplies all rates (and buffers in bytes), so that more packets are under way.
    """
    draw = random.Random(seed)
    while True:
        plan = _random_plan(draw, seed, horizon_s, speed)
        try:
            build_layout(plan)
        except PlanError:  # a cycle without delay is refused; another one, please
            continue
        break
    horizon = plan.horizon_ps
    looks = sorted(draw.randrange(horizon) for _ in range(12))
    changes = []
    for _ in range(draw.choice([0, 0, 2, 6])):
        changes += _random_changes(draw, plan)
    return Case(plan, sorted(changes, key=lambda change: change[0]), looks)


def overtaking_case(seed: int) -> Case:
    """Two TCP flows at up to 200 Mbit/s whose data and ACKs overtake each other by many."""
    draw = random.Random(seed)
    builder = PlanBuilder(scenario=f"overtaking {seed}", seed=seed, horizon_s=0.4, time_bin_s=0.1)
    up = builder.server(
        "up", rate_bps=draw.choice([50e6, 200e6]), buffer_bytes=draw.choice([20e3, 200e3])
    )
    ways = [
        builder.path(
            name,
            direction,
            delay_s=2e-3,
            loss_ratio=draw.choice([0.0, 1e-3, 1e-2]),
            jitter_quantiles_s=[0.0, draw.choice([2e-3, 2e-2])],
            jitter_interval_s=draw.choice([1e-3, 3e-4]),
            may_reorder=True,
        )
        for name, direction in (("there", FORWARD), ("back", RETURN))
    ]
    for name in ("s", "t"):
        stream = builder.stream(name, "tcp", "a", "b")
        data = builder.route(stream, FORWARD, [up, ways[0]])
        ack = builder.route(stream, RETURN, [ways[1]])
        builder.tcp(
            stream,
            [data],
            [ack],
            segment_bytes=1400,
            mss_bytes=1348,
            ack_bytes=52,
            window_bytes=draw.choice([2e5, 1e6]),
            options={
                "congestion_control": draw.choice(["cubic", "newreno", "bbr"]),
                "loss_detection": draw.choice(["rack", "sack"]),
                "segments_per_ack": draw.choice([1, 2]),
            },
        )
    return Case(builder.build(), looks_ps=[10**10 * k for k in range(1, 40, 3)])


def _random_plan(draw: random.Random, seed: int, horizon_s: float, speed: float) -> Plan:
    builder = PlanBuilder(
        scenario=f"random {seed}", seed=seed, horizon_s=horizon_s, time_bin_s=horizon_s / 4
    )
    hops = draw.randint(1, 12)
    is_cyclic = draw.random() < 0.4
    least_delay_s = draw.choice([1e-4, 1e-3]) if is_cyclic else 0.0
    for h in range(hops):
        _random_hop(draw, builder, h, least_delay_s, speed)
    for s in range(draw.randint(1, 5)):
        if draw.random() < 0.4:
            _random_tcp(draw, builder, s, hops)
        else:
            _random_source(draw, builder, s, hops, is_cyclic, speed)
    return builder.build()


def _random_hop(
    draw: random.Random, builder: PlanBuilder, h: int, least_delay_s: float, speed: float
) -> None:
    delay_s = least_delay_s + draw.choice([0.0, 0.0, 2e-4, 5e-3 * draw.random()])
    name, direction = f"h{h}", draw.choice([FORWARD, RETURN])
    kind = draw.choice(["server"] * 5 + ["path"] * 3 + ["policer"])
    if kind == "path":
        arguments = {"delay_s": delay_s}
        loss = draw.choice(["none", "none", "random", "bursts"])
        if loss == "random":
            arguments["loss_ratio"] = draw.choice([1.0, 0.001, 0.03, 0.03])
        elif loss == "bursts":
            arguments["loss"] = GilbertElliott(0.03, 0.005, draw.choice([0.0, 0.01]), 0.4)
        if draw.random() < 0.5:
            top_s = draw.choice([1e-4, 3e-3])
            arguments["jitter_quantiles_s"] = sorted(draw.random() * top_s for _ in range(5))
            arguments["jitter_interval_s"] = draw.choice([1e-4, 1e-3, 1e-2])
            arguments["may_reorder"] = draw.random() < 0.5
        builder.path(name, direction, **arguments)
        return
    arguments = {"rate_bps": speed * draw.choice([1e6, 4e6, 10e6, 10e6]), "delay_s": delay_s}
    if draw.random() < 0.3:
        arguments["packets_per_s"] = speed * draw.choice([500, 2000])
    if draw.random() < 0.2:
        arguments["per_packet_s"] = 1e-4 / speed
    if draw.random() < 0.1:
        arguments["per_byte_s"] = 0.0
        arguments["packets_per_s"] = 1000 * speed
    if draw.random() < 0.3:
        arguments["meter"] = "inner-ip"
    if kind == "policer":
        arguments["policer_burst_s"] = draw.choice([0.0, 2e-3, 2e-2])
    elif draw.random() < 0.7:
        limit = draw.choice(["buffer_bytes", "buffer_s", "both"])
        if limit != "buffer_s":
            arguments["buffer_bytes"] = speed * draw.choice([1500, 3000, 9000, 30000])
        if limit != "buffer_bytes":
            arguments["buffer_s"] = draw.choice([0.0, 2e-3, 2e-2])
    builder.server(name, direction, **arguments)


def _random_route(
    draw: random.Random, hops: int, first: int | None, is_cyclic: bool
) -> tuple[list[int], list[Encapsulation]]:
    """Hops of a route and what is around the packets at each; in order of number if not cyclic."""
    start = draw.randrange(hops) if first is None else first
    others = [h for h in range(hops) if h != start and (is_cyclic or h > start)]
    chosen = draw.sample(others, draw.randint(0, min(len(others), 6)))
    route = [start, *(chosen if is_cyclic else sorted(chosen))]
    around = [PLAIN] * len(route)
    if len(route) > 1 and draw.random() < 0.4:
        begin = draw.randrange(1, len(route))
        tunnel = Encapsulation(
            fixed_bytes=draw.choice([20, 44, 52]),
            trailer_bytes=draw.choice([0, 2]),
            align_bytes=draw.choice([1, 4, 16]),
            mtu_bytes=draw.choice([0, 400, 1500, 1500]),
            may_fragment=draw.random() < 0.7,
        )
        for i in range(begin, draw.randint(begin + 1, len(route))):
            around[i] = tunnel
    return route, around


def _random_source(
    draw: random.Random, builder: PlanBuilder, s: int, hops: int, is_cyclic: bool, speed: float
) -> None:
    direction = draw.choice([FORWARD, RETURN])
    stream = builder.stream(f"s{draw.randrange(10)}-{s}", "open", "a", "b")
    first = draw.randrange(hops)
    routes = [
        builder.route(stream, direction, *_random_route(draw, hops, first, is_cyclic))
        for _ in range(draw.randint(1, 2))
    ]
    sizes = draw.choice([[200], [1400], [1480], [40, 576, 1500], [64, 1480]])
    for n in range(draw.choice([1, 1, 3])):
        arguments = {
            "sizes_bytes": sizes,
            "weights": [draw.random() + 0.1 for _ in sizes],
            "rate_bps": speed * draw.choice([2e5, 1e6, 3e6]),
            "start_s": draw.choice([0.0, 0.05]),
            "stop_s": draw.choice([None, None, 0.2]),
            "header_bytes": draw.choice([0, 28]),
            "label": str(n),
        }
        if draw.random() < 0.5:
            builder.poisson(stream, direction, routes, **arguments)
            continue
        if draw.random() < 0.4:
            arguments |= {"on_mean_s": 0.02, "off_mean_s": 0.01}
        if draw.random() < 0.3:  # many ties: equal distances from the same instant on
            del arguments["rate_bps"]
            arguments |= {"packets_per_s": 500 * speed, "phase": "exact"}
        builder.constant(stream, direction, routes, **arguments)


def _random_tcp(draw: random.Random, builder: PlanBuilder, s: int, hops: int) -> None:
    stream = builder.stream(f"s{draw.randrange(10)}-{s}", "tcp", "a", "b")
    sides = (FORWARD, RETURN) if draw.random() < 0.8 else (RETURN, FORWARD)
    count = draw.randint(1, 2)
    data, ack = (
        [builder.route(stream, side, *_random_route(draw, hops, None, True)) for _ in range(count)]
        for side in sides
    )
    mss = draw.choice([536, 1348])
    builder.tcp(
        stream,
        data,
        ack,
        flows=draw.choice([1, 1, 3]),
        segment_bytes=mss + 52,
        mss_bytes=mss,
        ack_bytes=52,
        window_bytes=draw.choice([5e3, 4e4, 2e5]),
        size_bytes=draw.choice([None, None, 1e5]),
        start_s=draw.choice([0.0, 0.02]),
        stop_s=draw.choice([None, None, 0.2]),
        stagger_s=draw.choice([0.0, 0.003]),
        handshake_rtt_s=draw.choice([0.0, 0.01]),
        options={
            "congestion_control": draw.choice(["cubic", "newreno", "bbr"]),
            "loss_detection": draw.choice(["rack", "sack"]),
            "rto_min_s": draw.choice([0.2, 0.02]),
        },
    )


def _random_changes(draw: random.Random, plan: Plan) -> list[tuple[int, str, Change]]:
    """When, what in words, and the call that does it; a hop that goes down comes up again."""
    kind = draw.choice(["outage", "hop", "hop", "route"])
    time_ps = draw.randrange(plan.horizon_ps)
    if draw.random() < 0.3:  # at the very instant at which sources in step send
        time_ps -= time_ps % to_ps(0.002)
    h = draw.randrange(len(plan.hops))
    if kind == "outage":
        up_ps = time_ps + draw.choice([0, to_ps(0.001), to_ps(0.1)])
        return [
            (time_ps, f"down {h}", lambda plane: plane.set_up(h, False)),
            (min(up_ps, plan.horizon_ps), f"up {h}", lambda plane: plane.set_up(h, True)),
        ]
    if kind == "hop":
        change = _random_path(draw) if plan.hops[h].kind == "path" else _random_speed(draw, plan, h)
        name = "set_path" if plan.hops[h].kind == "path" else "set_service"
        return [(time_ps, f"{name} {h} {change}", lambda plane: getattr(plane, name)(h, **change))]
    if plan.sources and (not plan.tcp_flows or draw.random() < 0.5):
        s = draw.randrange(len(plan.sources))
        position = draw.choice([None, *range(len(plan.sources[s].routes))])
        text = f"set_source_route {s} {position}"
        return [(time_ps, text, lambda plane: plane.set_source_route(s, position))]
    f = draw.randrange(len(plan.tcp_flows))
    positions = [None, *range(len(plan.tcp_flows[f].data_routes))]
    data, ack = draw.choice(positions), draw.choice(positions)
    which = draw.choice([("data",), ("ack",), ("data", "ack")])
    text = f"set_flow_route {f} {data} {ack} {which}"
    return [(time_ps, text, lambda plane: plane.set_flow_route(f, data, ack, which=which))]


def _random_path(draw: random.Random) -> dict[str, int | None]:
    return {
        "delay_ps": to_ps(draw.choice([1e-4, 1e-3, 8e-3])),
        "loss_threshold": draw.choice([None, int(threshold(0.05))]),
    }


def _random_speed(draw: random.Random, plan: Plan, h: int) -> dict[str, int]:
    factor = draw.choice([0.25, 0.5, 3.0])
    names = ("per_byte", "min_service_ps")
    return {name: int(int(plan.hop[h][name]) * factor) for name in names}
