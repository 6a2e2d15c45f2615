"""One run of a small branch with an outage, saved once."""

from pathlib import Path

import pytest

from simulator import load, run

SCENARIO = """
schema_version: 1
title: "Branch <b>with</b> an outage & a target"
question: "Does it hold?"
run: {horizon: 30 s, warm_up: 2 s, time_bin: 1 s, seed: 3}
vnets: {hub: {region: West Europe, address_space: [10.0.0.0/16], gateway_subnet: 10.0.255.0/27}}
sites:
  lyon:
    location: {near: France Central}
    address_space: [192.168.10.0/24]
    internet: {isp: {down: 100 Mbit/s, up: 50 Mbit/s, delay: 4 ms}}
    devices: {edge: {public_ip: 203.0.113.7}}
gateways: {hub-vpn: {type: vpn, vnet: hub, sku: VpnGw1AZ}}
connections: {lyon-vpn: {type: ipsec, gateway: hub-vpn, site: lyon}}
traffic:
  office: {kind: poisson, from: lyon, to: hub, rate: 5 Mbit/s, packet_size: 800 bytes}
  backup: {kind: bulk-tcp, from: lyon, to: hub, flows: 2, window: 256 KiB}
faults: [{kind: internet-outage, site: lyon, internet: isp, at: 10 s, duration: 2 s}]
targets: {latency_p95: 60 ms, outage: 1 s}
"""


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(load(SCENARIO)).save(tmp_path_factory.mktemp("report") / "run", figures=False)
