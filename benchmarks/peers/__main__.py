"""Run the comparisons with the peers named on the command line (all without)."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

PEERS = {
    "simgrid": ("simgrid", "benchmarks.peers.simgrid_flows"),
    "ns3": ("ns3", "benchmarks.peers.ns3_packets"),
    "nspy": ("ns.py", "benchmarks.peers.nspy_packets"),
}
"""Package and module of each peer. A module is imported only if its package is there."""
SAME_NAME = {"ns3", "ns.py"}
"""Both install a Python package named `ns`: the second one replaces the first."""


def main(names: list[str]) -> int:
    """Print every comparison as it comes; 1 if some outcome differs, 2 for an unknown name."""
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        sys.stderr.write(f"unknown: {', '.join(unknown)}; choose from {', '.join(PEERS)}\n")
        return 2
    is_same_work = True
    for name in names or list(PEERS):
        package, module = PEERS[name]
        missing = what_is_missing(package)
        if missing:
            print(missing, flush=True)
            continue
        print(f"{package} {version(package)}, Python {platform.python_version()}", flush=True)
        for comparison in import_module(module).comparisons():
            print("\n".join(comparison.lines()), flush=True)
            is_same_work = is_same_work and comparison.is_same_work
    return 0 if is_same_work else 1


def what_is_missing(package: str) -> str | None:
    """One line that says how to install a peer, if it cannot be used here."""
    if installed(package) is None:
        return f"{package} is not installed; to compare with it: pip install {package}"
    if package in SAME_NAME and all(installed(name) for name in SAME_NAME):
        both = " and ".join(sorted(SAME_NAME))
        return f"{package}: {both} cannot share an environment; pip install each in its own"
    return None


def installed(package: str) -> str | None:
    """Version of a package, None without it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
