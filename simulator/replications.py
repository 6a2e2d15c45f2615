"""Several replications of one scenario: the same design under other random numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from simulator import metrics
from simulator.metrics.metric import COUNT, Column
from simulator.result import HEADLINES, KEYS, Result, records
from simulator.targets import Judgement, judge, worst_cost_usd

TABLE: Final = "replications"
FAILOVERS_TABLE: Final = "replications_failovers"
FAILOVER_KEYS: Final = ["fault", *KEYS]
AFTER_FAULT: Final = {
    "detected_after_s": "detected_s",
    "rerouted_after_s": "rerouted_s",
    "first_packet_after_s": "first_packet_s",
    "recovered_after_s": "recovered_s",
    "failback_after_s": "failback_s",
}
"""Time since the fault -> the column of `failovers` with the time of the run."""
FAILOVER_AMOUNTS: Final = ("outage_s", "degraded_s", "packets_lost", "bytes_lost", "flows_reset")
LOW: Final = 0.05
HIGH: Final = 0.95


@dataclass(frozen=True)
class Replications:
    """What several replications say: the first one in full, of each the table `streams`."""

    first: Result
    streams: pd.DataFrame
    """The rows of every replication's `streams`, with the column `replicate` in front."""
    wanted: int
    """How many replications were asked for."""
    failovers: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The rows of every replication's `failovers`, with the column `replicate` in front."""
    costs_usd: tuple[float | None, ...] = ()
    """What a month costs with the volume of each replication; None where a price is unknown."""

    @classmethod
    def of(cls, results: Iterable[tuple[int, Result]], wanted: int) -> Replications:
        """Gather results by number of replication; only the first one is kept in full."""
        first: Result | None = None
        streams, failovers, costs_usd = [], [], []
        for replicate, result in results:
            first = first or result
            streams.append(_numbered(result.streams, replicate))
            failovers.append(_numbered(result.failovers, replicate))
            costs_usd.append(result.monthly_cost_usd)
        if first is None:
            raise ValueError("there is no replication to gather")
        return cls(
            first,
            pd.concat(streams, ignore_index=True),
            wanted,
            pd.concat(failovers, ignore_index=True),
            tuple(costs_usd),
        )

    @property
    def finished(self) -> int:
        """How many replications there are."""
        return int(self.streams["replicate"].nunique())

    @property
    def is_complete(self) -> bool:
        """Whether none is missing, as after an interruption."""
        return self.finished == self.wanted

    @property
    def summary(self) -> pd.DataFrame:
        """Median and 5th to 95th percentile over the replications.

        One row for each stream, direction and headline column of `streams`; the unit is in the
        name of the column.
        """
        return _spread(self.streams, KEYS, HEADLINES)

    @property
    def failover_summary(self) -> pd.DataFrame:
        """Median and 5th to 95th percentile over the replications of what each fault did.

        One row for each fault, stream, direction and figure: times since the fault, outage,
        degradation, losses. `replications` counts those in which the figure exists: a stream that
        a fault did not affect, or a time that never came, is not among them.
        """
        if self.failovers.empty:
            return _spread(pd.DataFrame(columns=FAILOVER_KEYS), FAILOVER_KEYS, ())
        frame = self.failovers.copy()
        for name, column in AFTER_FAULT.items():
            frame[name] = frame[column] - frame["started_s"]
        found = _spread(frame, FAILOVER_KEYS, (*AFTER_FAULT, *FAILOVER_AMOUNTS))
        return found[found["replications"] > 0].reset_index(drop=True)

    @property
    def targets(self) -> list[Judgement]:
        """The scenario's targets, judged by the worst of all replications."""
        return judge(self.first.limits, self.streams, worst_cost_usd(self.costs_usd))

    @property
    def summary_dict(self) -> dict[str, Any]:
        """The object of `summary.json`: that of the first replication, and the spread over all."""
        if self.wanted == 1:
            return self.first.summary_dict
        spread = {
            "wanted": self.wanted,
            "finished": self.finished,
            "spread": records(self.summary),
            "failovers": records(self.failover_summary),
        }
        targets = [asdict(judgement) for judgement in self.targets]
        return self.first.summary_dict | {"targets": targets, TABLE: spread}

    def save(self, folder: str | Path, *, figures: bool = True, command: str | None = None) -> Path:
        """Write the run folder of the first replication, with a table of all beside it."""
        if self.wanted == 1:
            return self.first.save(folder, figures=figures, command=command)
        columns = (
            Column("replicate", COUNT, "Number of the replication, from 0."),
            *metrics.columns("streams"),
        )
        return self.first.save(
            folder,
            figures=figures,
            command=command,
            summary=self.summary_dict,
            more_tables={
                TABLE: (self.streams, columns),
                FAILOVERS_TABLE: (self.failovers, (columns[0], *metrics.columns("failovers"))),
            },
        )


def _numbered(frame: pd.DataFrame, replicate: int) -> pd.DataFrame:
    numbered = frame.copy()
    numbered.insert(0, "replicate", replicate)
    return numbered


def _spread(frame: pd.DataFrame, keys: Sequence[str], names: Iterable[str]) -> pd.DataFrame:
    """Median and percentiles of each figure in each group of rows."""
    long = frame.melt(list(keys), list(names), "metric", "value")
    groups = long.astype({"value": "float64"}).groupby([*keys, "metric"], sort=False)["value"]
    return pd.DataFrame(
        {
            "median": groups.median(),
            "p5": groups.quantile(LOW),
            "p95": groups.quantile(HIGH),
            "replications": groups.count(),
        }
    ).reset_index()
