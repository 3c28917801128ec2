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
#: Steps in a row that gain less than EM would have, after which EM had better go on.
PATIENCE = 3


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
        self._first_length = 1.0
        self._n_poor = 0
        self.place = start
        self.note = ""

    def run(self) -> None:
        """Ascend until nothing is left, no direction leads up, EM would do better, or the E-steps are spent."""
        self.note = self._objection()
        if self.note or self.place is None:
            return
        is_newton = self._settings.method == "newton"
        method: Directions = Newton(self._view, self._settings) if is_newton else Lbfgs(self._settings.memory)
        while self._n_poor < PATIENCE:
            direction = method.direction(self.place)
            if direction is None:
                method = Lbfgs(self._settings.memory)
                continue
            slope = float(self.place.score @ direction)
            if 0 <= slope <= NOTHING * self.place.point.floor:
                return
            after = self._further(self.place, direction) if slope > 0 else None
            if after is not None:
                method.moved(self.place, after)
                self._compare(self.place, after)
                self.place = after
            elif 0 <= slope <= CLEAR * self.place.point.floor or not method.forget():
                return
            else:
                self._first_length = 1.0

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

    def _compare(self, before: Place, after: Place) -> None:
        """Take note of how a step compares with those of EM, and how long the next may be."""
        step, gain = after.x - before.x, after.point.objective - before.point.objective
        # The complete-data information is at least the observed one: EM gains half of its slope or more.
        is_poor = gain < before.slope / 2 - before.point.floor
        self._n_poor = self._n_poor + 1 if is_poor else 0
        # Where the objective is convex, next to a saddle, no curvature says how far to go.
        is_convex = float(step @ (before.score - after.score)) < 0
        self._first_length = 2 * self._first_length if is_convex else 1.0

    def _further(self, place: Place, direction: Array) -> Place | None:
        """Return a better place along a direction; halving it until it is feasible costs no E-step."""
        n_trials, length = 0, self._first_length
        for _ in range(MAX_HALVINGS):
            x = self._view.inside(place.x + length * direction, place.x)
            rise = 0.0 if x is None else float(place.score @ (x - place.x))
            self._first_length, length = length, length / 2
            if x is None or not rise > 0:
                continue
            allowed = MAX_TRIALS if rise > CLEAR * place.point.floor else 1
            if n_trials >= allowed or self._view.n_e_steps >= self._settings.max_e_steps:
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
