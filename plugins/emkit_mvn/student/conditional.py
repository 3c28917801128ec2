"""Rows of a t distribution given what is seen of them: weights, filled cells, densities and their gradients."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit_mvn.kernels.conditional import Conditional, Part
from emkit_mvn.kernels.moments import solved
from emkit_mvn.student.moments import seen_cells, squared_distances
from emkit_mvn.student.params import StudentParams
from emkit_mvn.student.tail import TailDensity

Array = NDArray[np.float64]


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
        """Return the table completed, (n_samples, n_features) with NaN in its gaps.

        Gaps given ``o`` seen cells at the squared distance ``d`` have a t distribution with ``df + o`` degrees of
        freedom, and so the variance ``C (df + d) / (df + o - 2)``.
        """
        values, variances = self.conditional.fill(x), self.conditional.variances(x)
        weights = np.ones(len(x))
        for part in self.conditional.parts(x):
            density, distances = self._density(part)
            weights[part.index] = density.weights(distances)
            room = 1 + self.tail * (density.n_seen - 2)
            if room <= 0:
                variances[part.index] = np.where(np.isnan(x[part.index]), np.inf, 0.0)
            else:
                variances[part.index] *= ((1 + self.tail * distances) / room)[:, None]
        return StudentCompletion(values, variances, weights)

    def log_density(self, x: Array) -> Array:
        """Return the log-density of the seen cells of each row, in nats, shape (n_samples,); zero where none is."""
        density = np.zeros(len(x))
        for part in self.conditional.parts(x):
            rows, distances = self._density(part)
            _, log_determinants = solved(part.block, self.conditional.normal)
            scales = part.block.observed @ (np.log(2 * np.pi) + 2 * np.log(self.conditional.scale))
            constants = (log_determinants + scales)[part.block.pattern]
            density[part.index] = rows.kernel(1.0, rows.growth(distances), distances) - constants / 2
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
            tails[part.index] = density.scores(1.0, growth, excess, distances, distances**2)
        return locations, scatters, tails

    def _density(self, part: Part) -> tuple[TailDensity, Array]:
        """Return the density of the rows of a part, and their squared distances."""
        density = TailDensity(self.tail, seen_cells(part.block))
        return density, squared_distances(part.residuals, self.conditional.normal)
