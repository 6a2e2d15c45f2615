"""Figures: what they say and name; how they look is for eyes."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import plots
from simulator.plots import _short, _spread, fault_periods, prefix
from simulator.result import Result
from tests.result.handmade import ABOUT, build_plan

NAMES = ("latency", "throughput", "cdf", "utilisation")


def texts(ax):
    return [t.get_text() for t in ax.texts]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_units_a_message_and_an_axes_of_its_own(result, name):
    ax = getattr(result.plot, name)()
    title = ax.get_title(loc="left")
    assert len(title.split()) >= 4
    labels = ax.get_xlabel() + ax.get_ylabel()
    assert any(unit in labels for unit in ("(s)", "(ms)", "Mbit/s", "(%)"))
    assert ax.figure is not getattr(result.plot, name)().figure


def test_figures_draw_where_they_are_told(result):
    ax = plots.new_axes()
    assert result.plot.throughput(ax=ax) is ax


def test_messages_name_the_numbers(result):
    title = " ".join(result.plot.throughput().get_title(loc="left").split())
    assert title.startswith("422 Mbit/s of 478 Mbit/s offered arrive on average")
    back = "nothing arrives between 30 s and 40 s, backup forward is back at 42 s"
    assert title.endswith(back)
    assert "slowest is backup forward" in result.plot.latency().get_title(loc="left")
    assert "42.5 ms" in result.plot.cdf().get_title(loc="left")
    assert result.plot.utilisation().get_title(loc="left").startswith("lyon/isp forward")


def test_lines_are_named_beside_them_and_acks_left_out(result):
    named = texts(result.plot.latency())
    for name in ("backup forward", "office forward", "office return", "voice return"):
        assert name in named
    assert "backup return" not in named


def test_faults_are_shaded_and_events_listed(result):
    ax = result.plot.latency()
    listed = next(t for t in texts(ax) if t.startswith("1:"))
    assert "lyon-vpn: dpd timeout (45 s without an answer)" in listed
    assert fault_periods(result.events, 60.0) == [(30.0, 40.0)]


def test_fault_periods_join_and_stay_open():
    rows = [
        (1, 10.0, "internet-outage", None),
        (2, 12.0, "tunnel-down", None),
        (3, 13.0, "dpd-timeout", 1),
        (4, 15.0, "repair", 1),
        (5, 20.0, "repair", 2),
        (6, 50.0, "internet-outage", None),
    ]
    events = pd.DataFrame(rows, columns=["event_id", "time_s", "kind", "cause_event_id"])
    assert fault_periods(events, 60.0) == [(10.0, 20.0), (50.0, 60.0)]


def test_many_events_and_streams_stay_readable(result):
    later = [result.events.assign(time_s=result.events["time_s"] + n) for n in range(5)]
    events = pd.concat(later, ignore_index=True)
    timeline = pd.concat(
        [result.timeline.assign(stream=result.timeline["stream"] + f"-{n}") for n in range(6)]
    )
    ax = plots.latency(timeline, events)
    listed = next(t for t in texts(ax) if t.startswith("1:"))
    assert listed.endswith("and 18 more in the table of events")
    assert len(listed.splitlines()) == plots.EVENTS_MAX + 1
    assert any(t.endswith(" others") for t in texts(ax))
    assert "and" not in plots.latency(timeline).get_xlabel()


def test_a_run_that_is_all_warm_up_can_be_drawn(log):
    result = Result(
        build_plan(warm_up_s=60.0), replace(log, histogram=log.histogram * 0), about=ABOUT
    )
    titles = {name: getattr(result.plot, name)().get_title(loc="left") for name in NAMES}
    assert titles["latency"] == "No packet arrived after warm-up"
    assert titles["cdf"] == "No packet arrived after warm-up"
    assert titles["throughput"] == "The run ends before its warm-up does"
    assert titles["utilisation"] == "No hop has a finite rate"


def test_latencies_far_apart_get_a_logarithmic_axis(result):
    wide = result.latency_cdf.copy()
    is_voice = wide["stream"] == "voice"
    wide.loc[is_voice, ["latency_s_low", "latency_s_high"]] *= 100
    assert plots.cdf(wide).get_xscale() == "log"
    assert plots.cdf(result.latency_cdf).get_xscale() == "linear"


def test_a_peak_is_named_with_its_time(result):
    timeline = result.timeline.copy()
    at = timeline.index[(timeline["stream"] == "voice") & (timeline["time_s"] == 50)][0]
    timeline.loc[at, "latency_s_p95"] = 0.2
    title = plots.latency(timeline).get_title(loc="left")
    assert title.startswith("voice forward waits longest: p95 reaches 200 ms near 50.5 s")


def test_losses_without_an_outage_are_a_share(result):
    timeline = result.timeline[result.timeline["time_s"] < 30]
    title = plots.throughput(timeline).get_title(loc="left")
    assert "are lost or late" in title


@given(st.lists(st.floats(0.0, 1.0), max_size=15))
def test_labels_never_overlap_and_keep_their_order(places):
    moved = _spread(places, 0.05)
    assert len(moved) == len(places)
    for a, b in zip(*np.triu_indices(len(places), 1), strict=True):
        assert abs(moved[a] - moved[b]) >= 0.05 - 1e-9
        if places[a] != places[b]:
            assert (moved[a] < moved[b]) == (places[a] < places[b])
    assert max(moved, default=0.0) <= 1.0 + 1e-9


@given(st.floats(1e-9, 1e3))
def test_short_durations_are_never_below_the_value(duration_s):
    number, unit = _short(duration_s).split()
    factor = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}[unit]
    # one more rounding happens where the unit is no power of ten
    slack = 0.005 if factor > 1 else 1e-6
    assert duration_s * (1 - slack) <= float(number) * factor <= duration_s * 1.011


@pytest.mark.parametrize(
    ("highest", "unit", "expected"),
    [
        (650e6, "bit/s", "Mbit/s"),
        (1.25e9, "bit/s", "Gbit/s"),
        (0.0, "bit/s", "bit/s"),
        (0.042, "s", "ms"),
        (3.0, "s", "s"),
        (5000.0, "s", "s"),
        (20e-6, "s", "\N{MICRO SIGN}s"),
    ],
)
def test_axes_have_the_prefix_that_fits(highest, unit, expected):
    assert prefix(highest, unit)[1] == expected


def test_no_figure_touches_pyplot():
    code = (
        "import sys\n"
        "from tests.result.handmade import build_log, build_plan\n"
        "from simulator.result import Result\n"
        "plan = build_plan()\n"
        "Result(plan, build_log(plan)).plot.all()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
