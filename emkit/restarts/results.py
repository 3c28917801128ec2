"""The best of all endings as a result."""

from __future__ import annotations

from typing import Any

from emkit.engines import Workload
from emkit.errors import FitFailedError
from emkit.model import offers
from emkit.point import Ending
from emkit.restarts.outcome import Outcome, best_of
from emkit.result import EMResult, Status
from emkit.space import spaces_of
from emkit.space.assignment import Spaces, boundary_notes, infer_spaces, n_free, outside

#: How many reasons for which starts failed an error tells.
MAX_REASONS = 5


def result_of(model: Any, outcomes: list[Outcome], workload: Workload, elapsed: float) -> EMResult[Any]:
    """Return the best outcome as a result, with what is to be said about all of them."""
    ending = _require_ending(model, outcomes)
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


def _require_ending(model: Any, outcomes: list[Outcome]) -> Ending:
    best = best_of(outcomes)
    if best.ending is None:
        msg = f"All {len(outcomes)} starts of {type(model).__name__} failed. {_reasons(outcomes)}"
        raise FitFailedError(msg) from best.error
    return best.ending


def _reasons(outcomes: list[Outcome]) -> str:
    """Return why starts failed, each reason once, with how many it struck; the most frequent first."""
    starts: dict[str, list[int]] = {}
    for outcome in outcomes:
        starts.setdefault(outcome.start.message, []).append(outcome.start.index)
    reasons = sorted(starts.items(), key=lambda pair: -len(pair[1]))
    shown = [
        message if len(starts) == 1 else f"{_which(indices)}: {message}" for message, indices in reasons[:MAX_REASONS]
    ]
    rest = len(reasons) - MAX_REASONS
    return "; ".join([*shown, f"and {rest} more reasons"] if rest > 0 else shown)


def _which(indices: list[int]) -> str:
    return f"start {indices[0]}" if len(indices) == 1 else f"{len(indices)} starts (first {indices[0]})"


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
