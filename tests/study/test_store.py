"""The folder of a sweep: damage is seen, and costs no more than what is damaged."""

import random
import shutil
from concurrent.futures import Future
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import simulator
from simulator.base.errors import UsageError
from simulator.study import store, sweep
from tests.study.test_sweep import point_files, table_bytes, whole

assert whole is not None  # a fixture that this module uses, too


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of the whole sweep that a test may spoil, and the design's file."""
    folder, file = whole
    shutil.copytree(folder, tmp_path / "out")
    return tmp_path / "out", file


def test_a_point_that_is_damaged_in_any_way_is_computed_again_and_no_other(whole, copied):
    out, file = copied
    files = sorted((out / store.POINTS).iterdir())
    contents = [path.read_bytes() for path in files]
    rows = pq.read_table(files[7])
    files[0].write_bytes(b"")
    files[1].write_bytes(bytes(len(contents[1])))
    files[2].write_bytes(contents[2][:100] + contents[2][-4:])
    files[3].write_bytes(contents[3][:1500] + bytes(64) + contents[3][1564:])
    files[4].write_bytes(contents[5])
    files[5].unlink()
    files[5].symlink_to("nowhere")
    pq.write_table(rows.select(["status"]), files[6])
    pq.write_table(rows.drop_columns(["latency_s_p99"]), files[7])
    found = sweep.sweep(file, out, workers=1, resume=True)
    assert found.kept_count == len(files) - 8
    assert [path.read_bytes() for path in files] == contents
    assert table_bytes(out) == table_bytes(whole[0])


def test_no_wrong_bit_of_a_point_goes_unseen(whole):
    content, _ = next(iter(point_files(whole[0]).values()))
    rows = store.from_bytes(content)
    numbers = random.Random(1)
    seen = 0
    for _ in range(300):
        spoilt = bytearray(content)
        spoilt[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
        found = store.from_bytes(bytes(spoilt))
        seen += found is None
        # Some bits say nothing: paddings, and who wrote the file.
        assert found is None or found.schema != store.schema() or found.equals(rows)
    assert seen > 150


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", bytes(50)])
def test_a_damaged_description_costs_no_point(copied, content):
    out, file = copied
    description = (out / store.DESIGN).read_bytes()
    (out / store.DESIGN).write_bytes(content)
    with pytest.raises(UsageError, match="go on with --resume"):
        sweep.sweep(file, out, workers=1)
    assert sweep.sweep(file, out, workers=1, resume=True).kept_count == 12
    assert (out / store.DESIGN).read_bytes() == description


@pytest.mark.parametrize("content", [b"", b"PAR1", bytes(500)])
def test_a_damaged_table_is_named_and_written_anew(whole, copied, content):
    out, file = copied
    (out / store.TABLE).write_bytes(content)
    with pytest.raises(UsageError, match=r"table\.parquet is damaged; write it anew"):
        simulator.open_sweep(out)
    sweep.sweep(file, out, workers=1, resume=True)
    assert table_bytes(out) == table_bytes(whole[0])
    assert simulator.open_sweep(out).points_count == 12


def test_what_a_killed_process_left_half_written_is_in_nobodys_way(whole, copied, tmp_path):
    out, file = copied
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / f"{store.DESIGN}.0123{store.PARTIAL}").write_bytes(b"{")
    (out / f"{store.TABLE}.0123{store.PARTIAL}").write_bytes(b"PAR1")
    (out / store.POINTS / f"00.parquet.0123{store.PARTIAL}").touch()
    assert sweep.sweep(file, tmp_path / "new", workers=1).kept_count == 0
    assert sweep.sweep(file, out, workers=1, resume=True).kept_count == 12
    assert table_bytes(out) == table_bytes(tmp_path / "new") == table_bytes(whole[0])


def test_points_that_vanish_while_the_sweep_runs_are_named(whole, tmp_path):
    out = tmp_path / "out"

    def remove(done, total):
        if done == total:
            shutil.rmtree(out / store.POINTS)

    with pytest.raises(UsageError, match=r"\.parquet: was removed or damaged while"):
        sweep.sweep(whole[1], out, workers=1, progress=remove)
    assert sweep.sweep(whole[1], out, workers=1, resume=True).kept_count == 0


def test_a_full_disk_is_named_before_the_first_point(whole, tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UsageError, match=r"cannot be written \(No space left on device\)"):
        sweep.sweep(whole[1], tmp_path / "out")


@pytest.mark.parametrize("name", ["a[1]*?", "with space", "é"])
def test_a_folder_may_have_any_name(copied, tmp_path, name):
    out, file = copied
    place = out.rename(tmp_path / name)
    expected = table_bytes(place)
    for url in (place, f"file://{place}"):
        (place / store.TABLE).unlink()
        assert sweep.sweep(file, url, workers=1, resume=True).kept_count == 12
        assert table_bytes(place) == expected
        assert len(simulator.open_sweep(url).table) == 48


def test_memory_that_workers_do_not_see_is_no_place_for_a_sweep(whole):
    with pytest.raises(UsageError, match="workers are other processes"):
        sweep.sweep(whole[1], "memory://sweep")


def test_a_scheduler_that_is_lost_is_named(whole, tmp_path, monkeypatch):
    class Gone:
        count, breaks_whole = 1, False

        def __init__(self, address):
            self.executor = self

        def submit(self, *arguments):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

        def close(self):
            pass

    monkeypatch.setattr(sweep, "ClusterWorkers", Gone)
    with pytest.raises(UsageError, match=r"tcp://here:1: was lost; .* --resume"):
        sweep.sweep(whole[1], tmp_path / "out", scheduler="tcp://here:1")
