"""A scenario becomes the hops, routes and sources that a person works out by hand."""

import pickle

import numpy as np
import pytest

from kernels import layout
from kernels.esp import largest_inner_bytes
from simulator.catalog import load_catalog
from simulator.ipsec.rows import esp_wrap
from simulator.plan import FORWARD, PLAIN, PS_PER_S, RETURN, Plan
from simulator.planner import build
from tests.planner.designs import active_active, design, two_sites

MS = PS_PER_S // 1000


def hop(plan: Plan, name: str, direction: str = FORWARD) -> np.void:
    (index,) = [i for i, h in enumerate(plan.hops) if (h.name, h.direction) == (name, direction)]
    return plan.hop[index]


def routes(plan: Plan, stream: str, direction: str) -> list[list[str]]:
    return [
        [plan.hops[h].name for h in route.hop_idx]
        for route in plan.routes
        for where in [plan.directions[route.direction_idx]]
        if plan.streams[where.stream_idx].name == stream and where.direction == direction
    ]


def per_byte_ps(row: np.void) -> float:
    return float(row["per_byte"]) / (1 << layout.PER_BYTE_SHIFT)


# ---- hops ------------------------------------------------------------------------------------


def test_order_of_hops_is_mirrored_on_return():
    plan = build(design())
    forward = [
        "lyon.lan",
        "lyon.isp.up",
        "lyon.isp.wan-hub",
        "lyon-vpn.tunnel-0",
        "hub-vpn.instance-0",
        "hub-vpn.instance-0.latency",
        "hub.vnet",
    ]
    back = [name.replace(".up", ".down") for name in reversed(forward)]
    assert routes(plan, "office", FORWARD) == [forward]
    assert routes(plan, "office", RETURN) == [back]


def test_numbers_of_the_hops():
    plan = build(design())
    up, tunnel = hop(plan, "lyon.isp.up"), hop(plan, "lyon-vpn.tunnel-0")
    instance = hop(plan, "hub-vpn.instance-0")
    # 200 Mbit/s: 8 bits / 2e8 bits/s = 40 ns a byte, of bytes on the wire.
    assert per_byte_ps(up) == pytest.approx(40_000)
    assert up["meter_shift"] == layout.METER_WIRE
    assert up["max_wait_ps"] == 20 * MS
    # VpnGw1AZ with GCMAES256: 650 Mbit/s and 62,000 packets/s, of inner bytes.
    assert per_byte_ps(tunnel) == pytest.approx(8e12 / 650e6, rel=1e-6)
    assert tunnel["min_service_ps"] == round(1e12 / 62_000)
    assert tunnel["meter_shift"] == layout.METER_INNER
    assert tunnel["max_wait_ps"] == 20 * MS
    assert per_byte_ps(instance) == pytest.approx(8e12 / 650e6, rel=1e-6)
    assert instance["min_service_ps"] == 0
    # France Central - West Europe: 13 ms in the matrix, 15 % more over the internet.
    rtt_s = load_catalog().rtt_s("France Central", "West Europe").value_s
    wan = hop(plan, "lyon.isp.wan-hub")
    assert wan["delay_ps"] == round((0.004 + rtt_s * 1.15 / 2) * 1e12)
    assert wan["jitter_interval_ps"] == 10 * MS
    assert hop(plan, "hub.vnet")["delay_ps"] == round(0.00044 / 2 * 1e12)


