"""`run` and `run_replications` around an engine made by hand."""

import pytest

from simulator import engine, run
from simulator.run import run_replications
from tests.result.handmade import build_log, build_plan

SCENARIO = "scenarios/site-to-site.yaml"


@pytest.fixture
def plan(monkeypatch):
    plan = build_plan()
    log = build_log(plan)
    monkeypatch.setattr(engine, "run", lambda plan, progress=None: log)
    monkeypatch.setattr(engine, "compile_kernels", lambda: None)
    return plan


def test_run_takes_what_load_takes_and_keeps_the_scenario(plan):
    result = run(SCENARIO, plan=plan, seed=11)
    assert result.summary_dict["scenario"] == "site-to-site"
    assert "seed: 11" in result._resolved
    assert {j.target for j in result.targets} == {"latency_p95", "outage", "monthly_cost"}
    cost = result.summary_dict["performance"]
    assert 0 < cost["wall_s"] < 60
    assert cost["peak_rss_bytes"] > 10**7
    other = run(SCENARIO, plan=plan, seed=12)
    assert other.summary_dict["scenario_hash"] != result.summary_dict["scenario_hash"]
    assert other.folder_name != result.folder_name


def test_each_replication_has_a_plan_of_its_own(plan, monkeypatch):
    from simulator import planner

    asked = []
    monkeypatch.setattr(
        planner, "build", lambda design, replicate=0: asked.append(replicate) or plan
    )
    done = run_replications(SCENARIO, 3)
    assert asked == [0, 1, 2]
    assert done.is_complete
    assert done.streams["replicate"].unique().tolist() == [0, 1, 2]


def test_an_interruption_keeps_what_is_finished(plan, monkeypatch):
    from simulator import planner

    def build(design, replicate=0):
        if replicate == 2:
            raise KeyboardInterrupt
        return plan

    monkeypatch.setattr(planner, "build", build)
    done = run_replications(SCENARIO, 5)
    assert (done.finished, done.wanted, done.is_complete) == (2, 5, False)


def test_an_interruption_of_the_first_is_raised(plan, monkeypatch):
    def interrupted(plan, progress=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_replications(SCENARIO, 5)


def test_a_failure_says_what_to_replay(plan, monkeypatch):
    def fail(plan, progress=None):
        raise ZeroDivisionError

    monkeypatch.setattr(engine, "run", fail)
    with pytest.raises(ZeroDivisionError) as caught:
        run(SCENARIO, plan=plan)
    (note,) = caught.value.__notes__
    assert note.startswith("scenario site-to-site, hash ")
    assert note.endswith("seed 7, replicate 0")


def test_progress_reaches_the_engine(plan, monkeypatch):
    log = build_log(plan)
    seen = []
    monkeypatch.setattr(engine, "run", lambda plan, progress=None: progress(1, 2) or log)
    run(SCENARIO, plan=plan, progress=lambda now, end: seen.append((now, end)))
    assert seen == [(1, 2)]


def test_compilation_is_announced_until_it_is_done(monkeypatch, tmp_path, capsys):
    from kernels import _jit
    from simulator.run import make_ready

    done = []
    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(_jit, "is_plain_python", lambda: False)
    monkeypatch.setattr(engine, "compile_kernels", lambda: done.append(1))
    make_ready.__wrapped__()
    assert capsys.readouterr().err.startswith("compiling kernels: once on this machine")
    make_ready.__wrapped__()
    assert capsys.readouterr().err == ""
    assert len(done) == 2


def test_an_interrupted_compilation_is_not_done(monkeypatch, tmp_path, capsys):
    from kernels import _jit
    from simulator.run import make_ready

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(_jit, "is_plain_python", lambda: False)
    monkeypatch.setattr(engine, "compile_kernels", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_ready.__wrapped__()
    assert list(tmp_path.iterdir()) == []
