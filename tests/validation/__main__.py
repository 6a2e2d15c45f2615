"""Compute every comparison, write tables, page and figures, and say what does not hold.

    python -m tests.validation [NAME ...]                             the project's measurements
    python -m tests.validation --data FOLDER [--out FOLDER] [NAME ...]   somebody else's

With names, only those tables are computed anew. With `--data`, every file of FOLDER that has the
name and shape of one in `tests/validation/data` is compared in the same way; tables and a list of
what holds go to `--out`, and the page stays as it is. Ends with 1 if a figure that must hold does
not, with 3 if a file cannot be read.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pandas as pd

from simulator import __version__
from tests.validation import page
from tests.validation.measurements import COLUMNS, DATA, MeasurementError, read
from tests.validation.page_tables import held_text
from tests.validation.sets import SETS, DataSet

WORKERS = 2
BY_NAME = {s.name: s for s in SETS}
BROKEN, UNREADABLE = 1, 3


def computed(name: str, folder: Path) -> tuple[str, float]:
    """Compute one table; return its text and how long it took."""
    begun_s = time.monotonic()
    text = io.StringIO()
    table = BY_NAME[name].compute(folder)
    table.to_csv(text, index=False, float_format="%.6g", lineterminator="\n")
    return text.getvalue(), time.monotonic() - begun_s


def write_tables(names: Sequence[str], folder: Path, out: Path) -> bool:
    """Compute tables and write them; return whether any is another than before."""
    out.mkdir(parents=True, exist_ok=True)
    changed = False
    compute = partial(computed, folder=folder)
    with ProcessPoolExecutor(WORKERS) if len(names) > 1 else nullcontext() as pool:
        tables = pool.map(compute, names) if pool else map(compute, names)
        for name, (text, took_s) in zip(names, tables, strict=True):
            file = out / f"{name}.csv"
            changed |= not file.exists() or file.read_text(encoding="utf-8") != text
            file.write_text(text, encoding="utf-8")
            sys.stderr.write(f"{name}: {took_s:.0f} s\n")
    return changed


def validate(names: Sequence[str]) -> int:
    """Compute tables of the project's own measurements; write the page; return the status."""
    changed = write_tables(names, DATA, page.TABLES)
    old = page.read_stamp() if page.STAMP.exists() else {}
    if changed or old.get("version") != __version__:
        # The day of the figures: a later run that gives the same ones leaves it.
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        stamp = {"version": __version__, "date": today}
        page.STAMP.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    tables = page.write()
    sys.stdout.write(page.headline(tables) + "\n")
    broken = [(title, line) for title, line in page.all_held(tables) if not line.is_held]
    for title, line in broken:
        text = f"{line.figure}: {line.value:.4g}, must be {line.bound:.4g}"
        sys.stdout.write(f"does not hold: {title}: {text}\n")
    return BROKEN if broken else 0


def comparable(names: Sequence[str], folder: Path) -> list[DataSet]:
    """Return the comparisons of some names, or all, whose files are in a folder.

    Raises
    ------
    MeasurementError
        If there is none, or one of the names has no file.
    """
    wanted = [BY_NAME[name] for name in names] or [s for s in SETS if s.is_of_folder]
    found = [s for s in wanted if s.can_compare(folder)]
    if names and len(found) < len(wanted):
        missing = [f"{s.name} needs {', '.join(s.measured)}" for s in wanted if s not in found]
        raise MeasurementError(f"{folder}: {'; '.join(missing)}")
    if not found:
        raise MeasurementError(f"{folder}: has none of {', '.join(COLUMNS)}")
    return found


def compare_folder(names: Sequence[str], folder: Path, out: Path) -> int:
    """Compare the measurements of a folder; return the status."""
    try:
        sets = comparable(names, folder)
        for file in dict.fromkeys(file for s in sets for file in s.measured):
            if (folder / file).exists():
                read(file, folder)  # all of them before any is compared
        write_tables([s.name for s in sets], folder, out)
    except MeasurementError as error:
        sys.stderr.write(f"{error}\n")
        return UNREADABLE
    tables = [(s, out / f"{s.name}.csv") for s in sets]
    # A comparison that finds nothing of its kind in the files leaves an empty table.
    found = [(s, pd.read_csv(table)) for s, table in tables if table.read_text("utf-8").strip()]
    lines = [(s.title, line) for s, table in found for line in s.held(table)]
    text = held_text(lines)
    (out / "held.md").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{text}\n\nTables: {out}\n")
    return BROKEN if any(not line.is_held for _, line in lines) else 0


def main(arguments: Sequence[str]) -> int:
    """Read the command line; compare; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.validation")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BY_NAME)}")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="measurements to compare")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for its tables")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BY_NAME]
    if unknown:
        parser.error(f"no comparison {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    if options.data is None:
        return validate(options.names or list(BY_NAME))
    return compare_folder(options.names, options.data, options.out or options.data / "compared")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
