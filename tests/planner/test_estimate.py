"""What `run --dry-run` says: the work of a run, and the measured speeds behind its CPU time."""

import json
from pathlib import Path

import pytest

from simulator import engine
from simulator.planner import build, estimate
from simulator.planner.estimate import estimates
from simulator.scenario import load

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "fidelity", "less"),
    [
        ("expressroute", "packet", {}),
        ("failover-active-active", "packet", {}),
        ("multi-site", "packet", {}),
        ("working-day", "flow", {"run.horizon": "11 h"}),
        ("measured-day", "flow", {"run.horizon": "10 h"}),
    ],
)
def test_the_work_of_a_run_is_estimated_within_a_factor_of_two(name, fidelity, less):
    plan = build(load(ROOT / "scenarios" / f"{name}.yaml", {"run.fidelity": fidelity, **less}))
    wanted = next(e for e in estimates(plan) if e.fidelity == fidelity)
    log = engine.run(plan)
    if fidelity == "packet":
        assert 0.5 < wanted.packet_hops / log.packet_hops < 2.0
    else:
        assert 0.5 < wanted.flow_events / log.flow_events < 2.0


def test_speeds_are_those_of_the_benchmarks():
    written = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    measured = {row["name"]: row["value"] for row in written["results"]}
    for used, figure in (
        (estimate.OPEN_HOPS_PER_S, measured["sites-100"]),
        (estimate.TCP_HOPS_PER_S, measured["cubic-20"]),
        (estimate.FLOW_EVENTS_PER_S, 2.0 * measured["flow-day-500"]),
    ):
        assert used == pytest.approx(figure, rel=0.25)
