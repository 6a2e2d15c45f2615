"""Compiled kernels of the data plane: pure functions over NumPy arrays, nothing else.

The name of this package is generic, so `OWNER` says whose it is; `simulator` compares the mark
at first use (`simulator.base.owner`) and names the intruder when another package of this name
stands in front. This file imports nothing: reading the mark must not cost the import of Numba.
"""

from typing import Final

OWNER: Final = "crossprem"
