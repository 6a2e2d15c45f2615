"""Rates that change with time, at both levels: what each step sends."""

from pathlib import Path

import numpy as np
import pytest

import simulator
from simulator.planner.build import build
from simulator.planner.estimate import estimates
from simulator.scenario import load
from tests.planner.designs import design

STEPS = {"at": ["1 s", "10 s", "20 s", "30 s"], "factors": [0.5, 1.0, 0.0, 0.25]}
RUN = {"horizon": "40 s", "warm_up": "0 s", "time_bin": "1 s"}
WANTED = np.repeat([0.0, 5e6, 10e6, 0.0, 2.5e6], [3, 7, 10, 10, 10])
"""Of 10 Mbit/s that begin at 3 s."""


def office(kind, **more):
    rates = {"rate": "10 Mbit/s", "reply_rate": "0 bit/s", "packet_size": "1000 bytes"}
    return {"office": {"kind": kind, **rates, "start": "3 s", "steps": STEPS, **more}}


def goodput(result):
    rows = result.timeline
    rows = rows[(rows["stream"] == "office") & (rows["direction"] == "forward")]
    return rows["goodput_bps"].to_numpy() * 1000 / 972  # of inner packets


@pytest.mark.parametrize(
    ("kind", "fidelity", "spread"),
    # packets of a second, at 312 to 1,250 a second: five standard deviations
    [("poisson", "packet", 5 / np.sqrt(312)), ("constant", "packet", 0.02),
     ("poisson", "flow", 1e-3), ("constant", "flow", 1e-3)],
)  # fmt: skip
def test_each_step_sends_at_its_rate(kind, fidelity, spread):
    found = goodput(simulator.run(design(run={**RUN, "fidelity": fidelity}, traffic=office(kind))))
    inside = np.setdiff1d(np.arange(40), [3, 10, 20, 30])  # bins in which nothing is under way
    assert np.all(np.abs(found - WANTED)[inside] <= spread * WANTED[inside])
    assert found[:3].max() == 0.0
    assert found[21:30].max() == 0.0


def test_gaps_stay_exponential_across_steps():
    # counts of a Poisson process have a variance equal to their mean, whatever cuts it
    steps = {"at": [f"{i / 10} s" for i in range(400)], "factors": [0.5, 1.0] * 200}
    traffic = office("poisson", start="0 s", steps=steps)
    scenario = design(run={**RUN, "time_bin": "100 ms"}, traffic=traffic)
    rows = simulator.run(scenario).timeline
    rows = rows[(rows["stream"] == "office") & (rows["direction"] == "forward")]
    counts = rows["packets_sent"].to_numpy().reshape(-1, 2)
    means = counts.mean(axis=0)
    assert means == pytest.approx([62.5, 125.0], rel=0.06)
    # 200 counts each: the ratio has a standard deviation of 0.1
    assert counts.var(axis=0, ddof=1) / means == pytest.approx([1.0, 1.0], abs=0.4)


def test_a_matrix_runs_at_both_levels_and_the_levels_agree(tmp_path):
    name = "measured-day"
    folder = Path(__file__).parents[2] / "scenarios"
    lines = (folder / f"{name}.csv").read_text().splitlines(keepends=True)
    (tmp_path / f"{name}.csv").write_text("".join(x for x in lines if ",files," not in x))
    text = (folder / f"{name}.yaml").read_text().splitlines(keepends=True)
    path = tmp_path / f"{name}.yaml"
    path.write_text("".join(x for x in text if not x.startswith("  files:")))
    busiest = {"traffic.web.steps": {"begin": "9 h"}, "traffic.video.steps": {"begin": "9 h"},
               "run.horizon": "5 s", "run.time_bin": "1 s", "run.warm_up": "1 s"}  # fmt: skip
    packet = load(path, {**busiest, "run.fidelity": "packet"})
    tables = [simulator.run(s).streams for s in (packet, packet.with_("run.fidelity", "flow"))]
    assert len(tables[0]) == 12
    for one, other in zip(*(t.to_dict("records") for t in tables), strict=True):
        # four seconds of 6 Mbit/s in packets of mixed sizes: a standard deviation is 2 %
        assert one["goodput_bps"] == pytest.approx(other["goodput_bps"], rel=0.1)
    assert estimates(build(packet))[0].is_possible


def test_flows_of_constant_traffic_share_its_rate():
    traffic = {"office": {"kind": "constant", "packet_size": "1000 bytes", "flows": 5}}
    plan = build(design(traffic=traffic))
    forward = [
        s for s in plan.sources if plan.directions[s.record["direction"]].direction == "forward"
    ]
    assert len({int(s.record["next_ps"]) for s in forward}) == 5
    total = sum(1e12 / float(s.record["mean_gap_ps"]) for s in forward)
    assert total * 8000 == pytest.approx(10e6)
