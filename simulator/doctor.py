"""`crossprem doctor`: whether this installation can do its work, and what to do if not."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal

Status = Literal["ok", "warning", "error"]

PYTHON_LOWEST: Final = (3, 11)
FREE_BYTES: Final = 2 * 10**9
"""Less free disk than this is worth a warning: kernels and run folders need some of it."""
FONT: Final = "DejaVu Sans"


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    status: Status
    found: str
    remedy: str = ""


def findings() -> list[Finding]:
    """Run every check; none of them raises."""
    return [finding for check in CHECKS for finding in check()]


def _python() -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    lowest = ".".join(map(str, PYTHON_LOWEST))
    is_old = sys.version_info < PYTHON_LOWEST
    yield Finding("Python", "error" if is_old else "ok", found, f"install {lowest}" * is_old)


def _packages() -> Iterator[Finding]:
    try:
        wanted = [text for text in requires("crossprem") or () if "extra ==" not in text]
    except PackageNotFoundError:
        yield Finding("packages", "error", "crossprem is not installed", "pip install crossprem")
        return
    for text in wanted:
        name, _, lowest = text.partition(">=")
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding(name, "error", "missing", f"pip install '{text}'")
            continue
        is_old = _numbers(found) < _numbers(lowest)
        remedy = f"pip install '{text}'" if is_old else ""
        yield Finding(name, "error" if is_old else "ok", found, remedy)


def _numbers(text: str) -> tuple[int, ...]:
    digits = (part for part in text.split("."))
    return tuple(int(part) for part in digits if part.isdigit())


def _kernels() -> Iterator[Finding]:
    try:
        from kernels import _jit

        folder = _jit.cache_folder()
        is_new = _jit.must_compile()
        if _jit.is_plain_python():
            yield Finding(
                "compiler", "warning", "NUMBA_DISABLE_JIT is set: some hundred times slower",
                "unset NUMBA_DISABLE_JIT",
            )  # fmt: skip
    except Exception as error:
        yield Finding("compiler", "error", f"{type(error).__name__}: {error}", "reinstall numba")
        return
    state = "empty: the first run compiles, about a minute" if is_new else "filled"
    if os.access(folder, os.W_OK):
        yield Finding("kernel cache", "ok", f"{folder} ({state})")
    else:
        remedy = f"set {_jit.CACHE_DIR_VARIABLE} to a folder you can write"
        yield Finding("kernel cache", "error", f"{folder} cannot be written", remedy)


def _fonts() -> Iterator[Finding]:
    try:
        from matplotlib import font_manager

        path = font_manager.findfont(FONT, fallback_to_default=False)
    except Exception as error:
        yield Finding("font", "error", f"{FONT}: {error}", "reinstall matplotlib, it brings it")
        return
    yield Finding("font", "ok", f"{FONT} ({Path(path).name})")


def _disk() -> Iterator[Finding]:
    here = Path.cwd()
    if not os.access(here, os.W_OK):
        remedy = "change to a folder you can write, or use --out"
        yield Finding("this folder", "error", f"{here} cannot be written", remedy)
    free_bytes = shutil.disk_usage(here).free
    is_full = free_bytes < FREE_BYTES
    remedy = "free some space: a run folder takes some megabytes" if is_full else ""
    yield Finding("disk", "warning" if is_full else "ok", f"{free_bytes / 1e9:.1f} GB free", remedy)


def _processors() -> Iterator[Finding]:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processors", "ok", f"{count} for sweeps (--workers)")


CHECKS: Final[tuple[Callable[[], Iterator[Finding]], ...]] = (
    _python,
    _packages,
    _kernels,
    _fonts,
    _disk,
    _processors,
)
