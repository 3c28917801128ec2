"""Several starts: independent random streams, every ending kept, the best one chosen."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.random import Generator, SeedSequence

from emkit.climb import Climb
from emkit.engines import Workload
from emkit.errors import FitFailedError
from emkit.model import offers
from emkit.result import EMResult, Start, Status
from emkit.space import spaces_of
from emkit.space.assignment import Spaces, boundary_notes, infer_spaces, n_free, outside, rests_on_floor

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
    """Return the best outcome, or raise FitFailedError if an exception ended every start."""
    best = min(outcomes, key=Outcome.rank)
    if best.run is None:
        reports = "; ".join(f"start {o.start.index}: {o.start.message}" for o in outcomes[:5])
        msg = f"All {len(outcomes)} starts failed. {reports}"
        raise FitFailedError(msg) from best.error
    return best


def outcome_of(climb: Climb, index: int) -> Outcome:
    """Return the outcome of a finished climb."""
    point = climb.end
    on_floor = climb.status is not Status.NONFINITE and rests_on_floor(
        spaces_of(climb.model, point.params), point.params
    )
    start = Start(index, climb.status, point.objective, climb.n_e_steps, climb.message, on_floor)
    return Outcome(start, climb)


def result_of(model: Any, outcomes: list[Outcome], workload: Workload, elapsed: float) -> EMResult[Any]:
    """Return the best outcome as a result, with what is to be said about all of them."""
    climb: Climb = best_of(outcomes).run
    point = climb.end
    spaces = _final_spaces(model, point.params, workload, climb.status)
    wrong = outside(model, point.params)
    notes = (wrong,) if wrong else boundary_notes(spaces, point.params)
    if offers(model, "notes"):
        notes = (*notes, *(model.notes(point.params) or ()))
    history = np.array(climb.accepted or [(point.log_likelihood, point.objective)])
    return EMResult(
        model=model,
        params=point.params,
        log_likelihood=point.log_likelihood,
        objective=point.objective,
        status=climb.status,
        message=climb.message,
        notes=notes,
        n_iter=len(history) - 1,
        n_e_steps=climb.n_e_steps,
        n_rejected=climb.n_rejected,
        log_likelihoods=history[:, 0],
        objectives=history[:, 1],
        rate=climb.rate,
        gap=climb.gap,
        n_observations=point.n_observations,
        n_parameters=_count(model, spaces, point.params),
        starts=tuple(outcome.start for outcome in outcomes),
        elapsed=elapsed,
    )


def _final_spaces(model: Any, params: Any, workload: Workload, status: Status) -> Spaces:
    spaces = spaces_of(model, params)
    if status in (Status.NONFINITE, Status.DEGENERATE, Status.INTERRUPTED):
        return spaces
    return infer_spaces(spaces, params, lambda pushed: model.m_step(pushed, workload.e_step(pushed).statistics))


def _count(model: Any, spaces: Spaces, params: Any) -> int:
    return int(model.n_parameters(params)) if offers(model, "n_parameters") else n_free(spaces, params)
