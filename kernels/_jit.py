"""The one decorator that compiles kernels, and the on-disk cache folder that goes with it.

Numba decides from a function's own source file whether its cached machine code still holds. It
does not see an edit of an inner kernel in another file, nor a changed `NUMBA_BOUNDSCHECK`: it
would load stale code and give silently wrong numbers. So the cache folder here carries a key,
a hash over everything that can change the machine code of any kernel: all sources of this
package, the versions of Python, NumPy, Numba and llvmlite, the processor with its features, and
the compiler's flags. A change of any of them leads to another folder, and old ones are pruned.

    <base>/kernels-<key>/      <base> = $CROSSPREM_CACHE_DIR, else $XDG_CACHE_HOME/crossprem,
                                        else ~/.cache/crossprem, else a private temporary folder

Numba counts references to each array that a compiled function takes from a tuple or passes on,
by atomic operations of some nanoseconds. A kernel that sweeps a block does not notice; one that
reads a few fields of twenty arrays for each event spends most of its time there (measured: flow
events three to five times as slow). A kernel that allocates no array needs no counts, since its
caller holds all arrays: that is what `lean`, `inner` and `counted` are for.

With `NUMBA_DISABLE_JIT=1` a decorated function stays the plain Python function: a debugger can
step through it, and no cache folder is made.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import hashlib
import os
import platform
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

import llvmlite
import llvmlite.binding
import numba
import numba.core.config
import numpy as np
from numba.core.caching import FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])

CACHE_DIR_VARIABLE: Final = "CROSSPREM_CACHE_DIR"
FOLDER_PREFIX: Final = "kernels-"
LOCK_NAME: Final = "lock"
KEPT_FOLDERS_COUNT: Final = 8
"""Newest cache folders that pruning leaves alone, whatever their age."""
KEPT_AGE_S: Final = 86_400.0
"""Age below which pruning leaves a folder alone: a process that runs may still write there."""

CONFIG: Final[Any] = numba.core.config
"""Numba fills this module at run time, so a type checker cannot know its names."""

SOURCE_FOLDER: Final = Path(__file__).resolve().parent
COMPILER_FLAGS: Final = (
    "BOUNDSCHECK",
    "DISABLE_JIT",
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "ENABLE_AVX",
    "DISABLE_INTEL_SVML",
    "CPU_NAME",
    "CPU_FEATURES",
    "DEBUGINFO_DEFAULT",
    "ENABLE_PROFILING",
    "EXTEND_VARIABLE_LIFETIMES",
    "LLVM_REFPRUNE_PASS",
    "LLVM_REFPRUNE_FLAGS",
    "JIT_COVERAGE",
)
"""Settings of `numba.config` (each an environment variable `NUMBA_...`) that change the code."""


def kernel(function: Function) -> Function:
    """Compile a kernel in nopython mode, cached on disk, with NumPy's rules for division.

    For a type checker the kernel stays the plain function. `fastmath` and `parallel` are off on
    purpose: both would let the bits of a result depend on the machine.
    """
    return _compiled(function, inline="never")


def inline_kernel(function: Function) -> Function:
    """Like `kernel`, and written into the body of each calling kernel before types are known.

    For small functions in hot loops only: every call site is compiled anew.
    """
    return _compiled(function, inline="always")


def lean(kernel: Function) -> Function:
    """Compile a kernel without reference counts; Numba refuses if it allocates an array.

    Goes on top of `kernel`. A plain Python function (`NUMBA_DISABLE_JIT=1`) stays as it is.
    """
    return _with_options(kernel, _nrt=False)


def inner(kernel: Function) -> Function:
    """Compile a lean kernel that only other kernels call: without an entry from Python.

    Taking arguments of twenty arrays from Python is a good part of what a small kernel costs to
    compile.
    """
    return _with_options(kernel, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def counted(kernel: Function) -> Function:
    """Compile a kernel that allocates arrays and is called by a lean one, which hands it on."""
    return _with_options(kernel, _nrt=True)


def _with_options(kernel: Function, **options: bool) -> Function:
    target_options: dict[str, Any] | None = getattr(kernel, "targetoptions", None)
    if target_options is not None:
        target_options.update(options)
    return kernel


def _compiled(function: Function, inline: Literal["never", "always"]) -> Function:
    if is_plain_python():
        return function
    # Nobody takes the address of a kernel: the C wrapper would only cost compile time.
    options: Any = {"error_model": "numpy", "inline": inline, "no_cfunc_wrapper": True}
    decorator = numba.njit(**options)
    dispatcher: Any = decorator(function)
    # What `cache=True` does, with our folder and our lock. Numba reads the folder once, when a
    # cache is made: other users of Numba in this process keep theirs.
    dispatcher.compile = _without_collection(dispatcher.compile)
    folder_before = CONFIG.CACHE_DIR
    CONFIG.CACHE_DIR = str(cache_folder())
    try:
        dispatcher._cache = _LockedCache(function)
    finally:
        CONFIG.CACHE_DIR = folder_before
    return cast(Function, dispatcher)


def _without_collection(compiling: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a compilation run without garbage collection.

    It makes millions of objects that stay: to look through them again and again takes a good part
    of the time.
    """

    @functools.wraps(compiling)
    def compile_at_once(signature: Any) -> Any:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return compiling(signature)
        finally:
            if was_enabled:
                gc.enable()

    return compile_at_once


