"""The two files that show every field of the format: each loads, plans, and means what it says."""

from pathlib import Path

import pytest

from simulator import planner
from simulator.base.errors import ScenarioError
from simulator.draft import INTERNET
from simulator.plan import FORWARD
from simulator.planner.explain import explain
from simulator.run import run
from simulator.scenario import load
from tests.rules.designs import SITE, changed

HERE = Path(__file__).parent
CLIENTS = {
    "gateways.hub-vpn.p2s": {"address_pools": ["172.16.0.0/24"], "protocols": ["openvpn"]},
    "clients": {
        "staff": {
            "gateway": "hub-vpn",
            "protocol": "openvpn",
            "count": 3,
            "location": {"near": "France Central"},
            "access": {"down": "50 Mbit/s", "up": "10 Mbit/s"},
        }
    },
    "traffic": {
        "browsing": {
            "kind": "constant",
            "from": "staff",
            "to": "internet",
            "rate": "1 Mbit/s",
            "packet_size": "1000 bytes",
        }
    },
    "run": {"horizon": "1.5 s", "warm_up": "0.5 s", "time_bin": "500 ms"},
}


@pytest.mark.parametrize("name", ["contract-smallest", "contract-topologies"])
def test_the_files_of_the_format_load_and_plan(name):
    scenario = load(HERE / f"{name}.yaml")
    plan = planner.build(scenario)
    assert plan.hops
    assert load(scenario.resolved_yaml()) == scenario


def test_a_scenario_without_a_title_has_the_name_of_its_file():
    scenario = load(HERE / "contract-topologies.yaml")
    assert scenario.title == "contract-topologies"
    assert "the name of the file" in scenario.resolved_yaml()


def test_bgp_over_ipsec_needs_an_address_and_expressroute_none():
    """The edge routers of the file say nothing; the firewalls that build tunnels must."""
    text = (HERE / "contract-topologies.yaml").read_text(encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"sites.lyon.devices.fw1.bgp.*address of the speaker"):
        load(text.replace("peer_ip: 192.168.255.1, ", ""))


def test_clients_with_a_split_tunnel_reach_the_internet_beside_it():
    with pytest.raises(ScenarioError, match=r"split_tunnel: false in gateways\.hub-vpn\.p2s"):
        load(changed(SITE, CLIENTS))


def test_without_a_split_tunnel_clients_leave_over_the_default_site():
    """Down their own tunnel, up the site's, and out by its line: with the load on each."""
    changes = {
        **CLIENTS,
        "gateways.hub-vpn.p2s": CLIENTS["gateways.hub-vpn.p2s"] | {"split_tunnel": False},
        "gateways.hub-vpn.default_site": "lyon",
    }
    scenario = load(changed(SITE, changes))
    (decision,) = planner.build(scenario).meta["decisions"]["staff", INTERNET]
    assert decision.groups == (("hub-vpn.p2s + lyon-vpn",),)
    result = run(scenario)
    (stream,) = [s for s in result.summary_dict["streams"] if s["direction"] == FORWARD]
    assert stream["packets_dropped"] == dict.fromkeys(stream["packets_dropped"], 0)
    assert stream["goodput_bps"] == pytest.approx(3 * 1e6 * 972 / 1000, rel=0.01)
    (way,) = explain(scenario).stream("browsing").ways
    assert {"lyon-vpn.tunnel-0", "lyon.isp.down", "lyon.isp.up"} <= {h.hop for h in way.hops}


def test_without_a_default_route_a_gateway_leads_clients_nowhere():
    changes = {
        **CLIENTS,
        "gateways.hub-vpn.p2s": CLIENTS["gateways.hub-vpn.p2s"] | {"split_tunnel": False},
    }
    with pytest.raises(planner.routing.NoRouteError, match="no way from staff to internet"):
        planner.build(load(changed(SITE, changes)))
