"""What the section `run` needs to make sense: times that fit one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from simulator.base.errors import Problem
from simulator.base.units import format_duration
from simulator.catalog import Catalog
from simulator.scenario.source import Source

if TYPE_CHECKING:
    from simulator.scenario.model import Run
    from simulator.scenario.parts import Parts

TIME_BINS_MAX: Final = 1_000_000
"""More rows than this in a timeline are a slip of the pen."""


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """A warm-up, time bins and windows that the horizon has room for."""
    run = parts.run
    if run is None:
        return
    horizon = format_duration(run.horizon)
    if run.warm_up >= run.horizon:
        rule = f"the warm-up must end before the horizon of {horizon}"
        yield tree.problem(("run", "warm_up"), rule, "shorten it")
    if run.time_bin > run.horizon:
        rule = f"a time bin must not be longer than the horizon of {horizon}"
        yield tree.problem(("run", "time_bin"), rule, f"write {horizon} or less")
    if run.horizon / run.time_bin > TIME_BINS_MAX:
        least = format_duration(run.horizon / TIME_BINS_MAX)
        rule = f"a horizon of {horizon} has more than {TIME_BINS_MAX} time bins"
        yield tree.problem(("run", "time_bin"), rule, f"write {least} or more")
    yield from _zoom(run, tree)


def _zoom(run: Run, tree: Source) -> Iterator[Problem]:
    """A window can only be in a run at flow level, before its end."""
    if run.zoom is None:
        return
    if run.fidelity == "packet":
        rule = "only a run at flow level has windows at packet level; this one is all packets"
        fix = "write fidelity: flow under run, give --fidelity flow, or remove zoom"
        yield tree.problem(("run", "zoom"), rule, fix)
    horizon = format_duration(run.horizon)
    times_s = () if isinstance(run.zoom.around, str) else run.zoom.around
    for index, time_s in enumerate(times_s):
        if time_s >= run.horizon:
            rule = f"lies after the horizon of {horizon}"
            fix = "name an earlier time, or run longer"
            yield tree.problem(("run", "zoom", "around", index), rule, fix)
    if run.zoom.at_most < run.zoom.before + run.time_bin:
        least = format_duration(run.zoom.before + run.time_bin)
        rule = f"no window fits: it lasts at least {least}, before and one time bin"
        yield tree.problem(("run", "zoom", "at_most"), rule, f"write {least} or more")
