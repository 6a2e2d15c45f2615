"""Whatever the bytes, loading gives a scenario or a `ScenarioError`, and soon."""

import contextlib
import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.base.errors import ScenarioError
from simulator.scenario import Scenario, load
from simulator.scenario.source import TreePath, item_at
from simulator.scenario.yaml_reader import read_yaml
from tests.scenario.conftest import HERE
from tests.scenario.test_fields import everything

FULL = (HERE / "full.yaml").read_text(encoding="utf-8")
SMALLEST = (HERE / "smallest.yaml").read_text(encoding="utf-8")
TREE: dict[str, Any] = read_yaml(FULL, "full.yaml").data
SMALLEST_TREE: dict[str, Any] = read_yaml(SMALLEST, "smallest.yaml").data
PATHS = list(everything(TREE))

#: Pieces that mean something to YAML or to the format.
PIECES = [
    ":", "- ", "[", "]", "{", "}", ",", "#", "&a", "*a", "!", "|", ">", "'", '"', "%", "@", "`",
    "?", "---", "...", "\n", "\t", "  ", "~", "null", "nan", "1e999 s", "-1", "5", "0x", "{i}",
    "<<: ", "extends: x", "count: 3", "\ufeff", "\u2028", "\x85", "\x00", "\U0001f310",
]  # fmt: skip


def survives(source: bytes | str | dict[str, Any]) -> None:
    with contextlib.suppress(ScenarioError):
        assert isinstance(load(source), Scenario)


@given(st.binary(max_size=300))
def test_random_bytes(content: bytes) -> None:
    survives(content)


@given(st.text(max_size=300))
def test_random_text(text: str) -> None:
    survives(text.encode("utf-8", "replace"))


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PIECES) | st.sampled_from(SMALLEST.split()), max_size=40))
def test_random_pieces_of_yaml(pieces: list[str]) -> None:
    survives("".join(pieces).encode())
    survives(" ".join(pieces).encode())


@settings(max_examples=100)
@given(st.data())
def test_a_valid_file_with_random_changes(data: st.DataObject) -> None:
    text = SMALLEST
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        piece = data.draw(st.sampled_from(PIECES) | st.text(max_size=4))
        text = text[:start] + piece + text[end:]
    survives(text.encode("utf-8", "replace"))


KEYS = ["kind", "from", "site", "count", "at", "x", ""]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["5 s", "lyon", "hub", "10.0.0.0/8", "VpnGw1", "1 Mbit/s", "50 %", "{i}"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(PATHS), ANYTHING), min_size=1, max_size=3))
def test_a_valid_tree_with_anything_anywhere(changes: list[tuple[TreePath, Any]]) -> None:
    tree = copy.deepcopy(TREE)
    for path, value in changes:
        owner = item_at(tree, path[:-1])
        if isinstance(owner, dict) or (isinstance(owner, list) and int(path[-1]) < len(owner)):
            owner[path[-1]] = value
    survives(tree)


@settings(max_examples=100)
@given(st.sampled_from(PATHS), ANYTHING)
def test_any_override(path: TreePath, value: Any) -> None:
    dotted = ".".join(map(str, path))
    with contextlib.suppress(ScenarioError):
        assert isinstance(load(SMALLEST_TREE, set={dotted: value}), Scenario)
