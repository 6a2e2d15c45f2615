"""Commands, one file each: `command`, and `EPILOG` for the end of its help.

A module here imports at its top nothing that takes long: `crossprem --help` loads them all.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from simulator.commands import (
    catalog,
    check,
    compare,
    cost,
    deploy_plan,
    doctor,
    explain,
    init,
    report,
    rules,
    run,
    schema,
    sweep,
    validate,
    whatif,
)

COMMANDS: Final[dict[str, ModuleType]] = {
    "init": init,
    "run": run,
    "validate": validate,
    "explain": explain,
    "report": report,
    "check": check,
    "compare": compare,
    "cost": cost,
    "sweep": sweep,
    "whatif": whatif,
    "deploy-plan": deploy_plan,
    "catalog": catalog,
    "rules": rules,
    "schema": schema,
    "doctor": doctor,
}
"""Name on the command line -> its module, in the order of the help text."""
