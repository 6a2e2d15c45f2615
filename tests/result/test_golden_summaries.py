"""The summary of every scenario file, as it was: any number that moves must be meant.

`make update-golden` rewrites `tests/golden/summaries/`. What a run costs is left out, and so are
the hops of single point-to-site clients, of which there are thousands, and the line and column of
a warning, which a comment in the scenario moves.
"""

import json
import math
import re
from pathlib import Path

import pytest

from simulator import load, run
from simulator.planner import build

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "scenarios").glob("*.yaml"), key=lambda path: path.name)
GOLDEN = ROOT / "tests" / "golden" / "summaries"
RELATIVE = 1e-9
DIFFERENCES_SHOWN = 20
POSITION = re.compile(r"(\.(?:yaml|csv))(?::\d+){1,2}")


def summary(result, plan):
    """What is compared: plain data, without what depends on the machine."""
    found = dict(result.summary_dict)
    del found["performance"]
    found["warnings"] = [without_position(warning) for warning in found["warnings"]]
    clients = {c.name for group in plan.meta["clients"].values() for c in group.clients}
    found["hops"] = [hop for hop in found["hops"] if hop["hop"].rpartition(".")[0] not in clients]
    return json.loads(json.dumps(found, allow_nan=False))


def without_position(warning):
    """A warning with the name of its file, but not with the folder, line and column there."""
    return POSITION.sub(r"\1", warning.replace(f"{ROOT}/", ""))


def differences(expected, now, path="summary"):
    """Where two values differ, floats by more than `RELATIVE`."""
    if isinstance(expected, dict) and isinstance(now, dict):
        for key in sorted({*expected, *now}):
            if key not in expected or key not in now:
                yield f"{path}.{key}: {'new' if key in now else 'gone'}"
            else:
                yield from differences(expected[key], now[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(now, list):
        if len(expected) != len(now):
            yield f"{path}: {len(expected)} rows before, {len(now)} now"
        for number, (one, other) in enumerate(zip(expected, now, strict=False)):
            yield from differences(one, other, f"{path}[{number}]")
    elif isinstance(expected, float) and isinstance(now, float):
        if not math.isclose(expected, now, rel_tol=RELATIVE):
            yield f"{path}: {expected!r} before, {now!r} now"
    elif expected != now or type(expected) is not type(now):
        yield f"{path}: {expected!r} before, {now!r} now"


@pytest.mark.golden
@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_the_summary_is_that_of_the_golden_file(file, request):
    scenario = load(file)
    plan = build(scenario)
    result = run(scenario, plan=plan)
    assert_conserved(result)
    now = summary(result, plan)
    golden = GOLDEN / f"{file.stem}.json"
    expected = json.loads(golden.read_text(encoding="utf-8")) if golden.exists() else None
    found = list(differences(expected, now))
    if found and request.config.getoption("--update-golden"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(now, indent=1, ensure_ascii=False, sort_keys=True)
        golden.write_text(text + "\n", encoding="utf-8")
        return
    more = len(found) - DIFFERENCES_SHOWN
    shown = [*found[:DIFFERENCES_SHOWN], *([f"and {more} more"] if more > 0 else [])]
    assert not found, "run `make update-golden` if this is meant:\n" + "\n".join(shown)


def assert_conserved(result):
    """Every packet and byte sent is delivered, dropped for a reason, or still on its way."""
    for stream in result.summary_dict["streams"]:
        for unit in ("packets", "bytes"):
            dropped = sum(stream[f"{unit}_dropped"].values())
            accounted = stream[f"{unit}_delivered"] + dropped + stream[f"{unit}_in_flight"]
            assert stream[f"{unit}_sent"] == accounted, (stream["stream"], unit)


@pytest.mark.golden
def test_every_golden_summary_has_a_scenario(request):
    known = {file.stem for file in FILES}
    for path in GOLDEN.glob("*.json"):
        if path.stem not in known and request.config.getoption("--update-golden"):
            path.unlink()
        assert path.stem in known or not path.exists(), f"{path}: its scenario is gone"


def test_a_comment_in_a_scenario_changes_no_summary(tmp_path):
    """The warnings of a file that got a line longer at its top differ in their lines alone."""
    text = (ROOT / "scenarios" / "policy-based.yaml").read_text(encoding="utf-8")
    said = []
    for line in ("", "# A comment.\n"):
        file = tmp_path / "policy-based.yaml"
        file.write_text(line + text, encoding="utf-8")
        said.append([str(warning) for warning in load(file).warnings])
    before, after = said
    assert before != after
    assert [*map(without_position, before)] == [*map(without_position, after)]
    assert all("policy-based.yaml gateways." in without_position(warning) for warning in before)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1.0}, {"a": 1.0 + 1e-8}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ({"a": [1, 2]}, {"a": [1]}),
        ({"a": "x"}, {"a": None}),
        ({"a": 1}, {"a": 1.0}),
    ],
)
def test_a_difference_is_seen(one, other):
    assert list(differences(one, other))
    assert not list(differences(one, one))
    assert not list(differences({"a": 1.0}, {"a": 1.0 + 1e-10}))
