"""Scenarios that the tests of loading start from."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest

from simulator.base.errors import ScenarioError
from simulator.scenario import load
from simulator.scenario.load import build
from simulator.scenario.resolve import scalar
from simulator.scenario.source import Source
from simulator.scenario.yaml_reader import read_yaml

HERE = Path(__file__).parent


@pytest.fixture
def smallest() -> str:
    return (HERE / "smallest.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def full_once() -> Source:
    return read_yaml((HERE / "full.yaml").read_text(encoding="utf-8"), "full.yaml")


@pytest.fixture
def full(full_once: Source) -> Source:
    """Every field of the format, as a tree: a copy, which is quicker than to parse again."""
    return copy.deepcopy(full_once)


def block_yaml(value: Any, indent: str = "") -> str:
    """A tree as YAML with one value a line, so that every value has a line of its own."""
    lines = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        head = f"{indent}{scalar(key)}:" if isinstance(value, dict) else f"{indent}-"
        if isinstance(item, dict | list) and item:
            lines.append(f"{head}\n{block_yaml(item, indent + '  ')}")
        else:
            lines.append(f"{head} {plain(item)}")
    return "\n".join(lines)


def plain(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf"
    return {"{}": "{}", "[]": "[]"}.get(str(value)) or scalar(value)


def problems_of(source: Any, **kwargs: Any) -> list[Any]:
    """The problems of a scenario that must be refused, each with a place, a rule and a fix."""
    with pytest.raises(ScenarioError) as caught:
        build(source, "tree", {}) if isinstance(source, Source) else load(source, **kwargs)
    problems = list(caught.value.problems)
    assert problems
    assert caught.value.exit_code == 3
    for problem in problems:
        assert problem.rule, problem
        assert problem.fix, problem
        assert len(str(problem)) < 600, problem
        assert "\n" not in str(problem), problem
    return problems
