"""The folder that a run leaves: written beside its place, then renamed, so never half there.

    scenario.resolved.yaml   the scenario with every default and where it came from
    manifest.json            versions, seed, hash, command, host and dates; marks the folder as ours
    summary.json             see simulator/schema/summary-v1.json
    *.parquet                the tables; unit and meaning of each column in its metadata
    figures/*.svg, *.png

The same scenario and seed give the same bytes in every table and SVG file.
"""

from __future__ import annotations

import ctypes
import datetime
import hashlib
import json
import multiprocessing
import os
import platform
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

import simulator
from simulator.base.errors import UsageError
from simulator.metrics.metric import Column

if TYPE_CHECKING:
    from simulator.plots import Axes

MANIFEST: Final = "manifest.json"
SUMMARY: Final = "summary.json"
RESOLVED: Final = "scenario.resolved.yaml"
FIGURES: Final = "figures"
FORMAT: Final = "crossprem-run"
"""What a manifest calls the folder; a folder without it is not ours."""
FORMAT_VERSION: Final = 1
AT_FDCWD: Final = -100
RENAME_EXCHANGE: Final = 2
"""Arguments of renameat2(2)."""
NULLABLE: Final = b"nullable_integer"
"""Mark in a Parquet field's metadata: whole numbers, some of which may be unknown."""
LIBRARIES: Final = (
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "ruamel.yaml",
    "simpy",
)


@dataclass(frozen=True)
class Saved:
    """A run folder that was read: its summary, its scenario, and its tables at need."""

    folder: Path
    summary: dict[str, Any]
    resolved: str

    def table(self, name: str) -> pd.DataFrame:
        """Read one table."""
        import pyarrow.parquet as pq

        table = pq.read_table(self.folder / f"{name}.parquet")
        frame: pd.DataFrame = table.to_pandas()
        for field in table.schema:
            if NULLABLE in field.metadata:
                frame[field.name] = frame[field.name].astype("Int64")
        return frame

    @property
    def tables(self) -> list[str]:
        """Names of the tables that are there."""
        return sorted(path.stem for path in self.folder.glob("*.parquet"))

    def columns(self, name: str) -> list[Column]:
        """Name, unit and meaning of the columns of one table."""
        import pyarrow.parquet as pq

        return [
            Column(f.name, f.metadata[b"unit"].decode(), f.metadata[b"description"].decode())
            for f in pq.read_schema(self.folder / f"{name}.parquet")
        ]


def is_ours(folder: Path) -> bool:
    """Whether a folder carries the manifest of a run."""
    return bool(_manifest_of(folder))


def has_written(folder: Path, name: str) -> bool:
    """Whether a folder is ours and was written with a file of this name, be it there or not."""
    return name in _manifest_of(folder).get("sha256", {})


def _manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of ours; empty if it is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_ours = isinstance(manifest, dict) and manifest.get("format") == FORMAT
    return manifest if is_ours else {}


