"""Check: does a design meet its targets? The answer for a person, for JSON and for a CI system."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from simulator.base.errors import UsageError
from simulator.engine import Progress
from simulator.planner.prices import PriceFile
from simulator.replications import Replications
from simulator.run import loaded, run_replications
from simulator.scenario import Scenario
from simulator.study.compare import unique
from simulator.targets import Judgement


@dataclass(frozen=True, repr=False)
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
        return junit([self])

    def save_junit(self, file: Path) -> None:
        """Write the JUnit XML.

        Raises
        ------
        UsageError
            If the file cannot be written.
        """
        save_junit([self], file)

    def __repr__(self) -> str:
        met = len(self.judgements) - len(self.failed)
        of_all = f"{met} of {len(self.judgements)} targets are met"
        return f"<Check of {self.scenario}: {of_all}, replications: {self.done.finished}>"

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(str(judgement))}</li>" for judgement in self.judgements)
        return f"<h4>{escape(repr(self)[1:-1])}</h4><ul>{items}</ul>"


def junit(checks: Sequence[Check]) -> str:
    """JUnit XML: a suite for each scenario, a test case for each of its targets.

    A target that is missed is a failure, one that is not known an error. The time of a suite is
    that of the first run; seed, replications and hash of the scenario are its properties.
    """
    suites = ElementTree.Element("testsuites", _counts([j for c in checks for j in c.judgements]))
    for name, found in zip(unique([c.scenario for c in checks]), checks, strict=True):
        first = found.done.first.summary_dict
        names = {"name": name, "time": f"{first['performance']['wall_s']:.3f}"}
        suite = ElementTree.SubElement(suites, "testsuite", names | _counts(found.judgements))
        properties = ElementTree.SubElement(suite, "properties")
        for key in ("seed", "replications", "scenario_hash"):
            value = str(found.to_dict()[key])
            ElementTree.SubElement(properties, "property", {"name": key, "value": value})
        for judgement in found.judgements:
            names = {"classname": f"crossprem.{name}", "name": judgement.needs}
            case = ElementTree.SubElement(suite, "testcase", names | {"time": "0"})
            if not judgement.is_met:
                kind = "error" if judgement.is_met is None else "failure"
                text = str(judgement)
                ElementTree.SubElement(case, kind, {"message": text, "type": kind}).text = text
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _counts(judgements: Sequence[Judgement]) -> dict[str, str]:
    verdicts = [judgement.is_met for judgement in judgements]
    return {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count(False)),
        "errors": str(verdicts.count(None)),
    }


def save_junit(checks: Sequence[Check], file: Path) -> None:
    """Write the JUnit XML of one scenario or of several.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    try:
        file.write_text(junit(checks), encoding="utf-8")
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
    prices: PriceFile = None,
) -> Check:
    """Run a scenario and judge its targets.

    Parameters
    ----------
    scenario
        A scenario, or what `load` takes.
    replications
        How many runs with other random numbers; by default the scenario's number. The worst counts.
    seed
        Seed in place of the scenario's.
    progress
        Called now and then with the simulated time of a run and its end, in picoseconds.
    prices
        The user's own price list for the target of cost; by default the catalogue's.

    Raises
    ------
    UsageError
        If the scenario has no targets: a check of nothing would pass. If the price list cannot be
        read.
    """
    design = loaded(scenario, seed)
    need_targets(design)
    count = design.run.replications if replications is None else replications
    done = run_replications(design, count, progress=progress, prices=prices)
    return Check(design.name, design.title, done, tuple(done.targets))


def need_targets(scenario: Scenario) -> None:
    """Refuse a scenario without targets.

    Raises
    ------
    UsageError
        If it has none.
    """
    if not scenario.targets.limits:
        raise UsageError(
            f"{scenario.name}: has no targets to check; write for example "
            "targets: {latency_p95: 40 ms, loss: 0.1 %}"
        )
