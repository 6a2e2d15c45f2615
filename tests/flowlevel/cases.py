"""Scenarios that both levels can simulate, and the figures in which they must agree."""

from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from simulator import engine
from simulator.plan import Plan
from simulator.planner import build
from simulator.recorder import RunLog
from simulator.result import Result
from simulator.scenario import load
from tests.planner.designs import ONE_SITE, merged

RUN = {"horizon": "150 s", "warm_up": "30 s", "time_bin": "1 s"}
LOW_UTILISATION = 0.9
"""Up to this utilisation of every hop of a stream its latency must agree closely."""


def bulk(flows: int, window: str = "16 MiB", **more: Any) -> dict[str, Any]:
    return {"kind": "bulk-tcp", "from": "lyon", "to": "hub", "flows": flows, "window": window,
            **more}  # fmt: skip


def poisson(rate: str, reply_rate: str = "0 bit/s", **more: Any) -> dict[str, Any]:
    return {"kind": "poisson", "from": "lyon", "to": "hub", "rate": rate, "reply_rate": reply_rate,
            "packet_size": "internet-mix", **more}  # fmt: skip


def site(name: str, number: int, up: str, **more: Any) -> dict[str, Any]:
    return {
        "sites": {
            name: {
                "location": {"near": "France Central"},
                "address_space": [f"10.{100 + number}.0.0/16"],
                "internet": {"isp": {"down": up, "up": up, "jitter": "0.3 ms", **more}},
                "devices": {"edge": {"public_ip": f"203.0.113.{20 + number}"}},
            }
        },
        "connections": {f"{name}-vpn": {"type": "ipsec", "gateway": "hub-vpn", "site": name}},
    }


def one_site(traffic: dict[str, Any], up: str = "200 Mbit/s", **sections: Any) -> dict[str, Any]:
    """The design of the planner's tests with other traffic: one site, VpnGw1AZ."""
    base = merged(ONE_SITE, {"sites": {"lyon": {"internet": {"isp": {"up": up, "down": up}}}}})
    base["traffic"] = traffic
    return merged(base, {"run": RUN, **sections})


def many_sites() -> dict[str, Any]:
    """Eight sites of 120 Mbit/s and four of 20 on an instance of 650: some are full, some not."""
    design = one_site({"lyon": bulk(4)}, up="120 Mbit/s")
    for number in range(1, 12):
        name = f"site-{number}"
        design = merged(design, site(name, number, "120 Mbit/s" if number < 8 else "20 Mbit/s"))
        design["traffic"][name] = bulk(4, **{"from": name})
    return design


def two_distances(near: str, far: str, flows: int) -> dict[str, Any]:
    """Two sites on one instance, their round trips set."""
    design = merged(one_site({"near": bulk(flows)}, up="1 Gbit/s"), site("oslo", 1, "1 Gbit/s"))
    design["traffic"]["far"] = bulk(flows, **{"from": "oslo"})
    design["paths"] = {
        "near": {"from": "lyon", "to": "hub", "rtt": near},
        "far": {"from": "oslo", "to": "hub", "rtt": far},
    }
    return design


