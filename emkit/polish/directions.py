"""Where to go from a place, given its score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from emkit.information.curvature import slope_change
from emkit.polish.settings import Polish
from emkit.polish.view import Place, View

Array = NDArray[np.float64]
#: Smallest change of the score along a step, relative to the score, from which a curvature is read.
CURVED = 1e-8
#: Newton steps with the same information go on as long as each leaves at most this part of the last decrement.
SHRINKS = 0.1


class Directions(ABC):
    """A rule for directions, and what it remembers."""

    @abstractmethod
    def direction(self, place: Place) -> Array | None:
        """Return a direction of length one in its own units, (n_entries,); None leaves it to L-BFGS."""

    @abstractmethod
    def moved(self, before: Place, after: Place) -> None:
        """Learn from a step that was taken."""

    @abstractmethod
    def forget(self) -> bool:
        """Forget what has led to a direction that was no good; return whether there was anything."""


class Lbfgs(Directions):
    """Limited-memory BFGS that begins with EM.

    The two-loop recursion (Nocedal and Wright 2006, Numerical Optimization, algorithm 7.4) with the complete-data
    information I in the place of the first Hessian. I itself is never needed. Near an optimum the EM step is
    ``I^-1 score``, so to every change of the score ``y = score_before - score_after`` belongs

        I^-1 y = step_before - step_after,

    and the vector in the middle of the recursion is a sum of such. Hence the directions are those of EM while there
    is no memory, and do not depend on units. The same two changes feed the algorithm QN2 of Jamshidian and Jennrich
    (1997), JRSS B 59:569, section 3.
    """

    def __init__(self, memory: int) -> None:
        self._pairs: deque[tuple[Array, Array, Array, float]] = deque(maxlen=memory)

    def direction(self, place: Place) -> Array | None:
        """Return ``B score``, B the estimated inverse of the observed information."""
        covector, vector = place.score.copy(), place.step.copy()
        shares = []
        for s, y, z, sy in reversed(self._pairs):
            shares.append(float(s @ covector) / sy)
            covector -= shares[-1] * y
            vector -= shares[-1] * z
        for (s, y, _, sy), share in zip(self._pairs, reversed(shares), strict=True):
            vector += (share - float(y @ vector) / sy) * s
        return vector

    def moved(self, before: Place, after: Place) -> None:
        """Remember a step along which the objective is concave."""
        s, y = after.x - before.x, before.score - after.score
        sy = float(s @ y)
        if sy > CURVED * abs(float(s @ before.score)):
            self._pairs.append((s, y, before.step - after.step, sy))

    def forget(self) -> bool:
        """Go back to EM."""
        had_any = bool(self._pairs)
        self._pairs.clear()
        return had_any


class Newton(Directions):
    """Newton's method with the observed information, measured by differences of the score."""

    def __init__(self, view: View, settings: Polish) -> None:
        self._view = view
        self._max_e_steps = settings.max_e_steps
        self._factor: tuple[Array, bool] | None = None
        self._directions: Array
        self._is_fresh = False

    def direction(self, place: Place) -> Array | None:
        """Return ``information^-1 score``; None where the information is not positive definite."""
        self._is_fresh = self._factor is None
        if self._factor is None and not self._measure(place):
            return None
        assert self._factor is not None
        return np.asarray(cho_solve(self._factor, self._directions @ place.score) @ self._directions)

    def _measure(self, place: Place) -> bool:
        if self._view.n_e_steps + 2 * self._view.n_free(place.point.params) >= self._max_e_steps:
            return False
        directions = self._view.free_directions(place.point.params)
        scale = np.abs(directions) @ self._view.scale

        def slopes(shift: Array) -> Array | None:
            x = place.x + shift
            is_left = self._view.n_e_steps < self._max_e_steps
            near = self._view.at(x) if is_left and self._view.allows(x, place.x) else None
            return None if near is None else np.asarray(directions @ near.score)

        try:
            rows = [-slope_change(slopes, d, i, float(scale[i])) for i, d in enumerate(directions)]
            information = np.array(rows).reshape(len(rows), len(rows))
            self._factor = cho_factor((information + information.T) / 2)
        except ValueError:
            # No step stays in the space, or the information is not positive definite: on the way from a saddle, say.
            return False
        self._directions = directions
        return True

    def moved(self, before: Place, after: Place) -> None:
        """Keep the information as long as it serves."""
        earlier, later = (self._directions @ place.score for place in (before, after))
        assert self._factor is not None
        decrements = [float(slopes @ cho_solve(self._factor, slopes)) for slopes in (earlier, later)]
        if decrements[1] > SHRINKS * decrements[0]:
            self._factor = None

    def forget(self) -> bool:
        """Have the information measured anew, if it was that of another place."""
        had_any = self._factor is not None and not self._is_fresh
        self._factor = None
        return had_any
