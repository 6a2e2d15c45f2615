"""The run folder: whole or not there, nobody else's files touched, the same bytes each time."""

import errno
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from simulator import metrics, run_folder
from simulator.base.errors import UsageError
from simulator.report import write_report
from simulator.result import Result
from tests.result.handmade import ABOUT, build_log, build_plan

FILES = {
    "scenario.resolved.yaml",
    "manifest.json",
    "summary.json",
    *(f"{name}.parquet" for name in metrics.TABLES),
}
FIGURES = {
    f"{n}.{e}"
    for n in ("latency", "throughput", "latency-cdf", "utilisation", "failover")
    for e in ("svg", "png")
}


def hidden(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    plan = build_plan()
    place = tmp_path_factory.mktemp("saved") / "above" / "run"
    return Result(plan, build_log(plan), about=ABOUT).save(place, command="crossprem run x.yaml")


def test_what_a_run_leaves(saved):
    assert {p.name for p in saved.iterdir()} == FILES | {"figures"}
    assert {p.name for p in (saved / "figures").iterdir()} == FIGURES
    manifest = json.loads((saved / "manifest.json").read_text())
    assert manifest["command"] == "crossprem run x.yaml"
    assert manifest["seed"] == 7
    assert manifest["scenario_hash"] == ABOUT.scenario_hash
    assert manifest["versions"]["python"] == platform.python_version()
    assert set(manifest["sha256"]) == FILES - {"manifest.json"} | {f"figures/{f}" for f in FIGURES}
    assert hidden(saved.parent) == []


def test_two_runs_of_one_seed_leave_the_same_bytes(saved, result, tmp_path):
    other = result.save(tmp_path / "other")
    for path in sorted(saved.rglob("*")):
        if path.suffix in {".parquet", ".svg", ".png", ".yaml"}:
            assert path.read_bytes() == (other / path.relative_to(saved)).read_bytes(), path.name


def test_tables_and_figures_hold_no_trace_of_host_and_day(saved):
    host = platform.node().encode()
    for path in [*saved.glob("*.parquet"), *saved.glob("figures/*.svg")]:
        content = path.read_bytes()
        assert len(host) < 4 or host not in content
        assert b"dc:date" not in content
        assert str(saved).encode() not in content


def test_every_column_of_a_file_has_unit_and_meaning(result, tmp_path):
    folder = result.save(tmp_path / "run", figures=False)
    for name in metrics.TABLES:
        schema = pq.read_schema(folder / f"{name}.parquet")
        assert schema.metadata is None
        for column in metrics.columns(name):
            metadata = schema.field(column.name).metadata
            assert metadata[b"unit"].decode() == column.unit
            assert metadata[b"description"].decode() == column.text


def test_a_run_folder_is_replaced(result, tmp_path):
    folder = result.save(tmp_path / "run", figures=False)
    (folder / "left-over").touch()
    result.save(folder, figures=False)
    assert {p.name for p in folder.iterdir()} == FILES | {"figures"}
    assert hidden(tmp_path) == []


def test_a_run_folder_is_replaced_where_names_cannot_be_exchanged(result, tmp_path, monkeypatch):
    folder = result.save(tmp_path / "run", figures=False)
    (folder / "left-over").touch()
    monkeypatch.setattr(run_folder, "_exchange", lambda one, other: False)
    result.save(folder, figures=False)
    assert {p.name for p in folder.iterdir()} == FILES | {"figures"}
    assert hidden(tmp_path) == []


def test_an_empty_folder_is_filled(result, tmp_path):
    (tmp_path / "run").mkdir()
    result.save(tmp_path / "run", figures=False)
    assert run_folder.is_ours(tmp_path / "run")


@pytest.mark.parametrize("name", ["thesis.doc", "manifest.json"])
def test_a_folder_with_other_things_is_left_alone(result, tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="holds files that are not of a run"):
        result.save(tmp_path / "run")
    assert [p.name for p in (tmp_path / "run").iterdir()] == [name]


def test_a_file_is_no_place_for_a_folder(result, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UsageError):
            result.save(place)


def test_a_dangling_link_is_no_place_for_a_folder(result, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is not a folder"):
        result.save(tmp_path / "link")


def test_a_full_disk_leaves_the_old_folder_and_nothing_else(result, tmp_path, monkeypatch):
    folder = result.save(tmp_path / "run", figures=False)
    before = (folder / "manifest.json").read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run_folder, "write_table", full)
    with pytest.raises(UsageError, match=r"No space left on device.*free some space"):
        result.save(folder)
    assert (folder / "manifest.json").read_bytes() == before
    assert hidden(tmp_path) == []


def test_ctrl_c_while_writing_leaves_nothing(result, tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "write_figure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        result.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from simulator import run_folder
from simulator.result import Result
run_folder.write_figure = lambda *args: os.kill(os.getpid(), 9)
Result.open(sys.argv[1]).save(sys.argv[2])
"""


def test_a_killed_run_leaves_no_folder_that_looks_whole(result, tmp_path):
    folder = result.save(tmp_path / "whole", figures=False)
    target = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", KILLED, folder, target], check=False)
    assert done.returncode == -9
    assert not target.exists()
    (partial,) = hidden(tmp_path)
    assert not run_folder.is_ours(tmp_path / partial)


def test_a_file_that_is_missing_or_changed_is_named(result, tmp_path):
    folder = result.save(tmp_path / "run")
    (folder / "streams.parquet").unlink()
    (folder / "hops.parquet").write_bytes(b"PAR1")
    summary = folder / "summary.json"
    summary.write_text(summary.read_text().replace('"seed": 7', '"seed": 8'))
    with pytest.raises(UsageError) as caught:
        run_folder.read(folder)
    assert str(caught.value).splitlines() == [
        f"{folder / 'hops.parquet'}: was damaged or edited since it was written; run it again",
        f"{folder / 'streams.parquet'}: cannot be read (No such file or directory); run it again",
        f"{folder / 'summary.json'}: was damaged or edited since it was written; run it again",
    ]
    with pytest.raises(UsageError, match=r"streams\.parquet: cannot be read"):
        write_report(folder, tmp_path / "report.html")


def test_figures_may_be_thrown_away(result, tmp_path):
    folder = result.save(tmp_path / "run")
    for file in (folder / "figures").iterdir():
        file.unlink()
    assert run_folder.read(folder).summary == result.summary_dict


def test_a_folder_of_another_format_is_refused_with_its_version(result, tmp_path):
    folder = result.save(tmp_path / "run", figures=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"format_version": 7, "crossprem": "9.9"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match=r"format 7 of crossprem 9\.9.* with format 1; run it"):
        run_folder.read(folder)
