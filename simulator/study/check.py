"""Check: does a design meet its targets? The answer for a person, for JSON and for a CI system."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from simulator.base.errors import UsageError
from simulator.engine import Progress
from simulator.replications import Replications
from simulator.run import loaded, run_replications
from simulator.scenario import Scenario
from simulator.targets import Judgement


@dataclass(frozen=True)
class Check:
    """The targets of a scenario, judged by the worst of all its replications."""

    scenario: str
    title: str
    done: Replications
    judgements: tuple[Judgement, ...]

    @property
    def is_passed(self) -> bool:
        """Whether every target is met; one that the run cannot tell is not."""
        return all(judgement.is_met for judgement in self.judgements)

    @property
    def failed(self) -> tuple[Judgement, ...]:
        """The targets that are missed or not known."""
        return tuple(j for j in self.judgements if not j.is_met)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "scenario": self.scenario,
            "title": self.title,
            "scenario_hash": self.done.first.summary_dict["scenario_hash"],
            "seed": self.done.first.summary_dict["seed"],
            "replications": self.done.finished,
            "is_passed": self.is_passed,
            "targets": [asdict(j) | {"text": str(j)} for j in self.judgements],
        }

    def junit(self) -> str:
        """JUnit XML: a test case for each target; one that is not known is an error."""
        missed = [j for j in self.judgements if j.is_met is False]
        unknown = [j for j in self.judgements if j.is_met is None]
        counts = {
            "tests": str(len(self.judgements)),
            "failures": str(len(missed)),
            "errors": str(len(unknown)),
        }
        suites = ElementTree.Element("testsuites", counts)
        suite = ElementTree.SubElement(suites, "testsuite", {"name": self.scenario, **counts})
        for judgement in self.judgements:
            names = {"classname": f"crossprem.{self.scenario}", "name": judgement.needs}
            case = ElementTree.SubElement(suite, "testcase", names)
            if not judgement.is_met:
                kind = "error" if judgement.is_met is None else "failure"
                found = ElementTree.SubElement(
                    case, kind, {"message": str(judgement), "type": kind}
                )
                found.text = str(judgement)
        ElementTree.indent(suites)
        text = ElementTree.tostring(suites, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'

    def save_junit(self, file: Path) -> None:
        """Write the JUnit XML.

        Raises
        ------
        UsageError
            If the file cannot be written.
        """
        try:
            file.write_text(self.junit(), encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{file}: cannot be written ({error.strerror}); choose another place"
            ) from error


def check(
    scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    *,
    replications: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Check:
    """Run a scenario and judge its targets.

    Parameters
    ----------
    scenario
        A scenario, or what `load` takes.
    replications
        How many runs with other random numbers; by default the scenario's number. The worst counts.

    Raises
    ------
    UsageError
        If the scenario has no targets: a check of nothing would pass.
    """
    design = loaded(scenario, seed)
    if not design.targets.limits:
        raise UsageError(
            f"{design.name}: has no targets to check; write for example "
            "targets: {latency_p95: 40 ms, loss: 0.1 %}"
        )
    count = design.run.replications if replications is None else replications
    done = run_replications(design, count, progress=progress)
    return Check(design.name, design.title, done, tuple(done.targets))
