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
        Called now and then with the simulated time, to show how far the run is.
    plan
        A plan of the scenario that was built already.

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
    """
    from simulator import engine, planner
    from simulator.planner import cost
    from simulator.result import About, Result, Stopwatch

    watch = Stopwatch()
    design = loaded(scenario, seed)
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
            cost=cost.of_run(design, plan, log.total["delivered_bytes"]),
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
) -> Replications:
    """Simulate a scenario several times with other random numbers.

    Replication k is what `run(scenario, replicate=k)` gives. An interruption (Ctrl-C) ends the
    work, and what is finished is returned with `is_complete` false; it is raised again if
    nothing is finished.
    """
    from simulator.replications import Replications

    design = loaded(scenario, seed)

    def finished() -> Iterator[tuple[int, Result]]:
        for k in range(count):
            try:
                yield k, run(design, replicate=k, progress=progress)
            except KeyboardInterrupt:
                if k == 0:
                    raise
                return

    return Replications.of(finished(), wanted=count)


def loaded(
    scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any], seed: int | None
) -> Scenario:
    """Return the scenario, read if need be, with another seed if one is given."""
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
