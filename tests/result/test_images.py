"""Every kind of figure looks as it did when somebody last looked at it.

Figures come from a log made by hand, so that only a change of drawing moves them. The font is the
one that Matplotlib brings. Tolerance: root mean square of the difference of grey values, of 255;
another version of the font renderer stays below it, a moved line or another text does not.
"""

from pathlib import Path

import pytest
from matplotlib.image import imread
from matplotlib.testing.compare import compare_images

from simulator import plots, topology_plot, waterfall_plot
from simulator.planner.ceilings import CeilingRow
from simulator.planner.explain import StreamRow
from simulator.sketch import Box, Column, Edge, Row, Sketch

BASELINE = Path(__file__).parents[1] / "golden" / "figures"
TOLERANCE = 4.0
DPI = 60
KINDS = ("latency", "throughput", "cdf", "utilisation", "failover", "waterfall", "topology")


def ceilings() -> StreamRow:
    rows = (
        CeilingRow("flow window / RTT", "1.2 Gbit/s", "scenario", stream_bps=1.2e9),
        CeilingRow(
            "tunnel, bits/s", "650 Mbit/s", "a table", stream_bps=650e6, available_bps=600e6
        ),
        CeilingRow("site up-link", "500 Mbit/s", "scenario", stream_bps=480e6, binds=True),
    )
    return StreamRow(
        "backup", "bulk-tcp", "forward", "lyon", "hub", None, 1390.0, 4, 0.024, "", (), rows, None
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


@pytest.fixture
def axes(request, result):
    match request.param:
        case "waterfall":
            return waterfall_plot.waterfall(ceilings(), 420e6)
        case "topology":
            return topology_plot.topology(example_sketch(), "Two sites on one gateway")
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
