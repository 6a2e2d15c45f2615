"""The command: what it prints where, and how it ends. Runs are made by hand, so they are quick."""

import importlib
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from simulator import cli, run_folder
from simulator.base.errors import InternalError
from simulator.result import About, Result
from simulator.summary_schema import summary_schema
from tests.result.handmade import build_log, build_plan

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = str(ROOT / "scenarios" / "site-to-site.yaml")
RUN = importlib.import_module("simulator.run")
"""The module: the attribute of that name is the function."""
COMMAND = [sys.executable, "-c", "from simulator.cli import main; main()"]


@pytest.fixture(scope="module")
def made():
    plan = build_plan()
    return plan, build_log(plan)


@pytest.fixture
def runs(made, monkeypatch, tmp_path):
    """Every run gives the log made by hand; returns the arguments of the runs so far."""
    plan, log = made
    calls = []

    def run(design, *, replicate=0, progress=None, **options):
        calls.append((design, replicate))
        about = replace(About.of(design), targets={})
        if progress is not None:
            progress(plan.horizon_ps, plan.horizon_ps)
        return Result(replace(plan, replicate=replicate, seed=design.run.seed), log, about=about)

    monkeypatch.setattr(RUN, "run", run)
    monkeypatch.chdir(tmp_path)
    return calls


def execute(*arguments):
    return cli.execute([str(a) for a in arguments])


# ---- run -------------------------------------------------------------------------------------


def test_run_prints_a_summary_and_leaves_a_folder(runs, capsys):
    assert execute("run", SCENARIO, "--no-figures") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Branch office in Lyon over one site-to-site tunnel\n")
    assert "because of (crossprem explain has all ceilings)" in out
    assert err == ""
    (folder,) = Path("runs").iterdir()
    assert folder.name == f"site-to-site-{runs[0][0].content_hash()[:8]}"
    assert f"files: runs/{folder.name}" in out
    assert run_folder.is_ours(folder)
    assert max(map(len, out.splitlines())) <= 100


def test_run_writes_json_alone_to_standard_output(runs, capsys):
    assert execute("run", SCENARIO, "--json", "--no-figures", "--out", "here") == 0
    out, _ = capsys.readouterr()
    assert json.loads(out) == json.loads(Path("here/summary.json").read_text())
    jsonschema.validate(json.loads(out), summary_schema())


