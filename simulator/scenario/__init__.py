"""The scenario: what a person writes, read and checked into frozen models."""

from __future__ import annotations

from simulator.scenario.load import load, parse_set
from simulator.scenario.model import Run, Scenario, Targets
from simulator.scenario.schema import json_schema, json_schema_text

__all__ = ["Run", "Scenario", "Targets", "json_schema", "json_schema_text", "load", "parse_set"]
