"""How the cost of a completion grows with flows, classes and hops, one at a time, and the figure.

The two-tier topology of `benchmarks.flows`; `growth.svg` beside this file. About a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.flows import Case, two_tier
from benchmarks.rows import Row

FIGURE: Final = Path(__file__).with_name("growth.svg")
EVENTS: Final = 100_000
STRETCHES: Final = 4
"""Of which the fastest counts."""
NS_PER_S: Final = 1e9

SITES: Final = 100
FLOWS: Final = 100_000
#: What grows -> sizes of it, and the case of each size.
SERIES: Final = {
    "flows": (100, 1_000, 10_000, 100_000, 1_000_000),
    "classes": (30, 100, 300, 1_000, 3_000),
    "hops": (50, 200, 800, 3_200),
}
HELD: Final = {
    "flows": "100 classes, 200 hops",
    "classes": "100,000 flows, 200 hops",
    "hops": "100,000 flows, 1,600 classes",
}


def case_of(grows: str, size: int) -> Case:
    """The network in which one thing has that size."""
    if grows == "flows":
        return two_tier(100, size, SITES)
    if grows == "classes":
        return two_tier(size, FLOWS, SITES)
    return two_tier(1_600, FLOWS, size // 2)  # an access line and a path of each site


def rows() -> Iterator[Row]:
    """Measure every size, then draw the figure."""
    two_tier(2, 2).events(8)  # compile
    found: dict[str, list[tuple[int, float]]] = {grows: [] for grows in SERIES}
    for grows, sizes in SERIES.items():
        for size in sizes:
            case = case_of(grows, size)
            case.events(EVENTS)  # out of the initial state, in which all flows are new
            best = max(case.events(EVENTS) for _ in range(STRETCHES))
            found[grows].append((size, NS_PER_S / best))
            yield Row(f"growth-{grows}-{size}", NS_PER_S / best, "ns/completion")
    draw(found)


def draw(found: dict[str, list[tuple[int, float]]]) -> None:
    """One panel for each thing that grows, the same scale of cost in all."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams["svg.hashsalt"] = "growth"
    figure, panels = plt.subplots(1, len(found), figsize=(9.6, 3.2), sharey=True)
    for panel, (grows, points) in zip(panels, found.items(), strict=True):
        sizes, cost_ns = zip(*points, strict=True)
        panel.loglog(sizes, cost_ns, marker="o", color="#1f5fa8")
        panel.set_xlabel(f"{grows} ({HELD[grows]})", fontsize=8)
        panel.grid(visible=True, which="major", color="#dddddd")
        panel.tick_params(labelsize=8)
    highest = max(cost for points in found.values() for _, cost in points)
    panels[0].set_ylim(100.0, 10.0 ** len(str(int(highest))))
    panels[0].set_ylabel("CPU time of a completion, ns", fontsize=8)
    figure.tight_layout()
    figure.savefig(FIGURE, metadata={"Date": None})
    plt.close(figure)
