"""The command as a process of its own, with real runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from simulator import run_folder
from simulator.summary_schema import summary_schema

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from simulator.cli import main; main()"]

SCENARIO = """
schema_version: 1
title: A branch office
run: {horizon: 4 s, warm_up: 1 s, time_bin: 500 ms, seed: 1}
vnets:
  hub: {region: West Europe, address_space: [10.0.0.0/16], gateway_subnet: 10.0.255.0/27}
sites:
  lyon:
    location: {near: France Central}
    address_space: [192.168.10.0/24]
    internet: {isp: {down: 100 Mbit/s, up: 50 Mbit/s, delay: 4 ms}}
    devices: {edge: {public_ip: 203.0.113.7}}
gateways:
  hub-vpn: {type: vpn, vnet: hub, sku: VpnGw1AZ}
connections:
  lyon-vpn: {type: ipsec, gateway: hub-vpn, site: lyon}
traffic:
  office: {kind: poisson, from: lyon, to: hub, rate: 4 Mbit/s, packet_size: internet-mix}
  backup: {kind: bulk-tcp, from: lyon, to: hub, flows: 2}
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "branch.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def crossprem(*arguments, cwd, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_a_scenario_from_standard_input_to_json_and_folder(tmp_path):
    done = crossprem("run", "-", "--json", "--no-figures", cwd=tmp_path, input=SCENARIO)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    jsonschema.validate(summary, summary_schema())
    assert {s["stream"] for s in summary["streams"]} == {"office", "backup"}
    assert all(s["packets_sent"] > 0 for s in summary["streams"])
    (folder,) = (tmp_path / "runs").iterdir()
    assert run_folder.is_ours(folder)


def test_the_resolved_scenario_leaves_the_same_bytes_and_another_seed_does_not(tmp_path, scenario):
    def tables(given, out, seed):
        done = crossprem(
            "run", given, "--no-figures", "-q", "--out", out, "--seed", seed, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return {path.name: path.read_bytes() for path in (tmp_path / out).glob("*.parquet")}

    one = tables(scenario, "one", seed=1)
    assert tables(tmp_path / "one" / "scenario.resolved.yaml", "two", seed=1) == one
    other = tables(scenario, "three", seed=2)
    assert other["timeline.parquet"] != one["timeline.parquet"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_run_that_is_stopped_leaves_no_folder(tmp_path, scenario, number, code):
    # A day of simulated time: the signal comes long before the end.
    arguments = ["run", str(scenario), "--out", "stopped", "--set", "run.horizon=1 d"]
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--set", "run.time_bin=60 s"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets its background jobs ignore the signal, and they hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in process.stderr:
        if line.startswith("simulated"):
            break
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in err
    assert not (tmp_path / "stopped").exists()
    if number == signal.SIGINT:
        assert "nothing is written" in err


def test_help_takes_less_than_its_limit(tmp_path):
    def cpu_s():
        before = os.times()
        assert crossprem("--help", cwd=tmp_path).returncode == 0
        after = os.times()
        return after.children_user - before.children_user

    assert min(cpu_s() for _ in range(3)) < 0.4
