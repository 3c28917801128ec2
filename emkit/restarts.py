"""Several starts: independent random streams, every ending kept, the best one chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.random import Generator, SeedSequence

from emkit.errors import FitFailedError
from emkit.result import Start, Status

#: What a fit takes as ``rng``.
RandomSource: TypeAlias = int | Generator | SeedSequence | None


@attrs.frozen(eq=False)
class Outcome:
    """How one start ended: its report, and what the driver needs to make a result of it."""

    start: Start
    run: Any = None
    error: Exception | None = None

    def rank(self) -> tuple[bool, bool, bool, float]:
        """Return the key to sort by, best first: degenerate points rank after all others, exceptions last."""
        start = self.start
        hopeless = start.status in (None, Status.DEGENERATE, Status.NONFINITE) or not np.isfinite(start.objective)
        below = -start.objective if np.isfinite(start.objective) else np.inf
        return (self.run is None, hopeless, start.rests_on_floor, below)


def streams(rng: RandomSource, n: int) -> list[Generator]:
    """Return ``n`` independent generators; the r-th does not depend on ``n``.

    A number or None seeds them all; a Generator is asked for children, which changes its state.
    """
    if isinstance(rng, Generator):
        return rng.spawn(n)
    root = rng if isinstance(rng, SeedSequence) else SeedSequence(rng)
    return [np.random.default_rng(SeedSequence(root.entropy, spawn_key=(*root.spawn_key, r))) for r in range(n)]


def run_starts(
    run_one: Callable[[int, Generator], Outcome],
    generators: list[Generator],
    is_late: Callable[[], bool],
    *,
    return_on_interrupt: bool = True,
) -> list[Outcome]:
    """Run every start, each isolated from the failures of the others, and return how each ended.

    No further start begins when time is up, or the user or the callback has stopped one.
    """
    outcomes: list[Outcome] = []
    for index, generator in enumerate(generators):
        if outcomes and (is_late() or outcomes[-1].start.status in (Status.INTERRUPTED, Status.STOPPED_BY_CALLBACK)):
            break
        try:
            outcome = run_one(index, generator)
        except KeyboardInterrupt:
            # Before this start had a point of its own; the earlier ones have theirs.
            if not outcomes or not return_on_interrupt:
                raise
            start = Start(index, Status.INTERRUPTED, float("-inf"), 0, Status.INTERRUPTED.value)
            outcome = Outcome(start)
        except Exception as error:
            if len(generators) == 1:
                raise
            message = f"{type(error).__name__}: {error}"
            outcome = Outcome(Start(index, None, float("-inf"), 0, message), error=error)
        outcomes.append(outcome)
    return outcomes


def best_of(outcomes: list[Outcome]) -> Outcome:
    """Return the best outcome, or raise FitFailedError if an exception ended every start."""
    best = min(outcomes, key=Outcome.rank)
    if best.run is None:
        reports = "; ".join(f"start {o.start.index}: {o.start.message}" for o in outcomes[:5])
        msg = f"All {len(outcomes)} starts failed. {reports}"
        raise FitFailedError(msg) from best.error
    return best
