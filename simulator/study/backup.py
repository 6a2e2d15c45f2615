"""Backup: how much of the traffic the VPN carries when every ExpressRoute connection is gone.

The traffic that has a rate is scaled up and down until the largest scale is found at which every
stream still meets the limits of latency and loss. TCP takes what it gets, so it stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import pandas as pd

from simulator.base.errors import UsageError
from simulator.base.units import format_duration, format_rate, format_ratio
from simulator.catalog import load_catalog
from simulator.run import loaded, run
from simulator.scenario import Scenario
from simulator.study.compare import Progress

RATES: Final = ("rate", "reply_rate")
TOLERANCE_RATIO: Final = 0.005
SCALE_MAX: Final = 1024.0
SCALE_MIN: Final = 1.0 / 1024.0
RUNS_USUAL: Final = 14
"""Runs that a search usually takes, for the bar."""


@dataclass(frozen=True, repr=False)
class Backup:
    """How much the VPN carries alone."""

    scenario: str
    scale: float
    """Largest multiple of the traffic's rates that meets the limits; 0 if none does."""
    carried_bps: float
    """What is offered there, both directions of all streams together."""
    asked_bps: float
    """What the scenario offers."""
    latency_s_p95: float
    """Of the worst stream at that scale."""
    loss_ratio: float
    latency_limit_s: float | None
    loss_limit_ratio: float
    is_bounded: bool
    """False if nothing gave way up to the largest scale that was tried."""

    @property
    def is_enough(self) -> bool:
        """Whether it carries what the scenario asks for."""
        return self.scale >= 1.0

    def __str__(self) -> str:
        if self.scale == 0:
            return "The VPN backup carries nothing within these limits."
        least = "at least " if not self.is_bounded else "up to "
        verdict = "enough" if self.is_enough else "NOT enough"
        return (
            f"The VPN backup carries {least}{format_rate(self.carried_bps)} at p95 "
            f"{format_duration(float(f'{self.latency_s_p95:.3g}'))} and "
            f"{format_ratio(float(f'{self.loss_ratio:.2g}'))} loss; asked for are "
            f"{format_rate(self.asked_bps)}: {verdict}."
        )

    def __repr__(self) -> str:
        return f"<Backup of {self.scenario}: {self}>"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"is_enough": self.is_enough, "answer": str(self)}


def backup(
    scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    *,
    progress: Progress | None = None,
) -> Backup:
    """Find how much the VPN carries without ExpressRoute.

    The limits are the scenario's targets for latency and loss. Without one for loss the default
    `study.loss_limit` of the catalogue holds; without one for latency none does. Every scale is
    one run with the scenario's seed, so the answer has no interval.

    Parameters
    ----------
    scenario
        A scenario, or what `load` takes.
    progress
        Called with the number of runs that are done and of those that are likely.

    Raises
    ------
    UsageError
        If the scenario has no IPsec connection, or no traffic with a rate.
    """
    scenario = loaded(scenario, None)
    alone = without_expressroute(scenario)
    rates = _rates(alone)
    if not rates:
        raise UsageError(
            f"{scenario.name}: has no traffic with a rate to scale; add a stream of kind poisson"
        )
    default = load_catalog(scenario.era).default("study.loss_limit").value
    targets = scenario.targets
    search = _Search(alone, rates, targets.latency_p95, targets.loss or default, progress=progress)
    scale = search.largest()
    found = search.seen.get(scale)
    worst = _Figures(0.0, 0.0, 0.0) if found is None else found
    return Backup(
        scenario=scenario.name,
        scale=scale,
        carried_bps=worst.offered_bps,
        asked_bps=search.at(1.0).offered_bps,
        latency_s_p95=worst.latency_s_p95,
        loss_ratio=worst.loss_ratio,
        latency_limit_s=targets.latency_p95,
        loss_limit_ratio=search.loss_limit_ratio,
        is_bounded=scale < SCALE_MAX,
    )