class _LockedCache(FunctionCache):
    """Numba's cache of one function, for several processes that compile at the same time.

    Numba gives the code of each signature the next free file name and then rewrites the index.
    Two processes that save at once can take the same name and leave an index that points to the
    other's code; so saving is exclusive. Loading needs no lock: files are replaced as a whole.
    """

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save the code of one signature; a folder that was removed or is full costs only time."""
        with contextlib.suppress(OSError), (cache_folder() / LOCK_NAME).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            super().save_overload(sig, data)


def is_plain_python() -> bool:
    """Whether kernels run as plain Python in this process (`NUMBA_DISABLE_JIT=1`)."""
    return bool(CONFIG.DISABLE_JIT)


def must_compile() -> bool:
    """Whether the first call of a kernel will compile: the cache folder holds no code yet."""
    return not is_plain_python() and not any(cache_folder().rglob("*.nbc"))


@functools.cache
def cache_folder() -> Path:
    """Return the cache folder of this process, made if need be, with old neighbours pruned.

    The choice is made once per process. A folder that cannot be written is no error: the next
    candidate is taken, at last a temporary one.
    """
    name = FOLDER_PREFIX + cache_key()
    for base in _base_candidates():
        folder = base / name
        try:
            is_new = not folder.is_dir()
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            os.utime(folder)
        except OSError:
            continue
        if is_new:
            prune(base, keep=folder)
        return folder
    return Path(tempfile.mkdtemp(prefix="crossprem-")) / name


@functools.cache
def cache_key() -> str:
    """Return 16 hexadecimal digits that change with anything that can change machine code."""
    digest = hashlib.sha256()
    for part in (source_hash(SOURCE_FOLDER), *_environment()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


def source_hash(folder: Path) -> str:
    """Return the hash of all Python sources below `folder`, names included, in fixed order."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def prune(base: Path, keep: Path) -> None:
    """Remove cache folders of ours below `base` that are neither new nor recently used.

    Parameters
    ----------
    base : Path
        Folder that holds the cache folders; anything not named like one is left alone.
    keep : Path
        The folder in use, never removed.
    """
    dated = []
    for folder in base.glob(FOLDER_PREFIX + "*"):
        try:
            dated.append((folder.stat().st_mtime, folder))
        except OSError:  # another process prunes at the same time
            continue
    oldest_kept_s = time.time() - KEPT_AGE_S
    for used_at_s, folder in sorted(dated, reverse=True)[KEPT_FOLDERS_COUNT:]:
        if folder != keep and used_at_s < oldest_kept_s:
            shutil.rmtree(folder, ignore_errors=True)


def _environment() -> tuple[str, ...]:
    """Return place, versions, processor and flags: what besides the sources shapes the code."""
    features = llvmlite.binding.get_host_cpu_features()
    return (
        str(SOURCE_FOLDER),  # two checkouts do not prune or mistake each other's code
        platform.python_version(),
        platform.machine(),
        np.__version__,
        numba.__version__,
        llvmlite.__version__,
        llvmlite.binding.get_host_cpu_name(),
        ",".join(sorted(name for name, is_present in features.items() if is_present)),
        *(f"{flag}={getattr(CONFIG, flag, None)!s}" for flag in COMPILER_FLAGS),
    )


def _base_candidates() -> list[Path]:
    """Return where the cache may live, best first; a variable that is set but empty is unset."""
    candidates = []
    if chosen := os.environ.get(CACHE_DIR_VARIABLE):
        candidates.append(Path(chosen).expanduser().resolve())
    if (xdg := os.environ.get("XDG_CACHE_HOME")) and Path(xdg).is_absolute():
        candidates.append(Path(xdg) / "crossprem")
    else:
        with contextlib.suppress(RuntimeError):  # a user without a home
            candidates.append(Path("~/.cache/crossprem").expanduser())
    if private := _private_temporary_base():
        candidates.append(private)
    return candidates


def _private_temporary_base() -> Path | None:
    """Return a folder below the temporary one that only this user can write, or None.

    Cached code is loaded and run, so a folder that somebody else may have prepared is refused.
    """
    base = Path(tempfile.gettempdir()) / f"crossprem-{os.getuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        status = base.lstat()
    except OSError:
        return None
    is_private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
    return base if is_private and status.st_uid == os.getuid() else None
