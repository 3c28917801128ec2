"""Engines with several workers: threads of this process, or any executor of the caller's."""

from __future__ import annotations

import itertools
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from numbers import Integral
from typing import Any, ClassVar, TypeVar

import attrs

from emkit.engines.blas import one_blas_thread
from emkit.engines.travel import REFUSALS, cannot_travel, parts, require_can_travel, require_was_sent

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: Items of each worker that are under way or answered and not yet fetched: what bounds the memory of a long map.
ITEMS_PER_WORKER = 4

logger = logging.getLogger("emkit")


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count_workers(executor: Executor) -> int:
    # Executors of the standard library, loky and MPI keep their number under this name; the interface has none.
    return getattr(executor, "_max_workers", None) or n_cores()


def _at_least_one(instance: object, attribute: object, value: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        msg = f"n_workers must be at least 1, and whole; it is {value!r}."
        raise ValueError(msg)


@attrs.define(eq=False)
class ExecutorEngine:
    """Runs on an executor of the caller's, who alone shuts it down.

    Work of a worker that dies is done again in the calling thread, with a warning in the log `emkit`: an E-step has no
    side effects, so the answer is the same. A process pool that has broken takes no more work; then all of it is done
    there.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Of threads, processes, MPI ranks, cluster workers. Where workers do not share memory, the data travel to them
        with every E-step.
    n_workers : int, optional
        How many items run at once; by default what the executor says of itself, else the number of cores.
    """

    executor: Executor
    n_workers: int = attrs.field(
        default=attrs.Factory(lambda self: _count_workers(self.executor), takes_self=True), validator=_at_least_one
    )
    _has_answered: bool = attrs.field(default=False, init=False)
    _has_told: bool = attrs.field(default=False, init=False)
    _is_checked: bool = attrs.field(default=False, init=False)

    @property
    def shares_memory(self) -> bool:
        """Whether workers are threads of this process."""
        return isinstance(self.executor, ThreadPoolExecutor)

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``function(item)`` for each item, in order; a few items for each worker are under way at a time."""
        self._check_can_travel(function)
        remaining = iter(items)
        under_way: deque[tuple[Item, Future[Answer] | None]] = deque()
        try:
            while True:
                for item in itertools.islice(remaining, self.n_workers * ITEMS_PER_WORKER - len(under_way)):
                    under_way.append((item, self._submit(function, item)))
                if not under_way:
                    return
                yield self._answer(function, *under_way.popleft())
        finally:
            for _, future in under_way:
                if future is not None:
                    future.cancel()

    def _submit(self, function: Callable[[Item], Answer], item: Item) -> Future[Answer] | None:
        try:
            return self.executor.submit(function, item)
        except BrokenExecutor as error:
            self._note_death(function, error)
            return None
        except RuntimeError as error:
            msg = (
                f"The {type(self.executor).__name__} given as engine takes no work ({error}). Give one that has not "
                "been shut down, and shut it down after the fit."
            )
            raise RuntimeError(msg) from error

    def _answer(self, function: Callable[[Item], Answer], item: Item, future: Future[Answer] | None) -> Answer:
        if future is not None:
            try:
                answer = future.result()
            except BrokenExecutor as error:
                self._note_death(function, error)
            except REFUSALS as error:
                if isinstance(self.executor, ProcessPoolExecutor):
                    require_was_sent(function, item, error)
                raise
            else:
                self._has_answered = True
                return answer
        return function(item)

    def _note_death(self, function: Callable[..., Any], error: BrokenExecutor) -> None:
        if not self._has_answered and any(type(part).__module__ == "__main__" for part in parts(function)):
            raise TypeError(cannot_travel(function)) from error
        if not self._has_told:
            self._has_told = True
            logger.warning(
                "a worker of %s has died (%s): what it was doing is done in the calling thread",
                type(self.executor).__name__,
                error,
            )

    def _check_can_travel(self, function: Callable[..., Any]) -> None:
        """Raise TypeError if the model cannot be sent to the processes of a pool; it is looked at once."""
        if self._is_checked or not isinstance(self.executor, ProcessPoolExecutor):
            return
        require_can_travel(function)
        self._is_checked = True


@attrs.frozen
class ThreadEngine:
    """Runs on threads of this process, with BLAS limited to one thread while it works.

    NumPy lets other threads run while it computes, and nothing is copied or pickled, so any model will do. The limit
    needs the package threadpoolctl (``emkit[threads]``); without it, set OMP_NUM_THREADS=1 before Python starts.

    Parameters
    ----------
    n_workers : int
    """

    shares_memory: ClassVar[bool] = True

    n_workers: int = attrs.field(factory=n_cores, validator=_at_least_one)

    @contextmanager
    def opened(self) -> Iterator[ExecutorEngine]:
        """Start the threads, yield the engine that uses them, and end them."""
        with one_blas_thread() as limit:
            pool = ThreadPoolExecutor(self.n_workers, "emkit", initializer=limit)
            try:
                yield ExecutorEngine(pool, self.n_workers)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``function(item)`` for each item, in order, on threads started for this call."""
        with self.opened() as engine:
            yield from engine.map(function, items)
