"""The component of docs/adding-a-component.md: registered from outside, nothing else touched."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adding-a-component.md").read_text(encoding="utf-8")

REGISTER = """
import json, sys
import edge_relay
from simulator.components import COMPONENTS
{line}
"""

RUN = """
from simulator import load, run
from simulator.planner import build
from simulator.planner.explain import explain
from simulator.planner.cost import ledger
from simulator.planner.deploy import deploy_plan
from simulator.scenario import json_schema
from simulator.topology_plot import topology

scenario = load("scenario.yaml")
plan = build(scenario)
streams = run(scenario).streams.set_index(["stream", "direction"]).loc[("office", "forward")]
print(json.dumps({
    "ceilings": [c.label for held in plan.meta["ceilings"].values() for c in held],
    "drawn": [text.get_text() for text in topology(plan.meta["topology"], "relay").texts],
    "binding": [row.ceiling for row in explain(scenario).stream("office").ceilings if row.binds],
    "goodput_bps": float(streams["goodput_bps"]),
    "latency_s_p50": float(streams["latency_s_p50"]),
    "cost": [[line.item, line.amount_usd] for line in ledger(scenario).lines],
    "resolved": scenario.resolved_yaml(),
    "schema": sorted(json_schema()["$defs"]["EdgeRelay"]["properties"]),
}))
"""

WRONG = """
from simulator import load
load("scenario.yaml", set={"edge_relays.lyon-relay.site": "lyons",
                           "edge_relays.lyon-relay.rate": "20"})
"""


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def in_a_process(folder: Path, code: str) -> subprocess.CompletedProcess:
    (folder / "edge_relay.py").write_text(block("python"), encoding="utf-8")
    (folder / "scenario.yaml").write_text(block("yaml"), encoding="utf-8")
    (line,) = re.findall(r"^COMPONENTS\.add\(.*\)$", PAGE, re.MULTILINE)
    (folder / "main.py").write_text(REGISTER.format(line=line) + code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "main.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    done = in_a_process(tmp_path_factory.mktemp("relay"), RUN)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_its_section_is_loaded_and_described(answer):
    assert answer["schema"] == ["delay", "rate", "site", "vnet"]
    assert "edge_relays:" in answer["resolved"]


def test_its_traffic_passes_at_its_rate_and_delay(answer):
    assert 19.3e6 < answer["goodput_bps"] < 20e6
    assert answer["latency_s_p50"] > 9e-3


def test_it_is_a_ceiling_a_drawing_and_a_line_of_the_bill(answer):
    assert answer["ceilings"].count("edge relay lyon-relay") == 2, "one for each direction"
    assert answer["binding"] == ["edge relay lyon-relay"]
    assert "lyon-relay" in answer["drawn"]
    assert answer["cost"] == [["relay", None]], "no price is known, so it is unknown, never 0"


def test_names_and_units_are_checked_as_everywhere(tmp_path):
    done = in_a_process(tmp_path, WRONG)
    assert "there is no site of this name; did you mean 'lyon'" in done.stderr
    assert "edge_relays.lyon-relay.rate" in done.stderr
