"""A sweep: the same table however it is computed, and nothing lost when something dies."""

import errno
import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import simulator
from simulator import cli, run
from simulator.base.errors import UsageError
from simulator.study import executors, store, sweep, worker
from simulator.study.design import read_design
from simulator.study.statistics import interval
from tests.study.conftest import BASE, RATES, SETTINGS

COMMAND = [sys.executable, "-c", "from simulator.cli import main; main()", "sweep"]


def table_bytes(folder):
    return (Path(folder) / store.TABLE).read_bytes()


def point_files(folder):
    return {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns)
        for file in (Path(folder) / store.POINTS).iterdir()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The twelve points, computed without interruption: the folder and the design's file."""
    folder = tmp_path_factory.mktemp("whole")
    file = folder / "rates.yaml"
    file.write_text(f"schema_version: 1\nscenario: {BASE}\n{SETTINGS}{RATES}", encoding="utf-8")
    sweep.sweep(file, folder / "out", workers=2)
    return folder / "out", file


@pytest.fixture
def forked(monkeypatch):
    """Workers that are copies of this process, so that they see what a test changed in it."""
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(executors.multiprocessing, "get_context", lambda kind: fork)
    return monkeypatch


# ---- the table -------------------------------------------------------------------------------


def test_one_worker_and_another_order_give_the_same_bytes(whole, tmp_path, monkeypatch):
    folder, file = whole
    compute = sweep._Hands.compute

    def reversed_order(self):
        order = {point.number: n for n, point in enumerate(self.points)}
        self.points = self.points[::-1]
        return sorted(compute(self), key=lambda done: order[done.number])

    monkeypatch.setattr(sweep._Hands, "compute", reversed_order)
    sweep.sweep(file, tmp_path / "one", workers=1)
    assert table_bytes(tmp_path / "one") == table_bytes(folder)
    ours, theirs = point_files(tmp_path / "one"), point_files(folder)
    assert {n: c for n, (c, _) in ours.items()} == {n: c for n, (c, _) in theirs.items()}


def test_a_point_is_what_a_run_of_its_scenario_says(whole):
    folder, file = whole
    found = simulator.open_sweep(folder)
    design = read_design(file)
    point = design.points[7]
    scenario = simulator.load(BASE).with_(design.overrides(point))
    alone = run(scenario)
    rows = found.table[found.table["point"] == 7].reset_index(drop=True)
    assert rows["traffic.office.rate"].unique().tolist() == ["40 Mbit/s"]
    assert rows["traffic.office.rate_bps"].unique().tolist() == [40e6]
    columns = list(alone.streams.columns)
    pd.testing.assert_frame_equal(rows[columns], alone.streams, check_dtype=False)
    assert rows["monthly_cost_usd"].unique().tolist() == [alone.monthly_cost_usd]


def test_the_columns_of_a_point_hold_what_the_table_of_streams_holds(whole):
    # The schema is derived from units: a column of another type would be cut or refused.
    short = {"run": {"horizon": "50 ms", "time_bin": "50 ms"}}
    streams = run(simulator.load(BASE).with_(short))
    for field in store.schema():
        if field.name in streams.streams:
            kind = streams.streams[field.name].dtype
            expected = {"int64": "int64", "Int64": "int64", "float64": "double"}
            assert str(field.type) == expected.get(str(kind), "string"), field


def test_the_table_answers_sql(whole):
    folder, _ = whole
    found = simulator.open_sweep(folder)
    answer = found.sql("select max(point) as last, count(distinct stream) as streams from sweep")
    assert answer.to_dict("records") == [{"last": 11, "streams": 2}]
    with pytest.raises(UsageError, match="sql: "):
        found.sql("select nothing from nowhere")


def test_replications_stop_when_the_figure_is_known_well_enough(write_design, tmp_path):
    text = (
        "vary: {traffic.office.rate: [5 Mbit/s, 60 Mbit/s]}\n"
        "replications: {at_least: 3, at_most: 8, half_width: 30 %, of: latency_s_p95}\n"
    )
    found = sweep.sweep(write_design(text), tmp_path / "out", workers=1)
    for _, rows in found.table.groupby("point"):
        counts = rows.groupby(["stream", "direction"])["replicate"].nunique()
        (count,) = set(counts)
        assert 3 <= count <= 8

        def widest(kept, rows=rows):
            groups = rows[rows["replicate"] < kept].groupby(["stream", "direction"])
            found = [interval(group["latency_s_p95"], 0.95) for _, group in groups]
            return max(i.half_width / i.mean for i in found)

        assert count == 8 or widest(count) <= 0.3
        assert count == 3 or widest(count - 1) > 0.3


