"""How one start ended, and which of several endings is best."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np

from emkit.history import History
from emkit.point import Ending
from emkit.result import Start, Status
from emkit.space import spaces_of
from emkit.space.assignment import rests_on_floor


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

    def renamed(self, status: Status) -> Outcome:
        """Return the same ending for another reason."""
        start = attrs.evolve(self.start, status=status, message=status.value)
        ending = None if self.ending is None else attrs.evolve(self.ending, status=status, message=status.value)
        return Outcome(start, ending, self.error)


def best_of(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the best outcome."""
    return min(outcomes, key=Outcome.rank)


def outcome_of(model: Any, ending: Ending, index: int) -> Outcome:
    """Return the outcome of a climb that has ended."""
    on_floor = ending.status is not Status.NONFINITE and rests_on_floor(spaces_of(model, ending.params), ending.params)
    start = Start(index, ending.status, ending.objective, ending.n_e_steps, ending.message, on_floor)
    return Outcome(start, ending)


def without_ending(index: int, error: BaseException) -> Outcome:
    """Return the outcome of a start that an exception ended, or an interrupt before it had a point of its own."""
    if isinstance(error, Exception):
        return Outcome(Start(index, None, float("-inf"), 0, f"{type(error).__name__}: {error}"), error=error)
    return Outcome(Start(index, Status.INTERRUPTED, float("-inf"), 0, Status.INTERRUPTED.value))


def joined(before: Ending, after: Ending) -> Ending:
    """Return a climb that was left and gone on from where it stood, as one.

    ``after`` began with another E-step at the last point of ``before``: one row of the two is kept.
    """
    return _concatenate(before, after, len(before.history) - 1, 0)


def lifted(before: Ending, after: Ending) -> Ending:
    """Return a climb that ended, and went on from a higher point of another one, as one.

    The history has the points of the second that are higher than the end of the first, so it never falls.
    """
    higher = np.flatnonzero(after.history.objectives > before.objective)
    return _concatenate(before, after, len(before.history), int(higher[0]))


def _concatenate(before: Ending, after: Ending, stop: int, begin: int) -> Ending:
    later = attrs.evolve(after.history, n_e_steps=after.history.n_e_steps + before.n_e_steps)
    parts = {
        field.name: np.concatenate([getattr(before.history, field.name)[:stop], getattr(later, field.name)[begin:]])
        for field in attrs.fields(History)
    }
    return attrs.evolve(
        after,
        history=History(**parts),
        n_e_steps=before.n_e_steps + after.n_e_steps,
        n_rejected=before.n_rejected + after.n_rejected,
        notes=after.notes,
    )
