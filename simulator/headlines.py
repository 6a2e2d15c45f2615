"""Headlines: the few figures by which whole designs are told apart, over all their streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

COST: Final = "monthly_cost_usd"


class Headline(NamedTuple):
    """A figure of a design: its name, how people call it, and how streams are put together."""

    name: str
    label: str
    kind: str
    """`rate`, `duration`, `ratio` or `money`."""
    of_streams: str
    """The worst of the streams and directions (`max`), or all of them together (`sum`)."""
    less_is_better: bool = True


GOODPUT: Final = Headline("goodput_bps", "goodput, all streams", "rate", "sum", False)
LATENCY: Final = Headline("latency_s_p95", "highest p95 latency, one way", "duration", "max")
LOSS: Final = Headline("loss_ratio", "highest loss", "ratio", "max")
OUTAGE: Final = Headline("outage_s_max", "longest outage", "duration", "max")
MONTHLY_COST: Final = Headline(COST, "cost a month", "money", "max")
HEADLINES: Final = (GOODPUT, LATENCY, LOSS, OUTAGE, MONTHLY_COST)
BY_NAME: Final = {headline.name: headline for headline in HEADLINES}


def of_runs(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return one row for each run, indexed by `keys`, with a column for each of HEADLINES.

    Parameters
    ----------
    table
        Rows of `streams` of many runs, with the columns `keys` and `monthly_cost_usd`.
    keys
        Columns that tell runs apart.
    """
    how = {headline.name: headline.of_streams for headline in HEADLINES}
    return table.groupby(list(keys), sort=True).agg(how)
