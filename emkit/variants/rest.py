"""When a simulated path has told enough: at rest, and its mean known well."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.point import Stop
from emkit.result import Status
from emkit.variants.averages import Averages
from emkit.variants.schemes import Scheme

Array = NDArray[np.float64]

#: Consecutive checks that must agree, one at the end of each batch of iterations.
CHECKS = 3
#: Monte-Carlo error, in units of what is allowed in the end, at which weights begin to decrease.
REST = 2.0
#: Full steps, in relaxation times, that decreasing ones must add up to: what is left of where they began is exp(-3).
FORGETTING = 3.0
#: An error this small, relative to each field's scale, needs no comparison with anything.
NEGLIGIBLE = 1e-7


@attrs.define
class RunningMean:
    """The mean of the params since their steps decrease."""

    mean: Array
    weight: float = 0.0
    time: float = 0.0
    n_points: int = 0

    def add(self, x: Array, weight: float, step: float) -> None:
        """Take note of a point, a mean over ``weight`` draws that entered with weight ``step``."""
        self.weight += weight
        self.time += step
        self.n_points += 1
        self.mean = self.mean + weight / self.weight * (x - self.mean)


class Rest:
    """The stopping rule of a path.

    Attributes
    ----------
    averages : Averages
        Of the path while its steps are full.
    late : RunningMean or None
        Of the path since its steps decrease; None as long as they do not.
    """

    def __init__(self, scheme: Scheme, tol: float, scale: Array) -> None:
        self._scheme, self._tol, self._scale = scheme, tol, scale
        self.averages = Averages()
        self.late: RunningMean | None = None
        self._passed = 0

    @property
    def n_late(self) -> int:
        """Number of points since the steps decrease."""
        return 0 if self.late is None else self.late.n_points

    def add(self, x: Array, step: Array, n_draws: int, weight: float) -> None:
        """Take note of a point reached by a step; stop if the rule is met there."""
        if self.late is not None:
            self.late.add(x, n_draws, weight)
            self._check_decreasing(self.late)
        elif self.averages.add(x, step, n_draws) and self.averages.is_telling:
            self._check_wandering()

    def mean(self) -> Array | None:
        """Return the estimate, if there is more to it than the last point."""
        return self.late.mean if self.late is not None and self.late.n_points else self.averages.mean()

    def _check_wandering(self) -> None:
        """Judge a path of full steps at the end of a batch: whether it is at rest, and its mean known well enough."""
        allowed, negligible = self._allowed(), NEGLIGIBLE * self._scale
        if self._scheme.decreases:
            # Nothing that comes later shows whether the params are at rest, so it must be clear by now.
            allowed = REST * allowed
        is_held = not self.averages.looks_free(negligible).any()
        # The difference of two halves scatters twice as much as the mean of both.
        is_still = (self.averages.drift() <= 4 * allowed).all()
        passes = is_held and is_still and (self.error() <= allowed).all()
        self._passed = self._passed + 1 if passes else 0
        if self._passed < CHECKS:
            return
        if not self._scheme.decreases:
            self._declare_convergence()
        self.late = RunningMean(np.zeros_like(self._scale))

    def _check_decreasing(self, late: RunningMean) -> None:
        """Judge a path of decreasing steps, which stands almost still: its error follows from the steps before."""
        has_forgotten = late.time >= FORGETTING * self.averages.relaxation()
        is_long = late.n_points >= self._scheme.burn_in and has_forgotten
        if is_long and (self.error() <= self._allowed()).all():
            self._declare_convergence()

    def _declare_convergence(self) -> None:
        detail = f"The Monte-Carlo error is at most {self._tol:g} of a standard error in every entry."
        raise Stop(Status.CONVERGED, detail)

    def error(self) -> Array:
        """Return the Monte-Carlo standard error of the estimate.

        The mean of a path of decreasing steps is known as well as that of so many full ones (Polyak and Juditsky 1992,
        SIAM Journal on Control and Optimization 30:838), which batches of it could not tell for long.
        """
        error = self.averages.standard_error()
        return error if self.late is None else error * np.sqrt(self.averages.weight / self.late.weight)

    def _allowed(self) -> Array:
        """Return the Monte-Carlo standard errors that count as small."""
        allowed: Array = self._tol * self._least_error()
        return allowed

    def _least_error(self) -> Array:
        least: Array = np.maximum(self.averages.least_standard_error(), NEGLIGIBLE * self._scale)
        return least

    def describe(self) -> str:
        """Return the sentence about a path that has not met the rule."""
        if not self.averages.is_telling:
            return "That is too few iterations to tell the Monte-Carlo error."
        if self.late is None and self.averages.looks_free(NEGLIGIBLE * self._scale).any():
            return "The params have not come to rest yet, or come to rest too slowly to tell."
        if self.late is not None and self.late.time < FORGETTING * self.averages.relaxation():
            return "The decreasing weights do not yet add up to enough to forget where they began to decrease."
        worst = float((self.error() / self._least_error()).max(initial=0.0))
        return f"The Monte-Carlo error is up to {worst:.2g} of a standard error; tol={self._tol:g} was asked."
