import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.base.errors import (
    ExitCode,
    Problem,
    ScenarioError,
    UsageError,
    did_you_mean,
    nearest_names,
    quote,
)
from simulator.base.keys import random_key
from simulator.base.registry import Registry


def test_exit_codes_are_those_of_the_documentation() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 130]


def test_a_key_depends_on_seed_replicate_and_every_name() -> None:
    keys = {
        random_key(1, 0, "site", "lyon"),
        random_key(2, 0, "site", "lyon"),
        random_key(1, 1, "site", "lyon"),
        random_key(1, 0, "site", "paris"),
        random_key(1, 0, "sitel", "yon"),
        random_key(1, 0, "sitelyon"),
        random_key(1, 0, "lyon", "site"),
        random_key(11, 0, "site", "lyon"),
        random_key(1, 10, "site", "lyon"),
    }
    assert len(keys) == 9


def test_keys_never_change() -> None:
    # A changed key changes every result. Worked by hand: BLAKE2b of each part with its length.
    parts = b"".join(len(p).to_bytes(8, "little") + p for p in (b"7", b"3", b"site", b"lyon"))
    digest = hashlib.blake2b(parts, digest_size=8).digest()
    assert random_key(7, 3, "site", "lyon") == int.from_bytes(digest, "little")
    assert random_key(7, 3, "site", "lyon") == 6409800511948576046


@given(st.integers(0, 2**63), st.integers(0, 10**6), st.lists(st.text(max_size=5), max_size=4))
def test_a_key_is_an_unsigned_64_bit_integer(seed: int, replicate: int, names: list[str]) -> None:
    key = random_key(seed, replicate, *[n.encode("utf-8", "replace").decode() for n in names])
    assert 0 <= key < 2**64


def test_a_registry_keeps_its_order_and_refuses_a_name_twice() -> None:
    registry: Registry[int] = Registry("kind of number")
    registry.add("two", 2)
    registry.add("one", 1)
    assert registry.names() == ["two", "one"]
    assert registry["one"] == 1
    assert len(registry) == 2
    assert "three" not in registry
    with pytest.raises(UsageError, match="kind of number 'one' is registered twice: 1 and 11"):
        registry.add("one", 11)
    with pytest.raises(UsageError, match="unknown kind of number 'tow'; did you mean 'two'"):
        registry["tow"]


def test_a_problem_prints_place_path_value_rule_and_fix() -> None:
    problem = Problem("a.yaml", 3, 7, "run.seed", "x", "must be a whole number", "write digits")
    assert str(problem) == "a.yaml:3:7 run.seed = x: must be a whole number; write digits"
    whole = Problem("a.yaml", 1, 1, "", None, "the file is empty")
    assert str(whole) == "a.yaml:1:1: the file is empty"
    override = Problem("--set run.seed", 0, 0, "run.seed", "x", "must be a whole number")
    assert str(override) == "--set run.seed run.seed = x: must be a whole number"


def test_problems_are_sorted_unique_and_survive_pickling() -> None:
    late = Problem("a.yaml", 10, 1, "b", None, "rule")
    early = Problem("a.yaml", 9, 5, "a", None, "rule")
    error = ScenarioError([late, early, late])
    assert error.problems == (early, late)
    assert str(error).splitlines() == ["a.yaml:9:5 a: rule", "a.yaml:10:1 b: rule"]
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


def test_thousands_of_problems_print_a_screenful() -> None:
    error = ScenarioError(Problem("a.yaml", n, 1, "p", None, "rule") for n in range(1, 1001))
    assert str(error).endswith("... and 800 more problems")
    assert len(error.problems) == 1000


@given(st.text())
def test_a_quoted_value_is_one_short_printable_line(text: str) -> None:
    shown = quote(text)
    assert len(shown) <= 60
    assert shown.isprintable()


def test_the_nearest_name_ignores_case() -> None:
    assert nearest_names("vpngw1az", ["Basic", "VpnGw1AZ", "VpnGw2AZ"])[0] == "VpnGw1AZ"
    assert did_you_mean("zzz", ["a", "b"]) == "choose one of a, b"
    assert did_you_mean("zzz", []) == "there is none to choose from"
    assert did_you_mean("zzz", [f"name{i}" for i in range(20)]).endswith(", ...")


def test_looking_for_the_nearest_of_very_many_names_stays_cheap() -> None:
    names = [f"site-{i}" for i in range(50_000)]
    assert nearest_names("site-1", names)[0] == "site-1"
