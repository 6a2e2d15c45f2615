"""Performance and failover simulator for hybrid-cloud connectivity.

    from simulator import load, run

    result = run(load("scenarios/site-to-site.yaml"))
    result.summary

The names below are found at first use, so that `import simulator` stays quick: it imports
neither Numba nor pandas nor matplotlib.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.plan import Plan
    from simulator.planner.explain import explain
    from simulator.result import Result
    from simulator.run import run
    from simulator.scenario import Scenario, load
    from simulator.study.axis import rank
    from simulator.study.backup import backup
    from simulator.study.check import check
    from simulator.study.compare import compare
    from simulator.study.cost import cost
    from simulator.study.sweep import open_sweep, sweep

__version__ = "0.1.0"

__all__ = [
    "Plan",
    "Result",
    "Scenario",
    "__version__",
    "backup",
    "check",
    "compare",
    "cost",
    "explain",
    "load",
    "open_sweep",
    "rank",
    "run",
    "sweep",
]

_HOME_OF = {
    "Plan": "simulator.plan",
    "Result": "simulator.result",
    "Scenario": "simulator.scenario",
    "backup": "simulator.study.backup",
    "check": "simulator.study.check",
    "compare": "simulator.study.compare",
    "cost": "simulator.study.cost",
    "explain": "simulator.planner.explain",
    "load": "simulator.scenario",
    "open_sweep": "simulator.study.sweep",
    "rank": "simulator.study.axis",
    "run": "simulator.run",
    "sweep": "simulator.study.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    importlib.import_module("simulator.base.owner").check_kernels_owner()
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


class _Package(ModuleType):
    """Type of this package, whose `run` is the function although a module has the name as well.

    Importing `simulator.run` sets the attribute `run` of its parent to the module; here the
    function takes its place, whichever of the two was asked for first.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME_OF and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
