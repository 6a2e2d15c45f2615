"""A cluster that somebody else runs: a real scheduler and three worker processes on loopback."""

import signal
import sys
import warnings

import pytest

from simulator.base.errors import UsageError
from simulator.study import executors, store, sweep
from tests.study.test_sweep import point_files, table_bytes, whole

assert whole is not None  # a fixture that this module uses, too


@pytest.fixture(scope="module")
def cluster():
    """The address of a scheduler with three workers of one thread each, and the cluster."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own, of its dashboard and of ports
        from distributed import LocalCluster

        with LocalCluster(
            n_workers=3,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as found:
            yield found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_bytes_of_this_machine_though_a_worker_is_killed(
    cluster, whole, tmp_path
):
    folder, file = whole
    out = tmp_path / "out"
    begun = []

    def kill_one(done, total):
        if 0 < done < total and not begun:
            begun.append(done)
            nanny = next(iter(cluster.workers.values()))
            executors.os.kill(nanny.process.pid, signal.SIGKILL)

    found = sweep.sweep(file, out, scheduler=cluster.scheduler_address, progress=kill_one)
    assert begun, "no worker was killed"
    assert found.failed_count == 0
    assert table_bytes(out) == table_bytes(folder)
    assert len(point_files(out)) == 12
    again = sweep.sweep(file, out, scheduler=cluster.scheduler_address, resume=True)
    assert again.kept_count == 12


def test_a_scheduler_that_is_not_there_is_named(whole, tmp_path, monkeypatch):
    _, file = whole
    monkeypatch.setattr(executors, "CONNECT_S", 0.5)
    with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:9: cannot be reached"):
        sweep.sweep(file, tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"install crossprem\[cluster\]"):
        sweep.sweep(file, tmp_path / "out", scheduler="tcp://127.0.0.1:9", resume=True)


def test_results_go_wherever_fsspec_reaches(whole):
    folder, _ = whole
    here = store.Store(str(folder))
    there = store.Store("memory://sweep")
    there.prepare(b"{}")
    assert there.is_empty() is False
    for name in point_files(folder):
        there.put(f"{store.POINTS}/{name}", here.get(f"{store.POINTS}/{name}"))
    addresses = [name.removesuffix(".parquet") for name in sorted(point_files(folder))]
    assert {there.kept(address) for address in addresses} == {(store.OK, "")}
    assert there.kept("0" * 32) is None
    assert there.points(addresses).equals(here.points(addresses))
