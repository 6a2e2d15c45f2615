"""What `explain` must say: which ceiling binds, at which value, from where."""

import json
import math

import pytest

from simulator.catalog import load_catalog
from simulator.ipsec.capacity import encapsulated, tunnels_needed
from simulator.plan import FORWARD, RETURN
from simulator.planner import build
from simulator.planner.ceilings import CeilingRow, mean_window_segments
from simulator.planner.explain import Explanation, explain
from tests.planner.designs import active_active, design, two_sites

MBIT = 1e6
WIDE = {"lyon": {"internet": {"isp": {"up": "20 Gbit/s", "down": "20 Gbit/s"}}}}


def binding(found: Explanation, stream: str = "office", direction: str = FORWARD) -> CeilingRow:
    (row,) = [row for row in found.stream(stream, direction).ceilings if row.binds]
    return row


def wide(packet_bytes: int, **sections) -> Explanation:
    """One constant stream over links that never bind."""
    office = {"packet_size": f"{packet_bytes} bytes"}
    return explain(design(sites=WIDE, traffic={"office": office}, **sections))


# ---- the figures that must come out ------------------------------------------------------------


def test_small_packets_bind_at_the_packet_rate():
    row = binding(wide(200))
    assert row.ceiling == "tunnel lyon-vpn.tunnel-0, GCMAES256, packets/s x packet size"
    assert row.value == "62000 packets/s x 200 bytes = 99.2 Mbit/s"
    assert row.available_bps == pytest.approx(99.2 * MBIT)
    assert row.source.startswith("catalogue vpn-tunnel-performance VpnGw1AZ")
    assert row.source.endswith("2024-01-04")


def test_packets_of_1310_bytes_nearly_tie():
    found = wide(1310)
    assert binding(found).available_bps == pytest.approx(650 * MBIT, abs=1 * MBIT)
    tunnel = [r.stream_bps for r in found.stream("office").ceilings if "tunnel" in r.ceiling]
    assert tunnel[0] == pytest.approx(tunnel[1], rel=1e-3)


def test_one_cbc_tunnel_on_the_largest_gateway():
    found = explain(
        design(
            sites=WIDE,
            gateways={"hub-vpn": {"sku": "VpnGw5AZ"}},
            connections={"lyon-vpn": {"ipsec": {"encryption": "AES256", "integrity": "SHA256"}}},
            traffic={"office": {"packet_size": "1400 bytes"}},
        )
    )
    row = binding(found)
    assert row.value == "700 Mbit/s"
    assert "AES256 + SHA256, bits/s" in row.ceiling
    instance = next(r for r in found.stream("office").ceilings if r.ceiling.startswith("instance"))
    assert instance.stream_bps == 10e9


def test_order_of_ceilings():
    bulk = {"bulk": {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 4}}
    sites = {
        "lyon": {
            "lan": {"rate": "1 Gbit/s"},
            "internet": {"isp": {"loss": "0.01 %"}},
            "devices": {"edge": {"model": "branch-small"}},
        }
    }
    rows = explain(design(traffic=bulk, sites=sites)).stream("bulk").ceilings
    starts = [
        "flow window / RTT",
        "tunnel lyon-vpn.tunnel-0, GCMAES256, bits/s",
        "tunnel lyon-vpn.tunnel-0, GCMAES256, packets/s",
        "instance hub-vpn.instance-0, VpnGw1AZ",
        "concurrent flows hub-vpn",
        "WAN lyon.isp.wan-hub",
        "WAN lyon.isp.wan-hub, random loss 0.01 %",
        "site up-link lyon.isp",
        "device lyon.edge.GCMAES256, branch-small, bits/s",
        "device lyon.edge.GCMAES256, branch-small, packets/s",
        "site LAN lyon.lan",
    ]
    assert len(rows) == len(starts)
    assert all(row.ceiling.startswith(start) for row, start in zip(rows, starts, strict=True))
    assert sum(row.binds for row in rows) == 1


# ---- conversions -------------------------------------------------------------------------------


