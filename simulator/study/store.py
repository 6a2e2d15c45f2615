"""The store of a sweep: one small Parquet file for each finished point, named by its content.

A file appears as a whole or not at all. Its name is the address of the point: a hash of the
resolved scenario, of how it is replicated, of the sources and of the catalogue. So two sweeps may
share a folder, nothing is ever overwritten by something else, and what is there need not be
computed again.

    design.json              what the sweep is: marks the folder as ours
    points/<address>.parquet the rows of a point, in the order of its replications
    table.parquet            all points with their values in front, once the sweep has ended
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import simulator
from kernels._jit import SOURCE_FOLDER, source_hash
from simulator import metrics
from simulator.base.errors import UsageError
from simulator.catalog import catalog_hash
from simulator.metrics.metric import COUNT, TEXT

FORMAT: Final = "crossprem-sweep"
DESIGN: Final = "design.json"
POINTS: Final = "points"
TABLE: Final = "table.parquet"
PARTIAL: Final = ".partial"
"""End of the name of a file that is being written."""
OK: Final = "ok"
FAILED: Final = "failed"
READ_TOGETHER: Final = 500
"""Files asked for at once: a store far away fetches them side by side."""
WHOLE_NUMBERS: Final = {"packets", "bytes", COUNT}
"""Units of columns that hold whole numbers."""


@cache
def version_hash() -> str:
    """Hash everything that makes results: the sources of both packages and the catalogue."""
    simulator_folder = Path(simulator.__file__).parent
    parts = (source_hash(SOURCE_FOLDER), source_hash(simulator_folder), catalog_hash())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def address_of(version: str, *parts: str) -> str:
    """The address of a point made by a version: 32 hexadecimal digits."""
    text = "\0".join((version, *parts))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def schema() -> Any:
    """The columns of a point's file, as an Arrow schema."""
    import pyarrow as pa

    kinds = {TEXT: pa.string()} | dict.fromkeys(WHOLE_NUMBERS, pa.int64())
    own = [
        pa.field("address", pa.string()),
        pa.field("status", pa.string()),
        pa.field("error", pa.string()),
        pa.field("replicate", pa.int64()),
        pa.field("monthly_cost_usd", pa.float64()),
    ]
    streams = [
        pa.field(c.name, kinds.get(c.unit, pa.float64())) for c in metrics.columns("streams")
    ]
    return pa.schema([*own, *streams])


def to_bytes(table: Any, *, is_small: bool = False) -> bytes:
    """An Arrow table as a Parquet file, each page with a checksum; the same table, the same bytes.

    A table of a few rows is written without what would only cost time for so few: compression,
    dictionaries, statistics.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    how: dict[str, Any] = {"compression": "zstd"}
    if is_small:
        how = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pq.write_table(table, sink, store_schema=not is_small, write_page_checksum=True, **how)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def from_bytes(content: bytes) -> Any:
    """The Arrow table of a Parquet file of ours, or None if the file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(
            pa.BufferReader(content), pre_buffer=False, page_checksum_verification=True
        )
        return file.read(use_threads=False)
    except (OSError, ValueError, pa.ArrowException):
        return None


class Store:
    """A folder of a sweep, on this machine or wherever fsspec reaches.

    Parameters
    ----------
    url
        A path, or a URL such as `s3://bucket/sweep`.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        try:
            self._files, self._root = url_to_fs(url)
        except (ImportError, OSError, ValueError) as error:
            raise UsageError(f"{url}: cannot be opened ({error}); name a folder") from error
        self._is_local = "file" in _protocols(self._files)
        self.is_of_one_process = "memory" in _protocols(self._files)
        self.url = url

    def path(self, name: str) -> str:
        """Where a file lies."""
        return f"{self._root}/{name}"

    def put(self, name: str, content: bytes) -> None:
        """Write a file as a whole: readers see all of it or nothing."""
        path = self.path(name)
        if not self._is_local:
            self._files.pipe_file(path, content)  # object stores show a file when it is whole
            return
        partial = Path(f"{path}.{uuid.uuid4().hex}{PARTIAL}")
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise

    def get(self, name: str) -> bytes | None:
        """Read a file; None if there is none."""
        path = self.path(name)
        try:
            content: bytes = (
                Path(path).read_bytes() if self._is_local else self._files.cat_file(path)
            )
        except FileNotFoundError:
            return None
        return content

    def kept(self, address: str) -> tuple[str, str] | None:
        """Status and error of a point whose file is there and undamaged, else None."""
        try:
            content = self.get(point_file(address))
        except OSError:
            return None
        rows = None if content is None else from_bytes(content)
        if rows is None or rows.schema != schema():
            return None
        if rows.num_rows == 0:
            return OK, ""  # nobody sent a packet
        row = rows.slice(0, 1).to_pylist()[0]
        return (row["status"], row["error"] or "") if row["address"] == address else None

    def is_empty(self) -> bool:
        """Whether nothing is in the folder, leftovers of a killed `put` aside, or there is none."""
        if not self._files.exists(self._root):
            return True
        return all(name.endswith(PARTIAL) for name in self._files.ls(self._root, detail=False))

    def prepare(self, design: bytes) -> None:
        """Make the folder, write `design.json` in it, and so see that it can be written.

        That file is the first one, so the folder counts as ours whenever the sweep is killed.

        Raises
        ------
        UsageError
            If it cannot be made or written.
        """
        try:
            self._files.makedirs(self._root, exist_ok=True)
            self.put(DESIGN, design)
            self._files.makedirs(self.path(POINTS), exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{self.url}: cannot be written ({error.strerror or error}); choose another folder"
            ) from error

    def points(self, addresses: Iterable[str]) -> Any:
        """The rows of some points, one after the other, as an Arrow table.

        Raises
        ------
        UsageError
            If a point that was there is so no more.
        """
        import pyarrow as pa

        paths = [self.path(point_file(address)) for address in addresses]
        parts = [schema().empty_table()]
        for begin in range(0, len(paths), READ_TOGETHER):
            some = paths[begin : begin + READ_TOGETHER]
            # Not `cat`, which would take brackets in the name of the folder for a pattern.
            found = self._files.cat_ranges(some, None, None, on_error="return")
            tables = []
            for path, content in zip(some, found, strict=True):
                table = from_bytes(content) if isinstance(content, bytes) else None
                if table is None:
                    raise UsageError(
                        f"{path}: was removed or damaged while the sweep ran; go on with --resume"
                    )
                tables.append(table)
            parts.append(pa.concat_tables(tables).combine_chunks())
        return pa.concat_tables(parts).combine_chunks()

    def design(self) -> dict[str, Any] | None:
        """What `design.json` says, nothing if it is damaged; None if this is no folder of ours."""
        try:
            content = self.get(DESIGN)
        except OSError as error:
            raise UsageError(
                f"{self.url}: cannot be read as a folder ({error.strerror or error}); "
                "choose another one"
            ) from error
        if content is None:
            return None
        try:
            found = json.loads(content)
        except ValueError:
            return {} if self._files.exists(self.path(POINTS)) else None
        is_ours = isinstance(found, dict) and found.get("format") == FORMAT
        return found if is_ours else None


def point_file(address: str) -> str:
    """The file of a point."""
    return f"{POINTS}/{address}.parquet"


def _protocols(files: Any) -> tuple[str, ...]:
    found = files.protocol
    return (found,) if isinstance(found, str) else tuple(found)


def absolute(place: str | os.PathLike[str]) -> str:
    """A path without a scheme made absolute, so that workers elsewhere find it."""
    text = os.fspath(place)
    return text if "://" in text or "::" in text else str(Path(text).absolute())
