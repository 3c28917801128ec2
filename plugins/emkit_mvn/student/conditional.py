"""Rows of a t distribution given what is seen of them: weights, filled cells, densities and their gradients."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_mvn.kernels.conditional import Conditional, Part
from emkit_mvn.student.moments import seen_cells
from emkit_mvn.student.params import StudentParams
from emkit_mvn.student.tail import LIGHTEST, TailDensity

Array = NDArray[np.float64]

#: Squares of distances beyond this are taken as it where products of them must be finite.
LARGEST_SQUARE = 1e280
#: What a draw of chi squared with hardly any degrees of freedom may underflow below.
SMALLEST = 1e-300


@attrs.frozen(eq=False)
class StudentCompletion:
    """Rows with their gaps filled, and how much each row counts.

    Attributes
    ----------
    values : (n_samples, n_features)
        Seen cells as they are, gaps at the centre of their conditional distribution.
    variances : (n_samples, n_features)
        Conditional variances; zero for seen cells, infinite where ``df`` and the seen cells add up to no more than two.
    weights : (n_samples,)
        Expected latent weights: near one or above for ordinary rows, near zero for outliers.
    """

    values: Array
    variances: Array
    weights: Array


@attrs.frozen(eq=False)
class StudentConditional:
    """A t distribution, to condition rows on what is seen of them.

    Attributes
    ----------
    tail : float
    conditional : Conditional
        The normal with the same location and scatter.
    """

    tail: float
    conditional: Conditional

    @classmethod
    def of(cls, params: StudentParams) -> StudentConditional:
        """Return it for some params."""
        return cls(float(params.tail), Conditional.of(params.location, params.scatter))

    def complete(self, x: Array) -> StudentCompletion:
        """Return the table completed, (n_samples, n_features) with NaN in its gaps."""
        weights = np.ones(len(x))
        for part in self.conditional.parts(x):
            with np.errstate(over="ignore"):
                weights[part.index] = (1 + self.tail * seen_cells(part.block)) / self._widening(part) ** 2
        return StudentCompletion(self.fill(x), self.variances(x), weights)

    def fill(self, x: Array) -> Array:
        """Return the table with every gap at the centre of its conditional distribution, as for a normal."""
        return self.conditional.fill(x)

    def variances(self, x: Array) -> Array:
        """Return the conditional variance of every cell, zero where it is seen, infinite where there is none.

        Gaps given ``o`` seen cells at the squared distance ``d`` have a t distribution with ``df + o`` degrees of
        freedom, and so the variance ``C (df + d) / (df + o - 2)``.
        """
        variances = self.conditional.variances(x)
        for part in self.conditional.parts(x):
            room = 1 + self.tail * (seen_cells(part.block) - 2)
            is_gap = np.isnan(x[part.index])
            with np.errstate(over="ignore"):
                factors = self._widening(part) ** 2 / room if room > 0 else np.full(len(is_gap), np.inf)
                # Zeros of seen cells must not meet infinity.
                widened = np.where(is_gap, variances[part.index], 1.0) * factors[:, None]
            variances[part.index] = np.where(is_gap, widened, 0.0)
        return variances

    def draw(self, x: Array, rng: np.random.Generator) -> Array:
        """Return the table with every gap drawn from its conditional t distribution.

        Deviations are those of a normal of scatter ``C`` times ``sqrt((df + d) / chi2)``, with chi2 drawn for each row
        from its distribution of ``df + o`` degrees of freedom.
        """

        def stretch(part: Part) -> Array:
            factors = self._widening(part)
            if self.tail >= LIGHTEST:
                degrees = 1 / self.tail + seen_cells(part.block)
                factors /= np.sqrt(np.maximum(self.tail * rng.chisquare(degrees, size=len(factors)), SMALLEST))
            return factors

        return self.conditional.draw(x, rng, stretch)

    def log_density(self, x: Array) -> Array:
        """Return the log-density of the seen cells of each row, in nats, shape (n_samples,); zero where none is."""
        density = np.zeros(len(x))
        for part in self.conditional.parts(x):
            rows = TailDensity(self.tail, seen_cells(part.block))
            with np.errstate(over="ignore"):
                squares = self.conditional.distances(part) ** 2
            # Heavy tails have a density also where the square of a distance overflows.
            is_near = squares < LARGEST_SQUARE
            near = rows.growth(np.where(is_near, squares, 0.0))
            growth = np.where(is_near, near, 2 * np.log(self._widening(part)))
            density[part.index] = rows.kernel(1.0, growth, squares) - self.conditional.constants(part) / 2
        return density

    def score_contributions(self, x: Array) -> tuple[Array, Array, Array]:
        """Return the gradients of each row's log-density for location, scatter and tail.

        With ``P`` the inverse scatter, ``r`` the completed residual, ``C`` its conditional scatter and ``u`` the
        weight of the row the first two are ``u P r`` and ``(u P r r' P - P + P C P) / 2``.
        """
        locations, scatters = self.conditional.score_contributions(x)
        tails = np.zeros(len(x))
        for part in self.conditional.parts(x):
            density, distances = self._density(part)
            u = density.weights(distances)
            pulled = locations[part.index]
            scatters[part.index] += ((u - 1) / 2)[:, None, None] * pulled[:, :, None] * pulled[:, None]
            locations[part.index] = u[:, None] * pulled
            growth, excess = density.growth(distances), density.excess(distances)
            # Only tails so light that they are none look at these.
            with np.errstate(over="ignore"):
                fourth_powers = distances**2
            tails[part.index] = density.scores(1.0, growth, excess, distances, fourth_powers)
        return locations, scatters, tails

    def _density(self, part: Part) -> tuple[TailDensity, Array]:
        """Return the density of the rows of a part, and their squared distances as far as products are finite."""
        density = TailDensity(self.tail, seen_cells(part.block))
        with np.errstate(over="ignore"):
            return density, np.minimum(self.conditional.distances(part) ** 2, LARGEST_SQUARE)

    def _widening(self, part: Part) -> Array:
        """Return ``sqrt(1 + d / df)`` of each row of a part, (n_rows,): how much its distance widens what it lacks."""
        widening: Array = np.hypot(1.0, np.sqrt(self.tail) * self.conditional.distances(part))
        return widening
