"""What `run --dry-run` says beside what runs take: `python -m benchmarks.estimates`, quiet machine.

Runs scenarios that come with the program, half a minute. The exit code is 1 if any CPU time lies
further from its estimate than a factor of two.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from simulator import engine, load
from simulator.planner import build
from simulator.planner.estimate import estimates
from simulator.run import make_ready

SCENARIOS: Final = Path(__file__).resolve().parents[1] / "scenarios"
FACTOR: Final = 2.0
CASES: Final = (
    ("site-to-site", "packet"),
    ("failover-active-active", "packet"),
    ("point-to-site", "packet"),
    ("failover-active-active", "flow"),
    ("working-day", "flow"),
    ("login-morning", "flow"),
    ("measured-day", "flow"),
)


def main() -> int:
    """Print a line for each case."""
    make_ready("packet")
    make_ready("flow")
    is_near = True
    sys.stdout.write(f"{'scenario':24}{'level':8}{'estimate, s':>12}{'run, s':>10}{'ratio':>8}\n")
    for name, fidelity in CASES:
        plan = build(load(SCENARIOS / f"{name}.yaml", {"run.fidelity": fidelity}))
        wanted = next(e for e in estimates(plan) if e.fidelity == fidelity)
        cpu_s = engine.run(plan).cpu_s
        ratio = wanted.cpu_s / cpu_s
        is_near = is_near and 1.0 / FACTOR <= ratio <= FACTOR
        sys.stdout.write(f"{name:24}{fidelity:8}{wanted.cpu_s:12.2f}{cpu_s:10.2f}{ratio:8.2f}\n")
        sys.stdout.flush()
    return 0 if is_near else 1


if __name__ == "__main__":
    sys.exit(main())
