"""Whose package `kernels` is: its name is generic, and another one can stand in front of ours."""

from __future__ import annotations

import importlib

from simulator.base.errors import ForeignPackageError

OWNER = "crossprem"


def check_kernels_owner() -> None:
    """Make sure that `import kernels` finds this project's package.

    Reads the mark `kernels.OWNER`; our package imports nothing to answer, Numba least of all.

    Raises
    ------
    ForeignPackageError
        If another package of this name comes first on the path, or none is found.
    """
    try:
        kernels = importlib.import_module("kernels")
    except Exception as error:
        # Whatever a foreign package raises while it is imported, the remedy is the same.
        raise ForeignPackageError(
            f"package `kernels` cannot be imported ({type(error).__name__}: {error}): "
            f"it must be the one of {OWNER}; {_REMEDY}"
        ) from error
    if getattr(kernels, "OWNER", None) != OWNER:
        place = getattr(kernels, "__file__", None) or "an unknown place"
        raise ForeignPackageError(
            f"package `kernels` from {place} is not the one of {OWNER}, which it hides; {_REMEDY}"
        )


_REMEDY = (
    f"install {OWNER} in a virtual environment of its own, and start Python outside of folders "
    "that hold a `kernels` of their own"
)
