"""ExpressRoute in the plan: the path by destination, its limits and routes, worked out by hand."""

import copy
from pathlib import Path

import pytest

from kernels import layout
from simulator import engine
from simulator.plan import FORWARD, PS_PER_S, RETURN, DirectionInfo
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.scenario import load

SCENARIOS = Path(__file__).parents[2] / "scenarios"

DESIGN = {
    "schema_version": 1,
    "title": "one circuit",
    "run": {"horizon": "10 s"},
    "vnets": {
        "hub": {
            "region": "West Europe",
            "address_space": ["10.0.0.0/16"],
            "gateway_subnet": "10.0.255.0/27",
        },
        "spoke": {"region": "West Europe", "address_space": ["10.1.0.0/16"]},
    },
    "private_endpoints": {"storage": {"vnet": "hub", "address": "10.0.1.4"}},
    "sites": {
        "lyon": {
            "location": {"near": "France Central"},
            "address_space": ["192.168.10.0/24"],
            "devices": {
                "ce1": {"bgp": {"asn": 65021, "peer_ip": "192.168.10.1"}},
                "ce2": {"bgp": {"asn": 65021, "peer_ip": "192.168.10.2"}},
            },
        }
    },
    "gateways": {"hub-er": {"type": "expressroute", "vnet": "hub", "sku": "ErGw3AZ"}},
    "circuits": {
        "paris": {
            "provider_model": "point-to-point-ethernet",
            "peering_location": "Paris",
            "bandwidth": "1 Gbit/s",
            "links": {
                "primary": {"site": "lyon", "device": "ce1", "delay": "1 ms"},
                "secondary": {"site": "lyon", "device": "ce2", "delay": "2 ms"},
            },
        }
    },
    "connections": {
        "lyon-er": {"type": "expressroute", "circuit": "paris", "gateway": "hub-er"},
        "hub-spoke": {
            "type": "peering",
            "vnets": ["hub", "spoke"],
            "allow_gateway_transit": "hub",
            "use_remote_gateways": "spoke",
        },
    },
    "traffic": {
        to: {
            "kind": "constant",
            "from": "lyon",
            "to": to,
            "rate": "10 Mbit/s",
            "reply_rate": "10 Mbit/s",
            "packet_size": "1000 bytes",
        }
        for to in ("hub", "spoke", "storage")
    },
}


def design(**changes):
    """The design with fields changed by dotted path, `__` for the dots."""
    made = copy.deepcopy(DESIGN)
    for path, value in changes.items():
        *above, last = path.replace("_er", "-er").split("__")
        part = made
        for name in above:
            part = part.setdefault(name, {})
        if value is None:
            part.pop(last)
        else:
            part[last] = value
    return made


def direct(**changes):
    return design(
        peering_ports={"ports": {"peering_location": "Paris", "bandwidth": "10 Gbit/s"}},
        circuits__paris__provider_model="direct",
        circuits__paris__port="ports",
        circuits__paris__peering_location=None,
        **changes,
    )


def hops(plan, stream, direction):
    """The hops of each way of a stream."""
    wanted = next(i for i, s in enumerate(plan.streams) if s.name == stream)
    return [
        [plan.hops[hop].name for hop in route.hop_idx]
        for route in plan.routes
        if plan.directions[route.direction_idx].stream_idx == wanted
        and plan.directions[route.direction_idx].direction == direction
    ]


FASTPATH = {"connections__lyon_er__fastpath": True}


@pytest.mark.parametrize(
    ("made", "to", "inbound", "outbound"),
    [
        (design(), "hub", ["hub-er", "hub-er.latency"], []),
        (design(), "spoke", ["hub-er", "hub-er.latency"], []),
        (
            design(),
            "storage",
            ["hub-er", "hub-er.latency", "hub-er.instance"],
            ["hub-er.instance"],
        ),
        (design(**FASTPATH), "hub", [], []),
        (design(**FASTPATH), "spoke", ["hub-er", "hub-er.latency"], []),
        (
            design(**FASTPATH),
            "storage",
            ["hub-er", "hub-er.latency", "hub-er.instance"],
            ["hub-er.instance"],
        ),
        (direct(**FASTPATH), "hub", [], []),
        (direct(**FASTPATH), "spoke", [], []),
        (direct(**FASTPATH), "storage", [], []),
    ],
)
def test_the_path_by_destination(made, to, inbound, outbound):
    plan = build(load(made))
    for direction, expected in ((FORWARD, inbound), (RETURN, outbound)):
        ways = hops(plan, to, direction)
        assert len(ways) == 2
        for way in ways:
            assert [hop for hop in way if hop.startswith("hub-er")] == expected
            assert sum(hop in {"paris.primary", "paris.secondary"} for hop in way) == 1


