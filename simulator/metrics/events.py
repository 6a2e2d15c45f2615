"""Events: what happened in the control plane, when, and because of what."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.arrays import IntegerArray

from kernels.units import PS_PER_S
from simulator.base.numbered import in_ranges
from simulator.metrics.metric import COUNT, TEXT, Column, Columns, Metric
from simulator.plan import Plan
from simulator.recorder import NO_CAUSE, RunLog


def events(plan: Plan, log: RunLog) -> Columns:
    """List the events in order of time."""
    causes = np.array([event.cause_event_id for event in log.events], np.int64)
    return {
        "event_id": np.array([event.event_id for event in log.events], np.int64),
        "time_s": np.array([event.time_ps for event in log.events], np.int64) / PS_PER_S,
        "kind": [event.kind for event in log.events],
        "subject": [event.subject for event in log.events],
        "cause_event_id": IntegerArray(causes, causes == NO_CAUSE),
        "detail": [event.detail for event in log.events],
    }


def merged(frame: pd.DataFrame) -> pd.DataFrame:
    """Join what happened to several things at one instant for one reason, for people to read.

    The subjects of the rows of a group stand in its first row, copies as `shop-1..9`; the detail
    only if all share it.
    """
    same = ["time_s", "kind", "cause_event_id"]
    first = frame.groupby(same, sort=False, dropna=False).agg(
        event_id=("event_id", "first"),
        subject=("subject", lambda names: ", ".join(in_ranges(names))),
        detail=("detail", lambda texts: texts.iloc[0] if texts.nunique() == 1 else ""),
    )
    return first.reset_index()[list(frame.columns)]


METRICS = (
    Metric(
        "events",
        (
            Column("event_id", COUNT, "Number of the event, from 1."),
            Column("time_s", "s", "When it happened."),
            Column("kind", TEXT, "What happened, for example `link-down` or `dpd-timeout`."),
            Column("subject", TEXT, "Name of the thing that it happened to."),
            Column("cause_event_id", COUNT, "The event that led to it; none if scheduled."),
            Column("detail", TEXT, "One clause for people."),
        ),
        events,
    ),
)
