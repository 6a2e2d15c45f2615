"""Groups of transfers whose members part ways, what hops give, and ACKs of flows that are cut."""

import numpy as np
import pytest

from simulator import engine
from simulator.base.errors import InternalError
from simulator.flowlevel import FlowPlane, serving, shares
from simulator.plan import FORWARD, RETURN, Distribution, to_ps
from simulator.plan_builder import PlanBuilder
from simulator.planner import build
from simulator.result import Result
from simulator.scenario import load
from tests.flowlevel.cases import bulk, fault, one_site, poisson
from tests.flowlevel.test_scenarios import CLIENTS, PAGES
from tests.planner.designs import design, merged

TCP = {"segment_bytes": 1400, "mss_bytes": 1348, "ack_bytes": 52, "window_bytes": 1e6}
MEMBERS = 10


def group(rate_bps=100e6, size_bytes=1e5, arrivals_per_s=2.0):
    """Ten clients with an access line each, who can reach the far end over either of two servers.

    Returns the plan and the indices of the two servers.
    """
    made = PlanBuilder(scenario="s", seed=1, horizon_s=400.0, time_bin_s=10.0, fidelity="flow")
    servers = [made.server(name, rate_bps=rate_bps, buffer_s=0.02) for name in ("near", "far")]
    back = made.path("back", delay_s=5e-3)
    stream = made.stream("pages", "transfers", "a", "b")
    for n in range(MEMBERS):
        access = made.server(f"access-{n}", rate_bps=50e6)
        made.transfers(
            stream,
            [made.route(stream, FORWARD, [access, server]) for server in servers],
            [made.route(stream, RETURN, [back])],
            size=Distribution("constant", (size_bytes,)),
            arrivals_per_s=arrivals_per_s,
            label=str(n),
            **TCP,
        )
    return made.build(), servers


def rates(plane, servers, until_s):
    """Bits per second that servers carry until then."""
    before = [plane.served_bytes(h) for h in servers]
    begin_ps = plane.now_ps
    plane.advance(to_ps(until_s))
    took_s = (plane.now_ps - begin_ps) / 1e12
    after = [plane.served_bytes(h) for h in servers]
    return [8.0 * (b - a) / took_s for a, b in zip(before, after, strict=True)]


def test_members_of_a_group_take_the_routes_that_they_are_sent():
    plan, servers = group()
    plane = FlowPlane(plan)
    plane.advance(to_ps(10.0))
    total_bps, nothing = rates(plane, servers, 100.0)
    assert total_bps == pytest.approx(MEMBERS * 2.0 * 8e5 * 1400 / 1348, rel=0.1)
    assert nothing == 0.0
    for f in range(3):
        plane.set_flow_route(f, 1, which=("data",))
    near_bps, far_bps = rates(plane, servers, 300.0)
    assert far_bps / (near_bps + far_bps) == pytest.approx(0.3, abs=0.05)
    assert near_bps + far_bps == pytest.approx(total_bps, rel=0.1)
    for f in range(MEMBERS):
        plane.set_flow_route(f, 1, which=("data",))
    near_bps, far_bps = rates(plane, servers, 400.0)
    assert near_bps == pytest.approx(0.0, abs=1.0)
    assert far_bps == pytest.approx(total_bps, rel=0.1)
    log = plane.finish(0.0)
    started = log.transfers["started"][0]
    assert log.transfers["completed"][0] == pytest.approx(started, abs=3)


def test_an_outage_stops_only_the_members_of_a_group_that_pass_it():
    plan, servers = group()
    plane = FlowPlane(plan)
    for f in range(5):
        plane.set_flow_route(f, 1, which=("data",))
    plane.advance(to_ps(50.0))
    plane.set_up(servers[0], False)
    near_bps, far_bps = rates(plane, servers, 60.0)
    assert near_bps == 0.0
    assert far_bps > 4e6
    plane.set_up(servers[0], True)
    rates(plane, servers, 100.0)
    near_bps, far_bps = rates(plane, servers, 300.0)
    assert near_bps == pytest.approx(far_bps, rel=0.2)
    plane.advance(plan.horizon_ps)
    assert plane.finish(0.0).transfers["completed"][0] > 0


