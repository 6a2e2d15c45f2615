"""The decorator: keyed cache folder, fresh code after any edit, bounds checks, plain Python."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from kernels import _jit

ROOT = Path(__file__).resolve().parents[2]
VARIABLES_WITHOUT_EFFECT = ("NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT", "NUMBA_OPT")


@pytest.fixture
def package(tmp_path):
    """Return a folder with a package `kernels` of two files: an outer kernel calls an inner one."""
    folder = tmp_path / "checkout" / "kernels"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "_jit.py").write_bytes((ROOT / "kernels" / "_jit.py").read_bytes())
    (folder / "inner.py").write_text(
        textwrap.dedent(
            """
            from kernels._jit import kernel

            @kernel
            def step(x):
                return x + 1
            """
        )
    )
    (folder / "outer.py").write_text(
        textwrap.dedent(
            """
            from kernels._jit import inline_kernel, kernel
            from kernels.inner import step

            @inline_kernel
            def twice(x):
                return 2 * x

            @kernel
            def double_step(x):
                return twice(step(x))

            @kernel
            def element(values, index):
                return values[index]
            """
        )
    )
    return folder


def run_python(code, folder, cache, **variables):
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES_WITHOUT_EFFECT}
    environment |= {
        "PYTHONPATH": str(folder.parent),
        "CROSSPREM_CACHE_DIR": str(cache),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


CALL = "from kernels.outer import double_step; print(double_step(1))"
HITS = """
    from kernels.outer import double_step
    double_step(1)
    print(sum(double_step.stats.cache_hits.values()), sum(double_step.stats.cache_misses.values()))
"""
OUT_OF_RANGE = """
    import numpy as np
    from kernels.outer import element
    try:
        element(np.arange(4), 4_000)
    except IndexError:
        print("refused")
    else:
        print("read")
"""


def folders(cache):
    return {path.name for path in cache.glob("kernels-*")}


def test_edit_of_an_inner_kernel_in_another_file_is_seen(package, tmp_path):
    cache = tmp_path / "cache"
    assert run_python(CALL, package, cache) == "4"  # 2 * (1 + 1)
    inner = package / "inner.py"
    inner.write_text(inner.read_text().replace("x + 1", "x + 100"))
    assert run_python(CALL, package, cache) == "202"  # 2 * (1 + 100)
    assert len(folders(cache)) == 2


def test_second_process_loads_instead_of_compiling(package, tmp_path):
    assert run_python(HITS, package, tmp_path / "cache") == "0 1"
    assert run_python(HITS, package, tmp_path / "cache") == "1 0"


def test_bounds_check_is_in_force_although_unchecked_code_is_cached(package, tmp_path):
    cache = tmp_path / "cache"
    assert run_python(OUT_OF_RANGE, package, cache) == "read"
    assert run_python(OUT_OF_RANGE, package, cache, NUMBA_BOUNDSCHECK="1") == "refused"
    assert len(folders(cache)) == 2


def test_plain_python_makes_no_folder(package, tmp_path):
    cache = tmp_path / "cache"
    code = CALL + "; print(type(double_step).__name__)"
    assert run_python(code, package, cache, NUMBA_DISABLE_JIT="1") == "4\nfunction"
    assert not cache.exists()


def test_several_processes_that_compile_at_once_agree(package, tmp_path):
    # Each process saves several signatures of the same kernels into one cold folder.
    code = """
        import numpy as np
        from kernels.outer import double_step
        kinds = (np.int64, np.float64, np.int32, np.float32, np.uint8)
        print([float(double_step(kind(3))) for kind in kinds])
    """
    environment = os.environ | {
        "PYTHONPATH": str(package.parent),
        "CROSSPREM_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", textwrap.dedent(code)]
    running = [
        subprocess.Popen(command, env=environment, cwd=package.parent, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    outputs.append(run_python(code, package, tmp_path / "cache").encode() + b"\n")
    assert set(outputs) == {b"[8.0, 8.0, 8.0, 8.0, 8.0]\n"}


def test_folder_that_cannot_be_written_is_replaced(package, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.touch()
    code = "from kernels._jit import cache_folder; print(cache_folder())"
    elsewhere = tmp_path / "xdg"
    chosen = run_python(code, package, blocked, XDG_CACHE_HOME=str(elsewhere))
    assert Path(chosen).parent == elsewhere / "crossprem"


def test_other_users_of_numba_keep_their_folder(package, tmp_path):
    code = """
        import numba
        from kernels.outer import double_step
        print(repr(numba.config.CACHE_DIR))
    """
    assert run_python(code, package, tmp_path / "cache") == "''"


def test_hash_covers_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "b.py").write_text("")
    first = _jit.source_hash(tmp_path)
    assert _jit.source_hash(tmp_path) == first
    (tmp_path / "notes.txt").write_text("not a source")
    assert _jit.source_hash(tmp_path) == first
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    renamed = _jit.source_hash(tmp_path)
    (tmp_path / "a.py").write_text("x = 2")
    assert len({first, renamed, _jit.source_hash(tmp_path)}) == 3


def test_pruning_keeps_new_recent_and_foreign_folders(tmp_path):
    now_s = time.time()
    old_s = now_s - 2 * _jit.KEPT_AGE_S
    old = [tmp_path / f"{_jit.FOLDER_PREFIX}{index:016x}" for index in range(12)]
    for age, folder in enumerate(old):
        folder.mkdir()
        os.utime(folder, (old_s - age, old_s - age))
    in_use = old[-1]
    foreign = tmp_path / "holiday-pictures"
    foreign.mkdir()
    os.utime(foreign, (0, 0))
    _jit.prune(tmp_path, keep=in_use)
    newest = set(old[: _jit.KEPT_FOLDERS_COUNT])
    assert set(tmp_path.iterdir()) == newest | {in_use, foreign}


def test_pruning_leaves_folders_of_today_alone(tmp_path):
    for index in range(12):
        (tmp_path / f"{_jit.FOLDER_PREFIX}{index:016x}").mkdir()
    _jit.prune(tmp_path, keep=tmp_path / "none")
    assert len(folders(tmp_path)) == 12
