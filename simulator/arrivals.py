"""How much traffic comes when: distributions of sizes and times, profiles of a day and a week.

These parts of a scenario are shared by kinds of traffic and by groups of clients. What they mean is
in `simulator.plan.Distribution` and `Profile`. Only the flow level can run for so long that a
profile of the day matters, so only it has them; steps of a rate are for both levels.
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import (
    Duration,
    PositiveDuration,
    Ratio,
    Sequenced,
    Size,
    defaulted,
    refuse,
)
from simulator.base.units import DAY_S, format_duration
from simulator.plan import Distribution, Profile

HOURS: Final = 24
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOUR_S: Final = DAY_S / HOURS
FOREVER_S: Final = 100 * DAY_S
"""Longer than any run: the period of what does not repeat."""
LEAST_STEP_S: Final = 1e-3
"""Every change of a rate interrupts the run."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Factor = Annotated[float, Field(ge=0, le=1000)]

#: What each kind of distribution needs beside its kind.
NEEDS: Final = {
    "fixed": {"mean"},
    "exponential": {"mean"},
    "lognormal": {"mean", "sigma"},
    "pareto": {"mean", "shape"},
    "empirical": {"values"},
}


class _Shape(fields.Schema):
    """What distributions of sizes and of times have in common."""

    kind: Literal["fixed", "exponential", "lognormal", "pareto", "empirical"] = Field(
        description="fixed, exponential, lognormal (mean, sigma), pareto (mean, shape), or "
        "empirical: values as measured, interpolated"
    )
    sigma: Annotated[float, Field(gt=0, le=4)] | None = Field(
        default=None, description="lognormal: standard deviation of the natural logarithm"
    )
    shape: Annotated[float, Field(gt=1, le=20)] | None = Field(
        default=None, description="pareto: exponent of the tail, above 1"
    )

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> _Shape:
        given = {
            name
            for name in ("mean", "sigma", "shape", "values")
            if getattr(self, name, None) is not None
        }
        needed = NEEDS[self.kind]
        if given != needed:
            listed = " and ".join(sorted(needed))
            refuse(f"{self.kind} takes {listed} and no more", f"give {listed} alone")
        return self


class Sizes(_Shape):
    """A distribution of sizes."""

    mean: Size | None = Field(default=None, description="mean size")
    values: Sequenced[Size] | None = Field(
        default=None, min_length=1, description="empirical: sizes as measured"
    )

    @property
    def mean_bytes(self) -> float:
        """Mean of what is drawn."""
        return _mean(self.mean, self.values)

    def distribution(self) -> Distribution:
        """The same for the plan, bytes."""
        return _distribution(self, self.mean, self.values)


class Times(_Shape):
    """A distribution of lengths of time."""

    mean: PositiveDuration | None = Field(default=None, description="mean time")
    values: Sequenced[Duration] | None = Field(
        default=None, min_length=1, description="empirical: times as measured"
    )

    def distribution(self) -> Distribution:
        """The same for the plan, seconds."""
        return _distribution(self, self.mean, self.values)


def _mean(mean: float | None, values: tuple[float, ...] | None) -> float:
    if mean is not None:
        return mean
    assert values is not None
    return sum(values) / len(values)


def _distribution(
    shape: _Shape, mean: float | None, values: tuple[float, ...] | None
) -> Distribution:
    if values is not None:
        return Distribution("empirical", tuple(values))
    assert mean is not None
    more = [v for v in (shape.sigma, shape.shape) if v is not None]
    kind: Literal["constant", "exponential", "lognormal", "pareto", "empirical"]
    kind = "constant" if shape.kind == "fixed" else shape.kind
    return Distribution(kind, (mean, *more))


class DayProfile(fields.Schema):
    """Factors on a rate, or on the number of users, over the day and the week. Flow level only."""

    hours: Sequenced[Factor] = Field(
        default=(1.0,) * HOURS,
        min_length=HOURS,
        max_length=HOURS,
        description="factor of each hour of the day; time 0 of the run is midnight",
    )
    weekdays: Sequenced[Factor] = Field(
        default=(1.0,) * len(WEEKDAYS),
        min_length=len(WEEKDAYS),
        max_length=len(WEEKDAYS),
        description="factor of each day, from Monday to Sunday",
    )
    first_day: Weekday = Field(default="monday", description="day on which the run begins")
    growth: Ratio = defaulted("0 %", "growth from month to month; a month has 730 hours")

    def profile(self) -> Profile:
        """The same for the plan."""
        if len(set(self.weekdays)) == 1:
            days: tuple[float, ...] = self.weekdays[:1]
        else:
            first = WEEKDAYS.index(self.first_day)
            days = (*self.weekdays[first:], *self.weekdays[:first])
        steps = [day * hour for day in days for hour in self.hours]
        return Profile(
            period_s=len(days) * DAY_S,
            starts_s=tuple(n * HOUR_S for n in range(len(steps))),
            factors=tuple(steps),
            growth_ratio=self.growth,
        )


