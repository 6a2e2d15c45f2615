"""From a scenario to a plan, and what the plan says before it runs."""

from __future__ import annotations

from simulator.planner.build import build

__all__ = ["build"]