def test_the_whole_way_and_its_delays():
    plan = build(load(design()))
    (first, _), (back, _) = hops(plan, "hub", FORWARD), hops(plan, "hub", RETURN)
    link = "primary" if "paris.primary" in first else "secondary"
    assert first == [
        "lyon.lan",
        f"paris.{link}.line",
        f"paris.{link}",
        "lyon-er.msee",
        "hub-er",
        "hub-er.latency",
        "hub.vnet",
    ]
    assert back[:2] == ["hub.vnet", "lyon-er.msee"]
    delay_s = {
        info.name: row["delay_ps"] / PS_PER_S
        for info, row in zip(plan.hops, plan.hop, strict=True)
        if info.direction == FORWARD
    }
    assert delay_s["paris.primary.line"] == pytest.approx(0.001)
    assert delay_s["paris.secondary.line"] == pytest.approx(0.002)
    assert delay_s["hub-er.latency"] == pytest.approx(0.0015)
    # 13 ms between the regions and 0.44 ms into Paris; 0.22 ms of the way are inside the VNet.
    one_way_s = (0.013 + 0.00044) / 2
    assert delay_s["lyon-er.msee"] + delay_s["hub.vnet"] == pytest.approx(one_way_s)


def test_links_police_and_the_gateway_queues():
    plan = build(load(design()))
    rows = {
        (info.name, info.direction): (info, row)
        for info, row in zip(plan.hops, plan.hop, strict=True)
    }
    for direction in (FORWARD, RETURN):
        for link in ("primary", "secondary"):
            info, row = rows[f"paris.{link}", direction]
            assert info.rate_bps == pytest.approx(1e9)
            assert row["is_policer"] == 1
    info, row = rows["hub-er", FORWARD]
    assert info.rate_bps == pytest.approx(10e9)
    assert row["min_service_ps"] == pytest.approx(PS_PER_S / 1_000_000)
    assert row["is_policer"] == 0
    assert ("hub-er", RETURN) not in rows


def test_a_direct_circuit_passes_a_port_of_its_pair():
    plan = build(load(direct()))
    for way in hops(plan, "hub", FORWARD):
        link = "primary" if "paris.primary" in way else "secondary"
        assert way.index(f"ports.{link}") == way.index(f"paris.{link}") - 1
    for way in hops(plan, "hub", RETURN):
        link = "primary" if "paris.primary" in way else "secondary"
        assert way.index(f"ports.{link}") == way.index(f"paris.{link}") + 1


def test_a_private_endpoint_has_half_of_the_gateway():
    made = design(gateways__hub_er__sku="ErGw1AZ", circuits__paris__bandwidth="10 Gbit/s")
    for direction in (FORWARD, RETURN):
        (row,) = [r for r in explain(load(made)).stream("storage", direction).ceilings if r.binds]
        assert row.ceiling.startswith("one instance of hub-er for private endpoints, ErGw1AZ")
        # Half of 100,000 packets/s with 1,000 bytes each is less than half of 1 Gbit/s.
        assert row.stream_bps == pytest.approx(50_000 * 8000)


def test_the_gateway_binds_small_packets_by_their_number():
    made = design(gateways__hub_er__sku="ErGw1AZ", traffic__hub__packet_size="200 bytes")
    found = explain(load(made)).stream("hub")
    (row,) = [r for r in found.ceilings if r.binds]
    assert row.ceiling.startswith("ExpressRoute gateway hub-er, ErGw1AZ, inbound, packets/s")
    assert row.stream_bps == pytest.approx(100_000 * 1600)


def test_both_links_and_what_is_left_of_them():
    made = design(traffic__hub__rate="900 Mbit/s", traffic__hub__kind="poisson")
    found = explain(load(made)).stream("hub")
    (row,) = [r for r in found.ceilings if r.binds]
    assert row.ceiling in {"circuit link paris.primary", "circuit link paris.secondary"}
    # Each link has half of this stream, and perhaps one or both of the others' 10 Mbit/s.
    assert row.stream_bps == pytest.approx(2e9)
    assert row.headroom_ratio == pytest.approx(1 - 0.45, abs=0.021)
    (lost,) = [r for r in found.ceilings if "after losing one link" in r.ceiling]
    assert lost.headroom_ratio == pytest.approx(1 - 0.92)
    assert lost.available_bps is None


