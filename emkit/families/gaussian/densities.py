"""K Gaussians: their log densities and weighted moments, and the best of them given moments."""

from __future__ import annotations

import math

import attrs
import numpy as np

from emkit.families.gaussian.blocks import Plan, Sums, normalise
from emkit.families.gaussian.covariance import CovarianceStructure
from emkit.families.gaussian.expansions import Array
from emkit.families.gaussian.moments import GaussianMoments

# What rounding was seen to do to log-likelihoods at the floor, against the estimate of `Gaussians.rounding`.
ROUNDING_MARGIN = 4.0


@attrs.frozen(eq=False)
class Gaussians:
    """K Gaussian densities and the location and scale the data are standardised by.

    Attributes
    ----------
    means : ndarray of shape (n_components, n_features)
        In the units of the data.
    covariances : ndarray of shape ``structure.shape(n_components, n_features)``
        In the units of the data.
    structure : CovarianceStructure
    location, scale : ndarray of shape (n_features,)
        Constants of the whole fit, such as the mean and the standard deviation of the data. They keep the
        arithmetic near one and change no result beyond rounding; ``scale`` must be one that
        `CovarianceStructure.scale_of` gives.
    """

    means: Array
    covariances: Array
    structure: CovarianceStructure
    location: Array
    scale: Array

    def log_density(self, x: Array) -> Array:
        """Return ``log_density[n, k] = log N(x[n]; means[k], covariances[k])``.

        Parameters
        ----------
        x : ndarray of shape (n_samples, n_features)

        Returns
        -------
        log_density : ndarray of shape (n_samples, n_components)
            In nats; ``-inf`` for a row more than 1e120 scales from ``location``.

        Raises
        ------
        DegenerateError
            If a covariance is not positive definite.
        """
        with np.errstate(all="ignore"):
            plan = self._plan()
            out = np.empty((len(x), len(self.means)))
            for rows, phi, far in plan.blocks(x):
                out[rows] = plan.log_joint(phi, far).T
        return out

    def moments(self, x: Array, responsibilities: Array, sample_weight: Array | None = None) -> GaussianMoments:
        """Return the moments of the rows, each shared among the components by its responsibilities.

        Parameters
        ----------
        x : ndarray of shape (n_samples, n_features)
        responsibilities : ndarray of shape (n_samples, n_components)
        sample_weight : ndarray of shape (n_samples,), optional

        Returns
        -------
        moments : GaussianMoments
            Standardised, about the current means. Rows more than 1e120 scales from ``location`` have no
            part in them.
        """
        with np.errstate(all="ignore"):
            plan = self._plan()
            sums = Sums.zeros(plan)
            for rows, phi, far in plan.blocks(x):
                weighted = responsibilities[rows].T * (1.0 if sample_weight is None else sample_weight[rows])
                if far is not None:
                    weighted[:, far] = 0.0
                sums.add(phi, np.ascontiguousarray(weighted))
            return sums.moments()

    def mixture_e_step(
        self, x: Array, log_weights: Array, sample_weight: Array | None = None, temperature: float = 1.0
    ) -> tuple[GaussianMoments, float]:
        """Return the moments and the log-likelihood of a mixture of these Gaussians, in one pass.

        Computes, without ever holding an array of n_samples rows,

            log_joint[n, k] = log_weights[k] + log N(x[n]; means[k], covariances[k])
            log_likelihood  = sum over n of sample_weight[n] * log(sum over k of exp(log_joint[n, k]))

        and the moments under

            responsibilities[n, k] = exp(log_joint[n, k]) / sum over j of exp(log_joint[n, j])

        Parameters
        ----------
        x : ndarray of shape (n_samples, n_features)
        log_weights : ndarray of shape (n_components,)
            May contain ``-inf``.
        sample_weight : ndarray of shape (n_samples,), optional
            A row of weight zero takes no part, even if its density is zero.
        temperature : float
            Divides ``log_joint`` above and multiplies the log-likelihood, for deterministic annealing.

        Returns
        -------
        moments : GaussianMoments
        log_likelihood : float
            In nats, summed over rows; ``-inf`` if a row of positive weight has density zero under every
            component.
        """
        totals = []
        with np.errstate(all="ignore"):
            plan = self._plan(log_weights)
            sums = Sums.zeros(plan)
            for rows, phi, far in plan.blocks(x):
                joint = plan.log_joint(phi, far)
                if temperature != 1:
                    joint /= temperature
                weights = None if sample_weight is None else sample_weight[rows]
                totals.append(normalise(joint, weights))
                sums.add(phi, joint)
            return sums.moments(), temperature * math.fsum(totals)

    def _plan(self, log_weights: Array | float = 0.0) -> Plan:
        """Return what a pass over the data needs to know."""
        return Plan.of(
            self.means,
            self.covariances,
            self.structure,
            location=self.location,
            scale=self.scale,
            log_weights=log_weights,
        )

    def rounding(self, counts: Array) -> float:
        """Return by how much the rounding of these params may move a log-likelihood, in nats.

        A mean is known to one unit in its last place and so is a covariance S with inverse P; of ``n`` rows that moves
        the log-likelihood by about

            n * n_features * eps * (|mean| * sqrt(trace P) + trace(S) * trace(P))

        all in standardised units, ``|mean|`` counted from zero and not from ``location``. It matters only where a
        covariance is nearly singular or the data are far from zero.

        Parameters
        ----------
        counts : ndarray of shape (n_components,)
            Expected number of rows of each component.
        """
        n_components, n_features = self.means.shape
        standard = self.structure.rescale(self.covariances, 1.0 / self.scale)
        factors = self.structure.precisions_cholesky(standard)
        distance = np.abs(self.means / self.scale).max(axis=1)
        tightness = _sums_of_squares(factors, self.structure.is_matrix, n_components, n_features)
        matrices = self.structure.to_full(standard, n_components, n_features)
        spread = np.trace(matrices, axis1=1, axis2=2)
        lost = distance * np.sqrt(tightness) + spread * tightness
        return float(ROUNDING_MARGIN * n_features * np.finfo(np.float64).eps * (counts @ lost))


