"""Rules of designs: one function each, or a word on who enforces them and why nobody does."""

from __future__ import annotations

from simulator.scenario.rules import (  # noqa: F401 - each registers its rules
    bgp,
    clients,
    expressroute,
    gateways,
    modes,
    nat,
    skus,
    tunnels,
    vnets,
)
from simulator.scenario.rules.design import Design
from simulator.scenario.rules.registry import RULES, Findings, Rule, apply, rows_of_era

__all__ = ["RULES", "Design", "Findings", "Rule", "apply", "rows_of_era"]
