"""What each side measures, and the table that shows both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Side:
    """One simulator's run of a workload."""

    work_count: float
    """Units of work done, named by `Comparison.unit`."""
    cpu_s: float
    outcome: dict[str, float] = field(default_factory=dict)
    """What was simulated, in the units of the names: both sides must come out alike."""

    @property
    def speed(self) -> float:
        """Units of work per CPU-second."""
        return self.work_count / self.cpu_s


class Comparison(NamedTuple):
    """A workload with both of its sides."""

    workload: str
    unit: str
    peer: str
    crossprem_side: Side
    peer_side: Side
    tolerance_ratio: float
    """How far the outcomes may lie apart and still count as the same work."""

    @property
    def speed_ratio(self) -> float:
        """How many times as much work crossprem does in a CPU-second."""
        return self.crossprem_side.speed / self.peer_side.speed

    @property
    def difference_ratio(self) -> float:
        """Largest relative difference between the outcomes, by the peer's."""
        ours, theirs = self.crossprem_side.outcome, self.peer_side.outcome
        return max(abs(ours[name] / theirs[name] - 1.0) for name in ours)

    @property
    def is_same_work(self) -> bool:
        """Whether the outcomes agree."""
        return self.difference_ratio <= self.tolerance_ratio

    def lines(self) -> list[str]:
        """Both sides as a table of three columns of figures."""
        ours, theirs = self.crossprem_side, self.peer_side
        rows = [
            (f"{self.unit}/CPU-s", ours.speed, theirs.speed),
            ("cpu_s", ours.cpu_s, theirs.cpu_s),
        ]
        rows += [(name, value, theirs.outcome[name]) for name, value in ours.outcome.items()]
        verdict = "same work" if self.is_same_work else "NOT the same work"
        return [
            f"{self.workload:28s} {'crossprem':>14s} {self.peer:>14s} {'ratio':>9s}",
            *(f"  {name:26s} {a:14.6g} {b:14.6g} {a / b:9.4g}" for name, a, b in rows),
            f"  {verdict}: outcomes differ by at most {100 * self.difference_ratio:.2f} % "
            f"(allowed: {100 * self.tolerance_ratio:.0f} %)",
        ]