def _sums_of_squares(factors: Array, is_matrix: bool, n_components: int, n_features: int) -> Array:
    """Return the trace of every precision (n_components,), given the factors of the precisions."""
    if is_matrix:
        return np.broadcast_to((factors**2).sum(axis=(-1, -2)), (n_components,))
    precisions: Array = factors.reshape(n_components, -1) ** 2
    return np.asarray(np.broadcast_to(precisions, (n_components, n_features)).sum(axis=1))


def gaussian_m_step(moments: GaussianMoments, gaussians: Gaussians, floor: float) -> tuple[Array, Array]:
    """Return the means and covariances of highest likelihood given the moments, in the units of the data.

    The mean moves by ``first / counts``; the covariance is that of `CovarianceStructure.m_step`, without any
    eigenvalue below ``floor`` in standardised units. A component without rows keeps both, bit for bit.

    Parameters
    ----------
    moments : GaussianMoments
        Taken at ``gaussians``.
    gaussians : Gaussians
        The current ones.
    floor : float
        Smallest eigenvalue allowed, in units of ``scale ** 2``. Constant for a whole fit, so that the
        likelihood cannot fall.

    Returns
    -------
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of shape ``structure.shape(n_components, n_features)``

    Examples
    --------
    >>> import numpy as np
    >>> from emkit.families import Diagonal
    >>> x = np.array([[0.0], [2.0], [10.0]])
    >>> start = Gaussians(np.array([[1.0], [9.0]]), np.ones((2, 1)), Diagonal(), np.zeros(1), np.ones(1))
    >>> moments, log_likelihood = start.mixture_e_step(x, np.log([0.5, 0.5]))
    >>> means, covariances = gaussian_m_step(moments, start, floor=0.01)
    >>> means.round(3).tolist()
    [[1.0], [10.0]]
    >>> covariances.round(3).tolist()
    [[1.0], [0.01]]
    """
    structure, scale = gaussians.structure, gaussians.scale
    with np.errstate(all="ignore"):
        means = gaussians.means + moments.shifts() * scale
        previous = structure.rescale(gaussians.covariances, 1.0 / scale)
        covariances = structure.rescale(structure.m_step(moments, previous, floor), scale)
    return means, structure.keep_unoccupied(moments.occupied(), covariances, gaussians.covariances)
