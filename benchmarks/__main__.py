"""Run the benchmarks named on the command line (all without) and write `results.json`."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import days, flows, growth, packets
from benchmarks.rows import Row

RESULTS = Path(__file__).with_name("results.json")
SUITES: dict[str, Callable[[], Iterator[Row]]] = {
    "packets": packets.rows,
    "flows": flows.rows,
    "days": days.rows,
    "growth": growth.rows,
}
LARGE = 1e5
"""From here on a figure is shown in millions."""
PACKAGES = ("numba", "llvmlite", "numpy", "simpy")


def machine() -> dict[str, Any]:
    """Processor, Python and versions: figures mean nothing without them."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    wide = sorted(flag for flag in fields.get("flags", "").split() if flag.startswith("avx"))
    return {
        "processor": fields.get("model name", platform.processor()),
        "vector_extensions": wide,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def main(names: list[str]) -> int:
    """Measure, print each figure as it comes, and write them; figures of other suites stay."""
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        sys.stderr.write(f"unknown: {', '.join(unknown)}; choose from {', '.join(SUITES)}\n")
        return 2
    results = []
    for name in names or list(SUITES):
        for row in SUITES[name]():
            is_large = row.value >= LARGE
            shown = f"{row.value / 1e6:10.2f} M" if is_large else f"{row.value:10.4g}  "
            sys.stdout.write(f"{row.name:24s} {shown} {row.unit}\n")
            sys.stdout.flush()
            results.append(row._asdict())
    fresh = {row["name"] for row in results}
    kept = [row for row in before() if row["name"] not in fresh] if names else []
    written = {"machine": machine(), "results": [*kept, *results]}
    RESULTS.write_text(json.dumps(written, indent=1) + "\n")
    return 0


def before() -> list[dict[str, Any]]:
    """The figures measured before, if it was on a machine like this one."""
    if not RESULTS.exists():
        return []
    written = json.loads(RESULTS.read_text("utf-8"))
    rows: list[dict[str, Any]] = written["results"]
    return rows if written["machine"] == machine() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
