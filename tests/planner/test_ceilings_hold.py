"""The ceiling that `explain` names is what a run reaches: each pair of places of every scenario.

All traffic of the file is replaced by one stream that asks for more than there is: open-loop at
1.25 times the ceiling, one TCP flow and sixteen. Faults are left out, the times at which clients
come and go, and BFD, which an overloaded circuit may take down.
"""

import copy
import re
from pathlib import Path

import pytest

from simulator import run
from simulator.catalog import load_catalog
from simulator.draft import INTERNET
from simulator.plan import FORWARD
from simulator.planner import build
from simulator.planner.explain import explain_plan
from simulator.scenario import load
from simulator.scenario.copies import expand

FILES = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"), key=lambda p: p.name)
TOLERANCE = 0.03
PACKET_BYTES, UDP_HEADER_BYTES = 1350, 28
PROBE = {"kind": "constant", "rate": "1 Mbit/s", "packet_size": f"{PACKET_BYTES} bytes"}
BULK = {"kind": "bulk-tcp", "flows": 16, "window": "2 MiB"}


def pairs(scenario):
    """Who sends to whom, once for copies that differ in their number alone."""
    found = {}
    for traffic in scenario.traffic.values():
        key = re.sub(r"-\d+\b", "", f"{traffic.from_} {traffic.to}")
        found.setdefault(key, (traffic.from_, traffic.to))
    return list(found.values())


def variant(scenario, traffic, horizon, warm_up):
    data = copy.deepcopy(expand(scenario._written).data)
    for section in ("extends", "faults", "targets"):
        data.pop(section, None)
    for circuit in data.get("circuits", {}).values():
        circuit.pop("bfd", None)
    for clients in data.get("clients", {}).values():
        clients.pop("sessions", None)  # else nobody has dialled yet
    data["traffic"] = {"probe": traffic}
    data["run"] = {"horizon": horizon, "warm_up": warm_up, "time_bin": "500 ms", "seed": 1}
    return load(data)


def explained(scenario, plan):
    return explain_plan(plan, load_catalog(scenario.era)).stream("probe")


def reached_bps(scenario, plan):
    streams = run(scenario, plan=plan).streams
    return float(streams.loc[streams["direction"] == FORWARD, "goodput_bps"].iloc[0])


def binding(row):
    found = [ceiling for ceiling in row.ceilings if ceiling.binds]
    return found[0] if found else None


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_open_loop_traffic_reaches_its_ceiling_and_no_more(file):
    scenario = load(file)
    for at, to in pairs(scenario):
        probe = PROBE | {"from": at, "to": to}
        first = variant(scenario, probe, "1.5 s", "1 s")
        plan = build(first)
        ceiling = binding(explained(first, plan))
        if ceiling is None:
            # Peered VNets, and the platform's own exit: nothing there has a rate.
            taken = [plan.routes[source.routes[0]] for source in plan.sources]
            assert not any(plan.hops[hop].kind == "server" for r in taken for hop in r.hop_idx)
            continue
        senders = len(plan.meta["clients"][at].clients) if at in scenario.clients else 1
        asked_bps = 1.25 * ceiling.available_bps / senders
        probe["rate"] = f"{asked_bps / 1e6:.6f} Mbit/s"
        loaded = variant(scenario, probe, "1.5 s", "1 s")
        expected_bps = ceiling.available_bps * (1 - UDP_HEADER_BYTES / PACKET_BYTES)
        reached = reached_bps(loaded, build(loaded))
        assert reached == pytest.approx(expected_bps, rel=TOLERANCE), (at, to, ceiling.ceiling)


@pytest.mark.slow
@pytest.mark.parametrize("flows", [1, 16])
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_tcp_reaches_its_ceiling_and_no_more(file, flows):
    """Within 3 % of the ceiling, or of the range that explain gives with its reason."""
    scenario = load(file)
    for at, to in pairs(scenario):
        bulk = BULK | {"from": at, "to": to, "flows": flows}
        loaded = variant(scenario, bulk, "6 s", "3 s")
        plan = build(loaded)
        ceiling = binding(explained(loaded, plan))
        assert bool(ceiling.range_bps) == bool(ceiling.range_why)
        low_bps, high_bps = ceiling.range_bps or (ceiling.available_bps, ceiling.available_bps)
        settings = plan.tcp_flows[0].settings
        per_inner = settings["mss_bytes"] / settings["segment_bytes"]
        reached = reached_bps(loaded, plan)
        where = (at, to, ceiling.ceiling, ceiling.range_why)
        assert (1 - TOLERANCE) * low_bps <= reached / per_inner <= (1 + TOLERANCE) * high_bps, where
        if flows > 1 and "random loss" not in ceiling.ceiling and to != INTERNET:
            assert low_bps > 0.6 * ceiling.available_bps, where  # many flows fill what they share


def test_tcp_on_uneven_links_takes_what_each_link_leaves():
    """Sixteen flows, hashed unevenly over two lines of 200 Mbit/s: both are full.

    1,390 of 1,444 bytes on the wire are the inner packet.
    """
    scenario = load(next(path for path in FILES if path.stem == "dual-redundancy"))
    loaded = variant(scenario, BULK | {"from": "lyon", "to": "hub"}, "6 s", "3 s")
    row = explained(loaded, build(loaded))
    shares = [way.share_ratio for way in row.ways]
    assert max(shares) > min(shares)
    assert binding(row).available_bps == pytest.approx(2 * 200e6 * 1390 / 1444)
    assert "for" in binding(row).value
