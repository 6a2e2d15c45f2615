"""The frontier is exactly the set of points that no other point beats."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from simulator.frontier_plot import frontier, on_frontier

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
    assert {text.get_text() for text in axes.texts} == {"1", "1: a", "2", "2: b"}
    assert "2 of 4" in axes.get_title(loc="left")
