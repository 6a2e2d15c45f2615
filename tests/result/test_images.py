"""Every kind of figure looks as it did when somebody last looked at it.

Figures come from a log made by hand, so that only a change of drawing moves them. The font is the
one that Matplotlib brings. Tolerance: root mean square of the difference of grey values, of 255;
another version of the font renderer stays below it, a moved line or another text does not.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from matplotlib.testing.compare import compare_images

from simulator import frontier_plot, plots, study_plots, topology_plot, waterfall_plot
from simulator.planner.ceilings import CeilingRow
from simulator.planner.explain import StreamRow
from simulator.sketch import Box, Column, Edge, Row, Sketch

BASELINE = Path(__file__).parents[1] / "golden" / "figures"
TOLERANCE = 4.0
DPI = 60
KINDS = (
    "latency",
    "throughput",
    "cdf",
    "utilisation",
    "failover",
    "waterfall",
    "topology",
    "frontier",
    "differences",
    "ranking",
)


def ceilings() -> StreamRow:
    rows = (
        CeilingRow("flow window / RTT", "1.2 Gbit/s", "scenario", stream_bps=1.2e9),
        CeilingRow(
            "tunnel, bits/s", "650 Mbit/s", "a table", stream_bps=650e6, available_bps=600e6
        ),
        CeilingRow("site up-link", "500 Mbit/s", "scenario", stream_bps=480e6, binds=True),
    )
    return StreamRow(
        stream="backup",
        kind="bulk-tcp",
        direction="forward",
        at="lyon",
        to="hub",
        offered_bps=None,
        packet_bytes_mean=1390.0,
        flows_count=4,
        rtt_s=0.024,
        rtt_s_mean=None,
        routing="",
        ways=(),
        ceilings=rows,
        fair_share_bps=None,
        fair_share_at="",
        encapsulation=None,
    )


def example_sketch() -> Sketch:
    boxes = (
        Box("lyon", "lyon", "site", Column.CUSTOMER, (Row("lyon.edge", "edge"),), "500 Mbit/s"),
        Box("nice", "nice", "site", Column.CUSTOMER, (Row("nice.edge", "edge"),)),
        Box(
            "hub-vpn",
            "hub-vpn",
            "gateway",
            Column.GATEWAY,
            (Row("hub-vpn.0", "instance 0"), Row("hub-vpn.1", "instance 1", is_standby=True)),
            "VpnGw1AZ",
        ),
        Box("hub", "hub", "vnet", Column.VNET),
    )
    edges = (
        Edge("lyon.edge", "hub-vpn.0", "ipsec", "lyon-vpn"),
        Edge("nice.edge", "hub-vpn.0", "ipsec", "nice-vpn", is_standby=True),
        Edge("hub-vpn", "hub", "inside"),
    )
    sketch = Sketch()
    for box in boxes:
        sketch.add_box(box)
    for edge in edges:
        sketch.add_edge(edge)
    return sketch.finished()


def example_designs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "design": ["VpnGw1AZ", "VpnGw2AZ", "VpnGw3AZ", "ErGw1AZ"],
            "monthly_cost_usd": [142.0, 361.0, 900.0, 700.0],
            "latency_s_p95": [0.041, 0.024, 0.026, 0.009],
        }
    )


def example_differences() -> pd.DataFrame:
    columns = ("design", "stream", "direction", "figure", "baseline", "difference", "low", "high")
    rows = (
        ("far", "office", "forward", "latency_s_p95", 0.02, 0.01, 0.009, 0.011, "worse"),
        ("far", "office", "forward", "goodput_bps", 40e6, 2e6, 1e6, 3e6, "better"),
        ("far", "office", "return", "loss_ratio", 0.01, 0.002, -0.05, 0.054, "no evidence"),
        ("far", "", "", "monthly_cost_usd", 142.0, 0.0, 0.0, 0.0, "identical"),
    )
    table = pd.DataFrame(rows, columns=[*columns, "verdict"])
    return table.assign(ratio=table["difference"] / table["baseline"])


def example_ranking() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "value": ["VpnGw2AZ", "VpnGw3AZ", "VpnGw1AZ", "Basic"],
            "status": ["carries the load", "carries the load", "over a limit", "refused"],
            "monthly_cost_usd": [361.0, 900.0, 142.0, np.nan],
            "latency_s_p95": [0.024, 0.023, 0.041, np.nan],
        }
    )


@pytest.fixture
def axes(request, result):
    match request.param:
        case "waterfall":
            return waterfall_plot.waterfall(ceilings(), 420e6)
        case "topology":
            return topology_plot.topology(example_sketch(), "Two sites on one gateway")
        case "frontier":
            limits = {"latency_s_p95": 0.03}
            return frontier_plot.designs(example_designs(), limits=limits)
        case "differences":
            return study_plots.differences(example_differences(), "today", 0.99)
        case "ranking":
            return study_plots.ranking(example_ranking(), "gateways.hub-vpn.sku")
        case kind:
            return getattr(result.plot, kind)()


def small_png(axes, path: Path) -> Path:
    figure = axes.get_figure(root=True)
    with plots.style():
        figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


@pytest.mark.golden
@pytest.mark.parametrize(("axes", "kind"), [(k, k) for k in KINDS], indirect=["axes"], ids=KINDS)
def test_figure_looks_the_same(axes, kind, request, tmp_path):
    expected = BASELINE / f"{kind}.png"
    found = small_png(axes, tmp_path / f"{kind}.png")
    if request.config.getoption("--update-golden"):
        BASELINE.mkdir(parents=True, exist_ok=True)
        if not expected.exists() or compare_images(str(expected), str(found), 0.1):
            expected.write_bytes(found.read_bytes())
        return
    assert expected.exists(), "run `make update-golden`, and look at the figure"
    difference = compare_images(str(expected), str(found), TOLERANCE)
    assert difference is None, difference


def test_another_figure_is_noticed(result, tmp_path):
    one = small_png(result.plot.latency(percentile="p50"), tmp_path / "one.png")
    other = small_png(result.plot.latency(percentile="p95"), tmp_path / "other.png")
    assert imread(one).shape == imread(other).shape
    assert compare_images(str(one), str(other), TOLERANCE) is not None