def without_expressroute(scenario: Scenario) -> Scenario:
    """The same design without its ExpressRoute connections and without faults."""
    if not any(c.type == "ipsec" for c in scenario.connections.values()):
        raise UsageError(f"{scenario.name}: has no IPsec connection, so no VPN that could stand by")
    written = scenario.written.data["connections"]
    left = {
        name: connection
        for name, connection in written.items()
        if name not in scenario.connections or scenario.connections[name].type != "expressroute"
    }
    gone = written.keys() - left.keys()
    return scenario.with_({"connections": left, "faults": [], **_preferences(scenario, gone)})


def _preferences(scenario: Scenario, gone: Collection[str]) -> dict[str, Any]:
    """What devices prefer, without connections that are gone, by dotted path."""
    found = {}
    for site, entry in scenario.written.data.get("sites", {}).items():
        for device, settings in entry.get("devices", {}).items():
            preferred = (settings.get("bgp") or {}).get("local_preference")
            if preferred:
                kept = {name: value for name, value in preferred.items() if name not in gone}
                found[f"sites.{site}.devices.{device}.bgp.local_preference"] = kept
    return found


def _rates(scenario: Scenario) -> dict[str, float]:
    """The rates of all streams that have one, by dotted path, in bit/s."""
    return {
        f"traffic.{name}.{field}": value
        for name, stream in scenario.traffic.items()
        for field in RATES
        if (value := getattr(stream, field, None))
    }


@dataclass(frozen=True)
class _Figures:
    offered_bps: float
    latency_s_p95: float
    loss_ratio: float


class _Search:
    """Runs scales of the traffic until the largest that meets the limits is known."""

    def __init__(
        self,
        scenario: Scenario,
        rates: dict[str, float],
        latency_limit_s: float | None,
        loss_limit_ratio: float,
        progress: Progress | None,
    ) -> None:
        self._scenario = scenario
        self._rates = rates
        self._latency_limit_s = latency_limit_s
        self.loss_limit_ratio = loss_limit_ratio
        self._progress = progress
        self.seen: dict[float, _Figures] = {}

    def largest(self) -> float:
        """The largest scale that meets the limits, within the tolerance; 0 if none does."""
        good, bad = 0.0, 1.0
        if self._is_met(1.0):
            good, bad = 1.0, 2.0
            while self._is_met(bad):
                good, bad = bad, 2.0 * bad
                if bad > SCALE_MAX:
                    return good
        else:
            while bad > SCALE_MIN and not self._is_met(bad / 2.0):
                bad /= 2.0
            good = bad / 2.0 if bad > SCALE_MIN else 0.0
        while good and bad / good > 1.0 + TOLERANCE_RATIO:
            middle = (good * bad) ** 0.5
            good, bad = (middle, bad) if self._is_met(middle) else (good, middle)
        return good

    def at(self, scale: float) -> _Figures:
        """The figures of the worst stream at a scale."""
        if scale not in self.seen:
            scaled = {
                path: f"{rate_bps * scale:.9g} bit/s" for path, rate_bps in self._rates.items()
            }
            self.seen[scale] = _figures(run(self._scenario.with_(scaled)).streams)
            if self._progress is not None:
                self._progress(len(self.seen), max(RUNS_USUAL, len(self.seen) + 1))
        return self.seen[scale]

    def _is_met(self, scale: float) -> bool:
        found = self.at(scale)
        is_quick = self._latency_limit_s is None or found.latency_s_p95 <= self._latency_limit_s
        return is_quick and found.loss_ratio <= self.loss_limit_ratio


def _figures(streams: pd.DataFrame) -> _Figures:
    return _Figures(
        offered_bps=float(streams["offered_bps"].sum()),
        latency_s_p95=float(streams["latency_s_p95"].max()),
        loss_ratio=float(streams["loss_ratio"].max()),
    )