def fault(kind: str, at: str, duration: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": kind, "at": at, "duration": duration, **more}]


LOSSY = {"sites": {"lyon": {"internet": {"isp": {"loss": "0.1 %"}}}}}
QUICK_DPD = {"lyon-vpn": {"dpd": {"gateway": "9 s", "device": {"interval": "3 s", "retries": 3}}}}
ISP = {"site": "lyon", "internet": "isp"}
CBC = {"lyon-vpn": {"ipsec": {"encryption": "AES256", "integrity": "SHA256"}}}
CALLS = {"kind": "voice", "from": "lyon", "to": "hub", "codec": "G.711", "calls": 50}

CASES: dict[str, dict[str, Any]] = {
    "shared up-link": one_site({"backup": bulk(8)}),
    "one flow": one_site({"backup": bulk(1)}),
    "flows of two streams": one_site({"a": bulk(4), "b": bulk(12)}),
    "NewReno": one_site({"backup": bulk(4, congestion_control="newreno")}),
    "up and down at once": one_site(
        {"up": bulk(4), "down": bulk(4, **{"from": "hub", "to": "lyon"})}
    ),
    "many sites, instance full": many_sites(),
    "bound by windows": one_site({"backup": bulk(4, window="64 KiB")}),
    "bound by windows, standing queue": one_site(
        {"backup": bulk(8, window="48 KiB")}, "100 Mbit/s"
    ),
    "bound by random loss": one_site({"backup": bulk(4)}, **LOSSY),
    "unequal distances, few flows": two_distances("10 ms", "40 ms", 4),
    "unequal distances, many flows": two_distances("10 ms", "40 ms", 16),
    "calls, office and backup": one_site(
        {"calls": CALLS, "office": poisson("60 Mbit/s", "90 Mbit/s"), "backup": bulk(4)}
    ),
    "open loop, half full": one_site(
        {"office": poisson("100 Mbit/s", "60 Mbit/s"), "calls": CALLS}
    ),
    "open loop, nearly full, CBC": one_site(
        {"office": poisson("150 Mbit/s", "20 Mbit/s")}, connections=CBC
    ),
    "open loop, overload": one_site({"a": poisson("150 Mbit/s"), "b": poisson("100 Mbit/s")}),
    "open loop, packets per second": one_site(
        {"office": poisson("60 Mbit/s", packet_size="128 bytes")}, up="1 Gbit/s"
    ),
    "outage, timers ride it out": one_site(
        {"backup": bulk(4), "calls": CALLS},
        faults=fault("internet-outage", "60 s", "5 s", **ISP),
    ),
    "outage and a new tunnel": one_site(
        {"backup": bulk(4), "calls": CALLS},
        connections=QUICK_DPD,
        faults=fault("internet-outage", "60 s", "20 s", **ISP),
    ),
    "instance maintenance": one_site(
        {"backup": bulk(8), "office": poisson("40 Mbit/s", "40 Mbit/s")},
        gateways={"hub-vpn": {"mode": "active-active"}},
        connections=QUICK_DPD,
        faults=fault("gateway-instance-failure", "60 s", "40 s", gateway="hub-vpn", planned=True),
    ),
    "brown-out": one_site(
        {"backup": bulk(4), "calls": CALLS},
        faults=fault(
            "internet-brownout", "60 s", "60 s", rate="50 Mbit/s", added_delay="10 ms", **ISP
        ),
    ),
}


def two_ways(
    flows: int, up: str, down: str | None = None, rtt: str | None = None
) -> dict[str, Any]:
    """Uploads and downloads of one site at once."""
    traffic = {"up": bulk(flows), "down": bulk(flows, **{"from": "hub", "to": "lyon"})}
    design = merged(
        one_site(traffic, up),
        {"sites": {"lyon": {"internet": {"isp": {"down": down or up}}}}},
    )
    return merged(
        design, {"paths": {"way": {"from": "lyon", "to": "hub", "rtt": rtt}} if rtt else {}}
    )


HELD_OUT: dict[str, dict[str, Any]] = {
    "two ways, 16 flows": two_ways(16, "200 Mbit/s"),
    "two ways, 80 Mbit/s": two_ways(8, "80 Mbit/s"),
    "two ways, 12 ms": two_ways(6, "100 Mbit/s", rtt="12 ms"),
    "two ways, 50 up and 100 down": two_ways(8, "50 Mbit/s", "100 Mbit/s"),
    "two ways, one flow each": two_ways(1, "200 Mbit/s"),
    "two ways, 60 ms": two_ways(8, "200 Mbit/s", rtt="60 ms"),
    "distances 8 and 24 ms": two_distances("8 ms", "24 ms", 8),
    "distances 20 and 30 ms": two_distances("20 ms", "30 ms", 6),
    "distances 5 and 50 ms": two_distances("5 ms", "50 ms", 8),
    "distances 15 and 60 ms": two_distances("15 ms", "60 ms", 12),
}
"""Cases on which no constant of the model was fitted."""


@dataclass(frozen=True)
class Row:
    """One stream and direction at both levels."""

    case: str
    stream: str
    direction: str
    is_elastic: bool
    utilisation: float
    """Of the busiest hop that it passes."""
    goodput: tuple[float, float]
    """Packet level (median of seeds), flow level; bit/s."""
    latency_s: tuple[float, float]

    @property
    def goodput_error(self) -> float:
        return self.goodput[1] / self.goodput[0] - 1.0 if self.goodput[0] > 0.0 else 0.0

    @property
    def latency_error(self) -> float:
        return self.latency_s[1] / self.latency_s[0] - 1.0


@dataclass(frozen=True)
class Comparison:
    """One case at both levels."""

    case: str
    rows: list[Row]
    utilisation_error: float
    """Largest difference in the utilisation of a hop."""
    is_open: bool
    cpu_s: tuple[float, float]

    @property
    def speed_ratio(self) -> float:
        return self.cpu_s[0] / self.cpu_s[1]


def planned(case: str, seed: int, **run: str) -> Plan:
    return build(load(merged({**CASES, **HELD_OUT}[case], {"run": {"seed": seed, **run}})))


def at_flow_level(case: str, seed: int = 1, **run: str) -> tuple[Plan, RunLog]:
    plan = replace(planned(case, seed, **run), fidelity="flow")
    return plan, engine.run(plan)


def compare(case: str, seeds: int, **run: str) -> Comparison:
    """Run a case at packet level with some seeds and once at flow level."""
    packet = []
    cpu_s = []
    for seed in range(1, seeds + 1):
        plan = planned(case, seed, **run)
        log = engine.run(plan)
        cpu_s.append(log.cpu_s)
        packet.append(Result(plan, log))
    at_flow_level(case, **run)  # kernels are loaded, so the figure does not hold it
    plan, log = at_flow_level(case, **run)
    flow = Result(plan, log)
    return Comparison(
        case,
        _rows(case, plan, packet, flow),
        _utilisation_error(packet, flow),
        not plan.tcp_flows,
        (median(cpu_s), log.cpu_s),
    )


def _rows(case: str, plan: Plan, packet: list[Result], flow: Result) -> list[Row]:
    busy = flow.hops.set_index(["hop", "direction"])["utilisation_ratio"].to_dict()
    rows = []
    for _, found in flow.streams.iterrows():
        key = (found["stream"], found["direction"])
        before = [p.streams.set_index(["stream", "direction"]).loc[key] for p in packet]
        hops = {
            (plan.hops[h].name, plan.hops[h].direction)
            for r in plan.routes
            for h in r.hop_idx
            if (plan.streams[plan.directions[r.direction_idx].stream_idx].name,
                plan.directions[r.direction_idx].direction) == key
        }  # fmt: skip
        rows.append(
            Row(
                case,
                *key,
                found["kind"] == "bulk-tcp",
                float(np.nanmax([busy[h] for h in hops])),
                (median(b["goodput_bps"] for b in before), float(found["goodput_bps"])),
                (median(b["latency_s_mean"] for b in before), float(found["latency_s_mean"])),
            )
        )
    return rows


def _utilisation_error(packet: list[Result], flow: Result) -> float:
    before = np.median([p.hops["utilisation_ratio"] for p in packet], axis=0)
    return float(np.nanmax(np.abs(flow.hops["utilisation_ratio"] - before)))