def test_what_is_under_way_leaves_a_route_that_nobody_takes_any_more():
    plan, servers = group(rate_bps=1e6, size_bytes=1e6, arrivals_per_s=0.01)
    plane = FlowPlane(plan)
    plane.advance(to_ps(100.0))
    plane.set_up(servers[0], False)
    plane.advance(to_ps(101.0))
    for f in range(MEMBERS):
        plane.set_flow_route(f, 1, which=("data",))
    plane.advance(to_ps(110.0))
    assert rates(plane, servers, 200.0) == [0.0, pytest.approx(1e6, rel=0.15)]


def test_bulk_flows_over_two_tunnels_are_no_private_lines():
    plan, servers = group()
    plane = FlowPlane(plan)
    (item,) = plane._tcp.items
    assert item.count == MEMBERS
    assert not set(servers) & set(item.private)


def test_clients_of_a_gateway_of_which_an_instance_fails_part_ways():
    traffic = {"pages": PAGES | {"from": "team", "users": 1, "think": {
        "kind": "exponential", "mean": "5 s"}}}  # fmt: skip
    more = merged(CLIENTS, {
        "run": {"horizon": "40 min", "time_bin": "10 s"},
        "gateways": {"hub-vpn": {"mode": "active-active", "sku": "VpnGw2AZ"}},
        "faults": fault("gateway-instance-failure", "10 min", "2 min",
                        gateway="hub-vpn", instance=0),
    })  # fmt: skip
    plan = build(design(**more, traffic=traffic))
    rows = Result(plan, engine.run(plan)).timeline
    own = rows[(rows["stream"] == "pages") & (rows["direction"] == "return")]
    before = own.loc[(own["time_s"] > 120) & (own["time_s"] < 590), "goodput_bps"].mean()
    during = own.loc[(own["time_s"] >= 610) & (own["time_s"] < 630), "goodput_bps"].mean()
    after = own.loc[own["time_s"] > 1500, "goodput_bps"].mean()
    assert 0.2 * before < during < 0.85 * before
    assert after == pytest.approx(before, rel=0.15)


def test_a_hop_that_gives_flows_more_than_it_has_is_an_internal_error(monkeypatch):
    plan = build(load(one_site({"backup": bulk(4)}, run={"fidelity": "flow", "horizon": "20 s",
                                                         "warm_up": "0 s"})))  # fmt: skip
    engine.run(plan)
    real = shares.Shares.rates

    def too_fast(self):
        rate_bps, limit, count = real(self)
        return rate_bps * (1.0 + 1e-6), limit, count

    monkeypatch.setattr(shares.Shares, "rates", too_fast)
    with pytest.raises(InternalError, match=r"hop lyon.isp.up \(forward\) gives flows 1\.0+1"):
        engine.run(plan)


def test_a_hop_that_serves_streams_more_than_it_has_is_an_internal_error(monkeypatch):
    overload = {"office": poisson("300 Mbit/s")}
    plan = build(load(one_site(overload, run={"fidelity": "flow", "horizon": "20 s",
                                              "warm_up": "0 s"})))  # fmt: skip
    engine.run(plan)
    real = serving.serve_inelastic

    def too_generous(*arguments):
        status = real(*arguments)
        arguments[5][:] = np.minimum(arguments[5] * (1.0 + 1e-6), 1.0)
        return status

    monkeypatch.setattr(serving, "serve_inelastic", too_generous)
    with pytest.raises(InternalError, match="gives streams"):
        engine.run(plan)


def test_the_acks_of_a_flow_that_is_cut_have_a_row_of_their_own():
    outage = fault("internet-outage", "60 s", "20 s", site="lyon", internet="isp")
    for fidelity in ("packet", "flow"):
        plan = build(load(one_site({"backup": bulk(4)}, faults=outage,
                                   run={"fidelity": fidelity})))  # fmt: skip
        rows = Result(plan, engine.run(plan)).failovers
        assert set(rows["direction"]) == {"forward", "return"}, fidelity
        assert (rows["outage_s"] >= 20.0).all(), fidelity
