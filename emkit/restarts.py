"""Several starts: independent random streams, every ending kept, the best one chosen."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.random import Generator, SeedSequence

from emkit.engines import Workload
from emkit.errors import FitFailedError
from emkit.model import offers
from emkit.point import Ending
from emkit.result import EMResult, Start, Status
from emkit.space import spaces_of
from emkit.space.assignment import Spaces, boundary_notes, infer_spaces, n_free, outside, rests_on_floor

#: What a fit takes as ``rng``.
RandomSource: TypeAlias = int | Generator | SeedSequence | None


@attrs.frozen(eq=False)
class Outcome:
    """How one start ended: its report, and what the driver needs to make a result of it."""

    start: Start
    ending: Ending | None = None
    error: Exception | None = None

    def rank(self) -> tuple[bool, bool, bool, float]:
        """Return the key to sort by, best first: degenerate points rank after all others, exceptions last."""
        start = self.start
        hopeless = start.status in (None, Status.DEGENERATE, Status.NONFINITE) or not np.isfinite(start.objective)
        below = -start.objective if np.isfinite(start.objective) else np.inf
        return (self.ending is None, hopeless, start.rests_on_floor, below)


def streams(rng: RandomSource, n: int) -> list[Generator]:
    """Return ``n`` independent generators; the r-th does not depend on ``n``.

    A number or None seeds them all; a Generator is asked for children, which changes its state.
    """
    if isinstance(rng, Generator):
        return rng.spawn(n)
    if rng is not None and not isinstance(rng, SeedSequence | Integral):
        msg = f"rng must be None, an int, a numpy Generator or a SeedSequence; it is {rng!r}."
        raise TypeError(msg)
    root = rng if isinstance(rng, SeedSequence) else SeedSequence(rng)
    return [np.random.default_rng(SeedSequence(root.entropy, spawn_key=(*root.spawn_key, r))) for r in range(n)]


def run_starts(
    run_one: Callable[[int, Generator], Outcome],
    generators: list[Generator],
    is_late: Callable[[], bool],
    *,
    is_fatal: Callable[[Exception], bool] = lambda _: False,
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
            if len(generators) == 1 or is_fatal(error):
                raise
            message = f"{type(error).__name__}: {error}"
            outcome = Outcome(Start(index, None, float("-inf"), 0, message), error=error)
        outcomes.append(outcome)
    return outcomes


def best_of(outcomes: list[Outcome]) -> Outcome:
    """Return the best outcome."""
    return min(outcomes, key=Outcome.rank)


def outcome_of(model: Any, ending: Ending, index: int) -> Outcome:
    """Return the outcome of a climb that has ended."""
    on_floor = ending.status is not Status.NONFINITE and rests_on_floor(spaces_of(model, ending.params), ending.params)
    start = Start(index, ending.status, ending.objective, ending.n_e_steps, ending.message, on_floor)
    return Outcome(start, ending)


def result_of(model: Any, outcomes: list[Outcome], workload: Workload, elapsed: float) -> EMResult[Any]:
    """Return the best outcome as a result, with what is to be said about all of them."""
    ending = _require_ending(outcomes)
    spaces = _final_spaces(model, ending.params, workload, ending.status)
    return EMResult(
        model=model,
        params=ending.params,
        log_likelihood=ending.log_likelihood,
        objective=ending.objective,
        status=ending.status,
        message=ending.message,
        notes=_notes(model, spaces, ending),
        n_iter=len(ending.history) - 1,
        n_e_steps=ending.n_e_steps,
        n_rejected=ending.n_rejected,
        history=ending.history,
        rate=ending.rate,
        gap=ending.gap,
        n_observations=ending.n_observations,
        n_parameters=_count(model, spaces, ending.params),
        starts=tuple(outcome.start for outcome in outcomes),
        elapsed=elapsed,
    )


def _require_ending(outcomes: list[Outcome]) -> Ending:
    best = best_of(outcomes)
    if best.ending is None:
        reports = "; ".join(f"start {o.start.index}: {o.start.message}" for o in outcomes[:5])
        msg = f"All {len(outcomes)} starts failed. {reports}"
        raise FitFailedError(msg) from best.error
    return best.ending


def _notes(model: Any, spaces: Spaces, ending: Ending) -> tuple[str, ...]:
    wrong = outside(model, ending.params)
    notes = (wrong,) if wrong else (*boundary_notes(spaces, ending.params), *ending.notes)
    if offers(model, "notes"):
        notes = (*notes, *(model.notes(ending.params) or ()))
    return notes


def _final_spaces(model: Any, params: Any, workload: Workload, status: Status) -> Spaces:
    spaces = spaces_of(model, params)
    if status in (Status.NONFINITE, Status.DEGENERATE, Status.INTERRUPTED):
        return spaces
    return infer_spaces(spaces, params, lambda pushed: model.m_step(pushed, workload.e_step(pushed).statistics))


def _count(model: Any, spaces: Spaces, params: Any) -> int:
    return int(model.n_parameters(params)) if offers(model, "n_parameters") else n_free(spaces, params)
