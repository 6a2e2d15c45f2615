"""The whole program: a scenario goes in, a result comes out."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.engine import Progress
    from simulator.plan import Plan
    from simulator.planner.prices import PriceFile
    from simulator.recorder import Fidelity
    from simulator.replications import Replications
    from simulator.result import Result
    from simulator.scenario import Scenario


def run(
    scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    *,
    seed: int | None = None,
    replicate: int = 0,
    progress: Progress | None = None,
    plan: Plan | None = None,
    prices: PriceFile = None,
) -> Result:
    """Simulate a scenario.

    Parameters
    ----------
    scenario
        A scenario, or what `load` takes: a path, YAML text, a dict.
    seed
        Seed in place of the scenario's.
    replicate
        Which replication: another number means other random numbers from the same seed.
    progress
        Called now and then with the simulated time and the horizon, both in picoseconds, to show
        how far the run is; what it raises ends the run.
    plan
        A plan of the scenario that was built already; its seed and replicate count.
    prices
        The user's own price list, by which `cost` is reckoned; by default the catalogue's.

    Returns
    -------
    Result
        Tables, figures, and `save` for the run folder. The same scenario, seed and replicate
        give the same tables, bit for bit.

    Raises
    ------
    ScenarioError
        If the scenario is wrong; it holds all problems.
    InternalError
        If the simulator contradicts itself.
    UsageError
        If the scenario's file or the price list cannot be read.
    PlanError
        If its plan cannot be simulated.
    """
    from simulator import engine, planner
    from simulator.catalog import load_catalog
    from simulator.planner import cost
    from simulator.planner.prices import price_list
    from simulator.result import About, Result, Stopwatch

    watch = Stopwatch()
    design = loaded(scenario, seed)
    book = price_list(prices, load_catalog(design.era))
    plan = plan or planner.build(design, replicate=replicate)
    make_ready(plan.fidelity)
    if plan.zoom is not None:
        make_ready("packet")
    try:
        log = engine.run(plan, progress)
        return Result(
            plan,
            log,
            about=About.of(design),
            performance=watch.read(log),
            cost=cost.of_run(design, plan, log.total["delivered_bytes"], prices=book),
        )
    except Exception as error:
        error.add_note(
            f"scenario {design.name}, hash {design.content_hash()}, seed {plan.seed}, "
            f"replicate {plan.replicate}"
        )
        raise


def run_replications(
    scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    count: int,
    *,
    seed: int | None = None,
    progress: Progress | None = None,
    prices: PriceFile = None,
) -> Replications:
    """Simulate a scenario several times with other random numbers.

    Replication k is what `run(scenario, replicate=k)` gives. An interruption (Ctrl-C) ends the
    work, and what is finished is returned with `is_complete` false; it is raised again if
    nothing is finished.

    Parameters
    ----------
    scenario, seed, progress, prices
        As for `run`; `progress` is called for each replication anew.
    count
        How many, at least 1.

    Raises
    ------
    ScenarioError
        If the scenario is wrong; it holds all problems.
    UsageError
        If a file cannot be read.
    InternalError
        If the simulator contradicts itself.
    """
    from simulator.catalog import load_catalog
    from simulator.planner.prices import price_list
    from simulator.replications import Replications

    design = loaded(scenario, seed)
    book = price_list(prices, load_catalog(design.era))

    def finished() -> Iterator[tuple[int, Result]]:
        for k in range(count):
            try:
                yield k, run(design, replicate=k, progress=progress, prices=book)
            except KeyboardInterrupt:
                if k == 0:
                    raise
                return

    return Replications.of(finished(), wanted=count)


def loaded(
    scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any], seed: int | None
) -> Scenario:
    """Return the scenario, read if need be, with another seed if one is given.

    Raises
    ------
    ScenarioError
        If the scenario is wrong; it holds all problems.
    UsageError
        If its file cannot be read.
    """
    from simulator.scenario import Scenario, load

    design = scenario if isinstance(scenario, Scenario) else load(scenario)
    return design if seed is None else design.with_("run.seed", seed)


@functools.cache
def make_ready(fidelity: Fidelity = "packet") -> None:
    """Compile the kernels, or load them from the disk cache, so that no run's figures hold it.

    Compiling takes its time, so it is said on standard error. A stamp in the cache folder, whose
    name changes with the kernels' sources, tells that it is done.
    """
    from kernels._jit import cache_folder, is_plain_python
    from simulator import engine

    if is_plain_python():
        return
    is_flow = fidelity == "flow"
    stamp = cache_folder() / ("flow.compiled" if is_flow else "run.compiled")
    if not stamp.exists():
        sys.stderr.write("compiling kernels: once on this machine, about half a minute ...\n")
        sys.stderr.flush()
    (engine.compile_flow_kernels if is_flow else engine.compile_kernels)()
    with contextlib.suppress(OSError):  # nobody can write there: it is said again next time
        stamp.touch()
