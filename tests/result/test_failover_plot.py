"""The figure of failovers: what of a run it shows, and that its texts can be read."""

import numpy as np
import pandas as pd
import pytest

from simulator.failover_plot import NUMBERS_APART_RATIO, _fitting, failover

BIN_S = 10.0
RUN_S = 6_000.0


def timeline(*streams):
    time_s = np.arange(0.0, RUN_S, BIN_S)
    rows = pd.DataFrame(
        {
            "time_s": time_s,
            "bin_s": BIN_S,
            "direction": "forward",
            "is_warm_up": False,
            "goodput_bps": 1e6,
            "throughput_bps": 1e6,
            "offered_bps": 1e6,
            "loss_ratio": 0.0,
            "latency_s_p95": 0.01,
        }
    )
    return pd.concat([rows.assign(stream=name) for name in streams], ignore_index=True)


def events(*rows):
    names = ("event_id", "time_s", "kind", "subject", "cause_event_id", "detail")
    found = pd.DataFrame([(n, *row) for n, row in enumerate(rows, 1)], columns=names)
    return found.astype({"cause_event_id": "Int64"})


def row(stream, outage_s, recovered_s):
    return {
        "fault": "internet-outage lyon.isp",
        "stream": stream,
        "direction": "forward",
        "started_s": 1_000.0,
        "recovered_s": recovered_s,
        "outage_s": outage_s,
        "degraded_s": 0.0,
        "failback_s": np.nan,
    }


OUTAGE = (
    (1_000.0, "internet-outage", "lyon.isp", None, ""),
    (1_030.0, "repair", "lyon.isp", 1, ""),
)


def test_a_stream_that_sent_nothing_does_not_stretch_the_time_shown():
    idle, hurt = row("backup", 0.0, np.nan), row("calls", 30.0, 1_040.0)
    shown = failover(timeline("backup", "calls"), events(*OUTAGE), pd.DataFrame([idle, hurt]))
    begin_s, end_s = shown.get_xlim()
    assert 900.0 < begin_s < 1_000.0
    assert 1_040.0 < end_s < 1_150.0


def test_a_stream_that_never_came_back_does():
    lost = row("calls", 5_000.0, np.nan)
    shown = failover(timeline("calls"), events(*OUTAGE), pd.DataFrame([lost]))
    assert shown.get_xlim()[1] == RUN_S


def test_numbers_above_the_figure_stand_apart():
    sessions = [
        (1_000.0 + 2.0 * n, "bgp-down" if n % 2 else "bgp-established", "ce", 1, "")
        for n in range(1, 40)
    ]
    changes = events(OUTAGE[0], *sessions, (1_100.0, "repair", "lyon.isp", 1, ""))
    hurt = row("calls", 30.0, 1_100.0)
    shown = failover(timeline("calls"), changes, pd.DataFrame([hurt]))
    places = sorted(t.get_position()[0] for t in shown.texts if t.get_position()[1] == 1.02)
    assert len(places) > 3
    assert min(np.diff(places)) >= NUMBERS_APART_RATIO
    assert len("99-99") * 0.6 * 8.5 < NUMBERS_APART_RATIO * 10.5 * 72, "points on the widest label"


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("as planned", 10, "as planned"),
        ("as planned", 5, ""),
        ("lyon-er.primary", 12, "lyon-er.pri\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_a_text_of_a_strip_is_whole_cut_or_left_out(text, room, shown):
    assert _fitting(text, room) == shown