def test_links_count_bytes_on_the_wire():
    # 1,000 inner bytes are 52 + 1,004 = 1,056 on the wire.
    row = next(r for r in explain(design()).stream("office").ceilings if "up-link" in r.ceiling)
    assert row.stream_bps == pytest.approx(200 * MBIT * 1000 / 1056)
    assert row.value == "200 Mbit/s on the wire = 189.4 Mbit/s"
    assert row.load == "10.56 Mbit/s"
    assert row.headroom_ratio == pytest.approx(1 - 10.56 / 200)
    assert row.source == "scenario"


def test_direction_has_its_own_link_and_load():
    row = next(
        r for r in explain(design()).stream("office", RETURN).ceilings if "down-link" in r.ceiling
    )
    assert row.stream_bps == pytest.approx(500 * MBIT * 1000 / 1056)
    assert row.load == "21.12 Mbit/s"


def test_what_others_offer_is_taken_off():
    traffic = {
        "other": {
            "kind": "constant",
            "from": "lyon",
            "to": "hub",
            "rate": "150 Mbit/s",
            "packet_size": "1000 bytes",
        }
    }
    found = explain(design(traffic=traffic))
    row = binding(found)
    assert "up-link" in row.ceiling
    free_bps = 200 * MBIT - 150 * MBIT * 1.056
    assert row.available_bps == pytest.approx(free_bps / 1.056)
    assert row.stream_bps == pytest.approx(200 * MBIT / 1.056)


def test_sites_share_the_instance():
    found = explain(two_sites())
    row = next(r for r in found.stream("office").ceilings if r.ceiling.startswith("instance"))
    # Towards the VNet: 10 Mbit/s of the office, two calls' answers of 80 kbit/s, paris' bulk.
    assert row.load == "10.16 Mbit/s + 3 TCP flows"
    flows = next(r for r in found.stream("office").ceilings if r.ceiling.startswith("concurrent"))
    assert flows.load == "6 flows"  # office, 3 bulk, 2 calls' answers
    assert flows.value == "250,000 flows"


def test_window_and_round_trip():
    bulk = {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 4, "window": "4 MiB"}
    paths = {"p": {"from": "lyon", "to": "hub", "rtt": "30 ms"}}
    found = explain(design(traffic={"bulk": bulk}, paths=paths))
    row = found.stream("bulk").ceilings[0]
    assert 0.030 < found.stream("bulk").rtt_s < 0.032
    # The tail of the gateway's latency counts: the mean is above the median.
    rtt_s = found.stream("bulk").rtt_s_mean
    assert 0.031 < rtt_s < 0.034
    window_bytes = 2**22 // 1338 * 1338
    assert row.stream_bps == pytest.approx(4 * window_bytes * 8 / rtt_s * 1390 / 1338)
    assert row.source == "scenario"
    assert "4 x 4.193 MB" in row.value
    default = explain(design(traffic={"bulk": {k: v for k, v in bulk.items() if k != "window"}}))
    assert "catalogue model-defaults" in default.stream("bulk").ceilings[0].source


@pytest.mark.parametrize(
    ("algorithm", "loss_ratio", "rtt_s", "expected"),
    [
        # The square-root law: sqrt(3/2) / sqrt(p).
        ("newreno", 1e-4, 0.03, 1.5**0.5 / 1e-2),
        # A short round trip: the Reno-friendly region.
        ("cubic", 1e-4, 0.03, 1.5**0.5 / 1e-2),
        # A long one, little loss: RFC 9438, section 5, with 1.054 for C = 0.4 and beta = 0.7.
        ("cubic", 1e-6, 0.1, 1.054 * (0.1 / 1e-6) ** 0.75),
    ],
)
def test_mean_window_under_loss(algorithm, loss_ratio, rtt_s, expected):
    bulk = {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": 1}
    plan = build(design(traffic={"bulk": {**bulk, "congestion_control": algorithm}}))
    window = mean_window_segments(plan.tcp_flows[0], loss_ratio, rtt_s)
    assert window == pytest.approx(expected, rel=1e-3)


def test_active_active_shares_a_stream_over_tunnels():
    poisson = {"kind": "poisson", "rate": "100 Mbit/s", "packet_size": "1310 bytes"}
    found = explain(active_active(sites=WIDE, traffic={"office": poisson}))
    row = binding(found)
    assert row.value.endswith("for 50 % of the stream")
    assert row.available_bps == pytest.approx(1300 * MBIT, rel=1e-3)
    assert [(w.way, w.share_ratio) for w in found.stream("office").ways] == [
        ("lyon-vpn.tunnel-0", 0.5),
        ("lyon-vpn.tunnel-1", 0.5),
    ]


# ---- packets, tunnels, output ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suite", "behind_nat", "inner_bytes", "outer_bytes"),
    [
        (("GCMAES256", "GCMAES256"), False, 1400, 1456),
        (("GCMAES256", "GCMAES256"), True, 64, 128),
        (("AES256", "SHA256"), False, 1400, 1468),
        (("AES256", "SHA256"), True, 1390, 1460),
        (("DES3", "SHA1"), False, 576, 632),
    ],
)
def test_encapsulation_byte_by_byte(suite, behind_nat, inner_bytes, outer_bytes):
    # Expected sizes: the catalogue's worked table esp-overhead (RFC 4303).
    found = encapsulated(
        load_catalog().esp_suite(*suite), inner_bytes, behind_nat=behind_nat, mtu_bytes=1500
    )
    assert found.outer_bytes == found.wire_bytes == outer_bytes
    assert sum(size for _, size in found.parts_bytes) == outer_bytes
    assert found.fragments_count == 1


