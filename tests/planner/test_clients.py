"""Point-to-site clients: who gets in, what their hops are, when they start, what they share."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import engine
from simulator.base.errors import ScenarioError
from simulator.plan import FORWARD, PS_PER_S, RETURN
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load
from tests.planner.designs import ONE_SITE, design
from tests.planner.fake_world import FakeWorld

ROOT = Path(__file__).resolve().parents[2]
ACCESS = {"up": "10 Mbit/s", "down": "30 Mbit/s", "delay": "12 ms", "loss": "0.1 %"}


def group(count: int = 3, protocol: str = "ikev2", **fields: Any) -> dict[str, Any]:
    return {
        "gateway": "hub-vpn",
        "protocol": protocol,
        "count": count,
        "location": {"near": "France Central"},
        "access": ACCESS,
        **fields,
    }


def work(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "constant",
        "from": "tele",
        "to": "hub",
        "rate": "80 kbit/s",
        "reply_rate": "400 kbit/s",
        "packet_size": "1000 bytes",
        **fields,
    }


def scenario(
    groups: dict[str, Any] | None = None,
    p2s: dict[str, Any] | None = None,
    gateway: dict[str, Any] | None = None,
    **sections: Any,
):
    offered = {"address_pools": ["172.16.0.0/16"], "protocols": ["ikev2"], **(p2s or {})}
    sections.setdefault("traffic", {"work": work()})
    return design(
        gateways={"hub-vpn": {"p2s": offered, **(gateway or {})}},
        clients=groups or {"tele": group()},
        **sections,
    )


def refused(plan, name="tele"):
    return {r.why: r.clients for r in plan.meta["clients"][name].refused}


# ---------------------------------------------------------------------------------------------
# Admission
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocols", "protocol", "count", "limit", "rule"),
    [
        (["sstp"], "sstp", 130, 128, "R091"),
        (["ikev2"], "ikev2", 252, 250, "R096"),
        (["openvpn"], "openvpn", 253, 250, "R096"),
    ],
)
def test_limits_of_the_sku(protocols, protocol, count, limit, rule):
    plan = build(scenario({"tele": group(count, protocol)}, {"protocols": protocols}))
    admitted = plan.meta["clients"]["tele"].clients
    assert [c.name for c in admitted] == [f"tele-{i}" for i in range(1, limit + 1)]
    ((why, clients),) = refused(plan).items()
    assert f"rule {rule}" in why
    assert clients == tuple(f"tele-{i}" for i in range(limit + 1, count + 1))
    (warning,) = [w for w in explain(scenario({"tele": group(count, protocol)},
                  {"protocols": protocols})).warnings if "refused" in w]  # fmt: skip
    assert f"{count - limit} of {count} are refused, tele-{limit + 1} to tele-{count}" in warning
    assert rule in warning


def test_at_the_limit_nobody_is_refused():
    plan = build(scenario({"tele": group(250)}))
    assert refused(plan) == {}
    assert len([s for s in plan.sources if s.record["direction"] == _direction(plan)]) == 250


def _direction(plan, stream="work", direction=FORWARD):
    return next(
        i
        for i, d in enumerate(plan.directions)
        if (plan.streams[d.stream_idx].name, d.direction) == (stream, direction)
    )


def test_ikev2_and_openvpn_share_a_limit_in_the_order_of_the_file():
    groups = {"tele": group(200, "openvpn"), "late": group(60, "ikev2")}
    plan = build(scenario(groups, {"protocols": ["ikev2", "openvpn"]}))
    assert refused(plan) == {}
    assert len(plan.meta["clients"]["late"].clients) == 50
    assert list(refused(plan, "late").values()) == [tuple(f"late-{i}" for i in range(51, 61))]


def test_sstp_has_a_limit_of_its_own_and_the_pool_is_divided():
    groups = {"tele": group(100, "sstp"), "late": group(300, "ikev2")}
    offered = {"protocols": ["sstp", "ikev2"], "address_pools": ["172.16.0.0/25"]}
    plan = build(scenario(groups, offered))
    # 128 addresses, 126 of them for clients, half for each
    assert len(plan.meta["clients"]["tele"].clients) == 63
    assert len(plan.meta["clients"]["late"].clients) == 63
    assert all("R097" in why for why in (*refused(plan), *refused(plan, "late")))
    assert any("R097" in warning for warning in plan.meta["warnings"])


def test_the_limit_of_2017_counts_all_protocols():
    groups = {"tele": group(100, "sstp"), "late": group(100, "ikev2")}
    offered = {"protocols": ["sstp", "ikev2"]}
    plan = build(scenario(groups, offered, {"sku": "VpnGw1"}, era="2017-12"))
    assert len(plan.meta["clients"]["late"].clients) == 28
    (why,) = refused(plan, "late")
    assert "128 clients in all" in why
    assert "R096" in why


def test_the_pool_of_an_active_active_gateway_is_divided_by_instance():
    offered = {"address_pools": ["172.16.0.0/26"]}
    plan = build(scenario({"tele": group(100)}, offered, {"mode": "active-active"}))
    clients = plan.meta["clients"]["tele"].clients
    assert {c.instance for c in clients} == {"hub-vpn.instance-0", "hub-vpn.instance-1"}
    # 62 addresses, 31 on each instance; 100 clients fill both whatever the hash
    assert len(clients) == 62
    assert all("R098" in why for why in refused(plan))


def test_active_active_spreads_clients_about_evenly():
    plan = build(scenario({"tele": group(250)}, gateway={"mode": "active-active"}))
    count = sum(c.instance.endswith("0") for c in plan.meta["clients"]["tele"].clients)
    assert abs(count - 125) < 4 * np.sqrt(250 / 4)


def test_radius_at_a_site_needs_a_tunnel_to_it():
    radius = {"auth": {"kind": "radius", "server": "lyon", "time": "0.5 s"}}
    assert refused(build(scenario(p2s=radius))) == {}
    paris = copy.deepcopy(ONE_SITE["sites"]["lyon"])
    paris |= {"address_space": ["192.168.20.0/24"]}
    paris["devices"]["edge"]["public_ip"] = "203.0.113.9"
    radius["auth"]["server"] = "paris"
    plan = build(scenario(p2s=radius, sites={"paris": paris}))
    (why,) = refused(plan)
    assert "R102" in why
    assert plan.meta["clients"]["tele"].clients == ()


# ---------------------------------------------------------------------------------------------
# Hops, bytes, ceilings
# ---------------------------------------------------------------------------------------------


def hops_of(plan, direction, number=0):
    d = _direction(plan, "work", direction)
    sources = [s for s in plan.sources if s.record["direction"] == d]
    route = plan.routes[sources[number].routes[0]]
    return [plan.hops[h].name for h in route.hop_idx], route.encapsulation


@pytest.mark.parametrize(("protocol", "overhead"), [("sstp", 77), ("ikev2", 64), ("openvpn", 66)])
def test_each_client_has_hops_of_its_own(protocol, overhead):
    plan = build(scenario({"tele": group(3, protocol)}, {"protocols": [protocol]}))
    names, around = hops_of(plan, FORWARD, 1)
    instance = "hub-vpn.instance-0"
    assert names == [
        "tele.hosts", "tele-2.up", "tele-2.wan-hub", instance, f"{instance}.latency", "hub.vnet"
    ]  # fmt: skip
    assert [e.fixed_bytes for e in around] == [0, overhead, overhead, overhead, 0, 0]
    names, around = hops_of(plan, RETURN, 1)
    assert names == ["hub.vnet", f"{instance}.latency", instance, "tele-2.wan-hub", "tele-2.down"]
    assert [e.fixed_bytes for e in around] == [0, 0, overhead, overhead, overhead]


def test_a_fast_line_meets_the_ceiling_of_one_client():
    fast = {**ACCESS, "up": "1 Gbit/s"}
    plan = build(scenario({"tele": group(2, access=fast)}))
    names, _ = hops_of(plan, FORWARD)
    assert names[1:4] == ["tele-1.up", "tele-1.wan-hub", "tele-1.tunnel"]
    hop = plan.hop[[h.name for h in plan.hops].index("tele-1.tunnel")]
    assert hop["min_service_ps"] == round(PS_PER_S / 47000)  # AES256/SHA256 of VpnGw1AZ
    assert "tele-1.tunnel" not in hops_of(plan, RETURN)[0]


def test_explain_shows_one_client_for_all_and_counts_the_rest():
    found = explain(scenario({"tele": group(200)}))
    row = found.stream("work")
    assert row.flows_count == 200
    assert row.offered_bps == pytest.approx(200 * 80e3)
    assert [way.share_ratio for way in row.ways] == [pytest.approx(1.0)]
    (binding,) = [c for c in row.ceilings if c.binds]
    # the instance: 650 Mbit/s, less 10 Mbit/s of the site
    assert binding.ceiling == "instance hub-vpn.instance-0, VpnGw1AZ"
    assert binding.available_bps == pytest.approx(640e6)
    up = next(c for c in row.ceilings if c.ceiling == "up-link of each of tele")
    assert up.stream_bps == pytest.approx(200 * 10e6 * 1000 / 1064)
    tunnel = next(c for c in row.ceilings if c.ceiling.endswith("bits/s"))
    assert tunnel.stream_bps == pytest.approx(200 * 500e6)
    assert "estimate" in tunnel.source


def test_the_access_line_binds_few_clients():
    row = explain(scenario({"tele": group(4)})).stream("work", RETURN)
    (binding,) = [c for c in row.ceilings if c.binds]
    assert binding.ceiling == "down-link of each of tele"
    assert binding.available_bps == pytest.approx(4 * 30e6 * 1000 / 1064)


@pytest.mark.parametrize("kind", ["poisson", "constant", "voice", "bulk-tcp"])
def test_every_kind_of_traffic_is_that_of_each_client(kind):
    traffic = {
        "poisson": work(kind="poisson"),
        "constant": work(),
        "voice": {"kind": "voice", "from": "tele", "to": "hub", "codec": "G.711", "calls": 2},
        "bulk-tcp": {"kind": "bulk-tcp", "from": "tele", "to": "hub", "flows": 2},
    }[kind]
    plan = build(scenario({"tele": group(5)}, traffic={"work": traffic}))
    stream = next(i for i, s in enumerate(plan.streams) if s.name == "work")
    flows = [f for f in plan.tcp_flows if f.stream_idx == stream]
    flows += [
        s for s in plan.sources if plan.directions[int(s.record["direction"])].stream_idx == stream
    ]
    assert len(flows) == {"poisson": 10, "constant": 10, "voice": 20, "bulk-tcp": 10}[kind]
    assert len(set(plan.flow_key.tolist())) == len(plan.flow_key)


# ---------------------------------------------------------------------------------------------
# In time
# ---------------------------------------------------------------------------------------------


def test_traffic_starts_when_the_handshake_is_done():
    offered = {"protocols": ["sstp"], "auth": {"time": "0.4 s"}}
    plan = build(scenario({"tele": group(3, "sstp")}, offered))
    # France Central - West Europe 13 ms, stretched by 15 %, 2 x 12 ms access, 2 x 0.225 ms gateway
    one_way_s = plan.meta["delay_s"][[h.name for h in plan.hops].index("tele-1.wan-hub")]
    ready_s = plan.meta["clients"]["tele"].ready_s
    assert ready_s == pytest.approx(11 * 2 * one_way_s + 0.4, rel=0.02)
    starts = [int(s.record["next_ps"]) for s in plan.sources if s.record["direction"] in
              {_direction(plan), _direction(plan, "work", RETURN)}]  # fmt: skip
    assert min(starts) >= ready_s * PS_PER_S
    late = build(scenario({"tele": group(3, "sstp")}, offered, traffic={"work": work(start="9 s")}))
    starts = [int(s.record["next_ps"]) for s in late.sources
              if s.record["direction"] == _direction(late)]  # fmt: skip
    assert min(starts) >= 9 * PS_PER_S


def test_the_timeline_says_who_is_connected_and_who_is_refused():
    plan = build(scenario({"tele": group(255)}))
    events = FakeWorld(20, plan.seed).run(plan.processes).events
    connected, no_entry = events
    assert (connected.kind, connected.subject) == ("p2s-connected", "tele")
    assert connected.detail.startswith("250 clients")
    assert connected.time_s == pytest.approx(plan.meta["clients"]["tele"].ready_s)
    assert no_entry.kind == "p2s-refused"
    assert "5 clients, tele-251 to tele-255" in no_entry.detail
    assert "R096" in no_entry.detail


# ---------------------------------------------------------------------------------------------
# What cannot be
# ---------------------------------------------------------------------------------------------


def both(*protocols):
    return {"protocols": list(protocols)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"p2s": both("sstp", "openvpn"), "groups": {"tele": group(1, "sstp")}}, "R095"),
        ({"p2s": both("ikev2"), "groups": {"tele": group(1, "sstp")}}, "offers ikev2"),
        ({"gateway": {"sku": "Basic"}}, "R092"),
        ({"gateway": {"sku": "Basic"}, "p2s": {**both("sstp"), "auth": {"kind": "radius"}},
          "groups": {"tele": group(1, "sstp")}}, "R094"),
        ({"gateway": {"vpn_type": "policy-based"}}, "R048"),
        ({"p2s": {"address_pools": ["192.168.10.128/25"]}}, "R023"),
        ({"p2s": {"address_pools": ["172.16.0.0/24", "172.16.0.0/28"]}}, "R023"),
        ({"p2s": {"auth": {"server": "lyon"}}}, "certificates need no server"),
        ({"p2s": {"auth": {"kind": "radius", "server": "lyno"}}}, "did you mean 'lyon'"),
        ({"groups": {"lyon": group(1), "tele": group(1)}}, "have the same name"),
        ({"traffic": {"work": work(**{"from": "hub", "to": "tele"})}}, "swap from and to"),
        ({"traffic": {"work": work(**{"from": "teel"})}}, "did you mean 'tele'"),
        ({"groups": {"tele": {**group(1), "gateway": "hub"}}}, "there is no gateway"),
    ],
)  # fmt: skip
def test_what_is_refused_before_the_run(arguments, said):
    with pytest.raises(ScenarioError, match=said):
        scenario(**arguments)


def test_openvpn_is_not_of_2017():
    with pytest.raises(ScenarioError, match="p2s-protocols"):
        scenario({"tele": group(1, "openvpn")}, both("openvpn"), {"sku": "VpnGw1"}, era="2017-12")


def test_a_gateway_without_p2s_takes_no_clients():
    with pytest.raises(ScenarioError, match="takes no point-to-site clients"):
        design(clients={"tele": group(1)})


# ---------------------------------------------------------------------------------------------
# With packets
# ---------------------------------------------------------------------------------------------


def test_the_books_balance_and_what_is_not_admitted_sends_nothing():
    plan = build(scenario({"tele": group(255)}, run={"horizon": "3 s"}))
    log = engine.run(plan)
    counted = (
        log.total["delivered_packets"] + log.dropped_packets_total.sum(1) + log.in_flight_packets
    )
    assert np.array_equal(log.total["sent_packets"], counted)
    seconds = 3 - plan.meta["clients"]["tele"].ready_s
    sent = log.total["sent_packets"][_direction(plan)]
    assert sent == pytest.approx(250 * 10 * seconds, rel=0.02)  # 80 kbit/s in 1000 bytes


def test_clients_lower_what_a_site_gets_and_the_instance_bears_no_more_than_it_can():
    found = load(ROOT / "scenarios/point-to-site-and-site-to-site.yaml")
    log = engine.run(plan := build(found))
    backup = _direction(plan, "backup")
    delivered = log.counter["delivered_bytes"][:, backup] * 8 / 0.5
    alone = delivered[(log.bin_start_ps >= 3e12) & (log.bin_end_ps <= 6e12)].mean()
    beside = delivered[log.bin_start_ps >= 8e12].mean()
    assert alone == pytest.approx(100e6, rel=0.03)
    assert beside == pytest.approx(40e6, rel=0.1)
    names = [(h.name, h.direction) for h in plan.hops]
    instance = names.index(("hub-vpn.instance-0", FORWARD))
    assert (log.hop_busy_ps[:, instance] <= plan.time_bin_ps * 1.05).all()  # accepted, 20 ms ahead


@pytest.mark.slow
def test_ten_thousand_clients_fit_a_gibibyte():
    script = f"""
import resource
from simulator import engine
from simulator.planner import build
from tests.planner.test_clients import group, scenario, work
found = scenario(
    {{"tele": group(10_000, "openvpn")}}, {{"protocols": ["openvpn"]}},
    {{"sku": "VpnGw5AZ"}}, run={{"horizon": "10 s"}},
    traffic={{"work": work(rate="20 kbit/s", reply_rate="100 kbit/s", packet_size="600 bytes")}},
)
plan = build(found)
log = engine.run(plan)
assert len(plan.meta["clients"]["tele"].clients) == 10_000
assert log.total["delivered_packets"].sum() > {8.5 * 10_000 * (20e3 + 100e3) / 4800:.0f}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 1 << 20  # kibibytes
