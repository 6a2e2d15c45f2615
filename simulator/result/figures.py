"""The figures of a result: `result.plot`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from simulator import headlines
from simulator.base.errors import UsageError
from simulator.headlines import COST
from simulator.plan import FORWARD, Direction
from simulator.result.rows import KEYS
from simulator.targets import COLUMN_OF, MONTHLY_COST

if TYPE_CHECKING:
    from simulator.plots import Axes
    from simulator.result.result import Result

LIMITS: Final = {*COLUMN_OF, MONTHLY_COST}
"""Targets that are limits of a whole design."""


class Plots:
    """The figures of a result; each method draws one and returns its Axes."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def latency(self, **options: Any) -> Axes:
        """Latency over time; `options` as in `simulator.plots.latency`."""
        from simulator import plots

        return plots.latency(self._result.timeline, self._result.events, **options)

    def throughput(self, **options: Any) -> Axes:
        """Offered and delivered rate over time; `options` as in `simulator.plots.throughput`."""
        from simulator import plots

        return plots.throughput(self._result.timeline, self._result.events, **options)

    def cdf(self, **options: Any) -> Axes:
        """Distribution of latencies of what carries payload; `options` as in `plots.cdf`."""
        from simulator import plots

        streams = self._result.streams
        payload = streams.loc[streams["goodput_bps"] > 0, KEYS]
        return plots.cdf(self._result.latency_cdf.merge(payload, on=KEYS), **options)

    def utilisation(self, **options: Any) -> Axes:
        """The busiest hops; `options` as in `simulator.plots.utilisation`."""
        from simulator import plots

        return plots.utilisation(self._result.hops, **options)

    def failover(self) -> Axes:
        """What the faults did to traffic, sessions and routes; see `simulator.failover_plot`."""
        from simulator import failover_plot

        found = self._result
        return failover_plot.failover(found.timeline, found.events, found.failovers)

    def waterfall(self, stream: str, direction: Direction = FORWARD) -> Axes:
        """Every ceiling of a stream and what it got; see `simulator.waterfall_plot`.

        Raises
        ------
        UsageError
            If the scenario has no such stream, or the plan was made by hand.
        """
        from simulator import waterfall_plot
        from simulator.planner.explain import explain

        scenario = self._result.scenario
        if scenario is None:
            raise UsageError("a plan made by hand has no ceilings; run a scenario")
        try:
            row = explain(scenario).stream(stream, direction)
        except KeyError as error:
            raise UsageError(str(error.args[0])) from None
        streams = self._result.streams
        found = streams[(streams["stream"] == stream) & (streams["direction"] == direction)]
        goodput_bps = float(found["goodput_bps"].iloc[0]) if len(found) else None
        return waterfall_plot.waterfall(row, goodput_bps)

    def topology(self) -> Axes:
        """Sites, devices, tunnels, gateways, circuits and VNets; see `simulator.topology_plot`.

        Raises
        ------
        UsageError
            If the plan was made by hand: it knows hops and no design.
        """
        from simulator import topology_plot

        sketch = self._result.sketch
        if sketch is None:
            raise UsageError("a plan made by hand has no topology; run a scenario")
        return topology_plot.topology(sketch, self._result.title)

    def frontier(
        self,
        *others: Result,
        x: str = COST,
        y: str = "latency_s_p95",
        names: Sequence[str] | None = None,
    ) -> Axes:
        """Draw this design among others, and which of them no other beats in both figures.

        Parameters
        ----------
        others
            Results of other designs; alone, the design is one point. The targets of this one are
            dashed lines.
        x, y
            Figures of whole designs, names of `simulator.headlines.HEADLINES`.
        names
            What to call the designs, this one first; by default the names of their scenarios.

        Raises
        ------
        UsageError
            If there is no such figure, no design has both (a price may be unknown), or the names
            are not as many as the designs.
        """
        from simulator import frontier_plot

        results = (self._result, *others)
        called = _names_of(results) if names is None else list(names)
        if len(called) != len(results):
            raise UsageError(f"frontier: {len(results)} designs have {len(called)} names")
        limits = {COLUMN_OF.get(n, COST): v for n, v in self._result.limits.items() if n in LIMITS}
        return frontier_plot.designs(_designs(results, called), x=x, y=y, limits=limits)

    def all(self) -> dict[str, Axes]:
        """Every figure that a run folder holds, by name: that of failovers if a fault struck."""
        figures = {
            "latency": self.latency(),
            "throughput": self.throughput(),
            "latency-cdf": self.cdf(),
            "utilisation": self.utilisation(),
        }
        if not self._result.failovers.empty:
            figures["failover"] = self.failover()
        if self._result.sketch is not None:
            figures["topology"] = self.topology()
        return figures


def _names_of(results: Sequence[Result]) -> list[str]:
    """Names of scenarios, with the hash where two have the same."""
    names = [result.name for result in results]
    if len(set(names)) == len(names):
        return names
    return [result.folder_name for result in results]


def _designs(results: Sequence[Result], names: Sequence[str]) -> pd.DataFrame:
    """One row for each design: `design` and every headline."""
    frames = []
    for n, (result, name) in enumerate(zip(results, names, strict=True)):
        cost_usd = math.nan if result.monthly_cost_usd is None else result.monthly_cost_usd
        frames.append(result.streams.assign(number=n, design=name, monthly_cost_usd=cost_usd))
    return headlines.of_runs(pd.concat(frames), ["number", "design"]).reset_index()
