"""Files that are no scenarios: refused with a place and a fix, soon, never a traceback."""

import time
from pathlib import Path

import pytest

from simulator.scenario import load, yaml_reader
from tests.scenario.conftest import problems_of


def only_problem(content: bytes | str) -> str:
    (problem,) = problems_of(content if isinstance(content, bytes) else content.encode())
    return str(problem)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "<text>:1:1: the file is empty; start with schema_version: 1"),
        ("\n\n# only a comment\n", "<text>:1:1: the file is empty"),
        ("---\n", "a scenario is a map of fields"),
        ("~", "a scenario is a map of fields"),
        ("- a\n- b\n", "a scenario is a map of fields"),
        ("just text", "a scenario is a map of fields"),
        ("42", "a scenario is a map of fields"),
        ("a: 1\n---\nb: 2\n", "<text>:2:1: a file holds one YAML document; remove the '---'"),
        ("a: 1\n\tb: 2\n", "a tab cannot indent; indent with spaces"),
        ("a: b: c\n", "<text>:1:5: YAML syntax: a ':' where no key can be"),
        ("a: [1, 2\n", "YAML syntax"),
        ("a: {b: 1\n", "YAML syntax"),
        ('a: "open\n', "YAML syntax"),
        ("a: *nowhere\n", "aliases (*) are not used"),
        ("? [a]\n: b\n", "a key must be text"),
        ("{{a: b}: c}", "a key must be text"),
        ("&x a: 1\n", "a key has no anchor"),
        ("a: 1\n- b\n", "YAML syntax"),
        ("a: @x\n", "YAML syntax"),
        ("a: %x\n", "YAML syntax"),
        ("%YAML 9.9\n---\na: 1\n", "YAML syntax"),
        ("%YAML x\n---\na: 1\n", "YAML syntax"),
        ('a: "\\q"\n', "YAML syntax"),
        ('a: "\\U00110000"\n', "YAML syntax"),
        ("a: \x07\n", "<text>:1:4: control character U+0007 is not allowed; remove it"),
    ],
)  # fmt: skip
def test_text_that_is_no_scenario(content: str, expected: str) -> None:
    problems = problems_of(content.encode())
    assert any(expected in str(problem) for problem in problems), problems


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("title: x\n".encode("utf-16"), "this file is UTF-16; save the file as UTF-8 text"),
        ("title: x\n".encode("utf-16-le"), "this file looks like UTF-16"),
        ("title: x\n".encode("utf-16-be"), "this file looks like UTF-16"),
        ("title: x\n".encode("utf-32"), "this file is UTF-32"),
        (
            "title: caf\u00e9\n".encode("latin-1"),
            "<text>:1:11: a scenario is UTF-8 text; byte 0xe9",
        ),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00", "this file holds binary data"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a scenario is UTF-8 text"),
        (bytes(range(256)) * 40, "a scenario is UTF-8 text"),
        (b"PK\x03\x04\x14", "control character U+0003"),
        (b"a: 1\nb: \xff\n", "<text>:2:4: a scenario is UTF-8 text; byte 0xff is not"),
    ],
)
def test_bytes_that_are_no_text(content: bytes, expected: str) -> None:
    assert expected in only_problem(content)


def test_a_file_of_100_mb_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = tmp_path / "large.yaml"
    with large.open("wb") as stream:
        stream.truncate(100 * 2**20)
    monkeypatch.setattr(Path, "open", None)
    (problem,) = problems_of(large)
    assert "at most 8 MiB; the file was not read" in str(problem)


def test_an_endless_file_is_read_up_to_the_limit() -> None:
    (problem,) = problems_of(Path("/dev/zero"))
    assert "at most 8 MiB" in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "a: " + "{a: " * 50_000,
        "\n".join(" " * depth + "a:" for depth in range(1000)),
        "- " * 100_000,
        "a: " + "[" * 41 + "]" * 41,
        "? " * 1000,
    ],
)
def test_deep_nesting(text: str) -> None:
    problem = only_problem(text)
    assert "nest at most 40 deep" in problem or "a key must be text" in problem


def test_forty_levels_are_read() -> None:
    assert yaml_reader.read_yaml("a: " + "[" * 39 + "]" * 39, "x").data


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(ord(last) + 1)}: &{chr(ord(last) + 1)} [{', '.join([f'*{last}'] * 9)}]\n"
    for last in "abcdefgh"
)


def test_an_alias_bomb_is_not_expanded() -> None:
    problems = problems_of(BOMB.encode())
    assert sum("aliases (*) are not used" in p.rule for p in problems) == 72
    assert sum("anchors (&) are not used" in p.rule for p in problems) == 9


