"""What ``engine=`` of a fit may be."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from typing import TypeAlias

from emkit.engines.pools import ExecutorEngine, ThreadEngine, n_cores
from emkit.engines.serial import Engine, SerialEngine

#: An engine, an executor, a number of threads (-1: one for each core), or None for the calling thread.
EngineChoice: TypeAlias = Engine | Executor | int | None


def as_engine(engine: EngineChoice) -> Engine:
    """Return the engine that is meant.

    Raises
    ------
    ValueError
        For a number of workers that is neither positive nor -1.
    TypeError
        For anything else that is no engine.
    """
    if engine is None:
        return SerialEngine()
    if isinstance(engine, Executor):
        return ExecutorEngine(engine)
    if isinstance(engine, Integral) and not isinstance(engine, bool):
        n_workers = n_cores() if engine == -1 else int(engine)
        if n_workers < 1:
            msg = f"engine must be a number of threads of at least 1, or -1 for one on each core; it is {engine!r}."
            raise ValueError(msg)
        return SerialEngine() if n_workers == 1 else ThreadEngine(n_workers)
    if not isinstance(engine, bool | type) and callable(getattr(engine, "map", None)):
        return engine  # type: ignore[return-value]
    msg = (
        "engine must be None, a number of threads, a concurrent.futures.Executor, or an object with "
        f"map(function, items); it is {engine!r}."
    )
    raise TypeError(msg)


def opened(engine: Engine) -> AbstractContextManager[Engine]:
    """Return the engine at work for the length of a ``with`` block; one that has nothing to open is at work always."""
    method = getattr(engine, "opened", None)
    return nullcontext(engine) if method is None else method()


def n_workers(engine: Engine) -> int:
    """Return how many items an engine runs at once, one if it does not say."""
    return int(getattr(engine, "n_workers", 1))
