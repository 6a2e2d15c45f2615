"""Compute every comparison, write tables, page and figures, and say what does not hold.

    python -m tests.validation [NAME ...]

With names, only those tables are computed anew. Ends with 1 if a figure that must hold does not.
"""

from __future__ import annotations

import datetime
import io
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from simulator import __version__
from tests.validation import page
from tests.validation.sets import SETS

WORKERS = 2
BY_NAME = {s.name: s for s in SETS}


def computed(name: str) -> tuple[str, float]:
    """Compute one table; return its text and how long it took."""
    begun_s = time.monotonic()
    text = io.StringIO()
    BY_NAME[name].compute().to_csv(text, index=False, float_format="%.6g", lineterminator="\n")
    return text.getvalue(), time.monotonic() - begun_s


def main(names: list[str]) -> int:
    """Compute the tables of some names, or all; write the page; return the exit status."""
    page.TABLES.mkdir(parents=True, exist_ok=True)
    changed = False
    with ProcessPoolExecutor(WORKERS) as pool:
        for name, (text, took_s) in zip(names, pool.map(computed, names), strict=True):
            file = page.TABLES / f"{name}.csv"
            changed |= not file.exists() or file.read_text(encoding="utf-8") != text
            file.write_text(text, encoding="utf-8")
            sys.stderr.write(f"{name}: {took_s:.0f} s\n")
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
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(BY_NAME)))