class RateSteps(fields.Schema):
    """Factors on a rate that change at given times, such as those of a table of rates."""

    at: Sequenced[Duration] = Field(
        min_length=1,
        description="when each factor begins to hold; nothing is sent before the first",
    )
    factors: Sequenced[Factor] = Field(
        min_length=1, description="factor on the rate from each of these times on"
    )
    end: Duration | None = Field(
        default=None,
        description="nothing is sent from then on; without it the last factor holds on",
    )
    begin: Duration = defaulted("0 s", "time of the steps at which the run begins")
    repeat: bool = Field(default=False, description="begin with time 0 again at the end")

    @model_validator(mode="after")
    def _makes_sense(self) -> RateSteps:
        if len(self.at) != len(self.factors):
            rule = f"{len(self.at)} times have {len(self.factors)} factors"
            refuse(rule, "give each time one factor")
        ends = () if self.end is None else (self.end,)
        if any(later - earlier < LEAST_STEP_S for earlier, later in pairwise((*self.at, *ends))):
            rule = f"steps and their end follow one another by {format_duration(LEAST_STEP_S)}"
            refuse(f"{rule} or more", "put them in order, each once")
        if self.repeat and self.end is None:
            refuse("what repeats needs an end", "give the end, for example 24 h")
        return self

    def profile(self, horizon_s: float) -> Profile:
        """The same for the plan, as far as a run of this length goes."""
        steps = list(zip(self.at, self.factors, strict=True))
        if self.at[0] > 0.0:
            steps.insert(0, (0.0, 0.0))
        period_s = FOREVER_S
        if self.repeat:
            assert self.end is not None
            period_s = self.end
            begin_s = self.begin % period_s
        else:
            begin_s = self.begin
            steps += [] if self.end is None else [(self.end, 0.0)]
        current = max(i for i, (at_s, _) in enumerate(steps) if at_s <= begin_s)
        turned = [(0.0, steps[current][1])]
        turned += [(at_s - begin_s, factor) for at_s, factor in steps[current + 1 :]]
        if self.repeat:
            again = [(at_s + period_s - begin_s, factor) for at_s, factor in steps[: current + 1]]
            turned += [(at_s, factor) for at_s, factor in again if at_s < period_s]
        kept = [step for step in turned if step[0] < horizon_s]
        starts_s, factors = zip(*kept, strict=True)
        return Profile(period_s, starts_s, factors, is_for_packets=True)


class Varying(fields.Schema):
    """What traffic whose rate changes with time has in common."""

    steps: RateSteps | None = Field(
        default=None, description="factors on the rates at given times, at both levels"
    )

    @model_validator(mode="after")
    def _varies_one_way(self) -> Varying:
        if self.steps is not None and getattr(self, "profile", None) is not None:
            refuse("a rate follows steps or a profile of the day", "remove one of them")
        return self

    def factors(self, horizon_s: float) -> Profile | None:
        """Factor on the rate for the plan of a run of this length; None: always 1."""
        if self.steps is not None:
            return self.steps.profile(horizon_s)
        daily: DayProfile | None = getattr(self, "profile", None)
        return None if daily is None else daily.profile()


class SessionStart(fields.Schema):
    """When clients dial: a normal distribution of the time of the run."""

    kind: Literal["normal"] = Field(default="normal", description="normal: mean and sd")
    mean: Duration = Field(description="mean time of the run; time 0 is midnight")
    sd: Duration = Field(description="standard deviation")

    def drawn_s(self, share: float) -> float:
        """Quantile, not before the beginning of the run."""
        return max(0.0, self.mean + self.sd * NormalDist().inv_cdf(share))


class SessionLength(fields.Schema):
    """How long clients stay: log-normal."""

    kind: Literal["lognormal"] = Field(default="lognormal", description="lognormal")
    median: PositiveDuration = Field(description="half of the sessions last longer")
    sigma: Annotated[float, Field(gt=0, le=4)] = Field(
        description="standard deviation of the natural logarithm"
    )

    def drawn_s(self, share: float) -> float:
        """Quantile."""
        return self.median * math.exp(self.sigma * NormalDist().inv_cdf(share))


class Sessions(fields.Schema):
    """When clients of a group come and go; without it all of them dial at time 0 and stay."""

    start: SessionStart = Field(description="when they dial")
    length: SessionLength | None = Field(
        default=None, description="how long they stay; to the end of the run by default"
    )
