"""Names that differ in one number are said together, and nothing is lost by it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.base.numbered import in_ranges, numbered


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], []),
        (["lyon"], ["lyon"]),
        (["shop-1", "shop-2"], ["shop-1", "shop-2"]),
        (["shop-1", "shop-2", "shop-3", "lyon"], ["shop-1..3", "lyon"]),
        (["shop-10", "shop-9", "lyon", "shop-8", "shop-3"], ["shop-3", "shop-8..10", "lyon"]),
        (["s-1.tunnel-0", "s-2.tunnel-0", "s-3.tunnel-0"], ["s-1..3.tunnel-0"]),
        (
            ["s-1.tunnel-0", "s-1.tunnel-1", "s-1.tunnel-2"],
            ["s-1.tunnel-0", "s-1.tunnel-1", "s-1.tunnel-2"],
        ),
        (["a-1", "a-1", "a-1"], ["a-1"]),
        (["a-01", "a-02", "a-03"], ["a-01", "a-02", "a-03"]),
    ],
)
def test_what_is_said(texts, said):
    assert in_ranges(texts) == said


def _all_of(said: str) -> list[str]:
    found = re.fullmatch(r"(.*?)(\d+)\.\.(\d+)(.*)", said)
    if not found:
        return [said]
    before, first, last, after = found.groups()
    return [f"{before}{n}{after}" for n in range(int(first), int(last) + 1)]


@given(st.lists(st.from_regex(r"(ab?-[1-9]?[0-9](\.c)?|lyon)", fullmatch=True)))
def test_nothing_is_lost_and_nothing_added(texts):
    assert sorted(name for said in in_ranges(texts) for name in _all_of(said)) == sorted(set(texts))


def test_the_parts_of_a_name():
    parts = numbered("shop-7.isp")
    assert parts == ("shop-", 7, ".isp")
    assert numbered("lyon.isp") is None
