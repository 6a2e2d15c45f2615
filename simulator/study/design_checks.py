"""What makes no sense in the design of a sweep although each of its fields does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simulator.scenario.source import TreePath
    from simulator.study.design import Design

POINTS_MAX: Final = 1_000_000
RUNS_MAX: Final = 10_000


def senseless(design: Design) -> Iterator[tuple[TreePath, str, str]]:
    """Yield the path, the rule and the nearest fix of everything that does not go together."""
    if not (design.scenario or design.scenarios):
        yield ("scenario",), "needs one scenario, or a list of scenarios", "write scenario: FILE"
    if design.scenario and design.scenarios:
        yield ("scenarios",), "needs one scenario, or a list of scenarios", "remove one of the two"
    if isinstance(design.replications, int) and not 1 <= design.replications <= RUNS_MAX:
        yield ("replications",), f"must lie between 1 and {RUNS_MAX}", "write 1"
    if design.is_sample and design.points is None:
        yield ("method",), f"a sample ({design.method}) needs its size", "write points: 64"
    if design.is_sample and not design.vary:
        yield ("method",), f"a sample ({design.method}) needs vary", "remove method and points"
    if not design.is_sample and design.points is not None:
        yield ("points",), f"points is for samples, not for {design.method}", "remove points"
    yield from _senseless_axes(design)


def _senseless_axes(design: Design) -> Iterator[tuple[TreePath, str, str]]:
    """Yield what is wrong with the values that differ, one by one and all together."""
    counts: dict[str, int] = {}
    for path, axis in design.vary.items():
        count = _count_of(axis)
        if isinstance(axis, tuple) and not axis:
            yield ("vary", path), "must have at least one value", "add one"
        elif count == 0 and not design.is_sample:
            yield ("vary", path), "a span needs its number of values", "write steps: 5"
        else:
            counts[path] = count
        for above in design.vary:
            if path.startswith(f"{above}."):
                yield ("vary", path), f"lies in {above}, which varies itself", "name one only"
    if design.method == "zip" and len(set(counts.values())) > 1:
        shown = ", ".join(f"{path} has {count}" for path, count in counts.items())
        yield ("vary",), f"with zip all have as many values: {shown}", "write method: grid"
    each = design.points or max(counts.values(), default=1)
    rows_count = math.prod(counts.values()) if design.method == "grid" else each
    points_count = rows_count * max(1, len(design.scenarios))
    if points_count > POINTS_MAX:
        rule = f"a sweep has at most {POINTS_MAX} points, and this would have {points_count}"
        yield ("vary",), rule, "take fewer values, or a sample: method: sobol, points: 1024"


def _count_of(axis: Any) -> int:
    """How many values an axis lists; 0 of a span without steps."""
    return len(axis) if isinstance(axis, tuple) else axis.steps or 0