def test_merge_keys_and_tags_are_refused_at_their_place(smallest: str) -> None:
    text = smallest + "<<: {era: current}\nquestion: !!python/object:os.system x\n"
    text = text.replace("question: Does", "comment: Does")
    rules = {p.path: p for p in problems_of(text)}
    last = text.count("\n")
    assert rules["<<"].rule.startswith("merge keys")
    assert rules["<<"].line == last - 1
    assert rules["question"].rule.startswith("tags")
    assert set(rules) == {"<<", "question", "comment"}


LARGE = {
    "a quoted text": lambda n: 'title: "' + "abc " * (n // 4) + '"',
    "a plain text": lambda n: "title: " + "abc " * (n // 4),
    "a literal text": lambda n: "title: |\n" + " abc\n" * (n // 5),
    "a number": lambda n: "title: " + "1" * n,
    "a key": lambda n: "a" * n + ": 1",
    "empty lines": lambda n: "\n" * n,
    "a comment": lambda n: "title: x\n" + "#" * n,
    "a list": lambda n: "run: [" + "1," * (n // 2),
    "one key again and again": lambda n: "a: 1\n" * (n // 5),
    "anchors": lambda n: "- &a x\n" * (n // 7),
    "directives": lambda n: "%a b\n" * (n // 5),
    "unknown fields": lambda n: "vnets:\n" + each(" v{}: {{regio: x}}\n", n // 20),
    "unknown regions": lambda n: "vnets:\n" + each(" v{}: {{region: Wst Europe}}\n", n // 30),
    "overlaps": lambda n: prefixes("10.0.0.0/16, " * (n // 20)),
    "faults": lambda n: "faults:\n" + "- {kind: tunnel-down, connection: x, at: 1 s}\n" * (n // 60),
    "dangling names": lambda n: (
        "sites:\n"
        + each(" s{}: {{}}\n", n // 60)
        + "traffic:\n"
        + each(" t{0}: {{from: x{0}, to: y{0}}}\n", n // 60)
    ),
    "copies": lambda n: f"sites: {{a: {{count: {n // 100}, internet: {{b: {{}}}}, x: y}}}}",
}


def each(template: str, count: int) -> str:
    return "".join(template.format(i) for i in range(count))


def prefixes(listed: str) -> str:
    return "vnets: {a: {region: West Europe, address_space: [" + listed + "]}}"


def cpu_s(kind: str, characters: int) -> float:
    text = LARGE[kind](characters).encode()
    before = time.process_time()
    problems_of(text)
    return time.process_time() - before


@pytest.mark.parametrize("kind", LARGE)
def test_large_nonsense_ends_soon(kind: str) -> None:
    # Some 0.3 s at most; whatever grows with the square of the size takes far longer.
    assert cpu_s(kind, 20_000) < 3.0


@pytest.mark.validate
@pytest.mark.parametrize("kind", LARGE)
def test_nonsense_of_the_largest_size_ends_in_seconds(kind: str) -> None:
    assert cpu_s(kind, yaml_reader.CONTENT_CHARACTERS_MAX - 1000) < 30.0


def test_too_much_content_is_refused_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    much = "a: [" + "1," * yaml_reader.CONTENT_CHARACTERS_MAX
    assert "at most 2 MiB beside comments" in only_problem(much)
    monkeypatch.setattr(yaml_reader, "NODES_MAX", 1000)
    assert "at most 1000 keys and values" in only_problem("a: [" + "1," * 1000 + "1]")


def test_comments_do_not_count_as_content(smallest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "CONTENT_CHARACTERS_MAX", len(smallest) + 1001)
    assert load(smallest + "# a comment\n" * 1000) == load(smallest)


def test_a_long_value_is_cut_in_the_message(smallest: str) -> None:
    (problem,) = problems_of(smallest, set={"gateways.hub-vpn.sku": "x" * 5000})
    assert len(str(problem)) < 400


def test_plain_scalars_follow_the_core_schema_of_yaml_1_2() -> None:
    text = "[no, yes, on, 1:30, 0o17, 017, 0x1F, 1_000, 2017-12, .5, 1e3, ~, .inf, '1', true, TRUE]"
    assert yaml_reader.read_yaml(text, "x").data == [
        "no", "yes", "on", "1:30", 15, 17, 31, "1_000", "2017-12", 0.5, 1000.0, None,
        float("inf"), "1", True, True,
    ]  # fmt: skip


def test_nothing_of_python_that_is_no_scenario_breaks_the_loader() -> None:
    class Odd:
        pass

    for odd in (Odd(), b"x", {1, 2}, lambda: None, float("nan"), 10**5000, "\ud800"):
        for at in ({"title": odd}, {"run": odd}, {"vnets": {"a": odd}}, {"faults": [odd]}):
            problems_of({"schema_version": 1, **at})
    deep: dict[str, object] = {}
    for _ in range(2000):
        deep = {"a": deep}
    problems_of(deep)
    assert load.__doc__
