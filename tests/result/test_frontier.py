"""The frontier is exactly the set of points that no other point beats."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.base.errors import UsageError
from simulator.frontier_plot import designs, frontier, on_frontier

VALUES = st.lists(
    st.tuples(st.integers(0, 8), st.one_of(st.integers(0, 8), st.none())), min_size=1, max_size=30
)


@given(VALUES)
def test_no_point_of_it_is_beaten_and_every_other_is(points):
    x = np.array([float(a) for a, _ in points])
    y = np.array([np.nan if b is None else float(b) for _, b in points])
    found = on_frontier(x, y)
    for n in range(len(points)):
        beaten = (x <= x[n]) & (y <= y[n]) & ((x < x[n]) | (y < y[n]))
        assert found[n] == (not np.isnan(y[n]) and not beaten.any())


def test_a_known_frontier_is_named_and_counted():
    table = pd.DataFrame(
        {"cost": [100.0, 200.0, 150.0, 300.0], "p95": [9.0, 4.0, 9.5, 5.0], "sku": list("abcd")}
    )
    axes = frontier(table, "cost", "p95", name="sku", x_label="USD", y_label="ms")
    numbers = {"1", "2", "3", "4"}
    names = {"1: a", "2: b", "3: c (beaten)", "4: d (beaten)"}
    assert {text.get_text() for text in axes.texts} == numbers | names
    assert "2 of 4" in axes.get_title(loc="left")


def test_a_result_stands_alone_or_among_others(result):
    alone = result.plot.frontier(y="goodput_bps", x="latency_s_p95")
    assert "One design" in alone.get_title(loc="left")
    both = result.plot.frontier(
        result, x="latency_s_p95", y="goodput_bps", names=["today", "tomorrow"]
    )
    assert "2 of 2 designs are beaten by none" in both.get_title(loc="left")
    assert "Goodput, all streams" in both.get_ylabel()
    assert {"1: today", "2: tomorrow"} <= {text.get_text() for text in both.texts}


def test_more_of_a_figure_may_be_better():
    table = pd.DataFrame(
        {"design": list("ab"), "monthly_cost_usd": [1.0, 2.0], "goodput_bps": [9e6, 8e6]}
    )
    axes = designs(table, y="goodput_bps")
    assert "1 of 2 designs is beaten by none" in axes.get_title(loc="left")


def test_a_frontier_of_what_nobody_knows_is_an_error(result):
    with pytest.raises(UsageError, match="a price may be unknown"):
        result.plot.frontier()
    with pytest.raises(UsageError, match="is no headline"):
        result.plot.frontier(x="rain")
    with pytest.raises(UsageError, match="1 designs have 2 names"):
        result.plot.frontier(names=["a", "b"])
