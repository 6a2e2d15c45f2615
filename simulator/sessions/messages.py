"""Periodic messages whose phase nobody knows: their intervals, and the age of the last one.

    interval    period times a uniform factor of [low, 1] (RFC 4271 section 10, RFC 5880 6.8.7)
    age         at a random instant: the interval that holds the instant is drawn in proportion to
                its length, the instant lies anywhere in it

So the mean age is E[interval^2] / (2 E[interval]): half a period without jitter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class Period:
    """Time between messages of one sender."""

    longest_s: float
    low: float = 1.0
    """Least factor of the jitter; 1 is none."""

    def interval_s(self, share: float) -> float:
        """One interval, for a uniform share."""
        return self.longest_s * (self.low + (1.0 - self.low) * share)

    def age_s(self, length_share: float, place_share: float) -> tuple[float, float]:
        """Age of the last message at a random instant, and the time until the next."""
        low_squared = self.low * self.low
        interval_s = self.longest_s * math.sqrt(low_squared + (1.0 - low_squared) * length_share)
        return interval_s * place_share, interval_s * (1.0 - place_share)


class Draws:
    """Uniform shares of one thing in order: each name has its own counter."""

    def __init__(self, world: World, *names: str) -> None:
        self._world = world
        self._names = names
        self._count = 0

    def __call__(self) -> float:
        """The next share."""
        share = self._world.uniform(*self._names, counter=self._count)
        self._count += 1
        return share

    def losses(self, loss_ratio: float) -> int:
        """How many messages in a row are lost before one gets through; `loss_ratio` below 1."""
        if loss_ratio <= 0.0:
            return 0
        return int(math.log(self()) / math.log(loss_ratio))
