"""Draw the pictures of README and docs anew: `python docs/draw_images.py`."""

import re
from pathlib import Path

from simulator import load, plots, run
from simulator.planner import build
from simulator.topology_plot import topology

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"


def main() -> None:
    """Run the first scenario and keep its figure of the outage; draw every topology."""
    result = run(ROOT / "scenarios" / "site-to-site.yaml")
    plots.save(result.plot.throughput(), IMAGES / "throughput.svg")
    page = (ROOT / "docs" / "topologies.md").read_text(encoding="utf-8")
    (IMAGES / "topologies").mkdir(exist_ok=True)
    for name in re.findall(r"images/topologies/([a-z0-9-]+)\.svg", page):
        scenario = load(ROOT / "scenarios" / f"{name}.yaml")
        axes = topology(build(scenario).meta["topology"], scenario.title)
        plots.save(axes, IMAGES / "topologies" / f"{name}.svg")


if __name__ == "__main__":
    main()
