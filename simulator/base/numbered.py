"""Names that differ in one number, as `count: 40` makes them, said together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Final, NamedTuple

FEWEST: Final = 3
"""So many in a row become one text."""

_NUMBERED: Final = re.compile(r"(.*?-)(0|[1-9][0-9]*)(.*)", re.DOTALL)


class Numbered(NamedTuple):
    """A text around its first number after a hyphen."""

    before: str
    number: int
    after: str

    @property
    def family(self) -> tuple[str, str]:
        """What all copies of a thing have in common."""
        return self.before, self.after


def numbered(text: str) -> Numbered | None:
    """Take a text apart, None if no number follows a hyphen: `shop-7.isp` is shop-, 7, .isp."""
    found = _NUMBERED.fullmatch(text)
    return found and Numbered(found[1], int(found[2]), found[3])


def in_ranges(texts: Iterable[str]) -> list[str]:
    """Say texts together that differ in consecutive numbers, each family where its first stood.

    `shop-1, shop-2, shop-3, lyon` becomes `shop-1..3, lyon`; equal texts are said once.
    """
    families: dict[object, list[Numbered | str]] = {}
    for text in dict.fromkeys(texts):
        parts = numbered(text)
        families.setdefault(parts.family if parts else text, []).append(parts or text)
    return [
        said
        for members in families.values()
        for said in (_ranges([m for m in members if isinstance(m, Numbered)]) or map(str, members))
    ]


def _ranges(members: list[Numbered]) -> list[str]:
    said = []
    in_order = sorted(members, key=lambda member: member.number)
    for _, run in groupby(enumerate(in_order), lambda item: item[1].number - item[0]):
        numbers = [member.number for _, member in run]
        before, after = members[0].family
        if len(numbers) < FEWEST:
            said += [f"{before}{number}{after}" for number in numbers]
        else:
            said.append(f"{before}{numbers[0]}..{numbers[-1]}{after}")
    return said
