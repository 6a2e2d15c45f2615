"""Wrong values in each field of the format: all reported at once, each at its own place.

`full.yaml` uses every field; a mutation is written into every field of a kind at the same time.
"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from simulator.base.fields import CatalogueName, Quantity, use_lookup
from simulator.catalog import load_catalog
from simulator.scenario import Scenario, load
from simulator.scenario.shape import Shape, model_fields
from simulator.scenario.source import Source, TreePath, item_at
from simulator.scenario.yaml_reader import read_yaml
from tests.scenario.conftest import block_yaml, problems_of

#: Fields whose text names another thing of the scenario.
REFERENCES = {"from", "to", "site", "vnet", "gateway", "connection", "internet", "server"}


def leaves(value: Any, path: TreePath = ()) -> Iterator[TreePath]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, key))
        else:
            yield (*path, key)


def maps(value: Any, path: TreePath = ()) -> Iterator[TreePath]:
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from maps(item, (*path, key))


def everything(value: Any, path: TreePath = ()) -> Iterator[TreePath]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from everything(item, (*path, key))


def field_of(tree: Source, path: TreePath) -> FieldInfo | None:
    owner = path[:-1]
    if not isinstance(item_at(tree.data, owner), dict):
        return None
    return Shape.at(owner, tree.data).field(str(path[-1]), item_at(tree.data, owner))


def annotations(info: FieldInfo | None) -> list[Any]:
    """Everything that annotates a field, inside an optional type or a union too."""
    if info is None:
        return []
    found = list(info.metadata)
    pending = [info.annotation]
    while pending:
        one = pending.pop()
        found += getattr(one, "__metadata__", ())
        pending += getattr(one, "__args__", ())
    return found


def quantities(tree: Source) -> list[tuple[TreePath, Quantity]]:
    return [
        (path, annotation)
        for path in leaves(tree.data)
        for annotation in annotations(field_of(tree, path))
        if isinstance(annotation, Quantity)
    ]


def of_type(tree: Source, kind: type) -> list[TreePath]:
    return [p for p in leaves(tree.data) if type(item_at(tree.data, p)) is kind]


def mutated(tree: Source, paths: list[TreePath], change: Callable[[TreePath, Any], Any]) -> Source:
    """The tree with every path changed, one value a line."""
    data = copy.deepcopy(tree.data)
    for path in paths:
        owner = item_at(data, path[:-1])
        owner[path[-1]] = change(path, owner[path[-1]])
    return read_yaml(block_yaml(data), "<text>")


def check(tree: Source, paths: list[TreePath], change: Callable[[TreePath, Any], Any]) -> None:
    """Every change is reported at exactly its line and column, with a rule and a fix."""
    changed = mutated(tree, paths, change)
    problems = problems_of(changed)
    reported = {(p.path, p.line, p.col) for p in problems}
    missed = []
    for path in paths:
        mark = changed.marks[path]
        dotted = ".".join(map(str, path))
        if (dotted, mark.line, mark.col) not in reported:
            missed.append(dotted)
    assert missed == []


def test_the_full_file_has_every_field_of_every_model(full: Source) -> None:
    used: set[tuple[type[BaseModel], str]] = set()
    for path in everything(full.data):
        for model in Shape.at(path[:-1], full.data).models(item_at(full.data, path[:-1])):
            used.add((model, str(path[-1])))
    missing = {
        f"{model.__name__}.{name}"
        for model in all_models(Scenario)
        for name in model_fields(model)
        if (model, name) not in used
    }
    # Faults have duration or until, and each is used by another kind.
    assert {m for m in missing if m.split(".")[1] not in {"duration", "until"}} == {
        "Constant.start", "Constant.stop", "Voice.start", "Voice.stop",
        "BulkTcp.start", "BulkTcp.stop",
    }  # fmt: skip


def all_models(model: type[BaseModel]) -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    pending: list[Any] = [model]
    while pending:
        one = pending.pop()
        if isinstance(one, type) and issubclass(one, BaseModel) and one not in found:
            found.add(one)
            pending += [info.annotation for info in one.model_fields.values()]
        pending += getattr(one, "__args__", ())
    return found


def test_the_block_form_of_the_full_file_is_valid(full: Source) -> None:
    assert load(block_yaml(full.data)) == load("tests/scenario/full.yaml")
    assert len(quantities(full)) > 50


# --- quantities -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bare", [5, 0, 0.5, -1])
def test_a_missing_unit(full: Source, bare: float) -> None:
    check(full, [path for path, _ in quantities(full)], lambda _path, _value: bare)


@pytest.mark.parametrize("unit", ["parsec", "Mbps", "MB/s", "", "% %", "m", "B", "1"])
def test_a_wrong_unit(full: Source, unit: str) -> None:
    check(full, [path for path, _ in quantities(full)], lambda _path, _value: f"5 {unit}")


def test_a_negative_quantity(full: Source) -> None:
    check(
        full, [p for p, _ in quantities(full)], lambda _path, value: f"-{value}".replace("-0", "-1")
    )


def test_a_huge_quantity(full: Source) -> None:
    units = {path: next(iter(q.dimension.factors)) for path, q in quantities(full)}
    for number in ("1e300", "1e9999", "9" * 50):
        check(full, list(units), lambda path, _value, n=number: f"{n} {units[path]}")


def test_a_quantity_that_is_no_number(full: Source) -> None:
    units = {path: next(iter(q.dimension.factors)) for path, q in quantities(full)}
    check(full, list(units), lambda path, _value: f"nan {units[path]}")
    check(full, list(units), lambda path, _value: f"inf {units[path]}")
    for value in (math.nan, math.inf, -math.inf, True, [], ["5 s"], "", "x"):
        check(full, list(units), lambda _path, _value, v=value: v)


def test_the_range_of_each_quantity_is_kept_at_its_ends(full: Source) -> None:
    with use_lookup(load_catalog()):
        for path, quantity in quantities(full):
            low, high = quantity.bounds()
            assert 0 <= quantity.parse(low) < quantity.parse(high), path
            assert quantity.text(quantity.parse(high))


# --- other values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["x", "5", 1.5, 1.0, math.nan, math.inf, True, None, -1, 10**30, [], {}]
)
def test_a_wrong_whole_number(full: Source, value: Any) -> None:
    # A generation, the number of periods of a fault, machines and users may be null.
    may_be_null = {
        ("gateways", "generation"), ("faults", "count"), ("vnets", "vms"), ("traffic", "users"),
    }  # fmt: skip
    paths = [p for p in of_type(full, int) if not (value is None and (p[0], p[-1]) in may_be_null)]
    check(full, paths, lambda _path, _value: value)


@pytest.mark.parametrize("value", ["x", "", "no", "yes", 1, 0, 1.5, math.nan, None, [], {}])
def test_a_wrong_truth_value(full: Source, value: Any) -> None:
    check(full, of_type(full, bool), lambda _path, _value: value)


@pytest.mark.parametrize("value", ["north", "48.86", 1e6, -1e6, math.nan, True, [], {}])
def test_a_wrong_coordinate_or_factor(full: Source, value: Any) -> None:
    check(full, of_type(full, float), lambda _path, _value: value)


@pytest.mark.parametrize(
    ("path", "value", "rule", "fix"),
    [
        ("traffic.sips.think.shape", 1, "must be greater than 1.0", "write more than 1.0"),
        ("traffic.jobs.think.sigma", 0, "must be greater than 0.0", "write more than 0.0"),
    ],
)
def test_a_bound_that_does_not_belong_to_the_range(
    full: Source, path: str, value: int, rule: str, fix: str
) -> None:
    changed = mutated(full, [tuple(path.split("."))], lambda _path, _value: value)
    (problem,) = [p for p in problems_of(changed) if p.path == path]
    assert (problem.rule, problem.fix) == (rule, fix)


@pytest.mark.parametrize("value", [5, 1.5, True, math.nan, [], {}, ["x"], {"x": 1}])
def test_text_that_is_no_text(full: Source, value: Any) -> None:
    # A wrong kind hides the other fields of its map, so kinds come last.
    paths = of_type(full, str)
    kinds = [path for path in paths if path[-1] in {"kind", "type"} and len(path) == 3]
    either = [path for path in paths if path[-1] == "loss"] if isinstance(value, dict) else []
    check(full, [p for p in paths if p not in kinds + either], lambda _path, _value: value)
    for depth in {len(path) for path in kinds}:
        check(full, [p for p in kinds if len(p) == depth], lambda _path, _value: value)


@pytest.mark.parametrize(
    "value", ["zzz", "", "\x00", "x" * 10_000, "a\nb", "\U0001f310", "..", "1 s"]
)
def test_a_name_that_the_catalogue_or_the_format_does_not_have(full: Source, value: str) -> None:
    choices = [
        path
        for path in of_type(full, str)
        if any(isinstance(a, CatalogueName) for a in annotations(field_of(full, path)))
        or "Literal" in str(getattr(field_of(full, path), "annotation", ""))
    ]
    assert len(choices) > 30
    # One by one: a wrong kind hides the other fields of its map.
    kinds = [path for path in choices if path[-1] in {"kind", "type"} and len(path) == 3]
    check(full, [path for path in choices if path not in kinds], lambda _path, _value: value)
    for depth in {len(path) for path in kinds}:
        some = [p for p in kinds if p[0] != "traffic" and len(p) == depth]
        check(full, some, lambda _path, _value: value)
    check(full, [p for p in kinds if p[0] == "traffic"], lambda _path, _value: value)


def test_a_name_that_refers_to_nothing(full: Source) -> None:
    paths = [
        path for path in of_type(full, str) if path[-1] in REFERENCES or path[-2:-1] == ("devices",)
    ]
    assert len(paths) > 15
    # Below a site that does not exist its providers and devices cannot be looked up.
    sites = [path for path in paths if path[-1] in {"site", "from", "to"}]
    check(full, sites, lambda _path, value: f"{value}x")
    check(full, [path for path in paths if path not in sites], lambda _path, value: f"{value}x")


@pytest.mark.parametrize(
    "value",
    ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0", "300.0.0.0/8", "::/0", "x", "", "10.0.0.0/-1"],
)
def test_a_wrong_prefix(full: Source, value: str) -> None:
    paths = [
        p
        for p in of_type(full, str)
        if "/" in item_at(full.data, p) and "bit" not in item_at(full.data, p)
    ]
    assert len(paths) >= 6
    check(full, paths, lambda _path, _value: value)


@pytest.mark.parametrize("value", ["300.1.1.1", "10.0.0.0/8", "::1", "x", "", "1.2.3"])
def test_a_wrong_address(full: Source, value: str) -> None:
    paths = [path for path in of_type(full, str) if path[-1] in {"public_ip", "peer_ip"}]
    assert len(paths) == 8
    check(full, paths, lambda _path, _value: value)


# --- keys ---------------------------------------------------------------------------------------


def test_an_unknown_key_in_each_map(full: Source) -> None:
    owners = [p for p in maps(full.data) if not Shape.at(p, full.data).has_free_names]
    data = copy.deepcopy(full.data)
    for path in owners:
        item_at(data, path)["zzz"] = 1
    text = block_yaml(data)
    tree = read_yaml(text, "<text>")
    reported = {(p.path, p.line, p.col): p for p in problems_of(text)}
    for path in owners:
        mark = tree.keys[*path, "zzz"]
        problem = reported[".".join(map(str, (*path, "zzz"))), mark.line, mark.col]
        assert problem.rule == "unknown field"


def test_a_misspelt_key_is_answered_with_the_right_one(full: Source) -> None:
    for path in maps(full.data):
        shape = Shape.at(path, full.data)
        if shape.has_free_names:
            continue
        names = [n for n in shape.field_names(item_at(full.data, path)) if len(n) > 4]
        for name in names[:1]:
            data = copy.deepcopy(full.data)
            owner = item_at(data, path)
            owner[name[:-1] + "_"] = owner.pop(name, 1)
            problems = problems_of(data)
            (found,) = [p for p in problems if p.path.endswith(f"{name[:-1]}_")]
            assert f"'{name}'" in str(found.fix)


@pytest.mark.parametrize("name", ["a b", "", "-x", "a.b", "é", "x" * 64, "null", "1"])
def test_names_of_things(full: Source, name: str) -> None:
    owners = [p for p in maps(full.data) if Shape.at(p, full.data).has_free_names]
    assert len(owners) >= 9
    data = copy.deepcopy(full.data)
    for path in reversed(owners):
        owner = item_at(data, path)
        owner[name] = copy.deepcopy(next(iter(owner.values())))
    problems = problems_of(block_yaml(data))
    wrong = {p.path for p in problems if p.rule.startswith("a name has")}
    expected = {".".join([*map(str, path), name]) for path in owners}
    assert not wrong if name in {"null", "1"} else len(wrong) >= len(expected)


def test_a_required_field_that_is_missing_in_each_map(full: Source) -> None:
    for path in maps(full.data):
        owner = item_at(full.data, path)
        for model in Shape.at(path, full.data).models(owner):
            for name, info in model_fields(model).items():
                if not info.is_required():
                    continue
                data = copy.deepcopy(full.data)
                del item_at(data, path)[name]
                wanted = ".".join(map(str, (*path, name)))
                problems = [p for p in problems_of(data) if p.path == wanted]
                assert [p.rule for p in problems] == ["a required field is missing"], wanted


@pytest.mark.parametrize("value", [None, "x", []])
def test_something_else_in_place_of_each_map(full: Source, value: Any) -> None:
    for path in maps(full.data):
        if not path:
            continue
        data = copy.deepcopy(full.data)
        item_at(data, path[:-1])[path[-1]] = value
        wanted = ".".join(map(str, path))
        info = field_of(full, path)
        if value is None and info is not None and info.default is None:
            continue
        if value == [] and path == ("faults",):
            continue
        problems = problems_of(data)
        assert any(p.path in {wanted, f"{wanted}.kind"} for p in problems), (wanted, problems)
