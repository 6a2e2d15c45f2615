"""What a result keeps of the scenario that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.scenario import Scenario


@dataclass(frozen=True)
class About:
    """What a result keeps of the scenario that it answers."""

    scenario: str
    title: str = ""
    question: str = ""
    scenario_hash: str = ""
    """Hexadecimal SHA-256 of all its values, defaults included."""
    resolved: str = ""
    """The scenario as text, with every default filled in."""
    targets: Mapping[str, float] = field(default_factory=dict)
    """Limits in SI units by name of target."""
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, scenario: Scenario) -> About:
        """Take from a scenario what its result shows and keeps."""
        return cls(
            scenario=scenario.name,
            title=scenario.title,
            question=scenario.question or "",
            scenario_hash=scenario.content_hash(),
            resolved=scenario.resolved_yaml(),
            targets=scenario.targets.limits,
            warnings=tuple(str(problem) for problem in scenario.warnings),
        )
