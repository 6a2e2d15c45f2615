"""Kernels without reference counts, for event loops that touch many arrays a little.

Numba counts references to each array that a compiled function takes from a tuple or passes on,
by atomic operations of some nanoseconds. A kernel that sweeps a block does not notice; one that
reads a few fields of twenty arrays for each event spends most of its time there (measured: flow
events three to five times as slow). A kernel that allocates no array needs no counts: its caller
holds all arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


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
