"""One stream in one direction: every ceiling, with the one that binds.

A ceiling is a limit of a hop or of the flows themselves. Each is converted to inner IP bits/s of
the stream in question: a link counts bytes on the wire, a packet rate multiplies the stream's mean
packet, a hop that only a share of the stream passes allows the whole stream more. What other
streams offer to the same hop is taken off; the ceiling that leaves the stream least binds (rule
R036).

    available = (limit - load of the others) / bytes metered per inner byte / share of the stream

TCP takes what is left, so its load is not a number; how many flows compete is named instead. Of
TCP flows over parallel hops each takes what its own hop leaves (`shares`): instead of dividing by
the share of the stream, what the flows on other hops reach is added. ACKs that pass the hop of
their own data count with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Final

from simulator.base.units import (
    BITS_PER_BYTE,
    format_duration,
    format_packet_rate,
    format_rate,
    format_ratio,
    format_size,
)
from simulator.draft import Ceiling
from simulator.plan import Plan, TcpFlowPlan
from simulator.planner.demand import Demand
from simulator.planner.round_trip import mean_round_trips_s
from simulator.planner.spread import CLOSE_RATIO, MODEL_RATIO, spread
from simulator.planner.stream_at_hops import StreamAtHops

LEAST_S: Final = 1e-9
"""Shorter round trips count as this."""


@dataclass(frozen=True)
class CeilingRow:
    """One ceiling of a stream and direction."""

    ceiling: str
    value: str
    source: str
    load: str = ""
    headroom_ratio: float | None = None
    """What is left of the limit under the load of all streams, None where load is unknown."""
    stream_bps: float | None = None
    """The limit as inner IP bits/s of this stream alone; None if it is no rate."""
    available_bps: float | None = None
    """The same, less what other streams offer."""
    binds: bool = False
    range_bps: tuple[float, float] | None = None
    """Of the ceiling that binds TCP: between what the stream lies in this run, as inner IP bits/s;
    None if congestion control reaches it within 3 %."""
    range_why: str = ""
    """What keeps congestion control from it, or makes runs differ."""


class StreamCeilings:
    """What a plan says about one stream in one direction.

    Parameters
    ----------
    asked
        What all streams ask of the plan, at least a bundle of this one among them.
    """

    def __init__(self, plan: Plan, direction_idx: int, asked: Demand) -> None:
        self.stream = StreamAtHops(plan, direction_idx, asked)
        self._plan = plan
        self._flows = self.stream.flows
        self._flows_count = asked.flows_count
        self._together = asked.together
        name = plan.streams[plan.directions[direction_idx].stream_idx].name
        self._note = plan.meta["streams"][name]

    def rows(self) -> tuple[CeilingRow, ...]:
        """Every ceiling in order, the binding one marked."""
        routes = [self._plan.routes[route_idx] for route_idx in self.stream.shown.values()]
        hops = list(dict.fromkeys(hop for route in routes for hop in reversed(route.hop_idx)))
        found = [
            (ceiling, hop)
            for hop in hops
            for ceiling in self.stream.ceilings.get(hop, ())
            if ceiling.loss_ratio is None or self._flows
        ]
        at_hops = [self._row(*pair) for pair in sorted(found, key=lambda pair: pair[0].kind)]
        listed = _marked([*self._window_rows(), *dict.fromkeys(at_hops)])
        return tuple(self._with_range(row) if row.binds else row for row in listed)

    def _with_range(self, row: CeilingRow) -> CeilingRow:
        """The binding ceiling with what congestion control makes of it."""
        most_bps = row.available_bps
        if not self._flows or not most_bps:
            return row
        tightest = self.stream.tightest
        is_shared = any(hop in self.stream.acks for hop in tightest.values())
        found = spread(
            self._plan, self._flows, tightest, self.stream.levels_bps, waits_with_acks=is_shared
        )
        if found is None or found.low_bps >= CLOSE_RATIO * MODEL_RATIO * most_bps:
            return row
        # A rate is never passed; a law of random loss is a mean, above which a run may be.
        is_mean = most_bps not in self.stream.capacity_bps.values() and found.high_bps > most_bps
        high_bps = found.high_bps if is_mean else most_bps
        return replace(row, range_bps=(found.low_bps, high_bps), range_why=found.why)

    def _row(self, ceiling: Ceiling, hop: int) -> CeilingRow:
        if ceiling.rate_after_loss_bps is not None:
            return self._after_loss(ceiling, ceiling.rate_after_loss_bps, hop)
        if ceiling.rate_bps is not None:
            return self._rate(ceiling, ceiling.rate_bps, hop)
        if ceiling.packets_per_s is not None:
            return self._packets(ceiling, ceiling.packets_per_s, hop)
        if ceiling.flows_count is not None:
            return self._flows_limit(ceiling, ceiling.flows_count)
        return self._loss(ceiling, ceiling.loss_ratio or 0.0)

    def _rate(self, ceiling: Ceiling, limit_bps: float, hop: int) -> CeilingRow:
        if math.isinf(limit_bps):
            return CeilingRow(ceiling.label, "no limit", ceiling.source)
        metered = self.stream.metered_ratio(ceiling, hop)
        load_bps = self.stream.loads[hop].metered_bps(ceiling.meter)
        value = format_rate(limit_bps)
        if metered > 1:
            value += f" on the wire = {format_rate(limit_bps / metered)}"
        return CeilingRow(
            ceiling=ceiling.label,
            value=value + self._share_text(hop),
            source=ceiling.source,
            load=self._load_text(format_rate(load_bps), hop),
            headroom_ratio=1 - load_bps / limit_bps,
            stream_bps=self._whole(limit_bps / metered, hop),
            available_bps=self._whole(self.stream.left_bps(ceiling, hop), hop),
        )

    def _whole(self, passing_bps: float, hop: int) -> float:
        """What the whole stream reaches if a hop lets so much of it pass.

        Open-loop flows keep their proportions. TCP flows on other hops take what those leave.
        """
        if not self.stream.is_elastic:
            return passing_bps / self.stream.share(hop)
        elsewhere = [
            share_bps * bundle.flows_count
            for share_bps, bundle in zip(self._shares_bps, self.stream.bundles, strict=True)
            if hop not in self._plan.routes[bundle.route_idx].hop_idx
        ]
        return passing_bps + sum(elsewhere)

    @cached_property
    def _shares_bps(self) -> list[float]:
        """The max-min share of a flow of each bundle beside what other streams offer."""
        return self.stream.shares_bps(self.flow_cap_bps)

    @cached_property
    def flow_cap_bps(self) -> float:
        """What a TCP flow reaches by itself, by its window and random loss: inner bits/s."""
        flow_rows = [row.available_bps for row in self._flow_rows() if row.available_bps]
        return min(flow_rows, default=math.inf) / max(1, len(self._flows))

    def _flow_rows(self) -> Iterator[CeilingRow]:
        """What bounds each flow by itself: its window, and random loss on its way."""
        yield from self._window_rows()
        stream = self.stream
        at_hops = chain.from_iterable(stream.ceilings.get(hop, ()) for hop in stream.hops)
        for ceiling in dict.fromkeys(c for c in at_hops if c.loss_ratio is not None):
            if self._flows:
                yield self._loss(ceiling, ceiling.loss_ratio or 0.0)

    def _after_loss(self, ceiling: Ceiling, limit_bps: float, hop: int) -> CeilingRow:
        """What one of two hops must pass alone: the load of both, and no limit as long as both are.

        A negative headroom is what would be lost.
        """
        load = self._together[ceiling, self._plan.hops[hop].direction]
        load_bps = load.metered_bps(ceiling.meter)
        text = format_rate(load_bps)
        if load.elastic_flows_count:
            text += f" + {load.elastic_flows_count} TCP flows"
        return CeilingRow(
            ceiling=ceiling.label,
            value=format_rate(limit_bps),
            source=ceiling.source,
            load=text,
            headroom_ratio=1 - load_bps / limit_bps,
        )

    def _packets(self, ceiling: Ceiling, limit_pps: float, hop: int) -> CeilingRow:
        load_pps = self.stream.loads[hop].packets_per_s
        bits = self.stream.bits_per_packet(hop)
        value = (
            f"{format_packet_rate(limit_pps)} x {bits / BITS_PER_BYTE:.4g} bytes = "
            f"{format_rate(limit_pps * bits)}"
        )
        return CeilingRow(
            ceiling=f"{ceiling.label} x packet size",
            value=value + self._share_text(hop),
            source=ceiling.source,
            load=self._load_text(format_packet_rate(load_pps), hop),
            headroom_ratio=1 - load_pps / limit_pps,
            stream_bps=self._whole(limit_pps * bits, hop),
            available_bps=self._whole(self.stream.left_bps(ceiling, hop), hop),
        )

    def _flows_limit(self, ceiling: Ceiling, limit_count: float) -> CeilingRow:
        """A limit of the whole gateway: the flows of all hops that carry the same ceiling."""
        load_count = self._flows_count[ceiling]
        return CeilingRow(
            ceiling=ceiling.label,
            value=f"{limit_count:,.0f} flows",
            source=ceiling.source,
            load=f"{load_count:,} flows",
            headroom_ratio=1 - load_count / limit_count,
        )

    def _window_rows(self) -> Iterator[CeilingRow]:
        """What the windows of the TCP flows allow in one round trip."""
        if not self._flows:
            return
        settings = self._flows[0].settings
        window_bytes = settings["rwnd_segments"] * settings["mss_bytes"]
        source = self._note.sources["window"]
        yield self._tcp_row("flow window / RTT", source, window_bytes, format_size(window_bytes))

    def _loss(self, ceiling: Ceiling, loss_ratio: float) -> CeilingRow:
        """What random loss lets the TCP flows reach, each at its mean window."""
        flow = self._flows[0]
        window = mean_window_segments(flow, loss_ratio, self.rtt_s_mean or LEAST_S)
        algorithm = flow.options["congestion_control"]
        window_text = f"{window:.3g} segments ({algorithm})"
        window_bytes = window * flow.settings["mss_bytes"]
        return self._tcp_row(ceiling.label, ceiling.source, window_bytes, window_text)

    def _tcp_row(self, label: str, source: str, window_bytes: float, window: str) -> CeilingRow:
        rtt_s, flows_count = self.rtt_s_mean or LEAST_S, len(self._flows)
        payload_bps = flows_count * window_bytes * BITS_PER_BYTE / rtt_s
        value = f"{flows_count} x {window} / {format_duration(rtt_s)} = {format_rate(payload_bps)}"
        settings = self._flows[0].settings
        inner_bps = payload_bps * settings["segment_bytes"] / settings["mss_bytes"]
        return CeilingRow(label, value, source, stream_bps=inner_bps, available_bps=inner_bps)

    @cached_property
    def rtt_s_mean(self) -> float | None:
        """The mean round trip of the flows without load: the harmonic mean of those of all.

        None where no TCP sends data.
        """
        if not self._flows:
            return None
        pairs = [(flow.data_routes[0], flow.ack_routes[0]) for flow in self._flows]
        return len(pairs) / sum(
            1.0 / max(s, LEAST_S) for s in mean_round_trips_s(self._plan, pairs)
        )

    def _share_text(self, hop: int) -> str:
        share = self.stream.share(hop)
        return "" if share > 1 - 1e-9 else f", for {format_ratio(share)} of the stream"

    def _load_text(self, load: str, hop: int) -> str:
        elastic_count = self.stream.loads[hop].elastic_flows_count
        return f"{load} + {elastic_count} TCP flows" if elastic_count else load


def mean_window_segments(flow: TcpFlowPlan, loss_ratio: float, rtt_s: float) -> float:
    """Mean congestion window of a flow under random loss, in segments.

    NewReno: sqrt((1 + b) / (2 (1 - b) p)), with b = 1/2 the square-root law (Mathis et al. 1997).
    CUBIC: (C (3 + b) / (4 (1 - b)))^(1/4) (RTT / p)^(3/4) (RFC 9438, section 5), and not below
    the window of NewReno, which its Reno-friendly region follows.
    """
    options = flow.options
    reno_beta = float(options["newreno_beta"])
    reno = math.sqrt((1 + reno_beta) / (2 * (1 - reno_beta) * loss_ratio))
    if options["congestion_control"] != "cubic":
        return reno
    beta = float(options["cubic_beta"])
    factor = (float(options["cubic_c"]) * (3 + beta) / (4 * (1 - beta))) ** 0.25
    cubic: float = factor * (rtt_s / loss_ratio) ** 0.75
    return max(reno, cubic)


def _marked(rows: Iterable[CeilingRow]) -> tuple[CeilingRow, ...]:
    """The rows, with the one that leaves the stream least marked."""
    listed = list(rows)
    rates = [row.available_bps for row in listed if row.available_bps is not None]
    if rates:
        first = next(i for i, row in enumerate(listed) if row.available_bps == min(rates))
        listed[first] = replace(listed[first], binds=True)
    return tuple(listed)