def test_jitter_has_the_catalogue_percentiles():
    plan = build(design())
    latency = plan.jitter_table[hop(plan, "hub-vpn.instance-0.latency")["jitter_row"]] / PS_PER_S
    found = load_catalog().gateway_latency("VpnGw1AZ")
    steps = len(latency) - 1
    assert latency[steps // 2] == pytest.approx(found.median_s)
    # 84.13 % of a log-normal lies below median * e^sigma.
    at = np.interp(0.841344746 * steps, np.arange(steps + 1), latency)
    assert at == pytest.approx(found.median_s * np.exp(found.sigma), rel=1e-3)
    # Access line and path, 0.3 ms at the 95th percentile each, as squares.
    wan = plan.jitter_table[hop(plan, "lyon.isp.wan-hub")["jitter_row"]] / PS_PER_S
    at = np.interp(0.95 * steps, np.arange(steps + 1), wan)
    assert at == pytest.approx(0.0003 * 2**0.5, rel=1e-3)


def test_measured_path_replaces_the_estimate():
    paths = {"p": {"from": "lyon", "to": "hub", "rtt": "30 ms", "loss": "1 %"}}
    wan = hop(build(design(paths=paths)), "lyon.isp.wan-hub", RETURN)
    assert wan["delay_ps"] == 15 * MS
    assert float(wan["loss_threshold"]) / 2**64 == pytest.approx(0.01)


def test_losses_of_line_and_path_add_up_as_chances():
    paths = {"p": {"from": "lyon", "to": "hub", "loss": "2 %"}}
    sites = {"lyon": {"internet": {"isp": {"loss": "1 %"}}}}
    wan = hop(build(design(paths=paths, sites=sites)), "lyon.isp.wan-hub")
    assert float(wan["loss_threshold"]) / 2**64 == pytest.approx(1 - 0.99 * 0.98)


def test_loss_in_bursts():
    loss = {"good_stay": "10 s", "bad_stay": "0.5 s", "loss_in_bad": "30 %"}
    plan = build(design(paths={"p": {"from": "lyon", "to": "hub", "loss": loss}}))
    wan = hop(plan, "lyon.isp.wan-hub")
    assert wan["good_mean_ps"] == 10 * PS_PER_S
    assert wan["bad_mean_ps"] == PS_PER_S // 2
    assert wan["loss_threshold"] == 0
    assert float(wan["bad_loss_threshold"]) / 2**64 == pytest.approx(0.3)


def test_site_at_coordinates():
    location = {"near": None, "latitude": 45.76, "longitude": 4.84}
    plan = build(design(sites={"lyon": {"location": location}}))
    rtt_s = load_catalog().rtt_from_place_s(45.76, 4.84, "West Europe").value_s
    delay_ps = hop(plan, "lyon.isp.wan-hub")["delay_ps"]
    assert delay_ps == round((0.004 + rtt_s * 1.15 / 2) * 1e12)


def test_lan_and_device():
    sites = {
        "lyon": {
            "lan": {"rate": "1 Gbit/s", "delay": "50 us"},
            "devices": {"edge": {"model": "branch-small"}},
        }
    }
    plan = build(design(sites=sites))
    assert routes(plan, "office", FORWARD)[0][:3] == [
        "lyon.lan",
        "lyon.edge.GCMAES256",
        "lyon.isp.up",
    ]
    assert routes(plan, "office", RETURN)[0][-3:] == [
        "lyon.isp.down",
        "lyon.edge.GCMAES256",
        "lyon.lan",
    ]
    # branch-small: 100 Mbit/s and 20,000 packets/s for all traffic together.
    device = hop(plan, "lyon.edge.GCMAES256")
    assert per_byte_ps(device) == pytest.approx(80_000)
    assert device["min_service_ps"] == 50_000_000
    assert hop(plan, "lyon.lan")["delay_ps"] == 50_000_000


def test_measured_device_has_a_linear_cost_on_each_core():
    sites = {"lyon": {"devices": {"edge": {"model": "software-linux-4-core"}}}}
    plan = build(active_active(sites=sites))
    names = {h.name for h in plan.hops if ".core-" in h.name}
    assert names == {"lyon.edge.core-0.GCMAES256", "lyon.edge.core-1.GCMAES256"}
    core = hop(plan, "lyon.edge.core-0.GCMAES256")
    found = load_catalog().device("software-linux-4-core")
    assert core["per_packet_ps"] == round((found.per_packet_s or 0) * 1e12)
    assert per_byte_ps(core) == pytest.approx((found.per_byte_s_gcm or 0) * 1e12, rel=1e-4)


def test_limits_as_switches():
    shared = build(design(gateways={"hub-vpn": {"limits": {"direction": "shared"}}}))
    assert [h.direction for h in shared.hops if h.name == "lyon-vpn.tunnel-0"] == [FORWARD]
    assert "hub-vpn.instance-0" in routes(shared, "office", RETURN)[0]
    wire = build(design(gateways={"hub-vpn": {"limits": {"meter": "wire"}}}))
    assert hop(wire, "hub-vpn.instance-0")["meter_shift"] == layout.METER_WIRE
    of_all = build(active_active(gateways={"hub-vpn": {"limits": {"scope": "gateway"}}}))
    names = [h.name for h in of_all.hops]
    assert "hub-vpn.instances" in names
    assert "hub-vpn.instance-0" not in names
    assert all("hub-vpn.instances" in route for route in routes(of_all, "office", FORWARD))


def test_era_of_the_catalogue():
    scenario = design(era="2017-12", gateways={"hub-vpn": {"sku": "VpnGw2"}})
    plan = build(scenario)
    # The era's text gives the throughput of a SKU to the gateway as a whole.
    assert hop(plan, "hub-vpn.instances")["per_byte"] > 0
    assert "concurrent flows" in str(plan.meta["ceilings"])


# ---- encapsulation ---------------------------------------------------------------------------


def encapsulations(plan: Plan, stream: str, direction: str) -> dict[str, object]:
    for route in plan.routes:
        where = plan.directions[route.direction_idx]
        if plan.streams[where.stream_idx].name == stream and where.direction == direction:
            names = [plan.hops[h].name for h in route.hop_idx]
            return dict(zip(names, route.encapsulation, strict=True))
    raise AssertionError(stream)


def test_esp_lies_between_device_and_gateway():
    around = encapsulations(build(design()), "office", FORWARD)
    plain = {name for name, e in around.items() if e == PLAIN}
    assert plain == {"lyon.lan", "hub-vpn.instance-0.latency", "hub.vnet"}
    tunnel = around["lyon-vpn.tunnel-0"]
    # Outer IPv4 20, ESP header 8, IV 8, ICV 16; two bytes of trailer padded to 4 with the packet.
    assert (tunnel.fixed_bytes, tunnel.trailer_bytes, tunnel.align_bytes) == (52, 2, 4)
    assert around["lyon.isp.up"] == tunnel


def test_nat_adds_udp():
    sites = {"lyon": {"devices": {"edge": {"behind_nat": True}}}}
    around = encapsulations(build(design(sites=sites)), "office", RETURN)
    assert around["lyon.isp.down"].fixed_bytes == 60


@pytest.mark.parametrize(
    ("connection", "forward", "back"),
    [
        # The device cuts what leaves it to the path's 1,500 bytes; the gateway never cuts: it
        # drops above the tunnel's 1,400 inner bytes, that are 1,456 outside.
        ({}, (1500, True), (1456, False)),
        ({"fragmentation": "drop"}, (1456, False), (1456, False)),
        ({"mtu": {"do_not_fragment": "set"}}, (1456, False), (1456, False)),
        ({"mtu": {"do_not_fragment": "clear"}}, (1500, True), (1456, False)),
    ],
)
def test_packets_without_df_that_do_not_fit(connection, forward, back):
    plan = build(design(connections={"lyon-vpn": connection}))
    for direction, expected in ((FORWARD, forward), (RETURN, back)):
        around = encapsulations(plan, "office", direction)["lyon-vpn.tunnel-0"]
        assert (around.mtu_bytes, around.may_fragment) == expected


def test_tunnel_mtu_is_bounded_by_the_path():
    suite = load_catalog().esp_suite("GCMAES256", "GCMAES256")
    fit_bytes = largest_inner_bytes(esp_wrap(suite, behind_nat=False), 1500)
    plan = build(design(connections={"lyon-vpn": {"mtu": {"tunnel": "1500 bytes"}}}))
    around = encapsulations(plan, "office", RETURN)["lyon-vpn.tunnel-0"]
    assert fit_bytes == 1446
    assert around.mtu_bytes == 1500


# ---- TCP segment sizes -------------------------------------------------------------------------

BULK = {"bulk": {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 1}}


@pytest.mark.parametrize(
    ("connection", "segment_bytes", "may_fragment"),
    [
        ({}, 1390, False),  # clamped to 1350 + 40
        ({"mtu": {"mss_clamp": "1300 bytes"}}, 1340, False),
        ({"mtu": {"mss_clamp": None}}, 1400, False),  # path MTU discovery: what the tunnel takes
        ({"mtu": {"mss_clamp": None, "icmp_too_big": "filtered"}}, 1500, False),  # black hole
        ({"mtu": {"mss_clamp": None, "do_not_fragment": "clear"}}, 1500, True),
    ],
)
def test_segment_size(connection, segment_bytes, may_fragment):
    plan = build(design(traffic=BULK, connections={"lyon-vpn": connection}))
    (flow,) = plan.tcp_flows
    assert flow.settings["segment_bytes"] == segment_bytes
    # IPv4 20 + TCP 20 + timestamps 12 are not payload.
    assert flow.settings["mss_bytes"] == segment_bytes - 52
    assert flow.settings["ack_bytes"] == 52
    around = encapsulations(plan, "bulk", FORWARD)["lyon-vpn.tunnel-0"]
    assert around.may_fragment is may_fragment
    fits = around.mtu_bytes >= around.fixed_bytes + segment_bytes + 2
    assert fits is (segment_bytes < 1500)  # else cut into fragments, or a black hole


# ---- traffic ---------------------------------------------------------------------------------


def test_mix_is_clamped_to_what_fits_and_a_size_is_not():
    traffic = {
        "mix": {"kind": "poisson", "from": "lyon", "to": "hub", "rate": "1 Mbit/s",
                "packet_size": "imix-simple"},
        "size": {"kind": "poisson", "from": "lyon", "to": "hub", "rate": "1 Mbit/s",
                 "packet_size": "1500 bytes"},
    }  # fmt: skip
    plan = build(design(traffic=traffic))
    sizes = {}
    for source in plan.sources:
        begin, count = source.record["size_begin"], source.record["size_count"]
        name = plan.streams[plan.directions[source.record["direction"]].stream_idx].name
        sizes.setdefault(name, set()).update(plan.size["size_bytes"][begin : begin + count])
    assert sizes["mix"] == {40, 576, 1400}
    assert sizes["size"] == {1500}


def test_rate_is_that_of_inner_bytes():
    plan = build(design())
    by_direction = {
        plan.directions[s.record["direction"]].direction: s.record for s in plan.sources
    }
    # 10 Mbit/s of 1,000-byte packets: 1,250 a second; replies twice as many.
    assert by_direction[FORWARD]["mean_gap_ps"] == pytest.approx(1e12 / 1250)
    assert by_direction[RETURN]["mean_gap_ps"] == pytest.approx(1e12 / 2500)
    assert by_direction[FORWARD]["header_bytes"] == 28


def test_voice_has_a_source_for_each_call_and_direction():
    voice = {"kind": "voice", "from": "lyon", "to": "hub", "codec": "G.711", "calls": 3}
    plan = build(design(traffic={"calls": voice}))
    records = [s.record for s in plan.sources if s.record["header_bytes"] == 40]
    assert len(records) == 6
    assert len({int(r["next_ps"]) for r in records}) == 6
    assert {float(r["mean_gap_ps"]) for r in records} == {20 * MS}
    assert all(0 <= r["next_ps"] < 20 * MS and r["on_mean_ps"] == 0 for r in records)
    assert len({int(r["size_begin"]) for r in records}) == 1  # they share one table of sizes
    silent = build(design(traffic={"calls": {**voice, "silence_suppression": True}}))
    assert any(s.record["off_mean_ps"] > 0 for s in silent.sources)


def test_tcp_starts_after_its_handshake_and_stops():
    bulk = {**BULK["bulk"], "flows": 5, "start": "2 s", "stop": "9 s", "window": "1 MiB"}
    plan = build(design(traffic={"bulk": bulk}))
    rtt_s = plan.meta["streams"]["bulk"].rtt_s
    starts_s = [flow.settings["start_ps"] / PS_PER_S for flow in plan.tcp_flows]
    assert all(2 + rtt_s <= start_s < 2 + 2 * rtt_s for start_s in starts_s)
    assert len(set(starts_s)) == 5
    assert {flow.settings["stop_ps"] for flow in plan.tcp_flows} == {9 * PS_PER_S}
    assert {flow.settings["rwnd_segments"] for flow in plan.tcp_flows} == {2**20 // 1338}


# ---- names and keys --------------------------------------------------------------------------


def test_another_site_changes_nothing_of_this_one():
    alone, both = build(design()), build(two_sites())
    for info, row in zip(alone.hops, alone.hop, strict=True):
        twin = hop(both, info.name, info.direction).copy()
        table_alone = alone.jitter_table[row["jitter_row"]]
        table_both = both.jitter_table[twin["jitter_row"]]
        if row["jitter_interval_ps"] > 0:
            assert np.array_equal(table_alone, table_both)
        twin["jitter_row"] = row["jitter_row"]
        assert twin == row, info.name
    office = next(i for i, s in enumerate(both.streams) if s.name == "office")
    twins = [s for s in both.sources if both.directions[s.record["direction"]].stream_idx == office]
    places = {"flow", "direction", "size_begin"}  # positions in arrays, not values
    for source, twin in zip(alone.sources, twins, strict=True):
        for field in source.record.dtype.names or ():
            if field not in places:
                assert source.record[field] == twin.record[field], field
        key = alone.flow_key[source.record["flow"]]
        assert key == both.flow_key[twin.record["flow"]]
    for direction in (FORWARD, RETURN):
        assert routes(alone, "office", direction) == routes(both, "office", direction)


def test_plan_can_be_sent_to_another_process():
    plan = build(active_active())
    copy = pickle.loads(pickle.dumps(plan))
    assert copy.describe() == plan.describe()
    assert [name for name, _ in copy.processes] == [name for name, _ in plan.processes]


def test_replicates_differ_and_repeat():
    scenario = design()
    first, again, other = build(scenario), build(scenario), build(scenario, replicate=1)
    assert np.array_equal(first.hop, again.hop)
    assert np.array_equal(first.flow_key, again.flow_key)
    assert not np.array_equal(first.flow_key, other.flow_key)
    assert np.array_equal(first.hop["delay_ps"], other.hop["delay_ps"])