def test_a_point_in_which_nobody_sends_has_one_row_and_is_kept(tmp_path, write_design):
    nobody = "set: {run: {horizon: 20 ms, time_bin: 20 ms}, traffic: {}}\n"
    file = write_design(nobody, settings="")
    for resumed in (0, 1):
        found = sweep.sweep(file, tmp_path / "out", workers=1, resume=bool(resumed))
        assert found.kept_count == resumed
        assert found.table["status"].tolist() == ["ok"]
        assert found.table["packets_sent"].isna().all()


# ---- what fails ------------------------------------------------------------------------------


def test_a_point_that_is_no_scenario_stays_with_its_error_and_is_not_tried_again(
    write_design, tmp_path
):
    file = write_design("vary: {gateways.hub-vpn.sku: [VpnGw1AZ, VpnGw9, VpnGw2AZ]}\n")
    found = sweep.sweep(file, tmp_path / "out", workers=1)
    assert found.table.groupby("point")["status"].first().tolist() == ["ok", "failed", "ok"]
    assert found.failed["point"].tolist() == [1]
    assert "VpnGw9: is not in the catalogue" in found.failed["error"].item()
    again = sweep.sweep(file, tmp_path / "out", workers=1, resume=True)
    assert again.kept_count == 3
    pd.testing.assert_frame_equal(again.table, found.table)


def test_points_that_raise_hang_or_cannot_be_kept_are_named_and_the_rest_finishes(
    forked, write_design, tmp_path
):
    rates = {"5 Mbit/s": "raise", "10 Mbit/s": "slow", "15 Mbit/s": "full", "20 Mbit/s": "hang"}
    build, put = worker.build, store.Store.put
    forked.setattr(worker, "HANG_S", 0.3)
    now = {}

    def spoilt(tree, name, overrides):
        now["is"] = rates.get(overrides["traffic.office.rate"])
        if now["is"] == "raise":
            raise ZeroDivisionError("of the model")
        if now["is"] == "hang":
            while True:
                pass
        scenario = build(tree, name, overrides)
        return scenario.with_("run.horizon", "1 h") if now["is"] == "slow" else scenario

    def full(self, name, content):
        if now.get("is") == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        put(self, name, content)

    forked.setattr(worker, "build", spoilt)
    forked.setattr(store.Store, "put", full)
    file = write_design(RATES + "timeout: 500 ms\n")
    found = sweep.sweep(file, tmp_path / "out", workers=2)
    errors = dict(found.failed[["traffic.office.rate", "error"]].itertuples(index=False))
    assert errors == {
        "5 Mbit/s": "ZeroDivisionError: of the model",
        "10 Mbit/s": "took longer than 0.5 s",
        "15 Mbit/s": "cannot be written: No space left on device",
        "20 Mbit/s": "its worker ended 3 times without an answer",
    }
    assert found.table["point"].nunique() == 12


def test_places_that_cannot_be_used_are_refused_before_the_first_point(
    whole, write_design, tmp_path, monkeypatch
):
    folder, file = whole
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").touch()
    (tmp_path / "file").touch()
    for place, says in (
        (tmp_path / "mine", "holds files that are not of a sweep"),
        (tmp_path / "file", "cannot be read as a folder"),
        ("/proc/none/out", "cannot be written"),
        (folder, "go on with --resume"),
        ("nonsense://there/out", "cannot be opened"),
    ):
        with pytest.raises(UsageError, match=says):
            sweep.sweep(file, place)

    def read_only(self, name, content):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(store.Store, "put", read_only)
    with pytest.raises(UsageError, match="Read-only file system"):
        sweep.sweep(file, tmp_path / "read-only")


def test_a_changed_design_is_not_resumed(whole, write_design):
    folder, _ = whole
    with pytest.raises(UsageError, match="is of another design"):
        sweep.sweep(write_design(RATES.replace("60", "65")), folder, resume=True)


def test_a_file_that_is_cut_off_is_computed_again(whole, tmp_path):
    folder, file = whole
    sweep.sweep(file, tmp_path / "out", workers=1)
    files = sorted((tmp_path / "out" / store.POINTS).iterdir())
    files[0].write_bytes(files[0].read_bytes()[:-100])
    files[1].unlink()
    again = sweep.sweep(file, tmp_path / "out", workers=1, resume=True)
    assert again.kept_count == 10
    assert table_bytes(tmp_path / "out") == table_bytes(folder)


