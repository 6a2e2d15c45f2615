"""The result of a run: tidy tables with units in the column names, figures, and the run folder.

`Result` is made from the plan and its log, or opened from a run folder; both have the same
tables. A table is computed when it is first asked for.
"""

from simulator.result.about import About
from simulator.result.performance import Performance, Stopwatch
from simulator.result.result import HEADLINES, SCHEMA_VERSION, Result
from simulator.result.rows import KEYS, records

__all__ = [
    "HEADLINES",
    "KEYS",
    "SCHEMA_VERSION",
    "About",
    "Performance",
    "Result",
    "Stopwatch",
    "records",
]