def test_run_draws_figures_unless_told_not_to(runs):
    assert execute("run", SCENARIO, "--out", "with") == 0
    assert execute("run", SCENARIO, "--out", "without", "--no-figures") == 0
    names = ("failover", "latency", "latency-cdf", "throughput", "topology", "utilisation")
    figures = {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    assert {path.name for path in Path("with/figures").iterdir()} == figures
    assert list(Path("without/figures").iterdir()) == []


def test_seed_and_overrides_reach_the_scenario(runs):
    assert execute("run", SCENARIO, "--no-figures", "--seed", 7, "--set", "run.horizon=80 s") == 0
    design, _ = runs[0]
    assert (design.run.seed, design.run.horizon) == (7, 80.0)
    assert execute("run", SCENARIO, "--no-figures") == 0
    assert len(list(Path("runs").iterdir())) == 2, "another seed is another folder"


def test_a_scenario_comes_from_standard_input(runs, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(Path(SCENARIO).read_bytes()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    assert execute("run", "-", "--no-figures", "--out", "piped") == 0
    assert runs[0][0].name == "scenario"


def test_replications_have_their_spread(runs, capsys):
    assert execute("run", SCENARIO, "--replications", 3, "--no-figures", "--out", "r") == 0
    assert [replicate for _, replicate in runs] == [0, 1, 2]
    assert "3 replications; median, 5th and 95th percentile" in capsys.readouterr().out
    assert Path("r/replications.parquet").exists()


def test_a_missed_target_is_said_and_no_failure_of_the_run(made, runs, monkeypatch, capsys):
    plan, log = made
    about = About("x", targets={"latency_p95": 0.001})
    monkeypatch.setattr(RUN, "run", lambda *a, **k: Result(plan, log, about=about))
    assert execute("run", SCENARIO, "--no-figures") == 0
    assert "MISSED" in capsys.readouterr().out


def test_a_place_that_cannot_be_used_is_refused_before_the_run(runs, capsys):
    Path("mine").mkdir()
    Path("mine/thesis.doc").touch()
    assert execute("run", SCENARIO, "--out", "mine") == 2
    assert runs == []
    assert "holds files that are not of a run" in capsys.readouterr().err


def interrupt_after(count, monkeypatch):
    real, done = RUN.run, []

    def run(*args, **options):
        if len(done) == count:
            raise KeyboardInterrupt
        done.append(1)
        return real(*args, **options)

    monkeypatch.setattr(RUN, "run", run)


def test_ctrl_c_in_a_single_run_leaves_nothing(runs, monkeypatch, capsys):
    interrupt_after(0, monkeypatch)
    assert execute("run", SCENARIO) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing is written" in err
    assert list(Path().iterdir()) == []


def test_ctrl_c_keeps_finished_replications(runs, monkeypatch, capsys):
    interrupt_after(2, monkeypatch)
    assert execute("run", SCENARIO, "--replications", 5, "--no-figures", "--out", "r") == 130
    out, err = capsys.readouterr()
    assert "2 replications of 5: interrupted" in out
    assert "2 of 5 replications are in r" in err
    assert json.loads(Path("r/summary.json").read_text())["replications"]["finished"] == 2


# ---- errors ----------------------------------------------------------------------------------

WRONG = ["--set", "run.horizon=60", "--set", "gateways.hub-vpn.sku=VpnGw9"]


def test_all_problems_of_a_scenario_are_printed(capsys):
    for command in ("run", "validate", "explain"):
        assert execute(command, SCENARIO, *WRONG) == 3
        out, err = capsys.readouterr()
        assert out == ""
        assert "run.horizon" in err
        assert "VpnGw9" in err


def test_errors_are_json_where_json_was_asked_for(capsys):
    assert execute("validate", SCENARIO, *WRONG, "--json") == 3
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert err == ""
    assert (error["kind"], error["exit_code"]) == ("ScenarioError", 3)
    assert {p["path"] for p in error["problems"]} == {"run.horizon", "gateways.hub-vpn.sku"}
    assert execute("run", "--no-such-option", "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["no-such-command"],
        ["run", SCENARIO, "--replications", "0"],
        ["run", SCENARIO, "--seed", "-1"],
        ["run", "no-such-file.yaml"],
        ["validate", SCENARIO, "--set", "novalue"],
        ["explain", SCENARIO, "--target", "2"],
        ["catalog", "no-such-table"],
        ["catalog", "timers", "--era", "1999"],
        ["schema", "no-such-schema"],
    ],
)
def test_wrong_use_is_exit_code_2_and_no_traceback(arguments, capsys):
    assert execute(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err
    assert "Traceback" not in err


def fail_with(error, monkeypatch):
    def run(*args, **options):
        raise error

    monkeypatch.setattr(RUN, "run", run)


@pytest.mark.parametrize("kind", [ZeroDivisionError, InternalError])
def test_our_own_faults_are_one_line_that_says_how_to_report(kind, runs, monkeypatch, capsys):
    error = kind("division\nby zero")
    error.add_note("scenario branch, hash abc, seed 7")
    fail_with(error, monkeypatch)
    assert execute("run", SCENARIO) == 5
    err = capsys.readouterr().err
    what = f"internal error, {kind.__name__}: division by zero (scenario branch, hash abc, seed 7)"
    assert err.startswith(what)
    assert "please report it" in err
    assert len(err.splitlines()) == 1
    assert execute("run", SCENARIO, "-v") == 5
    assert "Traceback" in capsys.readouterr().err


# ---- other commands --------------------------------------------------------------------------


def test_validate_says_what_was_understood(capsys):
    assert execute("validate", SCENARIO) == 0
    assert capsys.readouterr().out.startswith("ok: site-to-site: 1 site, 1 VNet, 1 gateway, ")
    assert execute("validate", SCENARIO, "--set", "gateways.hub-vpn.sku=VpnGw1") == 0
    assert "warning: " in capsys.readouterr().out
    assert execute("validate", SCENARIO, "-v") == 0
    assert "hop lyon.isp.up (forward)" in capsys.readouterr().out
    assert execute("validate", SCENARIO, "--json") == 0
    assert json.loads(capsys.readouterr().out)["counts"]["stream"] == 3


def test_explain_marks_what_binds(capsys):
    assert execute("explain", SCENARIO, "--target", "2 Gbit/s") == 0
    out = capsys.readouterr().out
    assert "<- binds" in out
    assert "2 Gbit/s (target" in out
    assert execute("explain", SCENARIO, "--json") == 0
    streams = json.loads(capsys.readouterr().out)["streams"]
    assert all(any(row["binds"] for row in stream["ceilings"]) for stream in streams)


def test_catalog_lists_and_prints_tables_with_their_sources(capsys):
    assert execute("catalog") == 0
    assert "vpn-gateway-skus" in capsys.readouterr().out
    assert execute("catalog", "vpn-gateway-skus", "--era", "2017-12") == 0
    out = capsys.readouterr().out
    assert "VpnGw1: " in out
    assert "VpnGw1AZ" not in out
    assert "2017-12" in out
    assert execute("catalog", "timers", "dpd") == 0
    assert "T" in capsys.readouterr().out


def test_every_table_of_the_catalogue_fits_the_width(capsys):
    assert execute("catalog", "--json") == 0
    names = [t["name"] for t in json.loads(capsys.readouterr().out)["tables"]]
    for name in names:
        assert execute("catalog", name, "--era", "all") == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 100, name


def test_catalog_as_json_has_units_and_sources(capsys):
    assert execute("catalog", "vpn-gateway-skus", "VpnGw1AZ", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    units = {column["name"]: column["unit"] for column in table["columns"]}
    assert units["aggregate_throughput_bps"] == "bps"
    row = next(row for row in table["rows"] if row["name"] == "VpnGw1AZ")
    assert row["aggregate_throughput_bps"] == 650e6
    assert row["source"]
    assert row["as_of"]


def test_schemas(capsys):
    assert execute("schema") == 0
    assert "crossprem scenario" in json.loads(capsys.readouterr().out)["title"]
    assert execute("schema", "summary") == 0
    assert json.loads(capsys.readouterr().out) == summary_schema()
    assert execute("schema", "tables") == 0
    tables = json.loads(capsys.readouterr().out)
    assert {"column", "unit", "text", "better"} == set(tables["streams"][0])


# ---- as a process of its own -----------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_is_there_at_once_and_imports_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from simulator import cli\n"
        f"assert cli.execute({arguments!r}) == 0\n"
        "heavy = {'numba', 'numpy', 'pandas', 'matplotlib', 'simpy', 'rich'}\n"
        "assert heavy.isdisjoint(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "crossprem" in done.stdout


@pytest.mark.parametrize("name", ["run", "validate", "explain", "catalog", "schema"])
def test_every_command_has_examples(name, capsys):
    assert execute(name, "--help") == 0
    assert f"crossprem {name}" in capsys.readouterr().out.split("Examples:")[1]


def test_a_reader_that_stops_is_no_error():
    command = subprocess.Popen(
        [*COMMAND, "catalog", "region-rtt"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    command.stdout.readline()
    command.stdout.close()
    err = command.stderr.read()
    command.stderr.close()
    assert command.wait() == 0
    assert err == b""
