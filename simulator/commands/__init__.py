"""Commands, one file each: `command`, and `EPILOG` for the end of its help.

A module here imports at its top nothing that takes long: `crossprem --help` loads them all.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from simulator.commands import catalog, explain, run, schema, validate

COMMANDS: Final[dict[str, ModuleType]] = {
    "run": run,
    "validate": validate,
    "explain": explain,
    "catalog": catalog,
    "schema": schema,
}
"""Name on the command line -> its module, in the order of the help text."""