def check_place(folder: Path) -> None:
    """Refuse a place where no run folder can be written; ask before a long run.

    Raises
    ------
    UsageError
        If it is a file, a folder that holds other things, or its parent cannot be written.
    """
    if folder.is_dir():
        if any(folder.iterdir()) and not is_ours(folder):
            raise UsageError(
                f"{folder}: holds files that are not of a run; choose a new or empty folder"
            )
    elif folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder}: is not a folder; choose a new or empty folder")
    above = next(p for p in folder.absolute().parents if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: {above} cannot be written; choose another folder")


def read(folder: Path) -> Saved:
    """Read a run folder whose tables and texts are still those that were written.

    Raises
    ------
    UsageError
        If it is none, another version of crossprem wrote it in another way, or a file is missing
        or was changed since; every such file is named.
    """
    manifest = _manifest_of(folder)
    if not manifest:
        raise UsageError(f"{folder}: is no run folder; it would hold a {MANIFEST} of ours")
    found = manifest.get("format_version")
    if found != FORMAT_VERSION:
        raise UsageError(
            f"{folder}: is in format {found} of crossprem {manifest.get('crossprem')}, and this is "
            f"{simulator.__version__} with format {FORMAT_VERSION}; run it again"
        )
    wrong = list(_changed(folder, manifest["sha256"]))
    if wrong:
        raise UsageError("\n".join(wrong))
    return Saved(
        folder,
        json.loads((folder / SUMMARY).read_text(encoding="utf-8")),
        (folder / RESOLVED).read_text(encoding="utf-8"),
    )


def _changed(folder: Path, hashes: Mapping[str, str]) -> Iterator[str]:
    """Say which files are not those that were written; figures may be thrown away."""
    for name, expected in hashes.items():
        if name.startswith(f"{FIGURES}/"):
            continue
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            yield f"{folder / name}: cannot be read ({error.strerror}); run it again"
            continue
        if found != expected:
            yield f"{folder / name}: was damaged or edited since it was written; run it again"


def write(
    folder: Path,
    *,
    tables: Mapping[str, tuple[pd.DataFrame, Sequence[Column]]],
    summary: Mapping[str, Any],
    resolved: str,
    figures: Mapping[str, Axes],
    command: str | None,
    texts: Mapping[str, str] | None = None,
) -> Path:
    """Write all files beside `folder`, then put them in its place.

    `texts` are further files by name.

    Whoever is killed in between leaves a hidden folder `.NAME.partial-PID` without a manifest.

    Raises
    ------
    UsageError
        If the place cannot be written, or the disk is full.
    """
    check_place(folder)
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        (partial / FIGURES).mkdir(parents=True)
        for name, (frame, columns) in tables.items():
            write_table(partial / f"{name}.parquet", frame, columns)
        write_figures(partial / FIGURES, figures)
        for name, text in (texts or {}).items():
            (partial / name).write_text(text, encoding="utf-8")
        (partial / RESOLVED).write_text(resolved, encoding="utf-8")
        (partial / SUMMARY).write_text(to_json(summary), encoding="utf-8")
        (partial / MANIFEST).write_text(
            to_json(_manifest(partial, summary, command)), encoding="utf-8"
        )
        _put_in_place(partial, folder)
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot be written ({error.strerror or error}); "
            "free some space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _put_in_place(partial: Path, folder: Path) -> None:
    """Rename; an older run folder changes places with the new one, and is removed with it."""
    if not is_ours(folder):
        partial.rename(folder)  # a new place, or an empty folder
    elif not _exchange(partial, folder):
        old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step, which Linux can; return whether it was done."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), RENAME_EXCHANGE) == 0)


def write_table(path: Path, frame: pd.DataFrame, columns: Sequence[Column]) -> None:
    """Write a frame as Parquet, with unit and meaning of each column in its field's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = []
    for column in columns:
        metadata = {b"unit": column.unit.encode(), b"description": column.text.encode()}
        if frame[column.name].dtype == pd.Int64Dtype():
            metadata[NULLABLE] = b"true"
        kind = _arrow_type(frame[column.name])
        fields.append(pa.field(column.name, kind, metadata=metadata))
    arrays = [pa.array(frame[f.name], type=f.type, from_pandas=True) for f in fields]
    pq.write_table(pa.table(arrays, schema=pa.schema(fields)), path, compression="zstd")


def _arrow_type(column: pd.Series[Any]) -> Any:
    import pyarrow as pa

    if pd.api.types.is_bool_dtype(column.dtype):
        return pa.bool_()
    if pd.api.types.is_integer_dtype(column.dtype):
        return pa.int64()
    return pa.float64() if pd.api.types.is_float_dtype(column.dtype) else pa.string()


def write_figures(folder: Path, figures: Mapping[str, Axes]) -> None:
    """Write each figure as SVG, the same bytes for the same figure, and as PNG.

    Where a second processor is free, a forked copy of this process writes half of them. If the
    copy fails, its share is written here, so that what is wrong comes out here.
    """
    names = list(figures)
    if len(names) < 2 or sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        _write_share(folder, figures)
        return
    half = len(names) // 2
    mine, others = ({n: figures[n] for n in share} for share in (names[:half], names[half:]))
    with warnings.catch_warnings():
        # Python 3.12 warns of locks that other threads hold; drawing needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        copy = multiprocessing.get_context("fork").Process(
            target=_write_share_quietly, args=(folder, others)
        )
        copy.start()
    try:
        _write_share(folder, mine)
    finally:
        copy.join()
    if copy.exitcode != 0:
        _write_share(folder, others)


def _write_share(folder: Path, figures: Mapping[str, Axes]) -> None:
    for name, axes in figures.items():
        write_figure(folder, name, axes)


def _write_share_quietly(folder: Path, figures: Mapping[str, Axes]) -> None:
    try:
        _write_share(folder, figures)
    except BaseException:
        os._exit(1)


def write_figure(folder: Path, name: str, axes: Axes) -> None:
    """Write one figure in both formats."""
    from simulator import plots

    plots.save(axes, folder / f"{name}.svg", folder / f"{name}.png")


def _manifest(partial: Path, summary: Mapping[str, Any], command: str | None) -> dict[str, Any]:
    files = sorted(p for p in partial.rglob("*") if p.is_file())
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "crossprem": simulator.__version__,
        "scenario": summary["scenario"],
        "scenario_hash": summary["scenario_hash"],
        "seed": summary["seed"],
        "command": command,
        "written_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
        "host": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "processor": processor(),
            "cpu_count": os.cpu_count(),
            "executable": sys.executable,
        },
        "sha256": {
            p.relative_to(partial).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in files
        },
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def processor() -> str:
    """Return the model name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def to_json(value: object) -> str:
    """Write JSON as the files of a run folder hold it: readable, and without NaN."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
