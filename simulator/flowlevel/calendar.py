"""The calendar: when sources begin and end, and by which factor of the day they send.

Nothing here depends on the network. Beginnings and ends are rounded to a hundredth of a time bin,
to a tenth where there are very many, since each instant means to solve for all rates again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from kernels import layout
from kernels.units import PS_PER_S
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
            _Row(_rounded(starts, step_ps), item, loads, self.begun),
            _Row(_rounded(stops, step_ps), item, loads, self.ended),
        ]  # fmt: skip
        self.has_changed = True

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
            if row.next_ps <= now_ps:
                row.take(now_ps)
                self.has_changed = True
        if self._next_step_ps <= now_ps:
            now_s = now_ps / PS_PER_S
            self._factor[:-1] = [factor_at(p, now_s) for p in self._profiles]
            self._next_step_ps = min(to_ps(next_step_s(p, now_s)) for p in self._profiles)
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

    def __init__(self, time_ps: Index, place: Index, change: Array, target: Array) -> None:
        order = np.argsort(time_ps, kind="stable")
        self._time_ps, self._place, self._change = time_ps[order], place[order], change[order]
        self._target = target
        self._at = 0

    @property
    def next_ps(self) -> int:
        at = self._at
        return int(self._time_ps[at]) if at < len(self._time_ps) else layout.NEVER_PS

    def take(self, now_ps: int) -> None:
        end = int(np.searchsorted(self._time_ps, now_ps, side="right"))
        due = slice(self._at, end)
        np.add.at(self._target, self._place[due], self._change[due])
        self._at = end


def _rounded(time_ps: Index, step_ps: int) -> Index:
    return (time_ps + step_ps // 2) // step_ps * step_ps


def factor_at(profile: Profile, time_s: float) -> float:
    """Factor of a profile at a time: its step, and the growth until the beginning of the day."""
    step = int(np.searchsorted(profile.starts_s, _within(profile, time_s), side="right")) - 1
    growth = (1.0 + profile.growth_ratio) ** (time_s // DAY_S * DAY_S / MONTH_S)
    return float(profile.factors[step] * growth)


def next_step_s(profile: Profile, time_s: float) -> float:
    """When the factor may change next."""
    within = _within(profile, time_s)
    begin_s = time_s - within
    later = [start_s for start_s in profile.starts_s if start_s > within]
    step_s = begin_s + (later[0] if later else profile.period_s)
    return min(step_s, (time_s // DAY_S + 1.0) * DAY_S) if profile.growth_ratio else step_s


def _within(profile: Profile, time_s: float) -> float:
    """Time since the period began, rounding of picoseconds aside."""
    within = time_s % profile.period_s
    return 0.0 if profile.period_s - within < 1e-9 else within
