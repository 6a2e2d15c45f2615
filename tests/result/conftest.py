"""Fixtures around the log made by hand."""

from dataclasses import replace

import pytest

from simulator.plan import Plan
from simulator.recorder import RunLog
from simulator.result import Performance, Result
from tests.result.handmade import ABOUT, build_log, build_plan


@pytest.fixture(scope="session")
def plan() -> Plan:
    return build_plan()


@pytest.fixture(scope="session")
def log(plan: Plan) -> RunLog:
    return build_log(plan)


@pytest.fixture
def result(plan: Plan, log: RunLog) -> Result:
    return Result(plan, log, about=ABOUT, performance=Performance(9_000_000, 0.05, 0.4, 0.5, 10**8))


@pytest.fixture
def spoiled(log: RunLog) -> RunLog:
    """The same log with one packet of one direction missing."""
    total = log.total.copy()
    total["delivered_packets"][0] -= 1
    return replace(log, total=total)
