"""The few conversion factors that kernels and everything above them share."""

from typing import Final

BITS_PER_BYTE: Final = 8
PS_PER_NS: Final = 1_000
PS_PER_S: Final = 1_000_000_000_000
