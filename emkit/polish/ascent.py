"""The steps of a polish."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.polish.directions import Directions, Lbfgs, Newton
from emkit.polish.settings import Polish
from emkit.polish.view import Place, View

Array = NDArray[np.float64]
#: Part of the rise that the slope promises and a step must at least make (Armijo).
ARMIJO = 1e-4
#: E-steps spent on one direction, and halvings of it that cost none.
MAX_TRIALS, MAX_HALVINGS = 8, 40
#: A promised rise this many times its rounding can be judged by the objective.
CLEAR = 1e2
#: Beyond, the slope along the EM step must shrink to this part.
SHRINKS = 0.25
#: A promised rise this small, in units of the objective's rounding, is not worth an E-step.
NOTHING = 1e-6


class Ascent:
    """One polish: from a point of a climb to the top, as far as its E-steps go.

    Attributes
    ----------
    place : Place or None
        The best so far; it is always a point that the model can go on from.
    note : str
        Why the polish was of no use, if the model is to blame.
    """

    def __init__(self, settings: Polish, view: View, start: Place | None) -> None:
        self._settings = settings
        self._view = view
        self.place = start
        self.note = ""

    def run(self) -> None:
        """Ascend until nothing is left to be gained, no direction leads up, or the E-steps are spent."""
        self.note = self._objection()
        if self.note or self.place is None:
            return
        lbfgs = self._settings.method == "lbfgs"
        method: Directions = Lbfgs(self._settings.memory) if lbfgs else Newton(self._view, self._settings)
        while (direction := method.direction(self.place)) is not None:
            slope = float(self.place.score @ direction)
            if 0 <= slope <= NOTHING * self.place.point.floor:
                return
            after = self._further(self.place, direction) if slope > 0 else None
            if after is not None:
                method.moved(self.place, after)
                self.place = after
            elif not method.forget():
                return

    def _objection(self) -> str:
        """Return what speaks against a polish from the start."""
        name = type(self._view.model).__name__
        curved = self._view.curved_fields()
        if curved:
            return f"There was no polish: {', '.join(curved)} would leave the space, which is curved."
        if self.place is None:
            return f"There was no polish: {name} gave no score; {self._view.refusal}"
        if self.place.slope < -CLEAR * self.place.point.floor:
            return (
                f"There was no polish: by its score the objective of {name} falls along the EM step, by "
                f"{-self.place.slope:.3g} nats. Its complete_score or its log_prior is wrong."
            )
        needed = 2 * self._view.n_free(self.place.point.params) + 1
        if self._settings.method == "newton" and needed > self._settings.max_e_steps:
            return (
                f"There was no polish: Newton's method needs {needed} E-steps and max_e_steps is "
                f'{self._settings.max_e_steps}. Raise it, or take method="lbfgs".'
            )
        return ""

    def _further(self, place: Place, direction: Array) -> Place | None:
        """Return a better place along a direction; halving it until it is feasible costs no E-step."""
        n_trials, length = 0, 1.0
        for _ in range(MAX_HALVINGS):
            x = self._view.inside(place.x + length * direction, place.x)
            rise = 0.0 if x is None else float(place.score @ (x - place.x))
            length /= 2
            if x is None or not rise > 0:
                continue
            if n_trials == MAX_TRIALS or self._view.n_e_steps >= self._settings.max_e_steps:
                return None
            n_trials += 1
            after = self._view.at(x)
            if after is not None and _is_better(place, after, rise):
                return after
        return None


def _is_better(before: Place, after: Place, rise: float) -> bool:
    """Return whether a step has made enough of the rise that its slope promised."""
    gain, floor = after.point.objective - before.point.objective, before.point.floor
    if rise > CLEAR * floor:
        return bool(gain >= ARMIJO * rise)
    return bool(gain >= -floor) and abs(after.slope) <= SHRINKS * abs(before.slope)
