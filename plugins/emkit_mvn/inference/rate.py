"""The EM map of a normal model near its fixed point, in coordinates in which complete data would know all equally well.

In these coordinates the complete-data information is the identity, so the Jacobian of the EM map is symmetric and its
eigenvalues are the fractions of information that the gaps hide.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from emkit_mvn.kernels.rows import IncompleteRows
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.params import NormalParams

Array = NDArray[np.float64]

#: Length of a difference step in complete-data standard errors.
STEP = 1e-4
#: Most steps of Lanczos' iteration, and the error of its answer, relative to the information that is left.
MAX_STEPS = 30
ACCURACY = 0.05


@attrs.frozen(eq=False)
class WhitenedMap:
    """The EM map around params, in coordinates ``(x, X)``, flattened to one vector of n_features + n_features**2.

    With ``factor factor' = covariance`` they stand for the params

        mean       + mean_unit * factor x
        covariance + covariance_unit * factor X factor'

    where the units make the complete-data information (with the prior's) the identity, for symmetric ``X``:
    ``mean_unit = 1 / sqrt(n + strength)`` and ``covariance_unit = sqrt(2 / (n + count))``.
    """

    model: MultivariateNormal
    params: NormalParams
    rows: IncompleteRows
    factor: Array
    mean_unit: float
    covariance_unit: float

    @classmethod
    def of(cls, model: MultivariateNormal, params: NormalParams, rows: IncompleteRows) -> WhitenedMap:
        """Return the map of a model with its data around params."""
        count = strength = 0.0
        if model.prior is not None:
            terms = model.prior.terms(len(params.mean), params.scale)
            count, strength = terms.count, terms.strength
        n = rows.total_weight
        factor = np.asarray(np.linalg.cholesky(params.covariance), dtype=np.float64)
        return cls(model, params, rows, factor, 1 / math.sqrt(n + strength), math.sqrt(2 / (n + count)))

    @property
    def size(self) -> int:
        """Number of coordinates."""
        d = len(self.factor)
        return d + d * d

    def whitened(self, mean: Array, covariance: Array) -> Array:
        """Return the coordinates of a displacement of the params."""
        x = solve_triangular(self.factor, mean, lower=True) / self.mean_unit
        half = solve_triangular(self.factor, covariance, lower=True)
        both = solve_triangular(self.factor, half.T, lower=True) / self.covariance_unit
        return np.concatenate([x, (both + both.T).ravel() / 2])

    def displacement(self, coordinates: Array) -> tuple[Array, Array]:
        """Return the displacements of mean and covariance that coordinates stand for."""
        d = len(self.factor)
        covariance = self.factor @ coordinates[d:].reshape(d, d) @ self.factor.T
        return self.mean_unit * (self.factor @ coordinates[:d]), self.covariance_unit * (covariance + covariance.T) / 2

    def derivative(self, coordinates: Array) -> Array:
        """Return the derivative of the EM map along coordinates, by two E-steps."""
        length = STEP / float(np.linalg.norm(coordinates))
        mean, covariance = self.displacement(length * coordinates)
        above, below = self._image(mean, covariance), self._image(-mean, -covariance)
        return self.whitened(above.mean - below.mean, above.covariance - below.covariance) / (2 * length)

    def _image(self, mean: Array, covariance: Array) -> NormalParams:
        moved = attrs.evolve(self.params, mean=self.params.mean + mean, covariance=self.params.covariance + covariance)
        return self.model.m_step(moved, self.model.e_step(moved, self.rows).statistics)


def slowest_direction(em_map: WhitenedMap) -> tuple[float, Array]:
    """Return the largest eigenvalue of the EM map's Jacobian, which is the rate of EM, and its eigenvector.

    By Lanczos' iteration from a fixed start, two E-steps each. Of the error in the eigenvector only the square
    enters the eigenvalue.
    """
    start = np.random.default_rng(0).standard_normal(em_map.size)
    # As coordinates of a displacement, the part of the covariance is symmetric.
    vector = em_map.whitened(*em_map.displacement(start))
    vector /= np.linalg.norm(vector)
    basis, images = [vector], [em_map.derivative(vector)]
    while True:
        vectors, changes = np.array(basis), np.array(images)
        projected = vectors @ changes.T
        values, weights = np.linalg.eigh((projected + projected.T) / 2)
        rate, top = float(values[-1]), weights[:, -1]
        residual = float(np.linalg.norm(top @ changes - rate * (top @ vectors)))
        if len(basis) == MAX_STEPS or residual <= ACCURACY * max(1 - rate, 0.0):
            return rate, top @ vectors
        # Twice, because once leaves what rounding has put in.
        following = images[-1] - (vectors @ images[-1]) @ vectors
        following -= (vectors @ following) @ vectors
        length = float(np.linalg.norm(following))
        if length <= STEP * STEP:
            return rate, top @ vectors
        basis.append(following / length)
        images.append(em_map.derivative(basis[-1]))
