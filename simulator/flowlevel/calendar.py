"""The calendar: when sources begin and end, and by which factor of the day they send.

Nothing here depends on the network. Beginnings and ends are rounded to a hundredth of a time bin,
to a tenth where there are very many, since each instant means to solve for all rates again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from simulator.base.units import DAY_S, MONTH_S
from simulator.flowlevel.traffic import Connection, Elastic, OpenLoop, member_loads
from simulator.plan import Plan, Profile, TransferPlan, to_ps

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

FINE_PARTS: Final = 100
"""Parts of a time bin to which times are rounded ..."""
COARSE_PARTS: Final = 10
"""... and with many sources."""
MANY_SOURCES: Final = 1_000


class Calendar:
    """What begins and ends when; arrays by open-loop source and by item of TCP."""

    def __init__(self, plan: Plan, traffic: OpenLoop, elastic: Elastic) -> None:
        connections: list[Connection] = [*plan.tcp_flows, *plan.transfers]
        self._profiles = list(
            dict.fromkeys(
                p for p in (*traffic.profile, *(t.profile for t in plan.transfers)) if p is not None
            )
        )
        number = {profile: n for n, profile in enumerate(self._profiles)}
        self._factor = np.ones(len(self._profiles) + 1)
        self._open_profile = self._numbers(number, traffic.profile)
        self._item_profile = self._numbers(
            number,
            [i.first.profile if isinstance(i.first, TransferPlan) else None for i in elastic.items],
        )
        self._next_step_ps = 0 if self._profiles else layout.NEVER_PS
        self._sending = np.zeros(len(traffic.direction))
        sending = np.ones(len(traffic.direction), np.float64)
        self.begun = np.zeros(len(elastic.items))
        self.ended = np.zeros(len(elastic.items))
        loads = np.array([member_loads(c) for c in connections], np.float64)
        starts = np.array([c.settings["start_ps"] for c in connections], np.int64)
        stops = np.array([c.settings["stop_ps"] for c in connections], np.int64)
        total = len(connections) + len(traffic.direction)
        parts = COARSE_PARTS if total > MANY_SOURCES else FINE_PARTS
        step_ps = max(plan.time_bin_ps // parts, 1)
        item = elastic.item_of
        self._rows = [
            _Row(_rounded(traffic.start_ps, step_ps), np.arange(len(self._sending)),
                 sending, self._sending),
            _Row(_rounded(traffic.stop_ps, step_ps), np.arange(len(self._sending)),
                 -sending, self._sending),
            _Row(_rounded(starts, step_ps), item, loads, self.begun, is_of_items=True),
            _Row(_rounded(stops, step_ps), item, loads, self.ended, is_of_items=True),
        ]  # fmt: skip
        self._is_of_transfers = np.array(
            [isinstance(i.first, TransferPlan) for i in elastic.items], bool
        )
        self.has_changed = True
        self.changed_users: set[int] = set()
        """Items of transfers whose users or sources came or went, and nothing else did."""

    @staticmethod
    def _numbers(number: dict[Profile, int], profiles: Iterable[Profile | None]) -> Index:
        """Number of each profile; the one after the last is the factor 1."""
        return np.array([len(number) if p is None else number[p] for p in profiles], np.int64)

    @property
    def next_ps(self) -> int:
        """When something begins, ends or changes its factor next."""
        return min(self._next_step_ps, *(row.next_ps for row in self._rows))

    def take(self, now_ps: int) -> None:
        """Let everything happen that is due until now, now included."""
        for row in self._rows:
            if row.next_ps > now_ps:
                continue
            places = row.take(now_ps)
            if row.is_of_items and self._is_of_transfers[places].all():
                self.changed_users.update(places.tolist())
            else:
                self.has_changed = True
        if self._next_step_ps <= now_ps:
            self._factor[:-1] = [factor_at(p, now_ps) for p in self._profiles]
            self._next_step_ps = min(next_step_ps(p, now_ps) for p in self._profiles)
            self.has_changed = True

    @property
    def open_factor(self) -> Array:
        """By open-loop source: factor on its rate, 0 while it does not send."""
        return self._sending * self._factor[self._open_profile]

    @property
    def item_factor(self) -> Array:
        """By item of TCP: factor of the day."""
        return self._factor[self._item_profile]


class _Row:
    """Times in order, and what each adds to one place of an array."""

    def __init__(
        self,
        time_ps: Index,
        place: Index,
        change: Array,
        target: Array,
        *,
        is_of_items: bool = False,
    ) -> None:
        self.is_of_items = is_of_items
        order = np.argsort(time_ps, kind="stable")
        self._time_ps, self._place, self._change = time_ps[order], place[order], change[order]
        self._target = target
        self._at = 0

    @property
    def next_ps(self) -> int:
        at = self._at
        return int(self._time_ps[at]) if at < len(self._time_ps) else layout.NEVER_PS

    def take(self, now_ps: int) -> Index:
        """Let everything until now happen; returns the places that it concerns."""
        end = int(np.searchsorted(self._time_ps, now_ps, side="right"))
        due = slice(self._at, end)
        np.add.at(self._target, self._place[due], self._change[due])
        self._at = end
        places: Index = self._place[due]
        return places


def _rounded(time_ps: Index, step_ps: int) -> Index:
    return (time_ps + step_ps // 2) // step_ps * step_ps


def factor_at(profile: Profile, time_ps: int) -> float:
    """Factor of a profile at a time: its step, and the growth until the beginning of the day."""
    step = bisect_right(_starts_ps(profile), time_ps % to_ps(profile.period_s)) - 1
    growth = 1.0
    if profile.growth_ratio:
        days = time_ps // to_ps(DAY_S)
        growth = (1.0 + profile.growth_ratio) ** (days * DAY_S / MONTH_S)
    return profile.factors[step] * growth


def next_step_ps(profile: Profile, time_ps: int) -> int:
    """When the factor may change next."""
    starts_ps, period_ps = _starts_ps(profile), to_ps(profile.period_s)
    within_ps = time_ps % period_ps
    step = bisect_right(starts_ps, within_ps)
    step_ps = time_ps - within_ps + (starts_ps[step] if step < len(starts_ps) else period_ps)
    day_ps = to_ps(DAY_S)
    return min(step_ps, (time_ps // day_ps + 1) * day_ps) if profile.growth_ratio else step_ps


@cache
def _starts_ps(profile: Profile) -> tuple[int, ...]:
    return tuple(map(to_ps, profile.starts_s))