def test_encapsulation_in_fragments():
    suite = load_catalog().esp_suite("GCMAES256", "GCMAES256")
    found = encapsulated(suite, 1500, behind_nat=False, mtu_bytes=1500)
    # 52 + 1504 = 1,556 bytes: two packets, one more header of 20.
    assert (found.outer_bytes, found.wire_bytes, found.fragments_count) == (1556, 1576, 2)


@pytest.mark.parametrize(
    ("sku", "target_bps", "packet_bytes", "instances", "scope", "expected"),
    [
        ("VpnGw1AZ", 600e6, 1400, 1, "instance", (1, 1)),
        ("VpnGw1AZ", 600e6, 200, 1, "instance", (7, 7)),  # 99.2 Mbit/s each
        ("VpnGw1AZ", 700e6, 1400, 1, "instance", (None, None)),
        ("VpnGw1AZ", 1.3e9, 1400, 2, "instance", (1, 2)),
        ("VpnGw1AZ", 1.3e9, 1400, 2, "gateway", (None, None)),
        ("VpnGw5AZ", 10e9, 1400, 1, "instance", (5, 5)),  # 2.3 Gbit/s each
        ("VpnGw5AZ", 20e9, 1400, 2, "instance", (5, 10)),
        ("VpnGw1AZ", 600e6, 20, 1, "instance", (None, None)),  # 61 connections, 30 are allowed
    ],
)
def test_tunnels_needed(sku, target_bps, packet_bytes, instances, scope, expected):
    catalog = load_catalog()
    found = tunnels_needed(
        catalog.vpn_gateway_sku(sku),
        catalog.tunnel_performance(sku, None, "GCMAES256", "GCMAES256"),
        target_bps=target_bps,
        packet_bytes=packet_bytes,
        instances_count=instances,
        scope=scope,
    )
    assert (found.connections_count, found.tunnels_count) == expected


def test_text_and_json():
    found = explain(two_sites(), target_bps=1e9)
    text = found.text()
    assert "<- binds" in text
    assert "tunnels needed on hub-vpn with GCMAES256/GCMAES256 for 1 Gbit/s" in text
    assert "not reachable: VpnGw1AZ carries 650 Mbit/s in all" in text
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert {s["stream"] for s in data["streams"]} == {"office", "a-paris-bulk", "a-paris-calls"}
    assert not math.isnan(data["streams"][0]["rtt_s"])


def test_silent_direction_has_no_row():
    office = {"reply_rate": "0 bit/s"}
    found = explain(design(traffic={"office": office}))
    with pytest.raises(KeyError, match="sends nothing return"):
        found.stream("office", RETURN)


def test_no_line_is_wider_than_a_terminal_and_sources_are_listed_once():
    text = explain(two_sites(), target_bps=1e9).text()
    assert max(map(len, text.splitlines())) <= 100
    listed = [line.split()[0] for line in text.split("\nsources\n")[1].splitlines() if "[" in line]
    assert listed == [f"[{n}]" for n in range(1, len(listed) + 1)]
    marks = {word for line in text.splitlines() for word in line.split() if word in listed}
    assert marks == set(listed)
