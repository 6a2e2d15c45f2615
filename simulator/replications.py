"""Several replications of one scenario: the same design under other random numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from simulator import metrics
from simulator.metrics.metric import COUNT, Column
from simulator.result import HEADLINES, KEYS, Result, records
from simulator.targets import Judgement, judge

TABLE: Final = "replications"
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

    @classmethod
    def of(cls, results: Iterable[tuple[int, Result]], wanted: int) -> Replications:
        """Gather results by number of replication; only the first one is kept in full."""
        first: Result | None = None
        frames = []
        for replicate, result in results:
            first = first or result
            frame = result.streams.copy()
            frame.insert(0, "replicate", replicate)
            frames.append(frame)
        if first is None:
            raise ValueError("there is no replication to gather")
        return cls(first, pd.concat(frames, ignore_index=True), wanted)

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
        long = self.streams.melt([*KEYS, "replicate"], list(HEADLINES), "metric", "value")
        groups = long.groupby([*KEYS, "metric"], sort=False)["value"]
        return pd.DataFrame(
            {
                "median": groups.median(),
                "p5": groups.quantile(LOW),
                "p95": groups.quantile(HIGH),
                "replications": groups.count(),
            }
        ).reset_index()

    @property
    def targets(self) -> list[Judgement]:
        """The scenario's targets, judged by the worst of all replications."""
        return judge(self.first.limits, self.streams)

    @property
    def summary_dict(self) -> dict[str, Any]:
        """The object of `summary.json`: that of the first replication, and the spread over all."""
        if self.wanted == 1:
            return self.first.summary_dict
        spread = {
            "wanted": self.wanted,
            "finished": self.finished,
            "spread": records(self.summary),
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
            more_tables={TABLE: (self.streams, columns)},
        )