# ---- what dies -------------------------------------------------------------------------------


def children(pid):
    """The processes below one, all generations: those of a forkserver are grandchildren."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            above = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if above == pid:
            child = int(stat.parent.name)
            found += [child, *children(child)]
    return found


def is_alive(pid):
    """Whether a process is there and has not ended; nobody may have asked for its end yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_worker_loses_and_doubles_nothing(whole, tmp_path, forked):
    folder, file = whole
    build, flag = worker.build, tmp_path / "killed"

    def dies_once(tree, name, overrides):
        if overrides["traffic.office.rate"] == "30 Mbit/s" and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return build(tree, name, overrides)

    forked.setattr(worker, "build", dies_once)
    found = sweep.sweep(file, tmp_path / "out", workers=2)
    assert flag.exists()
    assert found.failed_count == 0
    assert table_bytes(tmp_path / "out") == table_bytes(folder)


def kill_and_resume(file, out, expected, times, random_numbers):
    """Kill a whole sweep at random moments, then let it end; nothing whole may be touched."""
    before = {}
    for _ in range(times):
        command = [*COMMAND, str(file), "--out", str(out), "--resume", "-q", "--workers", "2"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begin_s = time.monotonic()
        wanted = len(before) + random_numbers.randrange(1, 6)
        while process.poll() is None and time.monotonic() - begin_s < 60:
            if out.exists() and len(list(out.glob("points/*.parquet"))) >= wanted:
                break
            time.sleep(0.005)
        workers = children(process.pid)
        process.kill()
        process.wait()
        deadline_s = time.monotonic() + 60
        while any(map(is_alive, workers)):
            assert time.monotonic() < deadline_s, "workers outlive the sweep"
            time.sleep(0.02)
        now = {n: f for n, f in point_files(out).items() if n.endswith(".parquet")}
        assert {n: now[n] for n in before} == before, "a finished point was computed again"
        before = now
    found = sweep.sweep(file, out, workers=2, resume=True)
    after = point_files(out)
    assert {n: after[n] for n in before} == before
    assert found.kept_count == len(before)
    assert table_bytes(out) == expected


def test_a_killed_sweep_goes_on_where_it_was(whole, tmp_path):
    folder, file = whole
    kill_and_resume(file, tmp_path / "out", table_bytes(folder), 1, random.Random(1))


@pytest.mark.validate
def test_a_sweep_killed_ten_times_has_the_table_of_one_that_was_not(tmp_path, write_design):
    file = write_design(RATES.replace("steps: 12", "steps: 120"))
    sweep.sweep(file, tmp_path / "whole", workers=2)
    expected = table_bytes(tmp_path / "whole")
    kill_and_resume(file, tmp_path / "out", expected, 10, random.Random(7))


# ---- the command -----------------------------------------------------------------------------


def test_the_command_says_how_many_points_there_are_and_where_the_table_is(
    whole, capsys, monkeypatch
):
    folder, file = whole
    arguments = ["sweep", str(file), "--out", str(folder), "--resume", "--workers", "1"]
    assert cli.execute(arguments) == 0
    out, _ = capsys.readouterr()
    assert "12 points, 12 of them were there already; 0 failed; 48 rows" in out
    assert f"table: {folder}/table.parquet" in out
    assert cli.execute([*arguments, "--json"]) == 0
    assert '"kept": 12' in capsys.readouterr().out
    assert cli.execute(["sweep", str(file), "--out", str(folder)]) == 2


def test_batches_grow_with_quick_points_and_shrink_towards_the_end():
    pool = executors.LocalWorkers.__new__(executors.LocalWorkers)
    pool.count = 2
    hands = sweep._Hands(pool, None, range(1000), None)
    assert len(hands._batch(sweep.deque(range(1000)))) == 1, "nothing is known of the first one"
    hands._take([worker.Done(1000, "ok", is_kept=True)], 0.0)
    assert len(hands._batch(sweep.deque(range(1000)))) == sweep.KEPT_TOGETHER
    hands._done.clear()
    hands._take([worker.Done(n, "ok") for n in range(10)], 0.05)
    assert len(hands._batch(sweep.deque(range(1000)))) == 50  # 0.25 s of 5 ms each
    assert len(hands._batch(sweep.deque(range(40)))) == 10
    assert len(hands._batch(sweep.deque(range(1)))) == 1
    assert list(itertools.islice(hands.points, 1)) == [0]
