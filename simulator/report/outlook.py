"""Outlook: when each ceiling is full if the load grows, as `crossprem explain --growth` says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from simulator.base.units import format_ratio
from simulator.planner.forecast import Growth, Saturation, saturations

if TYPE_CHECKING:
    from simulator.report.evidence import Evidence
    from simulator.scenario import Scenario


@dataclass(frozen=True)
class Outlook:
    """A forecast from the day of the run on."""

    growth: Growth
    origin: str
    """Who states the growth."""
    since: str
    """ISO date from which it is counted: that of the run."""
    rows: tuple[Saturation, ...]

    @property
    def rate(self) -> str:
        """The growth as people write it."""
        low, high = format_ratio(self.growth.low), format_ratio(self.growth.high)
        return f"{high}/month" if low == high else f"{low} to {high}/month"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the numbers of a page."""
        return {
            "low_ratio": self.growth.low,
            "high_ratio": self.growth.high,
            "rows": [asdict(row) for row in self.rows],
        }


def outlook(evidence: Evidence) -> Outlook | None:
    """The forecast with the growth asked for, or the scenario's; None if nobody states one."""
    asked = evidence.asked_growth
    growth = Growth.parse(asked) if asked is not None else _stated(evidence.scenario)
    if growth is None:
        return None
    day: date = datetime.fromisoformat(evidence.manifest["written_at"]).date()
    origin = "asked for" if asked is not None else "stated by the profiles of the scenario"
    rows = tuple(saturations(evidence.explanation, growth, day))
    return Outlook(growth, origin, day.isoformat(), rows)


def _stated(scenario: Scenario) -> Growth | None:
    """The range of the growths that profiles of traffic state."""
    profiles = (getattr(stream, "profile", None) for stream in scenario.traffic.values())
    stated = [p.growth for p in profiles if p is not None and p.growth > 0.0]
    return Growth(min(stated), max(stated)) if stated else None
