"""Draw the pictures of README and docs anew: `python docs/draw_images.py`."""

from pathlib import Path

from simulator import plots, run

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run the first scenario and keep its figure of the outage."""
    result = run(ROOT / "scenarios" / "site-to-site.yaml")
    plots.save(result.plot.throughput(), ROOT / "docs" / "images" / "throughput.svg")


if __name__ == "__main__":
    main()