def test_more_than_one_link_carries_is_shown_and_does_not_bind():
    made = design(traffic__hub__rate="1500 Mbit/s", traffic__hub__kind="poisson")
    found = explain(load(made)).stream("hub")
    (lost,) = [r for r in found.ceilings if "after losing one link" in r.ceiling]
    assert lost.headroom_ratio == pytest.approx(1 - 1.52)
    assert not lost.binds


def test_packets_that_the_gateway_does_not_take():
    made = design(traffic__hub__packet_size="internet-mix")
    assert explain(load(made)).stream("hub").ways[0].hops[0].wire_bytes == 1400
    past = explain(load(design(traffic__hub__packet_size="internet-mix", **FASTPATH)))
    assert past.stream("hub").ways[0].hops[0].wire_bytes > 1400
    plan = build(load(design(traffic__hub__packet_size="1401 bytes")))
    at_gateway = {
        around.mtu_bytes
        for route in plan.routes
        for hop, around in zip(route.hop_idx, route.encapsulation, strict=True)
        if plan.hops[hop].name == "hub-er"
    }
    assert at_gateway == {1400}


def test_fastpath_is_noted_with_the_addresses_that_it_reaches():
    for made, count in ((design(**FASTPATH), "25,000"), (direct(**FASTPATH), "100,000")):
        notes = [r for r in explain(load(made)).stream("hub").ceilings if "FastPath" in r.ceiling]
        assert [count in row.ceiling for row in notes] == [True]
    assert not any("FastPath" in r.ceiling for r in explain(load(design())).stream("hub").ceilings)


# --- routes -------------------------------------------------------------------------------------


def test_prefixes_are_those_of_the_site_or_as_announced():
    made = design(circuits__paris__peerings={"private": {"advertise": ["192.168.0.0/16"]}})
    plan = build(load(made))
    (decision,) = plan.meta["decisions"]["hub", "lyon"]
    assert decision.reason.startswith("192.168.0.0/16 over lyon-er")


def test_a_prepended_link_stands_by():
    made = design()
    made["sites"]["lyon"]["devices"]["ce2"]["bgp"]["prepend"] = 2
    plan = build(load(made))
    (decision,) = plan.meta["decisions"]["hub", "lyon"]
    assert decision.groups == (("lyon-er via lyon.ce1",), ("lyon-er via lyon.ce2",))
    assert "shorter AS path, 1 before 3" in decision.reason
    # The site still uses both.
    (there,) = plan.meta["decisions"]["lyon", "hub"]
    assert len(there.groups) == 1


def test_expressroute_before_vpn_and_the_vpn_stands_by():
    plan = build(load(SCENARIOS / "coexistence.yaml"))
    (there,) = plan.meta["decisions"]["lyon", "hub"]
    (back,) = plan.meta["decisions"]["hub", "lyon"]
    for decision in (there, back):
        assert [set(g) for g in decision.groups] == [
            {"lyon-er via lyon.ce1", "lyon-er via lyon.ce2"},
            {"lyon-vpn"},
        ]
    assert "rule R123" in back.reason
    (nantes,) = plan.meta["decisions"]["hub", "nantes"]
    assert nantes.groups == (("nantes-vpn",),)
    for direction in (FORWARD, RETURN):
        # The standby's ways come after those of both links.
        assert ["hub-vpn.instance-0" in way for way in hops(plan, "lyon-office", direction)] == [
            False,
            False,
            True,
        ]


def test_without_a_preference_at_home_the_way_there_is_another():
    scenario = load(SCENARIOS / "coexistence.yaml").with_(
        {
            "sites.lyon.devices.ce1.bgp.local_preference": {},
            "sites.lyon.devices.ce2.bgp.local_preference": {},
            "connections.lyon-vpn.routing": "static",
        }
    )
    plan = build(scenario)
    (there,) = plan.meta["decisions"]["lyon", "hub"]
    assert there.groups[0] == ("lyon-vpn",)
    assert any("lyon-office" in warning and "R085" in warning for warning in plan.meta["warnings"])


