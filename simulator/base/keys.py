"""Random keys hashed from names, so that adding a thing shifts nobody else's numbers."""

from __future__ import annotations

import hashlib
from functools import lru_cache

_KEY_BYTES = 8
_KEPT_PARTS = 4096


def random_key(seed: int, replicate: int, *names: str) -> int:
    """A 64-bit key for the named thing in one replicate of one seed.

    The key is the first 8 bytes of BLAKE2b over the seed, the replicate and the names, each with
    its length in front, so that ("ab", "c") and ("a", "bc") differ. It depends on nothing else:
    not on the order of creation, the platform or the Python version.

    Parameters
    ----------
    seed
        Seed of the run, any non-negative integer.
    replicate
        Number of the replication, from 0.
    names
        The path of names that identifies the random stream, for example
        `("site", "lyon", "isp", "loss")`.

    Returns
    -------
    int
        In the range of an unsigned 64-bit integer.
    """
    content = b"".join(map(_with_length, (str(seed), str(replicate), *names)))
    return int.from_bytes(hashlib.blake2b(content, digest_size=_KEY_BYTES).digest(), "little")


@lru_cache(_KEPT_PARTS)
def _with_length(part: str) -> bytes:
    """A part as it is hashed; the same few names make up most keys of a plan."""
    content = part.encode("utf-8")
    return len(content).to_bytes(8, "little") + content
