"""Windows: which stretches of a run at flow level are simulated at packet level.

    [fault, fault + after], rounded outwards to time bins; what overlaps is one window

Packets begin `before` earlier; a window that would begin while those of the one before still move
is joined to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulator import faults
from simulator.base.units import format_duration
from simulator.plan import PS_PER_S, Plan, ZoomPlan
from simulator.recorder import Event, Window


@dataclass(frozen=True)
class Windows:
    """What is simulated at packet level, and what would be beyond the limit."""

    kept: tuple[Window, ...] = ()
    left_out_ps: int = 0
    left_out_from_ps: int = 0
    limit_ps: int = 0

    @property
    def packets_ps(self) -> int:
        """Time in which packets move."""
        return sum(window.end_ps - window.warm_ps for window in self.kept)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know."""
        if not self.left_out_ps:
            return ()
        return (
            f"zoom: {format_duration(self.left_out_ps / PS_PER_S)} of windows, from "
            f"{format_duration(self.left_out_from_ps / PS_PER_S)} on, stay at flow level, since "
            f"all together may last {format_duration(self.limit_ps / PS_PER_S)}; raise "
            "run.zoom.at_most to have them",
        )


def find_windows(plan: Plan, events: Iterable[Event]) -> Windows:
    """The windows of a run in which these events happened; none if the plan asks for none."""
    zoom = plan.zoom
    if zoom is None:
        return Windows()
    times_ps = zoom.times_ps
    if times_ps is None:
        times_ps = tuple(event.time_ps for event in events if faults.begins(event.kind))
    return _limited(_joined(plan, zoom, sorted(set(times_ps))), zoom.at_most_ps, plan.time_bin_ps)


def _joined(plan: Plan, zoom: ZoomPlan, times_ps: list[int]) -> list[Window]:
    """Windows around instants, in order of time; those that overlap are one."""
    bin_ps, found = plan.time_bin_ps, list[Window]()
    for time_ps in times_ps:
        if time_ps >= plan.horizon_ps:
            continue
        begin_ps = time_ps // bin_ps * bin_ps
        end_ps = min(-(-(time_ps + zoom.after_ps) // bin_ps) * bin_ps, plan.horizon_ps)
        end_ps = max(end_ps, min(begin_ps + bin_ps, plan.horizon_ps))
        window = Window(max(0, begin_ps - zoom.before_ps), begin_ps, end_ps)
        if found and window.warm_ps <= found[-1].end_ps:
            last = found.pop()
            window = Window(last.warm_ps, last.begin_ps, max(last.end_ps, end_ps))
        found.append(window)
    return found


def _limited(windows: list[Window], limit_ps: int, bin_ps: int) -> Windows:
    """Keep the first windows up to a limit of their sum; the one that exceeds it is cut."""
    kept, left_ps, out_ps, out_from_ps = list[Window](), limit_ps, 0, 0
    for window in windows:
        end_ps = window.end_ps
        if end_ps - window.warm_ps > left_ps:
            end_ps = max((window.warm_ps + left_ps) // bin_ps * bin_ps, window.begin_ps)
            out_from_ps = out_from_ps or end_ps
            out_ps += window.end_ps - end_ps
            left_ps = 0
        else:
            left_ps -= end_ps - window.warm_ps
        if end_ps > window.begin_ps:
            kept.append(Window(window.warm_ps, window.begin_ps, end_ps))
    return Windows(tuple(kept), out_ps, out_from_ps, limit_ps)
