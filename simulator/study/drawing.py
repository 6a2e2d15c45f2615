"""The figures that comparisons, rankings and sweeps offer as `.plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.base.errors import UsageError
from simulator.headlines import COST, LATENCY
from simulator.study.options import points

if TYPE_CHECKING:
    from simulator.plots import Axes
    from simulator.study.axis import Ranking
    from simulator.study.compare import Comparison
    from simulator.study.cost import Cost
    from simulator.study.sweep import Sweep


class ComparisonPlots:
    """Figures of a comparison; each method draws one and returns its Axes."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def differences(self, *, ax: Axes | None = None) -> Axes:
        """Draw the differences with their intervals; see `simulator.study_plots`."""
        from simulator import study_plots

        found = self._comparison
        return study_plots.differences(found.table, found.names[0], found.confidence, ax=ax)

    def frontier(self, *, x: str = COST, y: str = LATENCY.name, ax: Axes | None = None) -> Axes:
        """Draw the designs over two headlines; see `simulator.frontier_plot.designs`."""
        from simulator import frontier_plot

        return frontier_plot.designs(self._comparison.designs, x=x, y=y, ax=ax)


class RankingPlots:
    """Figures of a ranking; each method draws one and returns its Axes."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    def ranking(self, *, ax: Axes | None = None) -> Axes:
        """Draw cost against latency, what fails in grey; see `simulator.study_plots`."""
        from simulator import study_plots

        return study_plots.ranking(self._ranking.table, self._ranking.path, ax=ax)

    def frontier(self, *, x: str = COST, y: str = LATENCY.name, ax: Axes | None = None) -> Axes:
        """Draw the values that were run over two headlines; see `frontier_plot.designs`."""
        from simulator import frontier_plot

        table = self._ranking.table
        return frontier_plot.designs(table.assign(design=table["value"]), x=x, y=y, ax=ax)


class CostPlots:
    """Figures of costs; each method draws one and returns its Axes."""

    def __init__(self, cost: Cost) -> None:
        self._cost = cost

    def break_even(self, *, ax: Axes | None = None) -> Axes:
        """Draw what each tariff costs by volume; see `simulator.study_plots.break_even`.

        Raises
        ------
        UsageError
            If nobody asked for a break-even: `simulator.cost(..., break_even="1 Gbit/s")`.
        """
        from simulator import study_plots

        found = self._cost.break_even
        if found is None:
            raise UsageError('there is no break-even; ask with cost(..., break_even="1 Gbit/s")')
        return study_plots.break_even(found, ax=ax)


class SweepPlots:
    """Figures of a sweep; each method draws one and returns its Axes."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def frontier(self, *, x: str = COST, y: str = LATENCY.name, ax: Axes | None = None) -> Axes:
        """Draw the points over two headlines; see `simulator.frontier_plot.designs`."""
        from simulator import frontier_plot

        return frontier_plot.designs(points(self._sweep.table), x=x, y=y, ax=ax)
