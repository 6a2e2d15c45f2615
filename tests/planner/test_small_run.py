"""The same control processes in the engine: packets feel what the timeline says."""

import numpy as np
import pytest

from kernels import layout
from simulator import engine
from simulator.plan import FORWARD, PS_PER_S
from simulator.planner import build
from simulator.planner.explain import explain
from tests.planner.designs import active_active, design
from tests.planner.fake_world import FakeWorld

DPD = {"lyon-vpn": {"dpd": {"gateway": "9 s", "device": {"interval": "3 s", "retries": 3}}}}
CALLS = {"kind": "voice", "from": "lyon", "to": "hub", "codec": "G.711", "calls": 8}
BULK = {"kind": "bulk-tcp", "from": "hub", "to": "lyon", "flows": 2, "window": "64 KiB"}
OFFICE = {"rate": "1 Mbit/s", "reply_rate": "0 bit/s"}
TRAFFIC = {"office": OFFICE, "calls": CALLS, "bulk": BULK}


def outage():
    faults = [{"kind": "internet-outage", "site": "lyon", "internet": "isp", "at": "3 s",
               "duration": "15 s"}]  # fmt: skip
    return design(run={"horizon": "45 s"}, connections=DPD, traffic=TRAFFIC, faults=faults)


def maintenance():
    faults = [{"kind": "gateway-instance-failure", "gateway": "hub-vpn", "at": "3 s",
               "duration": "25 s"}]  # fmt: skip
    return active_active(run={"horizon": "45 s"}, connections=DPD, traffic=TRAFFIC, faults=faults)


@pytest.fixture(scope="module", params=[outage, maintenance], ids=["outage", "maintenance"])
def finished(request):
    plan = build(request.param())
    return plan, engine.run(plan)


def dropped(log, direction_idx, reason):
    return int(log.dropped_packets_total[direction_idx, layout.REASONS.index(reason)])


def test_nothing_is_lost_from_the_books(finished):
    _plan, log = finished
    sent = log.total["sent_packets"]
    counted = (
        log.total["delivered_packets"] + log.dropped_packets_total.sum(1) + log.in_flight_packets
    )
    assert np.array_equal(sent, counted)
    assert np.all(sent > 0)


def test_events_are_those_of_the_processes_alone(finished):
    plan, log = finished
    alone = FakeWorld(45, plan.seed).run(plan.processes)
    events = [(e.time_ps / PS_PER_S, e.kind, e.subject, e.cause_event_id) for e in log.events]
    expected = [(e.time_s, e.kind, e.subject, e.cause_event_id) for e in alone.events]
    assert events == expected


def test_packets_feel_the_fault_and_its_end(finished):
    plan, log = finished
    for d, where in enumerate(plan.directions):
        name = plan.streams[where.stream_idx].name
        if name == "bulk":
            continue
        lost = dropped(log, d, "path_down") + dropped(log, d, "no_route")
        delivered = log.counter["delivered_packets"][:, d]
        if name == "calls":
            assert lost > 0
        assert delivered[:2].min() > 0
        assert delivered[-3:].min() > 0


def test_outage_loses_everything_between_fault_and_new_tunnel():
    plan = build(outage())
    log = engine.run(plan)
    (up,) = [e.time_ps for e in log.events if e.kind == "ike-established"]
    (office,) = [
        d
        for d, where in enumerate(plan.directions)
        if plan.streams[where.stream_idx].name == "office" and where.direction == FORWARD
    ]
    inside = (log.bin_start_ps >= 4 * PS_PER_S) & (log.bin_end_ps <= up)
    assert inside.sum() >= 14
    assert not log.counter["delivered_packets"][inside, office].any()
    assert dropped(log, office, "path_down") > 0  # until the device detects
    assert dropped(log, office, "no_route") > 0  # from then on


def sizes(direction_from: str, direction_to: str, **mtu):
    """A stream of 1,500-byte packets without DF, and TCP that is not clamped."""
    office = {"from": direction_from, "to": direction_to, "packet_size": "1500 bytes", **OFFICE}
    bulk = {**BULK, "from": direction_from, "to": direction_to}
    connections = {"lyon-vpn": {"mtu": {"mss_clamp": None, **mtu}}}
    traffic = {"office": office, "bulk": bulk}
    return build(design(run={"horizon": "2 s"}, connections=connections, traffic=traffic))


@pytest.mark.parametrize(
    ("ends", "mtu", "office_passes", "tcp_passes"),
    [
        (("lyon", "hub"), {}, True, True),  # cut by the device; path MTU discovery
        (("hub", "lyon"), {}, False, True),  # the gateway cuts nothing
        (("lyon", "hub"), {"icmp_too_big": "filtered"}, True, False),  # black hole
        (("hub", "lyon"), {"icmp_too_big": "filtered"}, False, False),
        (("lyon", "hub"), {"do_not_fragment": "clear"}, True, True),
    ],
)
def test_packets_that_do_not_fit(ends, mtu, office_passes, tcp_passes):
    plan = sizes(*ends, **mtu)
    log = engine.run(plan)
    forward = {
        plan.streams[where.stream_idx].name: d
        for d, where in enumerate(plan.directions)
        if where.direction == FORWARD
    }
    for name, passes in (("office", office_passes), ("bulk", tcp_passes)):
        total, d = log.total[forward[name]], forward[name]
        too_large = dropped(log, d, "mtu_exceeded")
        if passes:
            assert total["delivered_packets"] > 0
            assert too_large == 0
        else:
            assert total["delivered_packets"] == 0
            assert too_large == total["sent_packets"] - log.in_flight_packets[d] > 0
    is_cut = ends == ("lyon", "hub")
    assert bool(log.hop["fragments"].any()) is is_cut


WIDE = {"lyon": {"internet": {"isp": {"up": "20 Gbit/s", "down": "20 Gbit/s"}}}}


def flood(packet_bytes: int, rate: str, **sections):
    office = {"rate": rate, "reply_rate": rate, "packet_size": f"{packet_bytes} bytes"}
    return {"traffic": {"office": office}, **sections}


@pytest.mark.parametrize(
    ("sections", "stream", "binding"),
    [
        (flood(200, "120 Mbit/s", sites=WIDE), "office", "packets/s"),
        (flood(1400, "750 Mbit/s", sites=WIDE), "office", "bits/s"),
        (flood(1000, "250 Mbit/s"), "office", "up-link"),
        ({"traffic": {"office": OFFICE, "bulk": {**BULK, "from": "lyon", "to": "hub", "flows": 8,
                                                 "window": "4 MiB"}}}, "bulk", "up-link"),
    ],
)  # fmt: skip
def test_a_saturating_stream_reaches_its_binding_ceiling(sections, stream, binding):
    scenario = design(run={"horizon": "8 s"}, **sections)
    plan = build(scenario)
    log = engine.run(plan)
    (row,) = [row for row in explain(scenario).stream(stream).ceilings if row.binds]
    assert binding in row.ceiling
    (d,) = [
        d
        for d, where in enumerate(plan.directions)
        if plan.streams[where.stream_idx].name == stream and where.direction == FORWARD
    ]
    late = log.bin_start_ps >= 3 * PS_PER_S
    reached_bps = log.counter["delivered_bytes"][late, d].sum() * 8 / late.sum()
    assert reached_bps == pytest.approx(row.available_bps, rel=0.03)