# --- in the engine ------------------------------------------------------------------------------


def dropped(log, direction_idx, reason):
    return int(log.dropped_packets_total[direction_idx, layout.REASONS.index(reason)])


def run_one(**changes):
    """Packets of 1,000 bytes, 60 Mbit/s, into a link of 50 Mbit/s: the plan and what it left."""
    plan = build(
        load(
            design(
                circuits__paris__bandwidth="50 Mbit/s",
                traffic__spoke=None,
                traffic__storage=None,
                traffic__hub__rate="60 Mbit/s",
                **changes,
            )
        )
    )
    return plan, engine.run(plan)


def test_a_link_drops_what_exceeds_its_bandwidth():
    plan, log = run_one()
    there = plan.directions.index(DirectionInfo(0, FORWARD))
    sent = 60e6 * 10 / 8000
    # The bucket is full at first: 50 ms more of the bandwidth pass.
    passed = 50e6 * (10 + 0.05) / 8000
    assert dropped(log, there, "policed") == pytest.approx(sent - passed, rel=0.01)
    back = plan.directions.index(DirectionInfo(0, RETURN))
    assert dropped(log, back, "policed") == 0


def test_the_gateway_drops_larger_packets_and_fastpath_does_not():
    for fastpath in (False, True):
        changes = {"connections__lyon_er__fastpath": fastpath}
        plan, log = run_one(traffic__hub__packet_size="1401 bytes", **changes)
        there = plan.directions.index(DirectionInfo(0, FORWARD))
        passed = 50e6 * (10 + 0.05) / (8 * 1401)
        expected = 0 if fastpath else passed
        assert dropped(log, there, "mtu_exceeded") == pytest.approx(expected, rel=0.01)


# --- scenario files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "stream", "direction", "ceiling", "stream_bps"),
    [
        # Two links of 1 Gbit/s share the stream evenly.
        ("expressroute", "paris-office", RETURN, "circuit link direct.", 2e9),
        ("expressroute", "hague-backup", FORWARD, "circuit link ethernet.", None),
        ("expressroute", "south-backup", FORWARD, "access line any-to-any.branch-south", 20e6),
        # 100,000 packets/s of ErGw1AZ with 602.6 bytes on average.
        ("coexistence", "lyon-office", FORWARD, "ExpressRoute gateway hub-er", 100e3 * 602.6 * 8),
        ("two-circuits", "cologne-office", RETURN, "access line fra-vpn.cologne", 100e6),
        ("internet-versus-expressroute", "one-flow-private", FORWARD, "flow window / RTT", None),
        ("internet-versus-expressroute", "one-flow-internet", FORWARD, "WAN lyon", None),
    ],
)
def test_the_binding_ceiling(file, stream, direction, ceiling, stream_bps):
    found = explain(load(SCENARIOS / f"{file}.yaml")).stream(stream, direction)
    (row,) = [r for r in found.ceilings if r.binds]
    assert row.ceiling.startswith(ceiling)
    if stream_bps is not None:
        assert row.stream_bps == pytest.approx(stream_bps, rel=1e-3)


def test_a_lost_link_of_the_direct_circuit_costs_a_tenth():
    found = explain(load(SCENARIOS / "expressroute.yaml")).stream("paris-office", RETURN)
    (lost,) = [r for r in found.ceilings if "after losing one link" in r.ceiling]
    assert lost.headroom_ratio == pytest.approx(-0.1)


def test_weights_and_preferences_choose_the_circuit():
    found = explain(load(SCENARIOS / "two-circuits.yaml"))

    def circuits(stream, direction):
        return {way.way.partition(".")[0] for way in found.stream(stream, direction).ways}

    assert circuits("brussels-office", FORWARD) == {"amsterdam"}
    assert circuits("brussels-office", RETURN) == {"amsterdam"}
    assert circuits("cologne-office", FORWARD) == {"amsterdam-vpn", "frankfurt-vpn"}
    assert circuits("cologne-office", RETURN) == {"frankfurt-vpn"}


def test_the_private_path_is_no_longer_than_the_internet():
    found = explain(load(SCENARIOS / "internet-versus-expressroute.yaml"))
    private, internet = found.stream("voice-private"), found.stream("voice-internet")
    assert private.rtt_s < internet.rtt_s
    assert not any("loss" in row.ceiling for row in found.stream("one-flow-private").ceilings)
