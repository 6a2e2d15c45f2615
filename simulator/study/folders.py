"""The folders that comparisons and rankings leave, which `crossprem report` turns into a page.

A comparison leaves `comparison.parquet` (a row for each figure, as its Markdown), `designs.parquet`
(a row for each design), `runs.parquet` (the streams of every run); a ranking `ranking.parquet`.
Both leave `summary.json`, which is what `crossprem compare --json` prints, the baseline's
`scenario.resolved.yaml` and those of the other designs by number, `figures/` and `manifest.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from simulator import metrics, run_folder
from simulator.base.errors import UsageError
from simulator.headlines import COST, HEADLINES
from simulator.metrics.metric import COUNT, RATIO, TEXT, Column

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.plots import Axes
    from simulator.study.axis import Ranking
    from simulator.study.compare import Comparison

COMPARISON: Final = "comparison"
DESIGNS: Final = "designs"
RUNS: Final = "runs"
RANKING: Final = "ranking"
UNIT_OF_KIND: Final = {"rate": "bit/s", "duration": "s", "ratio": RATIO, "money": "USD"}
DESIGN: Final = Column("design", TEXT, "Name of the design.")
SAME: Final = "in the unit that ends the name of the figure"

COMPARISON_COLUMNS: Final = (
    DESIGN,
    Column("stream", TEXT, "Name of the stream; empty for the design as a whole."),
    Column("direction", TEXT, "`forward` or `return`."),
    Column("figure", TEXT, "What is compared, a column of `streams` or the cost."),
    Column("baseline", TEXT, f"Mean of the baseline's replications, {SAME}."),
    Column("other", TEXT, f"Mean of the design's replications, {SAME}."),
    Column("difference", TEXT, f"Mean of the paired differences, {SAME}."),
    Column("low", TEXT, f"Lower end of its interval, {SAME}."),
    Column("high", TEXT, f"Upper end of its interval, {SAME}."),
    Column("ratio", RATIO, "The difference as a share of the baseline."),
    Column("verdict", TEXT, "`identical`, `better`, `worse` or `no evidence`."),
)
RANKING_COLUMNS: Final = (
    Column("rank", COUNT, "Place, from 1."),
    Column("value", TEXT, "Value of the input."),
    Column("status", TEXT, "Whether it carries the load, and if not what is wrong."),
    Column("goodput_bps", "bit/s", "Payload at the receivers, all streams together.", "more"),
    Column("latency_s_p95", "s", "95th percentile of the worst stream, one way.", "less"),
    Column("loss_ratio", RATIO, "Dropped of all packets, of the worst stream.", "less"),
    Column("headroom_ratio", RATIO, "What is left under the tightest ceiling.", "more"),
    Column("tunnels", COUNT, "IPsec tunnels of the design."),
    Column(COST, "USD", "What a month costs.", "less"),
    Column("reason", TEXT, "What is wrong, with the id of the rule that is broken."),
    *(
        Column(f"{name}_{end}", unit, f"{text} end of the interval of `{name}`; none for one run.")
        for name, unit in (
            ("goodput_bps", "bit/s"),
            ("latency_s_p95", "s"),
            ("loss_ratio", RATIO),
            (COST, "USD"),
        )
        for end, text in (("low", "Lower"), ("high", "Upper"))
    ),
)


def _design_columns() -> tuple[Column, ...]:
    columns = [DESIGN, Column("title", TEXT, "Title of its scenario.")]
    for headline in HEADLINES:
        unit = UNIT_OF_KIND[headline.kind]
        text = f"{headline.label[0].upper()}{headline.label[1:]}: mean over replications."
        columns += [
            Column(headline.name, unit, text, "less" if headline.less_is_better else "more"),
            Column(f"{headline.name}_low", unit, "Lower end of its interval."),
            Column(f"{headline.name}_high", unit, "Upper end of its interval."),
        ]
    return tuple(columns)


DESIGN_COLUMNS: Final = _design_columns()


def save_comparison(found: Comparison, folder: Path, command: str | None) -> Path:
    """Write the folder of a comparison; see `Comparison.save`."""
    each = (DESIGN, Column("replicate", COUNT, "Number of the replication, from 0."))
    runs = found.runs.merge(found.costs, "left", ["design", "replicate"])
    cost = Column(COST, "USD", "What a month costs with the traffic of the run.", "less")
    baseline, *others = found.names
    texts = {
        f"scenario-{n}.resolved.yaml": found.resolved.get(name, "")
        for n, name in enumerate(others, start=1)
    }
    return run_folder.write(
        folder,
        tables={
            COMPARISON: (found.table, COMPARISON_COLUMNS),
            DESIGNS: (found.designs, DESIGN_COLUMNS),
            RUNS: (runs, (*each, *metrics.columns("streams"), cost)),
        },
        summary=found.to_dict(),
        resolved=found.resolved.get(baseline, ""),
        figures=_drawn({"differences": found.plot.differences, "frontier": found.plot.frontier}),
        command=command,
        texts={**texts, "comparison.md": found.markdown()},
    )


def save_ranking(found: Ranking, folder: Path, command: str | None) -> Path:
    """Write the folder of a ranking; see `Ranking.save`."""
    table = found.table.assign(
        value=found.table["value"].astype(str), tunnels=found.table["tunnels"].astype("Int64")
    )
    return run_folder.write(
        folder,
        tables={RANKING: (table, RANKING_COLUMNS)},
        summary=found.to_dict(),
        resolved=found.resolved,
        figures=_drawn({"ranking": found.plot.ranking, "frontier": found.plot.frontier}),
        command=command,
        texts={"ranking.md": found.markdown()},
    )


def _drawn(figures: dict[str, Callable[[], Axes]]) -> dict[str, Any]:
    """Draw those figures that have something to show: costs may be unknown."""
    drawn = {}
    for name, draw in figures.items():
        try:
            drawn[name] = draw()
        except UsageError:
            continue
    return drawn


def is_of(folder: Path, table: str) -> bool:
    """Whether a folder is ours and was written with this table."""
    return run_folder.has_written(folder, f"{table}.parquet")


def table_of(folder: Path, name: str) -> pd.DataFrame:
    """Read one table of a folder."""
    return run_folder.read(folder).table(name)
