"""Where points are computed: a pool of processes on this machine, or a cluster of Dask.

Both are a `concurrent.futures.Executor`, so everything above is written once.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from typing import Any, Final, Protocol

from simulator.base.errors import UsageError
from simulator.recorder import Fidelity
from simulator.study import worker

AHEAD: Final = 1
"""Batches beyond one for each worker, so that nobody waits for the next."""

READY: Final[Mapping[Fidelity, str]] = {
    "packet": "simulator.study.ready",
    "flow": "simulator.study.ready_flow",
}
"""Module whose import loads the kernels of a level."""

CONNECT_S: Final = 10.0
"""How long to wait for a scheduler."""


class Workers(Protocol):
    """An executor that can be had again after it broke."""

    count: int
    """How many points are computed at the same time."""
    executor: Executor
    breaks_whole: bool
    """Whether a lost worker spoils everything that is under way, not its own batch alone."""

    def rebuild(self) -> None:
        """Begin anew after a worker was lost."""

    def close(self) -> None:
        """Let go of everything; what runs is not waited for."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalWorkers:
    """A pool of processes, forked from one that has loaded the kernels."""

    breaks_whole = True

    def __init__(self, count: int | None, fidelities: Sequence[Fidelity]) -> None:
        self.count = count or processors()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([READY[fidelity] for fidelity in fidelities])
        self.executor: Executor = self._new()

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, self._context, initializer=worker.begin)

    def rebuild(self) -> None:
        """Begin anew: a pool that lost a worker takes no work any more."""
        self.executor.shutdown(wait=True, cancel_futures=True)
        self.executor = self._new()

    def close(self) -> None:
        """End the processes: what they have computed is in the store."""
        running = list((getattr(self.executor, "_processes", None) or {}).values())
        self.executor.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()


class ClusterWorkers:
    """The workers of a Dask scheduler that somebody else runs.

    Raises
    ------
    UsageError
        If Dask is not installed, or the scheduler cannot be reached or has no workers.
    """

    breaks_whole = False

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise UsageError(
                f"--scheduler {address}: needs Dask; install crossprem[cluster]"
            ) from None
        try:
            connect: Any = Client  # Dask has no annotations
            self._client = connect(address, timeout=CONNECT_S, set_as_default=False)
            threads = self._client.nthreads()
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(
                f"--scheduler {address}: cannot be reached ({type(error).__name__}); "
                "write for example tcp://10.0.0.4:8786"
            ) from error
        self.count = sum(threads.values())
        if self.count == 0:
            self._client.close()
            raise UsageError(f"--scheduler {address}: has no workers; start some")
        self.executor: Executor = self._client.get_executor(pure=False)

    def rebuild(self) -> None:
        """Nothing to do: the scheduler goes on with the workers that are left."""

    def close(self) -> None:
        """Leave the cluster as it was."""
        self._client.close()


def is_loss(error: BaseException) -> bool:
    """Whether an error means that a worker was lost, and not that it has something to say."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"
