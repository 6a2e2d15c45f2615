"""From how things stand at flow level to a packet plane in the middle of its work.

Sources are those of the plan, with a packet number as if they had sent until now. A bulk flow that
flows has its window, rate x round trip, on the way: its segments leave evenly within one round trip
and slow start is over. One whose route is cut waits for its timeout.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from simulator.base.errors import InternalError
from simulator.dataplane import DataPlane
from simulator.draws import exponential, unit
from simulator.flowlevel.handover import Bulk
from simulator.plan import PS_PER_S, Plan, SourcePlan, TcpFlowPlan, to_ps
from simulator.recorder import Recorder, Window
from simulator.zoom.course import State, routes_of_packets

LEAST_SEGMENTS: Final = 2
"""Window of a flow that the flow level gives less, or nothing."""


def packet_plane(plan: Plan, window: Window, state: State, hop: npt.NDArray[Any]) -> DataPlane:
    """A packet plane at the beginning of a window; `hop` are its hops, speeds reduced."""
    of_packets = replace(
        _pruned(plan, window, state.bulk), hop=hop, horizon_ps=window.end_ps, fidelity="packet"
    )
    warm_up_ps = max(plan.warm_up_ps, window.begin_ps)
    recorder = Recorder(len(plan.directions), len(plan.hops), warm_up_ps)
    plane = DataPlane(of_packets, recorder, window.warm_ps)
    for s, position in enumerate(state.source_position):
        plane.set_source_route(s, position)
    for f, (data, ack) in enumerate(zip(state.data_position, state.ack_position, strict=True)):
        plane.set_flow_route(f, data, ack)
    for f, bulk in enumerate(state.bulk):
        if bulk.standing == "waiting":
            _let_wait(plane.tcp_flow[f], bulk)
        elif bulk.standing == "flowing" and plan.tcp_flows[f].options.get(
            "congestion_control"
        ) != "bbr":  # fmt: skip
            _fill_pipe(plane, f, bulk)
    return plane


def _pruned(plan: Plan, window: Window, bulk: tuple[Bulk, ...]) -> Plan:
    """The plan without transfers and what only they need, its sources and flows as they stand."""
    routes = routes_of_packets(plan)
    number = {r: n for n, r in enumerate(routes)}

    def renumbered(old: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(number[r] for r in old)

    return replace(
        plan,
        routes=tuple(plan.routes[r] for r in routes),
        sources=tuple(
            replace(_forward(plan, s, window.warm_ps), routes=renumbered(s.routes))
            for s in plan.sources
        ),
        tcp_flows=tuple(
            replace(
                _as_it_stands(flow, b),
                data_routes=renumbered(flow.data_routes),
                ack_routes=renumbered(flow.ack_routes),
            )
            for flow, b in zip(plan.tcp_flows, bulk, strict=True)
        ),
        transfers=(),
        processes=(),
        zoom=None,
    )


def _forward(plan: Plan, source: SourcePlan, now_ps: int) -> SourcePlan:
    """A source as if it had sent until now: its number of packets is the one to be expected.

    Constant gaps keep their phase; the rest of an exponential gap, or of a stay, is drawn.
    """
    row = source.record.copy()
    begin_ps, gap_ps = int(row["next_ps"]), float(row["mean_gap_ps"])
    if begin_ps >= now_ps:
        return source

    def draw(what: str) -> int:
        return plan.key("zoom", what, str(int(row["gap_key"])), str(now_ps))

    packets = int(np.ceil((now_ps - begin_ps) / gap_ps))
    row["count"] = packets
    if row["kind"] == layout.POISSON:
        row["next_ps"] = now_ps + int(exponential(draw("gap")) * gap_ps)
        return replace(source, record=row)
    row["next_ps"] = max(begin_ps + int(packets * gap_ps), now_ps)
    on_ps, off_ps = float(row["on_mean_ps"]), float(row["off_mean_ps"])
    if on_ps > 0.0:
        row["stay_count"] = int((now_ps - begin_ps) / (on_ps + off_ps))
        if unit(draw("talks")) * (on_ps + off_ps) >= on_ps:
            row["next_ps"] = now_ps + int(exponential(draw("silence")) * off_ps)
        row["stay_until_ps"] = row["next_ps"] + int(exponential(draw("spurt")) * on_ps)
    return replace(source, record=row)


def _as_it_stands(flow: TcpFlowPlan, bulk: Bulk) -> TcpFlowPlan:
    """A bulk flow that begins when and with what the flow level says."""
    settings = {
        **flow.settings,
        "start_ps": bulk.start_ps,
        "size_segments": bulk.segments_left,
    }
    options = dict(flow.options)
    if bulk.standing in ("flowing", "waiting"):
        settings["handshake_rtt_ps"] = to_ps(bulk.rtt_s)
        options["window_autotuning"] = False  # it has grown long ago
    return replace(flow, settings=settings, options=options)


def _let_wait(row: Any, bulk: Bulk) -> None:
    """After a timeout: one segment, then slow start up to half of the window before."""
    row["cwnd_segments"] = 1
    row["ssthresh_segments"] = max(int(bulk.window_segments / 2.0), LEAST_SEGMENTS)
    row["rto_ps"] = max(int(row["rto_ps"]), to_ps(bulk.timeout_s))


def _fill_pipe(plane: DataPlane, f: int, bulk: Bulk) -> None:
    """Put the window of a flow on its way: segments that leave evenly within a round trip."""
    row, endpoint = plane.tcp_flow[f], plane.endpoint[f]
    most = min(int(row["rwnd_segments"]), bulk.segments_left)
    window = min(max(round(bulk.window_segments), LEAST_SEGMENTS), most)
    sent_ps = plane.now_ps + np.arange(window) * to_ps(bulk.rtt_s) // window
    row["cwnd_segments"] = row["ssthresh_segments"] = max(window, LEAST_SEGMENTS)
    row["next_seq"] = window
    size = 1 << max(6, (window - 1).bit_length())
    row["seg_mask"] = min(size - 1, int(row["seg_room_mask"]))
    segments = plane.tcp_segment[int(row["seg_off"]) : int(row["seg_off"]) + window]
    segments["sent_ps"] = sent_ps
    size_bytes = int(row["segment_bytes"])
    packets = np.zeros(window, layout.PACKET)
    packets["time_ps"] = packets["sent_ps"] = sent_ps
    packets["id"] = (int(endpoint["data_flow"]) << layout.FLOW_SHIFT) + np.arange(window)
    packets["size"] = size_bytes | size_bytes << layout.WIRE_SHIFT
    packets["step"] = endpoint["data_step"]
    if int(endpoint["data_step"]) < 0:
        raise InternalError(f"bulk flow {f} flows without a route at {plane.now_ps / PS_PER_S} s")
    plane.put_on_way(packets, int(endpoint["data_direction"]))
